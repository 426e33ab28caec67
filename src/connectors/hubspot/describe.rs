//! What the definitions of properties and pipelines say (dossier 3).

use serde::Deserialize;

use super::super::{EntityDescription, FieldDescription};
use super::associations;
use crate::model::{Entity, FieldKind};

/// Longest text (dossier 2.4).
const LONGEST_TEXT: u32 = 65_536;

/// Properties without which no deal can be made (dossier 2.5).
const REQUIRED_OF_DEALS: [&str; 2] = ["dealname", "dealstage"];

/// Amounts of money that no definition calls so.
const MONEY: [&str; 4] = ["amount", "annualrevenue", "total_money_raised", "total_revenue"];

/// Every property of an object.
#[derive(Debug, Deserialize)]
pub(super) struct Properties {
    results: Vec<Property>,
}

/// The members of a definition that a sync reads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Property {
    name: String,
    label: String,
    #[serde(rename = "type")]
    value_type: String,
    field_type: String,
    #[serde(default)]
    options: Vec<Choice>,
    #[serde(default)]
    calculated: bool,
    #[serde(default)]
    external_options: bool,
    #[serde(default)]
    has_unique_value: bool,
    #[serde(default)]
    show_currency_symbol: Option<bool>,
    #[serde(default)]
    referenced_object_type: Option<String>,
    #[serde(default)]
    modification_metadata: Option<Modification>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    value: String,
    #[serde(default)]
    hidden: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Modification {
    #[serde(default)]
    read_only_value: bool,
}

/// Pipelines with their stages.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Pipelines {
    results: Vec<Pipeline>,
}

#[derive(Debug, Deserialize)]
struct Pipeline {
    id: String,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
struct Stage {
    id: String,
    #[serde(default)]
    archived: bool,
}

/// Turns definitions into Crosstie's description. What is neither a text nor a number nor a choice is left out.
pub(super) fn entity_description(
    entity: Entity,
    properties: Properties,
    pipelines: &Pipelines,
    may_write: bool,
) -> EntityDescription {
    let fields = properties.results.into_iter().filter_map(|property| field(entity, property, pipelines));
    EntityDescription {
        entity,
        fields: fields.collect(),
        createable: may_write,
        updateable: may_write,
        deletable: may_write,
        people: None,
    }
}

/// Whether a refused property has been made by Crosstie before and does what it is for.
pub(super) fn has_unique(properties: &Properties, name: &str) -> bool {
    properties.results.iter().any(|property| property.name == name && property.has_unique_value)
}

fn field(entity: Entity, property: Property, pipelines: &Pipelines) -> Option<FieldDescription> {
    let kind = kind(entity, &property)?;
    // The mirror of an association is written through it; the parent company through another kind that is not.
    let is_reference = associations::is_reference(entity, &property.name);
    let writable = is_reference || (is_writable(&property) && property.name != "hs_parent_company_id");
    let options = options(entity, &property, pipelines);
    let is_text = matches!(kind, FieldKind::Text | FieldKind::LongText | FieldKind::Email | FieldKind::Phone);
    Some(FieldDescription {
        kind,
        required: entity == Entity::Opportunity && REQUIRED_OF_DEALS.contains(&property.name.as_str()),
        createable: writable,
        updateable: writable,
        max_length: is_text.then_some(LONGEST_TEXT),
        decimals: None,
        restricted: !options.is_empty(),
        options,
        references: is_reference.then_some(Entity::Account),
        person: property.referenced_object_type.as_deref() == Some("OWNER"),
        external_id: property.has_unique_value && property.value_type == "string",
        filterable: false,
        crm_type: if is_reference { "association".to_owned() } else { property.value_type },
        name: property.name,
        label: property.label,
    })
}

/// The test of the dossier (3.1).
fn is_writable(property: &Property) -> bool {
    let read_only = property.modification_metadata.as_ref().is_some_and(|metadata| metadata.read_only_value);
    !read_only && !property.calculated && !property.field_type.starts_with("calculation_")
}

fn kind(entity: Entity, property: &Property) -> Option<FieldKind> {
    if associations::is_reference(entity, &property.name) || property.referenced_object_type.is_some() {
        return Some(FieldKind::Reference);
    }
    Some(match (property.value_type.as_str(), property.field_type.as_str(), property.name.as_str()) {
        ("bool", ..) => FieldKind::Boolean,
        ("enumeration", "checkbox", _) => FieldKind::MultiChoice,
        ("enumeration", ..) => FieldKind::Choice,
        ("date", ..) => FieldKind::Date,
        ("datetime", ..) => FieldKind::DateTime,
        ("number", _, name) if property.show_currency_symbol == Some(true) || MONEY.contains(&name) => FieldKind::Money,
        ("number", ..) => FieldKind::Number,
        ("phone_number", ..) | ("string", "phonenumber", _) => FieldKind::Phone,
        ("string", _, "email" | "work_email" | "hs_content_membership_email") => FieldKind::Email,
        ("string", _, "domain") => FieldKind::Domain,
        ("string", "textarea" | "html", _) => FieldKind::LongText,
        ("string", ..) => FieldKind::Text,
        _ => return None,
    })
}

/// The values of a choice. Those of stages and pipelines stand in the pipelines; a list that is kept elsewhere is not known.
fn options(entity: Entity, property: &Property, pipelines: &Pipelines) -> Vec<String> {
    let living = pipelines.results.iter().filter(|pipeline| !pipeline.archived);
    match property.name.as_str() {
        "pipeline" if entity == Entity::Opportunity => living.map(|pipeline| pipeline.id.clone()).collect(),
        "dealstage" if entity == Entity::Opportunity => {
            let stages = living.flat_map(|pipeline| &pipeline.stages).filter(|stage| !stage.archived);
            stages.map(|stage| stage.id.clone()).collect()
        }
        _ if property.referenced_object_type.is_some() => Vec::new(),
        _ if property.external_options && property.options.is_empty() => Vec::new(),
        _ => property.options.iter().filter(|choice| !choice.hidden).map(|choice| choice.value.clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn definitions_become_fields() {
        let property = |name: &str, value_type: &str, field_type: &str, more: serde_json::Value| {
            let mut property = json!({ "name": name, "label": name, "type": value_type, "fieldType": field_type,
                                       "options": [], "modificationMetadata": { "readOnlyValue": false } });
            property.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
            property
        };
        let properties = json!({ "results": [
            property("amount", "number", "number", json!({})),
            property("dealstage", "enumeration", "radio", json!({ "externalOptions": true })),
            property("hs_priority", "enumeration", "select", json!({ "options": [
                { "value": "low", "hidden": false }, { "value": "old", "hidden": true }] })),
            property("hs_primary_associated_company", "number", "calculation_rollup", json!({ "calculated": true })),
            property("days_to_close", "number", "number", json!({ "modificationMetadata": { "readOnlyValue": true } })),
            property("hubspot_owner_id", "enumeration", "select", json!({ "referencedObjectType": "OWNER" })),
            property("hs_notes_last_activity", "object_coordinates", "text", json!({})),
            property("crosstie_id", "string", "text", json!({ "hasUniqueValue": true })),
        ] });
        let pipelines = json!({ "results": [
            { "id": "default", "stages": [{ "id": "open" }, { "id": "past", "archived": true }] },
            { "id": "2", "stages": [{ "id": "77" }] } ] });
        let described = entity_description(
            Entity::Opportunity,
            serde_json::from_value(properties).expect("properties"),
            &serde_json::from_value(pipelines).expect("pipelines"),
            true,
        );
        let field = |name: &str| described.field(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(field("amount").kind, FieldKind::Money);
        assert_eq!(field("dealstage").options, ["open", "77"]);
        assert!(field("dealstage").required && field("dealstage").restricted);
        assert_eq!(field("hs_priority").options, ["low"]);
        let company = field("hs_primary_associated_company");
        assert_eq!((company.kind, company.references), (FieldKind::Reference, Some(Entity::Account)));
        assert!(company.createable && company.updateable);
        assert!(!field("days_to_close").updateable);
        assert_eq!(
            (field("hubspot_owner_id").kind, field("hubspot_owner_id").references),
            (FieldKind::Reference, None)
        );
        assert!(field("hubspot_owner_id").person && !company.person);
        assert!(field("crosstie_id").external_id);
        assert_eq!(described.field("hs_notes_last_activity"), None);
    }
}
