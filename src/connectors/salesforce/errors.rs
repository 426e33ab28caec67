//! What Salesforce's refusals mean (dossier 1.5, 2.11), in Crosstie's own words.

use std::time::Duration;

use serde_json::Value as Json;

use super::super::{ConnectorError, UploadOutcome, WriteOutcome};
use crate::model::RecordRefusal;

/// Until the daily count has had time to fall: it is a rolling day.
const DAILY_WAIT: Duration = Duration::from_secs(15 * 60);

/// Until requests that run long have ended.
const BURST_WAIT: Duration = Duration::from_secs(10);

/// What the refusal of a whole request means. `errors` is the body, where it was JSON.
pub(super) fn whole(status: u64, errors: Option<&Json>, changes: bool) -> ConnectorError {
    let first = errors.and_then(|errors| errors.get(0));
    let text = |name: &str| first.and_then(|error| error.get(name)?.as_str()).unwrap_or_default();
    let (code, message) = (text("errorCode"), text("message"));
    match (status, code) {
        (401, _) if message.contains("not valid for use") => {
            ConnectorError::SignIn { reason: "ip_restricted".to_owned() }
        }
        (401, _) => ConnectorError::TokenExpired,
        (_, "REQUEST_LIMIT_EXCEEDED") => {
            let daily = message.contains("TotalRequests");
            ConnectorError::RateLimited { wait: if daily { DAILY_WAIT } else { BURST_WAIT }, daily }
        }
        (429, _) => ConnectorError::RateLimited { wait: BURST_WAIT, daily: false },
        (_, "INVALID_QUERY_LOCATOR") => ConnectorError::PositionExpired,
        (_, "SERVER_UNAVAILABLE" | "QUERY_TIMEOUT" | "UNABLE_TO_LOCK_ROW" | "REQUEST_RUNNING_TOO_LONG") => {
            ConnectorError::Transient { detail: code.to_owned() }
        }
        (_, "INVALID_FIELD" | "INVALID_TYPE" | "INVALID_FIELD_FOR_INSERT_UPDATE") => ConnectorError::Configuration {
            subject: column(message).map_or_else(|| "a mapped field".to_owned(), |name| format!("the field {name}")),
            crm_code: code.to_owned(),
        },
        (403, _) => ConnectorError::Configuration {
            subject: "API access for the connected user".to_owned(),
            crm_code: named(code, status),
        },
        (404 | 410, _) => ConnectorError::Configuration {
            subject: "this object or API version".to_owned(),
            crm_code: named(code, status),
        },
        (500.., _) if changes => ConnectorError::Unknown { detail: format!("status {status}") },
        (500.., _) => ConnectorError::Transient { detail: format!("status {status}") },
        _ => ConnectorError::Rejected { crm_code: named(code, status) },
    }
}

/// What the refusal of a file means.
pub(super) fn of_upload(status: u64, errors: Option<&Json>) -> Result<UploadOutcome, ConnectorError> {
    let first = errors.and_then(|errors| errors.get(0));
    match whole(status, errors, true) {
        ConnectorError::Rejected { crm_code } => Ok(UploadOutcome::Refused(refusal(&crm_code, first))),
        // The record, not the object: what may be written there was asked before.
        ConnectorError::Configuration { crm_code, .. } if first.is_some() => {
            Ok(UploadOutcome::Refused(refusal(&crm_code, first)))
        }
        error => Err(error),
    }
}

/// What became of one record of a collections call, from its result.
pub(super) fn record(result: &Json) -> WriteOutcome {
    let error = result.pointer("/errors/0");
    let text = |name: &str| error.and_then(|error| error.get(name)?.as_str()).unwrap_or_default();
    let (code, message) = (text("statusCode"), text("message"));
    match code {
        "ENTITY_IS_DELETED" | "NOT_FOUND" => WriteOutcome::Gone,
        "UNABLE_TO_LOCK_ROW" => WriteOutcome::Busy,
        _ if message.contains("UNABLE_TO_LOCK_ROW") => WriteOutcome::Busy,
        "DUPLICATE_VALUE" => WriteOutcome::Duplicate { crm_ids: ids_in(message) },
        "DUPLICATES_DETECTED" => WriteOutcome::Duplicate { crm_ids: matched(error) },
        _ => WriteOutcome::Refused(refusal(code, error)),
    }
}

fn refusal(crm_code: &str, error: Option<&Json>) -> RecordRefusal {
    let fields: Vec<String> = error
        .and_then(|error| error.get("fields")?.as_array().cloned())
        .unwrap_or_default()
        .iter()
        .filter_map(|field| field.as_str().map(str::to_owned))
        .collect();
    let field = fields.first().map_or("A field", String::as_str);
    let (code, message) = sentence(crm_code, field);
    RecordRefusal { code: code.to_owned(), crm_code: crm_code.to_owned(), message, fields, retryable: true }
}

/// Crosstie's code and sentence for a record's refusal.
fn sentence(crm_code: &str, field: &str) -> (&'static str, String) {
    match crm_code {
        "REQUIRED_FIELD_MISSING" => (
            "required_field_missing",
            format!("Salesforce requires {field} and it is empty. Fill it here or map a field to it."),
        ),
        "STRING_TOO_LONG" => (
            "value_too_long",
            format!("{field} is longer than Salesforce takes. Shorten it here, then it is sent by itself."),
        ),
        "INVALID_EMAIL_ADDRESS" => {
            ("invalid_email", format!("{field} is not an e-mail address that Salesforce accepts. Correct it here."))
        }
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST" => (
            "unknown_choice",
            format!(
                "{field} has a value that is not on Salesforce's list. Choose one of the list or pair the value in the mapping."
            ),
        ),
        "FIELD_CUSTOM_VALIDATION_EXCEPTION" => (
            "validation_rule",
            format!(
                "A validation rule of your Salesforce refused the record ({field}). Correct the value or ask your Salesforce admin."
            ),
        ),
        "FIELD_INTEGRITY_EXCEPTION" | "FIELD_FILTER_VALIDATION_EXCEPTION" => (
            "invalid_reference",
            format!(
                "{field} refers to something that Salesforce does not accept there. Check the record it points to."
            ),
        ),
        "NUMBER_OUTSIDE_VALID_RANGE" => {
            ("number_out_of_range", format!("{field} is a number that Salesforce cannot store. Correct it here."))
        }
        "INVALID_TYPE_ON_FIELD_IN_RECORD" | "JSON_PARSER_ERROR" => (
            "wrong_type",
            format!("{field} has a value of another kind than Salesforce expects. Correct it or the mapping."),
        ),
        "MALFORMED_ID"
        | "INVALID_ID_FIELD"
        | "INVALID_CROSS_REFERENCE_KEY"
        | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY" => (
            "reference_not_found",
            format!(
                "{field} points to a record that Salesforce does not have or does not show. Check that record, then retry."
            ),
        ),
        "INSUFFICIENT_ACCESS_OR_READONLY" | "INSUFFICIENT_ACCESS" => (
            "no_permission",
            "The connected Salesforce user may not change this record. Give the user access to it, then retry."
                .to_owned(),
        ),
        "INVALID_FIELD_FOR_INSERT_UPDATE" => (
            "read_only_field",
            format!(
                "{field} cannot be written by the connected Salesforce user. Change the mapping's direction or the user's rights."
            ),
        ),
        "STORAGE_LIMIT_EXCEEDED" => {
            ("storage_full", "Your Salesforce has no storage left. Free some or ask your Salesforce admin.".to_owned())
        }
        "DELETE_FAILED" | "DEPENDENCY_EXISTS" => (
            "still_in_use",
            "Salesforce keeps the record because others depend on it. Remove those there, then retry.".to_owned(),
        ),
        _ => (
            "refused_by_crm",
            "Salesforce refused the record. Tell your Salesforce admin the code beside this sentence, then retry."
                .to_owned(),
        ),
    }
}

/// The field that `No such column 'X' on …` names.
fn column(message: &str) -> Option<&str> {
    message.split_once("No such column '")?.1.split('\'').next()
}

/// Record ids in a message such as `… on record with id: 003…`.
fn ids_in(message: &str) -> Vec<String> {
    let after = message.split_once("record with id:").map(|(_, after)| after.trim());
    let id = after.and_then(|after| after.split(|letter: char| !letter.is_ascii_alphanumeric()).next());
    id.filter(|id| id.len() == 18 || id.len() == 15).map(str::to_owned).into_iter().collect()
}

fn matched(error: Option<&Json>) -> Vec<String> {
    let results = error.and_then(|error| error.pointer("/duplicateResult/matchResults")?.as_array());
    results
        .into_iter()
        .flatten()
        .filter_map(|result| result.get("matchRecords")?.as_array())
        .flatten()
        .filter_map(|matched| matched.pointer("/record/Id")?.as_str().map(str::to_owned))
        .collect()
}

fn named(code: &str, status: u64) -> String {
    if code.is_empty() { format!("HTTP_{status}") } else { code.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_requests_are_classified() {
        let error = |code: &str, message: &str| json!([{ "errorCode": code, "message": message }]);
        let cases = [
            (401, error("INVALID_SESSION_ID", "Session expired or invalid"), "TokenExpired"),
            (401, error("INVALID_SESSION_ID", "This session is not valid for use with the REST API"), "SignIn"),
            (403, error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), "RateLimited"),
            (400, error("INVALID_QUERY_LOCATOR", "invalid query locator"), "PositionExpired"),
            (400, error("INVALID_FIELD", "No such column 'X__c' on entity 'Account'"), "Configuration"),
            (400, error("MALFORMED_QUERY", "unexpected token"), "Rejected"),
            (500, json!("<html>"), "Transient"),
        ];
        for (status, body, expected) in cases {
            let classified = format!("{:?}", whole(status, Some(&body), false));
            assert!(classified.starts_with(expected), "{status} {body}: {classified}");
        }
        assert!(matches!(whole(503, None, true), ConnectorError::Unknown { .. }), "a write that a proxy answered");
        let named = whole(400, Some(&error("INVALID_FIELD", "No such column 'X__c' on entity 'Account'")), false);
        assert!(named.to_string().contains("X__c"));
    }

    #[test]
    fn a_records_refusal_never_carries_salesforces_text() {
        let result = json!({ "success": false, "errors": [{ "statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "message": "secret words of an admin", "fields": ["Phone"] }] });
        let WriteOutcome::Refused(refusal) = record(&result) else { panic!("a refusal") };
        assert_eq!(refusal.code, "validation_rule");
        assert_eq!(refusal.fields, ["Phone"]);
        assert!(!refusal.message.contains("secret words"));
    }

    #[test]
    fn duplicates_name_the_other_record() {
        let value = json!({ "errors": [{ "statusCode": "DUPLICATE_VALUE",
            "message": "duplicate value found: Ext__c duplicates value on record with id: 003RO0000035WQgYAM" }] });
        assert_eq!(record(&value), WriteOutcome::Duplicate { crm_ids: vec!["003RO0000035WQgYAM".to_owned()] });
        let rule = json!({ "errors": [{ "statusCode": "DUPLICATES_DETECTED", "duplicateResult": { "matchResults": [
            { "matchRecords": [{ "record": { "Id": "003000000000001AAA" } }] }] } }] });
        assert_eq!(record(&rule), WriteOutcome::Duplicate { crm_ids: vec!["003000000000001AAA".to_owned()] });
    }
}
