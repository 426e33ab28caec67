//! Field-level security: fields that a person does not see, or only sees (dossier 2.3).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::schema::{Field, Object, object_named};

/// Fields, each as `contact.phone` in small letters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct FieldSet(BTreeSet<String>);

/// What one person's profile says of fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct FieldSecurity {
    /// As if the fields did not exist.
    pub hidden: FieldSet,
    /// Shown, but not to be changed.
    pub read_only: FieldSet,
}

impl FieldSet {
    /// Fields named `Contact.Phone`; a name that is none comes back as the error.
    pub(super) fn named(names: &[String]) -> Result<Self, String> {
        let known = |name: &String| {
            let (object, field) = name.split_once('.')?;
            let object = object_named(object)?;
            object.field(field).map(|field| written(object, field))
        };
        let fields = names.iter().map(|name| known(name).ok_or_else(|| name.clone()));
        Ok(FieldSet(fields.collect::<Result<_, _>>()?))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, object: &Object, field: &Field) -> bool {
        !self.is_empty() && self.0.contains(&written(object, field))
    }
}

fn written(object: &Object, field: &Field) -> String {
    format!("{}.{}", object.name, field.name).to_lowercase()
}

impl FieldSecurity {
    /// A describe as the person sees it.
    pub(super) fn described(&self, object: &Object, describe: String) -> String {
        if self.hidden.is_empty() && self.read_only.is_empty() {
            return describe;
        }
        let mut whole: Json = serde_json::from_str(&describe).unwrap_or_default();
        let named = |field: &Json| field.get("name").and_then(Json::as_str).and_then(|name| object.field(name));
        if let Some(fields) = whole.get_mut("fields").and_then(Json::as_array_mut) {
            fields.retain(|field| !named(field).is_some_and(|field| self.hidden.has(object, field)));
            for field in fields.iter_mut() {
                if named(field).is_some_and(|field| self.read_only.has(object, field)) {
                    field["createable"] = json!(false);
                    field["updateable"] = json!(false);
                }
            }
        }
        whole.to_string()
    }
}
