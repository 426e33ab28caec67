//! Who may ask: tokens and the scopes that a path needs (dossier 1.2, 1.3).

use serde_json::json;

use super::portal::{Grant, Portal};
use super::refusal::Refusal;
use super::request::{Family, Route};
use super::stamps::iso;
use super::types::{COMPANIES, CONTACTS, DEALS, Types};
use super::world::World;
use crate::simulator::asked::Asked;

/// What an application may ask for.
pub(super) const KNOWN: [&str; 30] = [
    "oauth",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.objects.deals.read",
    "crm.objects.deals.write",
    "crm.objects.owners.read",
    "crm.schemas.contacts.read",
    "crm.schemas.contacts.write",
    "crm.schemas.companies.read",
    "crm.schemas.companies.write",
    "crm.schemas.deals.read",
    "crm.schemas.deals.write",
    "crm.export",
    "crm.import",
    "tickets",
    "e-commerce",
    "files",
    "files.read",
    "files.write",
    "files.delete",
    "files.ui_hidden.read",
    "automation",
    "crm.objects.custom.read",
    "crm.objects.custom.write",
    "crm.schemas.custom.read",
    "crm.schemas.custom.write",
    // Those of a developer's own token, for what belongs to the application and not to an account.
    "developers-read",
    "developers-write",
];

/// The developer's key of the registered application (dossier 5.1).
const DEVELOPER_KEY: &str = "crosstie-demo-developer-key";

/// Refuses a request without a valid token or without the scope that its path needs.
pub(super) fn check(portal: &Portal, asked: &Asked, route: &Route) -> Result<(), Refusal> {
    if route.family == Family::Webhooks
        && let Some(key) = asked.query("hapikey")
    {
        return if key == DEVELOPER_KEY { Ok(()) } else { Err(unknown_key()) };
    }
    let token = asked.bearer().ok_or_else(unknown_token)?;
    let grant = portal.grant_of(token).map_err(|expired| match expired {
        Some(at) => expired_token(at, portal.now()),
        None => unknown_token(),
    })?;
    let any_of = needed(&portal.world, asked, route);
    if any_of.is_empty() || any_of.iter().any(|scope| grant.scopes.contains(scope)) {
        return Ok(());
    }
    Err(missing(&any_of))
}

/// The scopes any of which is enough; none where every application may ask.
fn needed(world: &World, asked: &Asked, route: &Route) -> Vec<String> {
    let parts = route.texts();
    let types = &world.meta.types;
    let kind = parts.first().and_then(|name| types.named(name));
    let object = |right: &str| kind.map(|kind| of_records(types, kind, right)).unwrap_or_default();
    let schema = |right: &str| match kind {
        Some(kind) if core(types, kind) => vec![format!("crm.schemas.{}.{right}", types[kind].scope)],
        _ => Vec::new(),
    };
    let last = parts.last().copied().unwrap_or_default();
    let reads = asked.method == "GET" || matches!(last, "search") || parts.ends_with(&["batch", "read"]);
    match route.family {
        Family::Objects | Family::Associations if reads => object("read"),
        Family::Objects => object("write"),
        Family::Associations => object("write"),
        Family::Properties | Family::Pipelines if reads => [schema("read"), object("read")].concat(),
        Family::Properties => schema("write"),
        Family::Pipelines => [schema("write"), object("write")].concat(),
        Family::Owners => vec!["crm.objects.owners.read".to_owned(), "automation".to_owned()],
        Family::Files => {
            let right = match asked.method.as_str() {
                "GET" => "files.read",
                "DELETE" => "files.delete",
                _ => "files.write",
            };
            vec!["files".to_owned(), right.to_owned()]
        }
        Family::Schemas if reads => ["schemas", "objects"].map(|of| format!("crm.{of}.custom.read")).to_vec(),
        Family::Schemas => vec!["crm.schemas.custom.write".to_owned()],
        Family::Account => Vec::new(),
        Family::Webhooks if reads => vec!["developers-read".to_owned()],
        Family::Webhooks => vec!["developers-write".to_owned()],
        Family::Journal if parts.first() == Some(&"status") => of_journal("snapshots.read"),
        Family::Journal => of_journal("read"),
        Family::JournalSubscriptions if reads => of_journal("subscriptions.read"),
        Family::JournalSubscriptions => of_journal("subscriptions.write"),
        Family::JournalSnapshots => of_journal("snapshots.write"),
    }
}

/// What the application asks for as itself: no account can allow it (dossier 1.3, 5.5).
fn of_journal(right: &str) -> Vec<String> {
    vec![format!("developer.webhooks_journal.{right}")]
}

/// Refuses a token without the scope to read records of a type.
pub(super) fn check_reading(portal: &Portal, asked: &Asked, kind: usize) -> Result<(), Refusal> {
    let any_of = of_records(&portal.world.meta.types, kind, "read");
    let grant = asked.bearer().and_then(|token| portal.grant_of(token).ok()).ok_or_else(unknown_token)?;
    if any_of.is_empty() || any_of.iter().any(|scope| grant.scopes.contains(scope)) {
        return Ok(());
    }
    Err(missing(&any_of))
}

/// Whether a type has scopes of its own.
fn core(types: &Types, kind: usize) -> bool {
    [CONTACTS, COMPANIES, DEALS].contains(&kind) || types[kind].schema.is_some()
}

fn of_records(types: &Types, kind: usize, right: &str) -> Vec<String> {
    match types[kind].scope {
        scope if core(types, kind) => vec![format!("crm.objects.{scope}.{right}")],
        // Activities ride on the scopes of what they hang on.
        "contacts" => ["contacts", "companies", "deals"].map(|scope| format!("crm.objects.{scope}.{right}")).to_vec(),
        _ => Vec::new(),
    }
}

/// Whether somebody has allowed the application to read records of a type: none else are its events (dossier 5.2).
pub(super) fn may_read(portal: &Portal, kind: usize) -> bool {
    let any_of = of_records(&portal.world.meta.types, kind, "read");
    let allows = |grant: &Grant| any_of.is_empty() || any_of.iter().any(|scope| grant.scopes.contains(scope));
    portal.small.grants.values().any(|grant| !grant.revoked && !grant.of_application && allows(grant))
}

/// The refusal of a token that nobody issued.
pub(super) fn unknown_token() -> Refusal {
    let message = "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find \
                   more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview";
    Refusal::new(401, "INVALID_AUTHENTICATION", message)
}

fn unknown_key() -> Refusal {
    let page = "https://app.hubspot.com/l/api-key/";
    let message = format!("The API key provided is invalid. View or manage your API key here: {page}");
    Refusal::new(401, "INVALID_AUTHENTICATION", message)
}

fn expired_token(at: i64, now: i64) -> Refusal {
    let seconds = (now - at) / 1000;
    let ago = if seconds < 60 { format!("{seconds} second(s)") } else { format!("{} minute(s)", seconds / 60) };
    let message = format!("The OAuth token used to make this call expired {ago} ago.");
    Refusal::new(401, "EXPIRED_AUTHENTICATION", message).with_context("expire time", &[iso(at)])
}

/// The refusal of a token without any of these scopes (dossier 2.9).
pub(super) fn missing(any_of: &[String]) -> Refusal {
    let page = "https://developers.hubspot.com/scopes";
    let message = format!(
        "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: {page}."
    );
    let mut refusal = Refusal::new(403, "MISSING_SCOPES", message);
    refusal.errors = vec![json!({ "message": "One or more of the following scopes are required.",
                                  "context": { "requiredGranularScopes": any_of } })];
    refusal.links = json!({ "scopes": page });
    refusal
}
