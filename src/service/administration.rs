//! What the administrator's commands and the first start do: workspaces, people, keys, without anybody signed in.

use uuid::Uuid;

use super::{ServiceError, Services, api_keys};
use crate::model::Role;
use crate::security::{passwords, tokens};
use crate::store::{Actor, WorkspaceTx, auth, people, restores};
use crate::view::session::NewApiKey;

const SHORTEST_PASSWORD: usize = 8;
const LONGEST_PASSWORD: usize = 256;

/// A person to add.
#[derive(Debug)]
pub struct PersonToAdd {
    /// E-mail; case does not matter.
    pub email: String,
    /// Name for people.
    pub name: String,
    /// The password; ignored where the person is known already.
    pub password: String,
    /// Role in the workspace.
    pub role: Role,
}

/// Whether anybody can sign in at all.
pub async fn has_people(services: &Services) -> Result<bool, ServiceError> {
    let mut tx = begin_nowhere(services).await?;
    Ok(auth::any_user(&mut tx).await?)
}

/// The workspace with this name.
pub async fn workspace_by_name(services: &Services, name: &str) -> Result<Option<Uuid>, ServiceError> {
    let mut tx = begin_nowhere(services).await?;
    Ok(auth::workspace_by_name(&mut tx, name).await?)
}

/// Makes the next run of each of a workspace's connections ask before it overwrites or deletes. Returns their number.
pub async fn note_restored(services: &Services, workspace_id: Uuid) -> Result<u64, ServiceError> {
    let mut tx = services.begin_as_system(workspace_id).await?;
    let connections = restores::note(&mut tx).await?;
    tx.commit().await?;
    Ok(connections)
}

/// Makes a workspace.
pub async fn create_workspace(services: &Services, name: &str) -> Result<Uuid, ServiceError> {
    let name = workspace_name(name, "name")?;
    let workspace_id = services.rng.uuid();
    let mut tx = services.begin_as_system(workspace_id).await?;
    people::add_workspace(&mut tx, name).await?;
    tx.commit().await?;
    Ok(workspace_id)
}

/// Adds a person to a workspace, or gives a known person this role there.
pub async fn add_person(services: &Services, workspace_id: Uuid, person: PersonToAdd) -> Result<Uuid, ServiceError> {
    let email = plausible_email(&person.email)?;
    let known = {
        let mut tx = begin_nowhere(services).await?;
        auth::user_by_email(&mut tx, &email).await?
    };
    let mut tx = services.begin_as_system(workspace_id).await?;
    let user_id = match known {
        Some(user_id) => user_id,
        None => {
            let user_id = services.rng.uuid();
            let password_hash = hash_password(services, person.password).await?;
            let name = if person.name.trim().is_empty() { &email } else { person.name.trim() };
            let new = people::NewPerson { id: user_id, email: &email, name, password_hash: &password_hash };
            people::add_person(&mut tx, &new).await?;
            user_id
        }
    };
    people::set_role(&mut tx, user_id, person.role).await?;
    tx.commit().await?;
    Ok(user_id)
}

/// Makes an API key that acts as `email` in a workspace. A demo gives its own `token`, the same over restarts.
pub async fn create_api_key(
    services: &Services,
    workspace_id: Uuid,
    email: &str,
    name: &str,
    token: Option<String>,
) -> Result<NewApiKey, ServiceError> {
    let mut tx = services.begin_as_system(workspace_id).await?;
    let user_id = auth::user_by_email(&mut tx, email).await?.ok_or_else(|| ServiceError::not_found("person"))?;
    if auth::member(&mut tx, user_id).await?.is_none() {
        return Err(ServiceError::not_found("member"));
    }
    let token = token.unwrap_or_else(|| tokens::api_key(services.rng.as_ref()));
    let key = NewApiKey { id: services.rng.uuid(), token };
    if auth::api_key_by_token(&mut tx, &tokens::hash(&key.token)).await?.is_none() {
        api_keys::add(&mut tx, &key, user_id, name).await?;
    }
    tx.commit().await?;
    Ok(key)
}

/// The name of a new workspace; `member` is what a refusal is about.
pub(super) fn workspace_name<'n>(name: &'n str, member: &str) -> Result<&'n str, ServiceError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 {
        return Err(ServiceError::invalid(member, "A workspace needs a name of 1 to 200 characters."));
    }
    Ok(name)
}

/// An e-mail address in lower case.
pub(super) fn plausible_email(email: &str) -> Result<String, ServiceError> {
    let email = email.trim().to_lowercase();
    let plausible = email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    if !plausible || email.len() > 320 || email.contains(char::is_whitespace) {
        return Err(ServiceError::invalid("email", "Give an e-mail address such as anna@example.com."));
    }
    Ok(email)
}

/// The hash of a new password.
pub(super) async fn hash_password(services: &Services, password: String) -> Result<String, ServiceError> {
    let length = password.chars().count();
    if !(SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&length) {
        return Err(ServiceError::invalid("password", "A password has 8 to 256 characters."));
    }
    let rng = std::sync::Arc::clone(&services.rng);
    let hashed = tokio::task::spawn_blocking(move || passwords::hash(rng.as_ref(), &password));
    hashed.await.map_err(ServiceError::internal)
}

async fn begin_nowhere(services: &Services) -> Result<WorkspaceTx, ServiceError> {
    Ok(WorkspaceTx::begin_without_workspace(&services.pool, Actor::System, services.clock.now()).await?)
}
