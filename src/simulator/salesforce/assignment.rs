//! Assignment rules: who gets a record is changed under whoever writes it, unless the request says otherwise (dossier 2.9, 3.2).

use serde::{Deserialize, Serialize};

use super::ids::{Id, record_id};
use super::rules::{self, Rules};
use super::schema::Object;
use super::world::{By, Record, World};
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Objects that have such rules, as far as they are here.
const OBJECTS: [&str; 2] = ["Account", "Lead"];

/// Gives records for which `when` holds to a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AssignmentRule {
    pub object: String,
    /// What stands behind SOQL's WHERE.
    pub when: String,
    /// The person's id.
    pub owner: String,
}

/// Which rules a write goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Assigning {
    /// None.
    #[default]
    No,
    /// The first one that holds.
    Active,
    /// This one alone, by its place.
    By(usize),
}

impl AssignmentRule {
    /// Whether it means something; else a sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        if !OBJECTS.iter().any(|object| object.eq_ignore_ascii_case(&self.object)) {
            return Err(format!("{} has no assignment rules", self.object));
        }
        let is_person = Id::parse(&self.owner).is_some_and(|owner| owner.starts_with("005"));
        if is_person { Ok(()) } else { Err(format!("{} is no id of a person", self.owner)) }
    }
}

/// What `Sforce-Auto-Assign` asks for: without it the active rule assigns.
pub(super) fn asked_for(asked: &Asked, rules: &Rules) -> Result<Assigning, Reply> {
    let text = asked.header("sforce-auto-assign").unwrap_or("TRUE").trim();
    if text.eq_ignore_ascii_case("true") {
        return Ok(Assigning::Active);
    }
    if text.eq_ignore_ascii_case("false") {
        return Ok(Assigning::No);
    }
    named(text, rules).ok_or_else(|| {
        let message = format!("Sforce-Auto-Assign is TRUE, FALSE or the id of an assignment rule, not {text}.");
        Reply::error(400, "INVALID_HEADER", &message)
    })
}

/// The rule of an id.
pub(super) fn named(id: &str, rules: &Rules) -> Option<Assigning> {
    let id = Id::parse(id)?;
    (0..rules.assignment.len()).find(|place| rule_id(*place) == id).map(Assigning::By)
}

/// Who gets a record that is about to be saved.
pub(super) fn owner(world: &World, object: &'static Object, record: &Record, by: &By) -> Option<Id> {
    let rules = world.rules.assignment.iter().enumerate().filter(|(place, _)| match by.assigning {
        Assigning::No => false,
        Assigning::Active => true,
        Assigning::By(chosen) => *place == chosen,
    });
    let mut own = rules.map(|(_, rule)| rule).filter(|rule| rule.object.eq_ignore_ascii_case(object.name));
    let found = own.find(|rule| rules::holds(world, object, &rule.when, record, by.at))?;
    Id::parse(&found.owner)
}

/// The id of a rule by its place.
pub(super) fn rule_id(place: usize) -> Id {
    record_id("01Q", place as u64 + 1)
}
