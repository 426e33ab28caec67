//! The mapping screen without script.

use crosstie::model::Role;
use reqwest::Method;
use serde_json::json;

use crate::helpers::{Client, TestApp, answer};

const PAGE: &str = "/integrations/salesforce/mappings/accounts";

async fn page(client: &Client, path: &str) -> String {
    let page = client.get(path).await;
    assert_eq!(page.status, 200, "{path}");
    page.text
}

/// Sends a form as a browser without script does; gives the address it is sent on to.
async fn send(client: &Client, endpoint: &str, members: &[(&str, &str)]) -> String {
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish();
    let request = client
        .request(Method::POST, &format!("/fn/{endpoint}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "text/html")
        .header("referer", format!("http://127.0.0.1{PAGE}"))
        .body(body);
    let sent = answer(endpoint.to_owned(), request).await;
    assert_eq!(sent.status, 302, "{endpoint}: {}", sent.text);
    sent.header("location").expect("an address").to_owned()
}

#[tokio::test]
async fn mappings_lead_to_the_connection_or_say_how_to_get_one() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    assert!(page(&admin, "/mappings").await.contains("No CRM is connected yet"));
    assert_eq!(admin.get(PAGE).await.status, 404);
    app.connect_salesforce().await;
    let sent_on = admin.get("/mappings").await;
    assert_eq!((sent_on.status, sent_on.header("location")), (302, Some(PAGE)));
    assert_eq!(admin.get("/integrations/hubspot/mappings/accounts").await.status, 404);
    assert_eq!(admin.get("/integrations/salesforce/mappings/leads").await.status, 404);
}

#[tokio::test]
async fn the_table_shows_both_sides_of_a_record() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    app.simulator.create("Account", json!({ "Name": "Kestrel", "Website": "https://www.kestrel.example/" })).await;
    app.sync().await.expect_state("completed");
    let ops = app.api_key_of(Role::SalesOps).await;
    let locked = json!({ "entityType": "accounts", "appField": "custom.seen", "crmField": "LastModifiedDate", "syncDirection": "pull" });
    ops.post(&format!("/api/crm/configs/{config}/field-mappings"), locked).await.expect(201);

    let member = app.sign_in_as(Role::Member).await;
    let html = page(&member, PAGE).await;
    for shown in ["Field mappings", "kestrel.example", "https://www.kestrel.example/", "Account Name", "Later edit"] {
        assert!(html.contains(shown), "{shown}");
    }
    assert!(html.contains("Only an admin or sales ops may change mappings."));
    assert!(html.contains("is read-only in Salesforce, so it can only be pulled."));
    let found = page(&member, &format!("{PAGE}?q=phone")).await;
    assert!(found.contains(">phone<") && !found.contains(">domain<"));
    assert!(page(&member, &format!("{PAGE}?problems=only")).await.contains("No mapping is like that"));
}

#[tokio::test]
async fn a_mapping_is_added_tried_changed_removed_and_brought_back() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    app.simulator.create("Account", json!({ "Name": "Kestrel", "Rating": "Hot" })).await;
    app.sync().await.expect_state("completed");
    let ops = app.sign_in_as(Role::SalesOps).await;
    let dialog = page(&ops, &format!("{PAGE}?dialog=add")).await;
    assert!(dialog.contains("Add a mapping for accounts") && dialog.contains("form[transform]"));
    let tried = page(
        &ops,
        &format!("{PAGE}?dialog=add&try=1&form[app_field]=custom.tier&form[crm_field]=Rating&form[direction]=pull&form[transform]=value.toUpperCase()"),
    )
    .await;
    assert!(tried.contains("HOT") && tried.contains("1 fine"));

    let common = [("provider", "salesforce"), ("entity", "account"), ("form[mapping]", ""), ("form[rule]", "use_crm")];
    let form = [
        ("form[app_field]", "custom.tier"),
        ("form[crm_field]", "Rating"),
        ("form[direction]", "bidirectional"),
        ("form[transform]", ""),
        ("form[pair_app][0]", ""),
        ("form[pair_crm][0]", ""),
    ];
    let added = send(&ops, "save_mapping", &[&common[..], &form[..]].concat()).await;
    let html = page(&ops, &added).await;
    assert!(html.contains("custom.tier is mapped to Rating") && html.contains("CRM, always"), "{added}");
    let id = app.row("SELECT id FROM crm_field_mappings WHERE app_field = 'custom.tier'").await["id"].clone();
    let id = id.as_str().expect("an id");

    let direction =
        [("provider", "salesforce"), ("entity", "account"), ("mapping", id), ("direction", "push"), ("back", "q=tier")];
    let pushed = send(&ops, "set_mapping_direction", &direction).await;
    assert!(pushed.starts_with(&format!("{PAGE}?q=tier&changed=")), "{pushed}");
    assert!(page(&ops, &pushed).await.contains("push instead of two-way"));

    assert!(page(&ops, &format!("{PAGE}?dialog=remove&mapping={id}")).await.contains("Remove the mapping of tier?"));
    let removed = send(&ops, "remove_mapping", &direction[..3]).await;
    let html = page(&ops, &removed).await;
    assert!(html.contains("is no longer mapped to Rating") && html.contains("Undo"));
    let change = removed.split("changed=").nth(1).expect("a change");
    let back = send(&ops, "undo_mapping_change", &[("provider", "salesforce"), ("change", change)]).await;
    assert!(page(&ops, &back).await.contains("custom.tier is mapped to Rating"));
    let restored = app.row("SELECT sync_direction FROM crm_field_mappings WHERE app_field = 'custom.tier'").await;
    assert_eq!(restored["sync_direction"], "push");
    let again = send(&ops, "undo_mapping_change", &[("provider", "salesforce"), ("change", change)]).await;
    assert!(again.contains("__err"), "a change is taken back once: {again}");
}
