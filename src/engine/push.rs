//! Edits in the app, a batch at a time: merged under lock, intents committed, then written into the CRM.

pub(super) mod lost_update;
mod partners;
mod restored;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use partners::{Partners, look_up};
pub(crate) use partners::{external_id, match_question};

use super::batch::{Batch, Merged};
use super::context::EntityContext;
use super::deletes;
use super::edit_times;
use super::matching::seen;
use super::position::{Phase, Position};
use super::push_outcome::{self, PushItem};
use super::read::{is_alive, is_open};
use super::run::{Step, StepError};
use super::translate::{Pair, References, Transformed, Translated, translate};
use crate::connectors::{CrmRecord, RecordWrite, WriteKind};
use crate::model::{ChangeAction, Entity, LinkState, LogDirection, Side, Stage};
use crate::store::app_rows::{self, AppRow};
use crate::store::changes::{self, FieldChange, NewChange};
use crate::store::links::{self, LinkWrite, StoredLink};
use crate::store::pending::{self, PendingRecord};
use crate::store::runs;
use crate::store::{StoreError, WorkspaceTx, statistics};
use crate::sync::{Assignment, FieldState, MappedField, Record, Rule, Value, merge};

/// Calls of a step: each writes a batch, and what the step stores before and after them it stores once for all.
const CALLS: usize = 5;

/// Works off some batches of edits that wait and links that are due.
pub(crate) async fn run(step: &Step, after: Option<Uuid>) -> Result<Position, StepError> {
    let entity = step.entity()?;
    let config_id = step.run.config_id;
    let most = i64::try_from(step.connector()?.batch_size() * CALLS).unwrap_or(i64::MAX);
    let total = match after.and(step.position.total) {
        Some(total) => total,
        None => begin_entity(step, entity).await?,
    };
    let (mut tx, context) = step.begin_with_context(entity).await?;
    let waiting = pending::next(&mut tx, config_id, entity, after, most).await?;
    let Some(last) = waiting.last().map(|record| record.record_id) else {
        let position = step.position.next_entity();
        step.advance(&mut tx, &position).await?;
        tx.commit().await?;
        return Ok(position);
    };
    runs::hold_step(&mut tx, step.run.id).await?;
    let mut pairs = pair_up(&mut tx, config_id, entity, &waiting).await?;
    let (mut transformed, mut found) = (Transformed::default(), Vec::new());
    if asks_outside(step, &context, &pairs)? {
        // Nothing is asked inside a transaction: the rows are let go, and locked and read again with the answers at hand.
        tx.commit().await?;
        restored::meet_again(step, &context, &mut pairs).await?;
        if edit_times::are_told(step, &context)? {
            let times = edit_times::ask(step, &context, &pairs).await?;
            edit_times::note(&mut pairs, &times);
        }
        transformed = Transformed::run(&step.engine.transforms, &context, &pairs, Transformed::default()).await;
        found = look_up(step, &context, &pairs, &transformed).await?;
        tx = step.begin().await?;
        runs::hold_step(&mut tx, step.run.id).await?;
        relock(&mut tx, config_id, entity, &waiting, &mut pairs).await?;
    }

    let processed = step.position.processed + waiting.len() as u64;
    let mut plan = Plan::new(step, &context);
    // The position stays before the batch until its outcome is stored: a death in between meets the same records again.
    let fenced = step.advance(&mut tx, &step.position).await?;
    plan.decide(&mut tx, waiting, pairs, &transformed, found).await?;
    let let_go = context.allowance.let_go();
    let again = Position { processed, let_go: let_go.clone(), ..step.position.clone() };
    let position = if plan.meets_again {
        again.clone()
    } else {
        let phase = Phase::Push { after: Some(last) };
        Position { processed, total: Some(processed.max(total)), let_go, ..step.position.to_phase(phase) }
    };
    let count = usize::try_from(processed - step.position.processed).unwrap_or_default();
    if plan.items.is_empty() {
        step.advance_from(&mut tx, fenced, &position).await?;
        let batch = plan.batch;
        step.commit(tx, batch, Stage::WriteCrm, count).await?;
        return Ok(position);
    }
    let Plan { batch, mut items, .. } = plan;
    let log_id = runs::ensure_log(&mut tx, &step.run, LogDirection::Push, entity).await?;
    let intents: Vec<NewChange> = items.iter().map(PushItem::intent).collect();
    let ids = changes::add(&mut tx, config_id, step.run.id, log_id, entity, &intents).await?;
    items.iter_mut().zip(ids).for_each(|(item, id)| item.intent_id = id);
    batch.commit(&mut tx, &step.run, false).await?;
    tx.commit().await?;
    push_outcome::write_and_store(step, &context, items, fenced, (&position, &again), count).await
}

/// Counts the records whose edits wait, and makes ready to look them up.
async fn begin_entity(step: &Step, entity: Entity) -> Result<u64, StepError> {
    let mut tx = step.begin().await?;
    let waiting = u64::try_from(pending::count(&mut tx, step.run.config_id, entity).await?).unwrap_or_default();
    tx.commit().await?;
    statistics::refresh_where_old(&step.engine.crm.pool, entity, waiting).await?;
    Ok(waiting)
}

/// Both sides of each record, as far as the app and the links know them; the app's rows are locked.
async fn pair_up(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    waiting: &[PendingRecord],
) -> Result<Vec<Pair>, StoreError> {
    let ids: Vec<Uuid> = waiting.iter().map(|record| record.record_id).collect();
    let mut rows: HashMap<Uuid, AppRow> =
        app_rows::lock(tx, entity, &ids).await?.into_iter().map(|row| (row.id, row)).collect();
    let mut found = links_of(tx, config_id, entity, &ids).await?;
    Ok(ids
        .into_iter()
        .map(|id| {
            let link = found.remove(&id);
            let crm_edited_at = link.as_ref().and_then(|link| link.crm_edited_at);
            let mut pair = Pair { link, app: rows.remove(&id), crm_edited_at, ..Pair::default() };
            if is_new_to_crm(&pair) {
                pair.crm = Some(Record::new());
            }
            pair
        })
        .collect())
}

async fn links_of(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    record_ids: &[Uuid],
) -> Result<HashMap<Uuid, StoredLink>, StoreError> {
    let mut found: HashMap<Uuid, StoredLink> = HashMap::new();
    for link in links::by_record_ids(tx, config_id, entity, record_ids).await? {
        let Some(record_id) = link.record_id else { continue };
        // An open link counts before one that was closed.
        if is_open(&link) || !found.contains_key(&record_id) {
            found.insert(record_id, link);
        }
    }
    Ok(found)
}

/// Whether the CRM or a transform has a word in what becomes of these records.
fn asks_outside(step: &Step, context: &EntityContext, pairs: &[Pair]) -> Result<bool, StepError> {
    let creates = may_create(step, context) && pairs.iter().any(is_new_to_crm);
    let asks_times = edit_times::are_told(step, context)? && edit_times::are_needed(context, pairs);
    Ok(creates || asks_times || restored::is_among(pairs) || context.has_transforms())
}

/// Whether records that the CRM does not have are created there.
fn may_create(step: &Step, context: &EntityContext) -> bool {
    context.pushes && step.connection.options.create_missing
}

/// Locks the rows again and reads them and their links as they are now: a person may have decided about one.
async fn relock(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    waiting: &[PendingRecord],
    pairs: &mut [Pair],
) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = waiting.iter().map(|record| record.record_id).collect();
    let mut rows: HashMap<Uuid, AppRow> =
        app_rows::lock(tx, entity, &ids).await?.into_iter().map(|row| (row.id, row)).collect();
    let mut found = links_of(tx, config_id, entity, &ids).await?;
    for (pair, id) in pairs.iter_mut().zip(&ids) {
        pair.app = rows.remove(id);
        match (found.remove(id), &pair.link) {
            (Some(now), Some(before)) if now.id == before.id => pair.link = Some(now),
            (Some(now), _) if is_open(&now) => {
                pair.link = Some(now);
                pair.crm = None;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the link of a record that is there on both sides again opens.
fn reopens(link: &StoredLink) -> bool {
    matches!(link.state, LinkState::GoneApp | LinkState::NotVisible) && link.crm_record_id.is_some()
}

/// Whether the CRM has no record for this one yet, as far as the links tell.
fn is_new_to_crm(pair: &Pair) -> bool {
    pair.app.as_ref().is_some_and(is_alive)
        && pair.link.as_ref().is_none_or(|link| link.state == LinkState::Creating && link.crm_record_id.is_none())
}

/// What one batch will do.
struct Plan<'a> {
    step: &'a Step,
    context: &'a EntityContext,
    batch: Batch<'a>,
    items: Vec<PushItem>,
    /// Some of the records met the CRM's values only now: the next step merges them, not the next run.
    meets_again: bool,
}

impl<'a> Plan<'a> {
    fn new(step: &'a Step, context: &'a EntityContext) -> Self {
        let batch = Batch::new(context, step.engine.crm.rng.as_ref());
        Plan { step, context, batch, items: Vec::new(), meets_again: false }
    }

    /// Decides each record; the transaction holds the app's rows locked.
    async fn decide(
        &mut self,
        tx: &mut WorkspaceTx,
        waiting: Vec<PendingRecord>,
        pairs: Vec<Pair>,
        transformed: &Transformed,
        found: Vec<CrmRecord>,
    ) -> Result<(), StepError> {
        let config_id = self.step.run.config_id;
        let references = References::load(tx, config_id, self.context, &pairs).await?;
        let partners = self.partners(tx, &pairs, found).await?;
        for (place, (record, pair)) in waiting.iter().zip(&pairs).enumerate() {
            let translated = translate(self.context, pair, place, &references, transformed);
            self.decide_record(record, pair, translated, &partners);
        }
        self.batch.check_emptying()
    }

    fn decide_record(&mut self, record: &PendingRecord, pair: &Pair, translated: Translated, partners: &Partners) {
        let alive = pair.app.as_ref().is_some_and(is_alive);
        match (&pair.link, alive) {
            // It goes at the run's end: an edit that lost against the delete is not sent.
            (Some(link), _) if link.pending_delete.is_some() => {
                self.batch.counters(LogDirection::Push).skipped += 1;
                self.batch.settle_changes(&record.change_ids);
            }
            (Some(link), false) if link.state == LinkState::Linked && self.context.keeps_app_edits => {
                self.batch.write_link(LinkWrite { due: false, ..link.to_write() });
            }
            (Some(link), false) if link.state == LinkState::Linked => {
                let deleted_at = pair
                    .app
                    .as_ref()
                    .and_then(|row| row.deleted_at)
                    .or_else(|| record.changed_at.map(|at| at.timestamp_millis()));
                deletes::app_record_deleted(
                    self.step,
                    self.context,
                    &mut self.batch,
                    link,
                    pair.app.as_ref(),
                    deleted_at,
                );
                self.batch.settle_changes(&record.change_ids);
            }
            (Some(link), true) if link.state == LinkState::Linked => self.update(record, pair, translated),
            (Some(link), true) if link.state == LinkState::NotVisible && pair.crm.is_none() => {
                self.batch.counters(LogDirection::Push).skipped += 1;
                self.batch.write_link(LinkWrite { due: false, ..link.to_write() });
                self.batch.settle_changes(&record.change_ids);
            }
            (Some(link), true) if reopens(link) && !self.context.has_left(pair) => {
                // Restored in the app, and the CRM has its record: both meet in the next step.
                let seen = pair.crm.as_ref().map(|crm| seen(self.context, crm)).unwrap_or_default();
                let reopened =
                    LinkWrite { state: LinkState::Linked, due: true, seen, failure: None, ..link.to_write() };
                self.meets_again = true;
                self.batch.write_link(reopened);
                self.batch.settle_changes(&record.change_ids);
            }
            (_, true) if is_new_to_crm(pair) => self.create(record, pair, translated, partners),
            _ => {
                self.batch.counters(LogDirection::Push).skipped += 1;
                self.batch.settle_changes(&record.change_ids);
            }
        }
    }

    fn update(&mut self, record: &PendingRecord, pair: &Pair, translated: Translated) {
        let waits = translated.waits;
        if let Some(link) = pair.link.as_ref().filter(|_| self.context.pushes)
            && let Some(item) = lost_update::put_back_item(self.context, link, record.record_id)
        {
            self.items.push(item);
            return;
        }
        let app_values = app_values(self.context, &translated);
        let Merged { link_id, to_crm, failure } = self.batch.merge_linked(pair, translated, None);
        let Some(link) = pair.link.as_ref().filter(|_| !to_crm.is_empty()) else {
            self.batch.settle_changes(&record.change_ids);
            if self.context.pushes {
                self.batch.counters(LogDirection::Push).skipped += 1;
            }
            return;
        };
        self.batch.spare_due(link);
        self.items.push(PushItem {
            intent_id: 0,
            link_id,
            record_id: record.record_id,
            crm_record_id: link.crm_record_id.clone(),
            write: RecordWrite {
                kind: WriteKind::Update {
                    crm_id: link.crm_record_id.clone().unwrap_or_default(),
                    merged: to_crm.iter().map(|set| (set.field.clone(), set.before.clone())).collect(),
                },
                fields: to_crm.iter().map(|set| (set.field.clone(), set.after.clone())).collect(),
            },
            decided: fields_decided(self.context, pair),
            assignments: to_crm,
            app_values,
            change_ids: record.change_ids.clone(),
            waits,
            failure,
            puts_back: false,
        });
    }

    fn create(&mut self, record: &PendingRecord, pair: &Pair, translated: Translated, partners: &Partners) {
        let allowed = may_create(self.step, self.context);
        let partner = partners.found.get(&record.record_id);
        let takes_part = match partner {
            Some(partner) => self.context.takes_part(&partner.fields),
            None => self.context.app_takes_part(&translated),
        };
        if !takes_part {
            self.rest(record, pair, translated.waits);
            return;
        }
        if let Some(partner) = partner {
            self.meet(record, pair, partner, partners.links.get(&partner.id).copied());
            return;
        }
        if !allowed || partners.waiting.contains(&record.record_id) {
            self.batch.counters(LogDirection::Push).skipped += 1;
            if !partners.waiting.contains(&record.record_id) {
                self.batch.settle_changes(&record.change_ids);
            }
            return;
        }
        let inputs: Vec<(&MappedField, FieldState)> = self
            .context
            .fields
            .iter()
            .zip(&translated.states)
            .map(|(field, state)| (&field.mapped, FieldState { base: None, crm: Some(None), ..state.clone() }))
            .collect();
        let decision = merge(&inputs, &self.context.merge);
        let mut link = match &pair.link {
            Some(link) => link.to_write(),
            None => LinkWrite {
                crm_record_id: None,
                record_id: Some(record.record_id),
                ..super::batch::new_link(self.step.engine.crm.rng.uuid(), LinkState::Creating, "", None)
            },
        };
        link.due = true;
        if let Some(failure) = decision.failures.first() {
            let failure = crate::store::links::LinkFailure {
                code: failure.code.to_owned(),
                crm_code: None,
                message: failure.message.clone(),
                side: Side::Crm,
                fields: vec![failure.app_field.clone()],
                retryable: true,
            };
            self.batch.fail(LogDirection::Push, link, failure);
            self.batch.settle_changes(&record.change_ids);
            return;
        }
        let assignments: Vec<Assignment> = decision
            .to_crm
            .into_iter()
            .map(|assignment| Assignment { rule: Rule::CreatedFromApp, ..assignment })
            .collect();
        self.items.push(PushItem {
            intent_id: 0,
            link_id: link.id,
            record_id: record.record_id,
            crm_record_id: None,
            write: RecordWrite {
                kind: WriteKind::Create { external_id: Some(external_id(self.step, record.record_id)) },
                fields: assignments.iter().map(|set| (set.field.clone(), set.after.clone())).collect(),
            },
            assignments,
            app_values: app_values(self.context, &translated),
            change_ids: record.change_ids.clone(),
            waits: translated.waits,
            decided: BTreeSet::new(),
            failure: None,
            puts_back: false,
        });
        self.batch.write_link(link);
    }

    /// The record is outside the filter: it is not made, and waits for an edit that brings it in. One that still waits for a
    /// reference is judged again with it.
    fn rest(&mut self, record: &PendingRecord, pair: &Pair, waits: bool) {
        self.batch.counters(LogDirection::Push).skipped += 1;
        if waits {
            return;
        }
        self.batch.settle_changes(&record.change_ids);
        if let Some(link) = pair.link.as_ref().filter(|link| link.due) {
            self.batch.write_link(LinkWrite { due: false, ..link.to_write() });
        }
    }

    /// The CRM has the record already: linked, and merged in the next run.
    fn meet(&mut self, record: &PendingRecord, pair: &Pair, partner: &CrmRecord, known: Option<Uuid>) {
        let stamps = super::batch::CrmStamps::from_ms(partner.modified_at, partner.edited_at);
        let own = pair.link.as_ref().map(|link| link.id);
        if let (Some(_), Some(known)) = (own, known) {
            // Each side had tried to create it: one of the two links remains.
            self.batch.write_link(super::batch::new_link(known, LinkState::Merged, &partner.id, Some(stamps)));
        }
        let id = own.or(known).unwrap_or_else(|| self.step.engine.crm.rng.uuid());
        self.meets_again = true;
        let mut link = super::batch::new_link(id, LinkState::Linked, &partner.id, Some(stamps));
        link.record_id = Some(record.record_id);
        link.due = true;
        link.seen = seen(self.context, &partner.fields);
        self.batch.write_link(link);
        self.batch.settle_changes(&record.change_ids);
        self.batch.counters(LogDirection::Push).skipped += 1;
    }
}

fn fields_decided(context: &EntityContext, pair: &Pair) -> BTreeSet<String> {
    let decided = context.fields.iter().filter(|field| pair.choice(field).is_some());
    decided.map(|field| field.mapped.app_field.clone()).collect()
}

fn app_values(context: &EntityContext, translated: &Translated) -> BTreeMap<String, Value> {
    context
        .fields
        .iter()
        .zip(&translated.states)
        .map(|(field, state)| (field.mapped.app_field.clone(), state.app.clone().flatten()))
        .collect()
}

impl PushItem {
    fn intent(&self) -> NewChange {
        let is_create = matches!(self.write.kind, WriteKind::Create { .. });
        NewChange {
            link_id: Some(self.link_id),
            record_id: Some(self.record_id),
            crm_record_id: self.crm_record_id.clone(),
            side: Side::Crm,
            action: if is_create { ChangeAction::Create } else { ChangeAction::Update },
            state: "sent",
            fields: self
                .assignments
                .iter()
                .map(|set| FieldChange {
                    field: set.field.clone(),
                    app_field: set.app_field.clone(),
                    before: set.before.clone(),
                    after: set.after.clone(),
                    rule: if self.decided.contains(&set.app_field) { Rule::Person } else { set.rule }
                        .as_str()
                        .to_owned(),
                    from_app: Some(self.app_values.get(&set.app_field).cloned().flatten()),
                })
                .collect(),
            refusal: None,
        }
    }
}
