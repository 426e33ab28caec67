//! The app and the CRMs as they are: what anybody may see of them, without a look at any base.

use std::collections::BTreeMap;

use crosstie::model::{Entity, Provider};
use serde_json::Value as Json;

use super::crm::{fields, mark};
use super::history::Place;
use crate::helpers::{TestApp, object};

/// A record of one place by what it is and its id there.
pub type Key = (Entity, String);

/// One place.
pub type Snapshot = BTreeMap<Key, Row>;

/// Every place.
pub type World = BTreeMap<Place, Snapshot>;

/// A record of one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The mark that its name carries.
    pub mark: u32,
    pub deleted: bool,
    /// Mapped fields by their app names and in the app's form; a reference is the id at this place.
    pub fields: BTreeMap<&'static str, Option<String>>,
}

/// A link as any screen may show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tie {
    /// The CRM.
    pub place: Place,
    pub entity: Entity,
    pub app: Option<String>,
    pub crm: Option<String>,
    pub state: String,
    /// Fields of its failure, where it has one.
    pub failed: Option<Vec<String>>,
}

/// The app and these CRMs.
pub async fn world(app: &TestApp, crms: &[Provider]) -> World {
    let mut world = World::from([(Place::App, in_app(app).await)]);
    for crm in crms {
        world.insert(Place::of(*crm), in_crm(app, *crm).await);
    }
    world
}

/// The first workspace's records in the app, deleted ones included.
pub async fn in_app(app: &TestApp) -> Snapshot {
    let mut all = Snapshot::new();
    for entity in Entity::ALL.iter().copied() {
        let query = format!("SELECT * FROM {} WHERE workspace_id = '{}'", entity.plural(), app.workspace_id);
        for row in app.rows(&query).await {
            let fields = fields(entity).iter().map(|field| (field.app, text(&row[field.app]))).collect();
            let id = text(&row["id"]).unwrap_or_default();
            all.insert((entity, id), of(entity, !row["deleted_at"].is_null(), fields));
        }
    }
    all
}

/// A CRM's records, those in the recycle bin included.
async fn in_crm(app: &TestApp, crm: Provider) -> Snapshot {
    let mut all = Snapshot::new();
    for entity in Entity::ALL.iter().copied() {
        for record in app.simulator_of(crm).all_records(object(crm, entity)).await {
            let fields = fields(entity).iter().map(|field| (field.app, field.read(crm, entity, &record))).collect();
            all.insert((entity, record.id), of(entity, record.deleted, fields));
        }
    }
    all
}

fn of(entity: Entity, deleted: bool, values: BTreeMap<&'static str, Option<String>>) -> Row {
    let name = values.get(fields(entity)[0].app).cloned().flatten().unwrap_or_default();
    Row { mark: mark(&name).unwrap_or_default(), deleted, fields: values }
}

/// Every link of every connection.
pub async fn ties(app: &TestApp) -> Vec<Tie> {
    let query = "SELECT crm_provider, entity_type, record_id, crm_record_id, state, failure
                 FROM crm_record_links JOIN crm_sync_configs AS config ON config.id = config_id
                 WHERE config.workspace_id = '{}' ORDER BY crm_provider, entity_type, record_id, crm_record_id, state";
    let rows = app.rows(&query.replace("{}", &app.workspace_id.to_string())).await;
    let tie = |row: &Json| Tie {
        place: text(&row["crm_provider"]).and_then(|crm| crm.parse().ok()).map(Place::of).expect("a CRM"),
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

impl Tie {
    /// Its record of a place, if it has one there.
    pub fn at(&self, place: Place) -> Option<&String> {
        match place {
            Place::App => self.app.as_ref(),
            place => self.crm.as_ref().filter(|_| place == self.place),
        }
    }
}

/// The record of a mark at one place: a living one before a deleted one, or the other way round.
pub fn find(place: &Snapshot, entity: Entity, mark: u32, deleted: bool) -> Option<(&Key, &Row)> {
    let of_mark = || place.iter().filter(|((of, _), row)| *of == entity && row.mark == mark);
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
