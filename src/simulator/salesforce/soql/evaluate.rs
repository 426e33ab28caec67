//! From a statement to rows.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::super::schema::{Field, Object, object_named};
use super::super::world::{Record, World};
use super::{Condition, Literal, Operator, SoqlError, Statement};
use crate::simulator::salesforce::rest::{parse_stamp, system_value};

/// One row of a result: the record, to be written with the statement's columns.
pub(in super::super) type Row = String;

/// The object of a statement and the ids of its rows.
pub(in super::super) fn run(
    world: &World,
    statement: &Statement,
    with_deleted: bool,
) -> Result<(&'static Object, Vec<Row>), SoqlError> {
    let object = object_named(&statement.object).ok_or_else(|| SoqlError {
        code: "INVALID_TYPE",
        message: format!("sObject type '{}' is not supported.", statement.object),
    })?;
    for column in &statement.columns {
        check_column(object, column)?;
    }
    if let Some(condition) = &statement.condition {
        check(object, condition)?;
    }
    for (field, _) in &statement.order {
        check_column(object, field)?;
    }
    let Some(table) = world.tables.get(object.name) else { return Ok((object, Vec::new())) };
    let fits = |record: &&Record| {
        (with_deleted || !record.deleted)
            && statement.condition.as_ref().is_none_or(|condition| holds(world, object, record, condition))
    };
    let mut rows: Vec<&Record> = match statement.condition.as_ref().and_then(stamp_bound) {
        Some(since) => table.since(since).filter(fits).collect(),
        None => match statement.condition.as_ref().and_then(id_list) {
            Some(ids) => ids.iter().filter_map(|id| world.record(object, id)).filter(fits).collect(),
            None => table.records.values().filter(fits).collect(),
        },
    };
    for (field, descending) in statement.order.iter().rev() {
        rows.sort_by(|a, b| {
            let order = compare_json(&value(world, object, a, field), &value(world, object, b, field));
            if *descending { order.reverse() } else { order }
        });
    }
    let rows = rows.into_iter().skip(statement.offset).take(statement.limit.unwrap_or(usize::MAX));
    Ok((object, rows.map(|record| record.id.clone()).collect()))
}

/// The value of a column of a record: its own, the system's, or its parent's.
pub(in super::super) fn value(world: &World, object: &Object, record: &Record, column: &str) -> Json {
    if let Some((relationship, rest)) = column.split_once('.') {
        let parent = parent(object, relationship).and_then(|field| {
            let id = record.fields.get(&field.name)?.as_str()?;
            field
                .reference_to
                .iter()
                .filter_map(|name| object_named(name))
                .find_map(|object| Some((object, world.record(object, id)?)))
        });
        return parent.map_or(Json::Null, |(object, record)| value(world, object, record, rest));
    }
    match object.field(column) {
        Some(field) => {
            system_value(record, &field.name).or_else(|| record.fields.get(&field.name).cloned()).unwrap_or(Json::Null)
        }
        None => Json::Null,
    }
}

/// A bound of the stamp's index that every row must meet, if the statement has one.
fn stamp_bound(condition: &Condition) -> Option<i64> {
    match condition {
        Condition::Compare {
            field,
            operator: Operator::Greater | Operator::GreaterOrEqual,
            value: Literal::Instant(at),
        } if field.eq_ignore_ascii_case("SystemModstamp") => Some(*at),
        Condition::And(terms) => terms.iter().find_map(stamp_bound),
        _ => None,
    }
}

/// The ids that a statement asks for, if that is all it asks.
fn id_list(condition: &Condition) -> Option<Vec<String>> {
    match condition {
        Condition::In { field, values, negated: false } if field.eq_ignore_ascii_case("Id") => values
            .iter()
            .map(|value| match value {
                Literal::Text(text) => Some(text.clone()),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

fn check(object: &Object, condition: &Condition) -> Result<(), SoqlError> {
    match condition {
        Condition::And(terms) | Condition::Or(terms) => terms.iter().try_for_each(|term| check(object, term)),
        Condition::Not(term) => check(object, term),
        Condition::Compare { field, .. } | Condition::In { field, .. } => check_column(object, field),
    }
}

fn check_column(object: &Object, column: &str) -> Result<(), SoqlError> {
    let no_such = |column: &str| SoqlError {
        code: "INVALID_FIELD",
        message: format!(
            "No such column '{column}' on entity '{}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name.",
            object.name
        ),
    };
    match column.split_once('.') {
        None if object.field(column).is_some() => Ok(()),
        None => Err(no_such(column)),
        Some((relationship, rest)) => {
            let field = parent(object, relationship).ok_or_else(|| SoqlError {
                code: "INVALID_FIELD",
                message: format!("Didn't understand relationship '{relationship}' in field path."),
            })?;
            let parents: Vec<_> = field.reference_to.iter().filter_map(|name| object_named(name)).collect();
            if parents.iter().any(|parent| check_column(parent, rest).is_ok()) { Ok(()) } else { Err(no_such(rest)) }
        }
    }
}

fn parent<'o>(object: &'o Object, relationship: &str) -> Option<&'o Field> {
    object
        .fields
        .iter()
        .find(|field| field.relationship.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(relationship)))
}

fn holds(world: &World, object: &Object, record: &Record, condition: &Condition) -> bool {
    match condition {
        Condition::And(terms) => terms.iter().all(|term| holds(world, object, record, term)),
        Condition::Or(terms) => terms.iter().any(|term| holds(world, object, record, term)),
        Condition::Not(term) => !holds(world, object, record, term),
        Condition::Compare { field, operator, value: literal } => {
            compare(&value(world, object, record, field), *operator, literal)
        }
        Condition::In { field, values, negated } => {
            let held = value(world, object, record, field);
            let found = values.iter().any(|literal| compare(&held, Operator::Equal, literal));
            found != *negated
        }
    }
}

fn compare(held: &Json, operator: Operator, literal: &Literal) -> bool {
    if let (Operator::Like, Literal::Text(pattern)) = (operator, literal) {
        return held.as_str().is_some_and(|text| like(&text.to_lowercase(), &pattern.to_lowercase()));
    }
    let order = match literal {
        Literal::Null => {
            return match operator {
                Operator::Equal => held.is_null(),
                Operator::NotEqual => !held.is_null(),
                _ => false,
            };
        }
        Literal::Text(text) => held.as_str().map(|held| same_case(held).cmp(&same_case(text))),
        Literal::Number(number) => held.to_string().parse::<f64>().ok().and_then(|held| held.partial_cmp(number)),
        Literal::Boolean(boolean) => held.as_bool().map(|held| held.cmp(boolean)),
        Literal::Instant(at) => held.as_str().and_then(parse_stamp).map(|held| held.cmp(at)),
        Literal::Date(day) => held.as_str().map(|held| held.get(..10).unwrap_or(held).cmp(day.as_str())),
    };
    match (operator, order) {
        (Operator::NotEqual, None) => true,
        (_, None) => false,
        (Operator::Equal, Some(order)) => order == Ordering::Equal,
        (Operator::NotEqual, Some(order)) => order != Ordering::Equal,
        (Operator::Less, Some(order)) => order == Ordering::Less,
        (Operator::LessOrEqual, Some(order)) => order != Ordering::Greater,
        (Operator::Greater, Some(order)) => order == Ordering::Greater,
        (Operator::GreaterOrEqual, Some(order)) => order != Ordering::Less,
        (Operator::Like, Some(_)) => false,
    }
}

/// Text compares without case, trailing blanks do not count; a 15-character id equals its 18-character form.
fn same_case(text: &str) -> String {
    text.trim_end().to_lowercase()
}

fn compare_json(a: &Json, b: &Json) -> Ordering {
    match (a, b) {
        (Json::Null, Json::Null) => Ordering::Equal,
        (Json::Null, _) => Ordering::Less,
        (_, Json::Null) => Ordering::Greater,
        (Json::Number(a), Json::Number(b)) => {
            let number = |number: &serde_json::Number| number.to_string().parse::<f64>().unwrap_or_default();
            number(a).total_cmp(&number(b))
        }
        (a, b) => {
            let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_lowercase);
            text(a).cmp(&text(b))
        }
    }
}

/// `%` any text, `_` one letter, `\%` and `\_` themselves.
fn like(text: &str, pattern: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // Which prefixes of the pattern match the text so far.
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    spread(&pattern, &mut reached);
    for letter in text {
        let mut next = vec![false; pattern.len() + 1];
        for (at, _) in reached.iter().enumerate().filter(|(at, reached)| **reached && *at < pattern.len()) {
            match pattern[at] {
                '%' => next[at] = true,
                '_' => next[at + 1] = true,
                '\\' if at + 1 < pattern.len() && pattern[at + 1] == letter => next[at + 2] = true,
                plain if plain == letter => next[at + 1] = true,
                _ => {}
            }
        }
        spread(&pattern, &mut next);
        reached = next;
    }
    reached[pattern.len()]
}

fn spread(pattern: &[char], reached: &mut [bool]) {
    for at in 0..pattern.len() {
        if reached[at] && pattern[at] == '%' {
            reached[at + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_knows_its_wild_cards() {
        for (text, pattern, expected) in [
            ("acme ltd", "acme%", true),
            ("acme", "a_me", true),
            ("acme", "%m%", true),
            ("acme", "b%", false),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("", "%", true),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} {pattern}");
        }
    }
}
