//! The real program, killed in the middle of a run: the next start goes on, nothing is lost or doubled.

use std::process::Stdio;
use std::time::Duration;

use chrono::TimeDelta;
use crosstie::model::Entity;
use tokio::process::{Child, Command};

use crate::helpers::{TestApp, TestOptions};

/// How long a test waits for the program; it never takes that long.
const PATIENCE: Duration = Duration::from_secs(90);

fn start(app: &TestApp) -> Child {
    let data_dir = std::env::temp_dir().join(format!("crosstie-crash-{}", app.workspace_id));
    Command::new(env!("CARGO_BIN_EXE_crosstie"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("DATABASE_URL", app.database_url())
        .env("CROSSTIE_DATA_DIR", data_dir)
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

/// Waits for the program, which runs by the real clock.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("the program does not come to: {what}"));
}

#[tokio::test]
async fn a_program_killed_in_mid_run_goes_on_at_the_next_start() {
    let app = TestApp::with(TestOptions { accounts: 60, contacts: 120, ..TestOptions::default() }).await;
    app.sql(&format!(
        "INSERT INTO accounts (workspace_id, name) SELECT '{}', 'App company ' || n FROM generate_series(1, 450) n",
        app.workspace_id
    ))
    .await;
    app.connect_salesforce().await;
    // Every call takes its time, so that there is a middle.
    let slow = serde_json::json!([{ "match": {}, "fault": "delay", "delayMs": 40 }]);
    app.simulator.faults(slow).await;
    let run_id = app.trigger(None).await;
    let is_over = async || !matches!(app.run(run_id).await.state.as_str(), "queued" | "running");
    for calls in [2, 4, 5, 7, 8, 10] {
        let mut program = start(&app);
        app.simulator.clear_stats().await;
        let wanted = calls / 2;
        until("some calls", async || app.simulator.stats().await.calls >= wanted || is_over().await).await;
        // SIGKILL: nothing of the program runs any more.
        program.kill().await.expect("a kill");
        // As if the lease of the dead had ended.
        app.as_superuser("UPDATE jobs SET leased_until = '2000-01-01' WHERE state = 'running'; UPDATE crm_sync_configs SET refreshing_until = NULL").await;
    }
    let mut program = start(&app);
    until("the end of the run", is_over).await;
    let waiting = "SELECT kind FROM jobs WHERE state IN ('queued', 'running')";
    until("the end of its job", async || app.rows(waiting).await.is_empty()).await;
    program.kill().await.expect("a kill");
    app.run(run_id).await.expect_state("completed");
    app.simulator.clear_faults().await;
    app.assert_all_linked(Entity::Account).await;
    app.assert_all_linked(Entity::Contact).await;
    app.assert_agreement().await;
    assert_eq!(app.simulator.all_records("Account").await.len(), 510, "nothing is doubled in the CRM");
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 510, "nor here");
    app.advance(TimeDelta::minutes(5));
}
