//! The page of a search: as many of the first records as it shows, whatever is found besides (dossier 2.7).

use std::borrow::Cow;
use std::cmp::Ordering;

use super::super::record::Record;
use super::super::schema::Property;
use super::super::shape::Reading;
use super::super::stamps::instant;
use super::super::world::World;
use super::{Query, number};

/// Keys beyond those of the page that are kept before the last of them are dropped.
const SPARE: usize = 4096;

/// What records are sorted by; ids decide between equals.
#[derive(Debug)]
pub(super) enum Order {
    Id,
    Created,
    Modified,
    Value(Reading, Kind),
}

/// How the values of a property are sorted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Number,
    Instant,
}

impl Kind {
    pub(super) fn of(property: &Property) -> Self {
        match property.kind.as_str() {
            "number" => Kind::Number,
            "date" | "datetime" => Kind::Instant,
            _ => Kind::Text,
        }
    }
}

/// Where a record stands: records without a value, or whose value is no number, stand first.
pub(super) type Key<'r> = (i64, Cow<'r, str>, u64);

impl Order {
    /// Where a record stands.
    pub(super) fn key<'r>(&self, world: &World, kind: usize, record: &'r Record) -> Key<'r> {
        let (rank, text) = match self {
            Order::Id => (0, None),
            Order::Created => (record.created, None),
            Order::Modified => (record.modified, None),
            Order::Value(reading, how) => match (reading.of(world, kind, record), how) {
                (value, Kind::Text) => (0, value.map(lowered)),
                (Some(value), Kind::Number) => (number(&value).map_or(i64::MIN, ranked), None),
                (Some(value), Kind::Instant) => (instant(&value).unwrap_or(i64::MIN), None),
                (None, _) => (i64::MIN, None),
            },
        };
        (rank, text.unwrap_or_default(), record.id)
    }
}

/// A number's place among all numbers.
fn ranked(number: f64) -> i64 {
    let bits = number.to_bits().cast_signed();
    // The digits of negative numbers count the other way.
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

fn lowered(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.bytes().all(|letter| letter.is_ascii() && !letter.is_ascii_uppercase()) {
        return text;
    }
    Cow::Owned(text.to_lowercase())
}

/// Collects what is found: counts all of it, and keeps what can be on the page.
pub(super) struct Page<'r> {
    down: bool,
    begin: usize,
    end: usize,
    total: usize,
    keys: Vec<Key<'r>>,
}

impl<'r> Page<'r> {
    pub(super) fn of(query: &Query) -> Self {
        let (begin, end) = (query.after, query.after + query.limit);
        Page { down: query.down, begin, end, total: 0, keys: Vec::new() }
    }

    pub(super) fn add(&mut self, key: Key<'r>) {
        self.total += 1;
        self.keys.push(key);
        if self.keys.len() >= self.end + SPARE {
            self.keys.select_nth_unstable_by(self.end, order(self.down));
            self.keys.truncate(self.end);
        }
    }

    /// How many were found, and the ids of the page.
    pub(super) fn done(mut self) -> (usize, Vec<u64>) {
        self.keys.sort_unstable_by(order(self.down));
        let ids = self.keys.into_iter().take(self.end).skip(self.begin).map(|(_, _, id)| id);
        (self.total, ids.collect())
    }
}

fn order<'r>(down: bool) -> impl Fn(&Key<'r>, &Key<'r>) -> Ordering {
    move |a, b| if down { b.cmp(a) } else { a.cmp(b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_in_their_order() {
        let numbers = [f64::NEG_INFINITY, -1e300, -2.5, -0.0, 0.0, 1e-300, 7.0, f64::INFINITY];
        assert!(numbers.map(ranked).is_sorted());
        assert!(ranked(f64::NEG_INFINITY) > i64::MIN);
    }

    #[test]
    fn a_page_is_the_same_however_much_is_found_besides() {
        for down in [false, true] {
            let mut page = Page { down, begin: 10, end: 20, total: 0, keys: Vec::new() };
            let count = 3 * SPARE as u64;
            // Seven has no divisor with the count: every number comes once, in no order.
            (0..count).for_each(|place| page.add(((place * 7 % count) as i64, Cow::Borrowed(""), place * 7 % count)));
            let expected: Vec<u64> = if down { (count - 20..count - 10).rev().collect() } else { (10..20).collect() };
            assert_eq!(page.done(), (count as usize, expected));
        }
    }
}
