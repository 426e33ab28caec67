//! Server functions of the API keys.

use leptos::prelude::*;
use uuid::Uuid;

use crate::view::Problem;
use crate::view::people::ApiKeysPage;

/// The keys of the workspace, and one that was just made by a form without script.
#[server(prefix = "/fn", endpoint = "load_api_keys")]
pub async fn load_api_keys() -> Result<ApiKeysPage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let keys = crate::service::api_keys::list(&services, &viewer).await?;
    Ok(ApiKeysPage { keys, new_key: crate::ui::server::shown_once("/api-keys") })
}

/// Makes a key and answers with it, the only time that it is shown.
#[server(prefix = "/fn", endpoint = "create_api_key")]
pub async fn create_api_key(name: String) -> Result<String, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let key = crate::service::api_keys::create(&services, &viewer, &name).await?;
    if crate::ui::server::is_plain_form() {
        crate::ui::server::show_once("/api-keys", &key.token);
        leptos_axum::redirect("/api-keys");
    }
    Ok(key.token)
}

/// Revokes a key for good.
#[server(prefix = "/fn", endpoint = "revoke_api_key")]
pub async fn revoke_api_key(id: Uuid) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    crate::service::api_keys::revoke(&services, &viewer, id).await?;
    leptos_axum::redirect("/api-keys");
    Ok(())
}
