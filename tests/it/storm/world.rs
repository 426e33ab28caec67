//! Both sides as they are: what anybody may see of them, without a look at any base.

use std::collections::BTreeMap;

use crosstie::model::Entity;
use serde_json::Value as Json;

use super::crm::{Crm, mark};
use crate::helpers::TestApp;

/// A record of one side by what it is and its id there.
pub type Key = (Entity, String);

/// One side.
pub type Snapshot = BTreeMap<Key, Row>;

/// A record of one side.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The mark that its name carries.
    pub mark: u32,
    pub deleted: bool,
    /// Mapped fields by their app names; a reference is the id on this side.
    pub fields: BTreeMap<&'static str, Option<String>>,
}

/// A link as any screen may show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tie {
    pub entity: Entity,
    pub app: Option<String>,
    pub crm: Option<String>,
    pub state: String,
    /// Fields of its failure, where it has one.
    pub failed: Option<Vec<String>>,
}

/// The first workspace's records in the app, deleted ones included.
pub async fn in_app(app: &TestApp, crm: &Crm) -> Snapshot {
    let mut all = Snapshot::new();
    for entity in Entity::ALL.iter().copied() {
        let query = format!("SELECT * FROM {} WHERE workspace_id = '{}'", entity.plural(), app.workspace_id);
        for row in app.rows(&query).await {
            let fields = (crm.fields)(entity).iter().map(|field| (field.app, text(&row[field.app]))).collect();
            let id = text(&row["id"]).unwrap_or_default();
            all.insert((entity, id), of(crm, entity, !row["deleted_at"].is_null(), fields));
        }
    }
    all
}

/// The CRM's records, those in the recycle bin included.
pub async fn in_crm(app: &TestApp, crm: &Crm) -> Snapshot {
    let mut all = Snapshot::new();
    for entity in Entity::ALL.iter().copied() {
        for record in app.simulator.all_records((crm.object)(entity)).await {
            let fields = (crm.fields)(entity).iter();
            let fields =
                fields.map(|field| (field.app, record.text(field.crm).filter(|text| !text.is_empty()))).collect();
            all.insert((entity, record.id), of(crm, entity, record.deleted, fields));
        }
    }
    all
}

fn of(crm: &Crm, entity: Entity, deleted: bool, fields: BTreeMap<&'static str, Option<String>>) -> Row {
    let name = fields.get((crm.fields)(entity)[0].app).cloned().flatten().unwrap_or_default();
    Row { mark: mark(&name).unwrap_or_default(), deleted, fields }
}

/// Every link of the connection.
pub async fn ties(app: &TestApp) -> Vec<Tie> {
    let query = "SELECT entity_type, record_id, crm_record_id, state, failure FROM crm_record_links
                 WHERE workspace_id = '{}' ORDER BY entity_type, record_id, crm_record_id, state";
    let rows = app.rows(&query.replace("{}", &app.workspace_id.to_string())).await;
    let tie = |row: &Json| Tie {
        entity: text(&row["entity_type"]).and_then(|entity| entity.parse().ok()).expect("an entity"),
        app: text(&row["record_id"]),
        crm: text(&row["crm_record_id"]),
        state: text(&row["state"]).unwrap_or_default(),
        failed: row["failure"].as_object().map(|failure| {
            let fields = failure.get("fields").and_then(Json::as_array).cloned().unwrap_or_default();
            fields.iter().filter_map(text).collect()
        }),
    };
    rows.iter().map(tie).collect()
}

/// The record of a mark on one side: a living one before a deleted one, or the other way round.
pub fn find(side: &Snapshot, entity: Entity, mark: u32, deleted: bool) -> Option<(&Key, &Row)> {
    let of_mark = || side.iter().filter(|((of, _), row)| *of == entity && row.mark == mark);
    of_mark().find(|(_, row)| row.deleted == deleted).or_else(|| of_mark().next())
}

/// A JSON value as text; `None` where it is empty.
pub fn text(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    }
}
