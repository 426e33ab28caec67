//! Deletes on either side: noted while reading, carried out at the run's end, held where they are many.

pub(super) mod guard;

use std::collections::{HashMap, HashSet};

use chrono::DateTime;
use uuid::Uuid;

use super::batch::Batch;
use super::context::EntityContext;
use super::files;
use super::position::{Phase, Position};
use super::read::is_open;
use super::run::{Step, StepError};
use super::sweeps;
use super::translate::Pair;
use crate::connectors::{CrmRecord, WriteOutcome};
use crate::model::{ChangeAction, ConflictKind, Entity, LinkState, LogDirection, Side};
use crate::store::app_rows::{self, AppRow};
use crate::store::changes::{self, NewChange, Settlement};
use crate::store::links::{self, LinkWrite, StoredLink};
use crate::store::questions::Question;
use crate::store::runs::{self, Counters};
use crate::store::{StoreError, WorkspaceTx, holds};
use crate::sync::{DeleteDecision, Record, decide_delete, same};

/// Deletes that are carried out in one step.
const APP_BATCH: i64 = 500;

/// Follows the merges of a page before anything else of it, so that no survivor is met as a stranger. Returns the survivors
/// that took over a link: the push that follows merges them.
pub(crate) async fn crm_records_merged(
    tx: &mut WorkspaceTx,
    step: &Step,
    context: &EntityContext,
    batch: &mut Batch<'_>,
    records: &[CrmRecord],
    pairs: &[Pair],
) -> Result<HashSet<String>, StoreError> {
    let mut moved = HashSet::new();
    for (record, pair) in records.iter().zip(pairs) {
        let (Some(survivor), Some(link)) = (&record.merged_into, &pair.link) else { continue };
        if link.state != LinkState::Linked || context.keeps_crm_edits {
            batch.counters(LogDirection::Pull).skipped += 1;
            continue;
        }
        let read = records.iter().find(|record| record.id == *survivor);
        // Of two losers of one survivor the second finds the link that the first has moved.
        let is_taken = moved.contains(survivor);
        if crm_record_merged(tx, step, context, batch, link, survivor, read, is_taken).await? {
            moved.insert(survivor.clone());
        }
    }
    Ok(moved)
}

/// Linked CRM records that the CRM lists as deleted, and that the reading has not shown otherwise.
pub(crate) async fn crm_records_listed(
    tx: &mut WorkspaceTx,
    step: &Step,
    context: &EntityContext,
    batch: &mut Batch<'_>,
    gone: &[(String, i64)],
) -> Result<(), StepError> {
    let ids: Vec<String> = gone.iter().map(|(id, _)| id.clone()).collect();
    let deleted_at: HashMap<&str, i64> = gone.iter().map(|(id, at)| (id.as_str(), *at)).collect();
    for link in links::by_crm_ids(tx, step.run.config_id, context.entity, &ids).await? {
        let at = link.crm_record_id.as_deref().and_then(|id| deleted_at.get(id).copied());
        // Read alive at a later stamp: it is back.
        let is_back = link.crm_modified_at.zip(at).is_some_and(|(read_at, deleted_at)| read_at > deleted_at);
        if link.state == LinkState::Linked && link.pending_delete.is_none() && !is_back {
            crm_record_gone(tx, step, context, batch, link, at).await?;
        }
    }
    Ok(())
}

/// A linked CRM record was deleted at `deleted_at` (epoch milliseconds, where known).
pub(crate) async fn crm_record_gone(
    tx: &mut WorkspaceTx,
    step: &Step,
    context: &EntityContext,
    batch: &mut Batch<'_>,
    link: StoredLink,
    deleted_at: Option<i64>,
) -> Result<(), StepError> {
    let ids: Vec<Uuid> = link.record_id.into_iter().collect();
    let app = app_rows::lock(tx, context.entity, &ids).await?.pop();
    let edited_at = app.as_ref().and_then(|row| app_edited_at(context, &link, row));
    let decision = decide_delete(
        Side::Crm,
        step.connection.options.delete_in_app,
        edited_at.is_some(),
        edited_at,
        deleted_at,
        context.merge.policy,
        step.connection.direction,
    );
    let mut write = LinkWrite { due: false, ..link.to_write() };
    match decision {
        DeleteDecision::DeleteApp if app.is_some() => write.pending_delete = Some(Side::App),
        DeleteDecision::Conflict => {
            write.state = LinkState::GoneCrm;
            batch.ask(delete_question(context, &link, app.as_ref(), Side::Crm));
        }
        _ => write.state = LinkState::GoneCrm,
    }
    batch.write_link(write);
    batch.counters(LogDirection::Pull).skipped += 1;
    Ok(())
}

/// A deleted CRM record is back: its link opens again, and an app record that the engine deleted is restored.
pub(crate) async fn crm_record_back(
    tx: &mut WorkspaceTx,
    step: &Step,
    context: &EntityContext,
    batch: &mut Batch<'_>,
    link: &StoredLink,
    record: &CrmRecord,
) -> Result<(), StepError> {
    let Some(record_id) = link.record_id else { return Ok(()) };
    if link.deleted_by_engine && context.pulls {
        tx.begin_engine_write(step.run.config_id).await?;
        app_rows::set_deleted(tx, context.entity, &[record_id], false).await?;
        tx.end_engine_write().await?;
        batch.journal(LogDirection::Pull, app_change(link, ChangeAction::Restore));
        batch.counters(LogDirection::Pull).synced += 1;
    } else {
        batch.counters(LogDirection::Pull).skipped += 1;
    }
    batch.write_link(LinkWrite {
        state: LinkState::Linked,
        due: true,
        deleted_by_engine: false,
        seen: super::matching::seen(context, &record.fields),
        ..link.to_write()
    });
    Ok(())
}

/// The link moves to the surviving record; if that has one, the loser's is closed and its app record proposed for merge.
/// Tells whether it moved.
async fn crm_record_merged(
    tx: &mut WorkspaceTx,
    step: &Step,
    context: &EntityContext,
    batch: &mut Batch<'_>,
    link: &StoredLink,
    survivor: &str,
    read: Option<&CrmRecord>,
    is_taken: bool,
) -> Result<bool, StoreError> {
    let survivors = [survivor.to_owned()];
    let others = links::by_crm_ids(tx, step.run.config_id, context.entity, &survivors).await?;
    let other = others.into_iter().find(is_open);
    let moves = other.is_none() && !is_taken;
    match other {
        _ if moves => {
            batch.write_link(LinkWrite {
                crm_record_id: Some(survivor.to_owned()),
                due: true,
                seen: read.map(|record| super::matching::seen(context, &record.fields)).unwrap_or_default(),
                crm_modified_at: read.and_then(|record| DateTime::from_timestamp_millis(record.modified_at)),
                crm_edited_at: read.and_then(|record| DateTime::from_timestamp_millis(record.edited_at)),
                ..link.to_write()
            });
        }
        other => {
            let other = other.and_then(|other| other.record_id);
            let ids: Vec<Uuid> = [link.record_id, other].into_iter().flatten().collect();
            let rows = app_rows::read(tx, context.entity, &ids).await?;
            let fields = |id: Option<Uuid>| {
                rows.iter().find(|row| Some(row.id) == id).map(|row| row.fields.clone()).unwrap_or_default()
            };
            batch.ask(Question {
                kind: ConflictKind::Merge,
                link_id: Some(link.id),
                record_id: link.record_id,
                crm_record_id: Some(survivor.to_owned()),
                app: fields(link.record_id),
                crm: fields(other),
                base: Record::new(),
                crm_raw: Record::new(),
                fields: Vec::new(),
                settled: false,
            });
            batch.write_link(LinkWrite { state: LinkState::Merged, due: false, ..link.to_write() });
        }
    }
    batch.counters(LogDirection::Pull).skipped += 1;
    Ok(moves)
}

/// A linked app record was deleted. Returns whether the link was closed or waits for the delete.
pub(crate) fn app_record_deleted(
    step: &Step,
    context: &EntityContext,
    batch: &mut Batch<'_>,
    link: &StoredLink,
    app: Option<&AppRow>,
    deleted_at: Option<i64>,
) {
    let crm_edited = !link.seen.is_empty();
    let decision = decide_delete(
        Side::App,
        step.connection.options.delete_in_crm,
        crm_edited,
        link.crm_edited_at.filter(|_| crm_edited),
        deleted_at,
        context.merge.policy,
        step.connection.direction,
    );
    let mut write = LinkWrite { due: false, ..link.to_write() };
    match decision {
        DeleteDecision::DeleteCrm => write.pending_delete = Some(Side::Crm),
        DeleteDecision::Conflict => {
            write.state = LinkState::GoneApp;
            batch.ask(delete_question(context, link, app, Side::App));
        }
        _ => write.state = LinkState::GoneApp,
    }
    batch.counters(LogDirection::Push).skipped += 1;
    batch.write_link(write);
}

/// Carries out the deletes that nobody holds, one batch after the other; in a run that an admin has decided about, the ones it
/// held. A run that still holds some then waits for an admin.
pub(crate) async fn run(step: &Step) -> Result<Position, StepError> {
    let decision = step.run.held_decision.as_deref();
    let finish = files::after_deletes(step);
    if decision == Some("rejected") {
        if sweeps::reject(step).await? {
            return Ok(step.position.to_phase(Phase::Delete));
        }
        let mut tx = step.begin().await?;
        step.advance(&mut tx, &finish).await?;
        holds::reject_deletes(&mut tx, step.run.id).await?;
        tx.commit().await.map_err(StepError::from)?;
        return Ok(finish);
    }
    if decision == Some("approved") {
        let mut tx = step.begin().await?;
        runs::hold_step(&mut tx, step.run.id).await?;
        if let Some(position) = sweeps::approve(step, &mut tx).await? {
            step.advance(&mut tx, &position).await?;
            tx.commit().await?;
            return Ok(position);
        }
        tx.commit().await?;
    }
    let held_by = decision.map(|_| step.run.id);
    let allowed = step.connection.direction.common(step.run.direction);
    for entity in step.connection.entities.iter().copied() {
        if (allowed.pulls() && delete_in_app(step, entity, held_by).await?)
            || (allowed.pushes() && delete_in_crm(step, entity, held_by).await?)
        {
            return Ok(step.position.to_phase(Phase::Delete));
        }
    }
    let mut tx = step.begin().await?;
    if decision.is_none() && holds::count_held(&mut tx, step.run.id).await? > 0 {
        return Err(StepError::Held);
    }
    step.advance(&mut tx, &finish).await?;
    tx.commit().await?;
    Ok(finish)
}

async fn delete_in_app(step: &Step, entity: Entity, held_by: Option<Uuid>) -> Result<bool, StepError> {
    let mut tx = step.begin().await?;
    runs::hold_step(&mut tx, step.run.id).await?;
    let links = links::pending_deletes(&mut tx, step.run.config_id, entity, Side::App, held_by, APP_BATCH).await?;
    if links.is_empty() {
        tx.commit().await?;
        return Ok(false);
    }
    step.advance(&mut tx, &step.position.to_phase(Phase::Delete)).await?;
    let log_id = runs::ensure_log(&mut tx, &step.run, LogDirection::Pull, entity).await?;
    let ids: Vec<Uuid> = links.iter().filter_map(|link| link.record_id).collect();
    tx.begin_engine_write(step.run.config_id).await?;
    app_rows::set_deleted(&mut tx, entity, &ids, true).await?;
    tx.end_engine_write().await?;
    let journal: Vec<NewChange> = links.iter().map(|link| app_change(link, ChangeAction::Delete)).collect();
    changes::add(&mut tx, step.run.config_id, step.run.id, log_id, entity, &journal).await?;
    let count = links.len() as i64;
    runs::count(&mut tx, log_id, &Counters { synced: count, deleted: count, ..Counters::default() }).await?;
    let writes: Vec<LinkWrite> = links
        .iter()
        .map(|link| LinkWrite { state: LinkState::GoneCrm, deleted_by_engine: true, due: false, ..link.to_write() })
        .collect();
    links::write(&mut tx, step.run.config_id, entity, &writes).await?;
    tx.commit().await?;
    Ok(true)
}

async fn delete_in_crm(step: &Step, entity: Entity, held_by: Option<Uuid>) -> Result<bool, StepError> {
    let connector = step.connector()?;
    let most = i64::try_from(connector.batch_size()).unwrap_or(i64::MAX);
    let mut tx = step.begin().await?;
    let links = links::pending_deletes(&mut tx, step.run.config_id, entity, Side::Crm, held_by, most).await?;
    if links.is_empty() {
        tx.commit().await?;
        return Ok(false);
    }
    let fenced = step.advance(&mut tx, &step.position.to_phase(Phase::Delete)).await?;
    let log_id = runs::ensure_log(&mut tx, &step.run, LogDirection::Push, entity).await?;
    let journal: Vec<NewChange> = links
        .iter()
        .map(|link| NewChange { side: Side::Crm, state: "sent", ..app_change(link, ChangeAction::Delete) })
        .collect();
    let intents = changes::add(&mut tx, step.run.config_id, step.run.id, log_id, entity, &journal).await?;
    tx.commit().await?;
    let ids: Vec<String> = links.iter().filter_map(|link| link.crm_record_id.clone()).collect();
    let ids = ids.as_slice();
    let outcomes = step.call(|crm| async move { crm.connector.delete(&crm.session, entity, ids).await }).await?;

    let mut tx = step.begin().await?;
    step.advance_from(&mut tx, fenced, &step.position.to_phase(Phase::Delete)).await?;
    let mut counters = Counters::default();
    let mut writes = Vec::new();
    let mut settlements = Vec::new();
    for ((link, intent), outcome) in links.iter().zip(intents).zip(outcomes) {
        let (state, refusal) = match outcome {
            WriteOutcome::Done { .. } | WriteOutcome::Gone => ("done", None),
            WriteOutcome::Refused(refusal) => ("refused", Some(refusal)),
            WriteOutcome::Busy | WriteOutcome::Moved { .. } | WriteOutcome::Duplicate { .. } => ("refused", None),
        };
        let done = state == "done";
        counters.synced += i64::from(done);
        counters.deleted += i64::from(done);
        counters.failed += i64::from(!done);
        let failure = refusal.as_ref().map(super::push_outcome::failure_of);
        let next = if done { LinkState::GoneApp } else { link.state };
        writes.push(LinkWrite { state: next, failure, due: false, ..link.to_write() });
        settlements.push(Settlement { id: intent, state, crm_record_id: link.crm_record_id.clone(), refusal });
    }
    changes::settle(&mut tx, &settlements).await?;
    runs::count(&mut tx, log_id, &counters).await?;
    links::write(&mut tx, step.run.config_id, entity, &writes).await?;
    tx.commit().await?;
    Ok(true)
}

/// When the app record was last edited since the sides agreed, if it was.
fn app_edited_at(context: &EntityContext, link: &StoredLink, app: &AppRow) -> Option<i64> {
    context
        .fields
        .iter()
        .filter_map(|field| {
            let name = &field.mapped.app_field;
            let base = link.base.get(name)?;
            let now = app.fields.get(name).cloned().flatten();
            (!same(field.mapped.app_kind, &base.app, &now))
                .then(|| app.changed_at.get(name).copied().unwrap_or(app.created_at))
        })
        .max()
}

fn delete_question(context: &EntityContext, link: &StoredLink, app: Option<&AppRow>, gone: Side) -> Question {
    let mapped = |fields: &Record| -> Record {
        let names = context.fields.iter().map(|field| field.mapped.app_field.clone());
        names.map(|name| (name.clone(), fields.get(&name).cloned().flatten())).collect()
    };
    let base: HashMap<&String, &crate::sync::FieldBase> = link.base.iter().collect();
    let crm: Record = link
        .base
        .iter()
        .map(|(field, base)| (field.clone(), link.seen.get(field).cloned().unwrap_or_else(|| base.crm.clone())))
        .collect();
    Question {
        kind: ConflictKind::Delete,
        link_id: Some(link.id),
        record_id: link.record_id,
        crm_record_id: link.crm_record_id.clone(),
        app: if gone == Side::App { Record::new() } else { app.map(|row| mapped(&row.fields)).unwrap_or_default() },
        crm: if gone == Side::Crm { Record::new() } else { crm.clone() },
        base: base.into_iter().map(|(field, base)| (field.clone(), base.app.clone())).collect(),
        crm_raw: if gone == Side::Crm { Record::new() } else { crm },
        fields: Vec::new(),
        settled: false,
    }
}

fn app_change(link: &StoredLink, action: ChangeAction) -> NewChange {
    NewChange {
        link_id: Some(link.id),
        record_id: link.record_id,
        crm_record_id: link.crm_record_id.clone(),
        side: Side::App,
        action,
        state: "done",
        fields: Vec::new(),
        refusal: None,
    }
}
