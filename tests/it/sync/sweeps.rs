//! Guards against sweeps: one field emptied or overwritten in many records at once.

use chrono::TimeDelta;
use crosstie::model::Role;
use crosstie::service::{administration, runs};
use serde_json::json;
use uuid::Uuid;

use super::{app_id, assert_rests, crm_value};
use crate::helpers::TestApp;

/// So many accounts on both sides, each with a phone number.
async fn agreed(count: usize) -> TestApp {
    let app = TestApp::start().await;
    for number in 0..count {
        app.simulator.create("Account", json!({ "Name": format!("Account {number}"), "Phone": "5550100" })).await;
    }
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app
}

async fn with_phone(app: &TestApp) -> usize {
    app.rows("SELECT id FROM accounts WHERE phone IS NOT NULL").await.len()
}

async fn empty_phones_in_crm(app: &TestApp, count: usize) {
    for record in app.simulator.records("Account").await.into_iter().take(count) {
        app.simulator.edit("Account", &record.id, json!({ "Phone": null })).await;
    }
}

async fn phones_in_crm(app: &TestApp) -> usize {
    app.simulator.records("Account").await.iter().filter(|record| record.text("Phone").is_some()).count()
}

/// The CRM ids of the records whose phone waits.
async fn waiting(app: &TestApp) -> Vec<String> {
    let rows = app.rows("SELECT crm_record_id FROM crm_record_links WHERE guarded <> '{}' ORDER BY 1").await;
    rows.iter().filter_map(|row| row["crm_record_id"].as_str().map(str::to_owned)).collect()
}

async fn decide(app: &TestApp, run_id: Uuid, approve: bool) {
    let admin = app.admin().await;
    let decided = if approve {
        runs::approve(&app.services, admin, run_id).await
    } else {
        runs::reject(&app.services, admin, run_id).await
    };
    decided.expect("a decision");
    app.finish(run_id).await.expect_state("completed");
}

#[tokio::test]
async fn a_field_emptied_in_many_records_waits_and_everything_else_goes_on() {
    let app = agreed(61).await;
    empty_phones_in_crm(&app, 61).await;
    let run_id = app.sync().await.expect_state("held").id;
    assert_eq!(with_phone(&app).await, 11, "fifty go before the share is known");
    let held = waiting(&app).await;
    assert_eq!(held.len(), 11);

    app.advance(TimeDelta::minutes(5));
    app.simulator.edit("Account", &held[0], json!({ "Name": "Renamed there" })).await;
    let here = app_id(&app, &held[1]).await;
    app.sql(&format!("UPDATE accounts SET name = 'Renamed here' WHERE id = '{here}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT id FROM accounts WHERE name = 'Renamed there'").await.len(), 1);
    assert_eq!(crm_value(&app, "Account", &held[1], "Name").await.as_deref(), Some("Renamed here"));
    assert_eq!(with_phone(&app).await, 11);

    let cards = app.sign_in_as(Role::Admin).await.get("/integrations").await.text;
    assert!(cards.contains("empty or overwrite Phone in 11 of 61 accounts here (18 %)"), "the card says what waits");
    assert!(cards.contains("Phone is “5550100” here and nothing in Salesforce"), "and shows some of it");
    decide(&app, run_id, true).await;
    assert_eq!(with_phone(&app).await, 0);
    app.advance(TimeDelta::minutes(5));
    assert_rests(&app).await;
}

#[tokio::test]
async fn rejected_changes_leave_both_sides_as_they_are_until_the_next_edit() {
    let app = agreed(61).await;
    empty_phones_in_crm(&app, 61).await;
    let run_id = app.sync().await.expect_state("held").id;
    let held = waiting(&app).await;
    decide(&app, run_id, false).await;
    assert_eq!((with_phone(&app).await, phones_in_crm(&app).await), (11, 0));
    app.advance(TimeDelta::minutes(5));
    assert_rests(&app).await;

    app.simulator.edit("Account", &held[0], json!({ "Phone": "5550199" })).await;
    app.advance(TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT id FROM accounts WHERE phone = '5550199'").await.len(), 1);
}

#[tokio::test]
async fn a_field_emptied_here_in_many_records_is_held_before_it_reaches_the_crm() {
    let app = agreed(61).await;
    app.sql("UPDATE accounts SET phone = NULL").await;
    let run_id = app.sync().await.expect_state("held").id;
    assert_eq!(phones_in_crm(&app).await, 11);
    decide(&app, run_id, true).await;
    assert_eq!(phones_in_crm(&app).await, 0);
    app.advance(TimeDelta::minutes(5));
    assert_rests(&app).await;
}

#[tokio::test]
async fn a_field_emptied_in_a_small_share_of_the_records_goes_in_the_same_run() {
    let app = agreed(245).await;
    empty_phones_in_crm(&app, 60).await;
    app.sync().await.expect_state("completed");
    assert_eq!(with_phone(&app).await, 185);
    assert!(waiting(&app).await.is_empty());
}

#[tokio::test]
async fn a_first_meeting_that_would_overwrite_many_values_is_held() {
    let app = TestApp::start().await;
    for number in 0..61 {
        let domain = format!("kestrel{number}.example");
        let name = format!("Kestrel {number}");
        app.simulator.create("Account", json!({ "Name": name, "Website": domain, "Phone": "5550100" })).await;
        app.insert("accounts", json!({ "name": name, "domain": domain, "phone": "5550111" })).await;
    }
    app.connect_salesforce().await;
    app.set_config("conflict_resolution = 'crm_wins'").await;
    let run_id = app.sync().await.expect_state("held").id;
    let kept = "SELECT id FROM accounts WHERE phone = '5550111'";
    assert_eq!(app.rows(kept).await.len(), 11);
    decide(&app, run_id, true).await;
    assert_eq!(app.rows(kept).await.len(), 0);
    app.advance(TimeDelta::minutes(5));
    assert_rests(&app).await;
}

#[tokio::test]
async fn the_first_run_after_a_restore_asks_before_it_overwrites_or_deletes() {
    let app = agreed(3).await;
    app.set_config(r#"options = '{"deleteInApp": true}', database_history = 'another cluster/1'"#).await;
    let records = app.simulator.records("Account").await;
    app.simulator.edit("Account", &records[0].id, json!({ "Phone": "5550199" })).await;
    app.simulator.act("delete", "Account", &records[1].id).await;
    app.simulator.create("Account", json!({ "Name": "New there" })).await;
    let run_id = app.sync().await.expect_state("held").id;
    assert_eq!(app.rows("SELECT id FROM accounts WHERE deleted_at IS NULL").await.len(), 4, "what is new comes");
    assert_eq!(app.rows("SELECT id FROM accounts WHERE phone = '5550199'").await.len(), 0);

    decide(&app, run_id, true).await;
    assert_eq!(app.rows("SELECT id FROM accounts WHERE deleted_at IS NULL").await.len(), 3);
    assert_eq!(app.rows("SELECT id FROM accounts WHERE phone = '5550199'").await.len(), 1);
    app.advance(TimeDelta::minutes(5));
    app.simulator.edit("Account", &records[2].id, json!({ "Phone": "5550188" })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT id FROM accounts WHERE phone = '5550188'").await.len(), 1, "the next run is as before");

    let told = administration::note_restored(&app.services, app.workspace_id).await.expect("a note");
    assert_eq!(told, 1);
    app.advance(TimeDelta::minutes(5));
    app.simulator.edit("Account", &records[2].id, json!({ "Phone": "5550177" })).await;
    app.sync().await.expect_state("held");
}

#[tokio::test]
async fn a_held_run_that_is_cancelled_leaves_its_changes_to_the_next() {
    let app = agreed(61).await;
    empty_phones_in_crm(&app, 61).await;
    let run_id = app.sync().await.expect_state("held").id;
    runs::cancel(&app.services, app.admin().await, run_id).await.expect("a cancel");
    app.advance(TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    assert_eq!((waiting(&app).await.len(), with_phone(&app).await), (0, 0), "eleven are few enough by themselves");
}
