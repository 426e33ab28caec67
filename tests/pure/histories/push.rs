//! The way into the CRM: intent first, then the call, then the outcome with the new base; and what a death or a lost answer has
//! left open.

use std::collections::BTreeSet;

use crosstie::model::{Side, SyncDirection};
use crosstie::sync::{CrmWriteBase, DeleteDecision, base_after_crm_write, decide_delete, same, same_meaning};

use super::engine::{KINDS, field_of};
use super::event::{FIELDS, Place};
use super::mutant::Mutant;
use super::sides::{CrmRecord, Write};
use super::store::{Intent, Link, Overwritten, State};
use super::world::{Stop, World};

/// Records of one call.
const BATCH: usize = 3;

impl World {
    /// Carries over what has changed in the app and what is due.
    pub fn push(&mut self, crm: usize) -> Result<(), Stop> {
        let mut records: BTreeSet<usize> =
            self.app.pending.iter().filter(|pending| pending.crm == crm).map(|pending| pending.record).collect();
        records.extend(self.connections[crm].links.iter().filter(|link| link.due).filter_map(|link| link.app));
        let records: Vec<usize> = records.into_iter().collect();
        for batch in records.chunks(BATCH) {
            self.push_batch(crm, batch)?;
        }
        Ok(())
    }

    fn push_batch(&mut self, crm: usize, batch: &[usize]) -> Result<(), Stop> {
        self.oracle.is_sending = Some(crm);
        let done = self.push_quietly(crm, batch);
        self.oracle.is_sending = None;
        done
    }

    fn push_quietly(&mut self, crm: usize, batch: &[usize]) -> Result<(), Stop> {
        let looks_up = !self.is(Mutant::CreateWithoutKeyLookup);
        let readings: Vec<(usize, Option<usize>, Vec<CrmRecord>)> = self.reads(|world| {
            let read = |record: &usize| {
                let link = world.connections[crm].by_app(*record);
                let id = link.and_then(|link| world.connections[crm].links[link].crm);
                let found = match id {
                    Some(id) => world.crms[crm].read(id).into_iter().collect(),
                    None if looks_up && link.is_none() => world.crms[crm].by_mark(world.app.records[*record].mark),
                    None => Vec::new(),
                };
                (*record, id, found)
            };
            batch.iter().map(read).collect()
        })?;
        self.point()?;
        let mut intents = Vec::new();
        for (record, id, found) in readings {
            let pending: Vec<u64> =
                self.app.pending.iter().filter(|of| of.crm == crm && of.record == record).map(|of| of.id).collect();
            match self.plans(crm, record, id, &found, pending.clone()) {
                Plan::Sends(intent) => intents.push(intent),
                Plan::Settled => self.forget_pending(&pending),
                Plan::Waits => {}
            }
        }
        if intents.is_empty() {
            return self.point();
        }
        if self.is(Mutant::PendingBeforeCall) {
            for intent in &intents {
                self.forget_pending(&intent.pending);
                self.connections[crm].links[intent.link].due = false;
            }
        }
        if !self.is(Mutant::IntentAfterCall) {
            self.connections[crm].intents.extend(intents.iter().cloned());
        }
        if !self.is(Mutant::JournalForgotten) {
            let of = |intent: &Intent| {
                let record = intent.record;
                let fields = intent.fields.iter().map(move |(field, before, ..)| (record, *field, before.clone()));
                fields.map(|(record, field, value)| Overwritten { record, field, value }).collect::<Vec<_>>()
            };
            self.connections[crm].journal.extend(intents.iter().flat_map(of));
        }
        self.point()?;
        let writes: Vec<Write> = intents.iter().map(|intent| self.write_of(crm, intent)).collect();
        let answers = self.writes(crm, &writes)?;
        self.point()?;
        for (intent, answer) in intents.iter().zip(answers) {
            self.outcome(crm, intent, answer.as_ref());
        }
        self.connections[crm].intents.retain(|open| !intents.contains(open));
        self.point()
    }

    fn plans(&mut self, crm: usize, record: usize, id: Option<usize>, found: &[CrmRecord], pending: Vec<u64>) -> Plan {
        let is_deleted = self.app.records[record].deleted_at.is_some();
        let Some(number) = self.connections[crm].by_app(record) else {
            if is_deleted {
                return Plan::Settled;
            }
            if !found.is_empty() {
                // Its partner is there already: the two meet.
                found.iter().for_each(|found| self.takes(crm, found, true));
                return Plan::Waits;
            }
            self.connections[crm].links.push(Link::new(Some(record), None, State::Creating));
            let number = self.connections[crm].links.len() - 1;
            return self.creates_there(crm, record, number, pending);
        };
        if let (Some(id), [], State::Linked | State::NotVisible) =
            (id, found, self.connections[crm].links[number].state)
        {
            return self.not_found(crm, number, id);
        }
        if let [found] = found {
            self.takes(crm, found, true);
        }
        match self.connections[crm].links[number].state {
            State::Creating if is_deleted => Plan::Settled,
            State::Creating => self.creates_there(crm, record, number, pending),
            State::Linked if is_deleted => self.app_deleted(crm, record, number, pending),
            State::Linked => self.updates(crm, record, number, pending),
            State::NotVisible => Plan::Waits,
            State::Stranger | State::GoneCrm | State::GoneApp => {
                self.connections[crm].links[number].due = false;
                Plan::Settled
            }
        }
    }

    /// An id that answers nothing is not visible, which is no delete.
    fn not_found(&mut self, crm: usize, number: usize, id: usize) -> Plan {
        if self.is(Mutant::AbsenceIsDelete) {
            let link = &mut self.connections[crm].links[number];
            link.crm = Some(id);
            self.crm_deleted(crm, number);
            return Plan::Settled;
        }
        self.connections[crm].links[number].state = State::NotVisible;
        Plan::Waits
    }

    fn creates_there(&mut self, crm: usize, record: usize, number: usize, pending: Vec<u64>) -> Plan {
        let row = &self.app.records[record];
        let connection = &self.connections[crm];
        let goes = |field: &usize| connection.directions[*field].pushes() && !connection.unobserved[*field];
        let value = |field: usize| (field, None, row.fields[field].clone(), row.fields[field].clone());
        let fields = (0..FIELDS).filter(goes).map(value).collect();
        Plan::Sends(Intent { link: number, record, fields, creates: true, deletes: false, pending })
    }

    fn app_deleted(&mut self, crm: usize, record: usize, number: usize, pending: Vec<u64>) -> Plan {
        let connection = &self.connections[crm];
        let link = &connection.links[number];
        let Some(seen) = link.seen.clone() else { return Plan::Waits };
        let differs = |field: usize| {
            link.base[field].as_ref().is_none_or(|base| !same(KINDS[field], &base.crm, &seen.fields[field]))
        };
        let is_edited = (0..FIELDS).any(differs);
        let option = connection.deletes_there || self.is(Mutant::DeleteOptionIgnored);
        let (edited_at, deleted_at) = (Some(seen.stamp), self.app.records[record].deleted_at);
        let direction = SyncDirection::Bidirectional;
        let decided = decide_delete(Side::App, option, is_edited, edited_at, deleted_at, connection.policy, direction);
        if decided == DeleteDecision::DeleteCrm {
            return Plan::Sends(Intent {
                link: number,
                record,
                fields: Vec::new(),
                creates: false,
                deletes: true,
                pending,
            });
        }
        let link = &mut self.connections[crm].links[number];
        (link.state, link.due) = (State::GoneApp, false);
        Plan::Settled
    }

    fn updates(&mut self, crm: usize, record: usize, number: usize, pending: Vec<u64>) -> Plan {
        let sends = match self.decision(crm, number) {
            Some((decision, _)) => decision.to_crm,
            None => return Plan::Waits,
        };
        if sends.is_empty() {
            let link = &mut self.connections[crm].links[number];
            (link.due, link.failed) = (false, false);
            return Plan::Settled;
        }
        let fields = sends
            .into_iter()
            .map(|set| {
                let field = field_of(&set.app_field);
                (field, set.before, set.after, self.app.records[record].fields[field].clone())
            })
            .collect();
        Plan::Sends(Intent { link: number, record, fields, creates: false, deletes: false, pending })
    }

    fn write_of(&mut self, crm: usize, intent: &Intent) -> Write {
        let id = self.connections[crm].links[intent.link].crm;
        for (field, ..) in &intent.fields {
            if let Some(id) = id {
                self.check_write(crm, Place::Crm(crm), intent.record, id, *field);
            }
            self.writes += 1;
        }
        Write {
            id,
            external: (intent.creates && !self.is(Mutant::CreateWithoutExternalId)).then_some(intent.record),
            mark: self.app.records[intent.record].mark,
            fields: intent.fields.iter().map(|(field, _, sent, _)| (*field, sent.clone())).collect(),
            deletes: intent.deletes,
        }
    }

    fn outcome(&mut self, crm: usize, intent: &Intent, image: Option<&CrmRecord>) {
        let Some(image) = image else {
            let forgets = self.is(Mutant::RefusalForgotten);
            let link = &mut self.connections[crm].links[intent.link];
            (link.failed, link.due) = (!forgets, !forgets);
            if forgets {
                self.forget_pending(&intent.pending);
            }
            return;
        };
        if self.is(Mutant::PendingNotRead) {
            self.app.pending.retain(|of| of.crm != crm);
        }
        self.forget_pending(&intent.pending);
        self.applied(crm, intent, image);
        self.connections[crm].links[intent.link].due = false;
    }

    /// A write has come to pass: what was sent is the base, as the CRM spells it.
    fn applied(&mut self, crm: usize, intent: &Intent, image: &CrmRecord) {
        let by_now = self.app.records[intent.record].fields.clone();
        let (keeps_base, from_now) = (self.is(Mutant::BaseKeptAfterCrmWrite), self.is(Mutant::BaseFromRowByNow));
        let link = &mut self.connections[crm].links[intent.link];
        link.failed = false;
        (link.crm, link.state) = (Some(image.id), State::Linked);
        if intent.deletes {
            link.state = State::GoneApp;
            return;
        }
        (link.stamp, link.seen) = (image.stamp.max(link.stamp), Some(image.clone()));
        for (field, _, sent, from) in &intent.fields {
            let from = if from_now { &by_now[*field] } else { from };
            let stored = Some(&image.fields[*field]);
            let moved = base_after_crm_write(KINDS[*field], sent, from, stored, link.base[*field].as_ref());
            if let (CrmWriteBase::Moved(base), false) = (moved, keeps_base) {
                link.base[*field] = Some(base);
            }
            link.decided[*field] = None;
        }
        intent.fields.iter().for_each(|(field, ..)| self.noted(crm, Place::Crm(crm), intent.record, image.id, *field));
    }

    /// Looks at the CRM for what became of intents that are open.
    pub fn settle(&mut self, crm: usize) -> Result<(), Stop> {
        if self.connections[crm].intents.is_empty() {
            return Ok(());
        }
        let open = self.connections[crm].intents.clone();
        let has_external = !self.is(Mutant::CreateWithoutExternalId);
        let found: Vec<Option<CrmRecord>> = self.reads(|world| {
            let look = |intent: &Intent| match world.connections[crm].links[intent.link].crm {
                Some(id) => world.crms[crm].read(id),
                None => world.crms[crm].by_external(intent.record).filter(|_| has_external),
            };
            open.iter().map(look).collect()
        })?;
        self.point()?;
        let unseen = self.is(Mutant::SentAgainUnseen);
        for (intent, found) in open.iter().zip(found) {
            let is_there = |found: &CrmRecord| match (intent.creates, intent.deletes) {
                (true, _) => true,
                (_, true) => found.deleted,
                _ => intent
                    .fields
                    .iter()
                    .all(|(field, _, sent, _)| same_meaning(KINDS[*field], sent, &found.fields[*field])),
            };
            match found.filter(is_there).filter(|_| !unseen) {
                Some(found) => self.applied(crm, intent, &found),
                None if !unseen => self.may_be_late(crm, intent),
                None => {}
            }
            // Edits made meanwhile, on either side, merge against that base.
            self.connections[crm].links[intent.link].due = self.mutant != Some(Mutant::PendingBeforeCall);
        }
        self.connections[crm].intents.clear();
        self.point()
    }

    /// It was not applied, and may be yet.
    fn may_be_late(&mut self, crm: usize, intent: &Intent) {
        let link = &mut self.connections[crm].links[intent.link];
        for (field, _, sent, _) in &intent.fields {
            if sent.is_some() && !intent.creates {
                link.late[*field].push(sent.clone());
            }
        }
    }

    fn forget_pending(&mut self, ids: &[u64]) {
        self.app.pending.retain(|of| !ids.contains(&of.id));
    }
}

/// What is to be done about one record.
enum Plan {
    /// A write, announced first.
    Sends(Intent),
    /// Nothing is left to do: its pending rows may go.
    Settled,
    /// It waits, and so do its rows.
    Waits,
}
