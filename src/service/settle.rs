//! Settling conflicts: a decision is checked against both sides as they are now, stored, and carried out by a run.
//!
//! What the strategies mean, by kind:
//!
//! | kind | `use_app` | `use_crm` | `manual` | ignored |
//! | --- | --- | --- | --- | --- |
//! | field | the app's values go to the CRM | the CRM's values come here | the merged values go to both | the difference is accepted |
//! | match | the two are linked; the app's values win where they differ | linked; the CRM's win | linked; merged values | kept apart, this pair only |
//! | delete | the app's state counts: deleted in the CRM too, or made anew there | the CRM's counts: deleted here too, or brought back | – | both stay as they are |
//! | merge | both records stay here | the merged-away record is deleted here, what refers to it moves | – | both records stay here |

use std::collections::BTreeMap;

use uuid::Uuid;

use super::conflicts::{load, view};
use super::settle_values::{check_values, choices, final_values};
use super::{ServiceError, Services, Viewer, runs};
use crate::engine::review::{SecondLook, Subject, look_again};
use crate::engine::{AccessError, jobs};
use crate::model::{
    Capability, ConflictKind, ConflictStatus, ConnectionStatus, Entity, FieldRule, LinkState, ResolutionStrategy, Side,
};
use crate::store::conflicts::{Settled, StoredConflict};
use crate::store::links::{FieldChoice, LinkWrite, StoredLink};
use crate::store::runs::{RunRequest, wait_for_step};
use crate::store::setup::ConnectionSetup;
use crate::store::{self, WorkspaceTx, app_rows, events, links, setup};
use crate::sync::{FieldBase, Record};
use crate::view::conflicts::ConflictAnswer;

/// What a person decides about a conflict.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// Decides each field that `merged` does not name.
    pub strategy: ResolutionStrategy,
    /// Values in app form by app field, as sent.
    pub merged: serde_json::Map<String, serde_json::Value>,
    /// The version that the person saw; without one, the stored one.
    pub version: Option<i32>,
    /// Sets the rule of each field as well.
    pub always: bool,
    /// The number of other waiting conflicts that the person was told the rule decides too.
    pub confirmed: Option<i64>,
}

/// Settles a conflict as a person decides.
pub async fn resolve(
    services: &Services,
    viewer: &Viewer,
    id: Uuid,
    resolution: &Resolution,
) -> Result<ConflictAnswer, ServiceError> {
    viewer.require(Capability::SettleConflicts)?;
    let opened = open(services, viewer, id, resolution.version).await?;
    if opened.connection.status != ConnectionStatus::Connected {
        return Err(runs::not_ready(opened.connection.status));
    }
    let kind = opened.conflict.kind;
    let by_field = matches!(kind, ConflictKind::Field | ConflictKind::Match);
    if !by_field && (resolution.strategy == ResolutionStrategy::Manual || !resolution.merged.is_empty()) {
        let message = "This conflict is about the record as a whole. Choose use_app or use_crm.";
        return Err(ServiceError::invalid("strategy", message));
    }
    if resolution.always && (kind != ConflictKind::Field || resolution.strategy == ResolutionStrategy::Manual) {
        let message =
            "A rule needs one side for fields that both sides changed. Choose use_app or use_crm, or leave always out.";
        return Err(ServiceError::invalid("always", message));
    }
    match kind {
        ConflictKind::Field | ConflictKind::Match => resolve_values(services, viewer, opened, resolution).await,
        ConflictKind::Delete => resolve_delete(services, viewer, opened, resolution.strategy).await,
        ConflictKind::Merge => resolve_merge(services, viewer, opened, resolution.strategy).await,
    }
}

/// Accepts the difference: it becomes what the sides agree on. Neither side is written.
pub async fn ignore(
    services: &Services,
    viewer: &Viewer,
    id: Uuid,
    version: Option<i32>,
) -> Result<ConflictAnswer, ServiceError> {
    viewer.require(Capability::SettleConflicts)?;
    let Opened { conflict, connection, .. } = open(services, viewer, id, version).await?;
    let mut tx = services.begin(viewer).await?;
    wait_for_step(&mut tx, conflict.config_id).await?;
    match (conflict.kind, conflict.link_id) {
        (ConflictKind::Field, Some(link_id)) => accept_difference(&mut tx, &conflict, link_id).await?,
        (ConflictKind::Match, _) => {
            let apart = LinkWrite { due: false, ..pair_link(services.rng.uuid(), LinkState::Apart, &conflict) };
            links::write(&mut tx, conflict.config_id, conflict.entity, &[apart]).await?;
        }
        _ => {}
    }
    let settled = Settled { status: ConflictStatus::Ignored, strategy: None, merged: None, by: Some(viewer.user_id) };
    let run = conflict.kind == ConflictKind::Match && connection.status == ConnectionStatus::Connected;
    finish(services, viewer, tx, &conflict, &settled, run.then_some(&connection)).await
}

/// A conflict that waits, as the person saw it.
struct Opened {
    conflict: StoredConflict,
    link: Option<StoredLink>,
    connection: ConnectionSetup,
}

async fn open(services: &Services, viewer: &Viewer, id: Uuid, version: Option<i32>) -> Result<Opened, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let conflict = load(&mut tx, id).await?;
    let link = match conflict.link_id {
        Some(link_id) => links::get(&mut tx, link_id).await?,
        None => None,
    };
    let connection =
        setup::connection(&mut tx, conflict.config_id).await?.ok_or_else(|| ServiceError::not_found("connection"))?;
    tx.commit().await?;
    if conflict.status != ConflictStatus::Pending || version.is_some_and(|version| version != conflict.version) {
        return Err(moved(viewer, conflict));
    }
    Ok(Opened { conflict, link, connection })
}

async fn resolve_values(
    services: &Services,
    viewer: &Viewer,
    opened: Opened,
    resolution: &Resolution,
) -> Result<ConflictAnswer, ServiceError> {
    let Opened { conflict, link, connection } = opened;
    let merged = check_values(&conflict, resolution.strategy, &resolution.merged)?;
    let choices = choices(&conflict, resolution.strategy, &merged);
    let subject = subject(viewer, &conflict, link.clone());
    let mut look =
        look_again(&services.crm, &services.transforms, &subject, &choices).await.map_err(unreachable_crm)?;

    let mut tx = services.begin(viewer).await?;
    wait_for_step(&mut tx, conflict.config_id).await?;
    look.lock(&mut tx).await?;
    lock_as_seen(&mut tx, viewer, &conflict).await?;
    let still_two = look.app_alive() && look.crm_alive();
    if !still_two || !look.holds(&conflict.app, &conflict.crm_raw) {
        return Err(renew(tx, viewer, &conflict, &mut look, still_two).await?);
    }
    let findings = look.findings(&mut tx, conflict.config_id, &conflict.fields).await?;
    if let Some((field, message)) = findings.failures.into_iter().find(|(field, _)| choices.contains_key(field)) {
        let member = if merged.contains_key(&field) { format!("mergedData.{field}") } else { "strategy".to_owned() };
        return Err(ServiceError::invalid(member, message));
    }
    match link {
        Some(link) => decide_link(&mut tx, viewer, &conflict, &link, choices).await?,
        None => link_pair(services, &mut tx, viewer, &conflict, choices, look.seen()).await?,
    }
    let waiting = if resolution.always { set_rules(&mut tx, viewer, &conflict, resolution).await? } else { false };
    if waiting {
        store::conflicts::make_waiting_due(&mut tx, &conflict, &conflict.fields).await?;
    }
    let values = final_values(&conflict, resolution.strategy, &merged);
    let settled = Settled {
        status: ConflictStatus::Resolved,
        strategy: Some(resolution.strategy),
        merged: Some(&values),
        by: Some(viewer.user_id),
    };
    finish(services, viewer, tx, &conflict, &settled, Some(&connection)).await
}

/// Stores the decision on the link; the run that follows carries it out.
async fn decide_link(
    tx: &mut WorkspaceTx,
    viewer: &Viewer,
    conflict: &StoredConflict,
    link: &StoredLink,
    choices: BTreeMap<String, FieldChoice>,
) -> Result<(), ServiceError> {
    let Some(now) = links::get(tx, link.id).await?.filter(|link| link.state == LinkState::Linked) else {
        return Err(moved(viewer, conflict.clone()));
    };
    let write = LinkWrite { decision: Some(choices), due: true, ..now.to_write() };
    Ok(links::write(tx, conflict.config_id, conflict.entity, &[write]).await?)
}

/// Links two records that a person says are the same.
async fn link_pair(
    services: &Services,
    tx: &mut WorkspaceTx,
    viewer: &Viewer,
    conflict: &StoredConflict,
    choices: BTreeMap<String, FieldChoice>,
    seen: Record,
) -> Result<(), ServiceError> {
    let crm_ids: Vec<String> = conflict.crm_record_id.iter().cloned().collect();
    let taken = links::record_ids_of(tx, conflict.config_id, conflict.entity, &crm_ids).await?;
    let record_ids: Vec<Uuid> = conflict.record_id.into_iter().collect();
    let taken_here = links::crm_ids_of(tx, conflict.config_id, conflict.entity, &record_ids).await?;
    if !taken.is_empty() || !taken_here.is_empty() {
        return Err(moved(viewer, conflict.clone()));
    }
    let decision = Some(choices).filter(|choices| !choices.is_empty());
    let link = LinkWrite { seen, decision, ..pair_link(services.rng.uuid(), LinkState::Linked, conflict) };
    links::write(tx, conflict.config_id, conflict.entity, &[link]).await?;
    store::conflicts::close_other_matches(tx, conflict).await?;
    Ok(())
}

/// Sets the rule of each field in conflict; tells whether other waiting conflicts are to be decided by it now.
async fn set_rules(
    tx: &mut WorkspaceTx,
    viewer: &Viewer,
    conflict: &StoredConflict,
    resolution: &Resolution,
) -> Result<bool, ServiceError> {
    let rule = if resolution.strategy == ResolutionStrategy::UseApp { FieldRule::UseApp } else { FieldRule::UseCrm };
    let waiting = store::conflicts::waiting_in_fields(tx, conflict, &conflict.fields).await?;
    if resolution.confirmed.is_some_and(|confirmed| confirmed != waiting) {
        let detail = format!(
            "{waiting} other conflicts wait in these fields by now. Look at the number again, then confirm it."
        );
        return Err(ServiceError::state("waiting_changed", detail));
    }
    for field in &conflict.fields {
        store::conflicts::set_rule(tx, conflict.config_id, conflict.entity, field, rule, viewer.user_id).await?;
    }
    Ok(resolution.confirmed.is_some_and(|confirmed| confirmed > 0))
}

async fn resolve_delete(
    services: &Services,
    viewer: &Viewer,
    opened: Opened,
    strategy: ResolutionStrategy,
) -> Result<ConflictAnswer, ServiceError> {
    let Opened { conflict, link, connection } = opened;
    let Some(link) = link else { return Err(moved(viewer, conflict)) };
    let subject = subject(viewer, &conflict, Some(link.clone()));
    let mut look =
        look_again(&services.crm, &services.transforms, &subject, &BTreeMap::new()).await.map_err(unreachable_crm)?;
    let mut tx = services.begin(viewer).await?;
    wait_for_step(&mut tx, conflict.config_id).await?;
    look.lock(&mut tx).await?;
    lock_as_seen(&mut tx, viewer, &conflict).await?;
    let as_opened = |now: &StoredLink| now.state == link.state;
    let Some(link) = links::get(&mut tx, link.id).await?.filter(as_opened) else {
        return Err(moved(viewer, conflict));
    };
    let gone = if link.state == LinkState::GoneApp { Side::App } else { Side::Crm };
    let (as_asked, holds) = match gone {
        Side::App => (look.crm_alive() && !look.app_alive(), look.holds(&Record::new(), &conflict.crm_raw)),
        Side::Crm => (look.app_alive() && !look.crm_alive(), look.holds(&conflict.app, &Record::new())),
    };
    if !as_asked || !holds {
        return Err(renew(tx, viewer, &conflict, &mut look, as_asked).await?);
    }
    let write = match (gone, strategy) {
        (Side::App, ResolutionStrategy::UseApp) => LinkWrite { pending_delete: Some(Side::Crm), ..link.to_write() },
        (Side::Crm, ResolutionStrategy::UseCrm) => LinkWrite { pending_delete: Some(Side::App), ..link.to_write() },
        (Side::Crm, _) => anew(LinkWrite { crm_record_id: None, ..link.to_write() }),
        (Side::App, _) => match link.record_id.filter(|_| look.app_in_bin()) {
            Some(record_id) => {
                app_rows::set_deleted(&mut tx, conflict.entity, &[record_id], false).await?;
                link.to_write()
            }
            None => anew(LinkWrite { record_id: None, ..link.to_write() }),
        },
    };
    links::write(&mut tx, conflict.config_id, conflict.entity, &[write]).await?;
    let settled = decided(viewer, strategy);
    finish(services, viewer, tx, &conflict, &settled, Some(&connection)).await
}

async fn resolve_merge(
    services: &Services,
    viewer: &Viewer,
    opened: Opened,
    strategy: ResolutionStrategy,
) -> Result<ConflictAnswer, ServiceError> {
    let Opened { conflict, connection, .. } = opened;
    let mut tx = services.begin(viewer).await?;
    wait_for_step(&mut tx, conflict.config_id).await?;
    let (entity, config_id) = (conflict.entity, conflict.config_id);
    let crm_ids: Vec<String> = conflict.crm_record_id.iter().cloned().collect();
    let survivor = links::record_ids_of(&mut tx, config_id, entity, &crm_ids).await?.into_values().next();
    let loser = conflict.record_id;
    let ids: Vec<Uuid> = [loser, survivor].into_iter().flatten().collect();
    let rows = app_rows::lock(&mut tx, entity, &ids).await?;
    let now = lock_as_seen(&mut tx, viewer, &conflict).await?;
    let fields = |id: Option<Uuid>| {
        let row = rows.iter().find(|row| Some(row.id) == id && row.deleted_at.is_none());
        row.map(|row| row.fields.clone())
    };
    let (Some(app), Some(crm)) = (fields(loser), fields(survivor)) else {
        return Err(converge(tx, viewer, now).await?);
    };
    if app != conflict.app || crm != conflict.crm {
        store::conflicts::renew(&mut tx, conflict.id, &app, &crm, &Record::new(), &[]).await?;
        let renewed = load(&mut tx, conflict.id).await?;
        events::announce(&mut tx, "conflict", conflict.id, config_id).await?;
        tx.commit().await?;
        return Err(moved(viewer, renewed));
    }
    if let (ResolutionStrategy::UseCrm, Some(loser), Some(survivor)) = (strategy, loser, survivor) {
        if entity == Entity::Account {
            store::records::move_references(&mut tx, loser, survivor).await?;
        }
        app_rows::set_deleted(&mut tx, entity, &[loser], true).await?;
    }
    let settled = decided(viewer, strategy);
    finish(services, viewer, tx, &conflict, &settled, Some(&connection)).await
}

const fn decided(viewer: &Viewer, strategy: ResolutionStrategy) -> Settled<'static> {
    Settled { status: ConflictStatus::Resolved, strategy: Some(strategy), merged: None, by: Some(viewer.user_id) }
}

/// A link whose missing side is made anew by the next run.
fn anew(link: LinkWrite) -> LinkWrite {
    LinkWrite {
        state: LinkState::Creating,
        base: BTreeMap::new(),
        seen: BTreeMap::new(),
        crm_modified_at: None,
        failure: None,
        decision: None,
        due: true,
        ..link
    }
}

async fn accept_difference(tx: &mut WorkspaceTx, conflict: &StoredConflict, link_id: Uuid) -> Result<(), ServiceError> {
    let Some(link) = links::get(tx, link_id).await? else { return Ok(()) };
    let mut write = link.to_write();
    for field in &conflict.fields {
        let value = |record: &Record| record.get(field).cloned().flatten();
        let base = FieldBase { crm: value(&conflict.crm_raw), app: value(&conflict.app) };
        if write.seen.get(field).is_none_or(|seen| *seen == base.crm) {
            write.seen.remove(field);
        }
        write.base.insert(field.clone(), base);
    }
    Ok(links::write(tx, conflict.config_id, conflict.entity, &[write]).await?)
}

fn pair_link(id: Uuid, state: LinkState, conflict: &StoredConflict) -> LinkWrite {
    LinkWrite {
        id,
        record_id: conflict.record_id,
        crm_record_id: conflict.crm_record_id.clone(),
        state,
        base: BTreeMap::new(),
        seen: BTreeMap::new(),
        crm_modified_at: None,
        crm_edited_at: None,
        failure: None,
        due: true,
        decision: None,
        pending_delete: None,
        deleted_by_engine: false,
        held_fields: Vec::new(),
        guarded: Default::default(),
        late: BTreeMap::new(),
    }
}

fn subject(viewer: &Viewer, conflict: &StoredConflict, link: Option<StoredLink>) -> Subject {
    Subject {
        workspace_id: viewer.workspace_id,
        config_id: conflict.config_id,
        entity: conflict.entity,
        link,
        record_id: conflict.record_id,
        crm_record_id: conflict.crm_record_id.clone(),
    }
}

/// Locks the conflict and makes sure that it is still the one that was opened.
async fn lock_as_seen(
    tx: &mut WorkspaceTx,
    viewer: &Viewer,
    conflict: &StoredConflict,
) -> Result<StoredConflict, ServiceError> {
    let now = store::conflicts::lock(tx, conflict.id).await?.ok_or_else(|| ServiceError::not_found("conflict"))?;
    if now.status != ConflictStatus::Pending || now.version != conflict.version {
        return Err(moved(viewer, now));
    }
    Ok(now)
}

/// Stores what both sides hold now in place of what the person saw, or closes the conflict where nothing is left to decide.
async fn renew(
    mut tx: WorkspaceTx,
    viewer: &Viewer,
    conflict: &StoredConflict,
    look: &mut SecondLook,
    still_asked: bool,
) -> Result<ServiceError, ServiceError> {
    look.forget_choices();
    let asked: Vec<String> = conflict.app.keys().chain(conflict.crm.keys()).cloned().collect();
    let findings = look.findings(&mut tx, conflict.config_id, &asked).await?;
    let fields: Vec<String> = match conflict.kind {
        ConflictKind::Field => findings.fields.clone(),
        _ => asked.iter().filter(|field| findings.app.get(*field) != findings.crm.get(*field)).cloned().collect(),
    };
    if !still_asked || (conflict.kind == ConflictKind::Field && fields.is_empty()) {
        return converge(tx, viewer, conflict.clone()).await;
    }
    let keep = |record: Record, there: &Record| -> Record {
        let wanted = |field: &String| conflict.kind == ConflictKind::Field && fields.contains(field);
        record.into_iter().filter(|(field, _)| there.contains_key(field) || wanted(field)).collect()
    };
    let (app, crm) = (keep(findings.app, &conflict.app), keep(findings.crm, &conflict.crm));
    let raw = keep(findings.crm_raw, &conflict.crm_raw);
    let fields = if conflict.kind == ConflictKind::Delete { Vec::new() } else { fields };
    store::conflicts::renew(&mut tx, conflict.id, &app, &crm, &raw, &fields).await?;
    let renewed = load(&mut tx, conflict.id).await?;
    events::announce(&mut tx, "conflict", conflict.id, conflict.config_id).await?;
    tx.commit().await?;
    Ok(moved(viewer, renewed))
}

/// Closes a conflict that went away.
async fn converge(
    mut tx: WorkspaceTx,
    viewer: &Viewer,
    conflict: StoredConflict,
) -> Result<ServiceError, ServiceError> {
    let strategy = Some(ResolutionStrategy::Converged);
    let settled = Settled { status: ConflictStatus::Resolved, strategy, merged: None, by: None };
    store::conflicts::settle(&mut tx, conflict.id, conflict.version, &settled).await?;
    let closed = load(&mut tx, conflict.id).await?;
    events::announce(&mut tx, "conflict", conflict.id, conflict.config_id).await?;
    tx.commit().await?;
    Ok(moved(viewer, closed))
}

/// Settles the conflict, asks for the run that carries it out, and commits.
async fn finish(
    services: &Services,
    viewer: &Viewer,
    mut tx: WorkspaceTx,
    conflict: &StoredConflict,
    settled: &Settled<'_>,
    run_of: Option<&ConnectionSetup>,
) -> Result<ConflictAnswer, ServiceError> {
    if !store::conflicts::settle(&mut tx, conflict.id, conflict.version, settled).await? {
        drop(tx);
        let mut tx = services.begin(viewer).await?;
        return Err(moved(viewer, load(&mut tx, conflict.id).await?));
    }
    if let Some(connection) = run_of {
        let entities = [conflict.entity];
        let request = RunRequest::of_decision(connection.direction, &entities, viewer.user_id);
        jobs::request_run(&mut tx, connection.id, &request).await?;
    }
    events::announce(&mut tx, "conflict", conflict.id, conflict.config_id).await?;
    let conflict = view(viewer.workspace_id, load(&mut tx, conflict.id).await?);
    tx.commit().await?;
    Ok(ConflictAnswer { conflict })
}

/// Somebody was faster, or a side moved: nothing was written, and this is what there is now.
fn moved(viewer: &Viewer, now: StoredConflict) -> ServiceError {
    let detail = match now.status {
        ConflictStatus::Pending => {
            "This record changed while you were looking. Nothing was written; here are the new values, decide again."
        }
        _ => "This conflict is settled already. Nothing was written; go on with the next one.",
    };
    let current = serde_json::to_value(view(viewer.workspace_id, now)).unwrap_or_default();
    ServiceError::state("conflict_moved", detail).with_current(current)
}

fn unreachable_crm(error: AccessError) -> ServiceError {
    match error {
        AccessError::Store(error) => error.into(),
        AccessError::NotConnected | AccessError::SignInNeeded => runs::not_ready(ConnectionStatus::Error),
        AccessError::NotConfigured { .. } | AccessError::Sealed => {
            let detail =
                "The connection cannot be used with this server's settings. Nothing was written; tell an admin.";
            ServiceError::state("connection_not_ready", detail).caused_by(error)
        }
        AccessError::Refreshing | AccessError::Crm(_) => {
            let detail =
                "The CRM could not be asked for its values just now. Nothing was written; try again in a minute.";
            ServiceError::unavailable("crm_unavailable", detail).caused_by(error)
        }
    }
}
