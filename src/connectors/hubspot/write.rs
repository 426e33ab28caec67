//! Batched writes: a hundred records a call, each with its own outcome (dossier 2.6).
//!
//! Every input has a trace id, so that HubSpot takes the good ones of a batch. What it refuses whole all the same is halved
//! until what is wrong stands alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value as Json, json};

use super::super::{ConnectorError, EntityDescription, RecordWrite, WriteImages, WriteKind, WriteOutcome};
use super::api::{Api, Written};
use super::associations::{self, Change};
use super::records::{self, Page, Row};
use super::{EXTERNAL_ID_FIELD, errors};
use crate::model::{Entity, FieldKind};
use crate::sync::{Record, Value, normalise, same};

/// One input of a batch.
struct Input {
    /// Place of the record in what was asked for; also its trace id.
    place: usize,
    /// What an answer without a trace id is recognised by: the record's id, or its external id.
    key: String,
    body: Json,
}

/// What a batch answered about one input.
enum Answer {
    Row(Box<Row>),
    Refusal(u16, Json),
}

/// Writes one batch of updates or of creates.
pub(super) async fn write(
    api: &Api<'_>,
    description: &EntityDescription,
    external_id: Option<&str>,
    writes: &[RecordWrite],
) -> Result<Vec<WriteOutcome>, ConnectorError> {
    match writes.first().map(|write| &write.kind) {
        None => Ok(Vec::new()),
        Some(WriteKind::Update { .. }) => update(api, description, writes).await,
        Some(WriteKind::Create { .. }) => create(api, description, external_id, writes).await,
    }
}

/// Reads, leaves alone what somebody changed in the meantime, and writes the others: the answer is the image after.
async fn update(
    api: &Api<'_>,
    description: &EntityDescription,
    writes: &[RecordWrite],
) -> Result<Vec<WriteOutcome>, ConnectorError> {
    let entity = description.entity;
    let before = before(api, entity, writes).await?;
    let mut outcomes: Vec<Option<WriteOutcome>> =
        writes.iter().map(|write| left_alone(description, write, &before)).collect();
    let inputs = writes.iter().enumerate().filter(|(place, _)| outcomes[*place].is_none());
    let inputs = inputs.filter_map(|(place, write)| {
        let properties = properties(description, &write.fields);
        let id = crm_id(write);
        (!properties.is_empty()).then(|| Input {
            place,
            key: id.to_owned(),
            body: json!({ "id": id, "properties": properties }),
        })
    });
    let answers = send(api, &api.paths.objects(entity, "/batch/update"), inputs.collect(), Row::id).await?;
    for (place, write) in writes.iter().enumerate() {
        if outcomes[place].is_some() {
            continue;
        }
        let Some(row) = before.get(crm_id(write)) else { continue };
        outcomes[place] = Some(match answers.get(&place) {
            Some(Answer::Refusal(status, error)) => errors::record(*status, error),
            Some(Answer::Row(after)) => updated(entity, write, row, Some(after)),
            // Only its company changes.
            None => updated(entity, write, row, None),
        });
    }
    write_companies(api, entity, writes, &before, &mut outcomes, !answers.is_empty()).await?;
    outcomes.into_iter().map(|outcome| outcome.ok_or_else(incomplete)).collect()
}

/// The records as they are, with every property that any of the writes sets.
async fn before(api: &Api<'_>, entity: Entity, writes: &[RecordWrite]) -> Result<HashMap<String, Row>, ConnectorError> {
    let fields: BTreeSet<String> = writes.iter().flat_map(|write| write.fields.keys().cloned()).collect();
    let fields: Vec<String> = fields.into_iter().chain([records::modified(entity).to_owned()]).collect();
    let ids: Vec<String> = writes.iter().map(|write| crm_id(write).to_owned()).collect();
    let rows = records::rows(api, entity, &fields, &ids, (None, false)).await?;
    Ok(rows.into_iter().map(|row| (row.id(), row)).collect())
}

/// What becomes of a record that is not written: it is gone or merged away, or somebody changed what would be written.
fn left_alone(
    description: &EntityDescription,
    write: &RecordWrite,
    before: &HashMap<String, Row>,
) -> Option<WriteOutcome> {
    let WriteKind::Update { crm_id, merged } = &write.kind else { return None };
    let Some(row) = before.get(crm_id) else { return Some(WriteOutcome::Gone) };
    let now = row.fields(write.fields.keys());
    let is_moved = |(field, now): (&String, &Value)| {
        merged.get(field).is_some_and(|merged| !same(kind(description, field), merged, now))
    };
    if !now.iter().any(is_moved) {
        return None;
    }
    let modified_at = row.modified_at(description.entity);
    Some(WriteOutcome::Moved { fields: now, modified_at, edited_at: modified_at })
}

fn updated(entity: Entity, write: &RecordWrite, before: &Row, after: Option<&Row>) -> WriteOutcome {
    let stamp = before.modified_at(entity);
    let images = WriteImages {
        before: Some(before.fields(write.fields.keys())),
        after: Some(after.map(|after| after.fields(plain_fields(entity, &write.fields))).unwrap_or_default()),
        edited_before: Some(stamp),
        modified_at: Some(after.map_or(stamp, |after| after.modified_at(entity))),
    };
    WriteOutcome::Done { crm_id: before.id(), created: false, images }
}

/// Fields that are properties: the company is not.
fn plain_fields(entity: Entity, fields: &Record) -> impl Iterator<Item = &String> {
    fields.keys().filter(move |field| !associations::is_reference(entity, field))
}

/// Writes the companies of records whose other fields are written.
async fn write_companies(
    api: &Api<'_>,
    entity: Entity,
    writes: &[RecordWrite],
    before: &HashMap<String, Row>,
    outcomes: &mut [Option<WriteOutcome>],
    has_written: bool,
) -> Result<(), ConnectorError> {
    let Some(field) = associations::reference(entity) else { return Ok(()) };
    let mut changes = Vec::new();
    for (write, outcome) in writes.iter().zip(outcomes.iter_mut()) {
        let (Some(company), Some(WriteOutcome::Done { crm_id, images, .. })) = (write.fields.get(field), outcome)
        else {
            continue;
        };
        let now = before.get(crm_id.as_str()).and_then(|row| row.value(field)).map(str::to_owned);
        if now != *company {
            changes.push(Change { id: crm_id.clone(), company: company.clone(), before: now });
        }
        images.after.get_or_insert_default().insert(field.to_owned(), company.clone());
    }
    if changes.is_empty() {
        return Ok(());
    }
    let refused = associations::write(api, entity, &changes).await.map_err(|error| match error {
        // Something was written before: "nothing happened" would not be true.
        ConnectorError::Transient { detail } if has_written => ConnectorError::Unknown { detail },
        error => error,
    })?;
    for (write, outcome) in writes.iter().zip(outcomes.iter_mut()) {
        if let Some(error) = refused.get(crm_id(write)) {
            *outcome = Some(errors::bad_reference(error, field));
        }
    }
    Ok(())
}

/// Creates records with their companies. One whose external id is taken is ours from before, and is left as it is: an upsert
/// would overwrite what people changed in it since, and could not make its association in the same call.
async fn create(
    api: &Api<'_>,
    description: &EntityDescription,
    external_id: Option<&str>,
    writes: &[RecordWrite],
) -> Result<Vec<WriteOutcome>, ConnectorError> {
    let entity = description.entity;
    let inputs = writes.iter().enumerate().map(|(place, write)| new_record(description, external_id, place, write));
    let key = |row: &Row| row.value(EXTERNAL_ID_FIELD).unwrap_or_default().to_owned();
    let answers = send(api, &api.paths.objects(entity, "/batch/create"), inputs.collect(), key).await?;
    let mut outcomes = Vec::with_capacity(writes.len());
    for (place, write) in writes.iter().enumerate() {
        outcomes.push(match answers.get(&place) {
            None => return Err(incomplete()),
            Some(Answer::Row(row)) => {
                WriteOutcome::Done { crm_id: row.id(), created: true, images: created(entity, write, row) }
            }
            Some(Answer::Refusal(status, error)) => match errors::record(*status, error) {
                WriteOutcome::Gone => {
                    errors::bad_reference(error, associations::reference(entity).unwrap_or("A field"))
                }
                outcome => outcome,
            },
        });
    }
    if let Some(field) = external_id {
        recognise_own(api, entity, field, writes, &mut outcomes).await?;
    }
    Ok(outcomes)
}

fn new_record(description: &EntityDescription, external_id: Option<&str>, place: usize, write: &RecordWrite) -> Input {
    let entity = description.entity;
    let mut properties = properties(description, &write.fields);
    properties.retain(|_, value| value.as_str().is_some_and(|value| !value.is_empty()));
    let mut key = String::new();
    if let (Some(field), WriteKind::Create { external_id: Some(value) }) = (external_id, &write.kind) {
        properties.insert(field.to_owned(), json!(value));
        key.clone_from(value);
    }
    let mut body = json!({ "properties": properties });
    let company = associations::reference(entity).and_then(|field| write.fields.get(field)?.as_deref());
    if let Some(company) = company {
        body["associations"] = associations::of_new_record(entity, company);
    }
    Input { place, key, body }
}

fn created(entity: Entity, write: &RecordWrite, row: &Row) -> WriteImages {
    let mut after = row.fields(plain_fields(entity, &write.fields));
    if let Some((field, company)) = associations::reference(entity).and_then(|field| write.fields.get_key_value(field))
    {
        after.insert(field.clone(), company.clone());
    }
    WriteImages { after: Some(after), modified_at: Some(row.modified_at(entity)), ..WriteImages::default() }
}

/// A record that a create collided with is the one wanted where it has the external id: the answer to a former create was lost.
async fn recognise_own(
    api: &Api<'_>,
    entity: Entity,
    field: &str,
    writes: &[RecordWrite],
    outcomes: &mut [WriteOutcome],
) -> Result<(), ConnectorError> {
    let own = |write: &RecordWrite| match &write.kind {
        WriteKind::Create { external_id } => external_id.clone(),
        WriteKind::Update { .. } => None,
    };
    let collided = writes.iter().zip(outcomes.iter());
    let collided = collided.filter(|(_, outcome)| matches!(outcome, WriteOutcome::Duplicate { .. }));
    let values: Vec<String> = collided.filter_map(|(write, _)| own(write)).collect();
    if values.is_empty() {
        return Ok(());
    }
    let rows = records::rows(api, entity, &[field.to_owned()], &values, (Some(field), false)).await?;
    let known: HashMap<String, String> =
        rows.iter().filter_map(|row| Some((row.value(field)?.to_owned(), row.id()))).collect();
    for (write, outcome) in writes.iter().zip(outcomes.iter_mut()) {
        let found = own(write).and_then(|value| known.get(&value).cloned());
        if let (WriteOutcome::Duplicate { .. }, Some(crm_id)) = (&*outcome, found) {
            *outcome = WriteOutcome::Done { crm_id, created: false, images: WriteImages::default() };
        }
    }
    Ok(())
}

/// Archives into the recycle bin; what is not there is as gone as what was (dossier 2.5).
pub(super) async fn delete(api: &Api<'_>, entity: Entity, ids: &[String]) -> Result<Vec<WriteOutcome>, ConnectorError> {
    let path = api.paths.objects(entity, "/batch/archive");
    let mut refused: HashMap<&String, WriteOutcome> = HashMap::new();
    let mut waiting: Vec<&[String]> = ids.chunks(records::BATCH).collect();
    while let Some(ids) = waiting.pop() {
        let inputs: Vec<Json> = ids.iter().map(|id| json!({ "id": id })).collect();
        match api.change::<Json>(&path, &json!({ "inputs": inputs })).await? {
            Written::Answered(_) => {}
            Written::Refused { status, .. } if ids.len() > 1 && status != errors::LOCKED => {
                let (first, rest) = ids.split_at(ids.len() / 2);
                waiting.extend([first, rest]);
            }
            Written::Refused { status, body } => {
                refused.extend(ids.iter().map(|id| (id, errors::record(status, &body))));
            }
        }
    }
    let done = |id: &String| WriteOutcome::Done { crm_id: id.clone(), created: false, images: WriteImages::default() };
    Ok(ids.iter().map(|id| refused.get(id).cloned().unwrap_or_else(|| done(id))).collect())
}

/// Sends inputs and tells what became of each, by its place.
async fn send(
    api: &Api<'_>,
    path: &str,
    inputs: Vec<Input>,
    key: impl Fn(&Row) -> String,
) -> Result<BTreeMap<usize, Answer>, ConnectorError> {
    let mut answers = BTreeMap::new();
    let mut waiting = vec![inputs];
    while let Some(mut inputs) = waiting.pop() {
        if inputs.is_empty() {
            continue;
        }
        let bodies: Vec<Json> = inputs.iter().map(traced).collect();
        match api.change::<Page>(path, &json!({ "inputs": bodies })).await? {
            Written::Answered(page) => answers.extend(told_apart(&inputs, page, &key)?),
            Written::Refused { status, body } => {
                if let Some(error) = errors::unknown_property(&body) {
                    return Err(error);
                }
                if inputs.len() > 1 && status != errors::LOCKED {
                    let rest = inputs.split_off(inputs.len() / 2);
                    waiting.extend([rest, inputs]);
                } else {
                    answers.extend(inputs.iter().map(|input| (input.place, Answer::Refusal(status, body.clone()))));
                }
            }
        }
    }
    Ok(answers)
}

fn traced(input: &Input) -> Json {
    let mut body = input.body.clone();
    body["objectWriteTraceId"] = json!(input.place.to_string());
    body
}

/// The answer about each input: by its trace id, else by its key. An answer that leaves one out tells nothing.
fn told_apart(
    inputs: &[Input],
    page: Page,
    key: impl Fn(&Row) -> String,
) -> Result<Vec<(usize, Answer)>, ConnectorError> {
    if page.results.is_empty()
        && let Some(error) = page.errors.iter().find_map(errors::unknown_property)
    {
        return Err(error);
    }
    let by_key = |wanted: &str| inputs.iter().find(|input| !input.key.is_empty() && input.key == wanted);
    let by_trace = |trace: &str| inputs.iter().find(|input| input.place.to_string() == trace);
    let mut answers = Vec::with_capacity(inputs.len());
    for row in page.results {
        let trace = row.object_write_trace_id.as_deref().and_then(by_trace);
        let input = trace.or_else(|| by_key(&key(&row))).or_else(|| inputs.first().filter(|_| inputs.len() == 1));
        answers.push((input.ok_or_else(incomplete)?.place, Answer::Row(Box::new(row))));
    }
    for error in page.errors {
        let names = |member: &str| -> Vec<String> {
            let names = error.pointer(&format!("/context/{member}")).and_then(Json::as_array).into_iter().flatten();
            names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
        };
        let traces = names("objectWriteTraceId");
        let mut about: Vec<&Input> = traces.iter().filter_map(|trace| by_trace(trace)).collect();
        if about.is_empty() {
            about.extend(names("ids").iter().filter_map(|id| by_key(id)));
        }
        answers.extend(about.into_iter().map(|input| (input.place, Answer::Refusal(207, error.clone()))));
    }
    let told: BTreeSet<usize> = answers.iter().map(|(place, _)| *place).collect();
    if told.len() == inputs.len() { Ok(answers) } else { Err(incomplete()) }
}

fn incomplete() -> ConnectorError {
    ConnectorError::Unknown { detail: "an incomplete answer".to_owned() }
}

fn crm_id(write: &RecordWrite) -> &str {
    match &write.kind {
        WriteKind::Update { crm_id, .. } => crm_id,
        WriteKind::Create { .. } => "",
    }
}

fn kind(description: &EntityDescription, field: &str) -> FieldKind {
    description.field(field).map_or(FieldKind::Text, |field| field.kind)
}

/// The properties of a write; the company is an association.
fn properties(description: &EntityDescription, fields: &Record) -> Map<String, Json> {
    plain_fields(description.entity, fields)
        .map(|field| (field.clone(), json!(spelled(kind(description, field), fields.get(field).unwrap_or(&None)))))
        .collect()
}

/// A value as HubSpot wants it (dossier 2.4): an empty text clears.
fn spelled(kind: FieldKind, value: &Value) -> String {
    let Some(text) = value else { return String::new() };
    match kind {
        FieldKind::Number | FieldKind::Money | FieldKind::Percent => normalise(kind, value).unwrap_or_default(),
        FieldKind::Date | FieldKind::DateTime | FieldKind::Boolean => normalise(kind, value).unwrap_or_default(),
        // A semicolon in front would add to what is chosen instead of taking its place.
        FieldKind::MultiChoice => text.trim_start_matches(';').to_owned(),
        _ => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_spelled_as_hubspot_wants_them() {
        let text = |text: &str| Some(text.to_owned());
        for (kind, given, expected) in [
            (FieldKind::Money, text("123456789012345678.90"), "123456789012345678.9"),
            (FieldKind::Number, text("many"), "many"),
            (FieldKind::Boolean, text("t"), "true"),
            (FieldKind::MultiChoice, text(";a;b"), "a;b"),
            (FieldKind::DateTime, text("2026-01-31T10:00:00+01:00"), "2026-01-31T09:00:00.000Z"),
            (FieldKind::Text, text("1"), "1"),
            (FieldKind::Text, None, ""),
        ] {
            assert_eq!(spelled(kind, &given), expected, "{given:?}");
        }
    }

    #[test]
    fn what_a_batch_says_is_told_apart_by_trace_then_by_key() {
        let input = |place: usize, key: &str| Input { place, key: key.to_owned(), body: json!({}) };
        let inputs = [input(0, "a"), input(3, "b"), input(4, "c")];
        let page = |answer: Json| serde_json::from_value::<Page>(answer).expect("a page");
        let told = |answer: Json| {
            told_apart(&inputs, page(answer), Row::id).map(|answers| {
                let is_row = |answer: &Answer| matches!(answer, Answer::Row(_));
                answers.iter().map(|(place, answer)| (*place, is_row(answer))).collect::<BTreeMap<_, _>>()
            })
        };
        let whole = json!({ "results": [{ "id": "x", "objectWriteTraceId": "3" }, { "id": "a" }],
                            "errors": [{ "category": "CONFLICT", "context": { "objectWriteTraceId": ["4"] } }] });
        assert_eq!(told(whole), Ok(BTreeMap::from([(0, true), (3, true), (4, false)])));
        let gone = json!({ "results": [{ "id": "a" }],
                           "errors": [{ "category": "OBJECT_NOT_FOUND", "context": { "ids": ["b", "c"] } }] });
        assert_eq!(told(gone), Ok(BTreeMap::from([(0, true), (3, false), (4, false)])));
        let short = json!({ "results": [{ "id": "a" }] });
        assert_eq!(told(short), Err(incomplete()), "two are not accounted for");
    }
}
