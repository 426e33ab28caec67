//! CRM records that this workspace has made and whose link is not there: a database that was restored does not know them.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{instant, is_alive, is_open};
use crate::connectors::CrmRecord;
use crate::engine::batch::Batch;
use crate::engine::context::EntityContext;
use crate::engine::matching::link_pair;
use crate::engine::push::external_id;
use crate::engine::run::{Step, StepError};
use crate::engine::translate::Translated;
use crate::store::pending::MatchCandidate;
use crate::store::{WorkspaceTx, app_rows, links};

/// A CRM record without a partner, its link where it could not be created in the app before, and its values.
type Stranger<'a> = (&'a CrmRecord, Option<Uuid>, Translated);

/// Links the strangers that carry the id of an app record without a partner, and returns the others. The id goes before every
/// match key.
pub(super) async fn meet<'a>(
    step: &Step,
    tx: &mut WorkspaceTx,
    context: &EntityContext,
    batch: &mut Batch<'_>,
    strangers: Vec<Stranger<'a>>,
) -> Result<Vec<Stranger<'a>>, StepError> {
    let Some(field) = step.connector()?.external_id_field(&context.description) else { return Ok(strangers) };
    let prefix = external_id(step, "");
    let named = |record: &CrmRecord| {
        let value = record.fields.get(&field).cloned().flatten()?;
        value.strip_prefix(&prefix)?.parse::<Uuid>().ok()
    };
    let ids: Vec<Uuid> = strangers.iter().filter_map(|(record, ..)| named(record)).collect();
    if ids.is_empty() {
        return Ok(strangers);
    }
    let rows = app_rows::lock(tx, context.entity, &ids).await?;
    let mut free: HashSet<Uuid> = rows.iter().filter(|row| is_alive(row)).map(|row| row.id).collect();
    let mut creating: HashMap<Uuid, Uuid> = HashMap::new();
    for link in links::by_record_ids(tx, step.run.config_id, context.entity, &ids).await? {
        let Some(record_id) = link.record_id.filter(|_| is_open(&link)) else { continue };
        if link.crm_record_id.is_none() {
            creating.insert(record_id, link.id);
        } else {
            free.remove(&record_id);
        }
    }
    let mut others = Vec::new();
    for (record, link_id, translated) in strangers {
        // Of two records with one id, as a copy in the CRM makes them, the second is a stranger.
        let Some(record_id) = named(record).filter(|id| free.remove(id)) else {
            others.push((record, link_id, translated));
            continue;
        };
        let stamps = super::CrmStamps::from_ms(record.modified_at, record.edited_at);
        let candidate = MatchCandidate {
            crm_record_id: record.id.clone(),
            fields: record.fields.clone(),
            crm_modified_at: instant(record.modified_at),
            crm_edited_at: instant(record.edited_at),
        };
        let link_id = link_id.or_else(|| creating.get(&record_id).copied());
        link_pair(context, batch, step, &candidate, (link_id, record_id), stamps);
    }
    Ok(others)
}
