//! Twenty workspaces at once: how long a sync of five records takes beside the first load of 100,000.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use sqlx::{Connection as _, PgConnection};

use super::figure;
use super::program::{Program, Simulator, Workspace};

/// Contacts of the workspace with the large load.
const LOADED: usize = 100_000;

/// The other workspaces, and the records that each synchronises.
const OTHERS: usize = 19;
const FEW: usize = 5;

pub async fn run() -> anyhow::Result<()> {
    let large = Simulator::start(0, LOADED).await?;
    let small = Simulator::start(FEW, 0).await?;
    let program = Program::start(Some(&large.url), Some(&small.hubspot)).await?;
    let load = program.workspace.connect("salesforce").await?;
    let mut others = Vec::new();
    for number in 1..=OTHERS {
        let workspace = program.add_workspace(&format!("Bench {number}"))?;
        let config = workspace.connect("hubspot").await?;
        let job = workspace.sync(&config, None, &["accounts"]).await?;
        ensure!(job["state"] == "completed", "the first sync ended as {job}");
        others.push((workspace, config));
    }
    let loaded = async {
        let job = program.workspace.sync(&load, Some("pull"), &["contacts"]).await?;
        ensure!(job["state"] == "completed" || job["state"] == "partial", "the load ended as {job}");
        anyhow::Ok(())
    };
    let beside = async {
        under_way(&program, &load).await?;
        let mut postgres = PgConnection::connect(program.database_url()?).await?;
        let changed = sqlx::query("UPDATE accounts SET phone = '+44 20 7946 0000' WHERE domain IS NOT NULL")
            .execute(&mut postgres)
            .await?;
        ensure!(changed.rows_affected() >= (OTHERS * FEW) as u64, "there is nothing to change");
        let mut seconds = try_join_all(others.iter().map(|(workspace, config)| few(workspace, config))).await?;
        seconds.sort_by(f64::total_cmp);
        let is_on = is_on(&program, &load).await?;
        ensure!(is_on, "the large load was over before the small syncs were");
        anyhow::Ok(seconds)
    };
    let ((), seconds) = futures::future::try_join(loaded, beside).await?;
    let slowest = seconds.last().context("no small sync")?;
    figure("19 syncs of 5 beside a load of 100,000, s", &format!("{:.1} to {slowest:.1}", seconds[0]), "5");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a measurement asks the real clock")]
async fn few(workspace: &Workspace, config: &str) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let job = workspace.sync(config, None, &["accounts"]).await?;
    ensure!(job["state"] == "completed", "a small sync ended as {job}");
    Ok(begun.elapsed().as_secs_f64())
}

/// Waits until the load has stored some of its records.
async fn under_way(program: &Program, config: &str) -> anyhow::Result<()> {
    loop {
        let mut postgres = PgConnection::connect(program.database_url()?).await?;
        let linked = "SELECT count(*) FROM crm_record_links WHERE config_id = $1::text::uuid";
        let linked: i64 = sqlx::query_scalar(linked).bind(config).fetch_one(&mut postgres).await?;
        if linked > 1000 {
            return Ok(());
        }
        tokio::time::sleep(super::program::POLL).await;
    }
}

async fn is_on(program: &Program, config: &str) -> anyhow::Result<bool> {
    let mut postgres = PgConnection::connect(program.database_url()?).await?;
    let open = "SELECT EXISTS (SELECT FROM crm_sync_runs WHERE config_id = $1::text::uuid AND state = 'running')";
    Ok(sqlx::query_scalar(open).bind(config).fetch_one(&mut postgres).await?)
}
