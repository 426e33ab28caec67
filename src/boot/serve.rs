//! `crosstie serve`: the door first, then the database, then everything behind it; and the way down again.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::{DEFAULT_LISTEN, ServerConfig};
use super::database::{Database, Opener, prepare_data_dir};
use super::demo::{self, DemoFile, RunningSimulators};
use super::health::Door;
use super::wiring::{self, Parts};
use super::{site, telemetry};
use crate::blobs::BlobStore;
use crate::clock::{Clock, SystemClock};
use crate::engine::worker;
use crate::security::SystemRng;
use crate::service::{Services, set_up};
use crate::{api, queue, ui};

/// How long what is under way may take to end; the supervisor gives 10 s in all.
const DRAIN: Duration = Duration::from_secs(7);

/// Serves until a signal; then everything is drained and stopped.
pub async fn serve(mut config: ServerConfig) -> anyhow::Result<()> {
    config.data.data_dir = prepare_data_dir(&config.data)?;
    let data_dir = config.data.data_dir.clone();
    if config.fresh {
        anyhow::ensure!(
            config.data.database_url.is_none(),
            "--fresh erases an embedded Postgres only: leave DATABASE_URL unset, or empty that database yourself."
        );
        demo::erase(&data_dir)?;
    }
    let last = if config.demo { DemoFile::read(&data_dir) } else { None };
    let listener = listen(&config, last.as_ref()).await?;
    let stopping = CancellationToken::new();
    stop_on_signal(stopping.clone())?;
    let database = Database::open(&config.data, &SystemRng, Opener::Server).await?;
    let served = run(config, data_dir, last, listener, &database, stopping).await;
    // The embedded Postgres waits for no connection of ours.
    let _ = tokio::time::timeout(Duration::from_secs(2), database.pool.close()).await;
    tokio::task::spawn_blocking(move || drop(database)).await?;
    served
}

async fn run(
    config: ServerConfig,
    data_dir: PathBuf,
    last: Option<DemoFile>,
    listener: TcpListener,
    database: &Database,
    stopping: CancellationToken,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let door = Door::new(database.pool.clone(), telemetry::begin_metrics()?);
    let web = {
        let (router, stopped) = (door.clone().router(), stopping.clone().cancelled_owned());
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await })
    };
    tracing::info!(address = %address, "listening");
    let tasks = TaskTracker::new();
    let started = start(config, data_dir, last, address, database, &door, &tasks, stopping.clone()).await;
    if started.is_err() {
        stopping.cancel();
    }
    stopping.cancelled().await;
    door.drain();
    tracing::info!("stopping: no new work is begun");
    tasks.close();
    let drained = tokio::time::timeout(DRAIN, async {
        tasks.wait().await;
        web.await
    });
    if drained.await.is_err() {
        tracing::warn!("some work did not end in time; the next start goes on with it");
    }
    started
}

async fn start(
    config: ServerConfig,
    data_dir: PathBuf,
    last: Option<DemoFile>,
    address: SocketAddr,
    database: &Database,
    door: &Door,
    tasks: &TaskTracker,
    stopping: CancellationToken,
) -> anyhow::Result<()> {
    if let Some(embedded) = &database.embedded {
        tasks.spawn(embedded.keep_running(stopping.clone()));
    }
    database.migrate_when_reached(&stopping).await?;
    if stopping.is_cancelled() {
        return Ok(());
    }
    let mut clients = config.clients.clone();
    let simulators = if config.demo {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let simulators = RunningSimulators::start(&data_dir, last.as_ref(), clock, stopping.clone()).await?;
        clients.extend(simulators.clients());
        Some(simulators)
    } else {
        None
    };
    let blobs = BlobStore::open(&config.files.place, config.files.limit)
        .context("CROSSTIE_FILES names a place that cannot be used: check it and its settings")?;
    let services = wiring::services(Parts {
        pool: database.pool.clone(),
        secret_key: secret_key(&config, &data_dir)?,
        clients,
        hubspot_version: config.hubspot_version.clone(),
        public_url: config.public_url.clone().unwrap_or_else(|| reachable(address)),
        blobs,
        demo: config.demo.then(demo::settings),
    })?;
    if config.demo && database.embedded.is_some() {
        // This process owns the data: whoever held a lease, and the CRM that it called, died with it.
        let mut connection = database.pool.acquire().await?;
        queue::end_leases(&mut connection, services.clock.now()).await?;
    }
    let prepared = match &simulators {
        Some(simulators) => Some((simulators, demo::prepare(&data_dir, &services, simulators).await?)),
        None => None,
    };
    start_work(&config, &services, database, tasks, &stopping);
    door.open(behind(&services, address, &stopping)?);
    if let Some((simulators, prepared)) = prepared {
        demo::announce(&data_dir, prepared, address, simulators, database)?;
    }
    tracing::info!(url = %services.settings.public_url, "ready");
    if let Some(link) = set_up::link(&services).await? {
        super::say(&format!("Nobody can sign in yet. Make the first workspace and its admin within a day at:\n{link}"));
    }
    Ok(())
}

/// Pages and API.
fn behind(services: &Services, address: SocketAddr, stopping: &CancellationToken) -> anyhow::Result<axum::Router> {
    let pages = ui::server::pages(services.clone(), site::options(address)?);
    let clock = Arc::clone(&services.clock);
    Ok(api::app_router(services.clone(), pages, stopping.clone())
        .layer(axum::middleware::from_fn_with_state(clock, telemetry::count_request)))
}

/// The loops that carry out runs and hear of changes.
fn start_work(
    config: &ServerConfig,
    services: &Services,
    database: &Database,
    tasks: &TaskTracker,
    stopping: &CancellationToken,
) {
    let engine = wiring::engine(services);
    let wake = Arc::new(Notify::new());
    let events = services.events.clone();
    let on_event = move |payload: &str| match serde_json::from_str(payload) {
        Ok(event) => events.publish(event),
        Err(error) => tracing::warn!(error = %error, "an announced event cannot be read"),
    };
    let listened = worker::listen(database.direct_url.clone(), Arc::clone(&wake), on_event, stopping.clone());
    tasks.spawn(listened);
    for _ in 0..config.workers {
        tasks.spawn(worker::work(engine.clone(), Arc::clone(&wake), stopping.clone()));
    }
    if config.workers > 0 {
        tasks.spawn(worker::schedule(engine, wake, stopping.clone()));
    }
}

async fn listen(config: &ServerConfig, last: Option<&DemoFile>) -> anyhow::Result<TcpListener> {
    if let Some(address) = config.listen {
        return bind(address).await;
    }
    if config.demo {
        return demo::bind(last.and_then(|last| demo::port_of(&last.url)), DEFAULT_LISTEN.port()).await;
    }
    bind(DEFAULT_LISTEN).await
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("CROSSTIE_LISTEN (--listen) names {address}, which cannot be listened at: name another, or stop what listens there")
    })
}

fn secret_key(config: &ServerConfig, data_dir: &std::path::Path) -> anyhow::Result<SecretString> {
    match &config.secret_key {
        Some(key) => Ok(key.clone()),
        None => demo::secret_key(data_dir, &SystemRng),
    }
}

/// An address that listens everywhere is reached on this machine at loopback.
pub fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        return format!("http://127.0.0.1:{}", address.port());
    }
    format!("http://{address}")
}

fn stop_on_signal(stopping: CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stopping.cancel();
    });
    Ok(())
}

/// Ends when a signal asks to stop.
pub fn until_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let stopping = CancellationToken::new();
    stop_on_signal(stopping.clone())?;
    Ok(stopping.cancelled_owned())
}
