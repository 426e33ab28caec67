//! HubSpot: an account as a plain value, and an HTTP skin over it.

mod account;
mod associations;
mod batch;
mod catalog;
mod changes;
mod control;
mod files;
mod journal;
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
mod request;
mod schema;
mod schemas;
mod scopes;
mod search;
mod seeding;
mod shape;
mod stamps;
mod types;
mod values;
mod webhooks;
mod world;

use std::future::Future;

use serde_json::{Map, Value as Json, json};
use tokio::net::TcpListener;

use super::asked::Asked;
use super::commands::{Commanded, Edit, Limits, Settings};
use super::reply::Reply;
use super::skin::{Desk, Shared, Skin};
use super::{Clock, SimulatorError, SimulatorOptions};
use portal::{Limited, Portal};
use refusal::Refusal;
use request::{Family, Route, operation};
use world::Savepoint;

/// Id of the account.
const PORTAL_ID: u64 = 48_011_001;

/// Id of the registered application.
const APP_ID: u64 = 2_004_801;

/// Most bytes of an address (dossier 2.2).
const LONGEST_ADDRESS: usize = 16_200;

/// A simulated account.
#[derive(Debug, Clone)]
pub struct HubspotSimulator(Shared<Portal>);

impl HubspotSimulator {
    /// Opens the account that is kept in the options' folder, else makes one from the seed.
    pub fn open(options: &SimulatorOptions, clock: Clock) -> Result<Self, SimulatorError> {
        Ok(HubspotSimulator(Shared::new(Portal::open(options, clock)?)))
    }

    /// Serves the account, and posts what happens in it, until `shutdown`.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        tokio::select! {
            served = self.0.clone().serve(listener, shutdown) => served,
            failed = webhooks::deliver(self.0) => Err(failed),
        }
    }
}

impl Skin for Portal {
    const LARGEST_BODY: usize = 20 << 20;
    const CHARSET: &'static str = "utf-8";
    type Savepoint = Savepoint;

    fn operation(asked: &Asked) -> &'static str {
        operation(asked)
    }

    fn is_consent(asked: &Asked) -> bool {
        asked.path.starts_with("/oauth/") && asked.path.trim_end_matches('/').ends_with("/authorize")
    }

    fn shown(asked: &Asked) -> String {
        if asked.path.starts_with("/oauth/") {
            let known: Vec<&str> = asked.path.split('/').take(4).collect();
            return known.join("/");
        }
        // The developer's key is in the address, or a signature.
        if asked.path.starts_with("/webhooks") {
            return asked.path.clone();
        }
        asked.address()
    }

    fn too_long(_: &Asked, address: usize) -> Option<Reply> {
        (address > LONGEST_ADDRESS).then(|| Reply::html(414, "<h1>414 Request-URI Too Large</h1>"))
    }

    fn body_refused() -> Reply {
        Reply::html(413, "<h1>413 Payload Too Large</h1>")
    }

    fn admit(&mut self, asked: &Asked) -> Option<Reply> {
        if files::is_hosted(asked) || journal::is_exempt(asked) {
            return None;
        }
        self.count_call(operation(asked)).map(|limited| too_many(limited, &self.correlation()))
    }

    fn rate_limited(&self, asked: &Asked) -> Reply {
        too_many(own_limit(asked), &self.correlation())
    }

    fn with_status(&self, asked: &Asked, status: u16) -> Reply {
        with_status(status, own_limit(asked), &self.correlation())
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        if asked.path.starts_with("/oauth/") {
            return oauth::answer(self, asked);
        }
        if files::is_hosted(asked) {
            return files::hosted(self, asked);
        }
        if journal::is_hosted(asked) {
            return journal::hosted(self, asked);
        }
        let answered = route(self, asked);
        answered.unwrap_or_else(|refusal| refusal.reply(&self.correlation()))
    }

    fn marked(&self, asked: &Asked, reply: Reply) -> Reply {
        let operation = operation(asked);
        let at = stamps::http_date(self.now());
        let reply = reply.with("date", at).with("x-hubspot-correlation-id", self.correlation());
        let uncounted = operation == "token" || files::is_hosted(asked) || journal::is_exempt(asked);
        if uncounted || operation == "search" || reply.status >= 400 {
            return reply;
        }
        limit_headers(self, reply)
    }

    fn tick(&mut self) {
        Portal::tick(self);
    }

    fn savepoint(&self) -> Savepoint {
        self.world.savepoint()
    }

    fn roll_back(&mut self, to: Savepoint) {
        self.world.roll_back(to);
    }

    fn keep(&mut self) -> std::io::Result<()> {
        Portal::keep(self)
    }

    fn unkept(&self) -> Reply {
        Refusal::new(500, "", "the simulator's disk is full or gone").reply(&self.correlation())
    }
}

impl Commanded for Portal {
    fn desk(&mut self) -> &mut Desk {
        &mut self.desk
    }

    fn now(&self) -> i64 {
        Portal::now(self)
    }

    fn set_clock(&mut self, at: i64) {
        Portal::set_clock(self, at);
    }

    fn page(&mut self, asked: &Asked) -> Reply {
        if asked.method == "POST" { page::done(self, asked) } else { page::answer(self, asked) }
    }

    fn living(&self) -> Map<String, Json> {
        control::living(self)
    }

    fn records(&self, object: &str) -> Option<String> {
        control::records(self, object)
    }

    fn granted(&mut self, _: &Asked, scope: Option<String>, expires_in: Option<i64>) -> Json {
        oauth::granted(self, scope.as_deref(), expires_in)
    }

    fn expire_tokens(&mut self) {
        oauth::expire_tokens(self);
    }

    fn revoke_grants(&mut self) {
        oauth::revoke_grants(self);
    }

    fn settings(&self) -> &Settings {
        &self.small.settings
    }

    fn set_settings(&mut self, settings: Settings) -> Result<(), &'static str> {
        if settings.refresh_idle_days.is_some() {
            return Err("refresh tokens of this CRM do not age (dossier 1)");
        }
        Portal::set_settings(self, settings);
        Ok(())
    }

    fn limits(&self) -> Limits {
        self.small.limits
    }

    fn set_limits(&mut self, limits: Limits) {
        Portal::set_limits(self, limits);
    }

    fn edit(&mut self, wanted: Edit) -> Result<Reply, Reply> {
        control::edited(self, &wanted)
    }

    fn options(&self) -> &SimulatorOptions {
        Portal::options(self)
    }

    fn reset(&mut self, options: &SimulatorOptions) -> Result<(), SimulatorError> {
        Portal::reset(self, options)
    }

    fn own_command(&mut self, path: &str, body: &Json) -> Option<Result<Reply, Reply>> {
        (path == "/webhooks").then(|| control::webhooks(self, body))
    }
}

/// The limit that a request would meet first.
fn own_limit(asked: &Asked) -> Limited {
    if operation(asked) == "search" { Limited::Search } else { Limited::Burst }
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

fn route(portal: &mut Portal, asked: &Asked) -> Result<Reply, Refusal> {
    let route = Route::of(&asked.path).ok_or_else(Refusal::nowhere)?;
    scopes::check(portal, asked, &route)?;
    match route.family {
        Family::Objects => objects::answer(portal, asked, &route),
        Family::Properties => properties::answer(portal, asked, &route),
        Family::Pipelines => pipelines::answer(portal, asked, &route),
        Family::Associations => associations::answer(portal, asked, &route),
        Family::Files => files::answer(portal, asked, &route),
        Family::Webhooks => webhooks::answer(portal, asked, &route),
        Family::Journal => journal::entries(portal, asked, &route),
        Family::JournalSubscriptions => journal::subscriptions(portal, asked, &route),
        Family::JournalSnapshots => journal::snapshots(portal, asked, &route),
        Family::Schemas => schemas::answer(portal, asked, &route),
        Family::Owners | Family::Account => account::answer(asked, &route),
    }
}

#[cfg(test)]
mod tests;
