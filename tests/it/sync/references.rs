//! Contacts and the accounts that they belong to.

use chrono::TimeDelta;
use crosstie::model::Entity;
use serde_json::{Value as Json, json};

use super::{app_id, app_value, assert_rests, crm_value};
use crate::helpers::TestApp;

#[tokio::test]
async fn references_follow_the_links_both_ways() {
    let app = TestApp::start().await;
    let crm_account = app.simulator.create("Account", json!({ "Name": "Kestrel" })).await;
    let crm_contact = app.simulator.create("Contact", json!({ "LastName": "Raman", "AccountId": crm_account })).await;
    let account = app.insert("accounts", json!({ "name": "Alder" })).await;
    app.insert("contacts", json!({ "last_name": "Okafor", "account_id": account })).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.assert_agreement().await;
    let kestrel = app_id(&app, &crm_account).await;
    let raman = app_id(&app, &crm_contact).await;
    assert_eq!(app_value(&app, "contacts", raman, "account_id").await, json!(kestrel.to_string()));
    let alder = app.simulator.find("Account", "Name", "Alder").await.id;
    assert_eq!(app.simulator.find("Contact", "LastName", "Okafor").await.text("AccountId"), Some(alder.clone()));
    // Moved in the CRM, then back in the app, then to none.
    app.advance(TimeDelta::minutes(5));
    app.simulator.edit("Contact", &crm_contact, json!({ "AccountId": alder })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "contacts", raman, "account_id").await, json!(account.to_string()));
    app.advance(TimeDelta::minutes(5));
    app.sql(&format!("UPDATE contacts SET account_id = '{kestrel}' WHERE id = '{raman}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(crm_value(&app, "Contact", &crm_contact, "AccountId").await, Some(crm_account));
    app.advance(TimeDelta::minutes(5));
    app.simulator.edit("Contact", &crm_contact, json!({ "AccountId": null })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "contacts", raman, "account_id").await, Json::Null);
    assert_rests(&app).await;
}

#[tokio::test]
async fn a_reference_whose_account_comes_later_arrives_when_it_does() {
    let app = TestApp::start().await;
    // The account cannot be created here until it is mended there.
    let account = app.simulator.create("Account", json!({ "Name": "Kestrel", "NumberOfEmployees": -1 })).await;
    let contact = app.simulator.create("Contact", json!({ "LastName": "Raman", "AccountId": account })).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("partial");
    let record_id = app_id(&app, &contact).await;
    assert_eq!(app_value(&app, "contacts", record_id, "account_id").await, Json::Null);
    assert_eq!(
        crm_value(&app, "Contact", &contact, "AccountId").await,
        Some(account.clone()),
        "never written as empty"
    );
    app.advance(TimeDelta::hours(3));
    app.simulator.edit("Account", &account, json!({ "NumberOfEmployees": 1 })).await;
    app.sync().await.expect_state("completed");
    let account_id = app_id(&app, &account).await;
    assert_eq!(app_value(&app, "contacts", record_id, "account_id").await, json!(account_id.to_string()));
    app.assert_agreement().await;
    assert_rests(&app).await;
}

#[tokio::test]
async fn a_changed_reference_to_an_account_that_is_not_there_yet_waits_too() {
    let app = TestApp::start().await;
    let first = app.simulator.create("Account", json!({ "Name": "Kestrel" })).await;
    let contact = app.simulator.create("Contact", json!({ "LastName": "Raman", "AccountId": first })).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    let second = app.simulator.create("Account", json!({ "Name": "Alder", "NumberOfEmployees": -1 })).await;
    app.simulator.edit("Contact", &contact, json!({ "AccountId": second, "Title": "CFO" })).await;
    app.sync().await.expect_state("partial");
    app.advance(TimeDelta::hours(3));
    app.simulator.edit("Account", &second, json!({ "NumberOfEmployees": 1 })).await;
    app.sync().await.expect_state("completed");
    let record_id = app_id(&app, &contact).await;
    let account_id = app_id(&app, &second).await;
    assert_eq!(app_value(&app, "contacts", record_id, "account_id").await, json!(account_id.to_string()));
    assert_eq!(crm_value(&app, "Contact", &contact, "AccountId").await, Some(second));
}

#[tokio::test]
async fn a_contact_whose_account_is_not_in_the_crm_yet_is_created_without_it_and_joined_later() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    // 256 characters: the CRM does not take the account's name.
    let account = app.insert("accounts", json!({ "name": "x".repeat(256) })).await;
    app.insert("contacts", json!({ "last_name": "Raman", "account_id": account })).await;
    app.sync().await.expect_state("partial");
    let contact = app.simulator.find("Contact", "LastName", "Raman").await;
    assert_eq!(contact.text("AccountId"), None);
    app.sql(&format!("UPDATE accounts SET name = 'Kestrel' WHERE id = '{account}'")).await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    let kestrel = app.simulator.find("Account", "Name", "Kestrel").await;
    assert_eq!(crm_value(&app, "Contact", &contact.id, "AccountId").await, Some(kestrel.id));
    app.assert_all_linked(Entity::Contact).await;
    app.assert_agreement().await;
}

#[tokio::test]
async fn contacts_without_their_accounts_rest_quietly() {
    let app = TestApp::start().await;
    let account = app.simulator.create("Account", json!({ "Name": "Kestrel" })).await;
    app.simulator.create("Contact", json!({ "LastName": "Raman", "AccountId": account })).await;
    app.connect_salesforce().await;
    app.set_config("sync_entities = '{contacts}'").await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.simulator.clear_stats().await;
    app.sync().await.expect_state("completed");
    let stats = app.simulator.stats().await;
    assert_eq!(stats.calls, 2, "{stats:?}");
    assert_eq!(app.simulator.records("Contact").await[0].text("AccountId"), Some(account));
    // Now the accounts come along.
    app.set_config("sync_entities = '{accounts,contacts}'").await;
    app.sync().await.expect_state("completed");
    app.assert_agreement().await;
    let contact = app.row("SELECT account_id FROM contacts").await;
    assert!(contact["account_id"].is_string());
}
