//! One object at a time: list, read, create, update, archive, merge, erase (dossier 2).

use serde_json::{Map, Value as Json, json};

use super::associations;
use super::batch;
use super::portal::Portal;
use super::record::By;
use super::refusal::Refusal;
use super::request::Route;
use super::search;
use super::shape::{self, Wanted};
use super::types::{COMPANIES, CONTACTS, DEALS, TICKETS};
use super::world::World;
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Answers what is under `objects`.
pub(super) fn answer(portal: &mut Portal, asked: &Asked, route: &Route) -> Result<Reply, Refusal> {
    let parts = route.texts();
    let Some((name, rest)) = parts.split_first() else { return Err(Refusal::nowhere()) };
    let kind = type_of(&portal.world, name)?;
    match (asked.method.as_str(), rest) {
        ("GET", []) => list(portal, asked, kind),
        ("POST", []) => create(portal, asked, kind),
        ("POST", ["search"]) => search::answer(portal, asked, kind),
        ("POST", ["merge"]) if mergeable(kind) => merge(portal, asked, kind),
        ("POST", ["gdpr-delete"]) if kind == CONTACTS => erase(portal, asked),
        ("POST", ["batch", verb]) => batch::answer(portal, asked, kind, verb),
        (_, ["batch", ..] | ["search"] | []) => Err(Refusal::not_allowed()),
        (_, [id, "associations", rest @ ..]) => associations::of_object(portal, asked, route, (kind, id), rest),
        ("GET", [id]) => read(portal, asked, kind, id),
        ("PATCH", [id]) => update(portal, asked, kind, id),
        ("DELETE", [id]) => {
            let by = portal.by_application();
            // What is not there is as gone as what was (dossier 2.5).
            if let Ok(id) = id.parse() {
                portal.world.archive(kind, id, by);
            }
            Ok(Reply::empty(204))
        }
        (_, [_]) => Err(Refusal::not_allowed()),
        _ => Err(Refusal::nowhere()),
    }
}

/// The type of a path's part (dossier 2.1).
pub(super) fn type_of(world: &World, name: &str) -> Result<usize, Refusal> {
    world.meta.types.named(name).ok_or_else(|| {
        let id = name.split_once('-').is_some_and(|(a, b)| a.parse::<u32>().is_ok() && b.parse::<u64>().is_ok());
        let message = if id {
            format!("Invalid object or event type id: {name}")
        } else {
            format!("Unable to infer object type from: {name}")
        };
        Refusal::new(400, "", message)
    })
}

/// What the address asks to be shown.
fn wanted(world: &World, asked: &Asked, kind: usize) -> Wanted {
    Wanted {
        properties: asked.list("properties"),
        history: asked.list("propertiesWithHistory"),
        associations: shape::linked_types(world, kind, &asked.list("associations")),
    }
}

fn list(portal: &Portal, asked: &Asked, kind: usize) -> Result<Reply, Refusal> {
    let wanted = wanted(&portal.world, asked, kind);
    let limit = asked.limit(10, if wanted.history.is_empty() { 100 } else { 50 })?;
    let archived = asked.truth("archived")?;
    let from = match asked.query("after").filter(|after| !after.is_empty()) {
        Some(after) => after.parse::<u64>().map_err(|_| {
            Refusal::invalid(format!("The cursor {after} is not one that was given out or has expired"))
        })?,
        None => 0,
    };
    let records = portal.world.tables[kind].records.range(from..).map(|(_, record)| record);
    // Merged-away contacts are in no list (dossier 9).
    let fits = records.filter(|record| (record.archived != 0) == archived && record.merged_into().is_none());
    let mut found: Vec<_> = fits.take(limit + 1).collect();
    let next = if found.len() > limit { found.pop() } else { None };
    let results: Vec<Json> = found
        .iter()
        .map(|record| Json::Object(shape::told_with_links(&portal.world, kind, record, &wanted, asked)))
        .collect();
    let mut body = json!({ "results": results });
    if let Some(next) = next {
        let after = next.id.to_string();
        let link = asked.link(&after);
        body["paging"] = json!({ "next": { "after": after, "link": link } });
    }
    Ok(Reply::json(200, &body))
}

/// The id of a record that is named by its id or by a unique property; none where there is no such record.
pub(super) fn resolve(
    world: &World,
    kind: usize,
    id: &str,
    id_property: Option<&str>,
    verb: &str,
) -> Result<Option<u64>, Refusal> {
    let Some(name) = id_property.filter(|name| !name.is_empty()) else { return Ok(id.trim().parse().ok()) };
    let definitions = &world.meta.definitions[kind];
    let Some((place, property)) = definitions.place(name).zip(definitions.living(name)) else {
        let message = format!("Property \"{name}\" does not exist");
        return Err(super::values::refused(&[super::values::Fault::new(name, "PROPERTY_DOESNT_EXIST", message)]));
    };
    let identifies = property.unique || (kind == CONTACTS && name == "email");
    if !identifies {
        let message = format!("Unable to perform {verb} by non-unique {} property {name}", world.meta.types[kind].id);
        return Err(Refusal::invalid(message));
    }
    Ok(world.by_unique(kind, place, id).map(|record| record.id))
}

fn read(portal: &Portal, asked: &Asked, kind: usize, id: &str) -> Result<Reply, Refusal> {
    let world = &portal.world;
    let wanted = wanted(world, asked, kind);
    let id_property = asked.query("idProperty");
    let id = resolve(world, kind, id, id_property.as_deref(), "read")?.ok_or_else(Refusal::not_found)?;
    let record = if asked.truth("archived")? {
        world.tables[kind].records.get(&id).filter(|record| record.archived != 0 && record.merged_into().is_none())
    } else {
        world.living(kind, id)
    };
    let record = record.ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(200, &Json::Object(shape::told_with_links(world, kind, record, &wanted, asked))))
}

/// The properties of a body's member.
pub(super) fn properties(body: &Map<String, Json>) -> Result<Map<String, Json>, Refusal> {
    match body.get("properties") {
        Some(Json::Object(properties)) => Ok(properties.clone()),
        None | Some(Json::Null) => Ok(Map::new()),
        Some(_) => Err(Refusal::malformed("Cannot deserialize value of type `java.util.LinkedHashMap`")),
    }
}

fn create(portal: &mut Portal, asked: &Asked, kind: usize) -> Result<Reply, Refusal> {
    let body = asked.members()?;
    let by = portal.by_application();
    let record = create_one(&mut portal.world, kind, &body, by)?;
    Ok(Reply::json(201, &Json::Object(record)))
}

/// Creates one record with its associations, or nothing.
pub(super) fn create_one(
    world: &mut World,
    kind: usize,
    body: &Map<String, Json>,
    by: By,
) -> Result<Map<String, Json>, Refusal> {
    let given = properties(body)?;
    let before = world.savepoint();
    let done = world.create(kind, &given, by).and_then(|id| {
        associate(world, (kind, id), body, by)?;
        Ok(id)
    });
    match done {
        Ok(id) => written(world, kind, id, &given),
        Err(refusal) => {
            world.roll_back(before);
            Err(refusal)
        }
    }
}

/// The associations that a new record comes with (dossier 2.5).
fn associate(world: &mut World, from: (usize, u64), body: &Map<String, Json>, by: By) -> Result<(), Refusal> {
    let odd = || Refusal::malformed("Cannot deserialize the associations");
    let given = match body.get("associations") {
        None | Some(Json::Null) => return Ok(()),
        Some(Json::Array(given)) => given,
        Some(_) => return Err(odd()),
    };
    for one in given {
        let to = one.get("to").and_then(|to| associations::id_of(to.get("id")?)).ok_or_else(odd)?;
        let types = associations::type_ids(one.get("types"))?;
        let Some(first) = types.first() else {
            return Err(Refusal::invalid("One or more association types are missing"));
        };
        let labels = world.meta.labels.iter();
        let target = labels
            .filter(|((kind, _), _)| *kind == from.0)
            .find(|(_, labels)| labels.iter().any(|label| label.type_id == *first))
            .map(|((_, to), _)| *to);
        let Some(target) = target else {
            return Err(Refusal::invalid(format!(
                "Association type id {first} doesn't exist for {}",
                world.meta.types[from.0].id
            )));
        };
        world.associate(from, (target, to), &types, false, by)?;
    }
    Ok(())
}

/// A record as the answer to a write shows it: the type's own choice and what was written.
pub(super) fn written(
    world: &World,
    kind: usize,
    id: u64,
    given: &Map<String, Json>,
) -> Result<Map<String, Json>, Refusal> {
    let record = world.living(kind, id).ok_or_else(Refusal::not_found)?;
    let defaults = world.meta.types[kind].defaults.iter().map(|name| (*name).to_owned());
    let properties = defaults.chain(given.keys().cloned()).collect();
    Ok(shape::told(world, kind, record, &Wanted { properties, ..Wanted::default() }))
}

fn update(portal: &mut Portal, asked: &Asked, kind: usize, id: &str) -> Result<Reply, Refusal> {
    let given = properties(&asked.members()?)?;
    let id_property = asked.query("idProperty");
    let found = resolve(&portal.world, kind, id, id_property.as_deref(), "update")?;
    let by = portal.by_application();
    let id = portal.world.update(kind, found.ok_or_else(Refusal::not_found)?, &given, by)?;
    Ok(Reply::json(200, &Json::Object(written(&portal.world, kind, id, &given)?)))
}

fn merge(portal: &mut Portal, asked: &Asked, kind: usize) -> Result<Reply, Refusal> {
    let body = asked.members()?;
    let id = |name: &str| {
        let id = body.get(name).and_then(associations::id_of);
        id.ok_or_else(|| Refusal::invalid(format!("{name} is required and must be an object id")))
    };
    let (winner, loser) = (id("primaryObjectId")?, id("objectIdToMerge")?);
    let by = portal.by_application();
    let kept = portal.world.merge(kind, winner, loser, by)?;
    Ok(Reply::json(200, &Json::Object(written(&portal.world, kind, kept, &Map::new())?)))
}

/// Erases a contact by law; an address that nobody has is barred (dossier 2.8).
fn erase(portal: &mut Portal, asked: &Asked) -> Result<Reply, Refusal> {
    let body = asked.members()?;
    let text = |name: &str| body.get(name).and_then(Json::as_str);
    let object = text("objectId").ok_or_else(|| Refusal::invalid("objectId is required"))?;
    let id_property = text("idProperty");
    let found = resolve(&portal.world, CONTACTS, object, id_property, "gdpr-delete")?;
    let found = found.filter(|id| portal.world.tables[CONTACTS].records.contains_key(id));
    let by = portal.by_application();
    match found {
        Some(id) => drop(portal.world.purge(CONTACTS, id, by)),
        None if id_property == Some("email") => drop(portal.world.meta.blocked.insert(object.to_lowercase())),
        None => return Err(Refusal::not_found()),
    }
    Ok(Reply::empty(204))
}

/// Whether records of a type may be merged (dossier 2.8).
pub(super) fn mergeable(kind: usize) -> bool {
    [CONTACTS, COMPANIES, DEALS, TICKETS].contains(&kind)
}
