//! Signing in and out, sessions, keys.

use chrono::TimeDelta;
use crosstie::model::Role;
use reqwest::Method;
use serde_json::json;

use crate::helpers::{Client, TestApp, answer};

async fn try_to_sign_in(client: &Client, email: &str, password: &str) -> crate::helpers::Answer {
    client.post("/api/auth/login", json!({ "email": email, "password": password })).await
}

/// The admin's address and password.
async fn admin_of(app: &TestApp) -> (String, &'static str) {
    (app.admin().await.email.clone(), "a-password-of-tests")
}

#[tokio::test]
async fn a_session_begins_and_ends() {
    let app = TestApp::start().await;
    let (email, password) = admin_of(&app).await;
    let signed_in = try_to_sign_in(&app.signed_out(), &email.to_uppercase(), password).await;
    let me = signed_in.expect(200);
    assert_eq!(me["user"]["email"], email);
    assert_eq!(me["user"]["role"], "admin");
    let cookie = signed_in.header("set-cookie").expect("a cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
    assert!(!cookie.contains("Secure"), "plain http: {cookie}");

    let admin = app.sign_in_as(Role::Admin).await;
    assert_eq!(admin.get("/api/auth/me").await.expect(200)["workspace"]["name"], "Kestrel");
    let out = admin.post("/api/auth/logout", json!({})).await;
    out.expect(200);
    assert!(out.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")));
    admin.get("/api/auth/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn wrong_password_and_unknown_person_are_one_answer() {
    let app = TestApp::start().await;
    let (email, _) = admin_of(&app).await;
    let wrong = try_to_sign_in(&app.signed_out(), &email, "not-the-password").await;
    let unknown = try_to_sign_in(&app.signed_out(), "nobody@nowhere.test", "not-the-password").await;
    assert_eq!(wrong.refused(401, "sign_in_refused"), unknown.refused(401, "sign_in_refused"));
}

#[tokio::test]
async fn failed_tries_are_slowed_and_the_wait_is_told() {
    let app = TestApp::start().await;
    let (email, password) = admin_of(&app).await;
    let client = app.signed_out();
    let mut blocked = None;
    for _ in 0..8 {
        let refused = try_to_sign_in(&client, &email, "not-the-password").await;
        if refused.status == 429 {
            blocked = Some(refused);
            break;
        }
        refused.refused(401, "sign_in_refused");
    }
    let blocked = blocked.expect("slowed within eight tries");
    blocked.refused(429, "too_many_tries");
    let wait: i64 = blocked.header("retry-after").expect("a wait").parse().expect("seconds");
    // Not even the right password helps before the wait is over.
    try_to_sign_in(&client, &email, password).await.refused(429, "too_many_tries");
    app.advance(TimeDelta::seconds(wait));
    try_to_sign_in(&client, &email, password).await.expect(200);
    try_to_sign_in(&client, &email, "not-the-password").await.refused(401, "sign_in_refused");
}

#[tokio::test]
async fn a_session_expires() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    app.advance(TimeDelta::hours(23));
    admin.get("/api/auth/me").await.expect(200);
    app.advance(TimeDelta::hours(2));
    admin.get("/api/auth/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session_but_no_key() {
    let app = TestApp::start().await;
    let (here, there) = (app.sign_in_as(Role::Admin).await, app.sign_in_as(Role::Admin).await);
    let (other, key) = (app.sign_in_as(Role::Member).await, app.api_key_of(Role::Admin).await);
    let form = here
        .request(Method::POST, "/fn/sign_out_everywhere")
        .header("content-type", "application/x-www-form-urlencoded");
    let out = answer("sign out everywhere".to_owned(), form.body("")).await;
    assert!(out.status == 302 || out.status == 200, "{}", out.text);
    here.get("/api/auth/me").await.refused(401, "not_signed_in");
    there.get("/api/auth/me").await.refused(401, "not_signed_in");
    other.get("/api/auth/me").await.expect(200);
    key.get("/api/auth/me").await.expect(200);
}

#[tokio::test]
async fn a_key_works_until_it_is_revoked() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let key = crosstie::service::api_keys::create(&app.services, admin, "reports").await.expect("a key");
    let ask = || {
        let request = app.signed_out().request(Method::GET, "/api/auth/me").bearer_auth(&key.token);
        answer("who am I".to_owned(), request)
    };
    ask().await.expect(200);
    crosstie::service::api_keys::revoke(&app.services, admin, key.id).await.expect("revoked");
    ask().await.refused(401, "not_signed_in");
    crosstie::service::api_keys::revoke(&app.services, admin, key.id).await.expect_err("once only");
}

#[tokio::test]
async fn a_malformed_pass_is_none() {
    let app = TestApp::start().await;
    let session = app.sign_in_as(Role::Admin).await;
    for header in ["Bearer ck_unknown", "Bearer sk_x", "Bearer", "Basic YTpi", "ck_x"] {
        let request = session.request(Method::GET, "/api/auth/me").header("authorization", header);
        answer(header.to_owned(), request).await.refused(401, "not_signed_in");
    }
    let request = app.signed_out().request(Method::GET, "/api/auth/me").header("cookie", "crosstie_session=x; other=1");
    answer("a foreign cookie".to_owned(), request).await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn a_session_moves_only_to_a_workspace_of_its_person() {
    let app = TestApp::start().await;
    let (other_id, _) = app.other_workspace().await;
    let admin = app.sign_in_as(Role::Admin).await;
    let there = json!({ "workspaceId": other_id });
    admin.post("/api/auth/workspace", there.clone()).await.refused(404, "not_found");
    let person = crosstie::service::administration::PersonToAdd {
        email: app.admin().await.email.clone(),
        name: String::new(),
        password: String::new(),
        role: Role::Member,
    };
    crosstie::service::administration::add_person(&app.services, other_id, person).await.expect("a member there");
    let me = admin.post("/api/auth/workspace", there.clone()).await.expect(200);
    assert_eq!((&me["workspace"]["name"], &me["user"]["role"]), (&json!("Alder"), &json!("member")));
    assert_eq!(me["workspaces"].as_array().expect("a list").len(), 2);
    app.api_key_of(Role::Admin).await.post("/api/auth/workspace", there).await.refused(409, "key_has_one_workspace");
}

#[tokio::test]
async fn a_malformed_sign_in_names_what_is_wrong() {
    let app = TestApp::start().await;
    let client = app.signed_out();
    for (body, member) in [
        (json!({ "email": "a@b.test" }), "password"),
        (json!({ "email": 1, "password": "x" }), "email"),
        (json!({ "email": "a@b.test", "password": "x", "remember": true }), "remember"),
    ] {
        let problem = client.post("/api/auth/login", body).await.refused(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], member);
    }
}
