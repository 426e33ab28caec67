//! The order of rows.

use std::cmp::Ordering;

use super::super::schema::Object;
use super::super::world::{Record, World};
use super::evaluate::{folded, keeps_case};
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

/// Rows that are worth sorting at once.
const SMALLEST_ROOM: usize = 16;

/// Sorts rows and leaves the first `end` of them.
pub(super) fn sort<'w>(world: &'w World, rows: &mut Vec<&'w Record>, order: &[Sort], end: usize) {
    if order.is_empty() {
        return;
    }
    let room = end.saturating_mul(2).max(SMALLEST_ROOM);
    if room >= rows.len() {
        return sort_all(world, rows, order, end);
    }
    // Of many rows few are wanted: most are told apart from the last one wanted by a glance.
    let mut kept: Vec<&Record> = Vec::with_capacity(room);
    let mut last: Option<(Vec<Held<'w>>, &Record)> = None;
    for row in std::mem::take(rows) {
        let is_late = |(last, record): &(Vec<Held<'w>>, &Record)| {
            let parts = order.iter().zip(last).map(|(sort, last)| compare(sort, sort.accessor.of(world, row), *last));
            parts.reduce(Ordering::then).unwrap_or(Ordering::Equal).then_with(|| row.id.cmp(&record.id)).is_gt()
        };
        if last.as_ref().is_some_and(is_late) {
            continue;
        }
        kept.push(row);
        if kept.len() == room {
            sort_all(world, &mut kept, order, end);
            last = kept.last().map(|record| (held(world, order, record), *record));
        }
    }
    sort_all(world, &mut kept, order, end);
    *rows = kept;
}

fn held<'w>(world: &'w World, order: &[Sort], record: &'w Record) -> Vec<Held<'w>> {
    order.iter().map(|sort| sort.accessor.of(world, record)).collect()
}

fn sort_all<'w>(world: &'w World, rows: &mut Vec<&'w Record>, order: &[Sort], end: usize) {
    // Values are looked for once a row, not once a comparison.
    let mut keyed: Vec<(Vec<Held<'w>>, &Record)> =
        rows.drain(..).map(|record| (held(world, order, record), record)).collect();
    let compare = |(a, first): &(Vec<Held<'w>>, &Record), (b, second): &(Vec<Held<'w>>, &Record)| {
        let parts = order.iter().zip(a.iter().zip(b)).map(|(sort, (a, b))| compare(sort, *a, *b));
        // What is equal stands in the order of its ids.
        parts.reduce(Ordering::then).unwrap_or(Ordering::Equal).then_with(|| first.id.cmp(&second.id))
    };
    if end < keyed.len() {
        keyed.select_nth_unstable_by(end, compare);
        keyed.truncate(end);
    }
    keyed.sort_unstable_by(compare);
    rows.extend(keyed.into_iter().map(|(_, record)| record));
}

/// How two values stand by one criterion.
fn compare(sort: &Sort, a: Held<'_>, b: Held<'_>) -> Ordering {
    let nulls = if sort.nulls_last { Ordering::Greater } else { Ordering::Less };
    let order = match (a, b) {
        (Held::Null, Held::Null) => return Ordering::Equal,
        (Held::Null, _) => return nulls,
        (_, Held::Null) => return nulls.reverse(),
        (Held::Text(a), Held::Text(b)) if a.is_ascii() && b.is_ascii() && !keeps_case(sort.accessor.field) => {
            let small = |byte: u8| byte.to_ascii_lowercase();
            a.trim_end().bytes().map(small).cmp(b.trim_end().bytes().map(small))
        }
        (Held::Text(a), Held::Text(b)) => folded(sort.accessor.field, a).cmp(&folded(sort.accessor.field, b)),
        (Held::Number(a), Held::Number(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (Held::Boolean(a), Held::Boolean(b)) => a.cmp(&b),
        (Held::Instant(a), Held::Instant(b)) => a.cmp(&b),
        (Held::Day(a), Held::Day(b)) => a.cmp(&b),
        // A field holds values of one kind.
        _ => Ordering::Equal,
    };
    if sort.descending { order.reverse() } else { order }
}
