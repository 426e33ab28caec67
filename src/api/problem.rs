//! Refusals on their way out: a service's error becomes a problem, its cause goes to the log once, under a number that both
//! carry.

use std::error::Error;
use std::fmt::Write as _;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::service::{ErrorKind, ServiceError, Services};
use crate::view::{FieldError, Problem};

tokio::task_local! {
    static INCIDENT: String;
}

/// Gives the request a number, under which the log has the cause of a refusal.
pub(super) async fn number_request(State(services): State<Services>, request: Request, next: Next) -> Response {
    let mut bytes = [0_u8; 5];
    services.rng.fill(&mut bytes);
    INCIDENT.scope(incident_number(bytes), next.run(request)).await
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        let status = status_of(error.kind);
        let mut problem = Problem::new(status.as_u16(), error.code, error.detail);
        problem.errors =
            error.fields.into_iter().map(|field| FieldError { field: field.field, message: field.message }).collect();
        problem.current = error.current;
        if let ErrorKind::TooMany { retry_after_s } = error.kind {
            problem.retry_after_s = Some(retry_after_s);
        }
        if let Some(source) = error.source {
            let incident = INCIDENT.try_with(Clone::clone).ok();
            let cause = causes(source.as_ref());
            if status.is_server_error() {
                tracing::error!(code = error.code, incident = incident.as_deref(), %cause, "a request failed");
            } else {
                tracing::info!(code = error.code, incident = incident.as_deref(), %cause, "a request was refused");
            }
            problem.incident = incident;
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after_s;
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response =
            (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))], body)
                .into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

const fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::NotSignedIn => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::State => StatusCode::CONFLICT,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Eight characters that can be read out over the telephone.
fn incident_number(bytes: [u8; 5]) -> String {
    const LETTERS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let bits = bytes.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    (0..8).rev().map(|place| char::from(LETTERS[(bits >> (place * 5) & 31) as usize])).collect()
}

fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing into a String cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incidents_have_eight_plain_characters() {
        assert_eq!(incident_number([0; 5]), "22222222");
        assert_eq!(incident_number([255; 5]), "ZZZZZZZZ");
    }

    #[test]
    fn every_kind_has_its_status() {
        let problem = Problem::from(ServiceError::invalid("name", "Give a name."));
        assert_eq!((problem.status, problem.field("name").as_deref()), (422, Some("Give a name.")));
        let response = Problem::from(ServiceError::too_many("too_many_tries", "Wait.", 7)).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
