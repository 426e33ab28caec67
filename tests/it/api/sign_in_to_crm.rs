//! Signing in to a CRM: the way that works, and every answer that must not.

use std::time::Duration;

use crosstie::connectors::HttpSettings;
use crosstie::model::Role;
use serde_json::{Value as Json, json};

use crate::helpers::{Client, Consent, TestApp, TestOptions};

/// Begins a sign-in; the address at the CRM.
async fn begin(client: &Client) -> String {
    let answer = client.post("/api/crm/connect", json!({ "provider": "salesforce", "environment": "simulator" })).await;
    let answer = answer.expect(200);
    assert_eq!(answer["config"], Json::Null);
    answer["redirectUrl"].as_str().expect("an address").to_owned()
}

/// Body of the callback.
fn callback(consent: &Consent) -> Json {
    json!({ "provider": "salesforce", "code": consent.code, "state": consent.state })
}

async fn connections(app: &TestApp) -> usize {
    app.rows("SELECT id FROM crm_sync_configs").await.len()
}

#[tokio::test]
async fn a_sign_in_ends_in_a_connection_that_works_and_rests() {
    let app = TestApp::with(TestOptions { accounts: 3, ..TestOptions::default() }).await;
    let admin = app.sign_in_as(Role::Admin).await;
    let consent = app.simulator.allow(&begin(&admin).await).await;
    let answer = admin.post("/api/crm/oauth/callback", callback(&consent)).await.expect(201);
    assert_eq!(answer["success"], true);
    let config = &answer["config"];
    for (member, value) in [
        ("provider", json!("salesforce")),
        ("environment", json!("simulator")),
        ("status", json!("connected")),
        ("syncDirection", json!("bidirectional")),
        ("syncFrequency", json!("hourly")),
        ("schedule", Json::Null),
        ("syncEntities", json!(["accounts", "contacts"])),
        ("syncRules", Json::Null),
        ("conflictResolution", json!("last_write_wins")),
        ("instanceUrl", json!(app.simulator.url)),
        ("lastSyncAt", Json::Null),
        ("nextSyncAt", Json::Null),
        (
            "options",
            json!({ "createMissing": true, "deleteInApp": false, "deleteInCrm": false, "syncFiles": false,
                    "guardRecords": 50, "guardPercent": 10 }),
        ),
    ] {
        assert_eq!(config[member], value, "{member}");
    }
    assert!(config["connectedAs"].as_str().is_some_and(|email| email.contains('@')), "{config}");

    let website = app.row("SELECT * FROM crm_field_mappings WHERE crm_field = 'Website'").await;
    assert!(website["transform_function"].as_str().is_some_and(|script| script.contains("toApp")), "{website}");
    assert_eq!(app.rows("SELECT id FROM crm_field_mappings").await.len(), 32);
    let published = app.row("SELECT field_mappings FROM crm_sync_configs").await;
    assert_eq!(published["field_mappings"]["contacts"].as_object().map(serde_json::Map::len), Some(13));
    assert_eq!(app.rows("SELECT entity_type FROM crm_descriptions WHERE record_count IS NOT NULL").await.len(), 3);

    app.advance(chrono::TimeDelta::hours(3));
    assert_eq!(app.schedule().await, 0, "nothing runs before set-up is complete");
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 3);
}

#[tokio::test]
async fn a_code_that_a_client_fetched_itself_belongs_to_its_newest_sign_in() {
    let app = TestApp::start().await;
    let admin = app.api_key_of(Role::Admin).await;
    let body = |code: &str| json!({ "provider": "salesforce", "authCode": code });
    admin.post("/api/crm/connect", body("aPrx")).await.refused(409, "oauth_not_begun");
    let consent = app.simulator.allow(&begin(&admin).await).await;
    let answer = admin.post("/api/crm/connect", body(consent.code.as_deref().expect("a code"))).await.expect(201);
    assert_eq!((&answer["config"]["status"], &answer["redirectUrl"]), (&json!("connected"), &Json::Null));
}

#[tokio::test]
async fn a_wrong_state_connects_nothing() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    let consent = app.simulator.allow(&begin(&admin).await).await;
    for state in ["", "guessed", &"x".repeat(3000)] {
        let body = json!({ "provider": "salesforce", "code": consent.code, "state": state });
        let problem = admin.post("/api/crm/oauth/callback", body).await.refused(422, "oauth_state_unknown");
        assert_eq!(problem["errors"][0]["field"], "state");
    }
    assert_eq!(connections(&app).await, 0);
}

#[tokio::test]
async fn an_expired_state_connects_nothing() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    let consent = app.simulator.allow(&begin(&admin).await).await;
    app.advance(chrono::TimeDelta::minutes(10));
    admin.post("/api/crm/oauth/callback", callback(&consent)).await.refused(409, "oauth_state_expired");
    assert_eq!(connections(&app).await, 0);
}

#[tokio::test]
async fn a_state_is_good_once() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    let consent = app.simulator.allow(&begin(&admin).await).await;
    admin.post("/api/crm/oauth/callback", callback(&consent)).await.expect(201);
    admin.post("/api/crm/oauth/callback", callback(&consent)).await.refused(409, "oauth_state_used");
    assert_eq!(connections(&app).await, 1);
}

#[tokio::test]
async fn two_answers_with_one_state_at_once_connect_once() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    let consent = app.simulator.allow(&begin(&admin).await).await;
    let (one, other) = tokio::join!(
        admin.post("/api/crm/oauth/callback", callback(&consent)),
        admin.post("/api/crm/oauth/callback", callback(&consent))
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{} {}", one.text, other.text);
}

#[tokio::test]
async fn anothers_state_connects_nothing_and_stays_good_for_its_owner() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    let (_, stranger) = app.other_workspace().await;
    let consent = app.simulator.allow(&begin(&admin).await).await;
    stranger.post("/api/crm/oauth/callback", callback(&consent)).await.refused(422, "oauth_state_foreign");
    assert_eq!(connections(&app).await, 0);

    app.as_superuser("UPDATE workspace_members SET role = 'admin' WHERE role = 'sales_ops'").await;
    let colleague = app.sign_in_as(Role::SalesOps).await;
    app.as_superuser("UPDATE workspace_members SET role = 'admin' WHERE role = 'sales_ops'").await;
    colleague.post("/api/crm/oauth/callback", callback(&consent)).await.refused(422, "oauth_state_foreign");
    assert_eq!(connections(&app).await, 0);
    admin.post("/api/crm/oauth/callback", callback(&consent)).await.expect(201);
}

#[tokio::test]
async fn a_denied_consent_and_a_missing_code_lead_to_their_pages() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    let denied = app.simulator.deny(&begin(&admin).await).await;
    let answer = admin.get(&denied.address).await;
    assert_eq!(answer.header("location"), Some("/connect/salesforce/authorise?problem=oauth_denied"));
    let again = admin.get(&denied.address).await;
    assert_eq!(again.header("location"), Some("/connect/salesforce/authorise?problem=oauth_state_used"));

    let consent = app.simulator.allow(&begin(&admin).await).await;
    let answer = admin.get(&format!("/oauth/callback/salesforce?state={}", consent.state)).await;
    assert_eq!(answer.header("location"), Some("/connect/salesforce/authorise?problem=oauth_code_missing"));
    let body = json!({ "provider": "salesforce", "code": "", "state": "x" });
    admin.post("/api/crm/oauth/callback", body).await.refused(422, "oauth_state_unknown");
    let answer = admin.get("/oauth/callback/salesforce").await;
    assert_eq!(answer.header("location"), Some("/connect/salesforce/authorise?problem=oauth_state_unknown"));
    assert_eq!(connections(&app).await, 0);
}

#[tokio::test]
async fn the_browser_comes_back_to_the_next_step_also_after_signing_in_again() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    let consent = app.simulator.allow(&begin(&admin).await).await;
    let answer = app.signed_out().get(&consent.address).await;
    let sign_in = answer.header("location").expect("an address");
    assert!(sign_in.starts_with("/sign-in?next=%2Foauth%2Fcallback%2Fsalesforce%3F"), "{sign_in}");
    let answer = admin.get(&consent.address).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/connect/salesforce/configure")));
}

#[tokio::test]
async fn a_token_endpoint_that_misbehaves_connects_nothing() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    for (fault, status, code) in [
        (json!({ "fault": "status", "status": 400 }), 409, "oauth_code_refused"),
        (json!({ "fault": "status", "status": 500 }), 503, "crm_unavailable"),
        (json!({ "fault": "garbage" }), 503, "crm_unreadable"),
        (json!({ "fault": "reset" }), 503, "crm_unavailable"),
        (json!({ "fault": "lost_response" }), 503, "crm_unavailable"),
    ] {
        let consent = app.simulator.allow(&begin(&admin).await).await;
        let mut rule = fault.clone();
        rule["match"] = json!({ "operation": "token" });
        app.simulator.faults(json!([rule])).await;
        let answer = admin.post("/api/crm/oauth/callback", callback(&consent)).await;
        app.simulator.clear_faults().await;
        assert_eq!(answer.status, status, "{fault}: {}", answer.text);
        let problem: Json = serde_json::from_str(&answer.text).expect("JSON");
        assert_eq!(problem["code"], code, "{fault}");
        assert!(problem["incident"].is_string(), "{problem}");
        assert_eq!(connections(&app).await, 0, "{fault}");
        admin.post("/api/crm/oauth/callback", callback(&consent)).await.refused(409, "oauth_state_used");
    }
}

#[tokio::test]
async fn a_code_that_the_crm_does_not_know_connects_nothing() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    let consent = app.simulator.allow(&begin(&admin).await).await;
    let body = json!({ "provider": "salesforce", "code": "aPrxWrong", "state": consent.state });
    admin.post("/api/crm/oauth/callback", body).await.refused(409, "oauth_code_refused");
    assert_eq!(connections(&app).await, 0);
}

#[tokio::test]
async fn a_token_endpoint_that_never_answers_is_given_up() {
    let http = HttpSettings { request_timeout: Duration::from_millis(400), ..HttpSettings::default() };
    let app = TestApp::with(TestOptions { http, ..TestOptions::default() }).await;
    let admin = app.sign_in_as(Role::Admin).await;
    let consent = app.simulator.allow(&begin(&admin).await).await;
    let silent = json!([{ "match": { "operation": "token" }, "fault": "delay", "delayMs": 600_000 }]);
    app.simulator.faults(silent).await;
    admin.post("/api/crm/oauth/callback", callback(&consent)).await.refused(503, "crm_unavailable");
    assert_eq!(connections(&app).await, 0);
}

#[tokio::test]
async fn what_is_granted_but_not_stored_is_revoked() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    let consent = app.simulator.allow(&begin(&admin).await).await;
    app.simulator.faults(json!([{ "match": { "operation": "identity" }, "fault": "status", "status": 403 }])).await;
    admin.post("/api/crm/oauth/callback", callback(&consent)).await.refused(409, "crm_user_without_api");
    app.simulator.clear_faults().await;
    assert_eq!(connections(&app).await, 0);
    assert_eq!(app.rows("SELECT id FROM vault.secrets").await.len(), 0);
}

#[tokio::test]
async fn the_same_org_goes_on_with_its_links_and_another_one_stops_and_asks() {
    let app = TestApp::with(TestOptions { accounts: 4, ..TestOptions::default() }).await;
    let admin = app.sign_in_as(Role::Admin).await;
    let sign_in = async || {
        let consent = app.simulator.allow(&begin(&admin).await).await;
        admin.post("/api/crm/oauth/callback", callback(&consent)).await
    };
    let config = sign_in().await.expect(201)["config"].clone();
    app.sync().await.expect_state("completed");
    admin.delete("/api/crm/disconnect/salesforce").await.expect(200);
    let again = sign_in().await.expect(200)["config"].clone();
    assert_eq!((&again["id"], &again["status"]), (&config["id"], &json!("connected")));
    assert!(again["nextSyncAt"].is_string(), "its schedule goes on: {again}");
    let links = "SELECT id FROM crm_record_links WHERE state = 'linked'";
    assert_eq!(app.rows(links).await.len(), 4);
    app.set_config("options = options || '{\"syncFiles\": true}'").await;
    let record = app.row("SELECT id FROM accounts LIMIT 1").await["id"].as_str().and_then(|id| id.parse().ok());
    app.add_file("accounts", record.expect("an id"), "Offer.pdf", b"offer").await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 4, "nothing is doubled");
    let ties = "SELECT id FROM crm_file_ties WHERE state = 'linked'";
    assert_eq!(app.rows(ties).await.len(), 1);

    app.set_config("organization_id = '00D000000000001AAA'").await;
    let problem = sign_in().await.refused(409, "crm_other_org");
    assert_eq!(problem["current"]["organizationBefore"], "00D000000000001AAA");
    assert_eq!(app.rows(links).await.len(), 4, "nothing was touched");

    let body = json!({ "provider": "salesforce", "environment": "simulator", "startAfresh": true });
    let url = admin.post("/api/crm/connect", body).await.expect(200)["redirectUrl"].as_str().expect("url").to_owned();
    let consent = app.simulator.allow(&url).await;
    let afresh = admin.post("/api/crm/oauth/callback", callback(&consent)).await.expect(200)["config"].clone();
    assert_eq!(
        (&afresh["id"], &afresh["nextSyncAt"], &afresh["lastSyncAt"]),
        (&config["id"], &Json::Null, &Json::Null)
    );
    assert_eq!(app.rows(links).await.len(), 0);
    assert_eq!(app.rows("SELECT entity_type FROM crm_cursors").await.len(), 0);
    assert_eq!(app.rows(ties).await.len(), 0);
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 4, "matched anew, not doubled");
    let files = (app.rows(ties).await.len(), app.simulator.records("ContentVersion").await.len());
    assert_eq!(files, (1, 1), "files too");
}

#[tokio::test]
async fn only_an_admin_signs_in_and_only_to_what_there_is() {
    let app = TestApp::start().await;
    let body = json!({ "provider": "salesforce", "environment": "simulator" });
    app.signed_out().post("/api/crm/connect", body.clone()).await.refused(401, "not_signed_in");
    let callback = json!({ "provider": "salesforce", "code": "c", "state": "s" });
    app.signed_out().post("/api/crm/oauth/callback", callback.clone()).await.refused(401, "not_signed_in");
    for role in [Role::SalesOps, Role::Reviewer, Role::Compliance, Role::Member] {
        let client = app.api_key_of(role).await;
        client.post("/api/crm/connect", body.clone()).await.refused(403, "forbidden");
        client.post("/api/crm/oauth/callback", callback.clone()).await.refused(403, "forbidden");
    }
    let admin = app.api_key_of(Role::Admin).await;
    for provider in ["salesforce", "hubspot"] {
        admin.post("/api/crm/connect", json!({ "provider": provider })).await.refused(409, "crm_not_configured");
    }
    for body in [
        json!({}),
        json!({ "provider": "dynamics" }),
        json!({ "provider": "salesforce", "environment": "moon" }),
        json!({ "provider": "salesforce", "colour": "red" }),
        json!({ "provider": "salesforce", "environment": "production", "domain": "evil.example" }),
        json!({ "provider": "salesforce", "environment": "production", "domain": "http://169.254.169.254" }),
        json!({ "provider": "salesforce", "environment": "simulator", "domain": "kestrel.my.salesforce.com" }),
    ] {
        let answer = admin.post("/api/crm/connect", body.clone()).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
    }
}
