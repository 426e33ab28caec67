//! An API client that is signed in, by session cookie or by key.

use reqwest::Method;
use reqwest::header::{ACCEPT, COOKIE, HeaderMap, SET_COOKIE};
use serde_json::{Value as Json, json};

/// Somebody who asks.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) url: String,
    pub(super) pass: Pass,
}

/// What a client shows with each request.
#[derive(Debug, Clone)]
pub(super) enum Pass {
    /// Nothing.
    None,
    /// The session's cookie.
    Cookie(String),
    /// An API key.
    Key(String),
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    asked: String,
}

impl Answer {
    /// The body, where the status is this one.
    pub fn expect(&self, status: u16) -> Json {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text);
        if self.text.is_empty() { Json::Null } else { serde_json::from_str(&self.text).expect("JSON") }
    }

    /// Asserts a refusal with this status and code; returns the problem.
    pub fn refused(&self, status: u16, code: &str) -> Json {
        let problem = self.expect(status);
        assert_eq!(problem["code"], code, "{}: {problem}", self.asked);
        problem
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Client {
    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: Json) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// PATCH with a JSON body.
    pub async fn patch(&self, path: &str, body: Json) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: Json) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Any request: headers, forms and bodies of one's own. Carries the client's pass, follows no redirect.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.pass {
            Pass::None => request,
            Pass::Cookie(cookie) => request.header(COOKIE, cookie),
            Pass::Key(key) => request.bearer_auth(key),
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Json>) -> Answer {
        let asked = format!("{method} {path}");
        let mut request = self.request(method, path);
        if !path.starts_with("/api/") {
            request = request.header(ACCEPT, "text/html");
        }
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        answer(asked, request).await
    }

    /// Signs in with a password and carries the session from now on.
    pub(super) async fn signed_in(mut self, email: &str, password: &str) -> Self {
        let answer = self.post("/api/auth/login", json!({ "email": email, "password": password })).await;
        answer.expect(200);
        let cookie = answer.headers.get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok()).expect("a cookie");
        self.pass = Pass::Cookie(cookie.split(';').next().unwrap_or_default().to_owned());
        self
    }
}

/// Sends a request made with [`Client::request`].
pub async fn answer(asked: String, request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("the program answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    // The marks that hydration finds its places by stand between the words of a page.
    let text = response.text().await.expect("a body").replace("<!>", "");
    Answer { status, headers, text, asked }
}
