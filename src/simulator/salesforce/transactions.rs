//! Transactions that stay open: what they write is stamped when they begin and seen when they commit, and until then its
//! rows are locked (dossier 2.8, 2.11, 2.12, 9.3).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::control::colleague;
use super::ids::Id;
use super::org::Org;
use super::rollups;
use super::schema::object_named;
use super::validate::RecordError;
use super::world::{By, World, whole_second};
use crate::simulator::commands::{invalid, rfc3339};
use crate::simulator::reply::Reply;

/// An edit that is not committed yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Open {
    object: String,
    /// None creates.
    id: Option<Id>,
    fields: Map<String, Json>,
    user: Id,
    /// Epoch milliseconds of the org's clock.
    pub began: i64,
    commits: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OpenBody {
    object: String,
    id: Option<String>,
    #[serde(default)]
    fields: Map<String, Json>,
    user: Option<String>,
    /// How long it stays open.
    commit_after_ms: i64,
}

impl Open {
    /// The rows that nobody else may write: the record, the account that it is to belong to, and the parents whose roll-ups
    /// it changes.
    fn locks(&self, world: &World) -> Vec<Id> {
        let account = self.fields.get("AccountId").and_then(Json::as_str).and_then(Id::parse);
        let record = object_named(&self.object).zip(self.id).and_then(|(object, id)| world.at(object, &id));
        let parents = record.into_iter().flat_map(|record| rollups::parents(&self.object, record));
        self.id.into_iter().chain(account).chain(parents).collect()
    }
}

/// Begins a transaction as a person or an automation in the CRM would.
pub(super) fn begun(org: &mut Org, body: &Json) -> Result<Reply, Reply> {
    let wanted: OpenBody = serde_json::from_value(body.clone()).map_err(|error| invalid(&error.to_string()))?;
    let object = object_named(&wanted.object).ok_or_else(|| invalid("there is no such object"))?;
    let id = match &wanted.id {
        Some(id) => Some(org.world.living(object, id).map_err(|error| Reply::refused(&error))?.id),
        None => None,
    };
    let (user, began) = (colleague(org, wanted.user.as_deref()), org.now());
    let commits = began.saturating_add(wanted.commit_after_ms.max(0));
    org.small.open.push(Open { object: object.name.to_owned(), id, fields: wanted.fields, user, began, commits });
    org.set_up();
    Ok(Reply::json(200, &json!({ "beganAt": rfc3339(whole_second(began)), "commitsAt": rfc3339(commits) })))
}

/// Commits what is due, the earliest first. What the org refuses then is rolled back, as nobody waits for it.
pub(super) fn commit_due(org: &mut Org) {
    let now = org.now();
    if !org.small.open.iter().any(|open| open.commits <= now) {
        return;
    }
    let (mut due, open) = std::mem::take(&mut org.small.open).into_iter().partition(|open| open.commits <= now);
    org.small.open = open;
    org.set_up();
    due.sort_by_key(|open: &Open| open.commits);
    for open in due {
        let Some(object) = object_named(&open.object) else { continue };
        let by = By { at: open.began, ..org.by(&open.user) };
        let _ = match open.id {
            Some(id) => org.world.update(object, &id, &open.fields, &by),
            None => org.world.create(object, &open.fields, &by),
        };
    }
}

/// The rows that open transactions lock.
pub(super) fn locked(world: &World, open: &[Open]) -> Vec<Id> {
    open.iter().flat_map(|open| open.locks(world)).collect()
}

/// Refuses to write a row that is locked: the real one waits ten seconds before it says so.
pub(super) fn refuse_locked(locked: &[Id], wanted: impl IntoIterator<Item = Id>) -> Result<(), RecordError> {
    match wanted.into_iter().find(|id| locked.contains(id)) {
        Some(id) => {
            let message = format!("unable to obtain exclusive access to this record or 1 records: {id}");
            Err(RecordError::new("UNABLE_TO_LOCK_ROW", message))
        }
        None => Ok(()),
    }
}
