//! What happened to users of other tools, by the numbers of the two CRMs' collections of such stories: each told against the
//! simulated CRM, and each ends well here.

mod hubspot;
mod salesforce;

use crosstie::model::{Entity, Provider};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::helpers::{TestApp, object};

/// How many records of an entity both sides have: living app records, living CRM records, links between them.
async fn counts(app: &TestApp, provider: Provider, entity: Entity) -> [usize; 3] {
    let rows = app.rows(&format!("SELECT id FROM {} WHERE deleted_at IS NULL", entity.plural())).await;
    let links = format!("SELECT id FROM crm_record_links WHERE entity_type = '{entity}' AND state = 'linked'");
    let records = app.simulator_of(provider).records(object(provider, entity)).await;
    [rows.len(), records.len(), app.rows(&links).await.len()]
}

/// Values of a column of every living account, in order.
async fn accounts(app: &TestApp, column: &str) -> Vec<Json> {
    let query = format!("SELECT {column} FROM accounts WHERE deleted_at IS NULL ORDER BY name, id");
    app.rows(&query).await.into_iter().map(|row| row[column].clone()).collect()
}

/// The app record of the only link with this CRM record.
async fn app_id(app: &TestApp, crm_id: &str) -> Uuid {
    let link = app.row(&format!("SELECT record_id FROM crm_record_links WHERE crm_record_id = '{crm_id}'")).await;
    link["record_id"].as_str().and_then(|id| id.parse().ok()).expect("a linked app record")
}

/// The state of the only link with this CRM record.
async fn link_state(app: &TestApp, crm_id: &str) -> String {
    let link = app.row(&format!("SELECT state FROM crm_record_links WHERE crm_record_id = '{crm_id}'")).await;
    link["state"].as_str().expect("a state").to_owned()
}
