//! The pages of the journal as a plain value (dossier 5.5). No HTTP, no clock.
//!
//! Invariant: pages are in the order in which they were published, and an offset leads to one page only.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use super::super::stamps::iso;

/// Events that were published together: one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct Page {
    pub serial: u64,
    pub offset: String,
    /// Epoch milliseconds of the account's clock.
    pub published: i64,
    /// A list as its file has it: as text it is small.
    pub events: Box<RawValue>,
}

impl Page {
    /// Its line in the log.
    pub(in super::super) fn line(&self) -> String {
        json!({ "page": self }).to_string()
    }

    /// What its file holds.
    pub(super) fn file(&self) -> Json {
        json!({ "offset": self.offset, "journalEvents": self.events, "publishedAt": iso(self.published) })
    }
}

/// Every page that has not expired.
#[derive(Debug, Default)]
pub(in super::super) struct Feed {
    pages: BTreeMap<u64, Page>,
    serials: HashMap<String, u64>,
    /// The last serial given out.
    serial: u64,
    unwritten: Vec<String>,
}

impl Feed {
    /// Lines to write: of new pages, and of those that were published since the last writing.
    pub(in super::super) fn lines(&self, pages: &[Page]) -> Vec<String> {
        self.unwritten.iter().cloned().chain(pages.iter().map(Page::line)).collect()
    }

    /// The lines are written: the new pages can be read.
    pub(in super::super) fn settle(&mut self, pages: Vec<Page>) {
        self.unwritten.clear();
        pages.into_iter().for_each(|page| self.put(page));
    }

    /// Pages that can be read at once.
    pub(super) fn publish(&mut self, pages: Vec<Page>) {
        for page in pages {
            self.unwritten.push(page.line());
            self.put(page);
        }
    }

    /// Forgets pages that were published before an instant.
    pub(in super::super) fn forget_before(&mut self, before: i64) {
        while let Some(first) = self.pages.first_entry().filter(|first| first.get().published < before) {
            self.serials.remove(&first.remove().offset);
        }
    }

    /// Every page, oldest first.
    pub(in super::super) fn all(&self) -> impl DoubleEndedIterator<Item = &Page> {
        self.pages.values()
    }

    /// The page of an offset.
    pub(super) fn get(&self, offset: &str) -> Option<&Page> {
        self.pages.get(self.serials.get(offset)?)
    }

    /// The pages after the one of an offset; none where there is no such page.
    pub(super) fn after(&self, offset: &str) -> Option<impl Iterator<Item = &Page>> {
        let serial = self.get(offset)?.serial;
        Some(self.pages.range(serial + 1..).map(|(_, page)| page))
    }

    /// Reads a line of the log; `false` where it is not one of the journal's.
    pub(in super::super) fn replay(&mut self, entry: &mut Json) -> bool {
        let Some(page) = entry.get_mut("page") else { return false };
        if let Ok(page) = serde_json::from_value(page.take()) {
            self.put(page);
        }
        true
    }

    /// Forgets everything: a new world.
    pub(in super::super) fn clear(&mut self) {
        *self = Feed { serial: self.serial, ..Feed::default() };
    }

    /// The last serial given out.
    pub(in super::super) fn serial(&self) -> u64 {
        self.serial
    }

    /// Serials up to this one are taken.
    pub(in super::super) fn raise_serial(&mut self, serial: u64) {
        self.serial = self.serial.max(serial);
    }

    fn put(&mut self, page: Page) {
        self.raise_serial(page.serial);
        self.serials.insert(page.offset.clone(), page.serial);
        self.pages.insert(page.serial, page);
    }
}
