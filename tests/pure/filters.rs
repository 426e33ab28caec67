//! Filters, against a judge that knows each value by what it is: hundredths, minutes, sets of letters. Three answers: a rule
//! that cannot be read does not know.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use crosstie::model::{FieldKind, FilterOperator};
use crosstie::sync::{FieldFacts, FilterContext, Value, read_filter};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const KINDS: [(&str, FieldKind); 8] = [
    ("number", FieldKind::Money),
    ("text", FieldKind::Text),
    ("choice", FieldKind::Choice),
    ("set", FieldKind::MultiChoice),
    ("day", FieldKind::Date),
    ("instant", FieldKind::DateTime),
    ("flag", FieldKind::Boolean),
    ("person", FieldKind::Reference),
];

const WORDS: [&str; 6] = ["acme", "acme ltd", "ltd", "m\u{fc}ller", "a", "zeta"];
const PEOPLE: [&str; 3] = ["005A", "005a", "005B"];

/// Berlin's clocks go forward in the night before today.
fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 29).expect("a day")
}

/// Berlin's day at an instant, by the rule of that spring and no table of zones.
fn day_in_berlin(minutes: i64) -> i64 {
    // Minutes count from 2026-03-29T00:00Z; clocks change at 01:00Z.
    let ahead = if minutes < 60 { 60 } else { 120 };
    (minutes + ahead).div_euclid(24 * 60)
}

/// A value by what it is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Held {
    Empty,
    /// Hundredths.
    Number(i64),
    /// One of the words.
    Text(usize),
    /// Letters a to d, as bits.
    Set(u8),
    /// Days from today.
    Day(i64),
    /// Minutes from midnight UTC of today.
    Instant(i64),
    Flag(bool),
    Person(usize),
    /// Text where something else belongs.
    Garbage,
}

fn spelled(held: Held, spelling: usize) -> Value {
    let cased = |text: &str| if spelling.is_multiple_of(2) { text.to_owned() } else { text.to_uppercase() };
    Some(match held {
        Held::Empty => return [None, Some(String::new()), Some("  ".to_owned())][spelling % 3].clone(),
        Held::Number(hundredths) => {
            let sign = if hundredths < 0 { "-" } else { "" };
            let (whole, part) = (hundredths.abs() / 100, hundredths.abs() % 100);
            format!("{sign}{whole}.{part:02}{}", "0".repeat(spelling % 3))
        }
        Held::Text(word) => cased(WORDS[word]) + if spelling > 2 { "  " } else { "" },
        Held::Set(bits) => {
            let mut letters: Vec<String> = "abcd"
                .chars()
                .enumerate()
                .filter(|(bit, _)| bits >> bit & 1 == 1)
                .map(|(_, c)| cased(&c.to_string()))
                .collect();
            if spelling > 2 {
                letters.reverse();
            }
            letters.join(if spelling.is_multiple_of(3) { ";" } else { "; " })
        }
        Held::Day(days) => (today() + TimeDelta::days(days)).to_string(),
        Held::Instant(minutes) => {
            let at: DateTime<Utc> = today().and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::minutes(minutes);
            match spelling % 3 {
                0 => at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
                1 => at.format("%Y-%m-%dT%H:%M:%S%.3f%z").to_string(),
                _ => at.with_timezone(&Tz::America__New_York).to_rfc3339(),
            }
        }
        Held::Flag(true) => ["true", "TRUE", "1", "yes"][spelling % 4].to_owned(),
        Held::Flag(false) => ["false", "False", "0", "no"][spelling % 4].to_owned(),
        Held::Person(person) => PEOPLE[person].to_owned(),
        Held::Garbage => "?!".to_owned(),
    })
}

/// What a record holds, in the order of [`KINDS`]; `None`: not observed.
type Held8 = Vec<(Option<Held>, usize)>;

fn held(kind: FieldKind) -> BoxedStrategy<Held> {
    match kind {
        FieldKind::Money => (-3..4_i64).prop_map(|fifty| Held::Number(fifty * 50)).boxed(),
        FieldKind::Text | FieldKind::Choice => (0..WORDS.len()).prop_map(Held::Text).boxed(),
        FieldKind::MultiChoice => (1..16_u8).prop_map(Held::Set).boxed(),
        FieldKind::Date => (-4..3_i64).prop_map(Held::Day).boxed(),
        FieldKind::DateTime => (-3 * 96..96_i64).prop_map(|quarter| Held::Instant(quarter * 15)).boxed(),
        FieldKind::Boolean => any::<bool>().prop_map(Held::Flag).boxed(),
        _ => (0..PEOPLE.len()).prop_map(Held::Person).boxed(),
    }
}

fn record() -> impl Strategy<Value = Held8> {
    let of = |(_, kind): (&str, FieldKind)| {
        let value = prop_oneof![8 => held(kind), 2 => Just(Held::Empty), 1 => Just(Held::Garbage)];
        (prop::option::weighted(0.9, value), 0..6_usize)
    };
    KINDS.map(of).to_vec()
}

#[derive(Debug, Clone)]
enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    /// Field, operator, values with their spellings. A field beyond the last is one that the CRM shows no more.
    Rule(usize, FilterOperator, Vec<(Held, usize)>),
}

fn rule() -> impl Strategy<Value = Tree> {
    (0..=KINDS.len(), prop::sample::select(FilterOperator::ALL)).prop_flat_map(|(field, operator)| {
        let kind = KINDS.get(field).map_or(FieldKind::Text, |(_, kind)| *kind);
        let one = match operator {
            FilterOperator::WithinDays => (0..4_i64).prop_map(Held::Day).boxed(),
            // An instant is compared with a day too.
            _ if kind == FieldKind::DateTime => prop_oneof![held(kind), held(FieldKind::Date)].boxed(),
            _ => prop_oneof![12 => held(kind), 1 => Just(Held::Garbage)].boxed(),
        };
        let most = if operator == FilterOperator::In { 3 } else { 1 };
        prop::collection::vec((one, 0..6_usize), 1..=most).prop_map(move |wanted| Tree::Rule(field, operator, wanted))
    })
}

fn tree() -> impl Strategy<Value = Tree> {
    let terms = |inner| prop::collection::vec(inner, 1..4);
    let groups = rule().prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![terms(inner.clone()).prop_map(Tree::All), terms(inner).prop_map(Tree::Any)]
    });
    // A filter begins with a group.
    groups.prop_map(|tree| if matches!(tree, Tree::Rule(..)) { Tree::All(vec![tree]) } else { tree })
}

fn as_json(tree: &Tree) -> Json {
    let all = |terms: &[Tree]| terms.iter().map(as_json).collect::<Vec<Json>>();
    match tree {
        Tree::All(terms) => json!({ "all": all(terms) }),
        Tree::Any(terms) => json!({ "any": all(terms) }),
        Tree::Rule(field, operator, wanted) => {
            let name = KINDS.get(*field).map_or("gone", |(name, _)| *name);
            let text = |(held, spelling): &(Held, usize)| match (operator, held) {
                (FilterOperator::WithinDays, Held::Day(days)) => json!(days),
                _ => json!(spelled(*held, *spelling)),
            };
            let value = match operator {
                FilterOperator::IsEmpty | FilterOperator::IsNotEmpty => Json::Null,
                FilterOperator::In => wanted.iter().map(text).collect(),
                _ => text(&wanted[0]),
            };
            json!({ "field": name, "operator": operator.as_str(), "value": value })
        }
    }
}

/// No, open, yes: the least of a group that wants all, the greatest of one that wants any.
fn judged(tree: &Tree, record: &Held8, unread: Option<bool>) -> Option<bool> {
    let rank = |answer: Option<bool>| match answer {
        Some(false) => 0,
        None => 1,
        Some(true) => 2,
    };
    let each = |terms: &[Tree]| terms.iter().map(|term| judged(term, record, unread)).collect::<Vec<_>>();
    match tree {
        Tree::All(terms) => each(terms).into_iter().min_by_key(|answer| rank(*answer)).flatten(),
        Tree::Any(terms) => each(terms).into_iter().max_by_key(|answer| rank(*answer)).flatten(),
        Tree::Rule(field, operator, wanted) => match record.get(*field).map(|(held, _)| *held) {
            // The record of the table ends before the field that the CRM shows no more: nobody could read that.
            None | Some(None) => unread,
            Some(Some(held)) => holds(KINDS[*field].1, held, *operator, wanted),
        },
    }
}

fn holds(kind: FieldKind, held: Held, operator: FilterOperator, wanted: &[(Held, usize)]) -> Option<bool> {
    use FilterOperator as O;
    let is_text = matches!(kind, FieldKind::Text | FieldKind::Choice);
    let is_ordered = matches!(kind, FieldKind::Money | FieldKind::Date | FieldKind::DateTime);
    let fits = match operator {
        O::Equals | O::NotEquals | O::IsEmpty | O::IsNotEmpty => true,
        O::Contains => is_text || kind == FieldKind::MultiChoice,
        O::StartsWith => is_text,
        O::Greater | O::GreaterOrEqual | O::Less | O::LessOrEqual => is_ordered,
        O::In => kind != FieldKind::Boolean,
        O::WithinDays => matches!(kind, FieldKind::Date | FieldKind::DateTime),
    };
    if !fits {
        return None;
    }
    match operator {
        O::IsEmpty => return Some(held == Held::Empty),
        O::IsNotEmpty => return Some(held != Held::Empty),
        _ => {}
    }
    // Text may be anything; a number, a day, an instant or a flag may not.
    let free = is_text || matches!(kind, FieldKind::MultiChoice | FieldKind::Reference);
    if !free && wanted.iter().any(|(wanted, _)| *wanted == Held::Garbage) {
        return None;
    }
    if held == Held::Empty {
        return Some(operator == O::NotEquals);
    }
    let wanted: Vec<Held> = wanted.iter().map(|(wanted, _)| *wanted).collect();
    let first = wanted[0];
    let text = |held: Held| match held {
        Held::Text(word) => WORDS[word],
        _ => "?!",
    };
    let bits = |held: Held| if let Held::Set(bits) = held { bits } else { 16 };
    Some(match operator {
        O::Equals => places(held, first) == Some(0),
        O::NotEquals => places(held, first) != Some(0),
        O::In if kind == FieldKind::MultiChoice => {
            wanted.iter().any(|wanted| bits(held) & bits(*wanted) == bits(*wanted))
        }
        O::In => wanted.iter().any(|wanted| places(held, *wanted) == Some(0)),
        O::Contains if kind == FieldKind::MultiChoice => bits(held) & bits(first) == bits(first),
        O::Contains => text(held).contains(text(first)),
        O::StartsWith => text(held).starts_with(text(first)),
        O::Greater => places(held, first).is_some_and(|places| places > 0),
        O::GreaterOrEqual => places(held, first).is_some_and(|places| places >= 0),
        O::Less => places(held, first).is_some_and(|places| places < 0),
        O::LessOrEqual => places(held, first).is_some_and(|places| places <= 0),
        O::WithinDays => {
            let day = match held {
                Held::Day(days) => days,
                Held::Instant(minutes) => day_in_berlin(minutes),
                _ => return Some(false),
            };
            let Held::Day(back) = first else { return None };
            day <= 0 && day >= -back
        }
        O::IsEmpty | O::IsNotEmpty => return None,
    })
}

/// How far one value stands above another; `None` where that means nothing.
fn places(held: Held, wanted: Held) -> Option<i64> {
    match (held, wanted) {
        (Held::Number(held), Held::Number(wanted)) | (Held::Day(held), Held::Day(wanted)) => Some(held - wanted),
        (Held::Instant(held), Held::Instant(wanted)) => Some(held - wanted),
        (Held::Instant(held), Held::Day(wanted)) => Some(day_in_berlin(held) - wanted),
        (Held::Garbage, Held::Garbage) => Some(0),
        (Held::Text(_) | Held::Set(_) | Held::Flag(_) | Held::Person(_), _) => Some(i64::from(held != wanted)),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn a_filter_judges_as_its_words_say(
        tree in tree(), record in record(), unread in prop::option::of(any::<bool>()),
    ) {
        let facts = |name: &str| {
            let known = KINDS.iter().find(|(known, _)| *known == name);
            known.map(|(_, kind)| FieldFacts { kind: *kind, filterable: true })
        };
        let filter = read_filter(&as_json(&tree), &facts).expect("a filter").expect("rules");
        let context = FilterContext { zone: Tz::Europe__Berlin, today: today(), current_user: None };
        let read = |name: &str| {
            let place = KINDS.iter().position(|(known, _)| *known == name)?;
            let (held, spelling) = record[place];
            held.map(|held| spelled(held, spelling))
        };
        prop_assert_eq!(filter.judge(&context, unread, &read), judged(&tree, &record, unread), "{:?} of {:?}", filter, record);
        // Written down and read again it is the same.
        let again = read_filter(&filter.to_json(), &facts).expect("a filter").expect("rules");
        prop_assert_eq!(again, filter);
    }
}
