//! A CRM's value as the app's column takes it.

use chrono::NaiveDate;

use super::Value;
use super::normalise::plain_number;
use crate::model::FieldKind;

/// Spells a value as the app's column takes it, or says why it cannot.
pub fn fit(kind: FieldKind, value: Value) -> Result<Value, String> {
    let Some(text) = value else { return Ok(None) };
    match kind {
        FieldKind::Number | FieldKind::Money | FieldKind::Percent => {
            plain_number(&text).map(Some).ok_or_else(|| "the CRM's value is not a number".to_owned())
        }
        FieldKind::Date => text
            .trim_start()
            .get(..10)
            .and_then(|day| day.parse::<NaiveDate>().ok())
            .map(|day| Some(day.to_string()))
            .ok_or_else(|| "the CRM's value is not a date".to_owned()),
        _ => Ok(Some(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_days_are_spelled_as_the_column_takes_them() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(fit(FieldKind::Number, text(" 1200.0 ")), Ok(text("1200")));
        assert_eq!(fit(FieldKind::Date, text("2026-01-31T10:00:00Z")), Ok(text("2026-01-31")));
        assert_eq!(fit(FieldKind::Text, text(" as it is ")), Ok(text(" as it is ")));
        assert_eq!(fit(FieldKind::Number, None), Ok(None));
        assert!(fit(FieldKind::Money, text("much")).is_err());
        assert!(fit(FieldKind::Date, text("soon")).is_err());
    }
}
