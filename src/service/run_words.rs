//! A run that is on, in words.

use serde_json::Value;

use crate::model::{Entity, LogDirection, RunState, Stage};
use crate::store::connection_evidence::{CardLog, CardRun};
use crate::view::instant::{duration, grouped};
use crate::view::integrations::{LiveRun, StageLine};

/// A run that is on.
pub(super) fn live_run(run: &CardRun, logs: &[CardLog]) -> LiveRun {
    let text = |name: &str| run.progress.get(name).and_then(Value::as_str);
    let entity = text("entityType").and_then(Entity::from_plural);
    let stage = text("stage").and_then(|stage| stage.parse::<Stage>().ok());
    let direction = text("direction").and_then(|direction| direction.parse::<LogDirection>().ok());
    let processed = run.progress.get("processed").and_then(Value::as_i64).unwrap_or(0).max(0);
    let total = run.progress.get("total").and_then(Value::as_i64).filter(|total| *total > 0);
    let rate = rate(logs, entity, direction, stage);
    LiveRun {
        id: run.id,
        doing: doing(stage, direction, entity),
        so_far: so_far(processed, total, rate),
        percent: total.map(|total| u8::try_from(processed.min(total) * 100 / total).unwrap_or(100)),
        stages: run.entities.iter().map(|each| stage_line(*each, entity, run, logs)).collect(),
        by: match &run.requested_by {
            Some(name) => format!("Started by {name}"),
            None => "Started by the schedule".to_owned(),
        },
        stopping: run.cancel_requested,
    }
}

fn doing(stage: Option<Stage>, direction: Option<LogDirection>, entity: Option<Entity>) -> String {
    let Some(entity) = entity else {
        return if stage == Some(Stage::Delete) { "Finishing" } else { "Starting" }.to_owned();
    };
    let verb = match (stage, direction) {
        (Some(Stage::Match), _) => "Matching",
        (Some(Stage::Delete), _) => "Deleting",
        (_, Some(LogDirection::Push)) => "Pushing",
        _ => "Pulling",
    };
    format!("{verb} {}", entity.plural())
}

fn so_far(processed: i64, total: Option<i64>, rate: Option<f64>) -> String {
    let mut parts = match (processed, total) {
        (_, Some(total)) => vec![format!("{} of {}", grouped(processed), grouped(total))],
        (0, None) => Vec::new(),
        (_, None) => vec![format!("{} so far", grouped(processed))],
    };
    if let Some(rate) = rate.filter(|_| processed > 0) {
        parts.push(format!("{} a second", grouped(rate.round() as i64)));
        if let Some(left) = total.map(|total| total - processed).filter(|left| *left > 0) {
            parts.push(format!("about {} left", duration((left as f64 / rate * 1000.0) as i64)));
        }
    }
    parts.join(" · ")
}

/// Records per second of what is going on, once a second of work has been seen.
fn rate(
    logs: &[CardLog],
    entity: Option<Entity>,
    direction: Option<LogDirection>,
    stage: Option<Stage>,
) -> Option<f64> {
    let log = logs.iter().find(|log| Some(log.entity) == entity && Some(log.direction) == direction)?;
    let stage = stage?;
    let seen = log.stages.as_array()?.iter().find(|seen| seen["name"] == stage.as_str())?;
    let (records, ms) = (seen["records"].as_f64()?, seen["durationMs"].as_f64()?);
    (ms >= 1000.0 && records > 0.0).then(|| records * 1000.0 / ms)
}

fn stage_line(each: Entity, current: Option<Entity>, run: &CardRun, logs: &[CardLog]) -> StageLine {
    let place = |entity: Entity| run.entities.iter().position(|other| *other == entity);
    let state = match current.and_then(place) {
        Some(at) if place(each) == Some(at) => RunState::Running,
        Some(at) if place(each) > Some(at) => RunState::Queued,
        Some(_) => RunState::Completed,
        None if logs.is_empty() => RunState::Queued,
        None => RunState::Completed,
    };
    let written = |direction| logs.iter().find(|log| log.entity == each && log.direction == direction);
    let mut counts: Vec<String> = [(LogDirection::Pull, "pulled"), (LogDirection::Push, "pushed")]
        .into_iter()
        .filter_map(|(direction, word)| {
            let log = written(direction).filter(|log| log.synced > 0)?;
            Some(format!("{} {word}", grouped(log.synced)))
        })
        .collect();
    let failed: i64 = logs.iter().filter(|log| log.entity == each).map(|log| log.failed).sum();
    if failed > 0 {
        counts.push(format!("{} failed", grouped(failed)));
    }
    let says = match (state, counts.is_empty()) {
        (_, false) => counts.join(", "),
        (RunState::Running, true) => "reading and comparing".to_owned(),
        (RunState::Queued, true) => "next".to_owned(),
        (_, true) => "nothing to write".to_owned(),
    };
    StageLine { state, text: format!("{}: {says}", each.title()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn run(progress: Value) -> CardRun {
        CardRun {
            id: Uuid::nil(),
            state: RunState::Running,
            entities: vec![Entity::Account, Entity::Contact, Entity::Opportunity],
            progress,
            held_reason: None,
            cancel_requested: false,
            requested_by: Some("Tomás Rivera".to_owned()),
            created_at: chrono::DateTime::UNIX_EPOCH,
            started_at: None,
        }
    }

    fn log(entity: Entity, direction: LogDirection, synced: i64, stages: Value) -> CardLog {
        CardLog { id: Uuid::nil(), entity, direction, synced, failed: 0, stages }
    }

    #[test]
    fn a_run_tells_what_it_does_how_fast_and_what_is_left() {
        let progress = json!({ "direction": "pull", "entityType": "contacts", "stage": "read", "processed": 3400, "total": 10000 });
        let read = json!([{ "name": "read", "records": 3300, "durationMs": 20000 }]);
        let logs = [
            log(Entity::Account, LogDirection::Pull, 312, json!([])),
            log(Entity::Account, LogDirection::Push, 64, json!([])),
            log(Entity::Contact, LogDirection::Pull, 0, read),
        ];
        let live = live_run(&run(progress), &logs);
        assert_eq!(live.doing, "Pulling contacts");
        assert_eq!(live.so_far, "3,400 of 10,000 · 165 a second · about 40 s left");
        assert_eq!((live.percent, live.by.as_str()), (Some(34), "Started by Tomás Rivera"));
        let stages: Vec<&str> = live.stages.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(
            stages,
            ["Accounts: 312 pulled, 64 pushed", "Contacts: reading and comparing", "Opportunities: next"]
        );
    }

    #[test]
    fn a_run_that_has_just_begun_is_starting() {
        let live = live_run(&run(json!({})), &[]);
        assert_eq!((live.doing.as_str(), live.so_far.as_str(), live.percent), ("Starting", "", None));
        assert!(live.stages.iter().all(|line| line.state == RunState::Queued));
    }
}
