//! The way to Postgres: one that is given, or the embedded one.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio_util::sync::CancellationToken;

use super::config::DataConfig;
use super::postgres::EmbeddedPostgres;
use crate::security::Rng;
use crate::store::{self, MigrateError};

/// Connections that a server keeps at the most.
const CONNECTIONS: u32 = 24;

/// How long a request waits for a connection before it is told that the database cannot be reached.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a start waits before it tries the database again.
const RETRY: Duration = Duration::from_secs(2);

/// The way to Postgres.
pub struct Database {
    /// Connections for work; made when they are needed, made anew when they are lost.
    pub pool: PgPool,
    /// Address for LISTEN and migrations.
    pub direct_url: String,
    /// The embedded server, where there is one. It stops when this is dropped.
    pub embedded: Option<EmbeddedPostgres>,
}

/// Who opens the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opener {
    /// A server: owns its data directory.
    Server,
    /// A command of the administrator: may join a running server's.
    Command,
}

impl Database {
    /// Opens the way; waits for nothing but the start of an embedded server.
    pub async fn open(data: &DataConfig, rng: &dyn Rng, opener: Opener) -> anyhow::Result<Self> {
        let embedded = match (&data.database_url, opener) {
            (Some(_), _) => None,
            (None, Opener::Server) => Some(EmbeddedPostgres::start(&data.data_dir, rng).await?),
            (None, Opener::Command) => Some(EmbeddedPostgres::start_or_join(&data.data_dir, rng).await?),
        };
        let url = match (&data.database_url, &embedded) {
            (Some(url), _) => url.clone(),
            (None, Some(embedded)) => embedded.owner_url(),
            (None, None) => bail!("DATABASE_URL is not set."),
        };
        let direct_url = data.direct_url.clone().unwrap_or_else(|| url.clone());
        // Through a pooler in transaction mode a prepared statement is gone with its transaction.
        let pooled = direct_url != url;
        let pool = pool(&url, CONNECTIONS, pooled)?;
        Ok(Database { pool, direct_url, embedded })
    }

    /// Brings the database to this version's schema. A database that cannot be reached is tried again until `stopping`.
    pub async fn migrate_when_reached(&self, stopping: &CancellationToken) -> anyhow::Result<()> {
        let direct = pool(&self.direct_url, 2, false)?;
        let mut reached = true;
        loop {
            match store::migrate(&direct).await {
                Ok(()) => break,
                Err(error) if is_unreachable(&error) => {
                    if reached {
                        tracing::warn!(
                            error = %causes(&error),
                            "the database cannot be reached; trying again every {} s. Check DATABASE_URL and whether \
                             Postgres is running", RETRY.as_secs()
                        );
                    }
                    reached = false;
                }
                Err(error) => return Err(refused(error)),
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = stopping.cancelled() => break,
            }
        }
        direct.close().await;
        Ok(())
    }

    /// Brings the database to this version's schema, or says at once why not.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        let direct = pool(&self.direct_url, 2, false)?;
        let migrated = store::migrate(&direct).await.map_err(refused);
        direct.close().await;
        migrated
    }
}

fn pool(url: &str, connections: u32, pooled: bool) -> anyhow::Result<PgPool> {
    let mut options = PgConnectOptions::from_str(url).context("DATABASE_URL is malformed")?;
    options = options.application_name("crosstie");
    if pooled {
        options = options.statement_cache_capacity(0);
    }
    Ok(PgPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE).connect_lazy_with(options))
}

fn refused(error: MigrateError) -> anyhow::Error {
    anyhow::Error::new(error).context("the database cannot be used (DATABASE_URL)")
}

fn is_unreachable(error: &MigrateError) -> bool {
    match error {
        MigrateError::Store(store::StoreError::Unavailable(_)) => true,
        MigrateError::Migration(sqlx::migrate::MigrateError::Execute(error)) => {
            matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut)
        }
        _ => false,
    }
}

fn causes(error: &MigrateError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Where a data directory is, made if it is not there.
pub fn prepare_data_dir(data: &DataConfig) -> anyhow::Result<PathBuf> {
    let named = &data.data_dir;
    std::fs::create_dir_all(named)
        .with_context(|| format!("CROSSTIE_DATA_DIR (--data-dir) names {}, which cannot be made", named.display()))?;
    std::fs::canonicalize(named).with_context(|| format!("{} cannot be read", named.display()))
}
