//! Server functions of the record screens.

use std::collections::BTreeMap;

use leptos::prelude::*;
use uuid::Uuid;

use crate::model::Entity;
use crate::view::Problem;
use crate::view::record_page::{FormField, RecordListPage, RecordPage};

/// The list of one entity.
#[server(prefix = "/fn", endpoint = "load_records")]
pub async fn load_records(
    entity: Entity,
    q: Option<String>,
    with_deleted: bool,
    offset: i64,
) -> Result<RecordListPage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::record_page::list(&services, &viewer, entity, q.as_deref(), with_deleted, offset).await?)
}

/// One record, with the history of one field.
#[server(prefix = "/fn", endpoint = "load_record")]
pub async fn load_record(entity: Entity, id: Uuid, field: Option<String>) -> Result<RecordPage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::record_page::show(&services, &viewer, entity, id, field.as_deref()).await?)
}

/// The empty form of a new record.
#[server(prefix = "/fn", endpoint = "load_record_form")]
pub async fn load_record_form(entity: Entity) -> Result<Vec<FormField>, Problem> {
    let (_, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::record_form::empty(&viewer, entity)?)
}

/// Accounts to choose from.
#[server(prefix = "/fn", endpoint = "find_accounts")]
pub async fn find_accounts(q: String) -> Result<Vec<String>, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::record_form::account_choices(&services, &viewer, &q).await?)
}

/// Makes a record and goes to it.
#[server(prefix = "/fn", endpoint = "create_record")]
pub async fn create_record(entity: Entity, fields: BTreeMap<String, String>) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let record = crate::service::record_form::create(&services, &viewer, entity, &fields).await?;
    leptos_axum::redirect(&super::record_href(entity, record.id));
    Ok(())
}

/// Saves what was changed in the form and goes back to the record.
#[server(prefix = "/fn", endpoint = "save_record")]
pub async fn save_record(
    entity: Entity,
    id: Uuid,
    version: String,
    fields: BTreeMap<String, String>,
) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    crate::service::record_form::save(&services, &viewer, entity, id, &version, &fields).await?;
    leptos_axum::redirect(&super::record_href(entity, id));
    Ok(())
}

/// Deletes a file of a record here.
#[server(prefix = "/fn", endpoint = "delete_file")]
pub async fn delete_file(entity: Entity, id: Uuid, file: Uuid) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    crate::service::files::delete(&services, &viewer, entity, id, file).await?;
    leptos_axum::redirect(&super::record_href(entity, id));
    Ok(())
}

/// Deletes a record softly.
#[server(prefix = "/fn", endpoint = "delete_record")]
pub async fn delete_record(entity: Entity, id: Uuid) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    crate::service::records::delete(&services, &viewer, entity, id).await?;
    leptos_axum::redirect(&super::record_href(entity, id));
    Ok(())
}

/// Brings a deleted record back.
#[server(prefix = "/fn", endpoint = "restore_record")]
pub async fn restore_record(entity: Entity, id: Uuid) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    crate::service::records::restore(&services, &viewer, entity, id).await?;
    leptos_axum::redirect(&super::record_href(entity, id));
    Ok(())
}
