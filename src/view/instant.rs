//! Instants and numbers as people and programs read them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// An instant on a screen: how long ago, with the exact instant and zone on hover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// For the machine: RFC 3339 in UTC.
    pub iso: String,
    /// Milliseconds since 1970.
    pub ms: i64,
    /// The exact instant with its zone.
    pub title: String,
    /// How long ago or how far ahead, as seen when the server answered.
    pub text: String,
}

impl Moment {
    /// `at` as seen at `now`.
    pub fn new(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Moment {
            iso: rfc3339(at),
            ms: at.timestamp_millis(),
            title: at.format("%-d %b %Y, %H:%M:%S UTC").to_string(),
            text: relative(at.timestamp_millis(), now.timestamp_millis()),
        }
    }
}

/// RFC 3339 in UTC with milliseconds and `Z`, as the API writes instants.
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// How long before or after `now_ms` the instant `at_ms` lies, in words.
pub fn relative(at_ms: i64, now_ms: i64) -> String {
    let seconds = now_ms.saturating_sub(at_ms) / 1000;
    let distance = seconds.unsigned_abs();
    if distance < 45 {
        return if seconds >= 0 { "just now" } else { "in a moment" }.to_owned();
    }
    let (count, unit) = match distance {
        45..=3_569 => (rounded(distance, 60), "minute"),
        3_570..=84_599 => (rounded(distance, 3_600), "hour"),
        84_600..=2_591_999 => (rounded(distance, 86_400), "day"),
        2_592_000..=31_535_999 => (rounded(distance, 2_592_000), "month"),
        _ => (rounded(distance, 31_536_000), "year"),
    };
    let amount = counted(count, unit);
    if seconds >= 0 { format!("{amount} ago") } else { format!("in {amount}") }
}

/// A duration in words, to the grain that matters: "0.4 s", "12 s", "3 min 20 s", "1 h 5 min".
pub fn duration(ms: i64) -> String {
    let ms = ms.max(0);
    let seconds = ms / 1000;
    match seconds {
        0..10 => format!("{}.{} s", seconds, ms % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 if seconds % 60 == 0 => format!("{} min", seconds / 60),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ if seconds % 3_600 < 60 => format!("{} h", seconds / 3_600),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A whole number with thousands separators.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "1 minute", "2 minutes": a number with its noun.
pub fn counted(count: u64, noun: &str) -> String {
    let number = grouped(i64::try_from(count).unwrap_or(i64::MAX));
    if count == 1 { format!("{number} {noun}") } else { format!("{number} {noun}s") }
}

fn rounded(amount: u64, unit: u64) -> u64 {
    ((amount + unit / 2) / unit).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_milliseconds_and_z() {
        let at = DateTime::from_timestamp_millis(1_795_000_000_004).expect("in range");
        assert_eq!(rfc3339(at), "2026-11-18T11:06:40.004Z");
        assert_eq!(Moment::new(at, at).title, "18 Nov 2026, 11:06:40 UTC");
    }

    #[test]
    fn distances_in_words() {
        let cases: [(i64, &str); 11] = [
            (0, "just now"),
            (44, "just now"),
            (45, "1 minute ago"),
            (42 * 60, "42 minutes ago"),
            (3_570, "1 hour ago"),
            (5 * 3_600, "5 hours ago"),
            (86_400, "1 day ago"),
            (40 * 86_400, "1 month ago"),
            (800 * 86_400, "2 years ago"),
            (-10, "in a moment"),
            (-18 * 60, "in 18 minutes"),
        ];
        for (seconds, words) in cases {
            assert_eq!(relative(0, seconds * 1000), words, "{seconds} s");
        }
    }

    #[test]
    fn durations_in_words() {
        for (ms, words) in [(430, "0.4 s"), (12_000, "12 s"), (200_000, "3 min 20 s"), (3_900_000, "1 h 5 min")] {
            assert_eq!(duration(ms), words);
        }
    }

    #[test]
    fn thousands_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (-41_208, "-41,208"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(counted(1, "conflict"), "1 conflict");
        assert_eq!(counted(1_200, "conflict"), "1,200 conflicts");
    }
}
