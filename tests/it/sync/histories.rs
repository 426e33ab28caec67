//! Random histories: people edit both sides, calls fail, answers get lost, workers die, Postgres goes away. At the end both
//! sides agree, nothing is doubled, and the next run finds nothing. A history is its seed: the same seed replays it.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use crosstie::engine::worker;
use crosstie::model::Entity;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::assert_rests;
use crate::helpers::{TestApp, TestOptions};

/// What a history does to the worker and to the calls.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    faults: bool,
    deaths: bool,
    database: bool,
}

struct History {
    app: TestApp,
    dice: ChaCha8Rng,
    trouble: Trouble,
    /// Values that people entered, by field: nothing else may stand there at the end.
    entered: BTreeMap<&'static str, Vec<Option<String>>>,
    serial: u32,
}

const FIELDS: [(&str, &str); 3] = [("phone", "Phone"), ("industry", "Industry"), ("billing_city", "BillingCity")];

impl History {
    async fn begin(seed: u64, policy: &str, trouble: Trouble) -> Self {
        let app = TestApp::with(TestOptions { seed, accounts: 6, contacts: 8, ..TestOptions::default() }).await;
        app.sql(&format!(
            "INSERT INTO accounts (workspace_id, name) SELECT '{}', 'App company ' || n FROM generate_series(1, 5) n",
            app.workspace_id
        ))
        .await;
        app.connect_salesforce().await;
        app.set_config(&format!("conflict_resolution = '{policy}'")).await;
        History { app, dice: ChaCha8Rng::seed_from_u64(seed), trouble, entered: BTreeMap::new(), serial: 0 }
    }

    fn value(&mut self, field: &'static str) -> Option<String> {
        self.serial += 1;
        let value = self.dice.random_bool(0.9).then(|| format!("{field} {}", self.serial));
        self.entered.entry(field).or_default().push(value.clone());
        value
    }

    /// One edit of a person, somewhere.
    async fn edit(&mut self) {
        let (app_field, crm_field) = *FIELDS.choose(&mut self.dice).expect("a field");
        let value = self.value(app_field);
        match self.dice.random_range(0..10) {
            0 => {
                let phone = self.value("phone");
                let name = format!("Made here {}", self.serial);
                self.app.insert("accounts", json!({ "name": name, "phone": phone })).await;
            }
            1 => {
                let phone = self.value("phone");
                let name = format!("Made there {}", self.serial);
                self.app.simulator.create("Account", json!({ "Name": name, "Phone": phone })).await;
            }
            2..=5 => {
                let rows = self.app.rows("SELECT id FROM accounts ORDER BY name").await;
                let Some(row) = rows.choose(&mut self.dice) else { return };
                let value = value.map_or("NULL".to_owned(), |value| format!("'{value}'"));
                self.app
                    .sql(&format!(
                        "UPDATE accounts SET {app_field} = {value} WHERE id = {}",
                        row["id"].to_string().replace('"', "'")
                    ))
                    .await;
            }
            _ => {
                let records = self.app.simulator.records("Account").await;
                let Some(record) = records.choose(&mut self.dice) else { return };
                self.app.simulator.edit("Account", &record.id, json!({ crm_field: value })).await;
            }
        }
    }

    async fn faults(&mut self) {
        if !self.trouble.faults {
            return;
        }
        let operations = ["query", "deleted", "composite", "collections_upsert", "token"];
        let kinds = [
            json!({ "fault": "reset" }),
            json!({ "fault": "lost_response" }),
            json!({ "fault": "garbage" }),
            json!({ "fault": "status", "status": 503 }),
        ];
        let rules: Vec<_> = (0..self.dice.random_range(0..4))
            .map(|_| {
                let mut rule = kinds.choose(&mut self.dice).expect("a kind").clone();
                rule["match"] = json!({ "operation": operations.choose(&mut self.dice).expect("an operation") });
                rule["times"] = json!(1);
                rule
            })
            .collect();
        self.app.simulator.faults(json!(rules)).await;
        if self.dice.random_bool(0.2) {
            self.app.simulator.control("token/expire", json!({})).await;
        }
    }

    /// A rotated token that a death or a lost answer kept from being stored is gone for good: a person signs in again.
    async fn reconnect(&self) {
        if self.app.row("SELECT status FROM crm_sync_configs").await["status"] == "error" {
            self.app.sign_in_again().await;
        }
    }

    /// A run, with edits and trouble between and within its steps.
    async fn run(&mut self) {
        self.reconnect().await;
        self.faults().await;
        let run_id = self.app.trigger(None).await;
        for _ in 0..600 {
            let state = self.app.run(run_id).await.state;
            if !matches!(state.as_str(), "queued" | "running") {
                return;
            }
            if self.dice.random_bool(0.15) {
                self.edit().await;
            }
            if self.trouble.database && self.dice.random_bool(0.1) {
                self.app.as_superuser("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = 'crosstie_test_owner'").await;
            }
            if !self.turn().await {
                self.app.advance(TimeDelta::seconds(20));
            }
        }
        panic!("the run does not end: {:?}", self.app.run(run_id).await);
    }

    /// A worker's turn, which it may not live to end; `false` where it did nothing.
    async fn turn(&mut self) -> bool {
        let dies = self.trouble.deaths && self.dice.random_bool(0.2);
        let mut left = if dies { self.dice.random_range(1..80_u32) } else { u32::MAX };
        let mut turn = Box::pin(worker::work_once(&self.app.engine));
        let worked = std::future::poll_fn(|context| {
            left -= 1;
            if left == 0 { std::task::Poll::Ready(None) } else { turn.as_mut().poll(context).map(Some) }
        })
        .await;
        drop(turn);
        match worked {
            Some(Ok(worked)) => worked,
            Some(Err(error)) => {
                assert!(self.trouble.database, "{error:?}");
                self.app.advance(TimeDelta::seconds(200));
                true
            }
            None => {
                self.app.advance(TimeDelta::seconds(200));
                true
            }
        }
    }

    async fn end(mut self) {
        self.trouble = Trouble { faults: false, deaths: false, database: false };
        self.app.simulator.clear_faults().await;
        for _ in 0..3 {
            self.reconnect().await;
            self.app.advance(TimeDelta::minutes(5));
            self.app.sync().await.expect_state("completed");
        }
        self.app.assert_all_linked(Entity::Account).await;
        self.app.assert_all_linked(Entity::Contact).await;
        self.app.assert_agreement().await;
        for (field, _) in FIELDS {
            for row in
                self.app.rows(&format!("SELECT {field} AS value FROM accounts WHERE {field} LIKE '{field} %'")).await
            {
                let value = row["value"].as_str().map(str::to_owned);
                assert!(self.entered[field].contains(&value), "nobody entered {value:?}");
            }
        }
        let names =
            "SELECT name FROM accounts WHERE name LIKE 'Made %' OR name LIKE 'App %' GROUP BY name HAVING count(*) > 1";
        assert_eq!(self.app.rows(names).await.len(), 0, "nothing is doubled");
        let open = "SELECT id FROM crm_sync_changes WHERE state IN ('intended', 'sent', 'unknown')";
        assert_eq!(self.app.rows(open).await.len(), 0, "every intent is settled");
        assert_rests(&self.app).await;
    }
}

async fn history(seed: u64, trouble: Trouble) {
    let policy = ["last_write_wins", "crm_wins", "app_wins"][(seed % 3) as usize];
    let mut history = History::begin(seed, policy, trouble).await;
    for _ in 0..4 {
        history.run().await;
        for _ in 0..history.dice.random_range(0..6) {
            let pause = history.dice.random_range(0..90);
            history.app.advance(TimeDelta::seconds(pause));
            history.edit().await;
        }
        history.app.advance(TimeDelta::minutes(5));
    }
    history.end().await;
}

#[expect(clippy::print_stdout, reason = "the seed is what a failing history is found again by")]
async fn histories(seeds: std::ops::Range<u64>, trouble: Trouble) {
    for seed in seeds {
        // Says which one it was where it fails.
        println!("seed {seed}, {trouble:?}");
        history(seed, trouble).await;
    }
}

#[tokio::test]
async fn with_people_editing_both_sides_all_the_time() {
    histories(0..4, Trouble { faults: false, deaths: false, database: false }).await;
}

#[tokio::test]
async fn with_calls_that_fail_and_answers_that_get_lost() {
    histories(100..102, Trouble { faults: true, deaths: false, database: false }).await;
}

#[tokio::test]
async fn with_workers_that_die() {
    histories(200..202, Trouble { faults: false, deaths: true, database: false }).await;
}

#[tokio::test]
async fn with_everything_at_once_and_postgres_going_away() {
    histories(300..302, Trouble { faults: true, deaths: true, database: true }).await;
}
