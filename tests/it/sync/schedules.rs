//! Runs that start by themselves.

use chrono::TimeDelta;
use serde_json::{Value as Json, json};

use super::agreed_account;
use crate::helpers::TestApp;

async fn runs(app: &TestApp) -> usize {
    app.rows("SELECT id FROM crm_sync_runs").await.len()
}

#[tokio::test]
async fn nothing_runs_by_itself_before_the_first_trigger() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    app.insert("accounts", json!({ "name": "Kestrel" })).await;
    app.advance(TimeDelta::days(2));
    assert_eq!(app.schedule().await, 0);
    app.set_config("sync_frequency = 'realtime'").await;
    assert_eq!(app.schedule().await, 0);
    assert_eq!(runs(&app).await, 0);
}

#[tokio::test]
async fn an_hourly_connection_runs_once_an_hour_and_writes_no_log_where_nothing_was_found() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    let before = app.rows("SELECT id FROM crm_sync_logs").await.len();
    assert_eq!(app.schedule().await, 0, "not before its time");
    app.advance(TimeDelta::hours(1));
    assert_eq!(app.schedule().await, 1);
    assert_eq!(app.schedule().await, 0, "the next is an hour later");
    app.work().await;
    let run = app.row("SELECT state, trigger FROM crm_sync_runs ORDER BY created_at DESC LIMIT 1").await;
    assert_eq!(run, json!({ "state": "completed", "trigger": "schedule" }));
    assert_eq!(app.rows("SELECT id FROM crm_sync_logs").await.len(), before);
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "2" })).await;
    app.advance(TimeDelta::hours(1));
    assert_eq!(app.schedule().await, 1);
    app.work().await;
    assert_eq!(app.row(&format!("SELECT phone FROM accounts WHERE id = '{record_id}'")).await["phone"], "2");
    let logs = app
        .rows("SELECT entity_type, sync_direction, status FROM crm_sync_logs ORDER BY started_at DESC LIMIT 1")
        .await;
    assert_eq!(logs, [json!({ "entity_type": "account", "sync_direction": "pull", "status": "completed" })]);
}

#[tokio::test]
async fn a_daily_connection_keeps_its_hour_in_its_zone() {
    let app = TestApp::start().await;
    agreed_account(&app, json!({ "Name": "Kestrel" })).await;
    app.set_config(r#"sync_frequency = 'daily', schedule = '{"time": "06:30", "timeZone": "America/New_York"}'"#).await;
    app.sync().await.expect_state("completed");
    let next = app.row("SELECT next_sync_at FROM crm_sync_configs").await;
    assert_eq!(next["next_sync_at"], "2026-03-02T11:30:00+00:00", "06:30 in New York");
    app.advance(TimeDelta::hours(2));
    assert_eq!(app.schedule().await, 0);
    app.advance(TimeDelta::hours(1));
    assert_eq!(app.schedule().await, 1);
    app.work().await;
    let next = app.row("SELECT next_sync_at FROM crm_sync_configs").await;
    assert_eq!(next["next_sync_at"], "2026-03-03T11:30:00+00:00");
}

#[tokio::test]
async fn a_realtime_connection_runs_as_soon_as_an_edit_waits() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    app.set_config("sync_frequency = 'realtime'").await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.schedule().await, 0);
    app.sql(&format!("UPDATE accounts SET phone = '2' WHERE id = '{record_id}'")).await;
    assert_eq!(app.schedule().await, 1);
    assert_eq!(app.schedule().await, 0, "one run is on");
    app.work().await;
    assert_eq!(app.simulator.record("Account", &crm_id).await.text("Phone").as_deref(), Some("2"));
    assert_eq!(app.schedule().await, 0, "its own write starts none");
}

#[tokio::test]
async fn a_refused_record_does_not_keep_a_realtime_connection_busy() {
    let app = TestApp::start().await;
    agreed_account(&app, json!({ "Name": "Kestrel" })).await;
    app.set_config("sync_frequency = 'realtime'").await;
    app.sync().await.expect_state("completed");
    app.insert("contacts", json!({ "last_name": "Raman", "email": "not an address" })).await;
    assert_eq!(app.schedule().await, 1);
    app.work().await;
    assert_eq!(app.schedule().await, 0);
    // Nor does a record that waits for a person.
    app.simulator.create("Contact", json!({ "LastName": "A", "Email": "info@kestrel.example" })).await;
    app.simulator.create("Contact", json!({ "LastName": "B", "Email": "info@kestrel.example" })).await;
    app.set_config(r#"options = '{"createMissing": true}'"#).await;
    app.insert("contacts", json!({ "last_name": "Okafor", "email": "info@kestrel.example" })).await;
    app.advance(TimeDelta::minutes(5));
    assert!(app.schedule().await > 0);
    app.work().await;
    assert_eq!(app.schedule().await, 0, "{:?}", app.rows("SELECT * FROM crm_pending_changes").await);
}

#[tokio::test]
async fn a_manual_or_paused_connection_waits_for_a_person() {
    let app = TestApp::start().await;
    agreed_account(&app, json!({ "Name": "Kestrel" })).await;
    app.set_config("sync_frequency = 'manual'").await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::days(3));
    assert_eq!(app.schedule().await, 0);
    assert_eq!(app.row("SELECT next_sync_at FROM crm_sync_configs").await["next_sync_at"], Json::Null);
    app.set_config("sync_frequency = 'hourly', next_sync_at = now() - interval '10 years', status = 'paused'").await;
    assert_eq!(app.schedule().await, 0);
}
