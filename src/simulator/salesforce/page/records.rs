//! Lists of records, and the form that a colleague would edit one in.

use std::fmt::Write as _;

use super::super::org::Org;
use super::super::packed::Value;
use super::super::schema::object_named;
use super::super::world::Record;
use super::Sheet;
use crate::simulator::asked::Asked;
use crate::simulator::page::{escape, grouped, time};

/// Records on one page.
const SHOWN: usize = 50;

/// Fields that a list shows.
const COLUMNS: usize = 4;

/// The list of an object's records, newest first.
pub(super) fn list(org: &Org, sheet: &Sheet, asked: &Asked) -> String {
    let search = asked.query("q").unwrap_or_default();
    let skipped = asked.query("from").and_then(|from| from.parse::<usize>().ok()).unwrap_or_default();
    let bin = asked.query("bin").is_some();
    let wanted = search.to_lowercase();
    let fits = |record: &&Record| {
        record.deleted == bin
            && (wanted.is_empty()
                || record.fields.iter().any(|(_, value)| text(Some(value)).to_lowercase().contains(&wanted)))
    };
    let records = org.world.table(sheet.object).into_iter().flat_map(|table| table.records.values());
    let mut found: Vec<&Record> = records.filter(fits).collect();
    found.sort_by(|a, b| (b.stamp, &b.id).cmp(&(a.stamp, &a.id)));
    let (object, total) = (sheet.object, found.len());
    let mut body = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        body,
        "<div class=\"head\"><div><h1>{}{}</h1><p class=\"sentence\"><strong>{}</strong>, last changed first.</p></div>\
         <form class=\"row\"><input type=\"hidden\" name=\"object\" value=\"{object}\"><input name=\"q\" aria-label=\"Find\" placeholder=\"Find\" value=\"{}\">\
         <button class=\"btn\">Find</button><a class=\"btn\" href=\"/?object={object}{}\">{}</a>\
         <a class=\"btn btn-main\" href=\"/?object={object}&amp;id=new\">Add {}</a></form></div>",
        sheet.plural,
        if bin { " in the bin" } else { "" },
        if total == 1 { "1 record".to_owned() } else { format!("{} records", grouped(total as u64)) },
        escape(&search),
        if bin { "" } else { "&amp;bin=1" },
        if bin { "Living records" } else { "Bin" },
        object.to_lowercase(),
    );
    body.push_str("<section class=\"card\"><table><thead><tr>");
    let columns = &sheet.fields[..COLUMNS];
    for (place, column) in columns.iter().enumerate() {
        let _ = write!(body, "<th scope=\"col\"{}>{column}</th>", if place > 1 { " class=\"wide\"" } else { "" });
    }
    body.push_str("<th scope=\"col\">Changed</th></tr></thead><tbody>");
    for record in found.iter().skip(skipped).take(SHOWN) {
        row(&mut body, object, columns, record);
    }
    body.push_str("</tbody></table></section>");
    if total > skipped + SHOWN {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("object", object)
            .append_pair("q", &search)
            .append_pair("from", &(skipped + SHOWN).to_string())
            .finish();
        let _ = write!(body, "<p><br><a class=\"btn\" href=\"/?{}\">Next {SHOWN}</a></p>", escape(&query));
    }
    body
}

fn row(body: &mut String, object: &str, columns: &[&str], record: &Record) {
    body.push_str(if record.deleted { "<tr class=\"gone\">" } else { "<tr>" });
    for (place, column) in columns.iter().enumerate() {
        let value = text(record.fields.get(column));
        let shown = escape(&value);
        let _ = match place {
            0 => {
                let shown = if value.trim().is_empty() { "(empty)".to_owned() } else { shown };
                write!(body, "<th scope=\"row\"><a href=\"/?object={object}&amp;id={}\">{shown}</a></th>", record.id)
            }
            1 => write!(body, "<td>{shown}</td>"),
            _ => write!(body, "<td class=\"wide\">{shown}</td>"),
        };
    }
    let _ = write!(body, "<td class=\"small\">{}</td></tr>", time(record.modified, "%-d %b %Y %H:%M:%S"));
}

/// The form of one record, or of a new one.
pub(super) fn form(org: &Org, sheet: &Sheet, id: &str) -> String {
    let record = object_named(sheet.object).and_then(|object| org.world.record(object, id));
    filled(sheet, record, |field| text(record.and_then(|record| record.fields.get(field))), None)
}

/// The form with given values, and the reason why they were refused.
pub(super) fn filled(
    sheet: &Sheet,
    record: Option<&Record>,
    value: impl Fn(&str) -> String,
    refused: Option<&str>,
) -> String {
    let object = sheet.object;
    let mut body = String::new();
    let heading = match record {
        Some(record) => format!("{object} <code>{}</code>", record.id),
        None => format!("New {}", object.to_lowercase()),
    };
    let sentence = match record {
        Some(record) if record.deleted => "In the bin. Integrations see it as deleted.".to_owned(),
        Some(record) if is_converted(record) => "Converted. Nobody can change it any more.".to_owned(),
        Some(record) => format!(
            "Last changed {}. What you change, a colleague changes.",
            time(record.modified, "%-d %b %Y %H:%M:%S")
        ),
        None => "What you add, a colleague adds.".to_owned(),
    };
    let _ = write!(
        body,
        "<div class=\"head\"><div><h1>{heading}</h1><p class=\"sentence\">{sentence}</p></div>\
         <a class=\"btn\" href=\"/?object={object}\">Back to {}</a></div>",
        sheet.plural.to_lowercase()
    );
    if let Some(refused) = refused {
        let _ = write!(body, "<p class=\"note\" role=\"alert\">{}</p>", escape(refused));
    }
    let _ = write!(
        body,
        "<form class=\"form\" method=\"post\" action=\"/_simulator/page\"><input type=\"hidden\" name=\"object\" value=\"{object}\">\
         <input type=\"hidden\" name=\"id\" value=\"{}\">",
        record.map_or("", |record| &record.id)
    );
    for field in sheet.fields {
        let value = escape(&value(field));
        let long = matches!(*field, "Description" | "BillingStreet" | "MailingStreet");
        let _ = if long {
            // A first line break right after the tag would not count.
            write!(body, "<label>{field}<textarea name=\"{field}\">\n{value}</textarea></label>")
        } else {
            write!(body, "<label>{field}<input name=\"{field}\" value=\"{value}\"></label>")
        };
    }
    body.push_str("<div class=\"row\">");
    let deleted = record.is_some_and(|record| record.deleted);
    if deleted {
        body.push_str("<button class=\"btn btn-main\" name=\"action\" value=\"undelete\">Take out of the bin</button>");
    } else if !record.is_some_and(is_converted) {
        body.push_str("<button class=\"btn btn-main\" name=\"action\" value=\"save\">Save</button>");
        if record.is_some() && object == "Lead" {
            body.push_str("<button class=\"btn\" name=\"action\" value=\"convert\">Convert</button>");
        }
    }
    if record.is_some() && !deleted {
        body.push_str("<button class=\"btn\" name=\"action\" value=\"delete\">Delete</button>");
    }
    body.push_str("</div></form>");
    body
}

fn is_converted(record: &Record) -> bool {
    record.fields.get("IsConverted") == Some(Value::Boolean(true))
}

/// A value as a form shows it.
pub(super) fn text(value: Option<Value<'_>>) -> String {
    match value {
        None => String::new(),
        Some(Value::Text(text) | Value::Number(text)) => text.to_owned(),
        Some(Value::Boolean(boolean)) => boolean.to_string(),
    }
}
