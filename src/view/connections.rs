//! A connection as the API and the screens see it; the API calls it a config (`contract.md`, section 3).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

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
