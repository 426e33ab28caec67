//! `/logs` and `/logs/:id` as the server writes them, and their forms without script.

use crosstie::model::Role;
use reqwest::Method;
use serde_json::json;

use crate::helpers::{TestApp, answer};

#[tokio::test]
async fn a_run_is_told_in_the_list_and_on_its_own_page() {
    let app = TestApp::start().await;
    app.simulator.create("Account", json!({ "Name": "Kestrel Foods", "Phone": "+44 1" })).await;
    app.connect_salesforce().await;
    let member = app.sign_in_as(Role::Member).await;
    let empty = member.get("/logs").await;
    assert!(empty.text.contains("Nothing has run yet"), "{}", empty.text);
    app.sync().await.expect_state("completed");

    let list = member.get("/logs?entity=accounts&direction=pull").await;
    assert_eq!(list.status, 200);
    for words in ["1 of 1 logs", "In the last 24 hours 1 run synced", "1 record</strong>", "Accounts", "Completed"] {
        assert!(list.text.contains(words), "{words}: {}", list.text);
    }
    let none = member.get("/logs?status=failed").await;
    assert!(none.text.contains("No log matches"), "{}", none.text);

    let log = app.row("SELECT id FROM crm_sync_logs WHERE entity_type = 'account' AND sync_direction = 'pull'").await;
    let page = member.get(&format!("/logs/{}", log["id"].as_str().expect("an id"))).await;
    for words in
        ["Pulled 1 account from Salesforce", "1 + 0 + 0 + 0 + 0 = 1.", "What changed", "Kestrel Foods", "Created from"]
    {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    assert_eq!(member.get("/logs/00000000-0000-0000-0000-000000000001").await.status, 404);
}

#[tokio::test]
async fn a_failed_record_is_told_by_cause_and_retried_by_a_plain_form() {
    let app = TestApp::start().await;
    app.insert("accounts", json!({ "name": "Kestrel Foods", "phone": "1".repeat(60) })).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("partial");
    let log = app.row("SELECT id FROM crm_sync_logs WHERE records_failed > 0").await;
    let path = format!("/logs/{}", log["id"].as_str().expect("an id"));
    let sales_ops = app.sign_in_as(Role::SalesOps).await;
    let page = sales_ops.get(&path).await;
    for words in ["1 failed", "A value is longer than the CRM takes", "Retry 1 failed record", "Kestrel Foods"] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    let member = app.sign_in_as(Role::Member).await.get(&path).await;
    assert!(member.text.contains("Only an admin or sales ops may start or stop a sync."), "disabled with its reason");

    let form = sales_ops.request(Method::POST, "/fn/retry_log");
    let form = form.header("accept", "text/html").header("referer", format!("{}{path}", app.url));
    let body = format!("id={}", log["id"].as_str().expect("an id"));
    let form = form.header("content-type", "application/x-www-form-urlencoded").body(body);
    let sent = answer("retry".to_owned(), form).await;
    assert_eq!(sent.status, 302, "{}", sent.text);
    app.work().await;
    assert_eq!(
        app.rows("SELECT id FROM crm_sync_runs WHERE trigger = 'decision' AND state = 'partial'").await.len(),
        1
    );
}
