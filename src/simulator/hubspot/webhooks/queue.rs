//! Events on their way to the application: a plain value, which a task of the skin empties (dossier 5.3).
//!
//! Invariant: an event is here, and on disk, until a receiver has taken it or the last attempt has failed.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

/// Most events of one request.
const MOST: usize = 100;

/// Minutes that an event waits after each attempt that failed: ten more within a day.
const PAUSES_MIN: [i64; 10] = [1, 3, 8, 20, 45, 90, 150, 240, 360, 480];

/// An event that no receiver has taken yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Pending {
    pub serial: u64,
    /// Attempts that have failed.
    pub attempt: usize,
    /// When it may be posted, epoch milliseconds of the account's clock.
    pub due: i64,
    /// What is posted, but for the number of the attempt.
    pub event: Map<String, Json>,
}

impl Pending {
    /// Its line in the journal.
    pub(in super::super) fn line(&self) -> String {
        json!({ "event": self }).to_string()
    }

    /// As it is posted now.
    fn told(&self) -> Map<String, Json> {
        let mut told = self.event.clone();
        told.insert("attemptNumber".to_owned(), json!(self.attempt));
        told
    }

    /// Erasures by law travel apart from the deletions that they cause.
    fn is_apart(&self) -> bool {
        self.event.get("subscriptionType").is_some_and(|kind| kind == "contact.privacyDeletion")
    }
}

/// What one request carries.
#[derive(Debug)]
pub(in super::super) struct Batch {
    pub serials: Vec<u64>,
    pub body: String,
}

/// The queue.
#[derive(Debug, Default)]
pub(in super::super) struct Queue {
    pending: BTreeMap<u64, Pending>,
    /// Those that nobody is posting, by when they are due.
    waiting: BTreeSet<(i64, u64)>,
    /// The last serial given out.
    serial: u64,
    unwritten: Vec<String>,
}

impl Queue {
    /// New events with their serials; they are not in the queue before they are written.
    pub(in super::super) fn numbered(&self, events: Vec<Map<String, Json>>, now: i64) -> Vec<Pending> {
        let numbered = events.into_iter().zip(self.serial + 1..);
        numbered.map(|(event, serial)| Pending { serial, attempt: 0, due: now, event }).collect()
    }

    /// Lines to write: of new events, and of what has become of others.
    pub(in super::super) fn lines(&self, events: &[Pending]) -> Vec<String> {
        events.iter().map(Pending::line).chain(self.unwritten.iter().cloned()).collect()
    }

    /// The lines are written: the new events wait for their first attempt.
    pub(in super::super) fn settle(&mut self, events: Vec<Pending>) {
        self.unwritten.clear();
        events.into_iter().for_each(|event| self.put(event));
    }

    /// Takes what is due for one request, in no order that could be relied on.
    pub(in super::super) fn take(&mut self, now: i64, seed: u64) -> Option<Batch> {
        let due = self.waiting.iter().take_while(|(due, _)| *due <= now);
        let due: Vec<&Pending> = due.filter_map(|(_, serial)| self.pending.get(serial)).take(MOST).collect();
        let apart = due.first()?.is_apart();
        let mut chosen: Vec<&Pending> = due.into_iter().filter(|event| event.is_apart() == apart).collect();
        let first = chosen.first()?.serial;
        chosen.shuffle(&mut ChaCha8Rng::seed_from_u64(seed ^ first));
        let body = json!(chosen.iter().map(|event| event.told()).collect::<Vec<_>>()).to_string();
        let keys: Vec<(i64, u64)> = chosen.iter().map(|event| (event.due, event.serial)).collect();
        for key in &keys {
            self.waiting.remove(key);
        }
        Some(Batch { serials: keys.into_iter().map(|(_, serial)| serial).collect(), body })
    }

    /// When the next event that is not yet due will be.
    pub(in super::super) fn next_due(&self, now: i64) -> Option<i64> {
        self.waiting.range((now.saturating_add(1), 0)..).next().map(|(due, _)| *due)
    }

    /// A receiver has taken these events.
    pub(in super::super) fn taken(&mut self, serials: &[u64]) {
        let known: Vec<u64> = serials.iter().copied().filter(|serial| self.drop(*serial)).collect();
        if !known.is_empty() {
            self.unwritten.push(json!({ "eventsDone": known }).to_string());
        }
    }

    /// An attempt that began at `at` has failed: these events wait for the next one, or have had their last.
    pub(in super::super) fn failed(&mut self, serials: &[u64], at: i64, seed: u64) {
        let first = serials.first().copied().unwrap_or_default();
        let mut dice = ChaCha8Rng::seed_from_u64(seed ^ first);
        // Requests that failed together are not tried again together.
        let per_cent: i64 = dice.random_range(90..=100);
        let (mut over, mut later) = (Vec::new(), Vec::new());
        for serial in serials {
            let Some(mut event) = self.pending.get(serial).cloned() else { continue };
            match PAUSES_MIN.get(event.attempt) {
                None => over.push(*serial),
                Some(pause) => {
                    event.attempt += 1;
                    event.due = at.saturating_add(pause * 600 * per_cent);
                    later.push((event.serial, event.attempt, event.due));
                    self.put(event);
                }
            }
        }
        if !later.is_empty() {
            self.unwritten.push(json!({ "eventsLater": later }).to_string());
        }
        self.taken(&over);
    }

    /// Reads a line of the journal; `false` where it is not one of the queue's.
    pub(in super::super) fn replay(&mut self, entry: &mut Json) -> bool {
        if let Some(event) = entry.get_mut("event") {
            if let Ok(event) = serde_json::from_value(event.take()) {
                self.put(event);
            }
        } else if let Some(done) = entry.get_mut("eventsDone") {
            let done: BTreeSet<u64> = serde_json::from_value(done.take()).unwrap_or_default();
            self.pending.retain(|serial, _| !done.contains(serial));
            self.waiting.retain(|(_, serial)| !done.contains(serial));
        } else if let Some(later) = entry.get_mut("eventsLater") {
            let later: Vec<(u64, usize, i64)> = serde_json::from_value(later.take()).unwrap_or_default();
            for (serial, attempt, due) in later {
                if let Some(event) = self.pending.get(&serial).cloned() {
                    self.put(Pending { attempt, due, ..event });
                }
            }
        } else {
            return false;
        }
        true
    }

    /// Every event, oldest first.
    pub(in super::super) fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.pending.values()
    }

    /// Whether nothing is on its way.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Forgets every event; serials go on, so that no answer to an old request is taken for a new one's.
    pub(in super::super) fn clear(&mut self) {
        *self = Queue { serial: self.serial, ..Queue::default() };
    }

    /// The last serial given out.
    pub(in super::super) fn serial(&self) -> u64 {
        self.serial
    }

    /// Serials up to this one are taken.
    pub(in super::super) fn raise_serial(&mut self, serial: u64) {
        self.serial = self.serial.max(serial);
    }

    fn put(&mut self, event: Pending) {
        self.drop(event.serial);
        self.raise_serial(event.serial);
        self.waiting.insert((event.due, event.serial));
        self.pending.insert(event.serial, event);
    }

    fn drop(&mut self, serial: u64) -> bool {
        let Some(event) = self.pending.remove(&serial) else { return false };
        self.waiting.remove(&(event.due, serial));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;

    fn queue(kinds: &[&str]) -> Queue {
        let mut queue = Queue::default();
        let event = |kind: &&str| Map::from_iter([("subscriptionType".to_owned(), json!(kind))]);
        let events = queue.numbered(kinds.iter().map(event).collect(), 0);
        queue.settle(events);
        queue
    }

    #[test]
    fn a_request_carries_a_hundred_events_in_no_order() {
        let mut queue = queue(&["contact.creation"; 230]);
        let batches: Vec<Vec<u64>> = std::iter::from_fn(|| queue.take(0, 1)).map(|batch| batch.serials).collect();
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 30]);
        assert!(!batches[0].is_sorted());
        let all: BTreeSet<u64> = batches.into_iter().flatten().collect();
        assert_eq!(all, (1..=230).collect());
    }

    #[test]
    fn an_erasure_travels_apart_from_its_deletion() {
        let mut queue = queue(&["contact.deletion", "contact.privacyDeletion", "contact.deletion"]);
        let batches: Vec<BTreeSet<u64>> =
            std::iter::from_fn(|| queue.take(0, 1)).map(|batch| batch.serials.into_iter().collect()).collect();
        assert_eq!(batches, [BTreeSet::from([1, 3]), BTreeSet::from([2])]);
    }

    #[test]
    fn ten_more_attempts_are_spread_over_a_day() {
        let mut queue = queue(&["deal.creation"]);
        let (mut now, mut attempts) = (0, Vec::new());
        while let Some(batch) = queue.take(now, 7) {
            attempts.push((now, batch.body.contains(&format!("\"attemptNumber\":{}", attempts.len()))));
            queue.failed(&batch.serials, now, 7);
            assert!(queue.take(now, 7).is_none(), "not at once");
            now = queue.next_due(now).unwrap_or(now);
        }
        assert!(queue.is_empty(), "the last attempt was the last");
        assert_eq!(attempts.len(), 11);
        assert!(attempts.iter().all(|(_, numbered)| *numbered));
        let pauses: Vec<i64> = attempts.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert!(pauses.is_sorted() && pauses[0] <= MINUTE_MS, "{pauses:?}");
        assert!((20 * 60 * MINUTE_MS..24 * 60 * MINUTE_MS).contains(&now), "{now}");
    }

    #[test]
    fn the_lines_make_the_same_queue_again() {
        let mut first = queue(&["deal.creation"; 4]);
        let mut lines: Vec<String> = first.pending().map(Pending::line).collect();
        let batch = first.take(0, 1).expect("four are due");
        first.taken(&batch.serials[..2]);
        first.failed(&batch.serials[2..], 0, 1);
        lines.extend(first.lines(&[]));
        let mut again = Queue::default();
        for line in lines {
            assert!(again.replay(&mut serde_json::from_str(&line).expect("JSON")));
        }
        assert!(again.pending().eq(first.pending()));
        assert_eq!((again.serial(), again.next_due(0)), (4, first.next_due(0)));
        assert!(!again.replay(&mut json!({ "put": 0 })));
    }

    #[test]
    fn the_answer_to_a_request_of_an_old_world_changes_nothing() {
        let mut queue = queue(&["deal.creation"]);
        let old = queue.take(0, 1).expect("it is due");
        queue.clear();
        let fresh = queue.numbered(vec![Map::new()], 0);
        queue.settle(fresh);
        queue.taken(&old.serials);
        assert_eq!(queue.pending().count(), 1);
    }
}
