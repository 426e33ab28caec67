//! What a describe says (dossier 2.3).

use serde::Deserialize;

use super::super::{EntityDescription, FieldDescription};
use crate::model::{Entity, FieldKind};

/// The members of a describe that a sync reads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Described {
    createable: bool,
    updateable: bool,
    deletable: bool,
    fields: Vec<DescribedField>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribedField {
    name: String,
    label: String,
    #[serde(rename = "type")]
    field_type: String,
    #[serde(default)]
    length: u32,
    #[serde(default)]
    scale: u32,
    nillable: bool,
    defaulted_on_create: bool,
    createable: bool,
    updateable: bool,
    #[serde(default)]
    filterable: bool,
    #[serde(default)]
    external_id: bool,
    #[serde(default)]
    unique: bool,
    #[serde(default)]
    restricted_picklist: bool,
    #[serde(default)]
    picklist_values: Vec<PicklistValue>,
    #[serde(default)]
    reference_to: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct PicklistValue {
    active: bool,
    value: String,
}

/// Turns a describe into Crosstie's description. Compound and binary fields are left out: they cannot be written as one.
pub(super) fn entity_description(entity: Entity, described: Described) -> EntityDescription {
    EntityDescription {
        entity,
        createable: described.createable,
        updateable: described.updateable,
        deletable: described.deletable,
        people: None,
        fields: described.fields.into_iter().filter_map(field).collect(),
    }
}

fn field(field: DescribedField) -> Option<FieldDescription> {
    let kind = kind(&field.field_type)?;
    let has_length = matches!(kind, FieldKind::Text | FieldKind::LongText | FieldKind::Email | FieldKind::Phone);
    Some(FieldDescription {
        kind,
        // A required field is one that a create must bring (dossier 2.3).
        required: field.createable && !field.nillable && !field.defaulted_on_create,
        createable: field.createable,
        updateable: field.updateable,
        // `int` has a scale of 0 too, but refuses decimals instead of rounding them.
        decimals: (matches!(field.field_type.as_str(), "currency" | "double" | "percent")).then_some(field.scale),
        max_length: (has_length && field.length > 0).then_some(field.length),
        options: field.picklist_values.into_iter().filter(|value| value.active).map(|value| value.value).collect(),
        restricted: field.restricted_picklist,
        person: field.reference_to.iter().any(|object| object == "User"),
        references: field.reference_to.iter().find_map(|object| referenced(object)),
        external_id: field.external_id && field.unique,
        filterable: field.filterable,
        crm_type: field.field_type,
        name: field.name,
        label: field.label,
    })
}

fn kind(field_type: &str) -> Option<FieldKind> {
    Some(match field_type {
        "address" | "location" | "base64" | "complexvalue" | "json" | "anyType" => return None,
        "textarea" => FieldKind::LongText,
        "email" => FieldKind::Email,
        "phone" => FieldKind::Phone,
        "int" | "long" | "double" => FieldKind::Number,
        "currency" => FieldKind::Money,
        "percent" => FieldKind::Percent,
        "date" => FieldKind::Date,
        "datetime" => FieldKind::DateTime,
        "boolean" => FieldKind::Boolean,
        "picklist" | "combobox" => FieldKind::Choice,
        "multipicklist" => FieldKind::MultiChoice,
        "reference" => FieldKind::Reference,
        _ => FieldKind::Text,
    })
}

fn referenced(object: &str) -> Option<Entity> {
    Entity::ALL.iter().copied().find(|entity| super::object(*entity) == object)
}
