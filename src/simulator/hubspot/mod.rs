//! HubSpot: an account as a plain value, and an HTTP skin over it.

mod account;
mod associations;
mod batch;
mod catalog;
mod control;
mod labels;
mod links;
mod oauth;
mod objects;
mod page;
mod pipelines;
mod portal;
mod properties;
mod record;
mod refusal;
mod reply;
mod request;
mod schema;
mod scopes;
mod search;
mod seeding;
mod shape;
mod stamps;
mod values;
mod world;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use serde_json::json;
use tokio::net::TcpListener;
use tower_http::decompression::RequestDecompressionLayer;

use super::control::{Fault, FaultKind};
use super::net::{Cut, CuttableListener};
use super::{Clock, SimulatorError, SimulatorOptions};
use portal::{Limited, Portal, Seen};
use refusal::Refusal;
use reply::Reply;
use request::{Asked, Family, Route};

/// Id of the account.
const PORTAL_ID: u64 = 48_011_001;

/// Id of the registered application.
const APP_ID: u64 = 2_004_801;

/// Largest body, bytes.
const LARGEST_BODY: usize = 20 << 20;

/// Most bytes of an address (dossier 2.2).
const LONGEST_ADDRESS: usize = 16_200;

/// Requests that the page shows.
const RECENT: usize = 20;

/// A simulated account.
#[derive(Clone)]
pub struct HubspotSimulator {
    portal: Arc<Mutex<Portal>>,
}

impl HubspotSimulator {
    /// Opens the account that is kept in the options' folder, else makes one from the seed.
    pub fn open(options: &SimulatorOptions, clock: Clock) -> Result<Self, SimulatorError> {
        Ok(HubspotSimulator { portal: Arc::new(Mutex::new(Portal::open(options, clock)?)) })
    }

    /// Serves the account until `shutdown`.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let router = Router::new().fallback(handle).with_state(self).layer(RequestDecompressionLayer::new());
        let service = router.into_make_service_with_connect_info::<Cut>();
        axum::serve(CuttableListener(listener), service).with_graceful_shutdown(shutdown).await
    }

    fn portal(&self) -> MutexGuard<'_, Portal> {
        self.portal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn handle(
    State(simulator): State<HubspotSimulator>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let too_long = parts.uri.path_and_query().is_some_and(|path| path.as_str().len() > LONGEST_ADDRESS);
    let body = to_bytes(body, LARGEST_BODY).await;
    let asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: body.as_ref().map(|body| body.to_vec()).unwrap_or_default(),
    };
    if asked.path == "/" || asked.path.starts_with("/_simulator") {
        return simulator.kept(|portal| control::answer(portal, &asked)).into_response();
    }
    let (arrived, fault, limited) = simulator.arrive(&asked);
    if let Some(delay) = fault.as_ref().filter(|fault| fault.fault == FaultKind::Delay) {
        tokio::time::sleep(Duration::from_millis(delay.delay_ms.unwrap_or_default())).await;
    }
    let lost = fault.as_ref().is_some_and(|fault| fault.fault == FaultKind::LostResponse);
    let reply = match simulator.instead(&asked, fault.as_ref(), limited) {
        Some(Instead::Cut) => {
            cut.now();
            Reply::empty(500)
        }
        Some(Instead::Reply(reply)) => reply,
        None if body.is_err() => Reply::html(413, "<h1>413 Payload Too Large</h1>"),
        None if too_long => Reply::html(414, "<h1>414 Request-URI Too Large</h1>"),
        None => simulator.kept(|portal| answer(portal, &asked)),
    };
    if lost {
        cut.now();
    }
    simulator.leave(&asked, reply, arrived, lost).into_response()
}

enum Instead {
    Cut,
    Reply(Reply),
}

impl HubspotSimulator {
    /// Works on the account and has what changed on disk before the answer.
    fn kept(&self, work: impl FnOnce(&mut Portal) -> Reply) -> Reply {
        let mut portal = self.portal();
        portal.tick();
        let before = portal.world.savepoint();
        let reply = work(&mut portal);
        match portal.keep() {
            Ok(()) => reply,
            Err(_) => {
                portal.world.roll_back(before);
                Refusal::new(500, "", "the simulator's disk is full or gone").reply(&portal.correlation())
            }
        }
    }

    /// Counts a request that reaches the CRM side; tells when, its fault, and which limit refuses it.
    fn arrive(&self, asked: &Asked) -> (i64, Option<Fault>, Option<Limited>) {
        let mut portal = self.portal();
        let operation = asked.operation();
        portal.stats.count(operation);
        portal.arrived += 1;
        let fault = portal.faults.meet(operation, &asked.method, &asked.path, asked.is_consent());
        let limited = if operation == "token" { None } else { portal.admit(operation) };
        (portal.now(), fault, limited)
    }

    /// What is answered instead of the truth, if anything.
    fn instead(&self, asked: &Asked, fault: Option<&Fault>, limited: Option<Limited>) -> Option<Instead> {
        let portal = self.portal();
        let correlation = portal.correlation();
        let own = if asked.operation() == "search" { Limited::Search } else { Limited::Burst };
        match fault.map(|fault| (fault.fault, fault.status)) {
            Some((FaultKind::Reset, _)) => Some(Instead::Cut),
            Some((FaultKind::RateLimit, _)) => Some(Instead::Reply(too_many(own, &correlation))),
            Some((FaultKind::Garbage, _)) => {
                Some(Instead::Reply(Reply::html(200, "<html><body><h1>Down for maintenance</h1></body></html>")))
            }
            Some((FaultKind::Status, status)) => {
                Some(Instead::Reply(with_status(status.unwrap_or(500), own, &correlation)))
            }
            _ => limited.map(|limited| Instead::Reply(too_many(limited, &correlation))),
        }
    }

    fn leave(&self, asked: &Asked, reply: Reply, arrived: i64, lost: bool) -> Reply {
        let mut portal = self.portal();
        let at = portal.now();
        let seen = Seen {
            at: arrived,
            method: asked.method.clone(),
            path: asked.shown(),
            status: reply.status,
            lost,
            took_ms: at - arrived,
        };
        if portal.recent.len() >= RECENT {
            portal.recent.pop_front();
        }
        portal.recent.push_back(seen);
        let operation = asked.operation();
        let correlation = portal.correlation();
        let reply = reply.with("date", stamps::http_date(at)).with("x-hubspot-correlation-id", correlation);
        if operation == "token" || operation == "search" || reply.status >= 400 {
            return reply;
        }
        limit_headers(&portal, reply)
    }
}

/// What is left of the limits (dossier 6); searches tell nothing.
fn limit_headers(portal: &Portal, reply: Reply) -> Reply {
    let limits = portal.small.limits;
    let mut reply = reply;
    if let Some(burst) = limits.burst {
        let left = portal.window.left(burst).to_string();
        // The deprecated headers are for one second: a tenth of the bucket.
        let second = (burst.count.div_ceil(10)).to_string();
        reply = reply
            .with("x-hubspot-ratelimit-max", burst.count.to_string())
            .with("x-hubspot-ratelimit-remaining", left)
            .with("x-hubspot-ratelimit-interval-milliseconds", burst.per_ms.to_string())
            .with("x-hubspot-ratelimit-secondly", second.clone())
            .with("x-hubspot-ratelimit-secondly-remaining", second);
    }
    if let Some(daily) = limits.daily {
        let left = daily.saturating_sub(portal.small.used_today);
        reply = reply
            .with("x-hubspot-ratelimit-daily", daily.to_string())
            .with("x-hubspot-ratelimit-daily-remaining", left.to_string());
    }
    reply
}

/// The refusal of a request that a limit meets (dossier 6).
fn too_many(limited: Limited, correlation: &str) -> Reply {
    let (name, policy) = match limited {
        Limited::Burst => ("ten_secondly_rolling", "TEN_SECONDLY_ROLLING"),
        Limited::Daily => ("daily", "DAILY"),
        Limited::Search => ("secondly", "SECONDLY"),
    };
    let message = format!("You have reached your {name} limit.");
    let group = format!("publicapi:crm:oauth:app:{APP_ID}:{PORTAL_ID}");
    Reply::json(
        429,
        &json!({ "status": "error", "message": message, "errorType": "RATE_LIMIT", "correlationId": correlation,
                 "policyName": policy, "groupName": group }),
    )
}

/// An answer of a given status, as the CRM words it (dossier 2.9).
fn with_status(status: u16, own: Limited, correlation: &str) -> Reply {
    let refusal = match status {
        400 => Refusal::invalid("Invalid request"),
        401 => scopes::unknown_token(),
        403 => scopes::missing(&[]),
        404 => Refusal::not_found(),
        409 => Refusal::new(409, "CONFLICT", "conflict"),
        423 => Refusal::new(423, "", "Locked"),
        429 => return too_many(own, correlation),
        477 => {
            let refusal = Refusal::new(477, "", "Migration in progress");
            return refusal.reply(correlation).with("retry-after", "60".to_owned());
        }
        502..=504 | 521..=524 => return Reply::html(status, "<html><body>Bad gateway</body></html>"),
        status => Refusal::new(status, "", "internal error"),
    };
    refusal.reply(correlation)
}

fn answer(portal: &mut Portal, asked: &Asked) -> Reply {
    if asked.path.starts_with("/oauth/") {
        return oauth::answer(portal, asked);
    }
    let answered = route(portal, asked);
    answered.unwrap_or_else(|refusal| refusal.reply(&portal.correlation()))
}

fn route(portal: &mut Portal, asked: &Asked) -> Result<Reply, Refusal> {
    let route = Route::of(&asked.path).ok_or_else(Refusal::nowhere)?;
    scopes::check(portal, asked, &route)?;
    match route.family {
        Family::Objects => objects::answer(portal, asked, &route),
        Family::Properties => properties::answer(portal, asked, &route),
        Family::Pipelines => pipelines::answer(portal, asked, &route),
        Family::Associations => associations::answer(portal, asked, &route),
        Family::Owners | Family::Schemas | Family::Account => account::answer(asked, &route),
    }
}

#[cfg(test)]
mod tests;
