//! Creates whose answer was lost in an org that has no field for Crosstie's id.

use crosstie::clock::Clock;
use serde_json::json;

use super::assert_rests;

use crate::helpers::TestApp;

/// An org without the field, and a contact that no key tells from another of the name.
async fn created(fault: &str) -> TestApp {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.as_superuser(
        "UPDATE crm_descriptions SET description = jsonb_set(description, '{fields}',
           (SELECT jsonb_agg(f) FROM jsonb_array_elements(description -> 'fields') f WHERE f ->> 'name' <> 'Crosstie_Id__c'))",
    )
    .await;
    app.insert("contacts", json!({ "last_name": "Raman", "phone": "5550100" })).await;
    app.simulator.faults(json!([{ "match": { "operation": "collections_create" }, "fault": fault, "times": 1 }])).await;
    app
}

async fn contacts(app: &TestApp) -> (usize, usize) {
    (app.rows("SELECT id FROM contacts").await.len(), app.simulator.records("Contact").await.len())
}

#[tokio::test]
async fn a_create_that_was_applied_is_found_by_what_was_sent() {
    let app = created("lost_response").await;
    app.sync().await.expect_state("completed");
    assert_eq!(contacts(&app).await, (1, 1));
    app.advance(chrono::TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    assert_rests(&app).await;
    assert_eq!(contacts(&app).await, (1, 1));
}

#[tokio::test]
async fn a_create_that_was_not_applied_is_sent_again_after_ten_minutes() {
    let app = created("reset").await;
    let before = app.clock.now();
    app.sync().await.expect_state("completed");
    assert_eq!(contacts(&app).await, (1, 1));
    assert!(app.clock.now() - before >= chrono::TimeDelta::minutes(10));
}

#[tokio::test]
async fn a_person_is_asked_where_what_was_created_has_changed_since() {
    let app = created("lost_response").await;
    let run_id = app.trigger(None).await;
    while app.simulator.records("Contact").await.is_empty() {
        assert!(app.step().await, "the create is sent before the run waits");
    }
    let made = app.simulator.records("Contact").await.remove(0);
    app.simulator.edit("Contact", &made.id, json!({ "Phone": "5550199" })).await;
    app.finish(run_id).await;
    app.sync().await;
    assert_eq!(contacts(&app).await, (1, 1), "neither side gets a second one");
    let asked = app.rows("SELECT kind, crm_record_id FROM crm_sync_conflicts WHERE status = 'pending'").await;
    assert_eq!(asked, [json!({ "kind": "match", "crm_record_id": made.id })]);
}
