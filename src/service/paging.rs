//! Which part of a list is asked for: `limit` and `offset`, or `cursor`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{FieldProblem, ServiceError};

/// Rows in an answer where nothing is said.
pub const DEFAULT_LIMIT: i64 = 50;
/// Rows in an answer at most.
pub const LARGEST_LIMIT: i64 = 200;
const LARGEST_OFFSET: i64 = 10_000_000;

/// The part of a list that a client asks for.
#[derive(Debug, Clone, Default)]
pub struct PageAsked {
    /// Rows at most.
    pub limit: Option<i64>,
    /// Rows to leave out.
    pub offset: Option<i64>,
    /// `nextCursor` of the answer before.
    pub cursor: Option<String>,
}

/// The part of a list as checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PagePart {
    /// Rows at most.
    pub limit: i64,
    /// Rows to leave out.
    pub offset: i64,
    /// The row that the answer before ended with: its sort instant and its id.
    pub after: Option<(DateTime<Utc>, Uuid)>,
}

impl PageAsked {
    /// Checks the numbers and reads the cursor.
    pub fn read(&self) -> Result<PagePart, ServiceError> {
        let mut problems = Vec::new();
        let mut problem = |field: &str, message: String| {
            problems.push(FieldProblem { field: field.to_owned(), message });
        };
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=LARGEST_LIMIT).contains(&limit) {
            problem("limit", format!("The limit is a number from 1 to {LARGEST_LIMIT}."));
        }
        let offset = self.offset.unwrap_or(0);
        if !(0..=LARGEST_OFFSET).contains(&offset) {
            problem("offset", "The offset is 0 or more. Use the cursor for what lies far back.".to_owned());
        }
        let cursor = self.cursor.as_deref().filter(|cursor| !cursor.is_empty());
        let after = cursor.and_then(read_cursor);
        if cursor.is_some() && after.is_none() {
            problem("cursor", "The cursor is none that an answer gave. Begin without one.".to_owned());
        }
        if cursor.is_some() && offset > 0 {
            problem("offset", "Give either a cursor or an offset.".to_owned());
        }
        if problems.is_empty() {
            Ok(PagePart { limit, offset, after })
        } else {
            Err(ServiceError::invalid_fields(problems))
        }
    }
}

/// The cursor of what follows a row that sorts at `at`.
pub fn cursor_after(at: DateTime<Utc>, id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{id}", at.timestamp_micros()))
}

fn read_cursor(cursor: &str) -> Option<(DateTime<Utc>, Uuid)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (at, id) = text.split_once('.')?;
    Some((DateTime::from_timestamp_micros(at.parse().ok()?)?, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let at = DateTime::from_timestamp_micros(1_795_000_000_123_456).expect("in range");
        let asked = PageAsked { cursor: Some(cursor_after(at, Uuid::max())), ..PageAsked::default() };
        let part = PagePart { limit: 50, offset: 0, after: Some((at, Uuid::max())) };
        assert_eq!(asked.read().expect("well formed"), part);
    }

    #[test]
    fn what_cannot_be_a_part_of_a_list_names_its_member() {
        let asked =
            |limit, offset, cursor: Option<&str>| PageAsked { limit, offset, cursor: cursor.map(str::to_owned) };
        let cases = [
            (asked(Some(0), None, None), "limit"),
            (asked(Some(201), None, None), "limit"),
            (asked(None, Some(-1), None), "offset"),
            (asked(None, None, Some("x")), "cursor"),
            (asked(None, Some(5), Some(&cursor_after(DateTime::UNIX_EPOCH, Uuid::nil()))), "offset"),
        ];
        for (asked, member) in cases {
            let refused = asked.read().expect_err("malformed on purpose");
            assert_eq!(refused.fields.iter().map(|problem| problem.field.as_str()).collect::<Vec<_>>(), [member]);
        }
    }
}
