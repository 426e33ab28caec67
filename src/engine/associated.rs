//! References whose change need not move a record's stamp, as HubSpot's associations: each linked record is asked for its own
//! once a day, when no window shows them (`sync.md`, "Finding changes").

use std::collections::HashMap;

use super::batch::Batch;
use super::context::{EntityContext, Field};
use super::position::{Phase, Position, ReadState};
use super::run::{Step, StepError};
use crate::model::Stage;
use crate::store::links::{self, LinkWrite, StoredLink};
use crate::store::runs;
use crate::sync::Value;

/// Links whose references are asked for in one step.
const AT_ONCE: i64 = 1000;

/// What the CRM tells of a batch: by field of the context and CRM record.
type Told<'c> = Vec<(&'c Field, HashMap<String, Value>)>;

/// Asks for the references of the linked records behind `after`, by the CRM's ids. The push that follows merges what differs.
pub(crate) async fn ask(
    step: &Step,
    context: &EntityContext,
    state: &ReadState,
    after: &str,
) -> Result<Position, StepError> {
    let (config_id, entity) = (step.run.config_id, context.entity);
    let mut tx = step.begin().await?;
    let asked = links::linked_behind(&mut tx, config_id, entity, after, AT_ONCE).await?;
    tx.commit().await?;
    let ids: Vec<String> = asked.iter().filter_map(|link| link.crm_record_id.clone()).collect();
    let told = told(step, context, &ids).await?;
    let is_last = ids.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX) || told.is_empty();
    let references_behind = ids.last().filter(|_| !is_last).cloned();
    let position = step.position.to_phase(Phase::Match(ReadState { references_behind, ..state.clone() }));

    let mut tx = step.begin().await?;
    step.advance(&mut tx, &position).await?;
    runs::hold_step(&mut tx, step.run.id).await?;
    let mut batch = Batch::new(context, step.engine.crm.rng.as_ref());
    let differ: Vec<String> = asked
        .iter()
        .filter(|link| !moved(link, &told).is_empty())
        .filter_map(|link| link.crm_record_id.clone())
        .collect();
    for link in links::by_crm_ids(&mut tx, config_id, entity, &differ).await? {
        let moved = moved(&link, &told);
        if !moved.is_empty() {
            let mut write = LinkWrite { due: true, ..link.to_write() };
            write.seen.extend(moved);
            batch.write_link(write);
        }
    }
    step.commit(tx, batch, Stage::Match, ids.len()).await?;
    Ok(position)
}

/// Whether any mapped field of this entity is a reference.
pub(crate) fn are_mapped(context: &EntityContext) -> bool {
    context.pulls && !context.keeps_crm_edits && context.fields.iter().any(|field| field.references.is_some())
}

async fn told<'c>(step: &Step, context: &'c EntityContext, ids: &[String]) -> Result<Told<'c>, StepError> {
    let mut told = Vec::new();
    if ids.is_empty() {
        return Ok(told);
    }
    for field in context.fields.iter().filter(|field| field.references.is_some()) {
        let (entity, name) = (context.entity, field.mapped.crm_field.as_str());
        let answer =
            step.call(|crm| async move { crm.connector.references(&crm.session, entity, name, ids).await }).await?;
        told.extend(answer.map(|partners| (field, partners)));
    }
    Ok(told)
}

/// The references of a link's record that are not as last known, by app field.
fn moved(link: &StoredLink, told: &Told<'_>) -> Vec<(String, Value)> {
    let Some(crm_id) = link.crm_record_id.as_ref() else { return Vec::new() };
    let moved = |(field, partners): &(&Field, HashMap<String, Value>)| {
        let now = partners.get(crm_id)?;
        let name = &field.mapped.app_field;
        let base = link.base.get(name).map(|base| &base.crm);
        let known = link.seen.get(name).or(base)?;
        (known != now).then(|| (name.clone(), now.clone()))
    };
    told.iter().filter_map(moved).collect()
}
