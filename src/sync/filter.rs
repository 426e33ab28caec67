//! Filters: which records take part (`sync.md`, "Filters").
//!
//! A tree of groups over rules; a rule compares one CRM field in the CRM's own spelling. Judging has three answers: a rule over
//! what nobody could read, or that no longer fits its field, does not know, and a record whose verdict depends on it stays as
//! it is. The tree has no negation, so that what is judged more widely elsewhere (a CRM's own query) is wider as a whole.

mod days;
mod parse;

use std::cmp::Ordering;

use bigdecimal::BigDecimal;
use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use serde_json::Value as Json;

use super::Value;
use super::normalise::{normalise, parse_instant};
use crate::model::{FieldKind, FilterOperator};

pub use days::{beginning_of_day, day_in};
pub use parse::{FilterProblem, read_filter, validate_filter};

/// The value that stands for whoever is signed in to the CRM.
pub(crate) const CURRENT_USER: &str = "current user";

/// Records that take part.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Those for which each of these holds.
    All(Vec<Filter>),
    /// Those for which one of these holds.
    Any(Vec<Filter>),
    /// Those whose field compares so.
    Rule(FilterRule),
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterRule {
    /// Field in the CRM.
    pub field: String,
    /// What the CRM says about the field; `None`: it shows it no more.
    pub facts: Option<FieldFacts>,
    /// How it is compared.
    pub operator: FilterOperator,
    /// What with, as it was sent.
    pub value: Json,
    /// The same as texts: one, several for `in`, none where nothing is compared with.
    pub wanted: Vec<String>,
}

/// What a filter must know of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldFacts {
    /// What its value means.
    pub kind: FieldKind,
    /// Whether the CRM's own queries may compare it.
    pub filterable: bool,
}

/// What the words "today" and "current user" stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterContext {
    /// Time zone of the CRM account: it cuts instants into days.
    pub zone: Tz,
    /// The day it is there.
    pub today: NaiveDate,
    /// The CRM's id of whoever is signed in.
    pub current_user: Option<String>,
}

impl FilterContext {
    /// The context at an instant; an account without a zone that we know keeps UTC.
    pub fn at(now: DateTime<Utc>, zone: Option<&str>, current_user: Option<&str>) -> Self {
        let zone = zone.and_then(|zone| zone.parse().ok()).unwrap_or(Tz::UTC);
        FilterContext { zone, today: day_in(zone, now), current_user: current_user.map(str::to_owned) }
    }
}

impl Filter {
    /// Whether a record takes part. `read` gives a field's value, `None` where it was not observed: `unread` is then what is
    /// known of its rule.
    pub fn judge(
        &self,
        context: &FilterContext,
        unread: Option<bool>,
        read: &dyn Fn(&str) -> Option<Value>,
    ) -> Option<bool> {
        match self {
            Filter::All(terms) => decided_by(terms, false, |term| term.judge(context, unread, read)),
            Filter::Any(terms) => decided_by(terms, true, |term| term.judge(context, unread, read)),
            Filter::Rule(rule) => match read(&rule.field) {
                Some(value) => rule.judge(context, &value),
                None => unread,
            },
        }
    }

    /// Every field that a rule compares, each once, in the order of the tree.
    pub fn fields(&self) -> Vec<&str> {
        let mut fields = Vec::new();
        self.each_rule(&mut |rule| {
            if !fields.contains(&rule.field.as_str()) {
                fields.push(rule.field.as_str());
            }
        });
        fields
    }

    /// Whether time alone may change a verdict.
    pub fn goes_by_time(&self) -> bool {
        let mut goes = false;
        self.each_rule(&mut |rule| goes |= rule.operator == FilterOperator::WithinDays);
        goes
    }

    /// The tree as it is stored and sent.
    pub fn to_json(&self) -> Json {
        let all = |terms: &[Filter]| terms.iter().map(Filter::to_json).collect::<Vec<Json>>();
        match self {
            Filter::All(terms) => serde_json::json!({ "all": all(terms) }),
            Filter::Any(terms) => serde_json::json!({ "any": all(terms) }),
            Filter::Rule(rule) => {
                serde_json::json!({ "field": rule.field, "operator": rule.operator, "value": rule.value })
            }
        }
    }

    fn each_rule<'a>(&'a self, tell: &mut dyn FnMut(&'a FilterRule)) {
        match self {
            Filter::All(terms) | Filter::Any(terms) => terms.iter().for_each(|term| term.each_rule(tell)),
            Filter::Rule(rule) => tell(rule),
        }
    }
}

/// One `deciding` answer decides; else one that does not know leaves it open.
fn decided_by<T>(terms: &[T], deciding: bool, judge: impl Fn(&T) -> Option<bool>) -> Option<bool> {
    let mut known = true;
    for term in terms {
        match judge(term) {
            Some(answer) if answer == deciding => return Some(deciding),
            Some(_) => {}
            None => known = false,
        }
    }
    known.then_some(!deciding)
}

/// What a value is compared with.
enum Compared {
    Text(String),
    Number(BigDecimal),
    Day(NaiveDate),
    Instant(DateTime<Utc>),
    Set(Vec<String>),
}

impl FilterRule {
    /// Whether the rule holds for a value of its field.
    pub fn judge(&self, context: &FilterContext, value: &Value) -> Option<bool> {
        use FilterOperator as O;
        let kind = self.facts?.kind;
        if !self.operator.fits(kind) {
            return None;
        }
        let value = normalise(kind, value);
        match self.operator {
            O::IsEmpty => return Some(value.is_none()),
            O::IsNotEmpty => return Some(value.is_some()),
            _ => {}
        }
        let first = self.wanted.first()?;
        // Read although nothing may be compared with it: a rule that cannot be read does not know.
        let days = if self.operator == O::WithinDays { first.parse::<u64>().ok()? } else { 0 };
        let wanted: Vec<Compared> = match self.operator {
            O::WithinDays => vec![Compared::Day(context.today.checked_sub_days(Days::new(days))?)],
            _ => self.wanted.iter().map(|text| compared(kind, context, text)).collect::<Option<_>>()?,
        };
        let Some(value) = value else { return Some(self.operator == O::NotEquals) };
        let is = |wanted: &Compared| equals(kind, context, &value, wanted);
        Some(match self.operator {
            O::Equals => wanted.iter().all(is),
            O::NotEquals => !wanted.iter().all(is),
            O::In if kind == FieldKind::MultiChoice => wanted.iter().any(|wanted| has_choice(&value, wanted)),
            O::In => wanted.iter().any(is),
            O::Contains if kind == FieldKind::MultiChoice => wanted.iter().all(|wanted| has_choice(&value, wanted)),
            O::Contains => {
                wanted.iter().all(|wanted| text_of(wanted).is_some_and(|text| folded(&value).contains(text)))
            }
            O::StartsWith => {
                wanted.iter().all(|wanted| text_of(wanted).is_some_and(|text| folded(&value).starts_with(text)))
            }
            O::WithinDays => {
                let today = Compared::Day(context.today);
                let order = |wanted: &Compared| order(context, &value, wanted);
                wanted.iter().all(|first| order(first).is_some_and(Ordering::is_ge))
                    && order(&today).is_some_and(Ordering::is_le)
            }
            O::Greater | O::GreaterOrEqual | O::Less | O::LessOrEqual => {
                wanted.iter().all(|wanted| self.is_ordered(order(context, &value, wanted)))
            }
            O::IsEmpty | O::IsNotEmpty => false,
        })
    }

    fn is_ordered(&self, order: Option<Ordering>) -> bool {
        let Some(order) = order else { return false };
        match self.operator {
            FilterOperator::Greater => order.is_gt(),
            FilterOperator::GreaterOrEqual => order.is_ge(),
            FilterOperator::Less => order.is_lt(),
            _ => order.is_le(),
        }
    }
}

/// Reads what a field of this kind is compared with; `None` where it cannot be read as such.
fn compared(kind: FieldKind, context: &FilterContext, text: &str) -> Option<Compared> {
    let text = text.trim();
    Some(match kind {
        FieldKind::Number | FieldKind::Money | FieldKind::Percent => Compared::Number(text.parse().ok()?),
        FieldKind::Date => Compared::Day(text.parse().ok()?),
        FieldKind::DateTime => match text.parse() {
            Ok(day) => Compared::Day(day),
            Err(_) => Compared::Instant(parse_instant(text)?),
        },
        FieldKind::Boolean => match normalise(kind, &Some(text.to_owned()))?.as_str() {
            known @ ("true" | "false") => Compared::Text(known.to_owned()),
            _ => return None,
        },
        FieldKind::MultiChoice => Compared::Set(choices(text)),
        FieldKind::Reference | FieldKind::Choice if is_current_user(text) => {
            Compared::Text(reference(kind, context.current_user.as_deref()?))
        }
        FieldKind::Reference => Compared::Text(text.to_owned()),
        FieldKind::Text
        | FieldKind::LongText
        | FieldKind::Email
        | FieldKind::Phone
        | FieldKind::Domain
        | FieldKind::Choice => Compared::Text(folded(&normalise(kind, &Some(text.to_owned()))?)),
    })
}

/// Whether a value stands for whoever is signed in.
pub(crate) fn is_current_user(text: &str) -> bool {
    matches!(text, CURRENT_USER | "current_user")
}

fn reference(kind: FieldKind, id: &str) -> String {
    if kind == FieldKind::Reference { id.to_owned() } else { folded(id) }
}

/// Whether a value, which is not empty, is this one.
fn equals(kind: FieldKind, context: &FilterContext, value: &str, wanted: &Compared) -> bool {
    match wanted {
        Compared::Text(text) if matches!(kind, FieldKind::Reference | FieldKind::Boolean) => value == text,
        Compared::Text(text) => folded(value) == *text,
        Compared::Set(set) => choices(value) == *set,
        Compared::Number(_) | Compared::Day(_) | Compared::Instant(_) => {
            order(context, value, wanted).is_some_and(Ordering::is_eq)
        }
    }
}

/// Where a value stands to what has an order; `None` where it cannot be read.
fn order(context: &FilterContext, value: &str, wanted: &Compared) -> Option<Ordering> {
    Some(match wanted {
        Compared::Number(number) => value.parse::<BigDecimal>().ok()?.cmp(number),
        Compared::Instant(instant) => parse_instant(value)?.cmp(instant),
        Compared::Day(day) => match value.parse::<NaiveDate>() {
            Ok(held) => held.cmp(day),
            Err(_) => {
                let held = parse_instant(value)?;
                if held < beginning_of_day(context.zone, *day)? {
                    Ordering::Less
                } else if held < beginning_of_day(context.zone, day.succ_opt()?)? {
                    Ordering::Equal
                } else {
                    Ordering::Greater
                }
            }
        },
        Compared::Text(_) | Compared::Set(_) => return None,
    })
}

fn text_of(wanted: &Compared) -> Option<&str> {
    match wanted {
        Compared::Text(text) => Some(text),
        _ => None,
    }
}

fn has_choice(value: &str, wanted: &Compared) -> bool {
    let held = choices(value);
    matches!(wanted, Compared::Set(wanted) if wanted.iter().all(|choice| held.contains(choice)))
}

/// The choices of a multi-choice value, without case, each once.
fn choices(text: &str) -> Vec<String> {
    let mut choices: Vec<String> =
        text.split(';').map(|choice| folded(choice.trim())).filter(|choice| !choice.is_empty()).collect();
    choices.sort_unstable();
    choices.dedup();
    choices
}

fn folded(text: &str) -> String {
    text.to_lowercase()
}

#[cfg(test)]
mod tests;
