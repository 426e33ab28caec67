//! An append-only log on disk. A `write` that has returned survives the death of the process.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use super::SimulatorError;

/// The log of one world; without a file it keeps nothing.
pub(super) struct Journal {
    file: Option<File>,
    path: PathBuf,
    grown: usize,
}

/// Bytes appended after which the file is worth rewriting.
const GROWTH: usize = 64 << 20;

impl Journal {
    /// A journal that keeps nothing.
    pub(super) fn none() -> Self {
        Journal { file: None, path: PathBuf::new(), grown: 0 }
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
    pub(super) fn rewrite(path: &Path, entries: impl Iterator<Item = String>) -> Result<Self, SimulatorError> {
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
        Ok(Journal { file: Some(file), path: path.to_owned(), grown: 0 })
    }

    /// Where it is kept; empty where it is not.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether so much was appended that a rewrite would make the next start faster.
    pub(super) fn is_long(&self) -> bool {
        self.grown > GROWTH
    }

    /// Appends lines in one write.
    pub(super) fn append(&mut self, lines: &[String]) -> std::io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut text = String::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        self.grown += text.len();
        file.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_left_out_and_the_rest_is_kept() {
        let path = std::env::temp_dir().join(format!("crosstie-journal-{}.jsonl", std::process::id()));
        let mut journal = Journal::rewrite(&path, ["{\"a\":1}".to_owned()].into_iter()).expect("a file");
        journal.append(&["{\"b\":2}".to_owned()]).expect("room");
        let mut file = OpenOptions::new().append(true).open(&path).expect("the file");
        file.write_all(b"{\"c\":").expect("room");
        let mut read = Vec::new();
        assert!(Journal::read(&path, |entry| read.push(entry.to_string())).expect("a file"));
        assert_eq!(read, ["{\"a\":1}", "{\"b\":2}"]);
        std::fs::remove_file(path).expect("it was made");
    }
}
