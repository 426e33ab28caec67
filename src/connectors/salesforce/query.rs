//! SOQL statements (dossier 2.4).

use chrono::{DateTime, SecondsFormat};

use super::super::{KeyLookup, ReadWindow};
use super::filter::pushed;
use super::object;
use crate::model::Entity;

/// The statement that opens a window. Without a start: every living record.
pub(super) fn window(window: &ReadWindow) -> String {
    let select = select(window.entity, &window.fields);
    match window.since {
        // The stamp has whole seconds: a record of the first one may have been there or not.
        Some(since) => format!("{select} WHERE SystemModstamp >= {}", instant(since)),
        None => match window.filter.as_ref().and_then(|filter| pushed(filter).condition) {
            Some(condition) => format!("{select} WHERE {condition}"),
            None => select,
        },
    }
}

/// The statement that looks records up by the values of some fields.
pub(super) fn lookup(entity: Entity, fields: &[String], lookups: &[KeyLookup]) -> String {
    let conditions: Vec<String> = lookups
        .iter()
        .filter(|lookup| !lookup.values.is_empty())
        .map(|lookup| {
            let values: Vec<String> = lookup.values.iter().map(|value| text(value)).collect();
            format!("{} IN ({})", lookup.field, values.join(","))
        })
        .collect();
    format!("{} WHERE {}", select(entity, fields), conditions.join(" OR "))
}

/// The parameters of a look at `/deleted` (dossier 2.8).
pub(super) fn replication_window(start: i64, end: i64) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("start", &instant(start))
        .append_pair("end", &instant(end))
        .finish()
}

fn select(entity: Entity, fields: &[String]) -> String {
    let mut columns = vec!["Id", "SystemModstamp", "LastModifiedDate", "IsDeleted"];
    // Only what can be merged has it (dossier 7.1).
    if entity != Entity::Opportunity {
        columns.push("MasterRecordId");
    }
    for field in fields {
        if !columns.contains(&field.as_str()) {
            columns.push(field);
        }
    }
    format!("SELECT {} FROM {}", columns.join(","), object(entity))
}

fn instant(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A text between quotes.
pub(super) fn text(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('\'');
    for letter in value.chars() {
        match letter {
            '\'' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            letter => quoted.push(letter),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_selects_each_field_once_from_its_start() {
        let window_of = |since| ReadWindow {
            entity: Entity::Contact,
            fields: vec!["Email".to_owned(), "Id".to_owned()],
            since,
            filter: None,
        };
        assert_eq!(
            window(&window_of(Some(1_700_000_000_000))),
            "SELECT Id,SystemModstamp,LastModifiedDate,IsDeleted,MasterRecordId,Email FROM Contact \
             WHERE SystemModstamp >= 2023-11-14T22:13:20Z"
        );
        assert!(window(&window_of(None)).ends_with("FROM Contact"));
    }

    #[test]
    fn values_are_quoted() {
        let lookups = [KeyLookup { field: "Name".to_owned(), values: vec!["O'Neil \\ Sons\n".to_owned()] }];
        let soql = lookup(Entity::Account, &[], &lookups);
        assert!(soql.ends_with(r"WHERE Name IN ('O\'Neil \\ Sons\n')"), "{soql}");
    }
}
