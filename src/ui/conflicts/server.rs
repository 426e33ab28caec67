//! Server functions of the conflicts. After a decision the next one that waits opens.

use std::collections::BTreeMap;

use leptos::prelude::*;
use uuid::Uuid;

use crate::model::ResolutionStrategy;
use crate::view::Problem;
use crate::view::conflicts::{ConflictPage, ConflictsAsked, ConflictsPage};

/// The list as its address asks for it.
#[server(prefix = "/fn", endpoint = "load_conflicts")]
pub async fn load_conflicts(#[server(default)] asked: ConflictsAsked) -> Result<ConflictsPage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::conflict_pages::list(&services, &viewer, &asked).await?)
}

/// One conflict.
#[server(prefix = "/fn", endpoint = "load_conflict")]
pub async fn load_conflict(id: Uuid) -> Result<ConflictPage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::conflict_pages::one(&services, &viewer, id).await?)
}

/// Resolves field by field: `choices[phone]` is `app`, `crm` or `value`, and `values[phone]` the value put together.
#[server(prefix = "/fn", endpoint = "resolve_conflict")]
pub async fn resolve_conflict(
    id: Uuid,
    version: i32,
    #[server(default)] choices: BTreeMap<String, String>,
    #[server(default)] values: BTreeMap<String, String>,
) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let decision = crate::service::conflict_pages::Decision { version, choices, values };
    let next = crate::service::conflict_pages::decide(&services, &viewer, id, &decision).await?;
    leptos_axum::redirect(&crate::service::conflict_pages::address_after(next));
    Ok(())
}

/// Decides about a record as a whole, or for one side in every field; `always` makes it the rule.
#[server(prefix = "/fn", endpoint = "settle_conflict")]
pub async fn settle_conflict(
    id: Uuid,
    version: i32,
    strategy: ResolutionStrategy,
    #[server(default)] always: bool,
    confirmed: Option<i64>,
) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let next = crate::service::conflict_pages::next_of(&services, &viewer, id).await?;
    let merged = serde_json::Map::new();
    let resolution = crate::service::settle::Resolution { strategy, merged, version: Some(version), always, confirmed };
    crate::service::settle::resolve(&services, &viewer, id, &resolution).await?;
    leptos_axum::redirect(&crate::service::conflict_pages::address_after(next));
    Ok(())
}

/// Accepts the difference.
#[server(prefix = "/fn", endpoint = "ignore_conflict")]
pub async fn ignore_conflict(id: Uuid, version: i32) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let next = crate::service::conflict_pages::next_of(&services, &viewer, id).await?;
    crate::service::settle::ignore(&services, &viewer, id, Some(version)).await?;
    leptos_axum::redirect(&crate::service::conflict_pages::address_after(next));
    Ok(())
}
