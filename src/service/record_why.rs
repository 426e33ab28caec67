//! "Why is this the value?": what the journal, the questions and the record's own stamps tell of one field.

use chrono::{DateTime, TimeDelta, Utc};

use super::ServiceError;
use super::record_page::{AccountNames, label_of, shown};
use crate::model::{ChangeAction, ConflictStatus, Entity, ResolutionStrategy, Side, app_field};
use crate::store::WorkspaceTx;
use crate::store::record_evidence::{self, JournalEntry, RecordConflict};
use crate::store::records::StoredRecord;
use crate::sync::Rule;
use crate::view::instant::Moment;
use crate::view::record_page::{Why, WhyEvent};

const MOST_ENTRIES: i64 = 30;
/// An engine's write and the stamp that it leaves on the row are made by one clock in one transaction.
const SAME_WRITE: TimeDelta = TimeDelta::milliseconds(1);

/// The history of one field; nothing where the record has no such field.
pub(super) async fn why(
    tx: &mut WorkspaceTx,
    entity: Entity,
    record: &StoredRecord,
    field: &str,
    conflicts: &[RecordConflict],
    names: &AccountNames,
) -> Result<Option<Why>, ServiceError> {
    if app_field(entity, field).is_none() && !record.fields.contains_key(field) {
        return Ok(None);
    }
    let now = tx.now();
    let journal = record_evidence::journal(tx, entity, record.id, field, MOST_ENTRIES).await?;
    let mut events: Vec<(DateTime<Utc>, WhyEvent)> =
        journal.iter().filter_map(|entry| Some((entry.created_at, written(entry, field, now)?))).collect();
    events.extend(conflicts.iter().filter_map(|conflict| settled(conflict, field, now)));
    let edited_at = edited_here(record, field, &journal);
    if let Some(at) = edited_at {
        events.push((at, event("Changed here", at, now)));
    }
    let made_by_engine = journal.iter().any(|entry| entry.side == Side::App && entry.action == ChangeAction::Create);
    if !made_by_engine {
        events.push((record.created_at, event("Record created here", record.created_at, now)));
    }
    events.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let value = shown(entity, record, field, names);
    let answer = answer(entity, field, value.is_some(), &journal, edited_at, record.created_at, now);
    Ok(Some(Why {
        field: field.to_owned(),
        value,
        answer,
        events: events.into_iter().map(|(_, event)| event).collect(),
    }))
}

fn event(title: impl Into<String>, at: DateTime<Utc>, now: DateTime<Utc>) -> WhyEvent {
    WhyEvent { title: title.into(), at: Moment::new(at, now), values: None, reason: None, log_id: None }
}

fn written(entry: &JournalEntry, field: &str, now: DateTime<Utc>) -> Option<WhyEvent> {
    let change = entry.fields.iter().find(|change| change.app_field == field)?;
    let crm = entry.provider.title();
    let title = match (entry.side, entry.state.as_str(), entry.action) {
        (Side::Crm, "refused", _) => format!("Refused by {crm}"),
        (Side::App, "refused", _) => "Could not be written here".to_owned(),
        (Side::Crm, "done", ChangeAction::Create) => format!("Created in {crm}"),
        (Side::App, "done", ChangeAction::Create) => format!("Came with the record from {crm}"),
        (Side::Crm, "done", _) => format!("Written in {crm}"),
        (Side::App, "done", _) => "Written here".to_owned(),
        (Side::Crm, ..) => format!("On its way to {crm}; the outcome is not known yet"),
        (Side::App, ..) => "On its way here".to_owned(),
    };
    Some(WhyEvent {
        values: Some((change.before.clone(), change.after.clone())),
        reason: change.rule.parse().ok().map(|rule: Rule| rule.label().to_owned()),
        log_id: Some(entry.log_id),
        ..event(title, entry.created_at, now)
    })
}

fn settled(conflict: &RecordConflict, field: &str, now: DateTime<Utc>) -> Option<(DateTime<Utc>, WhyEvent)> {
    let at = conflict.resolved_at.filter(|_| conflict.fields.iter().any(|name| name == field))?;
    let by = conflict.resolved_by.as_deref();
    let (title, reason) = match (conflict.status, conflict.strategy) {
        (ConflictStatus::Pending, _) => return None,
        (ConflictStatus::Ignored, _) => ("Difference accepted".to_owned(), by.map(|name| format!("{name} decided"))),
        (_, Some(ResolutionStrategy::Rule)) => ("Conflict settled by a rule".to_owned(), None),
        (_, Some(ResolutionStrategy::Converged)) => ("Conflict went away: both sides came to agree".to_owned(), None),
        (_, strategy) => {
            let chosen = match strategy {
                Some(ResolutionStrategy::UseApp) => "Conflict resolved: the app's value",
                Some(ResolutionStrategy::UseCrm) => "Conflict resolved: the CRM's value",
                _ => "Conflict resolved: a merged value",
            };
            (chosen.to_owned(), by.map(|name| format!("{name} chose")))
        }
    };
    Some((at, WhyEvent { reason, ..event(title, at, now) }))
}

/// When a person or another program last changed the field here, unless the engine's own write is what left the stamp.
fn edited_here(record: &StoredRecord, field: &str, journal: &[JournalEntry]) -> Option<DateTime<Utc>> {
    let at = record.field_changed_at.get(field)?.as_str()?;
    let at = DateTime::parse_from_rfc3339(at).ok()?.to_utc();
    let brought = journal.iter().find(|entry| entry.side == Side::App && entry.state == "done");
    brought.is_none_or(|entry| at > entry.created_at + SAME_WRITE).then_some(at)
}

fn answer(
    entity: Entity,
    field: &str,
    has_value: bool,
    journal: &[JournalEntry],
    edited_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> String {
    let ago = |at: DateTime<Utc>| Moment::new(at, now).text;
    let brought = journal.iter().find(|entry| entry.side == Side::App && entry.state == "done");
    let sent = journal.iter().find(|entry| entry.side == Side::Crm && entry.state == "done");
    let sent_since = |since: DateTime<Utc>| {
        let sent = sent.filter(|entry| entry.created_at >= since);
        sent.map(|entry| format!(" A sync wrote it to {} {}.", entry.provider.title(), ago(entry.created_at)))
    };
    let rule = |entry: &JournalEntry| {
        let change = entry.fields.iter().find(|change| change.app_field == field);
        let rule: Option<Rule> = change.and_then(|change| change.rule.parse().ok());
        rule.map(|rule| format!(" {}.", rule.label())).unwrap_or_default()
    };
    match (edited_at, brought) {
        (Some(at), _) => {
            let since = sent_since(at).unwrap_or_default();
            format!("It was changed here {}, by a person or another program.{since}", ago(at))
        }
        (None, Some(entry)) => {
            let (crm, when) = (entry.provider.title(), ago(entry.created_at));
            format!("A sync brought it here from {crm} {when}.{}", rule(entry))
        }
        (None, None) if has_value => {
            let since = sent_since(created_at).unwrap_or_default();
            format!("It has been so since the record was created here {}.{since}", ago(created_at))
        }
        (None, None) => {
            format!("{} has been empty since the record was created {}.", label_of(entity, field), ago(created_at))
        }
    }
}
