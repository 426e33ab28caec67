//! The search over files (dossier 7): every parameter of the address is a condition, and all of them hold.

use std::cmp::Ordering;

use serde_json::{Value as Json, json};

use super::super::portal::Portal;
use super::super::refusal::Refusal;
use super::super::stamps::instant;
use super::store::{File, Files};
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Files of a page.
const USUAL: usize = 10;
const MOST: usize = 100;

/// Answers a search.
pub(super) fn answer(portal: &Portal, asked: &Asked) -> Result<Reply, Refusal> {
    let (files, origin) = (&portal.world.files, asked.origin());
    let limit = asked.limit(USUAL, MOST)?;
    let after = match asked.query("after").filter(|after| !after.is_empty()) {
        Some(after) => after.parse().map_err(|_| Refusal::invalid(format!("Invalid cursor {after}")))?,
        None => 0,
    };
    let (ids, folders) = (asked.list("ids"), asked.list("parentFolderIds"));
    let listed = |list: &[String], id: u64| list.is_empty() || list.contains(&id.to_string());
    let conditions: Vec<(String, String)> = asked.query_pairs().filter(|(_, value)| !value.is_empty()).collect();
    let fits = |file: &&File| {
        listed(&ids, file.id)
            && listed(&folders, file.folder)
            && conditions.iter().all(|(name, value)| meets(files, file, &origin, name, value))
    };
    let mut found: Vec<&File> = files.living(portal.now()).filter(fits).collect();
    for sort in asked.list("sort").iter().rev() {
        let (name, down) = sort.strip_prefix('-').map_or((sort.as_str(), false), |name| (name, true));
        let order = order(name).ok_or_else(|| Refusal::invalid(format!("Invalid sort {name}")))?;
        found.sort_by(|a, b| if down { order(b, a) } else { order(a, b) });
    }
    let page: Vec<Json> = found.iter().skip(after).take(limit).map(|file| files.told(file, &origin)).collect();
    let mut body = json!({ "results": page });
    let next = after.saturating_add(limit);
    if next < found.len() {
        body["paging"] = json!({ "next": { "after": next.to_string(), "link": asked.link(&next.to_string()) } });
    }
    Ok(Reply::json(200, &body))
}

fn meets(files: &Files, file: &File, origin: &str, name: &str, wanted: &str) -> bool {
    let (field, bound) = match (name.strip_suffix("Lte"), name.strip_suffix("Gte")) {
        (Some(field), _) => (field, Some(Ordering::Greater)),
        (_, Some(field)) => (field, Some(Ordering::Less)),
        _ => (name, None),
    };
    let number = |held: i64, wanted: Option<i64>| match (wanted.map(|wanted| held.cmp(&wanted)), bound) {
        (Some(order), Some(beyond)) => order != beyond,
        (Some(order), None) => order.is_eq(),
        (None, _) => false,
    };
    let whole = |held: u64| number(i64::try_from(held).unwrap_or(i64::MAX), wanted.parse().ok());
    let truth = |held: bool| wanted.eq_ignore_ascii_case(&held.to_string());
    match field {
        "id" => whole(file.id),
        "size" => whole(file.bytes.len() as u64),
        "createdAt" => number(file.created, instant(wanted)),
        "updatedAt" => number(file.updated, instant(wanted)),
        "expiresAt" => file.expires != 0 && number(file.expires, instant(wanted)),
        // Nothing is known of the size of a picture.
        "height" | "width" => false,
        "name" => file.name.to_lowercase().contains(&wanted.to_lowercase()),
        "path" => files.path(file) == wanted,
        "url" => files.url(file, origin).is_some_and(|url| url.as_str() == wanted),
        "encoding" => file.encoding.as_deref() == Some(wanted),
        "type" => file.type_name().eq_ignore_ascii_case(wanted),
        "extension" => file.extension.eq_ignore_ascii_case(wanted),
        "fileMd5" => file.md5 == wanted,
        "isUsableInContent" => truth(file.usable_in_content),
        "allowsAnonymousAccess" => truth(file.access.is_open()),
        _ => true,
    }
}

fn order(name: &str) -> Option<fn(&File, &File) -> Ordering> {
    Some(match name {
        "id" => |a, b| a.id.cmp(&b.id),
        "name" => |a, b| a.name.cmp(&b.name),
        "size" => |a, b| a.bytes.len().cmp(&b.bytes.len()),
        "createdAt" => |a, b| a.created.cmp(&b.created),
        "updatedAt" => |a, b| a.updated.cmp(&b.updated),
        _ => return None,
    })
}
