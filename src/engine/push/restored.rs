//! Records that came back after their link was closed, or that a person asks for again: linked again where the CRM has its
//! record still, else new.

use std::collections::HashMap;

use crate::connectors::CrmRecord;
use crate::engine::context::EntityContext;
use crate::engine::read::is_alive;
use crate::engine::run::{Step, StepError};
use crate::engine::translate::Pair;
use crate::model::LinkState;
use crate::store::links::StoredLink;
use crate::sync::Record;

/// Asks the CRM for the records of links that an app record's delete closed and its return opens.
pub(super) async fn meet_again(step: &Step, context: &EntityContext, pairs: &mut [Pair]) -> Result<(), StepError> {
    let ids: Vec<String> = pairs.iter().filter_map(closed_crm_id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let (fields, ids, entity) = (&context.crm_fields(), &ids, context.entity);
    let found =
        step.call(|crm| async move { crm.connector.read_by_id(&crm.session, entity, fields, ids).await }).await?;
    let mut living: HashMap<String, CrmRecord> =
        found.into_iter().filter(|record| !record.deleted).map(|record| (record.id.clone(), record)).collect();
    for pair in pairs {
        let Some(crm_id) = closed_crm_id(pair) else { continue };
        match living.remove(&crm_id) {
            Some(record) => {
                pair.crm_edited_at = Some(record.edited_at);
                pair.crm = Some(record.fields);
            }
            // Not visible still: it stays closed.
            None if pair.link.as_ref().is_some_and(|link| link.state == LinkState::NotVisible) => {}
            None => {
                pair.link = None;
                pair.crm = Some(Record::new());
            }
        }
    }
    Ok(())
}

/// Whether one of these records is such a one.
pub(super) fn is_among(pairs: &[Pair]) -> bool {
    pairs.iter().any(|pair| closed_crm_id(pair).is_some())
}

fn closed_crm_id(pair: &Pair) -> Option<String> {
    let is_back = pair.app.as_ref().is_some_and(is_alive);
    let is_asked = |link: &&StoredLink| match link.state {
        LinkState::GoneApp => true,
        LinkState::NotVisible => link.due,
        _ => false,
    };
    let link = pair.link.as_ref().filter(|_| is_back).filter(is_asked)?;
    link.crm_record_id.clone()
}
