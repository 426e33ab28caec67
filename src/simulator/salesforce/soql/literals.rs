//! What a bare word means as a value.

use chrono::{DateTime, NaiveDate};

use super::{Literal, dates};

/// The value of a word without quotes, if it is one.
pub(super) fn bare(word: &str) -> Option<Literal> {
    if word.eq_ignore_ascii_case("null") {
        return Some(Literal::Null);
    }
    if let Ok(boolean) = word.to_ascii_lowercase().parse() {
        return Some(Literal::Boolean(boolean));
    }
    if let Ok(day) = word.parse::<NaiveDate>() {
        return Some(Literal::Date(day.to_string()));
    }
    if let Ok(instant) = DateTime::parse_from_rfc3339(word) {
        return Some(Literal::Instant(instant.timestamp_millis()));
    }
    if dates::is_period(word) {
        return Some(Literal::Period(word.to_ascii_uppercase()));
    }
    let number = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
    let digits = word.starts_with(|letter: char| letter.is_ascii_digit() || "+-.".contains(letter));
    if digits {
        return number(word).map(Literal::Number);
    }
    // An amount in a currency.
    let (currency, amount) = word.split_at_checked(3)?;
    let known = currency.bytes().all(|byte| byte.is_ascii_uppercase())
        && amount.starts_with(|first: char| first.is_ascii_digit());
    if known { number(amount).map(Literal::Money) } else { None }
}
