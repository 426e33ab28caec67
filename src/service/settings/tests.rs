//! What a change of settings may say and what is refused.

use serde_json::json;

use super::*;
use crate::model::{Environment, Provider};

fn stored(frequency: SyncFrequency, schedule: Option<Schedule>) -> StoredConnection {
    StoredConnection {
        id: Uuid::nil(),
        provider: Provider::Salesforce,
        environment: Environment::Simulator,
        status: ConnectionStatus::Connected,
        login_url: String::new(),
        instance_url: None,
        user_email: None,
        organization_id: None,
        direction: SyncDirection::Bidirectional,
        frequency,
        schedule,
        entities: vec![Entity::Account, Entity::Contact],
        rules: None,
        policy: ConflictPolicy::LastWriteWins,
        options: Options::default(),
        setup_completed_at: DateTime::from_timestamp_millis(0),
        last_sync_at: None,
        last_sync_status: None,
        last_sync_error: None,
        next_sync_at: None,
        calls_today: 0,
        org_calls_used: None,
        org_calls_allowed: None,
        limited_until: None,
    }
}

fn read(schedule: serde_json::Value) -> Option<Option<Schedule>> {
    Some(serde_json::from_value(schedule).expect("a schedule"))
}

fn outcome(frequency: SyncFrequency, patch: SettingsPatch) -> Result<serde_json::Value, String> {
    let before = stored(SyncFrequency::Hourly, read(json!({ "minute": 30 })).flatten());
    let patch = SettingsPatch { frequency: Some(frequency), ..patch };
    match changed(&before, &patch, &CheckedRules::default()) {
        Ok(after) => Ok(serde_json::to_value(after.schedule).expect("plain")),
        Err(error) => Err(error.fields.iter().map(|problem| problem.field.as_str()).collect::<Vec<_>>().join(" ")),
    }
}

#[test]
fn a_schedule_goes_with_its_frequency() {
    let daily = json!({ "time": "07:30", "timeZone": "Europe/Berlin" });
    let bad = || Err("schedule".to_owned());
    use SyncFrequency::{Daily, Hourly, Manual, Realtime};
    let cases = [
        (Hourly, None, Ok(json!({ "minute": 30 }))),
        (Hourly, Some(json!({ "minute": 59 })), Ok(json!({ "minute": 59 }))),
        (Hourly, Some(json!({ "minute": 60 })), bad()),
        (Hourly, Some(daily.clone()), bad()),
        (Hourly, Some(json!(null)), Ok(json!({ "minute": 0 }))),
        (Daily, None, Ok(json!({ "time": "00:00", "timeZone": "UTC" }))),
        (Daily, Some(daily.clone()), Ok(daily.clone())),
        (Daily, Some(json!({ "time": "07:30" })), Ok(json!({ "time": "07:30", "timeZone": "UTC" }))),
        (Daily, Some(json!({ "time": "7:30", "timeZone": "UTC" })), bad()),
        (Daily, Some(json!({ "time": "24:00", "timeZone": "UTC" })), bad()),
        (Daily, Some(json!({ "timeZone": "UTC" })), bad()),
        (Daily, Some(json!({ "time": "07:30", "timeZone": "Mars/Base" })), bad()),
        (Daily, Some(json!({ "minute": 5 })), bad()),
        (Manual, None, Ok(json!(null))),
        (Realtime, Some(daily), bad()),
        (Realtime, Some(json!({})), Ok(json!(null))),
    ];
    for (frequency, schedule, expected) in cases {
        let patch = SettingsPatch { schedule: schedule.clone().and_then(read), ..SettingsPatch::default() };
        assert_eq!(outcome(frequency, patch), expected, "{frequency} {schedule:?}");
    }
}

#[test]
fn only_what_a_run_follows_can_be_set() {
    let refused = |patch: SettingsPatch| outcome(SyncFrequency::Hourly, patch).expect_err("cannot be followed");
    let of_entities = |names: &[&str]| SettingsPatch {
        entities: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..SettingsPatch::default()
    };
    assert_eq!(refused(of_entities(&[])), "syncEntities");
    assert_eq!(refused(of_entities(&["account"])), "syncEntities");
    assert!(outcome(SyncFrequency::Hourly, of_entities(&["contacts", "accounts", "contacts"])).is_ok());
    let with_options = |options| SettingsPatch { options, ..SettingsPatch::default() };
    let share = OptionsPatch { guard_percent: Some(101), ..OptionsPatch::default() };
    assert_eq!(refused(with_options(share)), "options.guardPercent");
    let many = OptionsPatch { guard_records: Some(1_000_001), ..OptionsPatch::default() };
    assert_eq!(refused(with_options(many)), "options.guardRecords");
}

#[test]
fn the_next_run_follows_the_clock_changes() {
    let now = "2026-03-28T12:00:00Z".parse().expect("an instant");
    let next = |status, set_up: bool, time: &str| {
        let before = StoredConnection {
            status,
            setup_completed_at: DateTime::from_timestamp_millis(0).filter(|_| set_up),
            ..stored(SyncFrequency::Manual, None)
        };
        let schedule =
            Some(Schedule { minute: None, time: Some(time.to_owned()), time_zone: Some("Europe/Berlin".to_owned()) });
        let after = Settings { frequency: SyncFrequency::Daily, schedule, ..of(&before).expect("settings") };
        next_sync_at(&before, &after, now).map(|at| at.to_rfc3339())
    };
    let on = ConnectionStatus::Connected;
    assert_eq!(next(on, true, "07:30").as_deref(), Some("2026-03-29T05:30:00+00:00"), "summer time has begun");
    assert_eq!(next(on, true, "02:30").as_deref(), Some("2026-03-29T01:00:00+00:00"), "the skipped hour is over");
    assert_eq!(next(on, false, "07:30"), None, "nothing runs by itself before set-up is complete");
    assert_eq!(next(ConnectionStatus::Paused, true, "07:30"), None);
}
