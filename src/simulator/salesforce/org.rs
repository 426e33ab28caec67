//! The org with everything around its records: tokens, limits, clock, faults, statistics, and their keeping on disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::schema::object_named;
use super::seeding;
use super::world::{By, Record, World};
use crate::simulator::control::{Burst, BurstWindow, Faults, Stats};
use crate::simulator::journal::Journal;
use crate::simulator::{Clock, SimulatorError, SimulatorOptions};

/// Calls a day where nothing else is set (dossier 5).
const DAILY: u64 = 15_000;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3600 * 1000;

/// An access token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Token {
    pub grant: u64,
    pub expires_at: i64,
}

/// What a person has allowed an application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Grant {
    pub user: String,
    pub scope: String,
    pub refresh_token: String,
    /// Refresh tokens that rotation has put out of use: one of them used again ends the grant (dossier 1.4).
    pub retired: BTreeSet<String>,
    pub revoked: bool,
}

/// An authorisation code that waits for its exchange.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub user: String,
    pub scope: String,
    pub redirect_uri: String,
    pub challenge: Option<String>,
    pub expires_at: i64,
}

/// What the control interface sets.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Settings {
    pub rotation: bool,
    pub pkce_required: bool,
    pub session_seconds: i64,
    pub search_lag_ms: i64,
    pub bulk_delay_ms: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { rotation: true, pkce_required: true, session_seconds: 7200, search_lag_ms: 0, bulk_delay_ms: 0 }
    }
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
    pub serial: u64,
    pub daily_allowed: Option<u64>,
    pub burst: Option<Burst>,
    pub day: i64,
    pub used_today: u64,
}

/// A query whose pages are being fetched.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    pub object: &'static str,
    pub columns: Vec<String>,
    pub ids: Vec<String>,
    pub batch: usize,
}

/// A request as the page shows it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub at: i64,
    pub method: String,
    pub path: String,
    pub status: u16,
}

/// The org.
pub(super) struct Org {
    pub world: World,
    pub small: Small,
    pub codes: HashMap<String, Code>,
    pub cursors: BTreeMap<String, Cursor>,
    pub stats: Stats,
    pub faults: Faults,
    pub window: BurstWindow,
    pub recent: Vec<Seen>,
    clock: Clock,
    journal: Journal,
    small_is_written: bool,
}

impl Org {
    /// Opens the org: as it was left, else a new one from the seed.
    pub(super) fn open(options: &SimulatorOptions, clock: Clock) -> Result<Self, SimulatorError> {
        let mut org = Org {
            world: World::default(),
            small: Small { seed: options.seed, daily_allowed: Some(DAILY), ..Small::default() },
            codes: HashMap::new(),
            cursors: BTreeMap::new(),
            stats: Stats::default(),
            faults: Faults::new(options.seed),
            window: BurstWindow::default(),
            recent: Vec::new(),
            clock,
            journal: Journal::none(),
            small_is_written: true,
        };
        let path = options.state_dir.as_ref().map(|folder| folder.join("salesforce.jsonl"));
        let restored = match &path {
            Some(path) => Journal::read(path, |entry| org.replay(entry))?,
            None => false,
        };
        if !restored {
            let now = org.now();
            seeding::fill(&mut org.world, options.seed, options.accounts, options.contacts, options.opportunities, now);
        }
        if options.no_limits {
            org.small.daily_allowed = None;
        }
        org.world.unwritten.clear();
        if let Some(path) = path {
            org.compact(path)?;
        }
        Ok(org)
    }

    /// The org's own time, epoch milliseconds.
    pub(super) fn now(&self) -> i64 {
        (self.clock)() + self.small.clock_offset_ms
    }

    /// Sets the org's own time.
    pub(super) fn set_clock(&mut self, at: i64) {
        self.small.clock_offset_ms = at - (self.clock)();
        self.touch();
    }

    /// The small state has changed and must be written before the answer.
    pub(super) fn touch(&mut self) {
        self.small_is_written = false;
    }

    /// Writes what has changed.
    pub(super) fn keep(&mut self) -> std::io::Result<()> {
        let mut entries = std::mem::take(&mut self.world.unwritten);
        if !self.small_is_written {
            entries.push(json!({ "small": self.small }));
            self.small_is_written = true;
        }
        if entries.is_empty() { Ok(()) } else { self.journal.append(&entries) }
    }

    /// A new world.
    pub(super) fn reset(
        &mut self,
        seed: u64,
        accounts: usize,
        contacts: usize,
        opportunities: usize,
    ) -> Result<(), SimulatorError> {
        let daily_allowed = self.small.daily_allowed;
        self.world = World::default();
        self.small = Small { seed, daily_allowed, ..Small::default() };
        self.codes.clear();
        self.cursors.clear();
        self.stats.clear();
        self.faults = Faults::new(seed);
        self.recent.clear();
        let now = self.now();
        seeding::fill(&mut self.world, seed, accounts, contacts, opportunities, now);
        self.world.unwritten.clear();
        let path = self.journal.path().to_owned();
        if path.as_os_str().is_empty() { Ok(()) } else { self.compact(path) }
    }

    /// Counts a call of the day; `false` where the day is used up.
    pub(super) fn count_call(&mut self) -> bool {
        let day = self.now().div_euclid(DAY_MS);
        if self.small.day != day {
            self.small.day = day;
            self.small.used_today = 0;
        }
        let admitted = self.small.daily_allowed.is_none_or(|allowed| self.small.used_today < allowed);
        self.small.used_today += u64::from(admitted);
        admitted
    }

    /// `Sforce-Limit-Info` of an answer.
    pub(super) fn limit_info(&self) -> String {
        // An org without a limit still has a number to show.
        let allowed = self.small.daily_allowed.unwrap_or(5_000_000);
        format!("api-usage={}/{allowed}", self.small.used_today)
    }

    /// The person that an access token stands for.
    pub(super) fn user_of(&self, token: &str) -> Option<&str> {
        let found = self.small.tokens.get(token)?;
        let grant = self.small.grants.get(&found.grant)?;
        (!grant.revoked && found.expires_at > self.now()).then_some(grant.user.as_str())
    }

    /// A text that nobody can guess, the same for the same seed and history.
    pub(super) fn secret(&mut self, purpose: &str) -> String {
        self.small.serial += 1;
        self.touch();
        let digest = Sha256::digest(format!("{}:{purpose}:{}", self.small.seed, self.small.serial));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Someone who changes something now.
    pub(super) fn by(&self, user: &str) -> By {
        By { user: user.to_owned(), at: self.now() }
    }

    fn replay(&mut self, mut entry: Json) {
        if let Some(object) = entry.get("put").and_then(Json::as_str).and_then(object_named) {
            let record = entry.get_mut("record").map(Json::take).unwrap_or_default();
            if let Ok(record) = serde_json::from_value::<Record>(record) {
                self.world.restore(object.name, record);
            }
        } else if let Some(object) = entry.get("remove").and_then(Json::as_str).and_then(object_named) {
            self.world.remove(object.name, entry.get("id").and_then(Json::as_str).unwrap_or_default());
        } else if let Some(small) = entry.get_mut("small") {
            self.small = serde_json::from_value(small.take()).unwrap_or_default();
        }
    }

    fn compact(&mut self, path: PathBuf) -> Result<(), SimulatorError> {
        let small = std::iter::once(json!({ "small": self.small }));
        let records = self.world.tables.iter().flat_map(|(name, table)| {
            table.records.values().map(move |record| json!({ "put": name, "record": record }))
        });
        self.journal = Journal::rewrite(&path, small.chain(records))?;
        Ok(())
    }
}
