//! First pull of 100,000 contacts from HubSpot with its limits off, through the real program.

use anyhow::ensure;

use super::figure;
use super::program::{Program, Simulator};
use super::syncing::{calls, timed};

/// Contacts of the account.
const CONTACTS: usize = 100_000;

/// Records of a page of the list.
const PAGE: usize = 100;

pub async fn run() -> anyhow::Result<()> {
    let crm = Simulator::start(0, CONTACTS).await?;
    let program = Program::start(None, Some(&crm.hubspot)).await?;
    let config = program.workspace.connect("hubspot").await?;
    crm.hubspot_calls().await?;
    let (seconds, job) = timed(program.workspace.sync(&config, Some("pull"), &["contacts"])).await?;
    ensure!(job["state"] == "completed" || job["state"] == "partial", "the pull ended as {job}");
    let rate = CONTACTS as f64 / seconds;
    figure("HubSpot, first pull: records a second", &format!("{rate:.0}"), "5000");
    // The list, the archived list, and the search that tells up to when changes are visible.
    calls("HubSpot, first pull: data calls", &crm.hubspot_calls().await?, CONTACTS / PAGE + 1, 1.05);
    figure("HubSpot, first pull: server's peak memory, MB", &format!("{:.0}", program.peak_memory_mb()?), "250");
    Ok(())
}
