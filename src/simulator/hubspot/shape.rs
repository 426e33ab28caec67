//! Records as answers show them (dossier 2.3).

use std::borrow::Cow;

use serde_json::{Map, Value as Json, json};

use super::PORTAL_ID;
use super::catalog::Stage;
use super::links::{self, relation};
use super::record::{Record, Source};
use super::stamps::iso;
use super::types::{COMPANIES, CONTACTS, DEALS};
use super::world::World;
use crate::simulator::asked::Asked;

/// Associations of one type that a record shows at once.
const SHOWN: usize = 500;

/// What an answer is to show of a record.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// Named properties; the type's own choice where none are.
    pub properties: Vec<String>,
    pub history: Vec<String>,
    /// Types whose associations are shown.
    pub associations: Vec<usize>,
}

/// The value of a property, reckoned ones included.
pub(super) fn value<'r>(world: &World, kind: usize, record: &'r Record, name: &str) -> Option<Cow<'r, str>> {
    reading(world, kind, name).of(world, kind, record)
}

/// How a value follows from what else is known of a record.
type Reckoning = fn(&World, usize, &Record) -> Option<String>;

/// Where the values of a property come from: found once, for the records of a type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    place: Option<u16>,
    reckoning: Option<Reckoning>,
}

/// Where the values of a property come from.
pub(super) fn reading(world: &World, kind: usize, name: &str) -> Reading {
    Reading { place: world.meta.definitions[kind].place(name), reckoning: reckoning(world, kind, name) }
}

impl Reading {
    /// The value of one record.
    pub(super) fn of<'r>(&self, world: &World, kind: usize, record: &'r Record) -> Option<Cow<'r, str>> {
        match self.place.and_then(|place| record.get(place)) {
            Some(value) => Some(Cow::Borrowed(value)),
            None => self.reckoning?(world, kind, record).map(Cow::Owned),
        }
    }
}

fn reckoning(world: &World, kind: usize, name: &str) -> Option<Reckoning> {
    let of = &world.meta.types[kind];
    let reckoning: Reckoning = match name {
        "hs_object_id" => |_, _, record| Some(record.id.to_string()),
        _ if name == of.created => |_, _, record| Some(iso(record.created)),
        _ if name == of.modified => |_, _, record| Some(iso(record.modified)),
        "hs_createdate" if kind == DEALS => |_, _, record| Some(iso(record.created)),
        "hs_lastmodifieddate" => |_, _, record| Some(iso(record.modified)),
        "hs_object_source" => |_, _, record| Some(record.made_by.kind().to_owned()),
        "hs_object_source_id" => |_, _, record| Some(record.made_by.id()),
        "hs_created_by_user_id" | "hs_object_source_user_id" => |_, _, record| record.made_by.user(),
        "hs_updated_by_user_id" => |_, _, record| record.changed_by.user(),
        "hs_merged_object_ids" => |_, _, record| {
            let ids: Vec<String> = record.merged().iter().map(u64::to_string).collect();
            (!ids.is_empty()).then(|| ids.join(";"))
        },
        "associatedcompanyid" if kind == CONTACTS => primary,
        "hs_primary_associated_company" if kind == DEALS => primary,
        "num_associated_contacts" if kind == COMPANIES || kind == DEALS => {
            |world, kind, record| Some(world.linked((kind, record.id), CONTACTS).count().to_string())
        }
        "num_associated_deals" if kind == COMPANIES || kind == CONTACTS => {
            |world, kind, record| Some(world.linked((kind, record.id), DEALS).count().to_string())
        }
        "hs_email_domain" if kind == CONTACTS => |world, kind, record| {
            let email = value(world, kind, record, "email")?;
            email.rsplit_once('@').map(|(_, domain)| domain.to_owned())
        },
        "hs_deal_stage_probability" => {
            |world, kind, record| stage(world, kind, record)?.probability().map(str::to_owned)
        }
        "hs_is_closed" => |world, kind, record| closed(world, kind, record, |_| true),
        "hs_is_closed_won" => |world, kind, record| closed(world, kind, record, |probability| probability > 0.5),
        "hs_is_closed_lost" => |world, kind, record| closed(world, kind, record, |probability| probability < 0.5),
        _ => return None,
    };
    Some(reckoning)
}

fn primary(world: &World, kind: usize, record: &Record) -> Option<String> {
    world.primary((kind, record.id)).map(|company| company.to_string())
}

fn stage<'w>(world: &'w World, kind: usize, record: &Record) -> Option<&'w Stage> {
    let id = record.get(world.meta.definitions[kind].place("dealstage")?)?;
    world.meta.pipelines.get(&kind)?.iter().flat_map(|pipeline| &pipeline.stages).find(|stage| stage.id == id)
}

fn closed(world: &World, kind: usize, record: &Record, test: impl Fn(f64) -> bool) -> Option<String> {
    let stage = stage(world, kind, record)?;
    let closed = stage.metadata.get("isClosed").is_some_and(|closed| closed == "true");
    let probability = stage.probability().and_then(|text| text.parse().ok()).unwrap_or_default();
    Some((closed && test(probability)).to_string())
}

/// A record without its associations.
pub(super) fn told(world: &World, kind: usize, record: &Record, wanted: &Wanted) -> Map<String, Json> {
    let of = &world.meta.types[kind];
    let always = ["hs_object_id", of.created, of.modified];
    let mut names: Vec<&str> = wanted.properties.iter().map(String::as_str).collect();
    if names.is_empty() {
        names.extend(of.defaults);
    }
    names.extend(always);
    let mut properties = Map::new();
    for name in names {
        // A name that nobody has defined is passed over (dossier 2.2).
        if world.meta.definitions[kind].living(name).is_some() {
            properties.insert(name.to_owned(), json!(value(world, kind, record, name)));
        }
    }
    let mut told = Map::new();
    told.insert("id".to_owned(), json!(record.id.to_string()));
    told.insert("properties".to_owned(), Json::Object(properties));
    if !wanted.history.is_empty() {
        told.insert("propertiesWithHistory".to_owned(), history(world, kind, record, &wanted.history));
    }
    told.insert("createdAt".to_owned(), json!(iso(record.created)));
    told.insert("updatedAt".to_owned(), json!(iso(record.modified)));
    told.insert("archived".to_owned(), json!(record.archived != 0));
    if record.archived != 0 {
        told.insert("archivedAt".to_owned(), json!(iso(record.archived)));
    }
    let url = format!("https://app.hubspot.com/contacts/{PORTAL_ID}/record/{}/{}", of.id, record.id);
    told.insert("url".to_owned(), json!(url));
    told
}

fn history(world: &World, kind: usize, record: &Record, names: &[String]) -> Json {
    // Contacts keep more versions than the others (dossier 2.3).
    let most = if kind == CONTACTS { 45 } else { 20 };
    let mut all = Map::new();
    for name in names {
        let Some(place) = world.meta.definitions[kind].place(name) else { continue };
        let versions = record.history(place).into_iter().take(most).map(|version| {
            let mut told = json!({ "value": version.value, "timestamp": iso(version.at),
                                   "sourceType": version.source.kind(), "sourceId": version.source.id() });
            if let Source::Person(user) = version.source {
                told["updatedByUserId"] = json!(user);
            }
            told
        });
        let mut versions: Vec<Json> = versions.collect();
        if versions.is_empty()
            && let Some(value) = value(world, kind, record, name)
        {
            versions.push(json!({ "value": value, "timestamp": iso(record.modified), "sourceType": "CALCULATED",
                                  "sourceId": Json::Null }));
            if let Some(Json::Object(version)) = versions.first_mut() {
                version.remove("sourceId");
            }
        }
        all.insert(name.clone(), json!(versions));
    }
    Json::Object(all)
}

/// A record with the associations that are wanted.
pub(super) fn told_with_links(
    world: &World,
    kind: usize,
    record: &Record,
    wanted: &Wanted,
    asked: &Asked,
) -> Map<String, Json> {
    let mut told = told(world, kind, record, wanted);
    let types = &world.meta.types;
    let mut all = Map::new();
    for to in &wanted.associations {
        let ids: Vec<u64> = world.linked((kind, record.id), *to).map(|(id, _)| id).take(SHOWN + 1).collect();
        if ids.is_empty() {
            continue;
        }
        let name = relation(types, kind, *to);
        let results: Vec<Json> =
            ids.iter().take(SHOWN).map(|id| json!({ "id": id.to_string(), "type": name })).collect();
        let mut page = json!({ "results": results });
        if let Some(next) = ids.get(SHOWN) {
            let path =
                format!("/crm/v3/objects/{}/{}/associations/{}", types[kind].plural, record.id, types[*to].plural);
            let link = format!("{}{path}?limit={SHOWN}&after={next}", asked.origin());
            page["paging"] = json!({ "next": { "after": next.to_string(), "link": link } });
        }
        all.insert(types[*to].plural.to_string(), page);
    }
    if !all.is_empty() {
        told.insert("associations".to_owned(), Json::Object(all));
    }
    told
}

/// The types that `associations` names; those that cannot be associated are passed over.
pub(super) fn linked_types(world: &World, kind: usize, names: &[String]) -> Vec<usize> {
    let possible = links::associable(&world.meta.labels, kind);
    let named = names.iter().filter_map(|name| world.meta.types.named(name));
    named.filter(|to| possible.contains(to)).collect()
}
