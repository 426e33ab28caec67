//! Filters: who takes part, who leaves and comes back, and what rests meanwhile.

use chrono::TimeDelta;
use crosstie::model::Role;
use serde_json::{Value as Json, json};

use super::{PUSH, agreed_account, app_id, app_value, crm_value, text};
use crate::helpers::TestApp;

/// Only accounts whose industry is energy.
fn energy() -> Json {
    json!({ "accounts": { "filter": { "all": [{ "field": "Industry", "operator": "equals", "value": "energy" }] } } })
}

/// Sets the rules of the connection by REST.
async fn narrow(app: &TestApp, rules: Json) {
    let path = format!("/api/crm/configs/{}", app.config_id().await);
    let admin = app.api_key_of(Role::SalesOps).await;
    admin.patch(&path, json!({ "syncRules": rules })).await.expect(200);
}

async fn state_of(app: &TestApp, crm_id: &str) -> Option<String> {
    let links = app.rows(&format!("SELECT state FROM crm_record_links WHERE crm_record_id = '{crm_id}'")).await;
    links.first().and_then(|link| link["state"].as_str().map(str::to_owned))
}

async fn next_sync(app: &TestApp) {
    app.advance(TimeDelta::minutes(15));
    app.sync().await.expect_state("completed");
}

#[tokio::test]
async fn a_record_outside_is_not_made_on_either_side() {
    let app = TestApp::start().await;
    let inside = app.simulator.create("Account", json!({ "Name": "Kestrel", "Industry": "Energy" })).await;
    let outside = app.simulator.create("Account", json!({ "Name": "Alder", "Industry": "Media" })).await;
    app.insert("accounts", json!({ "name": "Brook", "industry": "Energy" })).await;
    let resting = app.insert("accounts", json!({ "name": "Cedar", "industry": "Media" })).await;
    app.insert("accounts", json!({ "name": "Dune" })).await;
    app.connect_salesforce().await;
    narrow(&app, energy()).await;
    app.sync().await.expect_state("completed");
    let names = |rows: Vec<Json>| {
        rows.iter().map(|row| row["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(app.rows("SELECT name FROM accounts ORDER BY name").await), ["Brook", "Cedar", "Dune", "Kestrel"]);
    let mut there: Vec<Option<String>> =
        app.simulator.records("Account").await.iter().map(|record| record.text("Name")).collect();
    there.sort();
    assert_eq!(there.iter().flatten().collect::<Vec<_>>(), ["Alder", "Brook", "Kestrel"]);
    assert_eq!(state_of(&app, &inside).await.as_deref(), Some("linked"));
    assert_eq!(state_of(&app, &outside).await, None);
    assert_eq!(
        app.rows("SELECT id FROM crm_pending_changes").await,
        [] as [Json; 0],
        "they wait for an edit, not for a run"
    );

    // An edit brings each in.
    app.advance(TimeDelta::minutes(1));
    app.simulator.edit("Account", &outside, json!({ "Industry": "Energy" })).await;
    app.sql(&format!("UPDATE accounts SET industry = 'Energy' WHERE id = '{resting}'")).await;
    next_sync(&app).await;
    assert_eq!(state_of(&app, &outside).await.as_deref(), Some("linked"));
    assert_eq!(app.simulator.find("Account", "Name", "Cedar").await.text("Industry").as_deref(), Some("Energy"));
    app.assert_agreement().await;
}

#[tokio::test]
async fn a_first_reading_asks_the_crm_for_what_takes_part_only() {
    let app = TestApp::start().await;
    app.simulator.create("Account", json!({ "Name": "Kestrel", "Industry": "Energy" })).await;
    app.simulator.create("Account", json!({ "Name": "Alder", "Industry": "Media" })).await;
    app.connect_salesforce().await;
    narrow(&app, energy()).await;
    let run = app.sync().await.expect_state("completed");
    let log = app.logs(run.id).await[&("account".to_owned(), "pull".to_owned())].clone();
    assert_eq!((&log["records_processed"], &log["records_skipped"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn records_that_match_are_not_linked_where_the_crms_is_outside() {
    let app = TestApp::start().await;
    let outside = app
        .simulator
        .create("Account", json!({ "Name": "Kestrel", "Website": "kestrel.example", "Industry": "Media" }))
        .await;
    app.insert("accounts", json!({ "name": "Kestrel", "domain": "kestrel.example", "industry": "Energy" })).await;
    app.connect_salesforce().await;
    narrow(&app, energy()).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT id FROM crm_record_links").await, [] as [Json; 0]);
    assert_eq!(app.simulator.records("Account").await.len(), 1, "and no second one is made");
    app.advance(TimeDelta::minutes(1));
    app.simulator.edit("Account", &outside, json!({ "Industry": "Energy" })).await;
    next_sync(&app).await;
    assert_eq!(state_of(&app, &outside).await.as_deref(), Some("linked"));
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 1);
}

#[tokio::test]
async fn what_takes_a_record_out_is_carried_over_and_then_it_rests() {
    let app = TestApp::start().await;
    let (record_id, crm_id) =
        agreed_account(&app, json!({ "Name": "Kestrel", "Industry": "Energy", "Phone": "1" })).await;
    narrow(&app, energy()).await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(1));
    app.simulator.edit("Account", &crm_id, json!({ "Industry": "Media", "Phone": "2" })).await;
    next_sync(&app).await;
    assert_eq!(app_value(&app, "accounts", record_id, "industry").await, text("Media"));
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("2"));
    assert_eq!(state_of(&app, &crm_id).await.as_deref(), Some("out_of_scope"));
    let config = app.api_key_of(Role::Member).await.get(&format!("/api/crm/configs/{}", app.config_id().await)).await;
    assert_eq!(config.expect(200)["stats"]["accounts"]["outOfScope"], 1);

    // At rest: neither side's edits travel.
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "3" })).await;
    app.sql(&format!("UPDATE accounts SET description = 'ours' WHERE id = '{record_id}'")).await;
    next_sync(&app).await;
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("2"));
    assert_eq!(crm_value(&app, "Account", &crm_id, "Description").await, None);

    // Back: both sides' edits meet the old base, and nothing is lost.
    app.advance(TimeDelta::minutes(1));
    app.simulator.edit("Account", &crm_id, json!({ "Industry": "Energy" })).await;
    next_sync(&app).await;
    assert_eq!(state_of(&app, &crm_id).await.as_deref(), Some("linked"));
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("3"));
    assert_eq!(crm_value(&app, "Account", &crm_id, "Description").await.as_deref(), Some("ours"));
    app.assert_agreement().await;
}

#[tokio::test]
async fn an_edit_in_the_app_that_takes_a_record_out_is_carried_over_too() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Industry": "Energy" })).await;
    narrow(&app, energy()).await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(1));
    app.sql(&format!("UPDATE accounts SET industry = 'Media' WHERE id = '{record_id}'")).await;
    next_sync(&app).await;
    assert_eq!(crm_value(&app, "Account", &crm_id, "Industry").await.as_deref(), Some("Media"));
    next_sync(&app).await;
    assert_eq!(state_of(&app, &crm_id).await.as_deref(), Some("out_of_scope"));
}

#[tokio::test]
async fn deletes_of_resting_records_rest_too() {
    let app = TestApp::start().await;
    let gone_there = app.simulator.create("Account", json!({ "Name": "Alder", "Industry": "Energy" })).await;
    let (record_id, gone_here) = agreed_account(&app, json!({ "Name": "Kestrel", "Industry": "Energy" })).await;
    app.set_config(r#"options = '{"deleteInApp": true, "deleteInCrm": true}'"#).await;
    narrow(&app, energy()).await;
    for id in [&gone_there, &gone_here] {
        app.simulator.edit("Account", id, json!({ "Industry": "Media" })).await;
    }
    next_sync(&app).await;
    let kept = app_id(&app, &gone_there).await;
    app.simulator.act("delete", "Account", &gone_there).await;
    app.sql(&format!("UPDATE accounts SET deleted_at = now() WHERE id = '{record_id}'")).await;
    next_sync(&app).await;
    assert_eq!(app_value(&app, "accounts", kept, "deleted_at").await, Json::Null);
    assert!(!app.simulator.record("Account", &gone_here).await.deleted);
    for id in [&gone_there, &gone_here] {
        assert_eq!(state_of(&app, id).await.as_deref(), Some("out_of_scope"));
    }
    // Back in the filter, the delete here counts.
    app.advance(TimeDelta::minutes(1));
    app.simulator.edit("Account", &gone_here, json!({ "Industry": "Energy" })).await;
    next_sync(&app).await;
    assert_eq!(state_of(&app, &gone_here).await.as_deref(), Some("gone_app"));
}

#[tokio::test]
async fn a_changed_filter_is_followed_by_the_next_run_in_both_directions() {
    let app = TestApp::start().await;
    let (_, energy_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Industry": "Energy" })).await;
    let media_id = app.simulator.create("Account", json!({ "Name": "Alder", "Industry": "Media" })).await;
    app.insert("accounts", json!({ "name": "Brook", "industry": "Media" })).await;
    narrow(&app, energy()).await;
    next_sync(&app).await;
    assert_eq!(state_of(&app, &media_id).await, None);
    let media =
        json!({ "accounts": { "filter": { "any": [{ "field": "Industry", "operator": "in", "value": ["Media"] }] } } });
    narrow(&app, media).await;
    next_sync(&app).await;
    assert_eq!(
        state_of(&app, &energy_id).await.as_deref(),
        Some("out_of_scope"),
        "narrowed: nothing of it had changed"
    );
    assert_eq!(state_of(&app, &media_id).await.as_deref(), Some("linked"));
    app.simulator.find("Account", "Name", "Brook").await;
    narrow(&app, Json::Null).await;
    next_sync(&app).await;
    assert_eq!(state_of(&app, &energy_id).await.as_deref(), Some("linked"), "widened");
    app.assert_all_linked(crosstie::model::Entity::Account).await;
}

#[tokio::test]
async fn a_filter_goes_by_fields_that_nobody_maps() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Rating": "Hot" })).await;
    let rated = |operator: &str| json!({ "accounts": { "filter": { "all": [{ "field": "Rating", "operator": operator, "value": "hot" }] } } });
    app.insert("accounts", json!({ "name": "Brook" })).await;
    narrow(&app, rated("equals")).await;
    next_sync(&app).await;
    assert_eq!(app.simulator.records("Account").await.len(), 1, "what the app cannot say is not met");
    app.advance(TimeDelta::minutes(1));
    app.simulator.edit("Account", &crm_id, json!({ "Rating": "Cold", "Phone": "2" })).await;
    next_sync(&app).await;
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("2"));
    assert_eq!(state_of(&app, &crm_id).await.as_deref(), Some("out_of_scope"));
    narrow(&app, rated("not_equals")).await;
    next_sync(&app).await;
    assert_eq!(state_of(&app, &crm_id).await.as_deref(), Some("linked"));
    assert_eq!(app.simulator.records("Account").await.len(), 1, "nor is its opposite");
}

#[tokio::test]
async fn what_time_alone_changes_is_judged_every_day() {
    let app = TestApp::start().await;
    let id = app.simulator.create("Account", json!({ "Name": "Kestrel" })).await;
    app.connect_salesforce().await;
    app.set_config("time_zone = 'Europe/Berlin'").await;
    narrow(&app, json!({ "accounts": { "filter": { "all": [{ "field": "CreatedDate", "operator": "within_days", "value": 1 }] } } })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(state_of(&app, &id).await.as_deref(), Some("linked"));
    app.advance(TimeDelta::hours(24));
    app.sync().await.expect_state("completed");
    assert_eq!(state_of(&app, &id).await.as_deref(), Some("linked"));
    // It is 00:30 in Berlin two days after, and 23:30 one day after in UTC.
    app.advance(TimeDelta::minutes(14 * 60 + 30));
    app.sync().await.expect_state("completed");
    assert_eq!(state_of(&app, &id).await.as_deref(), Some("out_of_scope"));
}

#[tokio::test]
async fn the_current_user_is_whoever_is_signed_in() {
    let app = TestApp::start().await;
    let mine = app.simulator.create("Account", json!({ "Name": "Kestrel" })).await;
    let owner = app.simulator.record("Account", &mine).await.text("OwnerId").expect("an owner");
    app.connect_salesforce().await;
    app.set_config(&format!("oauth_user_id = '{owner}'")).await;
    let by = |operator: &str| json!({ "accounts": { "filter": { "all": [{ "field": "OwnerId", "operator": operator, "value": "current user" }] } } });
    narrow(&app, by("not_equals")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(state_of(&app, &mine).await, None);
    narrow(&app, by("equals")).await;
    next_sync(&app).await;
    assert_eq!(state_of(&app, &mine).await.as_deref(), Some("linked"));
}

#[tokio::test]
async fn an_excluded_field_travels_in_no_direction_and_goes_on_where_it_was() {
    let app = TestApp::start().await;
    let (record_id, crm_id) =
        agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1", "Industry": "Energy" })).await;
    narrow(&app, json!({ "accounts": { "excludeFields": ["phone"] } })).await;
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "2", "Industry": "Media" })).await;
    next_sync(&app).await;
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("1"));
    assert_eq!(app_value(&app, "accounts", record_id, "industry").await, text("Media"));
    app.sql(&format!("UPDATE accounts SET phone = '3' WHERE id = '{record_id}'")).await;
    next_sync(&app).await;
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await.as_deref(), Some("2"));
    app.advance(TimeDelta::minutes(1));
    narrow(&app, json!({ "accounts": {} })).await;
    next_sync(&app).await;
    app.assert_agreement().await;
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("3"), "the later edit");
}

#[tokio::test]
async fn a_run_that_only_pushes_moves_nobody_out() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Industry": "Energy" })).await;
    narrow(&app, energy()).await;
    app.simulator.edit("Account", &crm_id, json!({ "Industry": "Media" })).await;
    app.sync_only(PUSH).await.expect_state("completed");
    assert_eq!(state_of(&app, &crm_id).await.as_deref(), Some("linked"), "the change is still to be carried over");
    next_sync(&app).await;
    assert_eq!(app_value(&app, "accounts", record_id, "industry").await, text("Media"));
    assert_eq!(state_of(&app, &crm_id).await.as_deref(), Some("out_of_scope"));
}

#[tokio::test]
async fn where_the_change_cannot_be_carried_over_the_record_stays_until_it_can() {
    let app = TestApp::start().await;
    let (record_id, crm_id) =
        agreed_account(&app, json!({ "Name": "Kestrel", "Industry": "Energy", "NumberOfEmployees": 5 })).await;
    narrow(&app, energy()).await;
    app.simulator.edit("Account", &crm_id, json!({ "Industry": "Media", "NumberOfEmployees": -5 })).await;
    app.advance(TimeDelta::minutes(15));
    app.sync().await.expect_state("partial");
    assert_eq!(state_of(&app, &crm_id).await.as_deref(), Some("linked"));
    app.advance(TimeDelta::minutes(1));
    app.simulator.edit("Account", &crm_id, json!({ "NumberOfEmployees": 6 })).await;
    next_sync(&app).await;
    assert_eq!(app_value(&app, "accounts", record_id, "employee_count").await, json!(6));
    assert_eq!(app_value(&app, "accounts", record_id, "industry").await, text("Media"));
    assert_eq!(state_of(&app, &crm_id).await.as_deref(), Some("out_of_scope"));
}
