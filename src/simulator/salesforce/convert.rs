//! Lead conversion: one transaction that makes an account, a contact and an opportunity of a lead (dossier 7.1).

use chrono::{DateTime, Datelike, Months, NaiveDate};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::ids::Id;
use super::packed::{Packed, Value};
use super::rest::day;
use super::schema::{Object, object_named};
use super::validate::RecordError;
use super::world::{By, Fields, World};

/// Fields of a lead that an account takes over, and their names there.
const TO_ACCOUNT: [(&str, &str); 13] = [
    ("Company", "Name"),
    ("Phone", "Phone"),
    ("Fax", "Fax"),
    ("Website", "Website"),
    ("Industry", "Industry"),
    ("Rating", "Rating"),
    ("AnnualRevenue", "AnnualRevenue"),
    ("NumberOfEmployees", "NumberOfEmployees"),
    ("Street", "BillingStreet"),
    ("City", "BillingCity"),
    ("State", "BillingState"),
    ("PostalCode", "BillingPostalCode"),
    ("Country", "BillingCountry"),
];

/// The same for a contact.
const TO_CONTACT: [(&str, &str); 15] = [
    ("LastName", "LastName"),
    ("FirstName", "FirstName"),
    ("Salutation", "Salutation"),
    ("Title", "Title"),
    ("Email", "Email"),
    ("Phone", "Phone"),
    ("MobilePhone", "MobilePhone"),
    ("Fax", "Fax"),
    ("LeadSource", "LeadSource"),
    ("Description", "Description"),
    ("Street", "MailingStreet"),
    ("City", "MailingCity"),
    ("State", "MailingState"),
    ("PostalCode", "MailingPostalCode"),
    ("Country", "MailingCountry"),
];

/// What may be chosen, named as the arguments of SOAP's `convertLead`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Choice {
    /// An account that is there already: it stays as it is.
    account_id: Option<String>,
    /// A contact of that account: what it lacks it gets from the lead.
    contact_id: Option<String>,
    converted_status: Option<String>,
    do_not_create_opportunity: bool,
    opportunity_name: Option<String>,
}

/// The records that a conversion made or went into.
pub(super) struct Converted {
    pub lead: Id,
    pub account: Id,
    pub contact: Id,
    pub opportunity: Option<Id>,
}

/// Converts a lead; all of it or nothing happens.
pub(super) fn convert(
    world: &mut World,
    id: &str,
    chosen: &Map<String, Json>,
    by: &By,
) -> Result<Converted, RecordError> {
    let before = world.savepoint();
    let done = converted(world, id, chosen, by);
    if done.is_err() {
        world.roll_back(before);
    }
    done
}

fn converted(world: &mut World, id: &str, chosen: &Map<String, Json>, by: &By) -> Result<Converted, RecordError> {
    let choice: Choice = serde_json::from_value(Json::Object(chosen.clone()))
        .map_err(|error| RecordError::new("INVALID_ARGUMENT", error.to_string()))?;
    let (lead, lead_fields) = {
        let record = world.living(object("Lead")?, id)?;
        if record.fields.get("IsConverted") == Some(Value::Boolean(true)) {
            return Err(RecordError::new("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead"));
        }
        (record.id, record.fields.unpacked())
    };
    let account = match &choice.account_id {
        Some(account) => world.living(object("Account")?, account)?.id,
        None => world.create(object("Account")?, &taken(&lead_fields, &TO_ACCOUNT, &Fields::new()), by)?,
    };
    let contact = contact(world, &lead_fields, choice.contact_id.as_deref(), account, by)?;
    let opportunity = match choice.do_not_create_opportunity {
        true => None,
        false => Some(opportunity(world, &lead_fields, choice.opportunity_name, account, by)?),
    };
    let status = choice.converted_status.unwrap_or_else(|| "Closed - Converted".to_owned());
    world.update(object("Lead")?, &lead, &Map::from_iter([("Status".to_owned(), json!(status))]), by)?;
    world.change(object("Lead")?, &lead, by, |record| {
        let mut fields = record.fields.unpacked();
        fields.insert("IsConverted".to_owned(), json!(true));
        fields.insert("ConvertedDate".to_owned(), json!(day(by.at)));
        fields.insert("ConvertedAccountId".to_owned(), json!(account));
        fields.insert("ConvertedContactId".to_owned(), json!(contact));
        if let Some(opportunity) = opportunity {
            fields.insert("ConvertedOpportunityId".to_owned(), json!(opportunity));
        }
        record.fields = Packed::new(&fields);
    });
    Ok(Converted { lead, account, contact, opportunity })
}

fn contact(world: &mut World, lead: &Fields, into: Option<&str>, account: Id, by: &By) -> Result<Id, RecordError> {
    let Some(into) = into else {
        let mut given = taken(lead, &TO_CONTACT, &Fields::new());
        given.insert("AccountId".to_owned(), json!(account));
        return world.create(object("Contact")?, &given, by);
    };
    let record = world.living(object("Contact")?, into)?;
    if record.fields.get("AccountId").and_then(Value::as_str) != Some(&*account) {
        let message = "The contact is not a contact of the account that the lead goes into.";
        return Err(RecordError::new("INVALID_CROSS_REFERENCE_KEY", message));
    }
    let (id, has) = (record.id, record.fields.unpacked());
    world.update(object("Contact")?, &id, &taken(lead, &TO_CONTACT, &has), by)
}

fn opportunity(
    world: &mut World,
    lead: &Fields,
    name: Option<String>,
    account: Id,
    by: &By,
) -> Result<Id, RecordError> {
    let company = lead.get("Company").and_then(Json::as_str).unwrap_or_default();
    let mut given = taken(lead, &[("LeadSource", "LeadSource")], &Fields::new());
    given.insert("Name".to_owned(), json!(name.unwrap_or_else(|| format!("{company}-"))));
    given.insert("StageName".to_owned(), json!("Prospecting"));
    given.insert("CloseDate".to_owned(), json!(end_of_quarter(by.at).to_string()));
    given.insert("AccountId".to_owned(), json!(account));
    world.create(object("Opportunity")?, &given, by)
}

/// The lead's values under their names in another object, save for those that are there already.
fn taken(lead: &Fields, names: &[(&str, &str)], has: &Fields) -> Map<String, Json> {
    let missing = names.iter().filter(|(_, there)| !has.contains_key(*there));
    missing.filter_map(|(here, there)| Some(((*there).to_owned(), lead.get(*here)?.clone()))).collect()
}

/// When a conversion's opportunity is to be closed: on the last day of the quarter.
fn end_of_quarter(now: i64) -> NaiveDate {
    let today = DateTime::from_timestamp_millis(now).unwrap_or_default().date_naive();
    let first = today.with_day(1).and_then(|day| day.with_month0(today.month0() / 3 * 3)).unwrap_or(today);
    first.checked_add_months(Months::new(3)).and_then(|next| next.pred_opt()).unwrap_or(today)
}

fn object(name: &str) -> Result<&'static Object, RecordError> {
    object_named(name).ok_or_else(RecordError::not_found)
}
