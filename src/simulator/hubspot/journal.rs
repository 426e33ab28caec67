//! The webhooks journal: what the application reads, instead of being posted to, of the accounts that have installed it
//! (dossier 5.5). Here: its pages, the files that they lead to, and what is under `subscriptions` and `snapshots`.
//!
//! Left out: lists, so that a subscription to their members is kept and told, and nothing ever happens to it.
//! Invariant: a page is written together with the changes that it tells of.

mod events;
mod feed;
mod filters;
mod snapshots;
mod subscriptions;

use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::PORTAL_ID;
use super::batch::finished;
use super::portal::Portal;
use super::refusal::Refusal;
use super::request::Route;
use super::stamps::{DAY_MS, iso};
use super::webhooks::missing;
use crate::simulator::asked::Asked;
use crate::simulator::digest::hex;
use crate::simulator::reply::Reply;
pub(super) use events::of as events;
pub(super) use feed::{Feed, Page};
use filters::Filters;
use snapshots::Snapshots;
pub(super) use snapshots::take as take_snapshots;
use subscriptions::Subscriptions;

/// Pages are kept for so long.
pub(super) const RETENTION_MS: i64 = 3 * DAY_MS;

/// Where the files of pages are; nothing under the journal's paths counts against a limit.
const FILES: &str = "/webhooks-journal-files/";

/// How long the address of a file is good, milliseconds.
const ADDRESS_MS: i64 = 5 * 60 * 1000;

/// Most events of a file, and pages of a batch.
const MOST_EVENTS: usize = 10_000;
const MOST_PAGES: usize = 100;

/// What the application has asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Registry {
    subscriptions: Subscriptions,
    filters: Filters,
    snapshots: Snapshots,
}

/// Whether a request counts against no limit.
pub(super) fn is_exempt(asked: &Asked) -> bool {
    asked.path.starts_with("/webhooks-journal/") || is_hosted(asked)
}

/// Whether a request is for the host of pages' files and not for the API.
pub(super) fn is_hosted(asked: &Asked) -> bool {
    asked.path.starts_with(FILES)
}

/// Answers what is under `subscriptions`.
pub(super) fn subscriptions(portal: &mut Portal, asked: &Asked, route: &Route) -> Result<Reply, Refusal> {
    match route.texts().as_slice() {
        ["filters", rest @ ..] => filters::answer(portal, asked, rest),
        rest => subscriptions::answer(portal, asked, rest),
    }
}

/// Answers what is under `snapshots`.
pub(super) fn snapshots(portal: &mut Portal, asked: &Asked, route: &Route) -> Result<Reply, Refusal> {
    match (asked.method.as_str(), route.texts().as_slice()) {
        ("POST", ["crm"]) => snapshots::ask(portal, asked),
        (_, ["crm"]) => Err(Refusal::not_allowed()),
        _ => Err(Refusal::nowhere()),
    }
}

/// Answers what is under `journal` and `journal-local`: with one account both are the same.
pub(super) fn entries(portal: &Portal, asked: &Asked, route: &Route) -> Result<Reply, Refusal> {
    let parts = route.texts();
    if let ["status", id] = parts.as_slice() {
        return if asked.method == "GET" { snapshots::status(portal, id) } else { Err(Refusal::not_allowed()) };
    }
    let here = is_here(asked)?;
    let feed = &portal.feed;
    match (asked.method.as_str(), parts.as_slice()) {
        ("GET", ["earliest"]) => Ok(one(portal, asked, feed.all().next().filter(|_| here))),
        ("GET", ["latest"]) => Ok(one(portal, asked, feed.all().next_back().filter(|_| here))),
        ("GET", ["offset", offset, "next"]) => {
            let next = feed.after(offset).ok_or_else(|| unknown(offset))?.next();
            Ok(one(portal, asked, next.filter(|_| here)))
        }
        ("GET", ["batch", "earliest", count]) => {
            let pages: Vec<&Page> = feed.all().take(number(count)?).filter(|_| here).collect();
            Ok(several(portal, asked, &pages))
        }
        ("GET", ["batch", "latest", count]) => {
            let mut pages: Vec<&Page> = feed.all().rev().take(number(count)?).filter(|_| here).collect();
            pages.reverse();
            Ok(several(portal, asked, &pages))
        }
        ("GET", ["batch", offset, "next", count]) => {
            let after = feed.after(offset).ok_or_else(|| unknown(offset))?;
            let pages: Vec<&Page> = after.take(number(count)?).filter(|_| here).collect();
            Ok(several(portal, asked, &pages))
        }
        ("POST", ["batch", "read"]) => read(portal, asked, here),
        (_, ["earliest" | "latest"] | ["offset", _, "next"] | ["batch", ..]) => Err(Refusal::not_allowed()),
        _ => Err(Refusal::nowhere()),
    }
}

/// Whether a request is about this account, or about every account.
fn is_here(asked: &Asked) -> Result<bool, Refusal> {
    match asked.query("installPortalId").filter(|text| !text.is_empty()) {
        None => Ok(true),
        Some(text) => match text.parse::<u64>() {
            Ok(portal) => Ok(portal == PORTAL_ID),
            Err(_) => Err(Refusal::invalid(format!("Invalid installPortalId {text}"))),
        },
    }
}

fn number(count: &str) -> Result<usize, Refusal> {
    let number = count.parse().ok().filter(|number| (1..=MOST_PAGES).contains(number));
    number.ok_or_else(|| Refusal::invalid(format!("count must be between 1 and {MOST_PAGES}: {count}")))
}

/// The refusal of an offset that nobody was told, or that is too old.
fn unknown(offset: &str) -> Refusal {
    Refusal::new(404, "OBJECT_NOT_FOUND", format!("Offset {offset} does not exist or has expired"))
        .with_context("offset", &[offset.to_owned()])
}

fn one(portal: &Portal, asked: &Asked, page: Option<&Page>) -> Reply {
    page.map_or_else(|| Reply::empty(204), |page| Reply::json(200, &told(portal, asked, page)))
}

fn several(portal: &Portal, asked: &Asked, pages: &[&Page]) -> Reply {
    if pages.is_empty() {
        return Reply::empty(204);
    }
    let results = pages.iter().map(|page| told(portal, asked, page)).collect();
    finished(portal.now(), 200, results, Vec::new())
}

fn read(portal: &Portal, asked: &Asked, here: bool) -> Result<Reply, Refusal> {
    let body = asked.members()?;
    let inputs = body.get("inputs").and_then(Json::as_array).filter(|inputs| !inputs.is_empty());
    let inputs = inputs.ok_or_else(|| missing("inputs"))?;
    if inputs.len() > MOST_PAGES {
        return Err(Refusal::invalid(format!("A batch has at most {MOST_PAGES} inputs")));
    }
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in inputs {
        let offset = input.as_str().ok_or_else(|| Refusal::malformed("an offset must be a text"))?;
        match portal.feed.get(offset).filter(|_| here) {
            Some(page) => results.push(told(portal, asked, page)),
            None => errors.push(unknown(offset).entry(None)),
        }
    }
    Ok(finished(portal.now(), 200, results, errors))
}

fn told(portal: &Portal, asked: &Asked, page: &Page) -> Json {
    let expires = portal.now() + ADDRESS_MS;
    let signature = signature(portal, &page.offset, expires);
    let url = format!("{}{FILES}{}.json?expires={expires}&signature={signature}", asked.origin(), page.offset);
    json!({ "url": url, "expiresAt": iso(expires), "currentOffset": page.offset })
}

fn signature(portal: &Portal, offset: &str, expires: i64) -> String {
    hex(&Sha256::digest(format!("hubspot:{}:page:{offset}:{expires}", portal.small.seed)))
}

/// The file of a page: whoever has its address may load it, for a while.
pub(super) fn hosted(portal: &Portal, asked: &Asked) -> Reply {
    let refused =
        |status: u16, code: &str| Reply::text(status, "application/xml", format!("<Error><Code>{code}</Code></Error>"));
    let offset = asked.path.strip_prefix(FILES).and_then(|name| name.strip_suffix(".json")).unwrap_or_default();
    let expires: i64 = asked.query("expires").and_then(|at| at.parse().ok()).unwrap_or_default();
    let signed = asked.query("signature").is_some_and(|given| given == signature(portal, offset, expires));
    if asked.method != "GET" || !signed || expires <= portal.now() {
        return refused(403, "AccessDenied");
    }
    match portal.feed.get(offset) {
        Some(page) => Reply::json(200, &page.file()),
        None => refused(404, "NoSuchKey"),
    }
}

/// Pages of events, oldest first; they are not in the journal before they are written.
pub(super) fn pages(portal: &Portal, events: &[Json]) -> Vec<Page> {
    let serials = portal.feed.serial() + 1..;
    let pages = events.chunks(MOST_EVENTS).zip(serials).filter_map(|(events, serial)| {
        let offset = portal.uuid(&format!("page:{serial}"));
        Some(Page { serial, offset, published: portal.now(), events: to_raw_value(events).ok()? })
    });
    pages.collect()
}

/// Tells of what no record goes through: it is written with whatever is written next.
fn publish(portal: &mut Portal, events: &[Json]) {
    let pages = pages(portal, events);
    portal.feed.publish(pages);
}

/// The account has installed the application, or taken it out.
pub(super) fn installed(portal: &mut Portal, installed: bool) {
    if portal.small.installed == installed {
        return;
    }
    portal.small.installed = installed;
    portal.touch();
    let told = events::lifecycle(portal, installed);
    publish(portal, &told);
}
