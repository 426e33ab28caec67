//! What the control interface does in Salesforce alone: edits as a person makes them, its records, field security.

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::ids::Id;
use super::org::Org;
use super::packed::Value;
use super::rows::system_value;
use super::schema::object_named;
use super::security::{FieldSecurity, FieldSet};
use super::seeding::user_id;
use super::validate::RecordError;
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
    let done = match (wanted.action.as_str(), id) {
        ("edit", Some(id)) => org.world.update(object, id, &wanted.fields, &by),
        ("edit", None) => org.world.create(object, &wanted.fields, &by),
        ("delete", Some(id)) => org.world.delete(object, id, &by),
        ("undelete", Some(id)) => org.world.undelete(object, id, &by),
        ("purge", Some(id)) => org.world.purge(object, id),
        ("merge", Some(id)) => match &into {
            Some(into) => org.world.merge(object, id, into, &wanted.fields, &by),
            None => Err(RecordError::new("MISSING_ARGUMENT", "mergeInto is missing")),
        },
        ("delete" | "undelete" | "purge" | "merge", None) => Err(missing()),
        (other, _) => return Err(invalid(&format!("the action {other} is not possible here"))),
    };
    match done {
        Ok(id) => {
            let stamp = org.world.record(object, &id).map_or(super::world::whole_second(by.at), |record| record.stamp);
            Ok(Reply::json(200, &json!({ "id": id, "modifiedAt": rfc3339(stamp) })))
        }
        Err(error) => Err(Reply::refused(&error)),
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
