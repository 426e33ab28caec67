//! Types that an account's people define (dossier 3.2), and their records everywhere else.

use super::*;

const SCHEMAS: &str = "/crm-object-schemas/v3/schemas";

fn car() -> Json {
    let property = |name: &str, more: Json| {
        let mut property = json!({ "name": name, "label": name, "type": "string", "fieldType": "text" });
        property.as_object_mut().expect("members").extend(more.as_object().expect("members").clone());
        property
    };
    json!({ "name": "car", "labels": { "singular": "Car", "plural": "Cars" }, "description": "On wheels",
            "primaryDisplayProperty": "model", "requiredProperties": ["model"], "searchableProperties": ["model"],
            "secondaryDisplayProperties": ["year"], "associatedObjects": ["CONTACT", "0-2"],
            "properties": [
                property("model", json!({})),
                property("vin", json!({ "hasUniqueValue": true })),
                property("year", json!({ "type": "number", "fieldType": "number" })),
            ] })
}

impl Account {
    fn define(&mut self, schema: Json) -> Json {
        let (status, made) = self.ask("POST", SCHEMAS, schema);
        assert_eq!(status, 201, "{made}");
        made
    }
}

fn names(list: &Json, member: &str) -> Vec<String> {
    let list = list.as_array().expect("a list").iter();
    list.map(|one| one[member].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn a_type_is_defined_told_by_each_of_its_names_and_changed() {
    let mut account = account(&small());
    let made = account.define(car());
    let id = made["objectTypeId"].as_str().expect("an id").to_owned();
    assert_eq!((&made["name"], &made["fullyQualifiedName"]), (&json!("car"), &json!("p48011001_car")));
    assert_eq!(id, format!("2-{}", made["id"].as_str().expect("a number")));
    assert_eq!(made["associations"].as_array().map(Vec::len), Some(7), "the activities besides");
    let first = &made["associations"][0];
    assert_eq!((&first["toObjectTypeId"], &first["name"]), (&json!("0-1"), &json!("car_to_contact")));
    let properties = names(&made["properties"], "name");
    assert!(["model", "vin", "hs_object_id"].iter().all(|name| properties.iter().any(|known| known == name)));
    assert_eq!(made["properties"][0]["groupName"], "car_information");
    for path in [SCHEMAS, "/crm/v3/schemas", "/crm-object-schemas/2026-03/schemas"] {
        assert_eq!(account.ask("GET", path, Json::Null), (200, json!({ "results": [made] })), "{path}");
        for name in ["car", "CAR", "p48011001_car", "p_car", &id] {
            assert_eq!(account.ask("GET", &format!("{path}/{name}"), Json::Null), (200, made.clone()), "{name}");
        }
    }
    account.now.store(NOW + 1000, Ordering::SeqCst);
    let patch = json!({ "labels": { "plural": "Vehicles" }, "clearDescription": true, "requiredProperties": ["vin"],
                        "primaryDisplayProperty": "vin", "restorable": true });
    let (status, changed) = account.ask("PATCH", &format!("{SCHEMAS}/car"), patch);
    assert_eq!((status, &changed["labels"]), (200, &json!({ "singular": "Car", "plural": "Vehicles" })));
    assert_eq!((changed.get("description"), &changed["primaryDisplayProperty"]), (None, &json!("vin")));
    assert_eq!((changed.get("properties"), changed["updatedAt"] == made["updatedAt"]), (None, false));
    let read = account.ask("GET", &format!("{SCHEMAS}/car"), Json::Null).1;
    assert_eq!((&read["requiredProperties"], &read["searchableProperties"]), (&json!(["vin"]), &json!(["model"])));
    let odd = json!({ "searchableProperties": ["wings"] });
    assert_eq!(account.ask("PATCH", &format!("{SCHEMAS}/car"), odd).0, 400);
}

#[test]
fn what_cannot_be_defined_is_refused_and_leaves_nothing() {
    let mut account = account(&small());
    let with = |name: &str, value: Json| {
        let mut schema = car();
        schema[name] = value;
        schema
    };
    for (schema, status, why) in [
        (with("name", Json::Null), 400, "[name]"),
        (with("labels", Json::Null), 400, "[labels]"),
        (with("properties", json!([])), 400, "[properties]"),
        (with("requiredProperties", Json::Null), 400, "[requiredProperties]"),
        (with("associatedObjects", Json::Null), 400, "[associatedObjects]"),
        (with("name", json!("1car")), 400, "1car"),
        (with("name", json!("c-a-r")), 400, "c-a-r"),
        (with("name", json!("contact")), 409, "contact"),
        (with("requiredProperties", json!(["wings"])), 400, "wings"),
        (with("primaryDisplayProperty", json!("wings")), 400, "wings"),
        (with("associatedObjects", json!(["widgets"])), 400, "widgets"),
        (with("properties", json!([{ "name": "model" }])), 400, "[label]"),
        (with("properties", json!(7)), 400, "invalid type"),
    ] {
        let (given, refused) = account.ask("POST", SCHEMAS, schema.clone());
        assert_eq!(given, status, "{schema}: {refused}");
        assert!(refused["message"].as_str().expect("a message").contains(why), "{refused}");
    }
    assert_eq!(account.ask("GET", SCHEMAS, Json::Null).1, json!({ "results": [] }));
    account.define(car());
    assert_eq!(account.ask("POST", SCHEMAS, with("name", json!("Car"))).0, 409);
    for place in 1..10 {
        account.define(with("name", json!(format!("car{place}"))));
    }
    assert_eq!(account.ask("POST", SCHEMAS, with("name", json!("one_too_many"))).0, 400);
    for (method, path, status) in [
        ("GET", "/widgets", 404),
        ("GET", "/contacts", 404),
        ("PUT", "/car", 405),
        ("GET", "/car/associations", 405),
        ("GET", "/car/wheels", 404),
        ("PATCH", "/2-1", 404),
    ] {
        assert_eq!(account.ask(method, &format!("{SCHEMAS}{path}"), json!({})).0, status, "{method} {path}");
    }
}

#[test]
fn records_of_an_own_type_are_as_others() {
    let mut account = account(&small());
    let id = account.define(car())["objectTypeId"].as_str().expect("an id").to_owned();
    let (status, refused) = account.ask("POST", "/crm/v3/objects/car", json!({ "properties": { "year": "1999" } }));
    assert_eq!((status, &refused["context"]["properties"]), (400, &json!(["model"])));
    let beetle = account.create("car", json!({ "model": "Beetle", "vin": "V1", "year": "1967" }));
    let two = account.create(&id, json!({ "model": "2CV", "vin": "V2" }));
    let path = format!("/crm/objects/2026-03/p48011001_car/{beetle}");
    assert_eq!(account.ask("PATCH", &path, json!({ "properties": { "year": 1968 } })).0, 200);
    let read = account.ask("GET", "/crm/v3/objects/p_car/V1?idProperty=vin&properties=year", Json::Null).1;
    assert_eq!((&read["id"], &read["properties"]["year"]), (&json!(beetle), &json!("1968")));
    let list = account.ask("GET", &format!("/crm/v3/objects/{id}"), Json::Null).1;
    assert_eq!(names(&list["results"], "id"), [beetle.clone(), two.clone()]);
    assert_eq!(list["results"][0]["properties"].as_object().map(serde_json::Map::len), Some(3), "{list}");
    let upsert = json!({ "inputs": [{ "id": "V2", "idProperty": "vin", "properties": { "year": "1948" } },
                                    { "id": "V3", "idProperty": "vin", "properties": { "model": "Mini" } }] });
    let (status, done) = account.ask("POST", "/crm/v3/objects/car/batch/upsert", upsert);
    assert_eq!((status, &done["results"][1]["new"]), (200, &json!(true)), "{done}");
    let conflict = json!({ "properties": { "model": "Copy", "vin": "V1" } });
    assert_eq!(account.ask("POST", "/crm/v3/objects/car", conflict).0, 400);
    let found = |account: &mut Account, body: Json| {
        let (status, page) = account.ask("POST", "/crm/v3/objects/car/search", body);
        assert_eq!(status, 200, "{page}");
        names(&page["results"], "id")
    };
    assert_eq!(found(&mut account, json!({ "query": "beet" })), [beetle.as_str()]);
    let old = json!({ "propertyName": "year", "operator": "LT", "value": "1960" });
    assert_eq!(found(&mut account, json!({ "filters": [old] })), [two.as_str()]);
    assert_eq!(found(&mut account, json!({ "query": "V1" })), [""; 0], "only what is searchable");
    let gone = json!({ "inputs": [{ "id": two }] });
    assert_eq!(account.ask("POST", "/crm/v3/objects/car/batch/archive", gone.clone()).0, 204);
    assert_eq!(account.ask("POST", "/crm/v3/objects/car/batch/read", gone).1["numErrors"], 1);
    assert_eq!(account.ask("POST", "/crm/v3/objects/car/merge", json!({})).0, 405);
    let property = json!({ "name": "colour", "label": "Colour", "type": "string", "fieldType": "text",
                           "groupName": "car_information" });
    assert_eq!(account.ask("POST", "/crm/v3/properties/car", property).0, 201);
    let defined = account.ask("GET", &format!("/crm/properties/2026-03/{id}/colour"), Json::Null);
    assert_eq!((defined.0, &defined.1["hubspotDefined"]), (200, &json!(false)));
    let schema = account.ask("GET", &format!("{SCHEMAS}/car"), Json::Null).1;
    assert!(names(&schema["properties"], "name").contains(&"colour".to_owned()));
}

#[test]
fn records_of_an_own_type_are_associated_and_associations_end() {
    let mut account = account(&small());
    let made = account.define(car());
    let type_id = made["associations"][0]["id"].as_str().expect("an id").parse::<u64>().expect("a number");
    let contact = account.create("contacts", json!({ "lastname": "Driver" }));
    let to = json!([{ "to": { "id": contact },
                      "types": [{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id }] }]);
    let body = json!({ "properties": { "model": "Beetle" }, "associations": to });
    let (status, beetle) = account.ask("POST", "/crm/v3/objects/car", body);
    assert_eq!(status, 201, "{beetle}");
    let beetle = beetle["id"].as_str().expect("an id").to_owned();
    let of_contact = format!("/crm/v4/objects/contacts/{contact}/associations/p_car");
    let linked = account.ask("GET", &of_contact, Json::Null).1;
    assert_eq!(linked["results"][0]["toObjectId"].to_string(), beetle);
    let read = account.ask("GET", &format!("/crm/v3/objects/contacts/{contact}?associations=car"), Json::Null).1;
    let told = &read["associations"]["p48011001_car"]["results"][0];
    assert_eq!((&told["id"], &told["type"]), (&json!(beetle), &json!("contact_to_car")));
    let label = json!({ "label": "Owner", "name": "owner" });
    assert_eq!(account.ask("POST", "/crm/v4/associations/car/contacts/labels", label).0, 200);
    let body = json!({ "fromObjectTypeId": made["objectTypeId"], "toObjectTypeId": "0-3", "name": "car_to_deal" });
    let (status, more) = account.ask("POST", &format!("{SCHEMAS}/car/associations"), body.clone());
    assert_eq!((status, &more["name"]), (201, &json!("car_to_deal")));
    assert_eq!(account.ask("POST", &format!("{SCHEMAS}/car/associations"), body).0, 409);
    let alien = json!({ "fromObjectTypeId": "0-1", "toObjectTypeId": "0-14" });
    assert_eq!(account.ask("POST", &format!("{SCHEMAS}/car/associations"), alien).0, 400);
    for id in [more["id"].as_str().expect("an id"), "car_to_contact"] {
        let path = format!("{SCHEMAS}/car/associations/{id}");
        assert_eq!(account.ask("DELETE", &path, Json::Null).0, 204);
        assert_eq!(account.ask("DELETE", &path, Json::Null).0, 404);
    }
    assert_eq!(account.ask("GET", &of_contact, Json::Null).1["results"], json!([]));
    let put = format!("{of_contact}/{beetle}").replace("associations/", "associations/default/");
    assert_eq!(account.ask("PUT", &put, Json::Null).0, 400, "nothing connects them any more");
}

#[test]
fn a_type_without_records_is_archived_and_purged() {
    let mut account = account(&small());
    account.define(car());
    let beetle = account.create("car", json!({ "model": "Beetle" }));
    let one = format!("{SCHEMAS}/car");
    let (status, refused) = account.ask("DELETE", &one, Json::Null);
    assert_eq!((status, &refused["category"]), (400, &json!("VALIDATION_ERROR")));
    account.ask("DELETE", &format!("/crm/v3/objects/car/{beetle}"), Json::Null);
    assert_eq!(account.ask("DELETE", &one, Json::Null).0, 204);
    assert_eq!(account.ask("DELETE", &one, Json::Null).0, 404);
    assert_eq!(account.ask("GET", &one, Json::Null).0, 404);
    assert_eq!(account.ask("GET", "/crm/v3/objects/car", Json::Null).0, 400);
    assert_eq!(account.ask("GET", SCHEMAS, Json::Null).1, json!({ "results": [] }));
    let archived = account.ask("GET", &format!("{SCHEMAS}?archived=true"), Json::Null).1;
    assert_eq!((&archived["results"][0]["name"], &archived["results"][0]["archived"]), (&json!("car"), &json!(true)));
    assert_eq!(account.ask("POST", SCHEMAS, car()).0, 409, "its name is not free");
    assert_eq!(account.ask("DELETE", &format!("{one}?archived=true"), Json::Null).0, 204);
    let again = account.define(car());
    assert_ne!(again["objectTypeId"], archived["results"][0]["objectTypeId"]);
    assert_eq!(account.ask("GET", "/crm/v3/objects/car", Json::Null).1, json!({ "results": [] }));
}

#[test]
fn scopes_of_own_types_are_needed() {
    let mut account = account(&small());
    account.define(car());
    for (scope, method, path) in [
        ("crm.schemas.custom.read", "GET", "/crm/v3/schemas"),
        ("crm.schemas.custom.write", "POST", "/crm/v3/schemas"),
        ("crm.schemas.custom.write", "DELETE", "/crm/v3/schemas/car/associations/1"),
        ("crm.objects.custom.read", "GET", "/crm/v3/objects/car"),
        ("crm.objects.custom.write", "POST", "/crm/v3/objects/car"),
        ("crm.schemas.custom.read", "GET", "/crm/v3/properties/car"),
        ("crm.schemas.custom.write", "POST", "/crm/v3/properties/car"),
    ] {
        for (granted, refused) in [("oauth", true), (scope, false)] {
            let token = account.ask("POST", "/_simulator/token", json!({ "scope": granted })).1;
            account.token = token["access_token"].as_str().expect("a token").to_owned();
            assert_eq!(account.ask(method, path, json!({})).0 == 403, refused, "{granted} {method} {path}");
        }
    }
}

#[test]
fn the_page_the_control_interface_and_subscriptions_know_an_own_type() {
    let mut account = account(&small());
    let id = account.define(car())["objectTypeId"].clone();
    let settings = json!({ "targetUrl": "https://engine.example", "throttling": { "maxConcurrentRequests": 6 } });
    account.ask("PUT", "/webhooks/v3/2004801/settings", settings);
    let created = json!({ "eventType": "object.creation", "objectTypeId": id, "active": true });
    assert_eq!(account.ask("POST", "/webhooks/v3/2004801/subscriptions", created).0, 201);
    let edit = json!({ "object": "car", "fields": { "model": "<Beetle>" } });
    let (status, made) = account.ask("POST", "/_simulator/edit", edit);
    assert_eq!(status, 200, "{made}");
    let event = account.portal.queue.pending().next().expect("an event").event.clone();
    assert_eq!(
        (&event["objectTypeId"], event["objectId"].to_string()),
        (&id, made["id"].as_str().expect("an id").to_owned())
    );
    assert_eq!(account.ask("GET", "/_simulator/stats", Json::Null).1["records"]["p48011001_car"], 1);
    let line = account.ask("GET", "/_simulator/records/p_car", Json::Null).1;
    assert_eq!((&line["fields"]["model"], &line["deleted"]), (&json!("<Beetle>"), &json!(false)));
    let shown = |query: String| {
        let asked = Asked { method: "GET".to_owned(), path: "/".to_owned(), query, ..Asked::default() };
        page::answer(&account.portal, &asked).body
    };
    assert!(shown(String::new()).contains("href=\"/?object=p48011001_car\""));
    assert!(shown("object=car".to_owned()).contains("&lt;Beetle&gt;"));
    assert!(shown(format!("object=car&id={}", made["id"].as_str().expect("an id"))).contains("name=\"vin\""));
    let form = format!("action=save&object=p48011001_car&id={}&model=Mini", made["id"].as_str().expect("an id"));
    let asked = Asked { method: "POST".to_owned(), body: form.into_bytes(), ..Asked::default() };
    assert_eq!(page::done(&mut account.portal, &asked).status, 303);
    assert_eq!(account.ask("GET", "/_simulator/records/car", Json::Null).1["fields"]["model"], "Mini");
}

#[test]
fn own_types_survive_a_restart() {
    let folder = std::env::temp_dir().join(format!("crosstie-hubspot-schemas-{}", std::process::id()));
    let options = SimulatorOptions { state_dir: Some(folder.clone()), ..small() };
    let mut first = account(&options);
    let mut van = car();
    van["name"] = json!("van");
    first.define(van);
    assert_eq!(first.ask("DELETE", &format!("{SCHEMAS}/van"), Json::Null).0, 204);
    first.define(car());
    let contact = first.create("contacts", json!({ "lastname": "Driver" }));
    let beetle = first.create("car", json!({ "model": "Beetle", "vin": "V1" }));
    let put = format!("/crm/v4/objects/car/{beetle}/associations/default/contacts/{contact}");
    assert_eq!(first.ask("PUT", &put, Json::Null).0, 200);
    let schema = first.ask("GET", &format!("{SCHEMAS}/car"), Json::Null).1;
    let token = first.token.clone();
    drop(first);
    // Opened twice: as it was appended, and as it was written anew.
    for _ in 0..2 {
        let mut again = account(&options);
        again.token.clone_from(&token);
        assert_eq!(again.ask("GET", &format!("{SCHEMAS}/car"), Json::Null).1, schema);
        let read = again.ask("GET", "/crm/v3/objects/car/V1?idProperty=vin&associations=contacts", Json::Null).1;
        assert_eq!(read["associations"]["contacts"]["results"][0]["id"], contact, "{read}");
        assert_eq!(again.ask("GET", "/crm/v3/schemas?archived=true", Json::Null).1["results"][0]["name"], "van");
    }
    let mut again = account(&options);
    again.token = token;
    assert_ne!(again.create("car", json!({ "model": "Mini" })), beetle);
    std::fs::remove_dir_all(folder).expect("it was made");
}
