//! What an account knows of the properties of its objects: definitions and groups (dossier 3.1, 8).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::stamps::iso;
use super::types::ObjectType;

/// One choice of an enumeration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Choice {
    pub label: String,
    pub value: String,
    #[serde(default)]
    pub display_order: i64,
    #[serde(default)]
    pub hidden: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A property's definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Property {
    pub name: String,
    pub label: String,
    pub kind: String,
    pub field_type: String,
    pub group: String,
    pub description: String,
    pub choices: Vec<Choice>,
    pub read_only: bool,
    pub hidden: bool,
    pub unique: bool,
    /// Defined by the CRM itself.
    pub standard: bool,
    pub form_field: bool,
    pub display_order: i64,
    pub created: i64,
    pub updated: i64,
    /// When it was archived; 0 is never.
    pub archived: i64,
}

/// A group of properties.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Group {
    pub name: String,
    pub label: String,
    pub display_order: i64,
    pub archived: bool,
}

/// The definitions of one type. A property keeps its place for ever: records name it by that.
#[derive(Debug, Clone, Default)]
pub(super) struct Definitions {
    pub properties: Vec<Property>,
    pub groups: Vec<Group>,
    places: HashMap<String, u16>,
}

/// Since when the standard definitions are as they are.
const DEFINED_MS: i64 = 1_565_000_000_000;

impl Definitions {
    /// What a new account has.
    pub(super) fn of(kind: &ObjectType) -> Self {
        let mut definitions = Definitions::default();
        for line in kind.definitions.lines() {
            let mut parts = line.split('|');
            let mut next = || parts.next().unwrap_or_default().to_owned();
            let (name, label, value_type, field_type, group, flags, choices) =
                (next(), next(), next(), next(), next(), next(), next());
            let group = kind.schema.as_ref().map_or(group, |schema| format!("{}_information", schema.name));
            if !definitions.groups.iter().any(|known| known.name == group) {
                let label = group.replace('_', " ");
                definitions.groups.push(Group { name: group.clone(), label, display_order: -1, archived: false });
            }
            let choices = choices.split(',').filter(|choice| !choice.is_empty()).enumerate();
            let choices = choices.map(|(order, value)| Choice {
                label: value.replace('_', " "),
                value: value.to_owned(),
                display_order: order as i64,
                hidden: false,
                description: None,
            });
            definitions.put(Property {
                name,
                label,
                kind: value_type,
                field_type,
                group,
                description: String::new(),
                choices: choices.collect(),
                read_only: flags.contains('r'),
                hidden: flags.contains('h'),
                unique: flags.contains('u'),
                standard: true,
                form_field: !flags.contains('r'),
                display_order: -1,
                created: DEFINED_MS,
                updated: DEFINED_MS,
                archived: 0,
            });
        }
        definitions
    }

    /// Adds a definition or replaces the one of its name.
    pub(super) fn put(&mut self, property: Property) {
        match self.places.get(&property.name) {
            Some(place) => self.properties[usize::from(*place)] = property,
            None => {
                let place = u16::try_from(self.properties.len()).unwrap_or(u16::MAX);
                self.places.insert(property.name.clone(), place);
                self.properties.push(property);
            }
        }
    }

    /// Place of a property.
    pub(super) fn place(&self, name: &str) -> Option<u16> {
        self.places.get(name).copied()
    }

    /// A property that is not archived.
    pub(super) fn living(&self, name: &str) -> Option<&Property> {
        self.any(name).filter(|property| property.archived == 0)
    }

    /// A property, archived or not.
    pub(super) fn any(&self, name: &str) -> Option<&Property> {
        Some(&self.properties[usize::from(self.place(name)?)])
    }

    /// The property at a place.
    pub(super) fn at(&self, place: u16) -> Option<&Property> {
        self.properties.get(usize::from(place))
    }
}

impl Property {
    /// Whether people choose its values from a list that is kept elsewhere.
    pub(super) fn external(&self) -> bool {
        self.kind == "enumeration" && (self.choices.is_empty() || self.name == "lifecyclestage")
    }

    /// Whether it is reckoned.
    pub(super) fn calculated(&self) -> bool {
        self.field_type.starts_with("calculation_")
    }

    /// Its definition as the API tells it (dossier 3.1).
    pub(super) fn told(&self) -> Json {
        let owner = self.name == "hubspot_owner_id";
        let mut told = json!({
            "name": self.name, "label": self.label, "type": self.kind, "fieldType": self.field_type,
            "groupName": self.group, "description": self.description, "options": self.choices,
            "displayOrder": self.display_order, "calculated": self.calculated(), "externalOptions": self.external(),
            "hasUniqueValue": self.unique, "hidden": self.hidden, "hubspotDefined": self.standard,
            "formField": self.form_field, "dataSensitivity": "non_sensitive", "archived": self.archived != 0,
            "createdAt": iso(self.created), "updatedAt": iso(self.updated),
            "modificationMetadata": {
                "archivable": !self.standard, "readOnlyDefinition": self.standard,
                "readOnlyValue": self.read_only, "readOnlyOptions": self.standard && self.name != "lifecyclestage",
            },
        });
        if owner {
            told["referencedObjectType"] = json!("OWNER");
        }
        if self.archived != 0 {
            told["archivedAt"] = json!(iso(self.archived));
        }
        told
    }
}

impl Group {
    /// As the API tells it.
    pub(super) fn told(&self) -> Json {
        json!({ "name": self.name, "label": self.label, "displayOrder": self.display_order, "archived": self.archived })
    }
}
