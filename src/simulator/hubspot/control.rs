//! The control interface under `/_simulator`, and the page at `/`.

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::catalog::OWNERS;
use super::portal::{Portal, Settings};
use super::record::{By, Source};
use super::refusal::Refusal;
use super::reply::Reply;
use super::request::Asked;
use super::schema::{TYPES, type_named};
use super::stamps::{instant, iso};
use super::{oauth, page, shape};
use crate::simulator::control::{Burst, Fault};
use crate::simulator::{SimulatorOptions, hubspot::objects};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultsBody {
    rules: Vec<Fault>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct ClockBody {
    set: Option<Json>,
    #[serde(rename = "advanceMs")]
    advance_ms: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct TokenBody {
    scope: Option<String>,
    expires_in: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct ResetBody {
    seed: Option<u64>,
    accounts: Option<usize>,
    contacts: Option<usize>,
    opportunities: Option<usize>,
}

/// Most records of one object in a new world.
const MOST_RECORDS: usize = 1_000_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EditBody {
    #[serde(default = "edit")]
    action: String,
    object: String,
    id: Option<Json>,
    #[serde(default)]
    fields: Map<String, Json>,
    merge_into: Option<Json>,
    user: Option<String>,
}

fn edit() -> String {
    "edit".to_owned()
}

/// Answers the control interface.
pub(super) fn answer(portal: &mut Portal, asked: &Asked) -> Reply {
    let path = asked.path.strip_prefix("/_simulator").unwrap_or("");
    let body: Json = match serde_json::from_slice(&asked.body) {
        Ok(body) => body,
        Err(_) if asked.body.is_empty() || path == "/page" => json!({}),
        Err(_) => return invalid("the body is not JSON"),
    };
    match (asked.method.as_str(), path) {
        ("GET", "") => page::answer(portal, asked),
        ("POST", "/page") => page::done(portal, asked),
        ("GET", "/stats") => Reply::json(200, &stats(portal)),
        ("GET", path) if path.starts_with("/records/") => records(portal, path.trim_start_matches("/records/")),
        ("DELETE", "/stats") => {
            portal.stats.clear();
            done()
        }
        ("DELETE", "/faults") => {
            portal.faults.set(Vec::new());
            done()
        }
        ("POST", path) => changed(portal, path, body),
        _ => Reply::json(404, &json!({ "error": "the control interface has nothing here" })),
    }
}

fn done() -> Reply {
    Reply::json(200, &json!({ "ok": true }))
}

fn invalid(message: &str) -> Reply {
    Reply::json(422, &json!({ "error": message }))
}

fn changed(portal: &mut Portal, path: &str, body: Json) -> Reply {
    fn read<T: for<'d> Deserialize<'d>>(body: Json) -> Result<T, Reply> {
        serde_json::from_value(body).map_err(|error| invalid(&error.to_string()))
    }
    let answered = match path {
        "/token" => read::<TokenBody>(body)
            .map(|wanted| Reply::json(200, &oauth::granted(portal, wanted.scope.as_deref(), wanted.expires_in))),
        "/token/expire" => {
            oauth::expire_tokens(portal);
            Ok(done())
        }
        "/token/revoke" => {
            oauth::revoke_grants(portal);
            Ok(done())
        }
        "/faults" => read::<FaultsBody>(body).map(|faults| {
            portal.faults.set(faults.rules);
            done()
        }),
        "/limits" => limits(portal, &body),
        "/clock" => clock(portal, body),
        "/settings" => settings(portal, body),
        "/edit" => read::<EditBody>(body).and_then(|wanted| edited(portal, &wanted)),
        "/reset" => read::<ResetBody>(body).and_then(|wanted| reset(portal, &wanted)),
        _ => Ok(Reply::json(404, &json!({ "error": "the control interface has nothing here" }))),
    };
    answered.unwrap_or_else(|refused| refused)
}

fn stats(portal: &Portal) -> Json {
    let (calls, by_operation) = portal.stats.report();
    let records: Map<String, Json> = TYPES
        .iter()
        .zip(&portal.world.tables)
        .map(|(kind, table)| (kind.plural.to_owned(), json!(table.living)))
        .collect();
    json!({ "calls": calls, "byOperation": by_operation, "records": records })
}

/// What the body leaves out is as the simulator was started.
fn reset(portal: &mut Portal, wanted: &ResetBody) -> Result<Reply, Reply> {
    let started = portal.options().clone();
    let options = SimulatorOptions {
        seed: wanted.seed.unwrap_or(started.seed),
        accounts: wanted.accounts.unwrap_or(started.accounts),
        contacts: wanted.contacts.unwrap_or(started.contacts),
        opportunities: wanted.opportunities.unwrap_or(started.opportunities),
        ..started
    };
    if [options.accounts, options.contacts, options.opportunities].iter().any(|count| *count > MOST_RECORDS) {
        return Err(invalid("at most 1,000,000 records of an object are possible"));
    }
    match portal.reset(&options) {
        Ok(()) => Ok(done()),
        Err(error) => Err(Reply::json(500, &json!({ "error": error.to_string() }))),
    }
}

fn limits(portal: &mut Portal, body: &Json) -> Result<Reply, Reply> {
    let members = body.as_object().ok_or_else(|| invalid("the body is not an object"))?;
    let mut limits = portal.small.limits;
    let odd = |error: serde_json::Error| invalid(&error.to_string());
    for (name, value) in members {
        let value = value.clone();
        match name.as_str() {
            "daily" => limits.daily = serde_json::from_value(value).map_err(odd)?,
            "burst" => limits.burst = serde_json::from_value::<Option<Burst>>(value).map_err(odd)?,
            "search" => limits.search = serde_json::from_value::<Option<Burst>>(value).map_err(odd)?,
            other => return Err(invalid(&format!("unknown member {other}"))),
        }
    }
    portal.small.limits = limits;
    portal.small.used_today = 0;
    portal.window = crate::simulator::control::BurstWindow::default();
    portal.search_window = crate::simulator::control::BurstWindow::default();
    portal.touch();
    Ok(done())
}

fn clock(portal: &mut Portal, body: Json) -> Result<Reply, Reply> {
    let wanted: ClockBody = serde_json::from_value(body).map_err(|_| invalid("set or advanceMs is wanted"))?;
    if let Some(set) = wanted.set {
        let at = set.as_i64().or_else(|| set.as_str().and_then(instant));
        portal.set_clock(at.ok_or_else(|| invalid("set is no instant"))?);
    }
    if let Some(advance) = wanted.advance_ms {
        portal.set_clock(portal.now().saturating_add(advance));
    }
    Ok(Reply::json(200, &json!({ "now": iso(portal.now()) })))
}

fn settings(portal: &mut Portal, body: Json) -> Result<Reply, Reply> {
    let mut merged = serde_json::to_value(&portal.small.settings).unwrap_or_default();
    let (Json::Object(members), Json::Object(given)) = (&mut merged, body) else {
        return Err(invalid("the body is not an object"));
    };
    members.extend(given);
    let settings: Settings = serde_json::from_value(merged.clone()).map_err(|error| invalid(&error.to_string()))?;
    if settings.session_seconds < 1 || settings.bulk_delay_ms < 0 || settings.search_lag_ms < 0 {
        return Err(invalid("a time must not be negative"));
    }
    portal.world.lags = settings.search_lag_ms > 0;
    if !portal.world.lags {
        portal.world.unseen.clear();
    }
    portal.small.settings = settings;
    portal.touch();
    Ok(Reply::json(200, &merged))
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
fn edited(portal: &mut Portal, wanted: &EditBody) -> Result<Reply, Reply> {
    let kind = type_named(&wanted.object).ok_or_else(|| invalid("there is no such object"))?;
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
        ("purge", Some(id)) => match world.purge(kind, id) {
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

fn records(portal: &Portal, object: &str) -> Reply {
    let Some(kind) = type_named(object) else {
        return Reply::json(404, &json!({ "error": "there is no such object" }));
    };
    let world = &portal.world;
    let always = ["hs_object_id", TYPES[kind].created, TYPES[kind].modified];
    let mut body = String::new();
    for record in world.tables[kind].records.values() {
        let names = record.values().filter_map(|(place, _)| world.meta.definitions[kind].at(place));
        let names = names.map(|property| property.name.as_str()).chain(always);
        let fields: Map<String, Json> =
            names.map(|name| (name.to_owned(), json!(shape::value(world, kind, record, name)))).collect();
        let mut associations: Map<String, Json> = Map::new();
        for ((to, id), _) in world.links.around((kind, record.id)) {
            let list = associations.entry(TYPES[to].plural.to_owned()).or_insert_with(|| json!([]));
            if let Some(list) = list.as_array_mut() {
                list.push(json!(id.to_string()));
            }
        }
        let line = json!({ "id": record.id.to_string(), "deleted": record.archived != 0,
                           "modifiedAt": iso(record.modified), "fields": fields, "associations": associations });
        body.push_str(&line.to_string());
        body.push('\n');
    }
    Reply::text(200, "application/x-ndjson", body)
}
