//! `crosstie simulate`: the CRM simulators alone.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::cli::SimulateArgs;
use super::serve::until_signal;
use crate::clock::{Clock as _, SystemClock};
use crate::simulator::SimulatorOptions;
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
    let listener = TcpListener::bind(args.salesforce)
        .await
        .with_context(|| format!("--salesforce names {}, which cannot be listened at", args.salesforce))?;
    let simulator = SalesforceSimulator::open(&options, Arc::new(|| SystemClock.now().timestamp_millis()))?;
    tracing::info!(address = %listener.local_addr()?, "the Salesforce simulator listens");
    simulator.serve(listener, until_signal()?).await?;
    Ok(())
}
