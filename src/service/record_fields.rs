//! What people and programs may write into a record: each field checked by its kind, every problem named at once.
//!
//! Must not know: the database. Invariant: what passes here is refused by no column but for a reference, which the caller
//! looks up.

use bigdecimal::BigDecimal;
use chrono::{Datelike, NaiveDate};
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::FieldProblem;
use crate::model::{AppField, Entity, FieldKind, app_field, app_fields};

const LONGEST_LINE: usize = 255;
const LONGEST_EMAIL: usize = 320;
const LONGEST_PHONE: usize = 64;
const LONGEST_TEXT: usize = 32_000;
const LONGEST_KEY: usize = 200;
const MOST_DIGITS: u64 = 30;

/// A change of a record that has passed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Change {
    /// Column to value.
    pub(super) columns: Map<String, Value>,
    /// Key of custom to value; `null` removes it.
    pub(super) custom: Map<String, Value>,
}

/// Checks `fields` of a new record: what it cannot be without must be there.
pub(super) fn new_record(entity: Entity, fields: &Map<String, Value>) -> Result<Change, Vec<FieldProblem>> {
    let missing = app_fields(entity).iter().filter(|field| field.required && !fields.contains_key(field.name));
    let missing: Vec<_> = missing.map(|field| problem(field.name, required(field))).collect();
    match change(entity, fields) {
        Ok(change) if missing.is_empty() => Ok(change),
        Ok(_) => Err(missing),
        Err(problems) => Err(missing.into_iter().chain(problems).collect()),
    }
}

/// Checks `fields` of a change: what it does not name stays.
pub(super) fn change(entity: Entity, fields: &Map<String, Value>) -> Result<Change, Vec<FieldProblem>> {
    let mut change = Change::default();
    let mut problems = Vec::new();
    for (name, value) in fields {
        let checked = match (name.strip_prefix("custom."), app_field(entity, name)) {
            (Some(key), _) => custom_value(key, value).map(|value| change.custom.insert(key.to_owned(), value)),
            (None, Some(field)) => column_value(&field, value).map(|value| change.columns.insert(name.clone(), value)),
            (None, None) => Err(format!("There is no field {name} for {}.", entity.plural())),
        };
        if let Err(message) = checked {
            problems.push(problem(name, message));
        }
    }
    if problems.is_empty() { Ok(change) } else { Err(problems) }
}

/// What a constraint of the app's own tables means, for values that came past the checks above.
pub(super) fn constraint_in_words(constraint: &str) -> Option<FieldProblem> {
    let (field, message) = match constraint {
        "accounts_name_check" | "opportunities_name_check" => ("name", "A record needs a name."),
        "contacts_last_name_check" => ("last_name", "A contact needs a last name."),
        "accounts_employee_count_check" => ("employee_count", "The number of employees is 0 or more."),
        "opportunities_probability_check" => ("probability", "The probability is a number from 0 to 100."),
        "contacts_account_fkey" | "opportunities_account_fkey" => ("account_id", NO_SUCH_ACCOUNT),
        _ => return None,
    };
    Some(problem(field, message))
}

/// Says that a reference leads nowhere.
pub(super) fn no_such_account() -> FieldProblem {
    problem("account_id", NO_SUCH_ACCOUNT)
}

const NO_SUCH_ACCOUNT: &str = "There is no such account in this workspace. Choose another.";

fn problem(field: &str, message: impl Into<String>) -> FieldProblem {
    FieldProblem { field: field.to_owned(), message: message.into() }
}

fn required(field: &AppField) -> String {
    format!("{} cannot be empty.", field.label)
}

fn column_value(field: &AppField, value: &Value) -> Result<Value, String> {
    let empty = match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    };
    if empty {
        return if field.required { Err(required(field)) } else { Ok(Value::Null) };
    }
    let label = field.label;
    match field.kind {
        FieldKind::Number => whole_number(label, number(label, value)?),
        FieldKind::Money => Ok(Value::Number(number(label, value)?.0.clone())),
        FieldKind::Percent => percent(label, number(label, value)?),
        FieldKind::Date => date(label, text(label, value)?),
        FieldKind::Reference => reference(text(label, value)?),
        kind => line(kind, label, text(label, value)?),
    }
}

fn custom_value(key: &str, value: &Value) -> Result<Value, String> {
    if key.is_empty() || key.chars().count() > LONGEST_KEY || key.chars().any(char::is_control) {
        return Err(format!("A key of custom has 1 to {LONGEST_KEY} characters."));
    }
    match value {
        Value::Null | Value::Bool(_) => Ok(value.clone()),
        Value::Number(_) => Ok(Value::Number(number("The value", value)?.0.clone())),
        Value::String(text) if text.is_empty() => Ok(Value::Null),
        Value::String(text) => line(FieldKind::LongText, "The value", text),
        Value::Array(_) | Value::Object(_) => {
            Err("The value is a text, a number, true, false or null; it cannot hold others.".to_owned())
        }
    }
}

fn text<'a>(label: &str, value: &'a Value) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("{label} is a text. Put it in quotation marks."))
}

fn line(kind: FieldKind, label: &str, text: &str) -> Result<Value, String> {
    let longest = match kind {
        FieldKind::LongText => LONGEST_TEXT,
        FieldKind::Email => LONGEST_EMAIL,
        FieldKind::Phone => LONGEST_PHONE,
        _ => LONGEST_LINE,
    };
    let length = text.chars().count();
    if length > longest {
        return Err(format!("{label} has {length} characters; {longest} are the most. Shorten it."));
    }
    let lines = kind == FieldKind::LongText;
    if text.chars().any(|letter| letter == '\0' || (letter.is_control() && !(lines && "\n\r\t".contains(letter)))) {
        return Err(format!("{label} holds a character that cannot be kept. Type it anew."));
    }
    let fits = match kind {
        FieldKind::Email => is_email(text),
        FieldKind::Domain => !text.trim().contains(char::is_whitespace),
        FieldKind::Phone => text.contains(|letter: char| letter.is_numeric()),
        _ => true,
    };
    match kind {
        _ if fits => Ok(Value::String(text.to_owned())),
        FieldKind::Email => Err(format!("{label} is an e-mail address such as anna@example.com.")),
        FieldKind::Domain => Err(format!("{label} is a host name such as example.com.")),
        _ => Err(format!("{label} is a telephone number such as +44 113 496 0112.")),
    }
}

fn is_email(text: &str) -> bool {
    let parts = text.trim().split_once('@');
    parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
        && !text.trim().contains(char::is_whitespace)
}

/// The digits as written, and the number they are.
fn number<'a>(label: &str, value: &'a Value) -> Result<(&'a Number, BigDecimal), String> {
    let Value::Number(digits) = value else {
        return Err(format!("{label} is a number. Write it without quotation marks."));
    };
    let number: BigDecimal = digits.as_str().parse().map_err(|_| format!("{label} cannot be read as a number."))?;
    let whole_places = i128::from(number.digits()) - i128::from(number.fractional_digit_count());
    let too_long = number.digits() > MOST_DIGITS
        || whole_places > i128::from(MOST_DIGITS)
        || number.fractional_digit_count() > MOST_DIGITS as i64;
    if too_long {
        return Err(format!("{label} has more than {MOST_DIGITS} digits. Round it."));
    }
    Ok((digits, number))
}

fn whole_number(label: &str, (_, number): (&Number, BigDecimal)) -> Result<Value, String> {
    let digits = number.normalized().to_plain_string();
    match digits.parse::<i64>() {
        Ok(whole) if whole >= 0 => Ok(Value::from(whole)),
        _ => Err(format!("{label} is a whole number, 0 or more.")),
    }
}

fn percent(label: &str, (digits, number): (&Number, BigDecimal)) -> Result<Value, String> {
    if !(BigDecimal::from(0)..=BigDecimal::from(100)).contains(&number) {
        return Err(format!("{label} is a number from 0 to 100."));
    }
    Ok(Value::Number(digits.clone()))
}

fn date(label: &str, text: &str) -> Result<Value, String> {
    let day = (text.len() == 10).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten();
    match day.filter(|day| day.year() >= 1) {
        Some(_) => Ok(Value::String(text.to_owned())),
        None => Err(format!("{label} is a day such as 2027-03-31.")),
    }
}

fn reference(text: &str) -> Result<Value, String> {
    match text.parse::<Uuid>() {
        Ok(id) => Ok(Value::String(id.to_string())),
        Err(_) => Err(NO_SUCH_ACCOUNT.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn what_fits_passes_digit_by_digit() {
        let given = r#"{"name":"Müller & Söhne","annual_revenue":48200000.10,"employee_count":412.0,"phone":null,
            "description":"two\nlines","custom.tier":"B","custom.score":7.50,"custom.key":true,"custom.old":null}"#;
        let given: Map<String, Value> = serde_json::from_str(given).expect("plain");
        let change = new_record(Entity::Account, &given).expect("fits");
        assert_eq!(change.columns["annual_revenue"].to_string(), "48200000.10");
        assert_eq!(change.columns["employee_count"].to_string(), "412");
        assert_eq!(change.columns["phone"], Value::Null);
        assert_eq!(change.custom["score"].to_string(), "7.50");
        assert_eq!((&change.custom["key"], &change.custom["old"]), (&json!(true), &Value::Null));
    }

    #[test]
    fn every_value_that_does_not_fit_names_its_field() {
        let long = "x".repeat(256);
        let cases = [
            (Entity::Account, "name", json!(null)),
            (Entity::Account, "name", json!("  ")),
            (Entity::Account, "name", json!(long)),
            (Entity::Account, "name", json!("a\u{0}b")),
            (Entity::Account, "name", json!("a\nb")),
            (Entity::Account, "name", json!(5)),
            (Entity::Account, "domain", json!("two words")),
            (Entity::Account, "employee_count", json!("12")),
            (Entity::Account, "employee_count", json!(1.5)),
            (Entity::Account, "employee_count", json!(-1)),
            (Entity::Account, "employee_count", serde_json::from_str("9223372036854775808").expect("plain")),
            (Entity::Account, "annual_revenue", serde_json::from_str("1e400").expect("plain")),
            (Entity::Account, "annual_revenue", serde_json::from_str("1e-40").expect("plain")),
            (Entity::Account, "annual_revenue", json!(true)),
            (Entity::Account, "nonsense", json!("x")),
            (Entity::Account, "id", json!("x")),
            (Entity::Account, "custom", json!({})),
            (Entity::Account, "custom.", json!("x")),
            (Entity::Account, "custom.x", json!({ "deep": 1 })),
            (Entity::Contact, "email", json!("nobody")),
            (Entity::Contact, "email", json!("a b@c.example")),
            (Entity::Contact, "phone", json!("none")),
            (Entity::Contact, "phone", json!("1".repeat(65))),
            (Entity::Contact, "account_id", json!("acme")),
            (Entity::Opportunity, "probability", json!(100.1)),
            (Entity::Opportunity, "probability", json!(-0.1)),
            (Entity::Opportunity, "close_date", json!("2027-02-29")),
            (Entity::Opportunity, "close_date", json!("2027-3-1")),
            (Entity::Opportunity, "close_date", json!("2027-03-01T00:00:00Z")),
        ];
        for (entity, name, value) in cases {
            let problems =
                change(entity, &fields(json!({ name: value.clone() }))).expect_err(&format!("{name} {value}"));
            assert_eq!(problems.iter().map(|problem| problem.field.as_str()).collect::<Vec<_>>(), [name], "{value}");
        }
    }

    #[test]
    fn a_new_record_needs_what_it_cannot_be_without() {
        let problems = new_record(Entity::Contact, &fields(json!({ "email": 3 }))).expect_err("two problems");
        let named: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(named, ["last_name", "email"]);
        assert_eq!(change(Entity::Contact, &Map::new()).expect("nothing to change"), Change::default());
    }
}
