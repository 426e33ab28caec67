//! One call: address, headers, counting, and what a refusal means.

use reqwest::multipart::Form;
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::super::http::{HttpAnswer, HttpClient, Opened};
use super::super::{CallKind, ConnectorError, Content, CrmRecord, Session};
use super::{errors, records, unreadable};
use crate::clock::Clock;

/// One version for every connection (dossier 0, "Versions").
pub(super) const VERSION: &str = "v62.0";

/// Longest address sent as it is; address and headers together may have 16,384 bytes (dossier 2.1).
const LONGEST_ADDRESS: usize = 14_000;

/// What every call of one session needs.
pub(super) struct Api<'a> {
    pub http: &'a HttpClient,
    pub session: &'a Session,
    pub clock: &'a dyn Clock,
}

impl Api<'_> {
    /// A path under this version's root.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/services/data/{VERSION}{rest}")
    }

    /// Reads JSON.
    pub(super) async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ConnectorError> {
        let body = self.get_bytes(path).await?;
        serde_json::from_slice(&body).map_err(|_| unreadable(path.split('?').next().unwrap_or_default()))
    }

    /// Reads a body.
    pub(super) async fn get_bytes(&self, path: &str) -> Result<Vec<u8>, ConnectorError> {
        Ok(self.call(Method::GET, path, None, false).await?.body)
    }

    /// Sends JSON that may change something, and reads the answer.
    pub(super) async fn send_json(&self, method: Method, path: &str, body: &Json) -> Result<Json, ConnectorError> {
        let answer = self.call(method, path, Some(body), true).await?;
        // It went out and something came back that is no answer: whether it was applied is not known.
        serde_json::from_slice(&answer.body)
            .map_err(|_| ConnectorError::Unknown { detail: "unreadable answer".to_owned() })
    }

    /// Deletes, and reads the answer.
    pub(super) async fn delete_json(&self, path: &str) -> Result<Json, ConnectorError> {
        let answer = self.call(Method::DELETE, path, None, true).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|_| ConnectorError::Unknown { detail: "unreadable answer".to_owned() })
    }

    /// Deletes; the answer is empty.
    pub(super) async fn remove(&self, path: &str) -> Result<(), ConnectorError> {
        self.call(Method::DELETE, path, None, true).await.map(drop)
    }

    /// Opens a body that may be long; `None` where there is nothing at the path.
    pub(super) async fn open(&self, path: &str) -> Result<Option<Content>, ConnectorError> {
        let request = self.http.file_request(Method::GET, &format!("{}{path}", self.session.instance_url));
        self.session.admit(CallKind::Usual).await?;
        let refused = match self.http.open(self.headers(request)).await? {
            Opened::Content(content) => return Ok(Some(content)),
            Opened::Refused(answer) => answer,
        };
        self.note(&refused);
        if refused.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let errors: Option<Json> = serde_json::from_slice(&refused.body).ok();
        Err(errors::whole(u64::from(refused.status.as_u16()), errors.as_ref(), false))
    }

    /// Sends a form that holds a file. What a refusal means is the caller's to tell.
    pub(super) async fn send_form(&self, path: &str, form: Form) -> Result<HttpAnswer, ConnectorError> {
        let request = self.http.file_request(Method::POST, &format!("{}{path}", self.session.instance_url));
        self.session.admit(CallKind::Usual).await?;
        let answer = self.http.send(self.headers(request).multipart(form), true).await?;
        self.note(&answer);
        Ok(answer)
    }

    /// The first page of a SOQL statement. A statement too long for an address travels inside a composite call.
    pub(super) async fn query(&self, soql: &str, with_deleted: bool) -> Result<Vec<u8>, ConnectorError> {
        let resource = if with_deleted { "queryAll" } else { "query" };
        let encoded: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        let path = self.path(&format!("/{resource}?q={encoded}"));
        if path.len() <= LONGEST_ADDRESS {
            return self.get_bytes(&path).await;
        }
        let body = json!({ "compositeRequest": [{ "method": "GET", "url": path, "referenceId": "query" }] });
        let answer = self.call(Method::POST, &self.path("/composite"), Some(&body), false).await?;
        let answer: Json = serde_json::from_slice(&answer.body).map_err(|_| unreadable("a composite answer"))?;
        let inner = answer.pointer("/compositeResponse/0").ok_or_else(|| unreadable("a composite answer"))?;
        let page = inner.get("body").cloned().unwrap_or_default();
        match inner.get("httpStatusCode").and_then(Json::as_u64) {
            Some(200) => serde_json::to_vec(&page).map_err(|_| unreadable("a composite answer")),
            status => Err(errors::whole(status.unwrap_or(500), Some(&page), false)),
        }
    }

    /// Every page of a SOQL statement.
    pub(super) async fn query_all_pages(
        &self,
        soql: &str,
        with_deleted: bool,
    ) -> Result<Vec<CrmRecord>, ConnectorError> {
        let mut page = records::page(&self.query(soql, with_deleted).await?)?;
        let mut found = std::mem::take(&mut page.records);
        while let Some(next) = page.next.filter(|next| next.starts_with("/services/data/")) {
            page = records::page(&self.get_bytes(&next).await?)?;
            found.append(&mut page.records);
        }
        Ok(found)
    }

    /// One call; an answer that is no success is an error.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Json>,
        changes: bool,
    ) -> Result<HttpAnswer, ConnectorError> {
        let request = self.headers(self.http.request(method, &format!("{}{path}", self.session.instance_url)));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.session.admit(CallKind::Usual).await?;
        let answer = self.http.send(request, changes).await?;
        self.note(&answer);
        if answer.status.is_success() {
            return Ok(answer);
        }
        let errors: Option<Json> = serde_json::from_slice(&answer.body).ok();
        Err(errors::whole(u64::from(answer.status.as_u16()), errors.as_ref(), changes))
    }

    fn headers(&self, request: RequestBuilder) -> RequestBuilder {
        request
            .bearer_auth(self.session.access_token.expose_secret())
            .header("accept", "application/json")
            // Admins see who calls; owners do not change under a sync (dossier 2.9, 2.10).
            .header("sforce-call-options", "client=crosstie")
            .header("sforce-auto-assign", "FALSE")
    }

    /// Notes the org's count of its day, and how far its clock is from ours.
    fn note(&self, answer: &HttpAnswer) {
        let text = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
        if let Some((used, allowed)) = text("sforce-limit-info").and_then(api_usage) {
            self.session.meter.note_org(used, allowed);
        }
        if let Some(date) = text("date").and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok()) {
            let difference = date.timestamp_millis() - self.clock.now().timestamp_millis();
            // The header has whole seconds: less than that is no difference.
            let difference = if difference.abs() <= 1000 { 0 } else { difference };
            self.session.meter.note_clock_difference(difference);
        }
    }
}

/// `api-usage=18/15000`, perhaps followed by other counts (dossier 2.1).
fn api_usage(header: &str) -> Option<(u64, u64)> {
    let usage = header.split(';').find_map(|part| part.trim().strip_prefix("api-usage="))?;
    let (used, allowed) = usage.split_once('/')?;
    Some((used.parse().ok()?, allowed.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_header_is_read_with_and_without_other_counts() {
        assert_eq!(api_usage("api-usage=18/15000"), Some((18, 15_000)));
        assert_eq!(api_usage("api-usage=18/15000; per-app-api-usage=17/250(appName=x)"), Some((18, 15_000)));
        assert_eq!(api_usage("nonsense"), None);
    }
}
