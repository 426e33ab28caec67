//! Salesforce: an org as a plain value, and an HTTP skin over it.

mod bulk;
mod collections;
mod composite;
mod control;
mod derive;
mod ids;
mod oauth;
mod org;
mod packed;
mod page;
mod query;
mod records;
mod replication;
mod reply;
mod request;
mod rest;
mod rows;
mod schema;
mod security;
mod seeding;
mod soql;
mod table;
mod validate;
mod world;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use tokio::net::TcpListener;
use tower_http::decompression::RequestDecompressionLayer;

use super::control::{Fault, FaultKind};
use super::net::{Cut, CuttableListener};
use super::{Clock, SimulatorError, SimulatorOptions};
use org::{Org, Seen};
use reply::Reply;
use request::Asked;

/// Largest body, bytes (dossier 5).
const LARGEST_BODY: usize = 50 << 20;

/// Most bytes of address and headers together (dossier 2.1).
const LONGEST_HEAD: usize = 16_384;

/// Requests that the page shows.
const RECENT: usize = 20;

/// A simulated org.
#[derive(Clone)]
pub struct SalesforceSimulator {
    org: Arc<Mutex<Org>>,
}

impl SalesforceSimulator {
    /// Opens the org that is kept in the options' folder, else makes one from the seed.
    pub fn open(options: &SimulatorOptions, clock: Clock) -> Result<Self, SimulatorError> {
        Ok(SalesforceSimulator { org: Arc::new(Mutex::new(Org::open(options, clock)?)) })
    }

    /// Serves the org until `shutdown`.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        // Bodies may come gzipped (dossier 2.1).
        let router = Router::new().fallback(handle).with_state(self).layer(RequestDecompressionLayer::new());
        let service = router.into_make_service_with_connect_info::<Cut>();
        axum::serve(CuttableListener(listener), service).with_graceful_shutdown(shutdown).await
    }

    fn org(&self) -> MutexGuard<'_, Org> {
        self.org.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn handle(
    State(simulator): State<SalesforceSimulator>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let too_long = too_long(&parts);
    let body = to_bytes(body, LARGEST_BODY).await;
    let asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: body.as_ref().map(|body| body.to_vec()).unwrap_or_default(),
    };
    if asked.path == "/" || asked.path.starts_with("/_simulator") {
        return simulator.kept(|org| control::answer(org, &asked)).into_response();
    }
    let (arrived, fault, admitted) = simulator.arrive(&asked);
    if let Some(delay) = fault.as_ref().filter(|fault| fault.fault == FaultKind::Delay) {
        tokio::time::sleep(Duration::from_millis(delay.delay_ms.unwrap_or_default())).await;
    }
    let lost = fault.as_ref().is_some_and(|fault| fault.fault == FaultKind::LostResponse);
    let reply = match instead(&asked, fault.as_ref(), admitted) {
        Some(Instead::Cut) => {
            cut.now();
            Reply::empty(500)
        }
        Some(Instead::Reply(reply)) => reply,
        None if body.is_err() => Reply::error(413, "REQUEST_TOO_LARGE", "The body is too large or not what it says."),
        None if too_long.is_some() => too_long.unwrap_or_else(|| Reply::empty(431)),
        None => simulator.kept(|org| answer(org, &asked)),
    };
    if lost {
        cut.now();
    }
    simulator.leave(&asked, reply, arrived, lost).into_response()
}

impl SalesforceSimulator {
    /// Works on the org and has what changed on disk before the answer.
    fn kept(&self, work: impl FnOnce(&mut Org) -> Reply) -> Reply {
        let mut org = self.org();
        org.tick();
        let before = org.world.savepoint();
        let reply = work(&mut org);
        match org.keep() {
            Ok(()) => reply,
            Err(_) => {
                org.world.roll_back(before);
                Reply::error(500, "UNKNOWN_EXCEPTION", "the simulator's disk is full or gone")
            }
        }
    }

    /// Counts a request that reaches the CRM side; tells when, its fault, and whether the limits admit it.
    fn arrive(&self, asked: &Asked) -> (i64, Option<Fault>, bool) {
        let mut org = self.org();
        let operation = asked.operation();
        org.stats.count(operation);
        org.arrived += 1;
        let fault = org.faults.meet(operation, &asked.method, &asked.path, asked.is_consent());
        let now = org.now();
        let burst = org.small.burst;
        let admitted = operation == "token" || (org.window.admit(burst, now) && org.count_call());
        (now, fault, admitted)
    }

    fn leave(&self, asked: &Asked, reply: Reply, arrived: i64, lost: bool) -> Reply {
        let mut org = self.org();
        let at = org.now();
        let seen = Seen {
            at: arrived,
            method: asked.method.clone(),
            path: asked.shown(),
            status: reply.status,
            lost,
            took_ms: at - arrived,
        };
        if org.recent.len() >= RECENT {
            org.recent.pop_front();
        }
        org.recent.push_back(seen);
        let reply = reply.with("date", rest::http_date(at));
        if asked.path.starts_with("/services/data") {
            let limits = org.limit_info();
            reply.with("sforce-limit-info", limits)
        } else {
            reply
        }
    }
}

enum Instead {
    Cut,
    Reply(Reply),
}

/// What is answered instead of the truth, if anything.
fn instead(asked: &Asked, fault: Option<&Fault>, admitted: bool) -> Option<Instead> {
    let token = asked.operation() == "token";
    let refused = || {
        if token {
            Reply::oauth_error("rate_limit_exceeded", "login rate exceeded")
        } else {
            Reply::error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        }
    };
    match fault.map(|fault| (fault.fault, fault.status)) {
        Some((FaultKind::Reset, _)) => Some(Instead::Cut),
        Some((FaultKind::RateLimit, _)) => Some(Instead::Reply(refused())),
        Some((FaultKind::Garbage, _)) => {
            Some(Instead::Reply(Reply::html(200, "<html><body><h1>Down for maintenance</h1></body></html>")))
        }
        Some((FaultKind::Status, status)) => Some(Instead::Reply(with_status(token, status.unwrap_or(500)))),
        _ if !admitted => Some(Instead::Reply(refused())),
        _ => None,
    }
}

/// An answer of a given status, as the CRM words it.
fn with_status(token: bool, status: u16) -> Reply {
    if token {
        let (error, description) = match status {
            400 => ("invalid_request", "the request is malformed"),
            401 => ("invalid_client", "invalid client credentials"),
            503 => ("temporarily_unavailable", "try again later"),
            _ => ("server_error", "an unexpected error occurred"),
        };
        return Reply { status, ..Reply::oauth_error(error, description) };
    }
    let (code, message) = match status {
        400 => ("UNKNOWN_EXCEPTION", "The request is malformed."),
        401 => ("INVALID_SESSION_ID", "Session expired or invalid"),
        403 => ("INSUFFICIENT_ACCESS", "insufficient access rights on object id"),
        404 => ("NOT_FOUND", "The requested resource does not exist"),
        502..=504 => ("SERVER_UNAVAILABLE", "The server is busy. Please try again later."),
        _ => (
            "UNKNOWN_EXCEPTION",
            "An unexpected error occurred. Please include this ErrorId if you contact support: 1234-5678 (9)",
        ),
    };
    Reply::error(status, code, message)
}

/// The refusal of a request whose address, or address with headers, is too long (dossier 2.1).
fn too_long(parts: &Parts) -> Option<Reply> {
    let address = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    let headers: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if address > LONGEST_HEAD {
        return Some(Reply::html(414, "<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>"));
    }
    let message = "<h1>Bad Message 431</h1><pre>reason: Request Header Fields Too Large</pre>";
    (address + headers > LONGEST_HEAD).then(|| Reply::html(431, message))
}

fn answer(org: &mut Org, asked: &Asked) -> Reply {
    let oauth = ["/services/oauth2/", "/id/", "/.well-known/"];
    if oauth.iter().any(|prefix| asked.path.starts_with(prefix)) {
        oauth::answer(org, asked)
    } else if asked.path.starts_with("/services/data") {
        rest::answer(org, asked)
    } else {
        Reply::html(404, "<h1>404 Not Found</h1>")
    }
}

#[cfg(test)]
mod tests;
