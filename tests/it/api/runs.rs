//! `/api/crm/sync/trigger` and `/sync/jobs`.

use crosstie::model::Role;
use serde_json::json;

use crate::helpers::TestApp;

#[tokio::test]
async fn a_triggered_run_can_be_followed_to_its_end() {
    let app = TestApp::start().await;
    app.simulator.create("Account", json!({ "Name": "Kestrel Foods" })).await;
    let config = app.connect_salesforce().await;
    let client = app.api_key_of(Role::SalesOps).await;
    let answer = client.post("/api/crm/sync/trigger", json!({ "configId": config })).await.expect(202);
    assert_eq!(answer["estimatedRecords"], json!(null));
    let job_id = answer["job_id"].as_str().expect("an id").to_owned();
    let queued = client.get(&format!("/api/crm/sync/jobs/{job_id}")).await.expect(200);
    assert_eq!(queued["job"]["state"], "queued");
    assert_eq!(queued["job"]["finishedAt"], json!(null));
    app.work().await;
    let done = client.get(&format!("/api/crm/sync/jobs/{job_id}")).await.expect(200);
    assert_eq!((&done["job"]["state"], &done["job"]["configId"]), (&json!("completed"), &json!(config)));
    assert_eq!(done["job"]["logIds"].as_array().map(Vec::len), Some(4), "two entities in two directions: {done}");
    assert_eq!(done["job"]["startedAt"], "2026-03-02T09:00:00.000Z");
}

#[tokio::test]
async fn triggers_during_a_run_cause_exactly_one_more() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    let client = app.api_key_of(Role::Admin).await;
    let first = client.post("/api/crm/sync/trigger", json!({ "configId": config })).await.expect(202);
    assert!(app.step().await, "the first run begins");
    let mut later = Vec::new();
    for body in [json!({ "configId": config, "entityTypes": ["accounts"] }), json!({ "configId": config })] {
        later.push(client.post("/api/crm/sync/trigger", body).await.expect(202)["job_id"].clone());
    }
    assert_eq!(later[0], later[1]);
    assert_ne!(first["job_id"], later[0]);
    app.work().await;
    app.advance(chrono::TimeDelta::seconds(2));
    app.work().await;
    assert_eq!(app.rows("SELECT id FROM crm_sync_runs WHERE state = 'completed'").await.len(), 2);
}

#[tokio::test]
async fn a_connection_that_is_not_ready_is_not_triggered() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    let client = app.api_key_of(Role::Admin).await;
    for status in ["paused", "error", "disconnected"] {
        app.set_config(&format!("status = '{status}'")).await;
        let body = json!({ "configId": config });
        client.post("/api/crm/sync/trigger", body).await.refused(409, "connection_not_ready");
    }
}

#[tokio::test]
async fn who_may_not_is_told_and_nothing_is_found_in_another_workspace() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    let job = app.trigger(None).await;
    app.leave_jobs();
    let (_, stranger) = app.other_workspace().await;
    let job_path = format!("/api/crm/sync/jobs/{job}");
    stranger.get(&job_path).await.refused(404, "not_found");
    stranger.post(&format!("{job_path}/cancel"), json!({})).await.refused(404, "not_found");
    stranger.post("/api/crm/sync/trigger", json!({ "configId": config })).await.refused(404, "not_found");
    app.signed_out().get(&job_path).await.refused(401, "not_signed_in");
    for role in [Role::Reviewer, Role::Compliance, Role::Member] {
        let client = app.api_key_of(role).await;
        client.get(&job_path).await.expect(200);
        client.post("/api/crm/sync/trigger", json!({ "configId": config })).await.refused(403, "forbidden");
        client.post(&format!("{job_path}/cancel"), json!({})).await.refused(403, "forbidden");
    }
    let sales_ops = app.api_key_of(Role::SalesOps).await;
    sales_ops.post(&format!("{job_path}/approve"), json!({})).await.refused(403, "forbidden");
    let admin = app.api_key_of(Role::Admin).await;
    admin.post(&format!("{job_path}/approve"), json!({})).await.refused(409, "job_not_held");
    admin.post(&format!("{job_path}/reject"), json!({})).await.refused(409, "job_not_held");
    let cancelled = sales_ops.post(&format!("{job_path}/cancel"), json!({})).await.expect(200);
    assert_eq!(cancelled["job"]["state"], "cancelled");
    sales_ops.post(&format!("{job_path}/cancel"), json!({})).await.refused(409, "job_over");
}

#[tokio::test]
async fn what_cannot_be_triggered_names_its_member() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    let client = app.api_key_of(Role::Admin).await;
    for (body, member) in [
        (json!({}), "configId"),
        (json!({ "configId": config, "direction": "pull" }), "direction"),
        (json!({ "configId": config, "syncDirection": "sideways" }), "syncDirection"),
        (json!({ "configId": config, "entityTypes": ["leads"] }), "entityTypes"),
        (json!({ "configId": config, "entityTypes": ["opportunities"] }), "entityTypes"),
        (json!({ "configId": config, "entityTypes": [] }), "entityTypes"),
    ] {
        let problem = client.post("/api/crm/sync/trigger", body.clone()).await.refused(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], member, "{body}");
    }
}
