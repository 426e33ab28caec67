//! Who asks: by session cookie or by `Authorization: Bearer ck_…`. With a key the cookie is not looked at.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};

use crate::service::{ServiceError, Services, Viewer, auth};
use crate::view::Problem;

/// What every API key begins with.
pub const API_KEY_PREFIX: &str = "ck_";

/// Puts the viewer, if there is one, among the request's extensions.
pub(super) async fn identify(State(services): State<Services>, mut request: Request, next: Next) -> Response {
    if is_file(request.uri().path()) {
        return next.run(request).await;
    }
    match viewer_of(&services, request.headers()).await {
        Ok(Some(viewer)) => {
            request.extensions_mut().insert(viewer);
        }
        Ok(None) => {}
        Err(error) => return unavailable(request.uri().path(), error),
    }
    next.run(request).await
}

/// Refuses who is not signed in, before anything else of the request is looked at.
pub(super) async fn signed_in_only(request: Request, next: Next) -> Response {
    if request.extensions().get::<Viewer>().is_none() {
        return Problem::from(ServiceError::not_signed_in()).into_response();
    }
    next.run(request).await
}

/// The key of an `Authorization` header, if it has the form of one.
pub fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn viewer_of(services: &Services, headers: &HeaderMap) -> Result<Option<Viewer>, ServiceError> {
    if headers.contains_key(header::AUTHORIZATION) {
        return match bearer_token(headers).filter(|token| token.starts_with(API_KEY_PREFIX)) {
            Some(token) => auth::viewer_of_api_key(services, token).await,
            None => Ok(None),
        };
    }
    match cookie(headers, auth::cookie_name(services)) {
        Some(token) => auth::viewer_of_session(services, token).await,
        None => Ok(None),
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
}

fn is_file(path: &str) -> bool {
    path.starts_with("/pkg/") || path.starts_with("/fonts/") || path == "/favicon.svg"
}

/// Without the database nobody can be recognised: nobody is sent away to sign in, the truth is said instead.
fn unavailable(path: &str, error: ServiceError) -> Response {
    let problem = Problem::from(error);
    if path.starts_with("/api/") || path.starts_with("/fn/") {
        return problem.into_response();
    }
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Crosstie</title><h1>{}</h1><p>{}</p></html>",
        problem.title, problem.detail
    );
    (StatusCode::SERVICE_UNAVAILABLE, Html(page)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("a=1; crosstie_session=t0k; b=2"));
        assert_eq!(cookie(&headers, "crosstie_session"), Some("t0k"));
        assert_eq!(cookie(&headers, "session"), None);
    }

    #[test]
    fn only_a_bearer_header_carries_a_key() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("bearer ck_1"));
        assert_eq!(bearer_token(&headers), Some("ck_1"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic ck_1"));
        assert_eq!(bearer_token(&headers), None);
    }
}
