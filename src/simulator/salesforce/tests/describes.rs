//! What the org says of its objects is what real orgs have said, as recorded under `tests/specs/salesforce`: a copy of its own,
//! so that the simulator's cannot change unseen.

use super::*;

const RECORDED: [(&str, &str); 4] = [
    ("Account", include_str!("../../../../tests/specs/salesforce/account.json")),
    ("Contact", include_str!("../../../../tests/specs/salesforce/contact.json")),
    ("Opportunity", include_str!("../../../../tests/specs/salesforce/opportunity.json")),
    ("User", include_str!("../../../../tests/specs/salesforce/user.json")),
];

/// What the recording says about itself, not about the field.
const REMARKS: [&str; 4] = ["confidence", "from", "uncertain", "picklistComplete"];

fn recorded(text: &str) -> Json {
    serde_json::from_str(text).expect("JSON")
}

/// A recorded field as an answer shows it: the defaults, overlaid with what is its own, without remarks.
fn whole(defaults: &Json, field: &Json) -> Json {
    let mut whole = defaults.as_object().cloned().unwrap_or_default();
    whole.extend(field.as_object().cloned().unwrap_or_default());
    whole.retain(|name, _| !REMARKS.contains(&name.as_str()));
    Json::Object(whole)
}

#[tokio::test]
async fn each_describe_is_the_recorded_one_and_the_orgs_own_fields() {
    let org = served(&small()).await;
    let token = org.token().await;
    for (object, text) in RECORDED {
        let recorded = recorded(text);
        let (status, answer) = org.get(&token, &format!("/services/data/v62.0/sobjects/{object}/describe")).await;
        assert_eq!(status, 200);

        let mut fields = answer["fields"].as_array().cloned().expect("fields");
        let own: Vec<Json> = fields.extract_if(.., |field| field["custom"] == true).collect();
        let named: Vec<&str> = own.iter().filter_map(|field| field["name"].as_str()).collect();
        let added: &[&str] = match object {
            "Account" => &["Crosstie_Id__c", "Opportunity_Count__c", "Opportunity_Amount__c"],
            "User" => &[],
            _ => &["Crosstie_Id__c"],
        };
        assert_eq!(named, added, "{object}: what was not recorded is the org's own");
        if let Some(key) = own.first() {
            assert!(key["unique"] == true && key["externalId"] == true && key["length"] == 255);
        }
        let wanted: Vec<Json> = recorded["fields"]
            .as_array()
            .expect("recorded fields")
            .iter()
            .map(|field| whole(&recorded["fieldDefaults"], field))
            .collect();
        for (field, wanted) in fields.iter().zip(&wanted) {
            assert_eq!(field, wanted, "{object}.{}", wanted["name"]);
        }
        assert_eq!(fields.len(), wanted.len(), "{object}");

        for (name, value) in recorded["objectInfo"].as_object().expect("what is said of the object") {
            assert_eq!(&answer[name], value, "{object}: {name}");
        }
        let mut relationships = recorded["childRelationships"].as_array().cloned().unwrap_or_default();
        for relationship in &mut relationships {
            relationship.as_object_mut().expect("a relationship").remove("seenIn");
        }
        let mut shown = answer["childRelationships"].as_array().cloned().expect("child relationships");
        // What an admin has added was not recorded.
        shown.retain(|relationship| relationship["childSObject"] != "Project__c");
        assert_eq!(shown, relationships, "{object}");
        let kinds = answer["recordTypeInfos"].as_array().expect("record types");
        assert_eq!(kinds.len(), 1, "an org without record types has the one named Master");
        assert_eq!(kinds[0]["recordTypeId"], "012000000000000AAA");
    }
}

#[tokio::test]
async fn the_list_of_objects_shows_the_recorded_entries() {
    let org = served(&small()).await;
    let token = org.token().await;
    let (_, answer) = org.get(&token, "/services/data/v62.0/sobjects").await;
    let text = include_str!("../../../../tests/specs/salesforce/describe_global.json").replace("{version}", "62.0");
    let recorded = recorded(&text);
    for name in ["encoding", "maxBatchSize"] {
        assert_eq!(answer[name], recorded[name], "{name}");
    }
    let entries = answer["sobjects"].as_array().cloned().expect("objects");
    let (known, others): (Vec<Json>, Vec<Json>) =
        entries.into_iter().partition(|entry| RECORDED.iter().any(|(object, _)| entry["name"] == *object));
    assert_eq!(Json::Array(known.clone()), recorded["sobjects"]);
    let named: Vec<&str> = others.iter().filter_map(|entry| entry["name"].as_str()).collect();
    assert_eq!(
        named,
        ["Lead", "RecordType", "Project__c", "ContentVersion", "ContentDocument", "ContentDocumentLink", "Attachment"]
    );
    for entry in &others {
        let members = |entry: &Json| entry.as_object().map(|entry| entry.keys().cloned().collect::<Vec<_>>());
        assert_eq!(members(entry), members(&known[0]), "{entry}");
        assert_eq!(entry["custom"], entry["name"] == "Project__c");
    }
}
