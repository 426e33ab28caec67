//! What people and other programs do in the app and the CRMs: plain SQL as the writer, the CRM's control interface, the use cases.

use chrono::TimeDelta;
use crosstie::model::{Entity, FieldDirection, FieldKind, Provider, ResolutionStrategy, SyncDirection};
use crosstie::service::mappings::{self, MappingPatch};
use crosstie::service::settings::{self, OptionsPatch, SettingsPatch};
use crosstie::service::settle::{self, Resolution};
use crosstie::service::{connections, logs, runs};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::crm::{self, fields};
use super::history::{Decision, Entered, Event, Place};
use super::player::Player;
use super::world::{Key, World, find};
use crate::helpers::object;

/// Does one thing. What is refused was not done: the oracle looks at what has really changed.
pub async fn act(player: &mut Player, event: &Event, world: &World, rows_are_locked: bool) {
    let stage = Stage { world, rows_are_locked };
    match event {
        Event::Create { at, entity, mark } => stage.create(player, *at, *entity, *mark).await,
        Event::CreateLate { entity, mark } => {
            let values = new_values(Place::App, *entity, *mark);
            let open = player.app.begin_insert(entity.plural(), Json::Object(values)).await;
            player.open.push(open);
        }
        Event::Edit { at, entity, mark, field, value } => {
            stage.edit(player, *at, (*entity, *mark), field, value, None).await;
        }
        Event::EditLate { entity, mark, field, value, seconds } => {
            stage.edit(player, Place::Salesforce, (*entity, *mark), field, value, Some(*seconds)).await;
        }
        Event::Delete { at, entity, mark } => match at.crm() {
            None => stage.in_app(player, *entity, *mark, false, "UPDATE {table} SET deleted_at = app.stamp()").await,
            Some(crm) => {
                stage.in_crm(player, crm, (*entity, *mark), false, json!({ "action": "delete" })).await;
            }
        },
        Event::DeleteRow { entity, mark } => stage.in_app(player, *entity, *mark, false, "DELETE FROM {table}").await,
        Event::Restore { at, entity, mark } => match at.crm() {
            None => stage.in_app(player, *entity, *mark, true, "UPDATE {table} SET deleted_at = NULL").await,
            Some(crm) => {
                stage.in_crm(player, crm, (*entity, *mark), true, json!({ "action": "undelete" })).await;
            }
        },
        Event::Merge { crm, entity, mark, into } => {
            let Some((into, row)) = find(&world[&Place::of(*crm)], *entity, *into, false) else { return };
            let wanted = json!({ "action": "merge", "mergeInto": into.1 });
            if stage.in_crm(player, *crm, (*entity, *mark), false, wanted).await {
                player.oracle.survives(into, row);
            }
        }
        Event::Fault { crm, operation, fault, times } => {
            let mut rule = crm::fault(*crm, *fault);
            rule["match"] = json!({ "operation": operation });
            rule["times"] = json!(times);
            player.app.simulator_of(*crm).faults(json!([rule])).await;
        }
        Event::ExpireTokens { crm } => {
            player.app.simulator_of(*crm).control("token/expire", json!({})).await;
        }
        Event::Rules { automation, refuses } => {
            player.app.simulator.control("rules", crm::rules(*automation, *refuses)).await;
        }
        Event::Rights { entity, field, rights } => {
            let Some(field) = fields(*entity).iter().find(|of| of.app == *field) else { return };
            player.rights.insert((*entity, field.name_in(Provider::Salesforce, *entity)), *rights);
            set_rights(player).await;
        }
        // What locks the connection waits for the transaction that is held at its commit.
        _ if rows_are_locked => {}
        other => decide(player, other).await,
    }
}

/// What people do in Crosstie itself.
async fn decide(player: &mut Player, event: &Event) {
    match event {
        Event::Policy { crm, policy } => {
            set(player, *crm, SettingsPatch { policy: Some(*policy), ..SettingsPatch::default() }).await
        }
        Event::Direction { crm, direction } => {
            set(player, *crm, SettingsPatch { direction: Some(*direction), ..SettingsPatch::default() }).await;
        }
        Event::Options { crm, create_missing, delete_in_app, delete_in_crm } => {
            let options = OptionsPatch {
                create_missing: Some(*create_missing),
                delete_in_app: Some(*delete_in_app),
                delete_in_crm: Some(*delete_in_crm),
                ..OptionsPatch::default()
            };
            set(player, *crm, SettingsPatch { options, ..SettingsPatch::default() }).await;
        }
        Event::Filter { crm, entity, digit, leaves_out } => {
            // What people edit most is what decides who takes part.
            let field = fields(*entity)[1];
            let (operator, value) = match (field.kind, digit) {
                (FieldKind::Money, Some(digit)) => ("gte", json!(1000 * u32::from(*digit))),
                (_, Some(digit)) => ("contains", json!(digit.to_string())),
                (_, None) => ("is_not_empty", Json::Null),
            };
            let rule = json!({ "field": field.name_in(*crm, *entity), "operator": operator, "value": value });
            let filter = digit.map(|_| json!({ "all": [rule] }));
            let left_out: Vec<&String> = leaves_out.iter().collect();
            let rules = json!({ entity.plural(): { "filter": filter, "excludeFields": left_out } });
            let patch = SettingsPatch { rules: Some(rules), ..SettingsPatch::default() };
            let (admin, config_id) = (player.app.admin().await, player.config_of(*crm));
            // Where the CRM cannot be asked for its fields, or hides this one, it is refused.
            let _ = settings::update(&player.app.services, admin, config_id, patch).await;
        }
        Event::Mapping { crm, entity, field, direction } => {
            let config_id = player.config_of(*crm);
            let query = format!(
                "SELECT id FROM crm_field_mappings
                 WHERE config_id = '{config_id}' AND entity_type = '{entity}' AND app_field = '{field}'"
            );
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
        Event::Pause { crm } => {
            let admin = player.app.admin().await;
            // Where the sign-in has ended there is nothing to pause.
            let _ = connections::pause(&player.app.services, admin, player.config_of(*crm)).await;
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
    player.app.simulator.control("field-security", crm::field_security(&player.rights)).await;
}

/// Every setting as at the beginning but the policy.
pub async fn calm_down(player: &mut Player) {
    player.app.simulator.control("rules", crm::rules(0, false)).await;
    player.rights.clear();
    set_rights(player).await;
    for crm in player.crms.clone() {
        let options = OptionsPatch { create_missing: Some(true), ..OptionsPatch::default() };
        let direction = Some(SyncDirection::Bidirectional);
        let rules = Some(Json::Null);
        set(player, crm, SettingsPatch { direction, options, rules, ..SettingsPatch::default() }).await;
        let query = format!(
            "SELECT entity_type, app_field FROM crm_field_mappings
             WHERE config_id = '{}' AND sync_direction <> 'bidirectional' ORDER BY entity_type, app_field",
            player.config_of(crm)
        );
        for mapping in player.app.rows(&query).await {
            let entity: Entity = mapping["entity_type"].as_str().and_then(|text| text.parse().ok()).expect("an entity");
            let Some(field) = fields(entity).iter().find(|field| mapping["app_field"] == field.app) else { continue };
            let (field, direction) = (field.app.to_owned(), FieldDirection::Bidirectional);
            decide(player, &Event::Mapping { crm, entity, field, direction }).await;
        }
    }
}

async fn set(player: &Player, crm: Provider, patch: SettingsPatch) {
    let admin = player.app.admin().await;
    let done = settings::update(&player.app.services, admin, player.config_of(crm), patch).await;
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

/// The app and the CRMs as they are before something is done.
struct Stage<'a> {
    world: &'a World,
    rows_are_locked: bool,
}

impl Stage<'_> {
    async fn create(&self, player: &Player, at: Place, entity: Entity, mark: u32) {
        let values = new_values(at, entity, mark);
        match at.crm() {
            None => {
                player.app.insert(entity.plural(), Json::Object(values)).await;
            }
            Some(crm) => {
                edit_crm(player, crm, json!({ "object": object(crm, entity), "fields": values })).await;
            }
        }
    }

    async fn edit(
        &self,
        player: &mut Player,
        at: Place,
        (entity, mark): (Entity, u32),
        name: &str,
        value: &Entered,
        seconds: Option<u32>,
    ) {
        let Some(field) = fields(entity).iter().find(|field| field.app == name) else { return };
        let own = &self.world[&at];
        let Some((key, _)) = find(own, entity, mark, false) else { return };
        let is_name = fields(entity)[0].app == name;
        let value = match value {
            Entered::New(serial) if is_name => Some(crm::name(entity, mark, *serial)),
            Entered::New(_) if field.kind == FieldKind::Reference => return,
            Entered::New(serial) => Some(crm::value(field, *serial)),
            Entered::Empty => None,
            Entered::Back => player.oracle.agreed(at, key, field.app),
            Entered::Account(mark) => find(own, Entity::Account, *mark, false).map(|((_, id), _)| id.clone()),
            Entered::Refused => match field.kind {
                FieldKind::Email => Some("no address".to_owned()),
                FieldKind::Number => Some("-5".to_owned()),
                _ => return,
            },
        };
        match at.crm() {
            None => {
                let value = value.map_or("NULL".to_owned(), |value| format!("'{}'", value.replace('\'', "''")));
                self.write(player, key, &format!("UPDATE {{table}} SET {name} = {value}")).await;
            }
            Some(Provider::Hubspot) if field.kind == FieldKind::Reference => {
                let object = object(Provider::Hubspot, entity);
                player.app.hubspot.set_company(object, &key.1, value.as_deref()).await;
            }
            Some(crm) => {
                let fields = json!({ field.name_in(crm, entity): field.entered(crm, entity, value) });
                let mut edit = json!({ "object": object(crm, entity), "id": key.1, "fields": fields });
                match seconds {
                    None => {
                        edit_crm(player, crm, edit).await;
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
        if let Some((key, row)) = find(&self.world[&Place::App], entity, mark, deleted)
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
    async fn in_crm(
        &self,
        player: &Player,
        crm: Provider,
        (entity, mark): (Entity, u32),
        deleted: bool,
        mut wanted: Json,
    ) -> bool {
        let Some(((_, id), row)) = find(&self.world[&Place::of(crm)], entity, mark, deleted) else { return false };
        if row.deleted != deleted {
            return false;
        }
        wanted["object"] = json!(object(crm, entity));
        wanted["id"] = json!(id);
        edit_crm(player, crm, wanted).await
    }
}

/// What somebody enters in a new record.
fn new_values(at: Place, entity: Entity, mark: u32) -> Map<String, Json> {
    let mut values = Map::new();
    for (place, field) in fields(entity).iter().enumerate() {
        // What records are matched by is the same everywhere; other values are not.
        let is_key = matches!(field.kind, FieldKind::Email | FieldKind::Date | FieldKind::Domain);
        let serial = mark * 100 + place as u32 + if is_key { 0 } else { own_serial(at) };
        let value = match field.kind {
            _ if place == 0 => crm::name(entity, mark, 0),
            FieldKind::Reference => continue,
            _ if field.required || field.kind == FieldKind::Email || (mark as usize + place).is_multiple_of(2) => {
                crm::value(field, serial)
            }
            _ => continue,
        };
        match at.crm() {
            None => values.insert(field.app.to_owned(), json!(value)),
            Some(crm) => values.insert(field.name_in(crm, entity).to_owned(), field.entered(crm, entity, Some(value))),
        };
    }
    values
}

/// What makes a place's values its own.
fn own_serial(at: Place) -> u32 {
    match at {
        Place::App => 0,
        Place::Salesforce => 50,
        Place::Hubspot => 70,
    }
}

/// An edit in a CRM; what the CRM refuses is not done.
async fn edit_crm(player: &Player, crm: Provider, wanted: Json) -> bool {
    player.app.simulator_of(crm).try_control("edit", wanted).await.is_ok()
}
