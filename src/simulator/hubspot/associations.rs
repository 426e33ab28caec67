//! Associations over HTTP, v4 and dated, and the v3 that clients still use (dossier 4).

use serde_json::{Map, Value as Json, json};

use super::batch::{finished, inputs};
use super::labels;
use super::links::{End, Label, Mask, relation};
use super::objects::type_of;
use super::portal::Portal;
use super::record::By;
use super::refusal::Refusal;
use super::request::{Route, Tree};
use super::world::World;
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Associations of one page.
const PAGE: usize = 500;

/// Records of one batch read, and pairs of one batch write.
const MOST_READ: usize = 1000;
const MOST_WRITTEN: usize = 2000;

/// An id on the wire: text or a number.
pub(super) fn id_of(value: &Json) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// The type ids of `[{associationCategory, associationTypeId}]`.
pub(super) fn type_ids(types: Option<&Json>) -> Result<Vec<u32>, Refusal> {
    let odd = || Refusal::malformed("Cannot deserialize the association types");
    let types = types.and_then(Json::as_array).ok_or_else(odd)?;
    let id = |one: &Json| one.get("associationTypeId").and_then(id_of).and_then(|id| u32::try_from(id).ok());
    types.iter().map(id).collect::<Option<_>>().ok_or_else(odd)
}

/// Answers what is under an object's `associations`.
pub(super) fn of_object(
    portal: &mut Portal,
    asked: &Asked,
    route: &Route,
    (kind, id): (usize, &str),
    rest: &[&str],
) -> Result<Reply, Refusal> {
    // `default` stands before the other type.
    let (default, rest) = match rest {
        ["default", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let Some((to, rest)) = rest.split_first() else { return Err(Refusal::nowhere()) };
    let to = type_of(&portal.world, to)?;
    let from = (kind, id.parse().map_err(|_| Refusal::not_found())?);
    let other = |id: &str| id.parse().map(|id| (to, id)).map_err(|_| Refusal::not_found());
    let by = portal.by_application();
    match (asked.method.as_str(), rest, default) {
        ("GET", [], false) => list(portal, asked, route.tree, from, to),
        ("PUT", [id], true) => {
            let to = other(id)?;
            portal.world.associate(from, to, &[], false, by)?;
            let made = default_made(&portal.world, from, to);
            Ok(finished(portal.now(), 200, made, Vec::new()))
        }
        ("PUT", [id], false) => {
            let types = type_ids(Some(&asked.json()?))?;
            let to = other(id)?;
            portal.world.associate(from, to, &types, true, by)?;
            Ok(Reply::json(201, &pair_told(&portal.world, from, to)))
        }
        ("PUT", [id, type_id], false) => {
            // v3: the type is in the path.
            let types = v3_type(&portal.world, from.0, to, type_id)?;
            portal.world.associate(from, other(id)?, &types, false, by)?;
            let record = portal.world.living(from.0, from.1).ok_or_else(Refusal::not_found)?;
            let told = super::shape::told(&portal.world, from.0, record, &super::shape::Wanted::default());
            Ok(Reply::json(200, &Json::Object(told)))
        }
        ("DELETE", [id], false) => {
            portal.world.link(from, other(id)?, 0, by);
            Ok(Reply::empty(204))
        }
        ("DELETE", [id, type_id], false) => {
            let types = v3_type(&portal.world, from.0, to, type_id)?;
            unlabel(&mut portal.world, from, other(id)?, &types, by);
            Ok(Reply::empty(204))
        }
        (_, [] | [_] | [_, _], _) => Err(Refusal::not_allowed()),
        _ => Err(Refusal::nowhere()),
    }
}

pub(super) fn labels_of(world: &World, from: usize, to: usize) -> &[Label] {
    world.meta.labels.get(&(from, to)).map(Vec::as_slice).unwrap_or_default()
}

/// The labels that a mask stands for.
fn carried(labels: &[Label], mask: Mask) -> Vec<&Label> {
    labels.iter().enumerate().filter(|(place, _)| mask & (1 << place) != 0).map(|(_, label)| label).collect()
}

/// One associated record with its labels; the labelled ones first.
fn end_told(labels: &[Label], id: u64, mask: Mask) -> Json {
    let mut types: Vec<Json> = carried(labels, mask).into_iter().map(Label::told).collect();
    types.reverse();
    json!({ "toObjectId": id, "associationTypes": types })
}

fn list(portal: &Portal, asked: &Asked, tree: Tree, from: End, to: usize) -> Result<Reply, Refusal> {
    let limit = asked.limit(PAGE, PAGE)?;
    if portal.world.living(from.0, from.1).is_none() {
        return Err(Refusal::not_found());
    }
    let after = asked.query("after").and_then(|after| after.parse().ok()).unwrap_or_default();
    let (results, next) = page(&portal.world, from, to, after, limit, tree == Tree::V3);
    let mut body = json!({ "results": results });
    if let Some(next) = next {
        let link = asked.link(&next.to_string());
        body["paging"] = json!({ "next": { "after": next.to_string(), "link": link } });
    }
    Ok(Reply::json(200, &body))
}

fn page(world: &World, from: End, to: usize, after: u64, limit: usize, v3: bool) -> (Vec<Json>, Option<u64>) {
    let labels = labels_of(world, from.0, to);
    let name = relation(&world.meta.types, from.0, to);
    let mut found: Vec<(u64, Mask)> = world.linked(from, to).filter(|(id, _)| *id >= after).take(limit + 1).collect();
    let next = if found.len() > limit { found.pop().map(|(id, _)| id) } else { None };
    let told = found
        .into_iter()
        .map(|(id, mask)| if v3 { json!({ "id": id.to_string(), "type": name }) } else { end_told(labels, id, mask) });
    (told.collect(), next)
}

/// A pair after its labels were set.
fn pair_told(world: &World, from: End, to: End) -> Json {
    let mask = world.links.get(from, to).unwrap_or_default();
    let labels = carried(labels_of(world, from.0, to.0), mask);
    let labels: Vec<&str> = labels.into_iter().filter_map(|label| label.label.as_deref()).collect();
    let types = &world.meta.types;
    json!({ "fromObjectTypeId": types[from.0].id, "fromObjectId": from.1, "toObjectTypeId": types[to.0].id,
            "toObjectId": to.1, "labels": labels })
}

/// What a plain association tells: both directions.
fn default_made(world: &World, from: End, to: End) -> Vec<Json> {
    let one = |from: End, to: End| {
        let type_id = labels_of(world, from.0, to.0).first().map(|label| label.type_id);
        json!({ "from": { "id": from.1.to_string() }, "to": { "id": to.1.to_string() },
                "associationSpec": { "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id } })
    };
    vec![one(from, to), one(to, from)]
}

/// Answers what is under `associations`.
pub(super) fn answer(portal: &mut Portal, asked: &Asked, route: &Route) -> Result<Reply, Refusal> {
    let parts = route.texts();
    let (from, to, rest) = match parts.as_slice() {
        ["definitions", "configurations", rest @ ..] => return labels::configurations(portal, asked, rest),
        [from, to, rest @ ..] => (type_of(&portal.world, from)?, type_of(&portal.world, to)?, rest),
        _ => return Err(Refusal::nowhere()),
    };
    match (asked.method.as_str(), rest) {
        (_, ["labels", rest @ ..]) => labels::answer(portal, asked, (from, to), rest),
        (_, ["types"]) if route.tree == Tree::V3 => Ok(Reply::json(200, &v3_types(&portal.world, from, to))),
        ("POST", ["batch", "read"]) => read(portal, asked, route.tree, from, to),
        ("POST", ["batch", "create"]) => write(portal, asked, route.tree, (from, to), false),
        ("POST", ["batch", "associate", "default"]) => write(portal, asked, route.tree, (from, to), true),
        ("POST", ["batch", "archive"]) => archive(portal, asked, route.tree, (from, to)),
        ("POST", ["batch", "labels", "archive"]) => archive_labels(portal, asked, route.tree, (from, to)),
        (_, ["batch", ..]) => Err(Refusal::not_allowed()),
        _ => Err(Refusal::nowhere()),
    }
}

fn v3_types(world: &World, from: usize, to: usize) -> Json {
    let name = relation(&world.meta.types, from, to);
    let types: Vec<Json> = labels_of(world, from, to)
        .iter()
        .map(|label| json!({ "id": label.type_id.to_string(), "name": name }))
        .collect();
    json!({ "results": types })
}

fn end(input: &Map<String, Json>, name: &str) -> Result<u64, Refusal> {
    let id = input.get(name).and_then(|end| id_of(end.get("id")?));
    id.ok_or_else(|| Refusal::invalid(format!("Some required fields were not set: [{name}]")))
}

fn read(portal: &Portal, asked: &Asked, tree: Tree, from: usize, to: usize) -> Result<Reply, Refusal> {
    let inputs = inputs(&asked.members()?, MOST_READ)?;
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in &inputs {
        let id = input.get("id").and_then(id_of);
        let id = id.ok_or_else(|| Refusal::invalid("Some required fields were not set: [id]"))?;
        let after = input.get("after").and_then(id_of).unwrap_or_default();
        let (found, next) = page(&portal.world, (from, id), to, after, PAGE, tree == Tree::V3);
        if found.is_empty() {
            let types = &portal.world.meta.types;
            let message = format!("No {} is associated with {} {id}.", types[to].singular, types[from].singular);
            let refusal = Refusal::new(404, "OBJECT_NOT_FOUND", message);
            errors.push(
                refusal.sub("crm.associations.NO_ASSOCIATIONS_FOUND").with_context("fromObjectId", &[id.to_string()]),
            );
            continue;
        }
        let mut told = json!({ "from": { "id": id.to_string() }, "to": found });
        if let Some(next) = next {
            told["paging"] = json!({ "next": { "after": next.to_string() } });
        }
        results.push(told);
    }
    let errors = errors.iter().map(|refusal| refusal.entry(None)).collect();
    Ok(finished(portal.now(), 200, results, errors))
}

fn write(
    portal: &mut Portal,
    asked: &Asked,
    tree: Tree,
    (from, to): (usize, usize),
    default: bool,
) -> Result<Reply, Refusal> {
    let inputs = inputs(&asked.members()?, MOST_WRITTEN)?;
    let by = portal.by_application();
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in &inputs {
        let pair = ((from, end(input, "from")?), (to, end(input, "to")?));
        let types = match (default, tree) {
            (true, _) => Vec::new(),
            // v3 names the association by a word; unlabelled is meant.
            (_, Tree::V3) => v3_type(&portal.world, from, to, named_type(input))?,
            _ => type_ids(input.get("types"))?,
        };
        match portal.world.associate(pair.0, pair.1, &types, false, by) {
            Ok(_) if default => results.extend(default_made(&portal.world, pair.0, pair.1)),
            Ok(_) if tree == Tree::V3 => results.push(json!({
                "from": { "id": pair.0.1.to_string() }, "to": { "id": pair.1.1.to_string() },
                "type": relation(&portal.world.meta.types, from, to),
            })),
            Ok(_) => results.push(pair_told(&portal.world, pair.0, pair.1)),
            Err(refusal) => errors.push(refusal.entry(None)),
        }
    }
    Ok(finished(portal.now(), if default { 200 } else { 201 }, results, errors))
}

/// The type that an input of v3 names.
fn named_type(input: &Map<String, Json>) -> &str {
    input.get("type").and_then(Json::as_str).unwrap_or_default()
}

/// The type ids of v3's word for a type; none where it is the plain one.
fn v3_type(world: &World, from: usize, to: usize, named: &str) -> Result<Vec<u32>, Refusal> {
    let numbers = named.parse::<u32>().ok().filter(|id| labels_of(world, from, to).iter().any(|l| l.type_id == *id));
    match numbers {
        Some(id) => Ok(vec![id]),
        None if named.strip_suffix("_unlabeled").unwrap_or(named) == relation(&world.meta.types, from, to) => {
            Ok(Vec::new())
        }
        None => Err(Refusal::invalid(format!("Association type {named} does not exist"))),
    }
}

fn archive(portal: &mut Portal, asked: &Asked, tree: Tree, (from, to): (usize, usize)) -> Result<Reply, Refusal> {
    let inputs = inputs(&asked.members()?, MOST_WRITTEN)?;
    let by = portal.by_application();
    for input in &inputs {
        let id = end(input, "from")?;
        let others: Vec<u64> = match input.get("to") {
            Some(Json::Array(to)) => to.iter().filter_map(|end| id_of(end.get("id")?)).collect(),
            _ => vec![end(input, "to")?],
        };
        let types = if tree == Tree::V3 { v3_type(&portal.world, from, to, named_type(input))? } else { Vec::new() };
        for other in others {
            unlabel(&mut portal.world, (from, id), (to, other), &types, by);
        }
    }
    Ok(gone(portal, tree))
}

fn archive_labels(
    portal: &mut Portal,
    asked: &Asked,
    tree: Tree,
    (from, to): (usize, usize),
) -> Result<Reply, Refusal> {
    let inputs = inputs(&asked.members()?, MOST_WRITTEN)?;
    let by = portal.by_application();
    for input in &inputs {
        let pair = ((from, end(input, "from")?), (to, end(input, "to")?));
        unlabel(&mut portal.world, pair.0, pair.1, &type_ids(input.get("types"))?, by);
    }
    Ok(gone(portal, tree))
}

/// Takes labels from a pair, all where none are named. Without the plain association there is none at all (dossier 4).
fn unlabel(world: &mut World, from: End, to: End, types: &[u32], by: By) {
    let labels = labels_of(world, from.0, to.0).iter().enumerate();
    let dropped =
        labels.filter(|(_, label)| types.contains(&label.type_id)).fold(0, |mask, (place, _)| mask | (1 << place));
    let before = world.links.get(from, to).unwrap_or_default();
    let after = if types.is_empty() || dropped & 1 != 0 { 0 } else { before & !dropped };
    world.link(from, to, after, by);
}

/// Dated versions answer a removal with a batch, the others with nothing.
fn gone(portal: &Portal, tree: Tree) -> Reply {
    if tree == Tree::Dated { finished(portal.now(), 200, Vec::new(), Vec::new()) } else { Reply::empty(204) }
}
