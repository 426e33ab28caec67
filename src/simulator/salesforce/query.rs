//! SOQL over HTTP: the first page, the further ones (dossier 2.4).

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::json;

use super::files;
use super::org::{Cursor, Org};
use super::rows::{Rows, cursor_place};
use super::schema::object_named;
use super::soql::{self, SoqlError, Statement};
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Rows of one page.
const PAGE: usize = 2000;

/// Fewest rows that a client may ask for.
const SMALLEST_PAGE: usize = 200;

/// Answers `query` and `queryAll`.
pub(super) fn first(org: &mut Org, asked: &Asked, version: &str, with_deleted: bool, user: &str) -> Reply {
    let text = asked.query("q").unwrap_or_default();
    let batch = asked
        .header("sforce-query-options")
        .and_then(|options| options.split("batchSize=").nth(1)?.split([',', ';']).next()?.trim().parse::<usize>().ok())
        .map_or(PAGE, |batch| batch.clamp(SMALLEST_PAGE, PAGE))
        .min(org.world.rules.longest_page.unwrap_or(PAGE).max(1));
    match ran(org, &text, version, with_deleted, batch, user) {
        Ok(reply) => reply,
        Err(error) => Reply::error(400, error.code, &error.message),
    }
}

/// Answers a locator that a page has named.
pub(super) fn more(org: &mut Org, version: &str, locator: &str) -> Reply {
    let found = locator.rsplit_once('-').and_then(|(id, offset)| {
        let cursor = org.cursor(id)?.clone();
        let offset: usize = offset.parse().ok()?;
        (offset <= cursor.ids.len()).then_some((id.to_owned(), cursor, offset))
    });
    match found {
        Some((id, cursor, offset)) => page(org, version, cursor, Some(id), offset),
        None => Reply::error(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
    }
}

fn ran(
    org: &mut Org,
    text: &str,
    version: &str,
    with_deleted: bool,
    batch: usize,
    user: &str,
) -> Result<Reply, SoqlError> {
    let statement = soql::parse(text)?.hiding(&org.security_of(user).hidden);
    if let Some(object) = object_named(&statement.object.text) {
        files::refuse_wide(object, &statement)?;
    }
    let now = org.now();
    if let Some(rows) = soql::aggregated(&org.world, &statement, with_deleted, now)? {
        return Ok(Reply::json(200, &json!({ "totalSize": rows.len(), "done": true, "records": rows })));
    }
    let (object, ids) = soql::run(&org.world, &statement, with_deleted, now)?;
    if statement.items.is_empty() {
        return Ok(Reply::json(200, &json!({ "totalSize": ids.len(), "done": true, "records": [] })));
    }
    soql::columns(object, &statement)?;
    let statement: Arc<Statement> = Arc::new(statement);
    let cursor = Cursor { object, statement, ids: ids.into(), with_deleted, batch, at: now };
    Ok(page(org, version, cursor, None, 0))
}

/// A page of what was found at first, as it is now: a row deleted since drops out.
fn page(org: &mut Org, version: &str, cursor: Cursor, id: Option<String>, offset: usize) -> Reply {
    let end = (offset + cursor.batch).min(cursor.ids.len());
    let done = end == cursor.ids.len();
    let columns = match soql::columns(cursor.object, &cursor.statement) {
        Ok(columns) => columns,
        Err(error) => return Reply::error(400, error.code, &error.message),
    };
    let mut body = String::with_capacity(200 + (end - offset) * 400);
    // Writing to a String cannot fail.
    let _ = write!(body, "{{\"totalSize\":{},\"done\":{done}", cursor.ids.len());
    if !done {
        let id = id.unwrap_or_else(|| org.keep_cursor(cursor.clone()));
        let _ = write!(body, ",\"nextRecordsUrl\":\"/services/data/{version}/query/{id}-{end}\"");
    }
    body.push_str(",\"records\":[");
    let rows = Rows::new(&org.world, version, org.now()).paged(cursor.batch);
    let found = cursor.ids[offset..end].iter().filter_map(|id| org.world.at(cursor.object, id));
    for (place, record) in found.filter(|record| cursor.with_deleted || !record.deleted).enumerate() {
        if place > 0 {
            body.push(',');
        }
        rows.write(&mut body, cursor.object, record, &columns);
    }
    body.push_str("]}");
    for (index, nested) in rows.into_cursors().into_iter().enumerate() {
        let id = org.keep_cursor(nested);
        body = body.replace(&cursor_place(index), &id);
    }
    Reply::raw_json(body)
}
