//! From rows and records to what the pure core merges: transforms run, values paired, references followed.

use std::collections::{BTreeMap, HashMap};

use chrono_tz::Tz;
use uuid::Uuid;

use super::context::{EntityContext, Field};
use crate::connectors::CrmRecord;
use crate::model::Entity;
use crate::store::app_rows::AppRow;
use crate::store::links::{FieldChoice, PUT_BACK, StoredLink};
use crate::store::{StoreError, WorkspaceTx, links};
use crate::sync::{FieldBase, FieldState, Record, Value, day_of, fit, is_day_of_instant, rounded, same, start_of_day};
use crate::transform::{self, Direction, TransformCall, TransformHost};

/// Both sides of one record, as far as they are there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pair {
    /// The link, if there is one.
    pub link: Option<StoredLink>,
    /// The app row.
    pub app: Option<AppRow>,
    /// The CRM's values as just read, by CRM field.
    pub crm: Option<Record>,
    /// When a person last changed the CRM record, epoch milliseconds.
    pub crm_edited_at: Option<i64>,
    /// When fields in conflict got their values, by CRM field, epoch milliseconds; where the CRM told.
    pub edit_times: BTreeMap<String, i64>,
}

/// References of a batch, both ways.
#[derive(Debug, Default)]
pub(crate) struct References {
    to_app: HashMap<(Entity, String), Uuid>,
    to_crm: HashMap<(Entity, Uuid), String>,
}

/// What transforms answered.
#[derive(Debug, Default)]
pub(crate) struct Transformed {
    /// The script of each field at the time.
    scripts: Vec<Option<String>>,
    /// What was asked and answered: by position of the pair and of the field, and direction.
    answers: HashMap<(usize, usize, bool), (Value, Result<Value, String>)>,
}

/// A pair's fields as the pure core takes them.
#[derive(Debug)]
pub(crate) struct Translated {
    /// One state per field of the context, in its order.
    pub states: Vec<FieldState>,
    /// A reference has no partner yet: merge again in the next run.
    pub waits: bool,
    /// The CRM's values of those references, by app field: kept in mind on the link until they can be merged.
    pub waiting: Record,
}

impl Pair {
    /// The CRM's value of a field as far as it is known: just read, last seen, or as agreed.
    pub(crate) fn crm_value(&self, field: &Field) -> Option<Value> {
        if let Some(crm) = &self.crm {
            return crm.get(&field.mapped.crm_field).cloned();
        }
        let link = self.link.as_ref()?;
        let app_field = &field.mapped.app_field;
        link.seen.get(app_field).cloned().or_else(|| link.base.get(app_field).map(|base| base.crm.clone()))
    }

    /// The app's value of a field; what a person decided stands in its place.
    pub(crate) fn app_value(&self, field: &Field) -> Option<Value> {
        if let Some(choice) = self.choice(field).filter(|choice| choice.choice == "value") {
            return Some(choice.value.clone());
        }
        Some(self.app.as_ref()?.fields.get(&field.mapped.app_field).cloned().flatten())
    }

    /// What a person decided about a field, while both sides hold what the person saw (or what the decision made of it).
    pub(crate) fn choice(&self, field: &Field) -> Option<&FieldChoice> {
        let choice = self.link.as_ref()?.decision.get(&field.mapped.app_field)?;
        if choice.choice == PUT_BACK {
            return None;
        }
        let app = self.app.as_ref()?.fields.get(&field.mapped.app_field).cloned().flatten();
        let kind = field.mapped.app_kind;
        let app_unmoved =
            same(kind, &app, &choice.app) || (choice.choice == "value" && same(kind, &app, &choice.value));
        let crm_unmoved = same(field.mapped.crm_kind, &self.crm_value(field)?, &choice.crm);
        (app_unmoved && crm_unmoved).then_some(choice)
    }

    /// The CRM's id of the record that a reference leads to, unless that is as last agreed.
    fn crm_reference(&self, field: &Field) -> Option<String> {
        let crm = self.crm_value(field)?;
        if self.base(field).is_some_and(|base| base.crm == crm) { None } else { crm }
    }

    /// The app's id of the record that a reference leads to, unless that is as last agreed.
    fn app_reference(&self, field: &Field) -> Option<String> {
        let app = self.app_value(field)?;
        if self.base(field).is_some_and(|base| base.app == app) { None } else { app }
    }

    /// Both values at the last agreement.
    pub(crate) fn base(&self, field: &Field) -> Option<&FieldBase> {
        self.link.as_ref()?.base.get(&field.mapped.app_field)
    }
}

impl References {
    /// Follows the references of a batch by the links of the connection.
    pub(crate) async fn load(
        tx: &mut WorkspaceTx,
        config_id: Uuid,
        context: &EntityContext,
        pairs: &[Pair],
    ) -> Result<Self, StoreError> {
        let mut references = References::default();
        for field in &context.fields {
            let Some(entity) = field.references else { continue };
            let crm_ids: Vec<String> = pairs.iter().filter_map(|pair| pair.crm_reference(field)).collect();
            let record_ids: Vec<Uuid> =
                pairs.iter().filter_map(|pair| pair.app_reference(field)).filter_map(|id| id.parse().ok()).collect();
            let to_app = links::record_ids_of(tx, config_id, entity, &crm_ids).await?;
            references.to_app.extend(to_app.into_iter().map(|(crm_id, id)| ((entity, crm_id), id)));
            let to_crm = links::crm_ids_of(tx, config_id, entity, &record_ids).await?;
            references.to_crm.extend(to_crm.into_iter().map(|(id, crm_id)| ((entity, id), crm_id)));
        }
        Ok(references)
    }
}

impl Transformed {
    /// Runs the transforms that a merge of `pairs` will ask for: of values that are not as last agreed. What `ahead` has
    /// answered for the same value in the same place is not asked again.
    pub(crate) async fn run(host: &TransformHost, context: &EntityContext, pairs: &[Pair], ahead: Self) -> Self {
        let scripts: Vec<Option<String>> = context.fields.iter().map(|field| field.transform.clone()).collect();
        let mut answers = if ahead.scripts == scripts { ahead.answers } else { HashMap::new() };
        let mut keys = Vec::new();
        let mut calls = Vec::new();
        let sees = |script: &Option<String>| script.as_deref().is_some_and(transform::sees_record);
        let sees_record: Vec<bool> = scripts.iter().map(sees).collect();
        for (position, pair) in pairs.iter().enumerate() {
            for (index, field) in context.fields.iter().enumerate() {
                let Some(script) = &field.transform else { continue };
                for to_app in [true, false] {
                    let Some(value) = transform_input(pair, field, to_app) else { continue };
                    if answers.get(&(position, index, to_app)).is_some_and(|(asked, _)| *asked == value) {
                        continue;
                    }
                    keys.push((position, index, to_app, value.clone()));
                    calls.push(TransformCall {
                        script: script.clone(),
                        direction: if to_app { Direction::ToApp } else { Direction::ToCrm },
                        value,
                        record: if sees_record[index] { transform_record(pair, to_app) } else { Record::new() },
                    });
                }
            }
        }
        if !calls.is_empty() {
            let answered = keys.into_iter().zip(host.run(calls).await);
            answers.extend(
                answered.map(|((position, index, to_app, input), answer)| ((position, index, to_app), (input, answer))),
            );
        }
        Transformed { scripts, answers }
    }

    /// Runs the transforms of CRM records that have no link.
    pub(crate) async fn of_strangers(host: &TransformHost, context: &EntityContext, records: &[CrmRecord]) -> Self {
        if !context.has_transforms() {
            return Transformed::default();
        }
        let stranger = |record: &CrmRecord| Pair { crm: Some(record.fields.clone()), ..Pair::default() };
        let pairs: Vec<Pair> = records.iter().map(stranger).collect();
        Transformed::run(host, context, &pairs, Transformed::default()).await
    }

    /// Takes the answers from position `at` on out, to count their positions from there.
    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        let rest = self.answers.extract_if(|(position, ..), _| *position >= at);
        let answers =
            rest.map(|((position, index, to_app), answer)| ((position - at, index, to_app), answer)).collect();
        Transformed { scripts: self.scripts.clone(), answers }
    }

    fn answer(&self, position: usize, index: usize, to_app: bool, input: &Value) -> Result<Value, String> {
        match self.answers.get(&(position, index, to_app)) {
            Some((asked, answer)) if asked == input => answer.clone(),
            // The row moved between reading and locking; the next run transforms the new value.
            _ => Err("the value changed while it was being transformed; it is tried again in the next run".to_owned()),
        }
    }
}

/// Translates one pair; `position` is its place in the batch that [`Transformed::run`] was given.
pub(crate) fn translate(
    context: &EntityContext,
    pair: &Pair,
    position: usize,
    references: &References,
    transformed: &Transformed,
) -> Translated {
    let mut waits = false;
    let mut waiting = Record::new();
    let states = context
        .fields
        .iter()
        .enumerate()
        .map(|(index, field)| {
            let is_put_back = |link: &StoredLink| {
                link.decision.get(&field.mapped.app_field).is_some_and(|choice| choice.choice == PUT_BACK)
            };
            // What the CRM shows is a write of ours that goes back first.
            if pair.link.as_ref().is_some_and(is_put_back) {
                waiting.extend(pair.link.as_ref().and_then(|link| {
                    Some((field.mapped.app_field.clone(), link.seen.get(&field.mapped.app_field)?.clone()))
                }));
                return not_observed(pair, field);
            }
            // What the engine wrote in turns, or would write into too many records, rests until a person has decided; the
            // CRM's edits are kept in mind.
            let is_held = |link: &StoredLink| {
                link.held_fields.contains(&field.mapped.app_field) || link.guarded.contains_key(&field.mapped.app_field)
            };
            if pair.link.as_ref().is_some_and(is_held) {
                let edited = pair.crm_value(field).filter(|crm| pair.base(field).is_none_or(|base| base.crm != *crm));
                waiting.extend(edited.map(|crm| (field.mapped.app_field.clone(), crm)));
                return not_observed(pair, field);
            }
            let state = field_state(context, pair, field, references, |to_app, input| {
                transformed.answer(position, index, to_app, input)
            });
            state.unwrap_or_else(|| {
                waits = true;
                waiting.extend(pair.crm_value(field).map(|crm| (field.mapped.app_field.clone(), crm)));
                not_observed(pair, field)
            })
        })
        .collect();
    Translated { states, waits, waiting }
}

fn field_state(
    context: &EntityContext,
    pair: &Pair,
    field: &Field,
    references: &References,
    transform: impl Fn(bool, &Value) -> Result<Value, String>,
) -> Option<FieldState> {
    let base = pair.base(field).cloned();
    let (app, crm) = (pair.app_value(field), pair.crm_value(field));
    let (crm_as_app, app_as_crm) = match (field.references, &field.people) {
        (Some(entity), _) => partners(
            (base.as_ref(), app.as_ref(), crm.as_ref()),
            |id| references.to_app.get(&(entity, id.to_owned())).map(Uuid::to_string),
            |id| references.to_crm.get(&(entity, id.parse().ok()?)).cloned(),
        )?,
        (None, Some(people)) => partners(
            (base.as_ref(), app.as_ref(), crm.as_ref()),
            |id| people.address(id),
            |address| people.id(address),
        )?,
        (None, None) => {
            let (zone, base, forms) = (context.zone, base.as_ref(), &transform);
            (to_app_form(field, zone, base, &crm, forms), to_crm_form(field, zone, base, &app, forms))
        }
    };
    let app_changed_at =
        pair.app.as_ref().map(|row| row.changed_at.get(&field.mapped.app_field).copied().unwrap_or(row.created_at));
    let decided = pair.choice(field).is_some();
    let base = decided_base(pair, field, base, &app, &crm, &crm_as_app, &app_as_crm);
    let crm_changed_at = pair.edit_times.get(&field.mapped.crm_field).copied().or(pair.crm_edited_at);
    let late = pair.link.as_ref().and_then(|link| link.late.get(&field.mapped.app_field));
    let late = late.filter(|late| late.until > context.now).map(|late| late.value.clone());
    Some(FieldState { base, app, crm, crm_as_app, app_as_crm, app_changed_at, crm_changed_at, decided, late })
}

/// What each side of a reference is on the other one; `None` where either has no partner yet.
fn partners(
    (base, app, crm): (Option<&FieldBase>, Option<&Value>, Option<&Value>),
    to_app: impl Fn(&str) -> Option<String>,
    to_crm: impl Fn(&str) -> Option<String>,
) -> Option<(Result<Value, String>, Result<Value, String>)> {
    let crm_as_app = match (base, crm) {
        (Some(base), Some(crm)) if base.crm == *crm => base.app.clone(),
        _ => follow(crm, to_app)?,
    };
    let app_as_crm = match (base, app) {
        (Some(base), Some(app)) if base.app == *app => base.crm.clone(),
        _ => follow(app, to_crm)?,
    };
    Some((Ok(crm_as_app), Ok(app_as_crm)))
}

/// The id on the other side; outer `None` where it has no partner yet.
fn follow(id: Option<&Value>, partner: impl Fn(&str) -> Option<String>) -> Option<Value> {
    match id.and_then(Option::as_deref) {
        None => Some(None),
        Some(id) => partner(id).map(Some),
    }
}

fn to_app_form(
    field: &Field,
    zone: Tz,
    base: Option<&FieldBase>,
    crm: &Option<Value>,
    transform: impl Fn(bool, &Value) -> Result<Value, String>,
) -> Result<Value, String> {
    let Some(crm) = crm else { return Ok(None) };
    if let Some(base) = base.filter(|base| same(field.mapped.crm_kind, &base.crm, crm)) {
        return Ok(base.app.clone());
    }
    let value = if field.transform.is_some() && crm.is_some() { transform(true, crm)? } else { crm.clone() };
    let value = field.value_map.to_app(&value);
    let value = if is_day(field) { day_of(value, zone) } else { value };
    fit(field.mapped.app_kind, value)
}

fn to_crm_form(
    field: &Field,
    zone: Tz,
    base: Option<&FieldBase>,
    app: &Option<Value>,
    transform: impl Fn(bool, &Value) -> Result<Value, String>,
) -> Result<Value, String> {
    let Some(app) = app else { return Ok(None) };
    if let Some(base) = base.filter(|base| same(field.mapped.app_kind, &base.app, app)) {
        return Ok(base.crm.clone());
    }
    let value = field.value_map.to_crm(app);
    let value = if field.transform.is_some() && value.is_some() { transform(false, &value)? } else { value };
    let value = if is_day(field) { start_of_day(value, zone) } else { value };
    Ok(match field.mapped.crm_decimals {
        Some(decimals) => rounded(value, decimals),
        None => value,
    })
}

fn is_day(field: &Field) -> bool {
    is_day_of_instant(field.mapped.app_kind, field.mapped.crm_kind)
}

/// The value that a transform is needed for: `None` where the side is not observed, empty, or as last agreed.
fn transform_input(pair: &Pair, field: &Field, to_app: bool) -> Option<Value> {
    let base = pair.base(field);
    if to_app {
        let crm = pair.crm_value(field)?;
        let agreed = base.is_some_and(|base| same(field.mapped.crm_kind, &base.crm, &crm));
        (crm.is_some() && !agreed).then_some(crm)
    } else {
        let app = pair.app_value(field)?;
        let agreed = base.is_some_and(|base| same(field.mapped.app_kind, &base.app, &app));
        let value = field.value_map.to_crm(&app);
        (value.is_some() && !agreed).then_some(value)
    }
}

fn transform_record(pair: &Pair, to_app: bool) -> Record {
    if to_app {
        pair.crm.clone().unwrap_or_default()
    } else {
        pair.app.as_ref().map(|row| row.fields.clone()).unwrap_or_default()
    }
}

/// A person's decision is an edit of the side that was chosen: the base becomes what the other side holds.
fn decided_base(
    pair: &Pair,
    field: &Field,
    base: Option<FieldBase>,
    app: &Option<Value>,
    crm: &Option<Value>,
    crm_as_app: &Result<Value, String>,
    app_as_crm: &Result<Value, String>,
) -> Option<FieldBase> {
    let Some(choice) = pair.choice(field) else { return base };
    match (choice.choice.as_str(), app, crm, crm_as_app, app_as_crm) {
        ("crm", Some(app), _, _, Ok(app_as_crm)) => Some(FieldBase { crm: app_as_crm.clone(), app: app.clone() }),
        ("app" | "value", _, Some(crm), Ok(crm_as_app), _) => {
            Some(FieldBase { crm: crm.clone(), app: crm_as_app.clone() })
        }
        _ => base,
    }
}

fn not_observed(pair: &Pair, field: &Field) -> FieldState {
    FieldState {
        base: pair.base(field).cloned(),
        app: None,
        crm: None,
        crm_as_app: Ok(None),
        app_as_crm: Ok(None),
        app_changed_at: None,
        crm_changed_at: None,
        decided: false,
        late: None,
    }
}

/// The app-form values of a CRM record that has no partner yet, by app field, and what failed.
pub(crate) fn app_form(context: &EntityContext, translated: &Translated) -> (Record, BTreeMap<String, String>) {
    let mut form = Record::new();
    let mut failures = BTreeMap::new();
    for (field, state) in context.fields.iter().zip(&translated.states) {
        if state.crm.is_none() {
            continue;
        }
        match &state.crm_as_app {
            Ok(value) => {
                form.insert(field.mapped.app_field.clone(), value.clone());
            }
            Err(message) => {
                failures.insert(field.mapped.app_field.clone(), message.clone());
            }
        }
    }
    (form, failures)
}
