//! From JSON to a filter, and everything that is wrong with it.

use serde_json::{Map, Value as Json};

use super::{FieldFacts, Filter, FilterRule, compared, is_current_user};
use crate::model::{FieldKind, FilterOperator};
use crate::sync::FilterContext;

/// Groups inside one another.
const DEEPEST: usize = 8;

/// Rules of one filter.
const MOST_RULES: usize = 200;

/// Values of one list.
const MOST_VALUES: usize = 500;

/// Characters of one value.
const LONGEST_VALUE: usize = 1000;

/// Days that a filter looks back.
const MOST_DAYS: u64 = 36_500;

/// What is wrong with a filter, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterProblem {
    /// Path of the member: `filter.all[0].value`.
    pub path: String,
    /// Sentence for people.
    pub message: String,
}

/// Reads a stored filter. What no longer fits its field stays in it and does not know (see [`Filter::judge`]).
pub fn read_filter(
    json: &Json,
    facts: &dyn Fn(&str) -> Option<FieldFacts>,
) -> Result<Option<Filter>, Vec<FilterProblem>> {
    parse(json, "filter", facts, None)
}

/// Reads a filter that a person sends, and refuses what can never hold. `path` names it.
pub fn validate_filter(
    json: &Json,
    path: &str,
    facts: &dyn Fn(&str) -> Option<FieldFacts>,
    context: &FilterContext,
) -> Result<Option<Filter>, Vec<FilterProblem>> {
    parse(json, path, facts, Some(context))
}

fn parse(
    json: &Json,
    path: &str,
    facts: &dyn Fn(&str) -> Option<FieldFacts>,
    strict: Option<&FilterContext>,
) -> Result<Option<Filter>, Vec<FilterProblem>> {
    if json.is_null() {
        return Ok(None);
    }
    let mut parser = Parser { facts, strict, problems: Vec::new(), rules: 0 };
    let filter = match json.as_object() {
        Some(members) if members.contains_key("field") => {
            parser.problem(path, "A filter begins with a group: {\"all\": []} or {\"any\": []} of rules.");
            None
        }
        _ => parser.term(json, path, 0),
    };
    if !parser.problems.is_empty() {
        return Err(parser.problems);
    }
    // Only the outermost group may be empty.
    Ok(filter.filter(|_| parser.rules > 0))
}

struct Parser<'a> {
    facts: &'a dyn Fn(&str) -> Option<FieldFacts>,
    /// Set where values are checked against their fields.
    strict: Option<&'a FilterContext>,
    problems: Vec<FilterProblem>,
    rules: usize,
}

impl Parser<'_> {
    fn problem(&mut self, path: &str, message: impl Into<String>) {
        self.problems.push(FilterProblem { path: path.to_owned(), message: message.into() });
    }

    fn term(&mut self, json: &Json, path: &str, depth: usize) -> Option<Filter> {
        let Some(members) = json.as_object() else {
            self.problem(
                path,
                "Give a group, {\"all\": []} or {\"any\": []}, or a rule with field, operator and value.",
            );
            return None;
        };
        if depth > DEEPEST {
            self.problem(path, format!("Groups are nested more than {DEEPEST} deep. Put their rules together."));
            return None;
        }
        let group = ["all", "any"].into_iter().find(|name| members.contains_key(*name));
        match group {
            Some(_) if members.len() > 1 => {
                self.problem(path, "A group has one member, all or any. Nest another group for the other.");
                None
            }
            Some(name) => {
                let terms = self.group(members.get(name)?, &format!("{path}.{name}"), depth)?;
                Some(if name == "all" { Filter::All(terms) } else { Filter::Any(terms) })
            }
            None => self.rule(members, path).map(Filter::Rule),
        }
    }

    fn group(&mut self, json: &Json, path: &str, depth: usize) -> Option<Vec<Filter>> {
        let Some(terms) = json.as_array() else {
            self.problem(path, "Give a list of groups and rules.");
            return None;
        };
        if terms.is_empty() && depth > 0 {
            self.problem(path, "This group has no rule. Add one, or remove the group.");
            return None;
        }
        let terms: Vec<Option<Filter>> = terms
            .iter()
            .enumerate()
            .map(|(place, term)| self.term(term, &format!("{path}[{place}]"), depth + 1))
            .collect();
        terms.into_iter().collect()
    }

    fn rule(&mut self, members: &Map<String, Json>, path: &str) -> Option<FilterRule> {
        self.rules += 1;
        if self.rules > MOST_RULES {
            self.problem(path, format!("A filter takes at most {MOST_RULES} rules. Use “is one of” for lists."));
            return None;
        }
        if let Some(other) = members.keys().find(|name| !matches!(name.as_str(), "field" | "operator" | "value")) {
            self.problem(&format!("{path}.{other}"), "A rule has the members field, operator and value only.");
            return None;
        }
        let member = |name: &str| format!("{path}.{name}");
        let field = members.get("field").and_then(Json::as_str).map(str::trim).filter(|name| !name.is_empty());
        if field.is_none() {
            self.problem(&member("field"), "Choose a field of the CRM.");
        }
        let operator = members.get("operator").and_then(Json::as_str).unwrap_or_default();
        let operator = match operator.parse::<FilterOperator>() {
            Ok(operator) => Some(operator),
            Err(_) => {
                let known: Vec<&str> = FilterOperator::ALL.iter().map(|operator| operator.as_str()).collect();
                self.problem(&member("operator"), format!("The operator must be one of {}.", known.join(", ")));
                None
            }
        };
        let (field, operator) = (field?, operator?);
        let value = members.get("value").cloned().unwrap_or_default();
        let wanted = match wanted(operator, &value) {
            Ok(wanted) => wanted,
            Err(message) => {
                self.problem(&member("value"), message);
                return None;
            }
        };
        let value = if operator.takes_value() { value } else { Json::Null };
        let rule = FilterRule { field: field.to_owned(), facts: (self.facts)(field), operator, value, wanted };
        if let Some(context) = self.strict {
            self.check(&rule, path, context);
        }
        Some(rule)
    }

    fn check(&mut self, rule: &FilterRule, path: &str, context: &FilterContext) {
        let Some(FieldFacts { kind, .. }) = rule.facts else {
            let message = format!("The CRM shows no field {}. Choose one that it shows.", short(&rule.field));
            return self.problem(&format!("{path}.field"), message);
        };
        let operator = rule.operator;
        if !operator.fits(kind) {
            let message = format!("“{}” does not go with a field of the kind {}.", operator.label(), kind.label());
            return self.problem(&format!("{path}.operator"), message);
        }
        if operator == FilterOperator::WithinDays {
            return;
        }
        for text in &rule.wanted {
            if matches!(kind, FieldKind::Reference | FieldKind::Choice) && is_current_user(text) {
                if context.current_user.is_none() && kind == FieldKind::Reference {
                    let message = "It is not known who is signed in to the CRM. Reconnect, or give the person's id.";
                    self.problem(&format!("{path}.value"), message);
                }
            } else if compared(kind, context, text).is_none() {
                self.problem(&format!("{path}.value"), unreadable(kind, text));
            }
        }
    }
}

fn unreadable(kind: FieldKind, text: &str) -> String {
    let text = short(text);
    match kind {
        FieldKind::Number | FieldKind::Money | FieldKind::Percent => {
            format!("{text} is not a number. Write it with digits and a point, for example 1200.50.")
        }
        FieldKind::Date => format!("{text} is not a date. Write it as YYYY-MM-DD."),
        FieldKind::DateTime => {
            format!("{text} is neither a date nor an instant. Write YYYY-MM-DD, or for example 2026-01-31T10:00:00Z.")
        }
        FieldKind::Boolean => format!("{text} is neither true nor false."),
        _ => "Give a value to compare with, or use “is empty”.".to_owned(),
    }
}

fn short(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("“{short}”")
}

/// A value's texts: one, several for a list, none where the operator takes none.
fn wanted(operator: FilterOperator, value: &Json) -> Result<Vec<String>, String> {
    let list = match (operator, value) {
        (FilterOperator::IsEmpty | FilterOperator::IsNotEmpty, Json::Null) => return Ok(Vec::new()),
        (FilterOperator::IsEmpty | FilterOperator::IsNotEmpty, Json::String(text)) if text.is_empty() => {
            return Ok(Vec::new());
        }
        (FilterOperator::IsEmpty | FilterOperator::IsNotEmpty, _) => {
            return Err("This operator takes no value. Leave it out.".to_owned());
        }
        (FilterOperator::WithinDays, value) => {
            let days = text(value).and_then(|days| days.trim().parse::<u64>().ok());
            return match days.filter(|days| *days <= MOST_DAYS) {
                Some(days) => Ok(vec![days.to_string()]),
                None => Err(format!("Give the number of days, a whole number from 0 to {MOST_DAYS}.")),
            };
        }
        (FilterOperator::In, Json::Array(list)) => list.as_slice(),
        (FilterOperator::In, _) => return Err("Give a list of values.".to_owned()),
        (_, value) => std::slice::from_ref(value),
    };
    if list.is_empty() {
        return Err("The list is empty. Add a value, or use “is empty”.".to_owned());
    }
    if list.len() > MOST_VALUES {
        return Err(format!("The list has more than {MOST_VALUES} values. Shorten it."));
    }
    list.iter()
        .map(|value| match text(value).filter(|text| !text.trim().is_empty()) {
            None => Err("Give a text, a number or true or false to compare with.".to_owned()),
            Some(text) if text.chars().count() > LONGEST_VALUE => {
                Err(format!("The value is longer than {LONGEST_VALUE} characters. Shorten it."))
            }
            Some(text) => Ok(text),
        })
        .collect()
}

fn text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(boolean) => Some(boolean.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}
