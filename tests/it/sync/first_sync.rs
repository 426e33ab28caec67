//! The first run of a connection.

use crosstie::model::Entity;
use serde_json::json;

use crate::helpers::{TestApp, TestOptions};

#[tokio::test]
async fn an_empty_app_gets_every_record_of_the_crm_and_the_second_run_writes_nothing() {
    let app = TestApp::with(TestOptions { accounts: 12, contacts: 30, ..TestOptions::default() }).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.assert_all_linked(Entity::Account).await;
    app.assert_all_linked(Entity::Contact).await;
    app.assert_agreement().await;

    app.simulator.clear_stats().await;
    app.sync().await.expect_state("completed");
    let stats = app.simulator.stats().await;
    assert_eq!(stats.calls, 4, "a query and a look at the deletions per entity: {stats:?}");
    let written = app.rows("SELECT * FROM crm_sync_changes WHERE side = 'crm'").await;
    assert_eq!(written, Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn an_edit_on_each_side_arrives_on_the_other() {
    let app = TestApp::start().await;
    let crm_id = app.simulator.create("Account", json!({ "Name": "Kestrel Foods" })).await;
    let record_id = app.insert("accounts", json!({ "name": "Alder Energy", "phone": "+44 1" })).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.assert_all_linked(Entity::Account).await;

    app.advance(chrono::TimeDelta::seconds(5));
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "+1 5" })).await;
    app.sql(&format!("UPDATE accounts SET phone = '+44 2' WHERE id = '{record_id}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.row("SELECT phone FROM accounts WHERE name = 'Kestrel Foods'").await, json!({ "phone": "+1 5" }));
    assert_eq!(app.simulator.find("Account", "Name", "Alder Energy").await.text("Phone").as_deref(), Some("+44 2"));
    app.assert_agreement().await;
}
