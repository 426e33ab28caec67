//! CRM records without a partner that have candidates in the app, decided once all is read: one to one or not at all.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::batch::{Batch, CrmStamps, new_link};
use super::context::EntityContext;
use super::deletes;
use super::position::{Phase, Position, ReadState};
use super::read::{Stranger, create_or_rest, is_open};
use super::run::{Step, StepError};
use super::translate::{Pair, References, Transformed, app_form, translate};
use crate::model::{ChangeAction, ConflictKind, LinkState, LogDirection, Side, Stage};
use crate::store::app_rows::{self, AppRow};
use crate::store::changes::NewChange;
use crate::store::pending::{self, MatchCandidate};
use crate::store::questions::{self, Question};
use crate::store::{links, setup};
use crate::sync::{Candidate, MatchOutcome, Record, match_keys, match_records};

/// Matches, moves the cursor, and goes on to the edits in the app.
pub(crate) async fn run(step: &Step<'_>, state: &ReadState) -> Result<Position, StepError> {
    let entity = step.entity()?;
    let config_id = step.run.config_id;
    let description = step.describe(entity).await?;
    let mut tx = step.begin().await?;
    let context = step.context(&mut tx, description).await?;
    let waiting = pending::candidates(&mut tx, config_id, entity).await?;
    tx.commit().await?;
    let pairs: Vec<Pair> = waiting.iter().map(as_pair).collect();
    let transformed = Transformed::run(&step.engine.transforms, &context, &pairs).await;

    let position = step.position.to_phase(Phase::Push { after: None });
    let mut tx = step.begin().await?;
    step.advance(&mut tx, &position).await?;
    let mut batch = Batch::new(&context, step.engine.crm.rng.as_ref());
    let references = References::load(&mut tx, config_id, &context, &pairs).await?;
    let mut strangers = Vec::new();
    for (place, (candidate, pair)) in waiting.iter().zip(&pairs).enumerate() {
        let translated = translate(&context, pair, place, &references, &transformed);
        let (form, failures) = app_form(&context, &translated);
        strangers.push((candidate, translated, form, failures));
    }
    let forms: Vec<(&str, &Record)> =
        strangers.iter().map(|(candidate, _, form, _)| (candidate.crm_record_id.as_str(), form)).collect();
    let (outcomes, rows) = decide(&mut tx, config_id, &context, &forms).await?;
    // A record that could not be created in the app before has a link already.
    let ids: Vec<String> = waiting.iter().map(|candidate| candidate.crm_record_id.clone()).collect();
    let known: HashMap<String, Uuid> = links::by_crm_ids(&mut tx, config_id, entity, &ids)
        .await?
        .into_iter()
        .filter(is_open)
        .filter_map(|link| Some((link.crm_record_id?, link.id)))
        .collect();
    let mut decided = Vec::new();
    for (candidate, translated, form, failures) in &strangers {
        let stamps = CrmStamps { modified_at: candidate.crm_modified_at, edited_at: candidate.crm_edited_at };
        let crm_id = &candidate.crm_record_id;
        let link_id = known.get(crm_id).copied();
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
    pending::remove_candidates(&mut tx, config_id, entity, &decided).await?;
    deletes::crm_records_listed(&mut tx, step, &context, &mut batch, &state.gone).await?;
    if !context.keeps_crm_edits {
        let watermark = chrono::DateTime::from_timestamp_millis(state.watermark).unwrap_or_default();
        setup::move_cursor(&mut tx, config_id, entity, watermark, &state.covers).await?;
    }
    step.commit(tx, batch, Stage::Match, waiting.len()).await?;
    Ok(position)
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
    let keys: Vec<String> = forms.iter().flat_map(|(_, form)| match_keys(context.entity, form)).flatten().collect();
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
    Ok((found, rows))
}

/// Links two records that are the same. Their values meet in the push that follows, or in the next run.
fn link_pair(
    context: &EntityContext,
    batch: &mut Batch<'_>,
    step: &Step<'_>,
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
            position: 0,
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
    }
}
