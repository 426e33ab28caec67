//! The account with everything around its records: tokens, limits, clock, faults, statistics, and their keeping on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::catalog::Pipeline;
use super::journal;
use super::links::Label;
use super::record::{By, Record, Source};
use super::schema::{Group, Property};
use super::seeding;
use super::stamps::DAY_MS;
use super::webhooks::{self, Pending, Queue, Registry};
use super::world::World;
use crate::simulator::commands::{Limits, Settings};
use crate::simulator::control::{Burst, BurstWindow};
use crate::simulator::digest::{hex, uuid};
use crate::simulator::journal::Journal;
use crate::simulator::skin::Desk;
use crate::simulator::{Clock, SimulatorError, SimulatorOptions};

/// Requests in ten seconds (dossier 6: an application of the marketplace).
const BURST: Burst = Burst { count: 110, per_ms: 10_000 };

/// Searches in a second, of the whole account (dossier 6).
const SEARCH: Burst = Burst { count: 5, per_ms: 1000 };

/// What a new account allows.
const LIMITS: Limits = Limits { daily: None, burst: Some(BURST), search: Some(SEARCH) };

/// Archived records stay in the bin for so long (dossier 9).
const BIN_MS: i64 = 90 * DAY_MS;

/// Bounds of the account's clock, with room for reckoning.
const EARLIEST_MS: i64 = 0;
const LATEST_MS: i64 = 64_000_000_000_000;

/// An access token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Token {
    pub grant: u64,
    pub expires_at: i64,
}

/// What a person has allowed an application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Grant {
    pub scopes: Vec<String>,
    pub refresh_token: String,
    /// Refresh tokens that rotation has put out of use.
    pub retired: BTreeSet<String>,
    pub revoked: bool,
    /// The application's own, whoever has installed it.
    #[serde(default)]
    pub of_application: bool,
}

/// An authorisation code that waits for its exchange.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Code {
    pub scopes: Vec<String>,
    pub redirect_uri: String,
    pub challenge: Option<String>,
    pub expires_at: i64,
}

/// Everything small that must survive a restart.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Small {
    pub seed: u64,
    pub settings: Settings,
    pub clock_offset_ms: i64,
    pub tokens: BTreeMap<String, Token>,
    pub grants: BTreeMap<u64, Grant>,
    pub codes: BTreeMap<String, Code>,
    pub serial: u64,
    pub limits: Limits,
    pub day: i64,
    pub used_today: u64,
    /// Last record ids given out, so that the id of a purged record never comes again.
    pub serials: Vec<u64>,
    pub blocked: BTreeSet<String>,
    pub webhooks: Registry,
    pub journal: journal::Registry,
    /// Whether the account has installed the application.
    pub installed: bool,
    /// Last number of a page of the webhooks journal, so that it never comes again.
    pub pages: u64,
    /// Whether a receiver gets again what it has taken.
    pub posts_twice: bool,
    /// Last number of an event, so that it never comes again.
    pub events: u64,
}

/// Which limit a request has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limited {
    Burst,
    Daily,
    Search,
}

/// The account.
pub(super) struct Portal {
    pub world: World,
    pub small: Small,
    pub desk: Desk,
    pub window: BurstWindow,
    pub search_window: BurstWindow,
    /// Events on their way to the application.
    pub queue: Queue,
    /// The webhooks journal.
    pub feed: journal::Feed,
    /// Told when there may be something to post.
    pub posting: Arc<Notify>,
    options: SimulatorOptions,
    clock: Clock,
    journal: Journal,
    small_is_written: bool,
    count_is_written: bool,
    swept_day: i64,
}

impl Portal {
    /// Opens the account: as it was left, else a new one from the seed.
    pub(super) fn open(options: &SimulatorOptions, clock: Clock) -> Result<Self, SimulatorError> {
        let mut portal = Portal {
            world: World::default(),
            small: Small { seed: options.seed, limits: LIMITS, ..Small::default() },
            desk: Desk::new(options.seed),
            window: BurstWindow::default(),
            search_window: BurstWindow::default(),
            queue: Queue::default(),
            feed: journal::Feed::default(),
            posting: Arc::default(),
            options: options.clone(),
            clock,
            journal: Journal::none(),
            small_is_written: true,
            count_is_written: true,
            swept_day: 0,
        };
        let path = options.state_dir.as_ref().map(|folder| folder.join("hubspot.jsonl"));
        let restored = match &path {
            Some(path) => Journal::read(path, |entry| portal.replay(entry))?,
            None => false,
        };
        if !restored {
            let now = portal.now();
            seeding::fill(&mut portal.world, options, now);
        }
        if options.no_limits {
            portal.small.limits = Limits::default();
        }
        portal.world.settle();
        portal.world.lags = portal.small.settings.search_lag_ms > 0;
        if let Some(path) = path {
            portal.compact(path)?;
        }
        Ok(portal)
    }

    /// The account's own time, epoch milliseconds.
    pub(super) fn now(&self) -> i64 {
        (self.clock)().saturating_add(self.small.clock_offset_ms)
    }

    /// Sets the account's own time.
    pub(super) fn set_clock(&mut self, at: i64) {
        self.small.clock_offset_ms = at.clamp(EARLIEST_MS, LATEST_MS) - (self.clock)();
        self.touch();
    }

    /// What time alone does: the bin is emptied, the search index catches up, the journal goes on.
    pub(super) fn tick(&mut self) {
        let now = self.now();
        let day = now.div_euclid(DAY_MS);
        if day != self.swept_day {
            self.swept_day = day;
            self.world.purge_archived_before(now - BIN_MS, By { source: Source::Time, at: now });
        }
        let seen = now - self.small.settings.search_lag_ms;
        while self.world.unseen.front().is_some_and(|unseen| unseen.at <= seen) {
            self.world.unseen.pop_front();
        }
        self.feed.forget_before(now - journal::RETENTION_MS);
        journal::take_snapshots(self);
    }

    /// The options that it was opened with.
    pub(super) fn options(&self) -> &SimulatorOptions {
        &self.options
    }

    /// The small state has changed and must be written before the answer.
    pub(super) fn touch(&mut self) {
        self.small_is_written = false;
    }

    /// Writes what has changed; where that fails nothing has.
    pub(super) fn keep(&mut self) -> std::io::Result<()> {
        if self.world.meta.blocked.len() != self.small.blocked.len() {
            self.small.blocked = self.world.meta.blocked.clone();
            self.touch();
        }
        let events = self.queue.numbered(webhooks::events(self), self.now());
        let pages = journal::pages(self, &journal::events(self));
        let mut lines = self.world.take_unwritten();
        lines.extend(self.queue.lines(&events));
        lines.extend(self.feed.lines(&pages));
        if !self.small_is_written {
            lines.push(json!({ "small": self.small }).to_string());
        } else if !self.count_is_written {
            lines.push(json!({ "day": self.small.day, "used": self.small.used_today }).to_string());
        }
        if !lines.is_empty() {
            self.journal.append(&lines)?;
        }
        self.world.settle();
        self.queue.settle(events);
        self.feed.settle(pages);
        (self.small_is_written, self.count_is_written) = (true, true);
        if !self.queue.is_empty() {
            self.posting.notify_one();
        }
        if self.journal.is_long() {
            let path = self.journal.path().to_owned();
            self.compact(path).map_err(std::io::Error::other)?;
        }
        Ok(())
    }

    /// A new world; limits stay.
    pub(super) fn reset(&mut self, options: &SimulatorOptions) -> Result<(), SimulatorError> {
        let limits = self.small.limits;
        self.world = World::default();
        self.small = Small { seed: options.seed, limits, ..Small::default() };
        self.desk.clear(options.seed);
        self.window = BurstWindow::default();
        self.search_window = BurstWindow::default();
        self.queue.clear();
        self.feed.clear();
        let now = self.now();
        seeding::fill(&mut self.world, options, now);
        self.world.settle();
        let path = self.journal.path().to_owned();
        if path.as_os_str().is_empty() { Ok(()) } else { self.compact(path) }
    }

    /// Sets what the control interface has asked for.
    pub(super) fn set_settings(&mut self, settings: Settings) {
        self.world.lags = settings.search_lag_ms > 0;
        if !self.world.lags {
            self.world.unseen.clear();
        }
        self.small.settings = settings;
        self.touch();
    }

    /// Sets limits; what is used is forgotten.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.small.limits = limits;
        self.small.used_today = 0;
        self.window = BurstWindow::default();
        self.search_window = BurstWindow::default();
        self.touch();
    }

    /// Counts a call against every limit that is for it; tells which refuses it.
    pub(super) fn count_call(&mut self, operation: &str) -> Option<Limited> {
        let now = self.now();
        let limits = self.small.limits;
        if operation == "search" {
            if !self.search_window.admit(limits.search, now) {
                return Some(Limited::Search);
            }
        } else if !self.window.admit(limits.burst, now) {
            return Some(Limited::Burst);
        }
        let day = now.div_euclid(DAY_MS);
        if self.small.day != day {
            (self.small.day, self.small.used_today) = (day, 0);
        }
        if limits.daily.is_some_and(|daily| self.small.used_today >= daily) {
            return Some(Limited::Daily);
        }
        self.small.used_today += 1;
        // Where nothing is counted off, nothing need be kept.
        self.count_is_written = limits.daily.is_none();
        None
    }

    /// The grant that an access token stands for, or when it expired.
    pub(super) fn grant_of(&self, token: &str) -> Result<&Grant, Option<i64>> {
        let found = self.small.tokens.get(token).ok_or(None)?;
        let grant = self.small.grants.get(&found.grant).ok_or(None)?;
        if found.expires_at <= self.now() { Err(Some(found.expires_at)) } else { Ok(grant) }
    }

    /// A text that nobody can guess, the same for the same seed and history.
    pub(super) fn secret(&mut self, purpose: &str) -> String {
        self.small.serial += 1;
        self.touch();
        self.digest(&format!("{purpose}:{}", self.small.serial))
    }

    /// An id for an answer to be asked about.
    pub(super) fn correlation(&self) -> String {
        self.uuid(&format!("correlation:{}", self.desk.arrived))
    }

    /// A UUID, the same for the same seed, purpose and time.
    pub(super) fn uuid(&self, purpose: &str) -> String {
        uuid(&self.digest(purpose))
    }

    fn digest(&self, purpose: &str) -> String {
        let digest = Sha256::digest(format!("hubspot:{}:{purpose}:{}", self.small.seed, self.now()));
        hex(&digest)
    }

    /// The application, changing something now.
    pub(super) fn by_application(&self) -> By {
        By { source: Source::Integration, at: self.now() }
    }

    fn replay(&mut self, mut entry: Json) {
        if self.queue.replay(&mut entry) || self.feed.replay(&mut entry) {
            return;
        }
        let types = self.world.meta.types.len();
        let number = |entry: &Json, name: &str| entry.get(name).and_then(Json::as_u64);
        let kind = |entry: &Json, name: &str| {
            number(entry, name).and_then(|kind| usize::try_from(kind).ok()).filter(|kind| *kind < types)
        };
        if let Some(kind) = kind(&entry, "put") {
            if let Some(record) = Record::read(&entry, &self.world.meta.definitions[kind]) {
                self.world.restore(kind, record);
            }
        } else if let Some(link) = entry.get("link") {
            if let Ok((from, id, to, other, mask)) = serde_json::from_value(link.clone()) {
                self.world.restore_link((from, id), (to, other), mask);
            }
        } else if let Some(kind) = kind(&entry, "remove") {
            self.world.forget(kind, number(&entry, "id").unwrap_or_default());
        } else if let Some(place) = number(&entry, "type").and_then(|place| usize::try_from(place).ok()) {
            if let Ok(schema) = serde_json::from_value(entry["is"].take()) {
                self.world.meta.put_type(place, schema);
                self.world.make_room();
            }
        } else if let Some(kind) = kind(&entry, "property") {
            if let Ok(property) = serde_json::from_value::<Property>(entry["is"].take()) {
                self.world.meta.definitions[kind].put(property);
            }
        } else if let Some(kind) = kind(&entry, "groups") {
            let groups = serde_json::from_value::<Vec<Group>>(entry["is"].take());
            self.world.meta.definitions[kind].groups = groups.unwrap_or_default();
        } else if let Some(kind) = kind(&entry, "pipelines") {
            let pipelines = serde_json::from_value::<Vec<Pipeline>>(entry["is"].take()).unwrap_or_default();
            self.world.meta.pipelines.insert(kind, pipelines);
        } else if let (Some(from), Some(to)) = (kind(&entry, "from"), kind(&entry, "to")) {
            let labels = serde_json::from_value::<Vec<Label>>(entry["labels"].take()).unwrap_or_default();
            self.world.meta.put_labels((from, to), labels);
        } else if entry.get("file").or(entry.get("folder")).is_some() {
            self.world.files.replay(entry);
        } else if let Some(small) = entry.get_mut("small") {
            self.small = serde_json::from_value(small.take()).unwrap_or_default();
            self.world.meta.blocked = self.small.blocked.clone();
            for (kind, serial) in self.small.serials.iter().enumerate() {
                self.world.raise_serial(kind, *serial);
            }
            self.queue.raise_serial(self.small.events);
            self.feed.raise_serial(self.small.pages);
        } else if let (Some(day), Some(used)) = (entry.get("day").and_then(Json::as_i64), number(&entry, "used")) {
            (self.small.day, self.small.used_today) = (day, used);
        }
    }

    fn compact(&mut self, path: PathBuf) -> Result<(), SimulatorError> {
        self.small.serials = self.world.serials();
        self.small.events = self.queue.serial();
        self.small.pages = self.feed.serial();
        let world = &self.world;
        let mut first = Vec::new();
        let own = world.meta.types.iter().enumerate().filter_map(|(kind, of)| Some((kind, of.schema.as_ref()?)));
        first.extend(own.map(|(kind, schema)| json!({ "type": kind, "is": schema }).to_string()));
        for (kind, definitions) in world.meta.definitions.iter().enumerate() {
            let custom = definitions.properties.iter().filter(|property| !property.standard);
            first.extend(custom.map(|property| json!({ "property": kind, "is": property }).to_string()));
            first.push(json!({ "groups": kind, "is": definitions.groups }).to_string());
        }
        // Behind the types: it has the serials of their records.
        first.push(json!({ "small": self.small }).to_string());
        let pipelines = world.meta.pipelines.iter();
        first.extend(pipelines.map(|(kind, list)| json!({ "pipelines": kind, "is": list }).to_string()));
        let labels = world.meta.labels.iter();
        first.extend(labels.map(|((from, to), list)| json!({ "from": from, "to": to, "labels": list }).to_string()));
        let records = world.tables.iter().enumerate().flat_map(|(kind, table)| {
            table.records.values().map(move |record| record.line(kind, &world.meta.definitions[kind]))
        });
        let pairs = world.links.pairs();
        let links = pairs.map(|(from, to, mask)| json!({ "link": [from.0, from.1, to.0, to.1, mask] }).to_string());
        let events = self.queue.pending().map(Pending::line);
        let pages = self.feed.all().map(journal::Page::line);
        let lines = first.into_iter().chain(records).chain(links).chain(world.files.lines()).chain(events).chain(pages);
        self.journal = Journal::rewrite(&path, lines)?;
        Ok(())
    }
}
