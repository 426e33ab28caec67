//! Types that an account's people define, through the API (dossier 3.2).

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::links::Label;
use super::objects::type_of;
use super::portal::Portal;
use super::refusal::Refusal;
use super::request::Route;
use super::schema::Property;
use super::types::{Life, Names, Schema};
use super::webhooks::missing;
use super::world::World;
use super::{associations, links, properties};
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Types of an account's own.
const MOST: usize = 10;

/// First type id of the associations of an account's own types.
const FIRST_ASSOCIATION: u32 = 10_001;

/// What every type can be associated with.
const ACTIVITIES: [&str; 5] = ["notes", "tasks", "meetings", "calls", "emails"];

/// What a request says of a type.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    name: Option<String>,
    labels: Option<Names>,
    description: Option<String>,
    #[serde(default)]
    clear_description: bool,
    primary_display_property: Option<String>,
    secondary_display_properties: Option<Vec<String>>,
    required_properties: Option<Vec<String>>,
    searchable_properties: Option<Vec<String>>,
    properties: Option<Vec<Map<String, Json>>>,
    associated_objects: Option<Vec<String>>,
}

/// Answers what is under `schemas`.
pub(super) fn answer(portal: &mut Portal, asked: &Asked, route: &Route) -> Result<Reply, Refusal> {
    let archived = asked.truth("archived")?;
    match (asked.method.as_str(), route.texts().as_slice()) {
        ("GET", []) => {
            let world = &portal.world;
            let state = if archived { Life::Archived } else { Life::Living };
            let all = world.meta.types.iter().enumerate();
            let fits = all.filter(|(_, one)| one.schema.as_ref().is_some_and(|schema| schema.life == state));
            let told: Vec<Json> = fits.filter_map(|(kind, _)| told(world, kind)).collect();
            Ok(Reply::json(200, &json!({ "results": told })))
        }
        ("POST", []) => {
            let before = portal.world.savepoint();
            let made = create(portal, given(asked)?);
            if made.is_err() {
                portal.world.roll_back(before);
            }
            Ok(Reply::json(201, &told(&portal.world, made?).ok_or_else(Refusal::not_found)?))
        }
        ("GET", [name]) => {
            let kind = own(&portal.world, name)?.0;
            Ok(Reply::json(200, &told(&portal.world, kind).ok_or_else(Refusal::not_found)?))
        }
        ("PATCH", [name]) => change(portal, given(asked)?, name),
        ("DELETE", [name]) => remove(portal, name, archived),
        ("POST", [name, "associations"]) => associate(portal, &asked.members()?, name),
        ("DELETE", [name, "associations", id]) => dissociate(portal, name, id),
        (_, [] | [_] | [_, "associations"] | [_, "associations", _]) => Err(Refusal::not_allowed()),
        _ => Err(Refusal::nowhere()),
    }
}

fn given(asked: &Asked) -> Result<Given, Refusal> {
    serde_json::from_value(asked.json()?).map_err(|error| Refusal::malformed(&error.to_string()))
}

/// A living type of the account's own.
fn own(world: &World, name: &str) -> Result<(usize, Schema), Refusal> {
    let kind =
        type_of(world, name).map_err(|refusal| Refusal { status: 404, category: "OBJECT_NOT_FOUND", ..refusal })?;
    let schema = world.meta.types[kind].schema.clone();
    schema.map(|schema| (kind, schema)).ok_or_else(|| {
        Refusal::new(404, "OBJECT_NOT_FOUND", format!("{name} is defined by HubSpot and has no schema of its own"))
    })
}

fn told(world: &World, kind: usize) -> Option<Json> {
    let of = &world.meta.types[kind];
    let schema = of.schema.as_ref()?;
    let mut told = schema.told(&of.id);
    let living = world.meta.definitions[kind].properties.iter().filter(|property| property.archived == 0);
    told["properties"] = living.map(Property::told).collect();
    let labels = world.meta.labels.range((kind, 0)..=(kind, usize::MAX));
    let associations = labels.filter_map(|((_, to), labels)| Some(association(world, kind, *to, labels.first()?)));
    told["associations"] = associations.collect();
    Some(told)
}

fn association(world: &World, from: usize, to: usize, label: &Label) -> Json {
    let types = &world.meta.types;
    json!({ "id": label.type_id.to_string(), "fromObjectTypeId": types[from].id, "toObjectTypeId": types[to].id,
            "name": links::relation(types, from, to) })
}

/// Keeps a type as it is now.
fn save(world: &mut World, kind: usize, schema: Schema) {
    let line = json!({ "type": kind, "is": schema });
    world.redefine(&line, |meta| meta.put_type(kind, schema));
    world.make_room();
}

fn create(portal: &mut Portal, given: Given) -> Result<usize, Refusal> {
    let name = given.name.filter(|name| !name.is_empty()).ok_or_else(|| missing("name"))?;
    let labels = given.labels.ok_or_else(|| missing("labels"))?;
    let required = given.required_properties.ok_or_else(|| missing("requiredProperties"))?;
    let defined = given.properties.filter(|list| !list.is_empty()).ok_or_else(|| missing("properties"))?;
    let others = given.associated_objects.ok_or_else(|| missing("associatedObjects"))?;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if !name.starts_with(|letter: char| letter.is_ascii_alphabetic()) || !name.chars().all(plain) {
        let message = format!("{name} is not a name: letters, digits and underscores, the first one a letter");
        return Err(Refusal::invalid(message));
    }
    let types = &portal.world.meta.types;
    if types.named(&name).or(types.own(&name)).is_some() {
        let message = format!("An object type named '{name}' already exists.");
        return Err(Refusal::new(409, "OBJECT_ALREADY_EXISTS", message).with_context("name", &[name]));
    }
    if types.iter().filter(|one| one.schema.is_some() && one.lives()).count() >= MOST {
        return Err(Refusal::invalid(format!("An account has at most {MOST} custom object types")));
    }
    let (kind, now) = (types.len(), portal.now());
    let mut schema = Schema {
        name,
        labels,
        description: given.description,
        primary: None,
        secondary: Vec::new(),
        required: Vec::new(),
        searchable: Vec::new(),
        created: now,
        updated: now,
        life: Life::Living,
    };
    save(&mut portal.world, kind, schema.clone());
    let group = portal.world.meta.definitions[kind].groups.first().map(|group| group.name.clone());
    for mut property in defined {
        property.entry("groupName").or_insert_with(|| json!(group));
        properties::create(portal, kind, &property)?;
    }
    schema.required = known(portal, kind, required)?;
    schema.searchable = known(portal, kind, given.searchable_properties.unwrap_or_default())?;
    schema.secondary = known(portal, kind, given.secondary_display_properties.unwrap_or_default())?;
    schema.primary = known(portal, kind, given.primary_display_property.into_iter().collect())?.pop();
    save(&mut portal.world, kind, schema);
    for other in ACTIVITIES.into_iter().chain(others.iter().map(String::as_str)) {
        let other = type_of(&portal.world, other)?;
        connect(&mut portal.world, kind, other);
    }
    Ok(kind)
}

/// The same names, where properties are called so.
fn known(portal: &Portal, kind: usize, names: Vec<String>) -> Result<Vec<String>, Refusal> {
    let definitions = &portal.world.meta.definitions[kind];
    match names.iter().find(|name| definitions.living(name).is_none()) {
        None => Ok(names),
        Some(odd) => Err(Refusal::invalid(format!("Property \"{odd}\" does not exist"))),
    }
}

fn change(portal: &mut Portal, given: Given, name: &str) -> Result<Reply, Refusal> {
    let (kind, mut schema) = own(&portal.world, name)?;
    if let Some(labels) = given.labels {
        schema.labels.singular = labels.singular.or(schema.labels.singular);
        schema.labels.plural = labels.plural.or(schema.labels.plural);
    }
    schema.description = if given.clear_description { None } else { given.description.or(schema.description) };
    if let Some(primary) = given.primary_display_property {
        schema.primary = known(portal, kind, vec![primary])?.pop();
    }
    for (kept, given) in [
        (&mut schema.secondary, given.secondary_display_properties),
        (&mut schema.required, given.required_properties),
        (&mut schema.searchable, given.searchable_properties),
    ] {
        if let Some(given) = given {
            *kept = known(portal, kind, given)?;
        }
    }
    schema.updated = portal.now();
    let mut told = schema.told(&portal.world.meta.types[kind].id);
    told["portalId"] = json!(super::PORTAL_ID);
    save(&mut portal.world, kind, schema);
    Ok(Reply::json(200, &told))
}

/// Archives a type that has no records; one that is archived already is purged where that is asked, and its name is free.
fn remove(portal: &mut Portal, name: &str, purge: bool) -> Result<Reply, Refusal> {
    let world = &mut portal.world;
    let kind = world.meta.types.own(name);
    let schema = kind.and_then(|kind| Some((kind, world.meta.types[kind].schema.clone()?)));
    let Some((kind, mut schema)) = schema else {
        return Err(own(world, name).map_or_else(|e| e, |_| Refusal::not_found()));
    };
    if schema.life == Life::Archived && !purge {
        return Err(Refusal::not_found());
    }
    if world.tables[kind].living > 0 {
        let message = format!("Unable to delete {}: it still has records. Delete them first.", schema.full_name());
        return Err(Refusal::invalid(message));
    }
    schema.life = if purge { Life::Purged } else { Life::Archived };
    save(world, kind, schema);
    Ok(Reply::empty(204))
}

/// Lets records of two types be associated; their association where they could be before.
fn connect(world: &mut World, from: usize, to: usize) {
    if world.meta.labels.contains_key(&(from, to)) {
        return;
    }
    let all = world.meta.labels.values().flatten().map(|label| label.type_id + 1);
    let id = all.max().unwrap_or_default().max(FIRST_ASSOCIATION);
    world.relabel((from, to), vec![Label::plain(id)]);
    if from != to {
        world.relabel((to, from), vec![Label::plain(id + 1)]);
    }
}

fn associate(portal: &mut Portal, body: &Map<String, Json>, name: &str) -> Result<Reply, Refusal> {
    let world = &mut portal.world;
    let (kind, _) = own(world, name)?;
    let end = |name: &str| match body.get(name).and_then(Json::as_str) {
        Some(text) => type_of(world, text),
        None => Err(missing(name)),
    };
    let (from, to) = (end("fromObjectTypeId")?, end("toObjectTypeId")?);
    if from != kind && to != kind {
        return Err(Refusal::invalid(format!("One end of the association must be {name}")));
    }
    if world.meta.labels.contains_key(&(from, to)) {
        let message = format!("{} already exists", links::relation(&world.meta.types, from, to));
        return Err(Refusal::new(409, "OBJECT_ALREADY_EXISTS", message));
    }
    connect(world, from, to);
    let label = associations::labels_of(world, from, to).first().ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(201, &association(world, from, to, label)))
}

/// Ends an association by its id or its name, with every pair of records that it connects.
fn dissociate(portal: &mut Portal, name: &str, id: &str) -> Result<Reply, Refusal> {
    let by = portal.by_application();
    let world = &mut portal.world;
    let (kind, _) = own(world, name)?;
    let types = &world.meta.types;
    let is = |from: usize, to: usize, labels: &[Label]| {
        labels.first().is_some_and(|label| label.type_id.to_string() == id) || links::relation(types, from, to) == id
    };
    let mut all = world.meta.labels.iter().filter(|((from, to), _)| *from == kind || *to == kind);
    let found = all.find(|((from, to), labels)| is(*from, *to, labels)).map(|(pair, _)| *pair);
    let (from, to) = found.ok_or_else(Refusal::not_found)?;
    let pairs: Vec<_> = world.links.pairs().map(|(one, other, _)| (one, other)).collect();
    for (one, other) in pairs {
        if (one.0, other.0) == (from, to) || (one.0, other.0) == (to, from) {
            world.link(one, other, 0, by);
        }
    }
    for pair in [(from, to), (to, from)] {
        world.relabel(pair, Vec::new());
    }
    Ok(Reply::empty(204))
}
