//! Files: versions of documents, their links to records, and attachments of old (dossier 6).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt as _;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value as Json, json};

use super::ids::Id;
use super::packed::{Packed, Value};
use super::rest::{malformed_json, members, stamp};
use super::schema::{Object, object_named};
use super::soql::{Condition, Operator, SoqlError, Statement};
use super::validate::RecordError;
use super::world::{By, Fields, Record, World};
use crate::simulator::asked::Asked;
use crate::simulator::digest::hex;
use crate::simulator::reply::Reply;

/// What a file that was bound to nothing is still bound to: its owner.
const OF_THE_OWNER: &str = "I";

/// Whether records of an object are made as files are.
pub(super) fn is_file(object: &Object) -> bool {
    matches!(object.name, "ContentVersion" | "ContentDocumentLink" | "Attachment")
}

/// Makes what a checked request asks for, and all that comes with it.
pub(super) fn create(world: &mut World, object: &'static Object, fields: Fields, by: &By) -> Result<Id, RecordError> {
    let before = world.savepoint();
    let done = match object.name {
        "ContentVersion" => version(world, object, fields, by),
        "Attachment" => attachment(world, object, fields, by),
        _ => link(world, object, fields, by),
    };
    if done.is_err() {
        world.roll_back(before);
    }
    done
}

/// A version of a document; without one it makes a document of its own.
fn version(world: &mut World, object: &'static Object, mut fields: Fields, by: &By) -> Result<Id, RecordError> {
    let content = content(&mut fields, "VersionData")?;
    let path = text(&fields, "PathOnClient").ok_or_else(|| RecordError::required(&["PathOnClient".to_owned()]))?;
    let file = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let (stem, extension) = file.rsplit_once('.').unwrap_or((&file, ""));
    fields.entry("Title".to_owned()).or_insert_with(|| json!(stem));
    let about = Fields::from([
        ("FileExtension".to_owned(), json!(extension)),
        (
            "FileType".to_owned(),
            json!(if extension.is_empty() { "UNKNOWN".to_owned() } else { extension.to_uppercase() }),
        ),
        ("ContentSize".to_owned(), json!(content.len())),
    ]);
    let (document, number) = match text(&fields, "ContentDocumentId") {
        Some(document) => replace_latest(world, object, &document, by)?,
        None => {
            let mut made = about.clone();
            made.insert("Title".to_owned(), fields.get("Title").cloned().unwrap_or_default());
            (world.insert(named("ContentDocument")?, made, &Map::new(), by)?, 1)
        }
    };
    fields.extend(about.clone());
    fields.insert("Checksum".to_owned(), json!(hex(&Md5::digest(&content))));
    fields.insert("IsLatest".to_owned(), json!(true));
    fields.insert("VersionNumber".to_owned(), json!(number.to_string()));
    fields.insert("ContentDocumentId".to_owned(), json!(document));
    let (title, place) = (fields.get("Title").cloned().unwrap_or_default(), text(&fields, "FirstPublishLocationId"));
    let id = world.insert(object, fields, &Map::new(), by)?;
    world.keep_content(object, id, content.into());
    world.change(named("ContentDocument")?, &document, by, |record| {
        let mut fields = record.fields.unpacked();
        fields.extend(about);
        fields.insert("Title".to_owned(), title);
        fields.insert("LatestPublishedVersionId".to_owned(), json!(id));
        fields.insert("ContentModifiedDate".to_owned(), json!(stamp(by.at)));
        record.fields = Packed::new(&fields);
    });
    if number == 1 {
        let share = |entity: &str, kind: &str| {
            let fields = [("LinkedEntityId", entity), ("ShareType", kind)];
            let mut fields: Fields = fields.map(|(name, value)| (name.to_owned(), json!(value))).into();
            fields.insert("ContentDocumentId".to_owned(), json!(document));
            fields
        };
        let links = named("ContentDocumentLink")?;
        world.insert(links, share(&by.user, OF_THE_OWNER), &Map::new(), by)?;
        if let Some(place) = place.filter(|place| *place != *by.user) {
            world.insert(links, share(&place, "V"), &Map::new(), by)?;
        }
    }
    Ok(id)
}

/// The document that gets a further version, and the number of that; the latest one is it no longer.
fn replace_latest(
    world: &mut World,
    object: &'static Object,
    document: &str,
    by: &By,
) -> Result<(Id, u64), RecordError> {
    let document = world.living(named("ContentDocument")?, document)?.id;
    let versions = of_document(world, &document, |_| true);
    let latest = versions.iter().filter(|(found, _)| found.name == object.name).map(|(_, id)| *id);
    let mut number = 0;
    for id in latest {
        number += 1;
        world.change(object, &id, by, |record| {
            let mut fields = record.fields.unpacked();
            fields.insert("IsLatest".to_owned(), json!(false));
            record.fields = Packed::new(&fields);
        });
    }
    Ok((document, number + 1))
}

fn attachment(world: &mut World, object: &'static Object, mut fields: Fields, by: &By) -> Result<Id, RecordError> {
    let content = content(&mut fields, "Body")?;
    fields.insert("BodyLength".to_owned(), json!(content.len()));
    let id = world.insert(object, fields, &Map::new(), by)?;
    world.keep_content(object, id, content.into());
    Ok(id)
}

/// A document is linked to a record once.
fn link(world: &mut World, object: &'static Object, fields: Fields, by: &By) -> Result<Id, RecordError> {
    let entity = text(&fields, "LinkedEntityId");
    if let Some(document) = text(&fields, "ContentDocumentId").as_deref().and_then(Id::parse) {
        let is_same = |record: &Record| {
            record.fields.get("LinkedEntityId").and_then(Value::as_str) == entity.as_deref() && !record.deleted
        };
        let same = of_document(world, &document, is_same);
        if let Some((_, other)) = same.iter().find(|(found, _)| found.name == object.name) {
            return Err(RecordError::duplicate("LinkedEntityId", other));
        }
    }
    world.insert(object, fields, &Map::new(), by)
}

/// The versions and links of a document.
pub(super) fn of_document(
    world: &World,
    document: &Id,
    wanted: impl Fn(&Record) -> bool,
) -> Vec<(&'static Object, Id)> {
    let objects = ["ContentVersion", "ContentDocumentLink"].into_iter().filter_map(object_named);
    let found = objects.flat_map(|object| {
        let records = world.tables.get(object.name).into_iter().flat_map(|table| table.records.values());
        records.map(move |record| (object, record))
    });
    let is_of = |record: &Record| record.fields.get("ContentDocumentId").and_then(Value::as_str) == Some(&**document);
    found.filter(|(_, record)| is_of(record) && wanted(record)).map(|(object, record)| (object, record.id)).collect()
}

/// The bytes that a field of a living record holds; `None` where there are none.
pub(super) fn answer(world: &World, object: &Object, id: &str, field: &str) -> Option<Reply> {
    object.field(field).filter(|field| field.field_type == "base64")?;
    let record = world.record(object, id).filter(|record| !record.deleted)?;
    let bytes = world.content(&record.id)?;
    Some(Reply::bytes("application/octetstream", bytes.to_vec()))
}

/// The fields of a new record: a JSON body, or a form of JSON and bytes.
pub(super) fn given(asked: &Asked, object: &Object) -> Result<Map<String, Json>, Reply> {
    let kind = asked.header("content-type").unwrap_or_default();
    if !kind.starts_with("multipart/form-data") {
        return members(asked);
    }
    let wrong = || malformed_json("The multipart body cannot be read");
    let boundary = multer::parse_boundary(kind).map_err(|_| wrong())?;
    let whole = std::future::ready(Ok::<_, std::convert::Infallible>(asked.body.clone()));
    let mut parts = multer::Multipart::new(futures::stream::once(whole), boundary);
    let read = async {
        let (mut json, mut contents) = (None, Vec::new());
        while let Some(part) = parts.next_field().await? {
            let name = part.name().unwrap_or_default().to_owned();
            let bytes = part.bytes().await?;
            match object.field(&name).filter(|field| field.field_type == "base64") {
                Some(field) => contents.push((field.name.clone(), STANDARD.encode(&bytes))),
                None => json = Some(bytes),
            }
        }
        Ok::<_, multer::Error>((json, contents))
    };
    // All of the body is there: nothing is waited for.
    let (json, contents) = read.now_or_never().and_then(Result::ok).ok_or_else(wrong)?;
    let mut fields = members(&Asked { body: json.ok_or_else(wrong)?.to_vec(), ..Asked::default() })?;
    fields.extend(contents.into_iter().map(|(name, content)| (name, json!(content))));
    Ok(fields)
}

/// Refuses to look at links without saying of which documents or records.
pub(super) fn refuse_wide(object: &Object, statement: &Statement) -> Result<(), SoqlError> {
    fn narrows(condition: &Condition) -> bool {
        let is_key =
            |text: &str| ["ContentDocumentId", "LinkedEntityId"].iter().any(|key| text.eq_ignore_ascii_case(key));
        match condition {
            Condition::And(terms) => terms.iter().any(narrows),
            Condition::Compare { path, operator: Operator::Equal, .. } => is_key(&path.text),
            Condition::In { path, negated: false, .. } | Condition::InQuery { path, negated: false, .. } => {
                is_key(&path.text)
            }
            _ => false,
        }
    }
    if object.name != "ContentDocumentLink" || statement.condition.as_ref().is_some_and(narrows) {
        return Ok(());
    }
    let message = "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or \
                   LinkedEntityId using the equals operator or multiple Id's using the IN operator.";
    Err(SoqlError { code: "MALFORMED_QUERY", message: message.to_owned() })
}

fn content(fields: &mut Fields, name: &str) -> Result<Vec<u8>, RecordError> {
    let given = fields.remove(name).ok_or_else(|| RecordError::required(&[name.to_owned()]))?;
    let decoded = STANDARD.decode(given.as_str().unwrap_or_default());
    decoded.map_err(|_| RecordError::new("JSON_PARSER_ERROR", format!("{name}: the value is no base64")))
}

fn text(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name).and_then(Json::as_str).map(str::to_owned)
}

fn named(name: &str) -> Result<&'static Object, RecordError> {
    object_named(name).ok_or_else(RecordError::not_found)
}

/// The journal's line of some bytes.
pub(super) fn line(id: &Id, bytes: &[u8]) -> String {
    json!({ "content": id, "bytes": STANDARD.encode(bytes) }).to_string()
}

/// What such a line says.
pub(super) fn read_line(entry: &Json) -> Option<(Id, Arc<[u8]>)> {
    let id = Id::parse(entry.get("content")?.as_str()?)?;
    Some((id, STANDARD.decode(entry.get("bytes")?.as_str()?).ok()?.into()))
}
