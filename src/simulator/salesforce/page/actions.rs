//! What the pages' forms send.

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::super::convert::convert;
use super::super::ids::Id;
use super::super::oauth;
use super::super::org::Org;
use super::super::schema::object_named;
use super::super::seeding::user_id;
use super::{DAY_MS, SHEETS, SWITCHES, Sheet, records, shown};
use crate::simulator::asked::Asked;
use crate::simulator::control::{Fault, FaultKind};
use crate::simulator::page::see_other;
use crate::simulator::reply::Reply;

/// Records that one press changes.
const SHUFFLED: usize = 10;

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3600 * 1000;

/// Does what a form asks, and shows the page again.
pub(in super::super) fn done(org: &mut Org, asked: &Asked) -> Reply {
    let action = asked.form("action").unwrap_or_default();
    match action.as_str() {
        "shuffle" => shuffle(org),
        "faults" => set_faults(org, asked),
        "revoke" => oauth::revoke_grants(org),
        "expire" => oauth::expire_tokens(org),
        "hour" => org.set_clock(org.now() + HOUR_MS),
        "day" => org.set_clock(org.now() + DAY_MS),
        "now" => org.set_clock(org.now() - org.small.clock_offset_ms),
        "reset" => {
            let options = org.options().clone();
            let made = org.reset(&options);
            if made.is_err() {
                return shown(500, "Not reset", "<h1>The simulator's disk is full or gone.</h1>");
            }
        }
        "save" | "delete" | "undelete" | "convert" => return edited(org, asked, &action),
        _ => return shown(400, "Nothing done", "<h1>There is no such action.</h1><p><a href=\"/\">Overview</a></p>"),
    }
    see_other("/".to_owned())
}

fn edited(org: &mut Org, asked: &Asked, action: &str) -> Reply {
    let object = asked.form("object").unwrap_or_default();
    let sheet = SHEETS.iter().find(|sheet| sheet.object == object);
    let Some((sheet, found)) = sheet.zip(object_named(&object)) else {
        return shown(404, "Nothing here", "<h1>There is no such object.</h1>");
    };
    let id = asked.form("id").filter(|id| !id.is_empty());
    let by = org.by(&user_id(1));
    let given = changed(org, sheet, id.as_deref(), asked);
    let done = match (action, &id) {
        ("delete", Some(id)) => org.world.delete(found, id, &by),
        ("undelete", Some(id)) => org.world.undelete(found, id, &by),
        ("convert", Some(id)) if found.name == "Lead" => {
            convert(&mut org.world, id, &Map::new(), &by).map(|converted| converted.lead)
        }
        (_, Some(id)) => org.world.update(found, id, &given, &by),
        (_, None) => org.world.create(found, &given, &by),
    };
    match done {
        Ok(id) if matches!(action, "save" | "convert") => see_other(format!("/?object={object}&id={id}")),
        Ok(_) => see_other(format!("/?object={object}")),
        Err(error) => {
            let record = id.as_deref().and_then(|id| org.world.record(found, id));
            let value = |field: &str| asked.form(field).unwrap_or_default();
            shown(400, "Not saved", &records::filled(sheet, record, value, Some(&error.message)))
        }
    }
}

/// The fields whose value in the form is another than before: a person's edit leaves the others alone.
fn changed(org: &Org, sheet: &Sheet, id: Option<&str>, asked: &Asked) -> Map<String, Json> {
    let record = object_named(sheet.object).zip(id).and_then(|(object, id)| org.world.record(object, id));
    let before = |field: &str| records::text(record.and_then(|record| record.fields.get(field)));
    // Browsers send line ends as CR LF whatever the value had.
    let plain = |text: &str| text.replace("\r\n", "\n");
    let fields = sheet.fields.iter().filter_map(|field| Some((*field, asked.form(field)?)));
    fields
        .filter(|(field, text)| plain(&before(field)) != plain(text))
        .map(|(field, text)| (field.to_owned(), if text.is_empty() { Json::Null } else { json!(text) }))
        .collect()
}

fn set_faults(org: &mut Org, asked: &Asked) {
    let on = SWITCHES.iter().filter(|switch| asked.form(switch.name).is_some());
    let rules = on.map(|switch| {
        let amount = asked.form(&format!("{}_amount", switch.name)).and_then(|text| text.parse::<u64>().ok());
        let amount = amount.or(switch.unit.map(|(_, usual)| usual)).unwrap_or_default();
        match switch.kind {
            FaultKind::Delay => Fault::delay(amount),
            kind => Fault::of(kind, switch.unit.map(|_| amount.min(100))),
        }
    });
    let rules = rules.collect();
    org.desk.faults.set(rules);
}

/// Changes some records as colleagues do: telephone numbers, and a sentence in a description.
fn shuffle(org: &mut Org) {
    for turn in 0..SHUFFLED {
        let secret = org.secret("shuffle");
        let digest = Sha256::digest(secret.as_bytes());
        let dice = digest.iter().take(8).fold(0_u64, |dice, byte| dice << 8 | u64::from(*byte));
        let name = if turn % 2 == 0 { "Account" } else { "Contact" };
        let Some(object) = object_named(name) else { continue };
        let Some(table) = org.world.tables.get(name) else { continue };
        let living: Vec<Id> = table.records.values().filter(|record| !record.deleted).map(|record| record.id).collect();
        if living.is_empty() {
            continue;
        }
        let id = living[usize::try_from(dice % living.len() as u64).unwrap_or_default()];
        let number = dice % 10_000;
        let given = if turn % 3 == 2 {
            json!({ "Description": format!("Called on {}, order {number:04} is on its way.", super::time(org.now(), "%-d %B")) })
        } else {
            json!({ "Phone": format!("+44 20 7946 {number:04}") })
        };
        let by = org.by(&user_id(1 + turn % 2));
        if let Json::Object(given) = given {
            // A record that another rule refuses to change stays as it is.
            let _ = org.world.update(object, &id, &given, &by);
        }
    }
}
