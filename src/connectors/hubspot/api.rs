//! One call: address, headers, counting, and what a refusal means.

use reqwest::multipart::Form;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::super::http::{HttpAnswer, HttpClient, Opened};
use super::super::{CallKind, ConnectorError, Content, Session};
use super::paths::Paths;
use super::{errors, unreadable};
use crate::clock::Clock;
use crate::model::Entity;

/// What every call of one session needs.
pub(super) struct Api<'a> {
    pub http: &'a HttpClient,
    pub session: &'a Session,
    pub clock: &'a dyn Clock,
    pub paths: &'a Paths,
}

/// What became of a batch of writes.
pub(super) enum Written<T> {
    /// Done, or done in part.
    Answered(T),
    /// Refused whole for what it contains.
    Refused {
        /// The status.
        status: u16,
        /// The body, where it was JSON.
        body: Json,
    },
}

/// What a token stands for, as far as it is asked (dossier 1.2).
#[derive(Debug, Default, Deserialize)]
pub(super) struct Introspection {
    #[serde(default)]
    pub active: bool,
    #[serde(default)]
    pub user: String,
    #[serde(default)]
    pub user_id: u64,
    #[serde(default)]
    pub scopes: Vec<String>,
}

impl Api<'_> {
    /// Reads JSON.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ConnectorError> {
        let answer = self.call(Method::GET, path, None, CallKind::Usual, false).await?;
        self.read(&answer, path, false)
    }

    /// Asks with a body; nothing changes.
    pub(super) async fn ask<T: DeserializeOwned>(&self, path: &str, body: &Json) -> Result<T, ConnectorError> {
        let answer = self.call(Method::POST, path, Some(body), CallKind::Usual, false).await?;
        self.read(&answer, path, false)
    }

    /// Searches: a call of a kind of its own (dossier 2.7).
    pub(super) async fn search<T: DeserializeOwned>(&self, entity: Entity, body: &Json) -> Result<T, ConnectorError> {
        let path = self.paths.objects(entity, "/search");
        let answer = self.call(Method::POST, &path, Some(body), CallKind::Search, false).await?;
        self.read(&answer, &path, false)
    }

    /// Changes something. What HubSpot refuses for its content is an answer, not an error.
    pub(super) async fn change<T: DeserializeOwned + Default>(
        &self,
        path: &str,
        body: &Json,
    ) -> Result<Written<T>, ConnectorError> {
        let answer = self.call(Method::POST, path, Some(body), CallKind::Usual, true).await?;
        self.written(&answer, path)
    }

    /// Sends a form that holds a file.
    pub(super) async fn send_form<T: DeserializeOwned + Default>(
        &self,
        method: Method,
        path: &str,
        form: Form,
    ) -> Result<Written<T>, ConnectorError> {
        let request = self.http.file_request(method, &format!("{}{path}", self.session.instance_url));
        let request = request.bearer_auth(self.session.access_token.expose_secret()).multipart(form);
        self.session.admit(CallKind::Usual).await?;
        let answer = self.http.send(request, true).await?;
        self.note(&answer);
        self.written(&answer, path)
    }

    /// Reads JSON; `None` where there is nothing at the path.
    pub(super) async fn get_if_there<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ConnectorError> {
        let answer = self.call(Method::GET, path, None, CallKind::Usual, false).await?;
        if answer.status == StatusCode::NOT_FOUND { Ok(None) } else { self.read(&answer, path, false).map(Some) }
    }

    /// Opens an address that HubSpot named for a while to whoever knows it: no token goes there. `None` where nothing is.
    pub(super) async fn open(&self, url: &str) -> Result<Option<Content>, ConnectorError> {
        if !url.starts_with("https://") && !url.starts_with(&format!("{}/", self.session.instance_url)) {
            return Err(unreadable("the address of a file"));
        }
        self.session.admit(CallKind::Usual).await?;
        match self.http.open(self.http.file_request(Method::GET, url)).await? {
            Opened::Content(content) => Ok(Some(content)),
            Opened::Refused(answer) if answer.status == StatusCode::NOT_FOUND => Ok(None),
            Opened::Refused(answer) => Err(ConnectorError::Transient {
                detail: format!("the file's host answered {}", answer.status.as_u16()),
            }),
        }
    }

    fn written<T: DeserializeOwned + Default>(
        &self,
        answer: &HttpAnswer,
        path: &str,
    ) -> Result<Written<T>, ConnectorError> {
        let status = answer.status.as_u16();
        if errors::is_about_content(status, &answer.body) {
            let body = serde_json::from_slice(&answer.body).unwrap_or_default();
            return Ok(Written::Refused { status, body });
        }
        if status == 204 {
            return Ok(Written::Answered(T::default()));
        }
        self.read(answer, path, true).map(Written::Answered)
    }

    /// What the session's token stands for. No call of the API: it is the token endpoint's.
    pub(super) async fn introspect(&self) -> Result<Introspection, ConnectorError> {
        let client = &self.session.client;
        let form = [
            ("client_id", client.client_id.as_str()),
            ("client_secret", client.client_secret.expose_secret()),
            ("token", self.session.access_token.expose_secret()),
            ("token_type_hint", "access_token"),
        ];
        let path = self.paths.introspect();
        let url = format!("{}{path}", self.session.instance_url);
        let answer = self.http.send(self.http.request(Method::POST, &url).form(&form), false).await?;
        let told: Introspection = self.read(&answer, &path, false)?;
        if told.active { Ok(told) } else { Err(ConnectorError::TokenExpired) }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Json>,
        kind: CallKind,
        changes: bool,
    ) -> Result<HttpAnswer, ConnectorError> {
        let request = self.http.request(method, &format!("{}{path}", self.session.instance_url));
        let request =
            request.bearer_auth(self.session.access_token.expose_secret()).header("accept", "application/json");
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.session.admit(kind).await?;
        let answer = self.http.send(request, changes).await?;
        self.note(&answer);
        Ok(answer)
    }

    fn read<T: DeserializeOwned>(&self, answer: &HttpAnswer, path: &str, changes: bool) -> Result<T, ConnectorError> {
        if !answer.status.is_success() {
            return Err(errors::whole(answer, changes, self.clock.now()));
        }
        serde_json::from_slice(&answer.body).map_err(|_| match changes {
            // It went out and something came back that is no answer: whether it was applied is not known.
            true => ConnectorError::Unknown { detail: "unreadable answer".to_owned() },
            false => unreadable(path.split('?').next().unwrap_or_default()),
        })
    }

    /// Notes the account's count of its day, where it tells one (dossier 6), and how far its clock is from ours.
    fn note(&self, answer: &HttpAnswer) {
        let text = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let number = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
        let daily = number("x-hubspot-ratelimit-daily").zip(number("x-hubspot-ratelimit-daily-remaining"));
        if let Some((allowed, left)) = daily {
            self.session.meter.note_org(allowed.saturating_sub(left), allowed);
        }
        if let Some(date) = text("date").and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok()) {
            let difference = date.timestamp_millis() - self.clock.now().timestamp_millis();
            // The header has whole seconds: less than that is no difference.
            let difference = if difference.abs() <= 1000 { 0 } else { difference };
            self.session.meter.note_clock_difference(difference);
        }
    }
}
