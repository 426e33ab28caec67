//! What the org refuses (dossier 2.11).

use std::collections::BTreeMap;

use bigdecimal::{BigDecimal, RoundingMode};
use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value as Json, json};

use super::catalogue;
use super::ids::Id;
use super::packed::Value;
use super::schema::{Field, Object, object_named};
use super::security::FieldSecurity;
use super::world::{Fields, World};

/// Why a record is refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RecordError {
    pub code: &'static str,
    pub message: String,
    pub fields: Vec<String>,
    /// `duplicateResult` of what a duplicate rule refuses (dossier 2.9).
    pub duplicates: Option<Json>,
}

impl RecordError {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        RecordError { code, message: message.into(), fields: Vec::new(), duplicates: None }
    }

    pub(super) fn of(code: &'static str, message: impl Into<String>, field: &str) -> Self {
        RecordError { fields: vec![field.to_owned()], ..Self::new(code, message) }
    }

    pub(super) fn required(fields: &[String]) -> Self {
        let message = format!("Required fields are missing: [{}]", fields.join(", "));
        RecordError { fields: fields.to_vec(), ..Self::new("REQUIRED_FIELD_MISSING", message) }
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
        let mut error = json!({ "statusCode": self.code, "message": self.message, "fields": self.fields });
        if let Some(duplicates) = &self.duplicates {
            error["duplicateResult"] = duplicates.clone();
        }
        json!({ "success": false, "errors": [error] })
    }

    /// As the body of a single-record answer.
    pub(super) fn alone(&self) -> Json {
        let mut error = json!({ "message": self.message, "errorCode": self.code });
        if !self.fields.is_empty() {
            error["fields"] = json!(self.fields);
        }
        if let Some(duplicates) = &self.duplicates {
            error["duplicateResult"] = duplicates.clone();
        }
        json!([error])
    }

    /// HTTP status of a single-record answer.
    pub(super) fn status(&self) -> u16 {
        catalogue::status(self.code)
    }
}

/// The fields of a request in their canonical names and values; nulls are kept.
pub(super) fn fields(
    world: &World,
    object: &Object,
    given: &Map<String, Json>,
    updating: Option<&str>,
    security: &FieldSecurity,
) -> Result<Fields, RecordError> {
    let mut fields = BTreeMap::new();
    for (name, value) in given {
        if name.eq_ignore_ascii_case("attributes") || (name.eq_ignore_ascii_case("id") && updating.is_some()) {
            continue;
        }
        let seen = object.field(name).filter(|field| !security.hidden.has(object, field));
        let Some(field) = seen else {
            let (field, id) = by_relationship(world, object, name, value)?;
            writable(object, field, updating, security)?;
            fields.insert(field.name.clone(), id);
            continue;
        };
        writable(object, field, updating, security)?;
        let value = checked(world, object, field, value)?;
        fields.insert(field.name.clone(), value);
    }
    if updating.is_none() {
        fields.retain(|_, value| !value.is_null());
    }
    Ok(fields)
}

/// Refuses values whose very spelling is wrong: in a collection those fail the whole request.
pub(super) fn spelling(object: &Object, given: &Map<String, Json>) -> Result<(), RecordError> {
    for (name, value) in given {
        if let Some(field) = object.field(name) {
            spelled(field, value)?;
        }
    }
    Ok(())
}

fn writable(
    object: &Object,
    field: &Field,
    updating: Option<&str>,
    security: &FieldSecurity,
) -> Result<(), RecordError> {
    let possible = if updating.is_some() { field.updateable } else { field.createable };
    if possible && !security.read_only.has(object, field) {
        return Ok(());
    }
    let message = format!(
        "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.",
        field.name
    );
    Err(RecordError::of("INVALID_FIELD_FOR_INSERT_UPDATE", message, &field.name))
}

/// `"Account": { "Ext__c": "A-17" }` in place of `AccountId` (dossier 2.5).
fn by_relationship<'o>(
    world: &World,
    object: &'o Object,
    name: &str,
    value: &Json,
) -> Result<(&'o Field, Json), RecordError> {
    let no_such = || {
        let message = format!("No such column '{name}' on sobject of type {}", object.name);
        RecordError::new("INVALID_FIELD", message)
    };
    let field = object
        .fields
        .iter()
        .find(|field| field.relationship.as_deref().is_some_and(|given| given.eq_ignore_ascii_case(name)))
        .ok_or_else(no_such)?;
    let members = value.as_object().ok_or_else(no_such)?;
    let parent = field.reference_to.iter().find_map(|name| object_named(name)).ok_or_else(no_such)?;
    let key = members.iter().find(|(name, _)| !name.eq_ignore_ascii_case("attributes"));
    let (key, text) = key.and_then(|(key, text)| Some((key, text.as_str()?))).ok_or_else(no_such)?;
    let key = parent.field(key).filter(|field| field.external_id || field.name == "Id").ok_or_else(no_such)?;
    match world.by_key(parent, key, text)? {
        Some(found) => Ok((field, json!(found))),
        None => {
            let message =
                format!("Foreign key external ID: {text} not found for field {} in entity {}", key.name, parent.name);
            Err(RecordError::new("INVALID_FIELD", message))
        }
    }
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

/// Refuses a record type of another object, and given values that the record's type does not have (dossier 7.2).
pub(super) fn record_type(object: &Object, fields: &Fields, given: &Fields) -> Result<(), RecordError> {
    let Some(id) = fields.get("RecordTypeId").and_then(Json::as_str).filter(|_| !object.record_types.is_empty()) else {
        return Ok(());
    };
    let Some(own) = object.record_types.iter().find(|own| *own.record_type_id == *id) else {
        let message = format!("Record Type ID: this ID value isn't valid for the user: {id}");
        return Err(RecordError::of("INVALID_CROSS_REFERENCE_KEY", message, "RecordTypeId"));
    };
    for (name, value) in given {
        let (Some(values), Some(text)) = (own.picklists.get(name), value.as_str()) else { continue };
        if !values.iter().any(|known| known == text) {
            let message = format!("{name}: bad value for restricted picklist field: {text}");
            return Err(RecordError::of("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, name));
        }
    }
    Ok(())
}

/// Refuses a reference to a record that its filter leaves out, where a request names the reference or what it depends on.
pub(super) fn lookups(world: &World, object: &Object, fields: &Fields, given: &Fields) -> Result<(), RecordError> {
    for field in &object.fields {
        let Some(controlling) = &field.filtered_by else { continue };
        let text = |name: &str| fields.get(name).and_then(Json::as_str);
        let Some(referred) = text(&field.name) else { continue };
        let account = world.find(referred).and_then(|(_, record)| record.fields.get("AccountId")?.as_str());
        let is_asked = given.contains_key(&field.name) || given.contains_key(controlling);
        if is_asked && (account.is_none() || account != text(controlling)) {
            let message = format!("{}: Value does not exist or does not match filter criteria.", field.name);
            return Err(RecordError::of("FIELD_FILTER_VALIDATION_EXCEPTION", message, &field.name));
        }
    }
    Ok(())
}

fn checked(world: &World, object: &Object, field: &Field, value: &Json) -> Result<Json, RecordError> {
    let value = spelled(field, value)?;
    match (&value, field.field_type.as_str()) {
        (Json::Null, _) => Ok(value),
        (_, "reference") => reference(world, object, field, &value),
        (Json::String(given), "date" | "datetime") => known_year(field, given).map(|()| json!(given)),
        (Json::String(given), _) => text(field, given),
        (Json::Number(number), _) => ranged(field, number),
        _ => Ok(value),
    }
}

/// A value in the canonical spelling of its type; empty text is null.
fn spelled(field: &Field, value: &Json) -> Result<Json, RecordError> {
    if value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()) {
        return Ok(Json::Null);
    }
    let wrong = || {
        let kind = match value {
            Json::String(_) => "VALUE_STRING",
            Json::Number(_) => "VALUE_NUMBER",
            Json::Bool(_) => "VALUE_BOOLEAN",
            Json::Array(_) => "START_ARRAY",
            _ => "START_OBJECT",
        };
        let message = format!(
            "Cannot deserialize instance of {} from {kind} value {value} or request may be missing a required field",
            field.field_type
        );
        RecordError::of("JSON_PARSER_ERROR", message, &field.name)
    };
    match field.field_type.as_str() {
        "boolean" => match value {
            Json::Bool(_) => Ok(value.clone()),
            Json::String(text) => {
                text.to_ascii_lowercase().parse().map(|boolean: bool| json!(boolean)).map_err(|_| wrong())
            }
            _ => Err(wrong()),
        },
        "int" | "double" | "currency" | "percent" | "long" => number(field, value).ok_or_else(wrong),
        "date" => day(value).ok_or_else(wrong),
        "datetime" => instant(value).ok_or_else(wrong),
        _ => value.as_str().map(|text| json!(text)).ok_or_else(wrong),
    }
}

/// A number as the field keeps it: rounded to its decimals, within its digits.
fn ranged(field: &Field, number: &serde_json::Number) -> Result<Json, RecordError> {
    let outside = || {
        let message = format!("{}: value outside of valid range on numeric field: {number}", field.name);
        RecordError::of("NUMBER_OUTSIDE_VALID_RANGE", message, &field.name)
    };
    let exact: BigDecimal = number.to_string().parse().map_err(|_| outside())?;
    let whole = if field.field_type == "int" { field.digits } else { field.precision.saturating_sub(field.scale) };
    let limit = BigDecimal::new(1.into(), -i64::try_from(whole).unwrap_or(18));
    let rounded = exact.with_scale_round(i64::try_from(field.scale).unwrap_or_default(), RoundingMode::HalfUp);
    if whole > 0 && rounded.abs() >= limit {
        return Err(outside());
    }
    let plain = rounded.normalized().to_plain_string();
    serde_json::from_str::<serde_json::Number>(&plain).map(Json::Number).map_err(|_| outside())
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

fn reference(world: &World, object: &Object, field: &Field, value: &Json) -> Result<Json, RecordError> {
    let given = value.as_str().unwrap_or_default();
    let malformed =
        || RecordError::of("MALFORMED_ID", format!("{}: id value of incorrect type: {given}", field.name), &field.name);
    let id = Id::parse(given).ok_or_else(malformed)?;
    let known = field.reference_to.iter().filter_map(|name| object_named(name)).collect::<Vec<_>>();
    if known.is_empty() {
        return Ok(json!(id));
    }
    if !known.iter().any(|object| id.starts_with(&object.prefix)) {
        return Err(malformed());
    }
    let found = known.iter().find_map(|object| world.at(object, &id)).filter(|record| !record.deleted);
    let Some(found) = found else {
        return Err(RecordError::of("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &field.name));
    };
    if field.name == "OwnerId" && found.fields.get("IsActive") == Some(Value::Boolean(false)) {
        let owned = object.name.to_lowercase();
        let message = format!("operation performed with inactive user [{id}] as owner of {owned}");
        return Err(RecordError::new("INACTIVE_OWNER_OR_USER", message));
    }
    Ok(json!(id))
}

fn number(field: &Field, value: &Json) -> Option<Json> {
    let number = match value {
        Json::Number(number) => number.clone(),
        Json::String(text) => serde_json::from_str::<serde_json::Number>(text).ok()?,
        _ => return None,
    };
    // A number of absurd size is no number here, whatever its exponent says.
    let size = number.to_string().parse::<f64>().ok().filter(|size| size.abs() < 1e30)?;
    let small = size == 0.0 || size.abs() > 1e-30;
    (small && (field.field_type != "int" || size.fract() == 0.0)).then_some(Json::Number(number))
}

fn day(value: &Json) -> Option<Json> {
    let text = value.as_str()?;
    text.parse::<NaiveDate>().ok().map(|day| json!(day.to_string()))
}

/// Refuses a date or an instant outside of the years that the org knows (dossier 2.12).
fn known_year(field: &Field, text: &str) -> Result<(), RecordError> {
    let year = text.split('-').next().and_then(|year| year.parse::<u32>().ok());
    if year.is_some_and(|year| (1700..=4000).contains(&year)) {
        return Ok(());
    }
    let message = format!("{}: invalid date: {text}", field.name);
    Err(RecordError::of("INVALID_TYPE_ON_FIELD_IN_RECORD", message, &field.name))
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
