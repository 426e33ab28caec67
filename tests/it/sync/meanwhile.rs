//! What people decide while a run is at work: it is neither lost nor undone by what the run has read before.

use chrono::TimeDelta;
use crosstie::model::Role;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{agreed_account, app_id, app_value, crm_value, text};
use crate::helpers::{Answer, TestApp};

/// Two accounts, of which both sides changed the phone of the one whose app id is the later; then a change in the CRM of both
/// that no mapping names.
struct Story {
    app: TestApp,
    /// The app's id of the account that another program is about to lock.
    locked: Uuid,
    /// Ids of the one that a person decides about, in the app and in the CRM.
    decided: (Uuid, String),
}

impl Story {
    async fn start() -> Story {
        let app = TestApp::start().await;
        let other = app.simulator.create("Account", json!({ "Name": "Alder" })).await;
        let (record_id, crm_id) = agreed_account(&app, json!({ "Name": "Kestrel", "Phone": "1" })).await;
        let mut both = [(record_id, crm_id), (app_id(&app, &other).await, other)];
        both.sort();
        let [(locked, other), decided] = both;
        app.set_config("conflict_resolution = 'manual_review'").await;
        app.simulator.edit("Account", &decided.1, json!({ "Phone": "crm" })).await;
        app.sql(&format!("UPDATE accounts SET phone = 'app' WHERE id = '{}'", decided.0)).await;
        app.sync().await.expect_state("completed");
        app.advance(TimeDelta::minutes(1));
        for id in [&other, &decided.1] {
            app.simulator.edit("Account", id, json!({ "AccountNumber": "7" })).await;
        }
        Story { app, locked, decided }
    }

    /// A run is stopped while it stores what it has read, by another program's lock; the person's request comes in between.
    async fn meanwhile(&self, request: impl Future<Output = Answer>) {
        let row = format!("SELECT id FROM accounts WHERE id = '{}' FOR UPDATE", self.locked);
        let held = self.app.begin_sql(&row).await.expect("a lock");
        let run_id = self.app.trigger(None).await;
        let person = async {
            self.app.until_locked_out(1).await;
            let request = std::pin::pin!(request);
            // It is done, or waits for the run.
            let waits = std::pin::pin!(self.app.until_locked_out(2));
            let rest = match futures::future::select(request, waits).await {
                futures::future::Either::Left((answer, _)) => Err(answer),
                futures::future::Either::Right(((), request)) => Ok(request),
            };
            held.rollback().await.expect("the lock is let go");
            match rest {
                Ok(request) => request.await,
                Err(answer) => answer,
            }
        };
        let (run, answer) = tokio::join!(self.app.finish(run_id), person);
        run.expect_state("completed");
        answer.expect(200);
        self.app.work().await;
    }

    async fn phones(&self) -> (Json, Option<String>) {
        let (record_id, crm_id) = &self.decided;
        (
            app_value(&self.app, "accounts", *record_id, "phone").await,
            crm_value(&self.app, "Account", crm_id, "Phone").await,
        )
    }
}

#[tokio::test]
async fn a_decision_is_carried_out_although_a_run_had_read_the_record_before_it() {
    let story = Story::start().await;
    let conflict = story.app.row("SELECT id FROM crm_sync_conflicts").await;
    let path = format!("/api/crm/conflicts/{}/resolve", conflict["id"].as_str().expect("an id"));
    let reviewer = story.app.api_key_of(Role::Reviewer).await;
    story.meanwhile(reviewer.post(&path, json!({ "strategy": "use_app" }))).await;
    assert_eq!(story.phones().await, (text("app"), Some("app".to_owned())));
    story.app.assert_agreement().await;
}

#[tokio::test]
async fn an_accepted_difference_stays_accepted_although_a_run_had_read_the_record_before_it() {
    let story = Story::start().await;
    let conflict = story.app.row("SELECT id FROM crm_sync_conflicts").await;
    let path = format!("/api/crm/conflicts/{}/ignore", conflict["id"].as_str().expect("an id"));
    let reviewer = story.app.api_key_of(Role::Reviewer).await;
    story.meanwhile(reviewer.post(&path, json!({}))).await;
    story.app.advance(TimeDelta::minutes(1));
    story.app.sync().await.expect_state("completed");
    assert_eq!(story.phones().await, (text("app"), Some("crm".to_owned())));
    assert!(story.app.rows("SELECT id FROM crm_sync_conflicts WHERE status = 'pending'").await.is_empty());
}
