//! The only HTTP client. Redirects are off: an address that a CRM names is checked before it is followed.

use std::pin::Pin;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};

use super::{ConnectorError, Content};

/// Time-outs of calls to a CRM.
#[derive(Debug, Clone, Copy)]
pub struct HttpSettings {
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// Until the whole answer is there.
    pub request_timeout: Duration,
    /// Until a file has come or gone whole; a worker's lease outlives it.
    pub file_timeout: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        HttpSettings {
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(45),
            file_timeout: Duration::from_secs(150),
        }
    }
}

/// A client for one kind of CRM.
#[derive(Debug, Clone)]
pub(super) struct HttpClient {
    client: reqwest::Client,
    file_timeout: Duration,
}

/// An answer to a request for a file.
pub(super) enum Opened {
    /// Its content.
    Content(Content),
    /// A refusal.
    Refused(HttpAnswer),
}

/// An answer that arrived whole.
#[derive(Debug)]
pub(super) struct HttpAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl HttpClient {
    /// A client; fails only where the process has no TLS provider installed.
    pub(super) fn new(settings: HttpSettings) -> Result<Self, reqwest::Error> {
        reqwest::Client::builder()
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.request_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map(|client| HttpClient { client, file_timeout: settings.file_timeout })
    }

    /// A request to build on.
    pub(super) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// A request that moves a file.
    pub(super) fn file_request(&self, method: Method, url: &str) -> RequestBuilder {
        self.client.request(method, url).timeout(self.file_timeout)
    }

    /// Sends a request whose answer comes as a stream where it is a success. Nothing changes by it.
    pub(super) async fn open(&self, request: RequestBuilder) -> Result<Opened, ConnectorError> {
        let response = request.send().await.map_err(|error| lost(&error, false))?;
        if response.status().is_success() {
            let bytes = response.bytes_stream().map_err(|error| lost(&error, false));
            return Ok(Opened::Content(bytes.boxed()));
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(|error| lost(&error, false))?;
        Ok(Opened::Refused(HttpAnswer { status, headers, body: body.to_vec() }))
    }

    /// Sends a request. One that may have changed something and got no answer is [`ConnectorError::Unknown`].
    pub(super) async fn send(&self, request: RequestBuilder, changes: bool) -> Result<HttpAnswer, ConnectorError> {
        let response = request.send().await.map_err(|error| lost(&error, changes))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(|error| lost(&error, changes))?;
        Ok(HttpAnswer { status, headers, body: body.to_vec() })
    }

    async fn exchange(&self, request: oauth2::HttpRequest) -> Result<oauth2::HttpResponse, ConnectorError> {
        let request = reqwest::Request::try_from(request)
            .map_err(|_| ConnectorError::Transient { detail: "the token request could not be built".to_owned() })?;
        let response = self.client.execute(request).await.map_err(|error| lost(&error, true))?;
        if response.status().is_server_error() {
            return Err(ConnectorError::Transient { detail: format!("status {}", response.status().as_u16()) });
        }
        let mut answer = oauth2::http::Response::builder().status(response.status());
        for (name, value) in response.headers() {
            answer = answer.header(name, value);
        }
        let body = response.bytes().await.map_err(|error| lost(&error, true))?;
        answer
            .body(body.to_vec())
            .map_err(|_| ConnectorError::Unreadable { detail: "the token answer's headers".to_owned() })
    }
}

impl<'c> oauth2::AsyncHttpClient<'c> for HttpClient {
    type Error = ConnectorError;
    type Future = Pin<Box<dyn Future<Output = Result<oauth2::HttpResponse, ConnectorError>> + Send + 'c>>;

    fn call(&'c self, request: oauth2::HttpRequest) -> Self::Future {
        Box::pin(self.exchange(request))
    }
}

fn lost(error: &reqwest::Error, changes: bool) -> ConnectorError {
    let detail = if error.is_timeout() { "time-out" } else { "connection lost" }.to_owned();
    if error.is_connect() || error.is_builder() || !changes {
        ConnectorError::Transient { detail }
    } else {
        ConnectorError::Unknown { detail }
    }
}
