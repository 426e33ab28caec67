//! The screens of conflicts: the list, and one conflict with both sides beside each other.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::conflicts::{ConflictFilter, load, page_of};
use super::diff::spans;
use super::paging::PageAsked;
use super::settle::{self, Resolution};
use super::{ServiceError, Services, Viewer};
use crate::model::{
    AppField, ConflictKind, ConflictStatus, Entity, FieldKind, LinkState, ResolutionStrategy, Side, app_field,
};
use crate::store::app_rows::AppRow;
use crate::store::conflicts::StoredConflict;
use crate::store::links::StoredLink;
use crate::store::setup::StoredMapping;
use crate::store::{self, StoreError, WorkspaceTx, app_rows, links, setup};
use crate::view::Moment;
use crate::view::conflicts::{ConflictPage, ConflictRow, ConflictsAsked, ConflictsPage, FieldView};
use crate::view::instant::{counted, grouped};

/// The list as its address asks for it.
pub async fn list(services: &Services, viewer: &Viewer, asked: &ConflictsAsked) -> Result<ConflictsPage, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let status = asked.status.unwrap_or(ConflictStatus::Pending);
    let filter =
        ConflictFilter { config_id: asked.connection, status: Some(status), entity: asked.entity, record_id: None };
    let part = PageAsked { limit: Some(50), offset: None, cursor: asked.cursor.clone() }.read()?;
    let (conflicts, pagination) = page_of(&mut tx, &filter, part).await?;
    let waiting = store::frame::conflicts_waiting(&mut tx).await?;
    let connections = store::history::connections(&mut tx).await?;
    let mut names = BTreeMap::new();
    for entity in Entity::ALL.iter().copied() {
        let of_entity = conflicts.iter().filter(|conflict| conflict.entity == entity);
        let ids: Vec<Uuid> = of_entity.filter_map(|conflict| conflict.record_id).collect();
        names.extend(store::logs::record_names(&mut tx, entity, &ids).await?);
    }
    let now = tx.now();
    tx.commit().await?;
    let first = conflicts.first().filter(|_| status == ConflictStatus::Pending).map(|conflict| conflict.id);
    let rows = conflicts
        .into_iter()
        .map(|conflict| {
            let provider = connections.iter().find(|(id, _)| *id == conflict.config_id).map(|(_, provider)| *provider);
            let (here, there) = first_values(&conflict);
            ConflictRow {
                id: conflict.id,
                kind: conflict.kind,
                status: conflict.status,
                record: record_name(conflict.record_id.and_then(|id| names.get(&id).cloned()), &conflict),
                entity: conflict.entity,
                fields: asked_in_words(&conflict),
                here,
                there,
                at: Moment::new(conflict.detected_at, now),
                provider: provider.unwrap_or(crate::model::Provider::Salesforce),
            }
        })
        .collect();
    Ok(ConflictsPage { sentence: waiting_in_words(waiting), rows, pagination, first })
}

fn waiting_in_words(waiting: i64) -> String {
    match waiting {
        0 => "No conflict waits. Everything that can agree goes on syncing.".to_owned(),
        1 => "**1 record** waits for a decision. Everything else goes on syncing.".to_owned(),
        waiting => format!("**{} records** wait for a decision. Everything else goes on syncing.", grouped(waiting)),
    }
}

fn first_values(conflict: &StoredConflict) -> (Vec<crate::view::conflicts::Span>, Vec<crate::view::conflicts::Span>) {
    // What a person can tell apart at a look: an id of another record only where nothing else differs.
    let refers = |field: &&String| app_field(conflict.entity, field).is_some_and(|field| field.references.is_some());
    let telling = conflict.fields.iter().find(|field| !refers(field)).or(conflict.fields.first());
    let Some(field) = telling else { return Default::default() };
    let text = |record: &crate::sync::Record| record.get(field).cloned().flatten().unwrap_or_default();
    spans(&text(&conflict.app), &text(&conflict.crm))
}

fn asked_in_words(conflict: &StoredConflict) -> String {
    match conflict.kind {
        ConflictKind::Field => {
            let labels: Vec<String> = conflict.fields.iter().map(|field| label(conflict.entity, field)).collect();
            labels.join(", ")
        }
        ConflictKind::Match => "Is it the same record?".to_owned(),
        ConflictKind::Delete => "Deleted on one side, edited on the other".to_owned(),
        ConflictKind::Merge => "Merged in the CRM".to_owned(),
    }
}

fn label(entity: Entity, field: &str) -> String {
    app_field(entity, field).map_or_else(|| field.to_owned(), |field| field.label.to_owned())
}

/// The name of the app record, or what the values say where that is gone.
fn record_name(name: Option<String>, conflict: &StoredConflict) -> String {
    let said = |field: &str| {
        let sides = [&conflict.app, &conflict.crm, &conflict.base];
        sides.iter().find_map(|record| record.get(field).cloned().flatten())
    };
    name.or_else(|| said("name"))
        .or_else(|| said("last_name"))
        .or_else(|| conflict.crm_record_id.clone())
        .unwrap_or_else(|| "A record that is gone".to_owned())
}

/// The conflict as a person reads it: names of accounts in place of their ids. Field by field the id stays, because what is
/// shown there is what is put together and sent back.
async fn with_names(tx: &mut WorkspaceTx, conflict: &StoredConflict) -> Result<StoredConflict, StoreError> {
    let mut named = conflict.clone();
    if conflict.kind == ConflictKind::Field {
        return Ok(named);
    }
    let refers = |field: &String| app_field(conflict.entity, field).is_some_and(|field| field.references.is_some());
    let mut values: Vec<&mut String> = [&mut named.app, &mut named.crm, &mut named.base]
        .into_iter()
        .flat_map(|record| record.iter_mut())
        .filter_map(|(field, value)| value.as_mut().filter(|_| refers(field)))
        .collect();
    let ids: Vec<Uuid> = values.iter().filter_map(|value| value.parse().ok()).collect();
    let names = store::logs::record_names(tx, Entity::Account, &ids).await?;
    for value in &mut values {
        if let Some(name) = value.parse().ok().and_then(|id: Uuid| names.get(&id)) {
            name.clone_into(value);
        }
    }
    Ok(named)
}

/// One conflict.
pub async fn one(services: &Services, viewer: &Viewer, id: Uuid) -> Result<ConflictPage, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let conflict = load(&mut tx, id).await?;
    let crm = store::history::crm_of(&mut tx, conflict.config_id).await?;
    let (provider, environment, _) = crm.ok_or_else(|| ServiceError::not_found("connection"))?;
    let parts = Parts::load(&mut tx, &conflict).await?;
    let names: Vec<Uuid> = conflict.record_id.into_iter().collect();
    let names = store::logs::record_names(&mut tx, conflict.entity, &names).await?;
    let (newer, older, place, all) = store::conflicts::neighbours(&mut tx, &conflict).await?;
    let waiting = store::conflicts::waiting_in_fields(&mut tx, &conflict, &conflict.fields).await?;
    let settler = match conflict.resolved_by {
        Some(user_id) => store::history::person(&mut tx, user_id).await?,
        None => None,
    };
    let named = with_names(&mut tx, &conflict).await?;
    let now = tx.now();
    tx.commit().await?;
    let is_pending = conflict.status == ConflictStatus::Pending;
    let fields: Vec<FieldView> = parts.shown(&conflict).iter().map(|field| parts.field(&named, field, now)).collect();
    let agreeing = parts.agreeing(&conflict);
    Ok(ConflictPage {
        id,
        version: conflict.version,
        kind: conflict.kind,
        status: conflict.status,
        record: record_name(conflict.record_id.and_then(|id| names.get(&id).cloned()), &conflict),
        entity: conflict.entity,
        record_id: conflict.record_id,
        crm_record_id: conflict.crm_record_id.clone(),
        provider,
        environment,
        sentence: if is_pending {
            question(&conflict, provider.title(), parts.gone(&conflict), agreeing.len())
        } else {
            outcome(&conflict, settler, now)
        },
        place: if is_pending { format!("{} of {}", grouped(place), grouped(all)) } else { String::new() },
        neighbours: (newer, older),
        fields,
        agreeing,
        gone: parts.gone(&conflict),
        rule: (rule_in_words(&conflict), waiting),
    })
}

fn question(conflict: &StoredConflict, crm: &str, gone: Option<Side>, agreeing: usize) -> String {
    let agreeing = u64::try_from(agreeing).unwrap_or(u64::MAX);
    match conflict.kind {
        ConflictKind::Field => {
            let count = u64::try_from(conflict.fields.len()).unwrap_or(u64::MAX);
            let rest = if agreeing == 1 { "1 other agrees" } else { "others agree" };
            let rest = if agreeing > 1 { format!("{agreeing} {rest}") } else { rest.to_owned() };
            let rest = if agreeing == 0 {
                "Nothing is written until you decide".to_owned()
            } else {
                format!("{rest} and go on syncing")
            };
            format!("**{}** changed on both sides. {rest}.", counted(count, "field"))
        }
        ConflictKind::Match => {
            format!(
                "A record in {crm} looks like this one, but so do others. **Are the two the same?** Nothing is linked until you decide."
            )
        }
        ConflictKind::Delete if gone == Some(Side::App) => {
            format!(
                "It was **deleted here** and edited in {crm} since both agreed. Nothing is deleted there until you decide."
            )
        }
        ConflictKind::Delete => {
            format!(
                "It was **deleted in {crm}** and edited here since both agreed. Nothing is deleted here until you decide."
            )
        }
        ConflictKind::Merge => {
            format!(
                "{crm} **merged two records** whose partners are both alive here. The left one lost its partner to the right one."
            )
        }
    }
}

fn outcome(conflict: &StoredConflict, settler: Option<String>, now: DateTime<Utc>) -> String {
    let when = conflict.resolved_at.map(|at| Moment::new(at, now).text).unwrap_or_default();
    let who = settler.map_or_else(String::new, |name| format!(" by {name}"));
    match (conflict.status, conflict.strategy) {
        (ConflictStatus::Ignored, _) if conflict.kind == ConflictKind::Match => {
            format!("**Kept apart**{who} {when}. The two stay records of their own.")
        }
        (ConflictStatus::Ignored, _) => format!("**Ignored**{who} {when}. Both sides keep their values."),
        (_, Some(ResolutionStrategy::Rule)) => format!("**Settled by rule** {when}."),
        (_, Some(ResolutionStrategy::Converged)) => format!("**Went away** {when}: nothing was left to decide."),
        _ => format!("**Resolved**{who} {when}. The next run carries it out."),
    }
}

fn rule_in_words(conflict: &StoredConflict) -> String {
    let labels: Vec<String> = conflict.fields.iter().map(|field| label(conflict.entity, field)).collect();
    format!("{} of {}", labels.join(", "), conflict.entity.plural())
}

/// What stands behind a conflict.
struct Parts {
    link: Option<StoredLink>,
    app: Option<AppRow>,
    mappings: Vec<StoredMapping>,
    most: BTreeMap<String, u32>,
}

impl Parts {
    async fn load(tx: &mut WorkspaceTx, conflict: &StoredConflict) -> Result<Self, ServiceError> {
        let link = match conflict.link_id {
            Some(link_id) => links::get(tx, link_id).await?,
            None => None,
        };
        let ids: Vec<Uuid> = conflict.record_id.into_iter().collect();
        let app = app_rows::read(tx, conflict.entity, &ids).await?.pop();
        let mappings = setup::mappings(tx, conflict.config_id, conflict.entity).await?;
        let stored = setup::description(tx, conflict.config_id, conflict.entity).await?;
        let most = stored
            .and_then(|(value, _)| serde_json::from_value::<crate::connectors::EntityDescription>(value).ok())
            .map(|description| {
                let lengths = description.fields.into_iter().filter_map(|field| Some((field.name, field.max_length?)));
                lengths.collect()
            })
            .unwrap_or_default();
        Ok(Parts { link, app, mappings, most })
    }

    fn gone(&self, conflict: &StoredConflict) -> Option<Side> {
        let is_delete = conflict.kind == ConflictKind::Delete;
        let link = self.link.as_ref().filter(|_| is_delete)?;
        Some(if link.state == LinkState::GoneApp { Side::App } else { Side::Crm })
    }

    /// Fields shown side by side: in conflict, or all that either record has.
    fn shown(&self, conflict: &StoredConflict) -> Vec<String> {
        if conflict.kind == ConflictKind::Field {
            return conflict.fields.clone();
        }
        let is_there = |field: &&String| {
            let there = |record: &crate::sync::Record| record.get(*field).is_some_and(Option::is_some);
            there(&conflict.app) || there(&conflict.crm)
        };
        let mut fields: Vec<String> =
            conflict.app.keys().chain(conflict.crm.keys()).filter(is_there).cloned().collect();
        fields.sort();
        fields.dedup();
        fields
    }

    fn field(&self, conflict: &StoredConflict, name: &str, now: DateTime<Utc>) -> FieldView {
        let text = |record: &crate::sync::Record| record.get(name).cloned().flatten();
        let (app_text, crm_text) = (text(&conflict.app), text(&conflict.crm));
        let (app, crm) = spans(app_text.as_deref().unwrap_or_default(), crm_text.as_deref().unwrap_or_default());
        let known: Option<AppField> = app_field(conflict.entity, name);
        let crm_field = self.mappings.iter().find(|mapping| mapping.app_field == name);
        let crm_field = crm_field.map(|mapping| mapping.crm_field.clone()).unwrap_or_default();
        let ago = |ms: i64| DateTime::from_timestamp_millis(ms).map(|at| Moment::new(at, now).text);
        let app_since = self.app.as_ref().and_then(|row| row.changed_at.get(name).copied()).and_then(ago);
        let crm_since = self.link.as_ref().and_then(|link| link.crm_edited_at).and_then(ago);
        FieldView {
            label: label(conflict.entity, name),
            name: name.to_owned(),
            is_long: known.is_some_and(|field| field.kind == FieldKind::LongText),
            app,
            app_text: app_text.unwrap_or_default(),
            app_since: app_since.map(|ago| format!("changed here {ago}")).unwrap_or_default(),
            base: text(&conflict.base),
            crm,
            crm_text: crm_text.unwrap_or_default(),
            crm_since: crm_since.map(|ago| format!("record last edited there {ago}")).unwrap_or_default(),
            crm_most: self.most.get(&crm_field).copied().filter(|most| *most > 0),
            crm_field,
            decided: conflict.merged.as_ref().and_then(|merged| merged.get(name).cloned().flatten()),
        }
    }

    fn agreeing(&self, conflict: &StoredConflict) -> Vec<(String, String)> {
        let Some(app) = self.app.as_ref().filter(|_| conflict.kind == ConflictKind::Field) else { return Vec::new() };
        let others = self.mappings.iter().filter(|mapping| !conflict.fields.contains(&mapping.app_field));
        others
            .map(|mapping| {
                let value = app.fields.get(&mapping.app_field).cloned().flatten().unwrap_or_default();
                (label(conflict.entity, &mapping.app_field), value)
            })
            .collect()
    }
}

/// What the form of the split view says: per field `app`, `crm` or `value`, and the values put together.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The version that the person saw.
    pub version: i32,
    /// Per field the side, or `value`.
    pub choices: BTreeMap<String, String>,
    /// Per field the value put together.
    pub values: BTreeMap<String, String>,
}

/// Resolves field by field; returns the conflict to go on with.
pub async fn decide(
    services: &Services,
    viewer: &Viewer,
    id: Uuid,
    decision: &Decision,
) -> Result<Option<Uuid>, ServiceError> {
    let next = next_of(services, viewer, id).await?;
    let conflict = super::conflicts::get(services, viewer, id).await?.conflict;
    let mut merged = serde_json::Map::new();
    let mut missing = Vec::new();
    for field in &conflict.conflicting_fields {
        let side = match decision.choices.get(field).map(String::as_str) {
            Some("app") => conflict.app_data.get(field).cloned().flatten(),
            Some("crm") => conflict.crm_data.get(field).cloned().flatten(),
            Some("value") => decision.values.get(field).map(|value| value.replace("\r\n", "\n")),
            _ => {
                missing.push(field.clone());
                continue;
            }
        };
        merged.insert(field.clone(), side.map_or(serde_json::Value::Null, serde_json::Value::String));
    }
    if let Some(field) = missing.first() {
        let message = "Choose a value for every field, then resolve. Nothing was written.";
        return Err(ServiceError::invalid(format!("choices.{field}"), message));
    }
    let sides = |side: &str| decision.choices.values().all(|choice| choice == side);
    let (strategy, merged) = match (sides("app"), sides("crm")) {
        (true, _) => (ResolutionStrategy::UseApp, serde_json::Map::new()),
        (_, true) => (ResolutionStrategy::UseCrm, serde_json::Map::new()),
        _ => (ResolutionStrategy::Manual, merged),
    };
    let resolution = Resolution { strategy, merged, version: Some(decision.version), always: false, confirmed: None };
    settle::resolve(services, viewer, id, &resolution).await?;
    Ok(next)
}

/// The waiting conflict that follows one in the list, else the one before it.
pub async fn next_of(services: &Services, viewer: &Viewer, id: Uuid) -> Result<Option<Uuid>, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let conflict = load(&mut tx, id).await?;
    let (newer, older, ..) = store::conflicts::neighbours(&mut tx, &conflict).await?;
    tx.commit().await?;
    Ok(older.or(newer))
}

/// Where a person goes on after a decision.
pub fn address_after(next: Option<Uuid>) -> String {
    next.map_or_else(|| "/conflicts".to_owned(), |id| format!("/conflicts/{id}"))
}
