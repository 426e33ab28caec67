//! Stories of files: both ways with either CRM, through the app from one to the other, and what goes wrong on the way.

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use crosstie::model::Provider::{self, Hubspot, Salesforce};
use crosstie::model::Role;
use reqwest::multipart::{Form, Part};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{PULL, PUSH, app_id};
use crate::helpers::{FILE_LIMIT, TestApp};

const DATA: &str = "/services/data/v62.0/sobjects";

/// Asks a CRM as a program beside Crosstie would.
async fn ask(app: &TestApp, provider: Provider, method: &str, path: &str) -> reqwest::RequestBuilder {
    static TOKENS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let simulator = app.simulator_of(provider);
    let known = TOKENS.lock().expect("nobody panics").get(&simulator.url).cloned();
    let token = match known {
        // Salesforce ends the oldest grant when there are more than five.
        Some(token) if provider == Salesforce => token,
        _ => {
            let told = simulator.control("token", json!({})).await;
            let token = told["access_token"].as_str().expect("a token").to_owned();
            TOKENS.lock().expect("nobody panics").insert(simulator.url.clone(), token.clone());
            token
        }
    };
    let request = reqwest::Client::new().request(method.parse().expect("a method"), format!("{}{path}", simulator.url));
    request.bearer_auth(token)
}

async fn json_of(request: reqwest::RequestBuilder) -> Json {
    let response = request.send().await.expect("an answer");
    let (status, text) = (response.status(), response.text().await.expect("a body"));
    assert!(status.is_success(), "{status} {text}");
    serde_json::from_str(&text).expect("JSON")
}

/// A person adds a file to a record in the CRM. Returns the CRM's id of the file.
async fn put(app: &TestApp, provider: Provider, record: &str, name: &str, content: &[u8]) -> String {
    let id = |told: &Json| told["id"].as_str().expect("an id").to_owned();
    if provider == Salesforce {
        return document_of(app, json!({ "FirstPublishLocationId": record }), name, content).await;
    }
    let options = json!({ "access": "PRIVATE" }).to_string();
    let form = Form::new().part("file", Part::bytes(content.to_vec()).file_name(name.to_owned()));
    let form = form.text("folderPath", "/by hand").text("options", options);
    let file = id(&json_of(ask(app, provider, "POST", "/files/v3/files").await.multipart(form)).await);
    let note = json!({
        "properties": { "hs_timestamp": "2026-03-02T09:00:00Z", "hs_note_body": "See the file", "hs_attachment_ids": file },
        "associations": [{ "to": { "id": record },
                           "types": [{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 190 }] }] });
    json_of(ask(app, provider, "POST", "/crm/v3/objects/notes").await.json(&note)).await;
    file
}

/// A version in Salesforce, where `place` says; returns its document.
async fn document_of(app: &TestApp, place: Json, name: &str, content: &[u8]) -> String {
    let mut version = place;
    version["PathOnClient"] = json!(name);
    version["VersionData"] = json!(STANDARD.encode(content));
    let made = json_of(ask(app, Salesforce, "POST", &format!("{DATA}/ContentVersion")).await.json(&version)).await;
    let made = app.simulator.record("ContentVersion", made["id"].as_str().expect("an id")).await;
    made.text("ContentDocumentId").expect("a document")
}

/// The files of a CRM record, by name.
async fn held(app: &TestApp, provider: Provider, record: &str) -> Vec<(String, String)> {
    let mut files = match provider {
        Salesforce => held_in_salesforce(app, record).await,
        Hubspot => held_in_hubspot(app, record).await,
    };
    files.sort();
    files
}

async fn held_in_salesforce(app: &TestApp, record: &str) -> Vec<(String, String)> {
    let versions = app.simulator.records("ContentVersion").await;
    let mut files = Vec::new();
    for link in app.simulator.records("ContentDocumentLink").await {
        if link.text("LinkedEntityId").as_deref() != Some(record) {
            continue;
        }
        let document = link.text("ContentDocumentId");
        let newest = versions.iter().filter(|version| version.text("ContentDocumentId") == document);
        for version in newest.filter(|version| version.text("IsLatest").as_deref() == Some("true")) {
            let path = format!("{DATA}/ContentVersion/{}/VersionData", version.id);
            let content = ask(app, Salesforce, "GET", &path).await.send().await.expect("an answer");
            let name = version.text("PathOnClient").expect("a name");
            files.push((name, content.text().await.expect("text")));
        }
    }
    files
}

async fn held_in_hubspot(app: &TestApp, record: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for note in app.hubspot.records("notes").await {
        let is_of = note.associations.get("companies").is_some_and(|ids| ids.to_string().contains(record));
        for id in note.text("hs_attachment_ids").filter(|_| is_of).unwrap_or_default().split(';') {
            let file = json_of(ask(app, Hubspot, "GET", &format!("/files/v3/files/{id}")).await).await;
            assert_eq!(file["access"], "PRIVATE");
            let text = |name: &str| file[name].as_str().expect("text").to_owned();
            let signed = json_of(ask(app, Hubspot, "GET", &format!("/files/v3/files/{id}/signed-url")).await).await;
            let content = reqwest::get(signed["url"].as_str().expect("an address")).await.expect("an answer");
            files.push((format!("{}.{}", text("name"), text("extension")), content.text().await.expect("text")));
        }
    }
    files
}

/// The files of the app's record, by name.
async fn here(app: &TestApp, record: Uuid) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for file in app.files_of("accounts", record).await {
        let content = app.content_of("accounts", record, &file).await;
        files.push((file["name"].as_str().expect("a name").to_owned(), String::from_utf8(content).expect("text")));
    }
    files
}

fn pairs(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect()
}

/// An account on both sides of a connection that moves files; its ids in the app and in the CRM.
async fn linked(app: &TestApp, provider: Provider) -> (Uuid, String) {
    let crm_id = match provider {
        Salesforce => app.simulator.create("Account", json!({ "Name": "Kestrel", "Website": "kestrel.example" })).await,
        Hubspot => app.hubspot.create("companies", json!({ "name": "Kestrel", "domain": "kestrel.example" })).await,
    };
    match provider {
        Salesforce => app.connect_salesforce().await,
        Hubspot => app.connect_hubspot().await,
    };
    app.sync().await.expect_state("completed");
    app.set_config("options = options || '{\"syncFiles\": true}'").await;
    app.advance(TimeDelta::minutes(5));
    (app_id(app, &crm_id).await, crm_id)
}

/// A run, and then one that moves no file.
async fn settle(app: &TestApp) {
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(15));
    assert_rests(app).await;
}

async fn assert_rests(app: &TestApp) {
    let journal = "SELECT count(*) AS rows FROM crm_sync_changes";
    let before = app.row(journal).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.row(journal).await, before, "nothing moves");
    app.advance(TimeDelta::minutes(15));
}

#[tokio::test]
async fn files_travel_both_ways_once() {
    for provider in [Salesforce, Hubspot] {
        let app = TestApp::start().await;
        let (record, crm_id) = linked(&app, provider).await;
        put(&app, provider, &crm_id, "Theirs.pdf", b"from the CRM").await;
        app.add_file("accounts", record, "Ours.pdf", b"from the app").await;
        settle(&app).await;
        let both = pairs(&[("Ours.pdf", "from the app"), ("Theirs.pdf", "from the CRM")]);
        assert_eq!(here(&app, record).await, both, "{provider}");
        assert_eq!(held(&app, provider, &crm_id).await, both, "{provider}");
        let ties = app.rows("SELECT state, failure, sent_at FROM crm_file_ties").await;
        assert_eq!(ties, [(); 2].map(|()| json!({ "state": "linked", "failure": null, "sent_at": null })));
        let moved =
            "SELECT side, fields #>> '{0,after}' AS name FROM crm_sync_changes WHERE fields #>> '{0,appField}' = 'file'
                     ORDER BY side";
        let journal = [json!({ "side": "app", "name": "Theirs.pdf" }), json!({ "side": "crm", "name": "Ours.pdf" })];
        assert_eq!(app.rows(moved).await, journal);
    }
}

#[tokio::test]
async fn a_file_goes_from_one_crm_to_the_other_and_stops_there() {
    let app = TestApp::start().await;
    let (record, account) = linked(&app, Salesforce).await;
    let salesforce = app.config_id().await;
    let hubspot = app.connect_hubspot().await;
    app.as_superuser("UPDATE crm_sync_configs SET options = options || '{\"syncFiles\": true}'").await;
    let document = put(&app, Salesforce, &account, "Offer.pdf", b"first").await;
    let round = async || {
        for config in [salesforce, hubspot, salesforce, hubspot] {
            app.sync_of(config).await.expect_state("completed");
            app.advance(TimeDelta::minutes(10));
        }
    };
    round().await;
    let company = app.hubspot.find("companies", "name", "Kestrel").await.id;
    let first = pairs(&[("Offer.pdf", "first")]);
    assert_eq!(here(&app, record).await, first);
    assert_eq!(held(&app, Hubspot, &company).await, first);
    // A new version replaces the content everywhere.
    document_of(&app, json!({ "ContentDocumentId": document }), "Offer.pdf", b"second").await;
    round().await;
    let second = pairs(&[("Offer.pdf", "second")]);
    for provider in [Salesforce, Hubspot] {
        let crm_id = if provider == Salesforce { &account } else { &company };
        assert_eq!(held(&app, provider, crm_id).await, second, "{provider}");
    }
    assert_eq!(here(&app, record).await, second);
    assert_eq!(app.rows("SELECT id FROM crm_files").await.len(), 1);
    assert_eq!(app.simulator.records("ContentVersion").await.len(), 2, "nothing came back");
    assert_eq!(app.hubspot.records("notes").await.len(), 1);
}

#[tokio::test]
async fn nothing_moves_where_option_or_direction_is_against_it() {
    let app = TestApp::start().await;
    let (record, crm_id) = linked(&app, Salesforce).await;
    put(&app, Salesforce, &crm_id, "Theirs.pdf", b"theirs").await;
    app.add_file("accounts", record, "Ours.pdf", b"ours").await;
    app.set_config("options = options || '{\"syncFiles\": false}'").await;
    assert_rests(&app).await;
    let (theirs, ours) = (("Theirs.pdf", "theirs"), ("Ours.pdf", "ours"));
    assert_eq!(here(&app, record).await, pairs(&[ours]));
    app.set_config("options = options || '{\"syncFiles\": true}'").await;
    app.sync_only(PULL).await.expect_state("completed");
    assert_eq!(here(&app, record).await, pairs(&[ours, theirs]));
    assert_eq!(held(&app, Salesforce, &crm_id).await, pairs(&[theirs]));
    app.sync_only(PUSH).await.expect_state("completed");
    assert_eq!(held(&app, Salesforce, &crm_id).await, pairs(&[ours, theirs]));
    // A record that left the filter rests, its files too.
    app.as_superuser("UPDATE crm_record_links SET state = 'out_of_scope'").await;
    put(&app, Salesforce, &crm_id, "Later.pdf", b"later").await;
    app.advance(TimeDelta::minutes(15));
    app.sync_only(PUSH).await.expect_state("completed");
    assert_eq!(here(&app, record).await, pairs(&[ours, theirs]));
}

#[tokio::test]
async fn what_is_deleted_on_one_side_stays_on_the_other_and_does_not_come_back() {
    for provider in [Salesforce, Hubspot] {
        let app = TestApp::start().await;
        let (record, crm_id) = linked(&app, provider).await;
        let theirs = put(&app, provider, &crm_id, "Theirs.pdf", b"theirs").await;
        let ours = app.add_file("accounts", record, "Ours.pdf", b"ours").await;
        settle(&app).await;
        let ops = app.api_key_of(Role::SalesOps).await;
        let deleted = ops.delete(&format!("/api/crm/records/accounts/{record}/files/{ours}")).await;
        assert_eq!(deleted.status, 204);
        let gone = match provider {
            Salesforce => format!("{DATA}/ContentDocument/{theirs}"),
            Hubspot => format!("/files/v3/files/{theirs}"),
        };
        let gone = ask(&app, provider, "DELETE", &gone).await.send().await.expect("an answer");
        assert_eq!(gone.status(), 204);
        assert_rests(&app).await;
        assert_eq!(here(&app, record).await, pairs(&[("Theirs.pdf", "theirs")]), "{provider}");
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_is_named_with_its_reason_and_asked_for_once() {
    for provider in [Salesforce, Hubspot] {
        let app = TestApp::start().await;
        let (record, crm_id) = linked(&app, provider).await;
        let large = vec![b'x'; usize::try_from(FILE_LIMIT).expect("small") + 1];
        put(&app, provider, &crm_id, "Large.pdf", &large).await;
        put(&app, provider, &crm_id, "Small.pdf", b"small").await;
        let run = app.sync().await.expect_state("partial");
        assert_eq!(here(&app, record).await, pairs(&[("Small.pdf", "small")]), "the others go on");
        let log = app.logs(run.id).await.remove(&("account".to_owned(), "pull".to_owned())).expect("a log");
        let admin = app.api_key_of(Role::Admin).await;
        let told = admin.get(&format!("/api/crm/sync/logs/{}", log["id"].as_str().expect("an id"))).await.expect(200);
        let error = &told["details"]["errors"][0];
        assert_eq!((&error["code"], &error["recordId"]), (&json!("too_large"), &json!(record.to_string())), "{told}");
        let page = app.sign_in_as(Role::Member).await.get(&format!("/records/accounts/{record}")).await;
        assert!(page.text.contains("Large.pdf: ") && page.text.contains("larger than 1 MB"), "{}", page.text);
        assert!(page.text.contains(&format!("In {} too.", provider.title())), "{}", page.text);
        app.advance(TimeDelta::minutes(15));
        assert_rests(&app).await;
    }
}

#[tokio::test]
async fn a_lost_answer_to_an_upload_doubles_nothing() {
    let calls = [
        (Salesforce, json!({ "operation": "create" })),
        (Hubspot, json!({ "operation": "files", "method": "POST" })),
        // The note that puts the file on the record.
        (Hubspot, json!({ "operation": "create" })),
    ];
    for (provider, call) in calls {
        for fault in ["lost_response", "reset"] {
            let app = TestApp::start().await;
            let (record, crm_id) = linked(&app, provider).await;
            app.add_file("accounts", record, "Ours.pdf", b"ours").await;
            let rule = json!([{ "match": call, "fault": fault, "times": 1 }]);
            app.simulator_of(provider).faults(rule).await;
            app.sync().await.expect_state("completed");
            assert_eq!(app.row("SELECT state FROM crm_file_ties").await["state"], "sending", "{call} {fault}");
            // Too early to say that it is not there.
            app.advance(TimeDelta::minutes(1));
            app.sync().await.expect_state("completed");
            app.advance(TimeDelta::minutes(15));
            settle(&app).await;
            let once = pairs(&[("Ours.pdf", "ours")]);
            assert_eq!(held(&app, provider, &crm_id).await, once, "{call} {fault}");
            assert_eq!(here(&app, record).await, once, "{call} {fault}");
            if provider == Hubspot {
                let files = json_of(ask(&app, Hubspot, "GET", "/files/v3/files/search").await).await;
                assert_eq!(files["results"].as_array().map(Vec::len), Some(1), "none is left over: {files}");
            }
        }
    }
}

#[tokio::test]
async fn what_does_not_arrive_as_it_was_is_not_kept() {
    let calls = [
        (Salesforce, json!({ "path": "/services/data/v62.0/sobjects/ContentVersion" })),
        (Hubspot, json!({ "path": "/hubfs" })),
    ];
    for (provider, call) in calls {
        let app = TestApp::start().await;
        let (record, crm_id) = linked(&app, provider).await;
        put(&app, provider, &crm_id, "Theirs.pdf", b"theirs").await;
        app.simulator_of(provider).faults(json!([{ "match": call, "fault": "garbage" }])).await;
        app.sync().await.expect_state("partial");
        assert_eq!(here(&app, record).await, pairs(&[]));
        let failure = app.row("SELECT failure ->> 'code' AS code, state FROM crm_file_ties").await;
        assert_eq!(failure, json!({ "code": "file_not_moved", "state": "pull" }), "{provider}");
        // Once is a matter of the run itself.
        app.simulator_of(provider).faults(json!([{ "match": call, "fault": "garbage", "times": 1 }])).await;
        app.advance(TimeDelta::minutes(15));
        app.sync().await.expect_state("completed");
        assert_eq!(here(&app, record).await, pairs(&[("Theirs.pdf", "theirs")]));
        app.advance(TimeDelta::minutes(15));
        assert_rests(&app).await;
    }
}

#[tokio::test]
async fn a_worker_that_dies_with_a_file_under_way_doubles_nothing() {
    let app = TestApp::start().await;
    let (record, crm_id) = linked(&app, Salesforce).await;
    put(&app, Salesforce, &crm_id, "Theirs.pdf", b"theirs").await;
    app.add_file("accounts", record, "Ours.pdf", b"ours").await;
    app.sync().await.expect_state("completed");
    // As it stands after a death between the call and what it came to, on either way.
    app.as_superuser(
        "UPDATE crm_file_ties SET state = 'sending', sent_at = '2026-03-02T09:05:00Z', crm_file = NULL, sha256 = NULL
         WHERE file_id IN (SELECT id FROM crm_files WHERE created_by IS NOT NULL)",
    )
    .await;
    app.advance(TimeDelta::minutes(15));
    assert_rests(&app).await;
    let both = pairs(&[("Ours.pdf", "ours"), ("Theirs.pdf", "theirs")]);
    assert_eq!((here(&app, record).await, held(&app, Salesforce, &crm_id).await), (both.clone(), both));
}

#[tokio::test]
async fn what_a_crm_refuses_fails_alone_and_is_sent_when_it_no_longer_does() {
    let app = TestApp::start().await;
    let (record, crm_id) = linked(&app, Salesforce).await;
    app.add_file("accounts", record, "Ours.pdf", b"ours").await;
    put(&app, Salesforce, &crm_id, "Theirs.pdf", b"theirs").await;
    let rule = json!([{ "match": { "operation": "create" }, "fault": "status", "status": 400 }]);
    app.simulator.faults(rule).await;
    app.sync().await.expect_state("partial");
    assert_eq!(here(&app, record).await.len(), 2, "the other one came");
    let failed =
        app.row("SELECT failure ->> 'message' AS message, state FROM crm_file_ties WHERE failure IS NOT NULL").await;
    assert_eq!(failed["state"], "push");
    assert!(failed["message"].as_str().is_some_and(|text| text.starts_with("Salesforce refused")), "{failed}");
    app.simulator.clear_faults().await;
    app.advance(TimeDelta::minutes(15));
    settle(&app).await;
    assert_eq!(held(&app, Salesforce, &crm_id).await.len(), 2);
}
