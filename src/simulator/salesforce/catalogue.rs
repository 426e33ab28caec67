//! The codes that records are refused with, and the HTTP status of each in an answer for a single record (dossier 2.11).

/// Every code that a record's refusal may bear.
const CODES: [(&str, u16); 44] = [
    ("ALL_OR_NONE_OPERATION_ROLLED_BACK", 400),
    ("APEX_ERROR", 400),
    ("CANNOT_DELETE_ENTITY", 400),
    ("CANNOT_EXECUTE_FLOW_TRIGGER", 400),
    ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", 400),
    ("CANNOT_UPDATE_CONVERTED_LEAD", 400),
    ("DELETE_FAILED", 400),
    ("DEPENDENCY_EXISTS", 400),
    ("DUPLICATES_DETECTED", 400),
    ("DUPLICATE_EXTERNAL_ID", 400),
    ("DUPLICATE_VALUE", 400),
    ("ENTITY_IS_DELETED", 404),
    ("FIELD_CUSTOM_VALIDATION_EXCEPTION", 400),
    ("FIELD_FILTER_VALIDATION_EXCEPTION", 400),
    ("FIELD_INTEGRITY_EXCEPTION", 400),
    ("INACTIVE_OWNER_OR_USER", 400),
    ("INSUFFICIENT_ACCESS", 403),
    ("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", 400),
    ("INSUFFICIENT_ACCESS_OR_READONLY", 403),
    ("INVALID_ARGUMENT", 400),
    ("INVALID_CROSS_REFERENCE_KEY", 400),
    ("INVALID_EMAIL_ADDRESS", 400),
    ("INVALID_FIELD", 400),
    ("INVALID_FIELD_FOR_INSERT_UPDATE", 400),
    ("INVALID_ID_FIELD", 400),
    ("INVALID_OPERATION", 400),
    ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", 400),
    ("INVALID_TYPE", 400),
    ("INVALID_TYPE_ON_FIELD_IN_RECORD", 400),
    ("JSON_PARSER_ERROR", 400),
    ("LIMIT_EXCEEDED", 400),
    ("MALFORMED_ID", 400),
    ("MISSING_ARGUMENT", 400),
    ("NOT_FOUND", 404),
    ("NUMBER_OUTSIDE_VALID_RANGE", 400),
    ("OPERATION_TOO_LARGE", 400),
    ("REQUEST_RUNNING_TOO_LONG", 400),
    ("REQUIRED_FIELD_MISSING", 400),
    ("SERVER_UNAVAILABLE", 503),
    ("STORAGE_LIMIT_EXCEEDED", 400),
    ("STRING_TOO_LONG", 400),
    ("TXN_SECURITY_METERING_ERROR", 400),
    ("UNABLE_TO_LOCK_ROW", 400),
    ("UNKNOWN_EXCEPTION", 500),
];

/// The code of this name.
pub(super) fn known(code: &str) -> Option<&'static str> {
    CODES.iter().find(|(known, _)| *known == code).map(|(known, _)| *known)
}

/// The status of a single-record answer with this code.
pub(super) fn status(code: &str) -> u16 {
    CODES.iter().find(|(known, _)| *known == code).map_or(400, |(_, status)| *status)
}
