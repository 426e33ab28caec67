//! Search: an index of its own that may lag, with its own limits (dossier 2.7).

mod read;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde_json::{Value as Json, json};

use super::portal::Portal;
use super::record::Record;
use super::refusal::Refusal;
use super::shape::{self, Wanted};
use super::stamps::instant;
use super::world::World;
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

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
    sense: Sense,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Debug)]
struct Query {
    groups: Vec<Vec<Filter>>,
    sort: Option<(String, bool)>,
    text: String,
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
    let found = index.find(&query);
    let total = found.len();
    let page = found.iter().skip(query.after).take(query.limit);
    // The index lags, the records that it leads to do not.
    let results: Vec<Json> = page
        .filter_map(|id| portal.world.tables[kind].records.get(id))
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
        Sense::Text => Some(kept.to_lowercase().as_str().cmp(wanted)),
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Whether a text has a token, a `*` standing for anything.
fn has_token(kept: &str, wanted: &str) -> bool {
    let kept = kept.to_lowercase();
    if wanted.contains('*') {
        return glob(&kept, wanted) || words(&kept).any(|word| glob(word, wanted));
    }
    let mut wanted = words(wanted).peekable();
    wanted.peek().is_some() && wanted.all(|word| words(&kept).any(|known| known == word))
}

fn glob(text: &str, pattern: &str) -> bool {
    let parts: Vec<&str> = pattern.split('*').collect();
    let Some((first, rest)) = parts.split_first() else { return false };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let Some((last, middle)) = rest.split_last() else { return text.is_empty() };
    for part in middle {
        match text.find(part) {
            Some(place) => text = &text[place + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
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

    /// The ids that a query finds, in its order.
    fn find(&self, query: &Query) -> Vec<u64> {
        let table = &self.world.tables[self.kind];
        let mut found: Vec<u64> = Vec::new();
        match self.narrow(query) {
            Narrow::Ids(ids) => {
                let seen = ids.into_iter().filter(|id| !self.before.contains_key(id));
                let records = seen.filter_map(|id| table.records.get(&id));
                found.extend(records.filter(|record| self.fits(query, record)).map(|record| record.id));
            }
            Narrow::Modified(low, high, exact) => {
                for (_, id) in table.by_modified.range((low, high)) {
                    let hidden = self.before.contains_key(id);
                    let fits = || exact || table.records.get(id).is_some_and(|record| self.fits(query, record));
                    if !hidden && fits() {
                        found.push(*id);
                    }
                }
            }
            Narrow::From(first) => {
                let seen = table.records.range(first..).filter(|(id, _)| !self.before.contains_key(id));
                found.extend(seen.filter(|(_, record)| self.fits(query, record)).map(|(id, _)| *id));
            }
        }
        let late = self.before.values().flatten().filter(|record| self.fits(query, record));
        found.extend(late.map(|record| record.id));
        self.order(query, &mut found);
        found
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

    fn fits(&self, query: &Query, record: &Record) -> bool {
        if record.archived != 0 {
            return false;
        }
        let grouped = query.groups.is_empty()
            || query.groups.iter().any(|group| group.iter().all(|filter| self.passes(filter, record)));
        grouped && (query.text.is_empty() || self.mentions(&query.text, record))
    }

    /// Whether every word of a query begins a word of what is searched.
    fn mentions(&self, text: &str, record: &Record) -> bool {
        let values = self.world.meta.types[self.kind]
            .searched()
            .filter_map(|name| shape::value(self.world, self.kind, record, name));
        let all = values.map(|value| value.to_lowercase()).collect::<Vec<_>>().join(" ");
        let mut wanted = words(text).peekable();
        all.contains(text)
            || (wanted.peek().is_some() && wanted.all(|wanted| words(&all).any(|word| word.starts_with(wanted))))
    }

    fn passes(&self, filter: &Filter, record: &Record) -> bool {
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
        let kept = shape::value(self.world, self.kind, record, &filter.name);
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
            Operator::Contains => has_token(&kept, &filter.values[0]),
            Operator::ContainsNot => !has_token(&kept, &filter.values[0]),
        }
    }

    /// By what the query sorts by, else by creation; ids decide between equals.
    fn order(&self, query: &Query, found: &mut [u64]) {
        let table = &self.world.tables[self.kind];
        let record = |id: &u64| self.before.get(id).copied().unwrap_or_else(|| table.records.get(id));
        let created = |id: &u64| record(id).map_or(0, |record| record.created);
        let Some((name, down)) = &query.sort else {
            found.sort_by_cached_key(|id| (created(id), *id));
            return;
        };
        if name == "hs_object_id" {
            found.sort_unstable();
        } else if name == self.world.meta.types[self.kind].modified || name == "hs_lastmodifieddate" {
            found.sort_by_cached_key(|id| (record(id).map_or(0, |record| record.modified), *id));
        } else {
            let kind = self.world.meta.definitions[self.kind].living(name).map(|property| property.kind.as_str());
            // What is no number has the same rank and its text decides; records without a value are the least.
            let key = |id: &u64| {
                let value = record(id).and_then(|record| shape::value(self.world, self.kind, record, name));
                let value = value.map(|value| value.to_lowercase()).unwrap_or_default();
                let (rank, text) = match kind {
                    Some("number") => (number(&value), String::new()),
                    Some("date" | "datetime") => (instant(&value).map(|at| at as f64), String::new()),
                    _ => (None, value),
                };
                (rank.unwrap_or(f64::NEG_INFINITY), text, *id)
            };
            let mut keys: Vec<(f64, String, u64)> = found.iter().map(key).collect();
            keys.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| (&a.1, a.2).cmp(&(&b.1, b.2))));
            found.iter_mut().zip(keys).for_each(|(place, (_, _, id))| *place = id);
        }
        if *down {
            found.reverse();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_words_and_a_star_is_anything() {
        assert!(has_token("Ann@Kestrel.example", "kestrel"));
        assert!(has_token("Ann@Kestrel.example", "*@kestrel.*"));
        assert!(has_token("Harbour Logistics Ltd", "log*"));
        assert!(!has_token("Harbour Logistics Ltd", "log"));
        assert!(!has_token("Harbour", ""));
        assert!(glob("abcbd", "a*b*d") && !glob("abc", "a*d") && glob("", "*"));
    }
}
