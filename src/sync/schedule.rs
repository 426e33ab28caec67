//! When a connection runs next by itself.

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use crate::model::{Schedule, SyncFrequency};

/// How often a real-time connection looks for the CRM's changes, milliseconds.
const REALTIME_MS: i64 = 60_000;

/// The next run after `after_ms` (epoch milliseconds); `None` for manual or a schedule that cannot be read. A local time
/// that a clock change skips runs at the first instant after it; one that comes twice runs once, the first time.
pub fn next_run(frequency: SyncFrequency, schedule: Option<&Schedule>, after_ms: i64) -> Option<i64> {
    match frequency {
        SyncFrequency::Manual => None,
        SyncFrequency::Realtime => Some(after_ms + REALTIME_MS),
        SyncFrequency::Hourly => next_hourly(schedule.and_then(|schedule| schedule.minute).unwrap_or(0), after_ms),
        SyncFrequency::Daily => next_daily(schedule, after_ms),
    }
}

/// The next `count` runs after `after_ms`.
pub fn next_runs(frequency: SyncFrequency, schedule: Option<&Schedule>, after_ms: i64, count: usize) -> Vec<i64> {
    std::iter::successors(next_run(frequency, schedule, after_ms), |at| next_run(frequency, schedule, *at))
        .take(count)
        .collect()
}

/// Says in one sentence what is wrong with a schedule, if anything.
pub fn validate_schedule(frequency: SyncFrequency, schedule: Option<&Schedule>) -> Result<(), String> {
    let Some(schedule) = schedule else { return Ok(()) };
    if schedule.minute.is_some_and(|minute| minute > 59) {
        return Err("The minute must be between 0 and 59.".to_owned());
    }
    if schedule.time.as_deref().is_some_and(|time| parse_time(time).is_none()) {
        return Err("The time must be written as HH:MM, for example 07:30.".to_owned());
    }
    if schedule.time_zone.as_deref().is_some_and(|zone| zone.parse::<Tz>().is_err()) {
        return Err("The time zone must be an IANA name, for example Europe/Berlin.".to_owned());
    }
    if frequency == SyncFrequency::Daily && schedule.time.is_none() {
        return Err("A daily schedule needs a time.".to_owned());
    }
    Ok(())
}

fn next_hourly(minute: u8, after_ms: i64) -> Option<i64> {
    let after = DateTime::from_timestamp_millis(after_ms)?;
    let this_hour = after.with_minute(u32::from(minute))?.with_second(0)?.with_nanosecond(0)?;
    let next = if this_hour > after { this_hour } else { this_hour + Duration::hours(1) };
    Some(next.timestamp_millis())
}

fn next_daily(schedule: Option<&Schedule>, after_ms: i64) -> Option<i64> {
    let after = DateTime::from_timestamp_millis(after_ms)?;
    let time = parse_time(schedule.and_then(|schedule| schedule.time.as_deref()).unwrap_or("00:00"))?;
    let zone: Tz = schedule.and_then(|schedule| schedule.time_zone.as_deref()).unwrap_or("UTC").parse().ok()?;
    let today = after.with_timezone(&zone).date_naive();
    (0..3)
        .filter_map(|days| instant_of(today.checked_add_signed(Duration::days(days))?, time, zone))
        .find(|at| *at > after)
        .map(|at| at.timestamp_millis())
}

fn instant_of(day: NaiveDate, time: NaiveTime, zone: Tz) -> Option<DateTime<Utc>> {
    let local = day.and_time(time);
    // A skipped time: the clock change is over within three hours in every zone.
    (0..=180)
        .filter_map(|minutes| zone.from_local_datetime(&(local + Duration::minutes(minutes))).earliest())
        .map(|at| at.to_utc())
        .next()
}

fn parse_time(text: &str) -> Option<NaiveTime> {
    (text.len() == 5).then(|| NaiveTime::parse_from_str(text, "%H:%M").ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).expect("an instant").timestamp_millis()
    }

    fn daily(time: &str, zone: &str) -> Schedule {
        Schedule { minute: None, time: Some(time.to_owned()), time_zone: Some(zone.to_owned()) }
    }

    #[test]
    fn hourly_runs_at_its_minute() {
        let schedule = Schedule { minute: Some(15), ..Schedule::default() };
        let next = |after| next_run(SyncFrequency::Hourly, Some(&schedule), at(after));
        assert_eq!(next("2026-01-01T10:14:59Z"), Some(at("2026-01-01T10:15:00Z")));
        assert_eq!(next("2026-01-01T10:15:00Z"), Some(at("2026-01-01T11:15:00Z")));
    }

    #[test]
    fn daily_runs_at_its_time_in_its_zone() {
        let schedule = daily("07:30", "Europe/Berlin");
        let next = next_run(SyncFrequency::Daily, Some(&schedule), at("2026-01-01T10:00:00Z"));
        assert_eq!(next, Some(at("2026-01-02T06:30:00Z")));
    }

    #[test]
    fn a_skipped_time_runs_right_after_the_clock_change() {
        let schedule = daily("02:30", "Europe/Berlin");
        let next = next_run(SyncFrequency::Daily, Some(&schedule), at("2026-03-28T12:00:00Z"));
        assert_eq!(next, Some(at("2026-03-29T01:00:00Z")));
    }

    #[test]
    fn a_doubled_time_runs_once() {
        let schedule = daily("02:30", "Europe/Berlin");
        let runs = next_runs(SyncFrequency::Daily, Some(&schedule), at("2026-10-24T12:00:00Z"), 2);
        assert_eq!(runs, [at("2026-10-25T00:30:00Z"), at("2026-10-26T01:30:00Z")]);
    }

    #[test]
    fn what_cannot_be_a_schedule_is_named() {
        assert!(validate_schedule(SyncFrequency::Daily, Some(&daily("25:00", "UTC"))).is_err());
        assert!(validate_schedule(SyncFrequency::Daily, Some(&daily("07:00", "Nowhere"))).is_err());
        assert!(
            validate_schedule(SyncFrequency::Hourly, Some(&Schedule { minute: Some(60), ..Schedule::default() }))
                .is_err()
        );
        assert!(validate_schedule(SyncFrequency::Daily, Some(&daily("07:00", "UTC"))).is_ok());
        assert_eq!(next_run(SyncFrequency::Manual, None, 0), None);
    }
}
