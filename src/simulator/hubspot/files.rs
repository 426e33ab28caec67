//! The file manager over HTTP, and the host that files are loaded from (dossier 7).
//!
//! Left out: import from an address, and folders beyond making and reading one.

mod find;
mod store;
mod upload;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::PORTAL_ID;
use super::associations::id_of;
use super::portal::Portal;
use super::refusal::Refusal;
use super::request::Route;
use super::stamps::{instant, iso};
use super::world::World;
use crate::simulator::asked::{Asked, decoded};
use crate::simulator::digest::hex;
use crate::simulator::reply::Reply;
pub(super) use store::Files;
use store::{Access, File};
use upload::Form;

/// How long a signed address is good where nobody says, and the longest that it can be; seconds.
const SIGNED_S: i64 = 3600;
const LONGEST_S: i64 = 7 * 24 * 3600;

/// Answers what is under `/files`.
pub(super) fn answer(portal: &mut Portal, asked: &Asked, route: &Route) -> Result<Reply, Refusal> {
    match (asked.method.as_str(), route.texts().as_slice()) {
        ("POST", ["files"]) => upload::answer(portal, asked),
        ("GET", ["files", "search"]) => find::answer(portal, asked),
        ("GET", ["files", "stat", path @ ..]) => stat(portal, asked, &path.join("/")),
        ("GET", ["files", id]) => told(&portal.world, known(portal, id)?.id, 200, asked, portal.now()),
        ("PATCH", ["files", id]) => change(portal, asked, id),
        ("PUT", ["files", id]) => replace(portal, asked, id),
        ("DELETE", ["files", id] | ["files", id, "gdpr-delete"]) => {
            let file = known(portal, id)?.clone();
            upload::delete(&mut portal.world, file);
            Ok(Reply::empty(204))
        }
        ("GET", ["files", id, "signed-url"]) => sign(portal, asked, id),
        ("POST", ["folders"]) => make_folder(portal, asked),
        ("GET", ["folders", path @ ..]) if !path.is_empty() => folder(portal, &path.join("/")),
        (_, ["files"] | ["files", "search" | "stat"] | ["files", _] | ["files", _, "signed-url" | "gdpr-delete"]) => {
            Err(Refusal::not_allowed())
        }
        _ => Err(Refusal::nowhere()),
    }
}

fn known<'p>(portal: &'p Portal, id: &str) -> Result<&'p File, Refusal> {
    let found = id.parse().ok().and_then(|id| portal.world.files.get(id, portal.now()));
    found.ok_or_else(Refusal::not_found)
}

/// The answer that tells a file.
fn told(world: &World, id: u64, status: u16, asked: &Asked, now: i64) -> Result<Reply, Refusal> {
    let file = world.files.get(id, now).ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(status, &world.files.told(file, &asked.origin())))
}

fn stat(portal: &Portal, asked: &Asked, path: &str) -> Result<Reply, Refusal> {
    let files = &portal.world.files;
    if let Some(file) = files.at(path, portal.now()) {
        return Ok(Reply::json(200, &json!({ "file": files.told(file, &asked.origin()) })));
    }
    let folder = files.folder_at(path).and_then(|id| files.folder(id)).ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(200, &json!({ "folder": files.folder_told(folder) })))
}

/// What a request changes of a file; a replacement changes its bytes besides.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Changes {
    access: Option<Access>,
    name: Option<String>,
    parent_folder_id: Option<Json>,
    parent_folder_path: Option<String>,
    is_usable_in_content: Option<bool>,
    expires_at: Option<Json>,
    clear_expires: bool,
}

/// The file as the changes leave it.
fn changed(portal: &Portal, id: &str, changes: Changes) -> Result<File, Refusal> {
    let (files, now) = (&portal.world.files, portal.now());
    let mut file = known(portal, id)?.clone();
    file.access = changes.access.unwrap_or(file.access);
    file.usable_in_content = changes.is_usable_in_content.unwrap_or(file.usable_in_content);
    if let Some(at) = changes.expires_at.filter(|at| !at.is_null()) {
        let text = at.as_str().map_or_else(|| at.to_string(), str::to_owned);
        file.expires = instant(&text).ok_or_else(|| Refusal::invalid(format!("Invalid expiresAt {text}")))?;
    }
    if changes.clear_expires {
        file.expires = 0;
    }
    if let Some(name) = changes.name {
        if name.is_empty() || name.contains('/') {
            return Err(Refusal::invalid(format!("Invalid name {name}")));
        }
        file.name = name;
    }
    file.folder = match (changes.parent_folder_id.as_ref().and_then(id_of), changes.parent_folder_path) {
        (Some(id), None) => upload::known_folder(&portal.world, &id.to_string())?,
        (None, Some(path)) => files.folder_at(&path).ok_or_else(Refusal::not_found)?,
        (None, None) => file.folder,
        _ => return Err(Refusal::invalid("Only one of parentFolderId and parentFolderPath is possible")),
    };
    if files.named(file.folder, &file.full_name(), now).is_some_and(|other| other.id != file.id) {
        return Err(Refusal::new(409, "CONFLICT", format!("A file named {} is there already", file.full_name())));
    }
    file.updated = now;
    Ok(file)
}

fn change(portal: &mut Portal, asked: &Asked, id: &str) -> Result<Reply, Refusal> {
    let changes = serde_json::from_value(asked.json()?).map_err(|error| Refusal::malformed(&error.to_string()))?;
    let file = changed(portal, id, changes)?;
    let id = file.id;
    portal.world.refile(&file.line(false), |files| files.put(file));
    told(&portal.world, id, 200, asked, portal.now())
}

/// New bytes under the same id, name and address.
fn replace(portal: &mut Portal, asked: &Asked, id: &str) -> Result<Reply, Refusal> {
    known(portal, id)?;
    let mut form = Form::of(asked)?;
    let bytes = form.file()?;
    let changes: Changes = form.options()?.unwrap_or_default();
    let options = Changes { name: None, parent_folder_id: None, parent_folder_path: None, ..changes };
    let mut file = changed(portal, id, options)?;
    file.fill(bytes);
    let id = file.id;
    portal.world.refile(&file.line(true), |files| files.put(file));
    told(&portal.world, id, 200, asked, portal.now())
}

fn signature(portal: &Portal, file: &File, expires: i64) -> String {
    let digest = Sha256::digest(format!("hubspot:{}:file:{}:{expires}", portal.small.seed, file.id));
    hex(&digest)
}

/// An address that anybody may load a file from, for a while.
fn sign(portal: &Portal, asked: &Asked, id: &str) -> Result<Reply, Refusal> {
    let file = known(portal, id)?;
    let seconds = match asked.query("expirationSeconds").filter(|text| !text.is_empty()) {
        Some(text) => {
            let seconds = text.parse().ok().filter(|seconds| (1..=LONGEST_S).contains(seconds));
            seconds.ok_or_else(|| Refusal::invalid(format!("Invalid expirationSeconds {text}")))?
        }
        None => SIGNED_S,
    };
    let expires = portal.now() + seconds * 1000;
    let mut url = portal.world.files.url(file, &asked.origin()).ok_or_else(Refusal::not_found)?;
    url.query_pairs_mut()
        .append_pair("expires", &expires.to_string())
        .append_pair("signature", &signature(portal, file, expires));
    Ok(Reply::json(
        200,
        &json!({ "url": url, "expiresAt": iso(expires), "name": file.name, "extension": file.extension,
                 "type": file.type_name(), "size": file.bytes.len() }),
    ))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewFolder {
    name: String,
    parent_folder_id: Option<Json>,
    parent_path: Option<String>,
}

fn make_folder(portal: &mut Portal, asked: &Asked) -> Result<Reply, Refusal> {
    let wanted: NewFolder =
        serde_json::from_value(asked.json()?).map_err(|error| Refusal::malformed(&error.to_string()))?;
    if wanted.name.is_empty() || wanted.name.contains('/') {
        return Err(Refusal::invalid(format!("Invalid name {}", wanted.name)));
    }
    let now = portal.now();
    let world = &mut portal.world;
    let parent = match (wanted.parent_folder_id.as_ref().and_then(id_of), wanted.parent_path) {
        (Some(id), None) => upload::known_folder(world, &id.to_string())?,
        (None, path) => upload::make_folders(world, &path.unwrap_or_default(), now),
        _ => return Err(Refusal::invalid("Only one of parentFolderId and parentPath is possible")),
    };
    if world.files.child(parent, &wanted.name).is_some() {
        return Err(Refusal::new(409, "CONFLICT", format!("A folder named {} is there already", wanted.name)));
    }
    let id = upload::make_folder(world, parent, &wanted.name, now);
    let folder = world.files.folder(id).ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(201, &world.files.folder_told(folder)))
}

/// A folder by its id or its path.
fn folder(portal: &Portal, named: &str) -> Result<Reply, Refusal> {
    let files = &portal.world.files;
    let id = named.parse().ok().or_else(|| files.folder_at(named));
    let folder = id.and_then(|id| files.folder(id)).ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(200, &files.folder_told(folder)))
}

/// Whether a request is for the host of files and not for the API.
pub(super) fn is_hosted(asked: &Asked) -> bool {
    asked.path.starts_with("/hubfs/")
}

/// The bytes of a file: by its address where it is public, else by a signed one.
pub(super) fn hosted(portal: &Portal, asked: &Asked) -> Reply {
    let missing = || Reply::html(404, "<html><body><h1>Page not found</h1></body></html>");
    let parts: Vec<String> = asked.path.split('/').skip(2).map(decoded).collect();
    let Some((account, path)) = parts.split_first() else { return missing() };
    let found = portal.world.files.at(&path.join("/"), portal.now()).filter(|_| *account == PORTAL_ID.to_string());
    let Some(file) = found.filter(|_| asked.method == "GET") else { return missing() };
    match (asked.query("signature"), asked.query("expires").and_then(|at| at.parse().ok())) {
        (None, _) if !file.access.is_open() => return missing(),
        (Some(given), Some(expires)) if expires > portal.now() && given == signature(portal, file, expires) => {}
        (None, _) => {}
        _ => return Reply::html(403, "<html><body><h1>Access denied</h1></body></html>"),
    }
    Reply::bytes(file.content_type(), file.bytes.to_vec())
}
