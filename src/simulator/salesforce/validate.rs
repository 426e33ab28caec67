//! What the org refuses (dossier 2.11).

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value as Json, json};

use super::ids;
use super::schema::{Field, Object, object_named};
use super::world::{Fields, World};

/// Why a record is refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RecordError {
    pub code: &'static str,
    pub message: String,
    pub fields: Vec<String>,
}

impl RecordError {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        RecordError { code, message: message.into(), fields: Vec::new() }
    }

    fn of(code: &'static str, message: impl Into<String>, field: &str) -> Self {
        RecordError { code, message: message.into(), fields: vec![field.to_owned()] }
    }

    pub(super) fn required(fields: &[String]) -> Self {
        let message = format!("Required fields are missing: [{}]", fields.join(", "));
        RecordError { code: "REQUIRED_FIELD_MISSING", message, fields: fields.to_vec() }
    }

    pub(super) fn not_found() -> Self {
        Self::new("NOT_FOUND", "The requested resource does not exist")
    }

    pub(super) fn deleted() -> Self {
        Self::new("ENTITY_IS_DELETED", "entity is deleted")
    }

    pub(super) fn malformed_id(id: &str) -> Self {
        Self::of("MALFORMED_ID", format!("malformed id {id}"), "Id")
    }

    pub(super) fn duplicate(field: &str, other: &str) -> Self {
        let message = format!("duplicate value found: {field} duplicates value on record with id: {other}");
        Self::new("DUPLICATE_VALUE", message)
    }

    /// As an element of a collections result.
    pub(super) fn in_collection(&self) -> Json {
        json!({ "success": false, "errors": [{ "statusCode": self.code, "message": self.message, "fields": self.fields }] })
    }

    /// As the body of a single-record answer.
    pub(super) fn alone(&self) -> Json {
        let mut error = json!({ "message": self.message, "errorCode": self.code });
        if !self.fields.is_empty() {
            error["fields"] = json!(self.fields);
        }
        json!([error])
    }

    /// HTTP status of a single-record answer.
    pub(super) fn status(&self) -> u16 {
        match self.code {
            "NOT_FOUND" | "ENTITY_IS_DELETED" => 404,
            _ => 400,
        }
    }
}

/// The fields of a request in their canonical names and values; nulls are kept.
pub(super) fn fields(
    world: &World,
    object: &Object,
    given: &Map<String, Json>,
    updating: Option<&str>,
) -> Result<Fields, RecordError> {
    let mut fields = BTreeMap::new();
    for (name, value) in given {
        if name.eq_ignore_ascii_case("attributes") || (name.eq_ignore_ascii_case("id") && updating.is_some()) {
            continue;
        }
        let field = object.field(name).ok_or_else(|| {
            let message = format!("No such column '{name}' on sobject of type {}", object.name);
            RecordError::new("INVALID_FIELD", message)
        })?;
        let writable = if updating.is_some() { field.updateable } else { field.createable };
        if !writable {
            let message = format!(
                "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.",
                field.name
            );
            return Err(RecordError::of("INVALID_FIELD_FOR_INSERT_UPDATE", message, &field.name));
        }
        let value = checked(world, field, value)?;
        fields.insert(field.name.clone(), value);
    }
    if updating.is_none() {
        fields.retain(|_, value| !value.is_null());
    }
    Ok(fields)
}

/// Refuses a new record that lacks a required field.
pub(super) fn required(object: &Object, fields: &Fields) -> Result<(), RecordError> {
    let missing: Vec<String> = object
        .fields
        .iter()
        .filter(|field| field.createable && !field.nillable && !field.defaulted && !fields.contains_key(&field.name))
        .map(|field| field.name.clone())
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(RecordError::required(&missing)) }
}

fn checked(world: &World, field: &Field, value: &Json) -> Result<Json, RecordError> {
    if value.is_null() || value.as_str().is_some_and(str::is_empty) {
        return Ok(Json::Null);
    }
    let wrong = || {
        let message = format!("Cannot deserialize instance of {} from {value}", field.field_type);
        RecordError::of("INVALID_TYPE_ON_FIELD_IN_RECORD", message, &field.name)
    };
    match field.field_type.as_str() {
        "boolean" => match value {
            Json::Bool(_) => Ok(value.clone()),
            _ => Err(wrong()),
        },
        "int" | "double" | "currency" | "percent" | "long" => number(field, value).ok_or_else(wrong),
        "date" => day(value).ok_or_else(wrong),
        "datetime" => instant(value).ok_or_else(wrong),
        "reference" => reference(world, field, value),
        _ => text(field, value.as_str().ok_or_else(wrong)?),
    }
}

fn text(field: &Field, text: &str) -> Result<Json, RecordError> {
    if field.length > 0 && text.chars().count() > field.length {
        let message = format!("{}: data value too large: {text} (max length={})", field.name, field.length);
        return Err(RecordError::of("STRING_TOO_LONG", message, &field.name));
    }
    if field.field_type == "email" && !is_email(text) {
        let message = format!("{}: invalid email address: {text}", field.name);
        return Err(RecordError::of("INVALID_EMAIL_ADDRESS", message, &field.name));
    }
    if field.restricted && !field.options.is_empty() && !field.options.iter().any(|option| option == text) {
        let message = format!("{}: bad value for restricted picklist field: {text}", field.name);
        return Err(RecordError::of("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, &field.name));
    }
    Ok(json!(text.trim_end()))
}

fn reference(world: &World, field: &Field, value: &Json) -> Result<Json, RecordError> {
    let given = value.as_str().unwrap_or_default();
    let id = ids::normalise(given).ok_or_else(|| {
        RecordError::of("MALFORMED_ID", format!("{}: id value of incorrect type: {given}", field.name), &field.name)
    })?;
    let known = field.reference_to.iter().filter_map(|name| object_named(name)).collect::<Vec<_>>();
    if known.is_empty() {
        return Ok(json!(id));
    }
    let found = known.iter().find_map(|object| world.record(object, &id)).filter(|record| !record.deleted);
    if found.is_some() {
        Ok(json!(id))
    } else {
        Err(RecordError::of("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &field.name))
    }
}

fn number(field: &Field, value: &Json) -> Option<Json> {
    let number = match value {
        Json::Number(_) => value.clone(),
        Json::String(text) => serde_json::from_str::<serde_json::Number>(text).ok().map(Json::Number)?,
        _ => return None,
    };
    let whole = number.to_string().parse::<f64>().is_ok_and(|number| number.fract() == 0.0);
    (field.field_type != "int" || whole).then_some(number)
}

fn day(value: &Json) -> Option<Json> {
    let text = value.as_str()?;
    text.parse::<NaiveDate>().ok().map(|day| json!(day.to_string()))
}

fn instant(value: &Json) -> Option<Json> {
    let text = value.as_str()?;
    let instant = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .ok()?;
    Some(json!(super::rest::stamp(instant.timestamp_millis())))
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    !local.is_empty()
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && text.is_ascii()
        && !text.contains(|letter: char| letter.is_whitespace() || letter == ',')
        && local.matches('@').count() == 0
}
