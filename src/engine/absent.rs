//! Linked records that a full reading did not show: each is asked for by its id. Absence alone is never a delete.

use std::collections::HashMap;

use super::batch::{Batch, refused_change};
use super::context::EntityContext;
use super::deletes;
use super::matching::seen;
use super::position::{Phase, Position, ReadState};
use super::push_outcome::not_visible;
use super::run::{Step, StepError};
use super::translate::Pair;
use crate::connectors::CrmRecord;
use crate::model::{LinkState, LogDirection, Stage};
use crate::store::links::{self, LinkWrite};
use crate::store::runs;

/// Links that are asked for in one step.
const AT_ONCE: i64 = 1000;

/// Asks for some of them, where there are any; the step after meets the others. `None`: the reading has shown all.
pub(crate) async fn ask(
    step: &Step,
    context: &EntityContext,
    state: &ReadState,
) -> Result<Option<Position>, StepError> {
    let (config_id, entity) = (step.run.config_id, context.entity);
    let Some(started_at) = step.run.started_at.filter(|_| state.since.is_none() && !context.keeps_crm_edits) else {
        return Ok(None);
    };
    let mut tx = step.begin().await?;
    let missing = links::not_shown_since(&mut tx, config_id, entity, started_at, AT_ONCE).await?;
    tx.commit().await?;
    let ids: Vec<String> = missing.into_iter().filter_map(|link| link.crm_record_id).collect();
    if ids.is_empty() {
        return Ok(None);
    }
    let (fields, asked) = (&context.crm_fields(), &ids);
    let records =
        step.call(|crm| async move { crm.connector.read_by_id(&crm.session, entity, fields, asked).await }).await?;
    let found: HashMap<&str, &CrmRecord> = records.iter().map(|record| (record.id.as_str(), record)).collect();

    let position = step.position.to_phase(Phase::Match(state.clone()));
    let mut tx = step.begin().await?;
    step.advance(&mut tx, &position).await?;
    runs::hold_step(&mut tx, step.run.id).await?;
    let mut batch = Batch::new(context, step.engine.crm.rng.as_ref());
    let still = links::not_shown_since(&mut tx, config_id, entity, started_at, AT_ONCE).await?;
    let count = still.len();
    for link in still {
        let Some(crm_id) = link.crm_record_id.as_deref().filter(|id| asked.iter().any(|other| other == id)) else {
            continue;
        };
        match found.get(crm_id) {
            Some(record) if record.merged_into.is_some() => {
                let records = [(*record).clone()];
                let pairs = [Pair { link: Some(link), ..Pair::default() }];
                deletes::crm_records_merged(&mut tx, step, context, &mut batch, &records, &pairs).await?;
            }
            Some(record) if record.deleted => {
                let deleted_at = Some(record.modified_at);
                deletes::crm_record_gone(&mut tx, step, context, &mut batch, link, deleted_at).await?;
            }
            // Alive: the push that follows merges it.
            Some(record) => {
                batch.write_link(LinkWrite { due: true, seen: seen(context, &record.fields), ..link.to_write() });
            }
            None => {
                let failure = not_visible();
                let write = LinkWrite { state: LinkState::NotVisible, due: false, ..link.to_write() };
                batch.journal(LogDirection::Pull, refused_change(&write, &failure));
                batch.counters(LogDirection::Pull).failed += 1;
                batch.write_link(LinkWrite { failure: Some(failure), ..write });
            }
        }
    }
    step.commit(tx, batch, Stage::Read, count).await?;
    Ok(Some(position))
}
