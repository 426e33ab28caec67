//! The one corner of the pages that differs on the server: who asks, what the answer's status is, how pages are served.

use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};

use crate::view::Problem;
use crate::view::session::PageViewer;

#[cfg(feature = "ssr")]
pub use answers::{
    caller, enter, is_plain_form, pages, redirect_back, set_cookie, show_once, shown_once, signed_out_caller,
};

impl FromServerFnError for Problem {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) | ServerFnErrorErr::Response(_) => Problem::new(
                503,
                "unreachable",
                "Crosstie cannot be reached at the moment. Nothing was changed; try again when the connection is back.",
            ),
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) | ServerFnErrorErr::Deserialization(_) => {
                Problem::new(422, "invalid", "What was sent is incomplete or malformed. Load the page again and retry.")
            }
            _ => Problem::new(500, "internal", "Something went wrong on our side. Try again in a moment."),
        }
    }
}

/// Who looks at the page that is being rendered; nobody in the browser, where the page brings it along.
pub fn page_viewer() -> Option<PageViewer> {
    #[cfg(feature = "ssr")]
    return answers::page_viewer();
    #[cfg(not(feature = "ssr"))]
    None
}

/// Gives the page that is being rendered another status than 200. Does nothing in the browser.
pub fn set_status(status: u16) {
    #[cfg(feature = "ssr")]
    answers::set_status(status);
    #[cfg(not(feature = "ssr"))]
    let _ = status;
}

#[cfg(feature = "ssr")]
mod answers {
    use axum::Router;
    use axum::body::Body;
    use axum::extract::Request;
    use axum::http::request::Parts;
    use axum::http::{HeaderValue, StatusCode, Uri, header};
    use axum::middleware::{self, Next};
    use axum::response::{IntoResponse, Redirect, Response};
    use leptos::config::LeptosOptions;
    use leptos::nonce::use_nonce;
    use leptos::prelude::{provide_context, use_context};
    use leptos_axum::{LeptosRoutes, ResponseOptions, generate_route_list};

    use crate::service::{ServiceError, Services, Viewer};
    use crate::ui::{App, shell};
    use crate::view::Problem;
    use crate::view::session::PageViewer;

    /// Who asks, for a server function: the services and the signed-in viewer.
    pub async fn caller() -> Result<(Services, Viewer), Problem> {
        let services = signed_out_caller()?;
        let viewer = request_viewer().ok_or_else(ServiceError::not_signed_in)?;
        Ok((services, viewer))
    }

    /// The services, for the server functions of signing in.
    pub fn signed_out_caller() -> Result<Services, Problem> {
        use_context::<Services>()
            .ok_or_else(|| ServiceError::internal("a server function ran outside the router of the pages").into())
    }

    /// Sets a cookie with the answer.
    pub fn set_cookie(cookie: &str) {
        if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(cookie)) {
            response.append_header(header::SET_COOKIE, value);
        }
    }

    pub(super) fn page_viewer() -> Option<PageViewer> {
        request_viewer().map(|viewer| PageViewer {
            name: viewer.name,
            email: viewer.email,
            role: viewer.role,
            workspace: viewer.workspace_name,
        })
    }

    pub(super) fn set_status(status: u16) {
        if let (Some(response), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(status)) {
            response.set_status(status);
        }
    }

    /// Where to go after signing in: `next`, if it is an address of this server, so that a link cannot lead a person
    /// elsewhere. A form that was sent without script is sent there; with script the page goes by itself.
    pub fn enter(next: Option<String>) -> String {
        let address = next.filter(|next| is_local(next)).unwrap_or_else(|| "/integrations".to_owned());
        if is_plain_form() {
            leptos_axum::redirect(&address);
        }
        address
    }

    /// Whether a form was sent without script.
    pub fn is_plain_form() -> bool {
        let parts = use_context::<Parts>();
        let accept = parts.as_ref().and_then(|parts| parts.headers.get(header::ACCEPT)?.to_str().ok());
        accept.is_some_and(wants_html)
    }

    /// Hands a secret from the answer to a form that was sent without script to the page that follows, and to nobody else:
    /// in a cookie of that page, for a minute.
    pub fn show_once(path: &str, secret: &str) {
        set_cookie(&format!("{ONCE}={secret}; Path={path}; HttpOnly; SameSite=Strict; Max-Age=60"));
    }

    /// What [`show_once`] handed over; the second time it is gone.
    pub fn shown_once(path: &str) -> Option<String> {
        let parts = use_context::<Parts>()?;
        let pairs = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let secret = pairs.into_iter().find(|(name, _)| *name == ONCE).map(|(_, secret)| secret.to_owned())?;
        set_cookie(&format!("{ONCE}=; Path={path}; HttpOnly; SameSite=Strict; Max-Age=0"));
        Some(secret)
    }

    const ONCE: &str = "crosstie_once";

    /// Sends a form back to its screen with what the screen shall tell. `back`, the rest of its query, came with the form.
    pub fn redirect_back(screen: &str, back: &str, told: &str) {
        leptos_axum::redirect(&address_back(screen, back, told));
    }

    fn address_back(screen: &str, back: &str, told: &str) -> String {
        let is_query = !back.is_empty() && back.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if is_query { format!("{screen}?{back}&{told}") } else { format!("{screen}?{told}") }
    }

    /// The pages and their server functions; static files are the fallback. Who asks must be among the request's extensions
    /// already: the layer around pages and API puts it there.
    pub fn pages(services: Services, options: LeptosOptions) -> Router {
        let loopback_forms = services.settings.demo.is_some();
        let context = move || {
            provide_context(services.clone());
            send_policy(loopback_forms);
        };
        let document = {
            let options = options.clone();
            move || shell(options.clone())
        };
        Router::new()
            .leptos_routes_with_context(&options, generate_route_list(App), context.clone(), document)
            .layer(middleware::from_fn(send_to_sign_in))
            .layer(middleware::from_fn(give_refusals_their_status))
            .fallback(leptos_axum::file_and_error_handler_with_context::<LeptosOptions, _>(context, shell))
            .with_state(options)
    }

    /// Scripts only with the answer's nonce and what they load; styles from here; nothing in a frame. Forms may end at a CRM
    /// (the browser follows the redirect of the OAuth flow), which in a demo is on loopback.
    fn send_policy(loopback_forms: bool) {
        let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>()) else { return };
        let forms =
            if loopback_forms { "'self' https: http://127.0.0.1:* http://localhost:*" } else { "'self' https:" };
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; connect-src 'self'; \
             style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
             form-action {forms}; base-uri 'none'; frame-ancestors 'none'; object-src 'none'; manifest-src 'self'"
        );
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
        }
    }

    /// What nobody needs to be signed in for.
    const OPEN: [&str; 7] = [
        "/sign-in",
        "/set-up",
        "/fn/sign_in",
        "/fn/sign_in_as_demo_person",
        "/fn/sign_in_page",
        "/fn/set_up_page",
        "/fn/set_up",
    ];

    /// A page for somebody who is not signed in is the sign-in page, which leads back; so is the answer to a form that was
    /// sent without script. A server function refuses before it looks at what was sent.
    async fn send_to_sign_in(request: Request, next: Next) -> Response {
        let path = request.uri().path();
        if OPEN.contains(&path) || request.extensions().get::<Viewer>().is_some() {
            return next.run(request).await;
        }
        if path.starts_with("/fn/") {
            let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
            return if accept.is_some_and(wants_html) {
                Redirect::to("/sign-in").into_response()
            } else {
                Problem::from(ServiceError::not_signed_in()).into_response()
            };
        }
        Redirect::to(&sign_in_address(request.uri())).into_response()
    }

    fn sign_in_address(uri: &Uri) -> String {
        let wanted = uri.path_and_query().map_or("/", |path| path.as_str());
        if wanted == "/" {
            return "/sign-in".to_owned();
        }
        let next: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
        format!("/sign-in?next={next}")
    }

    /// A server function's refusal goes out as 500; its own status is inside.
    async fn give_refusals_their_status(request: Request, next: Next) -> Response {
        let response = next.run(request).await;
        if response.status() != StatusCode::INTERNAL_SERVER_ERROR || !response.headers().contains_key(REFUSAL_HEADER) {
            return response;
        }
        let (mut parts, body) = response.into_parts();
        let Ok(bytes) = axum::body::to_bytes(body, LONGEST_REFUSAL_BYTES).await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        if let Some(status) =
            serde_json::from_slice::<Problem>(&bytes).ok().and_then(|problem| StatusCode::from_u16(problem.status).ok())
        {
            parts.status = status;
        }
        Response::from_parts(parts, Body::from(bytes))
    }

    const REFUSAL_HEADER: &str = "serverfnerror";
    const LONGEST_REFUSAL_BYTES: usize = 1 << 20;

    fn request_viewer() -> Option<Viewer> {
        use_context::<Parts>().and_then(|parts| parts.extensions.get::<Viewer>().cloned())
    }

    fn wants_html(accept: &str) -> bool {
        accept.contains("text/html")
    }

    fn is_local(address: &str) -> bool {
        address.starts_with('/')
            && !address.starts_with("//")
            && address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_form_goes_back_to_its_screen_and_nowhere_else() {
            assert_eq!(address_back("/mappings", "q=a%26b", "changed=1"), "/mappings?q=a%26b&changed=1");
            assert_eq!(address_back("/mappings", "", "changed=1"), "/mappings?changed=1");
            assert_eq!(address_back("/mappings", "x\r\ny", "changed=1"), "/mappings?changed=1");
        }

        #[test]
        fn only_addresses_of_this_server_are_followed() {
            assert!(is_local("/logs?status=failed"));
            for foreign in ["", "https://x.example", "//x.example", "/\\x.example", "/a b", "/a\r\nset-cookie: x"] {
                assert!(!is_local(foreign), "{foreign:?}");
            }
        }
    }
}
