//! Definitions of properties and their groups (dossier 3.1).

use serde_json::{Map, Value as Json, json};

use super::batch::{finished, inputs};
use super::objects::type_of;
use super::portal::Portal;
use super::refusal::Refusal;
use super::request::Route;
use super::schema::{Choice, Group, Property};
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Unique properties of one type.
const UNIQUE: usize = 10;

/// Types with the fields that show them.
const KINDS: [(&str, &[&str]); 7] = [
    ("bool", &["booleancheckbox", "calculation_equation"]),
    ("enumeration", &["booleancheckbox", "checkbox", "radio", "select", "calculation_equation"]),
    ("date", &["date"]),
    ("datetime", &["date"]),
    ("string", &["file", "text", "textarea", "calculation_equation", "html", "phonenumber"]),
    ("number", &["number", "calculation_equation"]),
    ("phone_number", &["phonenumber"]),
];

/// Answers what is under `properties`.
pub(super) fn answer(portal: &mut Portal, asked: &Asked, route: &Route) -> Result<Reply, Refusal> {
    let parts = route.texts();
    let Some((name, rest)) = parts.split_first() else { return Err(Refusal::nowhere()) };
    let kind = type_of(&portal.world, name)?;
    match (asked.method.as_str(), rest) {
        ("GET", []) => {
            let archived = asked.truth("archived")?;
            let all = portal.world.meta.definitions[kind].properties.iter();
            let told: Vec<Json> =
                all.filter(|property| (property.archived != 0) == archived).map(Property::told).collect();
            Ok(Reply::json(200, &json!({ "results": told })))
        }
        ("POST", []) => {
            let name = create(portal, kind, &asked.members()?)?;
            Ok(Reply::json(201, &told(portal, kind, &name)?))
        }
        (_, ["groups", rest @ ..]) => groups(portal, asked, kind, rest),
        ("POST", ["batch", verb @ ("read" | "create" | "archive")]) => batch(portal, asked, kind, verb),
        ("GET", [name]) => {
            let archived = asked.truth("archived")?;
            let found = portal.world.meta.definitions[kind].any(name);
            let found = found.filter(|property| (property.archived != 0) == archived);
            Ok(Reply::json(200, &found.ok_or_else(|| missing(name))?.told()))
        }
        ("PATCH", [name]) => {
            update(portal, kind, name, &asked.members()?)?;
            Ok(Reply::json(200, &told(portal, kind, name)?))
        }
        ("DELETE", [name]) => {
            archive(portal, kind, name)?;
            Ok(Reply::empty(204))
        }
        (_, [] | [_] | ["batch", _]) => Err(Refusal::not_allowed()),
        _ => Err(Refusal::nowhere()),
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::new(404, "OBJECT_NOT_FOUND", format!("Property {name} does not exist")).sub("PROPERTY_DOESNT_EXIST")
}

fn told(portal: &Portal, kind: usize, name: &str) -> Result<Json, Refusal> {
    let found = portal.world.meta.definitions[kind].living(name);
    found.map(Property::told).ok_or_else(|| missing(name))
}

fn text(body: &Map<String, Json>, name: &str) -> Result<Option<String>, Refusal> {
    match body.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::malformed(&format!("{name} must be a text"))),
    }
}

fn needed(body: &Map<String, Json>, name: &str) -> Result<String, Refusal> {
    let given = text(body, name)?.filter(|text| !text.is_empty());
    given.ok_or_else(|| Refusal::invalid(format!("Some required fields were not set: [{name}]")))
}

fn truth(body: &Map<String, Json>, name: &str) -> Option<bool> {
    body.get(name).and_then(Json::as_bool)
}

fn choices(body: &Map<String, Json>) -> Result<Option<Vec<Choice>>, Refusal> {
    let Some(given) = body.get("options").filter(|given| !given.is_null()) else { return Ok(None) };
    let choices: Result<Vec<Choice>, _> = serde_json::from_value(given.clone());
    let choices = choices.map_err(|error| Refusal::malformed(&error.to_string()))?;
    let mut values: Vec<&str> = choices.iter().map(|choice| choice.value.as_str()).collect();
    values.sort_unstable();
    if values.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Refusal::invalid("Property option values must be unique"));
    }
    Ok(Some(choices))
}

fn sound(kind: &str, field_type: &str) -> Result<(), Refusal> {
    match KINDS.iter().find(|(known, _)| *known == kind) {
        None => Err(Refusal::invalid(format!("Invalid property type: {kind}"))),
        Some((_, fields)) if !fields.contains(&field_type) => {
            Err(Refusal::invalid(format!("fieldType {field_type} is not possible for properties of type {kind}")))
        }
        Some(_) => Ok(()),
    }
}

fn save(portal: &mut Portal, kind: usize, property: Property) {
    let line = json!({ "property": kind, "is": property });
    portal.world.redefine(&line, |meta| meta.definitions[kind].put(property));
}

/// Defines a property.
pub(super) fn create(portal: &mut Portal, kind: usize, body: &Map<String, Json>) -> Result<String, Refusal> {
    let name = needed(body, "name")?;
    let (label, group) = (needed(body, "label")?, needed(body, "groupName")?);
    let (value_type, field_type) = (needed(body, "type")?, needed(body, "fieldType")?);
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    if !name.starts_with(|letter: char| letter.is_ascii_lowercase()) || !name.chars().all(plain) || name.len() > 100 {
        let message =
            format!("Property name {name} must start with a letter and be lower-case letters, digits, underscores");
        return Err(Refusal::invalid(message));
    }
    sound(&value_type, &field_type)?;
    let definitions = &portal.world.meta.definitions[kind];
    if definitions.living(&name).is_some() {
        let message = format!("A property named '{name}' already exists.");
        return Err(Refusal::new(409, "OBJECT_ALREADY_EXISTS", message).with_context("name", &[name]));
    }
    if !definitions.groups.iter().any(|known| known.name == group && !known.archived) {
        return Err(Refusal::invalid(format!("Property group {group} does not exist")));
    }
    let unique = truth(body, "hasUniqueValue").unwrap_or(false);
    let own = |property: &&Property| property.unique && !property.standard && property.archived == 0;
    if unique && definitions.properties.iter().filter(own).count() >= UNIQUE {
        return Err(Refusal::invalid(format!("An object has at most {UNIQUE} unique properties")));
    }
    let choices = choices(body)?.unwrap_or_default();
    if value_type == "enumeration" && choices.is_empty() && truth(body, "externalOptions") != Some(true) {
        return Err(Refusal::invalid("An enumeration needs options"));
    }
    let now = portal.now();
    let property = Property {
        name: name.clone(),
        label,
        kind: value_type,
        field_type,
        group,
        description: text(body, "description")?.unwrap_or_default(),
        choices,
        read_only: false,
        hidden: truth(body, "hidden").unwrap_or(false),
        unique,
        standard: false,
        form_field: truth(body, "formField").unwrap_or(false),
        display_order: body.get("displayOrder").and_then(Json::as_i64).unwrap_or(-1),
        created: now,
        updated: now,
        archived: 0,
    };
    save(portal, kind, property);
    Ok(name)
}

fn update(portal: &mut Portal, kind: usize, name: &str, body: &Map<String, Json>) -> Result<(), Refusal> {
    let mut property = portal.world.meta.definitions[kind].living(name).cloned().ok_or_else(|| missing(name))?;
    let only_options = body.keys().all(|member| member == "options") && name == "lifecyclestage";
    if property.standard && !only_options {
        return Err(Refusal::invalid(format!("Property {name} is read only: its definition cannot be changed")));
    }
    if let Some(label) = text(body, "label")? {
        property.label = label;
    }
    if let Some(group) = text(body, "groupName")? {
        if !portal.world.meta.definitions[kind].groups.iter().any(|known| known.name == group && !known.archived) {
            return Err(Refusal::invalid(format!("Property group {group} does not exist")));
        }
        property.group = group;
    }
    if let Some(description) = text(body, "description")? {
        property.description = description;
    }
    if let Some(value_type) = text(body, "type")? {
        property.kind = value_type;
    }
    if let Some(field_type) = text(body, "fieldType")? {
        property.field_type = field_type;
    }
    if !property.standard {
        sound(&property.kind, &property.field_type)?;
    }
    property.hidden = truth(body, "hidden").unwrap_or(property.hidden);
    property.form_field = truth(body, "formField").unwrap_or(property.form_field);
    property.display_order = body.get("displayOrder").and_then(Json::as_i64).unwrap_or(property.display_order);
    if let Some(choices) = choices(body)? {
        property.choices = choices;
    }
    property.updated = portal.now();
    save(portal, kind, property);
    Ok(())
}

fn archive(portal: &mut Portal, kind: usize, name: &str) -> Result<(), Refusal> {
    let mut property = portal.world.meta.definitions[kind].living(name).cloned().ok_or_else(|| missing(name))?;
    if property.standard {
        return Err(Refusal::invalid(format!("Property {name} is defined by HubSpot and cannot be archived")));
    }
    property.archived = portal.now().max(1);
    save(portal, kind, property);
    Ok(())
}

fn batch(portal: &mut Portal, asked: &Asked, kind: usize, verb: &str) -> Result<Reply, Refusal> {
    let body = asked.members()?;
    let inputs = inputs(&body, 100)?;
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    let before = portal.world.savepoint();
    for input in &inputs {
        let name = needed(input, "name")?;
        let done = match verb {
            "create" => create(portal, kind, input).and_then(|name| told(portal, kind, &name)),
            "archive" => {
                // What is not there is as gone as what was.
                let _ = archive(portal, kind, &name);
                continue;
            }
            _ => {
                let archived = truth(&body, "archived").unwrap_or(false);
                let found = portal.world.meta.definitions[kind].any(&name);
                let found = found.filter(|property| (property.archived != 0) == archived);
                found.map(Property::told).ok_or_else(|| missing(&name))
            }
        };
        match done {
            Ok(told) => results.push(told),
            Err(refusal) if verb == "create" && refusal.status == 400 => {
                portal.world.roll_back(before);
                return Err(refusal);
            }
            Err(refusal) => errors.push(refusal.with_context("name", &[name]).entry(None)),
        }
    }
    Ok(match verb {
        "archive" => Reply::empty(204),
        "create" => finished(portal.now(), 201, results, errors),
        _ => finished(portal.now(), 200, results, errors),
    })
}

fn groups(portal: &mut Portal, asked: &Asked, kind: usize, rest: &[&str]) -> Result<Reply, Refusal> {
    let mut groups = portal.world.meta.definitions[kind].groups.clone();
    let place = rest.first().and_then(|name| groups.iter().position(|known| known.name == *name && !known.archived));
    let (status, told) = match (asked.method.as_str(), rest) {
        ("GET", []) => {
            let told: Vec<Json> = groups.iter().filter(|group| !group.archived).map(Group::told).collect();
            return Ok(Reply::json(200, &json!({ "results": told })));
        }
        ("POST", []) => {
            let body = asked.members()?;
            let (name, label) = (needed(&body, "name")?, needed(&body, "label")?);
            if groups.iter().any(|known| known.name == name && !known.archived) {
                let message = format!("A property group named '{name}' already exists.");
                return Err(Refusal::new(409, "OBJECT_ALREADY_EXISTS", message));
            }
            let display_order = body.get("displayOrder").and_then(Json::as_i64).unwrap_or(-1);
            groups.retain(|known| known.name != name);
            groups.push(Group { name, label, display_order, archived: false });
            (201, groups.last().map(Group::told))
        }
        ("GET", [_]) => {
            let place = place.ok_or_else(Refusal::not_found)?;
            return Ok(Reply::json(200, &groups[place].told()));
        }
        ("PATCH", [_]) => {
            let body = asked.members()?;
            let group = &mut groups[place.ok_or_else(Refusal::not_found)?];
            if let Some(label) = text(&body, "label")? {
                group.label = label;
            }
            group.display_order = body.get("displayOrder").and_then(Json::as_i64).unwrap_or(group.display_order);
            (200, Some(group.told()))
        }
        ("DELETE", [_]) => {
            groups[place.ok_or_else(Refusal::not_found)?].archived = true;
            (204, None)
        }
        (_, [] | [_]) => return Err(Refusal::not_allowed()),
        _ => return Err(Refusal::nowhere()),
    };
    let line = json!({ "groups": kind, "is": groups });
    portal.world.redefine(&line, |meta| meta.definitions[kind].groups = groups);
    Ok(told.map_or_else(|| Reply::empty(status), |told| Reply::json(status, &told)))
}
