//! Keeps its own record of what was entered, by looking at both sides before and after whatever people do, and says at the
//! end which promise of `sync.md` was not kept. Never reads a base, nor anything else that the engine decides by.

use std::collections::{BTreeMap, BTreeSet};

use crosstie::model::{Entity, FieldKind, Side};
use crosstie::sync::same_meaning;
use serde_json::Value as Json;

use super::crm::{Crm, Field, is_automatic};
use super::world::{self, Key, Row, Snapshot, Tie, text};
use crate::helpers::TestApp;

/// A field of one record of one side.
type Place = (Side, Key, &'static str);

/// A value at a moment.
type Entry = (u32, Option<String>);

/// What was entered, and when.
#[derive(Default)]
pub struct Oracle {
    /// Counts what people do: the moment.
    now: u32,
    entries: BTreeMap<Place, Vec<Entry>>,
    /// How many records of a mark people have made, in the app and in the CRM.
    made: BTreeMap<(Entity, u32), [usize; 2]>,
    /// Deletes, restores, merges, and decisions about such.
    lives: Vec<(Key, u32)>,
    /// What both sides agreed on at the end of a whole run in which nobody touched it, and when that run began.
    settled: BTreeMap<Place, Entry>,
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
    pub fn saw(&mut self, before: &(Snapshot, Snapshot), after: &(Snapshot, Snapshot)) {
        self.now += 1;
        for (side, before, after) in [(Side::App, &before.0, &after.0), (Side::Crm, &before.1, &after.1)] {
            for (key, row) in after {
                let old = before.get(key);
                if old.is_none() {
                    self.made.entry((key.0, row.mark)).or_default()[usize::from(side == Side::Crm)] += 1;
                }
                for (field, value) in &row.fields {
                    if old.map_or(value.is_some(), |old| old.fields[field] != *value) {
                        self.entries.entry((side, key.clone(), field)).or_default().push((self.now, value.clone()));
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

    /// A record of the CRM has taken in another: the link of either may be the one that goes on (`sync.md`, "Deletes").
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

    /// What a field of this side's record was when both sides last agreed.
    pub fn agreed(&self, side: Side, key: &Key, field: &'static str) -> Option<String> {
        self.settled.get(&(side, key.clone(), field)).and_then(|(_, value)| value.clone())
    }

    /// A whole two-way run is over that began at `began`: what agrees and was not touched since is settled, and must be what
    /// was entered.
    pub async fn settle(&mut self, app: &TestApp, crm: &Crm, began: u32) -> Result<(), String> {
        let (sides, told) = (Sides::read(app, crm).await, Told::read(app).await);
        let troubled = self.troubled(&sides, crm);
        let mut breaches = Vec::new();
        for (here, there, tie) in sides.pairs().filter(|(_, _, tie)| tie.failed.is_none()) {
            for field in (crm.fields)(tie.entity) {
                let places = [(Side::App, here.0.clone(), field.app), (Side::Crm, there.0.clone(), field.app)];
                let touched = places.iter().any(|place| self.last(place, began).is_some());
                let is_asked = told.asked.contains(&(here.0.clone(), field.app.to_owned()));
                if touched || is_asked || !sides.agree(field, here.1, there.1) {
                    continue;
                }
                if !troubled.contains(&(tie.entity, here.1.mark)) {
                    breaches.extend(self.lost(&told, field, here, there));
                }
                for (place, row) in places.into_iter().zip([here.1, there.1]) {
                    self.settled.insert(place, (began, row.fields[field.app].clone()));
                }
            }
        }
        if breaches.is_empty() { Ok(()) } else { Err(breaches.join("\n")) }
    }

    /// The last value that somebody entered after a moment.
    fn last(&self, place: &Place, after: u32) -> Option<&Option<String>> {
        self.entries.get(place)?.iter().rev().find(|(at, _)| *at > after).map(|(_, value)| value)
    }

    /// Whether the promises are kept, at rest.
    pub async fn check(&self, app: &TestApp, crm: &Crm) -> Result<(), String> {
        let sides = Sides::read(app, crm).await;
        let troubled = self.troubled(&sides, crm);
        let told = Told::read(app).await;
        let mut breaches = Vec::new();
        for (here, there, tie) in sides.pairs() {
            for field in (crm.fields)(tie.entity) {
                let is_told = told.asked.contains(&(here.0.clone(), field.app.to_owned()))
                    || tie.failed.is_some()
                    || sides.waits(field, here.1, there.1);
                let agrees = sides.agree(field, here.1, there.1);
                let values = (&here.1.fields[field.app], &there.1.fields[field.app]);
                if !agrees && !is_told && !self.accepted.contains(&(here.0.clone(), field.app.to_owned())) {
                    breaches.push(format!("{}.{} of {} disagrees: {values:?}", tie.entity, field.app, here.1.mark));
                }
                if agrees && !is_told && !troubled.contains(&(tie.entity, here.1.mark)) {
                    breaches.extend(self.lost(&told, field, here, there));
                }
            }
        }
        breaches.extend(self.doubled(&sides, &told, &troubled));
        breaches.extend(self.written_too_often(&told, crm));
        breaches.extend(told.open.iter().map(|intent| format!("an intent is open: {intent}")));
        if breaches.is_empty() { Ok(()) } else { Err(breaches.join("\n")) }
    }

    /// Marks of records that were deleted, restored or merged, and of those that such a record carries along.
    fn troubled(&self, sides: &Sides, crm: &Crm) -> BTreeSet<(Entity, u32)> {
        let mark_of = |key: &Key| sides.app.get(key).or_else(|| sides.crm.get(key)).map(|row| row.mark);
        let mut troubled: BTreeSet<(Entity, u32)> = BTreeSet::new();
        for (key, mark) in &self.lives {
            troubled.insert((key.0, *mark));
            troubled.extend(mark_of(key).map(|mark| (key.0, mark)));
        }
        let references = |entity: Entity| (crm.fields)(entity).iter().find(|field| field.kind == FieldKind::Reference);
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

    /// Whether the last value that was entered in a field has got lost; both sides agree on another.
    fn lost(&self, told: &Told, field: &Field, here: (&Key, &Row), there: (&Key, &Row)) -> Option<String> {
        let places = [(Side::App, here.0.clone(), field.app), (Side::Crm, there.0.clone(), field.app)];
        let values = [&here.1.fields[field.app], &there.1.fields[field.app]];
        let settled = self.settled.get(&places[0]);
        let since = settled.map_or(0, |(at, _)| *at);
        let last = [self.last(&places[0], since), self.last(&places[1], since)];
        let is = |side: usize| last[side].is_some_and(|last| same_meaning(field.kind, last, values[side]));
        let was_decided = self.decided.get(&(here.0.clone(), field.app.to_owned())).is_some_and(|at| *at > since);
        let what = format!("{}.{} of {}", here.0.0, field.app, here.1.mark);
        let is_told = |value: &Option<String>| {
            let known = told.values.get(&(here.0.clone(), field.app.to_owned()));
            known.is_some_and(|known| known.iter().any(|told| same_meaning(field.kind, told, value)))
        };
        if is_automatic(values[1]) {
            // An automation has edited the CRM's record after everybody, whoever wrote before; what it overwrote there is the
            // CRM's own affair, what came from here is in the journal (`sync.md`, "The base": "a third one, which so merges
            // as the CRM's edit").
            let overwritten = last[0].filter(|entered| entered.is_some() && !is_told(entered));
            return overwritten
                .map(|entered| format!("{what}: {entered:?} gave way to an automation, and nothing tells"));
        }
        match last {
            [None, None] => {
                let before = settled.map_or(&None, |(_, value)| value);
                let kept = was_decided || same_meaning(field.kind, before, values[0]);
                (!kept).then(|| format!("{what}: nobody has touched {before:?}, and it is {:?}", values[0]))
            }
            _ if was_decided => None,
            [Some(entered), None] if !is(0) => {
                Some(format!("{what}: somebody has entered {entered:?} in the app, and it is {:?}", values[0]))
            }
            [None, Some(entered)] if !is(1) => {
                Some(format!("{what}: somebody has entered {entered:?} in the CRM, and it is {:?}", values[1]))
            }
            [Some(app), Some(crm)] if !is(0) && !is(1) => {
                Some(format!("{what}: {app:?} was entered here and {crm:?} there, and it is {values:?}"))
            }
            [Some(app), Some(crm)] => {
                let loser = [app, crm][usize::from(is(0))];
                let is_kept =
                    (is(0) && is(1)) || loser.is_none() || field.kind == FieldKind::Reference || is_told(loser);
                (!is_kept).then(|| format!("{what}: {loser:?} was overwritten, and nothing tells of it"))
            }
            _ => None,
        }
    }

    /// Records that are there too often, or not there, or not linked.
    fn doubled(&self, sides: &Sides, told: &Told, troubled: &BTreeSet<(Entity, u32)>) -> Vec<String> {
        let mut breaches = Vec::new();
        for ((entity, mark), [in_app, in_crm]) in &self.made {
            let of_mark = |side: &Snapshot| -> Vec<(Key, Row)> {
                let rows = side.iter().filter(|(key, row)| key.0 == *entity && row.mark == *mark);
                rows.map(|(key, row)| (key.clone(), row.clone())).collect()
            };
            let (here, there) = (of_mark(&sides.app), of_mark(&sides.crm));
            let what = format!("{entity} {mark}: entered {in_app} times here and {in_crm} there,");
            let again = self.lives.iter().filter(|(key, lived)| key.0 == *entity && (lived == mark || *lived == 0));
            let is_troubled = troubled.contains(&(*entity, *mark));
            let most = in_app + in_crm + if is_troubled { again.count() } else { 0 };
            if here.len() > most || there.len() > most {
                breaches.push(format!("{what} is {} times here and {} there", here.len(), there.len()));
            }
            if is_troubled {
                continue;
            }
            for (side, rows) in [(Side::App, &here), (Side::Crm, &there)] {
                for (key, row) in rows {
                    let mut ties = sides.ties.iter().filter(|tie| tie.entity == *entity && tie.ties(side, &key.1));
                    let is_tied = ties.any(|tie| tie.state == "linked" || tie.failed.is_some());
                    let is_asked = told.matches.contains(key) || self.apart.contains(key);
                    if row.deleted || !(is_tied || is_asked) {
                        breaches.push(format!("{what} {side} record {row:?} is deleted or has no partner"));
                    }
                }
            }
            if here.is_empty() && there.is_empty() {
                breaches.push(format!("{what} is gone"));
            }
        }
        breaches
    }

    /// Writes of a field are caused by entries: there are no more of them.
    fn written_too_often(&self, told: &Told, crm: &Crm) -> Vec<String> {
        let mut breaches = Vec::new();
        let is_watched = |(_, key, _, name): &&(Side, Key, Key, String)| {
            (crm.fields)(key.0).iter().any(|field| field.app == name.as_str())
        };
        for place @ (side, app_key, crm_key, field) in told.writes.keys().filter(is_watched) {
            let count = &told.writes[place];
            let entries = |side: Side, key: &Key| {
                let place = self.entries.iter().find(|((of, at, name), _)| *of == side && at == key && name == field);
                place.map_or(0, |(_, entries)| entries.len())
            };
            let decided = self.decided.keys().filter(|(key, name)| name == field && (key == app_key || key == crm_key));
            // Each save of the record may start an automation, which writes the field anew.
            let automatic = told.values.get(&(app_key.clone(), field.clone())).into_iter().flatten();
            let saves = 2 * automatic.filter(|value| is_automatic(value)).count();
            let most = 1 + entries(Side::App, app_key) + entries(Side::Crm, crm_key) + 2 * decided.count() + saves;
            if *count > most {
                breaches
                    .push(format!("{app_key:?}.{field} was written {count} times on the {side} side, entered {most}"));
            }
        }
        breaches
    }
}

/// Both sides and the links, at one moment.
struct Sides {
    app: Snapshot,
    crm: Snapshot,
    ties: Vec<Tie>,
}

impl Sides {
    async fn read(app: &TestApp, crm: &Crm) -> Self {
        Sides { app: world::in_app(app, crm).await, crm: world::in_crm(app, crm).await, ties: world::ties(app).await }
    }

    /// Living records that are linked.
    fn pairs(&self) -> impl Iterator<Item = ((&Key, &Row), (&Key, &Row), &Tie)> {
        self.ties.iter().filter(|tie| tie.state == "linked").filter_map(|tie| {
            let here = self.app.get_key_value(&(tie.entity, tie.app.clone()?))?;
            let there = self.crm.get_key_value(&(tie.entity, tie.crm.clone()?))?;
            (!here.1.deleted && !there.1.deleted).then_some((here, there, tie))
        })
    }

    /// Whether a reference leads to a record that has no partner: it waits for one (`sync.md`, "One run").
    fn waits(&self, field: &Field, here: &Row, there: &Row) -> bool {
        let has_none = |value: &Option<String>, side: Side| {
            let Some(id) = value else { return false };
            let mut ties = self.pairs().filter(|(_, _, tie)| tie.entity == Entity::Account);
            !ties.any(|(_, _, tie)| tie.ties(side, id))
        };
        field.kind == FieldKind::Reference
            && (has_none(&here.fields[field.app], Side::App) || has_none(&there.fields[field.app], Side::Crm))
    }

    fn agree(&self, field: &Field, here: &Row, there: &Row) -> bool {
        let (app, crm) = (&here.fields[field.app], &there.fields[field.app]);
        if field.kind == FieldKind::Reference && (app.is_some() || crm.is_some()) {
            return self.ties.iter().any(|tie| tie.entity == Entity::Account && tie.app == *app && tie.crm == *crm);
        }
        same_meaning(field.kind, app, crm)
    }
}

impl Tie {
    fn ties(&self, side: Side, id: &str) -> bool {
        match side {
            Side::App => self.app.as_deref() == Some(id),
            Side::Crm => self.crm.as_deref() == Some(id),
        }
    }
}

/// What Crosstie tells people: conflicts and the journal.
struct Told {
    /// Fields of app records that wait for a decision.
    asked: BTreeSet<(Key, String)>,
    /// Records of questions about whole records.
    matches: BTreeSet<Key>,
    /// Every value of a field of an app record that a conflict or the journal tells of.
    values: BTreeMap<(Key, String), Vec<Option<String>>>,
    /// How often a field was written on a side, by both ids.
    writes: BTreeMap<(Side, Key, Key, String), usize>,
    /// Intents that nobody has settled.
    open: Vec<String>,
}

impl Told {
    async fn read(app: &TestApp) -> Self {
        let mut told = Told {
            asked: BTreeSet::new(),
            matches: BTreeSet::new(),
            values: BTreeMap::new(),
            writes: BTreeMap::new(),
            open: Vec::new(),
        };
        for conflict in app.rows("SELECT * FROM crm_sync_conflicts").await {
            told.conflict(&conflict);
        }
        for change in app.rows("SELECT * FROM crm_sync_changes ORDER BY id").await {
            told.change(&change);
        }
        told
    }

    fn conflict(&mut self, conflict: &Json) {
        let entity: Entity = text(&conflict["entity_type"]).and_then(|text| text.parse().ok()).expect("an entity");
        let key = |name: &str| text(&conflict[name]).map(|id| (entity, id));
        let is_field = conflict["kind"] == "field";
        let is_pending = conflict["status"] == "pending";
        if is_pending && !is_field {
            self.matches.extend([key("entity_id"), key("crm_record_id")].into_iter().flatten());
        }
        let Some(here) = key("entity_id") else { return };
        for field in conflict["conflicting_fields"].as_array().into_iter().flatten().filter_map(text) {
            if is_pending {
                self.asked.insert((here.clone(), field.clone()));
            }
            let told = ["app_data", "crm_data", "crm_raw"].map(|data| text(&conflict[data][&field]));
            self.values.entry((here.clone(), field)).or_default().extend(told);
        }
    }

    fn change(&mut self, change: &Json) {
        let entity: Entity = text(&change["entity_type"]).and_then(|text| text.parse().ok()).expect("an entity");
        let side: Side = text(&change["side"]).and_then(|text| text.parse().ok()).expect("a side");
        let state = text(&change["state"]).unwrap_or_default();
        if matches!(state.as_str(), "intended" | "sent" | "unknown") {
            self.open.push(change.to_string());
        }
        let here = (entity, text(&change["record_id"]).unwrap_or_default());
        let there = (entity, text(&change["crm_record_id"]).unwrap_or_default());
        for field in change["fields"].as_array().into_iter().flatten() {
            let name = text(&field["appField"]).unwrap_or_default();
            self.values.entry((here.clone(), name.clone())).or_default().push(text(&field["before"]));
            if state == "done" && change["action"] == "update" {
                *self.writes.entry((side, here.clone(), there.clone(), name)).or_default() += 1;
            }
        }
    }
}
