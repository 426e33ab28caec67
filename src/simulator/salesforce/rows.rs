//! Records as they are written into answers: the columns asked for, parents and children nested.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::ids::Id;
use super::org::Cursor;
use super::packed::Value;
use super::rest::stamp;
use super::schema::{Field, Object};
use super::soql::{self, Column, Statement, children_of, columns, reference};
use super::world::{Record, World};

/// What writing a row needs to know.
pub(super) struct Rows<'w> {
    world: &'w World,
    version: &'w str,
    now: i64,
    /// Children that a page shows of one parent.
    batch: usize,
    /// The cursors of children that a page does not show whole.
    cursors: RefCell<Vec<Cursor>>,
    /// Children by their statement's place in memory and their parent: looked for once for all rows.
    children: RefCell<HashMap<*const Statement, Children<'w>>>,
}

type Children<'w> = Rc<HashMap<Id, Vec<&'w Record>>>;

impl<'w> Rows<'w> {
    pub(super) fn new(world: &'w World, version: &'w str, now: i64) -> Self {
        Rows { world, version, now, batch: usize::MAX, cursors: RefCell::default(), children: RefCell::default() }
    }

    /// The same with so many children of one parent on a page.
    pub(super) fn paged(self, batch: usize) -> Self {
        Rows { batch, ..self }
    }

    /// The cursors of children that have further pages. Where their ids belong stands [`cursor_place`] in what was written.
    pub(super) fn into_cursors(self) -> Vec<Cursor> {
        self.cursors.into_inner()
    }

    /// Writes one record.
    pub(super) fn write(&self, out: &mut String, object: &Object, record: &Record, columns: &[Column]) {
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "{{\"attributes\":{{\"type\":\"{0}\",\"url\":\"/services/data/{1}/sobjects/{0}/{2}\"}}",
            object.name, self.version, record.id
        );
        for column in columns {
            match column {
                Column::Own(field) if field.field_type == "base64" => {
                    let (name, version, object) = (&field.name, self.version, object.name);
                    let _ = match self.world.content(&record.id) {
                        Some(_) => write!(
                            out,
                            ",\"{name}\":\"/services/data/{version}/sobjects/{object}/{}/{name}\"",
                            record.id
                        ),
                        None => write!(out, ",\"{name}\":null"),
                    };
                }
                Column::Own(field) => {
                    let _ = write!(out, ",\"{}\":", field.name);
                    match field.rollup {
                        Some(rollup) => out.push_str(&self.world.totals.shown(rollup, &record.id)),
                        None => value(out, record, field),
                    }
                }
                Column::Parent { relationship, field, object, columns } => {
                    let _ = write!(out, ",\"{relationship}\":");
                    let parent = reference(record, field).and_then(|id| self.world.at(object, &id));
                    match parent {
                        Some(parent) => self.write(out, object, parent, columns),
                        None => out.push_str("null"),
                    }
                }
                Column::Shown { name, accessor, formatted } => {
                    let shown = soql::shown(accessor.of(self.world, record), *formatted, accessor.field);
                    let _ = write!(out, ",{}:{shown}", json!(name));
                }
                Column::TypeOf { relationship, field, cases } => {
                    let _ = write!(out, ",\"{relationship}\":");
                    let parent = reference(record, field);
                    let found = parent.and_then(|id| {
                        cases.iter().find_map(|(object, columns)| Some((object, columns, self.world.at(object, &id)?)))
                    });
                    match found {
                        Some((object, columns, parent)) => self.write(out, object, parent, columns),
                        None => out.push_str("null"),
                    }
                }
                Column::Children { name, object, link, statement } => {
                    let _ = write!(out, ",\"{name}\":");
                    let children = self.children(object, link, statement);
                    let rows = children.get(&record.id).map(Vec::as_slice).unwrap_or_default();
                    self.write_children(out, object, rows, statement);
                }
            }
        }
        out.push('}');
    }

    fn children(&self, object: &'static Object, link: &Field, statement: &Statement) -> Children<'w> {
        let mut known = self.children.borrow_mut();
        let found = known.entry(std::ptr::from_ref(statement));
        let found = found.or_insert_with(|| Rc::new(children_of(self.world, object, link, statement, self.now)));
        found.clone()
    }

    fn write_children(&self, out: &mut String, object: &'static Object, rows: &[&Record], statement: &Arc<Statement>) {
        if rows.is_empty() {
            out.push_str("null");
            return;
        }
        let columns = columns(object, statement).unwrap_or_default();
        let _ = write!(out, "{{\"totalSize\":{},\"done\":{}", rows.len(), rows.len() <= self.batch);
        if rows.len() > self.batch {
            let mut cursors = self.cursors.borrow_mut();
            let (place, version, batch) = (cursor_place(cursors.len()), self.version, self.batch);
            let _ = write!(out, ",\"nextRecordsUrl\":\"/services/data/{version}/query/{place}-{batch}\"");
            cursors.push(Cursor {
                object,
                statement: statement.clone(),
                ids: rows.iter().map(|record| record.id).collect(),
                with_deleted: false,
                batch,
                at: self.now,
            });
        }
        out.push_str(",\"records\":[");
        for (place, row) in rows.iter().take(self.batch).enumerate() {
            if place > 0 {
                out.push(',');
            }
            self.write(out, object, row, &columns);
        }
        out.push_str("]}");
    }
}

/// What stands for the id of a cursor that is not kept yet; JSON has no such letters.
pub(super) fn cursor_place(index: usize) -> String {
    format!("\u{1}{index}\u{1}")
}

/// The value of a record's own field.
fn value(out: &mut String, record: &Record, field: &Field) {
    if let Some(value) = system_value(record, &field.name) {
        let _ = write!(out, "{value}");
        return;
    }
    match (record.fields.at(field.key), field.field_type.as_str()) {
        (Some(value), _) => value.write(out),
        (None, "boolean") => out.push_str("false"),
        (None, "address") => {
            let _ = write!(out, "{}", address(record, &field.name));
        }
        (None, _) => out.push_str("null"),
    }
}

/// A compound address; null where all its parts are (dossier 7.2).
fn address(record: &Record, name: &str) -> Json {
    const PARTS: [(&str, &str); 8] = [
        ("city", "City"),
        ("country", "Country"),
        ("geocodeAccuracy", "GeocodeAccuracy"),
        ("latitude", "Latitude"),
        ("longitude", "Longitude"),
        ("postalCode", "PostalCode"),
        ("state", "State"),
        ("street", "Street"),
    ];
    let prefix = name.trim_end_matches("Address");
    let part = |part: &str| record.fields.get(&format!("{prefix}{part}")).map(Value::to_json).unwrap_or_default();
    let parts = PARTS.map(|(name, field)| (name.to_owned(), part(field)));
    if parts.iter().all(|(_, value)| value.is_null()) { Json::Null } else { Json::Object(parts.into_iter().collect()) }
}

/// Fields that every record has by itself.
pub(super) fn system_value(record: &Record, field: &str) -> Option<Json> {
    Some(match field {
        "Id" => json!(record.id),
        "IsDeleted" => json!(record.deleted),
        "MasterRecordId" => json!(record.master),
        "CreatedDate" => json!(stamp(record.created)),
        "CreatedById" => json!(record.created_by),
        "LastModifiedDate" => json!(stamp(record.modified)),
        "LastModifiedById" => json!(record.modified_by),
        "SystemModstamp" => json!(stamp(record.stamp)),
        _ => return None,
    })
}
