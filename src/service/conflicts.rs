//! Conflicts: listed, read, settled.

use uuid::Uuid;

use super::paging::{PagePart, cursor_after};
use super::{ServiceError, Services, Viewer};
use crate::store::conflicts::StoredConflict;
use crate::store::{self, WorkspaceTx};
use crate::view::conflicts::{Conflict, ConflictAnswer, ConflictList};
use crate::view::instant::rfc3339;
use crate::view::pagination::Pagination;

pub use crate::store::conflicts::ConflictFilter;

/// A page of conflicts.
pub async fn list(
    services: &Services,
    viewer: &Viewer,
    filter: &ConflictFilter,
    page: PagePart,
) -> Result<ConflictList, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let (conflicts, pagination) = page_of(&mut tx, filter, page).await?;
    tx.commit().await?;
    Ok(ConflictList {
        conflicts: conflicts.into_iter().map(|conflict| view(viewer.workspace_id, conflict)).collect(),
        pagination,
    })
}

/// The rows of a page, and which part of the list they are.
pub(super) async fn page_of(
    tx: &mut WorkspaceTx,
    filter: &ConflictFilter,
    page: PagePart,
) -> Result<(Vec<StoredConflict>, Pagination), ServiceError> {
    let total = store::conflicts::count(tx, filter).await?;
    let mut conflicts = store::conflicts::list(tx, filter, page.limit + 1, page.offset, page.after).await?;
    let more = conflicts.len() > usize::try_from(page.limit).unwrap_or(usize::MAX);
    if more {
        conflicts.pop();
    }
    let next_cursor = conflicts.last().filter(|_| more).map(|last| cursor_after(last.detected_at, last.id));
    Ok((conflicts, Pagination { total, limit: page.limit, offset: page.offset, next_cursor }))
}

/// One conflict.
pub async fn get(services: &Services, viewer: &Viewer, id: Uuid) -> Result<ConflictAnswer, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let conflict = load(&mut tx, id).await?;
    tx.commit().await?;
    Ok(ConflictAnswer { conflict: view(viewer.workspace_id, conflict) })
}

pub(super) async fn load(tx: &mut WorkspaceTx, id: Uuid) -> Result<StoredConflict, ServiceError> {
    store::conflicts::load(tx, id).await?.ok_or_else(|| ServiceError::not_found("conflict"))
}

pub(super) fn view(workspace_id: Uuid, conflict: StoredConflict) -> Conflict {
    Conflict {
        id: conflict.id,
        config_id: conflict.config_id,
        workspace_id,
        kind: conflict.kind,
        entity_type: conflict.entity.plural().to_owned(),
        entity_id: conflict.record_id,
        crm_record_id: conflict.crm_record_id,
        app_data: conflict.app,
        crm_data: conflict.crm,
        base_data: conflict.base,
        crm_raw: conflict.crm_raw,
        conflicting_fields: conflict.fields,
        status: conflict.status,
        resolution_strategy: conflict.strategy,
        merged_data: conflict.merged,
        version: conflict.version,
        resolved_by: conflict.resolved_by,
        resolved_at: conflict.resolved_at.map(rfc3339),
        detected_at: rfc3339(conflict.detected_at),
        updated_at: rfc3339(conflict.updated_at),
    }
}
