//! One transaction's worth of decisions: app rows, links, journal, conflicts, counters. All or nothing, but that a row
//! which Postgres refuses fails alone.

mod app_writes;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use app_writes::{AppWrite, WrittenField, set};

use super::context::{EntityContext, Field};
use super::edit_times;
use super::run::StepError;
use super::sweeps;
use super::translate::{Pair, Translated};
use crate::model::{ChangeAction, ConflictKind, LinkState, LogDirection, Side};
use crate::security::Rng;
use crate::store::app_rows::RowWrite;
use crate::store::changes::{self, FieldChange, NewChange};
use crate::store::links::{self, FieldChoice, LinkFailure, LinkWrite, StoredLink};
use crate::store::questions::{self, Question};
use crate::store::runs::{self, Counters, StoredRun};
use crate::store::{StoreError, WorkspaceTx, pending};
use crate::sync::{Assignment, Decision, FieldConflict, FieldState, MappedField, Note, Record, Rule, Value, merge};

/// Decisions of one step for one entity, to be carried out in one transaction.
pub(crate) struct Batch<'a> {
    context: &'a EntityContext,
    rng: &'a dyn Rng,
    app_writes: Vec<AppWrite>,
    links: Vec<LinkWrite>,
    changes: Vec<(LogDirection, NewChange)>,
    questions: Vec<Question>,
    agreed_links: Vec<Uuid>,
    settled_changes: Vec<i64>,
    counters: [Counters; 2],
    empties: bool,
}

/// What a merge leaves for the CRM.
pub(crate) struct Merged {
    /// The link that the values go through.
    pub link_id: Uuid,
    /// Values to write into the CRM.
    pub to_crm: Vec<Assignment>,
    /// Why other fields cannot go along.
    pub failure: Option<LinkFailure>,
}

impl<'a> Batch<'a> {
    /// An empty batch.
    pub(crate) fn new(context: &'a EntityContext, rng: &'a dyn Rng) -> Self {
        Batch {
            context,
            rng,
            app_writes: Vec::new(),
            links: Vec::new(),
            changes: Vec::new(),
            questions: Vec::new(),
            agreed_links: Vec::new(),
            settled_changes: Vec::new(),
            counters: [Counters::default(); 2],
            empties: false,
        }
    }

    /// The counters of one direction's log.
    pub(crate) fn counters(&mut self, direction: LogDirection) -> &mut Counters {
        &mut self.counters[usize::from(direction == LogDirection::Push)]
    }

    /// Removes these edits from the waiting ones: their outcome is in this batch. In a run that does not push they stay.
    pub(crate) fn settle_changes(&mut self, change_ids: &[i64]) {
        if self.context.keeps_app_edits {
            return;
        }
        self.settled_changes.extend_from_slice(change_ids);
    }

    /// Writes a link.
    pub(crate) fn write_link(&mut self, link: LinkWrite) {
        self.links.push(link);
    }

    /// Takes back the last link's write where it would only become due: the intent of its write into the CRM, stored in the
    /// same transaction, finds it again after a death.
    pub(crate) fn spare_due(&mut self, stored: &StoredLink) {
        self.links.pop_if(|link| *link == LinkWrite { due: true, ..stored.to_write() });
    }

    /// Adds a journal row.
    pub(crate) fn journal(&mut self, direction: LogDirection, change: NewChange) {
        self.changes.push((direction, change));
    }

    /// Raises a question.
    pub(crate) fn ask(&mut self, question: Question) {
        self.questions.push(question);
    }

    /// Merges a linked pair. Values for the app are written by this batch; those for the CRM are returned.
    pub(crate) fn merge_linked(&mut self, pair: &Pair, translated: Translated, stamps: Option<CrmStamps>) -> Merged {
        let Some(stored) = &pair.link else {
            return Merged { link_id: Uuid::nil(), to_crm: Vec::new(), failure: None };
        };
        let inputs: Vec<(&MappedField, FieldState)> =
            self.context.fields.iter().map(|field| &field.mapped).zip(translated.states.iter().cloned()).collect();
        let mut decision = merge(&inputs, &self.context.merge);
        edit_times::name_grain(self.context, pair, &mut decision);
        let mut link = stored.to_write();
        link.base.extend(decision.new_base.iter().cloned());
        link.seen = decision.seen.iter().cloned().collect();
        link.seen.extend(translated.waiting.clone());
        sweeps::hold_back(self.context, &translated.states, &mut decision, &mut link, pair.crm.is_none());
        let rests = decision.notes.iter().any(|note| matches!(note, Note::Rests { .. }));
        let kept = self.context.is_narrower() && (stored.due || rests);
        link.due = translated.waits || kept || !decision.to_crm.is_empty();
        let decided = decided(pair, &self.context.fields);
        let open = still_open(&decided, &decision);
        // A decision's base is not the link's: what the CRM holds is known from here until it is carried out.
        link.seen.extend(open.iter().map(|(field, choice)| (field.clone(), choice.crm.clone())));
        let mut waiting = stored.put_backs();
        link.due |= !waiting.is_empty();
        waiting.extend(open);
        link.decision = Some(waiting).filter(|waiting| !waiting.is_empty());
        link.state = LinkState::Linked;
        if let Some(stamps) = stamps {
            link.crm_modified_at = Some(stamps.modified_at);
            link.crm_edited_at = Some(stamps.edited_at);
        }
        let failed = self.note_failures(pair, &decision, &mut link);
        self.note_conflicts(pair, &link, &decision);
        self.empties |= decision.to_app.iter().any(|set| set.after.is_none() && set.before.is_some());
        let to_app = with_decided_values(pair, &self.context.fields, decision.to_app);
        let pull = self.counters(LogDirection::Pull);
        match (failed == Some(Side::App), to_app.is_empty()) {
            (true, true) => pull.failed += 1,
            (_, false) => {}
            (false, true) if pair.crm.is_some() => pull.skipped += 1,
            (false, true) => {}
        }
        if !link.held_fields.is_empty() && link.failure.is_none() {
            link.failure = stored.failure.clone();
        }
        let is_settled = !link.due
            && link.failure.is_none()
            && link.guarded.is_empty()
            && decision.conflicts.iter().all(|conflict| conflict.decided.is_some());
        if is_settled && !self.context.keeps_crm_edits && self.context.has_left(pair) {
            // What took it out is carried over by this batch; from here it rests.
            link.state = LinkState::OutOfScope;
        }
        let failure = link.failure.clone().filter(|_| failed.is_some());
        let link_id = link.id;
        if let (false, Some(app)) = (to_app.is_empty(), &pair.app) {
            self.update_app(app, link, to_app, &translated, &decided);
        } else {
            self.links.push(link);
        }
        Merged { link_id, to_crm: decision.to_crm, failure }
    }

    /// Creates the app record of a CRM record that has no partner, from its app-form values.
    /// `link_id` is the link's that it goes through.
    pub(crate) fn create_in_app(
        &mut self,
        link_id: Uuid,
        crm_id: &str,
        form: &Record,
        translated: &Translated,
        stamps: CrmStamps,
    ) {
        let record_id = self.rng.uuid();
        let link = LinkWrite {
            record_id: Some(record_id),
            due: translated.waits,
            seen: translated.waiting.clone(),
            ..new_link(link_id, LinkState::Linked, crm_id, Some(stamps))
        };
        let mut fields = Vec::new();
        let mut journal = Vec::new();
        let mut columns = Record::new();
        let mut custom = Record::new();
        for (field, state) in self.context.fields.iter().zip(&translated.states) {
            if !field.mapped.direction.pulls() {
                continue;
            }
            let (Some(crm), Some(value)) = (&state.crm, form.get(&field.mapped.app_field)) else { continue };
            let app_field = field.mapped.app_field.clone();
            if value.is_some() {
                set(&mut columns, &mut custom, &app_field, value.clone());
                journal.push(field_change(&app_field, &app_field, &None, value, Rule::CreatedFromCrm.as_str()));
            }
            fields.push(WrittenField { app_field, crm_value: crm.clone(), written: value.clone() });
        }
        let change = NewChange {
            link_id: Some(link.id),
            record_id: Some(record_id),
            crm_record_id: Some(crm_id.to_owned()),
            side: Side::App,
            action: ChangeAction::Create,
            state: "done",
            fields: journal,
            refusal: None,
        };
        let row = RowWrite { id: record_id, columns, custom, field_changed_at: Default::default() };
        self.app_writes.push(AppWrite { row, is_new: true, link, decided: BTreeMap::new(), fields, change });
    }

    /// Notes that a record could not be handled, on its link and in the journal.
    pub(crate) fn fail(&mut self, direction: LogDirection, mut link: LinkWrite, failure: LinkFailure) {
        self.journal(direction, refused_change(&link, &failure));
        self.counters(direction).failed += 1;
        link.failure = Some(failure);
        link.due = false;
        self.links.push(link);
    }

    /// Refuses to empty a field of the app by a description from before the run: the CRM may have stopped showing it.
    pub(crate) fn check_emptying(&self) -> Result<(), StepError> {
        let is_known = self.context.is_described || !self.empties;
        if is_known { Ok(()) } else { Err(StepError::Empties(self.context.entity)) }
    }

    /// Carries everything out. The caller's transaction already holds the rows of [`Pair::app`] locked.
    pub(crate) async fn commit(
        mut self,
        tx: &mut WorkspaceTx,
        run: &StoredRun,
        keep_logs: bool,
    ) -> Result<Vec<(LogDirection, Uuid)>, StoreError> {
        self.write(tx, run).await?;
        self.write_logs(tx, run, keep_logs).await
    }

    /// The records' share of [`Batch::commit`]: rows, links, questions, edits that are settled.
    pub(crate) async fn write(&mut self, tx: &mut WorkspaceTx, run: &StoredRun) -> Result<(), StoreError> {
        let writes = std::mem::take(&mut self.app_writes);
        if !writes.is_empty() {
            self.write_app(tx, run.config_id, writes).await?;
        }
        links::write(tx, run.config_id, self.context.entity, &self.links).await?;
        let questions = std::mem::take(&mut self.questions);
        let (new, settled) = questions::raise(tx, run.config_id, run.id, self.context.entity, &questions).await?;
        let counters = self.counters(LogDirection::Pull);
        counters.conflicts_detected += new;
        counters.conflicts_resolved += settled;
        let open = questions.iter().filter(|question| !question.settled);
        let raised_links: Vec<Uuid> = open.filter_map(|question| question.link_id).collect();
        self.agreed_links.retain(|link| !raised_links.contains(link));
        questions::close_converged(tx, &self.agreed_links).await?;
        pending::remove(tx, &self.settled_changes).await
    }

    /// The run's share of [`Batch::commit`], after [`Batch::write`]: the journal and the counters of its logs.
    pub(crate) async fn write_logs(
        &mut self,
        tx: &mut WorkspaceTx,
        run: &StoredRun,
        keep_logs: bool,
    ) -> Result<Vec<(LogDirection, Uuid)>, StoreError> {
        let mut logs = Vec::new();
        for direction in [LogDirection::Pull, LogDirection::Push] {
            let counters = *self.counters(direction);
            let has_changes = self.changes.iter().any(|(log, _)| *log == direction);
            let wanted = keep_logs && self.context.log_directions().contains(&direction);
            if counters.is_empty() && !has_changes && !wanted {
                continue;
            }
            let log_id = runs::ensure_log(tx, run, direction, self.context.entity).await?;
            self.write_journal(tx, run, direction, log_id).await?;
            runs::count(tx, log_id, &counters).await?;
            logs.push((direction, log_id));
        }
        Ok(logs)
    }

    /// Writes the journal's rows of one log, where that is not done yet; touches no row that another transaction may wait for.
    pub(crate) async fn write_journal(
        &mut self,
        tx: &mut WorkspaceTx,
        run: &StoredRun,
        direction: LogDirection,
        log_id: Uuid,
    ) -> Result<(), StoreError> {
        let of_log = self.changes.extract_if(.., |(log, _)| *log == direction);
        let changes: Vec<NewChange> = of_log.map(|(_, change)| change).collect();
        changes::add(tx, run.config_id, run.id, log_id, self.context.entity, &changes).await?;
        Ok(())
    }

    fn note_failures(&mut self, pair: &Pair, decision: &Decision, link: &mut LinkWrite) -> Option<Side> {
        let Some(first) = decision.failures.first() else {
            if decision.to_crm.is_empty() {
                link.failure = None;
            }
            return None;
        };
        let failure = LinkFailure {
            code: first.code.to_owned(),
            crm_code: None,
            message: first.message.clone(),
            side: first.side,
            fields: decision.failures.iter().map(|failure| failure.app_field.clone()).collect(),
            retryable: true,
        };
        let direction = if first.side == Side::App { LogDirection::Pull } else { LogDirection::Push };
        if pair.link.as_ref().and_then(|stored| stored.failure.as_ref()) != Some(&failure) {
            self.journal(direction, refused_change(link, &failure));
        }
        // Where values go to the CRM all the same, the push that follows meets the failure again and counts it.
        if first.side == Side::Crm && (pair.crm.is_none() || decision.to_crm.is_empty()) {
            self.counters(LogDirection::Push).failed += 1;
        }
        link.failure = Some(failure);
        Some(first.side)
    }

    fn note_conflicts(&mut self, pair: &Pair, link: &LinkWrite, decision: &Decision) {
        let (settled, open): (Vec<&FieldConflict>, Vec<&FieldConflict>) =
            decision.conflicts.iter().partition(|conflict| conflict.decided.is_some());
        if open.is_empty() {
            self.agreed_links.push(link.id);
        }
        // What the app won is told when it is written: the push that follows meets the same conflict.
        let reading = pair.crm.is_some();
        let settled = settled.into_iter().filter(|conflict| !(reading && conflict.winner == Some(Side::App))).collect();
        for (conflicts, settled) in [(open, false), (settled, true)] {
            if !conflicts.is_empty() {
                self.questions.push(field_question(pair, link, &conflicts, settled));
            }
        }
    }
}

/// Stamps of a CRM record as read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CrmStamps {
    /// Modification stamp.
    pub modified_at: DateTime<Utc>,
    /// When a person last changed it.
    pub edited_at: DateTime<Utc>,
}

impl CrmStamps {
    /// From epoch milliseconds; an impossible one counts as the epoch.
    pub(crate) fn from_ms(modified_at: i64, edited_at: i64) -> Self {
        let instant = |ms| DateTime::from_timestamp_millis(ms).unwrap_or_default();
        CrmStamps { modified_at: instant(modified_at), edited_at: instant(edited_at) }
    }
}

/// A link that is not there yet.
pub(crate) fn new_link(id: Uuid, state: LinkState, crm_id: &str, stamps: Option<CrmStamps>) -> LinkWrite {
    LinkWrite {
        id,
        record_id: None,
        crm_record_id: Some(crm_id.to_owned()),
        state,
        base: Default::default(),
        seen: Default::default(),
        crm_modified_at: stamps.map(|stamps| stamps.modified_at),
        crm_edited_at: stamps.map(|stamps| stamps.edited_at),
        failure: None,
        due: false,
        decision: None,
        pending_delete: None,
        deleted_by_engine: false,
        held_fields: Vec::new(),
        late: Default::default(),
        guarded: Default::default(),
    }
}

/// One field of a journal row.
pub(crate) fn field_change(field: &str, app_field: &str, before: &Value, after: &Value, rule: &str) -> FieldChange {
    FieldChange {
        field: field.to_owned(),
        app_field: app_field.to_owned(),
        before: before.clone(),
        after: after.clone(),
        rule: rule.to_owned(),
        from_app: None,
    }
}

/// The journal row of a record that could not be written.
pub(crate) fn refused_change(link: &LinkWrite, failure: &LinkFailure) -> NewChange {
    NewChange {
        link_id: Some(link.id),
        record_id: link.record_id,
        crm_record_id: link.crm_record_id.clone(),
        side: failure.side,
        action: ChangeAction::Update,
        state: "refused",
        fields: Vec::new(),
        refusal: Some(crate::model::RecordRefusal {
            code: failure.code.clone(),
            crm_code: failure.crm_code.clone().unwrap_or_default(),
            message: failure.message.clone(),
            fields: failure.fields.clone(),
            retryable: failure.retryable,
        }),
    }
}

fn field_question(pair: &Pair, link: &LinkWrite, conflicts: &[&FieldConflict], settled: bool) -> Question {
    let collect = |value: fn(&FieldConflict) -> &Value| -> Record {
        conflicts.iter().map(|conflict| (conflict.app_field.clone(), value(conflict).clone())).collect()
    };
    Question {
        kind: ConflictKind::Field,
        link_id: Some(link.id),
        record_id: pair.app.as_ref().map(|row| row.id).or(link.record_id),
        crm_record_id: link.crm_record_id.clone(),
        app: collect(|conflict| &conflict.app),
        crm: collect(|conflict| &conflict.crm_as_app),
        base: collect(|conflict| &conflict.base_app),
        crm_raw: collect(|conflict| &conflict.crm_raw),
        fields: conflicts.iter().map(|conflict| conflict.app_field.clone()).collect(),
        settled,
    }
}

/// What a person decided about a record's fields and that still counts.
fn decided(pair: &Pair, fields: &[Field]) -> BTreeMap<String, FieldChoice> {
    let choice = |field: &Field| Some((field.mapped.app_field.clone(), pair.choice(field)?.clone()));
    fields.iter().filter_map(choice).collect()
}

/// Decisions that the CRM's side waits for, or that could not be carried out: a failure carries its decision.
fn still_open(decided: &BTreeMap<String, FieldChoice>, decision: &Decision) -> BTreeMap<String, FieldChoice> {
    let to_crm = decision.to_crm.iter().map(|assignment| &assignment.app_field);
    let failed = decision.failures.iter().map(|failure| &failure.app_field);
    to_crm.chain(failed).filter_map(|field| Some((field.clone(), decided.get(field)?.clone()))).collect()
}

/// Values that a person put together are written into the app too.
fn with_decided_values(pair: &Pair, fields: &[Field], mut to_app: Vec<Assignment>) -> Vec<Assignment> {
    let Some(app) = &pair.app else { return to_app };
    for field in fields {
        let app_field = &field.mapped.app_field;
        let Some(choice) = pair.choice(field).filter(|choice| choice.choice == "value") else { continue };
        let before = app.fields.get(app_field).cloned().flatten();
        if before != choice.value && to_app.iter().all(|assignment| assignment.app_field != *app_field) {
            to_app.push(Assignment {
                field: app_field.clone(),
                app_field: app_field.clone(),
                before,
                after: choice.value.clone(),
                rule: Rule::Person,
                changed_at: None,
            });
        }
    }
    to_app
}
