//! The control interface under `/_simulator`, and the page at `/`: what every simulator does alike.

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::asked::Asked;
use super::control::{Burst, Fault};
use super::reply::Reply;
use super::skin::Desk;
use super::{SimulatorError, SimulatorOptions};

/// Most records of one object in a new world.
const MOST_RECORDS: usize = 1_000_000;

/// What the control interface sets.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Settings {
    pub rotation: bool,
    pub pkce_required: bool,
    pub session_seconds: i64,
    pub search_lag_ms: i64,
    pub bulk_delay_ms: i64,
    /// Days after which a refresh token that nobody used is dead, where the CRM lets them die; none is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_idle_days: Option<i64>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            rotation: true,
            pkce_required: true,
            session_seconds: 7200,
            search_lag_ms: 0,
            bulk_delay_ms: 0,
            refresh_idle_days: None,
        }
    }
}

/// What may be asked how often; none is without a limit.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Limits {
    pub daily: Option<u64>,
    pub burst: Option<Burst>,
    pub search: Option<Burst>,
}

/// An edit as a person in the CRM would make it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Edit {
    #[serde(default = "edit")]
    pub action: String,
    pub object: String,
    pub id: Option<Json>,
    #[serde(default)]
    pub fields: Map<String, Json>,
    pub merge_into: Option<Json>,
    pub user: Option<String>,
}

fn edit() -> String {
    "edit".to_owned()
}

/// A CRM that the control interface commands.
pub(super) trait Commanded {
    /// What is known of the requests.
    fn desk(&mut self) -> &mut Desk;

    /// The CRM's own time, epoch milliseconds.
    fn now(&self) -> i64;

    /// Sets the CRM's own time.
    fn set_clock(&mut self, at: i64);

    /// The page, or what its form asks for.
    fn page(&mut self, asked: &Asked) -> Reply;

    /// Living records by object.
    fn living(&self) -> Map<String, Json>;

    /// The lines of `/records/…`; `None` where there is no such object.
    fn records(&self, object: &str) -> Option<String>;

    /// A valid token answer without the consent page.
    fn granted(&mut self, asked: &Asked, scope: Option<String>, expires_in: Option<i64>) -> Json;

    /// All access tokens expire.
    fn expire_tokens(&mut self);

    /// The grants are gone.
    fn revoke_grants(&mut self);

    /// What is set.
    fn settings(&self) -> &Settings;

    /// Sets it; a sentence where this CRM cannot.
    fn set_settings(&mut self, settings: Settings) -> Result<(), &'static str>;

    /// The limits in force.
    fn limits(&self) -> Limits;

    /// Sets them.
    fn set_limits(&mut self, limits: Limits);

    /// Edits as a person would; a refusal is the CRM's own.
    fn edit(&mut self, wanted: Edit) -> Result<Reply, Reply>;

    /// What it was started with.
    fn options(&self) -> &SimulatorOptions;

    /// A new world.
    fn reset(&mut self, options: &SimulatorOptions) -> Result<(), SimulatorError>;

    /// A command that only this CRM has.
    fn own_command(&mut self, _path: &str, _body: &Json) -> Option<Result<Reply, Reply>> {
        None
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultsBody {
    rules: Vec<Fault>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct ClockBody {
    set: Option<Json>,
    advance_ms: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct TokenBody {
    scope: Option<String>,
    expires_in: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct ResetBody {
    seed: Option<u64>,
    accounts: Option<usize>,
    contacts: Option<usize>,
    opportunities: Option<usize>,
}

/// Answers the control interface.
pub(super) fn answer(crm: &mut impl Commanded, asked: &Asked) -> Reply {
    let path = asked.path.strip_prefix("/_simulator").unwrap_or("");
    let body: Json = match serde_json::from_slice(&asked.body) {
        Ok(body) => body,
        Err(_) if asked.body.is_empty() || path == "/page" => json!({}),
        Err(_) => return invalid("the body is not JSON"),
    };
    let answered = match (asked.method.as_str(), path) {
        ("GET", "") | ("POST", "/page") => Ok(crm.page(asked)),
        ("GET", "/stats") => Ok(stats(crm)),
        ("DELETE", "/stats") => {
            crm.desk().stats.clear();
            Ok(done())
        }
        ("DELETE", "/faults") => {
            crm.desk().faults.set(Vec::new());
            Ok(done())
        }
        ("GET", path) if path.starts_with("/records/") => {
            let lines = crm.records(path.trim_start_matches("/records/"));
            lines.map(|lines| Reply::text(200, "application/x-ndjson", lines)).ok_or_else(no_object)
        }
        ("POST", path) => commanded(crm, asked, path, body),
        _ => Err(nothing_here()),
    };
    answered.unwrap_or_else(|refusal| refusal)
}

fn commanded(crm: &mut impl Commanded, asked: &Asked, path: &str, body: Json) -> Result<Reply, Reply> {
    match path {
        "/token" => {
            let wanted: TokenBody = read(body)?;
            Ok(Reply::json(200, &crm.granted(asked, wanted.scope, wanted.expires_in)))
        }
        "/token/expire" => {
            crm.expire_tokens();
            Ok(done())
        }
        "/token/revoke" => {
            crm.revoke_grants();
            Ok(done())
        }
        "/faults" => {
            let faults: FaultsBody = read(body)?;
            crm.desk().faults.set(faults.rules);
            Ok(done())
        }
        "/limits" => limits(crm, &body),
        "/clock" => clock(crm, body),
        "/settings" => settings(crm, body),
        "/edit" => crm.edit(read(body)?),
        "/reset" => reset(crm, &read(body)?),
        path => crm.own_command(path, &body).unwrap_or_else(|| Err(nothing_here())),
    }
}

fn stats(crm: &mut impl Commanded) -> Reply {
    let records = crm.living();
    let (calls, by_operation) = crm.desk().stats.report();
    Reply::json(200, &json!({ "calls": calls, "byOperation": by_operation, "records": records }))
}

fn limits(crm: &mut impl Commanded, body: &Json) -> Result<Reply, Reply> {
    let members = body.as_object().ok_or_else(|| invalid("the body is not an object"))?;
    let mut limits = crm.limits();
    for (name, value) in members {
        let value = value.clone();
        match name.as_str() {
            "daily" => limits.daily = read(value)?,
            "burst" => limits.burst = read(value)?,
            "search" => limits.search = read(value)?,
            other => return Err(invalid(&format!("unknown member {other}"))),
        }
    }
    crm.set_limits(limits);
    Ok(done())
}

fn clock(crm: &mut impl Commanded, body: Json) -> Result<Reply, Reply> {
    let wanted: ClockBody = serde_json::from_value(body).map_err(|_| invalid("set or advanceMs is wanted"))?;
    if let Some(set) = wanted.set {
        let at = set.as_i64().or_else(|| set.as_str().and_then(instant));
        crm.set_clock(at.ok_or_else(|| invalid("set is no instant"))?);
    }
    if let Some(advance) = wanted.advance_ms {
        crm.set_clock(crm.now().saturating_add(advance));
    }
    Ok(Reply::json(200, &json!({ "now": rfc3339(crm.now()) })))
}

fn settings(crm: &mut impl Commanded, body: Json) -> Result<Reply, Reply> {
    let mut merged = serde_json::to_value(crm.settings()).unwrap_or_default();
    let (Json::Object(members), Json::Object(given)) = (&mut merged, body) else {
        return Err(invalid("the body is not an object"));
    };
    members.extend(given);
    let settings: Settings = read(merged.clone())?;
    if settings.session_seconds < 1 || settings.bulk_delay_ms < 0 || settings.search_lag_ms < 0 {
        return Err(invalid("a time must not be negative"));
    }
    crm.set_settings(settings).map_err(invalid)?;
    Ok(Reply::json(200, &merged))
}

/// What the body leaves out is as the simulator was started.
fn reset(crm: &mut impl Commanded, wanted: &ResetBody) -> Result<Reply, Reply> {
    let started = crm.options().clone();
    let options = SimulatorOptions {
        seed: wanted.seed.unwrap_or(started.seed),
        accounts: wanted.accounts.unwrap_or(started.accounts),
        contacts: wanted.contacts.unwrap_or(started.contacts),
        opportunities: wanted.opportunities.unwrap_or(started.opportunities),
        ..started
    };
    if [options.accounts, options.contacts, options.opportunities].iter().any(|count| *count > MOST_RECORDS) {
        return Err(invalid("at most 1,000,000 records of an object are possible"));
    }
    match crm.reset(&options) {
        Ok(()) => Ok(done()),
        Err(error) => Err(Reply::json(500, &json!({ "error": error.to_string() }))),
    }
}

fn read<T: for<'d> Deserialize<'d>>(body: Json) -> Result<T, Reply> {
    serde_json::from_value(body).map_err(|error| invalid(&error.to_string()))
}

fn done() -> Reply {
    Reply::json(200, &json!({ "ok": true }))
}

/// The refusal of a command that cannot be carried out.
pub(super) fn invalid(message: &str) -> Reply {
    Reply::json(422, &json!({ "error": message }))
}

/// The refusal of an object that the CRM does not have.
fn no_object() -> Reply {
    Reply::json(404, &json!({ "error": "there is no such object" }))
}

fn nothing_here() -> Reply {
    Reply::json(404, &json!({ "error": "the control interface has nothing here" }))
}

/// Epoch milliseconds of an instant as a person may write it.
fn instant(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .ok()
        .map(|instant| instant.timestamp_millis())
}

/// RFC 3339 with milliseconds.
pub(super) fn rfc3339(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}
