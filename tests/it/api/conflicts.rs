//! `/api/crm/conflicts`: listing and settling.

use crosstie::model::Role;
use serde_json::{Value as Json, json};

use crate::helpers::{Client, TestApp};

/// One account whose phone and industry both sides changed, under manual review.
struct Story {
    app: TestApp,
    crm_id: String,
    record: Json,
    reviewer: Client,
}

impl Story {
    async fn start() -> Story {
        let app = TestApp::start().await;
        let fields = json!({ "Name": "Kestrel Foods", "Phone": "+44 113 1", "Industry": "Energy" });
        let crm_id = app.simulator.create("Account", fields).await;
        app.connect_salesforce().await;
        app.set_config("conflict_resolution = 'manual_review'").await;
        app.sync().await.expect_state("completed");
        let record = app.row("SELECT id FROM accounts").await["id"].clone();
        app.advance(chrono::TimeDelta::seconds(5));
        let reviewer = app.api_key_of(Role::Reviewer).await;
        let story = Story { app, crm_id, record, reviewer };
        story.edit_crm(json!({ "Phone": "+44 113 2", "Industry": "Banking" })).await;
        story.edit_app("phone = '+44 113 3', industry = 'Retail'").await;
        story.app.sync().await.expect_state("completed");
        story
    }

    async fn edit_crm(&self, fields: Json) {
        self.app.simulator.edit("Account", &self.crm_id, fields).await;
    }

    async fn edit_app(&self, assignments: &str) {
        let id = self.record.as_str().expect("an id");
        self.app.sql(&format!("UPDATE accounts SET {assignments} WHERE id = '{id}'")).await;
    }

    async fn pending(&self) -> Json {
        let list = self.reviewer.get("/api/crm/conflicts?status=pending").await.expect(200);
        assert_eq!(list["pagination"]["total"], 1, "{list}");
        list["conflicts"][0].clone()
    }

    async fn settle(&self, conflict: &Json, action: &str, body: Json) -> crate::helpers::Answer {
        let id = conflict["id"].as_str().expect("an id");
        self.reviewer.post(&format!("/api/crm/conflicts/{id}/{action}"), body).await
    }

    async fn values(&self) -> (Json, [Option<String>; 2]) {
        let here = self.app.row("SELECT phone, industry FROM accounts").await;
        let there = self.app.simulator.record("Account", &self.crm_id).await;
        (here, [there.text("Phone"), there.text("Industry")])
    }

    /// The run that carries the decision out, and one more that must find nothing.
    async fn carry_out(&self) {
        self.app.work().await;
        self.app.assert_agreement().await;
        let written = "SELECT id FROM crm_sync_changes";
        let before = self.app.rows(written).await.len();
        self.app.advance(chrono::TimeDelta::seconds(5));
        self.app.sync().await.expect_state("completed");
        assert_eq!(self.app.rows(written).await.len(), before, "the next run writes nothing");
        let list = self.reviewer.get("/api/crm/conflicts?status=pending").await.expect(200);
        assert_eq!(list["pagination"]["total"], 0, "{list}");
    }
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

#[tokio::test]
async fn a_conflict_has_the_shape_of_the_contract() {
    let story = Story::start().await;
    let conflict = story.pending().await;
    let mut members: Vec<&str> = conflict.as_object().expect("an object").keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(
        members,
        [
            "appData",
            "baseData",
            "configId",
            "conflictingFields",
            "crmData",
            "crmRaw",
            "crmRecordId",
            "detectedAt",
            "entityId",
            "entityType",
            "id",
            "kind",
            "mergedData",
            "resolutionStrategy",
            "resolvedAt",
            "resolvedBy",
            "status",
            "updatedAt",
            "version",
            "workspaceId"
        ]
    );
    assert_eq!(conflict["conflictingFields"], json!(["industry", "phone"]));
    assert_eq!(conflict["appData"], json!({ "industry": "Retail", "phone": "+44 113 3" }));
    assert_eq!(conflict["crmData"], json!({ "industry": "Banking", "phone": "+44 113 2" }));
    assert_eq!(conflict["baseData"], json!({ "industry": "Energy", "phone": "+44 113 1" }));
    assert_eq!((&conflict["kind"], &conflict["entityType"]), (&json!("field"), &json!("accounts")));
    assert_eq!((&conflict["entityId"], &conflict["crmRecordId"]), (&story.record, &json!(story.crm_id)));
    let id = conflict["id"].as_str().expect("an id");
    let one = story.reviewer.get(&format!("/api/crm/conflicts/{id}")).await.expect(200);
    assert_eq!(one["conflict"], conflict);
    let none = story.reviewer.get("/api/crm/conflicts?entityType=contacts").await.expect(200);
    assert_eq!(none["conflicts"], json!([]));
    story.reviewer.get("/api/crm/conflicts?status=open").await.refused(422, "invalid");
}

#[tokio::test]
async fn the_apps_values_arrive_in_the_crm() {
    let story = Story::start().await;
    let conflict = story.pending().await;
    let answer = story.settle(&conflict, "resolve", json!({ "strategy": "use_app", "version": 1 })).await.expect(200);
    assert_eq!((&answer["conflict"]["status"], &answer["conflict"]["version"]), (&json!("resolved"), &json!(2)));
    assert_eq!(answer["conflict"]["resolutionStrategy"], "use_app");
    assert_eq!(answer["conflict"]["mergedData"], json!({ "industry": "Retail", "phone": "+44 113 3" }));
    assert!(answer["conflict"]["resolvedBy"].is_string() && answer["conflict"]["resolvedAt"].is_string());
    story.carry_out().await;
    let expected = json!({ "phone": "+44 113 3", "industry": "Retail" });
    assert_eq!(story.values().await, (expected, [text("+44 113 3"), text("Retail")]));
    let rules = story.app.rows("SELECT DISTINCT f ->> 'rule' AS rule FROM crm_sync_changes, json_array_elements(fields) f WHERE side = 'crm'").await;
    assert_eq!(rules, [json!({ "rule": "person" })]);
}

#[tokio::test]
async fn the_crms_values_arrive_in_the_app() {
    let story = Story::start().await;
    let conflict = story.pending().await;
    story.settle(&conflict, "resolve", json!({ "strategy": "use_crm" })).await.expect(200);
    story.carry_out().await;
    let expected = json!({ "phone": "+44 113 2", "industry": "Banking" });
    assert_eq!(story.values().await, (expected, [text("+44 113 2"), text("Banking")]));
}

#[tokio::test]
async fn merged_values_arrive_on_both_sides() {
    let story = Story::start().await;
    let conflict = story.pending().await;
    let body = json!({ "strategy": "manual", "mergedData": { "phone": "+44 113 9", "industry": "Banking" } });
    story.settle(&conflict, "resolve", body).await.expect(200);
    story.carry_out().await;
    let expected = json!({ "phone": "+44 113 9", "industry": "Banking" });
    assert_eq!(story.values().await, (expected, [text("+44 113 9"), text("Banking")]));
}

#[tokio::test]
async fn a_strategy_decides_what_merged_data_does_not_name() {
    let story = Story::start().await;
    let conflict = story.pending().await;
    let body = json!({ "strategy": "use_app", "mergedData": { "phone": "+44 113 2" } });
    story.settle(&conflict, "resolve", body).await.expect(200);
    story.carry_out().await;
    let expected = json!({ "phone": "+44 113 2", "industry": "Retail" });
    assert_eq!(story.values().await, (expected, [text("+44 113 2"), text("Retail")]));
}

#[tokio::test]
async fn an_ignored_difference_stays_and_is_not_asked_about_again() {
    let story = Story::start().await;
    let conflict = story.pending().await;
    let answer = story.settle(&conflict, "ignore", json!({ "version": 1 })).await.expect(200);
    assert_eq!(
        (&answer["conflict"]["status"], &answer["conflict"]["resolutionStrategy"]),
        (&json!("ignored"), &json!(null))
    );
    story.app.advance(chrono::TimeDelta::seconds(5));
    story.app.sync().await.expect_state("completed");
    let expected = json!({ "phone": "+44 113 3", "industry": "Retail" });
    assert_eq!(story.values().await, (expected, [text("+44 113 2"), text("Banking")]));
    // A later edit of one side goes over as any edit does.
    story.edit_crm(json!({ "Phone": "+44 113 7" })).await;
    story.app.sync().await.expect_state("completed");
    assert_eq!(story.values().await.0["phone"], "+44 113 7");
}

#[tokio::test]
async fn a_side_that_moved_meanwhile_is_shown_and_nothing_is_written() {
    let story = Story::start().await;
    let conflict = story.pending().await;
    story.app.advance(chrono::TimeDelta::seconds(5));
    story.edit_crm(json!({ "Phone": "+44 113 8" })).await;
    let body = json!({ "strategy": "use_app", "version": 1 });
    let problem = story.settle(&conflict, "resolve", body.clone()).await.refused(409, "conflict_moved");
    assert_eq!(problem["current"]["crmData"]["phone"], "+44 113 8");
    assert_eq!((&problem["current"]["version"], &problem["current"]["status"]), (&json!(2), &json!("pending")));
    story.edit_app("phone = '+44 113 6'").await;
    let body = json!({ "strategy": "use_app", "version": 2 });
    let problem = story.settle(&conflict, "resolve", body.clone()).await.refused(409, "conflict_moved");
    assert_eq!(problem["current"]["appData"]["phone"], "+44 113 6");
    story.settle(&conflict, "resolve", body).await.refused(409, "conflict_moved");
    assert_eq!(story.values().await.1, [text("+44 113 8"), text("Banking")], "nothing was written");
    story.settle(&conflict, "resolve", json!({ "strategy": "use_crm", "version": 3 })).await.expect(200);
    story.carry_out().await;
    assert_eq!(story.values().await.0["phone"], "+44 113 8");
}

#[tokio::test]
async fn the_second_reviewer_is_told_that_it_is_settled() {
    let story = Story::start().await;
    let conflict = story.pending().await;
    story.settle(&conflict, "resolve", json!({ "strategy": "use_app" })).await.expect(200);
    let problem =
        story.settle(&conflict, "resolve", json!({ "strategy": "use_crm" })).await.refused(409, "conflict_moved");
    assert_eq!(problem["current"]["status"], "resolved");
    story.settle(&conflict, "ignore", json!({})).await.refused(409, "conflict_moved");
    story.carry_out().await;
}

#[tokio::test]
async fn an_edit_before_the_run_voids_the_decision() {
    let story = Story::start().await;
    let conflict = story.pending().await;
    story.settle(&conflict, "resolve", json!({ "strategy": "use_app" })).await.expect(200);
    story.app.advance(chrono::TimeDelta::seconds(5));
    story.edit_crm(json!({ "Phone": "+44 113 8" })).await;
    story.app.work().await;
    let again = story.pending().await;
    assert_eq!(again["conflictingFields"], json!(["phone"]), "industry went over as decided");
    assert_eq!(again["crmData"]["phone"], "+44 113 8");
    assert_eq!(story.values().await.1, [text("+44 113 8"), text("Retail")]);
}

#[tokio::test]
async fn always_sets_the_rule_of_each_field() {
    let story = Story::start().await;
    let conflict = story.pending().await;
    story.settle(&conflict, "resolve", json!({ "strategy": "use_crm", "always": true })).await.expect(200);
    let rules = story.app.rows("SELECT entity_type, app_field, rule FROM crm_field_rules ORDER BY app_field").await;
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[1], json!({ "entity_type": "account", "app_field": "phone", "rule": "use_crm" }));
    story.carry_out().await;
}

#[tokio::test]
async fn what_cannot_be_decided_names_its_member() {
    let story = Story::start().await;
    let conflict = story.pending().await;
    for (body, member) in [
        (json!({}), "strategy"),
        (json!({ "strategy": "coin" }), "strategy"),
        (json!({ "strategy": "rule" }), "strategy"),
        (json!({ "strategy": "manual", "mergedData": { "phone": "1" } }), "mergedData.industry"),
        (json!({ "strategy": "use_app", "mergedData": { "domain": "x.example" } }), "mergedData.domain"),
        (json!({ "strategy": "use_app", "mergedData": { "phone": "4".repeat(41) } }), "mergedData.phone"),
        (json!({ "strategy": "use_app", "mergedData": { "phone": "4".repeat(400) } }), "mergedData.phone"),
        (json!({ "strategy": "use_app", "mergedData": { "phone": { "a": 1 } } }), "mergedData.phone"),
        (json!({ "strategy": "use_app", "mergedata": {} }), "mergedata"),
        (
            json!({ "strategy": "manual", "mergedData": { "phone": "1", "industry": "Retail" }, "always": true }),
            "always",
        ),
    ] {
        let problem = story.settle(&conflict, "resolve", body.clone()).await.refused(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], member, "{body}: {problem}");
    }
    assert_eq!(story.pending().await, conflict);
}

#[tokio::test]
async fn who_may_not_is_told_and_nothing_is_found_in_another_workspace() {
    let story = Story::start().await;
    let conflict = story.pending().await;
    let path = format!("/api/crm/conflicts/{}", conflict["id"].as_str().expect("an id"));
    let decision = json!({ "strategy": "use_app" });
    for role in [Role::SalesOps, Role::Compliance, Role::Member] {
        let client = story.app.api_key_of(role).await;
        client.get(&path).await.expect(200);
        client.post(&format!("{path}/resolve"), decision.clone()).await.refused(403, "forbidden");
        client.post(&format!("{path}/ignore"), json!({})).await.refused(403, "forbidden");
    }
    let (_, stranger) = story.app.other_workspace().await;
    stranger.get(&path).await.refused(404, "not_found");
    stranger.post(&format!("{path}/resolve"), decision.clone()).await.refused(404, "not_found");
    stranger.post(&format!("{path}/ignore"), json!({})).await.refused(404, "not_found");
    assert_eq!(stranger.get("/api/crm/conflicts").await.expect(200)["conflicts"], json!([]));
    story.app.signed_out().get(&path).await.refused(401, "not_signed_in");
    story.app.set_config("status = 'paused'").await;
    story.settle(&conflict, "resolve", decision).await.refused(409, "connection_not_ready");
}

/// Two accounts here share the domain of one in the CRM.
async fn ambiguous(app: &TestApp) -> (String, Vec<Json>) {
    let crm_id =
        app.simulator.create("Account", json!({ "Name": "Kestrel", "Website": "kestrel.example", "Phone": "1" })).await;
    for name in ["Kestrel Foods", "Kestrel Farms"] {
        app.insert("accounts", json!({ "name": name, "domain": "kestrel.example", "phone": "2" })).await;
    }
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    let client = app.api_key_of(Role::Reviewer).await;
    let list = client.get("/api/crm/conflicts?status=pending").await.expect(200);
    let mut conflicts = list["conflicts"].as_array().expect("a list").clone();
    conflicts.sort_by_key(|conflict| conflict["appData"]["name"].to_string());
    assert_eq!(conflicts.iter().map(|conflict| conflict["kind"].clone()).collect::<Vec<_>>(), ["match", "match"]);
    (crm_id, conflicts)
}

#[tokio::test]
async fn a_match_is_linked_and_the_other_record_is_created() {
    let app = TestApp::start().await;
    let (crm_id, conflicts) = ambiguous(&app).await;
    let client = app.api_key_of(Role::Reviewer).await;
    let path = format!("/api/crm/conflicts/{}/resolve", conflicts[1]["id"].as_str().expect("an id"));
    client.post(&path, json!({ "strategy": "use_app" })).await.expect(200);
    let left = client.get("/api/crm/conflicts?status=pending").await.expect(200);
    assert_eq!(left["conflicts"], json!([]), "the other question is answered with it");
    app.work().await;
    app.sync().await.expect_state("completed");
    let linked = app.simulator.record("Account", &crm_id).await;
    assert_eq!((linked.text("Name"), linked.text("Phone")), (text("Kestrel Foods"), text("2")));
    assert_eq!(app.simulator.records("Account").await.len(), 2);
    app.assert_agreement().await;
}

#[tokio::test]
async fn matches_kept_apart_become_records_of_their_own() {
    let app = TestApp::start().await;
    let (_, conflicts) = ambiguous(&app).await;
    let client = app.api_key_of(Role::Reviewer).await;
    for conflict in &conflicts {
        let path = format!("/api/crm/conflicts/{}/ignore", conflict["id"].as_str().expect("an id"));
        client.post(&path, json!({})).await.expect(200);
    }
    app.work().await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.records("Account").await.len(), 3);
    assert_eq!(app.rows("SELECT id FROM accounts").await.len(), 3);
    let waiting = client.get("/api/crm/conflicts?status=pending").await.expect(200);
    assert_eq!(waiting["conflicts"], json!([]));
}

/// The record was deleted in the CRM while the app edited it, and the app would follow deletes.
async fn deleted_there(app: &TestApp) -> String {
    app.simulator.create("Account", json!({ "Name": "Kestrel Foods", "Phone": "1" })).await;
    app.connect_salesforce().await;
    app.set_config("conflict_resolution = 'manual_review', options = options || '{\"deleteInApp\": true}'").await;
    app.sync().await.expect_state("completed");
    app.advance(chrono::TimeDelta::seconds(5));
    let crm_id = app.simulator.find("Account", "Name", "Kestrel Foods").await.id;
    app.sql("UPDATE accounts SET phone = '2'").await;
    app.simulator.act("delete", "Account", &crm_id).await;
    app.sync().await.expect_state("completed");
    let client = app.api_key_of(Role::Reviewer).await;
    let list = client.get("/api/crm/conflicts?status=pending").await.expect(200);
    assert_eq!(list["conflicts"][0]["kind"], "delete", "{list}");
    let id = list["conflicts"][0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/crm/conflicts/{id}/resolve");
    client.post(&path, json!({ "strategy": "manual" })).await.refused(422, "invalid");
    path
}

#[tokio::test]
async fn an_edit_that_wins_over_a_delete_makes_the_record_anew() {
    let app = TestApp::start().await;
    let path = deleted_there(&app).await;
    app.api_key_of(Role::Reviewer).await.post(&path, json!({ "strategy": "use_app" })).await.expect(200);
    app.work().await;
    app.sync().await.expect_state("completed");
    assert_eq!(app.simulator.find("Account", "Name", "Kestrel Foods").await.text("Phone"), text("2"));
    assert_eq!(app.rows("SELECT id FROM accounts WHERE deleted_at IS NULL").await.len(), 1);
    app.assert_agreement().await;
}

#[tokio::test]
async fn a_delete_that_wins_over_an_edit_deletes_here_too() {
    let app = TestApp::start().await;
    let path = deleted_there(&app).await;
    app.api_key_of(Role::Reviewer).await.post(&path, json!({ "strategy": "use_crm" })).await.expect(200);
    app.work().await;
    assert_eq!(app.rows("SELECT id FROM accounts WHERE deleted_at IS NULL").await.len(), 0);
    assert_eq!(app.simulator.records("Account").await.len(), 0);
}
