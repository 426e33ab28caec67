//! Stories of Salesforce.

use chrono::TimeDelta;
use crosstie::model::{Entity, Provider, Role};
use serde_json::{Value as Json, json};

use super::{accounts, app_id, counts, link_state};
use crate::helpers::{TestApp, TestOptions};

const SALESFORCE: Provider = Provider::Salesforce;

/// An account that is linked with its app record, at rest.
async fn linked(app: &TestApp, fields: Json) -> String {
    let id = app.simulator.create("Account", fields).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    id
}

// Records whose stamp lay just below the saved cursor became visible after the sync, and were never picked up.
#[tokio::test]
async fn salesforce_story_1_a_change_that_commits_after_the_window_was_read_arrives() {
    let app = TestApp::start().await;
    let id = linked(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    let late = json!({ "object": "Account", "id": id, "fields": { "Phone": "2" }, "commitAfterMs": 240_000 });
    app.simulator.control("transactions", late).await;
    app.advance(TimeDelta::minutes(2));
    app.sync().await.expect_state("completed");
    assert_eq!(accounts(&app, "phone").await, [json!("1")], "nobody can see it yet");
    app.advance(TimeDelta::minutes(3));
    app.sync().await.expect_state("completed");
    assert_eq!(accounts(&app, "phone").await, [json!("2")]);
}

// One account's updates were missed for a week, and only a full refresh brought them.
#[tokio::test]
async fn salesforce_story_2_what_was_missed_is_found_within_a_week_and_told() {
    let app = TestApp::start().await;
    let id = linked(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    let record_id = app_id(&app, &id).await;
    app.advance(TimeDelta::hours(2));
    app.sync().await.expect_state("completed");
    // Behind the back of the capture: as if it had failed.
    app.as_superuser(&format!(
        "SET session_replication_role = 'replica'; UPDATE accounts SET phone = '2' WHERE id = '{record_id}';
         SET session_replication_role = 'origin'"
    ))
    .await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.record("Account", &id).await.text("Phone").as_deref(), Some("1"), "it was missed");
    app.advance(TimeDelta::days(8));
    let run = app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.record("Account", &id).await.text("Phone").as_deref(), Some("2"));
    let log = app.logs(run.id).await[&("account".to_owned(), "pull".to_owned())].clone();
    assert_eq!(log["records_missed"], 1, "the drift is counted");
}

// Some of the rows that shared one second were dropped.
#[tokio::test]
async fn salesforce_story_3_records_of_one_second_all_arrive_at_the_first_load() {
    let app = TestApp::start().await;
    app.simulator.control("rules", json!({ "longestPage": 7 })).await;
    for number in 0..40 {
        app.simulator.create("Account", json!({ "Name": format!("Company {number}") })).await;
    }
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    assert_eq!(counts(&app, SALESFORCE, Entity::Account).await, [40, 40, 40]);
}

// More rows than a page holds had the same stamp, and the same query was sent for ever.
#[tokio::test]
async fn salesforce_story_4_more_changes_of_one_second_than_a_page_holds_end_and_arrive() {
    let app = TestApp::with(TestOptions { accounts: 40, ..TestOptions::default() }).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.simulator.control("rules", json!({ "longestPage": 7 })).await;
    for record in app.simulator.records("Account").await {
        app.simulator.edit("Account", &record.id, json!({ "Phone": "2" })).await;
    }
    app.simulator.clear_stats().await;
    app.sync().await.expect_state("completed");
    assert_eq!(accounts(&app, "phone").await, vec![json!("2"); 40]);
    assert!(app.simulator.stats().await.of("query") <= 8, "six pages of accounts, one of contacts");
}

// Half of the rows were absent, because a start date of two years back was assumed.
#[tokio::test]
async fn salesforce_story_5_the_first_load_has_no_lower_bound() {
    let app = TestApp::start().await;
    app.simulator.create("Account", json!({ "Name": "Old" })).await;
    app.advance(TimeDelta::days(3 * 365));
    app.simulator.create("Account", json!({ "Name": "Young" })).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    assert_eq!(accounts(&app, "name").await, [json!("Old"), json!("Young")]);
}

// Page boundaries moved while a load was running, and rows came twice.
#[tokio::test]
async fn salesforce_story_6_records_made_during_the_first_load_come_once() {
    let app = TestApp::start().await;
    app.simulator.control("rules", json!({ "longestPage": 3 })).await;
    for number in 0..12 {
        app.simulator.create("Account", json!({ "Name": format!("Company {number}") })).await;
    }
    app.connect_salesforce().await;
    let run_id = app.trigger(None).await;
    for number in 12..18 {
        app.step().await;
        app.advance(TimeDelta::seconds(2));
        app.simulator.create("Account", json!({ "Name": format!("Company {number}") })).await;
    }
    app.finish(run_id).await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    assert_eq!(counts(&app, SALESFORCE, Entity::Account).await, [18, 18, 18]);
}

// The daily limit was reached, and the tool slept or failed without keeping where it was.
#[tokio::test]
async fn salesforce_story_8_the_daily_limit_pauses_the_run_and_it_goes_on_from_there() {
    let app = TestApp::with(TestOptions { accounts: 30, ..TestOptions::default() }).await;
    app.simulator.control("rules", json!({ "longestPage": 5 })).await;
    app.connect_salesforce().await;
    let used = app.simulator.stats().await.calls;
    app.simulator.control("limits", json!({ "daily": used + 8 })).await;
    let run_id = app.trigger(None).await;
    app.work().await;
    let before = app.rows("SELECT id FROM crm_record_links").await.len();
    assert!((1..30).contains(&before), "it stopped in the middle: {before}");
    let limited = app.row("SELECT limited_until IS NOT NULL AS limited FROM crm_sync_configs").await;
    assert_eq!(limited["limited"], true, "and says until when");
    app.simulator.control("limits", json!({ "daily": null })).await;
    app.finish(run_id).await.expect_state("completed");
    assert_eq!(counts(&app, SALESFORCE, Entity::Account).await, [30, 30, 30]);
}

// The token was refused, refreshed, refused again, and so on for ever.
#[tokio::test]
async fn salesforce_story_15_a_new_token_that_is_refused_too_ends_in_a_sign_in() {
    let app = TestApp::start().await;
    linked(&app, json!({ "Name": "Kestrel" })).await;
    let refused = json!({ "match": { "operation": "query" }, "fault": "status", "status": 401,
                          "code": "INVALID_SESSION_ID", "message": "Session expired or invalid" });
    app.simulator.faults(json!([refused])).await;
    app.simulator.clear_stats().await;
    let run = app.sync().await.expect_state("failed");
    assert_eq!(run.error_code.as_deref(), Some("sign_in"));
    assert!(app.simulator.stats().await.of("query") <= 3, "it does not go round and round");
    let config = app.row("SELECT status FROM crm_sync_configs").await;
    assert_eq!(config["status"], "error", "the screen says Reconnect");
}

// No answer says how long a token lives, so nothing renewed it in time.
#[tokio::test]
async fn salesforce_story_16_a_token_is_renewed_although_no_answer_tells_its_end() {
    let app = TestApp::start().await;
    let id = linked(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    app.advance(TimeDelta::hours(30));
    app.simulator.edit("Account", &id, json!({ "Phone": "2" })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(accounts(&app, "phone").await, [json!("2")]);
}

// The rotated refresh token was thrown away, so the second refresh locked everybody out.
#[tokio::test]
async fn salesforce_story_17_every_rotated_refresh_token_is_kept() {
    let app = TestApp::start().await;
    let id = linked(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    for phone in ["2", "3", "4"] {
        app.simulator.control("token/expire", json!({})).await;
        app.simulator.edit("Account", &id, json!({ "Phone": phone })).await;
        app.advance(TimeDelta::minutes(5));
        app.sync().await.expect_state("completed");
        assert_eq!(accounts(&app, "phone").await, [json!(phone)]);
    }
}

// Fields that a profile hides came as empty, and emptied what was there.
#[tokio::test]
async fn salesforce_story_22_a_hidden_field_empties_nothing_and_is_told() {
    let app = TestApp::start().await;
    let id = linked(&app, json!({ "Name": "Kestrel", "Phone": "1", "Industry": "Energy" })).await;
    app.simulator.control("field-security", json!({ "hidden": ["Account.Phone"], "readOnly": [] })).await;
    app.simulator.edit("Account", &id, json!({ "Industry": "Media" })).await;
    app.advance(TimeDelta::minutes(61));
    app.sync().await.expect_state("completed");
    assert_eq!(accounts(&app, "phone").await, [json!("1")]);
    assert_eq!(accounts(&app, "industry").await, [json!("Media")], "the others go on");
    let told =
        "SELECT app_field FROM crm_field_mappings WHERE suspended_reason IS NOT NULL AND entity_type = 'account'";
    assert_eq!(app.rows(told).await, [json!({ "app_field": "phone" })]);
}

// A field that was gone made every query fail.
#[tokio::test]
async fn salesforce_story_23_a_field_that_goes_between_two_describes_stops_nothing() {
    let app = TestApp::start().await;
    let id = linked(&app, json!({ "Name": "Kestrel", "Phone": "1", "Industry": "Energy" })).await;
    app.simulator.control("field-security", json!({ "hidden": ["Account.Phone"], "readOnly": [] })).await;
    app.simulator.edit("Account", &id, json!({ "Industry": "Media" })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(accounts(&app, "industry").await, [json!("Media")]);
    assert_eq!(accounts(&app, "phone").await, [json!("1")]);
}

// Hard deletes never arrived, and later the absence of a record was taken for a delete.
#[tokio::test]
async fn salesforce_story_24_a_record_that_is_purged_is_shown_and_never_guessed_deleted() {
    let app = TestApp::start().await;
    let id = linked(&app, json!({ "Name": "Kestrel" })).await;
    app.set_config("options = options || '{\"deleteInApp\": true}'").await;
    app.simulator.act("delete", "Account", &id).await;
    app.simulator.act("purge", "Account", &id).await;
    // Longer than Salesforce lists deletions.
    app.advance(TimeDelta::days(40));
    app.sync().await;
    assert_ne!(link_state(&app, &id).await, "linked");
    let state = link_state(&app, &id).await;
    let deleted = app.row("SELECT deleted_at IS NOT NULL AS deleted FROM accounts").await["deleted"] == true;
    assert_eq!(deleted, state == "gone_crm", "only what the CRM calls deleted is: {state}");
}

// A merge looked like a delete, the mapping pointed at a dead id, and every later write failed.
#[tokio::test]
async fn salesforce_story_25_after_a_merge_edits_go_to_the_survivor() {
    let app = TestApp::start().await;
    let loser = linked(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    let record_id = app_id(&app, &loser).await;
    let survivor = app.simulator.create("Account", json!({ "Name": "Kestrel Ltd" })).await;
    app.simulator.merge("Account", &loser, &survivor).await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.sql(&format!("UPDATE accounts SET phone = '2' WHERE id = '{record_id}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.record("Account", &survivor).await.text("Phone").as_deref(), Some("2"));
    assert_eq!(counts(&app, SALESFORCE, Entity::Account).await, [1, 1, 1]);
}

// Rows were locked by somebody else's roll-up, and the write was given up.
#[tokio::test]
async fn salesforce_story_26_a_locked_row_is_tried_again() {
    let app = TestApp::start().await;
    let id = linked(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    app.sql("UPDATE accounts SET phone = '2'").await;
    let locked = json!({ "match": { "operation": "composite" }, "fault": "status", "status": 400,
                         "code": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access", "times": 2 });
    app.simulator.faults(json!([locked])).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.record("Account", &id).await.text("Phone").as_deref(), Some("2"));
}

// A comparison by "later than" lost the changes of the cursor's own second.
#[tokio::test]
async fn salesforce_story_27_a_second_edit_in_the_second_of_the_reading_arrives() {
    let app = TestApp::start().await;
    let id = linked(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    app.simulator.edit("Account", &id, json!({ "Phone": "2" })).await;
    app.sync().await.expect_state("completed");
    app.simulator.edit("Account", &id, json!({ "Phone": "3" })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(accounts(&app, "phone").await, [json!("3")], "the stamp is the same, the value is not");
}

// After a change of the schema the incremental state left the old records without the new field.
#[tokio::test]
async fn salesforce_story_30_a_new_mapping_brings_the_field_of_every_old_record() {
    let app = TestApp::start().await;
    let id = app.simulator.create("Account", json!({ "Name": "Kestrel", "Phone": "1" })).await;
    app.connect_salesforce().await;
    let admin = app.sign_in_as(Role::Admin).await;
    let path = format!("/api/crm/configs/{}/field-mappings", app.config_id().await);
    let phone =
        app.row("SELECT id FROM crm_field_mappings WHERE entity_type = 'account' AND app_field = 'phone'").await["id"]
            .as_str()
            .expect("an id")
            .to_owned();
    admin.delete(&format!("{path}/{phone}")).await.expect(200);
    app.sync().await.expect_state("completed");
    assert_eq!(accounts(&app, "phone").await, [Json::Null]);
    app.advance(TimeDelta::hours(3));
    let wish = json!({ "entityType": "accounts", "crmField": "Phone", "appField": "phone",
                       "syncDirection": "bidirectional" });
    admin.post(&path, wish).await.expect(201);
    app.sync().await.expect_state("completed");
    assert_eq!(accounts(&app, "phone").await, [json!("1")], "nobody has touched {id} since");
}
