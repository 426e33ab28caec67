//! Keeps its own record of what was entered, and says which promise of `sync.md` was not kept. Never reads a base.

use std::collections::{BTreeMap, BTreeSet};

use crosstie::model::ConflictPolicy;
use crosstie::sync::{Value, same_meaning};

use super::engine::KINDS;
use super::event::{CRMS, FIELDS, Place};
use super::sides::NAMES;
use super::store::State;
use super::world::World;

/// What was entered, and when.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Oracle {
    /// Counts what people do: the moment.
    pub now: u32,
    entries: BTreeMap<(Place, usize, usize), Vec<(u32, Value)>>,
    /// How many records of a mark there may be on each side: one, and those that people doubled.
    made: BTreeMap<u32, usize>,
    deleted: BTreeSet<(Place, u32)>,
    /// What all sides agreed on when every connection had looked at every edit, by app record and field.
    settled: BTreeMap<(usize, usize), (u32, Value)>,
    /// When the app and a CRM last agreed, as seen after a write, and on what.
    met: BTreeMap<(usize, usize, usize), (u32, Value)>,
    decided: BTreeMap<(usize, usize, usize), u32>,
    /// Fields of CRM records that a call overwrote when nobody waited for it any more.
    overrun: BTreeMap<(usize, usize, usize), u32>,
    written: BTreeMap<(Place, usize, usize), u32>,
    /// When the last whole run of each connection began.
    began: [u32; CRMS],
    /// Changes of settings, and calls that went wrong: each may cause one more write of a field.
    pub settings: u32,
    pub troubles: u32,
    /// The CRM whose records are being written.
    pub is_sending: Option<usize>,
    /// Promises that were broken.
    pub breaches: Vec<String>,
}

impl Oracle {
    /// Somebody makes a record. `again`: there is one of its mark already, or the engine is making it, so that this is a double.
    pub fn made(&mut self, mark: u32, again: bool) {
        self.now += 1;
        let most = self.made.entry(mark).or_insert(1);
        *most += usize::from(again);
    }

    pub fn entered(&mut self, side: Place, record: usize, field: usize, value: Value) {
        self.now += 1;
        self.entries.entry((side, record, field)).or_default().push((self.now, value));
    }

    pub fn deleted(&mut self, side: Place, mark: u32) {
        self.now += 1;
        self.deleted.insert((side, mark));
    }

    pub fn was_deleted(&self, mark: u32) -> bool {
        self.deleted.iter().any(|(_, of)| *of == mark)
    }

    pub fn decided(&mut self, crm: usize, app: usize, field: usize) {
        self.now += 1;
        self.decided.insert((crm, app, field), self.now);
        self.settings += 1;
    }

    /// A call that nobody waits for any more overwrites what somebody may have entered there.
    pub fn overrun(&mut self, crm: usize, id: usize, fields: &[(usize, Value)]) {
        self.now += 1;
        let entered = fields.iter().map(|(field, _)| (crm, id, *field));
        let entered = entered.filter(|(crm, id, field)| self.entries.contains_key(&(Place::Crm(*crm), *id, *field)));
        self.overrun.extend(entered.map(|place| (place, self.now)));
    }

    /// Whether that happened to a field after a moment.
    fn is_overrun(&self, place: (Place, usize, usize), since: u32) -> bool {
        let Place::Crm(crm) = place.0 else { return false };
        self.overrun.get(&(crm, place.1, place.2)).is_some_and(|at| *at > since)
    }

    /// A connection's run that began at a moment has ended.
    pub fn ran(&mut self, crm: usize, began: u32) {
        self.began[crm] = began;
    }

    /// The last value that somebody entered after a moment.
    fn last(&self, place: (Place, usize, usize), since: u32) -> Option<&(u32, Value)> {
        self.entries.get(&place)?.last().filter(|(at, _)| *at > since)
    }
}

impl World {
    /// The engine is about to write a field: may it?
    pub fn check_write(&mut self, crm: usize, to: Place, app: usize, id: usize, field: usize) {
        let (oracle, connection) = (&self.oracle, &self.connections[crm]);
        let direction = connection.directions[field];
        let goes = if to == Place::App { direction.pulls() } else { direction.pushes() };
        let what = format!("{} of {app} on connection {crm}", NAMES[field]);
        let met = oracle.met.get(&(crm, app, field));
        let since = met.map_or(0, |(at, _)| *at);
        let places = [(Place::App, app, field), (Place::Crm(crm), id, field)];
        let values = [&self.app.records[app].fields[field], &self.crms[crm].records[id].now.fields[field]];
        // Entered since both agreed, and still there: whoever is back at what both had has changed nothing.
        let is_edited = |side: usize| {
            let is_there =
                oracle.last(places[side], since).is_some_and(|last| same_meaning(KINDS[field], &last.1, values[side]));
            let is_news = met.is_none_or(|(_, met)| !same_meaning(KINDS[field], met, values[side]));
            // Two may have emptied a field and never known of each other.
            is_there && is_news && values[side].is_some()
        };
        let is_torn = is_edited(0) && is_edited(1) && !same_meaning(KINDS[field], values[0], values[1]);
        let entered =
            places.iter().filter_map(|place| oracle.last(*place, since)).map(|(at, _)| *at).max().unwrap_or(0);
        let is_decided = oracle.decided.get(&(crm, app, field)).is_some_and(|at| *at > entered);
        let is_both_ways = direction.pulls() && direction.pushes();
        // What the CRM holds by now the engine need not know yet.
        let link = connection.by_crm(id).and_then(|link| connection.links[link].seen.as_ref());
        let is_seen = link.is_some_and(|seen| seen.fields[field] == *values[1]);
        let must_ask =
            is_seen && connection.policy == ConflictPolicy::ManualReview && is_both_ways && is_torn && !is_decided;
        let mut breaches = Vec::new();
        if !goes {
            breaches.push(format!("{what} was written against its direction"));
        }
        if must_ask && !oracle.is_overrun(places[1], since) {
            breaches.push(format!("{what}: nobody was asked before {to:?} was written: {values:?}"));
        }
        self.oracle.breaches.extend(breaches);
    }

    /// The engine has written a field.
    pub fn noted(&mut self, crm: usize, to: Place, app: usize, id: usize, field: usize) {
        self.compared(crm, app, id, field);
        *self.oracle.written.entry((to, app, field)).or_default() += 1;
    }

    /// The engine has looked at both sides of a field.
    pub fn compared(&mut self, crm: usize, app: usize, id: usize, field: usize) {
        let values = (&self.app.records[app].fields[field], &self.crms[crm].records[id].now.fields[field]);
        if same_meaning(KINDS[field], values.0, values.1) {
            self.oracle.met.insert((crm, app, field), (self.oracle.now, values.0.clone()));
        }
    }

    /// Marks of records that somebody deleted somewhere: what becomes of their fields is the deletes' affair.
    fn is_troubled(&self, mark: u32) -> bool {
        self.oracle.was_deleted(mark)
    }

    /// Holds the promises against what was entered. `at_rest`: everybody has stopped, and the engine finds nothing more.
    pub fn check(&mut self, at_rest: bool) {
        for app in 0..self.app.records.len() {
            let links: Vec<Vec<usize>> = (0..CRMS).map(|crm| self.links_of(crm, app)).collect();
            if links.iter().any(|links| links.len() > 1) {
                self.oracle.breaches.push(format!("{app} has two partners: {links:?}"));
            }
            let mark = self.app.records[app].mark;
            if self.is_troubled(mark) {
                continue;
            }
            let ids: Vec<usize> = (0..CRMS).filter_map(|crm| self.partner(crm, *links[crm].first()?)).collect();
            if ids.len() == CRMS {
                (0..FIELDS).for_each(|field| self.check_field(app, &ids, field, at_rest));
            } else if at_rest && self.oracle.made[&mark] == 1 {
                self.oracle.breaches.push(format!("{app} has no partner in each CRM: {links:?}"));
            }
        }
        if at_rest {
            self.check_numbers();
            self.check_deletes();
            self.check_rest();
        }
    }

    fn links_of(&self, crm: usize, app: usize) -> Vec<usize> {
        let links = self.connections[crm].links.iter().enumerate();
        links.filter(|(_, link)| link.app == Some(app)).map(|(number, _)| number).collect()
    }

    fn partner(&self, crm: usize, link: usize) -> Option<usize> {
        let link = &self.connections[crm].links[link];
        link.crm.filter(|_| link.state == State::Linked)
    }

    fn check_field(&mut self, app: usize, ids: &[usize], field: usize, at_rest: bool) {
        let places: Vec<(Place, usize, usize)> = std::iter::once((Place::App, app, field))
            .chain(ids.iter().enumerate().map(|(crm, id)| (Place::Crm(crm), *id, field)))
            .collect();
        let values: Vec<Value> = std::iter::once(self.app.records[app].fields[field].clone())
            .chain(ids.iter().enumerate().map(|(crm, id)| self.crms[crm].records[*id].now.fields[field].clone()))
            .collect();
        let agree = values[1..].iter().all(|value| same_meaning(KINDS[field], &values[0], value));
        let is_told = (0..CRMS).any(|crm| {
            let link = self.links_of(crm, app).first().map(|link| &self.connections[crm].links[*link]);
            link.is_some_and(|link| link.asks[field].is_some() || link.failed)
        });
        let what = format!("{} of {app}", NAMES[field]);
        if !agree && !is_told && at_rest {
            self.oracle.breaches.push(format!("{what} disagrees at rest: {values:?}"));
        }
        let looked = self.oracle.began.iter().min().copied().unwrap_or(0);
        let is_looked_at = places.iter().all(|place| self.oracle.last(*place, looked).is_none());
        if !agree || is_told || !(at_rest || is_looked_at) {
            return;
        }
        let since = self.oracle.settled.get(&(app, field)).map_or(0, |(at, _)| *at);
        if places.iter().any(|place| self.oracle.is_overrun(*place, since)) {
            return;
        }
        let broken = self.lost(app, field, &places, &values[0]);
        self.oracle.breaches.extend(broken.map(|broken| format!("{what}: {broken}")));
        let now = self.oracle.now;
        self.oracle.settled.insert((app, field), (now, values[0].clone()));
        for crm in 0..CRMS {
            self.oracle.met.insert((crm, app, field), (now, values[0].clone()));
        }
    }

    /// Whether the last value that somebody entered has got lost: all sides agree on another, and nothing tells.
    fn lost(&self, app: usize, field: usize, places: &[(Place, usize, usize)], value: &Value) -> Option<String> {
        let settled = self.oracle.settled.get(&(app, field));
        let since = settled.map_or(0, |(at, _)| *at);
        let last: Vec<&(u32, Value)> = places.iter().filter_map(|place| self.oracle.last(*place, since)).collect();
        let is = |other: &Value| same_meaning(KINDS[field], other, value);
        if last.is_empty() {
            let before = settled.map_or(&None, |(_, before)| before);
            return (!is(before)).then(|| format!("nobody has touched {before:?}, and it is {value:?}"));
        }
        let is_decided = (0..CRMS).any(|crm| self.oracle.decided.get(&(crm, app, field)).is_some_and(|at| *at > since));
        if !last.iter().any(|(_, entered)| is(entered)) && !is_decided {
            return Some(format!("it is {value:?}, which nobody has entered last: {last:?}"));
        }
        let tells = |entered: &Value| {
            let rows = self.connections.iter().flat_map(|connection| &connection.journal);
            let mut rows = rows.filter(|row| row.record == app && row.field == field);
            rows.any(|row| same_meaning(KINDS[field], &row.value, entered))
        };
        let lost = places.iter().filter_map(|place| self.oracle.last(*place, since));
        let mut lost = lost.filter(|(_, entered)| entered.is_some() && !is(entered) && !tells(entered));
        lost.next().map(|(_, entered)| format!("{entered:?} was overwritten by {value:?}, and nothing tells"))
    }

    /// Records are neither doubled nor gone.
    fn check_numbers(&mut self) {
        for (mark, most) in self.oracle.made.clone() {
            let here = self.app.records.iter().filter(|row| row.mark == mark && row.deleted_at.is_none()).count();
            let there = self.crms.iter().map(|crm| crm.by_mark(mark).len());
            let counts: Vec<usize> = std::iter::once(here).chain(there).collect();
            let is_troubled = self.is_troubled(mark);
            let is_gone = !is_troubled && counts.contains(&0);
            if is_gone || counts.iter().any(|count| *count > most) {
                self.oracle.breaches.push(format!("mark {mark} may be there {most} times and is {counts:?} times"));
            }
        }
    }

    /// Nothing was deleted but what somebody deleted, or an option carried over.
    fn check_deletes(&mut self) {
        let by = |place: Place, mark: u32| self.oracle.deleted.contains(&(place, mark));
        let mut breaches = Vec::new();
        for row in self.app.records.iter().filter(|row| row.deleted_at.is_some()) {
            let carried = (0..CRMS).any(|crm| self.connections[crm].deletes_here && by(Place::Crm(crm), row.mark));
            let cascaded =
                (0..CRMS).any(|crm| self.connections[crm].deletes_here && self.connections[crm].deletes_there);
            let is_caused = by(Place::App, row.mark) || carried || (cascaded && self.is_troubled(row.mark));
            if !is_caused {
                breaches.push(format!("the app's record of mark {} was deleted by nobody", row.mark));
            }
        }
        for (crm, of) in self.crms.iter().enumerate() {
            for stored in of.records.iter().filter(|stored| stored.now.deleted) {
                let mark = stored.now.mark;
                let is_gone_here = self.app.records.iter().any(|row| row.mark == mark && row.deleted_at.is_some());
                if !(by(Place::Crm(crm), mark) || self.connections[crm].deletes_there && is_gone_here) {
                    breaches.push(format!("the record of mark {mark} in CRM {crm} was deleted by nobody"));
                }
            }
        }
        self.oracle.breaches.extend(breaches);
    }

    /// No intent is open, and no field was written more often than somebody caused it.
    fn check_rest(&mut self) {
        let mut breaches = Vec::new();
        for (crm, connection) in self.connections.iter().enumerate() {
            breaches
                .extend(connection.intents.iter().map(|intent| format!("an intent is open in CRM {crm}: {intent:?}")));
        }
        let entries = |app: usize, field: usize| -> u32 {
            let ids = (0..CRMS).map(|crm| {
                let link = self.links_of(crm, app).first().copied();
                link.and_then(|link| self.connections[crm].links[link].crm).map(|id| (Place::Crm(crm), id, field))
            });
            let places = ids.flatten().chain([(Place::App, app, field)]);
            places.map(|place| self.oracle.entries.get(&place).map_or(0, |entries| entries.len() as u32)).sum()
        };
        for ((place, app, field), count) in &self.oracle.written {
            let most = 2 + entries(*app, *field) + self.oracle.settings + self.oracle.troubles;
            if *count > most && !self.is_troubled(self.app.records[*app].mark) {
                breaches
                    .push(format!("{} of {app} was written {count} times to {place:?}, caused {most}", NAMES[*field]));
            }
        }
        self.oracle.breaches.extend(breaches);
    }
}
