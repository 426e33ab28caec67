//! Connections: listing, testing, pausing, ending; who may, and from where.

use crosstie::model::Role;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::helpers::{TestApp, TestOptions};

#[tokio::test]
async fn every_connection_is_listed_and_shown_without_its_tokens() {
    let app = TestApp::start().await;
    let member = app.api_key_of(Role::Member).await;
    assert_eq!(member.get("/api/crm/configs").await.expect(200), json!({ "configs": [] }));
    let id = app.connect_salesforce().await;
    let configs = member.get("/api/crm/configs").await;
    assert_eq!(configs.expect(200)["configs"][0]["id"], json!(id));
    let secret = app.simulator.control("token", json!({})).await;
    for part in ["access_token", "refresh_token", "sealed", &secret["access_token"].as_str().expect("a token")[..15]] {
        assert!(!configs.text.contains(part), "{part}");
    }
}

#[tokio::test]
async fn one_connection_comes_with_its_mappings_and_numbers() {
    let app = TestApp::with(TestOptions { accounts: 3, contacts: 5, ..TestOptions::default() }).await;
    let member = app.api_key_of(Role::Member).await;
    let id = app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    let answer = member.get(&format!("/api/crm/configs/{id}")).await.expect(200);
    assert_eq!(answer["config"]["id"], json!(id));
    assert_eq!(answer["fieldMappings"].as_array().map(Vec::len), Some(32));
    let numbers = |linked: u32| json!({ "linked": linked, "failed": 0, "conflicts": 0, "outOfScope": 0 });
    assert_eq!(answer["stats"]["accounts"], numbers(3));
    assert_eq!(answer["stats"]["contacts"], numbers(5));
    assert_eq!(answer["stats"]["opportunities"], numbers(0));
    assert_eq!(answer["stats"]["callsAllowed"], 15_000);
    assert!(answer["stats"]["callsToday"].as_i64().is_some_and(|calls| calls > 0), "{answer}");
    let (_, stranger) = app.other_workspace().await;
    stranger.get(&format!("/api/crm/configs/{id}")).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_test_says_who_is_signed_in_and_what_may_be_done() {
    let app = TestApp::start().await;
    let admin = app.api_key_of(Role::Admin).await;
    let answer = admin.post("/api/crm/salesforce/test-connection", json!({})).await.expect(200);
    assert_eq!(
        (&answer["connected"], &answer["user"], &answer["permissions"]),
        (&json!(false), &Json::Null, &Json::Null)
    );
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("Connect it")), "{answer}");

    app.connect_salesforce().await;
    let answer = admin.post("/api/crm/salesforce/test-connection", json!({})).await.expect(200);
    assert_eq!((&answer["connected"], &answer["error"]), (&json!(true), &Json::Null));
    for member in ["id", "name", "email", "organization"] {
        assert!(answer["user"][member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {answer}");
    }
    let all = json!({ "read": true, "create": true, "update": true, "delete": true });
    assert_eq!(answer["permissions"], json!({ "accounts": all, "contacts": all, "opportunities": all }));

    app.simulator.control("token/expire", json!({})).await;
    let answer = admin.post("/api/crm/salesforce/test-connection", json!({})).await.expect(200);
    assert_eq!(answer["connected"], true, "an expired token is refreshed: {answer}");
}

#[tokio::test]
async fn a_test_of_a_revoked_grant_asks_for_a_new_sign_in() {
    let app = TestApp::start().await;
    let admin = app.api_key_of(Role::Admin).await;
    let id = app.connect_salesforce().await;
    app.simulator.control("token/revoke", json!({})).await;
    let answer = admin.post("/api/crm/salesforce/test-connection", json!({})).await.expect(200);
    assert_eq!(answer["connected"], false);
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("Reconnect")), "{answer}");
    let config = admin.get("/api/crm/configs").await.expect(200)["configs"][0].clone();
    assert_eq!((&config["id"], &config["status"]), (&json!(id), &json!("error")));
}

#[tokio::test]
async fn a_crm_that_is_down_fails_the_test_and_changes_nothing() {
    let app = TestApp::start().await;
    let admin = app.api_key_of(Role::Admin).await;
    app.connect_salesforce().await;
    app.simulator.faults(json!([{ "fault": "status", "status": 503 }])).await;
    let answer = admin.post("/api/crm/salesforce/test-connection", json!({})).await.expect(200);
    assert_eq!(answer["connected"], false, "{answer}");
    let config = admin.get("/api/crm/configs").await.expect(200)["configs"][0].clone();
    assert_eq!(config["status"], "connected");
}

#[tokio::test]
async fn pausing_stops_and_resuming_goes_on() {
    let app = TestApp::with(TestOptions { accounts: 2, ..TestOptions::default() }).await;
    let ops = app.api_key_of(Role::SalesOps).await;
    let id = app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    let config = ops.patch(&format!("/api/crm/configs/{id}/pause"), json!({})).await.expect(200)["config"].clone();
    assert_eq!((&config["status"], &config["nextSyncAt"]), (&json!("paused"), &Json::Null));
    ops.patch(&format!("/api/crm/configs/{id}/pause"), json!({})).await.expect(200);
    let trigger = json!({ "configId": id });
    ops.post("/api/crm/sync/trigger", trigger).await.refused(409, "connection_not_ready");
    app.advance(chrono::TimeDelta::hours(3));
    assert_eq!(app.schedule().await, 0);

    let config = ops.patch(&format!("/api/crm/configs/{id}/resume"), json!({})).await.expect(200)["config"].clone();
    assert_eq!(config["status"], "connected");
    assert_eq!(config["nextSyncAt"], "2026-03-02T13:00:00.000Z", "the schedule counts from now");
    app.sync().await.expect_state("completed");
}

#[tokio::test]
async fn a_run_that_was_on_waits_while_paused() {
    let app = TestApp::with(TestOptions { accounts: 2, ..TestOptions::default() }).await;
    let admin = app.api_key_of(Role::Admin).await;
    let id = app.connect_salesforce().await;
    let run = app.trigger(None).await;
    app.step().await;
    admin.patch(&format!("/api/crm/configs/{id}/pause"), json!({})).await.expect(200);
    app.simulator.clear_stats().await;
    app.work().await;
    assert_eq!(app.simulator.stats().await.calls, 0);
    assert_eq!(app.run(run).await.state, "running");
    admin.patch(&format!("/api/crm/configs/{id}/resume"), json!({})).await.expect(200);
    app.finish(run).await.expect_state("completed");
}

#[tokio::test]
async fn disconnecting_revokes_and_erases_and_keeps_the_rest() {
    let app = TestApp::with(TestOptions { accounts: 2, ..TestOptions::default() }).await;
    let admin = app.api_key_of(Role::Admin).await;
    let id = app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.trigger(None).await;
    let answer = admin.delete("/api/crm/disconnect/salesforce").await.expect(200);
    assert_eq!(answer, json!({ "success": true }));
    assert_eq!(app.rows("SELECT id FROM vault.secrets").await.len(), 0);
    let config = admin.get("/api/crm/configs").await.expect(200)["configs"][0].clone();
    assert_eq!(
        (&config["id"], &config["status"], &config["nextSyncAt"]),
        (&json!(id), &json!("disconnected"), &Json::Null)
    );
    assert_eq!(app.rows("SELECT id FROM crm_record_links").await.len(), 2);
    assert!(!app.rows("SELECT id FROM crm_field_mappings").await.is_empty());
    assert!(!app.rows("SELECT id FROM crm_sync_logs").await.is_empty());
    app.work().await;
    let open = app.rows("SELECT id FROM crm_sync_runs WHERE state IN ('queued', 'running', 'held')").await;
    assert_eq!(open.len(), 0, "the waiting run was cancelled");
    admin.delete("/api/crm/disconnect/salesforce").await.expect(200);
    admin.patch(&format!("/api/crm/configs/{id}/resume"), json!({})).await.refused(409, "connection_not_ready");
    admin.patch(&format!("/api/crm/configs/{id}/pause"), json!({})).await.refused(409, "connection_not_ready");
}

#[tokio::test]
async fn a_crm_that_is_down_keeps_nobody_from_disconnecting() {
    let app = TestApp::start().await;
    let admin = app.api_key_of(Role::Admin).await;
    app.connect_salesforce().await;
    app.simulator.faults(json!([{ "match": { "path": "/services/oauth2/revoke" }, "fault": "reset" }])).await;
    admin.delete("/api/crm/disconnect/salesforce").await.expect(200);
    assert_eq!(app.rows("SELECT id FROM vault.secrets").await.len(), 0);
}

#[tokio::test]
async fn roles_may_what_the_contract_says() {
    let app = TestApp::start().await;
    let id = app.connect_salesforce().await;
    for role in [Role::Reviewer, Role::Compliance, Role::Member] {
        let client = app.api_key_of(role).await;
        client.get("/api/crm/configs").await.expect(200);
        client.patch(&format!("/api/crm/configs/{id}/pause"), json!({})).await.refused(403, "forbidden");
        client.patch(&format!("/api/crm/configs/{id}/resume"), json!({})).await.refused(403, "forbidden");
        client.post("/api/crm/salesforce/test-connection", json!({})).await.refused(403, "forbidden");
        client.delete("/api/crm/disconnect/salesforce").await.refused(403, "forbidden");
    }
    let ops = app.api_key_of(Role::SalesOps).await;
    ops.delete("/api/crm/disconnect/salesforce").await.refused(403, "forbidden");
    let nobody = app.signed_out();
    nobody.get("/api/crm/configs").await.refused(401, "not_signed_in");
    nobody.patch(&format!("/api/crm/configs/{id}/pause"), json!({})).await.refused(401, "not_signed_in");
    nobody.delete("/api/crm/disconnect/salesforce").await.refused(401, "not_signed_in");
    nobody.post("/api/crm/salesforce/test-connection", json!({})).await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn another_workspaces_connection_is_not_there() {
    let app = TestApp::start().await;
    let id = app.connect_salesforce().await;
    let (_, stranger) = app.other_workspace().await;
    assert_eq!(stranger.get("/api/crm/configs").await.expect(200), json!({ "configs": [] }));
    for id in [id, Uuid::nil()] {
        stranger.patch(&format!("/api/crm/configs/{id}/pause"), json!({})).await.refused(404, "not_found");
        stranger.patch(&format!("/api/crm/configs/{id}/resume"), json!({})).await.refused(404, "not_found");
    }
    stranger.delete("/api/crm/disconnect/salesforce").await.refused(404, "not_found");
    stranger.delete("/api/crm/disconnect/hubspot").await.refused(404, "not_found");
    stranger.delete("/api/crm/disconnect/dynamics").await.refused(404, "not_found");
    let answer = stranger.post("/api/crm/salesforce/test-connection", json!({})).await.expect(200);
    assert_eq!(answer["connected"], false);
}
