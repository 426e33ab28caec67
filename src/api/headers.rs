//! Headers that every answer carries. A page brings its own policy with its nonce; whatever else is not a page loads nothing.

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::service::Services;

const ALWAYS: [(HeaderName, &str); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // A form sent without script finds its way back by the address it came from.
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (HeaderName::from_static("x-permitted-cross-domain-policies"), "none"),
];

/// Adds the headers.
pub(super) async fn secure(State(services): State<Services>, request: Request, next: Next) -> Response {
    let caching = caching_of(request.uri().path());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if services.settings.public_url.starts_with("https://") {
        set_if_missing(headers, header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    set_if_missing(
        headers,
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    set_if_missing(headers, header::CACHE_CONTROL, caching);
    response
}

fn set_if_missing(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}

fn caching_of(path: &str) -> &'static str {
    if path.starts_with("/fonts/") {
        "public, max-age=604800"
    } else if path.starts_with("/pkg/") || path.ends_with(".svg") {
        "public, no-cache"
    } else {
        "private, no-store"
    }
}
