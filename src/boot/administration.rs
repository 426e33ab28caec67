//! The administrator's commands.

use super::config::DataConfig;
use super::database::{Database, Opener, prepare_data_dir};
use crate::security::SystemRng;

/// Brings the database to this version's schema.
pub async fn migrate(data: &DataConfig) -> anyhow::Result<()> {
    open(data).await?;
    Ok(())
}

/// The database with this version's schema; an embedded one is started, or a running server's joined.
async fn open(data: &DataConfig) -> anyhow::Result<Database> {
    let mut data = data.clone();
    if data.database_url.is_none() {
        data.data_dir = prepare_data_dir(&data)?;
    }
    let database = Database::open(&data, &SystemRng, Opener::Command).await?;
    database.migrate().await?;
    Ok(database)
}
