//! Stories of HubSpot.

use chrono::TimeDelta;
use crosstie::model::{Entity, Provider};
use serde_json::{Value as Json, json};

use super::{accounts, app_id, counts, link_state};
use crate::helpers::TestApp;

const HUBSPOT: Provider = Provider::Hubspot;

/// A company that is linked with its app record, at rest.
async fn linked(app: &TestApp, fields: Json) -> String {
    let id = app.hubspot.create("companies", fields).await;
    app.connect_hubspot().await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    id
}

/// So many companies in HubSpot.
async fn companies(app: &TestApp, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(app.hubspot.create("companies", json!({ "name": format!("Company {number:03}") })).await);
    }
    ids
}

// A hundred a page wasted the five searches a second.
#[tokio::test]
async fn hubspot_story_5_changes_are_searched_two_hundred_a_call() {
    let app = TestApp::start().await;
    let ids = companies(&app, 210).await;
    app.connect_hubspot().await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    for id in &ids {
        app.hubspot.edit("companies", id, json!({ "phone": "2" })).await;
    }
    app.hubspot.clear_stats().await;
    app.sync().await.expect_state("completed");
    assert_eq!(accounts(&app, "phone").await, vec![json!("2"); 210]);
    let searches = app.hubspot.stats().await.of("search");
    assert!(searches <= 4, "two for the companies, one for the contacts, not {searches}");
}

// The token expired in the middle of a run, zero seconds ago.
#[tokio::test]
async fn hubspot_story_6_a_token_that_ends_in_mid_run_is_renewed_once() {
    let app = TestApp::start().await;
    let id = linked(&app, json!({ "name": "Kestrel", "phone": "1" })).await;
    app.hubspot.edit("companies", &id, json!({ "phone": "2" })).await;
    let run_id = app.trigger(None).await;
    app.step().await;
    app.hubspot.control("token/expire", json!({})).await;
    app.hubspot.clear_stats().await;
    app.finish(run_id).await.expect_state("completed");
    assert_eq!(accounts(&app, "phone").await, [json!("2")]);
    assert!(app.hubspot.stats().await.of("token") <= 2, "one refresh, and a look at whom it is for");
}

// A refresh token that was no longer good was tried for ever.
#[tokio::test]
async fn hubspot_story_7_a_grant_that_is_gone_asks_for_a_new_sign_in() {
    let app = TestApp::start().await;
    linked(&app, json!({ "name": "Kestrel" })).await;
    app.hubspot.control("token/revoke", json!({})).await;
    app.hubspot.control("token/expire", json!({})).await;
    let run = app.sync().await.expect_state("failed");
    assert_eq!(run.error_code.as_deref(), Some("sign_in"));
    assert_eq!(app.row("SELECT status FROM crm_sync_configs").await["status"], "error");
    app.sign_in_again_to(HUBSPOT, app.config_id().await).await;
    app.sync().await.expect_state("completed");
}

// One bad row made HubSpot refuse a hundred.
#[tokio::test]
async fn hubspot_story_8_one_bad_value_fails_its_record_alone() {
    let app = TestApp::start().await;
    for number in 0..20 {
        let email = if number == 7 { "no address".to_owned() } else { format!("someone.{number}@kestrel.example") };
        app.insert("contacts", json!({ "last_name": format!("Person {number}"), "email": email })).await;
    }
    app.connect_hubspot().await;
    app.sync().await.expect_state("partial");
    assert_eq!(app.hubspot.records("contacts").await.len(), 19);
    let failed = app.rows("SELECT failure FROM crm_record_links WHERE failure IS NOT NULL").await;
    assert_eq!(failed.len(), 1, "{failed:?}");
}

// Dates, date-times and milliseconds were taken for one another.
#[tokio::test]
async fn hubspot_story_12_a_day_stays_the_same_day_there_and_back() {
    let app = TestApp::start().await;
    let deal = json!({ "name": "Renewal", "stage": "Prospecting", "close_date": "2026-06-15" });
    let id = app.insert("opportunities", deal).await;
    app.connect_hubspot().await;
    app.as_superuser(
        "UPDATE crm_sync_configs SET sync_entities = '{accounts,contacts,opportunities}', time_zone = 'Europe/London'",
    )
    .await;
    app.sync().await.expect_state("completed");
    let there = app.hubspot.find("deals", "dealname", "Renewal").await;
    assert_eq!(there.text("closedate").as_deref(), Some("2026-06-14T23:00:00.000Z"), "midnight in London");
    app.advance(TimeDelta::minutes(5));
    // The evening of the same day there.
    app.hubspot.edit("deals", &there.id, json!({ "closedate": "2026-06-15T21:30:00Z", "description": "moved" })).await;
    app.sync().await.expect_state("completed");
    let here = app.row(&format!("SELECT close_date, description FROM opportunities WHERE id = '{id}'")).await;
    assert_eq!(here, json!({ "close_date": "2026-06-15", "description": "moved" }));
}

// An empty text became 0, and "0123" a number.
#[tokio::test]
async fn hubspot_story_13_an_empty_number_is_empty_and_digits_stay_text() {
    let app = TestApp::start().await;
    let id = linked(&app, json!({ "name": "Kestrel", "phone": "0123", "numberofemployees": "7" })).await;
    assert_eq!(accounts(&app, "phone").await, [json!("0123")]);
    app.hubspot.edit("companies", &id, json!({ "numberofemployees": "" })).await;
    app.sync().await.expect_state("completed");
    assert_eq!(accounts(&app, "employee_count").await, [Json::Null]);
    app.advance(TimeDelta::minutes(5));
    app.sql("UPDATE accounts SET phone = '0456', employee_count = 0").await;
    app.sync().await.expect_state("completed");
    let there = app.hubspot.record("companies", &id).await;
    assert_eq!((there.text("phone").as_deref(), there.text("numberofemployees").as_deref()), (Some("0456"), Some("0")));
}

// Deletes could not be seen.
#[tokio::test]
async fn hubspot_story_14_a_delete_is_seen_and_follows_the_option() {
    let app = TestApp::start().await;
    let id = linked(&app, json!({ "name": "Kestrel" })).await;
    app.set_config("options = options || '{\"deleteInApp\": true}'").await;
    app.hubspot.act("delete", "companies", &id).await;
    app.sync().await.expect_state("completed");
    assert_eq!(link_state(&app, &id).await, "gone_crm");
    assert_eq!(app.row("SELECT deleted_at IS NOT NULL AS deleted FROM accounts").await["deleted"], true);
}

// Merged records stayed twice, and the lists of merged ids disagreed.
#[tokio::test]
async fn hubspot_story_15_a_merge_leaves_one_record_on_each_side_and_a_question() {
    let app = TestApp::start().await;
    let [first, second] = ["Kestrel", "Kestrel Ltd"].map(|name| json!({ "name": name }));
    let loser = app.hubspot.create("companies", first).await;
    let survivor = app.hubspot.create("companies", second).await;
    app.connect_hubspot().await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.hubspot.merge("companies", &loser, &survivor).await;
    app.sync().await;
    let asked = app.rows("SELECT kind FROM crm_sync_conflicts WHERE status = 'pending'").await;
    assert_eq!(asked, [json!({ "kind": "merge" })], "a person decides about the two records here");
    let linked = app.rows("SELECT id FROM crm_record_links WHERE state = 'linked'").await;
    assert_eq!(linked.len(), 1);
    assert_eq!(app.hubspot.records("companies").await.len(), 1, "nothing is made anew there");
}

// What changed while a run was reading was lost, because the bookmark moved past it.
#[tokio::test]
async fn hubspot_story_16_an_edit_during_a_run_arrives_with_the_next() {
    let app = TestApp::start().await;
    let id = linked(&app, json!({ "name": "Kestrel", "phone": "1" })).await;
    let run_id = app.trigger(None).await;
    app.step().await;
    app.step().await;
    app.hubspot.edit("companies", &id, json!({ "phone": "2" })).await;
    app.advance(TimeDelta::seconds(5));
    app.finish(run_id).await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    assert_eq!(accounts(&app, "phone").await, [json!("2")]);
}

// The search index lagged, and what it showed late was never asked for again.
#[tokio::test]
async fn hubspot_story_17_an_edit_that_the_index_shows_late_arrives() {
    let app = TestApp::start().await;
    let id = linked(&app, json!({ "name": "Kestrel", "phone": "1" })).await;
    // No window shows the record for its former stamp any more.
    app.advance(TimeDelta::hours(3));
    app.sync().await.expect_state("completed");
    app.hubspot.control("settings", json!({ "searchLagMs": 600_000 })).await;
    app.hubspot.edit("companies", &id, json!({ "phone": "2" })).await;
    for _ in 0..2 {
        app.advance(TimeDelta::minutes(4));
        app.sync().await.expect_state("completed");
    }
    assert_eq!(accounts(&app, "phone").await, [json!("1")], "the cursor has passed it");
    app.advance(TimeDelta::minutes(15));
    app.sync().await.expect_state("completed");
    assert_eq!(accounts(&app, "phone").await, [json!("2")], "a second look goes back further");
}

// An association that moved no stamp was never seen.
#[tokio::test]
async fn hubspot_story_18_a_company_given_by_association_alone_is_found_within_a_day() {
    let app = TestApp::start().await;
    let company = app.hubspot.create("companies", json!({ "name": "Kestrel" })).await;
    let person = app.hubspot.create("contacts", json!({ "lastname": "Raman", "email": "p@kestrel.example" })).await;
    app.connect_hubspot().await;
    app.sync().await.expect_state("completed");
    app.advance(TimeDelta::minutes(5));
    app.hubspot.set_company("contacts", &person, Some(&company)).await;
    app.advance(TimeDelta::hours(25));
    app.sync().await.expect_state("completed");
    let expected = app_id(&app, &company).await.to_string();
    assert_eq!(app.row("SELECT account_id FROM contacts").await["account_id"], json!(expected));
}

// A create was searched for, not found yet, and made a second time.
#[tokio::test]
async fn hubspot_story_19_a_create_whose_answer_was_lost_makes_no_second_record() {
    let app = TestApp::start().await;
    app.insert("accounts", json!({ "name": "Kestrel" })).await;
    app.connect_hubspot().await;
    app.hubspot.control("settings", json!({ "searchLagMs": 60_000 })).await;
    let lost = |operation: &str| json!({ "match": { "operation": operation }, "fault": "lost_response", "times": 1 });
    app.hubspot.faults(json!([lost("batch_create"), lost("batch_upsert")])).await;
    app.sync().await;
    app.advance(TimeDelta::minutes(15));
    app.sync().await.expect_state("completed");
    assert_eq!(counts(&app, HUBSPOT, Entity::Account).await, [1, 1, 1]);
}

// A batch told of its first duplicate only, and the others were given up.
#[tokio::test]
async fn hubspot_story_20_every_record_of_a_batch_that_collides_finds_its_partner() {
    let app = TestApp::start().await;
    for number in 0..6 {
        let email = format!("someone.{number}@kestrel.example");
        app.insert("contacts", json!({ "last_name": format!("Person {number}"), "email": email })).await;
        if number % 2 == 0 {
            app.hubspot.create("contacts", json!({ "lastname": "Somebody", "email": email })).await;
        }
    }
    app.connect_hubspot().await;
    app.sync().await.expect_state("completed");
    assert_eq!(counts(&app, HUBSPOT, Entity::Contact).await, [6, 6, 6]);
}

// "Too many requests" was taken for an error, or not waited for.
#[tokio::test]
async fn hubspot_story_21_too_many_requests_are_waited_for_and_fail_nothing() {
    let app = TestApp::start().await;
    let id = linked(&app, json!({ "name": "Kestrel", "phone": "1" })).await;
    app.sql("UPDATE accounts SET phone = '2'").await;
    let limited = |operation: &str| json!({ "match": { "operation": operation }, "fault": "rate_limit", "times": 2 });
    app.hubspot.faults(json!([limited("search"), limited("batch_update"), limited("batch_read")])).await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.hubspot.record("companies", &id).await.text("phone").as_deref(), Some("2"));
    assert!(app.rows("SELECT id FROM crm_record_links WHERE failure IS NOT NULL").await.is_empty());
}

// Only the first page arrived.
#[tokio::test]
async fn hubspot_story_23_every_page_of_the_first_load_arrives() {
    let app = TestApp::start().await;
    companies(&app, 230).await;
    app.connect_hubspot().await;
    app.sync().await.expect_state("completed");
    assert_eq!(counts(&app, HUBSPOT, Entity::Account).await, [230, 230, 230]);
}

// A full refresh and an incremental one read different addresses and told different things.
#[tokio::test]
async fn hubspot_story_24_the_list_and_the_search_tell_the_same() {
    let app = TestApp::start().await;
    let fields = json!({ "name": "Kestrel", "phone": "1", "numberofemployees": "7", "industry": "OIL_ENERGY" });
    let id = linked(&app, fields).await;
    let read_by_the_list = app.row("SELECT base FROM crm_record_links").await;
    app.hubspot.edit("companies", &id, json!({ "city": "Leeds" })).await;
    app.sync().await.expect_state("completed");
    app.hubspot.edit("companies", &id, json!({ "city": "" })).await;
    app.advance(TimeDelta::minutes(5));
    app.sync().await.expect_state("completed");
    let read_by_search = app.row("SELECT base FROM crm_record_links").await;
    assert_eq!(read_by_search, read_by_the_list);
}
