//! The org's first records, from the invented companies, people and deals.

use serde_json::{Map, Value as Json, json};

use super::derive::derive;
use super::ids::{self, Id};
use super::packed::Packed;
use super::rest::day;
use super::schema::{OBJECTS, object_named};
use super::world::{Fields, Record, World, whole_second};
use crate::simulator::SimulatorOptions;
use crate::simulator::seed::{self, Company, Deal, Person};

/// Records are spread over so many days before the world's beginning.
const PAST_DAYS: i64 = 730;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3600 * 1000;

/// The person that integrations sign in as, and two colleagues.
const USERS: [(&str, &str, &str); 3] = [
    ("Crosstie", "Integration", "integration@kestrel.example"),
    ("Tomás", "Rivera", "tomas.rivera@kestrel.example"),
    ("Grace", "Okafor", "grace.okafor@kestrel.example"),
];

/// Of ten invented companies the first eight are in Salesforce: six in both CRMs, two here alone.
pub(super) fn is_here(index: usize) -> bool {
    index % 10 < 8
}

/// Id of the `index`-th user.
pub(super) fn user_id(index: usize) -> Id {
    ids::record_id("005", index as u64 + 1)
}

/// Fills an empty world.
pub(super) fn fill(world: &mut World, options: &SimulatorOptions, now: i64) {
    let &SimulatorOptions { seed, accounts, contacts, opportunities: deals, .. } = options;
    for (index, (first, last, email)) in USERS.iter().enumerate() {
        let fields = fields([
            ("FirstName", json!(first)),
            ("LastName", json!(last)),
            ("Name", json!(format!("{first} {last}"))),
            ("Email", json!(email)),
            ("Username", json!(email)),
            ("Alias", json!(format!("user{index}"))),
            ("IsActive", json!(true)),
            ("UserType", json!("Standard")),
            ("TimeZoneSidKey", json!("Europe/London")),
            ("LocaleSidKey", json!("en_GB")),
            ("LanguageLocaleKey", json!("en_US")),
            ("EmailEncodingKey", json!("UTF-8")),
        ]);
        put(world, "User", "005", index, fields, now, USERS.len());
    }
    for object in OBJECTS.iter() {
        for kind in &object.record_types {
            let fields = fields([
                ("Name", json!(kind.name)),
                ("DeveloperName", json!(kind.developer_name)),
                ("SobjectType", json!(object.name)),
                ("IsActive", json!(true)),
            ]);
            world.restore("RecordType", record(kind.record_type_id, &fields, whole_second(now - PAST_DAYS * DAY_MS)));
        }
    }
    let here: Vec<usize> = (0..).filter(|index| is_here(*index)).take(accounts).collect();
    let known = here.last().map_or(0, |last| last + 1);
    let companies = seed::companies(seed, known);
    for (serial, index) in here.iter().enumerate() {
        put(world, "Account", "001", serial, account(&companies[*index], serial), now, accounts);
    }
    for (serial, person) in seed::people(seed, contacts, accounts).iter().enumerate() {
        put(world, "Contact", "003", serial, contact(person, &companies, &here), now, contacts);
    }
    for (serial, deal) in seed::deals(seed, deals, accounts).iter().enumerate() {
        put(world, "Opportunity", "006", serial, opportunity(deal, now), now, deals);
    }
}

fn account(company: &Company, serial: usize) -> Fields {
    // People write addresses in many ways.
    let website = company.domain.as_ref().map(|domain| match serial % 3 {
        0 => format!("https://www.{domain}"),
        1 => domain.clone(),
        _ => format!("http://{domain}/"),
    });
    fields([
        ("Name", json!(cut(&company.name, 255))),
        ("Website", json!(website)),
        ("Industry", json!(company.industry)),
        ("Phone", json!(company.phone)),
        ("NumberOfEmployees", json!(company.employees)),
        ("AnnualRevenue", json!(company.revenue)),
        ("BillingStreet", json!(company.street)),
        ("BillingCity", json!(company.city)),
        ("BillingPostalCode", json!(company.postal_code)),
        ("BillingCountry", json!(company.country)),
        ("Description", json!(company.description)),
        ("OwnerId", json!(user_id(1 + serial % 2))),
    ])
}

fn contact(person: &Person, companies: &[Company], here: &[usize]) -> Fields {
    let account = person.company % here.len().max(1);
    let company = here.get(account).map(|index| &companies[*index]);
    let domain = company.and_then(|company| company.domain.clone());
    let shared = person.email.as_deref() == Some("info@shared.example");
    let email = person.email.as_ref().map(|email| match (&domain, shared) {
        (Some(domain), false) => format!("{}@{domain}", email.split('@').next().unwrap_or_default()),
        _ => email.clone(),
    });
    fields([
        ("FirstName", json!(person.first_name)),
        ("LastName", json!(cut(&person.last_name, 80))),
        ("Name", json!(format!("{} {}", person.first_name.as_deref().unwrap_or_default(), person.last_name).trim())),
        ("Email", json!(email)),
        ("Phone", json!(person.phone)),
        ("Title", json!(person.title)),
        ("Department", json!(person.department)),
        ("MailingCity", json!(company.map(|company| company.city))),
        ("MailingCountry", json!(company.map(|company| company.country))),
        ("AccountId", json!(company.map(|_| ids::record_id("001", account as u64 + 1)))),
        ("OwnerId", json!(user_id(1))),
    ])
}

fn opportunity(deal: &Deal, now: i64) -> Fields {
    let mut fields = fields([
        ("Name", json!(deal.name)),
        ("Amount", json!(deal.amount)),
        ("StageName", json!(deal.stage)),
        ("CloseDate", json!(day(now + deal.close_in_days * DAY_MS))),
        ("AccountId", json!(ids::record_id("001", deal.company as u64 + 1))),
        ("OwnerId", json!(user_id(2))),
    ]);
    if let Some(object) = object_named("Opportunity") {
        derive(object, &mut fields, &Map::new());
    }
    fields
}

fn put(world: &mut World, object: &'static str, prefix: &str, serial: usize, fields: Fields, now: i64, count: usize) {
    // The oldest first, so that ids and stamps grow together.
    let age = PAST_DAYS * DAY_MS / count.max(1) as i64 * (count - serial) as i64;
    let at = whole_second(now - age);
    world.restore(object, record(ids::record_id(prefix, serial as u64 + 1), &fields, at));
}

fn record(id: Id, fields: &Fields, at: i64) -> Record {
    Record {
        id,
        fields: Packed::new(fields),
        created: at,
        modified: at,
        stamp: at,
        created_by: user_id(1),
        modified_by: user_id(1),
        deleted: false,
        master: None,
        deleted_with: None,
    }
}

fn fields<const N: usize>(given: [(&str, Json); N]) -> Fields {
    given.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
