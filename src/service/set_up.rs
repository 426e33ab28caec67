//! The first start: a link that the server prints as long as nobody can sign in. Whoever follows it makes the first workspace
//! and becomes its admin; after that no such link works.
//!
//! The link's token is sealed with the server's key, so that any replica knows it and none needs to remember it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta};

use super::administration::{has_people, hash_password, plausible_email, workspace_name};
use super::auth::{self, Entry};
use super::{ServiceError, Services};
use crate::model::Role;
use crate::store::{self, people};
use crate::view::session::{FirstStart, SetUpPage};

const PURPOSE: &str = "set_up";
const HOURS_OF_A_LINK: i64 = 24;

/// A link for the first person; none where somebody can sign in already.
pub async fn link(services: &Services) -> Result<Option<String>, ServiceError> {
    if has_people(services).await? {
        return Ok(None);
    }
    let made_at = services.clock.now().timestamp().to_string();
    let sealed = services.vault.seal(services.rng.as_ref(), PURPOSE, made_at.as_bytes());
    let token = URL_SAFE_NO_PAD.encode(sealed.map_err(ServiceError::internal)?);
    Ok(Some(format!("{}/set-up?token={token}", services.settings.public_url)))
}

/// What the page behind a link offers.
pub async fn page(services: &Services, token: &str) -> Result<SetUpPage, ServiceError> {
    let open = is_ours(services, token) && !has_people(services).await?;
    Ok(SetUpPage { host: auth::sign_in_page(services).host, open })
}

/// Makes the first workspace and its admin, and signs the admin in.
pub async fn set_up(services: &Services, token: &str, first: FirstStart) -> Result<Entry, ServiceError> {
    if !is_ours(services, token) {
        return Err(link_is_over());
    }
    let workspace = workspace_name(&first.workspace, "workspace")?;
    let email = plausible_email(&first.email)?;
    let name = Some(first.name.trim()).filter(|name| !name.is_empty()).unwrap_or(&email);
    let password_hash = hash_password(services, first.password.clone()).await?;
    let user_id = services.rng.uuid();
    let mut tx = services.begin_as_system(services.rng.uuid()).await?;
    people::lock_first_start(&mut tx).await?;
    if store::auth::any_user(&mut tx).await? {
        return Err(link_is_over());
    }
    people::add_workspace(&mut tx, workspace).await?;
    let person = people::NewPerson { id: user_id, email: &email, name, password_hash: &password_hash };
    people::add_person(&mut tx, &person).await?;
    people::set_role(&mut tx, user_id, Role::Admin).await?;
    tx.commit().await?;
    auth::sign_in(services, &email, first.password, false).await
}

fn is_ours(services: &Services, token: &str) -> bool {
    let made_at = URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|sealed| services.vault.open(PURPOSE, &sealed).ok())
        .and_then(|text| String::from_utf8(text).ok()?.parse().ok())
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    made_at.is_some_and(|made_at| services.clock.now() - made_at < TimeDelta::hours(HOURS_OF_A_LINK))
}

fn link_is_over() -> ServiceError {
    ServiceError::state(
        "set_up_over",
        "This set-up link no longer works: it was used, or is older than a day. Sign in, or restart the server to have it \
         print a new one.",
    )
}
