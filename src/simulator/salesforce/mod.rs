//! Salesforce: an org as a plain value, and an HTTP skin over it.

mod assignment;
mod bulk;
mod catalogue;
mod collections;
mod composite;
mod control;
mod convert;
mod deletion;
mod derive;
mod duplicates;
mod files;
mod ids;
mod oauth;
mod org;
mod packed;
mod page;
mod picklists;
mod query;
mod records;
mod replication;
mod reply;
mod request;
mod rest;
mod rollups;
mod rows;
mod rules;
mod schema;
mod security;
mod seeding;
mod soql;
mod table;
mod transactions;
mod validate;
mod world;

use std::future::Future;

use serde_json::{Map, Value as Json, json};
use tokio::net::TcpListener;

use super::asked::Asked;
use super::commands::{Commanded, Edit, Limits, Settings};
use super::reply::Reply;
use super::skin::{Desk, Shared, Skin};
use super::{Clock, SimulatorError, SimulatorOptions};
use org::Org;
use request::operation;
use schema::object_named;
use world::Savepoint;

/// Most bytes of address and headers together (dossier 2.1).
const LONGEST_HEAD: usize = 16_384;

/// Milliseconds after which a request counts as long, and how many of those an org such as this one runs (dossier 5).
const LONG_MS: i64 = 20_000;
const MOST_LONG: usize = 5;

/// A simulated org.
#[derive(Debug, Clone)]
pub struct SalesforceSimulator(Shared<Org>);

impl SalesforceSimulator {
    /// Opens the org that is kept in the options' folder, else makes one from the seed.
    pub fn open(options: &SimulatorOptions, clock: Clock) -> Result<Self, SimulatorError> {
        Ok(SalesforceSimulator(Shared::new(Org::open(options, clock)?)))
    }

    /// Serves the org until `shutdown`.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        self.0.serve(listener, shutdown).await
    }
}

impl Skin for Org {
    // Dossier 5.
    const LARGEST_BODY: usize = 50 << 20;
    const CHARSET: &'static str = "UTF-8";
    type Savepoint = Savepoint;

    fn operation(asked: &Asked) -> &'static str {
        operation(asked)
    }

    fn is_consent(asked: &Asked) -> bool {
        asked.path == "/services/oauth2/authorize"
    }

    fn shown(asked: &Asked) -> String {
        if Self::is_consent(asked) || asked.path.starts_with("/id/") { asked.path.clone() } else { asked.address() }
    }

    /// Address, or address with headers (dossier 2.1).
    fn too_long(asked: &Asked, address: usize) -> Option<Reply> {
        let headers: usize = asked.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if address > LONGEST_HEAD {
            return Some(Reply::html(414, "<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>"));
        }
        let message = "<h1>Bad Message 431</h1><pre>reason: Request Header Fields Too Large</pre>";
        (address + headers > LONGEST_HEAD).then(|| Reply::html(431, message))
    }

    fn body_refused() -> Reply {
        Reply::error(413, "REQUEST_TOO_LARGE", "The body is too large or not what it says.")
    }

    fn admit(&mut self, asked: &Asked) -> Option<Reply> {
        let (burst, now) = (self.small.limits.burst, self.now());
        let long = self.desk.running.values().filter(|at| now.saturating_sub(**at) >= LONG_MS).count();
        if long >= MOST_LONG && !self.options().no_limits {
            return Some(Reply::error(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded."));
        }
        let admitted = self.window.admit(burst, now) && self.count_call();
        (!admitted).then(|| self.rate_limited(asked))
    }

    fn rate_limited(&self, asked: &Asked) -> Reply {
        if operation(asked) == "token" {
            Reply::oauth_error("rate_limit_exceeded", "login rate exceeded")
        } else {
            Reply::error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        }
    }

    fn with_status(&self, asked: &Asked, status: u16) -> Reply {
        with_status(operation(asked) == "token", status)
    }

    fn with_code(&self, asked: &Asked, status: u16, code: &str, message: Option<&str>) -> Reply {
        let message = message.unwrap_or("The request failed.");
        match operation(asked) {
            "token" => Reply { status, ..Reply::oauth_error(code, message) },
            _ => Reply::error(status, code, message),
        }
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        let oauth = ["/services/oauth2/", "/id/", "/.well-known/"];
        if oauth.iter().any(|prefix| asked.path.starts_with(prefix)) {
            oauth::answer(self, asked)
        } else if asked.path.starts_with("/services/data") {
            rest::answer(self, asked)
        } else {
            Reply::html(404, "<h1>404 Not Found</h1>")
        }
    }

    fn marked(&self, asked: &Asked, reply: Reply) -> Reply {
        let reply = reply.with("date", rest::http_date(self.now()));
        if asked.path.starts_with("/services/data") {
            reply.with("sforce-limit-info", self.limit_info())
        } else {
            reply
        }
    }

    fn tick(&mut self) {
        Org::tick(self);
    }

    fn savepoint(&self) -> Savepoint {
        self.world.savepoint()
    }

    fn roll_back(&mut self, to: Savepoint) {
        self.world.roll_back(to);
    }

    fn keep(&mut self) -> std::io::Result<()> {
        Org::keep(self)
    }

    fn unkept(&self) -> Reply {
        Reply::error(500, "UNKNOWN_EXCEPTION", "the simulator's disk is full or gone")
    }
}

impl Commanded for Org {
    fn desk(&mut self) -> &mut Desk {
        &mut self.desk
    }

    fn now(&self) -> i64 {
        Org::now(self)
    }

    fn set_clock(&mut self, at: i64) {
        Org::set_clock(self, at);
    }

    fn page(&mut self, asked: &Asked) -> Reply {
        if asked.method == "POST" { page::done(self, asked) } else { page::answer(self, asked) }
    }

    fn living(&self) -> Map<String, Json> {
        let tables = self.world.tables.iter();
        // Record types are no records that anybody makes.
        let made = tables.filter(|(name, _)| object_named(name).is_some_and(|object| object.createable));
        made.map(|(name, table)| ((*name).to_owned(), json!(table.living()))).collect()
    }

    fn records(&self, object: &str) -> Option<String> {
        control::records(self, object)
    }

    fn granted(&mut self, asked: &Asked, scope: Option<String>, expires_in: Option<i64>) -> Json {
        let scope = scope.unwrap_or_else(|| "api refresh_token".to_owned());
        oauth::granted(self, asked, &scope, expires_in)
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
        self.small.settings = settings;
        self.touch();
        Ok(())
    }

    fn limits(&self) -> Limits {
        self.small.limits
    }

    fn set_limits(&mut self, limits: Limits) {
        self.small.limits = limits;
        self.touch();
    }

    fn edit(&mut self, wanted: Edit) -> Result<Reply, Reply> {
        control::edited(self, &wanted)
    }

    fn options(&self) -> &SimulatorOptions {
        Org::options(self)
    }

    fn reset(&mut self, options: &SimulatorOptions) -> Result<(), SimulatorError> {
        Org::reset(self, options)
    }

    fn own_command(&mut self, path: &str, body: &Json) -> Option<Result<Reply, Reply>> {
        match path {
            "/field-security" => Some(control::secured(self, body)),
            "/instance" => Some(control::moved(self, body)),
            "/rollups" => Some(control::recalculated(self, body)),
            "/rules" => Some(control::ruled(self, body)),
            "/transactions" => Some(transactions::begun(self, body)),
            _ => None,
        }
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

#[cfg(test)]
mod tests;
