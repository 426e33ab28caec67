//! Filters as SOQL conditions (dossier 2.4).
//!
//! A condition holds at least where the filter holds: what SOQL would judge otherwise is left out, and the caller judges what
//! comes back. Days are written as instants or as they are, never as date literals: those follow the user's zone at the time of
//! the query.

use bigdecimal::BigDecimal;
use chrono::{DateTime, Days, NaiveDate, SecondsFormat, Utc};

use super::super::WindowFilter;
use super::query::text;
use crate::model::{FieldKind, FilterOperator};
use crate::sync::{Filter, FilterContext, FilterRule, beginning_of_day};

/// Longest condition that a statement takes (dossier 2.4, "Limits": 4,000 characters with whatever stands around it).
const LONGEST: usize = 3_900;

/// Digits that Salesforce's numbers keep.
const DIGITS: u64 = 15;

/// A filter as far as SOQL can say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pushed {
    /// The condition after `WHERE`; `None`: nothing can be said.
    pub condition: Option<String>,
    /// Whether it says all of the filter.
    pub complete: bool,
}

/// Translates a filter.
pub(super) fn pushed(window: &WindowFilter) -> Pushed {
    let Pushed { condition, complete } = term(&window.filter, &window.context);
    match condition {
        Some(condition) if condition.len() <= LONGEST => Pushed { condition: Some(condition), complete },
        _ => Pushed { condition: None, complete: false },
    }
}

fn term(filter: &Filter, context: &FilterContext) -> Pushed {
    match filter {
        Filter::All(terms) => {
            let pushed: Vec<Pushed> = terms.iter().map(|inner| term(inner, context)).collect();
            let complete = pushed.iter().all(|pushed| pushed.complete);
            let conditions: Vec<String> = pushed.into_iter().filter_map(|pushed| pushed.condition).collect();
            Pushed { condition: joined(conditions, " AND "), complete }
        }
        Filter::Any(terms) => {
            let pushed: Vec<Pushed> = terms.iter().map(|inner| term(inner, context)).collect();
            let complete = pushed.iter().all(|pushed| pushed.complete);
            // One term that cannot be said may hold for any record.
            let conditions: Option<Vec<String>> = pushed.into_iter().map(|pushed| pushed.condition).collect();
            match conditions.and_then(|conditions| joined(conditions, " OR ")) {
                Some(condition) => Pushed { condition: Some(condition), complete },
                None => Pushed { condition: None, complete: false },
            }
        }
        Filter::Rule(rule) => {
            let condition = condition(rule, context);
            Pushed { complete: condition.is_some(), condition }
        }
    }
}

fn joined(conditions: Vec<String>, with: &str) -> Option<String> {
    match conditions.len() {
        0 => None,
        1 => conditions.into_iter().next(),
        _ => Some(format!("({})", conditions.join(with))),
    }
}

fn condition(rule: &FilterRule, context: &FilterContext) -> Option<String> {
    use FieldKind as K;
    let facts = rule.facts.filter(|facts| facts.filterable && rule.operator.fits(facts.kind))?;
    // A name goes into the statement as it is.
    let field = Some(rule.field.as_str())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))?;
    match (facts.kind, rule.operator) {
        // Long texts cannot be compared, and a box that was never ticked is `false` there and empty here.
        (K::LongText, _) | (K::Boolean, FilterOperator::IsEmpty | FilterOperator::IsNotEmpty) => None,
        (_, FilterOperator::IsEmpty) => Some(format!("{field} = null")),
        (_, FilterOperator::IsNotEmpty) => Some(format!("{field} != null")),
        (K::Number | K::Money | K::Percent, _) => numbers(rule, field),
        (K::Date, _) => dates(rule, field, context),
        (K::DateTime, _) => instants(rule, field, context),
        (K::Boolean, _) => boolean(rule, field),
        (K::MultiChoice, _) => choices(rule, field),
        (K::Reference, _) => ids(rule, field, context),
        (K::Text | K::Email | K::Phone | K::Domain | K::Choice, _) => texts(rule, field, facts.kind),
    }
}

/// `field IN (…)`, or its opposite, which holds for empty.
fn listed(rule: &FilterRule, field: &str, values: &[String]) -> Option<String> {
    match rule.operator {
        FilterOperator::Equals | FilterOperator::In => Some(match values {
            [value] => format!("{field} = {value}"),
            values => format!("{field} IN ({})", values.join(",")),
        }),
        FilterOperator::NotEquals => Some(format!("({field} != {} OR {field} = null)", values.first()?)),
        _ => None,
    }
}

fn sign(operator: FilterOperator) -> Option<&'static str> {
    match operator {
        FilterOperator::Greater => Some(">"),
        FilterOperator::GreaterOrEqual => Some(">="),
        FilterOperator::Less => Some("<"),
        FilterOperator::LessOrEqual => Some("<="),
        _ => None,
    }
}

fn numbers(rule: &FilterRule, field: &str) -> Option<String> {
    let number = |text: &String| {
        let number: BigDecimal = text.trim().parse().ok()?;
        let number = number.normalized();
        (number.digits() <= DIGITS && number.fractional_digit_count().unsigned_abs() <= DIGITS)
            .then(|| number.to_plain_string())
    };
    let values: Vec<String> = rule.wanted.iter().map(number).collect::<Option<_>>()?;
    match sign(rule.operator) {
        Some(sign) => Some(format!("{field} {sign} {}", values.first()?)),
        None => listed(rule, field, &values),
    }
}

fn dates(rule: &FilterRule, field: &str, context: &FilterContext) -> Option<String> {
    if rule.operator == FilterOperator::WithinDays {
        let first = context.today.checked_sub_days(Days::new(rule.wanted.first()?.parse().ok()?))?;
        return Some(format!("({field} >= {} AND {field} <= {})", day(first)?, day(context.today)?));
    }
    let values: Vec<String> = rule.wanted.iter().map(|text| day(text.trim().parse().ok()?)).collect::<Option<_>>()?;
    match sign(rule.operator) {
        Some(sign) => Some(format!("{field} {sign} {}", values.first()?)),
        None => listed(rule, field, &values),
    }
}

/// A day that Salesforce knows (dossier 2.12).
fn day(day: NaiveDate) -> Option<String> {
    ("1700-01-01" <= day.to_string().as_str()
        && day.to_string().as_str() <= "4000-12-30"
        && day.to_string().len() == 10)
        .then(|| day.to_string())
}

fn instants(rule: &FilterRule, field: &str, context: &FilterContext) -> Option<String> {
    if rule.operator == FilterOperator::WithinDays {
        let first = context.today.checked_sub_days(Days::new(rule.wanted.first()?.parse().ok()?))?;
        let (from, _) = bounds(&first.to_string(), context)?;
        let (_, until) = bounds(&context.today.to_string(), context)?;
        return Some(format!("({field} >= {} AND {field} < {})", literal(from)?, literal(until)?));
    }
    let ranges: Vec<(String, Option<String>)> = rule
        .wanted
        .iter()
        .map(|text| {
            let (from, until) = bounds(text.trim(), context)?;
            Some((literal(from)?, if from == until { None } else { Some(literal(until)?) }))
        })
        .collect::<Option<_>>()?;
    let (from, until) = ranges.first()?;
    // A day is what lies between its two ends; an instant has one.
    Some(match (rule.operator, until) {
        (FilterOperator::Equals | FilterOperator::In, _) => {
            let inside = |(from, until): &(String, Option<String>)| match until {
                Some(until) => format!("({field} >= {from} AND {field} < {until})"),
                None => format!("{field} = {from}"),
            };
            joined(ranges.iter().map(inside).collect(), " OR ")?
        }
        (FilterOperator::NotEquals, Some(until)) => {
            format!("({field} < {from} OR {field} >= {until} OR {field} = null)")
        }
        (FilterOperator::NotEquals, None) => format!("({field} != {from} OR {field} = null)"),
        (FilterOperator::Greater, Some(until)) => format!("{field} >= {until}"),
        (FilterOperator::LessOrEqual, Some(until)) => format!("{field} < {until}"),
        (operator, _) => format!("{field} {} {from}", sign(operator)?),
    })
}

/// The first instant of a day and the first after it; of an instant itself twice.
fn bounds(text: &str, context: &FilterContext) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    match text.parse::<NaiveDate>() {
        Ok(day) => Some((beginning_of_day(context.zone, day)?, beginning_of_day(context.zone, day.succ_opt()?)?)),
        Err(_) => {
            let instant = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
            Some((instant, instant))
        }
    }
}

/// An instant that Salesforce knows; its stamps have whole seconds.
fn literal(instant: DateTime<Utc>) -> Option<String> {
    day(instant.date_naive())?;
    (instant.timestamp_subsec_nanos() == 0).then(|| instant.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn boolean(rule: &FilterRule, field: &str) -> Option<String> {
    let wanted = match rule.wanted.first()?.trim().to_ascii_lowercase().as_str() {
        "true" => "TRUE",
        "false" => "FALSE",
        _ => return None,
    };
    match rule.operator {
        FilterOperator::Equals => Some(format!("{field} = {wanted}")),
        FilterOperator::NotEquals => Some(format!("{field} != {wanted}")),
        _ => None,
    }
}

fn choices(rule: &FilterRule, field: &str) -> Option<String> {
    let choices: Vec<String> = rule.wanted.iter().map(|choice| Some(text(&plain(choice)?))).collect::<Option<_>>()?;
    match rule.operator {
        // Salesforce compares the choices one by one here, and whole texts in the order of the list elsewhere.
        FilterOperator::Contains | FilterOperator::In => Some(format!("{field} INCLUDES ({})", choices.join(","))),
        _ => None,
    }
}

fn ids(rule: &FilterRule, field: &str, context: &FilterContext) -> Option<String> {
    let id = |text: &String| {
        let text = text.trim();
        let id = if crate::sync::is_current_user(text) { context.current_user.as_deref()? } else { text };
        // Anything else is refused as a whole.
        (id.len() == 18 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| format!("'{id}'"))
    };
    let values: Vec<String> = rule.wanted.iter().map(id).collect::<Option<_>>()?;
    listed(rule, field, &values)
}

fn texts(rule: &FilterRule, field: &str, kind: FieldKind) -> Option<String> {
    if kind == FieldKind::Choice && rule.wanted.iter().any(|text| crate::sync::is_current_user(text.trim())) {
        return None;
    }
    let wanted: Vec<String> = rule.wanted.iter().map(|text| plain(text)).collect::<Option<_>>()?;
    let first = wanted.first()?;
    match rule.operator {
        FilterOperator::Contains => Some(format!("{field} LIKE {}", like("%", first)?)),
        FilterOperator::StartsWith => Some(format!("{field} LIKE {}", like("", first)?)),
        _ => listed(rule, field, &wanted.iter().map(|value| text(value)).collect::<Vec<_>>()),
    }
}

/// A text that Salesforce folds as we do: no letters beyond ASCII, nothing that it trims or breaks lines at.
fn plain(value: &str) -> Option<String> {
    let value = value.trim();
    (!value.is_empty() && value.bytes().all(|byte| (0x20..0x7f).contains(&byte))).then(|| value.to_owned())
}

/// A text between quotes as the pattern that begins with it, or that has it anywhere. A backslash in a pattern begins an
/// escape: a text with one is not said.
fn like(before: &str, value: &str) -> Option<String> {
    let quoted = text(value);
    let inner = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
    (!value.contains('\\')).then(|| format!("'{before}{}%'", inner.replace('%', r"\%").replace('_', r"\_")))
}

#[cfg(test)]
mod tests;
