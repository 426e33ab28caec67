//! What has happened since the last writing: the world's undo list, read forwards.

use std::collections::HashMap;

use super::files::Files;
use super::links::{self, End, Mask};
use super::record::{By, Record, Source};
use super::world::{Meta, World};

/// What it takes to go back by one step, and who has made the step.
pub(super) enum Undo {
    Record { kind: usize, id: u64, before: Option<Record>, by: By },
    Link { from: End, to: End, before: Mask, by: By },
    Meta(Box<Meta>),
    Files(Files),
}

/// Something that somebody has done to a record, or to the labels of a pair of records.
#[derive(Debug)]
pub(super) enum Change<'w> {
    Record { kind: usize, before: Option<&'w Record>, after: Option<&'w Record>, by: By },
    Link { from: End, to: End, before: Mask, after: Mask, by: By },
}

/// What somebody has done since the last writing, oldest first; what time alone does is nobody's doing.
pub(super) fn of(world: &World) -> Vec<Change<'_>> {
    // What a step led to is what the next one on the same record, or pair, has found.
    let mut records: HashMap<(usize, u64), Option<&Record>> = HashMap::new();
    let mut pairs: HashMap<(End, End), Mask> = HashMap::new();
    let mut changes = Vec::new();
    for undo in world.undo.iter().rev() {
        match undo {
            Undo::Record { kind, id, before, by } => {
                let before = before.as_ref();
                let after = records.insert((*kind, *id), before);
                let after = after.unwrap_or_else(|| world.tables[*kind].records.get(id));
                changes.push(Change::Record { kind: *kind, before, after, by: *by });
            }
            Undo::Link { from, to, before, by } => {
                let labels = world.meta.labels.get(&(from.0, to.0)).map(Vec::as_slice).unwrap_or_default();
                pairs.insert((*to, *from), links::mirrored(labels, *before));
                let after = pairs.insert((*from, *to), *before);
                let after = after.unwrap_or_else(|| world.links.get(*from, *to).unwrap_or_default());
                changes.push(Change::Link { from: *from, to: *to, before: *before, after, by: *by });
            }
            Undo::Meta(_) | Undo::Files(_) => {}
        }
    }
    changes.retain(|change| change.by().source != Source::Time);
    changes.reverse();
    changes
}

impl Change<'_> {
    /// Who has done it, and when.
    pub(super) fn by(&self) -> By {
        match self {
            Change::Record { by, .. } | Change::Link { by, .. } => *by,
        }
    }
}
