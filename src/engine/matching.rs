//! CRM records without a partner that have candidates in the app, decided once all is read: one to one or not at all.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::absent;
use super::associated;
use super::batch::{Batch, CrmStamps, new_link};
use super::context::EntityContext;
use super::deletes;
use super::position::{Phase, Position, ReadState};
use super::read::{Stranger, create_or_rest};
use super::run::{Step, StepError};
use super::translate::{Pair, References, Transformed, app_form, translate};
use crate::connectors::CrmRecord;
use crate::model::{ChangeAction, ConflictKind, LinkState, LogDirection, Side, Stage};
use crate::store::app_rows::{self, AppRow};
use crate::store::changes::NewChange;
use crate::store::links::{self, LinkWrite, StoredLink};
use crate::store::pending::{self, MatchCandidate};
use crate::store::questions::{self, Question};
use crate::store::setup;
use crate::sync::{Candidate, MatchOutcome, Record, match_keys, match_records};

/// Records whose create in the app is tried again in one run, one call to the CRM.
const MOST_RETRIES: i64 = 200;

/// Matches, moves the cursor, and goes on to the edits in the app.
pub(crate) async fn run(step: &Step, state: &ReadState) -> Result<Position, StepError> {
    let entity = step.entity()?;
    let config_id = step.run.config_id;
    let (mut tx, context) = step.begin_with_context(entity).await?;
    if let Some(after) = &state.references_behind {
        tx.commit().await?;
        return associated::ask(step, &context, state, after).await;
    }
    if state.since.is_none() {
        tx.commit().await?;
        if let Some(position) = absent::ask(step, &context, state).await? {
            return Ok(position);
        }
        tx = step.begin().await?;
    }
    let mut waiting = pending::candidates(&mut tx, config_id, entity).await?;
    let due = links::due_creates_in_app(&mut tx, config_id, entity, MOST_RETRIES).await?;
    tx.commit().await?;
    let gone = read_again(step, &context, &due, &mut waiting).await?;
    let pairs: Vec<Pair> = waiting.iter().map(as_pair).collect();
    let transformed = Transformed::run(&step.engine.transforms, &context, &pairs, Transformed::default()).await;

    let position = step.position.to_phase(Phase::Push { after: None });
    let mut tx = step.begin().await?;
    step.advance(&mut tx, &position).await?;
    let mut batch = Batch::new(&context, step.engine.crm.rng.as_ref());
    let references = References::load(&mut tx, config_id, &context, &pairs).await?;
    let crm_ids: Vec<String> = waiting.iter().map(|candidate| candidate.crm_record_id.clone()).collect();
    let own = links::by_crm_ids(&mut tx, config_id, entity, &crm_ids).await?;
    gone.into_iter().for_each(|link| batch.write_link(LinkWrite { due: false, ..link.to_write() }));
    let mut strangers = Vec::new();
    let mut decided = Vec::new();
    for (place, (candidate, pair)) in waiting.iter().zip(&pairs).enumerate() {
        if own.iter().any(|link| is_taken(link, &candidate.crm_record_id)) {
            // A person linked it in the meantime.
            decided.push(candidate.crm_record_id.clone());
            continue;
        }
        if !context.takes_part(&candidate.fields) {
            batch.counters(LogDirection::Pull).skipped += 1;
            let failed = own.iter().find(|link| link.crm_record_id.as_ref() == Some(&candidate.crm_record_id));
            failed.into_iter().for_each(|link| batch.write_link(LinkWrite { due: false, ..link.to_write() }));
            decided.push(candidate.crm_record_id.clone());
            continue;
        }
        let translated = translate(&context, pair, place, &references, &transformed);
        let (form, failures) = app_form(&context, &translated);
        strangers.push((candidate, translated, form, failures));
    }
    let forms: Vec<(&str, &Record)> =
        strangers.iter().map(|(candidate, _, form, _)| (candidate.crm_record_id.as_str(), form)).collect();
    let (outcomes, rows) = decide(&mut tx, config_id, &context, &forms).await?;
    let mut asked = Vec::new();
    for (candidate, translated, form, failures) in &strangers {
        let stamps = CrmStamps { modified_at: candidate.crm_modified_at, edited_at: candidate.crm_edited_at };
        let crm_id = &candidate.crm_record_id;
        let link_id = own.iter().find(|link| link.crm_record_id.as_ref() == Some(crm_id)).map(|link| link.id);
        match outcomes.get(crm_id) {
            Some(Found::Partner(record_id)) => {
                link_pair(&context, &mut batch, step, candidate, (link_id, *record_id), stamps);
                decided.push(crm_id.clone());
            }
            Some(Found::Several(record_ids)) => {
                for record_id in record_ids {
                    batch.ask(question(&context, candidate, form, rows.get(record_id)));
                }
                batch.counters(LogDirection::Pull).skipped += 1;
                // One that is tried again waits here from now on.
                asked.push(*candidate);
            }
            None => {
                create_or_rest(
                    step,
                    &context,
                    &mut batch,
                    &Stranger { crm_id, link_id, form, failures, translated, stamps },
                );
                decided.push(crm_id.clone());
            }
        }
    }
    pending::keep_candidates(&mut tx, config_id, entity, &asked).await?;
    pending::remove_candidates(&mut tx, config_id, entity, &decided).await?;
    deletes::crm_records_listed(&mut tx, step, &context, &mut batch, &state.gone).await?;
    if !context.keeps_crm_edits {
        let watermark = chrono::DateTime::from_timestamp_millis(state.watermark).unwrap_or_default();
        let read = setup::HasRead {
            until: watermark,
            covers: &state.covers,
            looked_back: &state.looks_back,
            deletions_listed: state.deletions_listed,
            compared: state.since.is_none(),
        };
        setup::move_cursor(&mut tx, config_id, entity, &read).await?;
    }
    step.commit(tx, batch, Stage::Match, waiting.len()).await?;
    Ok(position)
}

/// Reads CRM records again that could not be created in the app and are due, and lets them wait beside the others. Returns
/// the links whose record is gone.
async fn read_again(
    step: &Step,
    context: &EntityContext,
    due: &[StoredLink],
    waiting: &mut Vec<MatchCandidate>,
) -> Result<Vec<StoredLink>, StepError> {
    let ids: Vec<String> = due.iter().filter_map(|link| link.crm_record_id.clone()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (ids, fields, entity) = (&ids, &context.crm_fields(), context.entity);
    let records =
        step.call(|crm| async move { crm.connector.read_by_id(&crm.session, entity, fields, ids).await }).await?;
    let alive: HashMap<String, CrmRecord> =
        records.into_iter().filter(|record| !record.deleted).map(|record| (record.id.clone(), record)).collect();
    waiting.retain(|candidate| !alive.contains_key(&candidate.crm_record_id));
    let gone = |link: &&StoredLink| link.crm_record_id.as_ref().is_none_or(|id| !alive.contains_key(id));
    let gone = due.iter().filter(gone).cloned().collect();
    waiting.extend(alive.into_values().map(|record| {
        let stamps = CrmStamps::from_ms(record.modified_at, record.edited_at);
        MatchCandidate {
            crm_record_id: record.id,
            fields: record.fields,
            crm_modified_at: stamps.modified_at,
            crm_edited_at: stamps.edited_at,
        }
    }));
    waiting.sort_by(|a, b| a.crm_record_id.cmp(&b.crm_record_id));
    Ok(gone)
}

/// Whether a link binds this CRM record already. One whose create in the app failed does not.
fn is_taken(link: &StoredLink, crm_id: &str) -> bool {
    let failed_create = link.state == LinkState::Creating && link.record_id.is_none();
    link.crm_record_id.as_deref() == Some(crm_id) && !failed_create
}

enum Found {
    Partner(Uuid),
    Several(Vec<Uuid>),
}

/// Asks the pure core which CRM record belongs to which app record. A record with a pending question keeps it.
async fn decide(
    tx: &mut crate::store::WorkspaceTx,
    config_id: Uuid,
    context: &EntityContext,
    forms: &[(&str, &Record)],
) -> Result<(HashMap<String, Found>, HashMap<Uuid, AppRow>), StepError> {
    let keys: Vec<_> = forms.iter().map(|(_, form)| match_keys(context.entity, form)).collect();
    let rows: HashMap<Uuid, AppRow> = app_rows::candidates(tx, config_id, context.entity, &keys)
        .await?
        .into_iter()
        .map(|row| (row.id, row))
        .collect();
    let mut apart: HashSet<(String, String)> = pending::apart(tx, config_id, context.entity)
        .await?
        .into_iter()
        .map(|(crm_id, record_id)| (crm_id, record_id.to_string()))
        .collect();
    let asked = questions::pending_matches(tx, config_id, context.entity).await?;
    let mut found: HashMap<String, Found> = HashMap::new();
    for (record_id, crm_id) in asked {
        let (Some(record_id), Some(crm_id)) = (record_id, crm_id) else { continue };
        apart.insert((crm_id.clone(), record_id.to_string()));
        match found.entry(crm_id).or_insert_with(|| Found::Several(Vec::new())) {
            Found::Several(record_ids) => record_ids.push(record_id),
            Found::Partner(_) => {}
        }
    }
    // One that a person is asked about need not share a key.
    let known: Vec<Uuid> = found
        .values()
        .flat_map(|found| match found {
            Found::Several(record_ids) => record_ids.clone(),
            Found::Partner(_) => Vec::new(),
        })
        .filter(|id| !rows.contains_key(id))
        .collect();
    let asked_rows = app_rows::read(tx, context.entity, &known).await?;
    let row_ids: Vec<(String, &AppRow)> = rows.values().map(|row| (row.id.to_string(), row)).collect();
    let crm: Vec<Candidate<'_>> = forms
        .iter()
        .filter(|(crm_id, _)| !found.contains_key(*crm_id))
        .map(|(crm_id, form)| Candidate { id: crm_id, keys: match_keys(context.entity, form) })
        .collect();
    let app: Vec<Candidate<'_>> =
        row_ids.iter().map(|(id, row)| Candidate { id, keys: match_keys(context.entity, &row.fields) }).collect();
    for outcome in match_records(&crm, &app, &apart) {
        match outcome {
            MatchOutcome::Pair { crm, app } => {
                if let Ok(record_id) = app.parse() {
                    found.insert(crm, Found::Partner(record_id));
                }
            }
            MatchOutcome::Ambiguous { crm, app } => {
                found.insert(crm, Found::Several(app.iter().filter_map(|id| id.parse().ok()).collect()));
            }
            MatchOutcome::Alone { .. } => {}
        }
    }
    let mut rows = rows;
    rows.extend(asked_rows.into_iter().map(|row| (row.id, row)));
    Ok((found, rows))
}

/// Links two records that are the same. Their values meet in the push that follows, or in the next run.
pub(super) fn link_pair(
    context: &EntityContext,
    batch: &mut Batch<'_>,
    step: &Step,
    candidate: &MatchCandidate,
    (link_id, record_id): (Option<Uuid>, Uuid),
    stamps: CrmStamps,
) {
    let link_id = link_id.unwrap_or_else(|| step.engine.crm.rng.uuid());
    let mut link = new_link(link_id, LinkState::Linked, &candidate.crm_record_id, Some(stamps));
    link.record_id = Some(record_id);
    link.due = true;
    link.seen = seen(context, &candidate.fields);
    batch.journal(
        LogDirection::Pull,
        NewChange {
            link_id: Some(link.id),
            record_id: Some(record_id),
            crm_record_id: Some(candidate.crm_record_id.clone()),
            side: Side::App,
            action: ChangeAction::Link,
            state: "done",
            fields: Vec::new(),
            refusal: None,
        },
    );
    batch.write_link(link);
}

/// A CRM record's values by app field, as a link keeps them until they are settled.
pub(crate) fn seen(context: &EntityContext, fields: &Record) -> Record {
    context
        .fields
        .iter()
        .filter_map(|field| Some((field.mapped.app_field.clone(), fields.get(&field.mapped.crm_field)?.clone())))
        .collect()
}

fn question(context: &EntityContext, candidate: &MatchCandidate, form: &Record, row: Option<&AppRow>) -> Question {
    let app = row.map(|row| row.fields.clone()).unwrap_or_default();
    let fields = form.keys().filter(|field| app.get(*field) != form.get(*field)).cloned().collect();
    Question {
        kind: ConflictKind::Match,
        link_id: None,
        record_id: row.map(|row| row.id),
        crm_record_id: Some(candidate.crm_record_id.clone()),
        app: app.into_iter().filter(|(field, _)| form.contains_key(field)).collect(),
        crm: form.clone(),
        base: Record::new(),
        crm_raw: seen(context, &candidate.fields),
        fields,
        settled: false,
    }
}

fn as_pair(candidate: &MatchCandidate) -> Pair {
    Pair {
        link: None,
        app: None,
        crm: Some(candidate.fields.clone()),
        crm_edited_at: Some(candidate.crm_edited_at.timestamp_millis()),
        ..Pair::default()
    }
}
