//! The people of a workspace: listed, added, given another role by an admin. A workspace always keeps an admin.

use uuid::Uuid;

use super::administration::{self, PersonToAdd};
use super::{ServiceError, Services, Viewer};
use crate::model::{Capability, Role};
use crate::store::{auth, people};
use crate::view::Moment;
use crate::view::people::MemberRow;

const LAST_ADMIN: &str = "A workspace needs an admin. Make somebody else admin first.";

/// Everybody, by name.
pub async fn list(services: &Services, viewer: &Viewer) -> Result<Vec<MemberRow>, ServiceError> {
    viewer.require(Capability::ManagePeople)?;
    let mut tx = services.begin(viewer).await?;
    let members = people::members(&mut tx).await?;
    let now = tx.now();
    tx.commit().await?;
    let admins = members.iter().filter(|member| member.role == Role::Admin).count();
    let row = |member: people::StoredMember| MemberRow {
        is_viewer: member.id == viewer.user_id,
        fixed: (member.role == Role::Admin && admins == 1).then(|| LAST_ADMIN.to_owned()),
        since: Moment::new(member.created_at, now),
        id: member.id,
        name: member.name,
        email: member.email,
        role: member.role,
    };
    Ok(members.into_iter().map(row).collect())
}

/// Adds a person. Somebody who is known already keeps the password.
pub async fn add(services: &Services, viewer: &Viewer, person: PersonToAdd) -> Result<(), ServiceError> {
    viewer.require(Capability::ManagePeople)?;
    let email = person.email.trim().to_lowercase();
    let mut tx = services.begin(viewer).await?;
    if people::members(&mut tx).await?.iter().any(|member| member.email == email) {
        return Err(ServiceError::invalid("email", "This person is here already. Change the role in the list."));
    }
    tx.commit().await?;
    administration::add_person(services, viewer.workspace_id, person).await?;
    Ok(())
}

/// Gives a person another role.
pub async fn set_role(services: &Services, viewer: &Viewer, user_id: Uuid, role: Role) -> Result<(), ServiceError> {
    viewer.require(Capability::ManagePeople)?;
    let mut tx = services.begin(viewer).await?;
    // Locked, so that two admins who step down at once do not both find the other.
    let admins = people::lock_admins(&mut tx).await?;
    if auth::member(&mut tx, user_id).await?.is_none() {
        return Err(ServiceError::not_found("person"));
    }
    if role != Role::Admin && admins == [user_id] {
        return Err(ServiceError::state("last_admin", LAST_ADMIN));
    }
    people::set_role(&mut tx, user_id, role).await?;
    tx.commit().await?;
    Ok(())
}
