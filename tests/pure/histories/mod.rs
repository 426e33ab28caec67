//! Simulated failures in memory: a small engine that follows `sync.md` and has the real core decide everything, an app and two
//! CRMs as plain values, people who edit all sides, lost answers, late calls, deaths at numbered points, an index that lags. An
//! oracle keeps its own record of what was entered.
//!
//! The whole engine has its own tier (`tests/it/storm`), which plays few histories; this one plays many, and shows with broken
//! engines that its oracle sees what it should.

mod engine;
mod event;
mod mutant;
mod oracle;
mod push;
mod random;
mod sides;
mod store;
mod world;

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crosstie::model::FieldDirection;

use event::{CRMS, Event, FIELDS, generate};
use mutant::Mutant;
use world::World;

/// Events of a history.
const LENGTH: usize = 200;

/// Histories that the ordinary test run plays; `CROSSTIE_SOAK` plays others, for ever.
const SEEDS: Range<u64> = 0..500;

/// Histories within which a broken engine must be caught.
const MUTANT_SEEDS: Range<u64> = 0..50;

/// Rounds of both connections within which everything comes to rest.
const ROUNDS: usize = 10;

/// Plays a history to its end and holds the promises against it; answers the world at rest.
fn play(seed: u64, events: &[Event], mutant: Option<Mutant>) -> Result<World, String> {
    let mut world = World::new(seed, mutant);
    for (number, event) in events.iter().enumerate() {
        match event {
            Event::Run { crm, faults } => {
                world.meets(faults);
                let began = world.oracle.now;
                if world.run(*crm).is_ok() {
                    world.oracle.ran(*crm, began);
                }
                world.check(false);
            }
            event => world.happens(event),
        }
        if let Some(breach) = world.oracle.breaches.first() {
            return Err(format!("at event {number}: {breach}"));
        }
    }
    comes_to_rest(&mut world)?;
    world.check(true);
    match world.oracle.breaches.first() {
        Some(breach) => Err(format!("at rest: {breach}")),
        None => Ok(world),
    }
}

/// Nobody does anything any more, everything may travel, and runs follow one another until they find nothing.
fn comes_to_rest(world: &mut World) -> Result<(), String> {
    for crm in 0..CRMS {
        for record in 0..world.crms[crm].records.len() {
            world.hide(crm, record, false);
        }
        for field in 0..FIELDS {
            world.happens(&Event::HideField { crm, field, hidden: false });
            world.direct(crm, field, FieldDirection::Bidirectional);
        }
    }
    // Whatever is on its way arrives, and the index shows everything.
    world.tick(25 * 60_000);
    // The first quiet round may have ended a run that began before.
    let mut quiet = 0;
    for _ in 0..ROUNDS {
        world.tick(16 * 60_000);
        let mut writes = 0;
        for crm in 0..CRMS {
            world.meets(&event::Faults::default());
            let began = world.oracle.now;
            world.run(crm).map_err(|stop| format!("a run stops without a fault: {stop:?}"))?;
            world.oracle.ran(crm, began);
            writes += world.writes;
            let most = 2 + world.crms[crm].records.len() as u32 / 3;
            if writes == 0 && world.calls > most && world.app.pending.is_empty() {
                writes += 1;
            }
        }
        quiet = if writes == 0 { quiet + 1 } else { 0 };
        if quiet == 2 {
            return Ok(());
        }
    }
    Err(format!("it does not come to rest within {ROUNDS} rounds"))
}

/// The shortest history that is found to fail: halves are left out first, then smaller parts.
fn shrink(seed: u64, events: &[Event], mutant: Option<Mutant>) -> Vec<Event> {
    let mut best = events.to_vec();
    let mut part = best.len().div_ceil(2);
    while part > 0 {
        let before = best.len();
        let mut end = best.len();
        while end > 0 {
            let start = end.saturating_sub(part);
            let mut shorter = best.clone();
            shorter.drain(start..end);
            if play(seed, &shorter, mutant).is_err() {
                best = shorter;
            }
            end = start;
        }
        if part == 1 && best.len() == before {
            break;
        }
        part = (part / 2).max(1);
    }
    best
}

fn report(seed: u64, mutant: Option<Mutant>) -> String {
    let shortest = shrink(seed, &generate(seed, LENGTH), mutant);
    let how = play(seed, &shortest, mutant).err().unwrap_or_default();
    let events: Vec<String> = shortest.iter().map(|event| format!("    {event:?}")).collect();
    format!("seed {seed} fails: {how}\nthe shortest such history:\n{}", events.join("\n"))
}

/// Plays histories on every core; answers how many were played, and the seeds that fail.
fn storm(seeds: Range<u64>, most_failures: usize) -> (u64, Vec<u64>) {
    let next = AtomicU64::new(seeds.start);
    let failed = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || failed.lock().is_ok_and(|failed| failed.len() >= most_failures) {
                        return;
                    }
                    if play(seed, &generate(seed, LENGTH), None).is_err() {
                        failed.lock().expect("no thread panics with it").push(seed);
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().expect("no thread panics with it");
    failed.sort_unstable();
    (next.into_inner().min(seeds.end) - seeds.start, failed)
}

#[test]
#[expect(clippy::print_stdout, reason = "the shortest history that fails is what is to be read")]
fn histories_keep_every_promise() {
    let is_endless = std::env::var_os("CROSSTIE_SOAK").is_some();
    let mut seeds = SEEDS;
    loop {
        let (played, failed) = storm(seeds.clone(), 3);
        let reports: Vec<String> = failed.iter().map(|seed| report(*seed, None)).collect();
        println!("{played} histories from seed {}: {}", seeds.start, reports.join("\n\n"));
        assert!(is_endless || failed.is_empty(), "histories broke a promise: {failed:?}");
        if !is_endless {
            return;
        }
        seeds = seeds.end..seeds.end + SEEDS.end;
    }
}

#[test]
fn a_history_played_again_ends_the_same() {
    for seed in 0..20 {
        let events = generate(seed, LENGTH);
        assert_eq!(events, generate(seed, LENGTH));
        let ends = [play(seed, &events, None), play(seed, &events, None)];
        assert!(ends[0].is_ok(), "{:?}", ends[0].as_ref().err());
        assert!(ends[0] == ends[1], "seed {seed} ends in two ways");
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "which history catches which broken engine is there to be looked at")]
fn every_broken_engine_is_caught() {
    let mut missed = Vec::new();
    for mutant in Mutant::ALL {
        let control = mutant.is_prompt().then_some(Mutant::NoneInAPromptWorld);
        let caught = MUTANT_SEEDS.clone().find_map(|seed| {
            let events = generate(seed, LENGTH);
            let breach = play(seed, &events, Some(mutant)).err()?;
            play(seed, &events, control).is_ok().then_some((seed, breach))
        });
        match caught {
            Some((seed, breach)) => println!("{mutant:?} is caught by history {seed}, {breach}"),
            None => missed.push(mutant),
        }
    }
    assert!(missed.is_empty(), "no history catches {missed:?}");
}
