//! What people and other programs do on both sides: plain SQL as the writer, the CRM's control interface, the use cases.

use chrono::TimeDelta;
use crosstie::model::{Entity, FieldDirection, FieldKind, ResolutionStrategy, Side, SyncDirection};
use crosstie::service::mappings::{self, MappingPatch};
use crosstie::service::settings::{self, OptionsPatch, SettingsPatch};
use crosstie::service::settle::{self, Resolution};
use crosstie::service::{connections, logs, runs};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::crm::{self, Crm, Field};
use super::history::{Decision, Entered, Event};
use super::player::Player;
use super::world::{Key, Snapshot, find};

/// Does one thing. What is refused was not done: the oracle looks at what has really changed.
pub async fn act(player: &mut Player, event: &Event, here: &Snapshot, there: &Snapshot, rows_are_locked: bool) {
    let stage = Stage { here, there, rows_are_locked };
    match event {
        Event::Create { side, entity, mark } => stage.create(player, *side, *entity, *mark).await,
        Event::CreateLate { entity, mark } => {
            let values = new_values(player.crm, Side::App, *entity, *mark);
            let open = player.app.begin_insert(entity.plural(), Json::Object(values)).await;
            player.open.push(open);
        }
        Event::Edit { side, entity, mark, field, value } => {
            stage.edit(player, *side, (*entity, *mark), field, value, None).await;
        }
        Event::EditLate { entity, mark, field, value, seconds } => {
            stage.edit(player, Side::Crm, (*entity, *mark), field, value, Some(*seconds)).await;
        }
        Event::Delete { side: Side::App, entity, mark } => {
            stage.in_app(player, *entity, *mark, false, "UPDATE {table} SET deleted_at = app.stamp()").await;
        }
        Event::DeleteRow { entity, mark } => stage.in_app(player, *entity, *mark, false, "DELETE FROM {table}").await,
        Event::Restore { side: Side::App, entity, mark } => {
            stage.in_app(player, *entity, *mark, true, "UPDATE {table} SET deleted_at = NULL").await;
        }
        Event::Delete { side: Side::Crm, entity, mark } => {
            stage.in_crm(player, *entity, *mark, false, json!({ "action": "delete" })).await;
        }
        Event::Restore { side: Side::Crm, entity, mark } => {
            stage.in_crm(player, *entity, *mark, true, json!({ "action": "undelete" })).await;
        }
        Event::Merge { entity, mark, into } => {
            let Some((into, row)) = find(there, *entity, *into, false) else { return };
            let wanted = json!({ "action": "merge", "mergeInto": into.1 });
            if stage.in_crm(player, *entity, *mark, false, wanted).await {
                player.oracle.survives(into, row);
            }
        }
        Event::Fault { operation, fault, times } => {
            let mut rule = (player.crm.fault)(*fault);
            rule["match"] = json!({ "operation": operation });
            rule["times"] = json!(times);
            player.app.simulator.faults(json!([rule])).await;
        }
        Event::ExpireTokens => {
            player.app.simulator.control("token/expire", json!({})).await;
        }
        Event::Rules { automation, refuses } => {
            if let Some(rules) = (player.crm.rules)(*automation, *refuses) {
                player.app.simulator.control("rules", rules).await;
            }
        }
        Event::Rights { entity, field, rights } => {
            let Some(field) = (player.crm.fields)(*entity).iter().find(|of| of.app == *field) else { return };
            player.rights.insert((*entity, field.crm), *rights);
            set_rights(player).await;
        }
        // What locks the connection waits for the transaction that is held at its commit.
        _ if rows_are_locked => {}
        other => decide(player, other).await,
    }
}

/// What people do in Crosstie itself.
async fn decide(player: &mut Player, event: &Event) {
    let config_id = player.app.config_id().await;
    match event {
        Event::Policy { policy } => {
            set(player, SettingsPatch { policy: Some(*policy), ..SettingsPatch::default() }).await
        }
        Event::Direction { direction } => {
            set(player, SettingsPatch { direction: Some(*direction), ..SettingsPatch::default() }).await;
        }
        Event::Options { create_missing, delete_in_app, delete_in_crm } => {
            let options = OptionsPatch {
                create_missing: Some(*create_missing),
                delete_in_app: Some(*delete_in_app),
                delete_in_crm: Some(*delete_in_crm),
                ..OptionsPatch::default()
            };
            set(player, SettingsPatch { options, ..SettingsPatch::default() }).await;
        }
        Event::Mapping { entity, field, direction } => {
            let query =
                format!("SELECT id FROM crm_field_mappings WHERE entity_type = '{entity}' AND app_field = '{field}'");
            let Some(row) = player.app.rows(&query).await.pop() else { return };
            let id: Uuid = row["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
            let patch = MappingPatch { direction: Some(*direction), ..MappingPatch::default() };
            let admin = player.app.admin().await;
            // A direction that a field cannot have is refused.
            let _ = mappings::update(&player.app.services, admin, config_id, id, patch).await;
        }
        Event::Cancel => {
            let open = player.app.rows("SELECT id FROM crm_sync_runs WHERE state IN ('queued', 'running')").await.pop();
            let Some(id) = open.and_then(|run| run["id"].as_str()?.parse().ok()) else { return };
            let admin = player.app.admin().await;
            runs::cancel(&player.app.services, admin, id).await.expect("an open run can be cancelled");
        }
        Event::Pause => {
            let admin = player.app.admin().await;
            // Where the sign-in has ended there is nothing to pause.
            let _ = connections::pause(&player.app.services, admin, config_id).await;
        }
        Event::Resolve { number, decision } => resolve(player, *number, *decision).await,
        Event::Retry => {
            let newest = "SELECT id FROM crm_sync_logs WHERE records_failed > 0 ORDER BY started_at DESC, id LIMIT 1";
            let Some(row) = player.app.rows(newest).await.pop() else { return };
            let id: Uuid = row["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
            let admin = player.app.admin().await;
            // Where nothing is failed any more there is nothing to retry.
            let _ = logs::retry(&player.app.services, admin, id).await;
        }
        _ => {}
    }
}

async fn set_rights(player: &Player) {
    if let Some(rights) = (player.crm.rights)(&player.rights) {
        player.app.simulator.control("field-security", rights).await;
    }
}

/// Every setting as at the beginning but the policy.
pub async fn calm_down(player: &mut Player) {
    if let Some(none) = (player.crm.rules)(0, false) {
        player.app.simulator.control("rules", none).await;
    }
    player.rights.clear();
    set_rights(player).await;
    let options = OptionsPatch { create_missing: Some(true), ..OptionsPatch::default() };
    let direction = Some(SyncDirection::Bidirectional);
    set(player, SettingsPatch { direction, options, ..SettingsPatch::default() }).await;
    for entity in Entity::ALL.iter().copied() {
        for field in (player.crm.fields)(entity) {
            let (field, direction) = (field.app.to_owned(), FieldDirection::Bidirectional);
            let query = format!(
                "SELECT id FROM crm_field_mappings WHERE entity_type = '{entity}' AND app_field = '{field}'
                 AND sync_direction <> 'bidirectional'"
            );
            if !player.app.rows(&query).await.is_empty() {
                decide(player, &Event::Mapping { entity, field, direction }).await;
            }
        }
    }
}

async fn set(player: &Player, patch: SettingsPatch) {
    let (admin, config_id) = (player.app.admin().await, player.app.config_id().await);
    let done = settings::update(&player.app.services, admin, config_id, patch).await;
    done.unwrap_or_else(|error| panic!("the settings are refused: {error:?}"));
}

async fn resolve(player: &mut Player, number: usize, decision: Decision) {
    let waiting = player
        .app
        .rows(
            "SELECT id, kind, entity_type, entity_id, crm_record_id, conflicting_fields FROM crm_sync_conflicts
             WHERE status = 'pending' ORDER BY detected_at, entity_type, entity_id, crm_record_id",
        )
        .await;
    let Some(conflict) = waiting.get(number % waiting.len().max(1)) else { return };
    let id: Uuid = conflict["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    let admin = player.app.admin().await;
    let services = &player.app.services;
    let strategy = match decision {
        Decision::UseApp => ResolutionStrategy::UseApp,
        Decision::UseCrm => ResolutionStrategy::UseCrm,
        Decision::Ignore => {
            if settle::ignore(services, admin, id, None).await.is_ok() {
                player.oracle.decided(conflict, true);
            }
            return;
        }
    };
    let resolution = Resolution { strategy, merged: Map::new(), version: None, always: false, confirmed: None };
    if settle::resolve(services, admin, id, &resolution).await.is_ok() {
        player.oracle.decided(conflict, false);
    }
}

/// Both sides as they are before something is done.
struct Stage<'a> {
    here: &'a Snapshot,
    there: &'a Snapshot,
    rows_are_locked: bool,
}

impl Stage<'_> {
    async fn create(&self, player: &Player, side: Side, entity: Entity, mark: u32) {
        let values = new_values(player.crm, side, entity, mark);
        match side {
            Side::App => {
                player.app.insert(entity.plural(), Json::Object(values)).await;
            }
            Side::Crm => {
                edit_crm(player, json!({ "object": (player.crm.object)(entity), "fields": values })).await;
            }
        }
    }

    async fn edit(
        &self,
        player: &mut Player,
        side: Side,
        (entity, mark): (Entity, u32),
        name: &str,
        value: &Entered,
        seconds: Option<u32>,
    ) {
        let Some(field) = (player.crm.fields)(entity).iter().find(|field| field.app == name) else { return };
        let own = match side {
            Side::App => self.here,
            Side::Crm => self.there,
        };
        let Some((key, _)) = find(own, entity, mark, false) else { return };
        let is_name = player.crm.name_of(entity) == name;
        let value = match value {
            Entered::New(serial) if is_name => Some(crm::name(entity, mark, *serial)),
            Entered::New(serial) => Some(crm::value(field.kind, *serial)),
            Entered::Empty => None,
            Entered::Back => player.oracle.agreed(side, key, field.app),
            Entered::Account(mark) => find(own, Entity::Account, *mark, false).map(|((_, id), _)| id.clone()),
            Entered::Refused => match field.kind {
                FieldKind::Email => Some("no address".to_owned()),
                FieldKind::Number => Some("-5".to_owned()),
                _ => return,
            },
        };
        match side {
            Side::App => {
                let value = value.map_or("NULL".to_owned(), |value| format!("'{}'", value.replace('\'', "''")));
                self.write(player, key, &format!("UPDATE {{table}} SET {name} = {value}")).await;
            }
            Side::Crm => {
                let fields = json!({ field.crm: as_crm_json(field, value) });
                let mut edit = json!({ "object": (player.crm.object)(entity), "id": key.1, "fields": fields });
                match seconds {
                    None => {
                        edit_crm(player, edit).await;
                    }
                    Some(seconds) => {
                        edit["commitAfterMs"] = json!(1000 * seconds);
                        if player.app.simulator.try_control("transactions", edit).await.is_ok() {
                            player.commits_at(TimeDelta::seconds(i64::from(seconds)));
                        }
                    }
                }
            }
        }
    }

    async fn in_app(&self, player: &Player, entity: Entity, mark: u32, deleted: bool, statement: &str) {
        if let Some((key, row)) = find(self.here, entity, mark, deleted)
            && row.deleted == deleted
        {
            self.write(player, key, statement).await;
        }
    }

    /// A row that a transaction at its commit holds is not to be had: whoever wants it gives up.
    async fn write(&self, player: &Player, (entity, id): &Key, statement: &str) {
        let patience = if self.rows_are_locked { "SET LOCAL lock_timeout = '20ms'; " } else { "" };
        let statement = statement.replace("{table}", entity.plural());
        let _ = player.app.try_sql(&format!("{patience}{statement} WHERE id = '{id}'")).await;
    }

    /// Whether it is done.
    async fn in_crm(&self, player: &Player, entity: Entity, mark: u32, deleted: bool, mut wanted: Json) -> bool {
        let Some(((_, id), row)) = find(self.there, entity, mark, deleted) else { return false };
        if row.deleted != deleted {
            return false;
        }
        wanted["object"] = json!((player.crm.object)(entity));
        wanted["id"] = json!(id);
        edit_crm(player, wanted).await
    }
}

/// What somebody enters in a new record.
fn new_values(crm: &Crm, side: Side, entity: Entity, mark: u32) -> Map<String, Json> {
    let mut values = Map::new();
    for (place, field) in (crm.fields)(entity).iter().enumerate() {
        // What records are matched by is the same on both sides; other values are not.
        let is_key = matches!(field.kind, FieldKind::Email | FieldKind::Date | FieldKind::Domain);
        let serial = mark * 100 + place as u32 + if side == Side::Crm && !is_key { 50 } else { 0 };
        let value = match field.kind {
            _ if place == 0 => crm::name(entity, mark, 0),
            FieldKind::Reference => continue,
            _ if field.required || field.kind == FieldKind::Email || (mark as usize + place).is_multiple_of(2) => {
                crm::value(field.kind, serial)
            }
            _ => continue,
        };
        let (name, value) = match side {
            Side::App => (field.app, json!(value)),
            Side::Crm => (field.crm, as_crm_json(field, Some(value))),
        };
        values.insert(name.to_owned(), value);
    }
    values
}

/// An edit in the CRM; what the CRM refuses is not done.
async fn edit_crm(player: &Player, wanted: Json) -> bool {
    player.app.simulator.try_control("edit", wanted).await.is_ok()
}

fn as_crm_json(field: &Field, value: Option<String>) -> Json {
    match (field.kind, value) {
        (_, None) => Json::Null,
        (FieldKind::Number | FieldKind::Money, Some(value)) => value.parse().map_or(Json::Null, Json::Number),
        (_, Some(value)) => json!(value),
    }
}

impl Crm {
    /// The app field that carries the mark.
    pub fn name_of(&self, entity: Entity) -> &'static str {
        (self.fields)(entity)[0].app
    }
}
