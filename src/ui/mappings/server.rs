//! Server functions of the mapping screen.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use uuid::Uuid;

use super::address::Address;
use crate::model::{Entity, FieldDirection, Provider};
use crate::view::Problem;
use crate::view::mappings::{MappingForm, MappingsPage, Suggestions, Trial};

/// The CRM of the connection that was used last.
#[server(prefix = "/fn", endpoint = "last_used_provider")]
pub async fn last_used_provider() -> Result<Option<Provider>, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::mappings::last_used(&services, &viewer).await?)
}

/// The screen of one entity.
#[server(prefix = "/fn", endpoint = "load_mappings", input = Json)]
pub async fn load_mappings(
    provider: Provider,
    entity: Entity,
    address: Address,
    trial: Option<MappingForm>,
) -> Result<MappingsPage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let query = crate::service::mappings::PageQuery {
        search: address.search,
        only_problems: address.only_problems,
        record: address.record.parse().ok(),
        changes: address.changes,
        trial,
    };
    Ok(crate::service::mappings::page(&services, &viewer, provider, entity, query).await?)
}

/// The proposals of auto-map; maps nothing.
#[server(prefix = "/fn", endpoint = "load_suggestions", input = Json)]
pub async fn load_suggestions(provider: Provider, entity: Entity) -> Result<Suggestions, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::mappings::propose_on(&services, &viewer, provider, entity).await?)
}

/// Publishes the proposals that were ticked, each as `crm_field=app_field`.
#[server(prefix = "/fn", endpoint = "accept_suggestions")]
pub async fn accept_suggestions(
    provider: Provider,
    entity: Entity,
    #[server(default)] accepted: Vec<String>,
    #[server(default)] back: String,
) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let changes = crate::service::mappings::accept(&services, &viewer, provider, entity, &accepted).await?;
    let screen = super::address::screen(provider, entity);
    crate::ui::server::redirect_back(&screen, &back, &format!("changed={}", super::address::names_of(&changes)));
    Ok(())
}

/// Tries the editor's mapping on sample records; publishes nothing.
#[server(prefix = "/fn", endpoint = "try_mapping", input = Json)]
pub async fn try_mapping(provider: Provider, entity: Entity, form: MappingForm) -> Result<Trial, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::mappings::try_out(&services, &viewer, provider, entity, &form).await?)
}

/// Publishes what the editor holds.
#[server(prefix = "/fn", endpoint = "save_mapping")]
pub async fn save_mapping(
    provider: Provider,
    entity: Entity,
    form: MappingForm,
    #[server(default)] back: String,
) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let change = crate::service::mappings::save(&services, &viewer, provider, entity, form).await?;
    let screen = super::address::screen(provider, entity);
    crate::ui::server::redirect_back(&screen, &back, &format!("changed={change}"));
    Ok(())
}

/// Publishes another direction.
#[server(prefix = "/fn", endpoint = "set_mapping_direction")]
pub async fn set_mapping_direction(
    provider: Provider,
    entity: Entity,
    mapping: Uuid,
    direction: FieldDirection,
    #[server(default)] back: String,
) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let change = crate::service::mappings::set_direction(&services, &viewer, provider, mapping, direction).await?;
    let screen = super::address::screen(provider, entity);
    crate::ui::server::redirect_back(&screen, &back, &format!("changed={change}"));
    Ok(())
}

/// Removes a mapping.
#[server(prefix = "/fn", endpoint = "remove_mapping")]
pub async fn remove_mapping(
    provider: Provider,
    entity: Entity,
    mapping: Uuid,
    #[server(default)] back: String,
) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let change = crate::service::mappings::remove_from(&services, &viewer, provider, mapping).await?;
    let screen = super::address::screen(provider, entity);
    crate::ui::server::redirect_back(&screen, &back, &format!("changed={change}"));
    Ok(())
}

/// Takes published changes back, all of them or none.
#[server(prefix = "/fn", endpoint = "undo_mapping_change")]
pub async fn undo_mapping_change(
    provider: Provider,
    change: String,
    #[server(default)] back: String,
) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let (undone, entity) =
        crate::service::mappings::undo_on(&services, &viewer, provider, &super::address::changes_of(&change)).await?;
    let screen = super::address::screen(provider, entity);
    crate::ui::server::redirect_back(&screen, &back, &format!("changed={}", super::address::names_of(&undone)));
    Ok(())
}
