//! Date literals: periods around now, in the time zone of the signed-in person.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeZone, Timelike};
use chrono_tz::Europe::London;

use super::resolve::Held;

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
            "N_WEEKS_AGO" => weeks(week(today)?.checked_sub_days(Days::new(days * 7))?),
            "NEXT_N_WEEKS" => {
                let next = week(today)?.checked_add_days(Days::new(7))?;
                Some((next, next.checked_add_days(Days::new(days * 7))?))
            }
            "N_MONTHS_AGO" => months(month(today)?, count, 1),
            "NEXT_N_MONTHS" => ahead_of(month(today)?, 1, count),
            "N_QUARTERS_AGO" | "N_FISCAL_QUARTERS_AGO" => months(quarter(today)?, count.checked_mul(3)?, 3),
            "NEXT_N_QUARTERS" | "NEXT_N_FISCAL_QUARTERS" => ahead_of(quarter(today)?, 3, count.checked_mul(3)?),
            "N_YEARS_AGO" | "N_FISCAL_YEARS_AGO" => months(year(today)?, count.checked_mul(12)?, 12),
            "NEXT_N_YEARS" | "NEXT_N_FISCAL_YEARS" => ahead_of(year(today)?, 12, count.checked_mul(12)?),
            "LAST_N_WEEKS" => Some((week(today)?.checked_sub_days(Days::new(days * 7))?, week(today)?)),
            "LAST_N_MONTHS" => Some((month(today)?.checked_sub_months(Months::new(count))?, month(today)?)),
            "LAST_N_QUARTERS" | "LAST_N_FISCAL_QUARTERS" => {
                Some((quarter(today)?.checked_sub_months(Months::new(count * 3))?, quarter(today)?))
            }
            "LAST_N_YEARS" | "LAST_N_FISCAL_YEARS" => {
                Some((year(today)?.checked_sub_months(Months::new(count * 12))?, year(today)?))
            }
            _ => None,
        };
    }
    let following = |start: NaiveDate, length: u32| {
        let start = start.checked_add_months(Months::new(length))?;
        Some((start, start.checked_add_months(Months::new(length))?))
    };
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
        "LAST_QUARTER" | "LAST_FISCAL_QUARTER" => months(quarter(today)?, 3, 3),
        "THIS_QUARTER" | "THIS_FISCAL_QUARTER" => months(quarter(today)?, 0, 3),
        "NEXT_QUARTER" | "NEXT_FISCAL_QUARTER" => following(quarter(today)?, 3),
        "LAST_YEAR" | "LAST_FISCAL_YEAR" => months(year(today)?, 12, 12),
        "THIS_YEAR" | "THIS_FISCAL_YEAR" => months(year(today)?, 0, 12),
        "NEXT_YEAR" | "NEXT_FISCAL_YEAR" => following(year(today)?, 12),
        _ => None,
    }
}

/// So many months from a beginning that lies so many months before another.
fn months(start: NaiveDate, before: u32, length: u32) -> Option<(NaiveDate, NaiveDate)> {
    let start = start.checked_sub_months(Months::new(before))?;
    Some((start, start.checked_add_months(Months::new(length))?))
}

/// So many months from a beginning that lies so many months after another.
fn ahead_of(start: NaiveDate, after: u32, length: u32) -> Option<(NaiveDate, NaiveDate)> {
    let start = start.checked_add_months(Months::new(after))?;
    Some((start, start.checked_add_months(Months::new(length))?))
}

fn weeks(start: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
    Some((start, start.checked_add_days(Days::new(7))?))
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

/// A part of a date, by the time zone of the signed-in person or by UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct DatePart {
    unit: Unit,
    local: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Year,
    Quarter,
    Month,
    DayInMonth,
    DayInWeek,
    DayInYear,
    WeekInMonth,
    WeekInYear,
    Hour,
    Day,
}

impl DatePart {
    /// The part that a function's name (in capitals) stands for.
    pub(super) fn named(name: &str, local: bool) -> Option<Self> {
        let unit = match name {
            "CALENDAR_YEAR" | "FISCAL_YEAR" => Unit::Year,
            "CALENDAR_QUARTER" | "FISCAL_QUARTER" => Unit::Quarter,
            "CALENDAR_MONTH" | "FISCAL_MONTH" => Unit::Month,
            "DAY_IN_MONTH" => Unit::DayInMonth,
            "DAY_IN_WEEK" => Unit::DayInWeek,
            "DAY_IN_YEAR" => Unit::DayInYear,
            "WEEK_IN_MONTH" => Unit::WeekInMonth,
            "WEEK_IN_YEAR" => Unit::WeekInYear,
            "HOUR_IN_DAY" => Unit::Hour,
            "DAY_ONLY" => Unit::Day,
            _ => return None,
        };
        Some(DatePart { unit, local })
    }

    /// Whether the part is a day; the others are numbers.
    pub(super) fn is_day(self) -> bool {
        self.unit == Unit::Day
    }

    /// The part of a value that is a date or an instant.
    pub(super) fn of(self, held: Held<'_>) -> Held<'_> {
        let (day, hour) = match held {
            Held::Text(day) => (day.parse::<NaiveDate>().ok(), 0),
            Held::Instant(at) => match DateTime::from_timestamp_millis(at) {
                Some(at) if self.local => {
                    let at = at.with_timezone(&London);
                    (Some(at.date_naive()), at.hour())
                }
                Some(at) => (Some(at.date_naive()), at.hour()),
                None => (None, 0),
            },
            _ => (None, 0),
        };
        let Some(day) = day else { return Held::Null };
        Held::Number(f64::from(match self.unit {
            Unit::Day => return Held::Day(day),
            Unit::Year => day.year(),
            Unit::Quarter => day.month0() as i32 / 3 + 1,
            Unit::Month => day.month() as i32,
            Unit::DayInMonth => day.day() as i32,
            Unit::DayInWeek => day.weekday().num_days_from_sunday() as i32 + 1,
            Unit::DayInYear => day.ordinal() as i32,
            Unit::WeekInMonth => day.day0() as i32 / 7 + 1,
            Unit::WeekInYear => day.ordinal0() as i32 / 7 + 1,
            Unit::Hour => hour as i32,
        }))
    }
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
