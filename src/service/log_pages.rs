//! The screens of logs: the list, and one log in sentences, bars and causes.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::held::held_run;
use super::logs::{LogFilter, load, page_of, stages, view};
use super::paging::PageAsked;
use super::{ServiceError, Services, Viewer};
use crate::model::{
    ChangeAction, ConflictStatus, Entity, LogDirection, LogStatus, Provider, RunState, RunTrigger, app_field,
};
use crate::store::conflicts::StoredConflict;
use crate::store::journal::{Failure, Written};
use crate::store::logs::{StoredLog, Totals};
use crate::store::runs::StoredRun;
use crate::store::{self, WorkspaceTx, journal, runs};
use crate::sync::Rule;
use crate::view::Moment;
use crate::view::instant::{counted, duration, grouped};
use crate::view::integrations::HeldRun;
use crate::view::logs::{Cause, ChangeLine, ConflictLine, LogPage, LogRow, LogsAsked, LogsPage, StageBar};

/// Failures and conflicts on one page at the most.
const MOST_LINES: i64 = 200;
/// Records of one cause that are named.
const MOST_NAMED: usize = 12;
/// Changes on one page at the most.
const MOST_CHANGES: i64 = 1000;

/// The list as its address asks for it.
pub async fn list(services: &Services, viewer: &Viewer, asked: &LogsAsked) -> Result<LogsPage, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let now = tx.now();
    let filter = filter(asked, now)?;
    let part = PageAsked { limit: Some(50), offset: None, cursor: asked.cursor.clone() }.read()?;
    let (logs, pagination) = page_of(&mut tx, &filter, part).await?;
    let connections = store::history::connections(&mut tx).await?;
    let totals = store::logs::totals(&mut tx, now - TimeDelta::hours(24)).await?;
    let waiting = store::frame::conflicts_waiting(&mut tx).await?;
    let any = pagination.total > 0 || store::logs::count(&mut tx, &LogFilter::default()).await? > 0;
    let mut rows = Vec::new();
    for log in logs {
        rows.push(row(&mut tx, viewer, &connections, log).await?);
    }
    tx.commit().await?;
    Ok(LogsPage { sentence: day_in_words(&totals, waiting), any, rows, pagination, connections })
}

fn filter(asked: &LogsAsked, now: DateTime<Utc>) -> Result<LogFilter, ServiceError> {
    let (from, before) = match asked.period.as_deref() {
        Some("day") => (Some(now - TimeDelta::hours(24)), None),
        Some("week") => (Some(now - TimeDelta::days(7)), None),
        Some("month") => (Some(now - TimeDelta::days(30)), None),
        Some("dates") => super::logs::range(asked.from.as_deref(), asked.to.as_deref())?,
        _ => (None, None),
    };
    Ok(LogFilter {
        config_id: asked.connection,
        status: asked.status,
        entity: asked.entity,
        direction: asked.direction,
        from,
        before,
    })
}

fn day_in_words(totals: &Totals, waiting: i64) -> String {
    let unsigned = |count: i64| u64::try_from(count).unwrap_or_default();
    let on = match totals.running {
        0 => String::new(),
        1 => "**1 run is on.** ".to_owned(),
        runs => format!("**{} runs are on.** ", grouped(runs)),
    };
    let conflicts = match waiting {
        0 => "no conflict waits".to_owned(),
        1 => "1 conflict waits".to_owned(),
        waiting => format!("{} conflicts wait", grouped(waiting)),
    };
    if totals.runs == 0 {
        return format!("{on}Nothing ran in the last 24 hours; {conflicts}.");
    }
    format!(
        "{on}In the last 24 hours {} synced **{}**; {} failed, {conflicts}.",
        counted(unsigned(totals.runs), "run"),
        counted(unsigned(totals.synced), "record"),
        if totals.failed == 0 { "none".to_owned() } else { grouped(totals.failed) },
    )
}

async fn row(
    tx: &mut WorkspaceTx,
    viewer: &Viewer,
    connections: &[(Uuid, Provider)],
    log: StoredLog,
) -> Result<LogRow, ServiceError> {
    let run = if log.status == LogStatus::Running { runs::load(tx, log.run_id).await? } else { None };
    Ok(row_of(tx.now(), viewer, connections, run.as_ref(), log))
}

fn row_of(
    now: DateTime<Utc>,
    viewer: &Viewer,
    connections: &[(Uuid, Provider)],
    run: Option<&StoredRun>,
    log: StoredLog,
) -> LogRow {
    let provider = connections.iter().find(|(id, _)| *id == log.config_id);
    let progress = run.map(|run| &run.progress).filter(|progress| {
        progress["entityType"].as_str() == Some(log.entity.plural())
            && progress["direction"].as_str() == Some(log.direction.as_str())
    });
    let expected = progress.and_then(|progress| progress["total"].as_i64()).filter(|total| *total > 0);
    let done = progress.and_then(|progress| progress["processed"].as_i64()).unwrap_or_default();
    let percent = expected.map(|total| u8::try_from(done.clamp(0, total) * 100 / total).unwrap_or(100));
    let so_far = log.duration_ms.unwrap_or_else(|| (now - log.started_at).num_milliseconds());
    let can_retry = match log.status {
        LogStatus::Partial => log.failed > 0,
        LogStatus::Failed | LogStatus::Cancelled => true,
        LogStatus::Running | LogStatus::Completed => false,
    };
    LogRow {
        provider: provider.map_or(Provider::Salesforce, |(_, provider)| *provider),
        at: Moment::new(log.started_at, now),
        clock: clock(log.started_at, now),
        duration: duration(so_far),
        percent,
        expected,
        can_retry,
        held: run.is_some_and(|run| run.state == RunState::Held),
        log: view(viewer.workspace_id, log),
    }
}

fn clock(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let format = if at.date_naive() == now.date_naive() { "%H:%M:%S" } else { "%-d %b %H:%M" };
    at.format(format).to_string()
}

/// One log; `most` changes of it.
pub async fn one(services: &Services, viewer: &Viewer, id: Uuid, most: i64) -> Result<LogPage, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let log = load(&mut tx, id).await?;
    let run = runs::load(&mut tx, log.run_id).await?;
    let connections = store::history::connections(&mut tx).await?;
    let failures = journal::failures(&mut tx, id, MOST_LINES).await?;
    let written = journal::written(&mut tx, id, 0, most.clamp(1, MOST_CHANGES)).await?;
    let changed_records = journal::count_written(&mut tx, id).await?;
    let found = if log.conflicts_detected + log.conflicts_resolved > 0 {
        store::conflicts::of_run(&mut tx, log.run_id, log.entity, MOST_LINES).await?
    } else {
        Vec::new()
    };
    let ids: Vec<Uuid> = failures
        .iter()
        .filter_map(|failure| failure.record_id)
        .chain(written.iter().filter_map(|written| written.record_id))
        .chain(found.iter().filter_map(|conflict| conflict.record_id))
        .collect();
    let names = store::logs::record_names(&mut tx, log.entity, &ids).await?;
    let starter = store::history::person_of_run(&mut tx, log.run_id).await?;
    let siblings = store::history::logs_of_run(&mut tx, log.run_id).await?;
    let held = match run.as_ref().filter(|run| run.state == RunState::Held && run.held_decision.is_none()) {
        Some(run) => held_run_of(&mut tx, run).await?,
        None => None,
    };
    let now = tx.now();
    tx.commit().await?;

    let names = Names { entity: log.entity, names };
    let calls: i64 = stages(&log).iter().map(|stage| stage.calls).sum();
    let (bars, timeline) = bars(&log);
    let waits = found.iter().filter(|conflict| conflict.status == ConflictStatus::Pending).count();
    Ok(LogPage {
        sentence: sentence(&connections, &log, waits),
        started_by: started_by(run.as_ref(), starter),
        sum: sum(&log),
        calls: counted(u64::try_from(calls).unwrap_or_default(), "API call"),
        stages: bars,
        timeline,
        causes: causes(&names, &failures),
        conflicts: found.iter().map(|conflict| conflict_line(&names, conflict)).collect(),
        changes: written.iter().flat_map(|written| change_lines(&names, written)).collect(),
        shown_records: i64::try_from(written.len()).unwrap_or(i64::MAX),
        changed_records,
        siblings: siblings
            .into_iter()
            .filter(|(sibling, ..)| *sibling != id)
            .map(|(sibling, direction, entity)| (sibling, format!("{} {}", verb(direction, false), entity.plural())))
            .collect(),
        held,
        row: row_of(now, viewer, &connections, run.as_ref(), log),
    })
}

/// What one page calls its records.
struct Names {
    entity: Entity,
    names: HashMap<Uuid, String>,
}

impl Names {
    fn of(&self, record_id: Option<Uuid>, crm_id: Option<&str>) -> (String, Option<String>) {
        match record_id.and_then(|id| Some((id, self.names.get(&id)?))) {
            Some((id, name)) => (name.clone(), Some(format!("/records/{}/{id}", self.entity.plural()))),
            None => (crm_id.unwrap_or("a record that is gone").to_owned(), None),
        }
    }

    fn label(&self, app_field_name: &str) -> String {
        app_field(self.entity, app_field_name).map_or_else(|| app_field_name.to_owned(), |field| field.label.to_owned())
    }
}

const fn verb(direction: LogDirection, going_on: bool) -> &'static str {
    match (direction, going_on) {
        (LogDirection::Pull, false) => "Pulled",
        (LogDirection::Pull, true) => "Pulling",
        (LogDirection::Push, false) => "Pushed",
        (LogDirection::Push, true) => "Pushing",
    }
}

fn sentence(connections: &[(Uuid, Provider)], log: &StoredLog, waits: usize) -> String {
    let crm = connections.iter().find(|(id, _)| *id == log.config_id).map_or("the CRM", |(_, crm)| crm.title());
    let way = if log.direction == LogDirection::Pull { format!("from {crm}") } else { format!("to {crm}") };
    let entity = log.entity.plural();
    let mut parts = Vec::new();
    if log.failed > 0 {
        parts.push(format!("{} failed", grouped(log.failed)));
    }
    if waits > 0 {
        parts.push(format!("{waits} wait for you"));
    }
    match log.missed {
        None => {}
        Some(0) => parts.push("a full comparison found nothing that had been missed".to_owned()),
        Some(1) => parts.push("a full comparison found 1 change that had been missed".to_owned()),
        Some(missed) => {
            parts.push(format!("a full comparison found {} changes that had been missed", grouped(missed)));
        }
    }
    let rest = if parts.is_empty() { String::new() } else { format!("; {}", parts.join(", ")) };
    match log.status {
        LogStatus::Running => format!("{} {entity} {way}{rest}", verb(log.direction, true)),
        LogStatus::Failed => format!("{} {entity} {way} stopped before its end{rest}", verb(log.direction, true)),
        LogStatus::Cancelled => format!("{} {entity} {way} was cancelled{rest}", verb(log.direction, true)),
        LogStatus::Completed | LogStatus::Partial if log.synced == 0 && log.failed == 0 => {
            format!("Looked at {} {entity} {way}; nothing had to be written{rest}", grouped(log.processed))
        }
        LogStatus::Completed | LogStatus::Partial => {
            let count = u64::try_from(log.synced).unwrap_or_default();
            let noun = if count == 1 { log.entity.as_str() } else { entity };
            format!("{} {} {noun} {way}{rest}", verb(log.direction, false), grouped(log.synced))
        }
    }
}

fn started_by(run: Option<&StoredRun>, person: Option<String>) -> String {
    match (run.map(|run| run.trigger), person) {
        (Some(RunTrigger::Schedule), _) => "started by schedule".to_owned(),
        (Some(RunTrigger::Change), _) => "started by an edit here".to_owned(),
        (Some(RunTrigger::Decision), Some(person)) => format!("started by a decision of {person}"),
        (Some(RunTrigger::Decision), None) => "started by a decision".to_owned(),
        (_, Some(person)) => format!("started by {person}"),
        _ => "started by hand".to_owned(),
    }
}

fn sum(log: &StoredLog) -> String {
    let parts = [log.created, log.updated, log.deleted, log.skipped, log.failed].map(grouped).join(" + ");
    let total = log.created + log.updated + log.deleted + log.skipped + log.failed;
    let skipped = if log.skipped > 0 { " Skipped records had nothing to write." } else { "" };
    format!("{parts} = {}.{skipped}", grouped(total))
}

fn bars(log: &StoredLog) -> (Vec<StageBar>, String) {
    let stages = stages(log);
    let at = |text: &str| DateTime::parse_from_rfc3339(text).map_or(0, |at| at.timestamp_millis());
    let start = log.started_at.timestamp_millis();
    let ends = stages.iter().map(|stage| at(&stage.started_at) + stage.duration_ms);
    let length = ends.max().unwrap_or(start).max(start + log.duration_ms.unwrap_or_default()) - start;
    let length = length.max(1);
    let percent = |ms: i64| ms.clamp(0, length) as f32 * 100.0 / length as f32;
    let unsigned = |count: i64| u64::try_from(count).unwrap_or_default();
    let bars = stages
        .iter()
        .map(|stage| {
            let left = percent(at(&stage.started_at) - start);
            StageBar {
                name: stage_in_words(&stage.name).to_owned(),
                left,
                width: percent(stage.duration_ms).clamp(0.5, 100.0 - left.min(99.5)),
                is_remote: stage.calls > 0,
                time: duration(stage.duration_ms),
                records: counted(unsigned(stage.records), "record"),
                calls: counted(unsigned(stage.calls), "call"),
            }
        })
        .collect();
    (bars, duration(length))
}

fn stage_in_words(stage: &str) -> &str {
    match stage {
        "read" => "Read",
        "match" => "Match",
        "merge" => "Decide",
        "write_app" => "Write here",
        "write_crm" => "Write to the CRM",
        "delete" => "Delete",
        other => other,
    }
}

fn causes(names: &Names, failures: &[Failure]) -> Vec<Cause> {
    let mut causes: Vec<(&str, &str, Vec<&Failure>)> = Vec::new();
    for failure in failures {
        let (code, message) = (failure.refusal.code.as_str(), failure.refusal.message.as_str());
        match causes.iter_mut().find(|(known, text, _)| *known == code && *text == message) {
            Some((_, _, members)) => members.push(failure),
            None => causes.push((code, message, vec![failure])),
        }
    }
    causes.sort_by_key(|(_, _, members)| std::cmp::Reverse(members.len()));
    causes
        .into_iter()
        .map(|(code, message, members)| Cause {
            title: cause_in_words(code).to_owned(),
            advice: message.to_owned(),
            count: i64::try_from(members.len()).unwrap_or(i64::MAX),
            records: members
                .iter()
                .take(MOST_NAMED)
                .map(|failure| names.of(failure.record_id, failure.crm_record_id.as_deref()))
                .collect(),
            support: support(code, &members),
        })
        .collect()
}

fn support(code: &str, members: &[&Failure]) -> String {
    let Some(first) = members.first() else { return code.to_owned() };
    let parts = [
        Some(code.to_owned()),
        Some(first.refusal.crm_code.clone()).filter(|code| !code.is_empty()),
        Some(first.refusal.fields.join(", ")).filter(|fields| !fields.is_empty()),
        first.crm_record_id.clone(),
        first.record_id.map(|id| id.to_string()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn cause_in_words(code: &str) -> &'static str {
    match code {
        "value_too_long" => "A value is longer than the CRM takes",
        "required_field_missing" => "A required field is empty",
        "invalid_email" => "An e-mail address is not one",
        "unknown_choice" => "A value is not on the CRM's list",
        "duplicate" => "The CRM has a record like this one already",
        "app_constraint" => "The app's database does not accept a value",
        "transform_failed" => "A value could not be brought over",
        "crm_kept_its_value" => "The CRM kept its own value",
        "validation_rule" => "A rule of the CRM refused the record",
        "no_permission" | "insufficient_access" => "The connected user may not write this",
        "deleted" | "gone" => "The record is no longer in the CRM",
        _ => "The record could not be written",
    }
}

fn conflict_line(names: &Names, conflict: &StoredConflict) -> ConflictLine {
    let fields: Vec<String> = conflict.fields.iter().map(|field| names.label(field)).collect();
    let outcome = match (conflict.status, conflict.strategy) {
        (ConflictStatus::Pending, _) => "waits",
        (ConflictStatus::Ignored, _) => "ignored",
        (_, Some(crate::model::ResolutionStrategy::Rule)) => "settled by rule",
        (_, Some(crate::model::ResolutionStrategy::Converged)) => "went away",
        _ => "decided",
    };
    let first = |record: &crate::sync::Record| {
        let field = conflict.fields.first()?;
        record.get(field).cloned().flatten()
    };
    ConflictLine {
        id: conflict.id,
        record: names.of(conflict.record_id, conflict.crm_record_id.as_deref()).0,
        fields: if fields.is_empty() { "the record as a whole".to_owned() } else { fields.join(", ") },
        here: first(&conflict.app),
        there: first(&conflict.crm),
        waits: conflict.status == ConflictStatus::Pending,
        outcome: outcome.to_owned(),
    }
}

fn change_lines(names: &Names, written: &Written) -> Vec<ChangeLine> {
    let (record, href) = names.of(written.record_id, written.crm_record_id.as_deref());
    let action = match written.action {
        ChangeAction::Create => "created",
        ChangeAction::Update => "",
        ChangeAction::Delete => "deleted",
        ChangeAction::Link => "found on both sides and linked",
        ChangeAction::Restore => "brought back",
    };
    if written.fields.is_empty() {
        return vec![ChangeLine {
            record,
            href,
            field: String::new(),
            action: action.to_owned(),
            before: None,
            after: None,
            rule: String::new(),
        }];
    }
    written
        .fields
        .iter()
        .map(|change| ChangeLine {
            record: record.clone(),
            href: href.clone(),
            field: change.field.clone(),
            action: action.to_owned(),
            before: change.before.clone(),
            after: change.after.clone(),
            rule: change.rule.parse::<Rule>().map_or_else(|_| change.rule.clone(), |rule| rule.label().to_owned()),
        })
        .collect()
}

async fn held_run_of(tx: &mut WorkspaceTx, run: &StoredRun) -> Result<Option<HeldRun>, ServiceError> {
    match store::connections::get(tx, run.config_id).await? {
        Some(connection) => Ok(Some(held_run(tx, &connection, run).await?)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_in_words() {
        let totals = Totals { runs: 168, synced: 9_412, failed: 11, running: 1 };
        assert_eq!(
            day_in_words(&totals, 1),
            "**1 run is on.** In the last 24 hours 168 runs synced **9,412 records**; 11 failed, 1 conflict waits."
        );
        assert_eq!(day_in_words(&Totals::default(), 0), "Nothing ran in the last 24 hours; no conflict waits.");
    }

    #[test]
    fn a_day_other_than_today_is_named() {
        let now = DateTime::from_timestamp(1_795_000_000, 0).expect("in range");
        assert_eq!(clock(now, now), "11:06:40");
        assert_eq!(clock(now - TimeDelta::days(1), now), "17 Nov 11:06");
    }
}
