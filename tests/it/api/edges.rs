//! What holds for every request: idempotency, other sites, headers, paths that are none.

use chrono::TimeDelta;
use crosstie::model::Role;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::helpers::{Answer, Client, TestApp, answer};

async fn post_with_key(client: &Client, key: &str, body: Json) -> Answer {
    let request = client.request(Method::POST, "/api/crm/records/accounts").header("idempotency-key", key).json(&body);
    answer(format!("a POST with key {key}"), request).await
}

#[tokio::test]
async fn the_same_post_again_gets_the_first_answer() {
    let app = TestApp::start().await;
    let admin = app.api_key_of(Role::Admin).await;
    let body = json!({ "fields": { "name": "Kestrel" } });
    let first = post_with_key(&admin, "k1", body.clone()).await;
    let made = first.expect(201);
    let again = post_with_key(&admin, "k1", body.clone()).await;
    assert_eq!(again.expect(201), made);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("content-type"), first.header("content-type"));
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 1);

    // A refusal is an answer too.
    let invalid = json!({ "fields": {} });
    let refused = post_with_key(&admin, "k2", invalid.clone()).await.refused(422, "invalid");
    assert_eq!(post_with_key(&admin, "k2", invalid).await.refused(422, "invalid"), refused);

    let other = post_with_key(&admin, "k1", json!({ "fields": { "name": "Alder" } })).await.refused(422, "invalid");
    assert_eq!(other["errors"][0]["field"], "Idempotency-Key");
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 1);

    let reviewer = app.api_key_of(Role::Reviewer).await;
    assert_ne!(post_with_key(&reviewer, "k1", body.clone()).await.expect(201), made, "another person's request");
    let (_, stranger) = app.other_workspace().await;
    assert_ne!(post_with_key(&stranger, "k1", body.clone()).await.expect(201), made, "another workspace's request");

    app.advance(TimeDelta::hours(25));
    assert_ne!(post_with_key(&admin, "k1", body).await.expect(201), made, "forgotten after a day");
}

#[tokio::test]
async fn of_two_at_once_one_is_done() {
    let app = TestApp::start().await;
    let admin = app.api_key_of(Role::Admin).await;
    let body = json!({ "fields": { "name": "Kestrel" } });
    let (one, two) = tokio::join!(post_with_key(&admin, "k1", body.clone()), post_with_key(&admin, "k1", body.clone()));
    for answer in [&one, &two] {
        assert!(answer.status == 201 || answer.status == 409, "{}", answer.text);
    }
    assert!(one.status == 201 || two.status == 201);
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 1);
}

#[tokio::test]
async fn a_request_that_died_can_be_sent_again() {
    let app = TestApp::start().await;
    let admin = app.api_key_of(Role::Admin).await;
    let body = json!({ "fields": { "name": "Kestrel" } });
    post_with_key(&admin, "k1", body.clone()).await.expect(201);
    app.as_superuser("UPDATE idempotency_answers SET status = NULL, body = NULL; DELETE FROM accounts").await;
    post_with_key(&admin, "k1", body.clone()).await.refused(409, "request_under_way");
    app.advance(TimeDelta::minutes(3));
    post_with_key(&admin, "k1", body).await.expect(201);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let app = TestApp::start().await;
    let admin = app.api_key_of(Role::Admin).await;
    for key in ["", "a b", &"x".repeat(256)] {
        let problem = post_with_key(&admin, key, json!({})).await.refused(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], "Idempotency-Key");
    }
    post_with_key(&app.signed_out(), "k1", json!({})).await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn what_another_site_makes_a_browser_send_is_refused() {
    let app = TestApp::start().await;
    let session = app.sign_in_as(Role::Admin).await;
    let key = app.api_key_of(Role::Admin).await;
    for path in ["/api/crm/records/accounts", "/api/auth/logout", "/fn/sign_out", "/integrations", "/sign-in"] {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            let request = session.request(Method::POST, path).header(name, value).json(&json!({}));
            answer(format!("{path} from {value}"), request).await.refused(403, "cross_site");
        }
    }
    session.get("/api/auth/me").await.expect(200);
    let body = json!({ "fields": { "name": "Kestrel" } });
    for (client, name, value) in [
        (&session, "sec-fetch-site", "same-origin"),
        (&session, "origin", app.url.as_str()),
        (&key, "origin", "https://reports.example"),
    ] {
        let request = client.request(Method::POST, "/api/crm/records/accounts").header(name, value).json(&body);
        answer(format!("from {value}"), request).await.expect(201);
    }
}

#[tokio::test]
async fn paths_and_methods_that_are_none_are_problems() {
    let app = TestApp::start().await;
    let admin = app.api_key_of(Role::Admin).await;
    for path in ["/api/nothing", "/api/crm/nothing", "/api/crm/records", "/api"] {
        admin.get(path).await.refused(404, "not_found");
    }
    let refused = admin.put("/api/crm/records/accounts", json!({})).await;
    refused.refused(405, "method_not_allowed");
    assert!(refused.header("allow").is_some_and(|allow| allow.contains("POST")), "{:?}", refused.headers);
    admin.delete("/api/auth/me").await.refused(405, "method_not_allowed");
}

#[tokio::test]
async fn a_body_that_is_none_is_a_problem() {
    let app = TestApp::start().await;
    let admin = app.api_key_of(Role::Admin).await;
    let send = async |kind: &str, body: String| {
        let request = admin.request(Method::POST, "/api/crm/records/accounts").header("content-type", kind).body(body);
        answer(format!("a body of {kind}"), request).await
    };
    send("application/json", "{".to_owned()).await.refused(400, "malformed_json");
    send("text/plain", "{}".to_owned()).await.refused(415, "not_json");
    send("application/json", format!("{{\"fields\":{{\"name\":\"{}\"}}}}", "x".repeat(3 << 20)))
        .await
        .refused(413, "too_large");
}

#[tokio::test]
async fn every_answer_carries_the_headers_and_every_page_its_own_nonce() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    for path in ["/sign-in", "/records/accounts", "/nothing-here", "/api/auth/me", "/api/nothing"] {
        let given = admin.get(path).await;
        let policy = given.header("content-security-policy").unwrap_or_else(|| panic!("{path} has no policy"));
        assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
        assert!(!policy.contains("script-src 'unsafe-inline'"), "{path}: {policy}");
        assert_eq!(given.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(given.header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(given.header("cache-control"), Some("private, no-store"), "{path}");
        if path.starts_with("/api") {
            continue;
        }
        let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce");
        let scripts = given.text.matches("<script").count();
        let carrying = given.text.matches(&format!("nonce=\"{nonce}\"")).count();
        assert!(scripts > 0 && carrying >= scripts, "{path}: {scripts} scripts, {carrying} nonces");
        let again = admin.get(path).await;
        assert_ne!(again.header("content-security-policy"), given.header("content-security-policy"), "{path}");
    }
}

#[tokio::test]
async fn behind_https_the_cookie_is_bound_to_the_host() {
    let app = TestApp::start().await;
    let mut services = app.services.clone();
    let mut settings = (*services.settings).clone();
    settings.public_url = "https://crosstie.example".to_owned();
    services.settings = std::sync::Arc::new(settings);
    let email = app.admin().await.email.clone();
    let entry = crosstie::service::auth::sign_in(&services, &email, "a-password-of-tests".to_owned(), true).await;
    let cookie = entry.expect("signed in").cookie;
    assert!(cookie.starts_with("__Host-crosstie="), "{cookie}");
    for part in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=2592000"] {
        assert!(cookie.contains(part), "{cookie} lacks {part}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
}
