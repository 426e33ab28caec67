//! The app's own records by REST.

use chrono::TimeDelta;
use crosstie::model::Role;
use serde_json::{Value as Json, json};

use crate::helpers::{Client, TestApp};

async fn account(client: &Client, fields: Json) -> Json {
    client.post("/api/crm/records/accounts", json!({ "fields": fields })).await.expect(201)["record"].clone()
}

fn path(record: &Json) -> String {
    format!("/api/crm/records/accounts/{}", record["id"].as_str().expect("an id"))
}

fn names(list: &Json) -> Vec<&str> {
    let records = list["records"].as_array().expect("a list");
    records.iter().map(|record| record["fields"]["name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn a_new_record_has_every_member_of_the_contract() {
    let app = TestApp::start().await;
    let ops = app.api_key_of(Role::SalesOps).await;
    let record = account(&ops, json!({ "name": "Müller & Söhne", "employee_count": 412, "custom.tier": "B" })).await;
    let (id, at) = (record["id"].clone(), "2026-03-02T09:00:00.000Z");
    let expected = json!({
        "id": id,
        "fields": {
            "name": "Müller & Söhne", "domain": null, "industry": null, "phone": null, "employee_count": 412,
            "annual_revenue": null, "billing_street": null, "billing_city": null, "billing_state": null,
            "billing_postal_code": null, "billing_country": null, "description": null, "owner_email": null,
            "custom.tier": "B"
        },
        "createdAt": at, "updatedAt": at, "deletedAt": null, "links": []
    });
    assert_eq!(record, expected);
    assert_eq!(ops.get(&path(&record)).await.expect(200), json!({ "record": expected }));
}

#[tokio::test]
async fn numbers_keep_their_digits() {
    let app = TestApp::start().await;
    let ops = app.api_key_of(Role::SalesOps).await;
    let body = r#"{"fields":{"name":"Kestrel","annual_revenue":12345678901234567.10,"custom.score":0.10}}"#;
    let request = ops.request(reqwest::Method::POST, "/api/crm/records/accounts");
    let request = request.header("content-type", "application/json").body(body);
    let made = crate::helpers::answer("a POST".to_owned(), request).await;
    made.expect(201);
    assert!(made.text.contains(r#""annual_revenue":12345678901234567.10"#), "{}", made.text);
    assert!(made.text.contains(r#""custom.score":0.10"#), "{}", made.text);
}

#[tokio::test]
async fn a_change_touches_only_what_it_names() {
    let app = TestApp::start().await;
    let ops = app.api_key_of(Role::SalesOps).await;
    let fields = json!({ "name": "Kestrel", "phone": "+44 1", "industry": "Energy", "custom.a": 1, "custom.b": true });
    let record = account(&ops, fields).await;
    app.advance(TimeDelta::seconds(5));
    let change = json!({ "fields": { "phone": null, "custom.a": null, "custom.c": "x" } });
    let changed = ops.patch(&path(&record), change).await.expect(200)["record"].clone();
    assert_eq!(changed["fields"]["phone"], Json::Null);
    assert_eq!(changed["fields"]["industry"], "Energy");
    assert_eq!(changed["fields"].get("custom.a"), None);
    assert_eq!((&changed["fields"]["custom.b"], &changed["fields"]["custom.c"]), (&json!(true), &json!("x")));
    assert_eq!(changed["updatedAt"], "2026-03-02T09:00:05.000Z");
    assert_eq!(changed["createdAt"], "2026-03-02T09:00:00.000Z");

    app.advance(TimeDelta::seconds(5));
    let same = ops.patch(&path(&record), json!({ "fields": {} })).await.expect(200);
    assert_eq!(same["record"], changed, "nothing named, nothing changed");
}

#[tokio::test]
async fn what_is_invalid_names_every_field_and_changes_nothing() {
    let app = TestApp::start().await;
    let ops = app.api_key_of(Role::SalesOps).await;
    let record = account(&ops, json!({ "name": "Kestrel" })).await;
    let nowhere = "6f0f9f0e-0000-4000-8000-000000000000";
    let fields = json!({ "name": "", "employee_count": "many", "wings": 2, "phone": "+44 1" });
    let refused = ops.patch(&path(&record), json!({ "fields": fields })).await.refused(422, "invalid");
    let named: Vec<_> = refused["errors"].as_array().expect("errors").iter().map(|error| &error["field"]).collect();
    assert_eq!(named, ["employee_count", "name", "wings"]);
    assert_eq!(ops.get(&path(&record)).await.expect(200)["record"], record);

    for (entity, body, member) in [
        ("accounts", json!({ "fields": {} }), "name"),
        ("accounts", json!({}), "fields"),
        ("accounts", json!({ "fields": { "name": "x" }, "id": 1 }), "id"),
        ("accounts", json!({ "fields": [] }), "fields"),
        ("accounts", json!({ "fields": { "name": "x".repeat(256) } }), "name"),
        ("contacts", json!({ "fields": { "last_name": "Lind", "account_id": nowhere } }), "account_id"),
        ("contacts", json!({ "fields": { "last_name": "Lind", "account_id": "kestrel" } }), "account_id"),
        ("opportunities", json!({ "fields": { "name": "x", "close_date": "2027-02-30" } }), "close_date"),
        ("opportunities", json!({ "fields": { "name": "x", "probability": 101 } }), "probability"),
    ] {
        let problem = ops.post(&format!("/api/crm/records/{entity}"), body).await.refused(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], member, "{problem}");
    }
}

#[tokio::test]
async fn a_reference_stays_within_the_workspace_and_among_the_living() {
    let app = TestApp::start().await;
    let ops = app.api_key_of(Role::SalesOps).await;
    let (_, stranger) = app.other_workspace().await;
    let (ours, theirs) =
        (account(&ops, json!({ "name": "Kestrel" })).await, account(&stranger, json!({ "name": "Alder" })).await);
    let contact = |account: &Json| json!({ "fields": { "last_name": "Lind", "account_id": account["id"] } });
    let made = ops.post("/api/crm/records/contacts", contact(&ours)).await.expect(201);
    assert_eq!(made["record"]["fields"]["account_id"], ours["id"]);
    ops.post("/api/crm/records/contacts", contact(&theirs)).await.refused(422, "invalid");
    ops.delete(&path(&ours)).await.expect(200);
    ops.post("/api/crm/records/contacts", contact(&ours)).await.refused(422, "invalid");
    // The one that is there already may keep it.
    let there = format!("/api/crm/records/contacts/{}", made["record"]["id"].as_str().expect("an id"));
    ops.patch(&there, json!({ "fields": { "title": "Buyer", "account_id": ours["id"] } })).await.expect(200);
}

#[tokio::test]
async fn deleting_is_soft_and_lists_leave_the_deleted_out() {
    let app = TestApp::start().await;
    let ops = app.api_key_of(Role::SalesOps).await;
    let record = account(&ops, json!({ "name": "Kestrel" })).await;
    account(&ops, json!({ "name": "Alder" })).await;
    app.advance(TimeDelta::seconds(5));
    let deleted = ops.delete(&path(&record)).await.expect(200);
    assert_eq!(deleted["record"]["deletedAt"], "2026-03-02T09:00:05.000Z");
    assert_eq!(ops.delete(&path(&record)).await.expect(200), deleted, "deleting again changes nothing");
    assert_eq!(names(&ops.get("/api/crm/records/accounts").await.expect(200)), ["Alder"]);
    let all = ops.get("/api/crm/records/accounts?deleted=include").await.expect(200);
    assert_eq!(names(&all), ["Kestrel", "Alder"]);
    assert_eq!(ops.get(&path(&record)).await.expect(200), deleted);
    ops.patch(&path(&record), json!({ "fields": { "name": "x" } })).await.refused(409, "record_deleted");
    ops.get("/api/crm/records/accounts?deleted=maybe").await.refused(422, "invalid");
}

#[tokio::test]
async fn a_list_is_walked_by_offset_and_by_cursor() {
    let app = TestApp::start().await;
    let ops = app.api_key_of(Role::SalesOps).await;
    for name in ["A", "B", "C", "D", "E"] {
        account(&ops, json!({ "name": name })).await;
        app.advance(TimeDelta::seconds(1));
    }
    let first = ops.get("/api/crm/records/accounts?limit=2").await.expect(200);
    assert_eq!(names(&first), ["E", "D"]);
    assert_eq!(first["pagination"]["total"], 5);
    let cursor = first["pagination"]["nextCursor"].as_str().expect("more follows").to_owned();
    let next = ops.get(&format!("/api/crm/records/accounts?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!(names(&next), ["C", "B"]);
    let cursor = next["pagination"]["nextCursor"].as_str().expect("more follows").to_owned();
    let last = ops.get(&format!("/api/crm/records/accounts?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!((names(&last), &last["pagination"]["nextCursor"]), (vec!["A"], &Json::Null));
    let part = ops.get("/api/crm/records/accounts?limit=2&offset=3").await.expect(200);
    assert_eq!(names(&part), ["B", "A"]);
    assert_eq!(part["pagination"], json!({ "total": 5, "limit": 2, "offset": 3, "nextCursor": null }));

    let since = ops.get("/api/crm/records/accounts?updatedSince=2026-03-02T09:00:03.000Z").await.expect(200);
    assert_eq!(names(&since), ["E", "D"]);
    for query in ["limit=0", "limit=201", "limit=x", "offset=-1", "cursor=x", "updatedSince=yesterday"] {
        let problem = ops.get(&format!("/api/crm/records/accounts?{query}")).await.refused(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], query.split('=').next().expect("a name"), "{problem}");
    }
}

#[tokio::test]
async fn a_search_takes_every_letter_literally() {
    let app = TestApp::start().await;
    let ops = app.api_key_of(Role::SalesOps).await;
    let record = account(&ops, json!({ "name": "50% Off_Ltd", "domain": "kestrel.example" })).await;
    account(&ops, json!({ "name": "500 Off Ltd" })).await;
    let found = async |q: &str| {
        let q: String = url::form_urlencoded::byte_serialize(q.as_bytes()).collect();
        let list = ops.get(&format!("/api/crm/records/accounts?q={q}")).await.expect(200);
        (names(&list).len(), list["pagination"]["total"].as_i64().expect("a number"))
    };
    for (q, hits) in [("50%", 1), ("f_l", 1), ("OFF", 2), ("kestrel.ex", 1), ("'; drop", 0), ("\\", 0), ("", 2)] {
        assert_eq!(found(q).await, (hits, hits as i64), "{q}");
    }
    assert_eq!(found(record["id"].as_str().expect("an id")).await, (1, 1));
}

#[tokio::test]
async fn an_edit_is_an_edit_to_the_connection() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    let reviewer = app.api_key_of(Role::Reviewer).await;
    let record = account(&reviewer, json!({ "name": "Kestrel Foods", "phone": "+44 1" })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.find("Account", "Name", "Kestrel Foods").await.text("Phone").as_deref(), Some("+44 1"));
    let links = reviewer.get(&path(&record)).await.expect(200)["record"]["links"].clone();
    assert_eq!((&links[0]["provider"], &links[0]["state"]), (&json!("salesforce"), &json!("linked")));
    assert!(links[0]["configId"].is_string() && links[0]["crmRecordId"].is_string(), "{links}");

    app.advance(TimeDelta::seconds(5));
    reviewer.patch(&path(&record), json!({ "fields": { "phone": "+44 2" } })).await.expect(200);
    let waiting = app.row("SELECT changed_fields FROM crm_pending_changes").await;
    assert_eq!(waiting, json!({ "changed_fields": ["phone"] }));
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.find("Account", "Name", "Kestrel Foods").await.text("Phone").as_deref(), Some("+44 2"));
    app.assert_agreement().await;
}

#[tokio::test]
async fn who_may_only_read_is_told_so() {
    let app = TestApp::start().await;
    let record = account(&app.api_key_of(Role::Admin).await, json!({ "name": "Kestrel" })).await;
    for role in [Role::Compliance, Role::Member] {
        let reader = app.api_key_of(role).await;
        reader.get(&path(&record)).await.expect(200);
        assert_eq!(names(&reader.get("/api/crm/records/accounts").await.expect(200)), ["Kestrel"]);
        let fields = json!({ "fields": { "name": "x" } });
        reader.post("/api/crm/records/accounts", fields.clone()).await.refused(403, "forbidden");
        reader.patch(&path(&record), fields).await.refused(403, "forbidden");
        reader.delete(&path(&record)).await.refused(403, "forbidden");
    }
}

#[tokio::test]
async fn what_is_not_here_is_not_found() {
    let app = TestApp::start().await;
    let admin = app.api_key_of(Role::Admin).await;
    let record = account(&admin, json!({ "name": "Kestrel" })).await;
    let (_, stranger) = app.other_workspace().await;
    let fields = json!({ "fields": { "name": "x" } });
    for path in [path(&record), "/api/crm/records/accounts/kestrel".to_owned(), "/api/crm/records/leads".to_owned()] {
        stranger.get(&path).await.refused(404, "not_found");
    }
    stranger.patch(&path(&record), fields).await.refused(404, "not_found");
    stranger.delete(&path(&record)).await.refused(404, "not_found");
    let as_contact = path(&record).replace("accounts", "contacts");
    admin.get(&as_contact).await.refused(404, "not_found");
}
