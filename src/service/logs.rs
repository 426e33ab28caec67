//! Logs: listed, read, and their failed records tried again.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;

use super::paging::{PagePart, cursor_after};
use super::{ServiceError, Services, Viewer, conflicts, runs};
use crate::engine::jobs;
use crate::model::{Capability, ConnectionStatus, LogStatus};
use crate::store::logs::StoredLog;
use crate::store::runs::RunRequest;
use crate::store::{self, WorkspaceTx, events, journal, setup};
use crate::view::instant::rfc3339;
use crate::view::logs::{Log, LogAnswer, LogDetails, LogList, RecordError, StageTime};
use crate::view::pagination::Pagination;
use crate::view::runs::TriggerAnswer;

pub use crate::store::logs::LogFilter;

/// Failures and conflicts that one answer holds at the most.
const MOST_DETAILS: i64 = 1000;

/// A page of logs.
pub async fn list(
    services: &Services,
    viewer: &Viewer,
    filter: &LogFilter,
    page: PagePart,
) -> Result<LogList, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let (logs, pagination) = page_of(&mut tx, filter, page).await?;
    tx.commit().await?;
    Ok(LogList { logs: logs.into_iter().map(|log| view(viewer.workspace_id, log)).collect(), pagination })
}

/// The rows of a page, and which part of the list they are.
pub(super) async fn page_of(
    tx: &mut WorkspaceTx,
    filter: &LogFilter,
    page: PagePart,
) -> Result<(Vec<StoredLog>, Pagination), ServiceError> {
    let total = store::logs::count(tx, filter).await?;
    let mut logs = store::logs::list(tx, filter, page.limit + 1, page.offset, page.after).await?;
    let more = logs.len() > usize::try_from(page.limit).unwrap_or(usize::MAX);
    if more {
        logs.pop();
    }
    let next_cursor = logs.last().filter(|_| more).map(|last| cursor_after(last.started_at, last.id));
    Ok((logs, Pagination { total, limit: page.limit, offset: page.offset, next_cursor }))
}

/// One log with what is known beyond its numbers.
pub async fn get(services: &Services, viewer: &Viewer, id: Uuid) -> Result<LogAnswer, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let log = load(&mut tx, id).await?;
    let entity_type = log.entity.plural();
    let errors = journal::failures(&mut tx, id, MOST_DETAILS).await?;
    let found = if log.conflicts_detected + log.conflicts_resolved > 0 {
        store::conflicts::of_run(&mut tx, log.run_id, log.entity, MOST_DETAILS).await?
    } else {
        Vec::new()
    };
    tx.commit().await?;
    let errors = errors
        .into_iter()
        .map(|failure| RecordError {
            entity_type: entity_type.to_owned(),
            record_id: failure.record_id,
            crm_record_id: failure.crm_record_id,
            code: failure.refusal.code,
            crm_code: Some(failure.refusal.crm_code).filter(|code| !code.is_empty()),
            message: failure.refusal.message,
            retryable: failure.refusal.retryable,
        })
        .collect();
    let details = LogDetails {
        errors,
        conflicts: found.into_iter().map(|conflict| conflicts::view(viewer.workspace_id, conflict)).collect(),
        stages: stages(&log),
    };
    Ok(LogAnswer { log: view(viewer.workspace_id, log), details })
}

/// Tries the records of a log again that failed, or all of its entity where the run as a whole did.
pub async fn retry(services: &Services, viewer: &Viewer, id: Uuid) -> Result<TriggerAnswer, ServiceError> {
    viewer.require(Capability::RunSync)?;
    let mut tx = services.begin(viewer).await?;
    let log = load(&mut tx, id).await?;
    let connection =
        setup::connection(&mut tx, log.config_id).await?.ok_or_else(|| ServiceError::not_found("connection"))?;
    if connection.status != ConnectionStatus::Connected {
        return Err(runs::not_ready(connection.status));
    }
    store::runs::wait_for_step(&mut tx, log.config_id).await?;
    let due = journal::retry_failed(&mut tx, id, log.entity).await?;
    if due == 0 && !matches!(log.status, LogStatus::Failed | LogStatus::Cancelled) {
        let detail = "None of this run's records is failed any more. There is nothing to retry.";
        return Err(ServiceError::state("nothing_to_retry", detail));
    }
    let entities = [log.entity];
    let request = RunRequest::of_decision(connection.direction, &entities, viewer.user_id);
    let job_id = jobs::request_run(&mut tx, log.config_id, &request).await?;
    events::announce(&mut tx, "run", job_id, log.config_id).await?;
    tx.commit().await?;
    Ok(TriggerAnswer { job_id, estimated_records: i64::try_from(due).ok().filter(|due| *due > 0) })
}

/// Reads `from` and `to` as a person or a program gives them: an instant, or a day in UTC that is meant whole.
pub fn range(
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(Option<DateTime<Utc>>, Option<DateTime<Utc>>), ServiceError> {
    let read = |field: &str, text: Option<&str>, whole_day: TimeDelta| -> Result<Option<DateTime<Utc>>, ServiceError> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(Some(at.with_timezone(&Utc)));
        }
        text.parse::<NaiveDate>()
            .ok()
            .and_then(|day| day.and_hms_opt(0, 0, 0))
            .and_then(|start| start.and_utc().checked_add_signed(whole_day))
            .map(Some)
            .ok_or_else(|| {
                let message =
                    format!("{field} is neither an instant nor a day. Write 2026-01-31 or 2026-01-31T08:00:00Z.");
                ServiceError::invalid(field, message)
            })
    };
    Ok((read("from", from, TimeDelta::zero())?, read("to", to, TimeDelta::days(1))?))
}

pub(super) async fn load(tx: &mut WorkspaceTx, id: Uuid) -> Result<StoredLog, ServiceError> {
    store::logs::load(tx, id).await?.ok_or_else(|| ServiceError::not_found("log"))
}

/// The stages of a log; one that an older version wrote otherwise shows as none.
pub(super) fn stages(log: &StoredLog) -> Vec<StageTime> {
    serde_json::from_value(log.stages.clone()).unwrap_or_default()
}

pub(super) fn view(workspace_id: Uuid, log: StoredLog) -> Log {
    Log {
        id: log.id,
        config_id: log.config_id,
        workspace_id,
        job_id: log.run_id,
        sync_direction: log.direction,
        entity_type: log.entity.plural().to_owned(),
        records_processed: log.processed,
        records_synced: log.synced,
        records_failed: log.failed,
        records_skipped: log.skipped,
        records_created: log.created,
        records_updated: log.updated,
        records_deleted: log.deleted,
        conflicts_detected: log.conflicts_detected,
        conflicts_resolved: log.conflicts_resolved,
        records_missed: log.missed,
        sync_duration_ms: log.duration_ms,
        status: log.status,
        error_message: log.error_message,
        error_details: log.error_details,
        started_at: rfc3339(log.started_at),
        completed_at: log.completed_at.map(rfc3339),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_meant_whole() {
        let (from, to) = range(Some("2026-01-31"), Some("2026-01-31")).expect("days");
        assert_eq!(from.map(rfc3339).as_deref(), Some("2026-01-31T00:00:00.000Z"));
        assert_eq!(to.map(rfc3339).as_deref(), Some("2026-02-01T00:00:00.000Z"));
        let (from, to) = range(Some("2026-01-31T08:00:00+01:00"), Some("")).expect("an instant");
        assert_eq!((from.map(rfc3339).as_deref(), to), (Some("2026-01-31T07:00:00.000Z"), None));
        assert_eq!(range(None, Some("yesterday")).expect_err("no day").fields[0].field, "to");
    }
}
