//! Creates without an answer where the CRM has no external id to ask for (`sync.md`, "Creates that are safe to repeat"): after
//! ten minutes they are looked for by what was sent; what that does not tell, a person is asked.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::connectors::{CrmRecord, KeyLookup};
use crate::engine::context::{EntityContext, Field};
use crate::engine::push::match_question;
use crate::engine::run::{Step, StepError};
use crate::model::{ChangeAction, Entity};
use crate::store::changes::OpenIntent;
use crate::store::{WorkspaceTx, app_rows, links, questions};
use crate::sync::same_meaning;

/// How long a create may still turn up.
const TURNS_UP: TimeDelta = TimeDelta::minutes(10);

/// How far the CRM's stamp of a record may lie before our own of its create.
const CLOCKS: TimeDelta = TimeDelta::minutes(1);

/// The intents that can be settled now; an error where there are none yet.
pub(super) fn ripe<'a>(
    step: &Step,
    context: &EntityContext,
    intents: &[&'a OpenIntent],
    now: DateTime<Utc>,
) -> Result<Vec<&'a OpenIntent>, StepError> {
    let can_ask = step.connector()?.external_id_field(&context.description).is_some();
    let is_ripe =
        |intent: &&&OpenIntent| can_ask || intent.action != ChangeAction::Create || now - intent.created_at >= TURNS_UP;
    let ripe: Vec<&OpenIntent> = intents.iter().filter(is_ripe).copied().collect();
    if ripe.is_empty() { Err(StepError::Unsure) } else { Ok(ripe) }
}

/// Asks for records by the names that were sent.
pub(super) fn lookup(context: &EntityContext, creates: &[&OpenIntent]) -> Option<KeyLookup> {
    let field = name_field(context)?;
    let values: Vec<String> = creates.iter().filter_map(|intent| sent_name(field, intent)).collect();
    (!values.is_empty()).then(|| KeyLookup { field: field.mapped.crm_field.clone(), values })
}

/// The record that each create has made, by the intent, where exactly one can be it. Where some may be it, a person is asked.
pub(super) async fn tell(
    tx: &mut WorkspaceTx,
    step: &Step,
    context: &EntityContext,
    intents: &[&OpenIntent],
    alike: Vec<CrmRecord>,
) -> Result<HashMap<i64, CrmRecord>, StepError> {
    let (Some(field), false) = (name_field(context), alike.is_empty()) else { return Ok(HashMap::new()) };
    let (config_id, entity) = (step.run.config_id, context.entity);
    let ids: Vec<String> = alike.iter().map(|record| record.id.clone()).collect();
    let taken: Vec<String> = links::by_crm_ids(tx, config_id, entity, &ids)
        .await?
        .into_iter()
        .filter_map(|link| link.crm_record_id)
        .collect();
    let free: Vec<&CrmRecord> = alike.iter().filter(|record| !record.deleted && !taken.contains(&record.id)).collect();
    let mut made: BTreeMap<&str, Vec<&OpenIntent>> = BTreeMap::new();
    let mut open: Vec<(&OpenIntent, Vec<&CrmRecord>)> = Vec::new();
    for intent in intents.iter().filter(|intent| intent.action == ChangeAction::Create) {
        let Some(name) = sent_name(field, intent) else { continue };
        let since = (intent.created_at - CLOCKS).timestamp_millis();
        let may_be = |record: &&&CrmRecord| {
            let named = record.fields.get(&field.mapped.crm_field).cloned().flatten();
            record.modified_at >= since && same_meaning(field.mapped.crm_kind, &named, &Some(name.clone()))
        };
        let possible: Vec<&CrmRecord> = free.iter().filter(may_be).copied().collect();
        let exact: Vec<&CrmRecord> =
            possible.iter().filter(|record| is_as_sent(context, intent, record)).copied().collect();
        match exact.as_slice() {
            [one] => made.entry(&one.id).or_default().push(intent),
            _ if possible.is_empty() => {}
            _ => open.push((intent, possible)),
        }
    }
    let mut found = HashMap::new();
    for (crm_id, makers) in made {
        let Some(record) = free.iter().find(|record| record.id == crm_id) else { continue };
        match makers.as_slice() {
            [one] => {
                found.insert(one.id, (*record).clone());
            }
            several => open.extend(several.iter().map(|intent| (*intent, vec![*record]))),
        }
    }
    ask(tx, step, context, &open).await?;
    Ok(found)
}

async fn ask(
    tx: &mut WorkspaceTx,
    step: &Step,
    context: &EntityContext,
    open: &[(&OpenIntent, Vec<&CrmRecord>)],
) -> Result<(), StepError> {
    let record_ids: Vec<Uuid> = open.iter().filter_map(|(intent, _)| intent.record_id).collect();
    let rows = app_rows::read(tx, context.entity, &record_ids).await?;
    let mut asked = Vec::new();
    for (intent, possible) in open {
        let row = rows.iter().find(|row| Some(row.id) == intent.record_id);
        asked.extend(possible.iter().map(|record| match_question(context, record, row)));
    }
    questions::raise(tx, step.run.config_id, step.run.id, context.entity, &asked).await?;
    Ok(())
}

fn name_field(context: &EntityContext) -> Option<&Field> {
    let name = match context.entity {
        Entity::Contact => "last_name",
        Entity::Account | Entity::Opportunity => "name",
    };
    context.fields.iter().find(|field| field.mapped.app_field == name)
}

fn sent_name(field: &Field, intent: &OpenIntent) -> Option<String> {
    let sent = intent.fields.iter().find(|change| change.field == field.mapped.crm_field);
    sent.and_then(|change| change.after.clone())
}

fn is_as_sent(context: &EntityContext, intent: &OpenIntent, record: &CrmRecord) -> bool {
    intent.fields.iter().all(|change| {
        let field = context.fields.iter().find(|field| field.mapped.crm_field == change.field);
        let now = record.fields.get(&change.field).cloned().flatten();
        field.is_none_or(|field| same_meaning(field.mapped.crm_kind, &now, &change.after))
    })
}
