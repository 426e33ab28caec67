//! A small engine in memory that runs as `sync.md`, "One run", says, and has the real core decide everything. Each transaction
//! is one block between two points; a death leaves the store as the last one left it.

use std::collections::HashSet;

use crosstie::model::{ConflictPolicy, Entity, FieldKind, FieldRule, Side, SyncDirection};
use crosstie::sync::{
    Candidate, Decision, DeleteDecision, FieldBase, FieldState, MappedField, MatchOutcome, MergeContext, Record, Value,
    base_after_app_write, decide_delete, match_keys, match_records, merge, same, same_meaning,
};

use super::event::{CRMS, FIELDS, Place};
use super::mutant::Mutant;
use super::sides::{AppRecord, CrmRecord, NAMES};
use super::store::{Link, Open, Overwritten, State};
use super::world::{Stop, World};

pub const KINDS: [FieldKind; FIELDS] = [FieldKind::Text, FieldKind::Phone, FieldKind::Number];

/// Records of a page.
const PAGE: usize = 3;

/// How far before the cursor a window begins: transactions in flight, an index that lags.
const OVERLAP: i64 = 120_000;

/// How often the engine looks further back, and how far.
const LOOK_BACK: (i64, i64) = (15 * 60_000, 60 * 60_000);

impl World {
    /// One run of a connection, from where the last one ended or died.
    pub fn run(&mut self, crm: usize) -> Result<(), Stop> {
        self.oracle.is_sending = None;
        if !self.is(Mutant::IntentsNotSettled) {
            self.settle(crm)?;
        }
        let open = match self.connections[crm].run {
            Some(open) => open,
            None => self.open_run(crm)?,
        };
        if !open.has_read {
            self.read(crm, open)?;
        }
        self.meet_strangers(crm)?;
        self.push(crm)?;
        self.meet_strangers(crm)?;
        self.point()?;
        let connection = &mut self.connections[crm];
        let open = connection.run.take().unwrap_or(open);
        connection.cursor = open.bound;
        if self.mutant == Some(Mutant::CursorToRowStamp) {
            connection.cursor = open.newest.max(0);
        }
        self.point()
    }

    fn open_run(&mut self, crm: usize) -> Result<Open, Stop> {
        self.point()?;
        let now = self.now;
        let is_prompt = self.mutant.is_some_and(Mutant::is_prompt);
        let overlap = match self.mutant {
            Some(Mutant::CursorToRowStamp) => -1,
            // Whole seconds are all that is to be made up for.
            Some(_) if is_prompt => 1000,
            _ => OVERLAP,
        };
        let connection = &mut self.connections[crm];
        let looks_back = now - connection.looked_back >= LOOK_BACK.0 && overlap == OVERLAP;
        let back = if looks_back { LOOK_BACK.1 } else { overlap };
        let from = if connection.in_full { 0 } else { connection.cursor - back };
        if looks_back {
            connection.looked_back = now;
        }
        connection.in_full = false;
        let open = Open { bound: now, from, after: None, has_read: false, newest: connection.cursor };
        connection.run = Some(open);
        if self.mutant == Some(Mutant::CursorBeforeReading) {
            // Nobody knows of the run after a death.
            let connection = &mut self.connections[crm];
            (connection.cursor, connection.run) = (now, None);
        }
        self.point()?;
        Ok(open)
    }

    fn read(&mut self, crm: usize, mut open: Open) -> Result<(), Stop> {
        while !open.has_read {
            let now = self.now;
            let page = self.reads(|world| world.crms[crm].search(now, open.from, open.after, PAGE))?;
            self.point()?;
            open.has_read = page.len() < PAGE;
            open.after = page.last().map(|record| record.id).or(open.after);
            open.newest = page.iter().map(|record| record.stamp).fold(open.newest, i64::max);
            let is_kept = self.mutant != Some(Mutant::CursorBeforeReading);
            for record in &page {
                self.takes(crm, record, false);
            }
            if is_kept {
                self.connections[crm].run = Some(open);
            }
            self.point()?;
        }
        Ok(())
    }

    /// Takes a reading of a CRM record. `is_sure`: it was read by its id.
    pub fn takes(&mut self, crm: usize, record: &CrmRecord, is_sure: bool) {
        let (takes_stale, equal_proves) = (self.is(Mutant::StaleReadingTaken), self.is(Mutant::EqualStampProves));
        let connection = &mut self.connections[crm];
        let own = || {
            record.external.and_then(|app| connection.by_app(app)).filter(|own| connection.links[*own].crm.is_none())
        };
        let Some(number) = connection.by_crm(record.id).or_else(own) else {
            if !record.deleted {
                let mut link = Link::new(None, Some(record.id), State::Stranger);
                (link.seen, link.stamp) = (Some(record.clone()), record.stamp);
                connection.links.push(link);
            }
            return;
        };
        let link = &mut connection.links[number];
        let is_stale = record.stamp < link.stamp && !takes_stale;
        let is_known = equal_proves && record.stamp == link.stamp && !is_sure && link.state == State::Linked;
        if is_stale || is_known {
            return;
        }
        link.stamp = record.stamp.max(link.stamp);
        link.seen = Some(record.clone());
        match link.state {
            State::Stranger if record.deleted => link.state = State::GoneCrm,
            State::Stranger | State::GoneCrm | State::GoneApp => {}
            State::Creating | State::NotVisible | State::Linked => {
                // A create that was thought lost carries our own external id: it is linked with what was sent.
                (link.crm, link.state) = (Some(record.id), State::Linked);
                if record.deleted { self.crm_deleted(crm, number) } else { self.merges(crm, number) }
            }
        }
    }

    pub fn crm_deleted(&mut self, crm: usize, number: usize) {
        let connection = &self.connections[crm];
        let link = &connection.links[number];
        let Some(app) = link.app else { return };
        let row = &self.app.records[app];
        let differs = |field: usize| {
            link.base[field].as_ref().is_none_or(|base| !same(KINDS[field], &base.app, &row.fields[field]))
        };
        let is_edited = (0..FIELDS).any(differs);
        let option = connection.deletes_here || self.is(Mutant::DeleteOptionIgnored);
        let edited_at = row.changed_at.iter().max().copied();
        let deleted_at = link.seen.as_ref().map(|seen| seen.stamp);
        let direction = SyncDirection::Bidirectional;
        let decided = decide_delete(Side::Crm, option, is_edited, edited_at, deleted_at, connection.policy, direction);
        if decided == DeleteDecision::DeleteApp && row.deleted_at.is_none() {
            let now = self.now;
            self.app.records[app].deleted_at = Some(now);
            self.app.captured(app, (0..CRMS).filter(|other| *other != crm));
        }
        self.connections[crm].links[number].state = State::GoneCrm;
    }

    /// Asks the core about one linked pair, as it was last read.
    pub fn decision(&self, crm: usize, number: usize) -> Option<(Decision, CrmRecord)> {
        let connection = &self.connections[crm];
        let link = &connection.links[number];
        let (row, record) = (&self.app.records[link.app?], link.seen.as_ref()?);
        let fields: Vec<(MappedField, FieldState)> = (0..FIELDS)
            .map(|field| (self.mapped(crm, link, field, row, record), self.state(crm, link, field, row, record)))
            .collect();
        let fields: Vec<(&MappedField, FieldState)> =
            fields.iter().map(|(field, state)| (field, state.clone())).collect();
        let policy = match connection.policy {
            ConflictPolicy::ManualReview if self.is(Mutant::ManualDecided) => ConflictPolicy::CrmWins,
            policy => policy,
        };
        let context = MergeContext { policy, tie_window_ms: 2000, clock_skew_ms: 0 };
        Some((merge(&fields, &context), record.clone()))
    }

    fn mapped(&self, crm: usize, link: &Link, field: usize, row: &AppRecord, record: &CrmRecord) -> MappedField {
        let direction = if self.is(Mutant::DirectionIgnored) {
            crosstie::model::FieldDirection::Bidirectional
        } else {
            self.connections[crm].directions[field]
        };
        MappedField {
            app_field: NAMES[field].to_owned(),
            crm_field: NAMES[field].to_owned(),
            app_kind: KINDS[field],
            crm_kind: KINDS[field],
            direction,
            rule: self.decided(link, field, row, record).map(|side| match side {
                Side::App => FieldRule::UseApp,
                Side::Crm => FieldRule::UseCrm,
            }),
            crm_createable: true,
            crm_updateable: true,
            crm_max_length: None,
            crm_decimals: None,
        }
    }

    /// What a person decided, as long as both sides are what that person saw.
    fn decided(&self, link: &Link, field: usize, row: &AppRecord, record: &CrmRecord) -> Option<Side> {
        let (side, (app, crm)) = link.decided[field].as_ref()?;
        let is_as_seen = *app == row.fields[field] && *crm == record.fields[field];
        (is_as_seen || self.is(Mutant::DecisionWithoutVersion)).then_some(*side)
    }

    fn state(&self, crm: usize, link: &Link, field: usize, row: &AppRecord, record: &CrmRecord) -> FieldState {
        let is_hidden = self.connections[crm].unobserved[field];
        let held = match is_hidden {
            true if self.is(Mutant::UnobservedIsEmpty) => Some(None),
            true => None,
            false => Some(record.fields[field].clone()),
        };
        let app = row.fields[field].clone();
        let mut base = link.base[field].clone();
        if base.is_none() && self.is(Mutant::EmptyOverwrites) {
            let other = |value: &Value| if value.is_some() { value.clone() } else { Some("0".to_owned()) };
            base = Some(FieldBase { crm: other(&record.fields[field]), app: app.clone() });
        }
        let is_shown = |late: &&Value| held.as_ref().is_some_and(|held| same_meaning(KINDS[field], late, held));
        let late = link.late[field].iter().find(is_shown).cloned();
        FieldState {
            base,
            crm_as_app: Ok(held.clone().flatten()),
            app_as_crm: Ok(app.clone()),
            app: Some(app),
            crm: held.clone(),
            app_changed_at: Some(row.changed_at[field]),
            crm_changed_at: Some(record.changed_at[field]),
            decided: link.decided[field].is_some(),
            late: late.filter(|_| !self.is(Mutant::LateWriteIsEdit)),
        }
    }

    /// Merges a linked pair and carries out what concerns the app; what is for the CRM makes the link due.
    pub fn merges(&mut self, crm: usize, number: usize) {
        let Some((decision, record)) = self.decision(crm, number) else { return };
        let Some(app) = self.connections[crm].links[number].app else { return };
        if self.app.records[app].deleted_at.is_some() {
            return;
        }
        for set in &decision.to_app {
            let field = field_of(&set.app_field);
            self.check_write(crm, Place::App, app, record.id, field);
            self.writes += 1;
            if !self.is(Mutant::JournalForgotten) {
                self.connections[crm].journal.push(Overwritten { record: app, field, value: set.before.clone() });
            }
            let now = self.now;
            let row = &mut self.app.records[app];
            row.fields[field] = set.after.clone();
            row.changed_at[field] = set.changed_at.unwrap_or(now);
            let (is_echoed, is_silent) = (self.is(Mutant::EchoNotSuppressed), self.is(Mutant::SecondCrmNotTold));
            self.app.captured(app, (0..CRMS).filter(|other| !is_silent && (*other != crm || is_echoed)));
            if !self.is(Mutant::BaseKeptAfterAppWrite) && !is_echoed {
                let base = base_after_app_write(record.fields[field].clone(), set.after.clone());
                self.connections[crm].links[number].base[field] = Some(base);
            }
            self.noted(crm, Place::App, app, record.id, field);
        }
        let forgets = self.is(Mutant::ConflictForgotten);
        let link = &mut self.connections[crm].links[number];
        for (name, base) in &decision.new_base {
            link.base[field_of(name)] = Some(base.clone());
        }
        for (field, name) in NAMES.iter().enumerate() {
            let asked =
                decision.conflicts.iter().find(|conflict| conflict.app_field == *name && conflict.decided.is_none());
            link.asks[field] = asked.map(|conflict| (conflict.app.clone(), conflict.crm_raw.clone()));
            if forgets && link.asks[field].take().is_some() {
                let (app, crm) = asked.map(|asked| (asked.app.clone(), asked.crm_raw.clone())).unwrap_or_default();
                link.base[field] = Some(FieldBase { crm, app });
            }
            let writes = decision.to_crm.iter().any(|set| set.app_field == *name);
            if !writes {
                link.decided[field] = None;
            }
        }
        link.due |= !decision.to_crm.is_empty();
        (0..FIELDS).for_each(|field| self.compared(crm, app, record.id, field));
    }

    /// Pairs what has no partner, one to one or not at all.
    fn meet_strangers(&mut self, crm: usize) -> Result<(), Stop> {
        let connection = &self.connections[crm];
        let is_stranger = |link: &&Link| link.state == State::Stranger;
        if !connection.links.iter().any(|link| is_stranger(&link)) {
            return Ok(());
        }
        self.point()?;
        let connection = &self.connections[crm];
        let keys = |mark: u32| {
            let record: Record = [("email".to_owned(), Some(format!("m{mark}@kestrel.example")))].into();
            match_keys(Entity::Contact, &record)
        };
        let strangers: Vec<(usize, String, u32)> = connection
            .links
            .iter()
            .enumerate()
            .filter(|(_, link)| link.state == State::Stranger)
            .filter_map(|(number, link)| Some((number, number.to_string(), link.seen.as_ref()?.mark)))
            .collect();
        let may_meet = |record: &usize| {
            let row = &self.app.records[*record];
            row.deleted_at.is_none() && (connection.by_app(*record).is_none() || self.is(Mutant::LinkedTwice))
        };
        let rows: Vec<(String, u32)> = (0..self.app.records.len())
            .filter(may_meet)
            .map(|record| (record.to_string(), self.app.records[record].mark))
            .collect();
        let there: Vec<Candidate<'_>> =
            strangers.iter().map(|(_, id, mark)| Candidate { id, keys: keys(*mark) }).collect();
        let here: Vec<Candidate<'_>> = rows.iter().map(|(id, mark)| Candidate { id, keys: keys(*mark) }).collect();
        let outcomes = match_records(&there, &here, &HashSet::new());
        for ((number, ..), outcome) in strangers.iter().zip(outcomes) {
            match outcome {
                MatchOutcome::Pair { app, .. } => {
                    let link = &mut self.connections[crm].links[*number];
                    (link.app, link.state) = (app.parse().ok(), State::Linked);
                    self.merges(crm, *number);
                    self.connections[crm].links[*number].due = true;
                }
                MatchOutcome::Alone { .. } => self.creates_here(crm, *number),
                MatchOutcome::Ambiguous { .. } => {}
            }
        }
        self.point()
    }

    fn creates_here(&mut self, crm: usize, number: usize) {
        let Some(seen) = self.connections[crm].links[number].seen.clone() else { return };
        let app = self.app.records.len();
        let connection = &self.connections[crm];
        let comes = |field: usize| connection.directions[field].pulls() && !connection.unobserved[field];
        let fields: [Value; FIELDS] = std::array::from_fn(|field| seen.fields[field].clone().filter(|_| comes(field)));
        let base: [Option<FieldBase>; FIELDS] = std::array::from_fn(|field| {
            comes(field).then(|| FieldBase { crm: seen.fields[field].clone(), app: seen.fields[field].clone() })
        });
        self.app.records.push(AppRecord { mark: seen.mark, fields, changed_at: seen.changed_at, deleted_at: None });
        self.app.captured(app, (0..CRMS).filter(|other| *other != crm));
        self.writes += 1;
        let link = &mut self.connections[crm].links[number];
        (link.app, link.state, link.base, link.due) = (Some(app), State::Linked, base, false);
        (0..FIELDS).for_each(|field| self.noted(crm, Place::App, app, seen.id, field));
    }
}

pub fn field_of(name: &str) -> usize {
    NAMES.iter().position(|known| *known == name).expect("a mapped field")
}
