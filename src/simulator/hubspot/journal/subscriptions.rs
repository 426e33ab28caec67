//! What the application wants to find in the journal, account by account (dossier 5.5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::super::portal::Portal;
use super::super::refusal::Refusal;
use super::super::stamps::iso;
use super::super::types::{CONTACTS, Types};
use super::super::webhooks::{missing, unknown};
use super::super::world::World;
use super::super::{APP_ID, PORTAL_ID, objects, scopes};
use super::events::LIFECYCLE;
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// What a subscription is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Kind {
    Object,
    Association,
    ListMembership,
    GdprPrivacyDeletion,
    AppLifecycleEvent,
}

impl Kind {
    fn actions(self) -> &'static [&'static str] {
        match self {
            Kind::Object => &["CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE"],
            Kind::Association => &["ASSOCIATION_ADDED", "ASSOCIATION_REMOVED"],
            Kind::ListMembership => &["ADDED_TO_LIST", "REMOVED_FROM_LIST"],
            Kind::GdprPrivacyDeletion => &["GDPR_DELETE"],
            Kind::AppLifecycleEvent => &["APP_INSTALL", "APP_UNINSTALL"],
        }
    }
}

/// A subscription as a request asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    #[serde(rename = "subscriptionType")]
    pub kind: Kind,
    portal_id: Option<u64>,
    object_type_id: Option<String>,
    pub event_type_id: Option<String>,
    actions: Option<Vec<String>>,
    /// Properties whose changes are told; none or an empty list is all of them.
    pub properties: Option<Vec<String>>,
    /// Records that are watched; none or an empty list is all of them.
    object_ids: Option<Vec<u64>>,
    pub associated_object_type_ids: Option<Vec<String>>,
    list_ids: Option<Vec<u64>>,
}

impl Wanted {
    /// The type of the records that it is about.
    pub(super) fn object(&self, types: &Types) -> Option<usize> {
        match (self.kind, &self.object_type_id) {
            (Kind::GdprPrivacyDeletion, None) => Some(CONTACTS),
            (_, id) => types.named(id.as_deref()?),
        }
    }

    /// Whether a record is one of those that are watched.
    pub(super) fn lists(&self, id: u64) -> bool {
        self.object_ids.as_ref().is_none_or(|ids| ids.is_empty() || ids.contains(&id))
    }

    /// What is to be told.
    pub(super) fn actions(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().flatten().map(String::as_str)
    }

    /// Whether another one is about the same: there is one subscription to each thing.
    fn is_like(&self, other: &Wanted) -> bool {
        let about = |wanted: &Wanted| {
            let about = (wanted.kind, wanted.portal_id, wanted.object_type_id.clone(), wanted.event_type_id.clone());
            (about, wanted.associated_object_type_ids.clone(), wanted.list_ids.clone())
        };
        about(self) == about(other)
    }

    fn read(body: Map<String, Json>) -> Result<Self, Refusal> {
        if !body.contains_key("subscriptionType") {
            return Err(missing("subscriptionType"));
        }
        serde_json::from_value(Json::Object(body)).map_err(|error| Refusal::malformed(&error.to_string()))
    }

    fn check(&self, world: &World) -> Result<(), Refusal> {
        if self.kind == Kind::AppLifecycleEvent {
            let id = self.event_type_id.as_deref().ok_or_else(|| missing("eventTypeId"))?;
            return match LIFECYCLE.contains(&id) {
                true => Ok(()),
                false => Err(Refusal::invalid(format!("Invalid object or event type id: {id}"))),
            };
        }
        if self.portal_id.ok_or_else(|| missing("portalId"))? != PORTAL_ID {
            let message = "The app is not installed in the account";
            return Err(Refusal::invalid(message).with_context("portalId", &[self.portal_id.unwrap_or(0).to_string()]));
        }
        if matches!(self.kind, Kind::Object | Kind::Association) && self.object_type_id.is_none() {
            return Err(missing("objectTypeId"));
        }
        let others = self.associated_object_type_ids.as_deref().unwrap_or_default();
        if self.kind == Kind::Association && others.is_empty() {
            return Err(missing("associatedObjectTypeIds"));
        }
        for id in self.object_type_id.iter().chain(others) {
            objects::type_of(world, id)?;
        }
        if self.actions().next().is_none() {
            return Err(missing("actions"));
        }
        match self.actions().find(|action| !self.kind.actions().contains(action)) {
            Some(odd) => Err(Refusal::invalid(format!("The action {odd} is not possible for {:?}", self.kind))),
            None => Ok(()),
        }
    }
}

/// A subscription.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Subscription {
    pub id: u64,
    pub wants: Wanted,
    created: i64,
    updated: i64,
}

impl Subscription {
    /// As the API tells it.
    fn told(&self) -> Json {
        let mut told = json!(self.wants);
        let own = json!({ "id": self.id, "appId": APP_ID, "createdAt": iso(self.created),
                          "updatedAt": iso(self.updated), "deletedAt": null });
        if let (Json::Object(told), Json::Object(own)) = (&mut told, own) {
            told.extend(own);
        }
        told
    }
}

/// Every subscription.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Subscriptions {
    all: BTreeMap<u64, Subscription>,
    last_id: u64,
}

impl Subscriptions {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Every one, the oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Subscription> {
        self.all.values()
    }

    /// The subscription of an id in a path.
    pub(super) fn named(&self, id: &str) -> Result<&Subscription, Refusal> {
        let id = id.parse().map_err(|_| Refusal::not_found())?;
        self.all.get(&id).ok_or_else(|| unknown(id))
    }

    /// Puts a subscription in place of one that is about the same; tells whether there was none.
    fn put(&mut self, wants: Wanted, now: i64) -> (&Subscription, bool) {
        let known = self.all.values().find(|known| known.wants.is_like(&wants));
        let (id, created, is_new) = match known {
            Some(known) => (known.id, known.created, false),
            None => (self.last_id + 1, now, true),
        };
        self.last_id = self.last_id.max(id);
        let made = Subscription { id, wants, created, updated: now };
        (self.all.entry(id).insert_entry(made).into_mut(), is_new)
    }
}

/// Answers what is under `subscriptions`, filters apart.
pub(super) fn answer(portal: &mut Portal, asked: &Asked, rest: &[&str]) -> Result<Reply, Refusal> {
    let registry = &mut portal.small.journal;
    match (asked.method.as_str(), rest) {
        ("GET", []) => {
            let told: Vec<Json> = registry.subscriptions.all().map(Subscription::told).collect();
            Ok(Reply::json(200, &json!({ "results": told })))
        }
        ("POST", []) => create(portal, asked),
        ("GET", [id]) => Ok(Reply::json(200, &registry.subscriptions.named(id)?.told())),
        ("DELETE", [id]) => {
            let id = registry.subscriptions.named(id)?.id;
            Ok(end(portal, |one| one.id == id))
        }
        ("DELETE", ["portals", id]) => {
            let id = id.parse().map_err(|_| Refusal::not_found())?;
            Ok(end(portal, |one| one.wants.portal_id == Some(id)))
        }
        (_, [] | [_] | ["portals", _]) => Err(Refusal::not_allowed()),
        _ => Err(Refusal::nowhere()),
    }
}

/// Makes a subscription, or changes the one that is about the same.
fn create(portal: &mut Portal, asked: &Asked) -> Result<Reply, Refusal> {
    let wants = Wanted::read(asked.members()?)?;
    wants.check(&portal.world)?;
    if let Some(kind) = wants.object(&portal.world.meta.types) {
        scopes::check_reading(portal, asked, kind)?;
    }
    let now = portal.now();
    let (made, is_new) = portal.small.journal.subscriptions.put(wants, now);
    let reply = Reply::json(if is_new { 201 } else { 200 }, &made.told());
    portal.touch();
    Ok(reply)
}

/// Ends subscriptions with their filters.
fn end(portal: &mut Portal, is_over: impl Fn(&Subscription) -> bool) -> Reply {
    let registry = &mut portal.small.journal;
    registry.subscriptions.all.retain(|_, one| !is_over(one));
    let left = &registry.subscriptions.all;
    registry.filters.keep_those(|subscription| left.contains_key(&subscription));
    portal.touch();
    Reply::empty(204)
}
