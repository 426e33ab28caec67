//! From the app into the CRM.

use chrono::TimeDelta;
use crosstie::model::Entity;
use serde_json::json;

use super::{agreed_account, app_id, app_value, assert_rests, crm_value, text};
use crate::helpers::{TestApp, TestOptions};

#[tokio::test]
async fn an_update_typed_in_psql_reaches_the_crm_in_one_call() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "+1 1" })).await;
    app.sql(&format!(
        "UPDATE accounts SET phone = '+1 2', annual_revenue = 12500000, industry = NULL WHERE id = '{record_id}'"
    ))
    .await;
    app.simulator.clear_stats().await;
    let run = app.sync().await.expect_state("completed");
    let stats = app.simulator.stats().await;
    assert_eq!(stats.calls, 5, "looking costs four calls, the update one: {stats:?}");
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await.as_deref(), Some("+1 2"));
    assert_eq!(crm_value(&app, "Account", &crm_id, "AnnualRevenue").await.as_deref(), Some("12500000"));
    let logs = app.logs(run.id).await;
    let push = &logs[&("account".to_owned(), "push".to_owned())];
    assert_eq!(
        (&push["records_synced"], &push["records_updated"], &push["records_failed"]),
        (&json!(1), &json!(1), &json!(0))
    );
    assert_rests(&app).await;
    app.assert_agreement().await;
}

#[tokio::test]
async fn decimals_that_the_crm_does_not_keep_stay_in_the_app() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "AnnualRevenue": 13 })).await;
    app.sql(&format!("UPDATE accounts SET annual_revenue = 99.50 WHERE id = '{record_id}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(crm_value(&app, "Account", &crm_id, "AnnualRevenue").await.as_deref(), Some("100"));
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "accounts", record_id, "annual_revenue").await.to_string(), "99.50");
    assert_rests(&app).await;
    app.simulator.edit("Account", &crm_id, json!({ "AnnualRevenue": 99 })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "accounts", record_id, "annual_revenue").await.to_string(), "99");
}

#[tokio::test]
async fn an_edit_to_a_whole_number_is_an_edit() {
    let app = TestApp::start().await;
    let deal = json!({ "Name": "Roof", "StageName": "Prospecting", "CloseDate": "2026-12-01", "Amount": 12.6 });
    let crm_id = app.simulator.create("Opportunity", deal).await;
    app.connect_salesforce().await;
    app.set_config("sync_entities = '{opportunities}'").await;
    app.sync().await.expect_state("completed");
    app.advance(chrono::TimeDelta::minutes(5));
    let record_id = app_id(&app, &crm_id).await;
    assert_eq!(app_value(&app, "opportunities", record_id, "amount").await.to_string(), "12.6");
    app.simulator.edit("Opportunity", &crm_id, json!({ "Amount": 13 })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "opportunities", record_id, "amount").await.to_string(), "13");
}

#[tokio::test]
async fn only_what_changed_is_sent() {
    let app = TestApp::start().await;
    let (record_id, crm_id) =
        agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1", "Industry": "Energy" })).await;
    app.sql(&format!("UPDATE accounts SET phone = '2' WHERE id = '{record_id}'")).await;
    app.sync().await.expect_state("completed");
    let journal = app.row("SELECT fields, state, crm_record_id FROM crm_sync_changes WHERE side = 'crm'").await;
    assert_eq!(journal["fields"].as_array().map(Vec::len), Some(1));
    assert_eq!(journal["fields"][0]["field"], "Phone");
    assert_eq!((&journal["fields"][0]["before"], &journal["fields"][0]["after"]), (&json!("1"), &json!("2")));
    assert_eq!((&journal["state"], &journal["crm_record_id"]), (&json!("done"), &json!(crm_id)));
}

#[tokio::test]
async fn new_records_are_created_with_the_external_id_two_calls_for_two_hundred() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.sql(&format!(
        "INSERT INTO accounts (workspace_id, name, phone) SELECT '{}', 'Company ' || n, '+1 ' || n FROM generate_series(1, 250) n",
        app.workspace_id
    ))
    .await;
    app.simulator.clear_stats().await;
    app.sync().await.expect_state("completed");
    let stats = app.simulator.stats().await;
    assert_eq!(stats.calls, 8, "looking costs four calls, 250 creates two look-ups and two upserts: {stats:?}");
    assert_eq!(app.simulator.records("Account").await.len(), 250);
    app.assert_all_linked(Entity::Account).await;
    app.assert_agreement().await;
    let one = app.row("SELECT id FROM accounts WHERE name = 'Company 7'").await;
    let record = app.simulator.find("Account", "Name", "Company 7").await;
    let external_id = format!("{}:{}", app.workspace_id, one["id"].as_str().unwrap_or_default());
    assert_eq!(record.text("Crosstie_Id__c"), Some(external_id));
    assert_rests(&app).await;
}

#[tokio::test]
async fn updates_travel_two_hundred_a_call() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    app.sql(&format!(
        "INSERT INTO accounts (workspace_id, name) SELECT '{}', 'Company ' || n FROM generate_series(1, 401) n",
        app.workspace_id
    ))
    .await;
    app.sync().await.expect_state("completed");
    app.advance(chrono::TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    app.sql("UPDATE accounts SET phone = name").await;
    app.simulator.clear_stats().await;
    app.sync().await.expect_state("completed");
    let stats = app.simulator.stats().await;
    assert_eq!(stats.calls, 4 + 3, "{stats:?}");
    app.assert_agreement().await;
}

#[tokio::test]
async fn a_lost_answer_to_a_create_makes_no_second_record() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.insert("accounts", json!({ "name": "Kestrel" })).await;
    app.simulator
        .faults(json!([{ "match": { "operation": "collections_upsert" }, "fault": "lost_response", "times": 1 }]))
        .await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.records("Account").await.len(), 1);
    app.assert_all_linked(Entity::Account).await;
    let states = app.rows("SELECT action, state FROM crm_sync_changes WHERE side = 'crm'").await;
    assert_eq!(states, [json!({ "action": "create", "state": "done" })]);
}

#[tokio::test]
async fn a_lost_answer_to_an_update_is_settled_by_looking() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    for (fault, value) in [("lost_response", "2"), ("reset", "3"), ("garbage", "4")] {
        app.sql(&format!("UPDATE accounts SET phone = '{value}' WHERE id = '{record_id}'")).await;
        app.simulator.faults(json!([{ "match": { "operation": "composite" }, "fault": fault, "times": 1 }])).await;
        app.sync().await.expect_state("completed");
        assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await.as_deref(), Some(value), "{fault}");
        assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text(value), "{fault}");
        app.advance(chrono::TimeDelta::minutes(5));
        let open = app.rows("SELECT * FROM crm_sync_changes WHERE state IN ('intended', 'sent', 'unknown')").await;
        assert_eq!(open.len(), 0, "{fault}");
    }
    app.sync().await.expect_state("completed");
    assert_rests(&app).await;
}

/// A step writes several batches. One whose answer is lost costs the batches before it nothing and those after it a new try.
#[tokio::test]
async fn a_lost_answer_in_the_middle_of_a_step_sends_no_record_twice() {
    let app = TestApp::with(TestOptions { accounts: 450, ..TestOptions::default() }).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.advance(chrono::TimeDelta::minutes(5));
    app.sql("UPDATE accounts SET phone = '+47 1'").await;
    app.simulator.clear_stats().await;
    app.simulator
        .faults(json!([
            { "match": { "operation": "composite" }, "fault": "delay", "delayMs": 0, "times": 1 },
            { "match": { "operation": "composite" }, "fault": "lost_response", "times": 1 },
        ]))
        .await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.stats().await.of("composite"), 3, "200 + 200 + 50 records, none of them again");
    let written = "SELECT count(*) AS rows FROM crm_sync_changes WHERE side = 'crm' AND state = 'done'";
    assert_eq!(app.row(written).await["rows"], 450);
    let open = app.rows("SELECT * FROM crm_sync_changes WHERE state IN ('intended', 'sent', 'unknown')").await;
    assert_eq!(open.len(), 0);
    app.assert_agreement().await;
}

#[tokio::test]
async fn an_edit_in_the_crm_after_a_lost_create_is_kept() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    let record_id = app.insert("accounts", json!({ "name": "Kestrel", "phone": "1" })).await;
    app.simulator
        .faults(json!([{ "match": { "operation": "collections_upsert" }, "fault": "lost_response", "times": 1 }]))
        .await;
    app.trigger(None).await;
    // Until the create was sent and its answer lost.
    while app.simulator.records("Account").await.is_empty() {
        assert!(app.step().await);
    }
    app.advance(chrono::TimeDelta::minutes(1));
    let crm_id = app.simulator.find("Account", "Name", "Kestrel").await.id;
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "2" })).await;
    app.work().await;
    app.sync().await.expect_state("completed");
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await.as_deref(), Some("2"));
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("2"));
    app.assert_all_linked(Entity::Account).await;
}

#[tokio::test]
async fn a_value_that_is_too_long_fails_its_record_with_a_plain_reason_and_recovers() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "BillingCity": "Leeds" })).await;
    let other = app.insert("accounts", json!({ "name": "Alder" })).await;
    app.sql(&format!("UPDATE accounts SET billing_city = repeat('x', 41), phone = '5' WHERE id = '{record_id}'")).await;
    let run = app.sync().await.expect_state("partial");
    let failure =
        app.row(&format!("SELECT failure FROM crm_record_links WHERE record_id = '{record_id}'")).await["failure"]
            .clone();
    assert_eq!(failure["code"], "value_too_long");
    assert!(
        failure["message"].as_str().is_some_and(|message| message.contains("41") && message.contains("40")),
        "{failure}"
    );
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await.as_deref(), Some("5"), "the other fields go on");
    assert_eq!(app.simulator.records("Account").await.len(), 2, "the other record goes on");
    let logs = app.logs(run.id).await;
    let push = &logs[&("account".to_owned(), "push".to_owned())];
    assert_eq!((&push["status"], &push["records_failed"]), (&json!("partial"), &json!(1)));
    app.sql(&format!("UPDATE accounts SET billing_city = 'York' WHERE id = '{record_id}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(crm_value(&app, "Account", &crm_id, "BillingCity").await.as_deref(), Some("York"));
    let failure = app.row(&format!("SELECT failure FROM crm_record_links WHERE record_id = '{record_id}'")).await;
    assert_eq!(failure["failure"], serde_json::Value::Null);
    let _ = other;
}

#[tokio::test]
async fn a_refusal_of_the_crm_is_told_in_plain_words_and_taken_back_when_mended() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    let bad = app.insert("contacts", json!({ "last_name": "Raman", "email": "not an address" })).await;
    app.insert("contacts", json!({ "last_name": "Okafor", "email": "grace@kestrel.example" })).await;
    app.sync().await.expect_state("partial");
    assert_eq!(app.simulator.records("Contact").await.len(), 1);
    let failure =
        app.row(&format!("SELECT failure FROM crm_record_links WHERE record_id = '{bad}'")).await["failure"].clone();
    assert_eq!((&failure["code"], &failure["crmCode"]), (&json!("invalid_email"), &json!("INVALID_EMAIL_ADDRESS")));
    app.simulator.clear_stats().await;
    app.sync().await.expect_state("completed");
    assert_eq!(
        app.simulator.stats().await.of("collections_upsert"),
        0,
        "it is not tried again before something changes"
    );
    app.sql(&format!("UPDATE contacts SET email = 'priya@kestrel.example' WHERE id = '{bad}'")).await;
    app.sync().await.expect_state("completed");
    app.assert_all_linked(Entity::Contact).await;
    app.assert_agreement().await;
}

#[tokio::test]
async fn an_insert_that_is_rolled_back_or_deleted_at_once_goes_nowhere() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.try_sql(&format!(
        "INSERT INTO accounts (workspace_id, name) VALUES ('{}', 'Kestrel'); SELECT 1 / 0",
        app.workspace_id
    ))
    .await
    .expect_err("a rollback");
    let id = app.insert("accounts", json!({ "name": "Alder" })).await;
    app.sql(&format!("DELETE FROM accounts WHERE id = '{id}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.all_records("Account").await.len(), 0);
    assert_eq!(app.rows("SELECT * FROM crm_pending_changes").await.len(), 0);
}

#[tokio::test]
async fn an_edit_to_a_field_that_is_read_only_rests_until_it_may_be_written() {
    let app = TestApp::start().await;
    let id = app.simulator.create("Account", json!({ "Name": "Kestrel", "Phone": "1" })).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    let record_id = app_id(&app, &id).await;
    app.simulator.control("field-security", json!({ "hidden": [], "readOnly": ["Account.Phone"] })).await;
    // A describe is fetched hourly at most.
    app.advance(TimeDelta::minutes(61));
    app.sql(&format!("UPDATE accounts SET phone = '2' WHERE id = '{record_id}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(crm_value(&app, "Account", &id, "Phone").await.as_deref(), Some("1"));
    app.simulator.control("field-security", json!({ "hidden": [], "readOnly": [] })).await;
    app.advance(TimeDelta::minutes(61));
    app.sync().await.expect_state("completed");
    assert_eq!(crm_value(&app, "Account", &id, "Phone").await.as_deref(), Some("2"));
    assert_rests(&app).await;
}
