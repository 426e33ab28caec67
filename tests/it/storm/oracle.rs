//! Keeps its own record of what was entered, by looking at the app and the CRMs before and after whatever people do, and says
//! at the end which promise of `sync.md` was not kept. Never reads a base, nor anything else that the engine decides by.

use std::collections::{BTreeMap, BTreeSet};

use crosstie::model::{Entity, FieldKind};
use crosstie::sync::same_meaning;
use serde_json::Value as Json;

use super::crm::{Field, fields, is_automatic};
use super::history::Place;
use super::told::Told;
use super::world::{Key, Row, Snapshot, Tie, World, text};

/// A field of one record of one place.
type Spot = (Place, Key, &'static str);

/// A value at a moment.
type Entry = (u32, Option<String>);

/// What was entered, and when.
#[derive(Default)]
pub struct Oracle {
    /// Counts what people do: the moment.
    now: u32,
    entries: BTreeMap<Spot, Vec<Entry>>,
    /// How many records of a mark people have made, by place.
    made: BTreeMap<(Entity, u32), BTreeMap<Place, usize>>,
    /// Deletes, restores, merges, and decisions about such.
    lives: Vec<(Key, u32)>,
    /// What all agreed on at the end of a whole run in which nobody touched it, and when that run began.
    settled: BTreeMap<Spot, Entry>,
    /// Differences that somebody has accepted.
    accepted: BTreeSet<(Key, String)>,
    /// Fields that somebody has decided about.
    decided: BTreeMap<(Key, String), u32>,
    /// Pairs that somebody keeps apart, or has linked: marks of records that may be there twice.
    apart: BTreeSet<(Entity, String)>,
}

impl Oracle {
    /// The moment.
    pub fn now(&self) -> u32 {
        self.now
    }

    /// People have done something.
    pub fn saw(&mut self, before: &World, after: &World) {
        self.now += 1;
        for (place, after) in after {
            let before = &before[place];
            for (key, row) in after {
                let old = before.get(key);
                if old.is_none() {
                    *self.made.entry((key.0, row.mark)).or_default().entry(*place).or_default() += 1;
                }
                for (field, value) in &row.fields {
                    if old.map_or(value.is_some(), |old| old.fields[field] != *value) {
                        self.entries.entry((*place, key.clone(), field)).or_default().push((self.now, value.clone()));
                    }
                }
                if old.is_some_and(|old| old.deleted != row.deleted) {
                    self.lives.push((key.clone(), row.mark));
                }
            }
            let gone = before.iter().filter(|(key, _)| !after.contains_key(*key));
            self.lives.extend(gone.map(|(key, row)| (key.clone(), row.mark)));
        }
    }

    /// A record of a CRM has taken in another: the link of either may be the one that goes on (`sync.md`, "Deletes").
    pub fn survives(&mut self, key: &Key, row: &Row) {
        self.lives.push((key.clone(), row.mark));
    }

    /// Somebody has decided a conflict.
    pub fn decided(&mut self, conflict: &Json, accepts: bool) {
        self.now += 1;
        let entity: Entity = text(&conflict["entity_type"]).and_then(|text| text.parse().ok()).expect("an entity");
        let ids: Vec<String> =
            [&conflict["entity_id"], &conflict["crm_record_id"]].into_iter().filter_map(text).collect();
        let fields = conflict["conflicting_fields"].as_array().cloned().unwrap_or_default();
        for id in ids {
            match text(&conflict["kind"]).as_deref() {
                Some("field") => {
                    for field in fields.iter().filter_map(text) {
                        if accepts {
                            self.accepted.insert(((entity, id.clone()), field.clone()));
                        }
                        self.decided.insert(((entity, id.clone()), field), self.now);
                    }
                }
                Some("match") => {
                    self.apart.insert((entity, id));
                }
                _ => self.lives.push(((entity, id), 0)),
            }
        }
    }

    /// What a field of a record was when all last agreed.
    pub fn agreed(&self, place: Place, key: &Key, field: &'static str) -> Option<String> {
        self.settled.get(&(place, key.clone(), field)).and_then(|(_, value)| value.clone())
    }

    /// A whole two-way run is over that began at `began`: what agrees everywhere and was not touched since is settled, and
    /// must be what was entered.
    pub fn settle(&mut self, sides: &Sides, told: &Told, began: u32) -> Result<(), String> {
        let troubled = self.troubled(sides);
        let mut breaches = Vec::new();
        for family in sides.families().filter(|family| !family.has_failed) {
            for field in fields(family.entity) {
                let touched = family.members.iter().any(|member| self.last(&member.spot(field), began).is_some());
                let is_asked = told.asked.contains(&(family.app().clone(), field.app.to_owned()));
                if touched || is_asked || !sides.agree(field, &family) {
                    continue;
                }
                if !troubled.contains(&(family.entity, family.mark())) {
                    breaches.extend(self.lost(sides, told, field, &family));
                }
                for member in &family.members {
                    self.settled.insert(member.spot(field), (began, member.row.fields[field.app].clone()));
                }
            }
        }
        if breaches.is_empty() { Ok(()) } else { Err(breaches.join("\n")) }
    }

    /// The last value that somebody entered after a moment.
    fn last(&self, spot: &Spot, after: u32) -> Option<&Option<String>> {
        self.entries.get(spot)?.iter().rev().find(|(at, _)| *at > after).map(|(_, value)| value)
    }

    /// Whether the promises are kept, at rest.
    pub fn check(&self, sides: &Sides, told: &Told) -> Result<(), String> {
        let troubled = self.troubled(sides);
        let mut breaches = Vec::new();
        for family in sides.families() {
            for field in fields(family.entity) {
                let place = (family.app().clone(), field.app.to_owned());
                let is_told = told.asked.contains(&place) || family.has_failed || sides.waits(field, &family);
                let agrees = sides.agree(field, &family);
                if !agrees && !is_told && !self.accepted.contains(&place) {
                    let values = family.values(field);
                    breaches.push(format!(
                        "{}.{} of {} disagrees: {values:?}",
                        family.entity,
                        field.app,
                        family.mark()
                    ));
                }
                if agrees && !is_told && !troubled.contains(&(family.entity, family.mark())) {
                    breaches.extend(self.lost(sides, told, field, &family));
                }
            }
        }
        breaches.extend(self.doubled(sides, told, &troubled));
        breaches.extend(self.written_too_often(sides, told));
        breaches.extend(told.open.iter().map(|intent| format!("an intent is open: {intent}")));
        if breaches.is_empty() { Ok(()) } else { Err(breaches.join("\n")) }
    }

    /// Marks of records that were deleted, restored or merged, and of those that such a record carries along.
    fn troubled(&self, sides: &Sides) -> BTreeSet<(Entity, u32)> {
        let mark_of = |key: &Key| sides.world.values().find_map(|place| place.get(key)).map(|row| row.mark);
        let mut troubled: BTreeSet<(Entity, u32)> = BTreeSet::new();
        for (key, mark) in &self.lives {
            troubled.insert((key.0, *mark));
            troubled.extend(mark_of(key).map(|mark| (key.0, mark)));
        }
        let references = |entity: Entity| fields(entity).iter().find(|field| field.kind == FieldKind::Reference);
        for ((_, key, name), entries) in &self.entries {
            if references(key.0).is_none_or(|field| field.app != *name) {
                continue;
            }
            let accounts = entries.iter().filter_map(|(_, value)| value.clone());
            let mut marks = accounts.filter_map(|id| mark_of(&(Entity::Account, id)).or(Some(0)));
            if marks.any(|mark| mark == 0 || troubled.contains(&(Entity::Account, mark))) {
                troubled.extend(mark_of(key).map(|mark| (key.0, mark)));
            }
        }
        troubled
    }

    /// Whether the last value that was entered in a field has got lost; all agree on another.
    fn lost(&self, sides: &Sides, told: &Told, field: &Field, family: &Family<'_>) -> Option<String> {
        let settled = |member: &Member<'_>| self.settled.get(&member.spot(field));
        let since = |member: &Member<'_>| settled(member).map_or(0, |(at, _)| *at);
        let place = (family.app().clone(), field.app.to_owned());
        let what = format!("{}.{} of {}", family.entity, field.app, family.mark());
        let is_told = |value: &Option<String>| {
            told.values.get(&place).is_some_and(|known| known.iter().any(|told| same_meaning(field.kind, told, value)))
        };
        // Where one meets the others for the first time, what they have agreed on is as good as what was entered there.
        let is_first_meeting = family.members.iter().any(|member| settled(member).is_none());
        let last: Vec<(&Member<'_>, &Option<String>)> = family
            .members
            .iter()
            .filter_map(|member| {
                let agreed = settled(member).filter(|_| is_first_meeting).map(|(_, value)| value);
                Some((member, self.last(&member.spot(field), since(member)).or(agreed)?))
            })
            .collect();
        let values = family.values(field);
        let is = |member: &Member<'_>, entered: &Option<String>| {
            same_meaning(field.kind, entered, &member.row.fields[field.app])
        };
        let automatic = |member: &Member<'_>| is_automatic(&member.row.fields[field.app]);
        if family.members.iter().any(automatic) {
            // An automation has edited Salesforce's record after everybody, whoever wrote before; what it overwrote there is
            // Salesforce's own affair, what came from elsewhere is in the journal (`sync.md`, "The base": "a third one, which
            // so merges as the CRM's edit").
            let mut elsewhere =
                last.iter().filter(|(member, entered)| member.place != Place::Salesforce && !is(member, entered));
            let overwritten = elsewhere.find(|(_, entered)| entered.is_some() && !is_told(entered));
            return overwritten
                .map(|(_, entered)| format!("{what}: {entered:?} gave way to an automation, and nothing tells"));
        }
        let oldest = family.members.iter().map(since).min();
        if self.decided.get(&place).is_some_and(|at| Some(*at) > oldest) {
            return None;
        }
        if last.iter().all(|(member, entered)| !is(member, entered))
            && self.came_from_a_resting_record(sides, field, family)
        {
            return None;
        }
        if last.is_empty() {
            let before = settled(&family.members[0]).map_or(&None, |(_, value)| value);
            let kept = same_meaning(field.kind, before, &family.members[0].row.fields[field.app]);
            return (!kept).then(|| format!("{what}: nobody has touched {before:?}, and it is {values:?}"));
        }
        let losers = || last.iter().filter(|(member, entered)| !is(member, entered));
        if losers().count() == last.len() {
            let entered: Vec<_> = last.iter().map(|(member, entered)| (member.place, entered)).collect();
            return Some(format!("{what}: somebody has entered {entered:?}, and it is {values:?}"));
        }
        let is_kept =
            |entered: &Option<String>| entered.is_none() || field.kind == FieldKind::Reference || is_told(entered);
        let mut silent = losers().filter(|(_, entered)| !is_kept(entered));
        silent.next().map(|(member, entered)| {
            format!("{what}: {entered:?} of {:?} was overwritten, and nothing tells of it", member.place)
        })
    }

    /// Whether the value was entered in a record that is tied with these and rests by now: what took it out of the filter was
    /// still carried over.
    fn came_from_a_resting_record(&self, sides: &Sides, field: &Field, family: &Family<'_>) -> bool {
        let value = &family.members[0].row.fields[field.app];
        let app_id = &family.app().1;
        let ties = sides.ties.iter().filter(|tie| tie.entity == family.entity && tie.app.as_ref() == Some(app_id));
        let resting =
            ties.filter(|tie| tie.state == "out_of_scope").filter_map(|tie| Some((tie.place, tie.crm.clone()?)));
        let mut spots = resting.map(|(place, id)| (place, (family.entity, id), field.app));
        spots.any(|spot| {
            let last = self.entries.get(&spot).and_then(|entries| entries.last());
            // A reference is another id at each place.
            last.is_some_and(|(_, entered)| {
                field.kind == FieldKind::Reference || same_meaning(field.kind, entered, value)
            })
        })
    }

    /// Records that are there too often, or not there, or not linked.
    fn doubled(&self, sides: &Sides, told: &Told, troubled: &BTreeSet<(Entity, u32)>) -> Vec<String> {
        let mut breaches = Vec::new();
        for ((entity, mark), made) in &self.made {
            let of_mark = |place: &Snapshot| -> Vec<(Key, Row)> {
                let rows = place.iter().filter(|(key, row)| key.0 == *entity && row.mark == *mark);
                rows.map(|(key, row)| (key.clone(), row.clone())).collect()
            };
            let what = format!("{entity} {mark}: entered {made:?} times,");
            let again = self.lives.iter().filter(|(key, lived)| key.0 == *entity && (lived == mark || *lived == 0));
            let is_troubled = troubled.contains(&(*entity, *mark));
            let most = made.values().sum::<usize>() + if is_troubled { again.count() } else { 0 };
            let mut is_there = false;
            for (place, snapshot) in &sides.world {
                let rows = of_mark(snapshot);
                is_there |= !rows.is_empty();
                if rows.len() > most {
                    breaches.push(format!("{what} is {} times in {place:?}", rows.len()));
                }
                for (key, row) in rows.iter().filter(|_| !is_troubled) {
                    let is_asked = told.matches.contains(key) || self.apart.contains(key);
                    if row.deleted || !(sides.is_tied(*place, key) || is_asked) {
                        breaches.push(format!("{what} {place:?} record {row:?} is deleted or has no partner"));
                    }
                }
            }
            if !is_troubled && !is_there {
                breaches.push(format!("{what} is gone"));
            }
        }
        breaches
    }

    /// Writes of a field are caused by entries: there are no more of them.
    fn written_too_often(&self, sides: &Sides, told: &Told) -> Vec<String> {
        let mut breaches = Vec::new();
        for ((side, app_key, crm_key, name), count) in &told.writes {
            if fields(app_key.0).iter().all(|field| field.app != name.as_str()) {
                continue;
            }
            let family =
                sides.ties.iter().filter(|tie| tie.entity == app_key.0 && tie.app.as_ref() == Some(&app_key.1));
            let mut members: BTreeSet<&String> = family.filter_map(|tie| tie.crm.as_ref()).collect();
            members.extend([&app_key.1, &crm_key.1]);
            let of_family = |entity: Entity, id: &String| entity == app_key.0 && members.contains(id);
            let spots = self.entries.iter().filter(|((_, key, field), _)| field == name && of_family(key.0, &key.1));
            let entered: usize = spots.map(|(_, entries)| entries.len()).sum();
            let decided = self.decided.keys().filter(|((entity, id), field)| field == name && of_family(*entity, id));
            // Each save of the record may start an automation, which writes the field anew.
            let automatic = told.values.get(&(app_key.clone(), name.clone())).into_iter().flatten();
            let saves = 2 * automatic.filter(|value| is_automatic(value)).count();
            let most = 1 + entered + 2 * decided.count() + saves;
            if *count > most {
                breaches
                    .push(format!("{app_key:?}.{name} was written {count} times on the {side} side, entered {most}"));
            }
        }
        breaches
    }
}

/// The app, the CRMs and the links, at one moment.
pub struct Sides {
    pub world: World,
    pub ties: Vec<Tie>,
}

/// A record of a family.
struct Member<'a> {
    place: Place,
    key: &'a Key,
    row: &'a Row,
}

/// A living app record and the living CRM records that it is linked with; the app's comes first.
struct Family<'a> {
    entity: Entity,
    members: Vec<Member<'a>>,
    /// Something about it has failed, and says so.
    has_failed: bool,
}

impl Member<'_> {
    fn spot(&self, field: &Field) -> Spot {
        (self.place, self.key.clone(), field.app)
    }
}

impl Family<'_> {
    fn app(&self) -> &Key {
        self.members[0].key
    }

    fn mark(&self) -> u32 {
        self.members[0].row.mark
    }

    fn values(&self, field: &Field) -> Vec<(Place, Option<String>)> {
        self.members.iter().map(|member| (member.place, member.row.fields[field.app].clone())).collect()
    }
}

impl Sides {
    fn member(&self, place: Place, entity: Entity, id: Option<&String>) -> Option<Member<'_>> {
        let (key, row) = self.world.get(&place)?.get_key_value(&(entity, id?.clone()))?;
        (!row.deleted).then_some(Member { place, key, row })
    }

    /// Living records that are linked.
    fn families(&self) -> impl Iterator<Item = Family<'_>> {
        self.world[&Place::App].keys().filter_map(|(entity, id)| {
            let mut members = vec![self.member(Place::App, *entity, Some(id))?];
            let ties = || self.ties.iter().filter(|tie| tie.entity == *entity && tie.app.as_ref() == Some(id));
            let linked = || ties().filter(|tie| tie.state == "linked");
            members.extend(linked().filter_map(|tie| self.member(tie.place, *entity, tie.crm.as_ref())));
            let has_failed = linked().any(|tie| tie.failed.is_some());
            (members.len() > 1).then_some(Family { entity: *entity, members, has_failed })
        })
    }

    /// Whether a record has its partner in every CRM, or says why not.
    fn is_tied(&self, place: Place, (entity, id): &Key) -> bool {
        let is_tied_with = |crm: Place| {
            let mut ties = self.ties.iter().filter(|tie| tie.place == crm && tie.entity == *entity);
            ties.any(|tie| tie.at(place) == Some(id) && (tie.state == "linked" || tie.failed.is_some()))
        };
        let mut crms = self.world.keys().filter(|crm| **crm != Place::App && (place == Place::App || place == **crm));
        crms.all(|crm| is_tied_with(*crm))
    }

    /// Whether a reference leads to a record that has no partner: it waits for one (`sync.md`, "One run").
    fn waits(&self, field: &Field, family: &Family<'_>) -> bool {
        let has_none = |member: &Member<'_>| {
            let Some(id) = &member.row.fields[field.app] else { return false };
            family.members.iter().filter(|other| other.place != Place::App).any(|crm| {
                let mut ties = self.ties.iter().filter(|tie| tie.place == crm.place && tie.entity == Entity::Account);
                let is_asked = member.place == Place::App || member.place == crm.place;
                is_asked && !ties.any(|tie| tie.state == "linked" && tie.at(member.place) == Some(id))
            })
        };
        field.kind == FieldKind::Reference && family.members.iter().any(has_none)
    }

    fn agree(&self, field: &Field, family: &Family<'_>) -> bool {
        let app = &family.members[0].row.fields[field.app];
        family.members[1..].iter().all(|member| {
            let crm = &member.row.fields[field.app];
            if field.kind == FieldKind::Reference && (app.is_some() || crm.is_some()) {
                let mut ties = self.ties.iter().filter(|tie| tie.place == member.place);
                return ties.any(|tie| tie.entity == Entity::Account && tie.app == *app && tie.crm == *crm);
            }
            same_meaning(field.kind, app, crm)
        })
    }
}
