//! From what has happened in the account to the events that tell of it (dossier 5.2, 5.3). No HTTP, no clock.

use serde_json::{Map, Value as Json, json};

use super::super::changes::Change;
use super::super::links::{self, End, Mask, PRIMARY, relation};
use super::super::record::{By, Record, Source};
use super::super::shape;
use super::super::types::{COMPANIES, CONTACTS};
use super::super::world::World;
use super::super::{APP_ID, PORTAL_ID};
use super::registry::Subscription;

/// The association itself, apart from its labels.
const PLAIN: Mask = 0b1;

/// What subscriptions make of changes, but for the number of the attempt. Events of one change share their number.
pub(super) fn of(
    world: &World,
    changes: &[Change<'_>],
    subscriptions: &[&Subscription],
    first: u64,
) -> Vec<Map<String, Json>> {
    let mut events: Vec<Map<String, Json>> = Vec::new();
    for change in changes {
        let id = first + events.len() as u64;
        for subscription in subscriptions {
            for (object, details) in details(world, change, subscription) {
                events.push(event(world, id, subscription, object, change.by(), details));
            }
        }
    }
    events
}

fn event(world: &World, id: u64, subscription: &Subscription, object: End, by: By, details: Json) -> Map<String, Json> {
    let source = match by.source {
        Source::Integration => "API",
        other => other.kind(),
    };
    let common = json!({ "eventId": id, "subscriptionId": subscription.id, "portalId": PORTAL_ID, "appId": APP_ID,
                         "occurredAt": by.at, "subscriptionType": subscription.event, "objectId": object.1,
                         "changeSource": source, "sourceId": by.source.id() });
    let mut event = Map::new();
    for part in [common, details] {
        if let Json::Object(part) = part {
            event.extend(part);
        }
    }
    if subscription.is_generic() {
        event.insert("objectTypeId".to_owned(), json!(world.meta.types[object.0].id));
    }
    event
}

/// What a subscription is told of a change: the record, and what is not common to all events.
fn details(world: &World, change: &Change<'_>, subscription: &Subscription) -> Vec<(End, Json)> {
    let (Some(wanted), what) = subscription.wants(&world.meta.types) else { return Vec::new() };
    match *change {
        Change::Record { kind, before, after, .. } if kind == wanted => {
            let details = match what {
                "propertyChange" => property_change(world, kind, before, after, subscription),
                "merge" => merge(before, after),
                what => happened(kind, before, after, what),
            };
            let record = after.or(before).map(|record| (kind, record.id));
            record.zip(details).into_iter().collect()
        }
        Change::Link { from, to, before, after, .. } if what == "associationChange" => {
            let mirrored = |mask: Mask| links::mirrored(labels(world, from, to), mask);
            let both = [(from, to, before, after), (to, from, mirrored(before), mirrored(after))];
            let wanted = both.into_iter().filter(|(from, ..)| from.0 == wanted);
            let told = |(from, to, before, after)| association_changes(world, (from, to), before, after, subscription);
            wanted.flat_map(told).collect()
        }
        _ => Vec::new(),
    }
}

/// A creation, deletion, erasure or restoration; one that came of a merge is told as that.
pub(in super::super) fn happened(
    kind: usize,
    before: Option<&Record>,
    after: Option<&Record>,
    what: &str,
) -> Option<Json> {
    let lives = |record: &Record| record.archived == 0;
    match (what, before, after) {
        ("creation", None, Some(_)) => Some(json!({ "changeFlag": "CREATED" })),
        ("deletion", Some(before), Some(after)) if lives(before) && !lives(after) && after.merged_into().is_none() => {
            Some(json!({ "changeFlag": "DELETED" }))
        }
        // What a person erases of a contact is erased by law: that is told twice, even of what was in the bin.
        ("deletion", Some(before), None) if kind == CONTACTS || lives(before) => {
            Some(json!({ "changeFlag": "DELETED" }))
        }
        ("privacyDeletion", Some(_), None) => Some(json!({ "changeFlag": "DELETED" })),
        ("restore", Some(before), Some(after)) if !lives(before) && lives(after) => Some(json!({})),
        _ => None,
    }
}

/// A record has got, lost or changed the value of a property, at its creation too.
fn property_change(
    world: &World,
    kind: usize,
    before: Option<&Record>,
    after: Option<&Record>,
    subscription: &Subscription,
) -> Option<Json> {
    let name = subscription.property.as_deref()?;
    let after = after.filter(|record| record.archived == 0)?;
    if before.is_some_and(|record| record.archived != 0) {
        return None;
    }
    let value = |record| shape::value(world, kind, record, name).unwrap_or_default();
    let (before, after) = (before.map(value).unwrap_or_default(), value(after));
    if before == after {
        return None;
    }
    let mut told = json!({ "propertyName": name, "propertyValue": after });
    if subscription.is_generic() {
        told["isSensitive"] = json!(false);
    }
    Some(told)
}

/// Another record was merged into this one, which keeps its id (dossier 9).
pub(in super::super) fn merge(before: Option<&Record>, after: Option<&Record>) -> Option<Json> {
    let (before, after) = before.zip(after)?;
    // The other one brings those that were merged into it before.
    let merged = after.merged().get(before.merged().len()..)?.last()?;
    let moved = after.values().filter(|(place, value)| before.get(*place) != Some(value)).count();
    Some(json!({ "primaryObjectId": after.id, "mergedObjectIds": [merged], "newObjectId": after.id,
                 "numberOfPropertiesMoved": moved }))
}

/// Records are associated or no longer, and one is the main company of the other or no longer: each by itself.
fn association_changes(
    world: &World,
    (from, to): (End, End),
    before: Mask,
    after: Mask,
    subscription: &Subscription,
) -> Vec<(End, Json)> {
    let has_primary = |from: usize, to: usize| links::has_primary(from) && to == COMPANIES;
    let primary = if has_primary(from.0, to.0) || has_primary(to.0, from.0) { PRIMARY } else { 0 };
    let changed = [PLAIN, primary].into_iter().filter(|label| (before ^ after) & label != 0);
    let told = changed.map(|label| {
        let mut told = json!({ "fromObjectId": from.1, "toObjectId": to.1, "associationRemoved": after & label == 0,
                               "isPrimaryAssociation": label == PRIMARY });
        if subscription.is_generic() {
            let known = labels(world, from, to).get(label.trailing_zeros() as usize);
            told["associationTypeId"] = json!(known.map(|known| known.type_id));
            told["associationCategory"] = json!(known.map(|known| known.category()));
        } else {
            told["associationType"] = json!(relation(&world.meta.types, from.0, to.0).to_uppercase());
        }
        (from, told)
    });
    told.collect()
}

fn labels(world: &World, from: End, to: End) -> &[links::Label] {
    world.meta.labels.get(&(from.0, to.0)).map(Vec::as_slice).unwrap_or_default()
}
