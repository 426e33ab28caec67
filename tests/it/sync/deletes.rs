//! Deletes, merges and undeletes.

use chrono::TimeDelta;
use crosstie::service::runs;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{agreed_account, app_id, app_value, assert_rests, crm_value};
use crate::helpers::TestApp;

async fn link_state(app: &TestApp, crm_id: &str) -> Json {
    app.row(&format!("SELECT state FROM crm_record_links WHERE crm_record_id = '{crm_id}'")).await["state"].clone()
}

async fn is_deleted(app: &TestApp, id: Uuid) -> bool {
    app_value(app, "accounts", id, "deleted_at").await != Json::Null
}

#[tokio::test]
async fn a_delete_in_the_crm_closes_the_link_and_keeps_the_app_record_by_default() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel" })).await;
    app.simulator.act("delete", "Account", &crm_id).await;
    app.sync().await.expect_state("completed");
    assert_eq!(link_state(&app, &crm_id).await, "gone_crm");
    assert!(!is_deleted(&app, record_id).await);
    app.sql(&format!("UPDATE accounts SET phone = '5' WHERE id = '{record_id}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.records("Account").await.len(), 0, "an edit after the delete reopens nothing");
    assert_rests(&app).await;
}

#[tokio::test]
async fn with_the_option_a_delete_in_the_crm_deletes_softly_and_an_undelete_restores() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    app.set_config(r#"options = '{"deleteInApp": true}'"#).await;
    app.simulator.act("delete", "Account", &crm_id).await;
    let run = app.sync().await.expect_state("completed");
    assert!(is_deleted(&app, record_id).await);
    assert_eq!(link_state(&app, &crm_id).await, "gone_crm");
    let logs = app.logs(run.id).await;
    assert_eq!(logs[&("account".to_owned(), "pull".to_owned())]["records_deleted"], 1);
    assert_rests(&app).await;
    app.advance(TimeDelta::minutes(5));
    app.simulator.act("undelete", "Account", &crm_id).await;
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "2" })).await;
    app.sync().await.expect_state("completed");
    assert!(!is_deleted(&app, record_id).await);
    assert_eq!(app_value(&app, "accounts", record_id, "phone").await, json!("2"));
    assert_eq!(link_state(&app, &crm_id).await, "linked");
    app.assert_agreement().await;
}

#[tokio::test]
async fn a_delete_in_the_app_keeps_the_crm_record_by_default() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel" })).await;
    app.sql(&format!("UPDATE accounts SET deleted_at = now() WHERE id = '{record_id}'")).await;
    app.sync().await.expect_state("completed");
    assert_eq!(link_state(&app, &crm_id).await, "gone_app");
    assert_eq!(app.simulator.records("Account").await.len(), 1);
    app.advance(TimeDelta::minutes(5));
    app.simulator.edit("Account", &crm_id, json!({ "Phone": "5" })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT * FROM accounts").await.len(), 1, "it is not created anew");
}

#[tokio::test]
async fn with_the_option_soft_and_plain_deletes_in_the_app_reach_the_crm() {
    let app = TestApp::start().await;
    let (soft, soft_crm) = agreed_account(&app, json!({ "Name": "Kestrel" })).await;
    app.simulator.create("Account", json!({ "Name": "Alder" })).await;
    app.sync().await.expect_state("completed");
    let plain_crm = app.simulator.find("Account", "Name", "Alder").await.id;
    let plain = app_id(&app, &plain_crm).await;
    app.set_config(r#"options = '{"deleteInCrm": true}'"#).await;
    app.advance(TimeDelta::minutes(5));
    app.sql(&format!(
        "UPDATE accounts SET deleted_at = now() WHERE id = '{soft}'; DELETE FROM accounts WHERE id = '{plain}'"
    ))
    .await;
    app.simulator.clear_stats().await;
    app.sync().await.expect_state("completed");
    let stats = app.simulator.stats().await;
    assert_eq!(app.simulator.records("Account").await.len(), 0);
    assert_eq!(stats.of("collections_delete"), 1, "{stats:?}");
    for crm_id in [&soft_crm, &plain_crm] {
        assert_eq!(link_state(&app, crm_id).await, "gone_app");
    }
    app.sync().await.expect_state("completed");
    assert_rests(&app).await;
}

#[tokio::test]
async fn a_record_restored_in_the_app_is_linked_again_or_made_anew() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    let restore = format!("UPDATE accounts SET deleted_at = NULL, phone = '2' WHERE id = '{record_id}'");
    let delete = format!("UPDATE accounts SET deleted_at = now() WHERE id = '{record_id}'");
    app.sql(&delete).await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.sql(&restore).await;
    app.sync().await.expect_state("completed");
    app.sync().await.expect_state("completed");
    assert_eq!(link_state(&app, &crm_id).await, "linked");
    assert_eq!(crm_value(&app, "Account", &crm_id, "Phone").await.as_deref(), Some("2"));
    // Now its CRM record goes too: it is offered anew.
    app.set_config(r#"options = '{"deleteInCrm": true}'"#).await;
    app.advance(TimeDelta::minutes(5));
    app.sql(&delete).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.records("Account").await.len(), 0);
    app.advance(TimeDelta::minutes(5));
    app.sql(&restore).await;
    app.sync().await.expect_state("completed");
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.records("Account").await.len(), 1);
    app.assert_agreement().await;
}

#[tokio::test]
async fn a_delete_against_an_edit_follows_the_policy() {
    for (policy, app_record_lives) in [("crm_wins", false), ("app_wins", true), ("last_write_wins", false)] {
        let app = TestApp::start().await;
        let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
        app.set_config(&format!(r#"options = '{{"deleteInApp": true}}', conflict_resolution = '{policy}'"#)).await;
        app.sql(&format!("UPDATE accounts SET phone = '2' WHERE id = '{record_id}'")).await;
        app.advance(TimeDelta::minutes(5));
        app.simulator.act("delete", "Account", &crm_id).await;
        app.sync().await.expect_state("completed");
        assert_eq!(!is_deleted(&app, record_id).await, app_record_lives, "{policy}");
        assert_eq!(link_state(&app, &crm_id).await, "gone_crm", "{policy}");
        assert_eq!(app.simulator.records("Account").await.len(), 0, "{policy}: made anew only on a person's word");
    }
}

#[tokio::test]
async fn a_delete_in_the_crm_is_seen_although_the_run_reads_in_full() {
    let app = TestApp::start().await;
    let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Industry": "Energy" })).await;
    app.set_config(r#"options = '{"deleteInApp": true}'"#).await;
    app.simulator.act("delete", "Account", &crm_id).await;
    // Late enough for the list of deletions to have it. Something widens: the next run reads the entity in full.
    app.advance(TimeDelta::minutes(20));
    app.as_superuser(
        "UPDATE crm_field_mappings SET crm_field = 'Rating' WHERE app_field = 'industry' AND entity_type = 'account'",
    )
    .await;
    app.sync().await.expect_state("completed");
    assert!(is_deleted(&app, record_id).await);
}

/// 60 accounts on both sides; then the CRM loses all of them.
async fn mass_delete(app: &TestApp) -> Uuid {
    app.connect_salesforce().await;
    app.set_config(r#"options = '{"deleteInApp": true}'"#).await;
    app.sql(&format!(
        "INSERT INTO accounts (workspace_id, name) SELECT '{}', 'Company ' || n FROM generate_series(1, 60) n",
        app.workspace_id
    ))
    .await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    for record in app.simulator.records("Account").await {
        app.simulator.act("delete", "Account", &record.id).await;
    }
    app.simulator.create("Account", json!({ "Name": "New" })).await;
    let run = app.sync().await.expect_state("held");
    assert_eq!(app.rows("SELECT id FROM accounts WHERE deleted_at IS NOT NULL").await.len(), 0);
    assert_eq!(app.rows("SELECT id FROM accounts WHERE name = 'New'").await.len(), 1, "all else goes on");
    run.id
}

#[tokio::test]
async fn a_mass_delete_is_held_until_an_admin_approves_it() {
    let app = TestApp::start().await;
    let run_id = mass_delete(&app).await;
    runs::approve(&app.services, app.admin().await, run_id).await.expect("an approval");
    app.finish(run_id).await.expect_state("completed");
    assert_eq!(app.rows("SELECT id FROM accounts WHERE deleted_at IS NOT NULL").await.len(), 60);
    app.sync().await.expect_state("completed");
}

#[tokio::test]
async fn a_mass_delete_that_an_admin_rejects_deletes_nothing() {
    let app = TestApp::start().await;
    let run_id = mass_delete(&app).await;
    runs::reject(&app.services, app.admin().await, run_id).await.expect("a rejection");
    app.finish(run_id).await.expect_state("completed");
    assert_eq!(app.rows("SELECT id FROM accounts WHERE deleted_at IS NOT NULL").await.len(), 0);
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT id FROM accounts WHERE deleted_at IS NOT NULL").await.len(), 0, "and not later either");
    assert_eq!(app.simulator.records("Account").await.len(), 1);
}

#[tokio::test]
async fn a_merge_in_the_crm_moves_the_link_to_a_survivor_without_partner() {
    let app = TestApp::start().await;
    let (record_id, loser) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
    let survivor = app.simulator.create("Account", json!({ "Name": "Kestrel Ltd" })).await;
    app.simulator.merge("Account", &loser, &survivor).await;
    // Late enough for the list of deletions to have it.
    app.advance(TimeDelta::minutes(20));
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    assert_eq!(app_id(&app, &survivor).await, record_id);
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 1);
    app.assert_agreement().await;
    assert_rests(&app).await;
}

#[tokio::test]
async fn a_merge_of_two_linked_records_is_proposed_here_as_a_question() {
    let app = TestApp::start().await;
    let (record_id, loser) = agreed_account(&app, json!({ "Name": "Kestrel" })).await;
    let survivor = app.simulator.create("Account", json!({ "Name": "Kestrel Ltd" })).await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.simulator.merge("Account", &loser, &survivor).await;
    app.advance(TimeDelta::minutes(20));
    app.sync().await.expect_state("completed");
    assert_eq!(link_state(&app, &loser).await, "merged");
    assert_eq!(link_state(&app, &survivor).await, "linked");
    let question = app.row("SELECT kind, status, entity_id FROM crm_sync_conflicts").await;
    assert_eq!(question, json!({ "kind": "merge", "status": "pending", "entity_id": record_id }));
    assert!(!is_deleted(&app, record_id).await);
    assert_rests(&app).await;
}

#[tokio::test]
async fn an_account_deleted_in_the_crm_takes_its_contacts_along_without_harm() {
    let app = TestApp::start().await;
    let account = app.simulator.create("Account", json!({ "Name": "Kestrel" })).await;
    app.simulator.create("Contact", json!({ "LastName": "Raman", "AccountId": account })).await;
    app.connect_salesforce().await;
    app.set_config(r#"options = '{"deleteInApp": true}'"#).await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.simulator.act("delete", "Account", &account).await;
    let left = app.simulator.records("Contact").await.len();
    app.sync().await.expect_state("completed");
    assert_eq!(app.rows("SELECT id FROM accounts WHERE deleted_at IS NULL").await.len(), 0);
    assert_eq!(app.rows("SELECT id FROM contacts WHERE deleted_at IS NULL").await.len(), left);
    app.sync().await.expect_state("completed");
}
