//! Counts, sums and extremes, with or without groups.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::super::rest::stamp;
use super::super::world::{Record, World};
use super::evaluate::selected;
use super::resolve::{self, Accessor, Held};
use super::{Function, Item, SoqlError, Statement};

/// Groups of one answer; there are no further pages.
const MOST_GROUPS: usize = 2000;

struct Cell {
    name: String,
    accessor: Accessor,
    /// None is a field that is grouped by.
    function: Option<Function>,
}

/// The rows of a statement that aggregates; `None` where it does not.
pub(in super::super) fn aggregated(
    world: &World,
    statement: &Statement,
    with_deleted: bool,
    now: i64,
) -> Result<Option<Vec<Json>>, SoqlError> {
    let aggregates = statement.items.iter().any(|item| matches!(item, Item::Aggregate { .. }));
    if !aggregates && statement.group.is_empty() {
        return Ok(None);
    }
    let object = resolve::object(statement)?;
    let cells = cells(statement, object)?;
    let keys: Vec<Accessor> =
        statement.group.iter().map(|path| resolve::accessor(object, statement, path)).collect::<Result<_, _>>()?;
    let ungrouped = Statement { order: Vec::new(), limit: None, offset: 0, ..statement.clone() };
    let rows = selected(world, object, &ungrouped, with_deleted, now)?;
    let mut groups: BTreeMap<Vec<String>, Vec<&Record>> = BTreeMap::new();
    if keys.is_empty() {
        groups.insert(Vec::new(), rows);
    } else {
        for record in rows {
            let key = keys.iter().map(|key| shown(key.of(world, record)).to_string()).collect();
            groups.entry(key).or_default().push(record);
        }
    }
    if groups.len() > MOST_GROUPS {
        let message = format!("Aggregate query has too many rows for direct assignment: at most {MOST_GROUPS} groups");
        return Err(SoqlError { code: "EXCEEDED_MAX_GROUPS", message });
    }
    let row = |records: &Vec<&Record>| {
        let mut row = Map::from_iter([("attributes".to_owned(), json!({ "type": "AggregateResult" }))]);
        for cell in &cells {
            row.insert(cell.name.clone(), value(world, cell, records));
        }
        Json::Object(row)
    };
    let rows = groups.values().map(row).skip(statement.offset).take(statement.limit.unwrap_or(usize::MAX));
    Ok(Some(rows.collect()))
}

fn cells(statement: &Statement, object: &'static super::super::schema::Object) -> Result<Vec<Cell>, SoqlError> {
    let mut cells = Vec::with_capacity(statement.items.len());
    let mut unnamed = 0;
    for item in &statement.items {
        match item {
            Item::Aggregate { function, path, alias } => {
                let name = alias.clone().unwrap_or_else(|| format!("expr{unnamed}"));
                unnamed += usize::from(alias.is_none());
                let accessor = resolve::accessor(object, statement, path)?;
                cells.push(Cell { name, accessor, function: Some(*function) });
            }
            Item::Field(path) if statement.group.iter().any(|key| key.text.eq_ignore_ascii_case(&path.text)) => {
                let accessor = resolve::accessor(object, statement, path)?;
                cells.push(Cell { name: accessor.field.name.clone(), accessor, function: None });
            }
            Item::Field(path) => {
                let message = format!("Field must be grouped or aggregated: {}", path.text);
                return Err(SoqlError::at("MALFORMED_QUERY", &statement.source, path.offset, &message));
            }
            Item::Fields(path) => {
                let message = "The SOQL FIELDS function is not supported with GROUP BY";
                return Err(SoqlError::at("MALFORMED_QUERY", &statement.source, path.offset, message));
            }
            Item::Children(children) => {
                let message = "Nested query not supported with aggregates";
                return Err(SoqlError::at("MALFORMED_QUERY", &statement.source, children.object.offset, message));
            }
        }
    }
    Ok(cells)
}

fn value(world: &World, cell: &Cell, records: &[&Record]) -> Json {
    let held = || records.iter().map(|record| cell.accessor.of(world, record)).filter(|held| *held != Held::Null);
    let numbers = || {
        held().filter_map(|held| match held {
            Held::Number(number) => Some(number),
            _ => None,
        })
    };
    match cell.function {
        None => records.first().map_or(Json::Null, |record| shown(cell.accessor.of(world, record))),
        Some(Function::Count) => json!(held().count()),
        Some(Function::CountDistinct) => {
            let distinct: std::collections::BTreeSet<String> =
                held().map(|held| shown(held).to_string().to_lowercase()).collect();
            json!(distinct.len())
        }
        Some(Function::Sum) => json!(numbers().sum::<f64>()),
        Some(Function::Average) => {
            let count = numbers().count();
            if count == 0 { Json::Null } else { json!(numbers().sum::<f64>() / count as f64) }
        }
        Some(Function::Min) => extreme(held(), false),
        Some(Function::Max) => extreme(held(), true),
    }
}

fn extreme<'r>(held: impl Iterator<Item = Held<'r>>, largest: bool) -> Json {
    let better = |a: Held<'r>, b: Held<'r>| {
        let less = match (a, b) {
            (Held::Text(a), Held::Text(b)) => a.to_lowercase() < b.to_lowercase(),
            (Held::Number(a), Held::Number(b)) => a < b,
            (Held::Instant(a), Held::Instant(b)) => a < b,
            _ => false,
        };
        if less == largest { b } else { a }
    };
    held.reduce(better).map_or(Json::Null, shown)
}

fn shown(held: Held<'_>) -> Json {
    match held {
        Held::Null => Json::Null,
        Held::Text(text) => json!(text),
        Held::Number(number) => json!(number),
        Held::Boolean(boolean) => json!(boolean),
        Held::Instant(at) => json!(stamp(at)),
    }
}
