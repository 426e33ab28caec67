//! Server functions of the logs.

use leptos::prelude::*;
use uuid::Uuid;

use crate::view::Problem;
use crate::view::logs::{LogPage, LogsAsked, LogsPage};

/// The list as its address asks for it.
#[server(prefix = "/fn", endpoint = "load_logs")]
pub async fn load_logs(#[server(default)] asked: LogsAsked) -> Result<LogsPage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::log_pages::list(&services, &viewer, &asked).await?)
}

/// One log with `most` of its changes.
#[server(prefix = "/fn", endpoint = "load_log")]
pub async fn load_log(id: Uuid, most: i64) -> Result<LogPage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::log_pages::one(&services, &viewer, id, most).await?)
}

/// Tries the failed records of a log again.
#[server(prefix = "/fn", endpoint = "retry_log")]
pub async fn retry_log(id: Uuid) -> Result<Uuid, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::logs::retry(&services, &viewer, id).await?.job_id)
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
