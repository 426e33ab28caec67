//! A demo of the built program on free ports, in a temporary folder, for tests to look at.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::guardian::Guardian;
use crate::{forget_settings, manifest};

const PATIENCE: Duration = Duration::from_secs(90);

/// A running demo; stopped and removed when dropped.
pub struct Demo {
    folder: PathBuf,
    url: String,
    _guardian: Guardian,
}

impl Demo {
    /// Starts `target/debug/crosstie` (or the release program) and waits until it is ready.
    pub fn start(release: bool) -> Result<Self> {
        let target = manifest::target(&manifest::root()?);
        let program = target.join(if release { "release" } else { "debug" }).join("crosstie");
        let folder = std::env::temp_dir().join(format!("crosstie-demo-{}", std::process::id()));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = folder.join("server.log");
        let mut server = Command::new(&program);
        server
            .args(["serve", "--demo", "--listen", &format!("127.0.0.1:{port}"), "--data-dir"])
            .arg(folder.join("data"));
        server.current_dir(&folder).stdin(Stdio::null());
        server.stdout(fs::File::create(&log)?).stderr(fs::File::options().append(true).open(&log)?);
        forget_settings(&mut server);
        let mut server = server.spawn().with_context(|| format!("{} could not be started", program.display()))?;
        let script = "kill -TERM $1; n=0; while kill -0 $1 && [ $n -lt 150 ]; do sleep 0.1; n=$((n+1)); done; \
                      kill -KILL $1; rm -rf \"$2\"";
        let guardian = Guardian::new(script, &[&server.id().to_string(), &folder.to_string_lossy()])?;
        wait_until_ready(&mut server, &folder).with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        // Collected as soon as it ends: the guardian waits until there is no such process any more.
        thread::spawn(move || server.wait());
        Ok(Demo { folder, url: format!("http://127.0.0.1:{port}"), _guardian: guardian })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its `demo.json`.
    pub fn description(&self) -> PathBuf {
        description(&self.folder)
    }
}

fn description(folder: &Path) -> PathBuf {
    folder.join("data/demo.json")
}

/// `demo.json` is written last of all.
fn wait_until_ready(server: &mut Child, folder: &Path) -> Result<()> {
    let started = Instant::now();
    while !description(folder).is_file() {
        if let Some(status) = server.try_wait()? {
            bail!("the demo ended with {status} before it was ready");
        }
        if started.elapsed() > PATIENCE {
            bail!("the demo was not ready after {} s", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
