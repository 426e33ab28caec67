//! First pull of 10,000 accounts and 10,000 contacts, then a push of 10,000 changed records, through the real program.

use std::time::Instant;

use anyhow::ensure;
use serde_json::Value as Json;
use sqlx::{Connection as _, PgConnection};

use super::figure;
use super::program::{Program, Simulator};

/// Records of each entity.
const RECORDS: usize = 10_000;

/// Records of one page of a query, and of one write.
const PAGE: usize = 2000;
const BATCH: usize = 200;

/// Entities of a run, and the calls that each costs where nothing has changed: the query and the look at `/deleted`.
const ENTITIES: [&str; 2] = ["accounts", "contacts"];
const LOOK: usize = 2;

pub async fn run() -> anyhow::Result<()> {
    let crm = Simulator::start(RECORDS, RECORDS).await?;
    let program = Program::start(Some(&crm.url), None).await?;
    let config = program.workspace.connect("salesforce").await?;
    crm.calls().await?;

    let (seconds, job) = timed(program.workspace.sync(&config, Some("pull"), &ENTITIES)).await?;
    ensure!(job["state"] == "completed" || job["state"] == "partial", "the pull ended as {job}");
    let pulled = RECORDS * ENTITIES.len();
    let rate = pulled as f64 / seconds;
    figure("first pull: records a second, end to end", &format!("{rate:.0}"), "5000");
    let fewest = ENTITIES.len() * (RECORDS / PAGE + LOOK - 1);
    calls("first pull: data calls", &crm.calls().await?, fewest, 1.05);
    figure("first pull: server's peak memory, MB", &format!("{:.0}", program.peak_memory_mb()?), "250");

    // What a run in both directions finds after it: nothing to write.
    program.workspace.sync(&config, None, &ENTITIES).await?;
    crm.calls().await?;
    let changed = change_contacts(&program).await?;
    let (seconds, job) = timed(program.workspace.sync(&config, Some("push"), &ENTITIES)).await?;
    ensure!(job["state"] == "completed" || job["state"] == "partial", "the push ended as {job}");
    figure("push: changed records a second, end to end", &format!("{:.0}", changed as f64 / seconds), "2000");
    let asked = crm.calls().await?;
    calls("push: data calls", &asked, changed.div_ceil(BATCH) + ENTITIES.len() * LOOK, 1.10);
    figure("push: server's peak memory, MB", &format!("{:.0}", program.peak_memory_mb()?), "250");
    pushed(&crm, changed).await
}

/// Does the work and tells how many seconds it took.
#[expect(clippy::disallowed_methods, reason = "a measurement asks the real clock")]
pub async fn timed(work: impl Future<Output = anyhow::Result<Json>>) -> anyhow::Result<(f64, Json)> {
    let begun = Instant::now();
    let done = work.await?;
    Ok((begun.elapsed().as_secs_f64(), done))
}

/// Prints the calls made; describes, tokens and limits count apart.
pub fn calls(name: &str, by_operation: &Json, fewest: usize, allowance: f64) {
    let apart = ["describe", "token", "limits", "identity", "properties", "owners", "pipelines", "account", "other"];
    let operations = by_operation.as_object().into_iter().flatten();
    let made: u64 =
        operations.filter(|(name, _)| !apart.contains(&name.as_str())).filter_map(|(_, count)| count.as_u64()).sum();
    let allowed = (fewest as f64 * allowance).ceil();
    figure(
        name,
        &format!("{made}"),
        &format!("{allowed:.0} ({:.2} of the fewest possible)", made as f64 / fewest as f64),
    );
}

/// Changes every linked contact as another program would: with plain SQL. Tells how many.
async fn change_contacts(program: &Program) -> anyhow::Result<usize> {
    let mut postgres = PgConnection::connect(program.database_url()?).await?;
    let changed = sqlx::query(
        "UPDATE contacts SET department = 'Bench' WHERE (workspace_id, id) IN
           (SELECT workspace_id, record_id FROM crm_record_links WHERE entity_type = 'contact' AND state = 'linked'
            ORDER BY record_id LIMIT 10000)",
    )
    .execute(&mut postgres)
    .await?;
    ensure!(changed.rows_affected() > 0, "there is nothing to change");
    Ok(usize::try_from(changed.rows_affected())?)
}

/// Every change must have arrived, or the rate is worth nothing.
async fn pushed(crm: &Simulator, changed: usize) -> anyhow::Result<()> {
    let records = crm.http.get(format!("{}/_simulator/records/Contact", crm.url)).send().await?.text().await?;
    let arrived = records.lines().filter(|line| line.contains("\"Department\":\"Bench\"")).count();
    figure("push: records that arrived", &format!("{arrived}"), &format!("{changed}"));
    Ok(())
}
