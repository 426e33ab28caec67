//! Bulk API 2.0 (dossier 3): jobs that are asked for, done after a while, and fetched.

mod csv;
mod ingest;
mod query;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::assignment;
use super::ids::{Id, record_id};
use super::org::Org;
use super::rest::{members, not_allowed, not_found, stamp, version_number};
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Milliseconds that a job stays after its end (dossier 3.3).
const KEPT_MS: i64 = 7 * 24 * 3600 * 1000;

/// Jobs of one listing.
const LISTED: usize = 1000;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    Open,
    UploadComplete,
    InProgress,
    JobComplete,
    Failed,
    Aborted,
}

/// What became of a row of an ingest job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Outcome {
    Done { id: Id, created: bool },
    Refused { id: Option<Id>, error: String },
}

/// A job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Job {
    id: Id,
    ingests: bool,
    operation: String,
    object: String,
    external_id: Option<String>,
    /// The assignment rule that its rows go by; without one they go by none.
    #[serde(default)]
    assignment: Option<String>,
    soql: Option<String>,
    delimiter: String,
    line_ending: String,
    version: String,
    user: Id,
    created: i64,
    /// When it was last changed.
    changed: i64,
    /// When its work was asked for.
    began: i64,
    state: State,
    error: Option<String>,
    /// What was uploaded, or what was found.
    data: String,
    /// Where each found row ends in the data.
    ends: Vec<usize>,
    outcomes: Vec<Outcome>,
}

/// The jobs of an org.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    all: BTreeMap<Id, Job>,
    unwritten: BTreeSet<Id>,
}

impl Jobs {
    /// Lines for the journal: what changed since the last call.
    pub(super) fn take_unwritten(&mut self) -> Vec<String> {
        let ids = std::mem::take(&mut self.unwritten);
        let line = |id: &Id| match self.all.get(id) {
            Some(job) => json!({ "job": job }).to_string(),
            None => json!({ "dropJob": id }).to_string(),
        };
        ids.iter().map(line).collect()
    }

    /// Lines for a new journal: all that is there.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.all.values().map(|job| json!({ "job": job }).to_string())
    }

    /// Takes in a line of the journal.
    pub(super) fn replay(&mut self, entry: &Json) {
        if let Some(job) = entry.get("job").and_then(|job| Job::deserialize(job).ok()) {
            self.all.insert(job.id, job);
        }
        if let Some(id) = entry.get("dropJob").and_then(Json::as_str).and_then(Id::parse) {
            self.all.remove(&id);
        }
    }

    fn change(&mut self, id: &Id, work: impl FnOnce(&mut Job)) {
        if let Some(job) = self.all.get_mut(id) {
            work(job);
            self.unwritten.insert(*id);
        }
    }
}

impl Job {
    /// Its state as far as time alone has brought it: half of the delay it waits, half it works.
    fn state(&self, now: i64, delay: i64) -> State {
        let working = self.state == State::UploadComplete && now >= self.began + delay / 2 && now > self.began;
        if working { State::InProgress } else { self.state }
    }

    fn is_over(&self) -> bool {
        matches!(self.state, State::JobComplete | State::Failed | State::Aborted)
    }

    fn line_end(&self) -> &'static str {
        if self.line_ending == "CRLF" { "\r\n" } else { "\n" }
    }

    fn number(&self) -> Json {
        let number = self.version.trim_start_matches('v');
        serde_json::from_str(number).unwrap_or_default()
    }

    /// As it is told to its creator.
    fn told(&self, now: i64, delay: i64, whole: bool) -> Json {
        let mut told = Map::from_iter([
            ("id".to_owned(), json!(self.id)),
            ("operation".to_owned(), json!(self.operation)),
            ("object".to_owned(), json!(self.object)),
            ("createdById".to_owned(), json!(self.user)),
            ("createdDate".to_owned(), json!(stamp(self.created))),
            ("systemModstamp".to_owned(), json!(stamp(self.changed))),
            ("state".to_owned(), json!(self.state(now, delay))),
            ("concurrencyMode".to_owned(), json!("Parallel")),
            ("contentType".to_owned(), json!("CSV")),
            ("apiVersion".to_owned(), self.number()),
            ("lineEnding".to_owned(), json!(self.line_ending)),
            ("columnDelimiter".to_owned(), json!(self.delimiter)),
        ]);
        let mut add = |name: &str, value: Json| drop(told.insert(name.to_owned(), value));
        if self.ingests {
            if self.state == State::Open {
                add("contentUrl", json!(format!("services/data/{}/jobs/ingest/{}/batches", self.version, self.id)));
            }
            if let Some(rule) = &self.assignment {
                add("assignmentRuleId", json!(rule));
            }
            if let Some(field) = &self.external_id {
                add("externalIdFieldName", json!(field));
            }
        }
        if whole {
            let taken = if self.is_over() { (self.changed - self.began).max(0) } else { 0 };
            let refused = self.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Refused { .. })).count();
            let processed = if self.ingests { self.outcomes.len() } else { self.ends.len() };
            add("jobType", json!(if self.ingests { "V2Ingest" } else { "V2Query" }));
            add("numberRecordsProcessed", json!(processed));
            add("retries", json!(0));
            add("totalProcessingTime", json!(taken));
            if self.ingests {
                add("numberRecordsFailed", json!(refused));
                add("apexProcessingTime", json!(0));
                add("apiActiveProcessingTime", json!(taken));
            } else {
                add("isPkChunkingSupported", json!(true));
            }
            if let Some(error) = &self.error {
                add("errorMessage", json!(error));
            }
        }
        Json::Object(told)
    }
}

/// Answers what is under `jobs`.
pub(super) fn answer(org: &mut Org, asked: &Asked, version: &str, method: &str, rest: &[&str], user: &str) -> Reply {
    let (ingests, rest) = match rest {
        [kind, rest @ ..] if kind.eq_ignore_ascii_case("query") => (false, rest),
        [kind, rest @ ..] if kind.eq_ignore_ascii_case("ingest") => (true, rest),
        _ => return not_found(),
    };
    let [name, rest @ ..] = rest else {
        return match method {
            "GET" => listed(org, asked, version, ingests),
            "POST" => created(org, asked, version, ingests, user),
            _ => not_allowed(),
        };
    };
    let Some(job) = Id::parse(name).and_then(|id| org.jobs.all.get(&id)).filter(|job| job.ingests == ingests) else {
        return Reply::error(404, "NOT_FOUND", "The requested resource does not exist");
    };
    let id = job.id;
    match (method, rest) {
        ("GET", []) => Reply::json(200, &job.told(org.now(), org.small.settings.bulk_delay_ms, true)),
        ("PATCH", []) => patched(org, asked, id),
        ("DELETE", []) => deleted(org, id),
        (method, [part]) if ingests => ingest::part(org, asked, method, &part.to_ascii_lowercase(), id),
        ("GET", [part]) if part.eq_ignore_ascii_case("results") => query::results(job, asked, version),
        ("GET", [part]) if part.eq_ignore_ascii_case("resultPages") => query::pages(job, version),
        _ => not_found(),
    }
}

/// Does the jobs whose time has come, and forgets those that are long over.
pub(super) fn tick(org: &mut Org) {
    let (now, delay) = (org.now(), org.small.settings.bulk_delay_ms);
    let waiting = |job: &&Job| job.state == State::UploadComplete && now >= job.began.saturating_add(delay);
    let due: Vec<Id> = org.jobs.all.values().filter(waiting).map(|job| job.id).collect();
    for id in due {
        let Some(job) = org.jobs.all.get(&id).cloned() else { continue };
        let at = job.began.saturating_add(delay).min(now);
        let done = if job.ingests { ingest::done(org, job, at) } else { query::done(org, job, at) };
        org.jobs.change(&id, |job| *job = Job { changed: at, ..done });
    }
    let over = |job: &&Job| job.is_over() && job.changed < now - KEPT_MS;
    let old: Vec<Id> = org.jobs.all.values().filter(over).map(|job| job.id).collect();
    for id in old {
        org.jobs.all.remove(&id);
        org.jobs.unwritten.insert(id);
    }
}

fn created(org: &mut Org, asked: &Asked, version: &str, ingests: bool, user: &str) -> Reply {
    let body = match members(asked) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let text = |name: &str| body.get(name).and_then(Json::as_str).map(str::to_owned);
    let operation = text("operation").unwrap_or_default();
    let delimiter = text("columnDelimiter").unwrap_or_else(|| "COMMA".to_owned());
    let line_ending = text("lineEnding").unwrap_or_else(|| "LF".to_owned());
    if text("contentType").is_some_and(|kind| kind != "CSV")
        || csv::delimiter(&delimiter).is_none()
        || !matches!(line_ending.as_str(), "LF" | "CRLF")
    {
        return Reply::error(400, "INVALIDJOB", "contentType, columnDelimiter or lineEnding is not supported");
    }
    if text("assignmentRuleId").is_some_and(|id| assignment::named(&id, &org.small.rules).is_none()) {
        return Reply::error(400, "INVALIDJOB", "assignmentRuleId names no assignment rule");
    }
    let wanted = if ingests { ingest::wanted(&body) } else { query::wanted(&body, &org.security_of(user).hidden) };
    let (object, soql) = match wanted {
        Ok(wanted) => wanted,
        Err(reply) => return reply,
    };
    let now = org.now();
    org.small.serial += 1;
    org.touch();
    let job = Job {
        id: record_id("750", org.small.serial),
        ingests,
        operation,
        object: object.to_owned(),
        external_id: text("externalIdFieldName"),
        assignment: text("assignmentRuleId"),
        soql,
        delimiter,
        line_ending,
        version: version.to_owned(),
        user: org.by(user).user,
        created: now,
        changed: now,
        began: now,
        state: if ingests { State::Open } else { State::UploadComplete },
        error: None,
        data: String::new(),
        ends: Vec::new(),
        outcomes: Vec::new(),
    };
    let told = job.told(now, i64::MAX, false);
    org.jobs.unwritten.insert(job.id);
    org.jobs.all.insert(job.id, job);
    Reply::json(200, &told)
}

fn listed(org: &Org, asked: &Asked, version: &str, ingests: bool) -> Reply {
    let (now, delay) = (org.now(), org.small.settings.bulk_delay_ms);
    let after = asked.query("queryLocator").and_then(|text| Id::parse(&text)).unwrap_or(Id::FIRST);
    let kind = asked.query("jobType");
    let own = if ingests { "V2Ingest" } else { "V2Query" };
    let mut jobs = org.jobs.all.range(after..).map(|(_, job)| job).filter(|job| job.ingests == ingests);
    let none = kind.is_some_and(|kind| kind != own && kind != "All");
    let shown: Vec<Json> =
        jobs.by_ref().take(if none { 0 } else { LISTED }).map(|job| job.told(now, delay, false)).collect();
    let next = if none { None } else { jobs.next() };
    let kind = if ingests { "ingest" } else { "query" };
    let url = next.map(|job| format!("/services/data/{version}/jobs/{kind}?queryLocator={}", job.id));
    Reply::json(200, &json!({ "done": url.is_none(), "records": shown, "nextRecordsUrl": url }))
}

fn patched(org: &mut Org, asked: &Asked, id: Id) -> Reply {
    let body = match members(asked) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let (now, delay) = (org.now(), org.small.settings.bulk_delay_ms);
    let Some(job) = org.jobs.all.get(&id) else { return not_found() };
    let wanted = match body.get("state").and_then(Json::as_str) {
        Some("Aborted") => State::Aborted,
        Some("UploadComplete") if job.ingests => State::UploadComplete,
        _ => return Reply::error(400, "INVALIDJOB", "state must be UploadComplete or Aborted"),
    };
    let possible = match wanted {
        State::Aborted => !job.is_over(),
        _ => job.state == State::Open,
    };
    if !possible {
        let message = format!("Aborting or closing is not possible in state {:?}", job.state(now, delay));
        return Reply::error(400, "INVALIDJOBSTATE", &message);
    }
    org.jobs.change(&id, |job| {
        job.state = wanted;
        (job.changed, job.began) = (now, now);
    });
    match org.jobs.all.get(&id) {
        Some(job) => Reply::json(200, &job.told(now, i64::MAX, false)),
        None => not_found(),
    }
}

fn deleted(org: &mut Org, id: Id) -> Reply {
    if org.jobs.all.get(&id).is_some_and(|job| !job.is_over()) {
        return Reply::error(400, "INVALIDJOBSTATE", "A job can be deleted when it is complete, failed or aborted.");
    }
    org.jobs.all.remove(&id);
    org.jobs.unwritten.insert(id);
    Reply::empty(204)
}

/// The refusal of results in another version than the job's (dossier 3.1).
fn wrong_version(job: &Job, version: &str) -> Option<Reply> {
    let differs = version_number(version) != version_number(&job.version);
    let message = format!("The job was created with API version {}", job.version.trim_start_matches('v'));
    differs.then(|| Reply::error(409, "API_VERSION_MISMATCH", &message))
}

/// The refusal of results of a job that has none yet.
fn not_complete(job: &Job) -> Option<Reply> {
    let message = format!("Job is not complete: its state is {:?}", job.state);
    (job.state != State::JobComplete).then(|| Reply::error(400, "INVALIDJOBSTATE", &message))
}
