//! Both sides changed.

use chrono::TimeDelta;
use crosstie::clock::Clock;
use crosstie::model::{ConflictKind, Entity};
use crosstie::store::questions::{self, Question};
use crosstie::store::{Actor, WorkspaceTx};
use serde_json::{Value as Json, json};

use super::{agreed_account, app_value, assert_rests, crm_value, text};
use crate::helpers::TestApp;

#[tokio::test]
async fn different_fields_of_one_record_cross() {
    let app = TestApp::start().await;
    let (record_id, crm_id) =
        agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1", "Industry": "Energy" })).await;
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "2" })).await;
    app.sql(&format!("UPDATE accounts SET industry = 'Media' WHERE id = '{record_id}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("2"));
    assert_eq!(crm_value(&app, "Account", &crm_id, "Industry").await.as_deref(), Some("Media"));
    assert_eq!(app.rows("SELECT * FROM crm_sync_conflicts").await.len(), 0);
    app.sync().await.expect_state("completed");
    assert_rests(&app).await;
}

#[tokio::test]
async fn the_same_edit_on_both_sides_is_no_conflict() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "+44 (113) 5" })).await;
    app.sql(&format!("UPDATE accounts SET phone = '+441135' WHERE id = '{record_id}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT * FROM crm_sync_conflicts").await.len(), 0);
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, text("+441135"));
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await.as_deref(), Some("+44 (113) 5"));
    assert_rests(&app).await;
}

/// Both sides edit the phone, the app `app_after` the CRM; returns both values afterwards.
async fn conflict(app: &TestApp, policy: &str, app_after: TimeDelta) -> (Json, Option<String>) {
    let (record_id, crm_id) = agreed_account(app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    app.set_config(&format!("conflict_resolution = '{policy}'")).await;
    app.advance(TimeDelta::minutes(1));
    let crm_edit = app.simulator.edit("Account", &crm_id, json!({ "Phone": "crm" }));
    let update = format!("UPDATE accounts SET phone = 'app' WHERE id = '{record_id}'");
    if app_after >= TimeDelta::zero() {
        crm_edit.await;
        app.advance(app_after);
        app.sql(&update).await;
    } else {
        app.sql(&update).await;
        app.advance(-app_after);
        crm_edit.await;
    }
    app.advance(TimeDelta::minutes(1));
    app.sync().await.expect_state("completed");
    (app_value(app, "accounts", record_id, "phone").await, crm_value(app, "Account", &crm_id, "Phone").await)
}

#[tokio::test]
async fn the_crm_wins_where_the_policy_says_so() {
    let app = TestApp::start().await;
    let both = conflict(&app, "crm_wins", TimeDelta::minutes(1)).await;
    assert_eq!(both, (text("crm"), Some("crm".to_owned())));
    let told = app.row("SELECT status, resolution_strategy, app_data, crm_data FROM crm_sync_conflicts").await;
    assert_eq!(
        told,
        json!({ "status": "resolved", "resolution_strategy": "rule", "app_data": { "phone": "app" }, "crm_data": { "phone": "crm" } })
    );
    let journal = app.row("SELECT fields FROM crm_sync_changes WHERE side = 'app' AND action = 'update'").await;
    assert_eq!(journal["fields"][0]["before"], "app", "the losing value can be brought back");
    app.sync().await.expect_state("completed");
    assert_rests(&app).await;
}

#[tokio::test]
async fn the_app_wins_where_the_policy_says_so() {
    let app = TestApp::start().await;
    let both = conflict(&app, "app_wins", TimeDelta::minutes(-1)).await;
    assert_eq!(both, (text("app"), Some("app".to_owned())));
    assert_eq!(app.rows("SELECT * FROM crm_sync_conflicts WHERE status = 'resolved'").await.len(), 1);
    let journal = app.row("SELECT fields FROM crm_sync_changes WHERE side = 'crm'").await;
    assert_eq!(journal["fields"][0]["before"], "crm", "the losing value can be brought back");
    app.sync().await.expect_state("completed");
    assert_rests(&app).await;
}

#[tokio::test]
async fn the_later_edit_wins() {
    let app = TestApp::start().await;
    let both = conflict(&app, "last_write_wins", TimeDelta::seconds(30)).await;
    assert_eq!(both, (text("app"), Some("app".to_owned())));
    let other = TestApp::start().await;
    let both = conflict(&other, "last_write_wins", TimeDelta::seconds(-30)).await;
    assert_eq!(both, (text("crm"), Some("crm".to_owned())));
    let tie = TestApp::start().await;
    let both = conflict(&tie, "last_write_wins", TimeDelta::milliseconds(900)).await;
    assert_eq!(both, (text("crm"), Some("crm".to_owned())), "within two seconds the CRM's wins");
    // The journal says by what the later edit was known.
    for (app, rule) in [(&app, "last_write_wins"), (&other, "last_write_wins"), (&tie, "last_write_tied")] {
        let written = app.row("SELECT fields FROM crm_sync_changes WHERE action = 'update'").await;
        assert_eq!(written["fields"][0]["rule"], rule);
    }
}

#[tokio::test]
async fn in_manual_review_neither_side_moves_and_going_back_closes_the_question() {
    let app = TestApp::start().await;
    let both = conflict(&app, "manual_review", TimeDelta::minutes(1)).await;
    assert_eq!(both, (text("app"), Some("crm".to_owned())));
    let query = "SELECT status, version, app_data, crm_data, base_data, conflicting_fields FROM crm_sync_conflicts";
    assert_eq!(
        app.row(query).await,
        json!({ "status": "pending", "version": 1, "app_data": { "phone": "app" }, "crm_data": { "phone": "crm" },
                "base_data": { "phone": "1" }, "conflicting_fields": ["phone"] })
    );
    app.sync().await.expect_state("completed");
    assert_eq!(app.row(query).await["version"], 1, "a run that finds nothing leaves it alone");
    // Another field of the record goes on meanwhile.
    app.advance(TimeDelta::minutes(1));
    app.sql("UPDATE accounts SET industry = 'Media'").await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.find("Account", "Name", "Kestrel").await.text("Industry").as_deref(), Some("Media"));
    assert_eq!(app.simulator.find("Account", "Name", "Kestrel").await.text("Phone").as_deref(), Some("crm"));
    // A side moves: the question tells the new value.
    app.advance(TimeDelta::minutes(1));
    app.sql("UPDATE accounts SET phone = 'newer'").await;
    app.sync().await.expect_state("completed");
    let now = app.row(query).await;
    assert_eq!(
        (&now["status"], &now["version"], &now["app_data"]),
        (&json!("pending"), &json!(2), &json!({ "phone": "newer" }))
    );
    // The app goes back to what both had: only the CRM's edit is left.
    app.advance(TimeDelta::minutes(1));
    app.sql("UPDATE accounts SET phone = '1'").await;
    app.sync().await.expect_state("completed");
    assert_eq!(
        app.row("SELECT status, resolution_strategy FROM crm_sync_conflicts").await,
        json!({ "status": "resolved", "resolution_strategy": "converged" })
    );
    app.assert_agreement().await;
}

#[tokio::test]
async fn a_field_rule_goes_before_the_policy() {
    let app = TestApp::start().await;
    let (record_id, crm_id) =
        agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1", "Industry": "Energy" })).await;
    app.set_config("conflict_resolution = 'crm_wins'").await;
    app.as_superuser(&format!(
        "INSERT INTO crm_field_rules (workspace_id, config_id, entity_type, app_field, rule, created_at)
         SELECT workspace_id, id, 'account', 'phone', 'use_app', now() FROM crm_sync_configs WHERE workspace_id = '{}'",
        app.workspace_id
    ))
    .await;
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "crm", "Industry": "Media" })).await;
    app.sql(&format!("UPDATE accounts SET phone = 'app', industry = 'Retail' WHERE id = '{record_id}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await.as_deref(), Some("app"));
    assert_eq!(app_value(&app, "accounts", record_id, "industry").await, text("Media"));
    app.assert_agreement().await;
}

#[tokio::test]
async fn an_address_that_both_sides_changed_is_taken_from_one_side_whole() {
    let app = TestApp::start().await;
    let (record_id, crm_id) =
        agreed_account(&app, json!({ "Name": "Kestrel", "BillingStreet": "Dock Row 1", "BillingCity": "Leeds" })).await;
    app.set_config("conflict_resolution = 'crm_wins'").await;
    app.simulator.edit("Account", &crm_id, json!({ "BillingCity": "York" })).await;
    app.sql(&format!("UPDATE accounts SET billing_street = 'Mill Lane 2' WHERE id = '{record_id}'")).await;
    app.sync().await.expect_state("completed");
    let row = app.row(&format!("SELECT billing_street, billing_city FROM accounts WHERE id = '{record_id}'")).await;
    assert_eq!(row, json!({ "billing_street": "Dock Row 1", "billing_city": "York" }));
    app.assert_agreement().await;
}

/// Somebody in the CRM edits a field between the engine's reading and its write to the same field.
async fn edited_between_read_and_write(app: &TestApp, policy: &str) -> (Json, Option<String>) {
    let (record_id, crm_id) = agreed_account(app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    app.set_config(&format!("conflict_resolution = '{policy}'")).await;
    app.sql(&format!("UPDATE accounts SET phone = 'app' WHERE id = '{record_id}'")).await;
    app.advance(TimeDelta::minutes(1));
    let run_id = app.trigger(None).await;
    loop {
        let position = app.row(&format!("SELECT position::text AS at FROM crm_sync_runs WHERE id = '{run_id}'")).await;
        if position["at"].as_str().is_some_and(|at| at.contains("Push")) {
            break;
        }
        assert!(app.step().await);
    }
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "crm" })).await;
    app.finish(run_id).await.expect_state("completed");
    app.advance(TimeDelta::minutes(1));
    app.sync().await.expect_state("completed");
    (app_value(app, "accounts", record_id, "phone").await, crm_value(app, "Account", &crm_id, "Phone").await)
}

#[tokio::test]
async fn an_edit_between_read_and_write_is_put_back_where_the_crm_wins() {
    let app = TestApp::start().await;
    let both = edited_between_read_and_write(&app, "crm_wins").await;
    assert_eq!(both, (text("crm"), Some("crm".to_owned())));
    assert_rests(&app).await;
}

#[tokio::test]
async fn an_edit_between_read_and_write_loses_where_the_app_wins_and_is_told() {
    let app = TestApp::start().await;
    let both = edited_between_read_and_write(&app, "app_wins").await;
    assert_eq!(both, (text("app"), Some("app".to_owned())));
    let told = app.rows("SELECT crm_data FROM crm_sync_conflicts WHERE status = 'resolved'").await;
    assert_eq!(told, [json!({ "crm_data": { "phone": "crm" } })]);
    assert_rests(&app).await;
}

#[tokio::test]
async fn an_edit_between_read_and_write_becomes_a_question_in_manual_review() {
    let app = TestApp::start().await;
    let both = edited_between_read_and_write(&app, "manual_review").await;
    assert_eq!(
        both,
        (text("app"), Some("crm".to_owned())),
        "the value that was overwritten is back, and a person decides"
    );
    let pending = app.row("SELECT crm_data, app_data FROM crm_sync_conflicts WHERE status = 'pending'").await;
    assert_eq!(pending, json!({ "crm_data": { "phone": "crm" }, "app_data": { "phone": "app" } }));
}

#[tokio::test]
async fn an_edit_of_the_app_during_the_call_is_not_taken_for_agreed() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    app.sql(&format!("UPDATE accounts SET phone = '2' WHERE id = '{record_id}'")).await;
    app.simulator
        .faults(json!([{ "match": { "operation": "composite" }, "fault": "delay", "delayMs": 200, "times": 1 }]))
        .await;
    let run_id = app.trigger(None).await;
    let update = format!("UPDATE accounts SET phone = '3' WHERE id = '{record_id}'");
    let edit = async {
        // The write is under way once its intent stands.
        while app.rows("SELECT id FROM crm_sync_changes WHERE state = 'sent'").await.is_empty() {
            tokio::task::yield_now().await;
        }
        app.sql(&update).await;
    };
    let (run, ()) = tokio::join!(app.finish(run_id), edit);
    run.expect_state("completed");
    app.sync().await.expect_state("completed");
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await.as_deref(), Some("3"));
    app.assert_agreement().await;
}

#[tokio::test]
async fn a_pair_that_is_asked_about_twice_at_once_has_one_question() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    let run_id = app.trigger(None).await;
    app.finish(run_id).await.expect_state("completed");
    let ask = |phone: &str| Question {
        kind: ConflictKind::Field,
        link_id: None,
        record_id: Some(record_id),
        crm_record_id: Some(crm_id.clone()),
        app: [("phone".to_owned(), Some(phone.to_owned()))].into(),
        crm: Default::default(),
        base: Default::default(),
        crm_raw: Default::default(),
        fields: vec!["phone".to_owned()],
        settled: false,
    };
    let questions = [ask("2"), ask("3")];
    let mut tx =
        WorkspaceTx::begin(&app.services.pool, app.workspace_id, Actor::System, app.clock.now()).await.expect("begun");
    let raised = questions::raise(&mut tx, app.config_id().await, run_id, Entity::Account, &questions).await;
    assert_eq!(raised.expect("raised"), (1, 0));
    tx.commit().await.expect("committed");
    let asked = app.row("SELECT app_data, version FROM crm_sync_conflicts WHERE status = 'pending'").await;
    assert_eq!(asked, json!({ "app_data": { "phone": "3" }, "version": 2 }));
}
