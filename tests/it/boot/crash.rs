//! The real program, killed in the middle of a run: the next start goes on, nothing is lost or doubled.

use std::process::Stdio;
use std::time::Duration;

use chrono::TimeDelta;
use crosstie::model::Entity;
use sqlx::postgres::PgListener;
use tokio::process::{Child, Command};

use super::program::DataDir;
use crate::helpers::{TestApp, TestOptions};

/// How long a test waits for the program; it never takes that long.
const PATIENCE: Duration = Duration::from_secs(90);

fn start(app: &TestApp, data_dir: &DataDir) -> Child {
    Command::new(env!("CARGO_BIN_EXE_crosstie"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("DATABASE_URL", app.database_url())
        .env("CROSSTIE_DATA_DIR", data_dir.path())
        .env("CROSSTIE_PUBLIC_URL", "http://127.0.0.1:3699")
        .env("CROSSTIE_SECRET_KEY", app.secret_key())
        .env("CROSSTIE_SALESFORCE_CLIENT_ID", "crosstie-demo")
        .env("CROSSTIE_SALESFORCE_CLIENT_SECRET", "crosstie-demo-secret")
        .env("CROSSTIE_SALESFORCE_LOGIN_URL", &app.simulator.url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts")
}

/// Waits until the program has announced so many steps of a run, or until the run is over.
async fn steps(program: &mut PgListener, count: usize, is_over: impl AsyncFn() -> bool) {
    let announced = async {
        for _ in 0..count {
            if is_over().await {
                return;
            }
            program.recv().await.expect("the program's announcement");
        }
    };
    tokio::time::timeout(PATIENCE, announced).await.expect("the program goes on with the run");
}

#[tokio::test]
async fn a_program_killed_in_mid_run_goes_on_at_the_next_start() {
    let app = TestApp::with(TestOptions { accounts: 60, contacts: 120, ..TestOptions::default() }).await;
    app.sql(&format!(
        "INSERT INTO accounts (workspace_id, name) SELECT '{}', 'App company ' || n FROM generate_series(1, 2450) n",
        app.workspace_id
    ))
    .await;
    app.connect_salesforce().await;
    // Every call takes its time, so that there is a middle.
    let slow = serde_json::json!([{ "match": {}, "fault": "delay", "delayMs": 40 }]);
    app.simulator.faults(slow).await;
    let run_id = app.trigger(None).await;
    let is_over = async || !matches!(app.run(run_id).await.state.as_str(), "queued" | "running");
    let data_dir = DataDir::new();
    let mut announcements = PgListener::connect(&app.database_url()).await.expect("a connection");
    announcements.listen("crosstie_events").await.expect("to listen");
    // Killed right after a step: the next one's call is under way.
    let mut kills_in_mid_run = 0;
    for count in [1, 2, 1, 3, 2, 1] {
        let mut program = start(&app, &data_dir);
        steps(&mut announcements, count, is_over).await;
        // SIGKILL: nothing of the program runs any more.
        program.kill().await.expect("a kill");
        kills_in_mid_run += u32::from(!is_over().await);
        // As if the lease of the dead had ended.
        app.as_superuser("UPDATE jobs SET leased_until = '2000-01-01' WHERE state = 'running'; UPDATE crm_sync_configs SET refreshing_until = NULL").await;
    }
    assert!(kills_in_mid_run >= 5, "the run has a middle: {kills_in_mid_run}");
    let mut program = start(&app, &data_dir);
    steps(&mut announcements, usize::MAX, is_over).await;
    // Asked to stop it finishes its turn, and so the run's job.
    let id = program.id().expect("a running program").to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.expect("kill").success());
    let stopped = tokio::time::timeout(PATIENCE, program.wait()).await.expect("the program stops").expect("its end");
    assert!(stopped.success(), "it stops well: {stopped}");
    assert_eq!(app.rows("SELECT kind FROM jobs WHERE state IN ('queued', 'running')").await.len(), 0);
    app.run(run_id).await.expect_state("completed");
    app.simulator.clear_faults().await;
    app.assert_all_linked(Entity::Account).await;
    app.assert_all_linked(Entity::Contact).await;
    app.assert_agreement().await;
    assert_eq!(app.simulator.all_records("Account").await.len(), 2510, "nothing is doubled in the CRM");
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 2510, "nor here");
    app.advance(TimeDelta::minutes(5));
}
