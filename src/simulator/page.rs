//! What the pages of both simulators have in common: they look alike, and say clearly that they are none of the CRMs'.

use chrono::DateTime;

use super::reply::Reply;

const STYLE: &str = include_str!("page.css");

/// The style's place in the pages' policy: nothing else may run or load.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'";

/// A page around `body`; `crm` is what it is not.
pub(super) fn framed(crm: &str, status: u16, title: &str, body: &str) -> Reply {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title} · SIMULATOR</title>\
         <link rel=\"icon\" href=\"data:,\"><style>{STYLE}</style></head><body>\
         <a class=\"skip\" href=\"#main\">Skip to content</a><div class=\"hatch\" aria-hidden=\"true\"></div>\
         <header class=\"bar\"><b>SIMULATOR</b><span>Not {crm}. Invented records, on this machine only.</span>\
         <a href=\"/\">Overview</a></header><main id=\"main\">{body}</main></body></html>"
    );
    Reply::html(status, page).with("content-security-policy", POLICY.to_owned())
}

/// Where a form's answer leads.
pub(super) fn see_other(to: String) -> Reply {
    Reply { status: 303, ..Reply::redirect(to) }
}

/// How many faults are on, as a sentence.
pub(super) fn faults(on: usize) -> String {
    match on {
        0 => "No faults are on.".to_owned(),
        1 => "One fault is on.".to_owned(),
        on => format!("{on} faults are on."),
    }
}

/// An instant in UTC.
pub(super) fn time(ms: i64, format: &str) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().format(format).to_string()
}

/// 41,902.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text inside HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
