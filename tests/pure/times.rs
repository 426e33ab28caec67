//! Schedules, days and waits, against a clock that is read forwards: an instant is turned into a zone's time, which has one
//! answer, and never the other way round.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use crosstie::model::{Schedule, SyncFrequency};
use crosstie::sync::{
    backoff_ms, beginning_of_day, day_in, day_of, next_run, next_runs, start_of_day, validate_schedule,
};
use proptest::prelude::*;

/// Zones whose clocks change in different ways: at night, at midnight, by half an hour, in the south, never.
const ZONES: [Tz; 8] = [
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::Asia__Beirut,
    Tz::America__Santiago,
    Tz::Australia__Lord_Howe,
    Tz::America__Havana,
    Tz::Asia__Kathmandu,
    Tz::UTC,
];

/// The first instant at which clocks in a zone show this time or a later one.
fn first_at(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    let shows = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local() >= local;
    let step = TimeDelta::minutes(30);
    let mut at = local.and_utc() - TimeDelta::hours(15);
    // A clock is never put back before it has shown the time, so the first half hour that ends later holds the instant.
    while !shows(at + step) {
        at += step;
    }
    while !shows(at) {
        at += TimeDelta::minutes(1);
    }
    at
}

/// A day near one on which some clock changes, more often than not.
fn day() -> impl Strategy<Value = NaiveDate> {
    let changes = ["2026-03-08", "2026-03-29", "2026-04-05", "2026-09-06", "2026-10-04", "2026-10-25", "2026-11-01"];
    (prop::sample::select(changes.to_vec()), -2..3_i64, prop::bool::weighted(0.2), 0..365_i64).prop_map(
        |(near, days, anywhere, far)| {
            let near: NaiveDate = near.parse().expect("a day");
            near + TimeDelta::days(if anywhere { far } else { days })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn a_daily_run_starts_once_a_day_at_its_time(
        day in day(), zone in prop::sample::select(ZONES.to_vec()), hour in 0..24_u32, minute in 0..60_u32, second in 0..86_400_i64,
    ) {
        let schedule = Schedule { minute: None, time: Some(format!("{hour:02}:{minute:02}")), time_zone: Some(zone.name().to_owned()) };
        let after = day.and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::seconds(second);
        let of_day = |days: i64| first_at(zone, (day + TimeDelta::days(days)).and_hms_opt(hour, minute, 0).expect("a time"));
        let expected: Vec<i64> = (-2..6).map(of_day).filter(|at| *at > after).map(|at| at.timestamp_millis()).take(3).collect();
        let runs = next_runs(SyncFrequency::Daily, Some(&schedule), after.timestamp_millis(), 3);
        prop_assert_eq!(runs, expected, "{} {} {}", zone, after, schedule.time.unwrap_or_default());
    }

    #[test]
    fn an_hourly_run_starts_at_its_minute(after in 1_700_000_000_000..1_900_000_000_000_i64, minute in 0..60_u8) {
        let schedule = Schedule { minute: Some(minute), ..Schedule::default() };
        let mut expected = after / 60_000 * 60_000 + 60_000;
        while (expected / 60_000) % 60 != i64::from(minute) {
            expected += 60_000;
        }
        prop_assert_eq!(next_run(SyncFrequency::Hourly, Some(&schedule), after), Some(expected));
        prop_assert_eq!(next_run(SyncFrequency::Realtime, Some(&schedule), after), Some(after + 60_000));
        prop_assert_eq!(next_run(SyncFrequency::Manual, Some(&schedule), after), None);
    }

    #[test]
    fn a_day_begins_when_its_clock_first_shows_it(day in day(), zone in prop::sample::select(ZONES.to_vec()), into in 0..86_399_999_i64) {
        let begins = first_at(zone, day.and_time(chrono::NaiveTime::MIN));
        prop_assert_eq!(beginning_of_day(zone, day), Some(begins), "{} {}", zone, day);
        let written = start_of_day(Some(day.to_string()), zone).expect("an instant");
        prop_assert_eq!(written.parse::<DateTime<Utc>>().expect("an instant"), begins);
        prop_assert_eq!(day_of(Some(written), zone), Some(day.to_string()), "there and back");
        prop_assert_eq!(day_in(zone, begins - TimeDelta::milliseconds(1)), day - TimeDelta::days(1));
        // Whatever the hour, the day is the one whose beginning was the last.
        let at = begins + TimeDelta::milliseconds(into);
        let next = first_at(zone, (day + TimeDelta::days(1)).and_time(chrono::NaiveTime::MIN));
        prop_assert_eq!(day_in(zone, at), if at < next { day } else { day + TimeDelta::days(1) });
    }

    #[test]
    fn only_what_a_clock_can_show_is_a_schedule(
        minute in prop::option::of(0..120_u8), hour in 0..30_u32, of_hour in 0..80_u32, wide in any::<bool>(),
        has_time in any::<bool>(), zone in prop::option::of(prop::sample::select(vec!["UTC", "Europe/Berlin", "Berlin", "CET ", ""])),
        frequency in prop::sample::select(SyncFrequency::ALL),
    ) {
        let time = if wide { format!("{hour:02}:{of_hour:02}") } else { format!("{hour}:{of_hour}") };
        let is_time = hour < 24 && of_hour < 60 && time.len() == 5;
        let is_zone = zone.is_none_or(|zone| ["UTC", "Europe/Berlin"].contains(&zone));
        let is_minute = minute.is_none_or(|minute| minute < 60);
        let fits = is_minute && is_zone && (if has_time { is_time } else { frequency != SyncFrequency::Daily });
        let schedule = Schedule { minute, time: has_time.then_some(time), time_zone: zone.map(str::to_owned) };
        prop_assert_eq!(validate_schedule(frequency, Some(&schedule)).is_ok(), fits, "{:?}", schedule);
    }

    #[test]
    fn waits_double_from_half_a_second_to_half_a_minute(attempt in 0..200_u32, jitter in -0.5..1.5_f64) {
        let mut whole = 500.0_f64;
        for _ in 1..attempt {
            whole = (whole * 2.0).min(30_000.0);
        }
        let expected = whole / 2.0 + whole / 2.0 * jitter.clamp(0.0, 1.0);
        prop_assert!((backoff_ms(attempt, jitter) as f64 - expected).abs() <= 1.0, "{attempt} {jitter}");
    }
}
