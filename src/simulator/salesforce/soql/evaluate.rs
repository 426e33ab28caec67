//! From a statement to rows.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use super::super::ids::Id;
use super::super::schema::{Field, Object};
use super::super::world::{Record, World};
use super::resolve::{self, Accessor, Held, reference};
use super::{Condition, Literal, Operator, Path, SoqlError, Statement, access, dates, order};

/// A condition whose names and values are resolved.
pub(super) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    Compare {
        accessor: Accessor,
        operator: Operator,
        wanted: Wanted,
    },
    OneOf {
        accessor: Accessor,
        texts: HashSet<String>,
        others: Vec<Wanted>,
        negated: bool,
    },
    /// Each text's values, in small letters.
    Includes {
        accessor: Accessor,
        sets: Vec<Vec<String>>,
        negated: bool,
    },
}

pub(super) enum Wanted {
    Null,
    Text(String),
    Number(f64),
    Boolean(bool),
    Instant(i64),
    /// From the first to before the second.
    Instants(i64, i64),
    Days(String, String),
}

/// What conditions are judged with.
struct Judge<'w> {
    world: &'w World,
    now: i64,
}

/// The object of a statement and the ids of its rows.
pub(in super::super) fn run(
    world: &World,
    statement: &Statement,
    with_deleted: bool,
    now: i64,
) -> Result<(&'static Object, Vec<Id>), SoqlError> {
    let object = resolve::object(statement)?;
    let rows = selected(world, object, statement, with_deleted, now)?;
    Ok((object, rows.into_iter().map(|record| record.id).collect()))
}

/// The records of a statement in its order.
pub(super) fn selected<'w>(
    world: &'w World,
    object: &'static Object,
    statement: &Statement,
    with_deleted: bool,
    now: i64,
) -> Result<Vec<&'w Record>, SoqlError> {
    let judge = Judge { world, now };
    let test = statement.condition.as_ref().map(|condition| judge.test(object, statement, condition)).transpose()?;
    let sorts = order::ordering(object, statement)?;
    let Some(table) = world.tables.get(object.name) else { return Ok(Vec::new()) };
    let looked = std::cell::Cell::new(0_usize);
    let fits = |record: &&Record| {
        looked.set(looked.get() + 1);
        (with_deleted || !record.deleted) && test.as_ref().is_none_or(|test| judge.holds(record, test))
    };
    let end = statement.limit.map_or(usize::MAX, |limit| limit.saturating_add(statement.offset));
    let (candidates, sorted) = access::candidates(table, test.as_ref(), order::natural(&sorts));
    let found = candidates.filter(fits);
    let mut rows: Vec<&Record> = if sorted { found.take(end).collect() } else { found.collect() };
    if world.rules.most_looked_at.is_some_and(|most| looked.get() > most) {
        let message = "Your query request was running for too long.";
        return Err(SoqlError { code: "QUERY_TIMEOUT", message: message.to_owned() });
    }
    if !sorted {
        order::sort(world, &mut rows, &sorts, end);
    }
    rows.truncate(end);
    rows.drain(..statement.offset.min(rows.len()));
    Ok(rows)
}

/// The living records that a nested statement selects, by the parent that they name, each in the statement's order. The
/// statement has passed [`check`].
pub(in super::super) fn children_of<'w>(
    world: &'w World,
    object: &'static Object,
    link: &Field,
    statement: &Statement,
    now: i64,
) -> HashMap<Id, Vec<&'w Record>> {
    let whole = Statement { limit: None, offset: 0, ..statement.clone() };
    let mut children: HashMap<Id, Vec<&Record>> = HashMap::new();
    for record in selected(world, object, &whole, false, now).unwrap_or_default() {
        if let Some(parent) = reference(record, link) {
            children.entry(parent).or_default().push(record);
        }
    }
    for rows in children.values_mut() {
        rows.drain(..statement.offset.min(rows.len()));
        rows.truncate(statement.limit.unwrap_or(usize::MAX));
    }
    children
}

/// Whether a statement's condition holds for a record, which need not be stored.
pub(in super::super) fn holds(
    world: &World,
    statement: &Statement,
    record: &Record,
    now: i64,
) -> Result<bool, SoqlError> {
    let judge = Judge { world, now };
    let object = resolve::object(statement)?;
    let test = statement.condition.as_ref().map(|condition| judge.test(object, statement, condition)).transpose()?;
    Ok(test.is_none_or(|test| judge.holds(record, &test)))
}

/// The object of a statement that is sound in every part.
pub(in super::super) fn checked(statement: &Statement) -> Result<&'static Object, SoqlError> {
    let object = resolve::object(statement)?;
    check(object, statement)?;
    if statement.group.is_empty() && !statement.items.iter().any(|item| matches!(item, super::Item::Aggregate { .. })) {
        resolve::columns(object, statement)?;
    }
    Ok(object)
}

/// Whether a statement's conditions and order are sound.
pub(super) fn check(object: &'static Object, statement: &Statement) -> Result<(), SoqlError> {
    selected(&World::default(), object, statement, false, 0).map(|_| ())
}

impl Judge<'_> {
    fn test(&self, object: &'static Object, statement: &Statement, condition: &Condition) -> Result<Test, SoqlError> {
        let all = |terms: &[Condition]| -> Result<Vec<Test>, SoqlError> {
            terms.iter().map(|term| self.test(object, statement, term)).collect()
        };
        Ok(match condition {
            Condition::And(terms) => Test::All(all(terms)?),
            Condition::Or(terms) => Test::Any(all(terms)?),
            Condition::Not(term) => Test::Not(Box::new(self.test(object, statement, term)?)),
            Condition::Compare { path, operator, value } => {
                let accessor = filterable(object, statement, path)?;
                let wanted = self.wanted(statement, path, &accessor, value, *operator == Operator::Like)?;
                suits(statement, path, accessor.field, *operator)?;
                Test::Compare { accessor, operator: *operator, wanted }
            }
            Condition::In { path, values, negated } => {
                let accessor = filterable(object, statement, path)?;
                let mut texts = HashSet::new();
                let mut others = Vec::new();
                for value in values {
                    match self.wanted(statement, path, &accessor, value, false)? {
                        Wanted::Text(text) => {
                            texts.insert(text);
                        }
                        other => others.push(other),
                    }
                }
                Test::OneOf { accessor, texts, others, negated: *negated }
            }
            Condition::Includes { path, values, negated } => {
                let accessor = filterable(object, statement, path)?;
                if accessor.field.field_type != "multipicklist" {
                    let message = format!("includes operator is not valid for the field '{}'", accessor.field.name);
                    return Err(SoqlError::at("INVALID_FIELD", &statement.source, path.offset, &message));
                }
                let sets = values.iter().map(|value| match value {
                    Literal::Text(text) => text.split(';').map(str::to_lowercase).collect(),
                    _ => Vec::new(),
                });
                Test::Includes { accessor, sets: sets.collect(), negated: *negated }
            }
            Condition::InQuery { path, query, negated } => {
                let accessor = filterable(object, statement, path)?;
                let texts = self.inner(query)?;
                Test::OneOf { accessor, texts, others: Vec::new(), negated: *negated }
            }
        })
    }

    fn inner(&self, query: &Statement) -> Result<HashSet<String>, SoqlError> {
        let object = resolve::object(query)?;
        let [super::Item::Field(path)] = query.items.as_slice() else {
            return Err(SoqlError::malformed("a semi join sub-select must select exactly one field"));
        };
        let accessor = resolve::accessor(object, query, path)?;
        let rows = selected(self.world, object, query, false, self.now)?;
        let texts = rows.into_iter().filter_map(|record| match accessor.of(self.world, record) {
            Held::Text(text) => Some(folded(accessor.field, text)),
            _ => None,
        });
        Ok(texts.collect())
    }

    fn wanted(
        &self,
        statement: &Statement,
        path: &Path,
        accessor: &Accessor,
        literal: &Literal,
        pattern: bool,
    ) -> Result<Wanted, SoqlError> {
        let field = accessor.field;
        let kind = match accessor.function {
            Some(part) if part.is_day() => "date",
            Some(_) => "int",
            None => field.field_type.as_str(),
        };
        let wrong = |kind: &str, quotes: &str| {
            let message = format!(
                "value of filter criterion for field '{}' must be of type {kind} and {quotes} be enclosed in quotes",
                field.name
            );
            Err(SoqlError::at("INVALID_FIELD", &statement.source, path.offset, &message))
        };
        match (kind, literal) {
            (_, Literal::Null) => Ok(Wanted::Null),
            ("boolean", Literal::Boolean(boolean)) => Ok(Wanted::Boolean(*boolean)),
            ("boolean", _) => wrong("boolean", "should not"),
            ("currency", Literal::Money(number))
            | ("int" | "long" | "double" | "currency" | "percent", Literal::Number(number)) => {
                Ok(Wanted::Number(*number))
            }
            ("int" | "long" | "double" | "currency" | "percent", _) => wrong(kind, "should not"),
            ("date", Literal::Date(day)) => Ok(Wanted::Text(day.clone())),
            ("datetime", Literal::Instant(at)) => Ok(Wanted::Instant(*at)),
            ("date", Literal::Period(word)) => match dates::days(word, self.now) {
                Some((from, to)) => Ok(Wanted::Days(from.to_string(), to.to_string())),
                None => wrong("date", "should not"),
            },
            ("datetime", Literal::Period(word)) => {
                let days = dates::days(word, self.now);
                match days.and_then(|(from, to)| Some((dates::begins(from)?, dates::begins(to)?))) {
                    Some((from, to)) => Ok(Wanted::Instants(from, to)),
                    None => wrong("dateTime", "should not"),
                }
            }
            ("date", _) => wrong("date", "should not"),
            ("datetime", _) => wrong("dateTime", "should not"),
            ("id" | "reference", Literal::Text(text)) if !pattern => {
                Id::parse(text).map(|id| Wanted::Text(id.to_string())).ok_or_else(|| {
                    let message = format!("invalid ID field: {text}");
                    SoqlError::at("INVALID_QUERY_FILTER_OPERATOR", &statement.source, path.offset, &message)
                })
            }
            (_, Literal::Text(text)) if pattern => Ok(Wanted::Text(text.to_lowercase())),
            (_, Literal::Text(text)) => Ok(Wanted::Text(folded(field, text))),
            _ => wrong("string", "should"),
        }
    }

    fn holds(&self, record: &Record, test: &Test) -> bool {
        match test {
            Test::All(terms) => terms.iter().all(|term| self.holds(record, term)),
            Test::Any(terms) => terms.iter().any(|term| self.holds(record, term)),
            Test::Not(term) => !self.holds(record, term),
            Test::Compare { accessor, operator, wanted } => {
                compare(accessor.field, accessor.of(self.world, record), *operator, wanted)
            }
            Test::OneOf { accessor, texts, others, negated } => {
                let held = accessor.of(self.world, record);
                let listed = match held {
                    Held::Text(text) => texts.contains(&folded(accessor.field, text)),
                    _ => false,
                };
                let found = listed || others.iter().any(|other| compare(accessor.field, held, Operator::Equal, other));
                found != *negated
            }
            Test::Includes { accessor, sets, negated } => {
                let held = match accessor.of(self.world, record) {
                    Held::Text(text) => text.to_lowercase(),
                    _ => String::new(),
                };
                let has = |wanted: &String| held.split(';').any(|value| value == wanted);
                // What is empty neither includes nor excludes anything.
                !held.is_empty() && sets.iter().any(|set| set.iter().all(has)) != *negated
            }
        }
    }
}

fn filterable(object: &'static Object, statement: &Statement, path: &Path) -> Result<Accessor, SoqlError> {
    let accessor = resolve::accessor(object, statement, path)?;
    if accessor.field.filterable && accessor.field.field_type != "address" {
        return Ok(accessor);
    }
    let message = format!("field '{}' can not be filtered in a query call", accessor.field.name);
    Err(SoqlError::at("INVALID_FIELD", &statement.source, path.offset, &message))
}

fn suits(statement: &Statement, path: &Path, field: &Field, operator: Operator) -> Result<(), SoqlError> {
    let kind = if path.wrap.is_some() { "int" } else { field.field_type.as_str() };
    let ordered =
        matches!(operator, Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual);
    let is_text = !matches!(
        kind,
        "id" | "reference" | "boolean" | "int" | "long" | "double" | "currency" | "percent" | "date" | "datetime"
    );
    let wrong = match operator {
        Operator::Like => !is_text,
        _ => ordered && kind == "boolean",
    };
    if !wrong {
        return Ok(());
    }
    let message = format!("invalid operator on {kind} field");
    Err(SoqlError::at("INVALID_QUERY_FILTER_OPERATOR", &statement.source, path.offset, &message))
}

fn compare(field: &Field, held: Held<'_>, operator: Operator, wanted: &Wanted) -> bool {
    let order = match (held, wanted) {
        (held, Wanted::Null) => {
            return match operator {
                Operator::Equal => held == Held::Null,
                Operator::NotEqual => held != Held::Null,
                _ => false,
            };
        }
        (Held::Text(text), Wanted::Text(pattern)) if operator == Operator::Like => {
            return like(&text.to_lowercase(), pattern);
        }
        (Held::Text(text), Wanted::Text(wanted)) if matches!(operator, Operator::Equal | Operator::NotEqual) => {
            Some(if is_same(field, text, wanted) { Ordering::Equal } else { Ordering::Less })
        }
        (Held::Text(text), Wanted::Text(wanted)) => Some(folded(field, text).as_str().cmp(wanted)),
        (Held::Day(day), Wanted::Text(wanted)) => Some(day.to_string().as_str().cmp(wanted)),
        (Held::Day(day), Wanted::Days(from, to)) => Some(within(day.to_string().as_str(), from.as_str(), to.as_str())),
        (Held::Text(day), Wanted::Days(from, to)) => Some(within(day, from.as_str(), to.as_str())),
        (Held::Number(held), Wanted::Number(wanted)) => held.partial_cmp(wanted),
        (Held::Boolean(held), Wanted::Boolean(wanted)) => Some(held.cmp(wanted)),
        (Held::Instant(held), Wanted::Instant(wanted)) => Some(held.cmp(wanted)),
        (Held::Instant(held), Wanted::Instants(from, to)) => Some(within(held, *from, *to)),
        _ => None,
    };
    match (operator, order) {
        (Operator::NotEqual, None) => true,
        (_, None) | (Operator::Like, _) => false,
        (Operator::Equal, Some(order)) => order == Ordering::Equal,
        (Operator::NotEqual, Some(order)) => order != Ordering::Equal,
        (Operator::Less, Some(order)) => order == Ordering::Less,
        (Operator::LessOrEqual, Some(order)) => order != Ordering::Greater,
        (Operator::Greater, Some(order)) => order == Ordering::Greater,
        (Operator::GreaterOrEqual, Some(order)) => order != Ordering::Less,
    }
}

/// Before, in, or after a period.
fn within<T: PartialOrd>(held: T, from: T, to: T) -> Ordering {
    if held < from {
        Ordering::Less
    } else if held < to {
        Ordering::Equal
    } else {
        Ordering::Greater
    }
}

/// Whether a text is the folded one, without a copy of it where that can be.
fn is_same(field: &Field, text: &str, wanted: &str) -> bool {
    if text.is_ascii() && !keeps_case(field) {
        return text.trim_end().eq_ignore_ascii_case(wanted);
    }
    folded(field, text) == wanted
}

/// Ids and days compare as they are.
pub(super) fn keeps_case(field: &Field) -> bool {
    matches!(field.field_type.as_str(), "id" | "reference" | "date")
}

/// Text compares without case, trailing blanks do not count; ids compare as they are.
pub(super) fn folded(field: &Field, text: &str) -> String {
    if keeps_case(field) { text.to_owned() } else { text.trim_end().to_lowercase() }
}

/// `%` any text, `_` one letter, `\%` and `\_` themselves.
fn like(text: &str, pattern: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    // Which prefixes of the pattern match the text so far.
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    spread(&pattern, &mut reached);
    for letter in text.chars() {
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
