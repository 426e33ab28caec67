//! The control interface under `/_simulator`, and the page at `/`.

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::ids::Id;
use super::org::{Org, Settings};
use super::packed::Value;
use super::reply::Reply;
use super::request::Asked;
use super::rest::{parse_stamp, rfc3339};
use super::rows::system_value;
use super::schema::object_named;
use super::security::{FieldSecurity, FieldSet};
use super::seeding::user_id;
use super::validate::RecordError;
use super::{oauth, page};
use crate::simulator::control::{Burst, Fault};

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

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct SecurityBody {
    user: Option<String>,
    hidden: Vec<String>,
    read_only: Vec<String>,
}

/// Most records of one object in a new world.
const MOST_RECORDS: usize = 1_000_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EditBody {
    #[serde(default = "edit")]
    action: String,
    object: String,
    id: Option<String>,
    #[serde(default)]
    fields: Map<String, Json>,
    merge_into: Option<String>,
    user: Option<String>,
}

fn edit() -> String {
    "edit".to_owned()
}

/// Answers the control interface.
pub(super) fn answer(org: &mut Org, asked: &Asked) -> Reply {
    let path = asked.path.strip_prefix("/_simulator").unwrap_or("");
    let done = || Reply::json(200, &json!({ "ok": true }));
    let body = match asked.json() {
        Some(body) => body,
        None if asked.body.is_empty() || path == "/page" => json!({}),
        None => return invalid("the body is not JSON"),
    };
    match (asked.method.as_str(), path) {
        ("GET", "") => page::answer(org, asked),
        ("GET", "/stats") => Reply::json(200, &stats(org)),
        ("DELETE", "/stats") => {
            org.stats.clear();
            done()
        }
        ("POST", "/token") => match serde_json::from_value::<TokenBody>(body) {
            Ok(wanted) => {
                let scope = wanted.scope.unwrap_or_else(|| "api refresh_token".to_owned());
                Reply::json(200, &oauth::granted(org, asked, &scope, wanted.expires_in))
            }
            Err(error) => invalid(&error.to_string()),
        },
        ("POST", "/token/expire") => {
            oauth::expire_tokens(org);
            done()
        }
        ("POST", "/token/revoke") => {
            oauth::revoke_grants(org);
            done()
        }
        ("POST", "/faults") => match serde_json::from_value::<FaultsBody>(body) {
            Ok(faults) => {
                org.faults.set(faults.rules);
                done()
            }
            Err(error) => invalid(&error.to_string()),
        },
        ("DELETE", "/faults") => {
            org.faults.set(Vec::new());
            done()
        }
        ("POST", "/limits") => limits(org, &body),
        ("POST", "/clock") => clock(org, body),
        ("POST", "/settings") => settings(org, body),
        ("POST", "/field-security") => match serde_json::from_value::<SecurityBody>(body) {
            Ok(wanted) => secured(org, &wanted),
            Err(error) => invalid(&error.to_string()),
        },
        ("POST", "/edit") => match serde_json::from_value::<EditBody>(body) {
            Ok(wanted) => edited(org, wanted),
            Err(error) => invalid(&error.to_string()),
        },
        ("POST", "/reset") => match serde_json::from_value::<ResetBody>(body) {
            Ok(wanted) => reset(org, &wanted),
            Err(error) => invalid(&error.to_string()),
        },
        ("POST", "/page") => page::done(org, asked),
        ("GET", path) if path.starts_with("/records/") => records(org, path.trim_start_matches("/records/")),
        _ => Reply::json(404, &json!({ "error": "the control interface has nothing here" })),
    }
}

fn stats(org: &Org) -> Json {
    let (calls, by_operation) = org.stats.report();
    let records: Map<String, Json> =
        org.world.tables.iter().map(|(name, table)| ((*name).to_owned(), json!(table.living()))).collect();
    json!({ "calls": calls, "byOperation": by_operation, "records": records })
}

/// What the body leaves out is as the simulator was started.
fn reset(org: &mut Org, wanted: &ResetBody) -> Reply {
    let started = org.options();
    let seed = wanted.seed.unwrap_or(started.seed);
    let accounts = wanted.accounts.unwrap_or(started.accounts);
    let contacts = wanted.contacts.unwrap_or(started.contacts);
    let opportunities = wanted.opportunities.unwrap_or(started.opportunities);
    if [accounts, contacts, opportunities].iter().any(|count| *count > MOST_RECORDS) {
        return invalid("at most 1,000,000 records of an object are possible");
    }
    match org.reset(seed, accounts, contacts, opportunities) {
        Ok(()) => Reply::json(200, &json!({ "ok": true })),
        Err(error) => Reply::json(500, &json!({ "error": error.to_string() })),
    }
}

fn limits(org: &mut Org, body: &Json) -> Reply {
    let Some(members) = body.as_object() else { return invalid("the body is not an object") };
    for (name, value) in members {
        match name.as_str() {
            "daily" => match serde_json::from_value(value.clone()) {
                Ok(daily) => org.small.daily_allowed = daily,
                Err(error) => return invalid(&error.to_string()),
            },
            "burst" => match serde_json::from_value::<Option<Burst>>(value.clone()) {
                Ok(burst) => org.small.burst = burst,
                Err(error) => return invalid(&error.to_string()),
            },
            // Salesforce has no rate of its own for search.
            "search" => {}
            other => return invalid(&format!("unknown member {other}")),
        }
    }
    org.touch();
    Reply::json(200, &json!({ "ok": true }))
}

fn clock(org: &mut Org, body: Json) -> Reply {
    let Ok(wanted) = serde_json::from_value::<ClockBody>(body) else { return invalid("set or advanceMs is wanted") };
    if let Some(set) = wanted.set {
        let Some(at) = set.as_i64().or_else(|| set.as_str().and_then(parse_stamp)) else {
            return invalid("set is no instant");
        };
        org.set_clock(at);
    }
    if let Some(advance) = wanted.advance_ms {
        let at = org.now().saturating_add(advance);
        org.set_clock(at);
    }
    Reply::json(200, &json!({ "now": rfc3339(org.now()) }))
}

fn settings(org: &mut Org, body: Json) -> Reply {
    let mut merged = serde_json::to_value(&org.small.settings).unwrap_or_default();
    let (Json::Object(members), Json::Object(given)) = (&mut merged, body) else {
        return invalid("the body is not an object");
    };
    members.extend(given);
    match serde_json::from_value::<Settings>(merged.clone()) {
        Ok(settings) if settings.session_seconds < 1 || settings.bulk_delay_ms < 0 || settings.search_lag_ms < 0 => {
            invalid("a time must not be negative")
        }
        Ok(settings) => {
            org.small.settings = settings;
            org.touch();
            Reply::json(200, &merged)
        }
        Err(error) => invalid(&error.to_string()),
    }
}

/// Hides fields from a person, or locks them; without one, from the one that integrations sign in as.
fn secured(org: &mut Org, wanted: &SecurityBody) -> Reply {
    let user = wanted.user.as_deref().map_or_else(|| user_id(0), |user| colleague(org, Some(user)));
    let sets = FieldSet::named(&wanted.hidden).and_then(|hidden| Ok((hidden, FieldSet::named(&wanted.read_only)?)));
    match sets {
        Ok((hidden, read_only)) => {
            org.small.security.insert(user.to_string(), FieldSecurity { hidden, read_only });
            org.touch();
            Reply::json(200, &json!({ "ok": true }))
        }
        Err(name) => invalid(&format!("there is no field {name}")),
    }
}

fn edited(org: &mut Org, wanted: EditBody) -> Reply {
    let Some(object) = object_named(&wanted.object) else { return invalid("there is no such object") };
    let by = org.by(&colleague(org, wanted.user.as_deref()));
    let id = wanted.id.as_deref();
    let missing = || RecordError::new("MISSING_ARGUMENT", "id is missing");
    let done = match (wanted.action.as_str(), id) {
        ("edit", Some(id)) => org.world.update(object, id, &wanted.fields, &by),
        ("edit", None) => org.world.create(object, &wanted.fields, &by),
        ("delete", Some(id)) => org.world.delete(object, id, &by),
        ("undelete", Some(id)) => org.world.undelete(object, id, &by),
        ("purge", Some(id)) => org.world.purge(object, id),
        ("merge", Some(id)) => match &wanted.merge_into {
            Some(into) => org.world.merge(object, id, into, &wanted.fields, &by),
            None => Err(RecordError::new("MISSING_ARGUMENT", "mergeInto is missing")),
        },
        ("delete" | "undelete" | "purge" | "merge", None) => Err(missing()),
        (other, _) => return invalid(&format!("the action {other} is not possible here")),
    };
    match done {
        Ok(id) => {
            let stamp = org.world.record(object, &id).map_or(super::world::whole_second(by.at), |record| record.stamp);
            Reply::json(200, &json!({ "id": id, "modifiedAt": rfc3339(stamp) }))
        }
        Err(error) => Reply::refused(&error),
    }
}

/// Who edits: a person by id, name or e-mail; without one, or for one whom the org does not know, a colleague.
fn colleague(org: &Org, named: Option<&str>) -> Id {
    let found = named.and_then(|named| {
        let people = org.world.table("User")?.records.values();
        let is = |record: &&super::world::Record| {
            let field = |name: &str| record.fields.get(name).and_then(Value::as_str);
            record.id.starts_with(named) && named.len() >= 15
                || ["Name", "Email", "Username"].iter().any(|name| field(name) == Some(named))
        };
        people.filter(is).map(|record| record.id).next()
    });
    found.unwrap_or_else(|| user_id(1))
}

fn records(org: &Org, object: &str) -> Reply {
    let Some(object) = object_named(object) else {
        return Reply::json(404, &json!({ "error": "there is no such object" }));
    };
    let mut body = String::new();
    for record in org.world.tables.get(object.name).into_iter().flat_map(|table| table.records.values()) {
        let mut fields: Map<String, Json> = record.fields.unpacked().into_iter().collect();
        for name in
            ["CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp", "MasterRecordId"]
        {
            fields.insert(name.to_owned(), system_value(record, name).unwrap_or_default());
        }
        let line = json!({ "id": record.id, "deleted": record.deleted, "modifiedAt": rfc3339(record.stamp),
                           "fields": fields, "associations": {} });
        body.push_str(&line.to_string());
        body.push('\n');
    }
    Reply { content_type: "application/x-ndjson", ..Reply::raw_json(body) }
}

fn invalid(message: &str) -> Reply {
    Reply::json(422, &json!({ "error": message }))
}
