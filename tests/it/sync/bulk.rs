//! Large readings of Salesforce go through query jobs, which take their time.

use chrono::TimeDelta;
use crosstie::model::Entity;
use crosstie::service::runs;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::assert_rests;
use crate::helpers::{TestApp, TestOptions};

/// Accounts of the org; above the number that a job is made for.
const ACCOUNTS: usize = 50;

/// An org whose accounts are read by a job that takes a minute.
async fn large() -> TestApp {
    let app = TestApp::with(TestOptions { accounts: ACCOUNTS, bulk_above: 20, ..TestOptions::default() }).await;
    app.simulator.control("settings", json!({ "bulkDelayMs": 60_000 })).await;
    app.connect_salesforce().await;
    app
}

/// Works until the run waits for its job.
async fn until_the_job_works(app: &TestApp) -> Uuid {
    let run_id = app.trigger(None).await;
    app.work().await;
    assert_eq!(app.run(run_id).await.state, "running");
    assert_eq!(linked(app).await, 0, "nothing is there yet");
    run_id
}

async fn linked(app: &TestApp) -> usize {
    app.rows("SELECT id FROM crm_record_links WHERE state = 'linked'").await.len()
}

async fn jobs(app: &TestApp) -> Vec<Json> {
    let token = app.simulator.control("token", json!({})).await;
    let url = format!("{}/services/data/v62.0/jobs/query", app.simulator.url);
    let request = reqwest::Client::new().get(url).bearer_auth(token["access_token"].as_str().expect("a token"));
    let told: Json = request.send().await.expect("an answer").json().await.expect("JSON");
    told["records"].as_array().cloned().expect("jobs")
}

#[tokio::test]
async fn a_large_first_load_goes_through_one_job_and_brings_everything_once() {
    let app = large().await;
    app.simulator.create("Account", json!({ "Name": "Quotes \" and\nlines, commas", "AnnualRevenue": 1200 })).await;
    until_the_job_works(&app).await;
    let waits = app
        .row("SELECT count(*) AS waiting FROM jobs WHERE state = 'queued' AND run_at > now() - interval '99 years'")
        .await;
    assert_ne!(waits["waiting"], 0, "the run's job waits, no worker does");
    let run_id: Uuid =
        app.row("SELECT id FROM crm_sync_runs").await["id"].as_str().and_then(|id| id.parse().ok()).expect("a run");
    app.finish(run_id).await.expect_state("completed");
    assert_eq!(jobs(&app).await.len(), 1, "accounts by a job, no contacts by a query");
    app.assert_all_linked(Entity::Account).await;
    app.assert_agreement().await;
    let odd = app.row("SELECT annual_revenue FROM accounts WHERE name LIKE 'Quotes%'").await;
    assert_eq!(odd["annual_revenue"], json!(1200));
    app.advance(TimeDelta::minutes(15));
    assert_rests(&app).await;
}

#[tokio::test]
async fn a_small_reading_asks_for_no_job() {
    let app = TestApp::with(TestOptions { accounts: 20, bulk_above: 20, ..TestOptions::default() }).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    assert!(jobs(&app).await.is_empty());
    assert_eq!(linked(&app).await, 20);
}

#[tokio::test]
async fn an_edit_while_the_job_is_at_work_is_not_lost() {
    let app = large().await;
    let run_id = until_the_job_works(&app).await;
    let first = app.simulator.records("Account").await.remove(0).id;
    // The job has found its rows when it is done; what is edited after that is in none of them.
    app.advance(TimeDelta::seconds(58));
    app.simulator.edit("Account", &first, json!({ "Phone": "during" })).await;
    app.advance(TimeDelta::seconds(5));
    app.step().await;
    app.simulator.edit("Account", &first, json!({ "Phone": "after" })).await;
    app.finish(run_id).await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    let phones = app.rows("SELECT phone FROM accounts WHERE phone = 'after'").await;
    assert_eq!(phones.len(), 1);
    app.assert_agreement().await;
}

#[tokio::test]
async fn a_run_that_is_paused_and_taken_over_goes_on_with_its_job() {
    let app = large().await;
    let run_id = until_the_job_works(&app).await;
    let (admin, config_id) = (app.admin().await, app.config_id().await);
    crosstie::service::connections::pause(&app.services, admin, config_id).await.expect("a pause");
    app.advance(TimeDelta::minutes(3));
    app.simulator.clear_stats().await;
    app.work().await;
    assert_eq!(app.simulator.stats().await.calls, 0, "no call while it is paused");
    crosstie::service::connections::resume(&app.services, admin, config_id).await.expect("to go on");
    // As if the worker had died with its lease.
    app.as_superuser("UPDATE jobs SET leased_until = '2000-01-01' WHERE state = 'running'").await;
    app.finish(run_id).await.expect_state("completed");
    assert_eq!(jobs(&app).await.len(), 1, "the same job");
    app.assert_all_linked(Entity::Account).await;
}

#[tokio::test]
async fn a_job_that_somebody_aborts_gives_way_to_queries() {
    let app = large().await;
    let run_id = until_the_job_works(&app).await;
    let job = jobs(&app).await.remove(0)["id"].as_str().expect("an id").to_owned();
    let token = app.simulator.control("token", json!({})).await;
    let url = format!("{}/services/data/v62.0/jobs/query/{job}", app.simulator.url);
    let request = reqwest::Client::new().patch(url).bearer_auth(token["access_token"].as_str().expect("a token"));
    let aborted = request.json(&json!({ "state": "Aborted" })).send().await.expect("an answer");
    assert!(aborted.status().is_success(), "{aborted:?}");
    app.finish(run_id).await.expect_state("completed");
    assert_eq!(jobs(&app).await.len(), 1, "it is not begun anew for ever");
    app.assert_all_linked(Entity::Account).await;
}

#[tokio::test]
async fn a_job_that_is_gone_is_made_anew() {
    let app = large().await;
    let run_id = until_the_job_works(&app).await;
    app.advance(TimeDelta::minutes(2));
    let job = jobs(&app).await.remove(0)["id"].as_str().expect("an id").to_owned();
    let token = app.simulator.control("token", json!({})).await;
    let url = format!("{}/services/data/v62.0/jobs/query/{job}", app.simulator.url);
    let request = reqwest::Client::new().delete(url).bearer_auth(token["access_token"].as_str().expect("a token"));
    assert_eq!(request.send().await.expect("an answer").status(), 204);
    app.finish(run_id).await.expect_state("completed");
    app.assert_all_linked(Entity::Account).await;
}

#[tokio::test]
async fn a_lost_answer_to_a_new_job_brings_nothing_twice() {
    let app = large().await;
    let lost = json!({ "match": { "operation": "bulk_query_job" }, "fault": "lost_response", "times": 1 });
    app.simulator.faults(json!([lost])).await;
    app.sync().await.expect_state("completed");
    app.assert_all_linked(Entity::Account).await;
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), ACCOUNTS);
}

#[tokio::test]
async fn a_run_that_waits_for_its_job_can_be_cancelled() {
    let app = large().await;
    let run_id = until_the_job_works(&app).await;
    runs::cancel(&app.services, app.admin().await, run_id).await.expect("a cancel");
    app.work().await;
    app.run(run_id).await.expect_state("cancelled");
    app.sync().await.expect_state("completed");
    app.assert_all_linked(Entity::Account).await;
}
