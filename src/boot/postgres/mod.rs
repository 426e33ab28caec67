//! A private Postgres server under the data directory.
//!
//! A real server, durable (fsync on), on a loopback port with passwords, never run as root. Invariants: one process owns a
//! data directory at a time and stops the server that it started or took over; a server that a killed process left behind is
//! taken over as it runs.

mod account;
mod programs;
mod roles;

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::files;
use crate::security::{Rng, tokens};
use account::Account;

/// Seconds that Postgres has to start (a crash's log is replayed meanwhile) or to stop.
const PATIENCE_S: &str = "120";

/// How often a server that is on its way up or down is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often a running server is looked after.
const WATCH_EVERY: Duration = Duration::from_secs(2);

const CONNECTIONS: u32 = 100;

/// Passwords of the cluster's logins, made once.
#[derive(serde::Serialize, serde::Deserialize)]
struct Passwords {
    superuser: String,
    owner: String,
    writer: String,
}

/// A running embedded Postgres.
pub struct EmbeddedPostgres {
    cluster: Cluster,
    port: u16,
    passwords: Passwords,
    /// Held while this process owns the data directory. Without it the server is another process' to stop.
    owned: Option<File>,
}

#[derive(Clone)]
struct Cluster {
    programs: PathBuf,
    account: Account,
    home: PathBuf,
}

impl EmbeddedPostgres {
    /// Starts the server of `data_dir` and owns it. Fails where another process owns the directory.
    pub async fn start(data_dir: &Path, rng: &dyn Rng) -> anyhow::Result<Self> {
        let Some(lock) = lock(data_dir)? else {
            bail!(
                "The data directory {} is in use by another crosstie: stop that one, or name another with --data-dir.",
                data_dir.display()
            );
        };
        Self::open(data_dir, rng, Some(lock)).await
    }

    /// The server of `data_dir` for a command of the administrator: the one that a running server owns, else started for as
    /// long as the command takes.
    pub async fn start_or_join(data_dir: &Path, rng: &dyn Rng) -> anyhow::Result<Self> {
        let lock = lock(data_dir)?;
        Self::open(data_dir, rng, lock).await
    }

    async fn open(data_dir: &Path, rng: &dyn Rng, owned: Option<File>) -> anyhow::Result<Self> {
        let account = Account::choose()?;
        let home = account.home(data_dir);
        prepare_home(account, &home)?;
        let programs = account.reachable(programs::find()?, &home)?;
        let cluster = Cluster { programs, account, home };
        let passwords = cluster.create(rng)?;
        let port = cluster.start()?;
        let postgres = EmbeddedPostgres { cluster, port, passwords, owned };
        roles::ensure(&postgres.superuser_url("postgres"), &postgres.passwords.owner, &postgres.passwords.writer)
            .await?;
        Ok(postgres)
    }

    /// Starts the server again where it dies, until `stopping`. The pool and whoever listens come back by themselves.
    pub fn keep_running(&self, stopping: CancellationToken) -> impl Future<Output = ()> + Send + use<> {
        let (cluster, port) = (self.cluster.clone(), self.port);
        async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(WATCH_EVERY) => {}
                    () = stopping.cancelled() => return,
                }
                if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
                    continue;
                }
                let cluster = cluster.clone();
                match tokio::task::spawn_blocking(move || cluster.start_again(port)).await {
                    Ok(Ok(true)) => tracing::warn!(port, "the embedded Postgres had died and was started again"),
                    Ok(Ok(false)) => {}
                    Ok(Err(error)) => tracing::error!(error = %error, "the embedded Postgres died and does not start"),
                    Err(error) => tracing::error!(error = %error, "the embedded Postgres could not be looked after"),
                }
            }
        }
    }

    /// The login that the server works with: owns the database, no superuser.
    pub fn owner_url(&self) -> String {
        self.url(roles::OWNER, &self.passwords.owner, roles::DATABASE)
    }

    /// The cluster's superuser: for psql and pg_dump.
    pub fn administrator_url(&self) -> String {
        self.superuser_url(roles::DATABASE)
    }

    /// What other programs write the app's records with.
    pub fn writer_url(&self) -> String {
        self.url(roles::WRITER, &self.passwords.writer, roles::DATABASE)
    }

    fn superuser_url(&self, database: &str) -> String {
        self.url(roles::SUPERUSER, &self.passwords.superuser, database)
    }

    fn url(&self, login: &str, password: &str, database: &str) -> String {
        format!("postgres://{login}:{password}@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for EmbeddedPostgres {
    fn drop(&mut self) {
        if self.owned.is_some()
            && let Err(error) = self.cluster.stop()
        {
            tracing::error!(error = %error, "the embedded Postgres did not stop");
        }
    }
}

/// Stops the server of `data_dir`, if one runs, and erases its files.
pub fn erase(data_dir: &Path) -> anyhow::Result<()> {
    let account = Account::choose()?;
    let home = account.home(data_dir);
    if !home.exists() {
        return Ok(());
    }
    let programs = account.reachable(programs::find()?, &home)?;
    let cluster = Cluster { programs, account, home };
    if cluster.runs()? {
        cluster.stop()?;
    }
    std::fs::remove_dir_all(&cluster.home).with_context(|| format!("{} cannot be erased", cluster.home.display()))
}

/// Makes this process the owner of the data directory; `None` where another one is.
pub fn lock(data_dir: &Path) -> anyhow::Result<Option<File>> {
    let path = data_dir.join("lock");
    let file = File::options().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("{} cannot be written", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", path.display()))
        }
    }
}

fn prepare_home(account: Account, home: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(home).with_context(|| format!("{} cannot be made", home.display()))?;
    files::set_mode(home, 0o700)?;
    account.own(home)
}

impl Cluster {
    fn folder(&self) -> PathBuf {
        self.home.join("cluster")
    }

    /// Makes the cluster where there is none yet. It is made beside its place and moved there when it is whole.
    fn create(&self, rng: &dyn Rng) -> anyhow::Result<Passwords> {
        let stored = self.home.join("passwords.json");
        if self.folder().is_dir() {
            let text = std::fs::read(&stored).with_context(|| format!("{} cannot be read", stored.display()))?;
            return serde_json::from_slice(&text).with_context(|| format!("{} is damaged", stored.display()));
        }
        let made = self.home.join("cluster.new");
        if made.exists() {
            std::fs::remove_dir_all(&made).with_context(|| format!("{} cannot be erased", made.display()))?;
        }
        let passwords = Passwords {
            superuser: tokens::session_token(rng),
            owner: tokens::session_token(rng),
            writer: tokens::session_token(rng),
        };
        files::replace(&stored, &serde_json::to_vec(&passwords)?)?;
        let password_file = self.home.join("password.new");
        files::replace(&password_file, passwords.superuser.as_bytes())?;
        self.account.own(&password_file)?;
        tracing::info!(folder = %self.home.display(), "making the embedded Postgres' cluster");
        let done = self.init(&made, &password_file);
        std::fs::remove_file(&password_file)?;
        done?;
        std::fs::rename(&made, self.folder())?;
        Ok(passwords)
    }

    fn init(&self, made: &Path, password_file: &Path) -> anyhow::Result<()> {
        // Case of letters follows the locale; not every system has the same ones. Order is by character code: a locale's own
        // makes each comparison of texts, of which an index makes many, several times as slow.
        let mut refused = String::new();
        for locale in ["C.UTF-8", "en_US.UTF-8", "C"] {
            let mut initdb = self.command("initdb");
            initdb.args(["--username", roles::SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8"]);
            initdb
                .args(["--locale", locale, "--lc-collate", "C"])
                .arg("--pwfile")
                .arg(password_file)
                .arg("--pgdata")
                .arg(made);
            let answer = initdb.output().context("initdb did not start")?;
            if answer.status.success() {
                return Ok(());
            }
            refused = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
        }
        bail!("initdb could not make a cluster in {}: {refused}", self.home.display())
    }

    /// Starts the server, or takes over the one that runs. Returns its port.
    fn start(&self) -> anyhow::Result<u16> {
        let mut looks = 0;
        while self.runs()? {
            if let Some(port) = self.ready_port() {
                tracing::info!(port, "took over the embedded Postgres that was left running");
                return Ok(port);
            }
            looks += 1;
            if looks > 600 {
                bail!("The Postgres in {} neither starts nor stops: look into server.log there.", self.home.display());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let port = self.free_port()?;
        self.start_at(port)?;
        files::replace(&self.home.join("port"), port.to_string().as_bytes())?;
        Ok(port)
    }

    /// Starts a server that died; `false` where it runs, or is on its way up or down.
    fn start_again(&self, port: u16) -> anyhow::Result<bool> {
        if self.runs()? {
            return Ok(false);
        }
        self.start_at(port)?;
        Ok(true)
    }

    fn start_at(&self, port: u16) -> anyhow::Result<()> {
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=on \
             -c max_connections={CONNECTIONS} -c jit=off"
        );
        let mut pg_ctl = self.command("pg_ctl");
        pg_ctl.args(["start", "--wait", "--silent", "--timeout", PATIENCE_S, "--options", &options]);
        pg_ctl.arg("--pgdata").arg(self.folder()).arg("--log").arg(self.home.join("server.log"));
        let done = pg_ctl.stdout(Stdio::null()).stderr(Stdio::null()).status().context("pg_ctl did not start")?;
        if !done.success() {
            bail!("The embedded Postgres did not start: look into {}.", self.home.join("server.log").display());
        }
        Ok(())
    }

    fn stop(&self) -> anyhow::Result<()> {
        let mut pg_ctl = self.command("pg_ctl");
        pg_ctl.args(["stop", "--wait", "--silent", "--mode", "fast", "--timeout", PATIENCE_S]);
        let done = pg_ctl.arg("--pgdata").arg(self.folder()).status().context("pg_ctl did not start")?;
        if !done.success() {
            bail!("pg_ctl could not stop the server in {}.", self.home.display());
        }
        Ok(())
    }

    fn runs(&self) -> anyhow::Result<bool> {
        let mut pg_ctl = self.command("pg_ctl");
        pg_ctl.arg("status").arg("--pgdata").arg(self.folder()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(pg_ctl.status().context("pg_ctl did not start")?.success())
    }

    /// The port of a running server that accepts logins, from its own note.
    fn ready_port(&self) -> Option<u16> {
        let note = std::fs::read_to_string(self.folder().join("postmaster.pid")).ok()?;
        let mut lines = note.lines();
        let port = lines.nth(3)?.trim().parse().ok()?;
        (lines.nth(3)?.trim() == "ready").then_some(port)
    }

    /// The last port if it is free, else any.
    fn free_port(&self) -> anyhow::Result<u16> {
        let last = std::fs::read_to_string(self.home.join("port")).ok().and_then(|port| port.trim().parse().ok());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, last.unwrap_or(0)))
            .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .context("no port is free on 127.0.0.1")?;
        Ok(listener.local_addr()?.port())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        // What is set for libpq outside must not reach this private server.
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_MESSAGES", "C").stdin(Stdio::null());
        command.current_dir(&self.home);
        self.account.run(&mut command);
        command
    }
}
