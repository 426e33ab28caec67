//! Instants as the CRM writes and reads them (dossier 2.4).

use chrono::{DateTime, NaiveDate, SecondsFormat};

/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = 24 * 3600 * 1000;

/// ISO 8601 in UTC with milliseconds.
pub(super) fn iso(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A day.
pub(super) fn day(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().date_naive().to_string()
}

/// `Date` of an answer.
pub(super) fn http_date(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// An instant in ISO, as a day or as epoch milliseconds.
pub(super) fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(ms) = text.parse::<i64>() {
        return DateTime::from_timestamp_millis(ms).map(|_| ms);
    }
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.timestamp_millis());
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_come_in_three_spellings() {
        assert_eq!(instant("2020-02-29T03:30:17.000Z"), Some(1_582_947_017_000));
        assert_eq!(instant("1582947017000"), Some(1_582_947_017_000));
        assert_eq!(instant("2020-02-29"), Some(1_582_934_400_000));
        assert_eq!(instant("soon"), None);
        assert_eq!(instant("9223372036854775807"), None, "no year that far");
        assert_eq!(iso(1_582_947_017_000), "2020-02-29T03:30:17.000Z");
    }
}
