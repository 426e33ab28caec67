//! An append-only log on disk. A `write` that has returned survives the death of the process.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use super::SimulatorError;

/// The log of one world; without a file it keeps nothing.
pub(super) struct Journal {
    file: Option<File>,
    path: PathBuf,
}

impl Journal {
    /// A journal that keeps nothing.
    pub(super) fn none() -> Self {
        Journal { file: None, path: PathBuf::new() }
    }

    /// Reads the entries of `path` in order; a torn last line is left out.
    pub(super) fn read(path: &Path, mut entry: impl FnMut(serde_json::Value)) -> Result<bool, SimulatorError> {
        let Ok(file) = File::open(path) else { return Ok(false) };
        for line in BufReader::new(file).lines() {
            let line = line.map_err(|source| SimulatorError::State { path: path.to_owned(), source })?;
            match serde_json::from_str(&line) {
                Ok(value) => entry(value),
                Err(_) => break,
            }
        }
        Ok(true)
    }

    /// Starts the file anew with `entries`, atomically, and appends from there.
    pub(super) fn rewrite(
        path: &Path,
        entries: impl Iterator<Item = serde_json::Value>,
    ) -> Result<Self, SimulatorError> {
        let failed = |source| SimulatorError::State { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let fresh = path.with_extension("new");
        let mut file = std::io::BufWriter::new(File::create(&fresh).map_err(failed)?);
        for entry in entries {
            writeln!(file, "{entry}").map_err(failed)?;
        }
        file.flush().map_err(failed)?;
        std::fs::rename(&fresh, path).map_err(failed)?;
        let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        Ok(Journal { file: Some(file), path: path.to_owned() })
    }

    /// Where it is kept; empty where it is not.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends entries in one write.
    pub(super) fn append(&mut self, entries: &[serde_json::Value]) -> std::io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut text = String::new();
        for entry in entries {
            text.push_str(&entry.to_string());
            text.push('\n');
        }
        file.write_all(text.as_bytes())
    }
}
