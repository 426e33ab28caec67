//! Fields that the engine wrote A, B, A, B in consecutive runs: two programs disagree through us. Such a field rests until a
//! person releases it.

use super::batch::refused_change;
use super::run::{Step, StepError};
use crate::model::{LogDirection, Side};
use crate::store::links::{self, LinkFailure, LinkWrite};
use crate::store::runs::{self, Counters};
use crate::store::{WorkspaceTx, changes, holds};

/// Holds what fights, in the transaction that ends the run.
pub(crate) async fn hold(step: &Step, tx: &mut WorkspaceTx) -> Result<(), StepError> {
    let (config_id, run_id) = (step.run.config_id, step.run.id);
    for fight in holds::fights(tx, config_id, run_id).await? {
        let Some(link) = links::get(tx, fight.link_id).await? else { continue };
        if link.held_fields.contains(&fight.app_field) {
            continue;
        }
        let mut held = LinkWrite { due: false, failure: Some(failure(&fight.app_field)), ..link.to_write() };
        held.held_fields.push(fight.app_field);
        let log_id = runs::ensure_log(tx, &step.run, LogDirection::Push, fight.entity).await?;
        let row = held.failure.as_ref().map(|failure| refused_change(&held, failure));
        changes::add(tx, config_id, run_id, log_id, fight.entity, row.as_slice()).await?;
        runs::count(tx, log_id, &Counters { failed: 1, ..Counters::default() }).await?;
        links::write(tx, config_id, fight.entity, &[held]).await?;
    }
    Ok(())
}

fn failure(app_field: &str) -> LinkFailure {
    LinkFailure {
        code: "fight".to_owned(),
        crm_code: None,
        message: format!(
            "{app_field} went back and forth between the same two values in four runs: two programs each set their own. It \
             is left as it is on both sides. Stop one of the two, then retry."
        ),
        side: Side::Crm,
        fields: vec![app_field.to_owned()],
        retryable: true,
    }
}
