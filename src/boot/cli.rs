//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Keeps an application's own records in Postgres in two-way agreement with a CRM.
#[derive(Debug, Parser)]
#[command(name = "crosstie", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the server.
    Serve(ServeArgs),
    /// Runs the CRM simulators alone.
    Simulate(SimulateArgs),
    /// Triggers a run on a running server and follows it. Exit status: 0 completed, 2 partial, 1 failed.
    Sync(SyncArgs),
    /// Brings the database to this version's schema.
    Migrate(ServerArgs),
    /// Says that the database was restored from a backup: the next run of each connection asks before it overwrites or deletes.
    Restored(RestoredArgs),
    /// Reads the settings as `serve` would and says what is wrong with them.
    CheckConfig(ServeArgs),
    /// Manages people.
    #[command(subcommand)]
    User(UserCommand),
    /// Manages API keys.
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// Runs user transforms for the server; not for people.
    #[command(hide = true)]
    TransformChild,
}

/// Where the server's data are.
#[derive(Debug, Clone, Default, Args)]
pub struct ServerArgs {
    /// Postgres to use; without one an embedded Postgres runs under the data directory [env: DATABASE_URL].
    #[arg(long)]
    pub database_url: Option<String>,
    /// Folder of the embedded Postgres, the simulators and the demo [env: CROSSTIE_DATA_DIR] [default: ./data].
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
}

/// What was restored.
#[derive(Debug, Clone, Args)]
pub struct RestoredArgs {
    /// Name of the workspace.
    #[arg(long)]
    pub workspace: String,
    /// Where the data are.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// How to serve.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// Serves a demo: simulators in the same process, a workspace with people and records.
    #[arg(long)]
    pub demo: bool,
    /// Starts a demo over: erases its data directory's contents first.
    #[arg(long, requires = "demo")]
    pub fresh: bool,
    /// Address to listen at [env: CROSSTIE_LISTEN] [default: 127.0.0.1:3000].
    #[arg(long)]
    pub listen: Option<String>,
    /// Address that people and CRMs reach this server at [env: CROSSTIE_PUBLIC_URL] [default: where it listens].
    #[arg(long)]
    pub public_url: Option<String>,
    /// Workers that carry out runs; 0 serves the web only.
    #[arg(long, default_value_t = 2)]
    pub workers: usize,
    /// Where the data are.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// What the simulators start with.
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// Address of the Salesforce simulator.
    #[arg(long, default_value = "127.0.0.1:4801")]
    pub salesforce: SocketAddr,
    /// Address of the HubSpot simulator.
    #[arg(long, default_value = "127.0.0.1:4802")]
    pub hubspot: SocketAddr,
    /// Seed of everything that is invented.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Companies.
    #[arg(long, default_value_t = 200)]
    pub accounts: usize,
    /// People.
    #[arg(long, default_value_t = 800)]
    pub contacts: usize,
    /// Deals.
    #[arg(long, default_value_t = 300)]
    pub opportunities: usize,
    /// Folder to keep the simulated CRMs in; without one they are in memory only.
    #[arg(long)]
    pub state: Option<PathBuf>,
    /// Without rate limits.
    #[arg(long)]
    pub no_limits: bool,
}

/// Which run to trigger.
#[derive(Debug, Clone, Args)]
pub struct SyncArgs {
    /// Id of the connection.
    #[arg(long)]
    pub connection: uuid::Uuid,
    /// Entities to synchronise (`accounts`, `contacts`, `opportunities`); all of the connection's without this.
    #[arg(long)]
    pub entity: Vec<String>,
    /// Direction (`pull`, `push`, `bidirectional`); the connection's without this.
    #[arg(long)]
    pub direction: Option<String>,
    /// Folder whose `demo.json` names the server where CROSSTIE_URL does not [env: CROSSTIE_DATA_DIR] [default: ./data].
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
}

/// Commands about people.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Adds a person to a workspace, which is made where there is none of that name.
    Add(UserAddArgs),
}

/// The person to add.
#[derive(Debug, Clone, Args)]
pub struct UserAddArgs {
    /// E-mail of the person.
    #[arg(long)]
    pub email: String,
    /// Name of the person; the e-mail without this.
    #[arg(long, default_value = "")]
    pub name: String,
    /// Role: `admin`, `sales_ops`, `reviewer`, `compliance`, `member`.
    #[arg(long)]
    pub role: String,
    /// Name of the workspace.
    #[arg(long)]
    pub workspace: String,
    /// Reads the password from standard input; without this one is made and printed.
    #[arg(long)]
    pub password_stdin: bool,
    /// Where the data are.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Commands about API keys.
#[derive(Debug, Subcommand)]
pub enum ApiKeyCommand {
    /// Makes a key that acts as a person in a workspace, and prints it once.
    Create(ApiKeyCreateArgs),
}

/// The key to make.
#[derive(Debug, Clone, Args)]
pub struct ApiKeyCreateArgs {
    /// E-mail of the person.
    #[arg(long)]
    pub email: String,
    /// Name of the workspace.
    #[arg(long)]
    pub workspace: String,
    /// What the key is for.
    #[arg(long, default_value = "made on the command line")]
    pub name: String,
    /// Where the data are.
    #[command(flatten)]
    pub server: ServerArgs,
}
