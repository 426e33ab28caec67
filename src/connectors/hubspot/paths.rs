//! Where things are. Versions come and go by the calendar (dossier 0): this is the only place that puts one into a path.

use super::super::oauth::OAuthPaths;
use crate::model::Entity;

/// Where people consent; it has no version.
const AUTHORIZE: &str = "/oauth/authorize";

/// The paths of one version of the API.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    version: String,
    token: String,
}

impl Paths {
    /// The paths of a version, such as `2026-03`.
    pub(super) fn new(version: &str) -> Self {
        Paths { version: version.to_owned(), token: format!("/oauth/{version}/token") }
    }

    /// Endpoints of the authorisation code flow (dossier 1.2).
    pub(super) fn oauth(&self) -> OAuthPaths<'_> {
        OAuthPaths { authorize: AUTHORIZE, token: &self.token }
    }

    /// What a token stands for.
    pub(super) fn introspect(&self) -> String {
        format!("{}/introspect", self.token)
    }

    /// Ends a refresh token.
    pub(super) fn revoke(&self) -> String {
        format!("{}/revoke", self.token)
    }

    /// The account itself.
    pub(super) fn account(&self) -> String {
        format!("/account-info/{}/details", self.version)
    }

    /// Records of an entity; `rest` begins with a slash or is empty.
    pub(super) fn objects(&self, entity: Entity, rest: &str) -> String {
        format!("/crm/objects/{}/{}{rest}", self.version, object(entity))
    }

    /// Definitions of an entity's properties.
    pub(super) fn properties(&self, entity: Entity) -> String {
        format!("/crm/properties/{}/{}", self.version, object(entity))
    }

    /// Pipelines of an entity.
    pub(super) fn pipelines(&self, entity: Entity) -> String {
        format!("/crm/pipelines/{}/{}", self.version, object(entity))
    }

    /// A page of owners.
    pub(super) fn owners(&self, limit: usize, archived: bool, after: Option<&str>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &limit.to_string()).append_pair("archived", &archived.to_string());
        if let Some(after) = after {
            query.append_pair("after", after);
        }
        format!("/crm/owners/{}?{}", self.version, query.finish())
    }

    /// The owner with this user id.
    pub(super) fn owner_of_user(&self, user_id: u64) -> String {
        format!("/crm/owners/{}/{user_id}?idProperty=userId", self.version)
    }

    /// Notes; `rest` begins with a slash or is empty.
    pub(super) fn notes(&self, rest: &str) -> String {
        format!("/crm/objects/{}/notes{rest}", self.version)
    }

    /// Notes that records of an entity have.
    pub(super) fn notes_of(&self, entity: Entity) -> String {
        format!("/crm/associations/{}/{}/notes/batch/read", self.version, object(entity))
    }

    /// Files; `rest` begins with a slash or is empty.
    pub(super) fn files(&self, rest: &str) -> String {
        format!("/files/{}/files{rest}", self.version)
    }

    /// Associations from one entity to another.
    pub(super) fn associations(&self, from: Entity, to: Entity, verb: &str) -> String {
        format!("/crm/associations/{}/{}/{}/batch/{verb}", self.version, object(from), object(to))
    }
}

/// HubSpot's object of an entity.
pub(super) const fn object(entity: Entity) -> &'static str {
    match entity {
        Entity::Account => "companies",
        Entity::Contact => "contacts",
        Entity::Opportunity => "deals",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_names_the_version_that_is_set() {
        let paths = Paths::new("2026-09");
        let entity = Entity::Opportunity;
        let all = [
            paths.oauth().token.to_owned(),
            paths.introspect(),
            paths.revoke(),
            paths.account(),
            paths.objects(entity, "/search"),
            paths.properties(entity),
            paths.pipelines(entity),
            paths.owners(500, true, Some("7")),
            paths.owner_of_user(7),
            paths.associations(entity, Entity::Account, "read"),
            paths.notes("/batch/read"),
            paths.notes_of(entity),
            paths.files("/search"),
        ];
        assert!(all.iter().all(|path| path.matches("/2026-09").count() == 1), "{all:?}");
        assert_eq!(all[4], "/crm/objects/2026-09/deals/search");
        assert_eq!(all[7], "/crm/owners/2026-09?limit=500&archived=true&after=7");
    }
}
