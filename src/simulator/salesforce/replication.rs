//! `updated` and `deleted`, by whole minutes (dossier 2.8).

use serde_json::{Value as Json, json};

use super::org::Org;
use super::rest::{parse_stamp, stamp};
use super::schema::Object;
use super::world::{Record, whole_second};
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Milliseconds of a minute and of a day.
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Days that a window may begin before now.
const DELETED_REACH_DAYS: i64 = 15;
const UPDATED_REACH_DAYS: i64 = 30;

/// Ids of one answer.
const MOST_IDS: usize = 600_000;

/// Answers `updated`, or `deleted`.
pub(super) fn answer(org: &Org, asked: &Asked, object: &'static Object, deleted: bool) -> Reply {
    let refused = |message: &str| Reply::error(400, "INVALID_REPLICATION_DATE", message);
    let minute = |name: &str| {
        let at = asked.query(name).and_then(|text| parse_stamp(&text))?;
        Some(at.div_euclid(MINUTE_MS) * MINUTE_MS)
    };
    let (Some(start), Some(end)) = (minute("start"), minute("end")) else {
        return refused("start and end are required, as ISO 8601 instants");
    };
    let reach = if deleted { DELETED_REACH_DAYS } else { UPDATED_REACH_DAYS };
    if start >= end {
        return refused("startDate must be at least one minute before endDate");
    }
    if start < org.now() - reach * DAY_MS {
        return refused(&format!("startDate cannot be more than {reach} days ago"));
    }
    // The minute that is running is not covered: a change may still come with a stamp of its first second.
    let covered = end.min(org.now().div_euclid(MINUTE_MS) * MINUTE_MS);
    // What an open transaction commits bears the stamp of its begin.
    let covered = org.small.open.iter().map(|open| whole_second(open.began)).fold(covered, i64::min);
    let found = org.world.tables.get(object.name).into_iter().flat_map(|table| table.stamped(start, end - 1));
    let found: Vec<&Record> = found.filter(|record| record.deleted == deleted).collect();
    if let Some(refused) = too_many(found.len()) {
        return refused;
    }
    let found = found.into_iter();
    if deleted {
        let records: Vec<Json> =
            found.map(|record| json!({ "id": record.id, "deletedDate": stamp(record.stamp) })).collect();
        let earliest = org.now() - DELETED_REACH_DAYS * DAY_MS;
        // What was removed for good before its time is not told: only what came after it is told whole.
        let purged = org.world.purged.get(object.name).map(|at| at + MINUTE_MS - 1);
        let earliest = purged.map_or(earliest, |purged| earliest.max(purged));
        Reply::json(
            200,
            &json!({ "deletedRecords": records, "earliestDateAvailable": stamp(earliest.div_euclid(MINUTE_MS) * MINUTE_MS),
                     "latestDateCovered": stamp(covered) }),
        )
    } else {
        let ids: Vec<&str> = found.map(|record| &*record.id).collect();
        Reply::json(200, &json!({ "ids": ids, "latestDateCovered": stamp(covered) }))
    }
}

/// The refusal of an answer with more ids than one may have.
fn too_many(ids: usize) -> Option<Reply> {
    let message = format!("exceeded {MOST_IDS} ids: ask for a shorter time");
    (ids > MOST_IDS).then(|| Reply::error(400, "EXCEEDED_ID_LIMIT", &message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_at_most_600_000_ids() {
        assert!(too_many(600_000).is_none());
        let refused = too_many(600_001).expect("a refusal");
        assert!(refused.status == 400 && refused.body.contains("EXCEEDED_ID_LIMIT"));
    }
}
