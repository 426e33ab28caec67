//! What two values have in common: `normalise` removes what means nothing, `same_meaning` compares loosely
//! (`sync.md`, "The base, and why there are two").

use std::borrow::Cow;

use bigdecimal::{BigDecimal, RoundingMode};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::Value;
use crate::model::FieldKind;

/// Digits of a number, before or after the point: those of Postgres' `numeric` before it.
const MOST_DIGITS: u64 = 131_072;

/// The canonical text of a value. What cannot be read as its kind stays as text.
pub fn normalise(kind: FieldKind, value: &Value) -> Value {
    let text = clean(value.as_deref()?);
    if text.is_empty() {
        return None;
    }
    let canonical = match kind {
        FieldKind::Number | FieldKind::Money | FieldKind::Percent => plain_number(&text),
        FieldKind::Date => date(&text),
        FieldKind::DateTime => instant(&text),
        FieldKind::Boolean => boolean(&text),
        FieldKind::MultiChoice => Some(set(&text)),
        FieldKind::Text
        | FieldKind::LongText
        | FieldKind::Email
        | FieldKind::Phone
        | FieldKind::Domain
        | FieldKind::Choice
        | FieldKind::Reference => None,
    };
    Some(canonical.unwrap_or_else(|| text.into_owned())).filter(|text| !text.is_empty())
}

/// Whether two values of one side are the same.
pub fn same(kind: FieldKind, a: &Value, b: &Value) -> bool {
    a == b || normalise(kind, a) == normalise(kind, b)
}

/// Whether values of the two sides agree: the looser comparison.
pub fn same_meaning(kind: FieldKind, a: &Value, b: &Value) -> bool {
    if same(kind, a, b) {
        return true;
    }
    let (Some(a), Some(b)) = (normalise(kind, a), normalise(kind, b)) else { return false };
    match kind {
        FieldKind::Email => a.to_lowercase() == b.to_lowercase(),
        FieldKind::Domain => host(&a) == host(&b),
        FieldKind::Phone => digits(&a) == digits(&b) && !digits(&a).is_empty(),
        FieldKind::DateTime => same_instant(&a, &b),
        FieldKind::Text | FieldKind::LongText | FieldKind::Choice => folded(&a) == folded(&b),
        FieldKind::Number
        | FieldKind::Money
        | FieldKind::Percent
        | FieldKind::Date
        | FieldKind::Boolean
        | FieldKind::MultiChoice
        | FieldKind::Reference => false,
    }
}

/// A number as a field of so many decimal places keeps it, a half rounded away from zero. Only the field knows its
/// precision: 13 in a field of two places is another value than 12.60, in a field of none it is the same.
pub fn rounded(value: Value, decimals: u32) -> Value {
    let text = value?;
    match text.trim().parse::<BigDecimal>() {
        Ok(number) if number.fractional_digit_count() > i64::from(decimals) => {
            Some(number.with_scale_round(i64::from(decimals), RoundingMode::HalfUp).to_plain_string())
        }
        _ => Some(text),
    }
}

/// The host of an address: without case, scheme, `www.`, path and final slash.
pub(super) fn host(text: &str) -> String {
    let lower = text.trim().to_lowercase();
    let rest = lower.split_once("://").map_or(lower.as_str(), |(_, rest)| rest);
    let rest = rest.strip_prefix("www.").unwrap_or(rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned()
}

/// White space folded to single blanks.
pub(super) fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Unicode form, line ends and trailing white space removed; borrows where nothing is to be removed.
fn clean(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim_end();
    let composed = is_nfc_quick(trimmed.chars()) == IsNormalized::Yes;
    if composed && !trimmed.contains('\r') && !has_trailing_blanks(trimmed) {
        return Cow::Borrowed(trimmed);
    }
    let composed: String = trimmed.nfc().collect();
    let lines: Vec<&str> = composed.split('\n').map(str::trim_end).collect();
    Cow::Owned(lines.join("\n"))
}

fn has_trailing_blanks(text: &str) -> bool {
    text.split('\n').any(|line| line.ends_with(char::is_whitespace))
}

/// A number in digits; `None` also where that would take more of them than any field holds.
pub(super) fn plain_number(text: &str) -> Option<String> {
    let number = text.trim().parse::<BigDecimal>().ok()?;
    let (digits, scale) = (number.digits(), number.fractional_digit_count().unsigned_abs());
    (digits.max(scale) <= MOST_DIGITS).then(|| number.normalized().to_plain_string())
}

fn date(text: &str) -> Option<String> {
    let day = text.trim_start().get(..10)?;
    day.parse::<NaiveDate>().ok().map(|day| day.to_string())
}

fn instant(text: &str) -> Option<String> {
    parse_instant(text).map(|instant| instant.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

/// An instant in one of the spellings that the sides use.
pub(super) fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.to_utc());
    }
    // Salesforce REST writes the offset without a colon (dossier 2.12).
    if let Ok(instant) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z") {
        return Some(instant.to_utc());
    }
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok().map(|instant| instant.and_utc())
}

fn boolean(text: &str) -> Option<String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" => Some("true".to_owned()),
        "false" | "f" | "0" | "no" => Some("false".to_owned()),
        _ => None,
    }
}

fn set(text: &str) -> String {
    let mut values: Vec<&str> = text.split(';').map(str::trim).filter(|value| !value.is_empty()).collect();
    values.sort_unstable();
    values.dedup();
    values.join(";")
}

fn digits(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect()
}

/// Instants at whole seconds where one side has no finer ones.
fn same_instant(a: &str, b: &str) -> bool {
    let (Some(a), Some(b)) = (parse_instant(a), parse_instant(b)) else { return false };
    a == b || ((a.timestamp_subsec_millis() == 0 || b.timestamp_subsec_millis() == 0) && a.timestamp() == b.timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(text: &str) -> Value {
        Some(text.to_owned())
    }

    #[test]
    fn what_means_nothing_is_removed() {
        let cases = [
            (FieldKind::Text, "", None),
            (FieldKind::Text, "Acme  ", Some("Acme")),
            (FieldKind::LongText, "a \r\nb\r\n", Some("a\nb")),
            (FieldKind::Text, "Mu\u{308}ller", Some("M\u{fc}ller")),
            (FieldKind::Number, "1200.0", Some("1200")),
            (FieldKind::Money, "1e3", Some("1000")),
            (FieldKind::Money, "123456789012345678.90", Some("123456789012345678.9")),
            (FieldKind::Date, "2026-01-31", Some("2026-01-31")),
            (FieldKind::DateTime, "2024-09-24T03:26:07.000+0000", Some("2024-09-24T03:26:07.000Z")),
            (FieldKind::Boolean, "TRUE", Some("true")),
            (FieldKind::MultiChoice, "b; a;b", Some("a;b")),
            (FieldKind::Number, "many", Some("many")),
        ];
        for (kind, given, expected) in cases {
            assert_eq!(normalise(kind, &value(given)).as_deref(), expected, "{kind} {given:?}");
        }
    }

    #[test]
    fn sides_agree_where_only_the_spelling_differs() {
        let cases = [
            (FieldKind::Email, "Ann@Acme.example", "ann@acme.example", true),
            (FieldKind::Domain, "https://www.Acme.example/", "acme.example", true),
            (FieldKind::Domain, "acme.example", "acme.example.org", false),
            (FieldKind::Phone, "+49 (30) 123-45", "+493012345", true),
            (FieldKind::Phone, "030 12345", "+49 30 12345", false),
            (FieldKind::Text, "Acme   Ltd", "Acme Ltd", true),
            (FieldKind::Text, "Acme", "ACME", false),
            (FieldKind::Money, "12.60", "12.6", true),
            (FieldKind::Money, "12.6", "13", false),
            (FieldKind::Money, "12", "13", false),
            (FieldKind::DateTime, "2026-01-01T00:00:00.400Z", "2026-01-01T00:00:00Z", true),
            (FieldKind::Date, "2026-01-01", "2026-01-02", false),
        ];
        for (kind, a, b, expected) in cases {
            assert_eq!(same_meaning(kind, &value(a), &value(b)), expected, "{kind} {a:?} {b:?}");
            assert_eq!(same_meaning(kind, &value(b), &value(a)), expected, "{kind} {b:?} {a:?}");
        }
    }

    #[test]
    fn a_number_is_rounded_to_what_the_field_keeps() {
        let cases = [
            ("12.50", 0, "13"),
            ("-12.5", 0, "-13"),
            ("12.346", 2, "12.35"),
            ("12.3", 2, "12.3"),
            ("1e3", 0, "1e3"),
            ("12.60", 2, "12.60"),
            ("many", 0, "many"),
        ];
        for (given, decimals, expected) in cases {
            assert_eq!(rounded(value(given), decimals).as_deref(), Some(expected), "{given} {decimals}");
        }
        assert_eq!(rounded(None, 2), None);
    }

    fn any_kind() -> impl Strategy<Value = FieldKind> {
        prop::sample::select(FieldKind::ALL)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn normalising_twice_changes_nothing(kind in any_kind(), text in "\\PC{0,20}|[0-9.eE+-]{0,8}|[a-c; ]{0,8}|[ \\r\\n\\ta]{0,6}") {
            let once = normalise(kind, &value(&text));
            prop_assert_eq!(normalise(kind, &once), once);
        }

        #[test]
        fn the_same_has_the_same_meaning(kind in any_kind(), a in "[a-b0-1 .;+]{0,4}", b in "[a-b0-1 .;+]{0,4}") {
            if same(kind, &value(&a), &value(&b)) {
                prop_assert!(same_meaning(kind, &value(&a), &value(&b)));
            }
        }
    }
}
