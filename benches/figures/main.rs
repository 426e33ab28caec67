//! The figures of the README, printed by `make bench`: the pure merge, first pulls of both CRMs, a push, many workspaces at
//! once, the simulators at size, and every screen.
//!
//! The real program runs as it is shipped, with its embedded Postgres; the CRM is a simulator in a process of its own. The work
//! is the same each time, the time it takes is the machine's. Names of figures as arguments choose among them.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

mod hubspot;
mod merging;
mod program;
mod screens;
mod simulators;
mod syncing;
mod workspaces;

fn main() -> anyhow::Result<()> {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |name: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name);
    // Another user of the process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!("{:<44}{:>18}   target", "figure", "measured");
    if wanted("merge") {
        merging::run();
    }
    if wanted("sync") {
        runtime.block_on(syncing::run())?;
    }
    if wanted("hubspot") {
        runtime.block_on(hubspot::run())?;
    }
    if wanted("workspaces") {
        runtime.block_on(workspaces::run())?;
    }
    if wanted("simulators") {
        runtime.block_on(simulators::run())?;
    }
    if wanted("screens") {
        runtime.block_on(screens::run())?;
    }
    Ok(())
}

/// Prints one figure beside its target.
fn figure(name: &str, measured: &str, target: &str) {
    println!("{name:<44}{measured:>18}   {target}");
}
