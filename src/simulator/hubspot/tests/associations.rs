//! Associations: limits of labels, and the third version that clients still speak (dossier 4).

use super::*;

const CONFIGURATIONS: &str = "/crm/v4/associations/definitions/configurations";

impl Account {
    /// Sets the most records of a type of association.
    fn limit(&mut self, pair: &str, verb: &str, type_id: u32, most: u32) -> (u16, Json) {
        let input = json!({ "category": "HUBSPOT_DEFINED", "typeId": type_id, "maxToObjectIds": most });
        self.ask("POST", &format!("{CONFIGURATIONS}/{pair}/batch/{verb}"), json!({ "inputs": [input] }))
    }

    fn hire(&mut self, contact: &str, company: &str) -> (u16, Json) {
        let path = format!("/crm/v4/objects/contacts/{contact}/associations/default/companies/{company}");
        self.ask("PUT", &path, Json::Null)
    }

    fn companies_of(&mut self, contact: &str) -> Vec<String> {
        let path = format!("/crm/v3/objects/contacts/{contact}?associations=companies");
        let read = self.ask("GET", &path, Json::Null).1;
        let results = read["associations"]["companies"]["results"].as_array().cloned().unwrap_or_default();
        results.iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
    }
}

#[test]
fn a_limit_holds_from_both_ends_until_it_is_lifted() {
    let mut account = account(&small());
    let (ann, bob) = (
        account.create("contacts", json!({ "lastname": "Ann" })),
        account.create("contacts", json!({ "lastname": "Bob" })),
    );
    let (first, second) = (
        account.create("companies", json!({ "name": "First" })),
        account.create("companies", json!({ "name": "Second" })),
    );
    assert_eq!(account.limit("contacts/companies", "create", 279, 1).0, 201);
    assert_eq!(account.hire(&ann, &first).0, 200);
    assert_eq!(account.hire(&ann, &first).0, 200, "the same pair again is no second one");
    let (status, refused) = account.hire(&ann, &second);
    assert_eq!((status, refused["subCategory"].as_str()), (400, Some("ASSOCIATIONS.LIMIT_EXCEEDED")), "{refused}");
    let back = format!("/crm/v4/objects/companies/{second}/associations/default/contacts/{ann}");
    assert_eq!(account.ask("PUT", &back, Json::Null).0, 400, "the other end is bound by it too");
    let labelled = json!([{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1 }]);
    let path = format!("/crm/v4/objects/contacts/{ann}/associations/companies/{second}");
    assert_eq!(account.ask("PUT", &path, labelled).0, 400, "a label comes with the plain association");
    let inputs = json!({ "inputs": [{ "from": { "id": ann }, "to": { "id": second } },
                                    { "from": { "id": bob }, "to": { "id": second } }] });
    let (status, batch) =
        account.ask("POST", "/crm/v4/associations/contacts/companies/batch/associate/default", inputs);
    assert_eq!(
        (status, batch["numErrors"].as_u64(), batch["results"].as_array().map(Vec::len)),
        (207, Some(1), Some(2))
    );
    assert_eq!(account.companies_of(&bob), std::slice::from_ref(&second));
    // Whoever is in the bin takes no place.
    account.ask("DELETE", &format!("/crm/v3/objects/companies/{first}"), Json::Null);
    assert_eq!(account.companies_of(&ann), Vec::<String>::new());
    assert_eq!(account.hire(&ann, &second).0, 200);
    assert_eq!(account.limit("contacts/companies", "update", 279, 2).0, 200);
    assert_eq!(account.limit("companies/contacts", "create", 280, 2).0, 201);
    let third = account.create("contacts", json!({ "lastname": "Third" }));
    assert_eq!(account.hire(&third, &second).0, 400, "a company of two has no third");
    let all = account.ask("GET", &format!("{CONFIGURATIONS}/all"), Json::Null).1;
    let told: Vec<_> = all["results"].as_array().expect("limits").iter().map(|one| one["typeId"].as_u64()).collect();
    assert_eq!(told, [Some(279), Some(280)]);
    assert_eq!(account.limit("companies/contacts", "purge", 280, 0).0, 204);
    let none = account.ask("GET", &format!("{CONFIGURATIONS}/companies/contacts"), Json::Null).1;
    assert_eq!(none, json!({ "results": [] }));
    assert_eq!(account.hire(&third, &second).0, 200);
    assert_eq!(account.limit("contacts/companies", "create", 999, 1).0, 400, "no such type");
}

#[test]
fn the_third_version_names_associations_by_a_word() {
    let mut account = account(&small());
    let contact = account.create("contacts", json!({ "lastname": "Old" }));
    let company = account.create("companies", json!({ "name": "Old" }));
    let batch = |verb: &str| format!("/crm/v3/associations/contacts/companies/batch/{verb}");
    let pair = |word: &str| json!({ "inputs": [{ "from": { "id": contact }, "to": { "id": company }, "type": word }] });
    let (status, made) = account.ask("POST", &batch("create"), pair("contact_to_company"));
    assert_eq!(status, 201, "{made}");
    let told = json!({ "from": { "id": contact }, "to": { "id": company }, "type": "contact_to_company" });
    assert_eq!(made["results"], json!([told]));
    let read = account.ask("POST", &batch("read"), json!({ "inputs": [{ "id": contact }] })).1;
    let to = json!([{ "id": company, "type": "contact_to_company" }]);
    assert_eq!(read["results"], json!([{ "from": { "id": contact }, "to": to }]));
    let path = format!("/crm/v3/objects/contacts/{contact}/associations/companies");
    assert_eq!(account.ask("GET", &path, Json::Null).1, json!({ "results": to }));
    let types = account.ask("GET", "/crm/v3/associations/contacts/companies/types", Json::Null).1;
    assert_eq!(types["results"][0], json!({ "id": "279", "name": "contact_to_company" }));
    // The first company is the main one; without that label it stays associated, without the plain one it does not.
    assert_eq!(account.ask("DELETE", &format!("{path}/{company}/1"), Json::Null).0, 204);
    assert_eq!(account.companies_of(&contact), std::slice::from_ref(&company));
    let main =
        account.ask("GET", &format!("/crm/v3/objects/contacts/{contact}?properties=associatedcompanyid"), Json::Null);
    assert_eq!(main.1["properties"]["associatedcompanyid"], Json::Null);
    assert_eq!(account.ask("PUT", &format!("{path}/{company}/1"), Json::Null).1["id"], contact);
    assert_eq!(account.ask("DELETE", &format!("{path}/{company}/contact_to_company"), Json::Null).0, 204);
    assert_eq!(account.companies_of(&contact), Vec::<String>::new());
    assert_eq!(account.ask("PUT", &format!("{path}/{company}/279"), Json::Null).0, 200);
    assert_eq!(account.ask("POST", &batch("create"), pair("contact_to_deal")).0, 400);
    assert_eq!(account.ask("POST", &batch("archive"), pair("contact_to_company")).0, 204);
    let (status, none) = account.ask("POST", &batch("read"), json!({ "inputs": [{ "id": contact }] }));
    assert_eq!((status, none["numErrors"].as_u64()), (207, Some(1)));
}
