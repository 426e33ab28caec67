//! What Crosstie tells people: its conflicts and its journal, as anybody may read them.

use std::collections::{BTreeMap, BTreeSet};

use crosstie::model::{Entity, Provider, Side};
use serde_json::Value as Json;

use super::crm::fields;
use super::world::{Key, text};
use crate::helpers::TestApp;

/// What Crosstie tells people: conflicts and the journal.
pub struct Told {
    /// Fields of app records that wait for a decision.
    pub asked: BTreeSet<(Key, String)>,
    /// Records of questions about whole records.
    pub matches: BTreeSet<Key>,
    /// Every value of a field of an app record that a conflict or the journal tells of.
    pub values: BTreeMap<(Key, String), Vec<Option<String>>>,
    /// How often a field was written on a side, by both ids.
    pub writes: BTreeMap<(Side, Key, Key, String), usize>,
    /// Intents that nobody has settled.
    pub open: Vec<String>,
}

impl Told {
    /// Reads all of it.
    pub async fn read(app: &TestApp) -> Self {
        let mut told = Told {
            asked: BTreeSet::new(),
            matches: BTreeSet::new(),
            values: BTreeMap::new(),
            writes: BTreeMap::new(),
            open: Vec::new(),
        };
        for conflict in app.rows("SELECT * FROM crm_sync_conflicts").await {
            told.conflict(&conflict);
        }
        let changes = "SELECT change.*, crm_provider FROM crm_sync_changes AS change
                       JOIN crm_sync_configs AS config ON config.id = change.config_id ORDER BY change.id";
        for change in app.rows(changes).await {
            told.change(&change);
        }
        told
    }

    fn conflict(&mut self, conflict: &Json) {
        let entity: Entity = text(&conflict["entity_type"]).and_then(|text| text.parse().ok()).expect("an entity");
        let key = |name: &str| text(&conflict[name]).map(|id| (entity, id));
        let is_field = conflict["kind"] == "field";
        let is_pending = conflict["status"] == "pending";
        if is_pending && !is_field {
            self.matches.extend([key("entity_id"), key("crm_record_id")].into_iter().flatten());
        }
        let Some(here) = key("entity_id") else { return };
        for field in conflict["conflicting_fields"].as_array().into_iter().flatten().filter_map(text) {
            if is_pending {
                self.asked.insert((here.clone(), field.clone()));
            }
            let told = ["app_data", "crm_data", "crm_raw"].map(|data| text(&conflict[data][&field]));
            self.values.entry((here.clone(), field)).or_default().extend(told);
        }
    }

    fn change(&mut self, change: &Json) {
        let entity: Entity = text(&change["entity_type"]).and_then(|text| text.parse().ok()).expect("an entity");
        let side: Side = text(&change["side"]).and_then(|text| text.parse().ok()).expect("a side");
        let crm: Provider = text(&change["crm_provider"]).and_then(|text| text.parse().ok()).expect("a CRM");
        let state = text(&change["state"]).unwrap_or_default();
        if matches!(state.as_str(), "intended" | "sent" | "unknown") {
            self.open.push(change.to_string());
        }
        let here = (entity, text(&change["record_id"]).unwrap_or_default());
        let there = (entity, text(&change["crm_record_id"]).unwrap_or_default());
        for field in change["fields"].as_array().into_iter().flatten() {
            let name = text(&field["appField"]).unwrap_or_default();
            let known = fields(entity).iter().find(|field| field.app == name);
            let before = match (side, known) {
                (Side::Crm, Some(known)) => text(&field["before"]).map(|value| known.in_app_form(crm, entity, value)),
                _ => text(&field["before"]),
            };
            self.values.entry((here.clone(), name.clone())).or_default().push(before);
            if state == "done" && change["action"] == "update" {
                *self.writes.entry((side, here.clone(), there.clone(), name)).or_default() += 1;
            }
        }
    }
}
