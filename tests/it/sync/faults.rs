//! What goes wrong between the two sides, and that nothing is lost by it.

use chrono::TimeDelta;
use crosstie::engine::worker;
use crosstie::model::Entity;
use crosstie::service::runs;
use serde_json::json;
use uuid::Uuid;

use super::{agreed_account, app_value, assert_rests, crm_value, text};
use crate::helpers::{TestApp, TestOptions};

/// Some records on each side and an edit of each that waits.
async fn with_edits(app: &TestApp) {
    let (record_id, crm_id) =
        agreed_account(app, json!({ "Name": "Kestrel", "Phone": "1", "Industry": "Energy" })).await;
    app.sql(&format!("UPDATE accounts SET industry = 'Media' WHERE id = '{record_id}'")).await;
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "2" })).await;
    app.insert("accounts", json!({ "name": "Alder" })).await;
    app.simulator.create("Contact", json!({ "LastName": "Raman" })).await;
}

async fn assert_arrived(app: &TestApp) {
    app.assert_all_linked(Entity::Account).await;
    app.assert_all_linked(Entity::Contact).await;
    app.assert_agreement().await;
    assert_eq!(app.rows("SELECT id FROM accounts WHERE phone = '2' AND industry = 'Media'").await.len(), 1);
}

#[tokio::test]
async fn every_fault_once_at_every_operation_is_survived() {
    let faults = [
        json!({ "fault": "reset" }),
        json!({ "fault": "lost_response" }),
        json!({ "fault": "garbage" }),
        json!({ "fault": "status", "status": 500 }),
        json!({ "fault": "status", "status": 503 }),
        json!({ "fault": "rate_limit" }),
    ];
    for fault in faults {
        let app = TestApp::start().await;
        with_edits(&app).await;
        let operations = ["query", "query_more", "deleted", "composite", "collections_upsert", "describe"];
        let rules: Vec<_> = operations
            .iter()
            .map(|operation| {
                let mut rule = fault.clone();
                rule["match"] = json!({ "operation": operation });
                rule["times"] = json!(1);
                rule
            })
            .collect();
        app.advance(TimeDelta::hours(2));
        app.simulator.faults(json!(rules)).await;
        let run = app.sync().await;
        assert_eq!(run.state, "completed", "{fault}: {run:?}");
        assert_arrived(&app).await;
    }
}

#[tokio::test]
async fn a_crm_that_stays_away_fails_the_run_and_no_record() {
    let app = TestApp::start().await;
    with_edits(&app).await;
    app.simulator.faults(json!([{ "match": {}, "fault": "status", "status": 503 }])).await;
    let run = app.sync().await.expect_state("failed");
    assert_eq!(run.error_code.as_deref(), Some("crm_unavailable"));
    assert_eq!(app.rows("SELECT id FROM crm_record_links WHERE failure IS NOT NULL").await.len(), 0);
    app.simulator.clear_faults().await;
    app.sync().await.expect_state("completed");
    assert_arrived(&app).await;
}

#[tokio::test]
async fn a_revoked_grant_stops_the_run_and_a_new_sign_in_goes_on() {
    let app = TestApp::start().await;
    with_edits(&app).await;
    let run_id = app.trigger(None).await;
    app.step().await;
    app.step().await;
    app.simulator.control("token/revoke", json!({})).await;
    app.simulator.control("token/expire", json!({})).await;
    let run = app.finish(run_id).await.expect_state("failed");
    assert_eq!(run.error_code.as_deref(), Some("sign_in"));
    let config = app.row("SELECT status, last_sync_status, next_sync_at FROM crm_sync_configs").await;
    assert_eq!(config, json!({ "status": "error", "last_sync_status": "failed", "next_sync_at": null }));
    let refused = runs::trigger(&app.services, app.admin().await, app.config_id().await, None, None, false).await;
    assert!(refused.is_err(), "a connection in error is not synchronised");
    app.sign_in_again().await;
    app.sync().await.expect_state("completed");
    assert_arrived(&app).await;
}

#[tokio::test]
async fn a_token_that_ends_in_mid_run_is_refreshed_once() {
    let app = TestApp::start().await;
    with_edits(&app).await;
    app.simulator.clear_stats().await;
    let run_id = app.trigger(None).await;
    app.step().await;
    app.step().await;
    app.simulator.control("token/expire", json!({})).await;
    app.finish(run_id).await.expect_state("completed");
    let once = app.simulator.stats().await.of("token");
    assert_eq!(once, 2, "a refresh, and a look at how long the new token lives");
    assert_arrived(&app).await;
    // Ahead of its end too: nobody sees a refused call.
    app.advance(TimeDelta::hours(30));
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.stats().await.of("token"), 2 * once);
}

/// Whatever another program writes refers to the connection: its open transaction must not keep tokens from being renewed, nor
/// the records that it refers to from being written.
#[tokio::test]
async fn an_open_transaction_of_another_program_holds_nothing_up() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    let insert = format!(
        "INSERT INTO contacts (id, workspace_id, last_name, account_id)
         VALUES (gen_random_uuid(), '{}', 'Raman', '{record_id}')",
        app.workspace_id
    );
    let open = app.begin_sql(&insert).await.expect("a transaction");
    app.simulator.control("token/expire", json!({})).await;
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "2" })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("2"));
    open.commit().await.expect("a commit");
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.records("Contact").await.len(), 1);
}

#[tokio::test]
async fn a_lost_answer_to_a_refresh_does_not_end_the_grant_unasked() {
    let app = TestApp::start().await;
    with_edits(&app).await;
    app.simulator.control("token/expire", json!({})).await;
    app.simulator.faults(json!([{ "match": { "operation": "token" }, "fault": "reset", "times": 1 }])).await;
    app.sync().await.expect_state("completed");
    assert_arrived(&app).await;
}

#[tokio::test]
async fn the_days_limit_stops_calls_until_it_is_lifted() {
    let app = TestApp::start().await;
    with_edits(&app).await;
    let used = app.simulator.stats().await.calls;
    app.simulator.control("limits", json!({ "daily": used + 3 })).await;
    let run_id = app.trigger(None).await;
    app.work().await;
    assert_eq!(app.run(run_id).await.state, "running");
    let limited = app.row("SELECT limited_until IS NOT NULL AS limited FROM crm_sync_configs").await;
    assert_eq!(limited["limited"], true, "the screen says until when");
    let before = app.simulator.stats().await.calls;
    app.advance(TimeDelta::minutes(1));
    app.work().await;
    assert_eq!(app.simulator.stats().await.calls, before, "no call before the limit is over");
    app.simulator.control("limits", json!({ "daily": null })).await;
    app.finish(run_id).await.expect_state("completed");
    assert_arrived(&app).await;
}

#[tokio::test]
async fn crosstie_stops_at_its_share_of_the_orgs_day() {
    let app = TestApp::start().await;
    with_edits(&app).await;
    let used = app.simulator.stats().await.calls;
    app.simulator.control("limits", json!({ "daily": used + 6 })).await;
    let run_id = app.trigger(None).await;
    app.work().await;
    assert_eq!(app.run(run_id).await.state, "running");
    let refused = app.simulator.stats().await.calls > used + 6;
    assert!(!refused, "it stops before the org refuses");
    let limited = app.row("SELECT limited_until IS NOT NULL AS limited FROM crm_sync_configs").await;
    assert_eq!(limited["limited"], true);
    app.simulator.control("limits", json!({ "daily": 15000 })).await;
    app.finish(run_id).await.expect_state("completed");
    assert_arrived(&app).await;
}

#[tokio::test]
async fn triggers_during_a_run_cause_exactly_one_more() {
    let app = TestApp::start().await;
    with_edits(&app).await;
    let first = app.trigger(None).await;
    app.step().await;
    app.step().await;
    let second = app.trigger(Some(super::PULL)).await;
    let third = app.trigger(Some(super::PUSH)).await;
    assert_ne!(first, second);
    assert_eq!(second, third, "the one that waits is widened");
    app.finish(second).await.expect_state("completed");
    app.run(first).await.expect_state("completed");
    let runs = app.rows("SELECT sync_direction FROM crm_sync_runs ORDER BY created_at, started_at").await;
    assert_eq!(runs.len(), 3, "the agreement's, this one and one more");
    assert_eq!(runs[2]["sync_direction"], "bidirectional", "with the union of what was asked");
    assert_arrived(&app).await;
}

#[tokio::test]
async fn a_cancelled_run_stops_and_the_next_goes_on() {
    let app = TestApp::start().await;
    with_edits(&app).await;
    let run_id = app.trigger(None).await;
    app.step().await;
    app.step().await;
    runs::cancel(&app.services, app.admin().await, run_id).await.expect("a cancel");
    app.simulator.clear_stats().await;
    app.finish(run_id).await.expect_state("cancelled");
    assert_eq!(app.simulator.stats().await.calls, 0);
    app.sync().await.expect_state("completed");
    assert_arrived(&app).await;
}

#[tokio::test]
async fn a_paused_connection_makes_no_call_and_goes_on_where_it_was() {
    let app = TestApp::start().await;
    with_edits(&app).await;
    let run_id = app.trigger(None).await;
    app.step().await;
    app.step().await;
    app.set_config("status = 'paused'").await;
    app.simulator.clear_stats().await;
    app.work().await;
    app.advance(TimeDelta::minutes(10));
    app.work().await;
    assert_eq!(app.simulator.stats().await.calls, 0);
    app.set_config("status = 'connected'").await;
    app.finish(run_id).await.expect_state("completed");
    assert_arrived(&app).await;
}

#[tokio::test]
async fn a_pause_between_two_calls_of_one_step_lets_no_further_call_start() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.insert("accounts", json!({ "name": "Kestrel" })).await;
    let run_id = app.trigger(None).await;
    // The look-up of the new record is slow; while it is under way somebody pauses.
    app.simulator
        .faults(json!([{ "match": { "operation": "query" }, "fault": "delay", "delayMs": 300, "times": 9 }]))
        .await;
    app.simulator.clear_stats().await;
    let pause = async {
        // The reading's query is the first, the look-up's the second.
        while app.simulator.stats().await.of("query") < 2 {
            tokio::task::yield_now().await;
        }
        app.set_config("status = 'paused'").await;
    };
    let ((), ()) = tokio::join!(app.work(), pause);
    app.advance(TimeDelta::minutes(1));
    app.work().await;
    assert_eq!(app.simulator.records("Account").await.len(), 0, "the create did not start");
    app.set_config("status = 'connected'").await;
    app.simulator.clear_faults().await;
    app.finish(run_id).await.expect_state("completed");
    assert_eq!(app.simulator.records("Account").await.len(), 1);
}

/// Works on until nothing is due, but drops the worker at random points; another takes over when its lease has ended.
async fn work_with_deaths(app: &TestApp, run_id: Uuid, seed: u64) {
    use rand::{Rng, SeedableRng};
    let mut dice = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    for turn in 0..400 {
        let state = app.run(run_id).await.state;
        if !matches!(state.as_str(), "queued" | "running") {
            return;
        }
        // Half of the turns die, sooner or later; an await more or less is a moment more or less.
        let deadline = if dice.random_bool(0.5) { dice.random_range(1..60_u32) } else { u32::MAX };
        let mut polls = 0;
        let mut turn_of_worker = Box::pin(worker::work_once(&app.engine));
        let worked = std::future::poll_fn(|context| {
            polls += 1;
            if polls > deadline {
                return std::task::Poll::Ready(None);
            }
            turn_of_worker.as_mut().poll(context).map(Some)
        })
        .await;
        drop(turn_of_worker);
        match worked {
            Some(Ok(true)) => {}
            Some(Ok(false)) => app.advance(TimeDelta::seconds(30)),
            Some(Err(error)) => panic!("turn {turn}: {error:?}"),
            None => app.advance(TimeDelta::seconds(200)),
        }
    }
    panic!("the run does not end");
}

#[tokio::test]
async fn a_worker_may_die_at_any_moment_and_nothing_is_lost_or_doubled() {
    for seed in 1..=6 {
        let app = TestApp::with(TestOptions { seed, accounts: 10, contacts: 15, ..TestOptions::default() }).await;
        app.sql(&format!(
            "INSERT INTO accounts (workspace_id, name) SELECT '{}', 'Company ' || n FROM generate_series(1, 12) n",
            app.workspace_id
        ))
        .await;
        app.connect_salesforce().await;
        let run_id = app.trigger(None).await;
        work_with_deaths(&app, run_id, seed).await;
        app.run(run_id).await.expect_state("completed");
        app.advance(TimeDelta::minutes(5));
        app.sql("UPDATE accounts SET phone = 'edited ' || name").await;
        let run_id = app.trigger(None).await;
        work_with_deaths(&app, run_id, seed + 100).await;
        app.advance(TimeDelta::minutes(5));
        app.sync().await.expect_state("completed");
        app.assert_all_linked(Entity::Account).await;
        app.assert_all_linked(Entity::Contact).await;
        app.assert_agreement().await;
        let accounts = app.simulator.all_records("Account").await;
        assert_eq!(accounts.len(), 22, "seed {seed}");
        app.sync().await.expect_state("completed");
        assert_rests(&app).await;
    }
}

#[tokio::test]
async fn two_workers_on_one_run_do_everything_once() {
    let app = TestApp::with(TestOptions { accounts: 20, contacts: 30, ..TestOptions::default() }).await;
    app.insert("accounts", json!({ "name": "Kestrel" })).await;
    app.connect_salesforce().await;
    let run_id = app.trigger(None).await;
    let other = app.engine.clone();
    let work = async |engine: &crosstie::engine::Engine| {
        let mut idle = 0;
        while idle < 50 {
            if worker::work_once(engine).await.expect("a turn") {
                idle = 0
            } else {
                idle += 1
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(work(&app.engine), work(&other));
    app.finish(run_id).await.expect_state("completed");
    app.assert_all_linked(Entity::Account).await;
    app.assert_all_linked(Entity::Contact).await;
    app.assert_agreement().await;
}

#[tokio::test]
async fn another_workspace_is_not_touched() {
    let app = TestApp::start().await;
    let (other, _) = app.other_workspace().await;
    app.sql(&format!("INSERT INTO accounts (workspace_id, name) VALUES ('{other}', 'Theirs')")).await;
    let (record_id, _) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    app.sql(&format!("UPDATE accounts SET phone = '2' WHERE workspace_id = '{other}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.records("Account").await.len(), 1);
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("1"));
    let links = app.rows(&format!("SELECT id FROM crm_record_links WHERE workspace_id = '{other}'")).await;
    assert_eq!(links.len(), 0);
    let _ = crm_value;
}
