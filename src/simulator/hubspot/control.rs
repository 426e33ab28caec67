//! What the control interface does in HubSpot alone: edits as a person makes them, and its records.

use serde_json::{Map, Value as Json, json};

use super::catalog::OWNERS;
use super::portal::Portal;
use super::record::{By, Source};
use super::refusal::Refusal;
use super::stamps::iso;
use super::types::{CONTACTS, DEALS};
use super::{objects, shape};
use crate::simulator::commands::{Edit, invalid};
use crate::simulator::reply::Reply;

/// Living records by object.
pub(super) fn living(portal: &Portal) -> Map<String, Json> {
    let tables = portal.world.meta.types.iter().zip(&portal.world.tables).filter(|(kind, _)| kind.lives());
    tables.map(|(kind, table)| (kind.plural.to_string(), json!(table.living))).collect()
}

/// Someone in the CRM: a person by owner id, user id, name or e-mail, else a colleague.
pub(super) fn by_person(portal: &Portal, named: Option<&str>) -> By {
    let is = |owner: &&super::catalog::Owner| {
        named.is_some_and(|named| {
            let name = format!("{} {}", owner.first, owner.last);
            [owner.id, owner.email, name.as_str()].contains(&named) || owner.user.to_string() == named
        })
    };
    let owner = OWNERS.iter().find(is).unwrap_or(&OWNERS[1]);
    By { source: Source::Person(owner.user), at: portal.now() }
}

/// An edit that is refused answers as the CRM would.
pub(super) fn edited(portal: &mut Portal, wanted: &Edit) -> Result<Reply, Reply> {
    let kind = portal.world.meta.types.named(&wanted.object).ok_or_else(|| invalid("there is no such object"))?;
    let by = by_person(portal, wanted.user.as_deref());
    let id = |given: &Option<Json>, name: &str| match given {
        None => Ok(None),
        Some(id) => match super::associations::id_of(id) {
            Some(id) => Ok(Some(id)),
            None => Err(invalid(&format!("{name} is no id"))),
        },
    };
    let (given, into) = (id(&wanted.id, "id")?, id(&wanted.merge_into, "mergeInto")?);
    let missing = || invalid("id is missing");
    let world = &mut portal.world;
    let changed = match (wanted.action.as_str(), given) {
        ("edit", None) => world.create(kind, &wanted.fields, by),
        ("edit", Some(id)) => world.update(kind, id, &wanted.fields, by),
        ("delete", Some(id)) => match world.archive(kind, id, by) {
            true => Ok(id),
            false => Err(Refusal::not_found()),
        },
        ("undelete", Some(id)) => world.unarchive(kind, id, by),
        ("purge", Some(id)) => match world.purge(kind, id, by) {
            true => Ok(id),
            false => Err(Refusal::not_found()),
        },
        ("merge", Some(id)) if objects::mergeable(kind) => {
            let into = into.ok_or_else(|| invalid("mergeInto is missing"))?;
            let before = world.savepoint();
            let merged = world.merge(kind, into, id, by).and_then(|kept| world.update(kind, kept, &wanted.fields, by));
            if merged.is_err() {
                world.roll_back(before);
            }
            merged
        }
        ("delete" | "undelete" | "purge" | "merge", None) => return Err(missing()),
        (other, _) => return Err(invalid(&format!("the action {other} is not possible here"))),
    };
    match changed {
        Ok(id) => {
            let at = portal.world.tables[kind].records.get(&id).map_or(by.at, |record| record.modified);
            Ok(Reply::json(200, &json!({ "id": id.to_string(), "modifiedAt": iso(at) })))
        }
        Err(refusal) => Err(refusal.reply(&portal.correlation())),
    }
}

/// `/webhooks`: whether receivers get again what they have taken, as they may at any time (dossier 5.3).
pub(super) fn webhooks(portal: &mut Portal, body: &Json) -> Result<Reply, Reply> {
    let twice = body.get("duplicates").and_then(Json::as_bool);
    portal.small.posts_twice = twice.ok_or_else(|| invalid("duplicates must be true or false"))?;
    portal.touch();
    Ok(Reply::json(200, &json!({ "ok": true })))
}

/// The lines of `/records/…`.
pub(super) fn records(portal: &Portal, object: &str) -> Option<String> {
    let world = &portal.world;
    let types = &world.meta.types;
    let kind = types.named(object)?;
    // The main company is reckoned from associations, which do not tell which one it is.
    let company = match kind {
        CONTACTS => Some("associatedcompanyid"),
        DEALS => Some("hs_primary_associated_company"),
        _ => None,
    };
    let always = ["hs_object_id", types[kind].created, types[kind].modified].into_iter().chain(company);
    let always: Vec<&str> = always.collect();
    let mut body = String::new();
    for record in world.tables[kind].records.values() {
        let names = record.values().filter_map(|(place, _)| world.meta.definitions[kind].at(place));
        let names = names.map(|property| property.name.as_str()).chain(always.iter().copied());
        let fields: Map<String, Json> =
            names.map(|name| (name.to_owned(), json!(shape::value(world, kind, record, name)))).collect();
        let mut associations: Map<String, Json> = Map::new();
        for ((to, id), _) in world.links.around((kind, record.id)) {
            let list = associations.entry(types[to].plural.to_string()).or_insert_with(|| json!([]));
            if let Some(list) = list.as_array_mut() {
                list.push(json!(id.to_string()));
            }
        }
        let line = json!({ "id": record.id.to_string(), "deleted": record.archived != 0,
                           "modifiedAt": iso(record.modified), "fields": fields, "associations": associations });
        body.push_str(&line.to_string());
        body.push('\n');
    }
    Some(body)
}
