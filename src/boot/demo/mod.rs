//! A demo: simulators in the same process, a workspace with people and records, and `demo.json` that tells where they are.

mod file;
mod records;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::database::Database;
use super::postgres::EmbeddedPostgres;
use super::serve::reachable;
use super::{files, postgres};
use crate::clock::Clock;
use crate::engine::{CrmClient, tokens};
use crate::model::{Provider, Role};
use crate::security::{Rng, Vault, tokens as random};
use crate::service::administration::{self, PersonToAdd};
use crate::service::{DemoSettings, Services};
use crate::simulator::SimulatorOptions;
use crate::simulator::hubspot::HubspotSimulator;
use crate::simulator::salesforce::SalesforceSimulator;

pub use file::DemoFile;
use file::{DemoPerson, Simulators};

const WORKSPACE: &str = "Kestrel Metrology";
const SALESFORCE_PORT: u16 = 4801;
const HUBSPOT_PORT: u16 = 4802;
const CLIENT_ID: &str = "crosstie-demo";
const CLIENT_SECRET: &str = "crosstie-demo-secret";

/// Ports looked at after the wanted one.
const NEXT_PORTS: u16 = 50;

const PEOPLE: [(&str, &str, &str, Role); 4] = [
    ("admin@demo.test", "Anna Lindqvist", "crosstie-demo-admin", Role::Admin),
    ("salesops@demo.test", "Tomás Rivera", "crosstie-demo-salesops", Role::SalesOps),
    ("reviewer@demo.test", "Grace Okafor", "crosstie-demo-reviewer", Role::Reviewer),
    ("compliance@demo.test", "Priya Raman", "crosstie-demo-compliance", Role::Compliance),
];

/// What a simulator starts with: the seed, companies, people and deals of the contract.
pub const SIMULATOR: SimulatorOptions =
    SimulatorOptions { seed: 1, accounts: 200, contacts: 800, opportunities: 300, state_dir: None, no_limits: false };

/// Erases everything that a demo keeps in its data directory, its Postgres included.
pub fn erase(data_dir: &Path) -> anyhow::Result<()> {
    let lock = postgres::lock(data_dir)?;
    anyhow::ensure!(
        lock.is_some(),
        "The data directory {} is in use by another crosstie: stop that one before starting over.",
        data_dir.display()
    );
    postgres::erase(data_dir)?;
    for name in ["simulators", "demo.json", "demo.key", "secret.key"] {
        let path = data_dir.join(name);
        let erased = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match erased {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{} cannot be erased", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The key that seals this demo's tokens, made once.
pub fn secret_key(data_dir: &Path, rng: &dyn Rng) -> anyhow::Result<SecretString> {
    Ok(files::read_or_make(&data_dir.join("secret.key"), || Vault::generate_key(rng))?.into())
}

/// What the sign-in page of a demo offers.
pub fn settings() -> DemoSettings {
    let person = |(email, _, password, role): (&str, &str, &str, Role)| (email.to_owned(), password.into(), role);
    DemoSettings { people: PEOPLE.map(person).into() }
}

/// The port to take: `last` (of the demo's last start) or `wanted`, else one of the next free ones.
pub async fn bind(last: Option<u16>, wanted: u16) -> anyhow::Result<TcpListener> {
    let wanted = last.unwrap_or(wanted);
    for port in wanted..=wanted.saturating_add(NEXT_PORTS) {
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            return Ok(listener);
        }
    }
    anyhow::bail!("no port from {wanted} on is free on 127.0.0.1: stop what listens there, or name one with --listen.")
}

/// The running simulators.
pub struct RunningSimulators {
    /// Address of the Salesforce simulator.
    pub salesforce: String,
    /// Address of the HubSpot simulator.
    pub hubspot: String,
}

impl RunningSimulators {
    /// Starts them, each at its last port if that is free.
    pub async fn start(
        data_dir: &Path,
        last: Option<&DemoFile>,
        clock: Arc<dyn Clock>,
        stopping: CancellationToken,
    ) -> anyhow::Result<Self> {
        let state_dir = data_dir.join("simulators");
        std::fs::create_dir_all(&state_dir).with_context(|| format!("{} cannot be made", state_dir.display()))?;
        let port = |address: fn(&Simulators) -> &str| last.and_then(|last| port_of(address(&last.simulators)));
        let salesforce = bind(port(|simulators| &simulators.salesforce), SALESFORCE_PORT).await?;
        let hubspot = bind(port(|simulators| &simulators.hubspot), HUBSPOT_PORT).await?;
        let addresses = (salesforce.local_addr()?, hubspot.local_addr()?);
        let options = SimulatorOptions { state_dir: Some(state_dir), ..SIMULATOR };
        let now: crate::simulator::Clock = Arc::new(move || clock.now().timestamp_millis());
        let org = SalesforceSimulator::open(&options, Arc::clone(&now))?;
        let account = HubspotSimulator::open(&options, now)?;
        let stopped = stopping.clone().cancelled_owned();
        tokio::spawn(async move { say_how_it_ended("Salesforce", org.serve(salesforce, stopped).await) });
        let stopped = stopping.cancelled_owned();
        tokio::spawn(async move { say_how_it_ended("HubSpot", account.serve(hubspot, stopped).await) });
        Ok(RunningSimulators {
            salesforce: format!("http://{}", addresses.0),
            hubspot: format!("http://{}", addresses.1),
        })
    }

    /// The OAuth clients that are registered at them.
    pub fn clients(&self) -> Vec<CrmClient> {
        let client = |provider, address: &str| CrmClient {
            provider,
            simulator: true,
            client_id: CLIENT_ID.to_owned(),
            client_secret: CLIENT_SECRET.into(),
            login_url: address.to_owned(),
            api_url: None,
        };
        vec![client(Provider::Salesforce, &self.salesforce), client(Provider::Hubspot, &self.hubspot)]
    }
}

fn say_how_it_ended(crm: &str, served: std::io::Result<()>) {
    if let Err(error) = served {
        tracing::error!(error = %error, crm, "a simulator ended");
    }
}

/// What a demo's last file says of a port.
pub fn port_of(address: &str) -> Option<u16> {
    url::Url::parse(address).ok()?.port()
}

/// Fills the demo's workspace as far as it is not there yet, and moves its connections along with the simulators.
pub async fn prepare(
    data_dir: &Path,
    services: &Services,
    simulators: &RunningSimulators,
) -> anyhow::Result<PreparedDemo> {
    let workspace_id = match administration::workspace_by_name(services, WORKSPACE).await? {
        Some(workspace_id) => workspace_id,
        None => administration::create_workspace(services, WORKSPACE).await?,
    };
    for (email, name, password, role) in PEOPLE {
        let person =
            PersonToAdd { email: email.to_owned(), name: name.to_owned(), password: password.to_owned(), role };
        administration::add_person(services, workspace_id, person).await?;
    }
    let token = files::read_or_make(&data_dir.join("demo.key"), || random::api_key(services.rng.as_ref()))?;
    let (admin, ..) = PEOPLE[0];
    let key = administration::create_api_key(services, workspace_id, admin, "Demo", Some(token)).await?;
    records::fill(services, workspace_id, SIMULATOR.seed).await?;
    for (provider, address) in
        [(Provider::Salesforce, &simulators.salesforce), (Provider::Hubspot, &simulators.hubspot)]
    {
        tokens::move_simulated(&services.crm, workspace_id, provider, address).await?;
    }
    Ok(PreparedDemo { workspace_id, api_key: key.token })
}

/// What `demo.json` tells of the workspace.
pub struct PreparedDemo {
    workspace_id: Uuid,
    api_key: String,
}

/// Writes `demo.json`: the demo is ready.
pub fn announce(
    data_dir: &Path,
    demo: PreparedDemo,
    listen: SocketAddr,
    simulators: &RunningSimulators,
    database: &Database,
) -> anyhow::Result<()> {
    let person = |(email, _, password, role): (&str, &str, &str, Role)| DemoPerson {
        email: email.to_owned(),
        password: password.to_owned(),
        role,
    };
    let embedded = database.embedded.as_ref();
    let file = DemoFile {
        url: reachable(listen),
        database_url: embedded.map_or_else(|| database.direct_url.clone(), EmbeddedPostgres::administrator_url),
        writer_database_url: embedded.map(EmbeddedPostgres::writer_url),
        api_key: demo.api_key,
        workspace_id: demo.workspace_id,
        users: PEOPLE.map(person).into(),
        simulators: Simulators { salesforce: simulators.salesforce.clone(), hubspot: simulators.hubspot.clone() },
    };
    file.write(data_dir)
}
