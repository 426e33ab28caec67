//! Stories of the engine: both sides, what happens between them, and what goes wrong.

mod bulk;
mod deletes;
mod faults;
mod files;
mod filters;
mod filters_in_soql;
mod first_sync;
mod histories;
mod holds;
mod hubspot;
mod matching;
mod meanwhile;
mod merge;
mod pull;
mod push;
mod references;
mod schedules;
mod sweeps;
mod unsure;

use crosstie::model::SyncDirection;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::helpers::TestApp;

/// An account on both sides that agree; returns its ids in the app and in the CRM.
async fn agreed_account(app: &TestApp, fields: Json) -> (Uuid, String) {
    let id = app.simulator.create("Account", fields).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.advance(chrono::TimeDelta::minutes(5));
    (app_id(app, &id).await, id)
}

/// The app record that a CRM record is linked with.
async fn app_id(app: &TestApp, crm_id: &str) -> Uuid {
    let link = app.row(&format!("SELECT record_id FROM crm_record_links WHERE crm_record_id = '{crm_id}'")).await;
    link["record_id"].as_str().and_then(|id| id.parse().ok()).expect("a linked app record")
}

/// One value of an app record.
async fn app_value(app: &TestApp, table: &str, id: Uuid, field: &str) -> Json {
    app.row(&format!("SELECT {field} FROM {table} WHERE id = '{id}'")).await[field].clone()
}

/// One value of a CRM record as text.
async fn crm_value(app: &TestApp, object: &str, id: &str, field: &str) -> Option<String> {
    app.simulator.record(object, id).await.text(field)
}

/// What a run of each kind may do that finds nothing: it writes nothing and costs two calls an entity.
async fn assert_rests(app: &TestApp) {
    let journal = "SELECT count(*) AS rows FROM crm_sync_changes";
    let before = app.row(journal).await;
    app.simulator.clear_stats().await;
    app.sync().await.expect_state("completed");
    let stats = app.simulator.stats().await;
    let describes = stats.of("describe");
    assert_eq!(stats.calls - describes, 4, "a look at changes and one at deletions per entity: {stats:?}");
    assert_eq!(app.row(journal).await, before, "nothing is written");
}

/// Narrower than the connection in each direction.
const PULL: SyncDirection = SyncDirection::Pull;
const PUSH: SyncDirection = SyncDirection::Push;

fn text(value: &str) -> Json {
    json!(value)
}
