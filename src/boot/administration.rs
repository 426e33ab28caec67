//! The administrator's commands.

use std::io::{BufRead as _, Write as _};

use anyhow::Context as _;
use secrecy::SecretString;
use uuid::Uuid;

use super::cli::{ApiKeyCreateArgs, RestoredArgs, UserAddArgs};
use super::config::{DataConfig, Environment, data_config};
use super::database::{Database, Opener, prepare_data_dir};
use super::say;
use super::wiring::{self, Parts};
use crate::blobs::BlobStore;
use crate::connectors::hubspot::API_VERSION;
use crate::model::Role;
use crate::security::{SystemRng, Vault, tokens};
use crate::service::administration::{self, PersonToAdd};
use crate::service::{ServiceError, Services};
use crate::view::instant::counted;

/// Brings the database to this version's schema.
pub async fn migrate(data: &DataConfig) -> anyhow::Result<()> {
    open(data).await?;
    Ok(())
}

/// Notes that the database was restored.
pub async fn note_restored(args: RestoredArgs, environment: Environment<'_>) -> anyhow::Result<()> {
    let database = open(&data_config(&args.server, environment)?).await?;
    let services = services(&database)?;
    let workspace_id = administration::workspace_by_name(&services, &args.workspace)
        .await
        .map_err(plain)?
        .with_context(|| format!("--workspace names {:?}, which is not there.", args.workspace))?;
    let connections = administration::note_restored(&services, workspace_id).await.map_err(plain)?;
    say(&format!("The next run of {} asks before it overwrites or deletes.", counted(connections, "connection")));
    Ok(())
}

/// Adds a person to a workspace, which is made where there is none of that name.
pub async fn add_user(args: UserAddArgs, environment: Environment<'_>) -> anyhow::Result<()> {
    let role: Role = args.role.parse().map_err(|_| {
        let roles: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        anyhow::anyhow!("--role names no role: give one of {}.", roles.join(", "))
    })?;
    let (password, made) = password(args.password_stdin)?;
    let database = open(&data_config(&args.server, environment)?).await?;
    let services = services(&database)?;
    let workspace_id = match administration::workspace_by_name(&services, &args.workspace).await.map_err(plain)? {
        Some(workspace_id) => workspace_id,
        None => administration::create_workspace(&services, &args.workspace).await.map_err(plain)?,
    };
    let person = PersonToAdd { email: args.email.clone(), name: args.name, password, role };
    administration::add_person(&services, workspace_id, person).await.map_err(plain)?;
    say(&format!("{} is {role} of {}.", args.email, args.workspace));
    if let Some(made) = made {
        say("The password, unless the person had one already (shown this once):");
        print_line(&made)?;
    }
    Ok(())
}

/// Makes an API key and prints it, the only time that it is seen.
pub async fn create_api_key(args: ApiKeyCreateArgs, environment: Environment<'_>) -> anyhow::Result<()> {
    let database = open(&data_config(&args.server, environment)?).await?;
    let services = services(&database)?;
    let workspace_id: Uuid = administration::workspace_by_name(&services, &args.workspace)
        .await
        .map_err(plain)?
        .with_context(|| format!("--workspace names {:?}, which is not there.", args.workspace))?;
    let key = administration::create_api_key(&services, workspace_id, &args.email, &args.name, None);
    print_line(&key.await.map_err(plain)?.token)
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

/// Use cases without a CRM and without secrets: nothing that a command does seals or opens one.
fn services(database: &Database) -> anyhow::Result<Services> {
    wiring::services(Parts {
        pool: database.pool.clone(),
        secret_key: SecretString::from(Vault::generate_key(&SystemRng)),
        clients: Vec::new(),
        hubspot_version: API_VERSION.to_owned(),
        public_url: String::new(),
        blobs: BlobStore::in_memory(0),
        demo: None,
    })
}

/// The password, and the same once more where it was made here and must be told.
fn password(from_stdin: bool) -> anyhow::Result<(String, Option<String>)> {
    if !from_stdin {
        let made = tokens::session_token(&SystemRng);
        return Ok((made.clone(), Some(made)));
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("no password came on standard input")?;
    Ok((line.trim_end_matches(['\r', '\n']).to_owned(), None))
}

/// A use case's sentence without its code.
fn plain(error: ServiceError) -> anyhow::Error {
    match error.source {
        Some(source) => anyhow::anyhow!("{} ({source})", error.detail),
        None => anyhow::anyhow!("{}", error.detail),
    }
}

fn print_line(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}").context("nothing can be written to standard output")
}
