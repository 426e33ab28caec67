//! The order of rows.

use std::cmp::Ordering;

use super::super::schema::Object;
use super::super::world::{Record, World};
use super::evaluate::folded;
use super::resolve::{self, Accessor, Held};
use super::{Order, SoqlError, Statement};

/// One criterion of an order.
pub(super) struct Sort {
    pub accessor: Accessor,
    pub descending: bool,
    nulls_last: bool,
}

/// An order that an index gives by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Natural {
    /// Any order will do.
    Any,
    Ids,
    /// By stamp, then by id.
    Stamps,
    /// The same, last first.
    StampsDescending,
    /// None does.
    Other,
}

/// Which index gives an order by itself.
pub(super) fn natural(order: &[Sort]) -> Natural {
    let own = |sort: &Sort, name: &str, descending: bool| sort.accessor.is_own(name) && sort.descending == descending;
    match order {
        [] => Natural::Any,
        [id] if own(id, "Id", false) => Natural::Ids,
        [stamp] if own(stamp, "SystemModstamp", false) => Natural::Stamps,
        [stamp, id, ..] if own(stamp, "SystemModstamp", false) && own(id, "Id", false) => Natural::Stamps,
        [stamp, id, ..] if own(stamp, "SystemModstamp", true) && own(id, "Id", true) => Natural::StampsDescending,
        _ => Natural::Other,
    }
}

/// The order that a statement asks for.
pub(super) fn ordering(object: &'static Object, statement: &Statement) -> Result<Vec<Sort>, SoqlError> {
    let sort = |order: &Order| {
        let accessor = resolve::accessor(object, statement, &order.path)?;
        if accessor.field.sortable {
            return Ok(Sort { accessor, descending: order.descending, nulls_last: order.nulls_last });
        }
        let message = format!("field '{}' can not be sorted in a query call", accessor.field.name);
        Err(SoqlError::at("INVALID_FIELD", &statement.source, order.path.offset, &message))
    };
    statement.order.iter().map(sort).collect()
}

#[derive(PartialEq, PartialOrd)]
enum Key {
    Boolean(bool),
    Number(f64),
    Instant(i64),
    Text(String),
}

/// Sorts rows; only the first `end` need be in order.
pub(super) fn sort(world: &World, rows: &mut Vec<&Record>, order: &[Sort], end: usize) {
    if order.is_empty() {
        return;
    }
    let key = |record: &Record, sort: &Sort| match sort.accessor.of(world, record) {
        Held::Null => None,
        Held::Text(text) => Some(Key::Text(folded(sort.accessor.field, text))),
        Held::Number(number) => Some(Key::Number(number)),
        Held::Boolean(boolean) => Some(Key::Boolean(boolean)),
        Held::Instant(at) => Some(Key::Instant(at)),
        Held::Day(day) => Some(Key::Text(day.to_string())),
    };
    // Keys are worked out once a row, not once a comparison.
    let mut keyed: Vec<(Vec<Option<Key>>, &Record)> =
        rows.drain(..).map(|record| (order.iter().map(|sort| key(record, sort)).collect(), record)).collect();
    let compare = |(a, first): &(Vec<Option<Key>>, &Record), (b, second): &(Vec<Option<Key>>, &Record)| {
        let parts = order.iter().zip(a.iter().zip(b)).map(|(sort, (a, b))| match (a, b) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) if sort.nulls_last => Ordering::Greater,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) if sort.nulls_last => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => {
                let order = a.partial_cmp(b).unwrap_or(Ordering::Equal);
                if sort.descending { order.reverse() } else { order }
            }
        });
        // What is equal stands in the order of its ids.
        parts.fold(Ordering::Equal, Ordering::then).then_with(|| first.id.cmp(&second.id))
    };
    if end < keyed.len() {
        keyed.select_nth_unstable_by(end, compare);
        keyed.truncate(end);
    }
    keyed.sort_unstable_by(compare);
    rows.extend(keyed.into_iter().map(|(_, record)| record));
}
