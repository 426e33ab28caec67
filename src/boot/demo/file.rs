//! `demo.json`: where a demo is and how to get in.

use std::path::Path;

use uuid::Uuid;

use crate::boot::files;
use crate::model::Role;

const NAME: &str = "demo.json";

/// The file, in the shape of `contract.md`, section 1.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoFile {
    /// Address of the server.
    pub url: String,
    /// The embedded cluster's superuser, else the database that was given.
    pub database_url: String,
    /// What other programs write the app's records with; null where the database was given.
    pub writer_database_url: Option<String>,
    /// The admin's key.
    pub api_key: String,
    /// The workspace.
    pub workspace_id: Uuid,
    /// The people.
    pub users: Vec<DemoPerson>,
    /// The simulators.
    pub simulators: Simulators,
}

/// One of a demo's people.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct DemoPerson {
    /// E-mail.
    pub email: String,
    /// Password.
    pub password: String,
    /// Role in the workspace.
    pub role: Role,
}

/// Addresses of the simulators.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Simulators {
    /// Salesforce.
    pub salesforce: String,
    /// HubSpot; a demo of an older version had none.
    #[serde(default)]
    pub hubspot: String,
}

impl DemoFile {
    /// The file of the last start, if it can be read.
    pub fn read(data_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(data_dir.join(NAME)).ok()?).ok()
    }

    /// Replaces the file atomically, mode 0600.
    pub fn write(&self, data_dir: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        files::replace(&data_dir.join(NAME), &text)
    }
}
