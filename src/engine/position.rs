//! Where a run stands: what its next step does. Stored with each commit, so that any replica can go on.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::sweeps::LetGo;
use crate::model::{Entity, LogDirection, Stage};

/// Position of a run.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Position {
    /// Entities still to do, the current one first.
    pub entities: Vec<Entity>,
    /// What the next step does.
    pub phase: Phase,
    /// Steps in a row that a transient error stopped.
    pub tries: u32,
    /// Records looked at in the current phase.
    pub processed: u64,
    /// Records expected in the current phase.
    pub total: Option<u64>,
    /// Changes of one field that have gone before their share is known.
    #[serde(default)]
    pub let_go: LetGo,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Phase {
    /// Describe, deletions, window of the first entity.
    Prepare,
    /// One page of CRM changes.
    Read(ReadState),
    /// Unlinked CRM records with candidates, now that all is read.
    Match(ReadState),
    /// One batch of edits in the app.
    Push {
        /// Records up to here are done.
        after: Option<Uuid>,
    },
    /// Deletes of all entities, after everything else: the guard looks at them first.
    Guard,
    /// The deletes that may go.
    Delete,
    /// Files of some linked records are listed on both sides and compared.
    ListFiles {
        /// Of this entity.
        entity: Entity,
        /// Links up to here are done.
        after: Option<Uuid>,
    },
    /// One file is moved.
    MoveFiles {
        /// Ties up to here are done.
        after: Option<Uuid>,
    },
    /// Logs and connection are closed.
    Finish,
}

/// A window that is being read.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct ReadState {
    /// Start of the window, epoch milliseconds; `None`: in full.
    pub since: Option<i64>,
    /// The bound fixed before the first page, epoch milliseconds.
    pub watermark: i64,
    /// What the window covers since its first page: a mapping that joins later widens the next run.
    #[serde(default)]
    pub covers: String,
    /// Only what the filter lets through was asked for: no record is linked yet that could leave it.
    #[serde(default)]
    pub filtered: bool,
    /// Where the next page starts.
    pub page: Option<String>,
    /// Linked records that the CRM lists as deleted, and when (epoch milliseconds): worked off when all is read, because only
    /// the reading tells which of them were merged.
    #[serde(default)]
    pub gone: Vec<(String, i64)>,
    /// Second looks that this window takes, by their distance in seconds: when (epoch milliseconds).
    #[serde(default)]
    pub looks_back: BTreeMap<String, i64>,
    /// References of linked records behind this CRM id are still to be asked for; `None`: of none.
    #[serde(default)]
    pub references_behind: Option<String>,
    /// The CRM's list of deletions was read to its end.
    #[serde(default)]
    pub deletions_listed: bool,
    /// Both sides are compared in full, and the readings before have brought what changed before this, epoch milliseconds.
    #[serde(default)]
    pub compares_before: Option<i64>,
}

impl Position {
    /// The start of a run over `entities`.
    pub(crate) fn start(entities: Vec<Entity>) -> Self {
        let phase = if entities.is_empty() { Phase::Guard } else { Phase::Prepare };
        Position { entities, phase, tries: 0, processed: 0, total: None, let_go: LetGo::default() }
    }

    /// The entity being worked on.
    pub(crate) fn entity(&self) -> Option<Entity> {
        self.entities.first().copied()
    }

    /// On to another phase of the same entity.
    pub(crate) fn to_phase(&self, phase: Phase) -> Self {
        Position { phase, let_go: self.let_go.clone(), ..Position::start(self.entities.clone()) }
    }

    /// On to the next entity, or to the deletes after the last.
    pub(crate) fn next_entity(&self) -> Self {
        let rest = self.entities.get(1..).unwrap_or_default().to_vec();
        Position { let_go: self.let_go.clone(), ..Position::start(rest) }
    }

    /// What a screen shows.
    pub(crate) fn progress(&self) -> serde_json::Value {
        let (direction, stage) = match self.phase {
            Phase::Prepare | Phase::Read(_) => (LogDirection::Pull, Stage::Read),
            Phase::Match(_) => (LogDirection::Pull, Stage::Match),
            Phase::Push { .. } => (LogDirection::Push, Stage::WriteCrm),
            Phase::Guard | Phase::Delete | Phase::ListFiles { .. } | Phase::MoveFiles { .. } | Phase::Finish => {
                (LogDirection::Push, Stage::Delete)
            }
        };
        serde_json::json!({
            "direction": direction,
            "entityType": self.entity().map(Entity::plural),
            "stage": stage,
            "processed": self.processed,
            "total": self.total,
        })
    }
}
