//! A page for people: the records, one to edit as a colleague in the CRM would, and the last requests.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use super::oauth::escape;
use super::org::Org;
use super::reply::Reply;
use super::request::Asked;
use super::rest::rfc3339;
use super::schema::object_named;
use super::seeding::user_id;

/// Records on one page.
const SHOWN: usize = 50;

/// Objects that the page shows, with the fields of its list and form.
const SHEETS: [(&str, &[&str]); 3] = [
    ("Account", &["Name", "Website", "Industry", "Phone", "BillingCity", "BillingCountry", "Description"]),
    ("Contact", &["FirstName", "LastName", "Email", "Phone", "Title", "Department"]),
    ("Opportunity", &["Name", "StageName", "Amount", "CloseDate", "Description"]),
];

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:0;color:#1d1a20;background:#faf8fa}\
header{background:#5c2751;color:#fff;padding:.75rem 1.5rem}main{padding:1.5rem;max-width:70rem;margin:auto}\
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ddd6dc;padding:.35rem .6rem;text-align:left}\
a{color:#5c2751}nav a{margin-right:1rem}label{display:block;margin:.4rem 0}input{font:inherit;width:100%;max-width:30rem}\
button{font:inherit;padding:.35rem 1rem;margin:.5rem .5rem 0 0}code{font-size:13px}\
@media(prefers-color-scheme:dark){body{background:#1b181c;color:#eee7ed}a{color:#e3a8d6}td,th{border-color:#3d353c}}";

/// The page at `/`.
pub(super) fn answer(org: &Org, asked: &Asked) -> Reply {
    let object = asked.query("object").unwrap_or_else(|| "Account".to_owned());
    let (name, columns) = *SHEETS.iter().find(|(name, _)| *name == object).unwrap_or(&SHEETS[0]);
    let mut body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>SIMULATOR of Salesforce</title><style>{STYLE}</style><header><strong>SIMULATOR</strong> of Salesforce. \
         What you change here, you change as a colleague in the CRM.</header><main><nav>"
    );
    for (sheet, _) in SHEETS {
        let current = if sheet == name { " aria-current=\"page\"" } else { "" };
        let _ = write!(body, "<a href=\"/?object={sheet}\"{current}>{sheet}</a>");
    }
    body.push_str("</nav>");
    match asked.query("id") {
        Some(id) => form(&mut body, org, name, columns, &id),
        None => list(&mut body, org, name, columns, &asked.query("q").unwrap_or_default()),
    }
    requests(&mut body, org);
    body.push_str("</main></html>");
    Reply::html(200, body)
}

/// What the page's form sends.
pub(super) fn edited(org: &mut Org, asked: &Asked) -> Reply {
    let object = asked.form("object").unwrap_or_default();
    let Some((found, (_, columns))) = object_named(&object).zip(SHEETS.iter().find(|(name, _)| *name == object)) else {
        return Reply::html(404, "There is no such object.");
    };
    let id = asked.form("id").filter(|id| !id.is_empty());
    let by = org.by(&user_id(1));
    let given: Map<String, Json> = columns
        .iter()
        .filter_map(|field| Some(((*field).to_owned(), asked.form(field)?)))
        .map(|(field, text)| if text.is_empty() { (field, Json::Null) } else { (field, json!(text)) })
        .collect();
    let done = match (asked.form("action").as_deref(), &id) {
        (Some("delete"), Some(id)) => org.world.delete(found, id, &by),
        (_, Some(id)) => org.world.update(found, id, &given, &by),
        (_, None) => org.world.create(found, &given, &by),
    };
    match done {
        Ok(_) => Reply { status: 303, ..Reply::redirect(format!("/?object={object}")) },
        Err(error) => {
            Reply::html(400, format!("<p>{}</p><p><a href=\"/?object={object}\">Back</a></p>", escape(&error.message)))
        }
    }
}

fn list(body: &mut String, org: &Org, name: &str, columns: &[&str], search: &str) {
    let _ = write!(
        body,
        "<h1>{name}</h1><form><input type=\"hidden\" name=\"object\" value=\"{name}\"><label>Find \
         <input name=\"q\" value=\"{}\"></label></form><p><a href=\"/?object={name}&amp;id=new\">New {name}</a></p><table><thead><tr>",
        escape(search)
    );
    for column in columns {
        let _ = write!(body, "<th>{column}</th>");
    }
    body.push_str("</tr></thead><tbody>");
    let wanted = search.to_lowercase();
    let records = org.world.table(name).into_iter().flat_map(|table| table.records.values().rev());
    let fits = |fields: &super::world::Fields| {
        wanted.is_empty() || fields.values().any(|value| value.to_string().to_lowercase().contains(&wanted))
    };
    for record in records.filter(|record| !record.deleted && fits(&record.fields)).take(SHOWN) {
        body.push_str("<tr>");
        for (place, column) in columns.iter().enumerate() {
            let text = escape(&text(record.fields.get(*column)));
            let _ = if place == 0 {
                let shown = if text.is_empty() { "(empty)" } else { &text };
                write!(body, "<td><a href=\"/?object={name}&amp;id={}\">{shown}</a></td>", record.id)
            } else {
                write!(body, "<td>{text}</td>")
            };
        }
        body.push_str("</tr>");
    }
    body.push_str("</tbody></table>");
}

fn form(body: &mut String, org: &Org, name: &str, columns: &[&str], id: &str) {
    let record = org.world.table(name).and_then(|table| table.records.get(id));
    let shown = record.map_or("", |record| &record.id);
    let _ = write!(
        body,
        "<h1>{name} <code>{shown}</code></h1><form method=\"post\" action=\"/_simulator/page\">\
         <input type=\"hidden\" name=\"object\" value=\"{name}\"><input type=\"hidden\" name=\"id\" value=\"{shown}\">"
    );
    for column in columns {
        let value = escape(&text(record.and_then(|record| record.fields.get(*column))));
        let _ = write!(body, "<label>{column}<input name=\"{column}\" value=\"{value}\"></label>");
    }
    body.push_str("<button name=\"action\" value=\"save\">Save</button>");
    if record.is_some() {
        body.push_str("<button name=\"action\" value=\"delete\">Delete</button>");
    }
    body.push_str("</form>");
}

fn requests(body: &mut String, org: &Org) {
    body.push_str("<h2>Last requests</h2><table><tbody>");
    for seen in org.recent.iter().rev() {
        let path = escape(&seen.path);
        let _ = write!(
            body,
            "<tr><td>{}</td><td>{}</td><td><code>{path}</code></td><td>{}</td></tr>",
            rfc3339(seen.at),
            seen.method,
            seen.status
        );
    }
    body.push_str("</tbody></table>");
}

fn text(value: Option<&Json>) -> String {
    match value {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
