//! A connection as the API and the screens see it; the API calls it a config (`contract.md`, section 3).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::mappings::Mapping;
use crate::model::{
    ConflictPolicy, ConnectionStatus, Entity, Environment, Options, Provider, Schedule, SyncDirection, SyncFrequency,
};

/// A connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// The connection.
    pub id: Uuid,
    /// Which CRM.
    pub provider: Provider,
    /// Which of the CRM's worlds.
    pub environment: Environment,
    /// Its state.
    pub status: ConnectionStatus,
    /// Direction of the whole connection.
    pub sync_direction: SyncDirection,
    /// How often it runs by itself.
    pub sync_frequency: SyncFrequency,
    /// When within the hour or the day.
    pub schedule: Option<Schedule>,
    /// `accounts`, `contacts`, `opportunities`: what it synchronises, in the order in which a run takes them.
    pub sync_entities: Vec<String>,
    /// Filters and excluded fields by entity.
    pub sync_rules: Option<Value>,
    /// Who wins a conflict.
    pub conflict_resolution: ConflictPolicy,
    /// Options.
    pub options: Options,
    /// Address of the org.
    pub instance_url: Option<String>,
    /// E-mail of the CRM's user that Crosstie is signed in as.
    pub connected_as: Option<String>,
    /// RFC 3339.
    pub last_sync_at: Option<String>,
    /// `success`, `partial` or `failed`.
    pub last_sync_status: Option<String>,
    /// Why the last run stopped, as a sentence.
    pub last_sync_error: Option<String>,
    /// RFC 3339.
    pub next_sync_at: Option<String>,
}

impl Config {
    /// The entities that it synchronises.
    pub fn entities(&self) -> Vec<Entity> {
        self.sync_entities.iter().filter_map(|name| Entity::from_plural(name)).collect()
    }
}

/// Answer of a request about one connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfigAnswer {
    /// The connection.
    pub config: Config,
}

/// Answer of `GET /configs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfigList {
    /// Every connection of the workspace, the newest first.
    pub configs: Vec<Config>,
}

/// Numbers of one entity of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntityStats {
    /// Records linked to a partner.
    pub linked: i64,
    /// Records that could not be written.
    pub failed: i64,
    /// Conflicts that wait.
    pub conflicts: i64,
    /// Records that rest outside the filter.
    pub out_of_scope: i64,
}

/// Numbers of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStats {
    /// Accounts.
    pub accounts: EntityStats,
    /// Contacts.
    pub contacts: EntityStats,
    /// Opportunities.
    pub opportunities: EntityStats,
    /// Calls that Crosstie made today.
    pub calls_today: i64,
    /// Calls that the org is allowed per day, once the CRM has said.
    pub calls_allowed: Option<i64>,
}

impl ConnectionStats {
    /// The numbers of one entity.
    pub fn of(&self, entity: Entity) -> EntityStats {
        match entity {
            Entity::Account => self.accounts,
            Entity::Contact => self.contacts,
            Entity::Opportunity => self.opportunities,
        }
    }

    /// The numbers of one entity, to be set.
    pub fn of_mut(&mut self, entity: Entity) -> &mut EntityStats {
        match entity {
            Entity::Account => &mut self.accounts,
            Entity::Contact => &mut self.contacts,
            Entity::Opportunity => &mut self.opportunities,
        }
    }
}

/// Answer of `GET /configs/:id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigDetail {
    /// The connection.
    pub config: Config,
    /// Its mappings, newest first.
    pub field_mappings: Vec<Mapping>,
    /// Its numbers.
    pub stats: ConnectionStats,
}

/// Answer of `POST /connect`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectAnswer {
    /// The connection; `null` until the CRM has answered.
    pub config: Option<Config>,
    /// Where the browser goes to sign in; `null` where that is done.
    pub redirect_url: Option<String>,
}

/// Answer of `POST /oauth/callback`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallbackAnswer {
    /// The connection.
    pub config: Config,
    /// Always `true`: a refusal is a problem.
    pub success: bool,
}

/// Answer of `POST /:provider/test-connection`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectionTest {
    /// The CRM answered as it should.
    pub connected: bool,
    /// The CRM's user.
    pub user: Option<CrmUser>,
    /// What the user may do, by entity.
    pub permissions: Option<Permissions>,
    /// What is wrong, as a sentence.
    pub error: Option<String>,
}

/// The CRM's user that Crosstie is signed in as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrmUser {
    /// The CRM's id.
    pub id: String,
    /// Name.
    pub name: String,
    /// E-mail.
    pub email: String,
    /// Id of the org or portal.
    pub organization: String,
}

/// What the CRM's user may do, by entity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// Accounts.
    pub accounts: EntityPermissions,
    /// Contacts.
    pub contacts: EntityPermissions,
    /// Opportunities.
    pub opportunities: EntityPermissions,
}

impl Permissions {
    /// What may be done with one entity, to be set.
    pub fn of_mut(&mut self, entity: Entity) -> &mut EntityPermissions {
        match entity {
            Entity::Account => &mut self.accounts,
            Entity::Contact => &mut self.contacts,
            Entity::Opportunity => &mut self.opportunities,
        }
    }
}

/// What the CRM's user may do with one entity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityPermissions {
    /// Read records.
    pub read: bool,
    /// Create records.
    pub create: bool,
    /// Change records.
    pub update: bool,
    /// Delete records.
    pub delete: bool,
}
