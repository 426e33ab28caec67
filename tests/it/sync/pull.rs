//! From the CRM into the app.

use chrono::TimeDelta;
use crosstie::model::Entity;
use serde_json::{Value as Json, json};

use super::{PULL, PUSH, agreed_account, app_id, app_value, assert_rests, crm_value, text};
use crate::helpers::{TestApp, TestOptions};

#[tokio::test]
async fn every_kind_of_value_arrives_as_it_is() {
    let app = TestApp::start().await;
    let (record_id, _) = agreed_account(
        &app,
        json!({ "Name": "Müller & Söhne \"O'Neil\" \\ Ltd", "Website": "https://www.Mueller.example/about?x=1",
                "AnnualRevenue": 123456789012345678u64, "NumberOfEmployees": 42, "Description": "Two\nlines 😀",
                "BillingStreet": "Dock Row 1", "Industry": "Energy" }),
    )
    .await;
    let row = app.row(&format!("SELECT * FROM accounts WHERE id = '{record_id}'")).await;
    assert_eq!(row["name"], "Müller & Söhne \"O'Neil\" \\ Ltd");
    assert_eq!(row["domain"], "mueller.example", "the default transform takes the host");
    assert_eq!(row["annual_revenue"].to_string(), "123456789012345678");
    assert_eq!(row["employee_count"], 42);
    assert_eq!(row["description"], "Two\nlines 😀");
    assert_eq!(row["phone"], Json::Null);
    assert_rests(&app).await;
}

#[tokio::test]
async fn workspace_defined_fields_that_nobody_maps_keep_their_json_types() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "+1 1" })).await;
    let custom = r#"{"seats": 12, "tags": ["a", "b"], "vip": true}"#;
    app.sql(&format!("UPDATE accounts SET custom = '{custom}' WHERE id = '{record_id}'")).await;
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "+1 2" })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("+1 2"));
    let row = app.row(&format!("SELECT custom FROM accounts WHERE id = '{record_id}'")).await;
    assert_eq!(row["custom"], json!({ "seats": 12, "tags": ["a", "b"], "vip": true }));
}

#[tokio::test]
async fn an_edit_and_an_emptied_field_arrive() {
    let app = TestApp::start().await;
    let (record_id, crm_id) =
        agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "+1 1", "Industry": "Energy" })).await;
    app.simulator.edit("Account", &crm_id, json!({ "Phone": null, "Industry": "Media" })).await;
    let run = app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, Json::Null);
    assert_eq!(app_value(&app, "accounts", record_id, "industry").await, text("Media"));
    let logs = app.logs(run.id).await;
    let pull = &logs[&("account".to_owned(), "pull".to_owned())];
    assert_eq!(
        (&pull["records_processed"], &pull["records_synced"], &pull["records_updated"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_rests(&app).await;
}

#[tokio::test]
async fn a_field_is_emptied_only_after_the_crm_has_said_that_it_still_shows_it() {
    let app = TestApp::start().await;
    let (record_id, crm_id) =
        agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1", "Industry": "Media" })).await;
    for (fields, describes) in [(json!({ "Phone": "2" }), 0), (json!({ "Phone": null, "Industry": null }), 1)] {
        app.simulator.edit("Account", &crm_id, fields).await;
        app.advance(chrono::TimeDelta::minutes(5));
        app.simulator.clear_stats().await;
        app.sync().await.expect_state("completed");
        assert_eq!(app.simulator.stats().await.of("describe"), describes);
    }
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, Json::Null);
}

#[tokio::test]
async fn a_value_that_the_app_refuses_fails_its_record_alone_and_recovers_when_it_is_mended() {
    let app = TestApp::start().await;
    let bad = app.simulator.create("Account", json!({ "Name": "Bad", "NumberOfEmployees": -5 })).await;
    app.simulator.create("Account", json!({ "Name": "Good", "NumberOfEmployees": 5 })).await;
    app.connect_salesforce().await;
    let run = app.sync().await.expect_state("partial");
    assert_eq!(app.rows("SELECT name FROM accounts").await, [json!({ "name": "Good" })]);
    let link = app.row(&format!("SELECT failure FROM crm_record_links WHERE crm_record_id = '{bad}'")).await;
    assert_eq!(link["failure"]["code"], "app_constraint");
    let logs = app.logs(run.id).await;
    assert_eq!(logs[&("account".to_owned(), "pull".to_owned())]["status"], "partial");
    app.advance(chrono::TimeDelta::minutes(1));
    app.simulator.edit("Account", &bad, json!({ "NumberOfEmployees": 6 })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "accounts", app_id(&app, &bad).await, "employee_count").await, json!(6));
    app.assert_all_linked(Entity::Account).await;
}

#[tokio::test]
async fn an_update_that_the_app_refuses_keeps_the_crms_value_in_mind() {
    let app = TestApp::start().await;
    let (record_id, crm_id) =
        agreed_account(&app, json!({ "Name": "Kestrel", "NumberOfEmployees": 5, "Phone": "1" })).await;
    app.simulator.edit("Account", &crm_id, json!({ "NumberOfEmployees": -7 })).await;
    app.sync().await.expect_state("partial");
    // Somebody edits another field here: the CRM's refused value must not be overwritten by ours.
    app.advance(chrono::TimeDelta::minutes(1));
    app.sql(&format!("UPDATE accounts SET phone = '2' WHERE id = '{record_id}'")).await;
    app.sync().await;
    assert_eq!(crm_value(&app, "Account", &crm_id, "NumberOfEmployees").await.as_deref(), Some("-7"));
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await.as_deref(), Some("2"));
    app.advance(chrono::TimeDelta::minutes(1));
    app.simulator.edit("Account", &crm_id, json!({ "NumberOfEmployees": 8 })).await;
    app.sync().await.expect_state("completed");
    app.assert_agreement().await;
}

#[tokio::test]
async fn a_run_that_only_pulls_leaves_the_apps_edit_for_the_next() {
    let app = TestApp::start().await;
    let (record_id, crm_id) =
        agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1", "Industry": "Energy" })).await;
    let new = app.insert("accounts", json!({ "name": "Alder" })).await;
    app.sql(&format!("UPDATE accounts SET phone = '2' WHERE id = '{record_id}'")).await;
    app.simulator.edit("Account", &crm_id, json!({ "Industry": "Media" })).await;
    app.simulator.clear_stats().await;
    app.sync_only(PULL).await.expect_state("completed");
    assert_eq!(app_value(&app, "accounts", record_id, "industry").await, text("Media"));
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await.as_deref(), Some("1"));
    let stats = app.simulator.stats().await;
    assert_eq!(stats.of("composite") + stats.of("collections_upsert"), 0, "{stats:?}");
    app.sync().await.expect_state("completed");
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await.as_deref(), Some("2"));
    app.assert_all_linked(Entity::Account).await;
    app.assert_agreement().await;
    let _ = new;
}

#[tokio::test]
async fn a_run_that_only_pushes_leaves_the_crms_edit_for_the_next() {
    let app = TestApp::start().await;
    let (record_id, crm_id) =
        agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1", "Industry": "Energy" })).await;
    app.simulator.create("Account", json!({ "Name": "Alder" })).await;
    app.simulator.edit("Account", &crm_id, json!({ "Industry": "Media" })).await;
    app.sql(&format!("UPDATE accounts SET phone = '2' WHERE id = '{record_id}'")).await;
    app.sync_only(PUSH).await.expect_state("completed");
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await.as_deref(), Some("2"));
    assert_eq!(app_value(&app, "accounts", record_id, "industry").await, text("Energy"));
    assert_eq!(app.rows("SELECT name FROM accounts").await.len(), 1);
    app.advance(chrono::TimeDelta::hours(2));
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "accounts", record_id, "industry").await, text("Media"));
    app.assert_all_linked(Entity::Account).await;
    app.assert_agreement().await;
}

#[tokio::test]
async fn a_connection_that_pulls_never_writes_to_the_crm_and_widening_it_brings_the_edits() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    app.set_config("sync_direction = 'pull'").await;
    app.sql(&format!("UPDATE accounts SET phone = '2' WHERE id = '{record_id}'")).await;
    app.insert("accounts", json!({ "name": "Alder" })).await;
    app.simulator.clear_stats().await;
    app.sync().await.expect_state("completed");
    app.sync().await.expect_state("completed");
    let stats = app.simulator.stats().await;
    assert_eq!(stats.of("composite") + stats.of("collections_upsert"), 0, "{stats:?}");
    app.set_config("sync_direction = 'bidirectional'").await;
    app.sync().await.expect_state("completed");
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await.as_deref(), Some("2"));
    app.assert_all_linked(Entity::Account).await;
    app.assert_agreement().await;
}

#[tokio::test]
async fn without_the_option_to_create_unmatched_records_rest_until_it_is_switched_on() {
    let app = TestApp::start().await;
    app.simulator.create("Account", json!({ "Name": "In the CRM only" })).await;
    app.insert("accounts", json!({ "name": "In the app only" })).await;
    app.connect_salesforce().await;
    app.set_config(r#"options = '{"createMissing": false}'"#).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT * FROM crm_record_links").await.len(), 0);
    assert_eq!(app.simulator.records("Account").await.len(), 1);
    app.set_config(r#"options = '{"createMissing": true}'"#).await;
    app.sync().await.expect_state("completed");
    app.assert_all_linked(Entity::Account).await;
}

#[tokio::test]
async fn a_first_read_costs_a_call_for_two_thousand_records() {
    let app = TestApp::with(TestOptions { accounts: 2100, ..TestOptions::default() }).await;
    app.connect_salesforce().await;
    app.set_config("sync_entities = '{accounts}'").await;
    app.sync().await;
    let stats = app.simulator.stats().await;
    assert_eq!(stats.of("query") + stats.of("query_more"), 2, "{stats:?}");
    assert_eq!(stats.calls, 4, "describe, deletions, two pages: {stats:?}");
    app.assert_agreement().await;
}

#[tokio::test]
async fn pages_shorter_than_asked_for_are_followed_to_their_end() {
    let app = TestApp::with(TestOptions { accounts: 40, ..TestOptions::default() }).await;
    app.connect_salesforce().await;
    app.simulator.control("rules", json!({ "longestPage": 7 })).await;
    app.sync().await;
    assert_eq!(app.simulator.stats().await.of("query_more"), 5);
    app.assert_all_linked(Entity::Account).await;
    app.assert_agreement().await;
}

#[tokio::test]
async fn a_page_read_ahead_is_transformed_by_the_script_that_is_in_force_when_it_is_stored() {
    let app = TestApp::with(TestOptions { turn: TimeDelta::minutes(5), ..TestOptions::default() }).await;
    for number in 0..4 {
        app.simulator.create("Account", json!({ "Name": format!("Kestrel {number}"), "Phone": "1" })).await;
    }
    app.connect_salesforce().await;
    app.set_config("sync_direction = 'pull', sync_entities = '{accounts}'").await;
    let phone = "entity_type = 'account' AND app_field = 'phone'";
    app.as_superuser(&format!("UPDATE crm_field_mappings SET transform_function = '\"old\"' WHERE {phone}")).await;
    // Somebody saves another script while the first of two pages is being stored and the second is read.
    app.as_superuser(&format!(
        "CREATE FUNCTION saved() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS
           $$ BEGIN UPDATE crm_field_mappings SET transform_function = '\"new\"' WHERE {phone}; RETURN NULL; END $$;
         CREATE TRIGGER saved AFTER INSERT ON accounts FOR EACH STATEMENT EXECUTE FUNCTION saved()"
    ))
    .await;
    app.simulator.control("rules", json!({ "longestPage": 2 })).await;
    app.sync().await.expect_state("completed");
    let phones = app.rows("SELECT phone, count(*) FROM accounts GROUP BY phone ORDER BY phone").await;
    assert_eq!(phones, [json!({ "phone": "new", "count": 2 }), json!({ "phone": "old", "count": 2 })]);
}

#[tokio::test]
async fn a_mapping_to_a_field_that_is_gone_is_suspended_and_the_others_go_on() {
    let app = TestApp::start().await;
    let (record_id, crm_id) =
        agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1", "Industry": "Energy" })).await;
    app.as_superuser(
        "UPDATE crm_field_mappings SET crm_field = 'Gone__c' WHERE app_field = 'industry' AND entity_type = 'account'",
    )
    .await;
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "2", "Industry": "Media" })).await;
    app.advance(chrono::TimeDelta::hours(2));
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("2"));
    assert_eq!(
        app_value(&app, "accounts", record_id, "industry").await,
        text("Energy"),
        "what is not observed empties nothing"
    );
    let mapping = app.row("SELECT suspended_reason FROM crm_field_mappings WHERE crm_field = 'Gone__c'").await;
    assert!(mapping["suspended_reason"].is_string());
}

#[tokio::test]
async fn a_field_that_goes_within_the_hour_of_a_describe_is_noticed_too() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    // The stored describe knows a field that the CRM no longer has.
    app.as_superuser(
        "UPDATE crm_field_mappings SET crm_field = 'Gone__c' WHERE app_field = 'industry' AND entity_type = 'account';
         UPDATE crm_descriptions SET description = jsonb_set(description, '{fields}',
           (SELECT jsonb_agg(CASE WHEN f ->> 'name' = 'Industry' THEN f || '{\"name\": \"Gone__c\"}' ELSE f END)
            FROM jsonb_array_elements(description -> 'fields') f)) WHERE entity_type = 'account'",
    )
    .await;
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "2" })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("2"));
    let mapping = app.row("SELECT suspended_reason FROM crm_field_mappings WHERE crm_field = 'Gone__c'").await;
    assert!(mapping["suspended_reason"].is_string());
}

/// The base on the side of the app is what Postgres stored, not what was sent to it: a value of the CRM that the app
/// keeps in its own form is agreed, and neither sent back nor taken for an edit.
#[tokio::test]
async fn a_value_that_a_trigger_of_the_app_changes_is_agreed_as_it_is_stored() {
    let app = TestApp::start().await;
    app.as_superuser(
        "CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN NEW.billing_city := upper(NEW.billing_city); RETURN NEW; END $$;
         CREATE TRIGGER planted BEFORE INSERT OR UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION planted()",
    )
    .await;
    let fields = json!({ "Name": "Kestrel", "BillingCity": "Oslo", "NumberOfEmployees": 12, "AnnualRevenue": 12.5 });
    let crm_id = app.simulator.create("Account", fields).await;
    app.connect_salesforce().await;
    let cities = async || {
        app.sync().await.expect_state("completed");
        assert_rests(&app).await;
        let stored = app.row("SELECT a.billing_city AS here, l.base -> 'billing_city' ->> 'app' AS base FROM accounts a JOIN crm_record_links l ON l.record_id = a.id").await;
        let there = app.simulator.record("Account", &crm_id).await.text("BillingCity");
        (stored["here"].clone(), stored["base"].clone(), there)
    };
    assert_eq!(cities().await, (json!("OSLO"), json!("OSLO"), Some("Oslo".to_owned())));

    app.advance(chrono::TimeDelta::minutes(1));
    app.simulator.edit("Account", &crm_id, json!({ "BillingCity": "Bergen" })).await;
    assert_eq!(cities().await, (json!("BERGEN"), json!("BERGEN"), Some("Bergen".to_owned())));

    app.advance(chrono::TimeDelta::minutes(1));
    app.as_superuser("UPDATE accounts SET billing_city = 'Tromsø'").await;
    assert_eq!(cities().await, (json!("TROMSØ"), json!("TROMSØ"), Some("TROMSØ".to_owned())));
}

/// The second page is asked for while the first one is stored; it must neither be asked for twice nor go uncounted.
#[tokio::test]
async fn pages_read_ahead_are_asked_for_once_and_counted() {
    let app = TestApp::with(TestOptions { accounts: 2100, ..TestOptions::default() }).await;
    app.connect_salesforce().await;
    app.set_config("sync_direction = 'pull'").await;
    let counted = || async { app.row("SELECT calls_today FROM crm_sync_configs").await["calls_today"].as_u64() };
    let before = counted().await.unwrap_or_default();
    app.simulator.clear_stats().await;
    app.sync().await.expect_state("completed");
    let stats = app.simulator.stats().await;
    assert_eq!(
        (stats.of("query"), stats.of("query_more")),
        (2, 1),
        "accounts in two pages, contacts in one: {stats:?}"
    );
    assert_eq!(counted().await.unwrap_or_default() - before, stats.calls, "{stats:?}");
    app.assert_agreement().await;
}

#[tokio::test]
async fn a_page_that_could_not_be_read_ahead_is_asked_for_again() {
    let turn = TimeDelta::minutes(5);
    let app = TestApp::with(TestOptions { accounts: 2100, turn, ..TestOptions::default() }).await;
    app.connect_salesforce().await;
    app.set_config("sync_direction = 'pull'").await;
    app.simulator
        .faults(json!([{ "match": { "operation": "query_more" }, "fault": "status", "status": 503, "times": 1 }]))
        .await;
    app.sync().await.expect_state("completed");
    app.assert_agreement().await;
}

/// A large page of a full reading is stored in several transactions side by side. Where only some are stored the page is read
/// again: nothing is made twice and nothing is left out.
#[tokio::test]
async fn a_page_of_which_only_the_first_part_is_stored_is_read_again() {
    let app = TestApp::with(TestOptions { accounts: 1200, ..TestOptions::default() }).await;
    app.connect_salesforce().await;
    app.set_config("sync_direction = 'pull'").await;
    let mut records = app.simulator.records("Account").await;
    records.sort_by_key(|record| (record.text("SystemModstamp"), record.id.clone()));
    let last = &records.last().expect("1200 accounts").id;
    app.as_superuser(&format!(
        "CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'planted' USING ERRCODE = 'serialization_failure'; END $$;
         CREATE TRIGGER planted BEFORE INSERT ON crm_record_links FOR EACH ROW WHEN (NEW.crm_record_id = '{last}')
           EXECUTE FUNCTION planted()"
    ))
    .await;
    let run_id = app.trigger(None).await;
    app.work().await;
    assert_eq!(app.run(run_id).await.state, "running");
    let links = app.row("SELECT count(*) AS links FROM crm_record_links").await;
    assert_eq!(links["links"], 500, "the first part alone");
    app.as_superuser("DROP TRIGGER planted ON crm_record_links").await;
    app.finish(run_id).await.expect_state("completed");
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 1200);
    app.assert_all_linked(Entity::Account).await;
    app.assert_agreement().await;
}
