//! What another site makes a browser send is refused before anything reads it: pages, server functions and API alike.
//!
//! A request with neither `Sec-Fetch-Site` nor `Origin` does not come from a page. With a key neither is asked: a browser
//! adds no key by itself.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::identify::bearer_token;
use crate::service::Services;
use crate::view::Problem;

/// Refuses what another site asks to change something.
pub(super) async fn refuse(State(services): State<Services>, request: Request, next: Next) -> Response {
    if is_harmless(request.method()) || !is_cross_site(request.headers(), &services.settings.public_url) {
        return next.run(request).await;
    }
    tracing::warn!(path = request.uri().path(), "a request from another site was refused");
    Problem::new(
        403,
        "cross_site",
        "This request came from another site and was refused. Open Crosstie itself and do it there.",
    )
    .into_response()
}

fn is_harmless(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn is_cross_site(headers: &HeaderMap, public_url: &str) -> bool {
    if bearer_token(headers).is_some() {
        return false;
    }
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    match (text(SEC_FETCH_SITE), text(header::ORIGIN.as_str())) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let ours = text(header::HOST.as_str());
            let host = origin.split_once("://").map(|(_, host)| host);
            origin != public_url && (host.is_none() || host != ours)
        }
        (None, None) => headers.contains_key(SEC_FETCH_SITE) || headers.contains_key(header::ORIGIN),
    }
}

const SEC_FETCH_SITE: &str = "sec-fetch-site";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_and_plain_clients_may() {
        let cases: [(&[(&str, &str)], bool); 9] = [
            (&[], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("origin", "http://127.0.0.1:3000")], false),
            (&[("origin", "https://crosstie.example")], false),
            (&[("origin", "null")], true),
            (&[("sec-fetch-site", "cross-site"), ("authorization", "Bearer ck_1")], false),
        ];
        for (pairs, refused) in cases {
            let mut headers = HeaderMap::new();
            headers.insert("host", "127.0.0.1:3000".parse().expect("plain"));
            for (name, value) in pairs {
                headers.insert(*name, value.parse().expect("plain"));
            }
            assert_eq!(is_cross_site(&headers, "https://crosstie.example"), refused, "{pairs:?}");
        }
    }
}
