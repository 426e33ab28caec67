//! Makes histories from a seed: a dozen records, whatever people do with them, and runs in between with trouble in them.

use crosstie::model::{ConflictPolicy, Entity, FieldDirection, Provider, SyncDirection};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::crm::{Field, crm, fields};
use super::history::{Decision, Entered, Event, Fault, History, Meanwhile, Place, Point, Rights, Then};

impl History {
    /// A history of so many events; each of the CRMs is connected.
    pub fn generate(seed: u64, length: usize, crms: &[Provider]) -> Self {
        let dice = ChaCha8Rng::seed_from_u64(seed);
        let mut author = Author { dice, crms: crms.to_vec(), marks: Vec::new(), serial: 10_000 };
        let policy = *author.one_of(ConflictPolicy::ALL);
        let (delete_in_app, delete_in_crm) = (author.chance(0.5), author.chance(0.5));
        let mut events: Vec<Event> = (0..6).map(|_| author.create()).collect();
        events.extend(crms.iter().map(|crm| Event::run(*crm)));
        while events.len() < length {
            events.push(author.event());
        }
        History { seed, crms: crms.to_vec(), policy, delete_in_app, delete_in_crm, events }
    }
}

struct Author {
    dice: ChaCha8Rng,
    crms: Vec<Provider>,
    /// Records that were entered: what, mark, where.
    marks: Vec<(Entity, u32, Place)>,
    serial: u32,
}

impl Author {
    fn chance(&mut self, probability: f64) -> bool {
        self.dice.random_bool(probability)
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        of.choose(&mut self.dice).expect("something to choose from")
    }

    fn crm(&mut self) -> Provider {
        *self.one_of(&self.crms.clone())
    }

    /// The app as often as the CRMs together.
    fn place(&mut self) -> Place {
        if self.chance(0.5) { Place::App } else { Place::of(self.crm()) }
    }

    fn has_salesforce(&self) -> bool {
        self.crms.contains(&Provider::Salesforce)
    }

    fn entity(&mut self) -> Entity {
        *self.one_of(&[
            Entity::Account,
            Entity::Account,
            Entity::Account,
            Entity::Contact,
            Entity::Contact,
            Entity::Opportunity,
        ])
    }

    fn event(&mut self) -> Event {
        match self.dice.random_range(0..100) {
            0..24 => self.run(),
            24..34 => Event::Wait { seconds: *self.one_of(&[1, 1, 3, 20, 70, 600, 4000]) },
            34..39 => self.fault(),
            39..41 => self.org(),
            41..43 => self.setting(),
            43..46 => self.resolve(),
            _ => self.person(),
        }
    }

    /// What people do with records.
    fn person(&mut self) -> Event {
        match self.dice.random_range(0..100) {
            0..11 => self.create(),
            11 => self.create_late(),
            12..17 => self.twin(),
            17..22 => self.life(),
            22..26 => self.edit_late(),
            _ => self.edit(),
        }
    }

    fn create(&mut self) -> Event {
        let (at, entity) = (self.place(), self.entity());
        let mark = 1 + self.marks.len() as u32;
        self.marks.push((entity, mark, at));
        Event::Create { at, entity, mark }
    }

    fn create_late(&mut self) -> Event {
        let (entity, mark) = (self.entity(), 1 + self.marks.len() as u32);
        self.marks.push((entity, mark, Place::App));
        Event::CreateLate { entity, mark }
    }

    /// The same record, entered at another place too.
    fn twin(&mut self) -> Event {
        let (entity, mark, place) = *self.one_of(&self.marks.clone());
        let places = self.crms.iter().map(|crm| Place::of(*crm)).chain([Place::App]);
        let others: Vec<Place> = places.filter(|other| *other != place).collect();
        let at = *self.one_of(&others);
        // Most likely the record is there already: only one of the newest is entered twice.
        if (mark as usize) + 1 < self.marks.len() {
            return self.edit();
        }
        Event::Create { at, entity, mark }
    }

    fn life(&mut self) -> Event {
        let (entity, mark, _) = *self.one_of(&self.marks.clone());
        let (at, crm) = (self.place(), self.crm());
        match self.dice.random_range(0..10) {
            0..4 => Event::Delete { at, entity, mark },
            4 => Event::DeleteRow { entity, mark },
            5..8 => Event::Restore { at, entity, mark },
            _ => {
                let others: Vec<u32> = self
                    .marks
                    .iter()
                    .filter(|(of, other, _)| *of == entity && *other != mark)
                    .map(|(_, other, _)| *other)
                    .collect();
                if others.is_empty() || entity == Entity::Opportunity {
                    return Event::Delete { at, entity, mark };
                }
                Event::Merge { crm, entity, mark, into: *self.one_of(&others) }
            }
        }
    }

    fn edit(&mut self) -> Event {
        // The newest and a few others, so that both sides often meet in one field.
        let marks = self.marks.clone();
        let (entity, mark, _) = if self.chance(0.5) { marks[marks.len() - 1] } else { *self.one_of(&marks) };
        let fields: &[Field] = fields(entity);
        let field = if self.chance(0.6) { &fields[1] } else { self.one_of(fields) };
        self.serial += 1;
        let accounts: Vec<u32> =
            marks.iter().filter(|(entity, ..)| *entity == Entity::Account).map(|(_, mark, _)| *mark).collect();
        let value = match self.dice.random_range(0..20) {
            0..3 => Entered::Back,
            3 | 4 => Entered::Empty,
            5 => Entered::Refused,
            _ if field.app == "account_id" && !accounts.is_empty() => Entered::Account(*self.one_of(&accounts)),
            _ => Entered::New(self.serial),
        };
        Event::Edit { at: self.place(), entity, mark, field: field.app.to_owned(), value }
    }

    fn edit_late(&mut self) -> Event {
        match self.edit() {
            Event::Edit { entity, mark, field, value, .. } if self.has_salesforce() => {
                let seconds = *self.one_of(&[1, 2, 30, 300]);
                Event::EditLate { entity, mark, field, value, seconds }
            }
            other => other,
        }
    }

    /// What admins of Salesforce do.
    fn org(&mut self) -> Event {
        if !self.has_salesforce() {
            return self.fault();
        }
        if self.chance(0.4) {
            let automation = if self.chance(0.7) { self.dice.random_range(1..30) } else { 0 };
            return Event::Rules { automation, refuses: self.chance(0.4) };
        }
        let entity = self.entity();
        let fields: Vec<&Field> = fields(entity).iter().filter(|field| !field.required).collect();
        let field = self.one_of(&fields).app.to_owned();
        Event::Rights { entity, field, rights: *self.one_of(&[Rights::All, Rights::Read, Rights::None]) }
    }

    fn fault(&mut self) -> Event {
        let at = self.crm();
        if self.chance(0.15) {
            return Event::ExpireTokens { crm: at };
        }
        let kinds = [
            Fault::Reset,
            Fault::LostResponse,
            Fault::LostResponse,
            Fault::RateLimit,
            Fault::Unavailable,
            Fault::Garbage,
            Fault::RowLock,
        ];
        let operation = (*self.one_of(crm(at).operations)).to_owned();
        Event::Fault { crm: at, operation, fault: *self.one_of(&kinds), times: *self.one_of(&[1, 1, 2, 7]) }
    }

    fn setting(&mut self) -> Event {
        let crm = self.crm();
        match self.dice.random_range(0..13) {
            0..3 => Event::Policy { crm, policy: *self.one_of(ConflictPolicy::ALL) },
            3..5 => Event::Direction { crm, direction: *self.one_of(SyncDirection::ALL) },
            5..9 => {
                let entity = self.entity();
                let field = self.one_of(fields(entity)).app.to_owned();
                Event::Mapping { crm, entity, field, direction: *self.one_of(FieldDirection::ALL) }
            }
            9..12 => {
                let entity = self.entity();
                let digit = if self.chance(0.8) { Some(self.dice.random_range(0..10)) } else { None };
                let leaves_out = if self.chance(0.3) { Some(self.one_of(fields(entity)).app.to_owned()) } else { None };
                Event::Filter { crm, entity, digit, leaves_out }
            }
            _ => Event::Options {
                crm,
                create_missing: self.chance(0.6),
                delete_in_app: self.chance(0.5),
                delete_in_crm: self.chance(0.5),
            },
        }
    }

    fn resolve(&mut self) -> Event {
        if self.chance(0.2) {
            return Event::Retry;
        }
        let decision = *self.one_of(&[Decision::UseApp, Decision::UseCrm, Decision::Ignore]);
        Event::Resolve { number: self.dice.random_range(0..4), decision }
    }

    fn run(&mut self) -> Event {
        let direction = if self.chance(0.15) { Some(*self.one_of(SyncDirection::ALL)) } else { None };
        let entity = if self.chance(0.1) { Some(self.entity()) } else { None };
        let compares = self.chance(0.06);
        let meanwhile = (0..*self.one_of(&[0, 1, 1, 2, 3])).map(|_| self.meanwhile()).collect();
        Event::Run { crm: self.crm(), direction, entity, compares, meanwhile }
    }

    fn meanwhile(&mut self) -> Meanwhile {
        let point = *self.one_of(&[Point::BeforeCall, Point::AfterCall, Point::BeforeCommit, Point::AfterCommit]);
        let is_call = matches!(point, Point::BeforeCall | Point::AfterCall);
        let number = self.dice.random_range(0..if is_call { 14 } else { 90 });
        let then = match self.dice.random_range(0..10) {
            0..2 => Then::Dies,
            2..4 if point != Point::BeforeCommit => {
                let happens = (0..*self.one_of(&[0, 0, 1, 2])).map(|_| self.edit()).collect();
                Then::Sleeps { turns: *self.one_of(&[1, 3, 9, 30]), happens }
            }
            4 if !is_call => Then::Breaks,
            5 => Then::Happens(vec![match self.dice.random_range(0..8) {
                0 => Event::Pause { crm: self.crm() },
                1 => Event::Cancel,
                2 | 3 => self.org(),
                _ => self.fault(),
            }]),
            6 => Then::Happens(vec![self.setting(), self.resolve()]),
            _ => Then::Happens((0..*self.one_of(&[1, 1, 2, 3])).map(|_| self.person()).collect()),
        };
        Meanwhile { point, number, then }
    }
}
