//! What HubSpot's refusals mean (dossier 1.2, 2.9, 6), in Crosstie's own words.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use super::super::http::HttpAnswer;
use super::super::{ConnectorError, WriteOutcome};
use crate::model::RecordRefusal;

/// What is to be changed is locked for a moment: all of a batch, not one of it.
pub(super) const LOCKED: u16 = 423;

/// Until the bucket of ten seconds has room again (dossier 6).
const BURST_WAIT: Duration = Duration::from_secs(10);

/// Until a search may be made again: five a second.
const SEARCH_WAIT: Duration = Duration::from_secs(1);

/// The day ends at midnight in the account's zone, which every zone's is on a quarter of an hour.
const QUARTER_S: i64 = 15 * 60;

/// While an account moves to another data centre and does not say for how long.
const MIGRATION_WAIT: Duration = Duration::from_secs(15 * 60);

/// Longest wait that is taken from an answer: such a move may last a day.
const LONGEST_WAIT_S: u64 = 24 * 3600;

/// Whether a write was refused for what it contains, or for a lock on what it would change.
pub(super) fn is_about_content(status: u16, body: &[u8]) -> bool {
    let says = |member: &str| {
        let body = serde_json::from_slice::<Json>(body).unwrap_or_default();
        !text(&body, member).is_empty()
    };
    match status {
        400 | 409 => says("message"),
        // A path that leads nowhere has no category.
        404 => says("category"),
        LOCKED => true,
        _ => false,
    }
}

/// What the refusal of a whole request means.
pub(super) fn whole(answer: &HttpAnswer, changes: bool, now: DateTime<Utc>) -> ConnectorError {
    let body: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    let retry_after = answer.headers.get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let retry_after = retry_after.map(|seconds: u64| Duration::from_secs(seconds.min(LONGEST_WAIT_S)));
    of_status(answer.status.as_u16(), &body, retry_after, changes, now)
}

fn of_status(
    status: u16,
    body: &Json,
    retry_after: Option<Duration>,
    changes: bool,
    now: DateTime<Utc>,
) -> ConnectorError {
    match status {
        401 => ConnectorError::TokenExpired,
        403 => ConnectorError::Configuration {
            subject: missing_scope(body).map_or_else(
                || "API access for the connected user".to_owned(),
                |scope| format!("the permission {scope}"),
            ),
            crm_code: named(body, status),
        },
        429 => limited(body, retry_after, now),
        477 => ConnectorError::RateLimited { wait: retry_after.unwrap_or(MIGRATION_WAIT), daily: false },
        LOCKED => ConnectorError::Transient { detail: "locked".to_owned() },
        404 | 405 => ConnectorError::Configuration {
            subject: "this object or API version".to_owned(),
            crm_code: named(body, status),
        },
        500.. if changes => ConnectorError::Unknown { detail: format!("status {status}") },
        500.. => ConnectorError::Transient { detail: format!("status {status}") },
        _ => unknown_property(body).unwrap_or_else(|| ConnectorError::Rejected { crm_code: named(body, status) }),
    }
}

/// The error of a property that is not (or no longer) there.
pub(super) fn unknown_property(body: &Json) -> Option<ConnectorError> {
    let first = codes(body).into_iter().find(|(code, _)| code == "PROPERTY_DOESNT_EXIST");
    let sub = text(body, "subCategory").contains("PROPERTY_DOESNT_EXIST");
    let field = match first {
        Some((_, field)) => field,
        None if sub => None,
        None => return None,
    };
    Some(ConnectorError::Configuration {
        subject: field.map_or_else(|| "a mapped field".to_owned(), |name| format!("the field {name}")),
        crm_code: "PROPERTY_DOESNT_EXIST".to_owned(),
    })
}

/// What became of one record, from the refusal of its input or of a batch of it alone.
pub(super) fn record(status: u16, error: &Json) -> WriteOutcome {
    let category = text(error, "category");
    let (code, field) = codes(error).into_iter().next().unwrap_or_default();
    match (status, category, code.as_str()) {
        (LOCKED, ..) => WriteOutcome::Busy,
        (409, ..) | (_, "CONFLICT" | "OBJECT_ALREADY_EXISTS", _) | (_, _, "CONFLICTING_UNIQUE_VALUE") => {
            WriteOutcome::Duplicate { crm_ids: existing_id(text(error, "message")) }
        }
        (_, "OBJECT_NOT_FOUND", "") => WriteOutcome::Gone,
        _ => WriteOutcome::Refused(refusal(error, &code, field)),
    }
}

/// A record that points to one that is not there.
pub(super) fn bad_reference(error: &Json, field: &str) -> WriteOutcome {
    let crm_code = named(error, 404);
    WriteOutcome::Refused(RecordRefusal {
        code: "reference_not_found".to_owned(),
        crm_code,
        message: format!(
            "{field} points to a record that HubSpot does not have or does not show. Check that record, then retry."
        ),
        fields: vec![field.to_owned()],
        retryable: true,
    })
}

/// A file that HubSpot does not take to the record.
pub(super) fn refused_file(error: &Json) -> RecordRefusal {
    RecordRefusal {
        code: "refused_by_crm".to_owned(),
        crm_code: plain(&named(error, 400)),
        message: "HubSpot does not take the file to this record. Check the record there, then retry.".to_owned(),
        fields: Vec::new(),
        retryable: true,
    }
}

fn limited(body: &Json, retry_after: Option<Duration>, now: DateTime<Utc>) -> ConnectorError {
    let (policy, message) = (text(body, "policyName"), text(body, "message"));
    let daily = policy == "DAILY" || message.contains("daily");
    let usual = if daily {
        let seconds = QUARTER_S - now.timestamp().rem_euclid(QUARTER_S);
        Duration::from_secs(seconds.unsigned_abs())
    } else if policy == "SECONDLY" || message.contains("your secondly") {
        SEARCH_WAIT
    } else {
        BURST_WAIT
    };
    ConnectorError::RateLimited { wait: retry_after.unwrap_or(usual), daily }
}

fn refusal(error: &Json, code: &str, field: Option<String>) -> RecordRefusal {
    let missing = strings(error.pointer("/context/properties"));
    let code = match text(error, "subCategory") {
        sub if code.is_empty() && !sub.is_empty() => sub,
        _ => code,
    };
    let fields: Vec<String> = if missing.is_empty() { field.into_iter().collect() } else { missing };
    let subject = fields.first().map_or("A field", String::as_str);
    let (own, message) = sentence(code, subject);
    let crm_code = if code.is_empty() { named(error, 400) } else { code.to_owned() };
    RecordRefusal { code: own.to_owned(), crm_code: plain(&crm_code), message, fields, retryable: true }
}

/// Crosstie's code and sentence for a record's refusal.
fn sentence(crm_code: &str, field: &str) -> (&'static str, String) {
    match crm_code {
        "MISSING_REQUIRED_PROPERTIES" | "REQUIRED_FIELD" => (
            "required_field_missing",
            format!("HubSpot requires {field} and it is empty. Fill it here or map a field to it."),
        ),
        "INVALID_EMAIL" => {
            ("invalid_email", format!("{field} is not an e-mail address that HubSpot accepts. Correct it here."))
        }
        "INVALID_OPTION" => (
            "unknown_choice",
            format!(
                "{field} has a value that is not on HubSpot's list. Choose one of the list or pair the value in the mapping."
            ),
        ),
        "INVALID_INTEGER" | "INVALID_NUMERIC" | "INVALID_DATE" | "INVALID_LONG" | "INVALID_BOOLEAN" => (
            "wrong_type",
            format!("{field} has a value of another kind than HubSpot expects. Correct it or the mapping."),
        ),
        "INVALID_STRING" | "STRING_TOO_LONG" => (
            "value_too_long",
            format!("{field} is longer than HubSpot takes. Shorten it here, then it is sent by itself."),
        ),
        "READ_ONLY_VALUE" => {
            ("read_only_field", format!("{field} cannot be written in HubSpot. Change the mapping's direction."))
        }
        "PROPERTY_DOESNT_EXIST" => {
            ("field_gone", format!("HubSpot no longer has the property {field}. Map another one."))
        }
        _ => (
            "refused_by_crm",
            "HubSpot refused the record. Tell your HubSpot admin the code beside this sentence, then retry.".to_owned(),
        ),
    }
}

/// Codes of a refusal with the property that each is about; the message repeats them where `errors` is left out.
fn codes(error: &Json) -> Vec<(String, Option<String>)> {
    let property = |one: &Json| one.pointer("/context/propertyName/0").and_then(Json::as_str).map(plain);
    let listed = error.get("errors").and_then(Json::as_array).into_iter().flatten();
    let listed: Vec<_> = listed.filter_map(|one| Some((plain(one.get("code")?.as_str()?), property(one)))).collect();
    if !listed.is_empty() {
        return listed;
    }
    let message = text(error, "message");
    let inner = message.find("[{").and_then(|at| serde_json::from_str::<Vec<Json>>(&message[at..]).ok());
    let inner = inner.into_iter().flatten();
    inner.filter_map(|one| Some((plain(one.get("error")?.as_str()?), one.get("name")?.as_str().map(plain)))).collect()
}

/// The record that `Contact already exists. Existing ID: 6001` names: it stands in the message alone (dossier 2.9).
fn existing_id(message: &str) -> Vec<String> {
    let after = message.split_once("Existing ID:").map(|(_, after)| after.trim_start());
    let id = after.map(|after| after.chars().take_while(char::is_ascii_digit).collect::<String>());
    id.filter(|id| !id.is_empty()).into_iter().collect()
}

fn missing_scope(body: &Json) -> Option<String> {
    let scopes = strings(body.pointer("/errors/0/context/requiredGranularScopes"));
    scopes.first().map(|scope| plain(scope))
}

fn strings(list: Option<&Json>) -> Vec<String> {
    let list = list.and_then(Json::as_array).into_iter().flatten();
    list.filter_map(|one| one.as_str().map(plain)).collect()
}

fn text<'b>(body: &'b Json, name: &str) -> &'b str {
    body.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn named(body: &Json, status: u16) -> String {
    let category = plain(text(body, "category"));
    if category.is_empty() { format!("HTTP_{status}") } else { category }
}

/// A name or code without anything else: what a refusal says is never passed on.
fn plain(text: &str) -> String {
    let sound = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    text.chars().filter(sound).take(100).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn classified(status: u16, body: &Json, changes: bool) -> ConnectorError {
        let now = DateTime::from_timestamp(1_767_000_060, 0).expect("an instant");
        of_status(status, body, None, changes, now)
    }

    #[test]
    fn whole_requests_are_classified() {
        let error = |category: &str| json!({ "status": "error", "category": category, "message": "words" });
        let unknown = json!({ "category": "VALIDATION_ERROR",
            "message": "Property values were not valid: [{\"isValid\":false,\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"tier\"}]" });
        let cases = [
            (401, error("EXPIRED_AUTHENTICATION"), "TokenExpired"),
            (401, error("INVALID_AUTHENTICATION"), "TokenExpired"),
            (403, error("MISSING_SCOPES"), "Configuration"),
            (400, unknown.clone(), "Configuration"),
            (400, error("VALIDATION_ERROR"), "Rejected"),
            (404, error("OBJECT_NOT_FOUND"), "Configuration"),
            (409, error("CONFLICT"), "Rejected"),
            (414, json!(null), "Rejected"),
            (423, json!({}), "Transient"),
            (477, json!({}), "RateLimited"),
            (502, json!(null), "Transient"),
            (524, json!(null), "Transient"),
        ];
        for (status, body, expected) in cases {
            let kind = format!("{:?}", classified(status, &body, false));
            assert!(kind.starts_with(expected), "{status} {body}: {kind}");
        }
        assert!(matches!(classified(503, &json!(null), true), ConnectorError::Unknown { .. }));
        assert!(classified(400, &unknown, false).to_string().contains("tier"));
        let scopes = json!({ "category": "MISSING_SCOPES",
            "errors": [{ "context": { "requiredGranularScopes": ["crm.objects.deals.read"] } }] });
        assert!(classified(403, &scopes, false).to_string().contains("crm.objects.deals.read"));
    }

    #[test]
    fn each_limit_has_its_wait() {
        let limit = |policy: &str| json!({ "errorType": "RATE_LIMIT", "policyName": policy, "message": "" });
        for (policy, seconds, is_daily) in
            [("TEN_SECONDLY_ROLLING", 10, false), ("SECONDLY", 1, false), ("DAILY", 540, true)]
        {
            let wait = Duration::from_secs(seconds);
            assert_eq!(
                classified(429, &limit(policy), true),
                ConnectorError::RateLimited { wait, daily: is_daily },
                "{policy}"
            );
        }
        let now = DateTime::from_timestamp(1_767_000_060, 0).expect("an instant");
        let told = of_status(429, &limit("TEN_SECONDLY_ROLLING"), Some(Duration::from_secs(3)), false, now);
        assert_eq!(told, ConnectorError::RateLimited { wait: Duration::from_secs(3), daily: false });
    }

    #[test]
    fn a_records_refusal_never_carries_hubspots_text() {
        let error = json!({ "status": "error", "category": "VALIDATION_ERROR", "message": "secret words",
            "errors": [{ "message": "secret words", "code": "INVALID_OPTION", "context": { "propertyName": ["industry"] } }] });
        let WriteOutcome::Refused(refusal) = record(400, &error) else { panic!("a refusal") };
        assert_eq!((refusal.code.as_str(), refusal.crm_code.as_str()), ("unknown_choice", "INVALID_OPTION"));
        assert_eq!(refusal.fields, ["industry"]);
        assert!(!format!("{refusal:?}").contains("secret"));
        let required = json!({ "category": "VALIDATION_ERROR", "subCategory": "MISSING_REQUIRED_PROPERTIES",
                               "context": { "properties": ["dealname"] } });
        let WriteOutcome::Refused(refusal) = record(400, &required) else { panic!("a refusal") };
        assert_eq!(
            (refusal.code.as_str(), refusal.fields.as_slice()),
            ("required_field_missing", &["dealname".to_owned()][..])
        );
    }

    #[test]
    fn duplicates_name_the_other_record() {
        let conflict = json!({ "category": "CONFLICT", "message": "Contact already exists. Existing ID: 6001." });
        assert_eq!(record(409, &conflict), WriteOutcome::Duplicate { crm_ids: vec!["6001".to_owned()] });
        let entry = json!({ "category": "CONFLICT", "message": "Contact already exists. Existing ID: 6001" });
        assert_eq!(record(207, &entry), WriteOutcome::Duplicate { crm_ids: vec!["6001".to_owned()] });
        let unique = json!({ "category": "VALIDATION_ERROR",
                             "errors": [{ "code": "CONFLICTING_UNIQUE_VALUE", "context": { "propertyName": ["x"] } }] });
        assert_eq!(record(400, &unique), WriteOutcome::Duplicate { crm_ids: Vec::new() });
        assert_eq!(record(404, &json!({ "category": "OBJECT_NOT_FOUND" })), WriteOutcome::Gone);
        assert_eq!(record(423, &json!({})), WriteOutcome::Busy);
    }
}
