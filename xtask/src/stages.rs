//! `make test`: every stage after the other, each timed; stops at the first that fails.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::demo::Demo;
use crate::postgres::Throwaway;
use crate::{cargo, clients, forget_settings, manifest, queries, run, site};

/// Runs everything and prints what each stage took.
pub fn test() -> Result<String> {
    let mut stages = Stages { root: manifest::root()?, times: Vec::new() };
    let result = stages.all();
    for (name, took) in &stages.times {
        eprintln!("{name:<24} {:>7.1} s", took.as_secs_f32());
    }
    result?;
    Ok(format!("all {} stages passed", stages.times.len()))
}

struct Stages {
    root: PathBuf,
    times: Vec<(&'static str, Duration)>,
}

impl Stages {
    fn all(&mut self) -> Result<()> {
        let root = self.root.clone();
        let cargo = |arguments: &str| {
            let mut command = cargo(&root);
            command.args(arguments.split_whitespace());
            command
        };
        // The front's output has its own folder, so that the two halves never invalidate each other.
        let front = manifest::target(&root).join("front");
        self.stage("install", || run(Command::new(root.join("xtask/install.sh")).args(["postgres", "browser"])))?;
        self.stage("format", || run(&mut cargo("fmt --all --check")))?;
        self.stage("lint the server", || {
            run(&mut cargo("clippy --locked --features ssr --all-targets -- -D warnings"))
        })?;
        self.stage("lint the browser's half", || {
            let mut clippy =
                cargo("clippy --locked --lib --features hydrate --target wasm32-unknown-unknown --target-dir");
            run(clippy.arg(&front).args(["--", "-D", "warnings"]))
        })?;
        self.stage("lint the tools", || run(&mut cargo("clippy --locked --package xtask -- -D warnings")))?;
        let server = Throwaway::start()?;
        self.stage("query data", || queries::check_against(&server).map(|message| eprintln!("{message}")))?;
        self.stage("build the site", || site::build(site::Mode::Dev).map(|message| eprintln!("{message}")))?;
        self.stage("build the server", || run(&mut cargo("build --locked --features ssr --bin crosstie")))?;
        self.stage("tests", || run(tests(&root)?.env("CROSSTIE_TEST_DATABASE_URL", server.url())))?;
        drop(server);
        self.stage("client libraries", || clients::check(&root))?;
        self.stage("browser tests", || browser(&root, false, &["--project=checks"]))
    }

    fn stage(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        eprintln!("\n== {name}");
        let started = Instant::now();
        let result = work();
        self.times.push((name, started.elapsed()));
        result.with_context(|| format!("stage {name} failed"))
    }
}

/// nextest where it is installed, else cargo's own runner.
fn tests(root: &Path) -> Result<Command> {
    let has_nextest = cargo(root).args(["nextest", "--version"]).output()?.status.success();
    let mut command = cargo(root);
    command.args(if has_nextest { ["nextest", "run"].as_slice() } else { ["test"].as_slice() });
    command.args(["--locked", "--features", "ssr"]);
    forget_settings(&mut command);
    Ok(command)
}

/// Runs Playwright against a demo of its own.
pub fn browser(root: &Path, release: bool, arguments: &[&str]) -> Result<()> {
    let playwright = root.join("node_modules/.bin/playwright");
    if !playwright.exists() {
        bail!("Playwright is not installed. Run `npm ci` in the checkout");
    }
    let demo = Demo::start(release)?;
    let mut command = Command::new(playwright);
    command.current_dir(root.join("end2end")).arg("test").args(arguments);
    run(command.env("CROSSTIE_URL", demo.url()).env("CROSSTIE_DEMO_FILE", demo.description()))
}
