//! What the application wants to be told, and where (dossier 5.1, 5.2).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use url::Url;

use super::super::refusal::Refusal;
use super::super::stamps::iso;
use super::super::types::Types;

/// Most subscriptions of an application.
pub(super) const MOST: usize = 1000;

/// Requests at once must be more than so many.
const TOO_FEW_AT_ONCE: u64 = 5;

/// Properties that change with everything else.
const FORBIDDEN: [&str; 2] = ["num_unique_conversion_events", "hs_lastmodifieddate"];

/// What happens to every kind of record.
const COMMON: [&str; 6] = ["creation", "deletion", "merge", "restore", "propertyChange", "associationChange"];

/// Where the events go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Target {
    /// As it was given.
    pub url: String,
    pub most_at_once: u64,
    created: i64,
    updated: i64,
}

/// One kind of event that the application wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Subscription {
    pub id: u64,
    /// `contact.creation`.
    pub event: String,
    /// Type id that an event of `object` is for.
    pub object: Option<String>,
    pub property: Option<String>,
    pub active: bool,
    created: i64,
    updated: i64,
}

/// The application's webhooks.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in super::super) struct Registry {
    pub target: Option<Target>,
    pub subscriptions: BTreeMap<u64, Subscription>,
    last_id: u64,
}

impl Target {
    /// Reads the settings of a request; what was there before keeps its beginning.
    pub(super) fn read(body: &Map<String, Json>, before: Option<&Target>, now: i64) -> Result<Self, Refusal> {
        let text = body.get("targetUrl").and_then(Json::as_str).ok_or_else(|| missing("targetUrl"))?;
        if !Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
            return Err(Refusal::invalid(format!("targetUrl {text} is not a valid URL")));
        }
        let throttling = body.get("throttling").ok_or_else(|| missing("throttling"))?;
        let most = throttling.get("maxConcurrentRequests").ok_or_else(|| missing("maxConcurrentRequests"))?;
        let most = most.as_u64().filter(|most| *most > TOO_FEW_AT_ONCE).ok_or_else(|| {
            Refusal::invalid(format!("maxConcurrentRequests must be a whole number greater than {TOO_FEW_AT_ONCE}"))
        })?;
        let created = before.map_or(now, |before| before.created);
        Ok(Target { url: text.to_owned(), most_at_once: most, created, updated: now })
    }

    /// As the API tells it.
    pub(super) fn told(&self) -> Json {
        json!({ "targetUrl": self.url, "throttling": { "maxConcurrentRequests": self.most_at_once },
                "createdAt": iso(self.created), "updatedAt": iso(self.updated) })
    }
}

impl Subscription {
    /// What it is for: a kind of record, where the account has it, and what happens to it.
    pub(super) fn wants(&self, types: &Types) -> (Option<usize>, &str) {
        let (of, what) = self.event.split_once('.').unwrap_or_default();
        let of = if of == "object" { self.object.as_deref().unwrap_or_default() } else { of };
        (types.named(of), what)
    }

    /// Whether its events tell their record's type by themselves.
    pub(super) fn is_generic(&self) -> bool {
        self.event.starts_with("object.")
    }

    /// As the API tells it.
    pub(super) fn told(&self) -> Json {
        let mut told = json!({ "id": self.id.to_string(), "eventType": self.event, "active": self.active,
                               "createdAt": iso(self.created), "updatedAt": iso(self.updated) });
        for (name, value) in [("objectTypeId", &self.object), ("propertyName", &self.property)] {
            if let Some(value) = value {
                told[name] = json!(value);
            }
        }
        told
    }
}

impl Registry {
    /// Adds the subscription of a request.
    pub(super) fn subscribe(&mut self, body: &Map<String, Json>, now: i64) -> Result<&Subscription, Refusal> {
        let (event, object, property) = read(body)?;
        if self.subscriptions.len() >= MOST {
            let message = "Couldn't create another subscription. You've reached the maximum number allowed per \
                           application (1000).";
            return Err(Refusal::invalid(message));
        }
        let same =
            |known: &&Subscription| (&known.event, &known.object, &known.property) == (&event, &object, &property);
        if let Some(known) = self.subscriptions.values().find(same) {
            let message = format!("A subscription to {event} like this one already exists: {}", known.id);
            return Err(Refusal::new(409, "CONFLICT", message));
        }
        let active = active(body)?.unwrap_or_default();
        self.last_id += 1;
        let id = self.last_id;
        let made = Subscription { id, event, object, property, active, created: now, updated: now };
        Ok(self.subscriptions.entry(id).or_insert(made))
    }

    /// Turns a subscription on or off.
    pub(super) fn change(&mut self, id: u64, body: &Map<String, Json>, now: i64) -> Result<&Subscription, Refusal> {
        let active = active(body)?;
        let known = self.subscriptions.get_mut(&id).ok_or_else(|| unknown(id))?;
        if let Some(active) = active {
            (known.active, known.updated) = (active, now);
        }
        Ok(known)
    }
}

/// Event, type id and property of a new subscription.
fn read(body: &Map<String, Json>) -> Result<(String, Option<String>, Option<String>), Refusal> {
    let text = |name: &str| body.get(name).and_then(Json::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let event = text("eventType").ok_or_else(|| missing("eventType"))?;
    let what = known_event(&event).ok_or_else(|| {
        Refusal::malformed(&format!(
            "Cannot deserialize value of type `EventType` from String \"{event}\": not one of the values accepted"
        ))
    })?;
    let object = text("objectTypeId");
    if event.starts_with("object.") && object.is_none() {
        return Err(missing("objectTypeId"));
    }
    if what != "propertyChange" {
        return Ok((event, object, None));
    }
    let property = text("propertyName").ok_or_else(|| missing("propertyName"))?;
    if FORBIDDEN.contains(&property.as_str()) {
        return Err(Refusal::invalid(format!("Property {property} is not supported for {event} subscriptions")));
    }
    Ok((event, object, Some(property)))
}

/// What happens in an event that there is.
fn known_event(event: &str) -> Option<&str> {
    let (of, what) = event.split_once('.')?;
    let there_is = match of {
        "contact" => COMMON.contains(&what) || what == "privacyDeletion",
        "company" | "deal" | "ticket" | "line_item" | "object" => COMMON.contains(&what),
        "product" => COMMON.contains(&what) && what != "associationChange",
        "conversation" => ["creation", "deletion", "newMessage", "privacyDeletion", "propertyChange"].contains(&what),
        "event" => what == "completed",
        _ => false,
    };
    there_is.then_some(what)
}

fn active(body: &Map<String, Json>) -> Result<Option<bool>, Refusal> {
    match body.get("active") {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Bool(active)) => Ok(Some(*active)),
        Some(_) => Err(Refusal::malformed("Cannot deserialize value of type `boolean`")),
    }
}

/// The refusal of a request without a member that it needs.
pub(in super::super) fn missing(name: &str) -> Refusal {
    Refusal::invalid(format!("Some required fields were not set: [{name}]"))
}

/// The refusal of a subscription that there is not.
pub(in super::super) fn unknown(id: u64) -> Refusal {
    Refusal::new(404, "OBJECT_NOT_FOUND", format!("Subscription {id} does not exist"))
        .with_context("id", &[id.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_subscriptions_are_enough() {
        let mut registry = Registry::default();
        let mut subscribe = |property: usize| {
            let body = json!({ "eventType": "contact.propertyChange", "propertyName": format!("p{property}") });
            registry.subscribe(body.as_object().expect("an object"), 0).map(|made| made.id)
        };
        for property in 1..=MOST {
            assert_eq!(subscribe(property).expect("room"), property as u64);
        }
        let refused = subscribe(0).expect_err("no room");
        let message = "Couldn't create another subscription. You've reached the maximum number allowed per application \
                       (1000).";
        assert_eq!((refused.status, refused.message.as_str()), (400, message));
    }
}
