//! The world of a history: both sides, the stores, the clock, what goes wrong, and the oracle that watches.

use crosstie::model::{ConflictPolicy, FieldDirection, Side};
use crosstie::sync::Value;

use super::event::{CRMS, Event, FIELDS, Fault, Faults, Place};
use super::mutant::Mutant;
use super::oracle::Oracle;
use super::sides::{App, AppRecord, Change, Crm, CrmRecord, Write};
use super::store::{Connection, State};

/// Why a step ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The worker died.
    Died,
    /// A call failed, or its answer was lost.
    Failed,
}

/// Everything there is.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    pub now: i64,
    pub app: App,
    pub crms: Vec<Crm>,
    pub connections: Vec<Connection>,
    pub oracle: Oracle,
    pub mutant: Option<Mutant>,
    /// Counts what was entered: each value is another.
    entered: u32,
    faults: Faults,
    point: u32,
    write_calls: u32,
    /// Calls of all kinds in this run.
    pub calls: u32,
    /// Values that the engine wrote in this run.
    pub writes: u32,
}

impl World {
    pub fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let policy = |shift: u64| ConflictPolicy::ALL[((seed >> shift) % 4) as usize];
        World {
            now: 1_000_000_000,
            app: App::default(),
            crms: vec![Crm::new(false), Crm::new(!mutant.is_some_and(Mutant::is_prompt))],
            connections: (0..CRMS as u64)
                .map(|crm| Connection::new(policy(2 * crm), seed % 3 != crm, seed % 5 < 2 + crm))
                .collect(),
            oracle: Oracle::default(),
            mutant,
            entered: 0,
            faults: Faults::default(),
            point: 0,
            write_calls: 0,
            calls: 0,
            writes: 0,
        }
    }

    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub fn tick(&mut self, by: i64) {
        self.now += by;
        for crm in 0..CRMS {
            let is_due = |awaited: &super::sides::Awaited| awaited.at <= self.now;
            if !self.crms[crm].awaited.iter().any(is_due) {
                continue;
            }
            let (due, rest) = std::mem::take(&mut self.crms[crm].awaited).into_iter().partition(is_due);
            self.crms[crm].awaited = rest;
            let due: Vec<super::sides::Awaited> = due;
            for awaited in due {
                match awaited.what {
                    Change::Edit { record, field, value } => {
                        self.entered_there(crm, record, field, value, Some(awaited.stamp));
                    }
                    Change::Write(write) => self.applies_late(crm, &write),
                }
            }
        }
    }

    /// A call comes to pass that nobody waits for any more. It may overwrite what somebody has entered since.
    fn applies_late(&mut self, crm: usize, write: &Write) {
        let id = write.id.or(write.external.and_then(|of| self.crms[crm].by_external(of)).map(|record| record.id));
        if let Some(id) = id {
            self.oracle.overrun(crm, id, &write.fields);
        }
        let now = self.now;
        self.crms[crm].write(write, now);
    }

    fn new_value(&mut self, field: usize, empties: bool) -> Value {
        self.entered += 1;
        let number = 100_000 + self.entered;
        (!empties).then(|| match field {
            0 => format!("word {number}"),
            1 => format!("+1 {number}"),
            _ => number.to_string(),
        })
    }

    /// Something happens that is no run.
    pub fn happens(&mut self, event: &Event) {
        self.tick(700);
        match event {
            Event::Wait(millis) => self.tick(*millis),
            Event::Make { side, mark, filled } => {
                let fields: [Value; FIELDS] = std::array::from_fn(|field| self.new_value(field, !filled[field]));
                self.make(*side, *mark, fields);
            }
            Event::Edit { side, record, field, empties, delay } => self.edit(*side, *record, *field, *empties, *delay),
            Event::Delete { side, record } => self.delete(*side, *record),
            Event::Hide { crm, record, hidden } => {
                if !self.crms[*crm].records.is_empty() {
                    let record = record % self.crms[*crm].records.len();
                    self.hide(*crm, record, *hidden);
                }
            }
            Event::HideField { crm, field, hidden } => {
                let connection = &mut self.connections[*crm];
                connection.in_full |= connection.unobserved[*field] && !hidden;
                connection.unobserved[*field] = *hidden;
            }
            Event::Policy { crm, policy } => {
                self.oracle.settings += 1;
                let connection = &mut self.connections[*crm];
                connection.policy = *policy;
                // Its author confirms the number of conflicts that it decides.
                let asked = connection.links.iter_mut().filter(|link| link.asks.iter().any(Option::is_some));
                asked.for_each(|link| link.due = true);
            }
            Event::Direction { crm, field, direction } => self.direct(*crm, *field, *direction),
            Event::Decide { crm, which, side } => self.decide(*crm, *which, *side),
            Event::Run { .. } => {}
        }
    }

    pub fn hide(&mut self, crm: usize, record: usize, hidden: bool) {
        let stored = &mut self.crms[crm].records[record];
        // Rights that widen have the entity read in full.
        self.connections[crm].in_full |= stored.hidden && !hidden;
        stored.hidden = hidden;
        if hidden {
            // Nobody can see that it is there already.
            let mark = stored.now.mark;
            self.oracle.made(mark, true);
        }
    }

    pub fn direct(&mut self, crm: usize, field: usize, direction: FieldDirection) {
        self.oracle.settings += 1;
        let connection = &mut self.connections[crm];
        connection.in_full |= connection.directions[field] != direction;
        connection.directions[field] = direction;
    }

    fn make(&mut self, side: Place, mark: u32, fields: [Value; FIELDS]) {
        let now = self.now;
        let is_there = match side {
            Place::App => self.app.records.iter().any(|row| row.mark == mark && row.deleted_at.is_none()),
            Place::Crm(crm) => self.crms[crm].records.iter().any(|stored| stored.now.mark == mark),
        };
        let links = self.connections.iter().flat_map(|connection| &connection.links);
        let mut creating = links.filter(|link| link.state == State::Creating).filter_map(|link| link.app);
        let is_coming = creating.any(|app| self.app.records[app].mark == mark);
        let was_deleted = self.oracle.was_deleted(mark);
        self.oracle.made(mark, is_there || is_coming || was_deleted);
        let id = match side {
            Place::App => {
                let id = self.app.records.len();
                let changed_at = [now; FIELDS];
                self.app.records.push(AppRecord { mark, fields: fields.clone(), changed_at, deleted_at: None });
                self.app.captured(id, 0..CRMS);
                id
            }
            Place::Crm(crm) => self.crms[crm].make(now, mark, fields.clone()),
        };
        for (field, value) in fields.into_iter().enumerate().filter(|(_, value)| value.is_some()) {
            self.oracle.entered(side, id, field, value);
        }
    }

    fn edit(&mut self, side: Place, record: usize, field: usize, empties: bool, delay: i64) {
        let value = self.new_value(field, empties);
        let now = self.now;
        match side {
            Place::App if !self.app.records.is_empty() => {
                let id = record % self.app.records.len();
                let row = &mut self.app.records[id];
                if row.deleted_at.is_some() || row.fields[field] == value {
                    return;
                }
                row.fields[field] = value.clone();
                row.changed_at[field] = now;
                self.app.captured(id, 0..CRMS);
                self.oracle.entered(Place::App, id, field, value);
            }
            Place::Crm(crm) if !self.crms[crm].records.is_empty() => {
                let record = record % self.crms[crm].records.len();
                let stamp = now / 1000 * 1000;
                if delay == 0 || self.crms[crm].is_indexed || self.mutant.is_some_and(Mutant::is_prompt) {
                    self.entered_there(crm, record, field, value, None);
                } else {
                    let what = Change::Edit { record, field, value };
                    self.crms[crm].awaited.push(super::sides::Awaited { at: now + delay, stamp, what });
                }
            }
            _ => {}
        }
    }

    /// Somebody's edit in a CRM is committed. Between the engine's read and its write nobody edits there: what the CRMs' images of
    /// before are for is the whole engine's tier.
    fn entered_there(&mut self, crm: usize, record: usize, field: usize, value: Value, stamp: Option<i64>) {
        let held = &self.crms[crm].records[record];
        let is_known = held.now.fields[field] == self.crms[crm].spelled(field, value.clone());
        if held.now.deleted || is_known || self.oracle.is_sending == Some(crm) {
            return;
        }
        let now = self.now;
        self.crms[crm].store(record, vec![(field, value)], now, stamp);
        let value = self.crms[crm].records[record].now.fields[field].clone();
        self.oracle.entered(Place::Crm(crm), record, field, value);
    }

    fn delete(&mut self, side: Place, record: usize) {
        let now = self.now;
        match side {
            Place::App if !self.app.records.is_empty() => {
                let id = record % self.app.records.len();
                let mark = self.app.records[id].mark;
                self.app.records[id].deleted_at = Some(now);
                self.app.captured(id, 0..CRMS);
                self.oracle.deleted(Place::App, mark);
            }
            Place::Crm(crm) if !self.crms[crm].records.is_empty() => {
                let id = record % self.crms[crm].records.len();
                self.crms[crm].delete(id, now);
                self.oracle.deleted(Place::Crm(crm), self.crms[crm].records[id].now.mark);
            }
            _ => {}
        }
    }

    fn decide(&mut self, crm: usize, which: usize, side: Side) {
        let links = self.connections[crm].links.iter().enumerate();
        let asked: Vec<(usize, usize)> = links
            .flat_map(|(link, of)| {
                (0..FIELDS).filter(|field| of.asks[*field].is_some()).map(move |field| (link, field))
            })
            .collect();
        if asked.is_empty() {
            return;
        }
        let (link, field) = asked[which % asked.len()];
        let link = &mut self.connections[crm].links[link];
        link.decided[field] = link.asks[field].clone().map(|values| (side, values));
        link.due = true;
        if let Some(app) = link.app {
            self.oracle.decided(crm, app, field);
        }
    }

    /// Begins a run with these faults.
    pub fn meets(&mut self, faults: &Faults) {
        self.faults = faults.clone();
        (self.point, self.write_calls, self.calls, self.writes) = (0, 0, 0, 0);
    }

    /// A point at which the worker may die, and people do something.
    pub fn point(&mut self) -> Result<(), Stop> {
        self.tick(37);
        let point = self.point;
        self.point += 1;
        let meanwhile: Vec<Event> =
            self.faults.meanwhile.iter().filter(|(at, _)| *at == point).map(|(_, event)| event.clone()).collect();
        meanwhile.iter().for_each(|event| self.happens(event));
        if self.faults.dies_at == Some(point) { Err(Stop::Died) } else { Ok(()) }
    }

    /// A call that reads.
    pub fn reads<T>(&mut self, read: impl FnOnce(&World) -> T) -> Result<T, Stop> {
        self.point()?;
        self.calls += 1;
        let answer = read(self);
        self.point()?;
        Ok(answer)
    }

    /// A call that writes; of each record the image after, or `None` where it is refused.
    pub fn writes(&mut self, crm: usize, writes: &[Write]) -> Result<Vec<Option<CrmRecord>>, Stop> {
        self.point()?;
        self.calls += 1;
        let number = self.write_calls;
        self.write_calls += 1;
        let fault = self.faults.writes.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault);
        if fault.is_some() {
            self.oracle.troubles += 1;
        }
        let now = self.now;
        match fault {
            Some(Fault::Fails) => return Err(Stop::Failed),
            Some(Fault::Late(by)) => {
                let stamp = now + by;
                // A create that comes to pass late, and an emptying that does, cannot be told from other people's doing by what a
                // link remembers: they fail here.
                let is_told =
                    |write: &&Write| write.id.is_some() && write.fields.iter().all(|(_, value)| value.is_some());
                let awaited = writes.iter().filter(is_told).map(|write| super::sides::Awaited {
                    at: now + by,
                    stamp,
                    what: Change::Write(write.clone()),
                });
                self.crms[crm].awaited.extend(awaited);
                return Err(Stop::Failed);
            }
            _ => {}
        }
        let refuses = fault == Some(Fault::Refuses);
        let mut answers = Vec::new();
        for (number, write) in writes.iter().enumerate() {
            let is_refused = refuses && number == 0;
            let image = if is_refused { None } else { self.crms[crm].write(write, now) };
            let linked = write.id.and_then(|id| self.connections[crm].by_crm(id));
            let app = write.external.or(linked.and_then(|link| self.connections[crm].links[link].app));
            if let (Some(image), Some(app)) = (&image, app) {
                (0..FIELDS).for_each(|field| self.compared(crm, app, image.id, field));
            }
            answers.push(image);
        }
        if fault == Some(Fault::Lost) {
            return Err(Stop::Failed);
        }
        self.point()?;
        Ok(answers)
    }
}
