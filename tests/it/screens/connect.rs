//! Integrations and the steps of connecting a CRM.

use crosstie::model::Role;
use reqwest::Method;

use crate::helpers::{Answer, Client, TestApp, TestOptions, answer};

/// A page that must be there.
async fn page(client: &Client, path: &str) -> String {
    let answer = answer(path.to_owned(), client.request(Method::GET, path).header("accept", "text/html")).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.text
}

/// A form sent without script, from a page of ours.
async fn send(client: &Client, from: &str, action: &str, form: &[(&str, &str)]) -> Answer {
    let request = client
        .request(Method::POST, action)
        .header("accept", "text/html")
        .header("referer", from)
        .header("sec-fetch-site", "same-origin")
        .form(form);
    answer(action.to_owned(), request).await
}

/// What a server function's address ends with, as a page's form names it.
fn action_of(page: &str, endpoint: &str) -> String {
    let at = page.find(&format!("/fn/{endpoint}")).unwrap_or_else(|| panic!("no form for {endpoint} in {page}"));
    page[at..].split('"').next().unwrap_or_default().to_owned()
}

fn says(page: &str, words: &str) {
    assert!(page.contains(words), "{words:?} is not in {page}");
}

#[tokio::test]
async fn the_whole_way_works_without_script() {
    let app = TestApp::with(TestOptions { accounts: 4, contacts: 6, ..TestOptions::default() }).await;
    let admin = app.sign_in_as(Role::Admin).await;
    let empty = page(&admin, "/integrations").await;
    says(&empty, "Connect your CRM to keep data in sync");
    says(&empty, "Connect HubSpot");

    let choose = page(&admin, "/connect").await;
    says(&choose, "Which Salesforce");
    says(&choose, "CROSSTIE_SALESFORCE_CLIENT_ID");
    let authorise = page(&admin, "/connect/salesforce/authorise?environment=simulator").await;
    says(&authorise, "refresh_token");
    let begin = action_of(&authorise, "begin_sign_in");
    let form = [("provider", "salesforce"), ("environment", "simulator")];
    let answer = send(&admin, "/connect/salesforce/authorise", &begin, &form).await;
    let consent = app.simulator.allow(answer.header("location").expect("an address")).await;
    let back = admin.get(&consent.address).await;
    assert_eq!(back.header("location"), Some("/connect/salesforce/configure"));

    let configure = page(&admin, "/connect/salesforce/configure").await;
    for words in ["Test result", "Crosstie can do everything", "Complete set-up", "API calls left today"] {
        says(&configure, words);
    }
    let complete = action_of(&configure, "complete_set_up");
    let form = [
        ("provider", "salesforce"),
        ("direction", "bidirectional"),
        ("frequency", "hourly"),
        ("policy", "manual_review"),
        ("accounts", "true"),
    ];
    let answer = send(&admin, "/connect/salesforce/configure", &complete, &form).await;
    assert_eq!(answer.header("location"), Some("/connect/salesforce/done"), "{}", answer.text);
    app.work().await;

    let done = page(&admin, "/connect/salesforce/done").await;
    for words in ["Salesforce connected", "4 accounts linked", "Side by side", "Configure field mappings"] {
        says(&done, words);
    }
    let integrations = page(&admin, "/integrations").await;
    for words in ["In agreement: ", "Two-way, hourly", "Sync now", "Disconnect", "API calls today"] {
        says(&integrations, words);
    }
    assert_eq!(app.rows("SELECT id FROM contacts").await.len(), 0, "contacts were not chosen");
    let config = app.row("SELECT conflict_resolution, setup_completed_at FROM crm_sync_configs").await;
    assert_eq!(config["conflict_resolution"], "manual_review");
    assert!(config["setup_completed_at"].is_string());
}

#[tokio::test]
async fn every_way_a_sign_in_fails_has_its_page() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    for (code, words) in [
        ("oauth_denied", "press Allow"),
        ("oauth_state_expired", "ten minutes"),
        ("oauth_state_used", "good once"),
        ("oauth_state_foreign", "somebody else"),
        ("oauth_state_unknown", "no sign-in of yours"),
        ("oauth_code_missing", "incomplete"),
        ("oauth_code_refused", "its own answer"),
        ("crm_unavailable", "did not answer"),
        ("crm_unreadable", "maintenance"),
        ("crm_user_without_api", "API Enabled"),
        ("crm_other_org", "Start afresh"),
        ("anything-else", "went wrong on our side"),
    ] {
        let path = format!("/connect/salesforce/authorise?problem={code}&incident=ABC");
        let page = page(&admin, &path).await;
        says(&page, "Salesforce was not connected");
        says(&page, words);
        says(&page, "incident ABC");
    }
    let hostile = page(&admin, "/connect/salesforce/authorise?problem=%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(!hostile.contains("<script>alert"), "what the address says is text");
}

#[tokio::test]
async fn what_the_address_cannot_mean_is_said() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    for (path, status) in [
        ("/connect/dynamics/authorise", 404),
        ("/connect/dynamics/configure", 404),
        ("/connect/hubspot/configure", 409),
        ("/connect/salesforce/configure", 409),
        ("/connect/salesforce/done", 409),
        ("/connect/salesforce/authorise?domain=evil.example", 422),
    ] {
        assert_eq!(admin.get(path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_connection_is_paused_resumed_and_ended_by_its_card() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    let id = app.connect_salesforce().await.to_string();
    app.sync().await.expect_state("completed");
    let card = page(&admin, "/integrations").await;
    let pause = action_of(&card, "set_paused");
    send(&admin, "/integrations", &pause, &[("config_id", &id), ("paused", "true")]).await;
    let paused = page(&admin, "/integrations").await;
    says(&paused, "Paused");
    says(&paused, "Resume");
    send(&admin, "/integrations", &pause, &[("config_id", &id), ("paused", "false")]).await;

    let sync = action_of(&card, "sync_now");
    send(&admin, "/integrations", &sync, &[("config_id", &id), ("what", "accounts")]).await;
    let runs = app.rows("SELECT sync_entities FROM crm_sync_runs WHERE state = 'queued'").await;
    assert_eq!(runs.len(), 1);
    app.work().await;

    let dialog = page(&admin, "/integrations?disconnect=salesforce").await;
    for words in ["Disconnect Salesforce?", "Keep connected", "Ends now", "Stays"] {
        says(&dialog, words);
    }
    let end = action_of(&dialog, "disconnect_crm");
    send(&admin, "/integrations", &end, &[("provider", "salesforce")]).await;
    let ended = page(&admin, "/integrations").await;
    says(&ended, "Not connected");
    says(&ended, "Reconnect");
}

#[tokio::test]
async fn a_lost_sign_in_is_the_first_thing_said() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    app.connect_salesforce().await;
    app.simulator.control("token/revoke", serde_json::json!({})).await;
    app.sync().await.expect_state("failed");
    let screen = page(&admin, "/integrations").await;
    says(&screen, "Salesforce needs sign-in again.");
    says(&screen, "Reconnect");
}

#[tokio::test]
async fn what_a_role_may_not_do_is_shown_with_the_reason_and_refused() {
    let app = TestApp::start().await;
    let id = app.connect_salesforce().await.to_string();
    let member = app.sign_in_as(Role::Member).await;
    let screen = page(&member, "/integrations").await;
    says(&screen, "Only an admin or sales ops may start or stop a sync.");
    says(&screen, "Only an admin may change a connection.");
    let pause = action_of(&screen, "set_paused");
    send(&member, "/integrations", &pause, &[("config_id", &id), ("paused", "true")]).await;
    assert_eq!(app.row("SELECT status FROM crm_sync_configs").await["status"], "connected");
    let signed_out = app.signed_out().get("/integrations").await;
    assert_eq!(signed_out.header("location"), Some("/sign-in?next=%2Fintegrations"));
}
