//! The web-server flow with its errors (dossier 1).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, json};
use sha2::{Digest, Sha256};

use super::org::{Code, Grant, Org, Token};
use super::page;
use super::seeding::user_id;
use crate::simulator::asked::Asked;
use crate::simulator::control::Burst;
use crate::simulator::digest::hmac_sha256;
use crate::simulator::page::escape;
use crate::simulator::reply::Reply;

/// The registered client.
const CLIENT: (&str, &str) = ("crosstie-demo", "crosstie-demo-secret");

/// Id of the org.
pub(super) const ORG_ID: &str = "00DSi0000000001MAA";

/// Life of a code, milliseconds.
const CODE_MS: i64 = 600_000;

/// Live grants of one person (dossier 1.4): the sixth ends the oldest.
const GRANTS: usize = 5;

/// Logins of one hour.
const LOGINS: Burst = Burst { count: 3600, per_ms: 3_600_000 };

/// What an application may ask for.
const SCOPES: [&str; 14] = [
    "api",
    "refresh_token",
    "offline_access",
    "id",
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "web",
    "full",
    "chatter_api",
    "custom_permissions",
    "lightning",
];

/// Longest life of an access token, seconds.
const LONGEST_SESSION_S: i64 = 365 * 24 * 3600;

/// Answers what is under `/services/oauth2`, `/id` and `/.well-known`.
pub(super) fn answer(org: &mut Org, asked: &Asked) -> Reply {
    let path = asked.path.trim_end_matches('/');
    match (asked.method.as_str(), path) {
        ("GET", "/services/oauth2/authorize") => consent_page(asked),
        ("POST", "/services/oauth2/authorize") => decided(org, asked),
        ("POST", "/services/oauth2/token") => encoded(asked, token(org, asked)),
        ("POST" | "GET", "/services/oauth2/revoke") => revoke(org, asked),
        ("POST", "/services/oauth2/introspect") => introspect(org, asked),
        ("GET" | "POST", "/services/oauth2/userinfo") => userinfo(org, asked),
        ("GET", "/.well-known/openid-configuration") => configuration(asked),
        ("GET", path) if path.starts_with("/id/") => identity(org, asked, path),
        (_, "/services/oauth2/token" | "/services/oauth2/introspect") => {
            Reply::oauth_error("invalid_request", "must use HTTP POST")
        }
        _ => super::rest::not_found(),
    }
}

/// A valid token answer without the consent page.
pub(super) fn granted(org: &mut Org, asked: &Asked, scope: &str, expires_in: Option<i64>) -> serde_json::Value {
    let grant = new_grant(org, &user_id(0), scope, false);
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
    let state = field("state");
    if field("response_type") != "code" {
        return refused(&redirect, "unsupported_response_type", "response type not supported", &state);
    }
    if field("scope").split_whitespace().any(|scope| !SCOPES.contains(&scope)) {
        return refused(&redirect, "invalid_scope", "the requested scope is not allowed", &state);
    }
    if !matches!(field("code_challenge_method").as_str(), "" | "S256") {
        return refused(&redirect, "invalid_request", "code challenge method must be S256", &state);
    }
    let hidden: String = asked
        .query_pairs()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(&name), escape(&value)))
        .collect();
    page::consent(&hidden)
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
    let waiting = Code { user: user_id(0).to_string(), scope, redirect_uri: redirect.clone(), challenge, expires_at };
    let now = org.now();
    org.small.codes.retain(|_, code| code.expires_at > now);
    org.small.codes.insert(code.clone(), waiting);
    org.touch();
    back(&redirect, &[("code", &code), ("state", &state)])
}

fn token(org: &mut Org, asked: &Asked) -> Reply {
    let (id, secret) = client(asked);
    if id != CLIENT.0 {
        return Reply::oauth_error("invalid_client_id", "client identifier invalid");
    }
    if secret != CLIENT.1 {
        return Reply::oauth_error("invalid_client", "invalid client credentials");
    }
    let now = org.now();
    if !org.options().no_limits && !org.logins.admit(Some(LOGINS), now) {
        return Reply::oauth_error("rate_limit_exceeded", "login rate exceeded");
    }
    match asked.form("grant_type").as_deref() {
        Some("authorization_code") => exchange(org, asked),
        Some("refresh_token") => refresh(org, asked),
        _ => Reply::oauth_error("unsupported_grant_type", "grant type not supported"),
    }
}

fn exchange(org: &mut Org, asked: &Asked) -> Reply {
    org.touch();
    let Some(code) = org.small.codes.remove(&asked.form("code").unwrap_or_default()) else {
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
    if !org.is_active(&code.user) {
        return Reply::oauth_error("inactive_user", "user is inactive or locked");
    }
    let grant = new_grant(org, &code.user, &code.scope, true);
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
    let Some((id, user, used_at)) = live.map(|(id, grant)| (*id, grant.user.clone(), grant.used_at)) else {
        return dead;
    };
    if !org.is_active(&user) {
        return Reply::oauth_error("inactive_user", "user is inactive or locked");
    }
    let idle_ms = org.small.settings.refresh_idle_days.map(|days| days.saturating_mul(24 * 3600 * 1000));
    if idle_ms.is_some_and(|idle| used_at.saturating_add(idle) <= org.now()) {
        return dead;
    }
    let rotates = org.small.settings.rotation;
    if rotates {
        let fresh = format!("5Aep{}", org.secret("refresh"));
        if let Some(grant) = org.small.grants.get_mut(&id) {
            grant.retired.insert(std::mem::replace(&mut grant.refresh_token, fresh));
        }
    }
    Reply::json(200, &token_answer(org, asked, id, rotates, None))
}

fn new_grant(org: &mut Org, user: &str, scope: &str, by_consent: bool) -> u64 {
    let refresh_token = format!("5Aep{}", org.secret("refresh"));
    let id = org.small.serial;
    let counts = |grant: &Grant| grant.user == user && grant.by_consent == by_consent && !grant.revoked;
    let live: Vec<u64> = org.small.grants.iter().filter(|(_, grant)| counts(grant)).map(|(id, _)| *id).collect();
    if live.len() >= GRANTS
        && let Some(oldest) = org.small.grants.get_mut(&live[0])
    {
        oldest.revoked = true;
    }
    let grant = Grant {
        user: user.to_owned(),
        by_consent,
        used_at: org.now(),
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
    let life = expires_in.unwrap_or(org.small.settings.session_seconds).clamp(0, LONGEST_SESSION_S) * 1000;
    org.small.tokens.retain(|_, token| token.expires_at > now);
    org.small.tokens.insert(access_token.clone(), Token { grant, expires_at: now + life });
    org.touch();
    if let Some(grant) = org.small.grants.get_mut(&grant) {
        grant.used_at = now;
    }
    let found = org.small.grants.get(&grant);
    let (user, scope) = found.map(|grant| (grant.user.clone(), grant.scope.clone())).unwrap_or_default();
    let identity = format!("{}/id/{ORG_ID}/{user}", asked.origin());
    let mut answer = json!({
        "access_token": access_token,
        "signature": STANDARD.encode(hmac_sha256(CLIENT.1.as_bytes(), format!("{identity}{now}").as_bytes())),
        "scope": scope,
        "instance_url": org.small.instance.clone().unwrap_or_else(|| asked.origin()),
        "id": identity,
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
    if client(asked) != (CLIENT.0.to_owned(), CLIENT.1.to_owned()) {
        return Reply { status: 401, ..Reply::oauth_error("invalid_client", "invalid client credentials") };
    }
    let token = asked.form("token").unwrap_or_default();
    let now = org.now();
    let (kind, user, scope, expires_at) = match (org.user_of(&token), org.small.tokens.get(&token)) {
        (Some(user), Some(found)) => {
            let scope = org.small.grants.get(&found.grant).map(|grant| grant.scope.clone());
            ("access_token", user.to_owned(), scope, Some(found.expires_at / 1000))
        }
        _ => match org.small.grants.values().find(|grant| grant.refresh_token == token && !grant.revoked) {
            Some(grant) => ("refresh_token", grant.user.clone(), Some(grant.scope.clone()), None),
            None => return Reply::json(200, &json!({ "active": false })),
        },
    };
    let sub = format!("{}/id/{ORG_ID}/{user}", asked.origin());
    let mut answer = json!({ "active": true, "scope": scope, "client_id": CLIENT.0, "username": email_of(org, &user),
                             "sub": sub, "token_type": kind, "iat": now / 1000, "nbf": now / 1000 });
    if let Some(expires_at) = expires_at {
        answer["exp"] = json!(expires_at);
    }
    Reply::json(200, &answer)
}

fn userinfo(org: &Org, asked: &Asked) -> Reply {
    let Some(user) = asked.session().and_then(|token| org.user_of(token).map(str::to_owned)) else {
        return Reply::html(403, "Bad_OAuth_Token");
    };
    let origin = asked.origin();
    Reply::json(
        200,
        &json!({ "sub": format!("{origin}/id/{ORG_ID}/{user}"), "user_id": user, "organization_id": ORG_ID,
                 "preferred_username": email_of(org, &user), "nickname": "integration", "name": name_of(org, &user),
                 "email": email_of(org, &user), "email_verified": true, "zoneinfo": TIME_ZONE, "locale": "en_GB",
                 "language": "en_US", "active": true, "user_type": "STANDARD", "utcOffset": 0, "urls": urls(&origin) }),
    )
}

fn identity(org: &Org, asked: &Asked, path: &str) -> Reply {
    let Some(token) = asked.session().map(str::to_owned).or_else(|| asked.query("oauth_token")) else {
        return Reply::html(403, "Missing_OAuth_Token");
    };
    let Some(user) = org.user_of(&token).map(str::to_owned) else { return Reply::html(403, "Bad_OAuth_Token") };
    if path != format!("/id/{ORG_ID}/{user}") {
        return Reply::html(403, "Wrong_Org");
    }
    let origin = asked.origin();
    Reply::json(
        200,
        &json!({ "id": format!("{origin}/id/{ORG_ID}/{user}"), "asserted_user": true, "user_id": user,
                 "organization_id": ORG_ID, "username": email_of(org, &user), "nick_name": "integration",
                 "display_name": name_of(org, &user), "email": email_of(org, &user), "email_verified": true,
                 "first_name": user_field(org, &user, "FirstName"), "last_name": user_field(org, &user, "LastName"),
                 "timezone": TIME_ZONE, "active": true, "user_type": "STANDARD", "language": "en_US",
                 "locale": "en_GB", "utcOffset": 0, "urls": urls(&origin) }),
    )
}

/// Time zone of the signed-in person, as date literals reckon.
const TIME_ZONE: &str = "Europe/London";

fn urls(origin: &str) -> serde_json::Value {
    let data = format!("{origin}/services/data/v{{version}}");
    json!({ "rest": format!("{data}/"), "query": format!("{data}/query/"), "sobjects": format!("{data}/sobjects/"),
            "search": format!("{data}/search/"), "recent": format!("{data}/recent/"), "custom_domain": origin })
}

fn configuration(asked: &Asked) -> Reply {
    let origin = asked.origin();
    let at = |path: &str| format!("{origin}/services/oauth2/{path}");
    Reply::json(
        200,
        &json!({ "issuer": origin, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"),
                 "revocation_endpoint": at("revoke"), "userinfo_endpoint": at("userinfo"),
                 "introspection_endpoint": at("introspect"), "jwks_uri": format!("{origin}/id/keys"),
                 "scopes_supported": SCOPES, "response_types_supported": ["code"], "subject_types_supported": ["public"],
                 "code_challenge_methods_supported": ["S256"],
                 "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"] }),
    )
}

/// Client id and secret of a request, by HTTP Basic or in the form.
fn client(asked: &Asked) -> (String, String) {
    asked.basic().unwrap_or_else(|| {
        (asked.form("client_id").unwrap_or_default(), asked.form("client_secret").unwrap_or_default())
    })
}

/// A token answer in the encoding that was asked for; JSON is the default.
fn encoded(asked: &Asked, reply: Reply) -> Reply {
    let accept = asked.header("accept").unwrap_or_default();
    let format = asked.form("format").or_else(|| asked.query("format")).unwrap_or_default();
    let wants = |name: &str, kind: &str| format == name || (format.is_empty() && accept == kind);
    let members: Map<String, serde_json::Value> = serde_json::from_str(&reply.body).unwrap_or_default();
    let pairs = members.iter().map(|(name, value)| (name, value.as_str().unwrap_or_default()));
    if wants("urlencoded", "application/x-www-form-urlencoded") {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        return Reply { body, content_type: "application/x-www-form-urlencoded;charset=UTF-8", ..reply };
    }
    if wants("xml", "application/xml") {
        let inner: String = pairs.map(|(name, value)| format!("<{name}>{}</{name}>", escape(value))).collect();
        let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><OAuth>{inner}</OAuth>");
        return Reply { body, content_type: "application/xml;charset=UTF-8", ..reply };
    }
    reply
}

fn email_of(org: &Org, user: &str) -> serde_json::Value {
    user_field(org, user, "Email")
}

fn name_of(org: &Org, user: &str) -> serde_json::Value {
    user_field(org, user, "Name")
}

fn user_field(org: &Org, user: &str, field: &str) -> serde_json::Value {
    let record = super::schema::object_named("User").and_then(|object| org.world.record(object, user));
    record.and_then(|record| record.fields.get(field)).map(super::packed::Value::to_json).unwrap_or_default()
}

fn is_loopback(redirect: &str) -> bool {
    let url = url::Url::parse(redirect).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let host = url.and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| host == "localhost" || host == "127.0.0.1" || host == "[::1]")
}

fn refused(redirect: &str, error: &str, description: &str, state: &str) -> Reply {
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
