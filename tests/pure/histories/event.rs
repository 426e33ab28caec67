//! A history is its list of events, faults and deaths included: playing it again ends the same.

use crosstie::model::{ConflictPolicy, FieldDirection, Side};

use super::random::Random;

/// Mapped fields of a record.
pub const FIELDS: usize = 3;

/// CRMs beside the one app.
pub const CRMS: usize = 2;

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Time goes by, milliseconds.
    Wait(i64),
    /// Somebody makes a record; where a record carries the mark already, a twin of it.
    Make { side: Place, mark: u32, filled: [bool; FIELDS] },
    /// Somebody enters something new, or empties a field. `delay`: a CRM's transaction commits that much later than its stamp.
    Edit { side: Place, record: usize, field: usize, empties: bool, delay: i64 },
    /// Somebody deletes a record.
    Delete { side: Place, record: usize },
    /// The connected user may no longer see a record of a CRM, or may again.
    Hide { crm: usize, record: usize, hidden: bool },
    /// A CRM no longer shows a field, or does again.
    HideField { crm: usize, field: usize, hidden: bool },
    /// An admin changes the policy.
    Policy { crm: usize, policy: ConflictPolicy },
    /// An admin changes a field's direction.
    Direction { crm: usize, field: usize, direction: FieldDirection },
    /// Somebody decides a waiting conflict.
    Decide { crm: usize, which: usize, side: Side },
    /// A run, and what goes wrong in it.
    Run { crm: usize, faults: Faults },
}

/// Where somebody works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    App,
    Crm(usize),
}

/// What goes wrong in a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Faults {
    /// The worker dies at this point: points are before and after each transaction and each call.
    pub dies_at: Option<u32>,
    /// What becomes of the n-th write call.
    pub writes: Vec<(u32, Fault)>,
    /// What people do at a point of the run.
    pub meanwhile: Vec<(u32, Event)>,
}

/// What becomes of a write call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Applied, and the answer is lost.
    Lost,
    /// Not applied in time, but this many milliseconds later; nobody is told.
    Late(i64),
    /// Not applied.
    Fails,
    /// The first record of it is refused.
    Refuses,
}

/// A history of so many events.
pub fn generate(seed: u64, length: usize) -> Vec<Event> {
    let mut random = Random::new(seed);
    // Half of all histories leave settings and rights alone, so that nothing is read anew in full.
    let is_calm = random.one_in(2);
    let mut marks = 0;
    (0..length).map(|at| event(&mut random, at, is_calm, &mut marks)).collect()
}

fn event(random: &mut Random, at: usize, is_calm: bool, marks: &mut u32) -> Event {
    let crm = random.below(CRMS);
    match random.below(100) {
        _ if at < 3 => make(random, marks),
        0..=2 if *marks < 6 => make(random, marks),
        3..=42 => edit(random),
        43..=47 => Event::Wait(60_000 * (1 + random.below(20) as i64)),
        48..=52 => {
            let side = if random.one_in(2) { Side::App } else { Side::Crm };
            Event::Decide { crm, which: random.below(6), side }
        }
        53 if random.one_in(2) => Event::Delete { side: place(random), record: random.below(6) },
        54..=58 if is_calm => edit(random),
        54 => Event::Policy { crm, policy: *random.pick(ConflictPolicy::ALL) },
        55 | 56 => {
            let both = FieldDirection::Bidirectional;
            let direction =
                *random.pick(&[both, both, FieldDirection::Pull, FieldDirection::Push, FieldDirection::None]);
            Event::Direction { crm, field: random.below(FIELDS), direction }
        }
        57 => Event::Hide { crm, record: random.below(6), hidden: random.one_in(2) },
        58 => Event::HideField { crm, field: random.below(FIELDS), hidden: random.one_in(2) },
        _ => Event::Run { crm, faults: faults(random) },
    }
}

fn place(random: &mut Random) -> Place {
    if random.one_in(2) { Place::App } else { Place::Crm(random.below(CRMS)) }
}

fn make(random: &mut Random, marks: &mut u32) -> Event {
    let is_twin = *marks > 0 && random.one_in(3);
    let mark = if is_twin { 1 + random.below(*marks as usize) as u32 } else { *marks + 1 };
    *marks = (*marks).max(mark);
    Event::Make { side: place(random), mark, filled: std::array::from_fn(|_| !random.one_in(3)) }
}

fn edit(random: &mut Random) -> Event {
    let delay = if random.one_in(4) { 1000 * random.below(50) as i64 } else { 0 };
    let (record, field) = (random.below(6), random.below(FIELDS));
    Event::Edit { side: place(random), record, field, empties: random.one_in(6), delay }
}

fn faults(random: &mut Random) -> Faults {
    let dies_at = random.one_in(4).then(|| random.below(24) as u32);
    let mut faults = Faults { dies_at, ..Faults::default() };
    if random.one_in(4) {
        let fault = match random.below(5) {
            0 | 1 => Fault::Lost,
            2 => Fault::Late(1000 * (1 + random.below(90) as i64)),
            3 => Fault::Fails,
            _ => Fault::Refuses,
        };
        faults.writes.push((random.below(2) as u32, fault));
    }
    for _ in 0..random.below(3) {
        faults.meanwhile.push((random.below(20) as u32, edit(random)));
    }
    faults
}
