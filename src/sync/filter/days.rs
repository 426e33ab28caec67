//! Days of the CRM account's time zone.

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// The clock steps over midnight by two hours at the most.
const QUARTERS: i32 = 8;

/// The day that it is in a zone at an instant.
pub fn day_in(zone: Tz, at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

/// The first instant of a day: midnight, where there is one.
pub fn beginning_of_day(zone: Tz, day: NaiveDate) -> Option<DateTime<Utc>> {
    let midnight = day.and_hms_opt(0, 0, 0)?;
    (0..=QUARTERS).find_map(|quarters| {
        let local = midnight.checked_add_signed(TimeDelta::minutes(15) * quarters)?;
        zone.from_local_datetime(&local).earliest().map(|instant| instant.to_utc())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_its_first_instant() {
        let begins = |zone: Tz, day: &str| {
            beginning_of_day(zone, day.parse().expect("a day")).expect("a beginning").to_rfc3339()
        };
        assert_eq!(begins(Tz::UTC, "2026-03-29"), "2026-03-29T00:00:00+00:00");
        assert_eq!(begins(Tz::Europe__Berlin, "2026-03-29"), "2026-03-28T23:00:00+00:00");
        // The clock goes from 23:59 to 01:00.
        assert_eq!(begins(Tz::America__Santiago, "2024-09-08"), "2024-09-08T04:00:00+00:00");
        // Midnight comes twice.
        assert_eq!(begins(Tz::America__Havana, "2024-11-03"), "2024-11-03T04:00:00+00:00");
        assert_eq!(
            day_in(Tz::Pacific__Auckland, "2026-01-01T12:00:00Z".parse().expect("an instant")).to_string(),
            "2026-01-02"
        );
    }
}
