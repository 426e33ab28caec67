//! What the application reads of an account in the webhooks journal (dossier 5.5).

use super::*;

const SUBSCRIPTIONS: &str = "/webhooks-journal/subscriptions/2026-03";
const JOURNAL: &str = "/webhooks-journal/journal/2026-03";
const SCOPES: &str = "developer.webhooks_journal.read developer.webhooks_journal.subscriptions.read \
                      developer.webhooks_journal.subscriptions.write developer.webhooks_journal.snapshots.read \
                      developer.webhooks_journal.snapshots.write crm.objects.contacts.read crm.objects.companies.read";

/// An account, and the application that reads its journal.
struct Reader {
    account: Account,
    token: String,
}

fn reader(options: &SimulatorOptions) -> Reader {
    let mut reader = Reader { account: account(options), token: String::new() };
    reader.sign_in(SCOPES);
    reader
}

impl Reader {
    fn sign_in(&mut self, scopes: &str) {
        let form = [("grant_type", "client_credentials"), ("scope", scopes)];
        let (status, granted) = self.account.form("/oauth/2026-03/token", &form);
        assert_eq!((status, &granted["token_use"]), (200, &json!("client_credentials")), "{granted}");
        self.token = granted["access_token"].as_str().expect("a token").to_owned();
    }

    /// Asks as the application itself.
    fn ask(&mut self, method: &str, address: &str, body: Json) -> (u16, Json) {
        std::mem::swap(&mut self.account.token, &mut self.token);
        let answer = self.account.ask(method, address, body);
        std::mem::swap(&mut self.account.token, &mut self.token);
        answer
    }

    fn get(&mut self, address: &str) -> (u16, Json) {
        self.ask("GET", &format!("{JOURNAL}/{address}"), Json::Null)
    }

    fn subscribe(&mut self, kind: &str, object: &str, actions: &[&str], more: Json) -> Json {
        let mut body = json!({ "subscriptionType": kind, "objectTypeId": object, "portalId": PORTAL_ID,
                               "actions": actions });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let (status, made) = self.ask("POST", SUBSCRIPTIONS, body);
        assert_eq!(status, 201, "{made}");
        made
    }

    /// A file, loaded without a token.
    fn load(&mut self, page: &Json) -> (u16, Json) {
        let url = page["url"].as_str().expect("an address").replacen("http://127.0.0.1", "", 1);
        let token = std::mem::take(&mut self.account.token);
        let answer = self.account.ask("GET", &url, Json::Null);
        self.account.token = token;
        answer
    }

    /// Every event after an offset, or from the start, and the last offset.
    fn events(&mut self, after: Option<String>) -> (Vec<Json>, Option<String>) {
        let (mut events, mut offset) = (Vec::new(), after);
        loop {
            let next = match &offset {
                None => "earliest".to_owned(),
                Some(offset) => format!("offset/{offset}/next"),
            };
            let (status, page) = self.get(&next);
            if status == 204 {
                return (events, offset);
            }
            assert_eq!(status, 200, "{page}");
            let (status, file) = self.load(&page);
            assert_eq!((status, &file["offset"]), (200, &page["currentOffset"]));
            events.extend(file["journalEvents"].as_array().expect("events").iter().cloned());
            offset = Some(page["currentOffset"].as_str().expect("an offset").to_owned());
        }
    }

    /// The events as their actions and some of their members.
    fn briefly(&mut self, members: &[&str]) -> Vec<String> {
        let brief = self.events(None).0.into_iter().map(|event| {
            let values = members.iter().filter_map(|name| event.get(*name)).map(|value| format!(" {value}"));
            format!("{}{}", event["action"].as_str().expect("an action"), values.collect::<String>())
        });
        brief.collect()
    }
}

#[test]
fn subscriptions_are_made_changed_told_and_ended() {
    let mut reader = reader(&small());
    let made = reader.subscribe("OBJECT", "0-1", &["CREATE", "UPDATE"], json!({ "properties": ["email"] }));
    assert_eq!(
        (&made["appId"], &made["portalId"], &made["objectIds"]),
        (&json!(APP_ID), &json!(PORTAL_ID), &Json::Null)
    );
    reader.account.now.store(NOW + 1000, Ordering::SeqCst);
    let body = json!({ "subscriptionType": "OBJECT", "objectTypeId": "0-1", "portalId": PORTAL_ID,
                       "actions": ["DELETE"], "properties": [], "objectIds": [] });
    let (status, changed) = reader.ask("POST", SUBSCRIPTIONS, body);
    assert_eq!((status, &changed["id"], &changed["createdAt"]), (200, &made["id"], &made["createdAt"]));
    assert_eq!((&changed["actions"], changed["updatedAt"] == made["updatedAt"]), (&json!(["DELETE"]), false));
    let one = format!("{SUBSCRIPTIONS}/{}", made["id"]);
    assert_eq!(reader.ask("GET", &one, Json::Null), (200, changed));
    reader.subscribe("OBJECT", "0-2", &["CREATE"], json!({}));
    let list = |reader: &mut Reader| reader.ask("GET", SUBSCRIPTIONS, Json::Null).1["results"].as_array().map(Vec::len);
    assert_eq!(list(&mut reader), Some(2));
    assert_eq!(reader.ask("DELETE", &one, Json::Null).0, 204);
    assert_eq!(reader.ask("GET", &one, Json::Null).0, 404);
    assert_eq!(reader.ask("DELETE", &one, Json::Null).0, 404);
    assert_eq!(reader.ask("DELETE", &format!("{SUBSCRIPTIONS}/portals/7"), Json::Null).0, 204);
    assert_eq!(list(&mut reader), Some(1), "another account's are not this one's");
    assert_eq!(reader.ask("DELETE", &format!("{SUBSCRIPTIONS}/portals/{PORTAL_ID}"), Json::Null).0, 204);
    assert_eq!(list(&mut reader), Some(0));
}

#[test]
fn what_cannot_be_subscribed_to_is_refused() {
    let mut reader = reader(&small());
    let object = |more: Json| {
        let mut body = json!({ "subscriptionType": "OBJECT", "objectTypeId": "0-1", "portalId": PORTAL_ID,
                               "actions": ["CREATE"] });
        body.as_object_mut().expect("members").extend(more.as_object().expect("members").clone());
        body
    };
    for (body, status, why) in [
        (json!({}), 400, "[subscriptionType]"),
        (object(json!({ "subscriptionType": "WISH" })), 400, "WISH"),
        (object(json!({ "portalId": null })), 400, "[portalId]"),
        (object(json!({ "portalId": 7 })), 400, "not installed"),
        (object(json!({ "objectTypeId": null })), 400, "[objectTypeId]"),
        (object(json!({ "objectTypeId": "0-9999" })), 400, "0-9999"),
        (object(json!({ "objectTypeId": "0-3" })), 403, "required scopes"),
        (object(json!({ "actions": [] })), 400, "[actions]"),
        (object(json!({ "actions": ["GDPR_DELETE"] })), 400, "GDPR_DELETE"),
        (object(json!({ "subscriptionType": "ASSOCIATION" })), 400, "[associatedObjectTypeIds]"),
        (json!({ "subscriptionType": "APP_LIFECYCLE_EVENT", "properties": [] }), 400, "[eventTypeId]"),
        (json!({ "subscriptionType": "APP_LIFECYCLE_EVENT", "eventTypeId": "4-1" }), 400, "4-1"),
    ] {
        let (given, refused) = reader.ask("POST", SUBSCRIPTIONS, body.clone());
        assert_eq!(given, status, "{body}: {refused}");
        assert!(refused["message"].as_str().expect("a message").contains(why), "{refused}");
    }
    for (method, path, status) in [
        ("PUT", format!("{SUBSCRIPTIONS}/1"), 405),
        ("POST", format!("{JOURNAL}/earliest"), 405),
        ("GET", format!("{JOURNAL}/middle"), 404),
        ("GET", "/webhooks-journal/journal/v3/earliest".to_owned(), 404),
        ("GET", format!("{JOURNAL}/batch/earliest/101"), 400),
        ("GET", format!("{JOURNAL}/batch/earliest/0"), 400),
        ("GET", format!("{JOURNAL}/earliest?installPortalId=x"), 400),
    ] {
        assert_eq!(reader.ask(method, &path, Json::Null).0, status, "{method} {path}");
    }
}

#[test]
fn each_path_has_its_scope_and_no_account_can_allow_it() {
    let mut reader = reader(&small());
    let posts = json!({ "snapshotRequests": [] });
    for (scope, method, path) in [
        ("read", "GET", format!("{JOURNAL}/earliest")),
        ("read", "POST", format!("{JOURNAL}/batch/read")),
        ("snapshots.read", "GET", format!("{JOURNAL}/status/x")),
        ("snapshots.write", "POST", "/webhooks-journal/snapshots/2026-03/crm".to_owned()),
        ("subscriptions.read", "GET", SUBSCRIPTIONS.to_owned()),
        ("subscriptions.write", "POST", SUBSCRIPTIONS.to_owned()),
        ("subscriptions.write", "DELETE", format!("{SUBSCRIPTIONS}/1")),
    ] {
        reader.sign_in("crm.objects.contacts.read");
        let (status, refused) = reader.ask(method, &path, posts.clone());
        let wanted = &refused["errors"][0]["context"]["requiredGranularScopes"][0];
        assert_eq!((status, wanted), (403, &json!(format!("developer.webhooks_journal.{scope}"))), "{path}");
        reader.sign_in(&format!("developer.webhooks_journal.{scope}"));
        assert_ne!(reader.ask(method, &path, posts.clone()).0, 403, "{path}");
    }
    assert_eq!(reader.account.ask("GET", &format!("{JOURNAL}/earliest"), Json::Null).0, 403, "an account's own token");
}

#[test]
fn what_happens_to_records_is_read_in_its_order() {
    let mut reader = reader(&small());
    reader.subscribe(
        "OBJECT",
        "0-1",
        &["CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE"],
        json!({ "properties": ["email", "phone"] }),
    );
    assert_eq!(reader.get("earliest"), (204, Json::Null));
    assert_eq!(reader.get("latest").0, 204);
    let id = reader.account.create("contacts", json!({ "email": "ann@kestrel.example", "lastname": "Ann" }));
    let (_, first) = reader.get("earliest");
    let told = reader.load(&first).1;
    let event = json!({ "type": "crmObject", "action": "CREATE", "portalId": PORTAL_ID, "occurredAt": stamps::iso(NOW),
                        "objectTypeId": "0-1", "objectId": id.parse::<u64>().expect("a number"),
                        "propertyChanges": { "email": "ann@kestrel.example" } });
    assert_eq!((&told["journalEvents"], &told["publishedAt"]), (&json!([event]), &json!(stamps::iso(NOW))));
    let path = format!("/crm/v3/objects/contacts/{id}");
    let patch = |reader: &mut Reader, properties: Json| {
        assert_eq!(reader.account.ask("PATCH", &path, json!({ "properties": properties })).0, 200);
    };
    patch(&mut reader, json!({ "phone": "1", "lastname": "Not watched" }));
    patch(&mut reader, json!({ "lastname": "Not watched either" }));
    patch(&mut reader, json!({ "phone": "" }));
    reader.account.create("companies", json!({ "name": "Not subscribed to" }));
    reader.account.ask("DELETE", &path, Json::Null);
    let undelete = json!({ "object": "contacts", "action": "undelete", "id": id });
    assert_eq!(reader.account.ask("POST", "/_simulator/edit", undelete).0, 200);
    let lost = reader.account.create("contacts", json!({ "lastname": "Lost", "phone": "7" }));
    let merge = json!({ "primaryObjectId": id, "objectIdToMerge": lost });
    assert_eq!(reader.account.ask("POST", "/crm/v3/objects/contacts/merge", merge).0, 200);
    let expected = [
        r#"CREATE {"email":"ann@kestrel.example"}"#.to_owned(),
        r#"UPDATE {"phone":"1"}"#.to_owned(),
        r#"UPDATE {"phone":""}"#.to_owned(),
        "DELETE".to_owned(),
        "RESTORE".to_owned(),
        r#"CREATE {"phone":"7"}"#.to_owned(),
        r#"UPDATE {"phone":"7"}"#.to_owned(),
        format!("MERGE [{lost}]"),
    ];
    assert_eq!(reader.briefly(&["propertyChanges", "mergedObjectIds"]), expected);
    let (latest, last) = (reader.get("latest").1["currentOffset"].clone(), reader.events(None).1.expect("an offset"));
    assert_eq!(latest, json!(last));
    assert_eq!(reader.get(&format!("offset/{last}/next")).0, 204, "nothing new");
}

#[test]
fn pages_are_read_in_batches_and_by_account() {
    let mut reader = reader(&small());
    reader.subscribe("OBJECT", "0-2", &["CREATE"], json!({}));
    for name in ["A", "B", "C", "D"] {
        reader.account.create("companies", json!({ "name": name }));
    }
    let offsets = |answer: &Json| -> Vec<String> {
        let results = answer["results"].as_array().expect("results").iter();
        results.map(|page| page["currentOffset"].as_str().expect("an offset").to_owned()).collect()
    };
    let (status, all) = reader.get("batch/earliest/100");
    let all = offsets(&all);
    assert_eq!((status, all.len()), (200, 4));
    assert_eq!(offsets(&reader.get("batch/earliest/2").1), all[..2]);
    assert_eq!(offsets(&reader.get("batch/latest/2").1), all[2..]);
    assert_eq!(offsets(&reader.get(&format!("batch/{}/next/2", all[0])).1), all[1..3]);
    assert_eq!(reader.get(&format!("batch/{}/next/2", all[3])).0, 204);
    assert_eq!(reader.get(&format!("batch/{}/next/2", "no-offset")).0, 404);
    let (status, refused) = reader.get("offset/no-offset/next");
    assert_eq!((status, &refused["category"]), (404, &json!("OBJECT_NOT_FOUND")));
    let read = format!("{JOURNAL}/batch/read");
    let (status, some) = reader.ask("POST", &read, json!({ "inputs": [all[2], "gone", all[0]] }));
    assert_eq!((status, offsets(&some), &some["numErrors"]), (207, vec![all[2].clone(), all[0].clone()], &json!(1)));
    assert_eq!(reader.ask("POST", &read, json!({ "inputs": vec!["x"; 101] })).0, 400);
    let local = "/webhooks-journal/journal-local/2026-09";
    let ours = format!("{local}/batch/earliest/9?installPortalId={PORTAL_ID}");
    assert_eq!(offsets(&reader.ask("GET", &ours, Json::Null).1), all);
    assert_eq!(reader.ask("GET", &format!("{local}/earliest?installPortalId=7"), Json::Null).0, 204);
}

#[test]
fn a_file_is_loaded_by_its_address_alone_and_for_a_while() {
    let mut reader = reader(&small());
    reader.subscribe("OBJECT", "0-1", &["CREATE"], json!({}));
    reader.account.create("contacts", json!({ "lastname": "New" }));
    let (_, page) = reader.get("earliest");
    assert_eq!(page["expiresAt"], json!(stamps::iso(NOW + 300_000)));
    assert_eq!(reader.load(&page).0, 200);
    let forged = |from: &str, to: &str| json!({ "url": page["url"].as_str().expect("text").replace(from, to) });
    assert_eq!(reader.load(&forged("signature=", "signature=0")).0, 403);
    assert_eq!(reader.load(&forged("expires=1", "expires=2")).0, 403);
    reader.account.now.store(NOW + 300_000, Ordering::SeqCst);
    assert_eq!(reader.load(&page).0, 403);
    let (_, again) = reader.get("earliest");
    assert_eq!((reader.load(&again).0, &again["currentOffset"]), (200, &page["currentOffset"]));
}

#[test]
fn associations_are_told_from_the_end_that_is_watched() {
    let mut reader = reader(&small());
    let both = ["ASSOCIATION_ADDED", "ASSOCIATION_REMOVED"];
    reader.subscribe("ASSOCIATION", "0-1", &both, json!({ "associatedObjectTypeIds": ["0-2"] }));
    let contact = reader.account.create("contacts", json!({ "lastname": "C" }));
    let company = reader.account.create("companies", json!({ "name": "C" }));
    let path = format!("/crm/v4/objects/companies/{company}/associations");
    assert_eq!(reader.account.ask("PUT", &format!("{path}/default/contacts/{contact}"), Json::Null).0, 200);
    reader.account.ask("DELETE", &format!("{path}/contacts/{contact}"), Json::Null);
    let members = ["objectId", "associatedObjectTypeId", "associatedObjectId", "associationTypeId"];
    let expected = [("ADDED", 279), ("ADDED", 1), ("REMOVED", 279), ("REMOVED", 1)]
        .map(|(what, id)| format!("ASSOCIATION_{what} {contact} \"0-2\" {company} {id}"));
    assert_eq!(reader.briefly(&members), expected);
    let after = reader.events(None).1;
    reader.subscribe("ASSOCIATION", "0-1", &both, json!({ "associatedObjectTypeIds": ["0-1"] }));
    let other = reader.account.create("contacts", json!({ "lastname": "D" }));
    let path = format!("/crm/v4/objects/contacts/{contact}/associations/default/contacts/{other}");
    assert_eq!(reader.account.ask("PUT", &path, Json::Null).0, 200);
    let told = reader.events(after).0;
    let ends: Vec<String> = told.iter().map(|event| event["objectId"].to_string()).collect();
    assert_eq!(ends, [contact, other], "both are of the type that is watched");
}

#[test]
fn an_erasure_and_the_life_of_the_application_are_told() {
    let mut reader = reader(&small());
    reader.subscribe("GDPR_PRIVACY_DELETION", "0-1", &["GDPR_DELETE"], json!({}));
    for id in ["4-1909196", "4-1916193"] {
        let body = json!({ "subscriptionType": "APP_LIFECYCLE_EVENT", "eventTypeId": id, "properties": [] });
        assert_eq!(reader.ask("POST", SUBSCRIPTIONS, body).0, 201);
    }
    let id = reader.account.create("contacts", json!({ "lastname": "Erased" }));
    let erase = json!({ "objectId": id });
    assert_eq!(reader.account.ask("POST", "/crm/v3/objects/contacts/gdpr-delete", erase).0, 204);
    reader.account.ask("POST", "/_simulator/token/revoke", json!({}));
    let edit = json!({ "object": "contacts", "action": "purge", "id": "101" });
    assert_eq!(reader.account.ask("POST", "/_simulator/edit", edit).0, 200, "an account without the application");
    reader.account.ask("POST", "/_simulator/token", json!({}));
    let expected =
        [format!("GDPR_DELETE {id}"), "APP_UNINSTALL \"4-1916193\"".to_owned(), "APP_INSTALL \"4-1909196\"".to_owned()];
    assert_eq!(reader.briefly(&["objectId", "eventTypeId"]), expected);
}

#[test]
fn filters_let_through_what_meets_one_of_them() {
    let mut reader = reader(&small());
    let made = reader.subscribe("OBJECT", "0-1", &["CREATE"], json!({ "properties": ["lastname"] }));
    let filters = format!("{SUBSCRIPTIONS}/filters");
    let condition = |operator: &str, value: &str| json!({ "filterType": "CRM_OBJECT_PROPERTY", "property": "lastname", "operator": operator, "value": value });
    let filter = |conditions: Json| json!({ "subscriptionId": made["id"], "filter": { "conditions": conditions } });
    for (body, status) in [
        (json!({}), 400),
        (filter(json!([])), 400),
        (filter(json!([condition("LIKE", "x")])), 400),
        (filter(json!([condition("IN", "x")])), 400),
        (json!({ "subscriptionId": 99, "filter": { "conditions": [condition("EQ", "x")] } }), 404),
    ] {
        assert_eq!(reader.ask("POST", &filters, body.clone()).0, status, "{body}");
    }
    let both = filter(json!([condition("STARTS_WITH", "A"), condition("ENDS_WITH", "z")]));
    let (status, first) = reader.ask("POST", &filters, both);
    assert_eq!((status, &first["filterId"]), (201, &json!(1)));
    assert_eq!(reader.ask("POST", &filters, filter(json!([condition("EQ", "B")]))).0, 201);
    let told = reader.ask("GET", &format!("{filters}/1"), Json::Null).1;
    assert_eq!(told["filter"]["conditions"][1]["operator"], "ENDS_WITH");
    let of = format!("{filters}/subscription/{}", made["id"]);
    assert_eq!(reader.ask("GET", &of, Json::Null).1["results"].as_array().map(Vec::len), Some(2));
    for name in ["Az", "A", "B", "C"] {
        reader.account.create("contacts", json!({ "lastname": name }));
    }
    let changes = |names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("CREATE {}", json!({ "lastname": name }))).collect()
    };
    assert_eq!(reader.briefly(&["propertyChanges"]), changes(&["Az", "B"]));
    assert_eq!(reader.ask("DELETE", &format!("{filters}/2"), Json::Null).0, 204);
    assert_eq!(reader.ask("DELETE", &format!("{filters}/2"), Json::Null).0, 404);
    reader.account.create("contacts", json!({ "lastname": "B" }));
    assert_eq!(reader.briefly(&["propertyChanges"]), changes(&["Az", "B"]));
    reader.ask("DELETE", &format!("{SUBSCRIPTIONS}/{}", made["id"]), Json::Null);
    assert_eq!(reader.ask("GET", &format!("{filters}/1"), Json::Null).0, 404, "it goes with its subscription");
}

#[test]
fn snapshots_come_when_they_are_taken() {
    let mut reader = reader(&small());
    reader.account.ask("POST", "/_simulator/settings", json!({ "bulkDelayMs": 1000 }));
    let wanted = |id: u64| json!({ "portalId": PORTAL_ID, "objectTypeId": "0-1", "objectId": id, "properties": ["lastname", "fax"] });
    let snapshots = "/webhooks-journal/snapshots/2026-03/crm";
    let (status, asked) = reader.ask("POST", snapshots, json!({ "snapshotRequests": [wanted(101), wanted(99_999)] }));
    assert_eq!((status, &asked["snapshotResponses"][1]["objectId"]), (200, &json!(99_999)));
    let ids =
        [0, 1].map(|place| asked["snapshotResponses"][place]["snapshotStatusId"].as_str().expect("an id").to_owned());
    let statuses = |reader: &mut Reader, after: i64| {
        reader.account.now.store(NOW + after, Ordering::SeqCst);
        ids.each_ref().map(|id| reader.get(&format!("status/{id}")).1["status"].as_str().expect("a status").to_owned())
    };
    assert_eq!(statuses(&mut reader, 0), ["PENDING", "PENDING"]);
    assert_eq!(statuses(&mut reader, 500), ["IN_PROGRESS", "IN_PROGRESS"]);
    assert_eq!(reader.get("earliest").0, 204);
    assert_eq!(statuses(&mut reader, 1000), ["SUCCESS", "FAILED"]);
    let told = reader.events(None).0;
    assert_eq!((told.len(), &told[0]["action"], &told[0]["objectId"]), (1, &json!("SNAPSHOT"), &json!(101)));
    assert!(told[0]["properties"]["lastname"].is_string() && told[0]["properties"]["fax"].is_null());
    reader.account.now.store(NOW + 4 * stamps::DAY_MS, Ordering::SeqCst);
    reader.sign_in(SCOPES);
    assert_eq!(statuses(&mut reader, 4 * stamps::DAY_MS), ["EXPIRED", "EXPIRED"]);
    for (body, status) in [
        (json!({}), 400),
        (json!({ "snapshotRequests": vec![wanted(101); 101] }), 400),
        (json!({ "snapshotRequests": [{ "portalId": 7, "objectTypeId": "0-1", "objectId": 1 }] }), 400),
        (json!({ "snapshotRequests": [{ "portalId": PORTAL_ID, "objectTypeId": "0-3", "objectId": 1 }] }), 403),
    ] {
        assert_eq!(reader.ask("POST", snapshots, body.clone()).0, status, "{body}");
    }
    assert_eq!(reader.get("status/nobody").0, 404);
}

#[test]
fn pages_end_after_three_days_and_no_limit_is_met() {
    let mut reader = reader(&small());
    reader.subscribe("OBJECT", "0-1", &["CREATE"], json!({}));
    reader.account.create("contacts", json!({ "lastname": "Old" }));
    let old = reader.events(None).1.expect("an offset");
    reader.account.now.store(NOW + 2 * stamps::DAY_MS, Ordering::SeqCst);
    reader.account.token = reader.account.ask("POST", "/_simulator/token", json!({})).1["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    reader.account.create("contacts", json!({ "lastname": "Young" }));
    reader.account.now.store(NOW + 3 * stamps::DAY_MS + 1, Ordering::SeqCst);
    reader.sign_in(SCOPES);
    assert_eq!(reader.get(&format!("offset/{old}/next")).0, 404, "it has expired");
    assert_eq!(reader.events(None).0.len(), 1);
    let asked = |path: &str| Asked { method: "GET".to_owned(), path: path.to_owned(), ..Asked::default() };
    reader.account.portal.set_limits(Limits { daily: Some(0), ..Limits::default() });
    assert!(reader.account.portal.admit(&asked(&format!("{JOURNAL}/latest"))).is_none());
    assert!(reader.account.portal.admit(&asked("/webhooks-journal-files/x.json")).is_none());
    assert!(reader.account.portal.admit(&asked("/crm/v3/owners")).is_some());
}

#[test]
fn the_journal_survives_a_restart_and_is_the_same_for_the_same_seed() {
    let folder = std::env::temp_dir().join(format!("crosstie-hubspot-journal-{}", std::process::id()));
    let options = SimulatorOptions { state_dir: Some(folder.clone()), ..small() };
    let write = |reader: &mut Reader| {
        reader.subscribe("OBJECT", "0-1", &["CREATE"], json!({}));
        reader.account.create("contacts", json!({ "lastname": "Kept" }));
        reader.account.create("contacts", json!({ "lastname": "Kept too" }));
        reader.events(None)
    };
    let mut first = reader(&options);
    let written = write(&mut first);
    assert_eq!(write(&mut reader(&small())), written);
    let token = first.token.clone();
    drop(first);
    // Opened twice: as it was appended, and as it was written anew.
    for _ in 0..2 {
        let mut again = Reader { account: account(&options), token: token.clone() };
        assert_eq!(again.events(None), written);
        assert_eq!(again.account.portal.feed.serial(), 2, "no serial comes again");
        let list = again.ask("GET", SUBSCRIPTIONS, Json::Null).1;
        assert_eq!(list["results"][0]["subscriptionType"], "OBJECT");
    }
    std::fs::remove_dir_all(folder).expect("it was made");
}
