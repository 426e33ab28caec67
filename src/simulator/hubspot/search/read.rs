//! The body of a search, read and checked (dossier 2.7).

use serde_json::{Map, Value as Json, json};

use super::super::refusal::Refusal;
use super::super::shape::{self, Wanted};
use super::super::stamps::instant;
use super::super::world::World;
use super::page::{Kind, Order};
use super::{Filter, Operator, Query, Sense};

/// Results that a query can reach.
const WALL: usize = 10_000;

/// Filter groups, filters of a group, filters of a query.
const GROUPS: usize = 5;
const OF_GROUP: usize = 6;
const FILTERS: usize = 18;

/// Most results of a page.
const PAGE: usize = 200;

fn list<'b>(body: &'b Map<String, Json>, name: &str) -> Result<&'b [Json], Refusal> {
    match body.get(name) {
        None | Some(Json::Null) => Ok(&[]),
        Some(Json::Array(list)) => Ok(list),
        Some(_) => Err(Refusal::malformed(&format!("{name} must be a list"))),
    }
}

/// A number that may come as text.
fn whole(body: &Map<String, Json>, name: &str) -> Result<Option<usize>, Refusal> {
    match body.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) if text.is_empty() => Ok(None),
        Some(value) => match super::super::associations::id_of(value).and_then(|number| usize::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::invalid(format!("{name} must be a whole number"))),
        },
    }
}

/// Reads the body of a search.
pub(super) fn query(world: &World, kind: usize, body: &Map<String, Json>) -> Result<Query, Refusal> {
    let mut groups = Vec::new();
    for group in list(body, "filterGroups")? {
        let group = group.as_object().ok_or_else(|| Refusal::malformed("a filter group must be an object"))?;
        groups.push(filters(world, kind, list(group, "filters")?)?);
    }
    let top = list(body, "filters")?;
    if !top.is_empty() {
        groups.push(filters(world, kind, top)?);
    }
    let all: usize = groups.iter().map(Vec::len).sum();
    if groups.len() > GROUPS || all > FILTERS || groups.iter().any(|group| group.len() > OF_GROUP) {
        let message =
            format!("A search has at most {GROUPS} filter groups, {OF_GROUP} filters in each and {FILTERS} in all");
        return Err(Refusal::invalid(message));
    }
    let limit = whole(body, "limit")?.unwrap_or(10);
    let after = whole(body, "after")?.unwrap_or_default();
    if limit == 0 || limit > PAGE {
        return Err(Refusal::invalid(format!("limit must be between 1 and {PAGE}")));
    }
    if after.saturating_add(limit) > WALL {
        let message =
            format!("The search can return at most {WALL} results: after + limit is {}", after.saturating_add(limit));
        return Err(Refusal::invalid(message));
    }
    let text = match body.get("query") {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.trim().to_lowercase(),
        Some(_) => return Err(Refusal::malformed("query must be a text")),
    };
    let names = list(body, "properties")?.iter().filter_map(|name| name.as_str().map(str::to_owned));
    let wanted = Wanted { properties: names.collect(), ..Wanted::default() };
    let (order, down) = order(world, kind, list(body, "sorts")?)?;
    let searched = world.meta.types[kind].searched().map(|name| shape::reading(world, kind, name)).collect();
    Ok(Query { groups, order, down, text, searched, limit, after, wanted })
}

fn unknown(name: &str) -> Refusal {
    let mut refusal =
        Refusal::invalid(format!("There was a problem with the request: Property \"{name}\" does not exist"));
    refusal.errors = vec![
        json!({ "message": refusal.message, "code": "PROPERTY_DOESNT_EXIST", "context": { "propertyName": [name] } }),
    ];
    refusal
}

/// What the records are sorted by, else by creation, and whether the last come first.
fn order(world: &World, kind: usize, sorts: &[Json]) -> Result<(Order, bool), Refusal> {
    if sorts.len() > 1 {
        return Err(Refusal::invalid("Only one sort is supported"));
    }
    let (name, down) = match sorts.first() {
        None => return Ok((Order::Created, false)),
        Some(Json::String(name)) => match name.strip_prefix('-') {
            Some(name) => (name.to_owned(), true),
            None => (name.clone(), false),
        },
        Some(sort) => {
            let text = |member: &str| sort.get(member).and_then(Json::as_str);
            let name = text("propertyName").ok_or_else(|| Refusal::invalid("A sort must name its propertyName"))?;
            match text("direction").unwrap_or("ASCENDING") {
                "ASCENDING" => (name.to_owned(), false),
                "DESCENDING" => (name.to_owned(), true),
                odd => return Err(Refusal::invalid(format!("Invalid sort direction {odd}"))),
            }
        }
    };
    let property = world.meta.definitions[kind].living(&name).ok_or_else(|| unknown(&name))?;
    let of = &world.meta.types[kind];
    let order = match name.as_str() {
        "hs_object_id" => Order::Id,
        name if name == of.created => Order::Created,
        name if name == of.modified || name == "hs_lastmodifieddate" => Order::Modified,
        name => Order::Value(shape::reading(world, kind, name), Kind::of(property)),
    };
    Ok((order, down))
}

fn filters(world: &World, kind: usize, given: &[Json]) -> Result<Vec<Filter>, Refusal> {
    given.iter().map(|filter| one_filter(world, kind, filter)).collect()
}

fn one_filter(world: &World, kind: usize, given: &Json) -> Result<Filter, Refusal> {
    let text = |name: &str| match given.get(name) {
        Some(Json::String(text)) => Some(text.clone()),
        Some(Json::Number(number)) => Some(number.to_string()),
        Some(Json::Bool(truth)) => Some(truth.to_string()),
        _ => None,
    };
    let name = text("propertyName").ok_or_else(|| Refusal::invalid("A filter must name its propertyName"))?;
    let operator = match text("operator").as_deref() {
        Some("EQ") => Operator::Eq,
        Some("NEQ") => Operator::Neq,
        Some("LT") => Operator::Lt,
        Some("LTE") => Operator::Lte,
        Some("GT") => Operator::Gt,
        Some("GTE") => Operator::Gte,
        Some("BETWEEN") => Operator::Between,
        Some("IN") => Operator::In,
        Some("NOT_IN") => Operator::NotIn,
        Some("HAS_PROPERTY") => Operator::Has,
        Some("NOT_HAS_PROPERTY") => Operator::HasNot,
        Some("CONTAINS_TOKEN") => Operator::Contains,
        Some("NOT_CONTAINS_TOKEN") => Operator::ContainsNot,
        Some(odd) => return Err(Refusal::invalid(format!("Invalid filter operator {odd}"))),
        None => return Err(Refusal::invalid("A filter must name its operator")),
    };
    let types = &world.meta.types;
    // Types of the account's own cannot be searched by (dossier 2.7).
    let linked = name.strip_prefix("associations.").and_then(|name| types.named(name));
    let linked = linked.filter(|to| types[*to].schema.is_none());
    let sense = match world.meta.definitions[kind].living(&name).map(|property| property.kind.as_str()) {
        None if linked.is_some() => Sense::Exact,
        None => return Err(unknown(&name)),
        Some("number") => Sense::Number,
        Some("date" | "datetime") => Sense::Instant,
        Some("enumeration" | "bool") => Sense::Exact,
        Some(_) => Sense::Text,
    };
    let value = || text("value").ok_or_else(|| Refusal::invalid(format!("The filter on {name} needs a value")));
    let raw: Vec<String> = match operator {
        Operator::Has | Operator::HasNot => Vec::new(),
        Operator::In | Operator::NotIn => {
            let values = given.get("values").and_then(Json::as_array).filter(|values| !values.is_empty());
            let values = values.ok_or_else(|| Refusal::invalid(format!("The filter on {name} needs values")))?;
            values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
        }
        Operator::Between => {
            let high = text("highValue");
            let high = high.ok_or_else(|| Refusal::invalid(format!("The filter on {name} needs a highValue")))?;
            vec![value()?, high]
        }
        _ => vec![value()?],
    };
    // IN compares texts with lower-cased ones without lower-casing its values (dossier 2.7).
    let as_given = matches!(operator, Operator::In | Operator::NotIn);
    // Tokens are words of whatever is kept, however the property compares.
    let token = matches!(operator, Operator::Contains | Operator::ContainsNot);
    let values = raw.into_iter().map(|raw| match sense {
        _ if token => Ok(raw.to_lowercase()),
        Sense::Text if as_given => Ok(raw),
        Sense::Text => Ok(raw.to_lowercase()),
        Sense::Exact => Ok(raw),
        Sense::Number if raw.trim().parse::<f64>().is_ok_and(f64::is_finite) => Ok(raw),
        Sense::Instant => match instant(&raw) {
            Some(at) => Ok(at.to_string()),
            None => Err(Refusal::invalid(format!("{raw} is not a valid value of {name}"))),
        },
        Sense::Number => Err(Refusal::invalid(format!("{raw} is not a valid value of {name}"))),
    });
    let values = values.collect::<Result<_, _>>()?;
    let reading = shape::reading(world, kind, &name);
    Ok(Filter { name, linked, reading, sense, operator, values })
}
