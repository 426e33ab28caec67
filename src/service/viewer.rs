//! Who asks.

use uuid::Uuid;

use super::ServiceError;
use crate::model::{Capability, Role};

/// A signed-in person in one workspace, by session or by API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// The person.
    pub user_id: Uuid,
    /// E-mail of the person.
    pub email: String,
    /// Name of the person.
    pub name: String,
    /// Role in the workspace.
    pub role: Role,
    /// The workspace.
    pub workspace_id: Uuid,
    /// Name of the workspace.
    pub workspace_name: String,
    /// The session, if it is one; an API key has none.
    pub session_id: Option<Uuid>,
}

impl Viewer {
    /// Refuses unless the role has `capability`.
    pub fn require(&self, capability: Capability) -> Result<(), ServiceError> {
        if self.role.may(capability) { Ok(()) } else { Err(ServiceError::forbidden(capability)) }
    }
}
