//! Subscriptions, and what the changes of an account become.

use super::*;

const HOOKS: &str = "/webhooks/v3/2004801";
const CREATED: &str = "contact.creation";

impl Account {
    fn aim(&mut self) {
        let settings =
            json!({ "targetUrl": "https://engine.example/hooks", "throttling": { "maxConcurrentRequests": 10 } });
        assert_eq!(self.ask("PUT", &format!("{HOOKS}/settings"), settings).0, 200);
    }

    fn subscribe(&mut self, event: &str, more: Json) -> Json {
        let mut body = json!({ "eventType": event, "active": true });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let (status, made) = self.ask("POST", &format!("{HOOKS}/subscriptions"), body);
        assert_eq!(status, 201, "{made}");
        made
    }

    /// The new events, of which nothing is on its way any more.
    fn told(&mut self) -> Vec<Json> {
        let told = self.portal.queue.pending().map(|pending| Json::Object(pending.event.clone())).collect();
        self.portal.queue.clear();
        told
    }

    /// The new events as their types and some of their members.
    fn briefly(&mut self, members: &[&str]) -> Vec<String> {
        let told = self.told();
        let brief = told.iter().map(|event| {
            let values = members.iter().filter_map(|name| event.get(*name)).map(|value| format!(" {value}"));
            format!("{}{}", event["subscriptionType"].as_str().expect("a type"), values.collect::<String>())
        });
        brief.collect()
    }
}

/// An account that subscribes to everything of its three main kinds.
fn subscribed() -> Account {
    let mut account = account(&small());
    account.aim();
    for of in ["contact", "company", "deal"] {
        for what in ["creation", "deletion", "merge", "restore", "associationChange"] {
            account.subscribe(&format!("{of}.{what}"), json!({}));
        }
    }
    account.subscribe("contact.privacyDeletion", json!({}));
    for name in ["email", "phone", "lastname"] {
        account.subscribe("contact.propertyChange", json!({ "propertyName": name }));
    }
    account.subscribe("deal.propertyChange", json!({ "propertyName": "dealname" }));
    account
}

fn number(id: &str) -> Json {
    json!(id.parse::<u64>().expect("an id"))
}

#[test]
fn a_target_is_set_told_and_taken_away() {
    let mut account = account(&small());
    let settings = format!("{HOOKS}/settings");
    assert_eq!(account.ask("GET", &settings, Json::Null).0, 404);
    let set = |url: &str, most: u64| json!({ "targetUrl": url, "throttling": { "maxConcurrentRequests": most } });
    for (body, why) in [
        (json!({ "throttling": { "maxConcurrentRequests": 10 } }), "targetUrl"),
        (json!({ "targetUrl": "https://engine.example" }), "throttling"),
        (set("engine", 10), "engine is not a valid URL"),
        (set("file:///etc/passwd", 10), "not a valid URL"),
        (set("https://engine.example", 5), "greater than 5"),
    ] {
        let (status, refused) = account.ask("PUT", &settings, body);
        assert_eq!((status, &refused["category"]), (400, &json!("VALIDATION_ERROR")));
        assert!(refused["message"].as_str().expect("a message").contains(why), "{refused}");
    }
    let (status, told) = account.ask("PUT", &settings, set("https://engine.example/hooks", 6));
    assert_eq!((status, &told["throttling"]["maxConcurrentRequests"]), (200, &json!(6)));
    assert_eq!(told["targetUrl"], "https://engine.example/hooks");
    account.now.store(NOW + 1000, Ordering::SeqCst);
    let changed = account.ask("PUT", "/webhooks/2026-03/2004801/settings", set("https://engine.example/new", 20)).1;
    assert_eq!(changed["createdAt"], told["createdAt"]);
    assert_ne!(changed["updatedAt"], told["updatedAt"]);
    assert_eq!(account.ask("GET", &settings, Json::Null).1, changed);
    assert_eq!(account.ask("DELETE", &settings, Json::Null), (204, Json::Null));
    assert_eq!(account.ask("GET", &settings, Json::Null).0, 404);
}

#[test]
fn subscriptions_are_made_listed_switched_and_ended() {
    let mut account = account(&small());
    let all = format!("{HOOKS}/subscriptions");
    let made = account.ask("POST", &all, json!({ "eventType": CREATED })).1;
    assert_eq!(made["active"], false, "it rests until it is switched on");
    let property = account.subscribe("contact.propertyChange", json!({ "propertyName": "email" }));
    assert_eq!(property["propertyName"], "email");
    let generic = account.subscribe("object.creation", json!({ "objectTypeId": "0-3", "propertyName": "amount" }));
    assert_eq!((&generic["objectTypeId"], generic.get("propertyName")), (&json!("0-3"), None));
    let one = format!("{all}/{}", made["id"].as_str().expect("an id"));
    account.now.store(NOW + 1000, Ordering::SeqCst);
    let switched = account.ask("PATCH", &one, json!({ "active": true })).1;
    assert_eq!((&switched["active"], switched["updatedAt"] == made["updatedAt"]), (&json!(true), false));
    assert_eq!(account.ask("GET", &one, Json::Null), (200, switched));
    let inputs = json!({ "inputs": [{ "id": 1, "active": false }, { "id": 99, "active": false }] });
    let (status, batch) = account.ask("POST", &format!("{all}/batch/update"), inputs);
    assert_eq!((status, &batch["results"][0]["active"], &batch["numErrors"]), (207, &json!(false), &json!(1)));
    assert_eq!(account.ask("DELETE", &one, Json::Null).0, 204);
    assert_eq!(account.ask("GET", &one, Json::Null).0, 404);
    assert_eq!(account.ask("PATCH", &one, json!({ "active": true })).0, 404);
    assert_eq!(account.ask("DELETE", &one, Json::Null).0, 404);
    let left = account.ask("GET", "/webhooks/2026-03/2004801/subscriptions", Json::Null).1;
    assert_eq!(left["results"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_cannot_be_subscribed_to_is_refused() {
    let mut account = account(&small());
    let all = format!("{HOOKS}/subscriptions");
    account.subscribe("contact.propertyChange", json!({ "propertyName": "email" }));
    for (body, status, why) in [
        (json!({}), 400, "[eventType]"),
        (json!({ "eventType": "contact.birthday" }), 400, "contact.birthday"),
        (json!({ "eventType": "product.associationChange" }), 400, "product.associationChange"),
        (json!({ "eventType": "deal.privacyDeletion" }), 400, "deal.privacyDeletion"),
        (json!({ "eventType": "deal.propertyChange" }), 400, "[propertyName]"),
        (json!({ "eventType": "object.creation" }), 400, "[objectTypeId]"),
        (json!({ "eventType": "deal.propertyChange", "propertyName": "hs_lastmodifieddate" }), 400, "not supported"),
        (json!({ "eventType": CREATED, "active": "yes" }), 400, "boolean"),
        (json!({ "eventType": "contact.propertyChange", "propertyName": "email" }), 409, "already exists"),
    ] {
        let (given, refused) = account.ask("POST", &all, body.clone());
        assert_eq!(given, status, "{body}: {refused}");
        assert!(refused["message"].as_str().expect("a message").contains(why), "{refused}");
    }
    for (method, path, status) in [
        ("GET", "/webhooks/v3/77/settings", 404),
        ("GET", "/webhooks/v3/2004801", 404),
        ("GET", "/webhooks/v4/2004801/settings", 404),
        ("POST", "/webhooks/v3/2004801/settings", 405),
        ("PUT", "/webhooks/v3/2004801/subscriptions/1", 405),
    ] {
        assert_eq!(account.ask(method, path, json!({})).0, status, "{method} {path}");
    }
}

#[test]
fn the_developers_key_or_a_developers_token_is_needed() {
    let mut account = account(&small());
    let all = format!("{HOOKS}/subscriptions");
    let plain = account.ask("POST", "/_simulator/token", json!({ "scope": "oauth developers-read" })).1;
    account.token = plain["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(account.ask("GET", &all, Json::Null).0, 200);
    let (status, refused) = account.ask("POST", &all, json!({ "eventType": CREATED }));
    assert_eq!((status, &refused["category"]), (403, &json!("MISSING_SCOPES")));
    account.token.clear();
    assert_eq!(account.ask("GET", &all, Json::Null).1["category"], "INVALID_AUTHENTICATION");
    assert_eq!(account.ask("GET", &format!("{all}?hapikey=guessed"), Json::Null).0, 401);
    let keyed = format!("{all}?hapikey=crosstie-demo-developer-key");
    assert_eq!(account.ask("POST", &keyed, json!({ "eventType": CREATED })).0, 201);
    let records = "/crm/v3/objects/contacts?hapikey=crosstie-demo-developer-key";
    assert_eq!(account.ask("GET", records, Json::Null).0, 401, "it opens nothing else");
    let asked = Asked { path: all.clone(), query: "hapikey=secret".to_owned(), ..Asked::default() };
    assert_eq!(Portal::shown(&asked), all, "the page does not show it");
}

#[test]
fn an_application_tells_itself_of_what_it_does() {
    let mut account = subscribed();
    let id = account.create("contacts", json!({ "email": "ann@kestrel.example", "phone": "1" }));
    let told = account.told();
    assert_eq!(told.len(), 3, "{told:?}");
    let same = json!({ "eventId": told[0]["eventId"], "subscriptionId": told[0]["subscriptionId"],
                       "portalId": PORTAL_ID, "appId": APP_ID, "occurredAt": NOW, "subscriptionType": CREATED,
                       "objectId": number(&id), "changeSource": "API", "sourceId": APP_ID.to_string(),
                       "changeFlag": "CREATED" });
    assert_eq!(told[0], same);
    assert_eq!(told[1]["eventId"], told[0]["eventId"], "one change, one number");
    let path = format!("/crm/v3/objects/contacts/{id}");
    for (given, told) in [
        (json!({ "phone": "2", "firstname": "Ann" }), vec!["contact.propertyChange \"phone\" \"2\""]),
        (json!({ "phone": "2" }), vec![]),
        (json!({ "phone": "" }), vec!["contact.propertyChange \"phone\" \"\""]),
        (json!({ "phone": "3", "nobody_defined_this": "" }), vec![]),
    ] {
        account.ask("PATCH", &path, json!({ "properties": given }));
        assert_eq!(account.briefly(&["propertyName", "propertyValue"]), told, "{given}");
    }
    account.ask("DELETE", &path, Json::Null);
    account.ask("DELETE", &path, Json::Null);
    assert_eq!(account.briefly(&["objectId", "changeFlag"]), [format!("contact.deletion {id} \"DELETED\"")]);
}

#[test]
fn what_a_person_does_is_told_as_theirs() {
    let mut account = subscribed();
    let edit = |account: &mut Account, action: &str, id: Option<&Json>, fields: Json| {
        let body = json!({ "object": "deals", "action": action, "id": id, "fields": fields, "user": "Grace Okafor" });
        let (status, done) = account.ask("POST", "/_simulator/edit", body);
        assert_eq!(status, 200, "{done}");
        done["id"].clone()
    };
    let first = json!({ "dealname": "Rails", "dealstage": "qualifiedtobuy" });
    let id = edit(&mut account, "edit", None, first);
    let told = account.told();
    assert_eq!((&told[0]["changeSource"], &told[0]["sourceId"]), (&json!("CRM_UI"), &json!("userId:9586506")));
    edit(&mut account, "edit", Some(&id), json!({ "dealname": "Sleepers" }));
    edit(&mut account, "delete", Some(&id), json!({}));
    edit(&mut account, "undelete", Some(&id), json!({}));
    let expected = ["deal.propertyChange \"Sleepers\"", "deal.deletion", "deal.restore"];
    assert_eq!(account.briefly(&["propertyValue"]), expected);
}

#[test]
fn a_merge_is_one_event_and_no_deletion() {
    let mut account = subscribed();
    let kept = account.create("contacts", json!({ "email": "kept@kestrel.example" }));
    let lost = account.create("contacts", json!({ "lastname": "Lost", "phone": "1" }));
    account.told();
    let merge = json!({ "primaryObjectId": kept, "objectIdToMerge": lost });
    assert_eq!(account.ask("POST", "/crm/v3/objects/contacts/merge", merge).0, 200);
    let told = account.told();
    let merged = told.iter().find(|event| event["subscriptionType"] == "contact.merge").expect("a merge");
    assert_eq!(merged["mergedObjectIds"], json!([number(&lost)]));
    assert_eq!((&merged["primaryObjectId"], &merged["newObjectId"]), (&number(&kept), &number(&kept)));
    assert_eq!(merged["numberOfPropertiesMoved"], 2);
    let others: Vec<&Json> = told.iter().map(|event| &event["subscriptionType"]).collect();
    assert_eq!(others, ["contact.merge", "contact.propertyChange", "contact.propertyChange"]);
    let third = account.create("contacts", json!({ "lastname": "Third" }));
    account.told();
    let merge = json!({ "object": "contacts", "action": "merge", "id": kept, "mergeInto": third,
                        "fields": { "lastname": "Fourth" } });
    assert_eq!(account.ask("POST", "/_simulator/edit", merge).0, 200);
    let told = account.told();
    let merged = told.iter().find(|event| event["subscriptionType"] == "contact.merge").expect("a merge");
    assert_eq!(merged["mergedObjectIds"], json!([number(&kept)]), "who was merged into it before is no news");
    let names: Vec<&Json> = told.iter().filter(|event| event["propertyName"] == "lastname").collect();
    assert_eq!((names.len(), &names[0]["propertyValue"]), (1, &json!("Fourth")));
}

#[test]
fn an_erasure_is_told_as_that_and_as_a_deletion() {
    let mut account = subscribed();
    let id = account.create("contacts", json!({ "lastname": "Erased" }));
    let company = account.create("companies", json!({ "name": "Purged" }));
    account.told();
    assert_eq!(account.ask("POST", "/crm/v3/objects/contacts/gdpr-delete", json!({ "objectId": id })).0, 204);
    let purge = json!({ "object": "companies", "action": "purge", "id": company });
    assert_eq!(account.ask("POST", "/_simulator/edit", purge).0, 200);
    let expected = [
        format!("contact.deletion {id}"),
        format!("contact.privacyDeletion {id}"),
        format!("company.deletion {company}"),
    ];
    assert_eq!(account.briefly(&["objectId"]), expected);
}

#[test]
fn an_association_is_told_from_both_ends_and_its_main_company_apart() {
    let mut account = subscribed();
    account.subscribe("object.associationChange", json!({ "objectTypeId": "0-3" }));
    let deal = account.create("deals", json!({ "dealname": "D", "dealstage": "qualifiedtobuy" }));
    let company = account.create("companies", json!({ "name": "C" }));
    account.told();
    let path = format!("/crm/v4/objects/deals/{deal}/associations/companies/{company}");
    let default = format!("/crm/v4/objects/deals/{deal}/associations/default/companies/{company}");
    let members =
        ["associationType", "associationTypeId", "fromObjectId", "associationRemoved", "isPrimaryAssociation"];
    account.ask("PUT", &default, Json::Null);
    let mut told = account.briefly(&members);
    told.sort();
    let mut expected = vec![
        format!("company.associationChange \"COMPANY_TO_DEAL\" {company} false false"),
        format!("company.associationChange \"COMPANY_TO_DEAL\" {company} false true"),
        format!("deal.associationChange \"DEAL_TO_COMPANY\" {deal} false false"),
        format!("deal.associationChange \"DEAL_TO_COMPANY\" {deal} false true"),
        format!("object.associationChange 341 {deal} false false"),
        format!("object.associationChange 5 {deal} false true"),
    ];
    assert_eq!(told, expected);
    account.ask("PUT", &default, Json::Null);
    assert_eq!(account.briefly(&members), [""; 0], "it was so before");
    account.ask("DELETE", &path, Json::Null);
    told = account.briefly(&members);
    told.sort();
    expected.iter_mut().for_each(|line| *line = line.replacen(" false", " true", 1));
    assert_eq!(told, expected);
}

#[test]
fn any_type_can_be_subscribed_to_by_its_id() {
    let mut account = account(&small());
    account.aim();
    account.subscribe("object.creation", json!({ "objectTypeId": "0-46" }));
    account.subscribe("object.propertyChange", json!({ "objectTypeId": "0-46", "propertyName": "hs_note_body" }));
    let note = account.create("notes", json!({ "hs_note_body": "N", "hs_timestamp": "2026-01-01" }));
    let told = account.told();
    assert_eq!((told.len(), &told[0]["objectId"], &told[0]["objectTypeId"]), (2, &number(&note), &json!("0-46")));
    assert_eq!((&told[1]["propertyValue"], &told[1]["isSensitive"]), (&json!("N"), &json!(false)));
}

#[test]
fn who_may_not_know_is_told_nothing() {
    let mut account = subscribed();
    let edit = json!({ "object": "contacts", "fields": { "lastname": "New" } });
    let tell = |account: &mut Account| {
        account.ask("POST", "/_simulator/edit", edit.clone());
        account.told().len()
    };
    assert_eq!(tell(&mut account), 2);
    account.ask("POST", "/_simulator/token/revoke", json!({}));
    assert_eq!(tell(&mut account), 0, "nobody has installed the application");
    account.ask("POST", "/_simulator/token", json!({ "scope": "oauth crm.objects.deals.read" }));
    assert_eq!(tell(&mut account), 0, "it may not read contacts");
    let developer = account.ask("POST", "/_simulator/token", json!({})).1;
    account.token = developer["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(tell(&mut account), 2);
    account.ask("PATCH", &format!("{HOOKS}/subscriptions/1"), json!({ "active": false }));
    assert_eq!(tell(&mut account), 1, "one rests");
    account.ask("DELETE", &format!("{HOOKS}/settings"), Json::Null);
    assert_eq!(tell(&mut account), 0, "there is nowhere to tell");
}

#[test]
fn neither_what_was_taken_back_nor_what_time_does_is_told() {
    let mut account = subscribed();
    let inputs = json!([{ "properties": { "lastname": "A" } }, { "properties": { "nobody_defined_this": "B" } }]);
    assert_eq!(account.ask("POST", "/crm/v3/objects/contacts/batch/create", json!({ "inputs": inputs })).0, 400);
    assert_eq!(account.told().len(), 0);
    let id = account.create("contacts", json!({ "lastname": "Binned" }));
    let company = account.create("companies", json!({ "name": "C" }));
    let path = format!("/crm/v4/objects/contacts/{id}/associations/default/companies/{company}");
    account.ask("PUT", &path, Json::Null);
    account.ask("DELETE", &format!("/crm/v3/objects/contacts/{id}"), Json::Null);
    account.told();
    account.ask("POST", "/_simulator/clock", json!({ "advanceMs": 91 * stamps::DAY_MS }));
    account.ask("GET", "/_simulator/stats", Json::Null);
    assert!(!account.portal.world.tables[types::CONTACTS].records.contains_key(&id.parse().expect("an id")));
    assert_eq!(account.told().len(), 0);
}

#[test]
fn events_and_subscriptions_survive_a_restart() {
    let folder = std::env::temp_dir().join(format!("crosstie-hubspot-hooks-{}", std::process::id()));
    let options = SimulatorOptions { state_dir: Some(folder.clone()), ..small() };
    let mut first = account(&options);
    first.aim();
    first.subscribe(CREATED, json!({}));
    let id = first.create("contacts", json!({ "lastname": "Kept" }));
    let done = first.create("contacts", json!({ "lastname": "Done" }));
    let serial = first.portal.queue.pending().last().expect("two events").serial;
    first.portal.queue.taken(&[serial]);
    first.portal.keep().expect("room");
    drop(first);
    // Opened twice: as it was appended, and as it was written anew.
    for _ in 0..2 {
        let mut again = account(&options);
        let told: Vec<&Json> = again.portal.queue.pending().map(|pending| &pending.event["objectId"]).collect();
        assert_eq!(told, [&number(&id)], "not {done}");
        assert_eq!(again.portal.queue.serial(), serial, "no serial comes again");
        let list = again.ask("GET", &format!("{HOOKS}/subscriptions"), Json::Null).1;
        assert_eq!(list["results"][0]["eventType"], CREATED);
    }
    std::fs::remove_dir_all(folder).expect("it was made");
}
