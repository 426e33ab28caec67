//! OAuth: the consent page, tokens of every version, their information and end (dossier 1).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::catalog::OWNERS;
use super::journal;
use super::page;
use super::portal::{Code, Grant, Portal, Token};
use super::refusal::Refusal;
use super::scopes::KNOWN;
use super::{APP_ID, PORTAL_ID};
use crate::simulator::asked::{Asked, decoded};
use crate::simulator::page::escape;
use crate::simulator::reply::Reply;

/// The registered client.
pub(super) const CLIENT: (&str, &str) = ("crosstie-demo", "crosstie-demo-secret");

/// Life of a code, milliseconds.
const CODE_MS: i64 = 60_000;

/// Longest life of an access token, seconds.
const LONGEST_SESSION_S: i64 = 365 * 24 * 3600;

/// Host of the account.
const HUB_DOMAIN: &str = "kestrel.example";

/// Answers what is under `/oauth`.
pub(super) fn answer(portal: &mut Portal, asked: &Asked) -> Reply {
    let path = asked.path.trim_end_matches('/').to_owned();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let dated = |version: &str| matches!(version, "v3" | "2025-09" | "2026-03" | "2026-09");
    match (asked.method.as_str(), parts.as_slice()) {
        ("GET", ["oauth", "authorize"]) => consent_page(asked),
        ("GET", ["oauth", id, "authorize"]) if id.parse() == Ok(PORTAL_ID) => consent_page(asked),
        ("POST", ["oauth", "authorize"] | ["oauth", _, "authorize"]) => decided(portal, asked),
        ("POST", ["oauth", "v1", "token"]) => token(portal, asked, true),
        ("POST", ["oauth", version, "token"]) if dated(version) => token(portal, asked, false),
        ("GET", ["oauth", "v1", "access-tokens", token]) => access_info(portal, &decoded(token)),
        ("GET", ["oauth", "v1", "refresh-tokens", token]) => refresh_info(portal, &decoded(token)),
        ("DELETE", ["oauth", "v1", "refresh-tokens", token]) => {
            revoke(portal, &decoded(token));
            Reply::empty(204)
        }
        ("POST", ["oauth", version, "token", "introspect"]) if dated(version) => introspect(portal, asked),
        ("POST", ["oauth", version, "token", "revoke"]) if dated(version) => {
            if let Err(reply) = client(portal, asked, false) {
                return reply;
            }
            revoke(portal, &named_token(asked));
            Reply::empty(200)
        }
        (_, ["oauth", "v1", "token"]) => Refusal::not_allowed().reply(&portal.correlation()),
        _ => Refusal::nowhere().reply(&portal.correlation()),
    }
}

/// A valid token answer without the consent page.
pub(super) fn granted(portal: &mut Portal, scope: Option<&str>, expires_in: Option<i64>) -> Json {
    let scopes = match scope {
        Some(scope) => scope.split_whitespace().map(str::to_owned).collect(),
        None => KNOWN.iter().map(|scope| (*scope).to_owned()).collect(),
    };
    let grant = installation(portal, scopes);
    token_answer(portal, grant, expires_in)
}

/// Ends every access token.
pub(super) fn expire_tokens(portal: &mut Portal) {
    let now = portal.now();
    portal.small.tokens.values_mut().for_each(|token| token.expires_at = token.expires_at.min(now));
    portal.touch();
}

/// Ends every grant and its tokens: the application is uninstalled. What it has signed in for as itself is nobody's to end.
pub(super) fn revoke_grants(portal: &mut Portal) {
    let small = &mut portal.small;
    small.grants.values_mut().filter(|grant| !grant.of_application).for_each(|grant| grant.revoked = true);
    small.tokens.retain(|_, token| small.grants.get(&token.grant).is_some_and(|grant| !grant.revoked));
    journal::installed(portal, false);
    portal.touch();
}

fn consent_page(asked: &Asked) -> Reply {
    let field = |name: &str| asked.query(name).unwrap_or_default();
    if field("client_id") != CLIENT.0 {
        return page::problem("This app is not known: the client_id is not one that is registered.");
    }
    if !is_loopback(&field("redirect_uri")) {
        return page::problem("The redirect_uri is not one that is registered for this app.");
    }
    let scopes = field("scope");
    if scopes.trim().is_empty() {
        return page::problem("Authorization failed because the required scope parameter is missing.");
    }
    if let Some(odd) = scopes.split_whitespace().find(|scope| !KNOWN.contains(scope)) {
        return page::problem(&format!("Authorization failed because the scope {odd} is not valid for this app."));
    }
    if !matches!(field("code_challenge_method").as_str(), "" | "S256") {
        return back(&field("redirect_uri"), &refused("invalid_request", "code_challenge_method must be S256", asked));
    }
    let hidden: String = asked
        .query_pairs()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(&name), escape(&value)))
        .collect();
    page::consent(&hidden, &scopes)
}

fn refused(error: &str, description: &str, asked: &Asked) -> Vec<(&'static str, String)> {
    let state = asked.query("state").or_else(|| asked.form("state")).unwrap_or_default();
    vec![("error", error.to_owned()), ("error_description", description.to_owned()), ("state", state)]
}

fn decided(portal: &mut Portal, asked: &Asked) -> Reply {
    let field = |name: &str| asked.form(name).unwrap_or_default();
    let redirect = field("redirect_uri");
    if !is_loopback(&redirect) || field("client_id") != CLIENT.0 {
        return page::problem("The redirect_uri is not one that is registered for this app.");
    }
    if field("decision") != "allow" {
        return back(&redirect, &refused("access_denied", "The user denied access", asked));
    }
    let challenge = asked.form("code_challenge").filter(|challenge| !challenge.is_empty());
    if portal.small.settings.pkce_required && challenge.is_none() {
        return back(&redirect, &refused("invalid_request", "code_challenge is required", asked));
    }
    let wanted = format!("{} {}", field("scope"), field("optional_scope"));
    // What the account cannot give is dropped without a word (dossier 1.1).
    let scopes: BTreeSet<&str> = wanted.split_whitespace().filter(|scope| KNOWN.contains(scope)).collect();
    let scopes = scopes.into_iter().map(str::to_owned).collect();
    let secret = portal.secret("code");
    let part = |from: usize, to: usize| secret.get(from..to).unwrap_or_default();
    let code = format!("na1-{}-{}-{}", part(0, 4), part(4, 8), part(8, 32));
    let now = portal.now();
    let waiting = Code { scopes, redirect_uri: redirect.clone(), challenge, expires_at: now + CODE_MS };
    portal.small.codes.retain(|_, code| code.expires_at > now);
    portal.small.codes.insert(code.clone(), waiting);
    portal.touch();
    back(&redirect, &[("code", code), ("state", field("state"))])
}

/// An OAuth refusal: v1 has the CRM's words only, later versions those of the standard too (dossier 1.2).
fn oauth_error(portal: &Portal, v1: bool, status: &str, error: &str, message: &str) -> Reply {
    let mut body = json!({ "status": status, "message": message, "correlationId": portal.correlation() });
    if !v1 {
        body["error"] = json!(error);
        body["error_description"] = json!(message);
    }
    Reply::json(400, &body)
}

/// A member of the body; v1 also takes it from the address.
fn given(asked: &Asked, v1: bool, name: &str) -> Option<String> {
    asked.form(name).or_else(|| if v1 { asked.query(name) } else { None })
}

fn client(portal: &Portal, asked: &Asked, v1: bool) -> Result<(), Reply> {
    if given(asked, v1, "client_id").as_deref() != Some(CLIENT.0) {
        let message = "missing or invalid client id";
        return Err(oauth_error(portal, v1, "BAD_CLIENT_ID", "invalid_client", message));
    }
    if given(asked, v1, "client_secret").as_deref() != Some(CLIENT.1) {
        let message = "missing or invalid client secret";
        return Err(oauth_error(portal, v1, "BAD_CLIENT_SECRET", "invalid_client", message));
    }
    Ok(())
}

fn token(portal: &mut Portal, asked: &Asked, v1: bool) -> Reply {
    let form = asked.header("content-type").is_none_or(|kind| kind.to_ascii_lowercase().contains("form-urlencoded"));
    if !form {
        return Refusal::new(415, "", "Unsupported Media Type").reply(&portal.correlation());
    }
    match given(asked, v1, "grant_type").as_deref() {
        Some("authorization_code" | "refresh_token" | "client_credentials") => {}
        _ => {
            let message = "missing or invalid grant_type";
            return oauth_error(portal, v1, "BAD_GRANT_TYPE", "unsupported_grant_type", message);
        }
    }
    if let Err(reply) = client(portal, asked, v1) {
        return reply;
    }
    match given(asked, v1, "grant_type").as_deref() {
        Some("authorization_code") => exchange(portal, asked, v1),
        Some("refresh_token") => refresh(portal, asked, v1),
        _ => {
            let scope = given(asked, v1, "scope").unwrap_or_default();
            let scopes = scope.split_whitespace().map(str::to_owned).collect();
            let grant = new_grant(portal, scopes, true);
            let mut told = token_answer(portal, grant, None);
            if let Some(members) = told.as_object_mut() {
                members.remove("refresh_token");
            }
            told["token_use"] = json!("client_credentials");
            Reply::json(200, &told)
        }
    }
}

fn exchange(portal: &mut Portal, asked: &Asked, v1: bool) -> Reply {
    let unknown =
        |portal: &Portal| oauth_error(portal, v1, "BAD_AUTH_CODE", "invalid_grant", "missing or unknown auth code");
    portal.touch();
    let code = portal.small.codes.remove(&given(asked, v1, "code").unwrap_or_default());
    let Some(code) = code.filter(|code| code.expires_at > portal.now()) else { return unknown(portal) };
    if given(asked, v1, "redirect_uri").as_deref() != Some(&code.redirect_uri) {
        let message = "redirect URI does not match the one that was authorized";
        return oauth_error(portal, v1, "BAD_REDIRECT_URI", "invalid_grant", message);
    }
    if let Some(challenge) = &code.challenge {
        let verifier = given(asked, v1, "code_verifier").unwrap_or_default();
        if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) != *challenge {
            let message = "missing or invalid code verifier";
            return oauth_error(portal, v1, "BAD_AUTH_CODE", "invalid_grant", message);
        }
    }
    let grant = installation(portal, code.scopes);
    Reply::json(200, &token_answer(portal, grant, None))
}

fn refresh(portal: &mut Portal, asked: &Asked, v1: bool) -> Reply {
    let token = given(asked, v1, "refresh_token").unwrap_or_default();
    let found = portal.small.grants.iter().find(|(_, grant)| grant.refresh_token == token && !grant.revoked);
    let Some(id) = found.map(|(id, _)| *id) else {
        let message =
            if v1 { "missing or invalid refresh token" } else { "refresh token is invalid, expired or revoked" };
        return oauth_error(portal, v1, "BAD_REFRESH_TOKEN", "invalid_grant", message);
    };
    if portal.small.settings.rotation {
        let fresh = refresh_token(portal);
        if let Some(grant) = portal.small.grants.get_mut(&id) {
            let old = std::mem::replace(&mut grant.refresh_token, fresh);
            grant.retired.insert(old);
        }
    }
    Reply::json(200, &token_answer(portal, id, None))
}

fn refresh_token(portal: &mut Portal) -> String {
    let secret = portal.secret("refresh");
    let part = |from: usize, to: usize| secret.get(from..to).unwrap_or_default();
    format!("na1-{}-{}-{}-{}-{}", part(0, 4), part(4, 8), part(8, 12), part(12, 16), part(16, 28))
}

/// The grant of an account that installs the application, or allows it more.
fn installation(portal: &mut Portal, scopes: Vec<String>) -> u64 {
    journal::installed(portal, true);
    new_grant(portal, scopes, false)
}

fn new_grant(portal: &mut Portal, scopes: Vec<String>, of_application: bool) -> u64 {
    let refresh_token = refresh_token(portal);
    let id = portal.small.serial;
    let grant = Grant { scopes, refresh_token, retired: BTreeSet::new(), revoked: false, of_application };
    portal.small.grants.insert(id, grant);
    id
}

fn token_answer(portal: &mut Portal, grant: u64, expires_in: Option<i64>) -> Json {
    let (first, second) = (portal.secret("access"), portal.secret("access"));
    let access_token = format!("CN{first}{second}");
    let now = portal.now();
    let seconds = expires_in.unwrap_or(portal.small.settings.session_seconds).clamp(0, LONGEST_SESSION_S);
    // An expired token is told from an unknown one for a day.
    portal.small.tokens.retain(|_, token| token.expires_at > now - super::stamps::DAY_MS);
    let expires_at = now.saturating_add(seconds * 1000);
    portal.small.tokens.insert(access_token.clone(), Token { grant, expires_at });
    portal.touch();
    let found = portal.small.grants.get(&grant);
    json!({ "token_type": "bearer", "access_token": access_token, "expires_in": seconds, "hub_id": PORTAL_ID,
            "refresh_token": found.map(|grant| grant.refresh_token.clone()),
            "scopes": found.map(|grant| grant.scopes.clone()), "user_id": OWNERS[0].user,
            "token_use": "access_token" })
}

fn access_info(portal: &Portal, token: &str) -> Reply {
    let seconds = portal.small.tokens.get(token).map(|found| (found.expires_at - portal.now()) / 1000);
    match (portal.grant_of(token), seconds) {
        (Ok(grant), Some(seconds)) => Reply::json(
            200,
            &json!({ "token": token, "user": OWNERS[0].email, "hub_domain": HUB_DOMAIN, "scopes": grant.scopes,
                     "hub_id": PORTAL_ID, "app_id": APP_ID, "expires_in": seconds, "user_id": OWNERS[0].user,
                     "token_type": "access", "is_private_distribution": false }),
        ),
        _ => Refusal::new(404, "OBJECT_NOT_FOUND", "access token not found").reply(&portal.correlation()),
    }
}

fn refresh_info(portal: &Portal, token: &str) -> Reply {
    match live(portal, token) {
        Some(grant) => Reply::json(
            200,
            &json!({ "token": token, "user": OWNERS[0].email, "hub_domain": HUB_DOMAIN, "scopes": grant.scopes,
                     "hub_id": PORTAL_ID, "client_id": CLIENT.0, "user_id": OWNERS[0].user, "token_type": "refresh" }),
        ),
        None => Refusal::new(404, "OBJECT_NOT_FOUND", "refresh token not found").reply(&portal.correlation()),
    }
}

fn live<'p>(portal: &'p Portal, refresh_token: &str) -> Option<&'p Grant> {
    portal.small.grants.values().find(|grant| grant.refresh_token == refresh_token && !grant.revoked)
}

/// The refresh token is dead; access tokens that are out live on (dossier 1.2).
fn revoke(portal: &mut Portal, token: &str) {
    if let Some(grant) = portal.small.grants.values_mut().find(|grant| grant.refresh_token == token) {
        grant.revoked = true;
        portal.touch();
    }
}

/// The token of a body, by the specification's name or the prose's.
fn named_token(asked: &Asked) -> String {
    let names = ["token", "access_token", "refresh_token"];
    names.iter().find_map(|name| asked.form(name)).unwrap_or_default()
}

fn introspect(portal: &Portal, asked: &Asked) -> Reply {
    if let Err(reply) = client(portal, asked, false) {
        return reply;
    }
    let token = named_token(asked);
    let mut told = Map::new();
    let (scopes, kind) = match (portal.grant_of(&token), live(portal, &token)) {
        (Ok(grant), _) => (&grant.scopes, "access_token"),
        (_, Some(grant)) => (&grant.scopes, "refresh_token"),
        _ => return Reply::json(200, &json!({ "active": false })),
    };
    if let Some(found) = portal.small.tokens.get(&token) {
        told.insert("expires_in".to_owned(), json!((found.expires_at - portal.now()) / 1000));
    }
    let rest = json!({ "active": true, "token": token, "token_type": "Bearer", "token_use": kind,
                       "client_id": CLIENT.0, "app_id": APP_ID, "hub_id": PORTAL_ID, "hub_domain": HUB_DOMAIN,
                       "user": OWNERS[0].email, "user_id": OWNERS[0].user, "scopes": scopes,
                       "is_private_distribution": false });
    if let Json::Object(rest) = rest {
        told.extend(rest);
    }
    Reply::json(200, &Json::Object(told))
}

fn is_loopback(redirect: &str) -> bool {
    let url = url::Url::parse(redirect).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let host = url.and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| host == "localhost" || host == "127.0.0.1" || host == "[::1]")
}

fn back(redirect: &str, parameters: &[(&str, String)]) -> Reply {
    match url::Url::parse(redirect) {
        Ok(mut url) => {
            let given = parameters.iter().filter(|(name, value)| *name != "state" || !value.is_empty());
            url.query_pairs_mut().extend_pairs(given);
            Reply::redirect(url.into())
        }
        Err(_) => page::problem("The redirect_uri is not an address."),
    }
}
