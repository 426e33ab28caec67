//! Server functions of the Integrations screen. A plain form comes back to where it was sent from.

use leptos::prelude::*;
use uuid::Uuid;

use crate::model::Provider;
use crate::view::Problem;
use crate::view::integrations::IntegrationsPage;

/// The whole screen.
#[server(prefix = "/fn", endpoint = "load_integrations")]
pub async fn load_integrations() -> Result<IntegrationsPage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::integrations::page(&services, &viewer).await?)
}

/// Starts a run: `everything`, `push`, `pull`, `compare`, or one entity by its plural.
#[server(prefix = "/fn", endpoint = "sync_now")]
pub async fn sync_now(config_id: Uuid, what: String) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let direction = what.parse::<crate::model::SyncDirection>().ok();
    let entities = crate::model::Entity::from_plural(&what).map(|entity| vec![entity]);
    let compares = what == "compare";
    crate::service::runs::trigger(&services, &viewer, config_id, direction, entities, compares).await?;
    Ok(())
}

/// Asks a run to stop.
#[server(prefix = "/fn", endpoint = "cancel_run")]
pub async fn cancel_run(job_id: Uuid) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    crate::service::runs::cancel(&services, &viewer, job_id).await?;
    Ok(())
}

/// Decides about a run that is held: its deletes are carried out or dropped.
#[server(prefix = "/fn", endpoint = "decide_held_run")]
pub async fn decide_held_run(job_id: Uuid, approve: bool) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    if approve {
        crate::service::runs::approve(&services, &viewer, job_id).await?;
    } else {
        crate::service::runs::reject(&services, &viewer, job_id).await?;
    }
    Ok(())
}

/// Pauses a connection, or resumes it.
#[server(prefix = "/fn", endpoint = "set_paused")]
pub async fn set_paused(config_id: Uuid, paused: bool) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    if paused {
        crate::service::connections::pause(&services, &viewer, config_id).await?;
    } else {
        crate::service::connections::resume(&services, &viewer, config_id).await?;
    }
    Ok(())
}

/// Ends a connection.
#[server(prefix = "/fn", endpoint = "disconnect_crm")]
pub async fn disconnect_crm(provider: Provider) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    crate::service::connections::disconnect(&services, &viewer, provider).await?;
    leptos_axum::redirect("/integrations");
    Ok(())
}
