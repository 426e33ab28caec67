//! What became of a batch of CRM writes: bases move, refusals are kept with their reason, edits that waited are settled.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use uuid::Uuid;

use super::context::EntityContext;
use super::matching::seen;
use super::position::Position;
use super::push::lost_update;
use super::run::{Step, StepError};
use crate::connectors::{ConnectorError, CrmRecord, RecordWrite, WriteImages, WriteKind, WriteOutcome};
use crate::model::{LinkState, LogDirection, RecordRefusal, Side, Stage};
use crate::store::changes::{self, Settlement};
use crate::store::links::{self, LinkFailure, LinkWrite, StoredLink};
use crate::store::pending;
use crate::store::questions::{self, Question};
use crate::store::runs::{self, Counters};
use crate::sync::{Assignment, CrmWriteBase, Record, Value, base_after_crm_write};

/// One record's write and what hangs on it.
pub(crate) struct PushItem {
    /// The journal row.
    pub intent_id: i64,
    /// The link.
    pub link_id: Uuid,
    /// The app record.
    pub record_id: Uuid,
    /// The CRM record, unless it is a create.
    pub crm_record_id: Option<String>,
    /// What is written.
    pub write: RecordWrite,
    /// The same with reasons.
    pub assignments: Vec<Assignment>,
    /// The app's values that were merged, by app field.
    pub app_values: BTreeMap<String, Value>,
    /// The edits that this settles.
    pub change_ids: Vec<i64>,
    /// A reference still has no partner.
    pub waits: bool,
    /// Fields that a person decided.
    pub decided: BTreeSet<String>,
    /// Why other fields of the record cannot go along.
    pub failure: Option<LinkFailure>,
    /// It gives the CRM back what a write of ours has overwritten unseen.
    pub puts_back: bool,
}

/// Writes the records into the CRM, a batch a call, and stores the outcome. Where a call fails, what the calls before it
/// wrote is stored all the same; the position stays, so that the others are met again.
pub(crate) async fn write_and_store(
    step: &Step,
    context: &EntityContext,
    items: Vec<PushItem>,
    fenced: i64,
    positions: (&Position, &Position),
    records: usize,
) -> Result<Position, StepError> {
    let (updates, creates): (Vec<PushItem>, Vec<PushItem>) =
        items.into_iter().partition(|item| matches!(item.write.kind, WriteKind::Update { .. }));
    let size = step.connector()?.batch_size();
    let mut outcomes = Vec::new();
    let mut failed = None;
    for items in [updates, creates] {
        let mut items = items.into_iter();
        while failed.is_none() {
            let batch: Vec<PushItem> = items.by_ref().take(size).collect();
            if batch.is_empty() {
                break;
            }
            failed = write_split(step, context, batch, &mut outcomes).await.err();
        }
    }
    let (Some(error), written) = (failed, outcomes.len()) else {
        let asked = ask_again(step, context, &outcomes).await?;
        return store(step, context, outcomes, asked, fenced, positions, records).await;
    };
    if written > 0 {
        let asked = ask_again(step, context, &outcomes).await?;
        store(step, context, outcomes, asked, fenced, (&step.position, &step.position), written).await?;
    }
    Err(error)
}

/// Writes one batch. A batch that the CRM refuses whole is split until the records it does not take stand alone.
async fn write_split(
    step: &Step,
    context: &EntityContext,
    batch: Vec<PushItem>,
    outcomes: &mut Vec<(PushItem, WriteOutcome)>,
) -> Result<(), StepError> {
    let mut parts = VecDeque::from([batch]);
    while let Some(mut part) = parts.pop_front() {
        match write(step, context, &part).await {
            Ok(answers) => outcomes.extend(part.into_iter().zip(answers)),
            Err(StepError::Crm(ConnectorError::Rejected { .. })) if part.len() > 1 => {
                let rest = part.split_off(part.len() / 2);
                parts.push_front(rest);
                parts.push_front(part);
            }
            Err(StepError::Crm(ConnectorError::Rejected { crm_code })) => {
                let refused = || WriteOutcome::Refused(rejected(&crm_code));
                outcomes.extend(part.into_iter().map(|item| (item, refused())));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn rejected(crm_code: &str) -> RecordRefusal {
    RecordRefusal {
        code: "rejected".to_owned(),
        crm_code: crm_code.to_owned(),
        message: "The CRM does not take this record as it is. Look at its values and at the CRM's rules, then retry."
            .to_owned(),
        fields: Vec::new(),
        retryable: true,
    }
}

async fn write(step: &Step, context: &EntityContext, items: &[PushItem]) -> Result<Vec<WriteOutcome>, StepError> {
    let writes: Vec<RecordWrite> = items.iter().map(|item| item.write.clone()).collect();
    let (writes, description) = (&writes, &context.description);
    step.call(|crm| async move { crm.connector.write(&crm.session, description, writes).await }).await
}

/// What the CRM says about records that a write met otherwise than expected.
#[derive(Default)]
struct Asked {
    /// The records that creates collided with, where the CRM named exactly one.
    duplicates: HashMap<String, CrmRecord>,
    /// Ids of records to update that answer nothing, not even that they were deleted.
    unanswered: HashSet<String>,
}

async fn ask_again(
    step: &Step,
    context: &EntityContext,
    outcomes: &[(PushItem, WriteOutcome)],
) -> Result<Asked, StepError> {
    let mut gone = HashSet::new();
    let mut ids = Vec::new();
    for (item, outcome) in outcomes {
        match (outcome, &item.crm_record_id) {
            (WriteOutcome::Duplicate { crm_ids }, None) if crm_ids.len() == 1 => ids.extend(crm_ids.iter().cloned()),
            (WriteOutcome::Gone, Some(crm_id)) => {
                gone.insert(crm_id.clone());
                ids.push(crm_id.clone());
            }
            _ => {}
        }
    }
    if ids.is_empty() {
        return Ok(Asked::default());
    }
    let (ids, fields, entity) = (&ids, &context.crm_fields(), context.entity);
    let records =
        step.call(|crm| async move { crm.connector.read_by_id(&crm.session, entity, fields, ids).await }).await?;
    let duplicates: HashMap<String, CrmRecord> =
        records.into_iter().map(|record| (record.id.clone(), record)).collect();
    let unanswered = gone.into_iter().filter(|id| !duplicates.contains_key(id)).collect();
    Ok(Asked { duplicates, unanswered })
}

/// Why a record that the CRM does not show waits for a person.
pub(crate) fn not_visible() -> LinkFailure {
    LinkFailure {
        code: "not_visible".to_owned(),
        crm_code: None,
        message:
            "The CRM no longer shows this record to the connected user, and does not say that it was deleted. Give the \
                  user access to it, then retry."
                .to_owned(),
        side: Side::Crm,
        fields: Vec::new(),
        retryable: true,
    }
}

async fn store(
    step: &Step,
    context: &EntityContext,
    outcomes: Vec<(PushItem, WriteOutcome)>,
    asked: Asked,
    fenced: i64,
    (position, again): (&Position, &Position),
    records: usize,
) -> Result<Position, StepError> {
    let (config_id, entity) = (step.run.config_id, context.entity);
    let mut tx = step.begin().await?;
    runs::hold_step(&mut tx, step.run.id).await?;
    let record_ids: Vec<Uuid> = outcomes.iter().map(|(item, _)| item.record_id).collect();
    let mut stored: HashMap<Uuid, StoredLink> = links::by_record_ids(&mut tx, config_id, entity, &record_ids)
        .await?
        .into_iter()
        .map(|link| (link.id, link))
        .collect();
    let taken: Vec<String> = asked.duplicates.keys().cloned().collect();
    let mut linked = links::record_ids_of(&mut tx, config_id, entity, &taken).await?;
    // Two of these records may be the same to the CRM: the one that it took has a partner by now.
    for (item, outcome) in &outcomes {
        if let WriteOutcome::Done { crm_id, .. } = outcome {
            linked.insert(crm_id.clone(), item.record_id);
        }
    }
    let mut end = End {
        context,
        duplicates: asked.duplicates,
        linked,
        unanswered: asked.unanswered,
        counters: Counters::default(),
        links: Vec::new(),
        settlements: Vec::new(),
        settled: Vec::new(),
        questions: Vec::new(),
        meets_again: false,
    };
    for (item, outcome) in outcomes {
        // A link that is gone was closed by somebody in the meantime; its journal row still tells what was written.
        let Some(link) = stored.remove(&item.link_id) else { continue };
        end.of_record(&item, outcome, &link);
    }
    let position = if end.meets_again { again } else { position };
    step.advance_from(&mut tx, fenced, position).await?;
    let (new, settled) = questions::raise(&mut tx, config_id, step.run.id, entity, &end.questions).await?;
    end.counters.conflicts_detected += new;
    end.counters.conflicts_resolved += settled;
    let log_id = runs::ensure_log(&mut tx, &step.run, LogDirection::Push, entity).await?;
    changes::settle(&mut tx, &end.settlements).await?;
    links::write(&mut tx, config_id, entity, &end.links).await?;
    pending::remove(&mut tx, &end.settled).await?;
    runs::count(&mut tx, log_id, &end.counters).await?;
    step.close(tx, &[(LogDirection::Push, log_id)], Stage::WriteCrm, records).await?;
    Ok(position.clone())
}

struct End<'a> {
    context: &'a EntityContext,
    duplicates: HashMap<String, CrmRecord>,
    linked: BTreeMap<String, Uuid>,
    unanswered: HashSet<String>,
    counters: Counters,
    links: Vec<LinkWrite>,
    settlements: Vec<Settlement>,
    settled: Vec<i64>,
    questions: Vec<Question>,
    /// Some of the records met another value of the CRM: the next step merges them, not the next run.
    meets_again: bool,
}

impl End<'_> {
    fn of_record(&mut self, item: &PushItem, outcome: WriteOutcome, link: &StoredLink) {
        let mut write = LinkWrite { due: false, ..link.to_write() };
        let (state, refusal) = match outcome {
            WriteOutcome::Done { images, .. } if item.puts_back => {
                self.meets_again = true;
                lost_update::has_put_back(item, &mut write, &images);
                ("done", None)
            }
            WriteOutcome::Done { crm_id, created, images } => {
                self.done(item, &mut write, crm_id, created, &images);
                let mut lost = lost_update::of_record(self.context, item, link, &images);
                self.questions.extend(lost.question.take());
                if !lost.put_back.is_empty() {
                    self.meets_again = true;
                    lost_update::keep_to_put_back(link, &mut write, lost);
                }
                ("done", None)
            }
            WriteOutcome::Refused(refusal) => {
                lost_update::give_up(item, &mut write);
                self.counters.failed += 1;
                write.failure = Some(failure_of(&refusal));
                ("refused", Some(refusal))
            }
            WriteOutcome::Gone if self.is_not_visible(item) => {
                write.state = LinkState::NotVisible;
                write.failure = Some(not_visible());
                self.counters.failed += 1;
                ("refused", None)
            }
            WriteOutcome::Gone => {
                // Deleted in the CRM since it was read: the next reading decides between the delete and this edit.
                lost_update::give_up(item, &mut write);
                self.counters.skipped += 1;
                ("refused", None)
            }
            WriteOutcome::Moved { fields, modified_at, edited_at } => {
                self.meets_again = true;
                self.moved(&mut write, &fields, modified_at, edited_at);
                ("refused", None)
            }
            WriteOutcome::Busy => {
                self.counters.skipped += 1;
                write.due = true;
                ("refused", None)
            }
            WriteOutcome::Duplicate { crm_ids } => self.duplicate(item, &mut write, &crm_ids),
        };
        if !item.puts_back && (!write.due || state == "done") {
            self.settled.extend_from_slice(&item.change_ids);
        }
        self.settlements.push(Settlement {
            id: item.intent_id,
            state,
            crm_record_id: write.crm_record_id.clone(),
            refusal,
        });
        self.links.push(write);
    }

    fn done(&mut self, item: &PushItem, link: &mut LinkWrite, crm_id: String, created: bool, images: &WriteImages) {
        let is_create = item.crm_record_id.is_none();
        self.counters.synced += 1;
        self.counters.created += i64::from(is_create && created);
        self.counters.updated += i64::from(!(is_create && created));
        link.state = LinkState::Linked;
        link.crm_record_id = Some(crm_id);
        link.due = item.waits;
        let held = link.failure.take().filter(|_| !link.held_fields.is_empty());
        link.failure = item.failure.clone().or(held);
        link.crm_modified_at =
            images.modified_at.and_then(chrono::DateTime::from_timestamp_millis).or(link.crm_modified_at);
        for assignment in &item.assignments {
            let sent_from = item.app_values.get(&assignment.app_field).cloned().flatten();
            move_base(self.context, link, assignment, &sent_from, images.after.as_ref());
            link.seen.remove(&assignment.app_field);
            link.late.remove(&assignment.app_field);
            if let Some(open) = &mut link.decision {
                open.remove(&assignment.app_field);
            }
        }
        link.decision = link.decision.take().filter(|open| !open.is_empty());
        if is_create {
            // Mapped fields that were empty here are empty there.
            for field in &self.context.fields {
                let app_field = &field.mapped.app_field;
                if field.mapped.direction.pushes() && item.app_values.get(app_field).is_some_and(Option::is_none) {
                    link.base
                        .entry(app_field.clone())
                        .or_insert_with(|| crate::sync::FieldBase { crm: None, app: None });
                }
            }
        }
    }

    /// The CRM answers nothing under the record's id, not even that it was deleted.
    fn is_not_visible(&self, item: &PushItem) -> bool {
        item.crm_record_id.as_ref().is_some_and(|id| self.unanswered.contains(id))
    }

    /// Somebody edited the record in the CRM since it was read: both sides merge in the next step.
    fn moved(&self, link: &mut LinkWrite, fields: &Record, modified_at: i64, edited_at: i64) {
        for field in &self.context.fields {
            if let Some(value) = fields.get(&field.mapped.crm_field) {
                link.seen.insert(field.mapped.app_field.clone(), value.clone());
            }
        }
        link.crm_modified_at = chrono::DateTime::from_timestamp_millis(modified_at).or(link.crm_modified_at);
        link.crm_edited_at = chrono::DateTime::from_timestamp_millis(edited_at).or(link.crm_edited_at);
        link.due = true;
    }

    /// A create collided with a record that the CRM has: that is a match.
    fn duplicate(
        &mut self,
        item: &PushItem,
        link: &mut LinkWrite,
        crm_ids: &[String],
    ) -> (&'static str, Option<RecordRefusal>) {
        let only = if item.crm_record_id.is_none() && crm_ids.len() == 1 { crm_ids.first() } else { None };
        let free = only.filter(|crm_id| !self.linked.contains_key(*crm_id));
        if let Some(record) = free.and_then(|crm_id| self.duplicates.get(crm_id)) {
            link.state = LinkState::Linked;
            link.crm_record_id = Some(record.id.clone());
            link.seen = seen(self.context, &record.fields);
            link.due = true;
            self.linked.insert(record.id.clone(), item.record_id);
            self.counters.skipped += 1;
            return ("refused", None);
        }
        let refusal = RecordRefusal {
            code: "duplicate".to_owned(),
            crm_code: "DUPLICATE".to_owned(),
            message: "The CRM already has a record like this one. Merge or change one of the two, then retry."
                .to_owned(),
            fields: Vec::new(),
            retryable: true,
        };
        self.counters.failed += 1;
        link.failure = Some(failure_of(&refusal));
        ("refused", Some(refusal))
    }
}

/// Moves one field's base after a CRM write (`sync.md`, "engine wrote the CRM").
pub(crate) fn move_base(
    context: &EntityContext,
    link: &mut LinkWrite,
    assignment: &Assignment,
    sent_from: &Value,
    after: Option<&Record>,
) {
    let app_field = &assignment.app_field;
    let field = context.fields.iter().find(|field| field.mapped.app_field == *app_field);
    let kind = field.map_or(crate::model::FieldKind::Text, |field| field.mapped.crm_kind);
    let stored = after.and_then(|after| after.get(&assignment.field));
    match base_after_crm_write(kind, &assignment.after, sent_from, stored, link.base.get(app_field)) {
        CrmWriteBase::Moved(base) => {
            link.base.insert(app_field.clone(), base);
        }
        CrmWriteBase::Kept => {
            link.failure = Some(LinkFailure {
                code: "crm_kept_its_value".to_owned(),
                crm_code: None,
                message: "The CRM accepted the write but kept its value. An automation there may set this field; ask its admin."
                    .to_owned(),
                side: Side::Crm,
                fields: vec![app_field.clone()],
                retryable: true,
            });
        }
    }
}

/// A refusal as a link keeps it.
pub(crate) fn failure_of(refusal: &RecordRefusal) -> LinkFailure {
    LinkFailure {
        code: refusal.code.clone(),
        crm_code: Some(refusal.crm_code.clone()).filter(|code| !code.is_empty()),
        message: refusal.message.clone(),
        side: Side::Crm,
        fields: refusal.fields.clone(),
        retryable: refusal.retryable,
    }
}
