//! Salesforce: an org as a plain value, and an HTTP skin over it.

mod collections;
mod composite;
mod control;
mod ids;
mod oauth;
mod org;
mod page;
mod reply;
mod request;
mod rest;
mod schema;
mod seeding;
mod soql;
mod validate;
mod world;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use tokio::net::TcpListener;

use super::control::{Fault, FaultKind};
use super::net::{Cut, CuttableListener};
use super::{Clock, SimulatorError, SimulatorOptions};
use org::{Org, Seen};
use reply::Reply;
use request::Asked;

/// Largest body, bytes (dossier 5).
const LARGEST_BODY: usize = 50 << 20;

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
        let router = Router::new().fallback(handle).with_state(self);
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
    let address_length = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    let body = to_bytes(body, LARGEST_BODY).await.unwrap_or_default().to_vec();
    let asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    if asked.path == "/" || asked.path.starts_with("/_simulator") {
        let reply = simulator.kept(|org| control::answer(org, &asked));
        return reply.into_response();
    }
    let (fault, admitted) = simulator.arrive(&asked);
    if let Some(delay) = fault.as_ref().filter(|fault| fault.fault == FaultKind::Delay) {
        tokio::time::sleep(Duration::from_millis(delay.delay_ms.unwrap_or_default())).await;
    }
    let lost = fault.as_ref().is_some_and(|fault| fault.fault == FaultKind::LostResponse);
    let reply = match instead(fault.as_ref(), admitted) {
        Some(Instead::Cut) => {
            cut.now();
            Reply::empty(500)
        }
        Some(Instead::Reply(reply)) => reply,
        None if address_length > rest::LONGEST_ADDRESS => {
            Reply::html(414, "<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>")
        }
        None => simulator.kept(|org| answer(org, &asked)),
    };
    if lost {
        cut.now();
    }
    simulator.leave(&asked, reply).into_response()
}

impl SalesforceSimulator {
    /// Works on the org and has what changed on disk before the answer.
    fn kept(&self, work: impl FnOnce(&mut Org) -> Reply) -> Reply {
        let mut org = self.org();
        let reply = work(&mut org);
        match org.keep() {
            Ok(()) => reply,
            Err(_) => Reply::error(500, "UNKNOWN_EXCEPTION", "the simulator's disk is full or gone"),
        }
    }

    /// Counts a request that reaches the CRM side; tells its fault and whether the limits admit it.
    fn arrive(&self, asked: &Asked) -> (Option<Fault>, bool) {
        let mut org = self.org();
        let operation = asked.operation();
        org.stats.count(operation);
        let fault = org.faults.meet(operation, &asked.method, &asked.path);
        let now = org.now();
        let burst = org.small.burst;
        let admitted = operation == "token" || (org.window.admit(burst, now) && org.count_call());
        (fault, admitted)
    }

    fn leave(&self, asked: &Asked, reply: Reply) -> Reply {
        let mut org = self.org();
        let at = org.now();
        let seen = Seen { at, method: asked.method.clone(), path: asked.path.clone(), status: reply.status };
        if org.recent.len() >= RECENT {
            org.recent.remove(0);
        }
        org.recent.push(seen);
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
fn instead(fault: Option<&Fault>, admitted: bool) -> Option<Instead> {
    let refused = || Reply::error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
    match fault.map(|fault| (fault.fault, fault.status)) {
        Some((FaultKind::Reset, _)) => Some(Instead::Cut),
        Some((FaultKind::RateLimit, _)) => Some(Instead::Reply(refused())),
        Some((FaultKind::Garbage, _)) => {
            Some(Instead::Reply(Reply::html(200, "<html><body>Maintenance</body></html>")))
        }
        Some((FaultKind::Status, status)) => {
            let status = status.unwrap_or(500);
            let code = if status == 503 { "SERVER_UNAVAILABLE" } else { "UNKNOWN_EXCEPTION" };
            Some(Instead::Reply(Reply::error(status, code, "An unexpected error occurred.")))
        }
        _ if !admitted => Some(Instead::Reply(refused())),
        _ => None,
    }
}

fn answer(org: &mut Org, asked: &Asked) -> Reply {
    if asked.path.starts_with("/services/oauth2/") || asked.path.starts_with("/id/") {
        oauth::answer(org, asked)
    } else if asked.path.starts_with("/services/data") {
        rest::answer(org, asked)
    } else {
        Reply::html(404, "<h1>404 Not Found</h1>")
    }
}

#[cfg(test)]
mod tests;
