//! The guards before a run's deletes: sweeps of one field, and too many deletes of one entity on one side, are kept for an
//! admin, all others go.

use chrono::TimeDelta;

use crate::engine::position::{Phase, Position};
use crate::engine::run::{Step, StepError};
use crate::engine::sweeps;
use crate::model::Side;
use crate::store::{WorkspaceTx, changes, holds, links, runs};
use crate::sync::guard_holds;

/// Holds what is too much, noting why, and goes on to the deletes.
pub(in crate::engine) async fn run(step: &Step) -> Result<Position, StepError> {
    let mut position = step.position.to_phase(Phase::Delete);
    let mut tx = step.begin().await?;
    if step.run.held_decision.is_some() {
        // It carries out what was decided and nothing else.
        step.advance(&mut tx, &position).await?;
        tx.commit().await?;
        return Ok(position);
    }
    runs::hold_step(&mut tx, step.run.id).await?;
    let mut held: Vec<serde_json::Value> =
        step.run.held_reason.as_ref().and_then(|reason| reason.as_array().cloned()).unwrap_or_default();
    let before = held.len();
    let again = sweeps::judge(step, &mut tx, &mut position.let_go, &mut held).await?;
    if !again.is_empty() {
        // Few enough: they go before the deletes do.
        position = Position { let_go: position.let_go, ..Position::start(again) };
    } else {
        judge_deletes(step, &mut tx, &mut held).await?;
    }
    step.advance(&mut tx, &position).await?;
    if held.len() > before {
        holds::note_reason(&mut tx, step.run.id, &serde_json::Value::Array(held)).await?;
    }
    tx.commit().await?;
    Ok(position)
}

async fn judge_deletes(step: &Step, tx: &mut WorkspaceTx, held: &mut Vec<serde_json::Value>) -> Result<(), StepError> {
    let (options, config_id) = (&step.connection.options, step.run.config_id);
    let since = tx.now() - TimeDelta::hours(24);
    for entity in step.connection.entities.iter().copied() {
        for side in [Side::App, Side::Crm] {
            let deletes = links::count_pending_deletes(tx, config_id, entity, side).await?;
            if deletes == 0 {
                continue;
            }
            let recent = changes::deletes_since(tx, config_id, entity, side, since).await?;
            let all = links::count_open(tx, config_id, entity).await?;
            let unsigned = |count: i64| u64::try_from(count).unwrap_or_default();
            let (records, percent) = (options.guard_records, options.guard_percent);
            if step.run.is_wary || guard_holds(unsigned(deletes), unsigned(recent), unsigned(all), records, percent) {
                holds::hold_deletes(tx, config_id, entity, side, step.run.id).await?;
                held.push(serde_json::json!({
                    "entityType": entity.plural(), "side": side, "deletes": deletes, "links": all,
                    "restored": step.run.is_wary,
                }));
            }
        }
    }
    Ok(())
}
