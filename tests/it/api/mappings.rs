//! Mappings, field rules and available fields by REST: exact shapes, every refusal, and that the next run sees a change.

use crosstie::model::Role;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::helpers::{Client, TestApp};

fn of(config: Uuid) -> String {
    format!("/api/crm/configs/{config}/field-mappings")
}

fn new(app_field: &str, crm_field: &str, direction: &str) -> Json {
    json!({ "entityType": "accounts", "appField": app_field, "crmField": crm_field, "syncDirection": direction })
}

async fn mapping(client: &Client, config: Uuid, app_field: &str) -> Json {
    let list = client.get(&of(config)).await.expect(200);
    let mappings = list["mappings"].as_array().expect("a list");
    let found = mappings.iter().find(|one| one["appField"] == app_field && one["entityType"] == "accounts");
    found.unwrap_or_else(|| panic!("no mapping of {app_field}")).clone()
}

fn one(config: Uuid, mapping: &Json) -> String {
    format!("{}/{}", of(config), mapping["id"].as_str().expect("an id"))
}

fn members(problem: &Json) -> Vec<&str> {
    let errors = problem["errors"].as_array().expect("what is wrong");
    errors.iter().map(|error| error["field"].as_str().expect("a member")).collect()
}

#[tokio::test]
async fn a_mapping_is_made_changed_and_removed() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    let ops = app.api_key_of(Role::SalesOps).await;
    let made = ops.post(&of(config), new("custom.tier", "Rating", "push")).await.expect(201);
    let id = made["mapping"]["id"].clone();
    let expected = json!({ "mapping": { "id": id, "entityType": "accounts", "crmField": "Rating", "appField": "custom.tier",
        "syncDirection": "push", "transformFunction": null, "valueMap": null } });
    assert_eq!(made, expected);
    let published = app.row("SELECT field_mappings -> 'accounts' ->> 'Rating' AS app FROM crm_sync_configs").await;
    assert_eq!(published["app"], "custom.tier");

    let change = json!({ "syncDirection": "pull", "transformFunction": "value.toLowerCase()",
        "valueMap": [{ "crm": "Hot", "app": "hot" }] });
    let changed = ops.patch(&one(config, &made["mapping"]), change.clone()).await.expect(200);
    assert_eq!(changed["mapping"]["transformFunction"], "value.toLowerCase()");
    assert_eq!(changed["mapping"]["valueMap"], change["valueMap"]);
    let cleared = json!({ "transformFunction": null, "valueMap": null });
    let cleared = ops.patch(&one(config, &made["mapping"]), cleared).await.expect(200);
    assert_eq!((&cleared["mapping"]["transformFunction"], &cleared["mapping"]["valueMap"]), (&Json::Null, &Json::Null));
    assert_eq!(cleared["mapping"]["syncDirection"], "pull", "what is not named stays");

    assert_eq!(ops.delete(&one(config, &made["mapping"])).await.expect(200), json!({ "success": true }));
    ops.delete(&one(config, &made["mapping"])).await.refused(404, "not_found");
    let published = app.row("SELECT field_mappings -> 'accounts' ->> 'Rating' AS app FROM crm_sync_configs").await;
    assert_eq!(published["app"], Json::Null);
}

#[tokio::test]
async fn what_can_never_work_is_refused_by_member() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    let admin = app.api_key_of(Role::Admin).await;
    let with = |mapping: Json, member: &str, value: Json| {
        let mut mapping = mapping;
        mapping[member] = value;
        mapping
    };
    let cases = [
        (new("nick", "Rating", "pull"), vec!["appField"]),
        (new("custom.", "Rating", "pull"), vec!["appField"]),
        (new("custom.a", "Nope__c", "pull"), vec!["crmField"]),
        (new("custom.a", "LastModifiedDate", "push"), vec!["syncDirection"]),
        (new("custom.a", "LastModifiedDate", "bidirectional"), vec!["syncDirection"]),
        (new("custom.a", "Name", "pull"), vec!["crmField"]),
        (new("name", "Rating", "pull"), vec!["appField"]),
        (new("domain", "OwnerId", "bidirectional"), vec!["crmField"]),
        (
            with(new("owner_email", "OwnerId", "pull"), "transformFunction", json!("value.trim()")),
            vec!["transformFunction"],
        ),
        (new("owner_email", "LastModifiedDate", "pull"), vec!["crmField"]),
        (with(new("custom.a", "Rating", "pull"), "transformFunction", json!("value.(")), vec!["transformFunction"]),
        (
            with(new("custom.a", "Rating", "bidirectional"), "transformFunction", json!("value.trim()")),
            vec!["transformFunction"],
        ),
        (
            with(new("custom.a", "Rating", "bidirectional"), "transformFunction", json!("({ toApp: (v) => v })")),
            vec!["transformFunction"],
        ),
        (
            with(new("custom.a", "Rating", "push"), "transformFunction", json!("({ toApp: (v) => v })")),
            vec!["transformFunction"],
        ),
        (with(new("custom.a", "Rating", "pull"), "valueMap", json!([{ "crm": "Hot", "app": "" }])), vec!["valueMap"]),
        (with(new("custom.a", "Rating", "sideways"), "x", json!(1)), vec!["syncDirection"]),
        (with(new("custom.a", "Rating", "pull"), "extra", json!(1)), vec!["extra"]),
        (with(new("custom.a", "Rating", "pull"), "entityType", json!("account")), vec!["entityType"]),
        (with(new("custom.a", "Rating", "pull"), "valueMap", json!([{ "crm": "a", "app": "b", "c": 1 }])), vec!["c"]),
    ];
    let before = app.rows("SELECT id FROM crm_field_mappings").await.len();
    for (body, expected) in cases {
        let refused = admin.post(&of(config), body.clone()).await.refused(422, "invalid");
        assert_eq!(members(&refused), expected, "{body}");
    }
    assert_eq!(app.rows("SELECT id FROM crm_field_mappings").await.len(), before, "nothing was written");
    let phone = mapping(&admin, config, "phone").await;
    let taken = admin.patch(&one(config, &phone), json!({ "appField": "name" })).await.refused(422, "invalid");
    assert_eq!(members(&taken), ["appField"]);
    let fixed = admin.patch(&one(config, &phone), json!({ "crmField": "Fax" })).await.refused(422, "invalid");
    assert_eq!(members(&fixed), ["crmField"]);
}

#[tokio::test]
async fn roles_and_workspaces_are_kept_apart() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    let admin = app.api_key_of(Role::Admin).await;
    let phone = mapping(&admin, config, "phone").await;
    for role in [Role::Reviewer, Role::Compliance, Role::Member] {
        let client = app.api_key_of(role).await;
        client.get(&of(config)).await.expect(200);
        client.post(&of(config), new("custom.a", "Rating", "pull")).await.refused(403, "forbidden");
        client.patch(&one(config, &phone), json!({ "syncDirection": "pull" })).await.refused(403, "forbidden");
        client.delete(&one(config, &phone)).await.refused(403, "forbidden");
        let rule = json!({ "entityType": "accounts", "appField": "phone", "rule": "use_app" });
        client.put(&format!("/api/crm/configs/{config}/field-rules"), rule).await.refused(403, "forbidden");
    }
    let (_, stranger) = app.other_workspace().await;
    stranger.get(&of(config)).await.refused(404, "not_found");
    stranger.post(&of(config), new("custom.a", "Rating", "pull")).await.refused(404, "not_found");
    stranger.patch(&one(config, &phone), json!({})).await.refused(404, "not_found");
    stranger.delete(&one(config, &phone)).await.refused(404, "not_found");
    stranger
        .post(&format!("{}/preview", of(config)), json!({ "entityType": "accounts" }))
        .await
        .refused(404, "not_found");
    stranger.get("/api/crm/salesforce/available-fields?entityType=accounts").await.refused(404, "not_found");
    app.signed_out().get(&of(config)).await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn rules_are_set_and_lifted() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    let ops = app.api_key_of(Role::SalesOps).await;
    let path = format!("/api/crm/configs/{config}/field-rules");
    let wish = |field: &str, rule: Json| json!({ "entityType": "accounts", "appField": field, "rule": rule });
    let set = ops.put(&path, wish("phone", json!("use_crm"))).await.expect(200);
    assert_eq!(set, json!({ "rules": [{ "entityType": "accounts", "appField": "phone", "rule": "use_crm" }] }));
    assert_eq!(ops.put(&path, wish("phone", Json::Null)).await.expect(200), json!({ "rules": [] }));
    assert_eq!(
        members(&ops.put(&path, wish("owner_email", json!("use_crm"))).await.refused(422, "invalid")),
        ["appField"]
    );
    ops.put(&path, wish("phone", json!("ask"))).await.refused(422, "invalid");
}

#[tokio::test]
async fn the_crm_tells_its_fields() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    let member = app.api_key_of(Role::Member).await;
    let answer = member.get("/api/crm/salesforce/available-fields?entityType=accounts").await.expect(200);
    let fields = answer["fields"].as_array().expect("a list");
    let named = |name: &str| fields.iter().find(|field| field["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    let name = named("Name");
    assert_eq!((&name["required"], &name["readOnly"], &name["options"]), (&json!(true), &json!(false), &Json::Null));
    assert_eq!(named("LastModifiedDate")["readOnly"], true);
    assert!(named("Rating")["options"].as_array().is_some_and(|options| options.contains(&json!("Hot"))));
    member.get("/api/crm/salesforce/available-fields?entityType=leads").await.refused(422, "invalid");
    member.get("/api/crm/salesforce/available-fields").await.refused(422, "invalid");
    member.get("/api/crm/pipedrive/available-fields?entityType=accounts").await.refused(404, "not_found");
}

#[tokio::test]
async fn a_preview_shows_both_sides_and_writes_nothing() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    let ops = app.api_key_of(Role::SalesOps).await;
    app.simulator.create("Account", json!({ "Name": "Kestrel", "Website": "https://www.kestrel.example/x" })).await;
    let path = format!("{}/preview", of(config));
    let first = ops.post(&path, json!({ "entityType": "accounts" })).await.expect(200);
    assert_eq!(first["samples"][0]["mapped"]["domain"], "kestrel.example");
    assert_eq!((&first["samples"][0]["app"], &first["unmappedRequired"]), (&Json::Null, &json!([])));
    assert!(app.rows("SELECT id FROM accounts").await.is_empty(), "nothing was written");

    app.sync().await.expect_state("completed");
    let id = app.row("SELECT id FROM accounts").await["id"].clone();
    let draft = json!({ "crmField": "Name", "appField": "custom.upper", "syncDirection": "pull",
        "transformFunction": "value.toUpperCase()" });
    let wish = json!({ "entityType": "accounts", "mappings": [draft], "recordId": id });
    let tried = ops.post(&path, wish).await.expect(200);
    assert_eq!(tried["samples"][0]["mapped"], json!({ "custom.upper": "KESTREL" }));
    assert_eq!(tried["samples"][0]["crm"], json!({ "Name": "Kestrel" }));
    assert_eq!(tried["unmappedRequired"], json!(["Name"]), "a pull fills nothing there");
    let failing = json!({ "crmField": "Name", "appField": "name", "transformFunction": "({ toApp: (v) => v.nope(), toCrm: (v) => v })" });
    let failed = ops.post(&path, json!({ "entityType": "accounts", "mappings": [failing] })).await.expect(200);
    assert_eq!(failed["samples"][0]["errors"][0]["appField"], "name");

    let member = app.api_key_of(Role::Member).await;
    member.post(&path, json!({ "entityType": "accounts" })).await.expect(200);
    member.post(&path, json!({ "entityType": "accounts", "mappings": [] })).await.refused(403, "forbidden");
    let unknown = json!({ "entityType": "accounts", "recordId": Uuid::from_u128(7) });
    ops.post(&path, unknown).await.refused(404, "not_found");
    let foreign = json!({ "entityType": "accounts", "mappings": [{ "crmField": "Nope", "appField": "name" }] });
    assert_eq!(members(&ops.post(&path, foreign).await.refused(422, "invalid")), ["mappings"]);
}

#[tokio::test]
async fn the_next_run_sees_a_change() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    let ops = app.api_key_of(Role::SalesOps).await;
    app.simulator.create("Account", json!({ "Name": "Kestrel", "Rating": "Hot" })).await;
    app.sync().await.expect_state("completed");

    let made = ops.post(&of(config), new("custom.tier", "Rating", "bidirectional")).await.expect(201);
    app.advance(chrono::TimeDelta::hours(1));
    app.sync().await.expect_state("completed");
    let read = "SELECT custom ->> 'tier' AS tier FROM accounts";
    assert_eq!(app.row(read).await["tier"], "Hot", "a mapping that joins reads what has not changed too");
    let base = "SELECT base::jsonb ? 'custom.tier' AS kept FROM crm_record_links";
    assert_eq!(app.row(base).await["kept"], true);

    ops.delete(&one(config, &made["mapping"])).await.expect(200);
    assert_eq!(app.row(base).await["kept"], false, "what was agreed about it is forgotten");
    app.advance(chrono::TimeDelta::hours(1));
    app.sync().await.expect_state("completed");
    assert_eq!(app.row(read).await["tier"], "Hot", "removing a mapping touches no value");

    ops.post(&of(config), new("custom.tier", "Rating", "bidirectional")).await.expect(201);
    app.advance(chrono::TimeDelta::hours(1));
    app.sync().await.expect_state("completed");
    assert_eq!(app.row(base).await["kept"], true, "made again, the same pair meets again");
}
