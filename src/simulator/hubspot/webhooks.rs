//! Webhooks: what the application subscribes to, the events that come of it, and their posting (dossier 5.1 to 5.4).
//!
//! Invariant: an event is written together with the change that it tells of.

mod deliver;
mod events;
mod queue;
mod registry;
mod signature;

use serde_json::{Map, Value as Json, json};

use super::APP_ID;
use super::associations::id_of;
use super::batch::{finished, inputs};
use super::changes;
use super::portal::Portal;
use super::refusal::Refusal;
use super::request::Route;
use super::scopes;
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;
pub(super) use deliver::deliver;
pub(super) use events::{happened, merge};
pub(super) use queue::{Pending, Queue};
pub(super) use registry::{Registry, missing, unknown};
use registry::{Subscription, Target};

/// Answers what is under `webhooks`.
pub(super) fn answer(portal: &mut Portal, asked: &Asked, route: &Route) -> Result<Reply, Refusal> {
    let parts = route.texts();
    let Some((app, rest)) = parts.split_first() else { return Err(Refusal::nowhere()) };
    if app.parse() != Ok(APP_ID) {
        return Err(Refusal::not_found());
    }
    let now = portal.now();
    let registry = &mut portal.small.webhooks;
    let reply = match (asked.method.as_str(), rest) {
        ("GET", ["settings"]) => {
            let target = registry.target.as_ref().ok_or_else(Refusal::not_found)?;
            return Ok(Reply::json(200, &target.told()));
        }
        ("PUT", ["settings"]) => {
            let target = Target::read(&asked.members()?, registry.target.as_ref(), now)?;
            Reply::json(200, &registry.target.insert(target).told())
        }
        ("DELETE", ["settings"]) => {
            registry.target = None;
            Reply::empty(204)
        }
        ("GET", ["subscriptions"]) => {
            let told: Vec<Json> = registry.subscriptions.values().map(Subscription::told).collect();
            return Ok(Reply::json(200, &json!({ "results": told })));
        }
        ("POST", ["subscriptions"]) => Reply::json(201, &registry.subscribe(&asked.members()?, now)?.told()),
        ("POST", ["subscriptions", "batch", "update"]) => update(registry, asked, now)?,
        ("GET", ["subscriptions", id]) => {
            let found = registry.subscriptions.get(&id_in(id)?);
            return Ok(Reply::json(200, &found.ok_or_else(Refusal::not_found)?.told()));
        }
        ("PATCH", ["subscriptions", id]) => {
            Reply::json(200, &registry.change(id_in(id)?, &asked.members()?, now)?.told())
        }
        ("DELETE", ["subscriptions", id]) => {
            registry.subscriptions.remove(&id_in(id)?).ok_or_else(Refusal::not_found)?;
            Reply::empty(204)
        }
        (_, ["settings"] | ["subscriptions", ..]) => return Err(Refusal::not_allowed()),
        _ => return Err(Refusal::nowhere()),
    };
    portal.touch();
    Ok(reply)
}

fn id_in(part: &str) -> Result<u64, Refusal> {
    part.parse().map_err(|_| Refusal::not_found())
}

/// Turns many subscriptions on or off.
fn update(registry: &mut Registry, asked: &Asked, now: i64) -> Result<Reply, Refusal> {
    let inputs = inputs(&asked.members()?, registry::MOST)?;
    let id = |input: &Map<String, Json>| input.get("id").and_then(id_of).ok_or_else(|| registry::missing("id"));
    let ids = inputs.iter().map(id).collect::<Result<Vec<u64>, Refusal>>()?;
    if inputs.iter().any(|input| !input.contains_key("active")) {
        return Err(registry::missing("active"));
    }
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for (id, input) in ids.into_iter().zip(&inputs) {
        match registry.change(id, input, now) {
            Ok(changed) => results.push(changed.told()),
            Err(refusal) => errors.push(refusal.entry(None)),
        }
    }
    Ok(finished(now, 200, results, errors))
}

/// The events of what has happened since the last writing. Without a target subscriptions rest.
pub(super) fn events(portal: &Portal) -> Vec<Map<String, Json>> {
    let registry = &portal.small.webhooks;
    if registry.target.is_none() || portal.world.undo.is_empty() {
        return Vec::new();
    }
    let readable = |subscription: &&Subscription| {
        subscription.active
            && subscription.wants(&portal.world.meta.types).0.is_some_and(|kind| scopes::may_read(portal, kind))
    };
    let wanted: Vec<&Subscription> = registry.subscriptions.values().filter(readable).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    events::of(&portal.world, &changes::of(&portal.world), &wanted, portal.queue.serial() + 1)
}
