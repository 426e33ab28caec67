//! What is said in SOQL, what is not, and how it is quoted. That both judge alike is tested against the simulator.

use serde_json::{Value as Json, json};

use super::*;
use crate::sync::{FieldFacts, validate_filter};

fn facts(name: &str) -> Option<FieldFacts> {
    let kind = match name {
        "Name" | "Formula__c" => FieldKind::Text,
        "Description" => FieldKind::LongText,
        "AnnualRevenue" => FieldKind::Money,
        "CloseDate" => FieldKind::Date,
        "CreatedDate" => FieldKind::DateTime,
        "IsWon" => FieldKind::Boolean,
        "Regions__c" => FieldKind::MultiChoice,
        "OwnerId" => FieldKind::Reference,
        _ => return None,
    };
    Some(FieldFacts { kind, filterable: name != "Formula__c" })
}

fn translated(filter: Json) -> Pushed {
    let now = "2026-03-02T12:00:00Z".parse().expect("an instant");
    let context = FilterContext::at(now, Some("Europe/Berlin"), Some("005000000000001AAA"));
    let filter = validate_filter(&filter, "f", &facts, &context).expect("a filter").expect("rules");
    pushed(&WindowFilter { filter, context })
}

fn one(field: &str, operator: &str, value: Json) -> Pushed {
    translated(json!({ "all": [{ "field": field, "operator": operator, "value": value }] }))
}

#[test]
fn what_soql_judges_alike_is_said() {
    let cases = [
        ("Name", "equals", json!(" O'Neil "), r"Name = 'O\'Neil'"),
        ("Name", "not_equals", json!("a"), "(Name != 'a' OR Name = null)"),
        ("Name", "in", json!(["a", r"b\"]), r"Name IN ('a','b\\')"),
        ("Name", "contains", json!("5%_'"), r"Name LIKE '%5\%\_\'%'"),
        ("Name", "starts_with", json!("A"), "Name LIKE 'A%'"),
        ("Name", "is_empty", json!(null), "Name = null"),
        ("AnnualRevenue", "gte", json!("1e3"), "AnnualRevenue >= 1000"),
        ("AnnualRevenue", "in", json!([1, 2.50]), "AnnualRevenue IN (1,2.5)"),
        ("CloseDate", "lt", json!("2026-03-02"), "CloseDate < 2026-03-02"),
        ("CloseDate", "within_days", json!(2), "(CloseDate >= 2026-02-28 AND CloseDate <= 2026-03-02)"),
        (
            "CreatedDate",
            "equals",
            json!("2026-03-29"),
            "(CreatedDate >= 2026-03-28T23:00:00Z AND CreatedDate < 2026-03-29T22:00:00Z)",
        ),
        ("CreatedDate", "gt", json!("2026-03-29"), "CreatedDate >= 2026-03-29T22:00:00Z"),
        ("CreatedDate", "lte", json!("2026-03-29T10:00:00+02:00"), "CreatedDate <= 2026-03-29T08:00:00Z"),
        ("IsWon", "not_equals", json!(true), "IsWon != TRUE"),
        ("Regions__c", "in", json!(["EU", "US"]), "Regions__c INCLUDES ('EU','US')"),
        ("OwnerId", "equals", json!("current user"), "OwnerId = '005000000000001AAA'"),
    ];
    for (field, operator, value, expected) in cases {
        let pushed = one(field, operator, value);
        assert_eq!(pushed, Pushed { condition: Some(expected.to_owned()), complete: true });
    }
}

#[test]
fn what_it_might_judge_otherwise_is_not() {
    let cases = [
        ("Name", "equals", json!("M\u{fc}ller")),
        ("Name", "contains", json!("a\\b")),
        ("Name", "equals", json!("two\nlines")),
        ("Formula__c", "equals", json!("a")),
        ("Description", "contains", json!("a")),
        ("AnnualRevenue", "equals", json!("1234567890.1234567")),
        ("CloseDate", "gt", json!("4001-01-01")),
        ("CreatedDate", "equals", json!("2026-03-29T10:00:00.5Z")),
        ("IsWon", "is_empty", json!(null)),
        ("Regions__c", "equals", json!("EU;US")),
        ("OwnerId", "equals", json!("Ann")),
    ];
    for (field, operator, value) in cases {
        assert_eq!(one(field, operator, value), Pushed { condition: None, complete: false }, "{field} {operator}");
    }
    let long: Vec<String> = (0..400).map(|number| format!("company {number}")).collect();
    assert_eq!(one("Name", "in", json!(long)).condition, None, "the statement would be too long");
}

#[test]
fn a_group_says_what_it_can_where_that_is_wider() {
    let said = json!({ "field": "Name", "operator": "equals", "value": "a" });
    let unsaid = json!({ "field": "Description", "operator": "contains", "value": "b" });
    let other = json!({ "field": "AnnualRevenue", "operator": "gt", "value": 1 });
    let narrowed = translated(json!({ "all": [said, unsaid, other] }));
    assert_eq!(narrowed, Pushed { condition: Some("(Name = 'a' AND AnnualRevenue > 1)".to_owned()), complete: false });
    assert_eq!(translated(json!({ "any": [said, unsaid] })), Pushed { condition: None, complete: false });
    let nested = translated(json!({ "any": [said, { "all": [other, unsaid] }] }));
    assert_eq!(nested, Pushed { condition: Some("(Name = 'a' OR AnnualRevenue > 1)".to_owned()), complete: false });
}
