//! Snapshots: records whose values the application wants in the journal although nothing happens to them (dossier 5.5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::super::PORTAL_ID;
use super::super::objects;
use super::super::portal::Portal;
use super::super::refusal::Refusal;
use super::super::stamps::iso;
use super::super::webhooks::missing;
use super::super::{scopes, shape};
use super::events::event;
use super::{RETENTION_MS, publish};
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Most snapshots of a request.
const MOST: usize = 100;

/// A record as a request names it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    portal_id: u64,
    object_type_id: String,
    object_id: u64,
    #[serde(default)]
    properties: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    snapshot_requests: Option<Vec<Wanted>>,
}

/// A snapshot that was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Snapshot {
    wanted: Wanted,
    asked: i64,
    /// When it was taken, or could not be.
    done: Option<i64>,
    failed: bool,
}

/// Snapshots by the id that their status is asked by.
pub(super) type Snapshots = BTreeMap<String, Snapshot>;

/// Notes what is to be taken.
pub(super) fn ask(portal: &mut Portal, asked: &Asked) -> Result<Reply, Refusal> {
    let wish: Wish = serde_json::from_value(asked.json()?).map_err(|error| Refusal::malformed(&error.to_string()))?;
    let wanted = wish.snapshot_requests.filter(|list| !list.is_empty()).ok_or_else(|| missing("snapshotRequests"))?;
    if wanted.len() > MOST {
        return Err(Refusal::invalid(format!("At most {MOST} snapshots can be asked for at once")));
    }
    for one in &wanted {
        scopes::check_reading(portal, asked, objects::type_of(&portal.world, &one.object_type_id)?)?;
        if one.portal_id != PORTAL_ID {
            let message = "The app is not installed in the account";
            return Err(Refusal::invalid(message).with_context("portalId", &[one.portal_id.to_string()]));
        }
    }
    let now = portal.now();
    let mut told = Vec::new();
    for wanted in wanted {
        portal.small.serial += 1;
        let id = portal.uuid(&format!("snapshot:{}", portal.small.serial));
        told.push(json!({ "portalId": wanted.portal_id, "objectTypeId": wanted.object_type_id,
                          "objectId": wanted.object_id, "snapshotStatusId": id }));
        portal.small.journal.snapshots.insert(id, Snapshot { wanted, asked: now, done: None, failed: false });
    }
    portal.touch();
    Ok(Reply::json(200, &json!({ "snapshotResponses": told })))
}

/// How far a snapshot is. Its taking begins when half of the delay of bulk work is over.
pub(super) fn status(portal: &Portal, id: &str) -> Result<Reply, Refusal> {
    let snapshot = portal.small.journal.snapshots.get(id).ok_or_else(Refusal::not_found)?;
    let now = portal.now();
    let status = match snapshot.done {
        Some(done) if now - done > RETENTION_MS => "EXPIRED",
        Some(_) if snapshot.failed => "FAILED",
        Some(_) => "SUCCESS",
        None if (now - snapshot.asked) * 2 >= portal.small.settings.bulk_delay_ms => "IN_PROGRESS",
        None => "PENDING",
    };
    let mut told = json!({ "id": id, "status": status, "initiatedAt": iso(snapshot.asked) });
    if let Some(done) = snapshot.done {
        told["completedAt"] = json!(iso(done));
    }
    if snapshot.failed {
        told["message"] = json!("The object does not exist or was deleted");
    }
    Ok(Reply::json(200, &told))
}

/// Takes the snapshots whose time has come, and forgets those that expired long ago.
pub(in super::super) fn take(portal: &mut Portal) {
    let (now, delay) = (portal.now(), portal.small.settings.bulk_delay_ms);
    let is_due = |one: &Snapshot| one.done.is_none() && now - one.asked >= delay;
    if !portal.small.journal.snapshots.values().any(is_due) {
        return;
    }
    let mut snapshots = std::mem::take(&mut portal.small.journal.snapshots);
    let mut events = Vec::new();
    for snapshot in snapshots.values_mut().filter(|one| is_due(one)) {
        let taken = taken(portal, &snapshot.wanted, now);
        snapshot.failed = taken.is_none();
        snapshot.done = Some(now);
        events.extend(taken);
    }
    snapshots.retain(|_, one| one.done.is_none_or(|done| now - done <= 2 * RETENTION_MS));
    portal.small.journal.snapshots = snapshots;
    portal.touch();
    publish(portal, &events);
}

fn taken(portal: &Portal, wanted: &Wanted, now: i64) -> Option<Json> {
    let kind = portal.world.meta.types.named(&wanted.object_type_id)?;
    let record = portal.world.living(kind, wanted.object_id)?;
    let value = |name: &String| (name.clone(), json!(shape::value(&portal.world, kind, record, name)));
    let values: Map<String, Json> = wanted.properties.iter().map(value).collect();
    Some(event(&portal.world, "crmObject", "SNAPSHOT", (kind, record.id), now, json!({ "properties": values })))
}
