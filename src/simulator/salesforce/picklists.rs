//! Dependent picklists: a value of the one field allows only some of the other's, and what `ui-api` tells of both
//! (dossier 2.3, 7.2).

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::rest::not_found;
use super::schema::{Field, Object, RecordType};
use super::security::FieldSet;
use super::validate::RecordError;
use super::world::Fields;
use crate::simulator::digest::hex;
use crate::simulator::reply::Reply;

/// Refuses a value of a restricted dependent picklist that the controlling value does not allow, where a request names one of
/// the two. What is no value at all was refused before.
pub(super) fn check(object: &Object, fields: &Fields, given: &Fields) -> Result<(), RecordError> {
    for field in object.fields.iter().filter(|field| field.restricted) {
        let Some(controller) = field.controller.as_deref().and_then(|name| object.field(name)) else { continue };
        if !given.contains_key(&field.name) && !given.contains_key(&controller.name) {
            continue;
        }
        let text = |field: &Field| fields.get(&field.name).and_then(Json::as_str);
        let Some(value) = text(field) else { continue };
        if !text(controller).is_some_and(|controlling| allows(field, value, controller, controlling)) {
            let message = format!("{}: {value} is not valid for the value of {}", field.name, controller.name);
            return Err(RecordError::of("FIELD_INTEGRITY_EXCEPTION", message, &field.name));
        }
    }
    Ok(())
}

/// Answers `ui-api/object-info/Project__c/picklist-values/012…`, of all fields or of one.
pub(super) fn answer(
    object: &Object,
    record_type: &str,
    field: Option<&str>,
    version: &str,
    hidden: &FieldSet,
) -> Reply {
    let own = object.record_types.iter().find(|own| own.record_type_id.starts_with(record_type));
    let is_master = MASTER.starts_with(record_type);
    if record_type.len() < 15 || (own.is_none() && !is_master) {
        return not_found();
    }
    let root = format!(
        "/services/data/{version}/ui-api/object-info/{}/picklist-values/{}",
        object.name,
        own.map_or(MASTER, |own| &own.record_type_id)
    );
    let has_values = |field: &&Field| field.field_type.ends_with("picklist") && !hidden.has(object, field);
    let mut fields = object.fields.iter().filter(has_values);
    match field {
        Some(name) => match fields.find(|field| field.name.eq_ignore_ascii_case(name)) {
            Some(field) => Reply::json(200, &values(object, field, own, &root)),
            None => not_found(),
        },
        None => {
            let all: Map<String, Json> =
                fields.map(|field| (field.name.clone(), values(object, field, own, &root))).collect();
            Reply::json(200, &json!({ "eTag": tag(&json!(all)), "picklistFieldValues": all }))
        }
    }
}

/// The record type of objects without any.
pub(super) const MASTER: &str = "012000000000000AAA";

fn values(object: &Object, field: &Field, own: Option<&RecordType>, root: &str) -> Json {
    let controller = field.controller.as_deref().and_then(|name| object.field(name));
    let controlling = controller.into_iter().flat_map(|controller| controller.options.iter().enumerate());
    let controlling: Map<String, Json> = controlling.map(|(place, value)| (value.clone(), json!(place))).collect();
    let chosen = own.and_then(|own| own.picklists.get(&field.name));
    let options = field.options.iter().filter(|value| chosen.is_none_or(|chosen| chosen.contains(value)));
    let shown = |value: &String| {
        let places = (0..controlling.len()).filter(|place| bit(field, value, *place));
        json!({ "attributes": null, "label": value, "validFor": places.collect::<Vec<_>>(), "value": value })
    };
    let default = field.default_option.as_ref().map(&shown);
    let values: Vec<Json> = options.map(shown).collect();
    json!({
        "controllerValues": controlling, "defaultValue": default, "eTag": tag(&json!(values)),
        "url": format!("{root}/{}", field.name), "values": values,
    })
}

fn tag(of: &Json) -> String {
    hex(&Sha256::digest(of.to_string())).chars().take(32).collect()
}

fn allows(field: &Field, value: &str, controller: &Field, controlling: &str) -> bool {
    let place = controller.options.iter().position(|option| option == controlling);
    place.is_some_and(|place| bit(field, value, place))
}

/// Whether a value goes with the controlling value at this place: a bit of `validFor`, the highest of its byte first.
fn bit(field: &Field, value: &str, place: usize) -> bool {
    let index = field.options.iter().position(|option| option == value);
    let bits = index.and_then(|index| field.valid_for.get(index));
    bits.and_then(|bits| bits.get(place / 8)).is_some_and(|byte| byte & (0x80 >> (place % 8)) != 0)
}

#[cfg(test)]
mod tests {
    use super::super::schema::object_named;
    use super::*;

    #[test]
    fn bits_count_from_the_highest_of_each_byte() {
        let material = object_named("Project__c").and_then(|object| object.field("Material__c")).expect("the field");
        let mut field = material.clone();
        field.options = vec!["Slate".to_owned()];
        field.valid_for = vec![vec![0b1000_0001, 0b0100_0000]];
        let places: Vec<usize> = (0..20).filter(|place| bit(&field, "Slate", *place)).collect();
        assert_eq!(places, [0, 7, 9], "what is past the end goes with nothing");
        assert!(!bit(&field, "Gold", 0));
    }
}
