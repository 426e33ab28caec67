//! A run that waits for an admin, in words and by a sample of what it would do.

use serde_json::Value;

use crate::model::{Entity, app_field};
use crate::store::connections::StoredConnection;
use crate::store::runs::StoredRun;
use crate::store::{StoreError, WorkspaceTx, guarded};
use crate::store::{connection_evidence as evidence, guarded::HeldChange};
use crate::view::instant::{counted, grouped};
use crate::view::integrations::HeldRun;

/// Records that stand for the others.
const SAMPLE: i64 = 5;

/// What an admin is asked about a held run.
pub(super) async fn held_run(
    tx: &mut WorkspaceTx,
    connection: &StoredConnection,
    run: &StoredRun,
) -> Result<HeldRun, StoreError> {
    let deletes = evidence::held_records(tx, run.id, SAMPLE).await?;
    let mut sample: Vec<String> = deletes.into_iter().map(|(entity, name)| format!("{name} ({entity})")).collect();
    let changes = guarded::sample(tx, run.id, SAMPLE).await?;
    sample.extend(changes.iter().map(|change| change_in_words(connection, change)));
    let reason = run.held_reason.clone().unwrap_or_default();
    Ok(HeldRun { id: run.id, sample, ..in_words(connection, &reason) })
}

/// `reason` is a list of `{ entityType, side, deletes, links }` and `{ entityType, side, field, changes, links }`.
fn in_words(connection: &StoredConnection, reason: &Value) -> HeldRun {
    let held: Vec<&Value> = reason.as_array().into_iter().flatten().collect();
    let parts: Vec<String> = held.iter().filter_map(|part| part_in_words(connection, part)).collect();
    let sum = |name: &str| held.iter().filter_map(|part| part[name].as_i64()).sum::<i64>();
    let (deletes, changes) = (sum("deletes"), sum("changes"));
    let options = &connection.options;
    let mut limits = Vec::new();
    if held.iter().any(|part| part["restored"] == true) {
        limits.push(
            "The database was restored: the first run after that asks before it overwrites or deletes.".to_owned(),
        );
    } else if deletes > 0 {
        let records = counted(u64::from(options.guard_records), "record");
        limits.push(format!("Your guard stops deletes at {records} and {} %.", options.guard_percent));
    }
    if changes > 0 && held.iter().all(|part| part["restored"] != true) {
        limits.push(
            "The first 50 of a field have been written; more than that, in over 25 % of the records, waits.".to_owned(),
        );
    }
    let (what, approve, reject) = match (deletes, changes) {
        (_, 0) => ("Stopped before the first delete.", "Delete them", "Keep them, drop these deletes"),
        (0, _) => {
            ("Stopped before one field changes in many records.", "Write these values", "Keep both sides as they are")
        }
        _ => (
            "Stopped before many records change at once.",
            "Approve exactly these",
            "Reject them, keep both sides as they are",
        ),
    };
    let shown = SAMPLE.min(deletes) + SAMPLE.min(changes);
    let all = deletes + changes;
    HeldRun {
        id: uuid::Uuid::nil(),
        what: what.to_owned(),
        detail: format!("This run would {}. {}", parts.join(" and "), limits.join(" ")),
        sample: Vec::new(),
        more: (all > shown).then(|| format!("and {} more", grouped(all - shown))),
        approve: approve.to_owned(),
        reject: reject.to_owned(),
    }
}

fn part_in_words(connection: &StoredConnection, part: &Value) -> Option<String> {
    let place = if part["side"] == "crm" { format!("in {}", connection.provider.title()) } else { "here".to_owned() };
    let (records, links) = (part["entityType"].as_str()?, part["links"].as_i64()?);
    let share = |count: i64| if links > 0 { count * 100 / links } else { 100 };
    if let Some(count) = part["deletes"].as_i64() {
        return Some(format!("delete {} of {} {records} {place} ({} %)", grouped(count), grouped(links), share(count)));
    }
    let count = part["changes"].as_i64()?;
    let field = field_label(Entity::from_plural(records)?, part["field"].as_str()?);
    let (count_text, links_text) = (grouped(count), grouped(links));
    Some(format!("empty or overwrite {field} in {count_text} of {links_text} {records} {place} ({} %)", share(count)))
}

fn change_in_words(connection: &StoredConnection, change: &HeldChange) -> String {
    let value = |value: &Option<String>| match value {
        Some(value) => format!("“{value}”"),
        None => "nothing".to_owned(),
    };
    let crm = connection.provider.title();
    let field = field_label(change.entity, &change.app_field);
    format!(
        "{} ({}): {field} is {} here and {} in {crm}",
        change.name,
        change.entity,
        value(&change.app),
        value(&change.crm)
    )
}

fn field_label(entity: Entity, name: &str) -> String {
    app_field(entity, name)
        .map_or_else(|| name.trim_start_matches("custom.").to_owned(), |field| field.label.to_owned())
}
