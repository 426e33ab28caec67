//! The org with everything around its records: tokens, limits, clock, faults, statistics, and their keeping on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::assignment::{self, Assigning};
use super::bulk::{self, Jobs};
use super::files;
use super::ids::Id;
use super::packed::Value;
use super::rules::Rules;
use super::schema::{Object, object_named};
use super::security::FieldSecurity;
use super::seeding;
use super::soql::Statement;
use super::transactions::{self, Open};
use super::world::{By, Record, World};
use crate::simulator::asked::Asked;
use crate::simulator::commands::{Limits, Settings};
use crate::simulator::control::BurstWindow;
use crate::simulator::digest::hex;
use crate::simulator::journal::Journal;
use crate::simulator::skin::Desk;
use crate::simulator::{Clock, SimulatorError, SimulatorOptions};

/// Calls a day where nothing else is set (dossier 5).
const DAILY: u64 = 15_000;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Bounds of the org's clock: years that Salesforce knows (dossier 2.12), with room for reckoning.
const EARLIEST_MS: i64 = 0;
const LATEST_MS: i64 = 64_000_000_000_000;

/// Deleted records stay in the bin for so long (dossier 7.1).
const BIN_MS: i64 = 15 * DAY_MS;

/// A cursor lives two days (dossier 2.4).
const CURSOR_MS: i64 = 2 * DAY_MS;

/// Cursors kept at once; the oldest goes first.
const CURSORS: usize = 1000;

/// What a new org allows.
const LIMITS: Limits = Limits { daily: Some(DAILY), burst: None, search: None };

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
    /// Whether a person allowed it; the control interface's own count apart.
    #[serde(default)]
    pub by_consent: bool,
    /// When its tokens were last issued.
    #[serde(default)]
    pub used_at: i64,
    pub scope: String,
    pub refresh_token: String,
    /// Refresh tokens that rotation has put out of use: one of them used again ends the grant (dossier 1.4).
    pub retired: BTreeSet<String>,
    pub revoked: bool,
}

/// An authorisation code that waits for its exchange.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Code {
    pub user: String,
    pub scope: String,
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
    /// Last serials given out, so that the id of a purged record never comes again.
    pub serials: BTreeMap<String, u64>,
    /// When records of an object were last removed for good before their time.
    pub purged: BTreeMap<String, i64>,
    /// What people do not see or may not change, by their id.
    pub security: BTreeMap<String, FieldSecurity>,
    pub rules: Rules,
    /// Where the org has moved to; it is where it is asked otherwise.
    pub instance: Option<String>,
    /// Transactions that are not committed yet.
    pub open: Vec<Open>,
}

/// A query whose pages are being fetched.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    pub object: &'static Object,
    pub statement: Arc<Statement>,
    pub ids: Arc<[Id]>,
    pub with_deleted: bool,
    pub batch: usize,
    /// When it was opened.
    pub at: i64,
}

/// The org.
pub(super) struct Org {
    pub world: World,
    pub small: Small,
    pub cursors: BTreeMap<String, Cursor>,
    pub jobs: Jobs,
    pub desk: Desk,
    pub window: BurstWindow,
    /// Logins of the running hour.
    pub logins: BurstWindow,
    options: SimulatorOptions,
    clock: Clock,
    journal: Journal,
    small_is_written: bool,
    count_is_written: bool,
    swept_day: i64,
}

impl Org {
    /// Opens the org: as it was left, else a new one from the seed.
    pub(super) fn open(options: &SimulatorOptions, clock: Clock) -> Result<Self, SimulatorError> {
        let mut org = Org {
            world: World::default(),
            small: Small { seed: options.seed, limits: LIMITS, ..Small::default() },
            cursors: BTreeMap::new(),
            jobs: Jobs::default(),
            desk: Desk::new(options.seed),
            window: BurstWindow::default(),
            logins: BurstWindow::default(),
            options: options.clone(),
            clock,
            journal: Journal::none(),
            small_is_written: true,
            count_is_written: true,
            swept_day: 0,
        };
        let path = options.state_dir.as_ref().map(|folder| folder.join("salesforce.jsonl"));
        let restored = match &path {
            Some(path) => Journal::read(path, |entry| org.replay(entry))?,
            None => false,
        };
        if !restored {
            let now = org.now();
            seeding::fill(&mut org.world, options, now);
        }
        if options.no_limits {
            org.small.limits = Limits::default();
        }
        org.world.take_unwritten();
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
        self.small.clock_offset_ms = at.clamp(EARLIEST_MS, LATEST_MS) - (self.clock)();
        self.touch();
    }

    /// What time alone does: the bin is emptied of what has been in it too long, transactions commit, jobs go on.
    pub(super) fn tick(&mut self) {
        let now = self.now();
        let day = now.div_euclid(DAY_MS);
        if day != self.swept_day {
            self.swept_day = day;
            self.world.purge_deleted_before(now - BIN_MS);
        }
        transactions::commit_due(self);
        bulk::tick(self);
    }

    /// The options that it was opened with.
    pub(super) fn options(&self) -> &SimulatorOptions {
        &self.options
    }

    /// A cursor that is still alive.
    pub(super) fn cursor(&self, id: &str) -> Option<&Cursor> {
        self.cursors.get(id).filter(|cursor| cursor.at > self.now() - CURSOR_MS)
    }

    /// Keeps a cursor and gives its id.
    pub(super) fn keep_cursor(&mut self, cursor: Cursor) -> String {
        if self.cursors.len() >= CURSORS {
            let oldest = self.cursors.iter().min_by_key(|(_, cursor)| cursor.at).map(|(id, _)| id.clone());
            oldest.and_then(|id| self.cursors.remove(&id));
        }
        let secret = self.secret("cursor");
        let id = format!("01g{}", secret.get(..15).unwrap_or_default());
        self.cursors.insert(id.clone(), cursor);
        id
    }

    /// The small state has changed and must be written before the answer.
    pub(super) fn touch(&mut self) {
        self.small_is_written = false;
    }

    /// Writes what has changed; where that fails nothing has.
    pub(super) fn keep(&mut self) -> std::io::Result<()> {
        let mut lines = self.world.take_unwritten();
        lines.extend(self.jobs.take_unwritten());
        if self.small.purged != self.world.purged {
            self.small.purged.clone_from(&self.world.purged);
            self.small_is_written = false;
        }
        if !self.small_is_written {
            lines.push(json!({ "small": self.small }).to_string());
        } else if !self.count_is_written {
            lines.push(json!({ "day": self.small.day, "used": self.small.used_today }).to_string());
        }
        if !lines.is_empty() {
            self.journal.append(&lines)?;
        }
        (self.small_is_written, self.count_is_written) = (true, true);
        if self.journal.is_long() {
            let path = self.journal.path().to_owned();
            self.compact(path).map_err(std::io::Error::other)?;
        }
        Ok(())
    }

    /// A new world; the day's limit stays.
    pub(super) fn reset(&mut self, options: &SimulatorOptions) -> Result<(), SimulatorError> {
        let limits = Limits { daily: self.small.limits.daily, ..Limits::default() };
        self.world = World::default();
        self.small = Small { seed: options.seed, limits, ..Small::default() };
        self.cursors.clear();
        self.jobs = Jobs::default();
        self.desk.clear(options.seed);
        self.logins = BurstWindow::default();
        self.window = BurstWindow::default();
        let now = self.now();
        seeding::fill(&mut self.world, options, now);
        self.world.take_unwritten();
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
        let admitted = self.small.limits.daily.is_none_or(|allowed| self.small.used_today < allowed);
        self.small.used_today += u64::from(admitted);
        self.count_is_written = false;
        admitted
    }

    /// `Sforce-Limit-Info` of an answer.
    pub(super) fn limit_info(&self) -> String {
        // An org without a limit still has a number to show.
        let allowed = self.small.limits.daily.unwrap_or(5_000_000);
        format!("api-usage={}/{allowed}", self.small.used_today)
    }

    /// The person that an access token stands for.
    pub(super) fn user_of(&self, token: &str) -> Option<&str> {
        let found = self.small.tokens.get(token)?;
        let grant = self.small.grants.get(&found.grant)?;
        let valid = !grant.revoked && found.expires_at > self.now() && self.is_active(&grant.user);
        valid.then_some(grant.user.as_str())
    }

    /// Whether a person may sign in.
    pub(super) fn is_active(&self, user: &str) -> bool {
        let record = object_named("User").and_then(|object| self.world.record(object, user));
        record.is_some_and(|record| record.fields.get("IsActive") != Some(Value::Boolean(false)))
    }

    /// A text that nobody can guess, the same for the same seed and history.
    pub(super) fn secret(&mut self, purpose: &str) -> String {
        self.small.serial += 1;
        self.touch();
        let digest = Sha256::digest(format!("{}:{purpose}:{}:{}", self.small.seed, self.small.serial, self.now()));
        hex(&digest)
    }

    /// What a person's profile says of fields.
    pub(super) fn security_of(&self, user: &str) -> FieldSecurity {
        self.small.security.get(user).cloned().unwrap_or_default()
    }

    /// Rules or transactions have changed: the world goes by them.
    pub(super) fn set_up(&mut self) {
        self.world.set_rules(self.small.rules.clone());
        self.world.locked = transactions::locked(&self.world, &self.small.open);
        self.touch();
    }

    /// Someone who changes something now, as a request's headers want it done.
    pub(super) fn asking(&self, asked: &Asked, user: &str) -> By {
        let options = asked.header("sforce-duplicate-rule-header").unwrap_or_default().to_ascii_lowercase();
        let saves_duplicates = options.split([';', ',']).any(|option| option.replace(' ', "") == "allowsave=true");
        // What it asks for was refused before if it means nothing.
        let assigning = assignment::asked_for(asked, &self.small.rules).unwrap_or_default();
        By { saves_duplicates, assigning, ..self.by(user) }
    }

    /// Someone who changes something now.
    pub(super) fn by(&self, user: &str) -> By {
        By {
            user: Id::parse(user).unwrap_or(Id::FIRST),
            at: self.now(),
            security: self.security_of(user),
            saves_duplicates: false,
            assigning: Assigning::No,
        }
    }

    fn replay(&mut self, mut entry: Json) {
        let text = |entry: &Json, name: &str| entry.get(name).and_then(Json::as_str).map(str::to_owned);
        if let Some(object) = text(&entry, "put").and_then(|name| object_named(&name)) {
            let record = entry.get_mut("record").map(Json::take).unwrap_or_default();
            if let Ok(record) = serde_json::from_value::<Record>(record) {
                self.world.restore(object.name, record);
            }
        } else if let Some(object) = text(&entry, "remove").and_then(|name| object_named(&name)) {
            if let Some(id) = text(&entry, "id").and_then(|id| Id::parse(&id)) {
                self.world.remove(object.name, &id);
            }
        } else if let Some((id, bytes)) = files::read_line(&entry) {
            self.world.restore_content(id, bytes);
        } else if let Some(small) = entry.get_mut("small") {
            self.small = serde_json::from_value(small.take()).unwrap_or_default();
            self.set_up();
            self.world.purged.clone_from(&self.small.purged);
            for (name, serial) in &self.small.serials {
                if let Some(object) = object_named(name) {
                    self.world.raise_serial(object.name, *serial);
                }
            }
        } else if let (Some(day), Some(used)) =
            (entry.get("day").and_then(Json::as_i64), entry.get("used").and_then(Json::as_u64))
        {
            (self.small.day, self.small.used_today) = (day, used);
        } else {
            self.jobs.replay(&entry);
        }
    }

    fn compact(&mut self, path: PathBuf) -> Result<(), SimulatorError> {
        self.small.serials = self.world.serials();
        self.small.purged.clone_from(&self.world.purged);
        let small = std::iter::once(json!({ "small": self.small }).to_string());
        let records = self.world.tables.iter().flat_map(|(name, table)| {
            let name = *name;
            table.records.values().map(move |record| record.line(name))
        });
        self.journal =
            Journal::rewrite(&path, small.chain(records).chain(self.world.content_lines()).chain(self.jobs.lines()))?;
        Ok(())
    }
}
