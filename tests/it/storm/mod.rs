//! The simulated-failure test of the whole engine (`sync.md`, "How it is tested"): Salesforce and HubSpot are connected with
//! one app, people edit all of them, also between the engine's read and write, settings change, calls fail, workers die or sleep at numbered points. Then the storm is over, and
//! the promises of `sync.md` are held against what was entered.
//!
//! A history is its list of events (`history.rs`): playing it again ends the same. One that fails is printed with its seed,
//! and shortened. `CROSSTIE_HISTORY` plays one by its seed or its file;
//! `make soak` plays random ones for ever.

mod crm;
mod generate;
mod history;
mod oracle;
mod people;
mod player;
mod points;
mod proxy;
mod shrink;
mod told;
mod world;

use std::ops::Range;
use std::path::Path;

use chrono::TimeDelta;
use crosstie::clock::{Clock, SystemClock};
use crosstie::model::Provider;

use history::History;
use player::play;
use shrink::shrink;

/// Events of a history.
const LENGTH: usize = 60;

/// Both CRMs beside one app.
const BOTH: &[Provider] = Provider::ALL;

/// Plays histories of these seeds; where `CROSSTIE_SOAK` is set others, for ever, and goes on where one fails.
#[expect(clippy::print_stdout, reason = "the seed is what a failing history is found again by")]
async fn storm(seeds: Range<u64>) {
    let is_endless = std::env::var_os("CROSSTIE_SOAK").is_some();
    let random = SystemClock.now().timestamp_micros().unsigned_abs() + seeds.start;
    let seeds = if is_endless { random..u64::MAX } else { seeds };
    let (mut kept, mut failed) = (0, 0);
    for seed in seeds {
        let history = History::generate(seed, LENGTH, BOTH);
        match play(&history).await {
            Ok(_) => kept += 1,
            Err(failure) => {
                failed += 1;
                let patience = if is_endless { TimeDelta::minutes(10) } else { TimeDelta::seconds(60) };
                println!("{}", report(&format!("seed-{seed}"), &history, failure, patience).await);
            }
        }
        println!("seed {seed}: {kept} histories kept every promise, {failed} did not");
    }
    assert_eq!(failed, 0, "histories broke a promise");
}

/// Plays histories of these seeds and only says which fail.
#[expect(clippy::print_stdout, reason = "the seed is what a failing history is found again by")]
async fn survey(seeds: Range<u64>, crms: &[Provider]) {
    let mut failed = Vec::new();
    for seed in seeds {
        match play(&History::generate(seed, LENGTH, crms)).await {
            Ok(_) => println!("seed {seed} keeps every promise"),
            Err(failure) => {
                println!("seed {seed} fails: {failure}");
                failed.push(seed);
            }
        }
    }
    assert!(failed.is_empty(), "histories broke a promise: {failed:?}");
}

/// How a history failed, and the shortest one that does, which is also written into a file.
async fn report(name: &str, history: &History, failure: String, patience: TimeDelta) -> String {
    let (shortest, how) = shrink(history, failure.clone(), patience).await;
    let text = serde_json::to_string(&shortest).expect("JSON").replace("{\"what\"", "\n{\"what\"");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("history-{name}.json"));
    std::fs::write(&file, &text).expect("a file");
    format!("{name} fails: {failure}\n\nthe shortest such history, {}, fails: {how}\n{text}", file.display())
}

/// Histories in several tests, so that they are played side by side.
macro_rules! histories {
    ($($name:ident: $seeds:expr),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                storm($seeds).await;
            }
        )+
    };
}

histories! {
    histories_from_1: 1..12,
    histories_from_12: 12..23,
    histories_from_23: 23..33,
    histories_from_76: 76..87,
    histories_from_87: 87..97,
    histories_from_97: 97..107,
}

#[tokio::test]
async fn a_history_played_again_ends_the_same() {
    let history = History::generate(77, LENGTH, BOTH);
    let written = serde_json::to_string(&history).expect("JSON");
    let again: History = serde_json::from_str(&written).expect("a history");
    assert_eq!(again, history, "it can be written down");
    let ends = [play(&history).await, play(&again).await];
    assert!(ends[0].is_ok(), "{:?}", ends[0]);
    assert_eq!(ends[0].as_ref().map(|end| &end.journal), ends[1].as_ref().map(|end| &end.journal));
    assert_eq!(ends[0], ends[1]);
}

/// `CROSSTIE_HISTORY`: a seed, `FIRST..LAST`, or a file; `CROSSTIE_CRMS` names the CRMs where not both.
#[tokio::test]
async fn the_histories_that_somebody_names() {
    let Ok(named) = std::env::var("CROSSTIE_HISTORY") else { return };
    let crms: Vec<Provider> = match std::env::var("CROSSTIE_CRMS") {
        Ok(named) => named.split(',').map(|crm| crm.parse().expect("a CRM")).collect(),
        Err(_) => BOTH.to_vec(),
    };
    if let Some((first, last)) = named.split_once("..") {
        return survey(first.parse().expect("a seed")..last.parse().expect("a seed"), &crms).await;
    }
    let (history, patience) = match named.parse() {
        Ok(seed) => (History::generate(seed, LENGTH, &crms), TimeDelta::minutes(4)),
        Err(_) => {
            let text = std::fs::read_to_string(&named).expect("a file");
            (serde_json::from_str(&text).expect("a history"), TimeDelta::zero())
        }
    };
    if let Err(failure) = play(&history).await {
        panic!("{}", report("named", &history, failure, patience).await);
    }
}
