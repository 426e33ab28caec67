//! Which records are the same.

use chrono::TimeDelta;
use crosstie::model::Entity;
use serde_json::json;

use super::assert_rests;
use crate::helpers::{TestApp, TestOptions};

#[tokio::test]
async fn a_record_that_carries_the_id_of_an_app_record_is_linked_with_it_before_any_key() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.insert("contacts", json!({ "last_name": "Raman", "phone": "5550100" })).await;
    app.sync().await.expect_state("completed");
    // An older database knows nothing of the link, nor that the record was to be created.
    app.as_superuser("DELETE FROM crm_record_links; DELETE FROM crm_pending_changes").await;
    let made = app.simulator.records("Contact").await.remove(0);
    app.simulator.edit("Contact", &made.id, json!({ "LastName": "Raman-Osei" })).await;
    app.advance(TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT id FROM contacts").await.len(), 1);
    assert_eq!(app.simulator.records("Contact").await.len(), 1);
    app.assert_all_linked(Entity::Contact).await;
}

#[tokio::test]
async fn overlapping_records_are_matched_by_their_keys_and_the_rest_is_created_on_both_sides() {
    let app = TestApp::start().await;
    app.simulator
        .create(
            "Account",
            json!({ "Name": "Kestrel Foods Ltd", "Website": "https://www.kestrel.example/", "Phone": "+1 1" }),
        )
        .await;
    app.simulator.create("Account", json!({ "Name": "Alder  Energy" })).await;
    app.simulator.create("Account", json!({ "Name": "Only in the CRM", "Website": "crm.example" })).await;
    app.simulator
        .create("Contact", json!({ "LastName": "Raman", "Email": "Priya@Kestrel.example", "Title": "CFO" }))
        .await;
    app.insert("accounts", json!({ "name": "Kestrel", "domain": "kestrel.example", "industry": "Media" })).await;
    app.insert("accounts", json!({ "name": "alder energy", "phone": "+2 2" })).await;
    app.insert("accounts", json!({ "name": "Only in the app", "domain": "app.example" })).await;
    app.insert("contacts", json!({ "last_name": "Raman", "email": "priya@kestrel.example", "phone": "+3 3" })).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT * FROM accounts").await.len(), 4);
    app.assert_all_linked(Entity::Account).await;
    app.assert_all_linked(Entity::Contact).await;
    app.assert_agreement().await;
    let contact = app.row("SELECT title, phone FROM contacts").await;
    assert_eq!(contact, json!({ "title": "CFO", "phone": "+3 3" }), "a side that is empty takes the other's");
    assert_eq!(app.simulator.records("Contact").await[0].text("Phone").as_deref(), Some("+3 3"));
    app.advance(TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    assert_rests(&app).await;
}

#[tokio::test]
async fn the_seed_that_both_sides_know_in_part_ends_linked_one_to_one() {
    let app =
        TestApp::with(TestOptions { accounts: 40, contacts: 120, opportunities: 20, ..TestOptions::default() }).await;
    let companies = crosstie::simulator::seed::companies(1, 30);
    for company in companies {
        app.insert("accounts", json!({ "name": company.name, "domain": company.domain, "phone": company.phone, "industry": company.industry })).await;
    }
    for person in crosstie::simulator::seed::people(1, 60, 40) {
        app.insert(
            "contacts",
            json!({ "first_name": person.first_name, "last_name": person.last_name, "email": person.email }),
        )
        .await;
    }
    app.connect_salesforce().await;
    app.set_config("sync_entities = '{accounts,contacts,opportunities}'").await;
    app.sync().await;
    app.advance(TimeDelta::minutes(5));
    app.sync().await;
    app.advance(TimeDelta::minutes(5));
    app.sync().await;
    app.assert_agreement().await;
    for column in ["record_id", "crm_record_id"] {
        let doubled = app.rows(&format!("SELECT {column} FROM crm_record_links WHERE state = 'linked' GROUP BY entity_type, {column} HAVING count(*) > 1")).await;
        assert_eq!(doubled.len(), 0, "{column}");
    }
    let journal = "SELECT count(*) AS rows FROM crm_sync_changes";
    let before = app.row(journal).await;
    app.sync().await;
    assert_eq!(app.row(journal).await, before, "it has converged");
}

#[tokio::test]
async fn what_could_be_several_records_is_asked_and_never_guessed() {
    let app = TestApp::start().await;
    app.simulator.create("Contact", json!({ "LastName": "Raman", "Email": "info@kestrel.example" })).await;
    app.insert("contacts", json!({ "last_name": "Raman", "email": "info@kestrel.example" })).await;
    app.insert("contacts", json!({ "last_name": "Okafor", "email": "INFO@kestrel.example" })).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT * FROM crm_record_links").await.len(), 0);
    assert_eq!(app.rows("SELECT * FROM crm_sync_conflicts WHERE kind = 'match' AND status = 'pending'").await.len(), 2);
    assert_eq!(app.simulator.records("Contact").await.len(), 1);
    assert_eq!(app.rows("SELECT * FROM contacts").await.len(), 2);
}

#[tokio::test]
async fn a_record_that_appears_on_both_sides_between_two_runs_is_matched() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.simulator.create("Contact", json!({ "LastName": "Raman", "Email": "priya@kestrel.example" })).await;
    app.insert("contacts", json!({ "last_name": "Raman", "email": "priya@kestrel.example" })).await;
    app.sync().await.expect_state("completed");
    app.assert_all_linked(Entity::Contact).await;
    app.assert_agreement().await;
}

#[tokio::test]
async fn opportunities_match_by_name_account_and_close_date() {
    let app = TestApp::start().await;
    let account = app.simulator.create("Account", json!({ "Name": "Kestrel", "Website": "kestrel.example" })).await;
    let deal =
        json!({ "Name": "Big deal", "StageName": "Prospecting", "CloseDate": "2026-05-01", "AccountId": account });
    app.simulator.create("Opportunity", deal).await;
    let account_id = app.insert("accounts", json!({ "name": "Kestrel", "domain": "kestrel.example" })).await;
    let deal = json!({ "name": "big deal", "close_date": "2026-05-01", "account_id": account_id, "amount": 5.5 });
    app.insert("opportunities", deal).await;
    let other =
        json!({ "name": "Big deal", "close_date": "2026-06-01", "stage": "Prospecting", "account_id": account_id });
    app.insert("opportunities", other).await;
    app.connect_salesforce().await;
    app.set_config("sync_entities = '{accounts,opportunities}'").await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT * FROM opportunities").await.len(), 2);
    assert_eq!(app.simulator.records("Opportunity").await.len(), 2);
    app.assert_all_linked(Entity::Opportunity).await;
    app.assert_agreement().await;
}

#[tokio::test]
async fn a_first_meeting_with_different_values_follows_the_policy() {
    let app = TestApp::start().await;
    app.simulator
        .create(
            "Account",
            json!({ "Name": "Kestrel", "Website": "kestrel.example", "Phone": "crm", "Industry": "Energy" }),
        )
        .await;
    app.advance(TimeDelta::minutes(1));
    app.insert(
        "accounts",
        json!({ "name": "Kestrel", "domain": "kestrel.example", "phone": "app", "industry": "Energy" }),
    )
    .await;
    app.connect_salesforce().await;
    app.set_config("conflict_resolution = 'manual_review'").await;
    app.sync().await.expect_state("completed");
    let pending = app.row("SELECT kind, conflicting_fields, status FROM crm_sync_conflicts").await;
    assert_eq!(pending, json!({ "kind": "field", "conflicting_fields": ["phone"], "status": "pending" }));
}
