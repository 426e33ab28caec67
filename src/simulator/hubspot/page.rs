//! Pages for people, complete without scripts: what is in the account, what was asked of it, its clock.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use super::control;
use super::oauth;
use super::portal::Portal;
use super::record::Record;
use super::shape;
use super::types::{COMPANIES, CONTACTS, DEALS, NOTES};
use crate::simulator::asked::Asked;
use crate::simulator::page::{self, escape, grouped, see_other, time};
use crate::simulator::reply::Reply;

/// Records on one page.
const SHOWN: usize = 50;

/// Properties that a list shows.
const COLUMNS: usize = 4;

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3600 * 1000;

/// A type as the pages show it; the first properties are the list's columns.
struct Sheet<'p> {
    kind: usize,
    properties: Vec<&'p str>,
}

/// The CRM's own types as the pages show them.
const SHEETS: [(usize, &[&str]); 4] = [
    (
        COMPANIES,
        &[
            "name",
            "domain",
            "industry",
            "phone",
            "numberofemployees",
            "annualrevenue",
            "address",
            "city",
            "state",
            "zip",
            "country",
            "description",
        ],
    ),
    (
        CONTACTS,
        &[
            "email",
            "firstname",
            "lastname",
            "phone",
            "mobilephone",
            "jobtitle",
            "company",
            "address",
            "city",
            "state",
            "zip",
            "country",
            "lifecyclestage",
        ],
    ),
    (DEALS, &["dealname", "dealstage", "amount", "closedate", "pipeline", "description"]),
    (NOTES, &["hs_note_body", "hs_timestamp"]),
];

/// Every type that the pages show, those of the account's own behind the others.
fn sheets(portal: &Portal) -> Vec<Sheet<'_>> {
    let meta = &portal.world.meta;
    let own =
        meta.types.iter().zip(&meta.definitions).enumerate().filter(|(_, (of, _))| of.schema.is_some() && of.lives());
    let own = own.map(|(kind, (_, definitions))| {
        let shown = definitions.properties.iter().filter(|property| !property.standard && property.archived == 0);
        Sheet { kind, properties: shown.map(|property| property.name.as_str()).collect() }
    });
    SHEETS.into_iter().map(|(kind, properties)| Sheet { kind, properties: properties.to_vec() }).chain(own).collect()
}

fn sheet_named<'p>(portal: &'p Portal, object: &str) -> Option<Sheet<'p>> {
    let kind = portal.world.meta.types.named(object)?;
    sheets(portal).into_iter().find(|sheet| sheet.kind == kind)
}

/// The page at `/`: the overview, a list, or a record's form.
pub(super) fn answer(portal: &Portal, asked: &Asked) -> Reply {
    let types = &portal.world.meta.types;
    let sheet = asked.query("object").and_then(|object| sheet_named(portal, &object));
    let (title, body) = match (sheet, asked.query("id")) {
        (Some(sheet), Some(id)) => (&*types[sheet.kind].singular, form(portal, &sheet, &id, None)),
        (Some(sheet), None) => (&*types[sheet.kind].plural, list(portal, &sheet, asked)),
        (None, _) => ("HubSpot simulator", overview(portal)),
    };
    shown(200, title, &body)
}

/// The page where a person allows or denies an application.
pub(super) fn consent(hidden: &str, scopes: &str) -> Reply {
    let scopes: String = scopes.split_whitespace().map(|scope| format!("<li>{}</li>", escape(scope))).collect();
    let body = format!(
        "<section class=\"consent\"><h1>Allow access?</h1><p class=\"sentence\"><strong>Crosstie</strong> asks for:</p>\
         <ul>{scopes}</ul><p class=\"small\">You are Crosstie Integration, integration@kestrel.example.</p><br>\
         <form class=\"row\" method=\"post\" action=\"/oauth/authorize\">{hidden}\
         <button class=\"btn btn-main\" name=\"decision\" value=\"allow\">Allow</button>\
         <button class=\"btn\" name=\"decision\" value=\"deny\">Deny</button></form></section>"
    );
    shown(200, "Allow access?", &body)
}

/// The page that says why nothing can be allowed.
pub(super) fn problem(sentence: &str) -> Reply {
    let body = format!("<section class=\"consent\"><h1>Authorization failed</h1><p>{}</p></section>", escape(sentence));
    shown(400, "Authorization failed", &body)
}

fn shown(status: u16, title: &str, body: &str) -> Reply {
    page::framed("HubSpot", status, title, body)
}

fn overview(portal: &Portal) -> String {
    let mut body = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        body,
        "<div class=\"head\"><div><h1>HubSpot simulator</h1><p class=\"sentence\"><strong>{} invented records</strong>, \
         account {}. {}</p></div><div class=\"row\">{}</div></div><div class=\"grid\"><div>\
         <section class=\"card\"><header class=\"card-head\"><h2>Records</h2><span class=\"small\">seed <code>{}</code></span></header>\
         <table><thead><tr><th scope=\"col\">Object</th><th scope=\"col\" class=\"r\">Records</th>\
         <th scope=\"col\" class=\"r wide\">Archived</th><th></th></tr></thead><tbody>",
        grouped(portal.world.tables.iter().map(|table| table.living as u64).sum()),
        super::PORTAL_ID,
        page::faults(portal.desk.faults.rules().len()),
        button("reset", "Reset world"),
        portal.small.seed,
    );
    for sheet in sheets(portal) {
        let table = &portal.world.tables[sheet.kind];
        let object = &portal.world.meta.types[sheet.kind].plural;
        let _ = write!(
            body,
            "<tr><th scope=\"row\"><code>{object}</code></th><td class=\"r\">{}</td><td class=\"r wide\">{}</td>\
             <td class=\"r\"><a class=\"btn btn-sm btn-quiet\" href=\"/?object={object}\" aria-label=\"Open {object}\">Open</a> \
             <a class=\"btn btn-sm\" href=\"/?object={object}&amp;id=new\" aria-label=\"Add to {object}\">Add</a></td></tr>",
            table.living,
            table.records.len() - table.living,
        );
    }
    body.push_str("</tbody></table></section>");
    requests(&mut body, portal);
    let _ = write!(
        body,
        "</div><div><section class=\"card\"><header class=\"card-head\"><h2>Clock</h2></header><div class=\"card-body\">\
         <p class=\"clock\">{}</p><p class=\"small\">{} UTC</p><br><div class=\"row\">{}{}{}</div></div></section>\
         <section class=\"card\"><header class=\"card-head\"><h2>Sign-in</h2></header><div class=\"card-body row\">{}{}</div></section></div></div>",
        time(portal.now(), "%H:%M:%S"),
        time(portal.now(), "%a %-d %b %Y"),
        button("hour", "Forward 1 hour"),
        button("day", "Forward 1 day"),
        button("now", "Back to now"),
        button("expire", "Expire access tokens"),
        button("revoke", "Revoke sign-in"),
    );
    body
}

/// A form of one button.
fn button(action: &str, label: &str) -> String {
    format!(
        "<form method=\"post\" action=\"/_simulator/page\"><button class=\"btn btn-sm\" name=\"action\" value=\"{action}\">{label}</button></form>"
    )
}

fn requests(body: &mut String, portal: &Portal) {
    let _ = write!(
        body,
        "<section class=\"card\"><header class=\"card-head\"><h2>Requests</h2><span class=\"small\">{} since start</span></header>",
        grouped(portal.desk.arrived)
    );
    if portal.desk.recent.is_empty() {
        body.push_str("<p class=\"card-body small\">Nobody has asked anything yet.</p></section>");
        return;
    }
    body.push_str("<ol class=\"lines\">");
    for seen in portal.desk.recent.iter().rev() {
        let (class, status) = match (seen.lost, seen.status) {
            (true, _) => ("bad", "lost".to_owned()),
            (false, status @ 400..) => ("bad", status.to_string()),
            (false, status) => ("faint", status.to_string()),
        };
        let _ = write!(
            body,
            "<li><span class=\"faint\">{}</span><span>{}</span><span title=\"{path}\">{path}</span>\
             <span class=\"{class}\">{status}</span><span class=\"faint r\">{} ms</span></li>",
            time(seen.at, "%H:%M:%S%.3f"),
            escape(&seen.method),
            seen.took_ms,
            path = escape(&seen.path),
        );
    }
    body.push_str("</ol></section>");
}

fn list(portal: &Portal, sheet: &Sheet<'_>, asked: &Asked) -> String {
    let search = asked.query("q").unwrap_or_default();
    let archived = asked.query("bin").is_some();
    let wanted = search.to_lowercase();
    let fits = |record: &&Record| {
        (record.archived != 0) == archived
            && (wanted.is_empty() || record.values().any(|(_, value)| value.to_lowercase().contains(&wanted)))
    };
    let records = portal.world.tables[sheet.kind].records.values();
    let mut found: Vec<&Record> = records.filter(fits).collect();
    found.sort_by_key(|record| std::cmp::Reverse((record.modified, record.id)));
    let object = &portal.world.meta.types[sheet.kind].plural;
    let mut body = String::new();
    let _ = write!(
        body,
        "<div class=\"head\"><div><h1>{object}{}</h1><p class=\"sentence\"><strong>{} records</strong>, last changed first.</p></div>\
         <form class=\"row\"><input type=\"hidden\" name=\"object\" value=\"{object}\">\
         <input name=\"q\" aria-label=\"Find\" placeholder=\"Find\" value=\"{}\"><button class=\"btn\">Find</button>\
         <a class=\"btn\" href=\"/?object={object}{}\">{}</a>\
         <a class=\"btn btn-main\" href=\"/?object={object}&amp;id=new\">Add</a></form></div>\
         <section class=\"card\"><table><thead><tr>",
        if archived { " (archived)" } else { "" },
        found.len(),
        escape(&search),
        if archived { "" } else { "&amp;bin=1" },
        if archived { "Living records" } else { "Archived" },
    );
    let columns = &sheet.properties[..COLUMNS.min(sheet.properties.len())];
    for column in columns {
        let _ = write!(body, "<th scope=\"col\">{column}</th>");
    }
    body.push_str("<th scope=\"col\">Changed</th></tr></thead><tbody>");
    for record in found.iter().take(SHOWN) {
        body.push_str("<tr>");
        for (place, column) in columns.iter().enumerate() {
            let value = shape::value(&portal.world, sheet.kind, record, column).unwrap_or_default();
            let text = if value.trim().is_empty() { "(empty)".to_owned() } else { escape(&value) };
            let _ = if place == 0 {
                let id = record.id;
                write!(body, "<th scope=\"row\"><a href=\"/?object={object}&amp;id={id}\">{text}</a></th>")
            } else {
                write!(body, "<td>{}</td>", escape(&value))
            };
        }
        let _ = write!(body, "<td class=\"small\">{}</td></tr>", time(record.modified, "%-d %b %Y %H:%M:%S"));
    }
    body.push_str("</tbody></table></section>");
    body
}

/// The form of one record, or of a new one; with the reason why it was refused.
fn form(portal: &Portal, sheet: &Sheet<'_>, id: &str, refused: Option<(&Asked, &str)>) -> String {
    let record = id.parse().ok().and_then(|id: u64| portal.world.tables[sheet.kind].records.get(&id));
    let of = &portal.world.meta.types[sheet.kind];
    let mut body = String::new();
    let heading =
        record.map_or_else(|| format!("New {}", of.singular), |record| format!("{} {}", of.singular, record.id));
    let _ = write!(
        body,
        "<div class=\"head\"><div><h1>{heading}</h1><p class=\"sentence\">What you change, a colleague changes.</p></div>\
         <a class=\"btn\" href=\"/?object={0}\">Back to {0}</a></div>",
        of.plural
    );
    if let Some((_, refused)) = refused {
        let _ = write!(body, "<p class=\"note\" role=\"alert\">{}</p>", escape(refused));
    }
    let _ = write!(
        body,
        "<form class=\"form\" method=\"post\" action=\"/_simulator/page\"><input type=\"hidden\" name=\"object\" value=\"{}\">\
         <input type=\"hidden\" name=\"id\" value=\"{}\">",
        of.plural,
        record.map(|record| record.id.to_string()).unwrap_or_default()
    );
    for name in &sheet.properties {
        let value = match refused {
            Some((asked, _)) => asked.form(name).unwrap_or_default(),
            None => before(portal, sheet.kind, record, name),
        };
        let value = escape(&value);
        let _ = match *name {
            // A first line break right after the tag would not count.
            "description" | "address" | "hs_note_body" => {
                write!(body, "<label>{name}<textarea name=\"{name}\">\n{value}</textarea></label>")
            }
            _ => write!(body, "<label>{name}<input name=\"{name}\" value=\"{value}\"></label>"),
        };
    }
    let archived = record.is_some_and(|record| record.archived != 0);
    let buttons = match (record.is_some(), archived) {
        (_, true) => "<button class=\"btn btn-main\" name=\"action\" value=\"undelete\">Restore</button>",
        (true, false) => {
            "<button class=\"btn btn-main\" name=\"action\" value=\"save\">Save</button>\
             <button class=\"btn\" name=\"action\" value=\"delete\">Delete</button>"
        }
        (false, false) => "<button class=\"btn btn-main\" name=\"action\" value=\"save\">Save</button>",
    };
    let _ = write!(body, "<div class=\"row\">{buttons}</div></form>");
    body
}

fn before(portal: &Portal, kind: usize, record: Option<&Record>, name: &str) -> String {
    let value = record.and_then(|record| shape::value(&portal.world, kind, record, name));
    value.map(std::borrow::Cow::into_owned).unwrap_or_default()
}

/// Does what a form asks, and shows the page again.
pub(super) fn done(portal: &mut Portal, asked: &Asked) -> Reply {
    let action = asked.form("action").unwrap_or_default();
    match action.as_str() {
        "revoke" => oauth::revoke_grants(portal),
        "expire" => oauth::expire_tokens(portal),
        "hour" => portal.set_clock(portal.now() + HOUR_MS),
        "day" => portal.set_clock(portal.now() + 24 * HOUR_MS),
        "now" => portal.set_clock(portal.now() - portal.small.clock_offset_ms),
        "reset" => {
            let options = portal.options().clone();
            if portal.reset(&options).is_err() {
                return shown(500, "Not reset", "<h1>The simulator's disk is full or gone.</h1>");
            }
        }
        "save" | "delete" | "undelete" => return edited(portal, asked, &action),
        _ => return shown(400, "Nothing done", "<h1>There is no such action.</h1><p><a href=\"/\">Overview</a></p>"),
    }
    see_other("/".to_owned())
}

fn edited(portal: &mut Portal, asked: &Asked, action: &str) -> Reply {
    let Some(sheet) = asked.form("object").and_then(|object| sheet_named(portal, &object)) else {
        return shown(404, "Nothing here", "<h1>There is no such object.</h1>");
    };
    let kind = sheet.kind;
    let id: Option<u64> = asked.form("id").and_then(|id| id.parse().ok());
    let given = changed(portal, &sheet, id, asked);
    let by = control::by_person(portal, None);
    let world = &mut portal.world;
    let done = match (action, id) {
        ("delete", Some(id)) => {
            world.archive(kind, id, by);
            Ok(id)
        }
        ("undelete", Some(id)) => world.unarchive(kind, id, by),
        (_, Some(id)) => world.update(kind, id, &given, by),
        (_, None) => world.create(kind, &given, by),
    };
    let object = world.meta.types[kind].plural.clone();
    match done {
        Ok(id) if action == "save" => see_other(format!("/?object={object}&id={id}")),
        Ok(_) => see_other(format!("/?object={object}")),
        Err(refusal) => {
            let id = id.map(|id| id.to_string()).unwrap_or_default();
            let form =
                sheet_named(portal, &object).map(|sheet| form(portal, &sheet, &id, Some((asked, &refusal.message))));
            shown(400, "Not saved", &form.unwrap_or_default())
        }
    }
}

/// The properties whose value in the form is another than before: a person's edit leaves the others alone.
fn changed(portal: &Portal, sheet: &Sheet<'_>, id: Option<u64>, asked: &Asked) -> Map<String, Json> {
    let record = id.and_then(|id| portal.world.tables[sheet.kind].records.get(&id));
    // Browsers send line ends as CR LF whatever the value had.
    let plain = |text: &str| text.replace("\r\n", "\n");
    let given = sheet.properties.iter().filter_map(|name| Some((*name, asked.form(name)?)));
    given
        .filter(|(name, text)| plain(&before(portal, sheet.kind, record, name)) != plain(text))
        .map(|(name, text)| (name.to_owned(), json!(text)))
        .collect()
}
