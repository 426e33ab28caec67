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

#[tokio::test]
async fn proposals_are_ticked_above_a_line_published_at_once_and_taken_back() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    for place in 0..6 {
        let fields = json!({ "Name": format!("Kestrel {place}"), "Phone": format!("+41 44 000 00 {place}0") });
        app.simulator.create("Account", fields).await;
    }
    app.sync().await.expect_state("completed");
    app.as_superuser("DELETE FROM crm_field_mappings WHERE app_field IN ('phone', 'domain')").await;
    let ops = app.sign_in_as(Role::SalesOps).await;
    assert!(page(&ops, PAGE).await.contains("Auto-map fields"));
    let dialog = page(&ops, &format!("{PAGE}?dialog=auto-map&line=95")).await;
    for shown in ["same name; 100 % of 6 matched records equal", "same meaning, domain", "values of 6 linked records"] {
        assert!(dialog.contains(shown), "{shown}");
    }
    let is_ticked = |dialog: &str, pair: &str| {
        let start = dialog.find(&format!("value=\"{pair}\"")).unwrap_or_else(|| panic!("no {pair}: {dialog}"));
        dialog[start..].split('>').next().expect("a tag").contains("checked")
    };
    assert!(is_ticked(&dialog, "Phone=phone") && !is_ticked(&dialog, "Website=domain"), "only what is above the line");
    let all = page(&ops, &format!("{PAGE}?dialog=auto-map&line=0")).await;
    assert!(is_ticked(&all, "Website=domain"));
    let mapped = "SELECT app_field, sync_direction, transform_function IS NOT NULL AS converts FROM crm_field_mappings
                  WHERE app_field IN ('phone', 'domain', 'owner_email') ORDER BY 1";
    assert!(app.rows(mapped).await.is_empty(), "looking maps nothing");

    // What is not ticked is not sent: the places in between are missing.
    let common = [("provider", "salesforce"), ("entity", "account"), ("back", "q=o")];
    let ticked = [("accepted[0]", "Phone=phone"), ("accepted[2]", "Website=domain")];
    let published = send(&ops, "accept_suggestions", &[&common[..], &ticked[..]].concat()).await;
    assert!(published.starts_with(&format!("{PAGE}?q=o&changed=")), "{published}");
    let expected = json!([
        { "app_field": "domain", "sync_direction": "bidirectional", "converts": true },
        { "app_field": "phone", "sync_direction": "bidirectional", "converts": false },
    ]);
    assert_eq!(json!(app.rows(mapped).await), expected, "with the transform of the default mapping");
    let html = page(&ops, &published).await;
    assert!(html.contains("2 mappings are new: phone, domain.") && html.contains("Undo"), "{html}");

    let changes = published.split("changed=").nth(1).expect("changes");
    let back = send(&ops, "undo_mapping_change", &[("provider", "salesforce"), ("change", changes)]).await;
    assert!(page(&ops, &back).await.contains("2 mappings are gone: phone, domain."));
    assert!(app.rows(mapped).await.is_empty());

    let nothing = send(&ops, "accept_suggestions", &common).await;
    assert!(nothing.contains("__err"), "nothing is ticked: {nothing}");
    let one_wrong = [("accepted[0]", "Phone=phone"), ("accepted[1]", "LastModifiedDate=domain")];
    let refused = send(&ops, "accept_suggestions", &[&common[..], &one_wrong[..]].concat()).await;
    assert!(refused.contains("__err") && app.rows(mapped).await.is_empty(), "all of them or none: {refused}");
}

#[tokio::test]
async fn who_may_not_map_sees_why_there_are_no_proposals() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    let member = app.sign_in_as(Role::Member).await;
    let html = page(&member, &format!("{PAGE}?dialog=auto-map")).await;
    assert!(html.contains("Auto-map fields of accounts") && !html.contains("accepted["), "{html}");
}
