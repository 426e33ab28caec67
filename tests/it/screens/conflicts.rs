//! `/conflicts` and `/conflicts/:id` as the server writes them, and their forms without script.

use crosstie::model::Role;
use reqwest::Method;
use serde_json::json;

use crate::helpers::{Answer, Client, TestApp, answer};

async fn conflict(app: &TestApp) -> String {
    let id = app.simulator.create("Account", json!({ "Name": "Kestrel Foods", "Phone": "+44 113 1" })).await;
    app.connect_salesforce().await;
    app.set_config("conflict_resolution = 'manual_review'").await;
    app.sync().await.expect_state("completed");
    app.advance(chrono::TimeDelta::seconds(5));
    app.simulator.edit("Account", &id, json!({ "Phone": "+44 113 2" })).await;
    app.sql("UPDATE accounts SET phone = '+44 113 3'").await;
    app.sync().await.expect_state("completed");
    app.row("SELECT id FROM crm_sync_conflicts").await["id"].as_str().expect("an id").to_owned()
}

async fn submit(client: &Client, app: &TestApp, function: &str, body: String) -> Answer {
    let form = client.request(Method::POST, &format!("/fn/{function}"));
    let form = form.header("accept", "text/html").header("referer", format!("{}/conflicts", app.url));
    let form = form.header("content-type", "application/x-www-form-urlencoded").body(body);
    answer(function.to_owned(), form).await
}

#[tokio::test]
async fn both_sides_stand_beside_each_other_with_what_differs_marked() {
    let app = TestApp::start().await;
    let reviewer = app.sign_in_as(Role::Reviewer).await;
    let empty = reviewer.get("/conflicts").await;
    assert!(empty.text.contains("No conflict waits"), "{}", empty.text);
    let id = conflict(&app).await;
    let list = reviewer.get("/conflicts").await;
    for words in ["1 record</strong>", "Kestrel Foods", "Review one by one", "<mark>3</mark>", "<mark>2</mark>"] {
        assert!(list.text.contains(words), "{words}: {}", list.text);
    }
    let page = reviewer.get(&format!("/conflicts/{id}")).await;
    for words in [
        "1 of 1",
        "1 field</strong>",
        "<mark>3</mark>",
        "<mark>2</mark>",
        "+44 113 1",
        "choices[phone]",
        "Always use app",
    ] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    let dialog = reviewer.get(&format!("/conflicts/{id}?dialog=always-crm")).await;
    assert!(dialog.text.contains("both sides changed Phone of accounts, Salesforce wins"), "{}", dialog.text);
    let member = app.sign_in_as(Role::Member).await.get(&format!("/conflicts/{id}")).await;
    assert!(member.text.contains("Only an admin or a reviewer may settle conflicts."), "disabled with its reason");
    assert_eq!(reviewer.get("/conflicts/00000000-0000-0000-0000-000000000001").await.status, 404);
}

#[tokio::test]
async fn a_plain_form_resolves_with_a_merged_value() {
    let app = TestApp::start().await;
    let id = conflict(&app).await;
    let reviewer = app.sign_in_as(Role::Reviewer).await;
    let body = format!("id={id}&version=1&choices[phone]=value&values[phone]=%2B44+113+9");
    let sent = submit(&reviewer, &app, "resolve_conflict", body).await;
    assert_eq!((sent.status, sent.header("location")), (302, Some("/conflicts")), "{}", sent.text);
    app.work().await;
    assert_eq!(app.row("SELECT phone FROM accounts").await["phone"], "+44 113 9");
    app.assert_agreement().await;
    let page = reviewer.get(&format!("/conflicts/{id}")).await;
    assert!(page.text.contains("Resolved</strong>"), "{}", page.text);
}

#[tokio::test]
async fn a_rule_is_set_and_decides_the_conflict() {
    let app = TestApp::start().await;
    let id = conflict(&app).await;
    let reviewer = app.sign_in_as(Role::Reviewer).await;
    let body = format!("id={id}&version=1&strategy=use_app&always=true&confirmed=0");
    submit(&reviewer, &app, "settle_conflict", body).await;
    app.work().await;
    assert_eq!(
        app.row("SELECT app_field, rule FROM crm_field_rules").await,
        json!({ "app_field": "phone", "rule": "use_app" })
    );
    assert_eq!(
        app.simulator.find("Account", "Name", "Kestrel Foods").await.text("Phone").as_deref(),
        Some("+44 113 3")
    );
}

#[tokio::test]
async fn a_form_without_a_choice_writes_nothing_and_says_so() {
    let app = TestApp::start().await;
    let id = conflict(&app).await;
    let reviewer = app.sign_in_as(Role::Reviewer).await;
    let sent = submit(&reviewer, &app, "resolve_conflict", format!("id={id}&version=1")).await;
    assert_eq!(sent.status, 302, "back to the form: {}", sent.text);
    assert_eq!(app.row("SELECT status FROM crm_sync_conflicts").await["status"], "pending");
    let ignored = submit(&reviewer, &app, "ignore_conflict", format!("id={id}&version=1")).await;
    assert_eq!(ignored.status, 302);
    assert_eq!(app.row("SELECT status FROM crm_sync_conflicts").await["status"], "ignored");
}

#[tokio::test]
async fn a_question_whether_two_records_are_the_same_names_their_accounts() {
    let app = TestApp::start().await;
    let account = app.simulator.create("Account", json!({ "Name": "Kestrel Foods" })).await;
    let contact = json!({ "LastName": "Raman", "Email": "info@kestrel.example", "AccountId": account });
    app.simulator.create("Contact", contact).await;
    app.insert("contacts", json!({ "last_name": "Raman", "email": "info@kestrel.example" })).await;
    app.insert("contacts", json!({ "last_name": "Okafor", "email": "info@kestrel.example" })).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    let id = app.row("SELECT id FROM crm_sync_conflicts WHERE kind = 'match' ORDER BY id LIMIT 1").await;
    let reviewer = app.sign_in_as(Role::Reviewer).await;
    let page = reviewer.get(&format!("/conflicts/{}", id["id"].as_str().expect("an id"))).await;
    assert!(page.text.contains("Are the two the same?"), "{}", page.text);
    assert!(page.text.contains("Kestrel Foods"), "{}", page.text);
}
