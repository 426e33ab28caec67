//! Pages for people, complete without scripts: what is in the org, what was asked of it, its faults and its clock.

mod actions;
mod records;

use std::fmt::Write as _;

use super::org::Org;
use crate::simulator::asked::Asked;
use crate::simulator::control::FaultKind;
use crate::simulator::page::{self, escape, grouped, time};
use crate::simulator::reply::Reply;

pub(super) use actions::done;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3600 * 1000;

/// An object as the pages show it.
struct Sheet {
    object: &'static str,
    plural: &'static str,
    /// Fields of the form; the first four are the list's columns.
    fields: &'static [&'static str],
}

const SHEETS: [Sheet; 5] = [
    Sheet {
        object: "Account",
        plural: "Accounts",
        fields: &[
            "Name",
            "Website",
            "Industry",
            "Phone",
            "NumberOfEmployees",
            "AnnualRevenue",
            "BillingStreet",
            "BillingCity",
            "BillingState",
            "BillingPostalCode",
            "BillingCountry",
            "Description",
        ],
    },
    Sheet {
        object: "Contact",
        plural: "Contacts",
        fields: &[
            "LastName",
            "FirstName",
            "Email",
            "Phone",
            "MobilePhone",
            "Title",
            "Department",
            "MailingStreet",
            "MailingCity",
            "MailingState",
            "MailingPostalCode",
            "MailingCountry",
            "AccountId",
            "Description",
        ],
    },
    Sheet {
        object: "Opportunity",
        plural: "Opportunities",
        fields: &["Name", "StageName", "Amount", "CloseDate", "Probability", "AccountId", "Description"],
    },
    Sheet {
        object: "Lead",
        plural: "Leads",
        fields: &[
            "LastName",
            "FirstName",
            "Company",
            "Status",
            "Email",
            "Phone",
            "Title",
            "Website",
            "Street",
            "City",
            "PostalCode",
            "Country",
            "Description",
        ],
    },
    Sheet {
        object: "Project__c",
        plural: "Projects",
        fields: &["Name", "Status__c", "Budget__c", "Start__c", "Account__c", "RecordTypeId"],
    },
];

/// The page at `/`: the overview, a list, or a record's form.
pub(super) fn answer(org: &Org, asked: &Asked) -> Reply {
    let sheet = asked.query("object").and_then(|object| SHEETS.iter().find(|sheet| sheet.object == object));
    let (title, body) = match (sheet, asked.query("id")) {
        (Some(sheet), Some(id)) => (sheet.object, records::form(org, sheet, &id)),
        (Some(sheet), None) => (sheet.plural, records::list(org, sheet, asked)),
        (None, _) => ("Salesforce simulator", overview(org)),
    };
    shown(200, title, &body)
}

/// The page where a person allows or denies an application.
pub(super) fn consent(hidden: &str) -> Reply {
    let body = format!(
        "<section class=\"consent\"><h1>Allow access?</h1><p class=\"sentence\"><strong>Crosstie</strong> asks to:</p>\
         <ul><li>read and change the records of this simulated org</li><li>stay signed in until you take it back</li></ul>\
         <p class=\"small\">You are Crosstie Integration, integration@kestrel.example.</p><br>\
         <form class=\"row\" method=\"post\" action=\"/services/oauth2/authorize\">{hidden}\
         <button class=\"btn btn-main\" name=\"decision\" value=\"allow\">Allow</button>\
         <button class=\"btn\" name=\"decision\" value=\"deny\">Deny</button></form></section>"
    );
    shown(200, "Allow access?", &body)
}

fn shown(status: u16, title: &str, body: &str) -> Reply {
    page::framed("Salesforce", status, title, body)
}

fn overview(org: &Org) -> String {
    let mut body = String::new();
    let records = SHEETS.iter().filter_map(|sheet| org.world.table(sheet.object));
    let living = records.flat_map(|table| table.records.values()).filter(|record| !record.deleted);
    let on = org.desk.faults.rules().len();
    let faults = page::faults(on);
    // Writing to a String cannot fail.
    let _ = write!(
        body,
        "<div class=\"head\"><div><h1>Salesforce simulator</h1><p class=\"sentence\"><strong>{} invented records</strong>, \
         API version 67.0. {faults}</p></div><div class=\"row\">{}{}</div></div><div class=\"grid\"><div>",
        grouped(living.count() as u64),
        button("shuffle", "Edit 10 random records", "btn"),
        button("reset", "Reset world", "btn"),
    );
    objects(&mut body, org);
    requests(&mut body, org);
    body.push_str("</div><div>");
    fault_form(&mut body, org, on);
    clock(&mut body, org);
    body.push_str("</div></div>");
    body
}

/// A form of one button.
fn button(action: &str, label: &str, class: &str) -> String {
    format!(
        "<form method=\"post\" action=\"/_simulator/page\"><button class=\"{class}\" name=\"action\" value=\"{action}\">{label}</button></form>"
    )
}

fn objects(body: &mut String, org: &Org) {
    let _ = write!(
        body,
        "<section class=\"card\"><header class=\"card-head\"><h2>Records</h2><span class=\"small\">seed <code>{}</code></span></header>\
         <table><thead><tr><th scope=\"col\">Object</th><th scope=\"col\" class=\"r\">Records</th>\
         <th scope=\"col\" class=\"r wide\">In the bin</th><th scope=\"col\" class=\"r wide\">Edited today</th><th></th></tr></thead><tbody>",
        org.small.seed
    );
    let today = org.now().div_euclid(DAY_MS) * DAY_MS;
    for sheet in &SHEETS {
        let count = |test: &dyn Fn(&super::world::Record) -> bool| {
            let records = org.world.table(sheet.object).into_iter().flat_map(|table| table.records.values());
            grouped(records.filter(|record| test(record)).count() as u64)
        };
        let object = sheet.object;
        let _ = write!(
            body,
            "<tr><th scope=\"row\"><code>{object}</code></th><td class=\"r\">{}</td><td class=\"r wide\">{}</td><td class=\"r wide\">{}</td>\
             <td class=\"r\"><a class=\"btn btn-sm btn-quiet\" href=\"/?object={object}\" aria-label=\"Open {object}\">Open</a> \
             <a class=\"btn btn-sm\" href=\"/?object={object}&amp;id=new\" aria-label=\"Add {object}\">Add</a></td></tr>",
            count(&|record| !record.deleted),
            count(&|record| record.deleted),
            count(&|record| !record.deleted && record.modified >= today),
        );
    }
    body.push_str("</tbody></table></section>");
}

fn requests(body: &mut String, org: &Org) {
    let allowed = org.small.limits.daily.map_or("no limit".to_owned(), |allowed| format!("{} today", grouped(allowed)));
    let _ = write!(
        body,
        "<section class=\"card\"><header class=\"card-head\"><h2>Requests</h2><span class=\"small\">{} since start · {} API calls of {allowed}</span></header>",
        grouped(org.desk.arrived),
        grouped(org.small.used_today),
    );
    if org.desk.recent.is_empty() {
        body.push_str("<p class=\"card-body small\">Nobody has asked anything yet.</p></section>");
        return;
    }
    body.push_str("<ol class=\"lines\">");
    for seen in org.desk.recent.iter().rev() {
        let (status, took) = match (seen.lost, seen.status) {
            (true, _) => ("<span class=\"bad\">–</span>".to_owned(), "lost".to_owned()),
            (false, status @ 400..) => (format!("<span class=\"bad\">{status}</span>"), format!("{} ms", seen.took_ms)),
            (false, status) => (format!("<span class=\"faint\">{status}</span>"), format!("{} ms", seen.took_ms)),
        };
        let _ = write!(
            body,
            "<li><span class=\"faint\">{}</span><span>{}</span><span title=\"{path}\">{path}</span>{status}<span class=\"faint r\">{took}</span></li>",
            time(seen.at, "%H:%M:%S%.3f"),
            escape(&seen.method),
            path = escape(&seen.path),
        );
    }
    body.push_str("</ol></section>");
}

/// A fault that the page can switch: its name in the form, its words, the unit of its number.
struct Switch {
    kind: FaultKind,
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    unit: Option<(&'static str, u64)>,
}

const SWITCHES: [Switch; 4] = [
    Switch {
        kind: FaultKind::Delay,
        name: "slow",
        label: "Slow",
        hint: "Every answer takes longer.",
        unit: Some(("Milliseconds", 800)),
    },
    Switch {
        kind: FaultKind::LostResponse,
        name: "lost",
        label: "Lost answers",
        hint: "The write happens, the answer never arrives.",
        unit: Some(("Per cent lost", 2)),
    },
    Switch {
        kind: FaultKind::Status,
        name: "busy",
        label: "Busy",
        hint: "Answers 503.",
        unit: Some(("Per cent busy", 1)),
    },
    Switch {
        kind: FaultKind::RateLimit,
        name: "limit",
        label: "Daily limit reached",
        hint: "Every call is refused.",
        unit: None,
    },
];

fn fault_form(body: &mut String, org: &Org, on: usize) {
    let _ = write!(
        body,
        "<section class=\"card\"><header class=\"card-head\"><h2>Faults</h2><span class=\"small\">{on} on</span></header>\
         <form method=\"post\" action=\"/_simulator/page\"><ul class=\"faults\">"
    );
    for switch in &SWITCHES {
        let rule = org.desk.faults.rules().iter().find(|rule| rule.fault == switch.kind);
        let checked = if rule.is_some() { " checked" } else { "" };
        let _ = write!(
            body,
            "<li><label><input type=\"checkbox\" name=\"{0}\" value=\"on\"{checked}><span><b>{1}</b><span>{2}</span></span></label>",
            switch.name, switch.label, switch.hint
        );
        if let Some((unit, usual)) = switch.unit {
            let value = rule.map_or(usual, |rule| rule.amount().unwrap_or(usual));
            let _ = write!(
                body,
                "<input type=\"number\" min=\"0\" name=\"{}_amount\" aria-label=\"{unit}\" title=\"{unit}\" value=\"{value}\">",
                switch.name
            );
        }
        body.push_str("</li>");
    }
    body.push_str(
        "</ul><div class=\"card-body row\"><button class=\"btn btn-sm\" name=\"action\" value=\"faults\">Apply faults</button>\
         <button class=\"btn btn-sm\" name=\"action\" value=\"revoke\">Revoke sign-in</button>\
         <button class=\"btn btn-sm btn-quiet\" name=\"action\" value=\"expire\">Expire access tokens</button></div></form></section>",
    );
}

fn clock(body: &mut String, org: &Org) {
    let offset = org.small.clock_offset_ms;
    let ahead = match offset {
        0 => "as on this machine".to_owned(),
        offset if offset > 0 => format!("{} s ahead of this machine", grouped(offset.unsigned_abs() / 1000)),
        offset => format!("{} s behind this machine", grouped(offset.unsigned_abs() / 1000)),
    };
    let _ = write!(
        body,
        "<section class=\"card\"><header class=\"card-head\"><h2>Clock</h2></header><div class=\"card-body\"><p class=\"clock\">{}</p>\
         <p class=\"small\">{} UTC, {ahead}</p><br><form class=\"row\" method=\"post\" action=\"/_simulator/page\">\
         <button class=\"btn btn-sm\" name=\"action\" value=\"hour\">Forward 1 hour</button>\
         <button class=\"btn btn-sm\" name=\"action\" value=\"day\">Forward 1 day</button>\
         <button class=\"btn btn-sm btn-quiet\" name=\"action\" value=\"now\">Back to now</button></form></div></section>",
        time(org.now(), "%H:%M:%S"),
        time(org.now(), "%a %-d %b %Y"),
    );
}
