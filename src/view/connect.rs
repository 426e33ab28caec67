//! The steps of connecting a CRM.

use serde::{Deserialize, Serialize};

use super::Moment;
use super::connections::{Config, EntityPermissions};
use super::integrations::{LiveRun, Phrase};
use crate::model::{Entity, Environment, Provider};

/// What the first step offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChoosePage {
    /// The CRMs.
    pub offers: Vec<CrmOffer>,
}

/// A CRM that can be connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CrmOffer {
    /// Which CRM.
    pub provider: Provider,
    /// The built-in simulator can be connected.
    pub simulator: bool,
    /// Why no real org can be connected; nothing where it can.
    pub real_refused: Option<String>,
    /// A connection is signed in already, as this user.
    pub connected_as: Option<String>,
}

/// What the second step says before it goes to the CRM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorisePage {
    /// Which CRM.
    pub provider: Provider,
    /// Which of the CRM's worlds.
    pub environment: Environment,
    /// Host that the person signs in at.
    pub host: String,
    /// The same where it is the customer's own (My Domain).
    pub domain: Option<String>,
    /// E-mail of the user from before, where there is a connection.
    pub user_before: Option<String>,
}

/// The third step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurePage {
    /// The connection.
    pub config: Config,
    /// Set-up was completed before.
    pub set_up: bool,
    /// The one sentence.
    pub sentence: Vec<Phrase>,
    /// Id of the org.
    pub organization: Option<String>,
    /// The test result, per entity.
    pub entities: Vec<EntityCheck>,
    /// When the CRM was last asked.
    pub tested: Option<Moment>,
    /// "14,962 of 15,000 API calls left today."
    pub calls_left: Option<String>,
    /// What looking for changes every hour costs.
    pub cost: String,
}

/// One entity in the third step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntityCheck {
    /// Which entity.
    pub entity: Entity,
    /// Whether it is to be synchronised.
    pub on: bool,
    /// What the CRM's user may do.
    pub permissions: EntityPermissions,
    /// What to do where something is missing.
    pub advice: Option<String>,
    /// Records here.
    pub here: String,
    /// Records in the CRM, once it has said.
    pub in_crm: Option<String>,
}

/// The last step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DonePage {
    /// The connection.
    pub config: Config,
    /// The one sentence.
    pub sentence: Vec<Phrase>,
    /// The entity that the proof is about.
    pub entity: Entity,
    /// What its records are matched by: "Domain".
    pub key: String,
    /// Ten records side by side.
    pub pairs: Vec<Pair>,
    /// "Eight agree, two differ in the name."
    pub pairs_words: String,
    /// The first run, while it is on.
    pub run: Option<LiveRun>,
    /// Mappings in force.
    pub mappings: String,
}

/// A record on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pair {
    /// Address of the app record.
    pub href: String,
    /// Its name here.
    pub name: String,
    /// What it is matched by, here.
    pub key: String,
    /// Its name in the CRM.
    pub crm_name: String,
    /// What it is matched by, in the CRM.
    pub crm_key: String,
    /// Both mean the same.
    pub agrees: bool,
}
