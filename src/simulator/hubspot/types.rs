//! The types of objects that an account has: the CRM's own, and those that its people define (dossier 2.1, 3.2).

use std::borrow::Cow;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::PORTAL_ID;
use super::stamps::iso;

/// Contacts' place among the types.
pub(super) const CONTACTS: usize = 0;
/// Companies' place.
pub(super) const COMPANIES: usize = 1;
/// Deals' place.
pub(super) const DEALS: usize = 2;
/// Notes' place.
pub(super) const NOTES: usize = 3;
/// Tickets' place.
pub(super) const TICKETS: usize = 4;

/// Number of the first type that an account's people define.
const FIRST_OWN: usize = 51_200_000;

/// First record id of a type that an account's people define.
const FIRST_OWN_RECORD: u64 = 31_000_000_001;

/// A kind of object.
#[derive(Debug, Clone)]
pub(super) struct ObjectType {
    /// Type id.
    pub id: Cow<'static, str>,
    pub singular: Cow<'static, str>,
    pub plural: Cow<'static, str>,
    /// Property of the last change.
    pub modified: &'static str,
    /// Property of the creation.
    pub created: &'static str,
    /// Properties of an answer to which none were named.
    pub defaults: &'static [&'static str],
    searched: &'static [&'static str],
    /// Scope family that guards it.
    pub scope: &'static str,
    /// First record id.
    pub first_id: u64,
    pub(super) definitions: &'static str,
    /// What the account's people have said of it; none of the CRM's own.
    pub schema: Option<Schema>,
}

/// How people call the records of a type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Names {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub singular: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plural: Option<String>,
}

/// How far a type has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Life {
    Living,
    /// Its name is not free yet.
    Archived,
    Purged,
}

/// A type of an account's own (dossier 3.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Schema {
    pub name: String,
    pub labels: Names,
    pub description: Option<String>,
    pub primary: Option<String>,
    pub secondary: Vec<String>,
    /// Properties without which no record is made.
    pub required: Vec<String>,
    pub searchable: Vec<String>,
    pub created: i64,
    pub updated: i64,
    pub life: Life,
}

impl Schema {
    /// `p123_car`.
    pub(super) fn full_name(&self) -> String {
        format!("p{PORTAL_ID}_{}", self.name)
    }

    /// As the API tells it, but for its properties and associations.
    pub(super) fn told(&self, id: &str) -> Json {
        let number = id.trim_start_matches("2-");
        let mut told = json!({
            "id": number, "objectTypeId": id, "fullyQualifiedName": self.full_name(), "name": self.name,
            "labels": self.labels, "secondaryDisplayProperties": self.secondary, "requiredProperties": self.required,
            "searchableProperties": self.searchable, "archived": self.life != Life::Living,
            "createdAt": iso(self.created), "updatedAt": iso(self.updated),
        });
        for (name, value) in [("description", &self.description), ("primaryDisplayProperty", &self.primary)] {
            if let Some(value) = value {
                told[name] = json!(value);
            }
        }
        told
    }
}

impl ObjectType {
    fn own(place: usize, schema: Schema) -> Self {
        ObjectType {
            id: format!("2-{}", FIRST_OWN + place).into(),
            singular: schema.name.clone().into(),
            plural: schema.full_name().into(),
            scope: "custom",
            first_id: FIRST_OWN_RECORD,
            definitions: include_str!("schema/custom.txt"),
            schema: Some(schema),
            ..activity("", "", "", 0)
        }
    }

    /// Whether it is there to be used.
    pub(super) fn lives(&self) -> bool {
        self.schema.as_ref().is_none_or(|schema| schema.life == Life::Living)
    }

    /// Properties that a search's `query` looks at.
    pub(super) fn searched(&self) -> impl Iterator<Item = &str> {
        let own = self.schema.iter().flat_map(|schema| &schema.searchable).map(String::as_str);
        let standard = if self.schema.is_some() { &[] } else { self.searched };
        own.chain(standard.iter().copied())
    }

    /// Whether this is one of its spellings, in lower case.
    fn is_called(&self, name: &str) -> bool {
        let own = |schema: &Schema| {
            let plain = schema.name.to_ascii_lowercase();
            [plain.clone(), format!("p_{plain}"), schema.full_name().to_ascii_lowercase()].iter().any(|one| one == name)
        };
        match &self.schema {
            Some(schema) => self.id == name || own(schema),
            None => [&self.id, &self.singular, &self.plural].into_iter().any(|known| known == name),
        }
    }
}

/// The types of an account. A type keeps its place for ever: records, definitions and labels name it by that.
#[derive(Debug, Clone)]
pub(super) struct Types(Vec<ObjectType>);

impl Deref for Types {
    type Target = [ObjectType];

    fn deref(&self) -> &[ObjectType] {
        &self.0
    }
}

impl Default for Types {
    fn default() -> Self {
        Types(standard())
    }
}

impl Types {
    /// The place of a type by any of its spellings (dossier 2.1).
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        let name = name.to_ascii_lowercase();
        self.iter().position(|known| known.lives() && known.is_called(&name))
    }

    /// The place of a type of the account's own by any of its spellings, archived ones too: they keep their names.
    pub(super) fn own(&self, name: &str) -> Option<usize> {
        let name = name.to_ascii_lowercase();
        let kept = |known: &ObjectType| known.schema.as_ref().is_some_and(|schema| schema.life != Life::Purged);
        self.iter().position(|known| kept(known) && known.is_called(&name))
    }

    /// Puts a type of the account's own at a place: anew, or behind the last.
    pub(super) fn put(&mut self, place: usize, schema: Schema) {
        let made = ObjectType::own(place, schema);
        match self.0.get_mut(place) {
            Some(known) => *known = made,
            None => self.0.push(made),
        }
    }
}

fn standard() -> Vec<ObjectType> {
    vec![
        ObjectType {
            modified: "lastmodifieddate",
            defaults: &["createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"],
            searched: &["firstname", "lastname", "email", "phone", "company", "hs_additional_emails"],
            definitions: include_str!("schema/contacts.txt"),
            ..record("0-1", "contact", "contacts", 101)
        },
        ObjectType {
            defaults: &["createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"],
            searched: &["name", "domain", "website", "phone"],
            definitions: include_str!("schema/companies.txt"),
            ..record("0-2", "company", "companies", 9_000_000_001)
        },
        ObjectType {
            defaults: &[
                "amount",
                "closedate",
                "createdate",
                "dealname",
                "dealstage",
                "hs_lastmodifieddate",
                "hs_object_id",
                "pipeline",
            ],
            searched: &["dealname", "pipeline", "dealstage", "description", "dealtype"],
            definitions: include_str!("schema/deals.txt"),
            ..record("0-3", "deal", "deals", 5_000_000_001)
        },
        ObjectType {
            definitions: include_str!("schema/notes.txt"),
            ..activity("0-46", "note", "notes", 7_000_000_001)
        },
        ObjectType {
            defaults: &[
                "content",
                "createdate",
                "hs_lastmodifieddate",
                "hs_object_id",
                "hs_pipeline",
                "hs_pipeline_stage",
                "subject",
            ],
            searched: &["subject", "content"],
            definitions: include_str!("schema/tickets.txt"),
            ..record("0-5", "ticket", "tickets", 3_001)
        },
        record("0-7", "product", "products", 4_001),
        record("0-8", "line_item", "line_items", 5_001),
        record("0-14", "quote", "quotes", 6_001),
        ObjectType { definitions: include_str!("schema/tasks.txt"), ..activity("0-27", "task", "tasks", 8_001) },
        activity("0-47", "meeting", "meetings", 9_001),
        activity("0-48", "call", "calls", 10_001),
        activity("0-49", "email", "emails", 11_001),
    ]
}

/// A type as products are.
fn record(id: &'static str, singular: &'static str, plural: &'static str, first_id: u64) -> ObjectType {
    ObjectType {
        id: id.into(),
        singular: singular.into(),
        plural: plural.into(),
        modified: "hs_lastmodifieddate",
        created: "createdate",
        defaults: &["createdate", "hs_lastmodifieddate", "hs_object_id", "name", "price"],
        searched: &["name", "hs_sku"],
        scope: plural,
        first_id,
        definitions: include_str!("schema/products.txt"),
        schema: None,
    }
}

/// A type whose records hang on others.
fn activity(id: &'static str, singular: &'static str, plural: &'static str, first_id: u64) -> ObjectType {
    ObjectType {
        created: "hs_createdate",
        defaults: &["hs_createdate", "hs_lastmodifieddate", "hs_object_id"],
        searched: &["hs_note_body", "hs_task_subject", "hs_call_title", "hs_meeting_title", "hs_email_subject"],
        scope: "contacts",
        definitions: include_str!("schema/activities.txt"),
        ..record(id, singular, plural, first_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_leads_to_one_type() {
        let types = Types::default();
        for (names, place) in [
            (["0-1", "contact", "contacts", "Contacts"], CONTACTS),
            (["0-2", "COMPANY", "companies", "company"], COMPANIES),
            (["0-3", "deal", "deals", "DEAL"], DEALS),
            (["0-46", "note", "notes", "NOTES"], NOTES),
            (["0-5", "ticket", "tickets", "TICKET"], TICKETS),
        ] {
            for name in names {
                assert_eq!(types.named(name), Some(place), "{name}");
            }
        }
        assert_eq!(types.named("widgets"), None);
    }
}
