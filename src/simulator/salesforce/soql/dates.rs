//! Date literals: periods around now, in the time zone of the signed-in person.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeZone};
use chrono_tz::Europe::London;

/// Largest count of `LAST_N_DAYS:n` and its kin.
const MOST: u32 = 100_000;

/// Whether a word is a date literal.
pub(super) fn is_period(word: &str) -> bool {
    period(&word.to_ascii_uppercase(), NaiveDate::default()).is_some()
}

/// First day of a period and the day after its last, around `now` (epoch milliseconds).
pub(super) fn days(word: &str, now: i64) -> Option<(NaiveDate, NaiveDate)> {
    let today = DateTime::from_timestamp_millis(now)?.with_timezone(&London).date_naive();
    period(word, today)
}

/// The instant at which a day begins, epoch milliseconds.
pub(super) fn begins(day: NaiveDate) -> Option<i64> {
    let midnight = day.and_hms_opt(0, 0, 0)?;
    London.from_local_datetime(&midnight).earliest().map(|instant| instant.timestamp_millis())
}

fn period(word: &str, today: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
    let one = |day: NaiveDate| Some((day, day.checked_add_days(Days::new(1))?));
    let back = |days: u64| today.checked_sub_days(Days::new(days));
    let ahead = |days: u64| today.checked_add_days(Days::new(days));
    if let Some((name, count)) = word.split_once(':') {
        let count: u32 = count.parse().ok().filter(|count| *count <= MOST)?;
        let days = u64::from(count);
        return match name {
            "LAST_N_DAYS" => Some((back(days)?, ahead(1)?)),
            "NEXT_N_DAYS" => Some((ahead(1)?, ahead(days + 1)?)),
            "N_DAYS_AGO" => one(back(days)?),
            "LAST_N_WEEKS" => Some((week(today)?.checked_sub_days(Days::new(days * 7))?, week(today)?)),
            "LAST_N_MONTHS" => Some((month(today)?.checked_sub_months(Months::new(count))?, month(today)?)),
            "LAST_N_QUARTERS" => Some((quarter(today)?.checked_sub_months(Months::new(count * 3))?, quarter(today)?)),
            "LAST_N_YEARS" => Some((year(today)?.checked_sub_months(Months::new(count * 12))?, year(today)?)),
            _ => None,
        };
    }
    let months = |start: NaiveDate, before: u32, length: u32| {
        let start = start.checked_sub_months(Months::new(before))?;
        Some((start, start.checked_add_months(Months::new(length))?))
    };
    let following = |start: NaiveDate, length: u32| {
        let start = start.checked_add_months(Months::new(length))?;
        Some((start, start.checked_add_months(Months::new(length))?))
    };
    let weeks = |start: NaiveDate| Some((start, start.checked_add_days(Days::new(7))?));
    match word {
        "TODAY" => one(today),
        "YESTERDAY" => one(back(1)?),
        "TOMORROW" => one(ahead(1)?),
        "LAST_WEEK" => weeks(week(today)?.checked_sub_days(Days::new(7))?),
        "THIS_WEEK" => weeks(week(today)?),
        "NEXT_WEEK" => weeks(week(today)?.checked_add_days(Days::new(7))?),
        "LAST_MONTH" => months(month(today)?, 1, 1),
        "THIS_MONTH" => months(month(today)?, 0, 1),
        "NEXT_MONTH" => following(month(today)?, 1),
        "LAST_90_DAYS" => Some((back(90)?, ahead(1)?)),
        "NEXT_90_DAYS" => Some((ahead(1)?, ahead(91)?)),
        "LAST_QUARTER" => months(quarter(today)?, 3, 3),
        "THIS_QUARTER" => months(quarter(today)?, 0, 3),
        "NEXT_QUARTER" => following(quarter(today)?, 3),
        "LAST_YEAR" => months(year(today)?, 12, 12),
        "THIS_YEAR" => months(year(today)?, 0, 12),
        "NEXT_YEAR" => following(year(today)?, 12),
        _ => None,
    }
}

fn week(today: NaiveDate) -> Option<NaiveDate> {
    // The locale's week begins on Monday.
    today.checked_sub_days(Days::new(u64::from(today.weekday().num_days_from_monday())))
}

fn month(today: NaiveDate) -> Option<NaiveDate> {
    today.with_day(1)
}

fn quarter(today: NaiveDate) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(today.year(), today.month0() / 3 * 3 + 1, 1)
}

fn year(today: NaiveDate) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(today.year(), 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_and_end_where_people_expect() {
        // Wednesday, 18 November 2026.
        let today = NaiveDate::from_ymd_opt(2026, 11, 18).expect("a day");
        for (word, first, after) in [
            ("TODAY", "2026-11-18", "2026-11-19"),
            ("LAST_WEEK", "2026-11-09", "2026-11-16"),
            ("LAST_MONTH", "2026-10-01", "2026-11-01"),
            ("THIS_QUARTER", "2026-10-01", "2027-01-01"),
            ("NEXT_YEAR", "2027-01-01", "2028-01-01"),
            ("LAST_N_DAYS:30", "2026-10-19", "2026-11-19"),
            ("LAST_N_MONTHS:2", "2026-09-01", "2026-11-01"),
        ] {
            let (from, to) = period(word, today).expect(word);
            assert_eq!((from.to_string().as_str(), to.to_string().as_str()), (first, after), "{word}");
        }
        assert!(!is_period("LAST_N_DAYS:99999999999") && !is_period("SOON") && is_period("today"));
    }
}
