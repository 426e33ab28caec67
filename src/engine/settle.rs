//! Intents that a death or a lost answer left open: the CRM is asked what became of them before anything else is done.
//!
//! Once some are settled the step begins anew ([`StepError::Settled`]), because what it read is no longer true.

mod unsure;

use std::collections::HashMap;

use uuid::Uuid;

use super::context::EntityContext;
use super::push::external_id;
use super::push_outcome::move_base;
use super::run::{Step, StepError};
use crate::connectors::{CrmRecord, KeyLookup};
use crate::model::{ChangeAction, Entity, LinkState};
use crate::store::changes::{self, OpenIntent, Settlement};
use crate::store::links::{self, LateWrite, LinkWrite, PUT_BACK};
use crate::store::runs;
use crate::sync::{Assignment, Rule, same_meaning};

/// How long a write that was not applied may still turn up (`sync.md`, "One run"), milliseconds.
const LATE_MS: i64 = 24 * 3600 * 1000;

/// Settles the first batch of open intents of the connection, if there are any.
pub(crate) async fn settle_open_intents(step: &Step) -> Result<(), StepError> {
    let mut tx = step.begin().await?;
    let open = changes::open_intents(&mut tx, step.run.config_id).await?;
    tx.commit().await?;
    for entity in Entity::ALL.iter().copied() {
        let intents: Vec<&OpenIntent> = open.iter().filter(|intent| intent.entity == entity).collect();
        if let Some(chunk) = intents.chunks(step.connector()?.batch_size()).next() {
            settle(step, entity, chunk).await?;
            return Err(StepError::Settled);
        }
    }
    Ok(())
}

async fn settle(step: &Step, entity: Entity, intents: &[&OpenIntent]) -> Result<(), StepError> {
    let (tx, context) = step.begin_with_context(entity).await?;
    let now = tx.now();
    tx.commit().await?;
    let intents = unsure::ripe(step, &context, intents, now)?;
    let Found { by_id, by_external_id, alike } = read(step, &context, &intents).await?;

    let mut tx = step.begin().await?;
    step.advance(&mut tx, &step.position).await?;
    runs::hold_step(&mut tx, step.run.id).await?;
    let record_ids: Vec<Uuid> = intents.iter().filter_map(|intent| intent.record_id).collect();
    let stored = links::by_record_ids(&mut tx, step.run.config_id, entity, &record_ids).await?;
    let unsure = unsure::tell(&mut tx, step, &context, &intents, alike).await?;
    let mut settlements = Vec::new();
    let mut writes = Vec::new();
    for intent in &intents {
        let found = match (&intent.crm_record_id, intent.record_id) {
            (Some(crm_id), _) => by_id.get(crm_id),
            (None, Some(record_id)) => {
                by_external_id.get(&external_id(step, record_id)).or_else(|| unsure.get(&intent.id))
            }
            (None, None) => None,
        };
        let link = stored.iter().find(|link| Some(link.id) == intent.link_id);
        let applied = is_applied(&context, intent, found);
        match link {
            Some(link) if applied => writes.push(applied_link(&context, intent, found, link.to_write())),
            // It may be on its way still. Of a create only the look-up before the next one can tell.
            Some(link) if intent.action == ChangeAction::Update => writes.push(late_link(intent, link.to_write())),
            _ => {}
        }
        settlements.push(Settlement {
            id: intent.id,
            state: if applied { "done" } else { "refused" },
            crm_record_id: found.map(|record| record.id.clone()),
            refusal: None,
        });
    }
    changes::settle(&mut tx, &settlements).await?;
    links::write(&mut tx, step.run.config_id, entity, &writes).await?;
    step.note_calls(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

/// What the CRM shows of records that intents are about.
struct Found {
    /// Records that were to be changed.
    by_id: HashMap<String, CrmRecord>,
    /// Records that were to be created, by their external id.
    by_external_id: HashMap<String, CrmRecord>,
    /// Records that carry the name of one that was to be created, where the CRM has no external id.
    alike: Vec<CrmRecord>,
}

async fn read(step: &Step, context: &EntityContext, intents: &[&OpenIntent]) -> Result<Found, StepError> {
    let entity = context.entity;
    let mut fields = context.crm_fields();
    let external = step.connector()?.external_id_field(&context.description);
    fields.extend(external.clone());
    let fields = &fields;
    let ids: Vec<String> = intents.iter().filter_map(|intent| intent.crm_record_id.clone()).collect();
    let ids = &ids;
    let by_id = if ids.is_empty() {
        Vec::new()
    } else {
        step.call(|crm| async move { crm.connector.read_by_id(&crm.session, entity, fields, ids).await }).await?
    };
    let creates: Vec<&OpenIntent> = intents.iter().filter(|intent| intent.crm_record_id.is_none()).copied().collect();
    let mut found = Found {
        by_id: by_id.into_iter().map(|record| (record.id.clone(), record)).collect(),
        by_external_id: HashMap::new(),
        alike: Vec::new(),
    };
    if creates.is_empty() {
        return Ok(found);
    }
    let lookup = match &external {
        Some(field) => {
            let values = creates.iter().filter_map(|intent| Some(external_id(step, intent.record_id?))).collect();
            Some(KeyLookup { field: field.clone(), values })
        }
        None => unsure::lookup(context, &creates),
    };
    let Some(lookup) = lookup else { return Ok(found) };
    let lookups = &[lookup];
    let records =
        step.call(|crm| async move { crm.connector.find(&crm.session, entity, fields, lookups).await }).await?;
    match external {
        Some(field) => {
            let by_value = |record: CrmRecord| Some((record.fields.get(&field)?.clone()?, record));
            found.by_external_id = records.into_iter().filter_map(by_value).collect();
        }
        None => found.alike = records,
    }
    Ok(found)
}

fn is_applied(context: &EntityContext, intent: &OpenIntent, found: Option<&CrmRecord>) -> bool {
    match (intent.action, found) {
        (ChangeAction::Delete, found) => found.is_none_or(|record| record.deleted),
        // Ours by its external id: the create was applied, whatever has been edited there since.
        (ChangeAction::Create, found) => found.is_some(),
        (_, None) => false,
        (_, Some(record)) => intent.fields.iter().all(|change| {
            let field = context.fields.iter().find(|field| field.mapped.crm_field == change.field);
            let kind = field.map_or(crate::model::FieldKind::Text, |field| field.mapped.crm_kind);
            record.fields.get(&change.field).is_some_and(|now| same_meaning(kind, now, &change.after))
        }),
    }
}

/// The link of an intent whose values were not there: should one turn up within a day, it is no edit of the CRM's.
fn late_link(intent: &OpenIntent, mut link: LinkWrite) -> LinkWrite {
    let until = intent.created_at.timestamp_millis() + LATE_MS;
    for change in intent.fields.iter().filter(|change| change.rule != Rule::PutBack.as_str()) {
        link.late.insert(change.app_field.clone(), LateWrite { value: change.after.clone(), until });
    }
    link.due = true;
    link
}

/// The link of an intent that turned out applied: what was sent is the base.
fn applied_link(
    context: &EntityContext,
    intent: &OpenIntent,
    found: Option<&CrmRecord>,
    mut link: LinkWrite,
) -> LinkWrite {
    if intent.action == ChangeAction::Delete {
        return LinkWrite { state: LinkState::GoneApp, due: false, ..link };
    }
    if intent.fields.iter().any(|change| change.rule == Rule::PutBack.as_str()) {
        // The CRM has its values again; the bases stay, both sides merge.
        let waiting = link.decision.take().unwrap_or_default();
        let rest: std::collections::BTreeMap<_, _> =
            waiting.into_iter().filter(|(_, choice)| choice.choice != PUT_BACK).collect();
        link.decision = Some(rest).filter(|rest| !rest.is_empty());
        link.due = true;
        return link;
    }
    link.state = LinkState::Linked;
    link.crm_record_id = found.map(|record| record.id.clone()).or(link.crm_record_id);
    for change in &intent.fields {
        let assignment = Assignment {
            field: change.field.clone(),
            app_field: change.app_field.clone(),
            before: change.before.clone(),
            after: change.after.clone(),
            rule: Rule::AppChanged,
            changed_at: None,
        };
        move_base(context, &mut link, &assignment, &change.from_app.clone().flatten(), None);
        link.seen.remove(&change.app_field);
    }
    // Edits made in the meantime, on either side, merge against that base.
    link.due = true;
    link
}
