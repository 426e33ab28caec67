//! The settings of a connection by REST.

use crosstie::model::Role;
use serde_json::{Value as Json, json};

use crate::helpers::TestApp;

fn members(problem: &Json) -> Vec<&str> {
    let errors = problem["errors"].as_array().expect("what is wrong");
    errors.iter().map(|error| error["field"].as_str().expect("a member")).collect()
}

#[tokio::test]
async fn settings_change_one_by_one() {
    let app = TestApp::start().await;
    let path = format!("/api/crm/configs/{}", app.connect_salesforce().await);
    let admin = app.api_key_of(Role::Admin).await;
    let before = admin.patch(&path, json!({})).await.expect(200)["config"].clone();
    assert_eq!((&before["syncDirection"], &before["syncFrequency"]), (&json!("bidirectional"), &json!("hourly")));
    assert_eq!(before["nextSyncAt"], Json::Null, "nothing runs by itself before the first sync");

    let change =
        json!({ "syncDirection": "pull", "conflictResolution": "crm_wins", "options": { "deleteInApp": true } });
    let after = admin.patch(&path, change).await.expect(200)["config"].clone();
    let mut expected = before;
    expected["syncDirection"] = json!("pull");
    expected["conflictResolution"] = json!("crm_wins");
    expected["options"]["deleteInApp"] = json!(true);
    assert_eq!(after, expected, "what is not named stays");

    let entities = json!({ "syncEntities": ["opportunities", "accounts"] });
    let after = admin.patch(&path, entities).await.expect(200)["config"].clone();
    assert_eq!(after["syncEntities"], json!(["accounts", "opportunities"]), "in the order of a run");
}

#[tokio::test]
async fn the_next_run_follows_the_schedule() {
    let app = TestApp::start().await;
    let path = format!("/api/crm/configs/{}", app.connect_salesforce().await);
    let admin = app.api_key_of(Role::Admin).await;
    app.sync().await.expect_state("completed");
    let set = |frequency: &str, schedule: Json| json!({ "syncFrequency": frequency, "schedule": schedule });

    let hourly = admin.patch(&path, set("hourly", json!({ "minute": 30 }))).await.expect(200)["config"].clone();
    assert_eq!(hourly["schedule"], json!({ "minute": 30 }));
    assert_eq!(hourly["nextSyncAt"], "2026-03-02T09:30:00.000Z");
    let daily = set("daily", json!({ "time": "07:30", "timeZone": "Europe/Berlin" }));
    let daily = admin.patch(&path, daily).await.expect(200)["config"].clone();
    assert_eq!(daily["nextSyncAt"], "2026-03-03T06:30:00.000Z");
    let manual = admin.patch(&path, json!({ "syncFrequency": "manual" })).await.expect(200)["config"].clone();
    assert_eq!((&manual["schedule"], &manual["nextSyncAt"]), (&Json::Null, &Json::Null));
}

#[tokio::test]
async fn what_a_run_would_not_follow_is_refused() {
    let app = TestApp::start().await;
    let path = format!("/api/crm/configs/{}", app.connect_salesforce().await);
    let admin = app.api_key_of(Role::Admin).await;
    let cases = [
        (json!({ "syncFrequency": "daily", "schedule": { "time": "7:30", "timeZone": "UTC" } }), "schedule"),
        (json!({ "syncFrequency": "daily", "schedule": { "time": "07:30", "timeZone": "Mars/Base" } }), "schedule"),
        (json!({ "schedule": { "minute": 60 } }), "schedule"),
        (json!({ "schedule": { "minute": -1 } }), "schedule.minute"),
        (json!({ "syncFrequency": "manual", "schedule": { "minute": 5 } }), "schedule"),
        (json!({ "syncEntities": [] }), "syncEntities"),
        (json!({ "syncEntities": ["leads"] }), "syncEntities"),
        (rules(json!("x")), "syncRules.accounts"),
        (json!({ "syncRules": "x" }), "syncRules"),
        (json!({ "syncRules": { "leads": {} } }), "syncRules.leads"),
        (rules(json!({ "excludeFields": ["phone", "nope"] })), "syncRules.accounts.excludeFields[1]"),
        (rules(json!({ "exclude": [] })), "syncRules.accounts.exclude"),
        (rule("Nope__c", "equals", json!("x")), "syncRules.accounts.filter.all[0].field"),
        (rule("Name", "like", json!("x")), "syncRules.accounts.filter.all[0].operator"),
        (rule("AnnualRevenue", "starts_with", json!("1")), "syncRules.accounts.filter.all[0].operator"),
        (rule("AnnualRevenue", "gt", json!("much")), "syncRules.accounts.filter.all[0].value"),
        (json!({ "options": { "guardPercent": 101 } }), "options.guardPercent"),
        (json!({ "options": { "guardAll": 1 } }), "guardAll"),
        (json!({ "syncDirection": "both" }), "syncDirection"),
        (json!({ "conflictResolution": "ask" }), "conflictResolution"),
        (json!({ "status": "paused" }), "status"),
    ];
    let before = admin.patch(&path, json!({})).await.expect(200);
    for (body, member) in cases {
        let refused = admin.patch(&path, body.clone()).await.refused(422, "invalid");
        assert_eq!(members(&refused), [member], "{body}");
    }
    assert_eq!(admin.patch(&path, json!({})).await.expect(200), before, "nothing was written");
}

fn rules(accounts: Json) -> Json {
    json!({ "syncRules": { "accounts": accounts } })
}

fn rule(field: &str, operator: &str, value: Json) -> Json {
    rules(json!({ "filter": { "all": [{ "field": field, "operator": operator, "value": value }] } }))
}

#[tokio::test]
async fn filters_are_stored_and_shown_by_entity() {
    let app = TestApp::start().await;
    let path = format!("/api/crm/configs/{}", app.connect_salesforce().await);
    let sales_ops = app.api_key_of(Role::SalesOps).await;
    let given = json!({ "accounts": {
        "filter": { "any": [
            { "all": [{ "field": "Industry", "operator": "in", "value": ["Energy", "Media"] },
                      { "field": "CreatedDate", "operator": "within_days", "value": 30 }] },
            { "field": "OwnerId", "operator": "equals", "value": "current user" },
            { "field": "AnnualRevenue", "operator": "gte", "value": 1000.50 },
            { "field": "Phone", "operator": "is_empty", "value": null },
        ] },
        "excludeFields": ["phone", "custom.seats"],
    } });
    app.set_config("oauth_user_id = '005000000000001AAA'").await;
    let after = sales_ops.patch(&path, json!({ "syncRules": given })).await.expect(200);
    assert_eq!(after["config"]["syncRules"]["accounts"], given["accounts"]);
    let contacts = json!({ "contacts": { "filter": { "all": [] }, "excludeFields": ["phone"] } });
    let after = sales_ops.patch(&path, json!({ "syncRules": contacts })).await.expect(200);
    assert_eq!(
        after["config"]["syncRules"]["accounts"], given["accounts"],
        "an entity that is not named keeps its rules"
    );
    assert_eq!(after["config"]["syncRules"]["contacts"], json!({ "filter": null, "excludeFields": ["phone"] }));
    let shown = sales_ops.get(&path).await.expect(200);
    assert_eq!(shown["config"]["syncRules"], after["config"]["syncRules"]);
    let after = sales_ops.patch(&path, json!({ "syncRules": null })).await.expect(200);
    assert_eq!(after["config"]["syncRules"], Json::Null);
    // More than filters is an admin's.
    let both = json!({ "syncRules": null, "syncDirection": "pull" });
    sales_ops.patch(&path, both).await.refused(403, "forbidden");
    app.api_key_of(Role::Member).await.patch(&path, json!({ "syncRules": null })).await.refused(403, "forbidden");
}

#[tokio::test]
async fn only_an_admin_of_the_workspace_changes_settings() {
    let app = TestApp::start().await;
    let path = format!("/api/crm/configs/{}", app.connect_salesforce().await);
    for role in [Role::SalesOps, Role::Reviewer, Role::Compliance, Role::Member] {
        let client = app.api_key_of(role).await;
        client.patch(&path, json!({ "syncDirection": "pull" })).await.refused(403, "forbidden");
    }
    let (_, stranger) = app.other_workspace().await;
    stranger.patch(&path, json!({ "syncDirection": "pull" })).await.refused(404, "not_found");
    app.signed_out().patch(&path, json!({})).await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn a_direction_holds_from_the_next_run_on() {
    let app = TestApp::start().await;
    let path = format!("/api/crm/configs/{}", app.connect_salesforce().await);
    let admin = app.api_key_of(Role::Admin).await;
    let id = app.simulator.create("Account", json!({ "Name": "Kestrel", "Phone": "1" })).await;
    app.sync().await.expect_state("completed");
    admin.patch(&path, json!({ "syncDirection": "pull" })).await.expect(200);
    app.sql("UPDATE accounts SET phone = '2'").await;
    app.advance(chrono::TimeDelta::hours(1));
    app.sync().await.expect_state("completed");
    assert_eq!(
        app.simulator.record("Account", &id).await.text("Phone").as_deref(),
        Some("1"),
        "pull never writes there"
    );
}
