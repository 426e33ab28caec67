//! Who may ask: tokens and the scopes that a path needs (dossier 1.2, 1.3).

use serde_json::json;

use super::portal::Portal;
use super::refusal::Refusal;
use super::request::{Family, Route};
use super::schema::{COMPANIES, CONTACTS, DEALS, TYPES, type_named};
use super::stamps::iso;
use crate::simulator::asked::Asked;

/// What an application may ask for.
pub(super) const KNOWN: [&str; 25] = [
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
    "crm.schemas.custom.read",
];

/// Refuses a request without a valid token or without the scope that its path needs.
pub(super) fn check(portal: &Portal, asked: &Asked, route: &Route) -> Result<(), Refusal> {
    let token = asked.bearer().ok_or_else(unknown_token)?;
    let grant = portal.grant_of(token).map_err(|expired| match expired {
        Some(at) => expired_token(at, portal.now()),
        None => unknown_token(),
    })?;
    let any_of = needed(asked, route);
    if any_of.is_empty() || any_of.iter().any(|scope| grant.scopes.contains(scope)) {
        return Ok(());
    }
    Err(missing(&any_of))
}

/// The scopes any of which is enough; none where every application may ask.
fn needed(asked: &Asked, route: &Route) -> Vec<String> {
    let parts = route.texts();
    let core = |kind: usize| [CONTACTS, COMPANIES, DEALS].contains(&kind);
    let kind = parts.first().and_then(|name| type_named(name));
    let object = |right: &str| match kind {
        Some(kind) if core(kind) => vec![format!("crm.objects.{}.{right}", TYPES[kind].scope)],
        // Activities ride on the scopes of what they hang on.
        Some(kind) if TYPES[kind].scope == "contacts" => {
            ["contacts", "companies", "deals"].map(|scope| format!("crm.objects.{scope}.{right}")).to_vec()
        }
        _ => Vec::new(),
    };
    let schema = |right: &str| match kind {
        Some(kind) if core(kind) => vec![format!("crm.schemas.{}.{right}", TYPES[kind].scope)],
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
        Family::Schemas | Family::Account => Vec::new(),
    }
}

/// The refusal of a token that nobody issued.
pub(super) fn unknown_token() -> Refusal {
    let message = "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find \
                   more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview";
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
