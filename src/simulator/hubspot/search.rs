//! Search: an index of its own that may lag, with its own limits (dossier 2.7).

mod page;
mod read;
mod text;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde_json::{Value as Json, json};

use super::portal::Portal;
use super::record::Record;
use super::refusal::Refusal;
use super::shape::{self, Reading, Wanted};
use super::stamps::instant;
use super::world::World;
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;
use page::{Order, Page};
use text::Lowered;

/// Longest body, characters.
const LONGEST: usize = 3000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    Between,
    In,
    NotIn,
    Has,
    HasNot,
    Contains,
    ContainsNot,
}

/// How values of a property compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    Text,
    Exact,
    Number,
    Instant,
}

#[derive(Debug)]
struct Filter {
    name: String,
    /// The type that a pseudo-property `associations.{type}` is about.
    linked: Option<usize>,
    reading: Reading,
    sense: Sense,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Debug)]
struct Query {
    groups: Vec<Vec<Filter>>,
    order: Order,
    down: bool,
    text: String,
    /// What `text` is looked for in.
    searched: Vec<Reading>,
    limit: usize,
    after: usize,
    wanted: Wanted,
}

/// Answers a search.
pub(super) fn answer(portal: &Portal, asked: &Asked, kind: usize) -> Result<Reply, Refusal> {
    if String::from_utf8_lossy(&asked.body).chars().count() > LONGEST {
        return Err(Refusal::invalid(format!("The request body is longer than {LONGEST} characters")));
    }
    let query = read::query(&portal.world, kind, &asked.members()?)?;
    let index = Index::of(portal, kind);
    let (total, page) = index.find(&query);
    // The index lags, the records that it leads to do not.
    let results: Vec<Json> = page
        .into_iter()
        .filter_map(|id| portal.world.tables[kind].records.get(&id))
        .map(|record| Json::Object(shape::told(&portal.world, kind, record, &query.wanted)))
        .collect();
    let mut body = json!({ "total": total, "results": results });
    let next = query.after + query.limit;
    if next < total {
        body["paging"] = json!({ "next": { "after": next.to_string() } });
    }
    Ok(Reply::json(200, &body))
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

fn compared(sense: Sense, kept: &str, wanted: &str) -> Option<Ordering> {
    match sense {
        Sense::Number => number(kept)?.partial_cmp(&number(wanted)?),
        Sense::Instant => Some(instant(kept)?.cmp(&wanted.parse().ok()?)),
        Sense::Exact => Some(kept.cmp(wanted)),
        Sense::Text => Some(text::against(kept, wanted)),
    }
}

/// The index: the records of a type as a lagging search sees them.
struct Index<'p> {
    world: &'p World,
    kind: usize,
    /// Records that changed too lately to be seen, as they were before; none where they were not yet.
    before: BTreeMap<u64, Option<&'p Record>>,
}

impl<'p> Index<'p> {
    fn of(portal: &'p Portal, kind: usize) -> Self {
        let mut before = BTreeMap::new();
        for unseen in portal.world.unseen.iter().filter(|unseen| unseen.kind == kind) {
            before.entry(unseen.id).or_insert(unseen.before.as_ref().filter(|record| record.archived == 0));
        }
        Index { world: &portal.world, kind, before }
    }

    /// How many records a query finds, and the ids of the page that it asks for, in its order.
    fn find(&self, query: &Query) -> (usize, Vec<u64>) {
        let table = &self.world.tables[self.kind];
        let mut page = Page::of(query);
        let mut lowered = Lowered::default();
        let mut look = |record: &'p Record, is_sure: bool| {
            if is_sure || self.fits(query, record, &mut lowered) {
                page.add(query.order.key(self.world, self.kind, record));
            }
        };
        let seen = |id: &u64| !self.before.contains_key(id);
        match self.narrow(query) {
            Narrow::Ids(ids) => {
                let records = ids.iter().filter(|id| seen(id)).filter_map(|id| table.records.get(id));
                records.for_each(|record| look(record, false));
            }
            Narrow::Modified(low, high, exact) => {
                let ids = table.by_modified.range((low, high)).map(|(_, id)| id);
                let records = ids.filter(|id| seen(id)).filter_map(|id| table.records.get(id));
                records.for_each(|record| look(record, exact));
            }
            Narrow::From(first) => {
                let records = table.records.range(first..).filter(|(id, _)| seen(id));
                records.for_each(|(_, record)| look(record, false));
            }
        }
        self.before.values().flatten().for_each(|record| look(record, false));
        page.done()
    }

    /// What an index says about where matches can be.
    fn narrow(&self, query: &Query) -> Narrow {
        let modified = self.world.meta.types[self.kind].modified;
        let [group] = query.groups.as_slice() else { return Narrow::From(0) };
        let definitions = &self.world.meta.definitions[self.kind];
        for filter in group {
            if !matches!(filter.operator, Operator::Eq | Operator::In) || filter.linked.is_some() {
                continue;
            }
            if filter.name == "hs_object_id" {
                return Narrow::Ids(filter.values.iter().filter_map(|value| Some(number(value)? as u64)).collect());
            }
            if let Some((place, property)) = definitions.place(&filter.name).zip(definitions.living(&filter.name))
                && property.unique
                && filter.sense == Sense::Text
            {
                let found = filter.values.iter().filter_map(|value| self.world.by_unique(self.kind, place, value));
                return Narrow::Ids(found.map(|record| record.id).collect());
            }
            if filter.name == "email" && self.kind == super::types::CONTACTS {
                let place = definitions.place("email").unwrap_or_default();
                let found = filter.values.iter().filter_map(|value| self.world.by_unique(self.kind, place, value));
                return Narrow::Ids(found.map(|record| record.id).collect());
            }
        }
        let (mut low, mut high, mut used) = (Bound::Unbounded, Bound::Unbounded, 0);
        for filter in group.iter().filter(|filter| filter.name == modified) {
            let at = |place: usize| filter.values.get(place).and_then(|at| at.parse::<i64>().ok()).unwrap_or_default();
            // A second bound on the same side is left to the test of each record.
            match filter.operator {
                Operator::Gte if low == Bound::Unbounded => low = Bound::Included((at(0), 0)),
                Operator::Gt if low == Bound::Unbounded => low = Bound::Excluded((at(0), u64::MAX)),
                Operator::Lte if high == Bound::Unbounded => high = Bound::Included((at(0), u64::MAX)),
                Operator::Lt if high == Bound::Unbounded => high = Bound::Excluded((at(0), 0)),
                Operator::Between if low == Bound::Unbounded && high == Bound::Unbounded => {
                    (low, high) = (Bound::Included((at(0), 0)), Bound::Included((at(1), u64::MAX)));
                }
                _ => continue,
            }
            used += 1;
        }
        if used > 0 {
            if empty(low, high) {
                return Narrow::Ids(BTreeSet::new());
            }
            return Narrow::Modified(low, high, used == group.len() && query.text.is_empty());
        }
        let after = group
            .iter()
            .find(|filter| filter.name == "hs_object_id" && matches!(filter.operator, Operator::Gt | Operator::Gte));
        Narrow::From(after.and_then(|filter| Some(number(&filter.values[0])? as u64)).unwrap_or(0))
    }

    fn fits(&self, query: &Query, record: &Record, lowered: &mut Lowered) -> bool {
        if record.archived != 0 {
            return false;
        }
        let mut passes = |filter: &Filter| self.passes(filter, record, lowered);
        let grouped = query.groups.is_empty() || query.groups.iter().any(|group| group.iter().all(&mut passes));
        if !grouped || query.text.is_empty() {
            return grouped;
        }
        let values = query.searched.iter().filter_map(|reading| reading.of(self.world, self.kind, record));
        text::mentions(lowered.joined(values), &query.text)
    }

    fn passes(&self, filter: &Filter, record: &Record, lowered: &mut Lowered) -> bool {
        if let Some(to) = filter.linked {
            let from = (self.kind, record.id);
            let linked = |value: &String| {
                let wanted = value.trim().parse::<u64>().ok();
                self.world.linked(from, to).any(|(id, _)| Some(id) == wanted)
            };
            return match filter.operator {
                Operator::Eq | Operator::In => filter.values.iter().any(linked),
                Operator::Neq | Operator::NotIn => !filter.values.iter().any(linked),
                Operator::Has => self.world.linked(from, to).next().is_some(),
                Operator::HasNot => self.world.linked(from, to).next().is_none(),
                _ => false,
            };
        }
        let kept = filter.reading.of(self.world, self.kind, record);
        let Some(kept) = kept.filter(|kept| !kept.is_empty()) else {
            // A record without the property is not other than a value (dossier 2.7).
            return matches!(filter.operator, Operator::HasNot | Operator::ContainsNot);
        };
        // One of several chosen options is enough.
        let several = filter.sense == Sense::Exact && kept.contains(';');
        let equal = |wanted: &String| {
            let same = |kept: &str| compared(filter.sense, kept, wanted) == Some(Ordering::Equal);
            same(&kept) || (several && kept.split(';').any(same))
        };
        let against = |place: usize| compared(filter.sense, &kept, &filter.values[place]);
        match filter.operator {
            Operator::Has => true,
            Operator::HasNot => false,
            Operator::Eq | Operator::In => filter.values.iter().any(equal),
            Operator::Neq | Operator::NotIn => !filter.values.iter().any(equal),
            Operator::Lt => against(0).is_some_and(Ordering::is_lt),
            Operator::Lte => against(0).is_some_and(Ordering::is_le),
            Operator::Gt => against(0).is_some_and(Ordering::is_gt),
            Operator::Gte => against(0).is_some_and(Ordering::is_ge),
            Operator::Between => against(0).is_some_and(Ordering::is_ge) && against(1).is_some_and(Ordering::is_le),
            Operator::Contains => text::has_token(lowered.only(&kept), &filter.values[0]),
            Operator::ContainsNot => !text::has_token(lowered.only(&kept), &filter.values[0]),
        }
    }
}

/// Whether a range holds nothing: a tree refuses to be asked for it.
fn empty(low: Bound<(i64, u64)>, high: Bound<(i64, u64)>) -> bool {
    let inner = |bound: Bound<(i64, u64)>| match bound {
        Bound::Included(at) | Bound::Excluded(at) => Some(at),
        Bound::Unbounded => None,
    };
    inner(low).zip(inner(high)).is_some_and(|(low, high)| low >= high)
}

enum Narrow {
    /// Only these can match.
    Ids(BTreeSet<u64>),
    /// Only what was last changed in this range; whether that is all that is asked.
    Modified(Bound<(i64, u64)>, Bound<(i64, u64)>, bool),
    /// Only ids from here on.
    From(u64),
}
