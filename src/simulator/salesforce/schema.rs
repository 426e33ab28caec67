//! What the org's objects look like: recorded describes, and a unique external-id field on each object.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value as Json, json};

/// Field that integrations may use as external id.
const EXTERNAL_ID: &str = "Crosstie_Id__c";

/// An object of the org.
pub(super) struct Object {
    /// API name.
    pub name: &'static str,
    /// First three characters of its ids.
    pub prefix: &'static str,
    /// The describe's fields in order.
    pub fields: Vec<Field>,
    by_name: HashMap<String, usize>,
    describe: Json,
}

/// A field, as far as writing and querying it matter.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub name: String,
    pub field_type: String,
    pub length: usize,
    pub createable: bool,
    pub updateable: bool,
    pub nillable: bool,
    pub defaulted: bool,
    pub restricted: bool,
    pub unique: bool,
    pub external_id: bool,
    pub options: Vec<String>,
    pub reference_to: Vec<String>,
    pub relationship: Option<String>,
}

/// Account, Contact, Opportunity and User.
pub(super) static OBJECTS: LazyLock<Vec<Object>> = LazyLock::new(|| {
    vec![
        object("Account", include_str!("describe/account.json"), true),
        object("Contact", include_str!("describe/contact.json"), true),
        object("Opportunity", include_str!("describe/opportunity.json"), true),
        object("User", include_str!("describe/user.json"), false),
    ]
});

/// The object of this name, in any case.
pub(super) fn object_named(name: &str) -> Option<&'static Object> {
    OBJECTS.iter().find(|object| object.name.eq_ignore_ascii_case(name))
}

impl Object {
    /// The field of this name, in any case.
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.by_name.get(&name.to_ascii_lowercase()).map(|index| &self.fields[*index])
    }

    /// The whole describe for one API version (dossier 2.3).
    pub(super) fn describe(&self, version: &str) -> Json {
        let text = self.describe.to_string().replace("{version}", version.trim_start_matches('v'));
        serde_json::from_str(&text).unwrap_or_default()
    }
}

fn object(name: &'static str, recorded: &str, with_external_id: bool) -> Object {
    let recorded: Json = serde_json::from_str(recorded).expect("the recorded describes are JSON");
    let member = |name: &str| recorded.get(name).cloned().unwrap_or_default();
    let defaults = member("fieldDefaults");
    let mut described: Vec<Json> = member("fields").as_array().cloned().unwrap_or_default();
    if with_external_id {
        described.push(external_id_field());
    }
    let described: Vec<Json> = described.into_iter().map(|field| with_defaults(&defaults, field)).collect();
    let fields: Vec<Field> = described.iter().map(read_field).collect();
    let mut describe = member("objectInfo");
    if let Json::Object(describe) = &mut describe {
        describe.insert("name".to_owned(), json!(name));
        describe.insert("fields".to_owned(), Json::Array(described));
        let children = recorded.get("childRelationships").cloned().unwrap_or_else(|| json!([]));
        describe.entry("childRelationships").or_insert(children);
        describe.entry("recordTypeInfos").or_insert_with(|| json!([]));
    }
    let by_name = fields.iter().enumerate().map(|(index, field)| (field.name.to_ascii_lowercase(), index)).collect();
    let prefix = match name {
        "Account" => "001",
        "Contact" => "003",
        "Opportunity" => "006",
        _ => "005",
    };
    Object { name, prefix, fields, by_name, describe }
}

fn with_defaults(defaults: &Json, field: Json) -> Json {
    let mut whole: Map<String, Json> = defaults.as_object().cloned().unwrap_or_default();
    if let Json::Object(field) = field {
        whole.extend(field.into_iter().filter(|(name, _)| name != "confidence"));
    }
    Json::Object(whole)
}

fn external_id_field() -> Json {
    json!({
        "name": EXTERNAL_ID, "label": "Crosstie Id", "type": "string", "soapType": "xsd:string", "length": 255,
        "byteLength": 765, "precision": 0, "scale": 0, "digits": 0, "nillable": true, "createable": true,
        "updateable": true, "defaultedOnCreate": false, "calculated": false, "unique": true, "externalId": true,
        "idLookup": true, "caseSensitive": false, "filterable": true, "sortable": true, "groupable": true,
        "nameField": false, "custom": true, "compoundFieldName": null, "referenceTo": [], "relationshipName": null,
        "restrictedPicklist": false, "extraTypeInfo": null, "picklistValues": [], "permissionable": true,
    })
}

fn read_field(field: &Json) -> Field {
    let text = |name: &str| field.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let flag = |name: &str| field.get(name).and_then(Json::as_bool).unwrap_or_default();
    let list = |name: &str| field.get(name).and_then(Json::as_array).cloned().unwrap_or_default();
    Field {
        name: text("name"),
        field_type: text("type"),
        length: field.get("length").and_then(Json::as_u64).and_then(|length| usize::try_from(length).ok()).unwrap_or(0),
        createable: flag("createable"),
        updateable: flag("updateable"),
        nillable: flag("nillable"),
        defaulted: flag("defaultedOnCreate"),
        restricted: flag("restrictedPicklist"),
        unique: flag("unique"),
        external_id: flag("externalId"),
        options: list("picklistValues")
            .iter()
            .filter_map(|option| option.get("value").and_then(Json::as_str).map(str::to_owned))
            .collect(),
        reference_to: list("referenceTo").iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        relationship: field.get("relationshipName").and_then(Json::as_str).map(str::to_owned),
    }
}
