//! Counts, sums and extremes, with or without groups.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::super::rest::stamp;
use super::super::schema::{Field, Object};
use super::super::world::{Record, World};
use super::evaluate::selected;
use super::resolve::{self, Accessor, Held};
use super::{Condition, Function, Item, Literal, Operator, Path, SoqlError, Statement, Wrap};

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
        return match &statement.having {
            Some(_) => Err(SoqlError::malformed("HAVING needs GROUP BY")),
            None => Ok(None),
        };
    }
    let object = resolve::object(statement)?;
    let cells = cells(statement, object)?;
    let keys: Vec<Accessor> =
        statement.group.iter().map(|path| resolve::accessor(object, statement, path)).collect::<Result<_, _>>()?;
    let order = statement.order.iter().map(|order| Ok((cell(statement, object, &order.path)?, order)));
    let order: Vec<_> = order.collect::<Result<_, SoqlError>>()?;
    let having = statement.having.as_ref().map(|having| having_tests(statement, object, having)).transpose()?;
    let ungrouped = Statement { order: Vec::new(), limit: None, offset: 0, ..statement.clone() };
    let rows = selected(world, object, &ungrouped, with_deleted, now)?;
    let mut groups: BTreeMap<Vec<String>, Vec<&Record>> = BTreeMap::new();
    if keys.is_empty() {
        groups.insert(Vec::new(), rows);
    } else {
        for record in rows {
            let key = keys.iter().map(|key| plain(key.of(world, record)).to_string()).collect();
            groups.entry(key).or_default().push(record);
        }
    }
    if groups.len() > MOST_GROUPS {
        let message = format!("Aggregate query has too many rows for direct assignment: at most {MOST_GROUPS} groups");
        return Err(SoqlError { code: "EXCEEDED_MAX_GROUPS", message });
    }
    let mut groups: Vec<Vec<&Record>> = groups.into_values().collect();
    groups.retain(|records| having.as_ref().is_none_or(|having| having.holds(world, records)));
    for (cell, by) in order.iter().rev() {
        groups.sort_by(|a, b| {
            let order = compared(&value(world, cell, a), &value(world, cell, b), by.nulls_last != by.descending);
            if by.descending { order.reverse() } else { order }
        });
    }
    let row = |records: &Vec<&Record>| {
        let mut row = Map::from_iter([("attributes".to_owned(), json!({ "type": "AggregateResult" }))]);
        for cell in &cells {
            row.insert(cell.name.clone(), value(world, cell, records));
        }
        Json::Object(row)
    };
    let rows = groups.iter().map(row).skip(statement.offset).take(statement.limit.unwrap_or(usize::MAX));
    Ok(Some(rows.collect()))
}

fn cells(statement: &Statement, object: &'static Object) -> Result<Vec<Cell>, SoqlError> {
    let mut cells: Vec<Cell> = Vec::with_capacity(statement.items.len());
    let mut unnamed = 0;
    for item in &statement.items {
        let malformed =
            |offset: usize, message: &str| Err(SoqlError::at("MALFORMED_QUERY", &statement.source, offset, message));
        match item {
            Item::Aggregate { path, alias, .. } => {
                let name = alias.clone().unwrap_or_else(|| format!("expr{unnamed}"));
                unnamed += usize::from(alias.is_none());
                if cells.iter().any(|cell| cell.name.eq_ignore_ascii_case(&name)) {
                    return malformed(path.offset, &format!("duplicate alias: {name}"));
                }
                cells.push(Cell { name, ..cell(statement, object, path)? });
            }
            Item::Field(path) => cells.push(cell(statement, object, path)?),
            Item::Shown { path, .. } => {
                return malformed(path.offset, &format!("Field must be grouped or aggregated: {}", path.text));
            }
            Item::Fields(path) => {
                return malformed(path.offset, "The SOQL FIELDS function is not supported with GROUP BY");
            }
            Item::Children(children) => {
                return malformed(children.object.offset, "Nested query not supported with aggregates");
            }
            Item::TypeOf(cases) => {
                return malformed(cases.relationship.offset, "TYPEOF is not supported with aggregates");
            }
        }
    }
    Ok(cells)
}

/// The cell of a name that is grouped by or of a function.
fn cell(statement: &Statement, object: &'static Object, path: &Path) -> Result<Cell, SoqlError> {
    let accessor = resolve::accessor(object, statement, path)?;
    let name = accessor.field.name.clone();
    if let Some(Wrap::Aggregate(function)) = path.wrap {
        let field = accessor.field;
        let numeric = matches!(field.field_type.as_str(), "int" | "long" | "double" | "currency" | "percent");
        let possible = match function {
            Function::Sum | Function::Average => numeric,
            Function::Count | Function::CountDistinct => true,
            Function::Min | Function::Max => field.field_type != "boolean" && field.field_type != "address",
        };
        if !possible {
            let message = format!("field {} does not support aggregate operator", field.name);
            return Err(SoqlError::at("MALFORMED_QUERY", &statement.source, path.offset, &message));
        }
        return Ok(Cell { name, accessor, function: Some(function) });
    }
    let grouped = statement.group.iter().any(|key| key.text.eq_ignore_ascii_case(&path.text) && key.wrap == path.wrap);
    if grouped {
        return Ok(Cell { name, accessor, function: None });
    }
    let message = format!("Field must be grouped or aggregated: {}", path.text);
    Err(SoqlError::at("MALFORMED_QUERY", &statement.source, path.offset, &message))
}

/// What a group must meet.
enum Having {
    All(Vec<Having>),
    Any(Vec<Having>),
    Not(Box<Having>),
    Compare(Cell, Operator, Json),
    OneOf(Cell, Vec<Json>, bool),
}

fn having_tests(statement: &Statement, object: &'static Object, given: &Condition) -> Result<Having, SoqlError> {
    let all = |terms: &[Condition]| -> Result<Vec<Having>, SoqlError> {
        terms.iter().map(|term| having_tests(statement, object, term)).collect()
    };
    Ok(match given {
        Condition::And(terms) => Having::All(all(terms)?),
        Condition::Or(terms) => Having::Any(all(terms)?),
        Condition::Not(term) => Having::Not(Box::new(having_tests(statement, object, term)?)),
        Condition::Compare { path, operator, value } => {
            Having::Compare(cell(statement, object, path)?, *operator, literal(value))
        }
        Condition::In { path, values, negated } => {
            Having::OneOf(cell(statement, object, path)?, values.iter().map(literal).collect(), *negated)
        }
        Condition::InQuery { path, .. } | Condition::Includes { path, .. } => {
            let message = "HAVING has only comparisons";
            return Err(SoqlError::at("MALFORMED_QUERY", &statement.source, path.offset, message));
        }
    })
}

impl Having {
    fn holds(&self, world: &World, records: &[&Record]) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        match self {
            Having::All(terms) => terms.iter().all(|term| term.holds(world, records)),
            Having::Any(terms) => terms.iter().any(|term| term.holds(world, records)),
            Having::Not(term) => !term.holds(world, records),
            Having::OneOf(cell, wanted, negated) => {
                let held = value(world, cell, records);
                wanted.iter().any(|wanted| compared(&held, wanted, false) == Equal) != *negated
            }
            Having::Compare(cell, operator, wanted) => {
                let order = compared(&value(world, cell, records), wanted, false);
                match operator {
                    Operator::Equal | Operator::Like => order == Equal,
                    Operator::NotEqual => order != Equal,
                    Operator::Less => order == Less,
                    Operator::LessOrEqual => order != Greater,
                    Operator::Greater => order == Greater,
                    Operator::GreaterOrEqual => order != Less,
                }
            }
        }
    }
}

fn literal(literal: &Literal) -> Json {
    match literal {
        Literal::Null => Json::Null,
        Literal::Text(text) | Literal::Date(text) | Literal::Period(text) => json!(text),
        Literal::Number(number) | Literal::Money(number) => json!(number),
        Literal::Boolean(boolean) => json!(boolean),
        Literal::Instant(at) => json!(stamp(*at)),
    }
}

/// The order of two cells' values; numbers by size, all else by its small letters.
fn compared(a: &Json, b: &Json, nulls_last: bool) -> std::cmp::Ordering {
    let number = |value: &Json| value.as_number().and_then(|number| number.to_string().parse::<f64>().ok());
    match (a, b) {
        (Json::Null, Json::Null) => std::cmp::Ordering::Equal,
        (Json::Null, _) if nulls_last => std::cmp::Ordering::Greater,
        (_, Json::Null) if nulls_last => std::cmp::Ordering::Less,
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => a.to_string().to_lowercase().cmp(&b.to_string().to_lowercase()),
        },
    }
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
        None => records.first().map_or(Json::Null, |record| plain(cell.accessor.of(world, record))),
        Some(Function::Count) => json!(held().count()),
        Some(Function::CountDistinct) => {
            let distinct: std::collections::BTreeSet<String> =
                held().map(|held| plain(held).to_string().to_lowercase()).collect();
            json!(distinct.len())
        }
        Some(Function::Sum) => numbers().reduce(|sum, number| sum + number).map_or(Json::Null, |sum| json!(sum)),
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
    held.reduce(better).map_or(Json::Null, plain)
}

fn plain(held: Held<'_>) -> Json {
    match held {
        Held::Null => Json::Null,
        Held::Text(text) => json!(text),
        Held::Number(number) => json!(number),
        Held::Boolean(boolean) => json!(boolean),
        Held::Instant(at) => json!(stamp(at)),
        Held::Day(day) => json!(day.to_string()),
    }
}

/// A value as `toLabel` and `FORMAT` show it: labels are the values here, and numbers get their thousands apart.
pub(in super::super) fn shown(held: Held<'_>, formatted: bool, field: &Field) -> Json {
    match held {
        Held::Number(number) if formatted => {
            let text = format!("{:.*}", usize::try_from(field.scale).unwrap_or_default(), number.abs());
            let (whole, rest) = text
                .split_once('.')
                .map_or((text.as_str(), String::new()), |(whole, rest)| (whole, format!(".{rest}")));
            let mut grouped = String::new();
            for (place, digit) in whole.chars().enumerate() {
                if place > 0 && (whole.len() - place) % 3 == 0 {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            let sign = if number < 0.0 { "-" } else { "" };
            json!(format!("{sign}{grouped}{rest}"))
        }
        held => plain(held),
    }
}
