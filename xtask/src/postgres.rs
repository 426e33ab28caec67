//! A throw-away Postgres: a cluster in a temporary folder, on a free loopback port, without fsync, gone at the end.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run;

/// A running server; stopped and removed when dropped.
pub struct Throwaway {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Throwaway {
    /// Makes a cluster and starts it.
    pub fn start() -> Result<Self> {
        let programs = programs()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("crosstie-postgres-{}", std::process::id()));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        if is_root() {
            run(Command::new("chown").arg("postgres:").arg(&folder)).context("Postgres refuses to run as root")?;
        }
        let server = Throwaway { programs, folder, port };
        let data = server.data();
        let mut initdb = server.program("initdb");
        initdb.arg("-D").arg(&data).args(["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]);
        run(initdb.arg("--no-sync").stdout(Stdio::null()))?;
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={} -c fsync=off \
             -c full_page_writes=off -c max_connections=300 -c wal_level=logical",
            server.folder.display()
        );
        let mut start = server.program("pg_ctl");
        start.arg("-D").arg(&data).arg("-l").arg(server.folder.join("log")).args(["-w", "-o", &options, "start"]);
        run(start.stdout(Stdio::null()))
            .with_context(|| fs::read_to_string(server.folder.join("log")).unwrap_or_default())?;
        Ok(server)
    }

    /// The superuser's address.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(&self.folder);
        command
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        stop.arg("-D").arg(self.data()).args(["-m", "immediate", "-w", "stop"]);
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Where `initdb` and `pg_ctl` are: `CROSSTIE_PG_BIN`, what `pg_config` says, Debian's folders.
fn programs() -> Result<PathBuf> {
    let mut places: Vec<PathBuf> = std::env::var_os("CROSSTIE_PG_BIN").map(PathBuf::from).into_iter().collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        places.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    for version in (15..=18).rev() {
        places.push(format!("/usr/lib/postgresql/{version}/bin").into());
    }
    match places.into_iter().find(|place| place.join("initdb").is_file() && place.join("pg_ctl").is_file()) {
        Some(place) => Ok(place),
        None => {
            bail!("no Postgres server is installed. Install Debian's postgresql, or name its folder in CROSSTIE_PG_BIN")
        }
    }
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&match fs::metadata(Path::new("/proc/self")) {
        Ok(data) => data,
        Err(_) => return false,
    }) == 0
}
