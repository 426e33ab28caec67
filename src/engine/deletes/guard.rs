//! The guard before a run's deletes: too many of one entity on one side are kept for an admin, all others go.

use chrono::TimeDelta;

use crate::engine::position::{Phase, Position};
use crate::engine::run::{Step, StepError};
use crate::model::Side;
use crate::store::{changes, holds, links};
use crate::sync::guard_holds;

/// Holds what is too much, noting why, and goes on to the deletes.
pub(in crate::engine) async fn run(step: &Step) -> Result<Position, StepError> {
    let position = step.position.to_phase(Phase::Delete);
    let (options, config_id) = (&step.connection.options, step.run.config_id);
    let mut tx = step.begin().await?;
    step.advance(&mut tx, &position).await?;
    let since = tx.now() - TimeDelta::hours(24);
    let mut held = Vec::new();
    for entity in step.connection.entities.iter().copied() {
        for side in [Side::App, Side::Crm] {
            let deletes = links::count_pending_deletes(&mut tx, config_id, entity, side).await?;
            if deletes == 0 {
                continue;
            }
            let recent = changes::deletes_since(&mut tx, config_id, entity, side, since).await?;
            let all = links::count_open(&mut tx, config_id, entity).await?;
            let unsigned = |count: i64| u64::try_from(count).unwrap_or_default();
            let (records, percent) = (options.guard_records, options.guard_percent);
            if guard_holds(unsigned(deletes), unsigned(recent), unsigned(all), records, percent) {
                holds::hold_deletes(&mut tx, config_id, entity, side, step.run.id).await?;
                held.push(serde_json::json!({
                    "entityType": entity.plural(), "side": side, "deletes": deletes, "links": all,
                }));
            }
        }
    }
    if !held.is_empty() {
        holds::note_reason(&mut tx, step.run.id, &serde_json::Value::Array(held)).await?;
    }
    tx.commit().await?;
    Ok(position)
}
