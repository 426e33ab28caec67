//! Reading the CRM: describe, deletions and window first, then page by page. Each page is merged and committed by itself.

mod own;
mod page;
mod window;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use page::Page;
use window::Wish;

use super::associated;
use super::batch::{Batch, CrmStamps, new_link};
use super::context::EntityContext;
use super::deletes;
use super::edit_times::{self, EditTimes};
use super::position::{Phase, Position, ReadState};
use super::run::{Read, Step, StepError};
use super::scope;
use super::translate::{Pair, References, Transformed, Translated, app_form, translate};
use crate::connectors::{CrmRecord, EntityDescription, ReadPage, ReadWindow};
use crate::model::{Entity, LinkState, LogDirection, Side, Stage, app_fields};
use crate::store::app_rows::AppRow;
use crate::store::links::{self, LinkFailure, StoredLink};
use crate::store::pending::{self, MatchCandidate};
use crate::store::{StoreError, WorkspaceTx, app_rows, questions, runs, setup, statistics};
use crate::sync::{Known, Record, is_missed, match_keys};

/// Describes the entity where the last describe is old, notes deletions, fixes the watermark and opens the window.
pub(crate) async fn prepare(step: &Step) -> Result<Position, StepError> {
    let entity = step.entity()?;
    let (mut tx, context) = step.begin_with_context(entity).await?;
    let cursor = setup::cursor(&mut tx, step.run.config_id, entity).await?;
    tx.commit().await?;
    let context = step.make_external_id_field(context).await?;
    let wish = Wish { covers: &context.covers, trigger: step.run.trigger, compares: step.run.compares };
    let window = window::open(&wish, cursor.as_ref(), step.connector()?.look_backs(), step.engine.crm.clock.now());
    let query = window.deletions;
    let deletions = step.call(|crm| async move { crm.connector.deleted(&crm.session, entity, query).await }).await?;
    let since = window.since.filter(|_| deletions.complete);

    let mut tx = step.begin().await?;
    let filtered = window.since.is_none() && links::count_open(&mut tx, step.run.config_id, entity).await? == 0;
    let mut gone = Vec::new();
    if query.since.is_some() && !context.keeps_crm_edits {
        let ids: Vec<String> = deletions.records.iter().map(|record| record.id.clone()).collect();
        let links = links::by_crm_ids(&mut tx, step.run.config_id, entity, &ids).await?;
        let linked: HashSet<String> = links
            .into_iter()
            .filter(|link| link.state == LinkState::Linked)
            .filter_map(|link| link.crm_record_id)
            .collect();
        let records = deletions.records.iter().filter(|record| linked.contains(&record.id));
        gone.extend(records.map(|record| (record.id.clone(), record.deleted_at)));
    }
    let covers = context.covers.clone();
    let state = ReadState {
        since,
        watermark: deletions.watermark.0,
        covers,
        filtered,
        page: None,
        gone,
        references_behind: (window.asks_references && since.is_some() && associated::are_mapped(&context))
            .then(String::new),
        looks_back: window.looks_back,
        deletions_listed: query.thorough && deletions.exhaustive,
        compares_before: window.compares_before,
    };
    let position = step.position.to_phase(Phase::Read(state));
    step.advance(&mut tx, &position).await?;
    if since.is_none() && step.connection.direction.pushes() {
        pending::first_look(&mut tx, step.run.config_id, entity).await?;
    }
    let batch = Batch::new(&context, step.engine.crm.rng.as_ref());
    step.commit(tx, batch, Stage::Read, deletions.records.len()).await?;
    Ok(position)
}

/// Reads one page, merges it and commits.
pub(crate) async fn page(step: &Arc<Step>, state: &ReadState) -> Result<Position, StepError> {
    let entity = step.entity()?;
    let (tx, context) = step.begin_with_context(entity).await?;
    tx.commit().await?;
    let context = Arc::new(context);
    let filter = context.window_filter().filter(|_| state.filtered && state.since.is_none());
    let mut fields = context.crm_fields();
    fields.extend(step.connector()?.external_id_field(&context.description));
    let window = ReadWindow { entity, fields, since: state.since, filter };
    let Read { page: ReadPage { records, next, total, wait }, transformed } =
        step.read_page(&window, state.page.as_deref()).await?;

    let phase = match &next {
        Some(next) => Phase::Read(ReadState { page: Some(next.clone()), ..state.clone() }),
        None => Phase::Match(ReadState { page: None, ..state.clone() }),
    };
    if state.page.is_none() {
        statistics::refresh_where_old(&step.engine.crm.pool, entity, total.unwrap_or_default()).await?;
    }
    let position = Position {
        processed: step.position.processed + records.len() as u64,
        total: total.or(step.position.total),
        ..step.position.to_phase(phase)
    };
    if let Some(wait) = wait {
        let mut tx = step.begin().await?;
        step.advance(&mut tx, &position).await?;
        step.commit(tx, Batch::new(&context, step.engine.crm.rng.as_ref()), Stage::Read, 0).await?;
        return Err(StepError::Waits(wait));
    }
    let page = Page::prepare(step, &context, records, transformed, state.since.is_none()).await?;
    let are_strangers = page.are_strangers();
    let (stored, ()) = tokio::join!(
        page.store(step, &context, &position),
        step.read_ahead(&window, next.as_deref(), are_strangers.then_some(&*context)),
    );
    stored?;
    Ok(position)
}

/// How both sides of a page's records are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// As they are: for what is asked outside of a transaction.
    Glance,
    /// For good: the app's rows are locked, and nobody else changes the links until the transaction ends.
    Locked,
}

/// Both sides of each record of a page.
async fn pair_up(
    tx: &mut WorkspaceTx,
    step: &Step,
    context: &EntityContext,
    records: &[CrmRecord],
    reading: Reading,
) -> Result<Vec<Pair>, StepError> {
    if reading == Reading::Locked {
        runs::hold_step(tx, step.run.id).await?;
    }
    let ids: Vec<String> = records.iter().map(|record| record.id.clone()).collect();
    let mut links: HashMap<String, StoredLink> = HashMap::new();
    for link in links::by_crm_ids(tx, step.run.config_id, context.entity, &ids).await? {
        let Some(crm_id) = link.crm_record_id.clone() else { continue };
        // An open link counts before one that was closed.
        if is_open(&link) || !links.contains_key(&crm_id) {
            links.insert(crm_id, link);
        }
    }
    let record_ids: Vec<Uuid> = links.values().filter_map(|link| link.record_id).collect();
    let rows = match reading {
        _ if record_ids.is_empty() => Vec::new(),
        Reading::Glance => app_rows::read(tx, context.entity, &record_ids).await?,
        Reading::Locked => app_rows::lock(tx, context.entity, &record_ids).await?,
    };
    let mut rows: HashMap<Uuid, AppRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    Ok(records
        .iter()
        .map(|record| {
            let link = links.remove(&record.id);
            let app = link.as_ref().and_then(|link| rows.remove(&link.record_id?));
            let (crm, crm_edited_at) = (Some(record.fields.clone()), Some(record.edited_at));
            Pair { link, app, crm, crm_edited_at, ..Pair::default() }
        })
        .collect())
}

async fn merge_page<'a>(
    step: &'a Step,
    tx: &mut WorkspaceTx,
    context: &'a EntityContext,
    records: Vec<CrmRecord>,
    (transformed, times): (&Transformed, &EditTimes),
) -> Result<Batch<'a>, StepError> {
    let config_id = step.run.config_id;
    let mut pairs = pair_up(tx, step, context, &records, Reading::Locked).await?;
    edit_times::note(&mut pairs, times);
    let references = References::load(tx, config_id, context, &pairs).await?;
    let waiting = waiting_edits(tx, config_id, context.entity, &pairs).await?;
    let mut batch = Batch::new(context, step.engine.crm.rng.as_ref());
    let survivors = deletes::crm_records_merged(tx, step, context, &mut batch, &records, &pairs).await?;
    let compares_before = compares_before(step);
    if compares_before.is_some() {
        batch.counters(LogDirection::Pull).missed = Some(0);
    }
    let mut strangers = Vec::new();
    let mut outsiders = Vec::new();
    for (position, (record, pair)) in records.iter().zip(&pairs).enumerate() {
        let stamps = CrmStamps::from_ms(record.modified_at, record.edited_at);
        match &pair.link {
            _ if record.merged_into.is_some() || survivors.contains(&record.id) => {}
            None if record.deleted => {
                pending::remove_candidates(tx, config_id, context.entity, std::slice::from_ref(&record.id)).await?;
            }
            None if !context.takes_part(&record.fields) => {
                batch.counters(LogDirection::Pull).skipped += 1;
                outsiders.push(record.id.clone());
            }
            None => strangers.push((record, None, translate(context, pair, position, &references, transformed))),
            Some(link) if link.crm_modified_at.is_some_and(|known| known > record.modified_at) => {
                // An older reading than one we have acted on proves nothing.
                batch.counters(LogDirection::Pull).skipped += 1;
            }
            Some(link) if record.deleted && link.state == LinkState::Linked && !context.keeps_crm_edits => {
                let deleted_at = Some(record.modified_at);
                deletes::crm_record_gone(tx, step, context, &mut batch, link.clone(), deleted_at).await?;
            }
            Some(_) if record.deleted => batch.counters(LogDirection::Pull).skipped += 1,
            Some(link) if link.state == LinkState::GoneCrm && context.takes_part(&record.fields) => {
                deletes::crm_record_back(tx, step, context, &mut batch, link, record).await?;
            }
            Some(link) if link.state == LinkState::Linked && pair.app.as_ref().is_some_and(is_alive) => {
                let translated = translate(context, pair, position, &references, transformed);
                let waits = pair.app.as_ref().and_then(|row| waiting.get(&row.id));
                if let Some(before) = compares_before
                    && is_missed_of(context, link, &translated, record.modified_at < before, waits.is_some())
                {
                    *batch.counters(LogDirection::Pull).missed.get_or_insert_default() += 1;
                }
                let merged = batch.merge_linked(pair, translated, Some(stamps));
                if let (true, Some(ids)) = (merged.to_crm.is_empty(), waits) {
                    batch.settle_changes(ids);
                }
            }
            Some(link) if is_resting(link) && context.takes_part(&record.fields) && !context.keeps_crm_edits => {
                let translated = translate(context, pair, position, &references, transformed);
                scope::comes_back(context, &mut batch, (link, pair), record, translated);
            }
            Some(link)
                if link.state == LinkState::Creating
                    && link.record_id.is_none()
                    && context.takes_part(&record.fields) =>
            {
                // It could not be created in the app before; it changed, so it is tried again.
                let translated = translate(context, pair, position, &references, transformed);
                strangers.push((record, Some(link.id), translated));
            }
            Some(_) => batch.counters(LogDirection::Pull).skipped += 1,
        }
    }
    pending::remove_candidates(tx, config_id, context.entity, &outsiders).await?;
    meet_strangers(step, tx, context, &mut batch, strangers).await?;
    batch.check_emptying()?;
    Ok(batch)
}

/// Where a full comparison is read: what had changed before this should be known, epoch milliseconds.
fn compares_before(step: &Step) -> Option<i64> {
    match &step.position.phase {
        Phase::Read(state) => state.compares_before,
        _ => None,
    }
}

/// Whether a linked record differs from what was agreed, and the readings before should have brought it.
fn is_missed_of(
    context: &EntityContext,
    link: &StoredLink,
    translated: &Translated,
    crm_is_old: bool,
    edit_waits: bool,
) -> bool {
    let says_why = link.due || link.failure.is_some() || !link.decision.is_empty() || !link.guarded.is_empty();
    let fields: Vec<_> = context.fields.iter().map(|field| &field.mapped).zip(&translated.states).collect();
    is_missed(&fields, Known { seen: &link.seen, app_waits: edit_waits || says_why, crm_is_old })
}

/// The edits in the app that wait for each record of a page.
async fn waiting_edits(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    pairs: &[Pair],
) -> Result<HashMap<Uuid, Vec<i64>>, StoreError> {
    let ids: Vec<Uuid> = pairs.iter().filter_map(|pair| pair.app.as_ref().map(|row| row.id)).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let waiting = pending::of_records(tx, config_id, entity, &ids).await?;
    Ok(waiting.into_iter().map(|record| (record.record_id, record.change_ids)).collect())
}

/// CRM records without a partner: those that carry an app record's id are linked with it, those with candidates in the app wait
/// until all is read, the others are created.
async fn meet_strangers(
    step: &Step,
    tx: &mut WorkspaceTx,
    context: &EntityContext,
    batch: &mut Batch<'_>,
    strangers: Vec<(&CrmRecord, Option<Uuid>, Translated)>,
) -> Result<(), StepError> {
    if strangers.is_empty() {
        return Ok(());
    }
    let strangers = own::meet(step, tx, context, batch, strangers).await?;
    let forms: Vec<(Record, BTreeMap<String, String>)> =
        strangers.iter().map(|(_, _, translated)| app_form(context, translated)).collect();
    let keys: Vec<_> = forms.iter().map(|(form, _)| match_keys(context.entity, form)).collect();
    let taken: HashSet<String> = app_rows::candidates(tx, step.run.config_id, context.entity, &keys)
        .await?
        .iter()
        .flat_map(|row| match_keys(context.entity, &row.fields))
        .flatten()
        .collect();
    let asked = questions::pending_matches(tx, step.run.config_id, context.entity).await?;
    let asked: HashSet<String> = asked.into_iter().filter_map(|(_, crm_id)| crm_id).collect();
    let mut candidates = Vec::new();
    for (((record, link_id, translated), (form, failures)), keys) in strangers.iter().zip(&forms).zip(&keys) {
        if asked.contains(&record.id) || keys.iter().flatten().any(|key| taken.contains(key)) {
            candidates.push(MatchCandidate {
                crm_record_id: record.id.clone(),
                fields: record.fields.clone(),
                crm_modified_at: instant(record.modified_at),
                crm_edited_at: instant(record.edited_at),
            });
        } else {
            let stamps = CrmStamps::from_ms(record.modified_at, record.edited_at);
            let stranger = Stranger { crm_id: &record.id, link_id: *link_id, form, failures, translated, stamps };
            create_or_rest(step, context, batch, &stranger);
        }
    }
    let candidates: Vec<&MatchCandidate> = candidates.iter().collect();
    Ok(pending::keep_candidates(tx, step.run.config_id, context.entity, &candidates).await?)
}

/// A CRM record without a partner in the app.
pub(crate) struct Stranger<'a> {
    /// The CRM's id.
    pub crm_id: &'a str,
    /// Its link, where it could not be created in the app before.
    pub link_id: Option<Uuid>,
    /// Its values in app form.
    pub form: &'a Record,
    /// Fields that could not be brought into it.
    pub failures: &'a BTreeMap<String, String>,
    /// Its values as the merge takes them.
    pub translated: &'a Translated,
    /// Its stamps.
    pub stamps: CrmStamps,
}

/// Creates the app record of a CRM record without partner, where direction and options allow.
pub(crate) fn create_or_rest(step: &Step, context: &EntityContext, batch: &mut Batch<'_>, stranger: &Stranger<'_>) {
    if !context.pulls || !step.connection.options.create_missing {
        batch.counters(LogDirection::Pull).skipped += 1;
        return;
    }
    let link_id = stranger.link_id.unwrap_or_else(|| step.engine.crm.rng.uuid());
    let (crm_id, stamps) = (stranger.crm_id, stranger.stamps);
    match not_creatable(context.entity, stranger.form, stranger.failures) {
        None => batch.create_in_app(link_id, crm_id, stranger.form, stranger.translated, stamps),
        Some(failure) => {
            let link = new_link(link_id, LinkState::Creating, crm_id, Some(stamps));
            batch.fail(LogDirection::Pull, link, failure);
        }
    }
}

fn not_creatable(entity: Entity, form: &Record, failures: &BTreeMap<String, String>) -> Option<LinkFailure> {
    let required = app_fields(entity).iter().find(|field| field.required);
    let missing = required.filter(|field| {
        form.get(field.name).is_none_or(|value| value.as_deref().is_none_or(|text| text.trim().is_empty()))
    });
    let (code, message, field) = if let Some((field, message)) = failures.iter().next() {
        let message =
            format!("{field} could not be brought over: {message}. Correct the value or its mapping, then retry.");
        ("transform_failed", message, field.clone())
    } else {
        let field = missing?;
        let message = format!("{} is empty in the CRM and required here. Fill it in the CRM, then retry.", field.label);
        ("required_field_missing", message, field.name.to_owned())
    };
    Some(LinkFailure {
        code: code.to_owned(),
        crm_code: None,
        message,
        side: Side::App,
        fields: vec![field],
        retryable: true,
    })
}

/// Whether a link still ties two records, or will.
pub(crate) fn is_open(link: &StoredLink) -> bool {
    matches!(link.state, LinkState::Linked | LinkState::Creating | LinkState::OutOfScope)
}

/// Whether a link rests because its record left the filter.
fn is_resting(link: &StoredLink) -> bool {
    link.state == LinkState::OutOfScope
}

/// Whether an app record is there.
pub(crate) fn is_alive(row: &AppRow) -> bool {
    row.deleted_at.is_none()
}

fn instant(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

/// The description of an entity as stored, where it is fresh enough.
pub(crate) async fn stored_description(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    not_before: DateTime<Utc>,
) -> Result<Option<(EntityDescription, DateTime<Utc>)>, StoreError> {
    let stored = setup::description(tx, config_id, entity).await?;
    let fresh = stored.filter(|(_, fetched_at)| *fetched_at >= not_before);
    // A description of an older version of this program is fetched anew.
    Ok(fresh.and_then(|(description, fetched_at)| Some((serde_json::from_value(description).ok()?, fetched_at))))
}
