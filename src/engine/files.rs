//! Files of linked records, after everything else of a run: each record's are listed on both sides and compared, then what is
//! to be moved goes one file a step.
//!
//! Invariants: a file is noted as sent before it goes, and goes again only when a later look shows that it did not arrive;
//! what came is kept only if it has the size and the checksum that the CRM told.

mod moving;

use uuid::Uuid;

use super::position::{Phase, Position};
use super::run::{Step, StepError};
use crate::model::{Entity, FieldDirection};
use crate::store::file_ties;
use crate::store::runs;
use crate::sync::compare_files;

pub(crate) use moving::next;

/// What follows the deletes of a run.
pub(crate) fn after_deletes(step: &Step) -> Position {
    let first = entities(step).next().filter(|_| step.connection.options.sync_files);
    step.position.to_phase(first.map_or(Phase::Finish, |entity| Phase::ListFiles { entity, after: None }))
}

/// Looks at the files of the next records behind `after` (a link), and notes what is to be moved.
pub(crate) async fn list(step: &Step, entity: Entity, after: Option<Uuid>) -> Result<Position, StepError> {
    let config_id = step.run.config_id;
    let most = i64::try_from(step.connector()?.files().list_size()).unwrap_or(i64::MAX);
    let mut tx = step.begin().await?;
    let records = file_ties::linked_records(&mut tx, config_id, entity, after, most).await?;
    tx.commit().await?;
    let Some(last) = records.last() else {
        let behind = entities(step).skip_while(|other| *other != entity).nth(1);
        let phase = behind.map_or(Phase::MoveFiles { after: None }, |entity| Phase::ListFiles { entity, after: None });
        return go_on(step, step.position.to_phase(phase)).await;
    };
    let position = step.position.to_phase(Phase::ListFiles { entity, after: Some(last.link_id) });
    let ids: Vec<String> = records.iter().map(|record| record.crm_record_id.clone()).collect();
    let ids = &ids;
    // Its time is taken before the CRM is asked: what is sent later is not missed by this look.
    let asked_at = step.engine.crm.clock.now().timestamp_millis();
    let listed = step.call(|crm| async move { crm.connector.files().list(&crm.session, entity, ids).await }).await?;

    let mut tx = step.begin().await?;
    step.advance(&mut tx, &position).await?;
    runs::hold_step(&mut tx, step.run.id).await?;
    let record_ids: Vec<Uuid> = records.iter().map(|record| record.record_id).collect();
    let app_files = file_ties::app_files(&mut tx, entity, &record_ids).await?;
    let ties = file_ties::of_records(&mut tx, config_id, entity, &record_ids).await?;
    for record in &records {
        let theirs = listed.get(&record.crm_record_id).map(Vec::as_slice).unwrap_or_default();
        let ours: Vec<_> = of(&app_files, record.record_id);
        let known: Vec<_> = of(&ties, record.record_id);
        for tie in compare_files(&record.crm_record_id, theirs, &ours, &known, direction(step), asked_at) {
            file_ties::write(&mut tx, config_id, entity, record.record_id, &tie).await?;
        }
    }
    step.note_calls(&mut tx).await?;
    tx.commit().await?;
    Ok(position)
}

/// Commits nothing but the position.
async fn go_on(step: &Step, position: Position) -> Result<Position, StepError> {
    let mut tx = step.begin().await?;
    step.advance(&mut tx, &position).await?;
    tx.commit().await?;
    Ok(position)
}

fn direction(step: &Step) -> FieldDirection {
    step.connection.direction.common(step.run.direction)
}

/// The entities of the run, in its order.
fn entities(step: &Step) -> impl Iterator<Item = Entity> + '_ {
    step.connection.entities.iter().copied().filter(|entity| step.run.entities.contains(entity))
}

/// What belongs to one record.
fn of<T: Clone>(all: &[(Uuid, T)], record_id: Uuid) -> Vec<T> {
    all.iter().filter(|(of, _)| *of == record_id).map(|(_, one)| one.clone()).collect()
}
