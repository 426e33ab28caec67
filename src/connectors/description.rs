//! What a CRM says about its entities and fields.

use crate::model::{Entity, FieldKind};
use crate::sync::{FieldFacts, Person};

/// One field as the CRM describes it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FieldDescription {
    /// API name.
    pub name: String,
    /// Name for people.
    pub label: String,
    /// What the value means.
    pub kind: FieldKind,
    /// The CRM's own type name, shown beside the label.
    pub crm_type: String,
    /// Whether a new record cannot be without it.
    pub required: bool,
    /// Whether a create may set it.
    pub createable: bool,
    /// Whether an update may set it.
    pub updateable: bool,
    /// Longest text in characters.
    pub max_length: Option<u32>,
    /// Decimal places that a number keeps; `None` where the CRM does not round.
    #[serde(default)]
    pub decimals: Option<u32>,
    /// Values of a choice, active ones only.
    pub options: Vec<String>,
    /// Whether values outside `options` are refused.
    pub restricted: bool,
    /// The entity that a reference points to, where it is one that Crosstie synchronises.
    pub references: Option<Entity>,
    /// Whether it names a person of the CRM.
    #[serde(default)]
    pub person: bool,
    /// Whether it is unique and can serve as external id.
    pub external_id: bool,
    /// Whether the CRM's own queries may compare it.
    #[serde(default)]
    pub filterable: bool,
}

/// What the CRM lets the connected user do with one entity.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EntityDescription {
    /// Which entity.
    pub entity: Entity,
    /// Fields that the connected user can read.
    pub fields: Vec<FieldDescription>,
    /// Records may be created.
    pub createable: bool,
    /// Records may be updated.
    pub updateable: bool,
    /// Records may be deleted.
    pub deletable: bool,
    /// The CRM's people, where a mapping asks for them.
    #[serde(default)]
    pub people: Option<Vec<Person>>,
}

impl FieldDescription {
    /// Whether a field of the app of this kind names the same people: by their e-mail addresses.
    pub fn pairs_people(&self, app: FieldKind) -> bool {
        self.person && app == FieldKind::Email
    }
}

impl EntityDescription {
    /// What a filter must know of the field called `name`.
    pub fn facts(&self, name: &str) -> Option<FieldFacts> {
        self.field(name).map(|field| FieldFacts { kind: field.kind, filterable: field.filterable })
    }

    /// The described field called `name`, if the connected user can see it.
    pub fn field(&self, name: &str) -> Option<&FieldDescription> {
        self.fields.iter().find(|field| field.name == name)
    }
}
