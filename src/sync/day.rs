//! A day here and an instant in the CRM: the day is the one in the CRM account's zone, written as that day's start.

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

use super::Value;
use crate::model::FieldKind;

/// Whether a field of the app is a day where the CRM's is an instant.
pub fn is_day_of_instant(app: FieldKind, crm: FieldKind) -> bool {
    app == FieldKind::Date && crm == FieldKind::DateTime
}

/// The day of an instant; what is no instant stays as it is.
pub fn day_of(value: Value, zone: Tz) -> Value {
    let text = value?;
    match DateTime::parse_from_rfc3339(&text) {
        Ok(instant) => Some(instant.with_timezone(&zone).date_naive().to_string()),
        Err(_) => Some(text),
    }
}

/// The instant at which a day begins; what is no day stays as it is.
pub fn start_of_day(value: Value, zone: Tz) -> Value {
    let text = value?;
    match text.parse::<NaiveDate>() {
        Ok(day) => Some(first_instant(day, zone).to_rfc3339_opts(SecondsFormat::Millis, true)),
        Err(_) => Some(text),
    }
}

/// Where clocks go forward at midnight, a day begins an hour later.
fn first_instant(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    let at = |hours| zone.from_local_datetime(&(midnight + TimeDelta::hours(hours))).earliest();
    at(0).or_else(|| at(1)).map_or_else(|| midnight.and_utc(), |instant| instant.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_accounts_and_begins_where_its_clocks_say() {
        let text = |text: &str| Some(text.to_owned());
        let (london, new_york, beirut) = (Tz::Europe__London, Tz::America__New_York, Tz::Asia__Beirut);
        for (instant, zone, day) in [
            ("2026-03-05T00:00:00.000Z", london, "2026-03-05"),
            ("2026-07-05T23:30:00.000Z", london, "2026-07-06"),
            ("2026-03-05T02:00:00.000Z", new_york, "2026-03-04"),
        ] {
            assert_eq!(day_of(text(instant), zone), text(day), "{instant} {zone}");
        }
        for (day, zone, instant) in [
            ("2026-03-05", london, "2026-03-05T00:00:00.000Z"),
            ("2026-07-06", london, "2026-07-05T23:00:00.000Z"),
            ("2026-03-05", new_york, "2026-03-05T05:00:00.000Z"),
            // Clocks go forward at midnight there.
            ("2026-03-29", beirut, "2026-03-28T22:00:00.000Z"),
        ] {
            assert_eq!(start_of_day(text(day), zone), text(instant), "{day} {zone}");
            assert_eq!(day_of(text(instant), zone), text(day), "{day} {zone}");
        }
        assert_eq!((day_of(None, london), start_of_day(None, london)), (None, None));
        assert_eq!((day_of(text("soon"), london), start_of_day(text("soon"), london)), (text("soon"), text("soon")));
    }
}
