//! Every row of the filter table, and what a filter is never: a reason to lose a record.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn context() -> FilterContext {
    // 23:30 UTC is the next day in Berlin.
    let now = "2026-03-02T23:30:00Z".parse().expect("an instant");
    FilterContext::at(now, Some("Europe/Berlin"), Some("005000000000001AAA"))
}

fn rule(kind: FieldKind, operator: FilterOperator, value: Json) -> Filter {
    let json = json!({ "all": [{ "field": "F", "operator": operator, "value": value }] });
    let facts = |_: &str| Some(FieldFacts { kind, filterable: true });
    validate_filter(&json, "filter", &facts, &context()).expect("a filter").expect("rules")
}

fn judged(filter: &Filter, value: Option<&str>) -> Option<bool> {
    filter.judge(&context(), None, &|_| Some(value.map(str::to_owned)))
}

#[test]
fn every_operator_with_every_kind_that_it_fits() {
    use FieldKind as K;
    use FilterOperator as O;
    // Kind, operator, value; values that hold, values that do not.
    type Case = (FieldKind, FilterOperator, Json, &'static [Option<&'static str>], &'static [Option<&'static str>]);
    let cases: &[Case] = &[
        (K::Text, O::Equals, json!("Acme"), &[Some("ACME"), Some("acme  ")], &[Some("Acme Ltd"), None, Some("")]),
        (K::Text, O::NotEquals, json!("Acme"), &[Some("Acme Ltd"), None, Some(" ")], &[Some("ACME")]),
        (K::Text, O::Equals, json!("m\u{fc}ller"), &[Some("MU\u{308}LLER")], &[Some("muller")]),
        (K::Text, O::Contains, json!("50%"), &[Some("A 50% share")], &[Some("A 500 share"), None]),
        (K::LongText, O::Contains, json!("o'neil"), &[Some("Ask\r\nO'Neil \\")], &[Some("ONeil"), None]),
        (K::Text, O::StartsWith, json!("A_"), &[Some("a_b")], &[Some("ab"), Some("b a_"), None]),
        (K::Text, O::In, json!(["a", "B "]), &[Some("A"), Some("b")], &[Some("c"), None]),
        (K::Text, O::IsEmpty, json!(null), &[None, Some(""), Some("  ")], &[Some("x")]),
        (K::Text, O::IsNotEmpty, json!(null), &[Some("x")], &[None, Some("")]),
        (K::Email, O::Equals, json!("Ann@Acme.example"), &[Some("ann@acme.example")], &[Some("ann@acme.org"), None]),
        (K::Email, O::Contains, json!("@acme."), &[Some("ann@ACME.example")], &[None]),
        (K::Phone, O::StartsWith, json!("+49"), &[Some("+49 30")], &[Some("030"), None]),
        (K::Domain, O::Equals, json!("acme.example"), &[Some("Acme.example")], &[Some("https://acme.example"), None]),
        (K::Number, O::Equals, json!(1200), &[Some("1200.0"), Some("1.2e3")], &[Some("1201"), None, Some("many")]),
        (K::Number, O::NotEquals, json!("1200"), &[Some("1"), None, Some("many")], &[Some("1200.00")]),
        (K::Number, O::In, json!([1, "2.0"]), &[Some("1"), Some("2")], &[Some("3"), None]),
        (K::Money, O::Greater, json!("0.1"), &[Some("0.11")], &[Some("0.10"), Some("-5"), None]),
        (K::Money, O::GreaterOrEqual, json!(10), &[Some("10"), Some("9999999999999999999")], &[Some("9.99"), None]),
        (K::Percent, O::Less, json!(50), &[Some("49.9"), Some("-1")], &[Some("50"), None]),
        (K::Percent, O::LessOrEqual, json!(50), &[Some("50.0")], &[Some("50.1"), None]),
        (K::Number, O::IsEmpty, json!(""), &[None], &[Some("0")]),
        (K::Date, O::Equals, json!("2026-03-02"), &[Some("2026-03-02")], &[Some("2026-03-03"), None]),
        (K::Date, O::NotEquals, json!("2026-03-02"), &[Some("2026-03-03"), None], &[Some("2026-03-02")]),
        (K::Date, O::Less, json!("2026-03-02"), &[Some("2026-03-01")], &[Some("2026-03-02"), None]),
        (K::Date, O::GreaterOrEqual, json!("2026-03-02"), &[Some("2026-03-02")], &[Some("2026-03-01"), None]),
        (K::Date, O::In, json!(["2026-03-02"]), &[Some("2026-03-02")], &[Some("2026-03-01")]),
        // Today is 3 March in Berlin.
        (K::Date, O::WithinDays, json!(1), &[Some("2026-03-03"), Some("2026-03-02")], &[Some("2026-03-01"), None]),
        (K::Date, O::WithinDays, json!("0"), &[Some("2026-03-03")], &[Some("2026-03-02"), Some("2026-03-04")]),
        (
            K::DateTime,
            O::Equals,
            json!("2026-03-02"),
            &[Some("2026-03-01T23:00:00.000+0000"), Some("2026-03-02T22:59:59Z")],
            &[Some("2026-03-01T22:59:59Z"), Some("2026-03-02T23:00:00Z"), None],
        ),
        (
            K::DateTime,
            O::NotEquals,
            json!("2026-03-02"),
            &[Some("2026-03-02T23:00:00Z"), None],
            &[Some("2026-03-02T22:00:00Z")],
        ),
        (
            K::DateTime,
            O::Greater,
            json!("2026-03-02"),
            &[Some("2026-03-02T23:00:00Z")],
            &[Some("2026-03-02T22:59:59Z"), None],
        ),
        (
            K::DateTime,
            O::LessOrEqual,
            json!("2026-03-02"),
            &[Some("2026-03-02T22:59:59Z")],
            &[Some("2026-03-02T23:00:00Z")],
        ),
        (
            K::DateTime,
            O::Less,
            json!("2026-03-02T10:00:00Z"),
            &[Some("2026-03-02T09:59:59Z")],
            &[Some("2026-03-02T10:00:00Z"), None],
        ),
        (
            K::DateTime,
            O::Equals,
            json!("2026-03-02T11:00:00+01:00"),
            &[Some("2026-03-02T10:00:00.000Z")],
            &[Some("2026-03-02T11:00:00Z")],
        ),
        (
            K::DateTime,
            O::WithinDays,
            json!(1),
            &[Some("2026-03-01T23:00:00Z"), Some("2026-03-03T22:59:59Z")],
            &[Some("2026-03-01T22:59:59Z"), Some("2026-03-03T23:00:00Z"), None],
        ),
        (K::Boolean, O::Equals, json!(true), &[Some("true"), Some("TRUE"), Some("1")], &[Some("false"), None]),
        (K::Boolean, O::NotEquals, json!("true"), &[Some("false"), None], &[Some("true")]),
        (K::Choice, O::In, json!(["Energy", "Media"]), &[Some("energy")], &[Some("Retail"), None]),
        (K::MultiChoice, O::Equals, json!("b;A"), &[Some("a;b"), Some("B; A")], &[Some("a"), Some("a;b;c"), None]),
        (K::MultiChoice, O::NotEquals, json!("a"), &[Some("a;b"), None], &[Some("A")]),
        (K::MultiChoice, O::Contains, json!("a"), &[Some("b;A")], &[Some("ab"), None]),
        (K::MultiChoice, O::In, json!(["a", "c"]), &[Some("b;c"), Some("a")], &[Some("b"), None]),
        (K::Reference, O::Equals, json!("0010000001AAA"), &[Some("0010000001AAA")], &[Some("0010000001aaa"), None]),
        (
            K::Reference,
            O::Equals,
            json!("current user"),
            &[Some("005000000000001AAA")],
            &[Some("005000000000002AAA"), None],
        ),
        (
            K::Reference,
            O::NotEquals,
            json!("current_user"),
            &[Some("005000000000002AAA"), None],
            &[Some("005000000000001AAA")],
        ),
        (
            K::Reference,
            O::In,
            json!(["a", "current user"]),
            &[Some("a"), Some("005000000000001AAA")],
            &[Some("b"), None],
        ),
    ];
    for (kind, operator, wanted, hold, fail) in cases {
        let filter = rule(*kind, *operator, wanted.clone());
        for (values, expected) in [(hold, true), (fail, false)] {
            for value in *values {
                assert_eq!(judged(&filter, *value), Some(expected), "{value:?} {operator} {wanted} ({kind})");
            }
        }
    }
    for kind in FieldKind::ALL {
        let covered = cases.iter().filter(|(of, ..)| of == kind).count();
        assert!(covered > 0, "{kind} has no case");
    }
    for operator in FilterOperator::ALL {
        assert!(cases.iter().any(|(_, of, ..)| of == operator), "{operator} has no case");
    }
}

#[test]
fn what_is_wrong_is_said_where_it_is() {
    let facts = |name: &str| {
        let kind = match name {
            "Name" => FieldKind::Text,
            "Amount" => FieldKind::Money,
            "CloseDate" => FieldKind::Date,
            "CreatedDate" => FieldKind::DateTime,
            "IsWon" => FieldKind::Boolean,
            _ => return None,
        };
        Some(FieldFacts { kind, filterable: true })
    };
    let one = |field: &str, operator: &str, value: Json| json!({ "all": [{ "field": field, "operator": operator, "value": value }] });
    let deep = (0..10).fold(one("Name", "is_empty", json!(null)), |inner, _| json!({ "any": [inner] }));
    let cases = [
        (json!("x"), "f"),
        (json!([]), "f"),
        (json!({ "field": "Name", "operator": "is_empty" }), "f"),
        (json!({ "all": {} }), "f.all"),
        (json!({ "all": [], "any": [] }), "f"),
        (json!({ "all": [{ "any": [] }] }), "f.all[0].any"),
        (json!({ "all": [5] }), "f.all[0]"),
        (deep, "f.any[0].any[0].any[0].any[0].any[0].any[0].any[0].any[0].any[0]"),
        (one("Nope", "equals", json!("x")), "f.all[0].field"),
        (one("", "equals", json!("x")), "f.all[0].field"),
        (one("Name", "like", json!("x")), "f.all[0].operator"),
        (one("Name", "gt", json!("x")), "f.all[0].operator"),
        (one("Amount", "contains", json!("5")), "f.all[0].operator"),
        (one("IsWon", "in", json!([true])), "f.all[0].operator"),
        (one("Name", "within_days", json!(5)), "f.all[0].operator"),
        (one("Name", "equals", json!(null)), "f.all[0].value"),
        (one("Name", "equals", json!("")), "f.all[0].value"),
        (one("Name", "equals", json!(["x"])), "f.all[0].value"),
        (one("Name", "in", json!("x")), "f.all[0].value"),
        (one("Name", "in", json!([])), "f.all[0].value"),
        (one("Name", "in", json!(["x", null])), "f.all[0].value"),
        (one("Name", "is_empty", json!("x")), "f.all[0].value"),
        (one("Name", "equals", json!("x".repeat(1001))), "f.all[0].value"),
        (one("Amount", "gt", json!("much")), "f.all[0].value"),
        (one("CloseDate", "lt", json!("31.01.2026")), "f.all[0].value"),
        (one("CloseDate", "lt", json!("2026-02-30")), "f.all[0].value"),
        (one("CloseDate", "within_days", json!(-1)), "f.all[0].value"),
        (one("CloseDate", "within_days", json!(1.5)), "f.all[0].value"),
        (one("CreatedDate", "lt", json!("soon")), "f.all[0].value"),
        (one("IsWon", "equals", json!("perhaps")), "f.all[0].value"),
        (json!({ "all": [{ "field": "Name", "operator": "is_empty", "values": [] }] }), "f.all[0].values"),
    ];
    for (given, path) in cases {
        let problems = validate_filter(&given, "f", &facts, &context()).expect_err("a problem");
        assert_eq!(problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(), [path], "{given}");
    }
    let twice = json!({ "any": [{ "field": "Nope", "operator": "like", "value": 1 }, { "field": "Amount", "operator": "gt", "value": "x" }] });
    assert_eq!(validate_filter(&twice, "f", &facts, &context()).expect_err("problems").len(), 2, "all at once");
    for nothing in [json!(null), json!({ "all": [] }), json!({ "any": [] })] {
        assert_eq!(validate_filter(&nothing, "f", &facts, &context()), Ok(None));
    }
}

#[test]
fn a_rule_that_cannot_be_read_does_not_know_and_an_unmapped_field_is_not_met() {
    let facts = |name: &str| (name != "Gone").then_some(FieldFacts { kind: FieldKind::Number, filterable: true });
    let read = |json: Json| read_filter(&json, &facts).expect("a filter").expect("rules");
    let five = |_: &str| Some(Some("5".to_owned()));
    let gone = json!({ "field": "Gone", "operator": "equals", "value": "x" });
    let met = json!({ "field": "N", "operator": "gt", "value": 4 });
    let unfit = json!({ "field": "N", "operator": "contains", "value": "5" });
    let judge = |json: Json| read(json).judge(&context(), None, &five);
    assert_eq!(judge(json!({ "all": [gone.clone(), met.clone()] })), None);
    assert_eq!(judge(json!({ "any": [gone.clone(), met.clone()] })), Some(true));
    assert_eq!(judge(json!({ "any": [unfit] })), None);
    let not_five = json!({ "all": [{ "field": "N", "operator": "not_equals", "value": 5 }] });
    assert_eq!(read(not_five.clone()).judge(&context(), Some(false), &|_| None), Some(false));
    assert_eq!(read(not_five).judge(&context(), None, &|_| None), None);
    let nobody = FilterContext { current_user: None, ..context() };
    let mine = rule(FieldKind::Reference, FilterOperator::Equals, json!("current user"));
    assert_eq!(mine.judge(&nobody, None, &five), None);
}

#[test]
fn what_is_stored_comes_back() {
    let json = json!({ "all": [
        { "field": "A", "operator": "in", "value": ["x", 5] },
        { "any": [{ "field": "B", "operator": "within_days", "value": 30 }, { "field": "A", "operator": "is_empty", "value": null }] },
    ] });
    let facts = |_: &str| Some(FieldFacts { kind: FieldKind::Date, filterable: true });
    let filter = read_filter(&json, &facts).expect("a filter").expect("rules");
    assert_eq!(filter.to_json(), json);
    assert_eq!(filter.fields(), ["A", "B"]);
    assert!(filter.goes_by_time());
}

/// Fields of the random trees, one of each sort.
const FIELDS: [(&str, FieldKind); 4] =
    [("T", FieldKind::Text), ("N", FieldKind::Number), ("D", FieldKind::DateTime), ("M", FieldKind::MultiChoice)];

fn any_value(field: &'static str) -> BoxedStrategy<String> {
    match field {
        "T" => "[aAbB%_']{1,3}".boxed(),
        "N" => (-3..4_i32, 0..2_u8).prop_map(|(whole, tenth)| format!("{whole}.{tenth}0")).boxed(),
        "D" => (-50..50_i64)
            .prop_map(|hours| {
                let noon: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().expect("an instant");
                (noon + chrono::TimeDelta::hours(hours)).to_rfc3339()
            })
            .boxed(),
        _ => prop::sample::subsequence(vec!["a", "b", "C"], 1..3).prop_map(|choices| choices.join(";")).boxed(),
    }
}

fn any_leaf() -> impl Strategy<Value = Json> {
    prop::sample::select(&FIELDS[..]).prop_flat_map(|(field, kind)| {
        let operators: Vec<FilterOperator> =
            FilterOperator::ALL.iter().copied().filter(|operator| operator.fits(kind)).collect();
        (prop::sample::select(operators), prop::collection::vec(any_value(field), 1..3), 0..4_u8).prop_map(
            move |(operator, values, days)| {
                let value = match operator {
                    FilterOperator::IsEmpty | FilterOperator::IsNotEmpty => Json::Null,
                    FilterOperator::In => json!(values),
                    FilterOperator::WithinDays => json!(days),
                    _ if kind == FieldKind::DateTime && days == 0 => json!(values[0][..10]),
                    _ => json!(values[0]),
                };
                json!({ "field": field, "operator": operator, "value": value })
            },
        )
    })
}

fn any_tree() -> impl Strategy<Value = Json> {
    let group = |inner: BoxedStrategy<Json>| {
        (any::<bool>(), prop::collection::vec(inner, 1..3))
            .prop_map(|(all, terms)| if all { json!({ "all": terms }) } else { json!({ "any": terms }) })
    };
    let tree = any_leaf().prop_recursive(2, 5, 2, move |inner| group(inner.boxed()));
    group(tree.boxed())
}

type Row = [Option<String>; 4];

fn any_row() -> impl Strategy<Value = Row> {
    let held = |field: &'static str| prop::option::weighted(0.8, any_value(field));
    (held("T"), held("N"), held("D"), held("M")).prop_map(|(t, n, d, m)| [t, n, d, m])
}

fn facts(name: &str) -> Option<FieldFacts> {
    FIELDS.iter().find(|(field, _)| *field == name).map(|(_, kind)| FieldFacts { kind: *kind, filterable: true })
}

fn value_of(row: &Row, name: &str) -> Option<Value> {
    FIELDS.iter().position(|(field, _)| *field == name).map(|place| row[place].clone())
}

fn judge(json: &Json, row: &Row) -> Option<bool> {
    let filter = validate_filter(json, "f", &facts, &context()).expect("a filter").expect("rules");
    filter.judge(&context(), None, &|name| value_of(row, name))
}

/// The same question answered another way: numbers as tenths, instants as days since the epoch in the account's zone or as
/// seconds, a group by counting.
fn expected(json: &Json, row: &Row) -> bool {
    for (name, all) in [("all", true), ("any", false)] {
        if let Some(terms) = json[name].as_array() {
            let met = terms.iter().filter(|term| expected(term, row)).count();
            return if all { met == terms.len() } else { met > 0 };
        }
    }
    let field = json["field"].as_str().expect("a field");
    let held = value_of(row, field).flatten();
    let operator: FilterOperator = json["operator"].as_str().and_then(|name| name.parse().ok()).expect("an operator");
    let wanted: Vec<String> = match &json["value"] {
        Json::Array(list) => list.iter().map(|value| value.as_str().expect("text").to_owned()).collect(),
        Json::String(text) => vec![text.clone()],
        Json::Number(number) => vec![number.to_string()],
        _ => Vec::new(),
    };
    let Some(held) = held else {
        return matches!(operator, FilterOperator::IsEmpty | FilterOperator::NotEquals);
    };
    match field {
        "T" => text_holds(operator, &held, &wanted),
        "N" => {
            let tenths = |text: &str| (text.parse::<f64>().expect("a number") * 10.0).round() as i64;
            let wanted: Vec<(i64, i64)> = wanted.iter().map(|text| (tenths(text), tenths(text))).collect();
            range_holds(operator, tenths(&held), &wanted)
        }
        "D" => {
            let at = |text: &str| DateTime::parse_from_rfc3339(text).expect("an instant").timestamp();
            let day = |days: i32| {
                let begins =
                    |day: NaiveDate| BERLIN_OFFSET_S + day.signed_duration_since(NaiveDate::default()).num_seconds();
                let first = NaiveDate::default() + chrono::TimeDelta::days(i64::from(days));
                (begins(first), begins(first) + 86_399)
            };
            let number = |day: &str| {
                day.parse::<NaiveDate>().expect("a day").signed_duration_since(NaiveDate::default()).num_days() as i32
            };
            if operator == FilterOperator::WithinDays {
                let back: i32 = wanted[0].parse().expect("a number");
                let today = number("2026-03-03");
                return day(today - back).0 <= at(&held) && at(&held) <= day(today).1;
            }
            let wanted: Vec<(i64, i64)> = wanted
                .iter()
                .map(|text| if text.len() == 10 { day(number(text)) } else { (at(text), at(text)) })
                .collect();
            range_holds(operator, at(&held), &wanted)
        }
        _ => choices_hold(operator, &held, &wanted),
    }
}

/// Berlin is an hour ahead in winter: its day begins an hour before.
const BERLIN_OFFSET_S: i64 = -3600;

fn text_holds(operator: FilterOperator, held: &str, wanted: &[String]) -> bool {
    let held = held.to_ascii_uppercase();
    let wanted: Vec<String> = wanted.iter().map(|text| text.to_ascii_uppercase()).collect();
    match operator {
        FilterOperator::Equals | FilterOperator::In => wanted.contains(&held),
        FilterOperator::NotEquals => !wanted.contains(&held),
        FilterOperator::Contains => held.split(&wanted[0]).count() > 1,
        FilterOperator::StartsWith => held.find(&wanted[0]) == Some(0),
        other => other == FilterOperator::IsNotEmpty,
    }
}

fn range_holds(operator: FilterOperator, held: i64, wanted: &[(i64, i64)]) -> bool {
    let inside = wanted.iter().any(|(first, last)| (*first..=*last).contains(&held));
    let first = wanted.first().copied().unwrap_or_default();
    match operator {
        FilterOperator::Equals | FilterOperator::In => inside,
        FilterOperator::NotEquals => !inside,
        FilterOperator::Greater => held > first.1,
        FilterOperator::GreaterOrEqual => held >= first.0,
        FilterOperator::Less => held < first.0,
        FilterOperator::LessOrEqual => held <= first.1,
        other => other == FilterOperator::IsNotEmpty,
    }
}

fn choices_hold(operator: FilterOperator, held: &str, wanted: &[String]) -> bool {
    let bits = |text: &str| {
        text.to_lowercase().split(';').fold(0_u8, |bits, choice| bits | 1 << (choice.as_bytes()[0] - b'a'))
    };
    let held = bits(held);
    let has = |text: &String| held & bits(text) == bits(text);
    match operator {
        FilterOperator::Equals => held == bits(&wanted[0]),
        FilterOperator::NotEquals => held != bits(&wanted[0]),
        FilterOperator::Contains => has(&wanted[0]),
        FilterOperator::In => wanted.iter().any(has),
        other => other == FilterOperator::IsNotEmpty,
    }
}

/// The opposite, by De Morgan; `None` where an operator has none.
fn negated(json: &Json) -> Option<Json> {
    for (name, other) in [("all", "any"), ("any", "all")] {
        if let Some(terms) = json[name].as_array() {
            let terms = terms.iter().map(negated).collect::<Option<Vec<Json>>>()?;
            return Some(json!({ other: terms }));
        }
    }
    let operator = match json["operator"].as_str()? {
        "equals" => "not_equals",
        "not_equals" => "equals",
        "is_empty" => "is_not_empty",
        "is_not_empty" => "is_empty",
        _ => return None,
    };
    Some(json!({ "field": json["field"], "operator": operator, "value": json["value"] }))
}

fn any_negatable() -> impl Strategy<Value = Json> {
    let leaf = any_leaf().prop_map(|mut leaf| {
        let operator = match leaf["operator"].as_str() {
            Some("is_empty" | "is_not_empty" | "equals" | "not_equals") => return leaf,
            Some("in" | "within_days") => "is_empty",
            _ => "not_equals",
        };
        leaf["operator"] = json!(operator);
        if operator == "is_empty" {
            leaf["value"] = Json::Null;
        }
        leaf
    });
    let group = |inner: BoxedStrategy<Json>| {
        (any::<bool>(), prop::collection::vec(inner, 1..3))
            .prop_map(|(all, terms)| if all { json!({ "all": terms }) } else { json!({ "any": terms }) })
    };
    let tree = leaf.prop_recursive(2, 5, 2, move |inner| group(inner.boxed()));
    group(tree.boxed())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn every_verdict_is_what_another_evaluator_says(tree in any_tree(), row in any_row()) {
        prop_assert_eq!(judge(&tree, &row), Some(expected(&tree, &row)), "{} {:?}", tree, row);
    }

    #[test]
    fn the_opposite_filter_takes_exactly_the_other_records(tree in any_negatable(), row in any_row()) {
        let other = negated(&tree).expect("an opposite");
        prop_assert_eq!(judge(&tree, &row).map(|holds| !holds), judge(&other, &row), "{} {:?}", tree, row);
    }

    #[test]
    fn not_equals_is_the_negation_of_equals_for_whatever_a_field_holds(
        kind in prop::sample::select(FieldKind::ALL),
        wanted in "[a-c0-9;.-]{1,5}|2026-0[1-9]-1[0-9]|true|false",
        held in prop::option::of("\\PC{0,8}|[a-c0-9;.-]{1,5}|2026-0[1-9]-1[0-9]|true|false"),
    ) {
        let of = |operator: &str| {
            let json = json!({ "all": [{ "field": "F", "operator": operator, "value": wanted }] });
            let filter = read_filter(&json, &|_| Some(FieldFacts { kind, filterable: true }));
            filter.expect("a filter").expect("rules").judge(&context(), None, &|_| Some(held.clone()))
        };
        prop_assert_eq!(of("equals").map(|holds| !holds), of("not_equals"));
    }

    #[test]
    fn what_is_not_known_never_turns_a_verdict_that_is(tree in any_tree(), row in any_row(), hidden in 0..4_usize) {
        let filter = validate_filter(&tree, "f", &facts, &context()).expect("a filter").expect("rules");
        let known = |name: &str| value_of(&row, name).filter(|_| name != FIELDS[hidden].0);
        if let Some(verdict) = filter.judge(&context(), None, &known) {
            prop_assert_eq!(Some(verdict), judge(&tree, &row));
        }
    }

    #[test]
    fn a_filter_comes_back_from_what_is_stored(tree in any_tree()) {
        let filter = read_filter(&tree, &facts).expect("a filter").expect("rules");
        prop_assert_eq!(read_filter(&filter.to_json(), &facts), Ok(Some(filter)));
    }

    #[test]
    fn whatever_is_sent_is_read_or_refused(text in "\\PC{0,40}", number in any::<i64>()) {
        let value = json!([{ "any": [{ "field": text, "operator": "in", "value": [number, text] }] }, { "operator": text }]);
        let problems = validate_filter(&json!({ "all": value }), "f", &facts, &context()).expect_err("problems");
        prop_assert!(problems.iter().all(|problem| problem.path.starts_with("f.all[")));
    }
}
