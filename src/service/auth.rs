//! Signing in and out: sessions as hashed random tokens, failed tries slowed.
//!
//! The answer to a wrong password and to an unknown e-mail is the same, and takes as long.

use std::sync::OnceLock;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{ServiceError, Services, Viewer};
use crate::model::Role;
use crate::security::{Rng, passwords, tokens};
use crate::store::{Actor, WorkspaceTx, api_keys, auth};
use crate::view::session::{DemoPerson, Me, Person, SignInPage, Workspace};

const DAYS_OF_A_KEPT_SESSION: i64 = 30;
const HOURS_OF_A_SESSION: i64 = 24;

/// A session that has just begun.
#[derive(Debug)]
pub struct Entry {
    /// Who signed in.
    pub viewer: Viewer,
    /// `Set-Cookie` value that carries the session.
    pub cookie: String,
}

/// What the sign-in page offers.
pub fn sign_in_page(services: &Services) -> SignInPage {
    let url = &services.settings.public_url;
    let people = services.settings.demo.iter().flat_map(|demo| &demo.people);
    SignInPage {
        host: url.split_once("://").map_or(url.as_str(), |(_, host)| host).to_owned(),
        demo_people: people
            .map(|(email, _, role)| DemoPerson {
                email: email.clone(),
                role: role.label().to_owned(),
                may: purpose(*role).to_owned(),
            })
            .collect(),
    }
}

/// Signs in with e-mail and password. `stay` keeps the session for 30 days, otherwise it ends with the browser or a day.
pub async fn sign_in(services: &Services, email: &str, password: String, stay: bool) -> Result<Entry, ServiceError> {
    let email = email.trim().to_lowercase();
    let tries = tokens::hash(&email);
    let mut tx = begin_signed_out(services).await?;
    if let Err(wait_s) = auth::count_sign_in_try(&mut tx, &tries).await? {
        return Err(too_many_tries(wait_s));
    }
    let user_id = auth::user_by_email(&mut tx, &email).await?;
    tx.commit().await?;

    let hash = match user_id {
        Some(user_id) => {
            let mut tx = begin_as(services, user_id).await?;
            auth::own_password_hash(&mut tx, user_id).await?
        }
        None => None,
    };
    let is_right = verify(services, hash, password).await?;
    let Some(user_id) = user_id.filter(|_| is_right) else { return Err(refused()) };

    let mut tx = begin_signed_out(services).await?;
    auth::forget_sign_in_tries(&mut tx, &tries).await?;
    tx.commit().await?;
    begin_session(services, user_id, stay).await
}

/// Signs in as one of the demo's people, without a password. Refused where this is no demo.
pub async fn sign_in_as_demo_person(services: &Services, email: &str) -> Result<Entry, ServiceError> {
    let people = services.settings.demo.iter().flat_map(|demo| &demo.people);
    let email = people.map(|(email, _, _)| email).find(|known| *known == email).ok_or_else(refused)?;
    let mut tx = begin_signed_out(services).await?;
    let user_id = auth::user_by_email(&mut tx, email).await?.ok_or_else(refused)?;
    begin_session(services, user_id, false).await
}

/// Ends the viewer's session; answers with the `Set-Cookie` value that removes it. An API key has none to end.
pub async fn sign_out(services: &Services, viewer: &Viewer) -> Result<String, ServiceError> {
    if let Some(session_id) = viewer.session_id {
        let mut tx = services.begin(viewer).await?;
        auth::end_session(&mut tx, session_id).await?;
        tx.commit().await?;
    }
    Ok(cookie(services, "", Some(0)))
}

/// Ends every session of the viewer; answers with the `Set-Cookie` value that removes this one's.
pub async fn sign_out_everywhere(services: &Services, viewer: &Viewer) -> Result<String, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    auth::end_all_sessions(&mut tx, viewer.user_id).await?;
    tx.commit().await?;
    Ok(cookie(services, "", Some(0)))
}

/// Moves the viewer's session to another workspace that the viewer belongs to.
pub async fn switch_workspace(services: &Services, viewer: &Viewer, workspace_id: Uuid) -> Result<Me, ServiceError> {
    let session_id = viewer.session_id.ok_or_else(|| {
        ServiceError::state(
            "key_has_one_workspace",
            "An API key belongs to one workspace. Make a key in the other one.",
        )
    })?;
    let mut tx = services.begin(viewer).await?;
    let workspaces = auth::own_workspaces(&mut tx, viewer.user_id).await?;
    if !workspaces.iter().any(|(id, _)| *id == workspace_id) {
        return Err(ServiceError::not_found("workspace"));
    }
    if !auth::move_session(&mut tx, session_id, workspace_id).await? {
        return Err(ServiceError::not_signed_in());
    }
    tx.commit().await?;
    let viewer = viewer_of(services, viewer.user_id, workspace_id, Some(session_id)).await?;
    me(services, &viewer.ok_or_else(ServiceError::not_signed_in)?).await
}

/// Who the viewer is, and every workspace the viewer may work in: one where it is a key.
pub async fn me(services: &Services, viewer: &Viewer) -> Result<Me, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let workspaces = auth::own_workspaces(&mut tx, viewer.user_id).await?;
    tx.commit().await?;
    Ok(Me {
        user: Person { id: viewer.user_id, name: viewer.name.clone(), email: viewer.email.clone(), role: viewer.role },
        workspace: Workspace { id: viewer.workspace_id, name: viewer.workspace_name.clone() },
        workspaces: workspaces
            .into_iter()
            .filter(|(id, _)| viewer.session_id.is_some() || *id == viewer.workspace_id)
            .map(|(id, name)| Workspace { id, name })
            .collect(),
    })
}

/// Who a session's token belongs to; nobody where it is unknown, has ended, or the person left the workspace.
pub async fn viewer_of_session(services: &Services, token: &str) -> Result<Option<Viewer>, ServiceError> {
    let mut tx = begin_signed_out(services).await?;
    let found = auth::session_by_token(&mut tx, &tokens::hash(token)).await?;
    drop(tx);
    match found {
        Some(session) => viewer_of(services, session.user_id, session.workspace_id, Some(session.id)).await,
        None => Ok(None),
    }
}

/// Who an API key acts as; nobody where it is unknown or revoked, or the person left the workspace.
pub async fn viewer_of_api_key(services: &Services, token: &str) -> Result<Option<Viewer>, ServiceError> {
    let mut tx = begin_signed_out(services).await?;
    let found = auth::api_key_by_token(&mut tx, &tokens::hash(token)).await?;
    drop(tx);
    let Some(key) = found else { return Ok(None) };
    let viewer = viewer_of(services, key.user_id, key.workspace_id, None).await?;
    if viewer.is_some() {
        let mut tx = services.begin_as_system(key.workspace_id).await?;
        api_keys::touch(&mut tx, key.id).await?;
        tx.commit().await?;
    }
    Ok(viewer)
}

/// Name of the session's cookie. `__Host-` binds it to this host, which browsers accept over https only.
pub fn cookie_name(services: &Services) -> &'static str {
    if is_https(services) { "__Host-crosstie" } else { "crosstie_session" }
}

async fn begin_session(services: &Services, user_id: Uuid, stay: bool) -> Result<Entry, ServiceError> {
    let mut tx = begin_as(services, user_id).await?;
    let workspaces = auth::own_workspaces(&mut tx, user_id).await?;
    let Some((workspace_id, _)) = workspaces.first() else {
        return Err(ServiceError::state(
            "no_workspace",
            "You belong to no workspace yet. Ask an admin to add you to one.",
        ));
    };
    let token = tokens::session_token(services.rng.as_ref());
    let session_id = services.rng.uuid();
    let length = if stay { TimeDelta::days(DAYS_OF_A_KEPT_SESSION) } else { TimeDelta::hours(HOURS_OF_A_SESSION) };
    let expires_at: DateTime<Utc> = tx.now() + length;
    auth::end_expired_sessions(&mut tx, user_id).await?;
    auth::add_session(
        &mut tx,
        &auth::NewSession {
            id: session_id,
            token_hash: &tokens::hash(&token),
            user_id,
            workspace_id: *workspace_id,
            expires_at,
        },
    )
    .await?;
    tx.commit().await?;
    let viewer = viewer_of(services, user_id, *workspace_id, Some(session_id)).await?;
    Ok(Entry {
        viewer: viewer.ok_or_else(refused)?,
        cookie: cookie(services, &token, stay.then(|| length.num_seconds())),
    })
}

async fn viewer_of(
    services: &Services,
    user_id: Uuid,
    workspace_id: Uuid,
    session_id: Option<Uuid>,
) -> Result<Option<Viewer>, ServiceError> {
    let actor = Actor::Person(user_id);
    let mut tx = WorkspaceTx::begin(&services.pool, workspace_id, actor, services.clock.now()).await?;
    let member = auth::member(&mut tx, user_id).await?;
    Ok(member.map(|member| Viewer {
        user_id,
        email: member.email,
        name: member.name,
        role: member.role,
        workspace_id,
        workspace_name: member.workspace_name,
        session_id,
    }))
}

async fn verify(services: &Services, hash: Option<String>, password: String) -> Result<bool, ServiceError> {
    let rng = std::sync::Arc::clone(&services.rng);
    let verified = tokio::task::spawn_blocking(move || match hash {
        Some(hash) => passwords::verify(&hash, &password),
        None => {
            // As long as a real one takes, so that the time does not tell who is known here.
            passwords::verify(decoy(rng.as_ref()), &password);
            false
        }
    });
    verified.await.map_err(ServiceError::internal)
}

fn decoy(rng: &dyn Rng) -> &'static str {
    static DECOY: OnceLock<String> = OnceLock::new();
    DECOY.get_or_init(|| passwords::hash(rng, "nobody"))
}

fn cookie(services: &Services, token: &str, max_age_s: Option<i64>) -> String {
    let secure = if is_https(services) { "; Secure" } else { "" };
    let kept = max_age_s.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    format!("{}={token}; Path=/; HttpOnly; SameSite=Lax{secure}{kept}", cookie_name(services))
}

fn is_https(services: &Services) -> bool {
    services.settings.public_url.starts_with("https://")
}

async fn begin_signed_out(services: &Services) -> Result<WorkspaceTx, ServiceError> {
    Ok(WorkspaceTx::begin_without_workspace(&services.pool, Actor::System, services.clock.now()).await?)
}

async fn begin_as(services: &Services, user_id: Uuid) -> Result<WorkspaceTx, ServiceError> {
    let actor = Actor::Person(user_id);
    Ok(WorkspaceTx::begin_without_workspace(&services.pool, actor, services.clock.now()).await?)
}

fn refused() -> ServiceError {
    ServiceError::refused_sign_in()
}

fn too_many_tries(wait_s: u64) -> ServiceError {
    ServiceError::too_many(
        "too_many_tries",
        format!("Too many tries failed for this e-mail. Wait {wait_s} s and try again."),
        wait_s,
    )
}

const fn purpose(role: Role) -> &'static str {
    match role {
        Role::Admin => "connects CRMs, may do everything",
        Role::SalesOps => "maps fields, starts and pauses syncs",
        Role::Reviewer => "settles conflicts",
        Role::Compliance => "reads everything",
        Role::Member => "reads",
    }
}
