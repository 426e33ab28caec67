//! What the org's objects look like: recorded describes, and a unique external-id field on each object.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::ids::Id;
use super::picklists::MASTER;
use super::rollups::{self, Rollup};

/// Field that integrations may use as external id.
const EXTERNAL_ID: &str = "Crosstie_Id__c";

/// What the recordings say about themselves, not about a field.
const REMARKS: [&str; 4] = ["confidence", "from", "uncertain", "picklistComplete"];

/// An object of the org.
pub(super) struct Object {
    /// API name.
    pub name: &'static str,
    /// First three characters of its ids.
    pub prefix: String,
    /// The describe's fields in order.
    pub fields: Vec<Field>,
    /// Its child relationships that have a name and a child in this org.
    pub children: Vec<Child>,
    pub createable: bool,
    pub deletable: bool,
    pub mergeable: bool,
    /// The first one is for records that name none; an object without any knows no `RecordTypeId`.
    pub record_types: Vec<RecordType>,
    by_name: HashMap<String, usize>,
    describe: String,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name)
    }
}

/// A child relationship: `Contacts` of an account.
#[derive(Debug, Clone)]
pub(super) struct Child {
    pub name: String,
    pub object: String,
    pub field: String,
}

/// A record type: which of the values of restricted picklists its records may have (dossier 7.2).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecordType {
    pub name: String,
    pub developer_name: String,
    pub record_type_id: Id,
    /// Values by field.
    pub picklists: BTreeMap<String, Vec<String>>,
}

/// A field, as far as writing and querying it matter.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub name: String,
    /// Short for the name: the same for the same name in every object.
    pub key: u16,
    pub field_type: String,
    pub length: usize,
    pub createable: bool,
    pub updateable: bool,
    pub nillable: bool,
    pub defaulted: bool,
    pub restricted: bool,
    pub unique: bool,
    pub external_id: bool,
    pub custom: bool,
    pub filterable: bool,
    pub sortable: bool,
    pub precision: u64,
    pub scale: u64,
    pub digits: u64,
    pub options: Vec<String>,
    /// The option that a new record gets where it names none.
    pub default_option: Option<String>,
    pub reference_to: Vec<String>,
    pub relationship: Option<String>,
    /// Where a calculated field gets its value: `Account__r.Name`.
    pub formula: Option<String>,
    /// A reference whose records are found by their parent without looking at each.
    pub followed: bool,
    /// A reference whose parent cannot be deleted (dossier 2.3, `restrictedDelete`).
    pub restricts: bool,
    /// The reference to an account that the referred record must share (dossier 2.3, `filteredLookupInfo`).
    pub filtered_by: Option<String>,
    /// The picklist whose value says which of this one's are possible.
    pub controller: Option<String>,
    /// For each option the bits of the controlling options that allow it (dossier 7.2).
    pub valid_for: Vec<Vec<u8>>,
    /// What a roll-up summary field sums up.
    pub rollup: Option<&'static Rollup>,
}

/// The org's objects as describes tell of them. `Project__c` is what an admin may have added.
const DESCRIBES: [(&str, &str); 11] = [
    ("Account", include_str!("describe/account.json")),
    ("Contact", include_str!("describe/contact.json")),
    ("Opportunity", include_str!("describe/opportunity.json")),
    ("User", include_str!("describe/user.json")),
    ("Lead", include_str!("describe/lead.json")),
    ("RecordType", include_str!("describe/record_type.json")),
    ("Project__c", include_str!("describe/project.json")),
    ("ContentVersion", include_str!("describe/content_version.json")),
    ("ContentDocument", include_str!("describe/content_document.json")),
    ("ContentDocumentLink", include_str!("describe/content_document_link.json")),
    ("Attachment", include_str!("describe/attachment.json")),
];

/// Objects whose records are not an application's to make: they have no external id.
const OF_THE_ORG: [&str; 6] =
    ["User", "RecordType", "ContentVersion", "ContentDocument", "ContentDocumentLink", "Attachment"];

/// The objects, in the order of their describes.
pub(super) static OBJECTS: LazyLock<Vec<Object>> = LazyLock::new(|| {
    let mut keys = HashMap::new();
    DESCRIBES.iter().map(|(name, described)| object(&mut keys, name, described)).collect()
});

/// Names of all fields and their keys.
static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let mut names = Names { keys: HashMap::new(), all: Vec::new() };
    for field in OBJECTS.iter().flat_map(|object| &object.fields) {
        let next = usize::from(field.key);
        if next == names.all.len() {
            names.keys.insert(&field.name, field.key);
            names.all.push(&field.name);
        }
    }
    names
});

struct Names {
    keys: HashMap<&'static str, u16>,
    all: Vec<&'static str>,
}

/// The key of a field's API name.
pub(super) fn key_named(name: &str) -> Option<u16> {
    NAMES.keys.get(name).copied()
}

/// The API name that a key stands for.
pub(super) fn name_of(key: u16) -> &'static str {
    NAMES.all.get(usize::from(key)).copied().unwrap_or_default()
}

/// The object of this name, in any case.
pub(super) fn object_named(name: &str) -> Option<&'static Object> {
    OBJECTS.iter().find(|object| object.name.eq_ignore_ascii_case(name))
}

impl Field {
    /// Whether records are looked for by its value.
    pub(super) fn is_key(&self) -> bool {
        self.unique || self.external_id
    }
}

impl Object {
    /// The field of this name, in any case.
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.by_name.get(&name.to_ascii_lowercase()).map(|index| &self.fields[*index])
    }

    /// The whole describe for one API version (dossier 2.3).
    pub(super) fn describe(&self, version: &str) -> String {
        self.describe.replace("{version}", version)
    }

    /// Its entry in the list of all objects where none was recorded: what its describe says of the members of `like`.
    pub(super) fn entry(&self, version: &str, like: &Map<String, Json>) -> Json {
        let mut outline = self.outline(version);
        let mut entry: Map<String, Json> = like.keys().map(|name| (name.clone(), outline[name].take())).collect();
        for (name, value) in &mut entry {
            if value.is_null() && like.get(name).is_some_and(Json::is_boolean) {
                *value = json!(false);
            }
        }
        Json::Object(entry)
    }

    /// The describe without fields and relationships, as the resource itself shows it.
    pub(super) fn outline(&self, version: &str) -> Json {
        let mut whole: Json = serde_json::from_str(&self.describe(version)).unwrap_or_default();
        if let Json::Object(members) = &mut whole {
            members.retain(|_, value| !value.is_array());
        }
        whole
    }
}

fn object(keys: &mut HashMap<String, u16>, name: &'static str, recorded: &str) -> Object {
    let recorded: Json = serde_json::from_str(recorded).expect("the recorded describes are JSON");
    let member = |name: &str| recorded.get(name).cloned().unwrap_or_default();
    let defaults = member("fieldDefaults");
    let mut described: Vec<Json> = member("fields").as_array().cloned().unwrap_or_default();
    if !OF_THE_ORG.contains(&name) {
        described.push(external_id_field());
    }
    described.extend(rollups::described(name));
    let described: Vec<Json> = described.into_iter().map(|field| with_defaults(&defaults, field)).collect();
    let fields: Vec<Field> = described.iter().map(|field| read_field(keys, name, field)).collect();
    let prefix = member("keyPrefix").as_str().unwrap_or_default().to_owned();
    let record_types: Vec<RecordType> = serde_json::from_value(member("recordTypes")).unwrap_or_default();
    let mut describe = member("objectInfo");
    let flag = |name: &str| describe.get(name).and_then(Json::as_bool).unwrap_or_default();
    let (createable, deletable, mergeable) = (flag("createable"), flag("deletable"), flag("mergeable"));
    let mut relationships = recorded.get("childRelationships").cloned().unwrap_or_else(|| json!([]));
    if let Some(relationships) = relationships.as_array_mut() {
        relationships.extend(projects(name));
    }
    let children = read_children(&relationships);
    if let Json::Object(describe) = &mut describe {
        let root = format!("/services/data/{{version}}/sobjects/{name}");
        describe.insert("name".to_owned(), json!(name));
        describe.insert("keyPrefix".to_owned(), json!(prefix));
        describe.insert("fields".to_owned(), Json::Array(described));
        describe.insert("childRelationships".to_owned(), described_children(relationships));
        describe.insert("recordTypeInfos".to_owned(), Json::Array(kinds(name, &record_types)));
        let urls =
            json!({ "sobject": root, "describe": format!("{root}/describe"), "rowTemplate": format!("{root}/{{ID}}") });
        describe.insert("urls".to_owned(), urls);
    }
    let by_name = fields.iter().enumerate().map(|(index, field)| (field.name.to_ascii_lowercase(), index)).collect();
    let describe = describe.to_string();
    Object { name, prefix, fields, children, createable, deletable, mergeable, record_types, by_name, describe }
}

/// `recordTypeInfos`: the object's own, and the one named Master that every object has
/// (`tests/specs/salesforce/README.md`).
fn kinds(object: &str, own: &[RecordType]) -> Vec<Json> {
    let kind = |name: &str, developer_name: &str, id: &str, is_master: bool, is_default: bool| {
        json!({
            "active": true, "available": true, "defaultRecordTypeMapping": is_default, "developerName": developer_name,
            "master": is_master, "name": name, "recordTypeId": id,
            "urls": { "layout": format!("/services/data/{{version}}/sobjects/{object}/describe/layouts/{id}") },
        })
    };
    let own_kinds = own
        .iter()
        .enumerate()
        .map(|(place, own)| kind(&own.name, &own.developer_name, &own.record_type_id, false, place == 0));
    own_kinds.chain([kind("Master", "Master", MASTER, true, own.is_empty())]).collect()
}

/// What the custom object adds to its parents.
fn projects(parent: &str) -> Option<Json> {
    let (link, name, restricts) = match parent {
        "Account" => ("Account__c", "Projects__r", false),
        "Contact" => ("Sponsor__c", "Sponsored_Projects__r", true),
        _ => return None,
    };
    Some(json!({
        "cascadeDelete": false, "childSObject": "Project__c", "deprecatedAndHidden": false, "field": link,
        "junctionIdListNames": [], "junctionReferenceTo": [], "relationshipName": name, "restrictedDelete": restricts,
    }))
}

fn read_children(relationships: &Json) -> Vec<Child> {
    let is_here = |child: &Child| DESCRIBES.iter().any(|(name, _)| *name == child.object);
    let text = |child: &Json, name: &str| child.get(name).and_then(Json::as_str).map(str::to_owned);
    let relationships = relationships.as_array().into_iter().flatten();
    let named = relationships.filter_map(|child| {
        Some(Child {
            name: text(child, "relationshipName")?,
            object: text(child, "childSObject")?,
            field: text(child, "field")?,
        })
    });
    named.filter(is_here).collect()
}

/// The recorded relationships without the recorder's own remarks.
fn described_children(mut relationships: Json) -> Json {
    for child in relationships.as_array_mut().into_iter().flatten() {
        if let Json::Object(child) = child {
            child.retain(|name, _| name != "seenIn");
        }
    }
    relationships
}

fn with_defaults(defaults: &Json, field: Json) -> Json {
    let mut whole: Map<String, Json> = defaults.as_object().cloned().unwrap_or_default();
    if let Json::Object(field) = field {
        whole.extend(field.into_iter().filter(|(name, _)| !REMARKS.contains(&name.as_str())));
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

fn read_field(keys: &mut HashMap<String, u16>, object: &str, field: &Json) -> Field {
    let text = |name: &str| field.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let flag = |name: &str| field.get(name).and_then(Json::as_bool).unwrap_or_default();
    let list = |name: &str| field.get(name).and_then(Json::as_array).cloned().unwrap_or_default();
    let count = |name: &str| field.get(name).and_then(Json::as_u64).unwrap_or_default();
    let next = u16::try_from(keys.len()).unwrap_or(u16::MAX);
    let followed = text("name") == "AccountId" || (flag("custom") && text("type") == "reference");
    let filter = field.get("filteredLookupInfo").and_then(|filter| filter.get("controllingFields")?.get(0)?.as_str());
    Field {
        name: text("name"),
        key: *keys.entry(text("name")).or_insert(next),
        field_type: text("type"),
        length: usize::try_from(count("length")).unwrap_or(usize::MAX),
        createable: flag("createable"),
        updateable: flag("updateable"),
        nillable: flag("nillable"),
        defaulted: flag("defaultedOnCreate"),
        restricted: flag("restrictedPicklist"),
        unique: flag("unique"),
        external_id: flag("externalId"),
        custom: flag("custom"),
        filterable: flag("filterable"),
        sortable: flag("sortable"),
        precision: count("precision"),
        scale: count("scale"),
        digits: count("digits"),
        options: list("picklistValues")
            .iter()
            .filter_map(|option| option.get("value").and_then(Json::as_str).map(str::to_owned))
            .collect(),
        default_option: list("picklistValues")
            .iter()
            .find(|option| option.get("defaultValue") == Some(&Json::Bool(true)))
            .and_then(|option| option.get("value").and_then(Json::as_str).map(str::to_owned)),
        reference_to: list("referenceTo").iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        relationship: field.get("relationshipName").and_then(Json::as_str).map(str::to_owned),
        formula: field.get("calculatedFormula").and_then(Json::as_str).map(str::to_owned),
        followed,
        restricts: followed && flag("restrictedDelete"),
        filtered_by: filter.map(str::to_owned),
        controller: field.get("controllerName").and_then(Json::as_str).map(str::to_owned),
        valid_for: list("picklistValues").iter().map(|option| bits(option.get("validFor"))).collect(),
        rollup: rollups::of(object, &text("name")),
    }
}

fn bits(valid_for: Option<&Json>) -> Vec<u8> {
    let coded = valid_for.and_then(Json::as_str).unwrap_or_default();
    STANDARD.decode(coded).expect("the describes' bits are base64")
}
