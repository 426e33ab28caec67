//! Conditions that a record must meet for a subscription to tell of it (dossier 5.5).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::super::portal::Portal;
use super::super::record::Record;
use super::super::refusal::Refusal;
use super::super::shape;
use super::super::stamps::iso;
use super::super::webhooks::missing;
use super::super::world::World;
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Operator {
    Eq,
    NEq,
    Lt,
    Lte,
    Gt,
    Gte,
    Contains,
    StartsWith,
    EndsWith,
    In,
    NotIn,
    IsEmpty,
    IsNotEmpty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum About {
    #[serde(rename = "CRM_OBJECT_PROPERTY")]
    Property,
}

/// What one property must be.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    filter_type: About,
    property: String,
    operator: Operator,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Conditions {
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewFilter {
    subscription_id: Option<u64>,
    filter: Option<Conditions>,
}

/// A filter of a subscription: all its conditions hold.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Filter {
    id: u64,
    subscription: u64,
    filter: Conditions,
    created: i64,
}

/// Every filter.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Filters {
    all: BTreeMap<u64, Filter>,
    last_id: u64,
}

impl Filters {
    /// Whether one of a subscription's filters is met, or there is none.
    pub(super) fn let_through(&self, world: &World, kind: usize, record: &Record, subscription: u64) -> bool {
        let mut own = self.all.values().filter(|filter| filter.subscription == subscription).peekable();
        let meets = |condition: &Condition| {
            let value = shape::value(world, kind, record, &condition.property);
            condition.holds(value.as_deref().unwrap_or_default())
        };
        own.peek().is_none() || own.any(|filter| filter.filter.conditions.iter().all(meets))
    }

    /// Drops the filters of other subscriptions than these.
    pub(super) fn keep_those(&mut self, is_kept: impl Fn(u64) -> bool) {
        self.all.retain(|_, filter| is_kept(filter.subscription));
    }
}

impl Condition {
    fn check(&self) -> Result<(), Refusal> {
        match self.operator {
            Operator::In | Operator::NotIn if self.values.as_ref().is_none_or(Vec::is_empty) => Err(missing("values")),
            Operator::In | Operator::NotIn | Operator::IsEmpty | Operator::IsNotEmpty => Ok(()),
            _ if self.value.is_none() => Err(missing("value")),
            _ => Ok(()),
        }
    }

    fn holds(&self, kept: &str) -> bool {
        let wanted = self.value.as_deref().unwrap_or_default();
        let among = || self.values.iter().flatten().any(|value| value == kept);
        let against = || match (kept.parse::<f64>(), wanted.parse::<f64>()) {
            (Ok(kept), Ok(wanted)) => kept.total_cmp(&wanted),
            _ => kept.cmp(wanted),
        };
        // What a record does not have is in no order.
        let ordered = |is: fn(Ordering) -> bool| !kept.is_empty() && is(against());
        match self.operator {
            Operator::Eq => kept == wanted,
            Operator::NEq => kept != wanted,
            Operator::Lt => ordered(Ordering::is_lt),
            Operator::Lte => ordered(Ordering::is_le),
            Operator::Gt => ordered(Ordering::is_gt),
            Operator::Gte => ordered(Ordering::is_ge),
            Operator::Contains => kept.contains(wanted),
            Operator::StartsWith => kept.starts_with(wanted),
            Operator::EndsWith => kept.ends_with(wanted),
            Operator::In => among(),
            Operator::NotIn => !among(),
            Operator::IsEmpty => kept.is_empty(),
            Operator::IsNotEmpty => !kept.is_empty(),
        }
    }
}

impl Filter {
    /// As the API tells it.
    fn told(&self) -> Json {
        json!({ "id": self.id, "createdAt": iso(self.created), "filter": self.filter })
    }
}

/// Answers what is under `filters`.
pub(super) fn answer(portal: &mut Portal, asked: &Asked, rest: &[&str]) -> Result<Reply, Refusal> {
    let registry = &mut portal.small.journal;
    let named = |id: &str| id.parse::<u64>().map_err(|_| Refusal::not_found());
    match (asked.method.as_str(), rest) {
        ("POST", []) => create(portal, asked),
        ("GET", ["subscription", id]) => {
            let id = registry.subscriptions.named(id)?.id;
            let own = registry.filters.all.values().filter(|filter| filter.subscription == id);
            let told: Vec<Json> = own.map(Filter::told).collect();
            Ok(Reply::json(200, &json!({ "results": told })))
        }
        ("GET", [id]) => {
            let found = registry.filters.all.get(&named(id)?);
            Ok(Reply::json(200, &found.ok_or_else(Refusal::not_found)?.told()))
        }
        ("DELETE", [id]) => {
            registry.filters.all.remove(&named(id)?).ok_or_else(Refusal::not_found)?;
            portal.touch();
            Ok(Reply::empty(204))
        }
        (_, [] | [_] | ["subscription", _]) => Err(Refusal::not_allowed()),
        _ => Err(Refusal::nowhere()),
    }
}

fn create(portal: &mut Portal, asked: &Asked) -> Result<Reply, Refusal> {
    let wanted: NewFilter =
        serde_json::from_value(asked.json()?).map_err(|error| Refusal::malformed(&error.to_string()))?;
    let filter = wanted.filter.filter(|filter| !filter.conditions.is_empty()).ok_or_else(|| missing("filter"))?;
    filter.conditions.iter().try_for_each(Condition::check)?;
    let subscription = wanted.subscription_id.ok_or_else(|| missing("subscriptionId"))?;
    let created = portal.now();
    let registry = &mut portal.small.journal;
    registry.subscriptions.named(&subscription.to_string())?;
    registry.filters.last_id += 1;
    let id = registry.filters.last_id;
    registry.filters.all.insert(id, Filter { id, subscription, filter, created });
    portal.touch();
    Ok(Reply::json(201, &json!({ "filterId": id })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_by_itself() {
        for (operator, wanted, kept, holds) in [
            ("EQ", "a", "a", true),
            ("N_EQ", "a", "", true),
            ("LT", "10", "9", true),
            ("LT", "10", "", false),
            ("LTE", "2026-01-01", "2026-01-01", true),
            ("GT", "b", "a", false),
            ("GTE", "7.0", "7", true),
            ("CONTAINS", "str", "Kestrel", true),
            ("STARTS_WITH", "kes", "Kestrel", false),
            ("ENDS_WITH", "rel", "Kestrel", true),
            ("IN", "", "b", true),
            ("NOT_IN", "", "c", true),
            ("IS_EMPTY", "", "", true),
            ("IS_NOT_EMPTY", "", "", false),
        ] {
            let condition = json!({ "filterType": "CRM_OBJECT_PROPERTY", "property": "p", "operator": operator,
                                    "value": wanted, "values": ["a", "b"] });
            let condition: Condition = serde_json::from_value(condition).expect("a condition");
            assert_eq!(condition.holds(kept), holds, "{operator} {wanted} {kept}");
        }
    }
}
