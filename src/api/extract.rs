//! What a handler takes out of a request. Whatever is malformed leaves as a problem that names the member.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use crate::service::{ServiceError, Viewer};
use crate::view::{FieldError, Problem};

/// A JSON body. An empty one counts as `{}`. Write `#[serde(deny_unknown_fields)]` on `T`: unknown members are refused.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

/// The query string.
#[derive(Debug)]
pub struct QueryString<T>(pub T);

/// The parts of the path; what cannot be one is not there.
#[derive(Debug)]
pub struct PathPart<T>(pub T);

impl<S: Send + Sync> FromRequestParts<S> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Viewer>().cloned().ok_or_else(|| ServiceError::not_signed_in().into())
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = says_json(&request);
        let bytes = Bytes::from_request(request, state).await.map_err(|refused| unreadable(&refused))?;
        if bytes.is_empty() {
            return read_json(b"{}").map(JsonBody);
        }
        if !is_json {
            return Err(Problem::new(
                415,
                "not_json",
                "The body is not marked as JSON. Send it with Content-Type application/json.",
            ));
        }
        read_json(&bytes).map(JsonBody)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryString<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(value) =
            Query::<T>::from_request_parts(parts, state).await.map_err(|refused| unfit_query(&refused.body_text()))?;
        Ok(QueryString(value))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathPart<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(value) = Path::<T>::from_request_parts(parts, state).await.map_err(|_| Problem::not_found())?;
        Ok(PathPart(value))
    }
}

fn says_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.and_then(|kind| kind.split(';').next()).is_some_and(|kind| {
        let kind = kind.trim().to_ascii_lowercase();
        kind == "application/json" || kind.ends_with("+json")
    })
}

fn unreadable(refused: &BytesRejection) -> Problem {
    if refused.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(413, "too_large", "The body is larger than 2 MB. Send less at once.")
    } else {
        Problem::new(400, "malformed", "The body did not arrive whole. Send it again.")
    }
}

fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| {
        let detail = format!("The body is not JSON at line {}, column {}. Correct it.", error.line(), error.column());
        Problem::new(400, "malformed_json", detail)
    })?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| unfit(&error.path().to_string(), error.inner()))
}

fn unfit(member: &str, error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    if let Some(unknown) = quoted_after(&text, "unknown field `") {
        return invalid(unknown, format!("There is no member {unknown} here."));
    }
    if let Some(missing) = quoted_after(&text, "missing field `") {
        return invalid(missing, format!("The member {missing} is missing."));
    }
    let member = if member == "." { "body" } else { member };
    if error.classify() == Category::Data {
        invalid(member, plain(&text))
    } else {
        // A number where one of a list of words belongs is an error of syntax to the reader.
        invalid(member, format!("The value of {member} has the wrong type."))
    }
}

/// The reader puts the parameter's name before what is wrong with it.
fn unfit_query(text: &str) -> Problem {
    let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(text);
    match text.split_once(": ") {
        Some((name, _)) if !name.contains(' ') => {
            invalid(name, format!("The value of {name} has the wrong type. Correct it."))
        }
        _ => invalid("query", plain(text)),
    }
}

fn invalid(member: &str, message: String) -> Problem {
    let mut problem = Problem::new(422, "invalid", message.clone());
    problem.errors.push(FieldError { field: member.to_owned(), message });
    problem
}

/// serde's words as a sentence, without the place in the text.
fn plain(text: &str) -> String {
    let text = text.split(" at line ").next().unwrap_or(text).replace('`', "");
    let mut letters = text.chars();
    letters.next().map(|first| format!("{}{}.", first.to_uppercase(), letters.as_str())).unwrap_or_default()
}

fn quoted_after<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split('`').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its type matters")]
        sync_direction: crate::model::SyncDirection,
    }

    fn refusal(body: &str) -> (u16, String) {
        let problem = read_json::<Sample>(body.as_bytes()).expect_err("malformed on purpose");
        (problem.status, problem.errors.first().map(|error| error.field.clone()).unwrap_or(problem.code))
    }

    #[test]
    fn every_malformed_body_names_its_member() {
        for (body, status, member) in [
            (r#"{"syncDirection":"pull","x":1}"#, 422, "x"),
            ("{}", 422, "syncDirection"),
            (r#"{"syncDirection":"sideways"}"#, 422, "syncDirection"),
            (r#"{"syncDirection":3}"#, 422, "syncDirection"),
            ("[]", 422, "body"),
            (r#"{"syncDirection":"pull""#, 400, "malformed_json"),
            (r#"{"syncDirection":"pull"} x"#, 400, "malformed_json"),
        ] {
            assert_eq!(refusal(body), (status, member.to_owned()), "{body}");
        }
    }
}
