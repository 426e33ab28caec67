//! From what has happened in the account to the events of the journal (dossier 5.5). No HTTP, no clock.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::super::catalog::OWNERS;
use super::super::changes::{self, Change};
use super::super::links::{self, End, Mask};
use super::super::portal::Portal;
use super::super::record::{By, Record};
use super::super::stamps::iso;
use super::super::webhooks::{happened, merge};
use super::super::world::World;
use super::super::{APP_ID, PORTAL_ID, scopes, shape};
use super::subscriptions::{Kind, Subscription, Wanted};

/// Type ids of what happens to the application itself: that it is installed, and that it is taken out.
pub(super) const LIFECYCLE: [&str; 2] = ["4-1909196", "4-1916193"];

/// What subscriptions make of what has happened since the last writing, oldest first.
pub(in super::super) fn of(portal: &Portal) -> Vec<Json> {
    let (world, registry) = (&portal.world, &portal.small.journal);
    if world.undo.is_empty() || registry.subscriptions.is_empty() {
        return Vec::new();
    }
    let readable =
        |one: &&Subscription| one.wants.object(&world.meta.types).is_some_and(|kind| scopes::may_read(portal, kind));
    let wanted: Vec<&Subscription> = registry.subscriptions.all().filter(readable).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut events = Vec::new();
    for change in &changes::of(world) {
        for subscription in &wanted {
            let wants = &subscription.wants;
            match *change {
                Change::Record { kind, before, after, by } if wants.object(&world.meta.types) == Some(kind) => {
                    let seen = after.or(before).is_some_and(|record| {
                        wants.lists(record.id) && registry.filters.let_through(world, kind, record, subscription.id)
                    });
                    if seen {
                        events.extend(of_record(world, kind, (before, after), by, wants));
                    }
                }
                Change::Link { from, to, before, after, by } if wants.kind == Kind::Association => {
                    let back = |mask: Mask| links::mirrored(labels(world, from, to), mask);
                    events.extend(of_link(world, (from, to), (before, after), by, wants));
                    events.extend(of_link(world, (to, from), (back(before), back(after)), by, wants));
                }
                _ => {}
            }
        }
    }
    events
}

/// The application was installed or taken out.
pub(super) fn lifecycle(portal: &Portal, installed: bool) -> Vec<Json> {
    let (action, id) = if installed { ("APP_INSTALL", LIFECYCLE[0]) } else { ("APP_UNINSTALL", LIFECYCLE[1]) };
    let wanted = portal.small.journal.subscriptions.all();
    let wanted = wanted.filter(|one| one.wants.event_type_id.as_deref() == Some(id));
    let told = wanted.map(|_| {
        json!({ "type": "app_lifecycle_event", "action": action, "portalId": PORTAL_ID,
                "occurredAt": iso(portal.now()), "eventTypeId": id,
                "properties": { "hs_app_id": APP_ID.to_string(), "hs_app_install_level": "PORTAL",
                                "hs_initiating_user_id": OWNERS[0].user.to_string() } })
    });
    told.collect()
}

/// An event of a record; `details` are what not every event has.
pub(super) fn event(world: &World, kind: &str, action: &str, object: End, at: i64, details: Json) -> Json {
    let mut event = json!({ "type": kind, "action": action, "portalId": PORTAL_ID, "occurredAt": iso(at),
                            "objectTypeId": world.meta.types[object.0].id, "objectId": object.1 });
    if let (Json::Object(event), Json::Object(details)) = (&mut event, details) {
        event.extend(details);
    }
    event
}

fn of_record(
    world: &World,
    kind: usize,
    (before, after): (Option<&Record>, Option<&Record>),
    by: By,
    wants: &Wanted,
) -> Vec<Json> {
    let Some(record) = after.or(before) else { return Vec::new() };
    let lives = |record: Option<&Record>| record.is_some_and(|record| record.archived == 0);
    let changed = || changed(world, kind, before, after, wants);
    let told = wants.actions().filter_map(|action| {
        let details = match action {
            "CREATE" => happened(kind, before, after, "creation").map(|_| json!({ "propertyChanges": changed() })),
            "UPDATE" if lives(before) && lives(after) => {
                let changed = changed();
                (!changed.is_empty()).then(|| json!({ "propertyChanges": changed }))
            }
            "DELETE" => happened(kind, before, after, "deletion").map(|_| json!({})),
            "RESTORE" => happened(kind, before, after, "restore"),
            "MERGE" => merge(before, after),
            "GDPR_DELETE" => happened(kind, before, after, "privacyDeletion").map(|_| json!({})),
            _ => None,
        };
        Some(event(world, "crmObject", action, (kind, record.id), by.at, details?))
    });
    told.collect()
}

/// The watched properties that have another value than before, each with the new one: empty where it was cleared.
fn changed(
    world: &World,
    kind: usize,
    before: Option<&Record>,
    after: Option<&Record>,
    wants: &Wanted,
) -> Map<String, Json> {
    let watched: BTreeSet<&str> = match wants.properties.as_deref().unwrap_or_default() {
        [] => {
            let kept = before.into_iter().chain(after).flat_map(Record::values);
            let defined = kept.filter_map(|(place, _)| world.meta.definitions[kind].at(place));
            defined.map(|property| property.name.as_str()).collect()
        }
        named => named.iter().map(String::as_str).collect(),
    };
    let mut changed = Map::new();
    for name in watched {
        let value = |record: Option<&Record>| {
            let value = record.and_then(|record| shape::value(world, kind, record, name));
            value.map(std::borrow::Cow::into_owned).unwrap_or_default()
        };
        let value_after = value(after);
        if value_after != value(before) {
            changed.insert(name.to_owned(), json!(value_after));
        }
    }
    changed
}

fn labels(world: &World, from: End, to: End) -> &[links::Label] {
    world.meta.labels.get(&(from.0, to.0)).map(Vec::as_slice).unwrap_or_default()
}

/// Every label that a pair has got or lost, seen from one end.
fn of_link(world: &World, (from, to): (End, End), (before, after): (Mask, Mask), by: By, wants: &Wanted) -> Vec<Json> {
    let types = &world.meta.types;
    let others = wants.associated_object_type_ids.iter().flatten();
    let wanted = others.filter_map(|id| types.named(id)).any(|kind| kind == to.0);
    if wants.object(types) != Some(from.0) || !wanted || !wants.lists(from.1) {
        return Vec::new();
    }
    let labels = labels(world, from, to).iter().enumerate();
    let changed = labels.filter(|(place, _)| (before ^ after) & (1 << place) != 0);
    let told = changed.filter_map(|(place, label)| {
        let action = if after & (1 << place) != 0 { "ASSOCIATION_ADDED" } else { "ASSOCIATION_REMOVED" };
        let details = json!({ "associatedObjectTypeId": types[to.0].id, "associatedObjectId": to.1,
                              "associationTypeId": label.type_id, "associationCategory": label.category() });
        wants
            .actions()
            .any(|wanted| wanted == action)
            .then(|| event(world, "association", action, from, by.at, details))
    });
    told.collect()
}
