//! The project's own tools; `Makefile` calls them.
//!
//! Knows the manifest, never the code of the product. Each tool does what it says and leaves nothing running.

#![expect(clippy::disallowed_methods, reason = "a tool measures real time")]

mod clients;
mod demo;
mod guardian;
mod manifest;
mod postgres;
mod queries;
mod site;
mod stages;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
cargo xtask site [--release]          builds the browser's half: program, styles, files
cargo xtask sqlx [--check]            rewrites .sqlx from the code, or fails where the committed files differ
cargo xtask test                      everything that CI runs, each stage timed
cargo xtask clients                   strangers' client libraries against the built program's simulators
cargo xtask browser ARGUMENT…         Playwright against a demo of its own; release: CROSSTIE_RELEASE=1
cargo xtask with-postgres COMMAND…    runs a command with CROSSTIE_TEST_DATABASE_URL naming a throw-away Postgres";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let started = Instant::now();
    let result = match words.as_slice() {
        ["site"] => site::build(site::Mode::Dev),
        ["site", "--release"] => site::build(site::Mode::Release),
        ["sqlx"] => queries::rewrite(),
        ["sqlx", "--check"] => queries::check(),
        ["test"] => stages::test(),
        ["clients"] => manifest::root().and_then(|root| clients::check(&root)).map(|()| "all suites passed".to_owned()),
        ["browser", arguments @ ..] => browser(arguments),
        ["with-postgres", command @ ..] if !command.is_empty() => return with_postgres(command),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(message) => {
            eprintln!("{message} ({:.1} s)", started.elapsed().as_secs_f32());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn browser(arguments: &[&str]) -> Result<String> {
    let release = std::env::var_os("CROSSTIE_RELEASE").is_some();
    stages::browser(&manifest::root()?, release, arguments)?;
    Ok("the browser is content".to_owned())
}

/// The exit status is the command's own.
fn with_postgres(command: &[&str]) -> ExitCode {
    let run = || -> Result<ExitCode> {
        let server = postgres::Throwaway::start()?;
        let status = Command::new(command[0])
            .args(&command[1..])
            .env("CROSSTIE_TEST_DATABASE_URL", server.url())
            .status()
            .with_context(|| format!("{} could not be started", command[0]))?;
        Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
    };
    run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Runs a command to its end; anything but success is an error that names it.
fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{name} could not be started"))?;
    if !status.success() {
        bail!("{name} ended with {status}");
    }
    Ok(())
}

/// Cargo as a person would start it. What `cargo run` told this tool about itself is taken away: passed on it would make
/// build scripts, and all that is built on them, run again after every command typed by hand.
fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    for (name, _) in std::env::vars() {
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// A person's own settings must not reach a test; only where Postgres is, and what to keep of a failed one.
fn forget_settings(command: &mut Command) {
    for (name, _) in std::env::vars() {
        let kept = ["CROSSTIE_PG_BIN", "CROSSTIE_TEST_KEEP"].contains(&name.as_str());
        if !kept && (name == "DATABASE_URL" || name.starts_with("CROSSTIE_")) {
            command.env_remove(name);
        }
    }
}
