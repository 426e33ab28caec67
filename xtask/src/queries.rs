//! Keeps `.sqlx`, what the checked queries were checked against, equal to the code and the migrations.
//!
//! A fresh database gets the roles and all migrations; the compiler then describes each query anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::postgres::Throwaway;
use crate::{cargo, manifest, run};

type Files = BTreeMap<String, Vec<u8>>;

/// Makes `.sqlx` what the code needs, no more and no less.
pub fn rewrite() -> Result<String> {
    let root = manifest::root()?;
    let committed = root.join(".sqlx");
    let (found, wanted) = (read(&committed)?, describe(&root, &Throwaway::start()?)?);
    fs::create_dir_all(&committed)?;
    for name in found.keys().filter(|name| !wanted.contains_key(*name)) {
        fs::remove_file(committed.join(name))?;
    }
    for (name, content) in wanted.iter().filter(|(name, content)| found.get(*name) != Some(content)) {
        fs::write(committed.join(name), content)?;
    }
    Ok(format!(".sqlx: {} queries, {} changed", wanted.len(), differences(&found, &wanted).len()))
}

/// Fails where the committed files are not what the code needs.
pub fn check() -> Result<String> {
    check_against(&Throwaway::start()?)
}

/// The same with a server that is there.
pub fn check_against(server: &Throwaway) -> Result<String> {
    let root = manifest::root()?;
    let (found, wanted) = (read(&root.join(".sqlx"))?, describe(&root, server)?);
    let differences = differences(&found, &wanted);
    if !differences.is_empty() {
        bail!(
            ".sqlx is not what the code needs; run `cargo xtask sqlx` and commit it:\n  {}",
            differences.join("\n  ")
        );
    }
    Ok(format!(".sqlx: {} queries, as the code needs them", wanted.len()))
}

fn differences(found: &Files, wanted: &Files) -> Vec<String> {
    let missing = wanted.keys().filter(|name| !found.contains_key(*name)).map(|name| format!("missing: {name}"));
    let stale = found.keys().filter(|name| !wanted.contains_key(*name)).map(|name| format!("no longer used: {name}"));
    let changed = wanted
        .iter()
        .filter(|(name, content)| found.get(*name).is_some_and(|old| old != *content))
        .map(|(name, _)| format!("different: {name}"));
    missing.chain(stale).chain(changed).collect()
}

fn read(folder: &Path) -> Result<Files> {
    if !folder.is_dir() {
        return Ok(Files::new());
    }
    let mut files = Files::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?);
    }
    Ok(files)
}

/// Has the compiler describe every query against a fresh database.
fn describe(root: &Path, server: &Throwaway) -> Result<Files> {
    const NAME: &str = "crosstie_queries";
    psql(&server.url(), &["-c", &format!("CREATE DATABASE {NAME}")])?;
    let result = describe_in(root, &server.database_url(NAME));
    psql(&server.url(), &["-c", &format!("DROP DATABASE {NAME} WITH (FORCE)")])?;
    result
}

fn describe_in(root: &Path, database: &str) -> Result<Files> {
    psql(database, &["-f", &root.join("src/store/roles.sql").to_string_lossy()])?;
    let mut migrations: Vec<PathBuf> =
        fs::read_dir(root.join("migrations"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    migrations.sort();
    for migration in migrations {
        psql(database, &["-1", "-f", &migration.to_string_lossy()])?;
    }
    let folder = manifest::target(root).join("queries");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let touched = Touched::new(&root.join("src/lib.rs"))?;
    let mut cargo = cargo(root);
    cargo.args(["check", "--quiet", "--locked", "--package", "crosstie"]);
    cargo.args(["--features", "ssr", "--all-targets"]);
    cargo.env("DATABASE_URL", database).env("SQLX_OFFLINE", "false").env("SQLX_OFFLINE_DIR", &folder);
    run(&mut cargo).context("the code does not compile against the migrations")?;
    touched.restore()?;
    read(&folder)
}

/// A file made to look changed, so that the compiler expands its crate's macros again. Restored afterwards: other build
/// output made from it stays valid.
struct Touched {
    path: PathBuf,
    before: SystemTime,
    during: SystemTime,
}

impl Touched {
    fn new(path: &Path) -> Result<Self> {
        let before = fs::metadata(path)?.modified()?;
        let file = fs::File::options().append(true).open(path)?;
        file.set_modified(SystemTime::now())?;
        Ok(Touched { path: path.to_owned(), before, during: fs::metadata(path)?.modified()? })
    }

    fn restore(self) -> Result<()> {
        if fs::metadata(&self.path)?.modified()? == self.during {
            fs::File::options().append(true).open(&self.path)?.set_modified(self.before)?;
        }
        Ok(())
    }
}

fn psql(url: &str, arguments: &[&str]) -> Result<()> {
    let mut psql = Command::new("psql");
    psql.arg(url).args(["--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1"]).args(arguments).stdout(Stdio::null());
    run(&mut psql).context("psql comes with Debian's postgresql-client")
}
