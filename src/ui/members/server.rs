//! Server functions of the people of the workspace.

use leptos::prelude::*;
use uuid::Uuid;

use crate::model::Role;
use crate::view::Problem;
use crate::view::people::MemberRow;

/// Everybody.
#[server(prefix = "/fn", endpoint = "load_members")]
pub async fn load_members() -> Result<Vec<MemberRow>, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::members::list(&services, &viewer).await?)
}

/// Adds a person with a password for the first sign-in.
#[server(prefix = "/fn", endpoint = "add_member")]
pub async fn add_member(email: String, name: String, role: Role, password: String) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let person = crate::service::administration::PersonToAdd { email, name, password, role };
    crate::service::members::add(&services, &viewer, person).await?;
    leptos_axum::redirect("/members");
    Ok(())
}

/// Gives a person another role.
#[server(prefix = "/fn", endpoint = "set_member_role")]
pub async fn set_member_role(id: Uuid, role: Role) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    crate::service::members::set_role(&services, &viewer, id, role).await?;
    leptos_axum::redirect("/members");
    Ok(())
}
