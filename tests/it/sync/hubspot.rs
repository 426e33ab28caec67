//! Stories of HubSpot: what differs there, and both CRMs beside one app.

use chrono::TimeDelta;
use crosstie::model::{Entity, Provider, Role};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{app_id, app_value, text};
use crate::helpers::TestApp;

/// A value of a HubSpot record as text.
async fn hubspot_value(app: &TestApp, object: &str, id: &str, field: &str) -> Option<String> {
    app.hubspot.record(object, id).await.text(field)
}

/// The companies that a HubSpot record is associated with.
async fn companies(app: &TestApp, object: &str, id: &str) -> Json {
    app.hubspot.record(object, id).await.associations.get("companies").cloned().unwrap_or_else(|| json!([]))
}

/// Another application makes a contact or deal belong to a company.
async fn associate(app: &TestApp, object: &str, id: &str, company: &str, types: [u32; 2]) {
    let token = app.hubspot.control("token", json!({})).await;
    let types: Vec<Json> =
        types.iter().map(|id| json!({ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": id })).collect();
    let url = format!("{}/crm/v4/objects/{object}/{id}/associations/companies/{company}", app.hubspot.url);
    let request = reqwest::Client::new().put(url).bearer_auth(token["access_token"].as_str().expect("a token"));
    let answer = request.json(&types).send().await.expect("an answer");
    assert_eq!(answer.status(), 201);
}

/// A company on both sides that agree; returns its ids in the app and in HubSpot.
async fn agreed_company(app: &TestApp, fields: Json) -> (Uuid, String) {
    let id = app.hubspot.create("companies", fields).await;
    app.connect_hubspot().await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    (app_id(app, &id).await, id)
}

/// A run that finds nothing writes nothing, on either side.
async fn assert_rests(app: &TestApp, config_id: Uuid) {
    let journal = "SELECT count(*) AS rows FROM crm_sync_changes";
    let before = app.row(journal).await;
    for simulator in [&app.simulator, &app.hubspot] {
        simulator.clear_stats().await;
    }
    app.sync_of(config_id).await.expect_state("completed");
    assert_eq!(app.row(journal).await, before, "nothing is written");
    for simulator in [&app.simulator, &app.hubspot] {
        let stats = simulator.stats().await;
        let writes = ["batch_create", "batch_update", "batch_archive", "associations_write", "composite"];
        assert!(writes.iter().all(|write| stats.of(write) == 0), "{stats:?}");
    }
}

#[tokio::test]
async fn a_sign_in_pulls_what_is_there_and_edits_travel_both_ways() {
    let app = TestApp::start().await;
    let company = json!({ "name": "Kestrel", "domain": "kestrel.example", "industry": "OIL_ENERGY",
                          "numberofemployees": "42", "address": "Dock Row 1" });
    let company = app.hubspot.create("companies", company).await;
    let person = json!({ "firstname": "Priya", "lastname": "Raman", "email": "priya@kestrel.example" });
    let person = app.hubspot.create("contacts", person).await;
    associate(&app, "contacts", &person, &company, [1, 279]).await;

    let admin = app.api_key_of(Role::Admin).await;
    let wish = json!({ "provider": "hubspot", "environment": "simulator" });
    let begun = admin.post("/api/crm/connect", wish).await.expect(200);
    let consent = app.hubspot.allow(begun["redirectUrl"].as_str().expect("an address")).await;
    let back = json!({ "provider": "hubspot", "code": consent.code, "state": consent.state });
    let config = admin.post("/api/crm/oauth/callback", back).await.expect(201)["config"].clone();
    assert_eq!((&config["provider"], &config["status"]), (&json!("hubspot"), &json!("connected")));
    assert_eq!(config["connectedAs"], "integration@kestrel.example");
    let test = admin.post("/api/crm/hubspot/test-connection", json!({})).await.expect(200);
    assert_eq!(
        test["permissions"]["accounts"],
        json!({ "read": true, "create": true, "update": true, "delete": true })
    );
    let zone = app.row("SELECT time_zone, organization_id FROM crm_sync_configs").await;
    assert_eq!(zone, json!({ "time_zone": "Europe/London", "organization_id": "48011001" }));

    app.sync().await.expect_state("completed");
    let kestrel = app_id(&app, &company).await;
    let row = app.row(&format!("SELECT * FROM accounts WHERE id = '{kestrel}'")).await;
    assert_eq!(
        (&row["name"], &row["industry"], &row["employee_count"]),
        (&json!("Kestrel"), &json!("Energy"), &json!(42))
    );
    let raman = app_id(&app, &person).await;
    assert_eq!(app_value(&app, "contacts", raman, "account_id").await, json!(kestrel.to_string()));

    app.advance(TimeDelta::minutes(5));
    app.sql(&format!("UPDATE accounts SET industry = 'Media', phone = '+44 1' WHERE id = '{kestrel}'")).await;
    app.hubspot.edit("contacts", &person, json!({ "jobtitle": "CFO" })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(hubspot_value(&app, "companies", &company, "industry").await.as_deref(), Some("ONLINE_MEDIA"));
    assert_eq!(hubspot_value(&app, "companies", &company, "phone").await.as_deref(), Some("+44 1"));
    assert_eq!(app_value(&app, "contacts", raman, "title").await, text("CFO"));
    app.assert_agreement().await;
    app.advance(TimeDelta::minutes(5));
    assert_rests(&app, app.config_id().await).await;
}

#[tokio::test]
async fn new_records_arrive_once_on_each_side_with_their_company() {
    let app = TestApp::start().await;
    let theirs = app.hubspot.create("companies", json!({ "name": "Kestrel", "domain": "kestrel.example" })).await;
    let alder =
        app.insert("accounts", json!({ "name": "Alder", "domain": "alder.example", "industry": "Energy" })).await;
    let okafor = json!({ "last_name": "Okafor", "email": "grace@alder.example", "account_id": alder });
    let okafor = app.insert("contacts", okafor).await;
    // The same company on both sides, and one person whom HubSpot has already.
    app.insert("accounts", json!({ "name": "Kestrel", "domain": "kestrel.example" })).await;
    app.hubspot.create("contacts", json!({ "lastname": "Raman", "email": "Priya@kestrel.example" })).await;
    app.insert("contacts", json!({ "last_name": "Raman", "email": "priya@Kestrel.example" })).await;
    app.connect_hubspot().await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    assert_eq!(app.hubspot.records("companies").await.len(), 2);
    assert_eq!(app.hubspot.records("contacts").await.len(), 2);
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 2);
    assert_eq!(app.rows("SELECT id FROM contacts").await.len(), 2);
    let ours = app.hubspot.find("companies", "name", "Alder").await;
    assert_eq!(ours.text("industry").as_deref(), Some("OIL_ENERGY"));
    assert_eq!(ours.text("crosstie_id"), Some(format!("{}:{alder}", app.workspace_id)));
    let grace = app.hubspot.find("contacts", "lastname", "Okafor").await.id;
    assert_eq!(companies(&app, "contacts", &grace).await, json!([ours.id]));
    app.assert_agreement().await;

    // She moves to the other company, then to none.
    let kestrel = app_id(&app, &theirs).await;
    for (account, expected) in [(format!("'{kestrel}'"), Some(theirs)), ("NULL".to_owned(), None)] {
        app.advance(TimeDelta::minutes(5));
        app.sql(&format!("UPDATE contacts SET account_id = {account} WHERE id = '{okafor}'")).await;
        app.sync().await.expect_state("completed");
        let now = companies(&app, "contacts", &grace).await;
        match expected {
            Some(company) => assert!(now.as_array().is_some_and(|now| now.contains(&json!(company))), "{now}"),
            // Her first company stays beside the main one; without a main one HubSpot shows none as hers.
            None => assert_eq!(now, json!([ours.id])),
        }
    }
    app.advance(TimeDelta::minutes(5));
    assert_rests(&app, app.config_id().await).await;
}

#[tokio::test]
async fn an_edit_in_hubspot_between_reading_and_writing_is_merged_not_overwritten() {
    let app = TestApp::start().await;
    let (record_id, company) = agreed_company(&app, json!({ "name": "Kestrel", "phone": "1", "city": "Leeds" })).await;
    app.sql(&format!("UPDATE accounts SET phone = '2', billing_city = 'York' WHERE id = '{record_id}'")).await;
    app.set_config("conflict_resolution = 'crm_wins'").await;
    let run = app.trigger(None).await;
    // Up to the reading; then somebody edits what the push is about to write.
    app.step().await;
    app.step().await;
    app.hubspot.edit("companies", &company, json!({ "phone": "3" })).await;
    app.finish(run).await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    assert_eq!(hubspot_value(&app, "companies", &company, "phone").await.as_deref(), Some("3"));
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("3"));
    assert_eq!(hubspot_value(&app, "companies", &company, "city").await.as_deref(), Some("York"));
    app.assert_agreement().await;
}

#[tokio::test]
async fn deleted_merged_and_restored_companies_are_followed() {
    let app = TestApp::start().await;
    let merged = app.hubspot.create("companies", json!({ "name": "Alder" })).await;
    let (kestrel, company) = agreed_company(&app, json!({ "name": "Kestrel" })).await;
    app.set_config(r#"options = options || '{"deleteInApp": true, "deleteInCrm": true}'"#).await;
    app.hubspot.act("delete", "companies", &company).await;
    app.sync().await.expect_state("completed");
    assert!(app_value(&app, "accounts", kestrel, "deleted_at").await.is_string());
    app.advance(TimeDelta::minutes(5));
    app.hubspot.act("undelete", "companies", &company).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "accounts", kestrel, "deleted_at").await, Json::Null);

    app.advance(TimeDelta::minutes(5));
    let survivor = app.hubspot.create("companies", json!({ "name": "Alder & Sons" })).await;
    app.hubspot.merge("companies", &merged, &survivor).await;
    app.sync().await.expect_state("completed");
    let link = app.row(&format!("SELECT state FROM crm_record_links WHERE crm_record_id = '{survivor}'")).await;
    assert_eq!(link["state"], "linked");
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 2, "the loser's record is the survivor's now");

    app.advance(TimeDelta::minutes(5));
    app.sql(&format!("UPDATE accounts SET deleted_at = now() WHERE id = '{kestrel}'")).await;
    app.sync().await.expect_state("completed");
    assert!(app.hubspot.record("companies", &company).await.deleted);
}

#[tokio::test]
async fn deals_keep_stage_day_and_probability() {
    let app = TestApp::start().await;
    let deal = json!({ "dealname": "Roof", "amount": "1200.50", "dealstage": "qualifiedtobuy",
                       "closedate": "2026-07-05T23:30:00.000Z" });
    let deal = app.hubspot.create("deals", deal).await;
    let company = app.hubspot.create("companies", json!({ "name": "Kestrel" })).await;
    associate(&app, "deals", &deal, &company, [5, 341]).await;
    app.connect_hubspot().await;
    app.set_config("sync_entities = '{accounts,opportunities}', time_zone = 'Europe/London'").await;
    app.sync().await.expect_state("completed");
    let id = app_id(&app, &deal).await;
    let row = app.row(&format!("SELECT * FROM opportunities WHERE id = '{id}'")).await;
    assert_eq!((&row["stage"], &row["close_date"]), (&json!("Qualification"), &json!("2026-07-06")));
    assert_eq!((row["amount"].to_string(), row["probability"].to_string()), ("1200.5".to_owned(), "40".to_owned()));
    assert_eq!(row["account_id"], json!(app_id(&app, &company).await.to_string()));
    app.advance(TimeDelta::minutes(5));
    assert_rests(&app, app.config_id().await).await;

    app.sql(&format!("UPDATE opportunities SET stage = 'Closed Won', close_date = '2026-07-10' WHERE id = '{id}'"))
        .await;
    let new =
        json!({ "name": "Wall", "stage": "Prospecting", "close_date": "2026-12-24", "account_id": row["account_id"] });
    app.insert("opportunities", new).await;
    app.sync().await.expect_state("completed");
    assert_eq!(hubspot_value(&app, "deals", &deal, "dealstage").await.as_deref(), Some("closedwon"));
    let day = hubspot_value(&app, "deals", &deal, "closedate").await;
    assert_eq!(day.as_deref(), Some("2026-07-09T23:00:00.000Z"), "the day's start in London");
    let wall = app.hubspot.find("deals", "dealname", "Wall").await;
    assert_eq!(wall.text("closedate").as_deref(), Some("2026-12-24T00:00:00.000Z"));
    assert_eq!(companies(&app, "deals", &wall.id).await, json!([company]));
    app.advance(TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "opportunities", id, "probability").await.to_string(), "100");
    app.advance(TimeDelta::minutes(5));
    assert_rests(&app, app.config_id().await).await;
}

#[tokio::test]
async fn every_fault_once_at_every_operation_is_survived() {
    let faults = [
        json!({ "fault": "reset" }),
        json!({ "fault": "lost_response" }),
        json!({ "fault": "garbage" }),
        json!({ "fault": "status", "status": 500 }),
        json!({ "fault": "status", "status": 423 }),
        json!({ "fault": "rate_limit" }),
    ];
    for fault in faults {
        let app = TestApp::start().await;
        let (record_id, company) = agreed_company(&app, json!({ "name": "Kestrel", "phone": "1" })).await;
        app.sql(&format!("UPDATE accounts SET industry = 'Media' WHERE id = '{record_id}'")).await;
        app.hubspot.edit("companies", &company, json!({ "phone": "2" })).await;
        let alder = app.insert("accounts", json!({ "name": "Alder" })).await;
        app.insert("contacts", json!({ "last_name": "Raman", "account_id": alder })).await;
        app.insert("contacts", json!({ "last_name": "Okafor", "account_id": record_id })).await;
        let operations =
            ["search", "list", "batch_read", "batch_update", "batch_create", "associations_write", "properties"];
        let rules: Vec<Json> = operations
            .iter()
            .map(|operation| {
                let mut rule = fault.clone();
                rule["match"] = json!({ "operation": operation });
                rule["times"] = json!(1);
                rule
            })
            .collect();
        app.advance(TimeDelta::hours(2));
        app.hubspot.faults(json!(rules)).await;
        app.sync().await.expect_state("completed");
        app.advance(TimeDelta::hours(2));
        app.sync().await.expect_state("completed");
        app.assert_agreement().await;
        assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 2, "{fault}");
        assert_eq!(app.hubspot.records("companies").await.len(), 2, "{fault}");
        assert_eq!(app.hubspot.records("contacts").await.len(), 2, "{fault}");
        let alder = app.hubspot.find("companies", "name", "Alder").await.id;
        let raman = app.hubspot.find("contacts", "lastname", "Raman").await.id;
        assert_eq!(companies(&app, "contacts", &raman).await, json!([alder]), "{fault}");
        assert_eq!(hubspot_value(&app, "companies", &company, "industry").await.as_deref(), Some("ONLINE_MEDIA"));
    }
}

#[tokio::test]
async fn a_change_in_one_crm_goes_once_through_the_app_to_the_other_and_stops() {
    let app = TestApp::start().await;
    let account = json!({ "Name": "Kestrel", "Website": "kestrel.example", "Industry": "Energy", "Phone": "1" });
    let account = app.simulator.create("Account", account).await;
    let person = json!({ "LastName": "Raman", "Email": "priya@kestrel.example", "AccountId": account });
    app.simulator.create("Contact", person).await;
    let salesforce = app.connect_salesforce().await;
    let hubspot = app.connect_hubspot().await;
    let both = async || {
        for config_id in [salesforce, hubspot] {
            app.advance(TimeDelta::minutes(5));
            app.sync_of(config_id).await.expect_state("completed");
        }
    };
    both().await;
    let company = app.hubspot.find("companies", "name", "Kestrel").await;
    assert_eq!(company.text("industry").as_deref(), Some("OIL_ENERGY"));
    let contact = app.hubspot.find("contacts", "lastname", "Raman").await.id;
    assert_eq!(companies(&app, "contacts", &contact).await, json!([company.id]));
    both().await;
    app.advance(TimeDelta::minutes(5));
    for config_id in [salesforce, hubspot] {
        assert_rests(&app, config_id).await;
    }

    // From HubSpot to Salesforce, and back the other way with another field.
    app.hubspot.edit("companies", &company.id, json!({ "phone": "2" })).await;
    app.simulator.edit("Account", &account, json!({ "Industry": "Media" })).await;
    both().await;
    both().await;
    assert_eq!(app.simulator.record("Account", &account).await.text("Phone").as_deref(), Some("2"));
    assert_eq!(hubspot_value(&app, "companies", &company.id, "industry").await.as_deref(), Some("ONLINE_MEDIA"));
    app.assert_agreement().await;
    let writes = "SELECT config_id, side, count(*) AS writes FROM crm_sync_changes
                  WHERE action = 'update' AND state = 'done' GROUP BY config_id, side";
    for row in app.rows(writes).await {
        assert_eq!(row["writes"], 1, "each change is written once on each side: {row}");
    }
    app.advance(TimeDelta::minutes(5));
    for config_id in [salesforce, hubspot] {
        assert_rests(&app, config_id).await;
    }
    for (provider, objects) in
        [(Provider::Salesforce, ["Account", "Contact"]), (Provider::Hubspot, ["companies", "contacts"])]
    {
        for object in objects {
            assert_eq!(app.simulator_of(provider).records(object).await.len(), 1, "{object}");
        }
    }
    assert_eq!(app.rows(&format!("SELECT id FROM {}", Entity::Contact.plural())).await.len(), 1);
}

/// Pairs the owner of accounts by e-mail.
async fn map_owner(app: &TestApp, config_id: Uuid, crm_field: &str) {
    let workspace_id = app.workspace_id;
    app.as_superuser(&format!(
        "INSERT INTO crm_field_mappings (workspace_id, id, config_id, entity_type, crm_field, app_field, sync_direction,
           created_at, updated_at)
         VALUES ('{workspace_id}', gen_random_uuid(), '{config_id}', 'account', '{crm_field}', 'owner_email',
           'bidirectional', now(), now())"
    ))
    .await;
}

#[tokio::test]
async fn owners_pair_by_their_addresses_in_both_crms() {
    let app = TestApp::start().await;
    let company = json!({ "name": "Kestrel", "domain": "kestrel.example", "hubspot_owner_id": "41629781" });
    let company = app.hubspot.create("companies", company).await;
    let hubspot = app.connect_hubspot().await;
    map_owner(&app, hubspot, "hubspot_owner_id").await;
    app.sync_of(hubspot).await.expect_state("completed");
    let kestrel = app_id(&app, &company).await;
    assert_eq!(app_value(&app, "accounts", kestrel, "owner_email").await, text("grace.okafor@kestrel.example"));

    // Given to somebody else here, made new here, and given to nobody whom HubSpot knows.
    app.advance(TimeDelta::minutes(5));
    app.sql(&format!("UPDATE accounts SET owner_email = 'Tomas.Rivera@kestrel.example' WHERE id = '{kestrel}'")).await;
    app.insert("accounts", json!({ "name": "Alder", "owner_email": "integration@kestrel.example" })).await;
    let stranger = app.insert("accounts", json!({ "name": "Brook", "owner_email": "nobody@kestrel.example" })).await;
    app.sync_of(hubspot).await.expect_state("completed");
    assert_eq!(hubspot_value(&app, "companies", &company, "hubspot_owner_id").await.as_deref(), Some("41629780"));
    let alder = app.hubspot.find("companies", "name", "Alder").await;
    assert_eq!(alder.text("hubspot_owner_id").as_deref(), Some("41629779"));
    let brook = app.hubspot.find("companies", "name", "Brook").await;
    assert_eq!(brook.text("hubspot_owner_id"), None, "what has no partner waits, the others go");
    assert_eq!(app_value(&app, "accounts", stranger, "owner_email").await, text("nobody@kestrel.example"));
    app.sql(&format!("UPDATE accounts SET owner_email = 'grace.okafor@kestrel.example' WHERE id = '{stranger}'")).await;
    app.advance(TimeDelta::minutes(5));
    app.sync_of(hubspot).await.expect_state("completed");
    assert_eq!(hubspot_value(&app, "companies", &brook.id, "hubspot_owner_id").await.as_deref(), Some("41629781"));
    app.advance(TimeDelta::minutes(5));
    assert_rests(&app, hubspot).await;

    // Salesforce names the same people by ids of its own.
    let salesforce = app.connect_salesforce().await;
    map_owner(&app, salesforce, "OwnerId").await;
    app.sync_of(salesforce).await.expect_state("completed");
    let owner = app.simulator.find("Account", "Name", "Brook").await.text("OwnerId");
    let users = app.simulator.records("User").await;
    let user = users.iter().find(|user| Some(&user.id) == owner.as_ref()).expect("the owner");
    assert_eq!(user.text("Email").as_deref(), Some("grace.okafor@kestrel.example"));
}

#[tokio::test]
async fn a_company_changed_by_its_association_alone_is_found_within_a_day() {
    let app = TestApp::start().await;
    let (first, second) = (
        app.hubspot.create("companies", json!({ "name": "Kestrel" })).await,
        app.hubspot.create("companies", json!({ "name": "Alder" })).await,
    );
    let person = app.hubspot.create("contacts", json!({ "lastname": "Raman", "email": "priya@kestrel.example" })).await;
    associate(&app, "contacts", &person, &first, [1, 279]).await;
    let config_id = app.connect_hubspot().await;
    app.sync().await.expect_state("completed");
    let (raman, alder) = (app_id(&app, &person).await, app_id(&app, &second).await);
    app.advance(TimeDelta::minutes(90));
    app.sync().await.expect_state("completed");

    app.advance(TimeDelta::minutes(5));
    associate(&app, "contacts", &person, &second, [1, 279]).await;
    // No window that is opened later can show it: what lies between is longer than a day.
    app.advance(TimeDelta::hours(49));
    let cursor = "UPDATE crm_cursors SET read_until = read_until + interval '49 hours'";
    app.as_superuser(cursor).await;
    app.hubspot.clear_stats().await;
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "contacts", raman, "account_id").await, json!(alder.to_string()));
    assert_eq!(app.hubspot.stats().await.of("associations_read"), 1, "a thousand a call");
    app.advance(TimeDelta::minutes(5));
    app.hubspot.clear_stats().await;
    assert_rests(&app, config_id).await;
    assert_eq!(app.hubspot.stats().await.of("associations_read"), 0, "once a day");
}

#[tokio::test]
async fn the_later_edit_wins_by_the_property_and_not_by_the_record() {
    let app = TestApp::start().await;
    let fields = json!({ "name": "Kestrel", "phone": "1", "description": "old", "numberofemployees": "1" });
    let (record_id, company) = agreed_company(&app, fields).await;
    app.set_config("conflict_resolution = 'last_write_wins'").await;
    app.hubspot.edit("companies", &company, json!({ "phone": "theirs" })).await;
    app.advance(TimeDelta::minutes(1));
    app.sql(&format!("UPDATE accounts SET phone = 'ours', employee_count = 2 WHERE id = '{record_id}'")).await;
    app.advance(TimeDelta::minutes(1));
    // The record's stamp is later than our edit of the phone; theirs of the phone is not.
    app.hubspot.edit("companies", &company, json!({ "description": "new", "numberofemployees": "3" })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(hubspot_value(&app, "companies", &company, "phone").await.as_deref(), Some("ours"));
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("ours"));
    assert_eq!(app_value(&app, "accounts", record_id, "description").await, text("new"));
    assert_eq!(app_value(&app, "accounts", record_id, "employee_count").await, json!(3), "theirs is later there");
    app.assert_agreement().await;
    let changes = app.rows("SELECT fields FROM crm_sync_changes WHERE action = 'update'").await;
    let fields = changes.iter().flat_map(|change| change["fields"].as_array().into_iter().flatten());
    let rules: std::collections::BTreeMap<&str, &str> =
        fields.filter_map(|field| Some((field["appField"].as_str()?, field["rule"].as_str()?))).collect();
    let by_field = "last_write_wins_by_field";
    let expected = [("description", "crm_changed"), ("employee_count", by_field), ("phone", by_field)];
    assert_eq!(rules, expected.into(), "the journal says by what the later edit was known");
}

#[tokio::test]
async fn two_records_that_are_one_to_hubspot_are_created_once_and_the_other_says_so() {
    let app = TestApp::start().await;
    let [first, second] = ["Raman", "Okafor"].map(|name| json!({ "last_name": name, "email": "info@kestrel.example" }));
    app.insert("contacts", first).await;
    app.insert("contacts", second).await;
    app.connect_hubspot().await;
    app.sync().await.expect_state("partial");
    assert_eq!(app.hubspot.records("contacts").await.len(), 1);
    let links = app.rows("SELECT crm_record_id, failure FROM crm_record_links").await;
    let failed: Vec<&Json> = links.iter().filter(|link| !link["failure"].is_null()).collect();
    assert_eq!((links.len(), failed.len()), (2, 1), "{links:?}");
    assert_eq!(failed[0]["failure"]["code"], "duplicate");
}
