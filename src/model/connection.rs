//! A workspace's tie to one CRM.

use serde::{Deserialize, Serialize};

use super::text_enum::text_enum;

text_enum! {
    /// A CRM that Crosstie knows (`crm_sync_configs.crm_provider`).
    Provider ("CRM") {
        /// Salesforce.
        Salesforce = "salesforce",
        /// HubSpot.
        Hubspot = "hubspot",
    }
}

impl Provider {
    /// The CRM's name as a person writes it.
    pub const fn title(self) -> &'static str {
        match self {
            Provider::Salesforce => "Salesforce",
            Provider::Hubspot => "HubSpot",
        }
    }
}

text_enum! {
    /// Which of a CRM's worlds a connection belongs to.
    Environment ("environment") {
        /// The customers' real data.
        Production = "production",
        /// A CRM's own test copy.
        Sandbox = "sandbox",
        /// The simulator that comes with Crosstie.
        Simulator = "simulator",
    }
}

impl Environment {
    /// The environment in words for a screen.
    pub const fn label(self) -> &'static str {
        match self {
            Environment::Production => "Production",
            Environment::Sandbox => "Sandbox",
            Environment::Simulator => "Simulator",
        }
    }
}

text_enum! {
    /// State of a connection (`crm_sync_configs.status`).
    ConnectionStatus ("connection status") {
        /// Signed in and working.
        Connected = "connected",
        /// Tokens were revoked and erased by a person.
        Disconnected = "disconnected",
        /// Needs a person, most often a new sign-in.
        Error = "error",
        /// A person paused it.
        Paused = "paused",
    }
}

/// Options of a connection with the defaults of `contract.md`, section 3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Options {
    /// "Create new records if not found".
    pub create_missing: bool,
    /// "Delete records when deleted in CRM".
    pub delete_in_app: bool,
    /// "Delete in CRM when deleted in app".
    pub delete_in_crm: bool,
    /// "Sync attachments and files".
    pub sync_files: bool,
    /// Records that a mass change may touch before it is held.
    pub guard_records: u32,
    /// Share of an entity's links, in percent, that a mass change may touch before it is held.
    pub guard_percent: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            create_missing: true,
            delete_in_app: false,
            delete_in_crm: false,
            sync_files: false,
            guard_records: 50,
            guard_percent: 10,
        }
    }
}
