//! Server functions of the settings screen.

use leptos::prelude::*;

use crate::model::Provider;
use crate::view::Problem;
use crate::view::settings::{NextRun, ScheduleForm, SettingsForm, SettingsPage};

/// The settings of the connection to `provider`; `saved` names what was just changed.
#[server(prefix = "/fn", endpoint = "load_settings")]
pub async fn load_settings(provider: Provider, #[server(default)] saved: String) -> Result<SettingsPage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::settings::page(&services, &viewer, provider, &saved).await?)
}

/// The next runs of a schedule that is being filled in.
#[server(prefix = "/fn", endpoint = "preview_schedule")]
pub async fn preview_schedule(form: ScheduleForm) -> Result<Vec<NextRun>, Problem> {
    let (services, _) = crate::ui::server::caller().await?;
    Ok(crate::service::settings::next_runs(&services, &form)?)
}

/// Saves the form and goes back to the screen, which says what was changed.
#[server(prefix = "/fn", endpoint = "save_settings")]
pub async fn save_settings(provider: Provider, form: SettingsForm) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let saved = crate::service::settings::save(&services, &viewer, provider, form).await?;
    let saved = if saved.is_empty() { "nothing".to_owned() } else { saved };
    leptos_axum::redirect(&format!("/integrations/{provider}/settings?saved={saved}"));
    Ok(())
}
