//! Strangers' client libraries, unmodified, against the built program's simulators.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::guardian::Guardian;
use crate::{forget_settings, manifest, run};

const PATIENCE: Duration = Duration::from_secs(60);

/// Runs every suite below `tests/clients`; each resets its simulator, so they take turns.
pub fn check(root: &Path) -> Result<()> {
    let suites = suites(&root.join("tests/clients"))?;
    let simulators = Simulators::start(root)?;
    let mut node = Command::new("node");
    node.current_dir(root).args(["--test", "--test-concurrency=1", "--test-reporter=dot"]).args(suites);
    node.env("SALESFORCE_URL", format!("http://{}", simulators.salesforce));
    run(node.env("HUBSPOT_URL", format!("http://{}", simulators.hubspot)))
}

fn suites(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(suites(&path)?);
        } else if path.to_string_lossy().ends_with(".test.mjs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Both simulators in one process; stopped when dropped.
struct Simulators {
    salesforce: SocketAddr,
    hubspot: SocketAddr,
    _guardian: Guardian,
}

impl Simulators {
    fn start(root: &Path) -> Result<Self> {
        let program = manifest::target(root).join("debug/crosstie");
        let (salesforce, hubspot) = (free_address()?, free_address()?);
        let mut command = Command::new(&program);
        command.args(["simulate", "--salesforce", &salesforce.to_string(), "--hubspot", &hubspot.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        forget_settings(&mut command);
        let mut process = command.spawn().with_context(|| format!("{} could not be started", program.display()))?;
        let guardian = Guardian::new("kill -TERM $1", &[&process.id().to_string()])?;
        for address in [salesforce, hubspot] {
            wait_for(address, &mut process)?;
        }
        // Collected as soon as it ends.
        thread::spawn(move || process.wait());
        Ok(Simulators { salesforce, hubspot, _guardian: guardian })
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn wait_for(address: SocketAddr, process: &mut Child) -> Result<()> {
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        if let Some(status) = process.try_wait()? {
            bail!("the simulators ended with {status} before they were ready");
        }
        if started.elapsed() > PATIENCE {
            bail!("the simulators were not ready after {} s", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
