//! `/api/crm/sync/logs`.

use crosstie::model::Role;
use serde_json::{Value as Json, json};

use crate::helpers::{TestApp, TestOptions};

/// A contact without a last name cannot be created in the app; the CRM's own rule is got round by SQL on a copy.
async fn one_failed_push(app: &TestApp) -> String {
    app.insert("accounts", json!({ "name": "Kestrel Foods", "phone": "1".repeat(60) })).await.to_string()
}

#[tokio::test]
async fn a_log_has_the_shape_of_the_contract_and_its_counters_add_up() {
    let app = TestApp::with(TestOptions { accounts: 12, contacts: 20, ..TestOptions::default() }).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    let client = app.api_key_of(Role::Member).await;
    let list = client.get("/api/crm/sync/logs?entityType=accounts&direction=pull").await.expect(200);
    let log = &list["logs"][0];
    let mut members: Vec<&str> = log.as_object().expect("an object").keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(
        members,
        [
            "completedAt",
            "configId",
            "conflictsDetected",
            "conflictsResolved",
            "entityType",
            "errorDetails",
            "errorMessage",
            "id",
            "jobId",
            "recordsCreated",
            "recordsDeleted",
            "recordsFailed",
            "recordsMissed",
            "recordsProcessed",
            "recordsSkipped",
            "recordsSynced",
            "recordsUpdated",
            "startedAt",
            "status",
            "syncDirection",
            "syncDurationMs",
            "workspaceId"
        ]
    );
    assert_eq!(list["pagination"], json!({ "total": 1, "limit": 50, "offset": 0, "nextCursor": null }));
    let number = |name: &str| log[name].as_i64().expect("a number");
    assert_eq!(
        number("recordsProcessed"),
        number("recordsSynced") + number("recordsFailed") + number("recordsSkipped")
    );
    assert_eq!(number("recordsCreated"), 12);
    let id = log["id"].as_str().expect("an id");
    let one = client.get(&format!("/api/crm/sync/logs/{id}")).await.expect(200);
    assert_eq!(&one["log"], log);
    assert_eq!(one["details"]["errors"], json!([]));
    let stages = one["details"]["stages"].as_array().expect("a list");
    assert!(stages.iter().any(|stage| stage["name"] == "read" && stage["records"] == 12), "{one}");
}

#[tokio::test]
async fn filters_and_pages_cut_the_list() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    for _ in 0..3 {
        app.sync().await.expect_state("completed");
        app.advance(chrono::TimeDelta::days(1));
    }
    let client = app.api_key_of(Role::Compliance).await;
    let total = |list: &Json| list["pagination"]["total"].as_i64().expect("a number");
    let all = client.get("/api/crm/sync/logs").await.expect(200);
    assert_eq!(total(&all), 12, "three runs, two entities, two directions");
    for (query, count) in [
        (format!("configId={config}"), 12),
        ("configId=00000000-0000-0000-0000-000000000001".to_owned(), 0),
        ("status=completed".to_owned(), 12),
        ("status=failed".to_owned(), 0),
        ("entityType=contacts&direction=push".to_owned(), 3),
        ("from=2026-03-03&to=2026-03-03".to_owned(), 4),
        ("from=2026-03-03T09:00:00Z".to_owned(), 8),
        ("to=2026-03-03T09:00:00Z".to_owned(), 4),
    ] {
        let list = client.get(&format!("/api/crm/sync/logs?{query}")).await.expect(200);
        assert_eq!(total(&list), count, "{query}");
        assert_eq!(list["logs"].as_array().map(Vec::len), usize::try_from(count).ok(), "{query}");
    }
    let ids = |list: &Json| -> Vec<Json> {
        list["logs"].as_array().expect("a list").iter().map(|log| log["id"].clone()).collect()
    };
    let mut by_cursor = Vec::new();
    let mut path = "/api/crm/sync/logs?limit=5".to_owned();
    loop {
        let page = client.get(&path).await.expect(200);
        by_cursor.extend(ids(&page));
        let Some(cursor) = page["pagination"]["nextCursor"].as_str() else { break };
        path = format!("/api/crm/sync/logs?limit=5&cursor={cursor}");
    }
    assert_eq!(by_cursor, ids(&all));
    let second = client.get("/api/crm/sync/logs?limit=5&offset=5").await.expect(200);
    assert_eq!(ids(&second), by_cursor[5..10]);
}

#[tokio::test]
async fn what_no_list_has_is_refused_by_name() {
    let app = TestApp::start().await;
    let client = app.api_key_of(Role::Admin).await;
    for (query, member) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("offset=-1", "offset"),
        ("cursor=x", "cursor"),
        ("entityType=account", "entityType"),
        ("from=yesterday", "from"),
        ("status=done", "status"),
        ("direction=both", "direction"),
        ("colour=red", "colour"),
    ] {
        let problem = client.get(&format!("/api/crm/sync/logs?{query}")).await.refused(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], member, "{query}: {problem}");
    }
    client.get("/api/crm/sync/logs/x").await.refused(404, "not_found");
}

#[tokio::test]
async fn a_failed_record_is_told_with_its_reason_and_retried_once_it_can_go() {
    let app = TestApp::start().await;
    let record = one_failed_push(&app).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("partial");
    let client = app.api_key_of(Role::SalesOps).await;
    let list = client.get("/api/crm/sync/logs?entityType=accounts&direction=push").await.expect(200);
    let log = &list["logs"][0];
    assert_eq!((&log["status"], &log["recordsFailed"]), (&json!("partial"), &json!(1)));
    let path = format!("/api/crm/sync/logs/{}", log["id"].as_str().expect("an id"));
    let one = client.get(&path).await.expect(200);
    let errors = one["details"]["errors"].as_array().expect("a list");
    assert_eq!(errors.len(), 1, "{one}");
    assert_eq!((&errors[0]["recordId"], &errors[0]["code"]), (&json!(record), &json!("value_too_long")));
    assert_eq!(errors[0]["entityType"], "accounts");

    for role in [Role::Reviewer, Role::Member, Role::Compliance] {
        let client = app.api_key_of(role).await;
        client.post(&format!("{path}/retry"), json!({})).await.refused(403, "forbidden");
    }
    let (_, stranger) = app.other_workspace().await;
    stranger.get(&path).await.refused(404, "not_found");
    stranger.post(&format!("{path}/retry"), json!({})).await.refused(404, "not_found");

    let answer = client.post(&format!("{path}/retry"), json!({})).await.expect(202);
    assert_eq!(answer.as_object().map(serde_json::Map::len), Some(1), "{answer}");
    app.work().await;
    let again = client.get(&format!("/api/crm/sync/jobs/{}", answer["job_id"].as_str().expect("an id"))).await;
    assert_eq!(again.expect(200)["job"]["state"], "partial", "tried again, and refused again");

    app.sql(&format!("UPDATE accounts SET phone = '+44 1' WHERE id = '{record}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.find("Account", "Name", "Kestrel Foods").await.text("Phone").as_deref(), Some("+44 1"));
    client.post(&format!("{path}/retry"), json!({})).await.refused(409, "nothing_to_retry");
}

#[tokio::test]
async fn a_record_that_the_app_refused_is_created_by_a_retry() {
    let app = TestApp::start().await;
    let crm_id = app.simulator.create("Account", json!({ "Name": "Kestrel Foods", "NumberOfEmployees": 7 })).await;
    app.as_superuser("ALTER TABLE accounts ADD CONSTRAINT few CHECK (employee_count < 5)").await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("partial");
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 0);
    app.as_superuser("ALTER TABLE accounts DROP CONSTRAINT few").await;
    let client = app.api_key_of(Role::Admin).await;
    let list = client.get("/api/crm/sync/logs?status=partial").await.expect(200);
    assert_eq!(list["logs"].as_array().map(Vec::len), Some(1), "{list}");
    let id = list["logs"][0]["id"].as_str().expect("an id").to_owned();
    let one = client.get(&format!("/api/crm/sync/logs/{id}")).await.expect(200);
    assert_eq!(one["details"]["errors"][0]["crmRecordId"], json!(crm_id));
    client.post(&format!("/api/crm/sync/logs/{id}/retry"), json!({})).await.expect(202);
    app.work().await;
    assert_eq!(app.row("SELECT name, employee_count FROM accounts").await["employee_count"], 7);
    app.assert_agreement().await;
}
