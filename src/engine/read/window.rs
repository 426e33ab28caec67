//! Which part of an entity a run reads: a window from the cursor, a second look where the CRM's index lags, or everything.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::connectors::{DeletionQuery, LookBack};
use crate::model::RunTrigger;
use crate::store::setup::Cursor;

/// Both sides are compared in full after this time (`sync.md`, "Finding changes").
const COMPARE_EVERY: TimeDelta = TimeDelta::days(7);

/// A list of deletions that is too long for every run is read to its end after this time.
const LIST_DELETIONS_EVERY: TimeDelta = TimeDelta::hours(1);

/// References that move no stamp are asked for with the second look that is taken this seldom.
const ASK_REFERENCES_EVERY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// What a run reads of an entity.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Start, epoch milliseconds; `None`: in full.
    pub(super) since: Option<i64>,
    /// Which deletions to ask for.
    pub(super) deletions: DeletionQuery,
    /// Second looks that this window takes, and when: by their distance in seconds, epoch milliseconds.
    pub(super) looks_back: BTreeMap<String, i64>,
    /// References that move no stamp are to be asked for.
    pub(super) asks_references: bool,
    /// Where both sides are compared in full: the readings before have brought what changed before this, epoch milliseconds.
    pub(super) compares_before: Option<i64>,
}

/// What a run wants of the window.
pub(super) struct Wish<'a> {
    /// What the run would cover.
    pub(super) covers: &'a str,
    /// What started it.
    pub(super) trigger: RunTrigger,
    /// A person asked for a full comparison.
    pub(super) compares: bool,
}

/// Opens a window at the cursor of an entity.
pub(super) fn open(wish: &Wish<'_>, cursor: Option<&Cursor>, look_backs: &[LookBack], now: DateTime<Utc>) -> Window {
    let until = cursor.and_then(|cursor| cursor.read_until).map(|until| until.timestamp_millis());
    let now_ms = now.timestamp_millis();
    let is_due = |look: &&LookBack| {
        let last = cursor.and_then(|cursor| cursor.looked_back.get(&distance(look)).copied());
        last.is_none_or(|last| now_ms - last >= milliseconds(look.every))
    };
    let due: Vec<&LookBack> = look_backs.iter().filter(is_due).collect();
    let reach = due.iter().map(|look| milliseconds(look.reach)).max().unwrap_or_default();
    let start = until.map(|until| until - reach);
    let is_old = |at: Option<DateTime<Utc>>, age: TimeDelta| at.is_none_or(|at| now - at >= age);
    let is_scheduled = matches!(wish.trigger, RunTrigger::Schedule | RunTrigger::Manual);
    let compares = wish.compares
        || is_scheduled && cursor.and_then(|cursor| cursor.compared_at).is_some_and(|at| now - at >= COMPARE_EVERY);
    let is_covered = cursor.is_some_and(|cursor| cursor.covers.as_deref() == Some(wish.covers));
    Window {
        since: start.filter(|_| is_covered && !compares),
        // What was deleted since the last reading is asked for although what is read has widened: a full reading shows the
        // living.
        deletions: DeletionQuery {
            since: start,
            thorough: is_old(cursor.and_then(|cursor| cursor.deletions_read_at), LIST_DELETIONS_EVERY),
        },
        asks_references: due.iter().any(|look| look.every >= ASK_REFERENCES_EVERY),
        looks_back: due.iter().map(|look| (distance(look), now_ms)).collect(),
        compares_before: start.filter(|_| is_covered && compares),
    }
}

fn distance(look: &LookBack) -> String {
    look.every.as_secs().to_string()
}

fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LOOK_BACKS: [LookBack; 2] = [
        LookBack { every: Duration::ZERO, reach: Duration::from_secs(120) },
        LookBack { every: Duration::from_secs(900), reach: Duration::from_secs(3600) },
    ];

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(minute * 60, 0).expect("an instant")
    }

    fn cursor() -> Cursor {
        Cursor {
            read_until: Some(at(1000)),
            covers: Some("x".to_owned()),
            looked_back: BTreeMap::from([("900".to_owned(), at(1000).timestamp_millis())]),
            deletions_read_at: Some(at(1000)),
            compared_at: Some(at(0)),
        }
    }

    fn wish(covers: &str) -> Wish<'_> {
        Wish { covers, trigger: RunTrigger::Schedule, compares: false }
    }

    #[test]
    fn a_short_look_back_is_taken_each_time_and_a_long_one_when_it_is_due() {
        let soon = open(&wish("x"), Some(&cursor()), &LOOK_BACKS, at(1001));
        assert_eq!(soon.since, Some(at(998).timestamp_millis()));
        assert!(!soon.looks_back.contains_key("900"));
        let later = open(&wish("x"), Some(&cursor()), &LOOK_BACKS, at(1015));
        assert_eq!(later.since, Some(at(940).timestamp_millis()));
        assert!(later.looks_back.contains_key("900"));
        assert_eq!(open(&wish("x"), Some(&cursor()), &[], at(1015)).since, Some(at(1000).timestamp_millis()));
    }

    #[test]
    fn a_list_of_deletions_is_read_to_its_end_hourly() {
        assert!(!open(&wish("x"), Some(&cursor()), &LOOK_BACKS, at(1059)).deletions.thorough);
        assert!(open(&wish("x"), Some(&cursor()), &LOOK_BACKS, at(1060)).deletions.thorough);
    }

    #[test]
    fn everything_is_read_first_when_more_is_covered_weekly_and_on_demand() {
        assert_eq!(open(&wish("x"), None, &LOOK_BACKS, at(1001)).since, None);
        assert_eq!(open(&wish("y"), Some(&cursor()), &LOOK_BACKS, at(1001)).since, None);
        let week = 7 * 24 * 60;
        assert_eq!(open(&wish("x"), Some(&cursor()), &LOOK_BACKS, at(week)).since, None);
        let hurried = Wish { trigger: RunTrigger::Change, ..wish("x") };
        assert!(open(&hurried, Some(&cursor()), &LOOK_BACKS, at(week)).since.is_some(), "an edit does not wait for it");
        let asked = Wish { compares: true, ..wish("x") };
        let compared = open(&asked, Some(&cursor()), &LOOK_BACKS, at(1001));
        assert_eq!((compared.since, compared.compares_before), (None, Some(at(998).timestamp_millis())));
        let widened = Wish { compares: true, ..wish("y") };
        let first = open(&widened, Some(&cursor()), &LOOK_BACKS, at(1001));
        assert_eq!(first.compares_before, None, "what more is covered now was not missed");
    }
}
