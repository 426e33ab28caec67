//! What the frame around every screen shows: the run that is on, and how many conflicts wait.

use serde::{Deserialize, Serialize};

use super::session::Workspace;

/// The moving parts of the frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrameStatus {
    /// Conflicts that wait for a person.
    pub conflicts_waiting: i64,
    /// The run that is on, the latest where there are several.
    pub running: Option<RunningNow>,
    /// The other workspaces that the person belongs to.
    pub other_workspaces: Vec<Workspace>,
}

/// One running run in a line of the top bar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningNow {
    /// The CRM's name.
    pub crm: String,
    /// What it is doing: "pulling contacts".
    pub doing: String,
    /// How far it is: "3,400 of 10,000"; empty while that is not known.
    pub so_far: String,
    /// Percent done, where the total is known.
    pub percent: Option<u8>,
}
