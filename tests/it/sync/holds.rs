//! What waits for a person or for the truth: held deletes, fights, records that the CRM does not show, late writes, comparisons.

use chrono::TimeDelta;
use crosstie::model::Role;
use crosstie::service::runs;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{agreed_account, app_value, assert_rests, crm_value};
use crate::helpers::TestApp;

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

async fn link(app: &TestApp, crm_id: &str) -> Json {
    app.row(&format!("SELECT * FROM crm_record_links WHERE crm_record_id = '{crm_id}'")).await
}

/// Sixty accounts, all deleted in the CRM; the run that would delete them here is held.
async fn held(app: &TestApp) -> Uuid {
    for number in 0..61 {
        app.simulator.create("Account", json!({ "Name": format!("Account {number}") })).await;
    }
    app.connect_salesforce().await;
    app.set_config(r#"options = '{"deleteInApp": true}'"#).await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    for record in app.simulator.records("Account").await.into_iter().skip(1) {
        app.simulator.act("delete", "Account", &record.id).await;
    }
    app.sync().await.expect_state("held").id
}

async fn deleted(app: &TestApp) -> usize {
    app.rows("SELECT id FROM accounts WHERE deleted_at IS NOT NULL").await.len()
}

#[tokio::test]
async fn a_held_run_holds_its_deletes_and_nothing_else() {
    let app = TestApp::start().await;
    let run_id = held(&app).await;
    let left = app.simulator.records("Account").await.remove(0);
    app.advance(TimeDelta::minutes(5));
    app.simulator.edit("Account", &left.id, json!({ "Phone": "7" })).await;
    app.insert("accounts", json!({ "name": "New here" })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT id FROM accounts WHERE phone = '7'").await.len(), 1);
    assert_eq!(app.simulator.find("Account", "Name", "New here").await.text("Name"), some("New here"));
    assert_eq!(deleted(&app).await, 0);

    runs::approve(&app.services, app.admin().await, run_id).await.expect("an approval");
    let again = runs::approve(&app.services, app.admin().await, run_id).await;
    assert!(again.is_err(), "it is decided once");
    app.finish(run_id).await.expect_state("completed");
    assert_eq!(deleted(&app).await, 60);
    assert_rests(&app).await;
}

#[tokio::test]
async fn a_held_delete_whose_record_comes_back_is_not_carried_out() {
    let app = TestApp::start().await;
    let run_id = held(&app).await;
    app.advance(TimeDelta::minutes(5));
    let back = app.simulator.all_records("Account").await.into_iter().find(|record| record.deleted).expect("one");
    app.simulator.act("undelete", "Account", &back.id).await;
    app.sync().await.expect_state("completed");
    runs::approve(&app.services, app.admin().await, run_id).await.expect("an approval");
    app.finish(run_id).await.expect_state("completed");
    assert_eq!(deleted(&app).await, 59);
    assert_eq!(link(&app, &back.id).await["state"], "linked");
}

#[tokio::test]
async fn a_held_run_that_is_cancelled_leaves_its_deletes_to_the_next() {
    let app = TestApp::start().await;
    let run_id = held(&app).await;
    runs::cancel(&app.services, app.admin().await, run_id).await.expect("a cancel");
    let next = app.sync().await.expect_state("held");
    runs::reject(&app.services, app.admin().await, next.id).await.expect("a rejection");
    app.finish(next.id).await.expect_state("completed");
    assert_eq!(deleted(&app).await, 0);
    assert_rests(&app).await;
}

#[tokio::test]
async fn a_batch_that_the_crm_refuses_whole_is_split() {
    let app = TestApp::start().await;
    let (first, first_crm) = agreed_account(&app, json!({ "Name": "Kestrel" })).await;
    let second_crm = app.simulator.create("Account", json!({ "Name": "Alder" })).await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.sql("UPDATE accounts SET phone = '5'").await;
    let refused = json!({ "match": { "operation": "composite" }, "fault": "status", "status": 400, "times": 2 });
    app.simulator.faults(json!([refused])).await;
    app.sync().await.expect_state("partial");
    let phones =
        [crm_value(&app, "Account", &first_crm, "Phone").await, crm_value(&app, "Account", &second_crm, "Phone").await];
    assert_eq!(phones.iter().filter(|phone| **phone == some("5")).count(), 1, "one of two stands alone: {phones:?}");
    assert_eq!(app_value(&app, "accounts", first, "phone").await, "5");
    let failures = app.rows("SELECT failure FROM crm_record_links WHERE failure IS NOT NULL").await;
    assert_eq!(failures.len(), 1, "and the other fails with a reason: {failures:?}");
}

#[tokio::test]
async fn a_record_that_answers_nothing_is_not_visible_and_never_deleted() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel" })).await;
    app.set_config(r#"options = '{"deleteInApp": true}'"#).await;
    app.simulator.act("purge", "Account", &crm_id).await;
    app.sql(&format!("UPDATE accounts SET phone = '5' WHERE id = '{record_id}'")).await;
    app.sync().await.expect_state("partial");
    let link = link(&app, &crm_id).await;
    assert_eq!((&link["state"], &link["failure"]["code"]), (&json!("not_visible"), &json!("not_visible")));
    assert_eq!(app_value(&app, "accounts", record_id, "deleted_at").await, Json::Null);
    assert_rests(&app).await;
    assert_eq!(app.simulator.records("Account").await.len(), 0, "it is not created anew by itself");
}

#[tokio::test]
async fn a_comparison_finds_what_no_window_shows() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel" })).await;
    let purged = app.simulator.create("Account", json!({ "Name": "Alder" })).await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::hours(2));
    app.sync().await.expect_state("completed");
    // An edit whose stamp lies before the cursor, and a record that is gone without a trace.
    app.simulator.control("clock", json!({ "advanceMs": -3_600_000 })).await;
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "9" })).await;
    app.simulator.act("purge", "Account", &purged).await;
    app.simulator.control("clock", json!({ "advanceMs": 3_600_000 })).await;
    app.advance(TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, Json::Null, "no window shows it");

    app.advance(TimeDelta::days(7));
    app.sync().await.expect_state("partial");
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, "9");
    assert_eq!(link(&app, &purged).await["state"], "not_visible");
    app.simulator.clear_stats().await;
    assert_rests(&app).await;
    assert_eq!(app.simulator.stats().await.of("query_more"), 0);
}

#[tokio::test]
async fn a_comparison_on_demand_finds_an_edit_that_was_never_captured() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel" })).await;
    app.advance(TimeDelta::hours(2));
    app.sync().await.expect_state("completed");
    app.as_superuser(&format!(
        "SET session_replication_role = 'replica'; UPDATE accounts SET phone = '7' WHERE id = '{record_id}';
         SET session_replication_role = 'origin'"
    ))
    .await;
    app.sync().await.expect_state("completed");
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await, None, "the capture has no word of it");

    let admin = app.sign_in_as(Role::Admin).await;
    let mut missed = Vec::new();
    for _ in 0..2 {
        let wish = json!({ "configId": app.config_id().await, "compare": true });
        let answer = admin.post("/api/crm/sync/trigger", wish).await.expect(202);
        let run_id = answer["job_id"].as_str().and_then(|id| id.parse().ok()).expect("a run's id");
        app.finish(run_id).await.expect_state("completed");
        let log = app.logs(run_id).await[&("account".to_owned(), "pull".to_owned())].clone();
        let id = log["id"].as_str().expect("an id");
        let told = admin.get(&format!("/api/crm/sync/logs/{id}")).await.expect(200);
        missed.push(told["log"]["recordsMissed"].clone());
        app.advance(TimeDelta::minutes(5));
    }
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await, some("7"));
    assert_eq!(missed, [json!(1), json!(0)], "the log tells what the readings before should have brought");
    app.sync().await.expect_state("completed");
    let newest = admin.get("/api/crm/sync/logs?limit=1").await.expect(200);
    assert_eq!(newest["logs"][0]["recordsMissed"], Json::Null, "an ordinary run compares nothing");
}

#[tokio::test]
async fn a_write_of_ours_that_arrives_late_is_no_edit() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    app.set_config("conflict_resolution = 'crm_wins'").await;
    app.sql(&format!("UPDATE accounts SET phone = 'sent' WHERE id = '{record_id}'")).await;
    let reset = json!({ "match": { "operation": "composite" }, "fault": "reset", "times": 1 });
    app.simulator.faults(json!([reset])).await;
    let run_id = app.trigger(None).await;
    while app.rows("SELECT id FROM crm_sync_changes WHERE side = 'crm' AND state = 'refused'").await.is_empty() {
        assert!(app.step().await, "the intent is settled");
        app.advance(TimeDelta::seconds(30));
    }
    runs::cancel(&app.services, app.admin().await, run_id).await.expect("a cancel");
    app.finish(run_id).await;
    // The value turns up after all, and the app has moved on.
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "sent" })).await;
    app.sql(&format!("UPDATE accounts SET phone = 'newer' WHERE id = '{record_id}'")).await;
    app.advance(TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, "newer");
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await, some("newer"));
    assert_eq!(app.rows("SELECT id FROM crm_sync_conflicts").await.len(), 0);
    assert_rests(&app).await;
}

#[tokio::test]
async fn a_field_that_goes_back_and_forth_is_held_until_a_person_releases_it() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "0" })).await;
    for round in 0..4 {
        app.advance(TimeDelta::minutes(5));
        if round % 2 == 0 {
            app.sql(&format!("UPDATE accounts SET phone = 'A' WHERE id = '{record_id}'")).await;
        } else {
            app.simulator.edit("Account", &crm_id, json!({ "Phone": "B" })).await;
        }
        app.sync().await.expect_state(if round < 3 { "completed" } else { "partial" });
    }
    let held = link(&app, &crm_id).await;
    assert_eq!(held["failure"]["code"], "fight");
    app.advance(TimeDelta::minutes(5));
    app.sql(&format!("UPDATE accounts SET phone = 'A', industry = 'Media' WHERE id = '{record_id}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await, some("B"), "it rests");
    assert_eq!(crm_value(&app, "Account", &crm_id, "Industry").await, some("Media"), "all else goes on");
    assert_eq!(link(&app, &crm_id).await["failure"]["code"], "fight");

    let log = app.row("SELECT log_id FROM crm_sync_changes WHERE refusal ->> 'code' = 'fight'").await;
    let log_id: Uuid = log["log_id"].as_str().and_then(|id| id.parse().ok()).expect("a log");
    app.advance(TimeDelta::minutes(5));
    let retry = crosstie::service::logs::retry(&app.services, app.admin().await, log_id).await.expect("a retry");
    app.finish(retry.job_id).await.expect_state("completed");
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await, some("A"));
    assert_eq!(link(&app, &crm_id).await["failure"], Json::Null);
    assert_rests(&app).await;
}
