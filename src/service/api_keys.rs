//! API keys: made by an admin, shown once, revoked for good.

use uuid::Uuid;

use super::{ServiceError, Services, Viewer};
use crate::model::Capability;
use crate::security::tokens;
use crate::store::api_keys;
use crate::view::Moment;
use crate::view::people::ApiKeyRow;
use crate::view::session::NewApiKey;

const LONGEST_NAME: usize = 100;
const PREFIX_LENGTH: usize = 8;

/// Every key of the workspace: those in use first, then newest first.
pub async fn list(services: &Services, viewer: &Viewer) -> Result<Vec<ApiKeyRow>, ServiceError> {
    viewer.require(Capability::ManagePeople)?;
    let mut tx = services.begin(viewer).await?;
    let mut keys = api_keys::list(&mut tx).await?;
    let now = tx.now();
    tx.commit().await?;
    keys.sort_by_key(|key| key.revoked_at.is_some());
    let row = |key: api_keys::StoredApiKey| ApiKeyRow {
        id: key.id,
        name: key.name,
        prefix: key.prefix,
        email: key.email,
        created: Moment::new(key.created_at, now),
        last_used: key.last_used_at.map(|at| Moment::new(at, now)),
        revoked: key.revoked_at.map(|at| Moment::new(at, now)),
    };
    Ok(keys.into_iter().map(row).collect())
}

/// Makes a key that acts as the viewer.
pub async fn create(services: &Services, viewer: &Viewer, name: &str) -> Result<NewApiKey, ServiceError> {
    viewer.require(Capability::ManagePeople)?;
    let name = name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(ServiceError::invalid("name", "Say in 1 to 100 characters what the key is for."));
    }
    let key = NewApiKey { id: services.rng.uuid(), token: tokens::api_key(services.rng.as_ref()) };
    let mut tx = services.begin(viewer).await?;
    add(&mut tx, &key, viewer.user_id, name).await?;
    tx.commit().await?;
    Ok(key)
}

/// Revokes a key for good.
pub async fn revoke(services: &Services, viewer: &Viewer, id: Uuid) -> Result<(), ServiceError> {
    viewer.require(Capability::ManagePeople)?;
    let mut tx = services.begin(viewer).await?;
    if !api_keys::revoke(&mut tx, id).await? {
        return Err(ServiceError::not_found("API key"));
    }
    tx.commit().await?;
    Ok(())
}

/// Stores a key within the caller's transaction.
pub(super) async fn add(
    tx: &mut crate::store::WorkspaceTx,
    key: &NewApiKey,
    user_id: Uuid,
    name: &str,
) -> Result<(), ServiceError> {
    let prefix: String = key.token.chars().take(PREFIX_LENGTH).collect();
    let token_hash = tokens::hash(&key.token);
    let stored = api_keys::NewStoredApiKey { id: key.id, user_id, name, token_hash: &token_hash, prefix: &prefix };
    Ok(api_keys::add(tx, &stored).await?)
}
