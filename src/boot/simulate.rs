//! `crosstie simulate`: the CRM simulators alone.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::cli::SimulateArgs;
use super::serve::until_signal;
use crate::clock::{Clock as _, SystemClock};
use crate::simulator::SimulatorOptions;
use crate::simulator::hubspot::HubspotSimulator;
use crate::simulator::salesforce::SalesforceSimulator;

/// Serves the simulators until a signal.
pub async fn simulate(args: SimulateArgs) -> anyhow::Result<()> {
    if let Some(state) = &args.state {
        std::fs::create_dir_all(state)
            .with_context(|| format!("--state names {}, which cannot be made", state.display()))?;
    }
    let options = SimulatorOptions {
        seed: args.seed,
        accounts: args.accounts,
        contacts: args.contacts,
        opportunities: args.opportunities,
        state_dir: args.state,
        no_limits: args.no_limits,
    };
    let (salesforce, hubspot) =
        (listen("--salesforce", args.salesforce).await?, listen("--hubspot", args.hubspot).await?);
    let now = || SystemClock.now().timestamp_millis();
    let salesforce_simulator = SalesforceSimulator::open(&options, Arc::new(now))?;
    let hubspot_simulator = HubspotSimulator::open(&options, Arc::new(now))?;
    tracing::info!(address = %salesforce.local_addr()?, "the Salesforce simulator listens");
    tracing::info!(address = %hubspot.local_addr()?, "the HubSpot simulator listens");
    tokio::try_join!(
        salesforce_simulator.serve(salesforce, until_signal()?),
        hubspot_simulator.serve(hubspot, until_signal()?)
    )?;
    Ok(())
}

async fn listen(option: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("{option} names {address}, which cannot be listened at"))
}
