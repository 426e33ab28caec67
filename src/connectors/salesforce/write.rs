//! Batched writes: 200 records a call, each with its own outcome (dossier 2.6, 2.7).

use reqwest::Method;
use serde_json::{Map, Value as Json, json};

use super::super::{ConnectorError, EntityDescription, RecordWrite, WriteImages, WriteKind, WriteOutcome};
use super::api::Api;
use super::{errors, object, records};
use crate::model::FieldKind;
use crate::sync::{Record, Value};

/// Writes one batch of updates or of creates.
pub(super) async fn write(
    api: &Api<'_>,
    description: &EntityDescription,
    external_id: Option<&str>,
    writes: &[RecordWrite],
) -> Result<Vec<WriteOutcome>, ConnectorError> {
    match writes.first().map(|write| &write.kind) {
        None => Ok(Vec::new()),
        Some(WriteKind::Update { .. }) => update(api, description, writes).await,
        Some(WriteKind::Create { .. }) => create(api, description, external_id, writes).await,
    }
}

/// Deletes into the recycle bin.
pub(super) async fn delete(api: &Api<'_>, ids: &[String]) -> Result<Vec<WriteOutcome>, ConnectorError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let path = api.path(&format!("/composite/sobjects?ids={}&allOrNone=false", ids.join(",")));
    let results = api.delete_json(&path).await?;
    each(&results, ids.len(), |result| match result.get("success").and_then(Json::as_bool) {
        Some(true) => done(result, false, WriteImages::default()),
        _ => errors::record(result),
    })
}

/// One call retrieves, updates and retrieves: image before, write, image after (`sync.md`, "Lost updates in the CRM").
async fn update(
    api: &Api<'_>,
    description: &EntityDescription,
    writes: &[RecordWrite],
) -> Result<Vec<WriteOutcome>, ConnectorError> {
    let name = object(description.entity);
    let ids: Vec<&str> = writes.iter().map(crm_id).collect();
    let mut fields: Vec<&str> = writes.iter().flat_map(|write| write.fields.keys().map(String::as_str)).collect();
    fields.sort_unstable();
    fields.dedup();
    fields.extend(["SystemModstamp", "LastModifiedDate"]);
    let retrieve = json!({ "ids": ids, "fields": fields });
    let rows: Vec<Json> = writes
        .iter()
        .map(|write| {
            let mut row = row(description, &write.fields);
            row.insert("id".to_owned(), json!(crm_id(write)));
            Json::Object(row)
        })
        .collect();
    let retrieved = api.path(&format!("/composite/sobjects/{name}"));
    let body = json!({ "allOrNone": false, "collateSubrequests": false, "compositeRequest": [
        { "method": "POST", "url": retrieved, "referenceId": "before", "body": retrieve },
        { "method": "PATCH", "url": api.path("/composite/sobjects"), "referenceId": "write",
          "body": { "allOrNone": false, "records": rows } },
        { "method": "POST", "url": retrieved, "referenceId": "after", "body": retrieve },
    ]});
    let answer = api.send_json(Method::POST, &api.path("/composite"), &body).await?;
    let part = |index: usize| answer.pointer(&format!("/compositeResponse/{index}"));
    let (before, written, after) = (part(0), part(1), part(2));
    let written = written.ok_or_else(|| ConnectorError::Unknown { detail: "an incomplete answer".to_owned() })?;
    let status = written.get("httpStatusCode").and_then(Json::as_u64).unwrap_or(500);
    let results = written.get("body").cloned().unwrap_or_default();
    if status != 200 {
        return Err(errors::whole(status, Some(&results), true));
    }
    let image = |part: Option<&Json>, index: usize| records::fields_of(part?.get("body")?.get(index)?);
    let mut index = 0;
    each(&results, writes.len(), |result| {
        let images = images(image(before, index), image(after, index), &writes[index].fields);
        index += 1;
        match result.get("success").and_then(Json::as_bool) {
            Some(true) => done(result, false, images),
            _ => errors::record(result),
        }
    })
}

async fn create(
    api: &Api<'_>,
    description: &EntityDescription,
    external_id: Option<&str>,
    writes: &[RecordWrite],
) -> Result<Vec<WriteOutcome>, ConnectorError> {
    let name = object(description.entity);
    let rows: Vec<Json> = writes
        .iter()
        .map(|write| {
            let mut row = row(description, &write.fields);
            if let (Some(field), WriteKind::Create { external_id: Some(value) }) = (external_id, &write.kind) {
                row.insert(field.to_owned(), json!(value));
            }
            Json::Object(row)
        })
        .collect();
    let body = json!({ "allOrNone": false, "records": rows });
    let results = match external_id {
        Some(field) => {
            let path = api.path(&format!("/composite/sobjects/{name}/{field}"));
            api.send_json(Method::PATCH, &path, &body).await?
        }
        None => api.send_json(Method::POST, &api.path("/composite/sobjects"), &body).await?,
    };
    each(&results, writes.len(), |result| match result.get("success").and_then(Json::as_bool) {
        Some(true) => {
            let created = result.get("created").and_then(Json::as_bool).unwrap_or(true);
            done(result, created, WriteImages::default())
        }
        _ => errors::record(result),
    })
}

/// The outcomes of an answer, one per record sent; an answer of another length tells nothing.
fn each(
    results: &Json,
    expected: usize,
    outcome: impl FnMut(&Json) -> WriteOutcome,
) -> Result<Vec<WriteOutcome>, ConnectorError> {
    let results = results.as_array().filter(|results| results.len() == expected);
    let results = results.ok_or_else(|| ConnectorError::Unknown { detail: "an incomplete answer".to_owned() })?;
    Ok(results.iter().map(outcome).collect())
}

fn done(result: &Json, created: bool, images: WriteImages) -> WriteOutcome {
    let crm_id = result.get("id").and_then(Json::as_str).unwrap_or_default().to_owned();
    WriteOutcome::Done { crm_id, created, images }
}

fn images(before: Option<Record>, after: Option<Record>, written: &Record) -> WriteImages {
    let stamp =
        |image: Option<&Record>, field: &str| -> Option<i64> { records::instant_ms(image?.get(field)?.as_deref()?) };
    let modified_at = stamp(after.as_ref(), "SystemModstamp");
    let edited_before = stamp(before.as_ref(), "LastModifiedDate");
    let only_written = |image: Record| image.into_iter().filter(|(field, _)| written.contains_key(field)).collect();
    WriteImages { edited_before, modified_at, before: before.map(only_written), after: after.map(only_written) }
}

fn crm_id(write: &RecordWrite) -> &str {
    match &write.kind {
        WriteKind::Update { crm_id, .. } => crm_id,
        WriteKind::Create { .. } => "",
    }
}

fn row(description: &EntityDescription, fields: &Record) -> Map<String, Json> {
    let mut row = Map::new();
    row.insert("attributes".to_owned(), json!({ "type": object(description.entity) }));
    for (field, value) in fields {
        let kind = description.field(field).map_or(FieldKind::Text, |field| field.kind);
        row.insert(field.clone(), typed(kind, value));
    }
    row
}

/// A value as JSON of its kind; what cannot be read as its kind is sent as text, for Salesforce to refuse.
fn typed(kind: FieldKind, value: &Value) -> Json {
    let Some(text) = value else { return Json::Null };
    match kind {
        FieldKind::Number | FieldKind::Money | FieldKind::Percent => {
            serde_json::from_str::<serde_json::Number>(text.trim()).map_or_else(|_| json!(text), Json::Number)
        }
        FieldKind::Boolean => text.parse::<bool>().map_or_else(|_| json!(text), Json::Bool),
        _ => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_travel_as_json_of_their_kind() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(typed(FieldKind::Money, &text("123456789012345678.90")).to_string(), "123456789012345678.90");
        assert_eq!(typed(FieldKind::Number, &text("many")), json!("many"));
        assert_eq!(typed(FieldKind::Boolean, &text("true")), json!(true));
        assert_eq!(typed(FieldKind::Text, &text("1")), json!("1"));
        assert_eq!(typed(FieldKind::Text, &None), Json::Null);
    }
}
