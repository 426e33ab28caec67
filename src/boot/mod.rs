//! Wiring: the command line, settings, the embedded Postgres, the demo, telemetry.
//!
//! Knows everything; nobody knows it. Invariant: a setting that is missing or malformed stops the start with one sentence
//! that names it, before anything else happens.

mod administration;
mod cli;
mod config;
mod database;
mod demo;
mod files;
mod health;
mod postgres;
mod serve;
mod simulate;
mod site;
mod sync;
mod telemetry;
mod wiring;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use cli::{ApiKeyCommand, Cli, Command, UserCommand};

/// The program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Command::TransformChild) {
        return crate::transform::child_main();
    }
    telemetry::begin_log();
    match run(cli.command) {
        Ok(status) => status,
        Err(error) => {
            say(&format!("crosstie: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    // The first TLS client would fail without it.
    let installed = rustls::crypto::ring::default_provider().install_default();
    anyhow::ensure!(installed.is_ok(), "another TLS provider was installed first");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(carry_out(command))
}

async fn carry_out(command: Command) -> anyhow::Result<ExitCode> {
    let environment = |name: &str| std::env::var(name).ok();
    match command {
        Command::Serve(args) => serve::serve(config::server_config(&args, &environment)?).await?,
        Command::Simulate(args) => simulate::simulate(args).await?,
        Command::Migrate(args) => {
            administration::migrate(&config::data_config(&args, &environment)?).await?;
            say("The database has this version's schema.");
        }
        Command::Restored(args) => administration::note_restored(args, &environment).await?,
        Command::CheckConfig(args) => {
            config::server_config(&args, &environment)?;
            say("The settings are complete.");
        }
        Command::Sync(args) => return sync::sync(args, &environment).await,
        Command::User(UserCommand::Add(args)) => administration::add_user(args, &environment).await?,
        Command::ApiKey(ApiKeyCommand::Create(args)) => administration::create_api_key(args, &environment).await?,
        Command::TransformChild => return Ok(crate::transform::child_main()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells the person at the terminal.
#[expect(clippy::print_stderr, reason = "what a command says to the person who gave it")]
fn say(sentence: &str) {
    eprintln!("{sentence}");
}
