//! The web-server flow with its errors (dossier 1).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::org::{Code, Grant, Org, Token};
use super::reply::Reply;
use super::request::Asked;
use super::seeding::user_id;

/// The registered client.
const CLIENT: (&str, &str) = ("crosstie-demo", "crosstie-demo-secret");

/// Id of the org.
pub(super) const ORG_ID: &str = "00DSi0000000001MAA";

/// Life of a code, milliseconds.
const CODE_MS: i64 = 600_000;

/// Live grants of one person (dossier 1.4): the sixth ends the oldest.
const GRANTS: usize = 5;

/// Answers what is under `/services/oauth2` and `/id`.
pub(super) fn answer(org: &mut Org, asked: &Asked) -> Reply {
    match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/services/oauth2/authorize") => consent_page(asked),
        ("POST", "/services/oauth2/authorize") => decided(org, asked),
        ("POST", "/services/oauth2/token") => token(org, asked),
        ("POST" | "GET", "/services/oauth2/revoke") => revoke(org, asked),
        ("POST", "/services/oauth2/introspect") => introspect(org, asked),
        ("GET", "/services/oauth2/userinfo") => userinfo(org, asked),
        ("GET", path) if path.starts_with("/id/") => identity(org, asked),
        _ => Reply::error(404, "NOT_FOUND", "The requested resource does not exist"),
    }
}

/// A valid token answer without the consent page.
pub(super) fn granted(org: &mut Org, asked: &Asked, scope: &str, expires_in: Option<i64>) -> serde_json::Value {
    let grant = new_grant(org, &user_id(0), scope);
    token_answer(org, asked, grant, true, expires_in)
}

/// Ends every access token.
pub(super) fn expire_tokens(org: &mut Org) {
    let now = org.now();
    org.small.tokens.values_mut().for_each(|token| token.expires_at = now);
    org.touch();
}

/// Ends every grant.
pub(super) fn revoke_grants(org: &mut Org) {
    org.small.grants.values_mut().for_each(|grant| grant.revoked = true);
    org.touch();
}

fn consent_page(asked: &Asked) -> Reply {
    let field = |name: &str| asked.query(name).unwrap_or_default();
    let redirect = field("redirect_uri");
    if field("client_id") != CLIENT.0 {
        return Reply::html(400, "error=invalid_client_id&amp;error_description=client%20identifier%20invalid");
    }
    if !is_loopback(&redirect) {
        return Reply::html(400, "error=redirect_uri_mismatch&amp;error_description=redirect_uri%20must%20match");
    }
    if field("response_type") != "code" {
        return refused(&redirect, "unsupported_response_type", "response type must be code", &field("state"));
    }
    let hidden: String = asked
        .query_pairs()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(&name), escape(&value)))
        .collect();
    Reply::html(
        200,
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <title>Allow access? SIMULATOR</title><style>body{{font:16px/1.5 system-ui;max-width:32rem;margin:10vh auto;padding:0 1rem}}\
             button{{font:inherit;padding:.5rem 1.25rem;margin-right:.5rem}}b{{color:#7a2f6b}}</style>\
             <main><p><b>SIMULATOR</b> of Salesforce. No real data is behind it.</p><h1>Allow access?</h1>\
             <p>Crosstie asks to manage the records of this simulated org and to stay signed in.</p>\
             <form method=\"post\" action=\"/services/oauth2/authorize\">{hidden}\
             <button name=\"decision\" value=\"allow\">Allow</button> <button name=\"decision\" value=\"deny\">Deny</button></form></main></html>"
        ),
    )
}

fn decided(org: &mut Org, asked: &Asked) -> Reply {
    let field = |name: &str| asked.form(name).unwrap_or_default();
    let (redirect, state) = (field("redirect_uri"), field("state"));
    if !is_loopback(&redirect) || field("client_id") != CLIENT.0 {
        return Reply::html(400, "error=redirect_uri_mismatch");
    }
    if field("decision") != "allow" {
        return refused(&redirect, "access_denied", "end-user denied authorization", &state);
    }
    let challenge = asked.form("code_challenge").filter(|challenge| !challenge.is_empty());
    if org.small.settings.pkce_required && challenge.is_none() {
        return refused(&redirect, "invalid_request", "missing required code challenge", &state);
    }
    let code = format!("aPrx{}==", org.secret("code"));
    let scope = asked.form("scope").filter(|scope| !scope.is_empty()).unwrap_or_else(|| "api refresh_token".to_owned());
    let expires_at = org.now() + CODE_MS;
    let waiting = Code { user: user_id(0), scope, redirect_uri: redirect.clone(), challenge, expires_at };
    org.codes.insert(code.clone(), waiting);
    back(&redirect, &[("code", &code), ("state", &state)])
}

fn token(org: &mut Org, asked: &Asked) -> Reply {
    let (id, secret) = asked.basic().unwrap_or_else(|| {
        (asked.form("client_id").unwrap_or_default(), asked.form("client_secret").unwrap_or_default())
    });
    if id != CLIENT.0 {
        return Reply::oauth_error("invalid_client_id", "client identifier invalid");
    }
    if secret != CLIENT.1 {
        return Reply::oauth_error("invalid_client", "invalid client credentials");
    }
    match asked.form("grant_type").as_deref() {
        Some("authorization_code") => exchange(org, asked),
        Some("refresh_token") => refresh(org, asked),
        _ => Reply::oauth_error("unsupported_grant_type", "grant type not supported"),
    }
}

fn exchange(org: &mut Org, asked: &Asked) -> Reply {
    let Some(code) = org.codes.remove(&asked.form("code").unwrap_or_default()) else {
        return Reply::oauth_error("invalid_grant", "invalid authorization code");
    };
    if code.expires_at <= org.now() {
        return Reply::oauth_error("invalid_grant", "expired authorization code");
    }
    if asked.form("redirect_uri").as_deref() != Some(&code.redirect_uri) {
        return Reply::oauth_error("redirect_uri_mismatch", "redirect_uri must match configuration");
    }
    if let Some(challenge) = &code.challenge {
        let Some(verifier) = asked.form("code_verifier") else {
            return Reply::oauth_error("invalid_grant", "missing code verifier");
        };
        if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) != *challenge {
            return Reply::oauth_error("invalid_request", "invalid code verifier");
        }
    }
    let grant = new_grant(org, &code.user, &code.scope);
    Reply::json(200, &token_answer(org, asked, grant, true, None))
}

fn refresh(org: &mut Org, asked: &Asked) -> Reply {
    let given = asked.form("refresh_token").unwrap_or_default();
    let dead = Reply::oauth_error("invalid_grant", "expired access/refresh token");
    if let Some((id, grant)) = org.small.grants.iter_mut().find(|(_, grant)| grant.retired.contains(&given)) {
        // Somebody has a token that rotation put out of use: the grant is no longer safe.
        grant.revoked = true;
        let id = *id;
        org.small.tokens.retain(|_, token| token.grant != id);
        org.touch();
        return dead;
    }
    let live = org.small.grants.iter().find(|(_, grant)| grant.refresh_token == given && !grant.revoked);
    let Some(id) = live.map(|(id, _)| *id) else { return dead };
    let rotates = org.small.settings.rotation;
    if rotates {
        let fresh = format!("5Aep{}", org.secret("refresh"));
        if let Some(grant) = org.small.grants.get_mut(&id) {
            grant.retired.insert(std::mem::replace(&mut grant.refresh_token, fresh));
        }
    }
    Reply::json(200, &token_answer(org, asked, id, rotates, None))
}

fn new_grant(org: &mut Org, user: &str, scope: &str) -> u64 {
    let refresh_token = format!("5Aep{}", org.secret("refresh"));
    let id = org.small.serial;
    let live: Vec<u64> =
        org.small.grants.iter().filter(|(_, grant)| grant.user == user && !grant.revoked).map(|(id, _)| *id).collect();
    if live.len() >= GRANTS
        && let Some(oldest) = org.small.grants.get_mut(&live[0])
    {
        oldest.revoked = true;
    }
    let grant = Grant {
        user: user.to_owned(),
        scope: scope.to_owned(),
        refresh_token,
        retired: BTreeSet::new(),
        revoked: false,
    };
    org.small.grants.insert(id, grant);
    id
}

fn token_answer(
    org: &mut Org,
    asked: &Asked,
    grant: u64,
    with_refresh: bool,
    expires_in: Option<i64>,
) -> serde_json::Value {
    let access_token = format!("{}!AQ{}", &ORG_ID[..15], org.secret("access"));
    let now = org.now();
    let life = expires_in.unwrap_or(org.small.settings.session_seconds) * 1000;
    org.small.tokens.retain(|_, token| token.expires_at > now);
    org.small.tokens.insert(access_token.clone(), Token { grant, expires_at: now + life });
    org.touch();
    let found = org.small.grants.get(&grant);
    let (user, scope) = found.map(|grant| (grant.user.clone(), grant.scope.clone())).unwrap_or_default();
    let mut answer = json!({
        "access_token": access_token,
        "signature": URL_SAFE_NO_PAD.encode(Sha256::digest(access_token.as_bytes())),
        "scope": scope,
        "instance_url": asked.origin(),
        "id": format!("{}/id/{ORG_ID}/{user}", asked.origin()),
        "token_type": "Bearer",
        "issued_at": now.to_string(),
    });
    if with_refresh && scope.split(' ').any(|scope| scope == "refresh_token" || scope == "offline_access") {
        answer["refresh_token"] = json!(found.map(|grant| grant.refresh_token.clone()));
    }
    answer
}

fn revoke(org: &mut Org, asked: &Asked) -> Reply {
    let token = asked.form("token").or_else(|| asked.query("token")).unwrap_or_default();
    org.touch();
    if org.small.tokens.remove(&token).is_some() {
        return Reply::empty(200);
    }
    let grant = org.small.grants.iter_mut().find(|(_, grant)| grant.refresh_token == token && !grant.revoked);
    let Some((id, grant)) = grant else {
        return Reply::oauth_error("invalid_token", "invalid token");
    };
    grant.revoked = true;
    let id = *id;
    org.small.tokens.retain(|_, token| token.grant != id);
    Reply::empty(200)
}

fn introspect(org: &Org, asked: &Asked) -> Reply {
    let token = asked.form("token").unwrap_or_default();
    let Some((user, found)) = org.user_of(&token).zip(org.small.tokens.get(&token)) else {
        return Reply::json(200, &json!({ "active": false }));
    };
    let scope = org.small.grants.get(&found.grant).map(|grant| grant.scope.clone());
    Reply::json(
        200,
        &json!({ "active": true, "scope": scope, "client_id": CLIENT.0, "username": email_of(org, user), "sub": user,
                 "token_type": "access_token", "exp": found.expires_at / 1000, "iat": org.now() / 1000, "nbf": org.now() / 1000 }),
    )
}

fn userinfo(org: &Org, asked: &Asked) -> Reply {
    let Some(user) = asked.bearer().and_then(|token| org.user_of(&token)) else {
        return Reply::error(403, "Bad_OAuth_Token", "Bad_OAuth_Token");
    };
    Reply::json(
        200,
        &json!({ "sub": format!("{}/id/{ORG_ID}/{user}", asked.origin()), "user_id": user, "organization_id": ORG_ID,
                 "preferred_username": email_of(org, user), "name": name_of(org, user), "email": email_of(org, user),
                 "zoneinfo": "Europe/London", "active": true }),
    )
}

fn identity(org: &Org, asked: &Asked) -> Reply {
    let token = asked.bearer().or_else(|| asked.query("oauth_token"));
    let Some(user) = token.and_then(|token| org.user_of(&token).map(str::to_owned)) else {
        return Reply::html(403, "Bad_OAuth_Token");
    };
    let origin = asked.origin();
    Reply::json(
        200,
        &json!({ "id": format!("{origin}/id/{ORG_ID}/{user}"), "asserted_user": true, "user_id": user,
                 "organization_id": ORG_ID, "username": email_of(org, &user), "nick_name": "integration",
                 "display_name": name_of(org, &user), "email": email_of(org, &user), "email_verified": true,
                 "timezone": "Europe/London", "active": true, "user_type": "STANDARD", "language": "en_US", "locale": "en_GB",
                 "urls": { "rest": format!("{origin}/services/data/v{{version}}/"), "query": format!("{origin}/services/data/v{{version}}/query/"),
                           "sobjects": format!("{origin}/services/data/v{{version}}/sobjects/") } }),
    )
}

fn email_of(org: &Org, user: &str) -> serde_json::Value {
    user_field(org, user, "Email")
}

fn name_of(org: &Org, user: &str) -> serde_json::Value {
    user_field(org, user, "Name")
}

fn user_field(org: &Org, user: &str, field: &str) -> serde_json::Value {
    let record = org.world.table("User").and_then(|table| table.records.get(user));
    record.and_then(|record| record.fields.get(field).cloned()).unwrap_or_default()
}

fn is_loopback(redirect: &str) -> bool {
    let host = url::Url::parse(redirect).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| host == "localhost" || host == "127.0.0.1" || host == "[::1]")
}

fn refused(redirect: &str, error: &str, description: &str, state: &str) -> Reply {
    if !is_loopback(redirect) {
        return Reply::html(400, escape(error));
    }
    back(redirect, &[("error", error), ("error_description", description), ("state", state)])
}

fn back(redirect: &str, parameters: &[(&str, &str)]) -> Reply {
    match url::Url::parse(redirect) {
        Ok(mut url) => {
            let given = parameters.iter().filter(|(name, value)| *name != "state" || !value.is_empty());
            url.query_pairs_mut().extend_pairs(given);
            Reply::redirect(url.into())
        }
        Err(_) => Reply::html(400, "error=redirect_uri_mismatch"),
    }
}

/// Text inside HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
