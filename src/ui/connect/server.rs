//! Server functions of the steps.

use leptos::prelude::*;

use crate::model::{ConflictPolicy, Environment, Provider, SyncDirection, SyncFrequency};
use crate::view::Problem;
use crate::view::connect::{AuthorisePage, ChoosePage, ConfigurePage, DonePage};

/// What the first step offers.
#[server(prefix = "/fn", endpoint = "load_choose")]
pub async fn load_choose() -> Result<ChoosePage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::connecting::choose(&services, &viewer).await?)
}

/// What the second step says.
#[server(prefix = "/fn", endpoint = "load_authorise")]
pub async fn load_authorise(
    provider: Provider,
    environment: Option<Environment>,
    domain: Option<String>,
) -> Result<AuthorisePage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let domain = domain.as_deref();
    Ok(crate::service::connecting::authorise(&services, &viewer, provider, environment, domain).await?)
}

/// Begins a sign-in and sends the browser to the CRM.
#[server(prefix = "/fn", endpoint = "begin_sign_in")]
pub async fn begin_sign_in(
    provider: Provider,
    environment: Option<Environment>,
    domain: Option<String>,
    start_afresh: Option<bool>,
) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let start_afresh = start_afresh.unwrap_or(false);
    let wish = crate::service::oauth::Wish { environment, domain, start_afresh };
    let address = crate::service::oauth::begin(&services, &viewer, provider, wish).await?;
    leptos_axum::redirect(&address);
    Ok(())
}

/// What the third step shows.
#[server(prefix = "/fn", endpoint = "load_configure")]
pub async fn load_configure(provider: Provider) -> Result<ConfigurePage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::connecting::configure(&services, &viewer, provider).await?)
}

/// Asks the CRM again what may be done; a refusal is said as one.
#[server(prefix = "/fn", endpoint = "test_again")]
pub async fn test_again(provider: Provider) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let test = crate::service::connections::test(&services, &viewer, provider).await?;
    match test.error {
        Some(error) => Err(Problem::new(409, "test_failed", error)),
        None => Ok(()),
    }
}

/// Stores what was chosen, starts the first run and goes to the last step.
#[server(prefix = "/fn", endpoint = "complete_set_up")]
pub async fn complete_set_up(
    provider: Provider,
    direction: SyncDirection,
    frequency: SyncFrequency,
    policy: ConflictPolicy,
    accounts: Option<bool>,
    contacts: Option<bool>,
    opportunities: Option<bool>,
) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let chosen = [accounts, contacts, opportunities].map(|on| on.unwrap_or(false));
    let entities = crate::model::Entity::ALL.iter().copied().zip(chosen).filter(|(_, on)| *on);
    let entities = entities.map(|(entity, _)| entity).collect();
    let choice = crate::service::connecting::Choice { direction, frequency, entities, policy };
    crate::service::connecting::complete(&services, &viewer, provider, choice).await?;
    leptos_axum::redirect(&format!("/connect/{provider}/done"));
    Ok(())
}

/// What the last step shows.
#[server(prefix = "/fn", endpoint = "load_done")]
pub async fn load_done(provider: Provider) -> Result<DonePage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::connecting::done(&services, &viewer, provider).await?)
}
