//! What the control interface does in Salesforce alone: edits as a person makes them, its records, field security.

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::convert::convert;
use super::ids::Id;
use super::org::Org;
use super::packed::Value;
use super::rollups;
use super::rows::system_value;
use super::rules::Rules;
use super::schema::{Object, object_named};
use super::security::{FieldSecurity, FieldSet};
use super::seeding::user_id;
use super::validate::RecordError;
use super::world::{By, whole_second};
use crate::simulator::commands::{Edit, invalid, rfc3339};
use crate::simulator::reply::Reply;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct SecurityBody {
    user: Option<String>,
    hidden: Vec<String>,
    read_only: Vec<String>,
}

/// Hides fields from a person, or locks them; without one, from the one that integrations sign in as.
pub(super) fn secured(org: &mut Org, body: &Json) -> Result<Reply, Reply> {
    let wanted: SecurityBody = serde_json::from_value(body.clone()).map_err(|error| invalid(&error.to_string()))?;
    let user = wanted.user.as_deref().map_or_else(|| user_id(0), |user| colleague(org, Some(user)));
    let sets = FieldSet::named(&wanted.hidden).and_then(|hidden| Ok((hidden, FieldSet::named(&wanted.read_only)?)));
    match sets {
        Ok((hidden, read_only)) => {
            org.small.security.insert(user.to_string(), FieldSecurity { hidden, read_only });
            org.touch();
            Ok(Reply::json(200, &json!({ "ok": true })))
        }
        Err(name) => Err(invalid(&format!("there is no field {name}"))),
    }
}

/// Sets the org's rules; what the body leaves out there is none of.
pub(super) fn ruled(org: &mut Org, body: &Json) -> Result<Reply, Reply> {
    let rules: Rules = serde_json::from_value(body.clone()).map_err(|error| invalid(&error.to_string()))?;
    rules.check().map_err(|sentence| invalid(&sentence))?;
    org.small.rules = rules;
    org.set_up();
    Ok(Reply::json(200, &json!({ "ok": true })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InstanceBody {
    url: Option<String>,
}

/// Moves the org to another instance: the tokens that are given out from now on say where it is (dossier 9.3).
pub(super) fn moved(org: &mut Org, body: &Json) -> Result<Reply, Reply> {
    let wanted: InstanceBody = serde_json::from_value(body.clone()).map_err(|error| invalid(&error.to_string()))?;
    org.small.instance = wanted.url;
    org.touch();
    Ok(Reply::json(200, &json!({ "ok": true })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecalculationBody {
    object: String,
    id: Option<String>,
}

/// Recalculates the roll-ups of one record, or of all of an object's.
pub(super) fn recalculated(org: &mut Org, body: &Json) -> Result<Reply, Reply> {
    let wanted: RecalculationBody =
        serde_json::from_value(body.clone()).map_err(|error| invalid(&error.to_string()))?;
    let object = object_named(&wanted.object).filter(|object| rollups::has_any(object.name));
    let object = object.ok_or_else(|| invalid("there is no such object, or it has no roll-ups"))?;
    let ids: Vec<Id> = match &wanted.id {
        Some(id) => vec![org.world.living(object, id).map_err(|error| Reply::refused(&error))?.id],
        None => org.world.tables.get(object.name).into_iter().flat_map(|table| table.records.keys().copied()).collect(),
    };
    let now = org.now();
    ids.iter().for_each(|id| rollups::recalculate(&mut org.world, object, id, now));
    Ok(Reply::json(200, &json!({ "ok": true })))
}

/// An edit that is refused answers as the CRM would.
pub(super) fn edited(org: &mut Org, wanted: &Edit) -> Result<Reply, Reply> {
    let object = object_named(&wanted.object).ok_or_else(|| invalid("there is no such object"))?;
    let by = org.by(&colleague(org, wanted.user.as_deref()));
    let id = |given: &Option<Json>, name: &str| match given {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(id)) => Ok(Some(id.clone())),
        Some(_) => Err(invalid(&format!("{name} is no id"))),
    };
    let (given, into) = (id(&wanted.id, "id")?, id(&wanted.merge_into, "mergeInto")?);
    let id = given.as_deref();
    let missing = || RecordError::new("MISSING_ARGUMENT", "id is missing");
    if let ("convert", Some(id)) = (wanted.action.as_str(), id) {
        return converted(org, object, id, &wanted.fields, &by);
    }
    let done = match (wanted.action.as_str(), id) {
        ("edit", Some(id)) => org.world.update(object, id, &wanted.fields, &by),
        ("edit", None) => org.world.create(object, &wanted.fields, &by),
        ("delete", Some(id)) => org.world.delete(object, id, &by),
        ("undelete", Some(id)) => org.world.undelete(object, id, &by),
        ("purge", Some(id)) => org.world.purge(object, id, &by),
        ("merge", Some(id)) => match &into {
            Some(into) => org.world.merge(object, id, into, &wanted.fields, &by),
            None => Err(RecordError::new("MISSING_ARGUMENT", "mergeInto is missing")),
        },
        ("delete" | "undelete" | "purge" | "merge" | "convert", None) => Err(missing()),
        (other, _) => return Err(invalid(&format!("the action {other} is not possible here"))),
    };
    match done {
        Ok(id) => Ok(Reply::json(200, &json!({ "id": id, "modifiedAt": stamp(org, object, &id, &by) }))),
        Err(error) => Err(Reply::refused(&error)),
    }
}

/// Converts a lead; `fields` are the arguments of SOAP's `convertLead`, which REST does not have (dossier 7.1).
fn converted(org: &mut Org, object: &Object, id: &str, fields: &Map<String, Json>, by: &By) -> Result<Reply, Reply> {
    if object.name != "Lead" {
        return Err(invalid("only a Lead can be converted"));
    }
    let done = convert(&mut org.world, id, fields, by).map_err(|error| Reply::refused(&error))?;
    let answer = json!({
        "id": done.lead, "modifiedAt": stamp(org, object, &done.lead, by),
        "accountId": done.account, "contactId": done.contact, "opportunityId": done.opportunity,
    });
    Ok(Reply::json(200, &answer))
}

fn stamp(org: &Org, object: &Object, id: &str, by: &By) -> String {
    rfc3339(org.world.record(object, id).map_or(whole_second(by.at), |record| record.stamp))
}

/// Who edits: a person by id, name or e-mail; without one, or for one whom the org does not know, a colleague.
pub(super) fn colleague(org: &Org, named: Option<&str>) -> Id {
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

/// The lines of `/records/…`.
pub(super) fn records(org: &Org, object: &str) -> Option<String> {
    let object = object_named(object)?;
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
    Some(body)
}
