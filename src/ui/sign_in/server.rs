//! Server functions of signing in and out. They set the cookie; everything else is the service's.

use leptos::prelude::*;

use crate::view::Problem;
use crate::view::session::{FirstStart, SetUpPage, SignInPage};

/// What the sign-in page offers.
#[server(prefix = "/fn", endpoint = "sign_in_page")]
pub async fn load_sign_in_page() -> Result<SignInPage, Problem> {
    Ok(crate::service::auth::sign_in_page(&crate::ui::server::signed_out_caller()?))
}

/// Signs in and answers with the address to go to.
#[server(prefix = "/fn", endpoint = "sign_in")]
pub async fn sign_in(
    email: String,
    password: String,
    next: Option<String>,
    stay: Option<bool>,
) -> Result<String, Problem> {
    let services = crate::ui::server::signed_out_caller()?;
    let entry = crate::service::auth::sign_in(&services, &email, password, stay.unwrap_or(false)).await?;
    crate::ui::server::set_cookie(&entry.cookie);
    Ok(crate::ui::server::enter(next))
}

/// Signs in as one of the demo's people and answers with the address to go to.
#[server(prefix = "/fn", endpoint = "sign_in_as_demo_person")]
pub async fn sign_in_as_demo_person(email: String, next: Option<String>) -> Result<String, Problem> {
    let services = crate::ui::server::signed_out_caller()?;
    let entry = crate::service::auth::sign_in_as_demo_person(&services, &email).await?;
    crate::ui::server::set_cookie(&entry.cookie);
    Ok(crate::ui::server::enter(next))
}

/// Ends this session.
#[server(prefix = "/fn", endpoint = "sign_out")]
pub async fn sign_out() -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let cookie = crate::service::auth::sign_out(&services, &viewer).await?;
    crate::ui::server::set_cookie(&cookie);
    leptos_axum::redirect("/sign-in");
    Ok(())
}

/// Ends every session of the person.
#[server(prefix = "/fn", endpoint = "sign_out_everywhere")]
pub async fn sign_out_everywhere() -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    let cookie = crate::service::auth::sign_out_everywhere(&services, &viewer).await?;
    crate::ui::server::set_cookie(&cookie);
    leptos_axum::redirect("/sign-in");
    Ok(())
}

/// Moves this session to another workspace of the person.
#[server(prefix = "/fn", endpoint = "switch_workspace")]
pub async fn switch_workspace(workspace_id: uuid::Uuid) -> Result<(), Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    crate::service::auth::switch_workspace(&services, &viewer, workspace_id).await?;
    leptos_axum::redirect("/integrations");
    Ok(())
}

/// What the page behind a set-up link offers.
#[server(prefix = "/fn", endpoint = "set_up_page")]
pub async fn load_set_up_page(token: String) -> Result<SetUpPage, Problem> {
    Ok(crate::service::set_up::page(&crate::ui::server::signed_out_caller()?, &token).await?)
}

/// Makes the first workspace and its admin, signs the admin in and answers with the address to go to.
#[server(prefix = "/fn", endpoint = "set_up")]
pub async fn set_up(token: String, first: FirstStart) -> Result<String, Problem> {
    let services = crate::ui::server::signed_out_caller()?;
    let entry = crate::service::set_up::set_up(&services, &token, first).await?;
    crate::ui::server::set_cookie(&entry.cookie);
    Ok(crate::ui::server::enter(None))
}
