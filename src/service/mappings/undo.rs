//! Taking published changes back, as long as nothing has changed the mappings since.

use uuid::Uuid;

use super::{connection, insert, locked, publish, published, rule_of, take_away, write};
use crate::model::Capability;
use crate::service::{ServiceError, Services, Viewer};
use crate::store::WorkspaceTx;
use crate::store::mappings::{self, MappingChange, MappingRow, Published};

/// Takes changes back and publishes that, all of them or none. Returns the changes that this is itself.
pub async fn undo(
    services: &Services,
    viewer: &Viewer,
    config_id: Uuid,
    change_ids: &[Uuid],
) -> Result<Vec<MappingChange>, ServiceError> {
    viewer.require(Capability::ManageMappings)?;
    let mut tx = services.begin(viewer).await?;
    connection(&mut tx, config_id).await?;
    let mut undone = Vec::with_capacity(change_ids.len());
    for change_id in change_ids {
        undone.push(undo_one(services, viewer, &mut tx, config_id, *change_id).await?);
    }
    tx.commit().await?;
    Ok(undone)
}

async fn undo_one(
    services: &Services,
    viewer: &Viewer,
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    change_id: Uuid,
) -> Result<MappingChange, ServiceError> {
    let change = mappings::change(tx, config_id, change_id).await?.ok_or_else(|| ServiceError::not_found("change"))?;
    if !is_latest(tx, config_id, &change).await? {
        return Err(ServiceError::state(
            "mapping_changed",
            "The mapping has been changed since. Look at it as it is now, and change it by hand.",
        ));
    }
    let by = viewer.user_id;
    let back = match (&change.before, &change.after) {
        (None, _) => {
            let row = locked(tx, config_id, change.mapping_id).await?;
            let id = take_away(tx, config_id, &row, services.rng.uuid(), by).await?;
            MappingChange { id, before: change.after.clone(), after: None, ..change }
        }
        (Some(before), after) => {
            // A mapping that was removed comes back as a new one: what was agreed about it is forgotten.
            let mapping_id = if after.is_some() { change.mapping_id } else { services.rng.uuid() };
            let row = row_of(mapping_id, &change, before);
            match after {
                Some(_) => {
                    let current = locked(tx, config_id, mapping_id).await?;
                    write(tx, config_id, &current, &row).await?;
                    if current.app_field != row.app_field {
                        mappings::set_rule(tx, config_id, row.entity, &current.app_field, None, by).await?;
                    }
                }
                None => insert(tx, config_id, &row).await?,
            }
            mappings::set_rule(tx, config_id, row.entity, &row.app_field, before.rule, by).await?;
            let back = MappingChange {
                id: services.rng.uuid(),
                entity: row.entity,
                mapping_id,
                before: after.clone(),
                after: Some(before.clone()),
            };
            publish(tx, config_id, &back, by).await?;
            back
        }
    };
    Ok(back)
}

/// Whether the mapping still is as this change left it.
pub(super) async fn is_latest(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    change: &MappingChange,
) -> Result<bool, ServiceError> {
    let rows = mappings::list(tx, config_id).await?;
    let of_entity = || rows.iter().filter(|row| row.entity == change.entity);
    let Some(after) = &change.after else {
        let before = change.before.as_ref();
        let is_free = |row: &MappingRow| {
            before.is_some_and(|before| row.app_field != before.app_field && row.crm_field != before.crm_field)
        };
        return Ok(of_entity().all(is_free));
    };
    let Some(row) = of_entity().find(|row| row.id == change.mapping_id) else { return Ok(false) };
    let rule = rule_of(tx, config_id, row.entity, &row.app_field).await?;
    let app_field_is_free = change.before.as_ref().is_none_or(|before| {
        before.app_field == row.app_field || of_entity().all(|other| other.app_field != before.app_field)
    });
    Ok(published(row, rule) == *after && app_field_is_free)
}

fn row_of(id: Uuid, change: &MappingChange, published: &Published) -> MappingRow {
    MappingRow {
        id,
        entity: change.entity,
        crm_field: published.crm_field.clone(),
        app_field: published.app_field.clone(),
        direction: published.sync_direction,
        transform: published.transform_function.clone(),
        value_map: published.value_map.clone(),
        suspended: None,
    }
}
