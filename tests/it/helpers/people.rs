//! People of a test: one per workspace and role, added when first needed.

use crosstie::model::Role;
use crosstie::service::administration::{self, PersonToAdd};
use crosstie::service::{Viewer, auth};
use uuid::Uuid;

use super::TestApp;

/// Everybody's password.
pub(super) const PASSWORD: &str = "a-password-of-tests";

/// E-mail of a workspace's person of this role.
pub(super) fn email(workspace_id: Uuid, role: Role) -> String {
    format!("{role}@{}.test", workspace_id.simple())
}

/// Adds the person unless they are there.
pub(super) async fn add(app: &TestApp, workspace_id: Uuid, role: Role) {
    let person = PersonToAdd {
        email: email(workspace_id, role),
        name: format!("The {}", role.label()),
        password: PASSWORD.to_owned(),
        role,
    };
    administration::add_person(&app.services, workspace_id, person).await.expect("a person");
}

/// A new API key of the person.
pub(super) async fn api_key(app: &TestApp, workspace_id: Uuid, role: Role) -> String {
    add(app, workspace_id, role).await;
    let email = email(workspace_id, role);
    administration::create_api_key(&app.services, workspace_id, &email, "tests", None).await.expect("a key").token
}

/// The person as use cases see one.
pub(super) async fn viewer(app: &TestApp, workspace_id: Uuid, role: Role) -> Viewer {
    let key = api_key(app, workspace_id, role).await;
    auth::viewer_of_api_key(&app.services, &key).await.expect("an answer").expect("a person")
}
