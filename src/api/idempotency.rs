//! `Idempotency-Key`: the same POST again gets the first one's answer.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{OriginalUri, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::service::idempotency::{self, Answer, Turn};
use crate::service::{Services, Viewer};
use crate::view::Problem;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LONGEST_BODY: usize = 2 << 20;
const LONGEST_ANSWER: usize = 8 << 20;

/// Answers a POST with a key once.
pub(super) async fn answer_once(
    State(services): State<Services>,
    OriginalUri(address): OriginalUri,
    request: Request,
    next: Next,
) -> Response {
    let key = request.headers().get(KEY).cloned();
    let viewer = request.extensions().get::<Viewer>().cloned();
    let (Some(key), Some(viewer), &Method::POST) = (key, viewer, request.method()) else {
        return next.run(request).await;
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        return Problem::new(413, "too_large", "The body is larger than 2 MB. Send less at once.").into_response();
    };
    let path = address.path_and_query().map_or("/", |path| path.as_str());
    // A key that is no text is none that can be kept.
    let key = key.to_str().unwrap_or_default();
    match idempotency::begin(&services, &viewer, key, path, &body).await {
        Ok(Turn::Done(answer)) => replay(answer),
        Ok(Turn::New(id)) => {
            let response = next.run(Request::from_parts(parts, Body::from(body))).await;
            let (response, answer) = match read(response).await {
                Ok(read) => read,
                Err(problem) => return problem.into_response(),
            };
            match idempotency::end(&services, &viewer, &id, &answer).await {
                Ok(()) => response,
                // What was asked for is done; that the answer could not be kept is for the log.
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "an answer could not be kept");
                    response
                }
            }
        }
        Err(error) => Problem::from(error).into_response(),
    }
}

fn replay(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Bytes::from(answer.body)).into_response();
    let headers = response.headers_mut();
    headers.remove(CONTENT_TYPE);
    if let Some(kind) = answer.content_type.and_then(|kind| HeaderValue::from_str(&kind).ok()) {
        headers.insert(CONTENT_TYPE, kind);
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// The answer beside a response that still says the same.
async fn read(response: Response) -> Result<(Response, Answer), Problem> {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, LONGEST_ANSWER).await.map_err(|_| {
        Problem::new(500, "internal", "The answer could not be put together. Ask for the result instead.")
    })?;
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let answer = Answer { status: parts.status.as_u16(), content_type, body: body.to_vec() };
    Ok((Response::from_parts(parts, Body::from(body)), answer))
}
