//! Which records a condition needs looking at: an index where one narrows them, else all.

use super::super::ids::Id;
use super::super::table::Table;
use super::super::world::Record;
use super::Operator;
use super::evaluate::{Test, Wanted};
use super::order::Natural;

/// Records among which are all that the condition holds for, and whether they come in the wanted order.
pub(super) fn candidates<'t>(
    table: &'t Table,
    test: Option<&Test>,
    wanted: Natural,
) -> (Box<dyn Iterator<Item = &'t Record> + 't>, bool) {
    if let Some(found) = test.and_then(|test| listed(table, test)) {
        return (Box::new(found.into_iter()), matches!(wanted, Natural::Any | Natural::Ids));
    }
    let stamps = test.and_then(stamps);
    let ids = test.and_then(ids);
    match (stamps, ids, wanted) {
        (bounds, None, Natural::Stamps) | (bounds, _, Natural::Stamps) if bounds.is_some() || ids.is_none() => {
            let (from, to) = bounds.unwrap_or((i64::MIN, i64::MAX));
            (Box::new(table.stamped(from, to)), true)
        }
        (bounds, None, Natural::StampsDescending) => {
            let (from, to) = bounds.unwrap_or((i64::MIN, i64::MAX));
            (Box::new(table.stamped(from, to).rev()), true)
        }
        (Some((from, to)), None, wanted) => (Box::new(table.stamped(from, to)), wanted == Natural::Any),
        (_, Some((from, to)), wanted) if from <= to => {
            let range = table.records.range(from..=to).map(|(_, record)| record);
            (Box::new(range), matches!(wanted, Natural::Any | Natural::Ids))
        }
        (_, Some(_), _) => (Box::new(std::iter::empty()), true),
        (None, None, wanted) => (Box::new(table.records.values()), matches!(wanted, Natural::Any | Natural::Ids)),
    }
}

/// The few records that an equality with an indexed field leaves, in the order of their ids.
fn listed<'t>(table: &'t Table, test: &Test) -> Option<Vec<&'t Record>> {
    let one;
    let (accessor, texts): (_, Vec<&str>) = match test {
        Test::Compare { accessor, operator: Operator::Equal, wanted: Wanted::Text(text) } => {
            one = text;
            (accessor, vec![one])
        }
        Test::OneOf { accessor, texts, others, negated: false } if others.is_empty() => {
            (accessor, texts.iter().map(String::as_str).collect())
        }
        Test::All(terms) => return terms.iter().find_map(|term| listed(table, term)),
        _ => return None,
    };
    if !accessor.steps.is_empty() || accessor.function.is_some() {
        return None;
    }
    let id = |text: &&str| Id::parse(text);
    let mut found: Vec<&Record> = match accessor.field.name.as_str() {
        "Id" => texts.iter().filter_map(id).filter_map(|id| table.records.get(&id)).collect(),
        _ if accessor.field.followed => {
            let key = accessor.field.key;
            let parents = texts.iter().filter_map(id);
            parents.flat_map(|id| table.of_parent(key, &id).collect::<Vec<_>>()).collect()
        }
        _ if accessor.field.is_key() => {
            let key = accessor.field.key;
            texts.iter().flat_map(|text| table.all_by_key(key, text).collect::<Vec<_>>()).collect()
        }
        _ => return None,
    };
    found.sort_by_key(|record| record.id);
    Some(found)
}

/// Bounds of the stamp that every record must meet, both included.
fn stamps(test: &Test) -> Option<(i64, i64)> {
    bounds(test, &|test| match test {
        Test::Compare { accessor, operator, wanted } if accessor.is_own("SystemModstamp") => match (operator, wanted) {
            (Operator::Greater, Wanted::Instant(at)) => Some((at.saturating_add(1), i64::MAX)),
            (Operator::GreaterOrEqual, Wanted::Instant(at)) => Some((*at, i64::MAX)),
            (Operator::Less, Wanted::Instant(at)) => Some((i64::MIN, at.saturating_sub(1))),
            (Operator::LessOrEqual, Wanted::Instant(at)) => Some((i64::MIN, *at)),
            (Operator::Equal, Wanted::Instant(at)) => Some((*at, *at)),
            (Operator::Equal, Wanted::Instants(from, to)) => Some((*from, to.saturating_sub(1))),
            (Operator::GreaterOrEqual, Wanted::Instants(from, _)) => Some((*from, i64::MAX)),
            (Operator::Greater, Wanted::Instants(_, to)) => Some((*to, i64::MAX)),
            _ => None,
        },
        _ => None,
    })
}

/// Bounds of the id that every record must meet, both included.
fn ids(test: &Test) -> Option<(Id, Id)> {
    bounds(test, &|test| match test {
        Test::Compare { accessor, operator, wanted: Wanted::Text(text) } if accessor.is_own("Id") => {
            let id = Id::parse(text)?;
            match operator {
                Operator::Greater | Operator::GreaterOrEqual => Some((id, Id::LAST)),
                Operator::Less | Operator::LessOrEqual => Some((Id::FIRST, id)),
                _ => None,
            }
        }
        _ => None,
    })
}

/// The bounds of a condition: all of several must be met, or the widest of alternatives.
fn bounds<T: Ord + Copy>(test: &Test, of: &impl Fn(&Test) -> Option<(T, T)>) -> Option<(T, T)> {
    match test {
        Test::All(terms) => terms
            .iter()
            .filter_map(|term| bounds(term, of))
            .reduce(|(from, to), (other_from, other_to)| (from.max(other_from), to.min(other_to))),
        Test::Any(terms) => {
            let each: Option<Vec<(T, T)>> = terms.iter().map(|term| bounds(term, of)).collect();
            each?.into_iter().reduce(|(from, to), (other_from, other_to)| (from.min(other_from), to.max(other_to)))
        }
        other => of(other),
    }
}
