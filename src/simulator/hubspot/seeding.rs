//! The account's first records, from the invented companies, people and deals.

use super::catalog::OWNERS;
use super::record::{By, Record, Source};
use super::stamps::{DAY_MS, iso};
use super::types::{COMPANIES, CONTACTS, DEALS};
use super::world::World;
use crate::simulator::SimulatorOptions;
use crate::simulator::seed::{self, Company, Deal, Person};

/// Records are spread over so many days before the world's beginning.
const PAST_DAYS: i64 = 730;

/// Of ten invented companies six are in both CRMs, the seventh and eighth in Salesforce alone, the last two here alone.
fn is_here(index: usize) -> bool {
    index % 10 < 6 || index % 10 >= 8
}

/// Of what is in both CRMs a third differs a little.
fn differs(index: usize) -> bool {
    index % 10 < 6 && index.is_multiple_of(3)
}

/// The first `count` invented companies that are here.
fn here(count: usize) -> Vec<usize> {
    (0..).filter(|index| is_here(*index)).take(count).collect()
}

/// The invented companies that Salesforce has: people and deals count by them there.
fn known(count: usize) -> Vec<usize> {
    (0..).filter(|index| index % 10 < 8).take(count).collect()
}

/// Fills an empty world.
pub(super) fn fill(world: &mut World, options: &SimulatorOptions, now: i64) {
    let (seed, accounts) = (options.seed, options.accounts);
    let here = here(accounts);
    let companies = seed::companies(seed, here.last().map_or(0, |last| last + 1));
    for (serial, index) in here.iter().enumerate() {
        let at = past(now, serial, accounts);
        let record = company(world, serial, &companies[*index], *index, at);
        world.restore(COMPANIES, record);
    }
    let place = |index: usize| here.binary_search(&index).ok();
    let there = known(accounts);
    // People and deals are counted as Salesforce counts them, so that those of a shared company are the same people.
    let mut serial = 0;
    let mut more = 0;
    while serial < options.contacts && accounts > 0 {
        more += options.contacts.max(1);
        let people = seed::people(seed, more, accounts);
        for (index, person) in people.iter().enumerate().skip(more - options.contacts.max(1)) {
            let Some(employer) = employer(&there, &here, person.company, index, accounts) else { continue };
            if serial >= options.contacts {
                break;
            }
            let at = past(now, serial, options.contacts);
            let record = contact(world, serial, person, &companies, (employer, index), at);
            let id = record.id;
            world.restore(CONTACTS, record);
            if let Some(company) = place(employer) {
                hire(world, (CONTACTS, id), company);
            }
            serial += 1;
        }
    }
    let mut serial = 0;
    let deals = seed::deals(seed, options.opportunities.saturating_mul(2), accounts.max(1));
    for (index, one) in deals.iter().enumerate() {
        let Some(employer) = employer(&there, &here, one.company, index, accounts) else { continue };
        if serial >= options.opportunities {
            break;
        }
        let record = deal(world, serial, one, past(now, serial, options.opportunities), now);
        let id = record.id;
        world.restore(DEALS, record);
        if let Some(company) = place(employer) {
            hire(world, (DEALS, id), company);
        }
        serial += 1;
    }
    world.unseen.clear();
}

/// The invented company of somebody whom the seed counts to the `company`-th of Salesforce's; those of its own companies
/// are at ours alone instead.
fn employer(there: &[usize], here: &[usize], company: usize, index: usize, accounts: usize) -> Option<usize> {
    let theirs = *there.get(company % accounts.max(1))?;
    if is_here(theirs) {
        return Some(theirs);
    }
    let alone: Vec<usize> = here.iter().copied().rev().take(20).filter(|index| index % 10 >= 8).collect();
    alone.get(index % alone.len().max(1)).copied()
}

fn hire(world: &mut World, who: (usize, u64), company: usize) {
    let to = (COMPANIES, world.meta.types[COMPANIES].first_id + company as u64);
    // The plain association and the one to the main company.
    world.restore_link(who, to, 0b11);
}

/// The oldest first, so that ids and stamps grow together.
fn past(now: i64, serial: usize, count: usize) -> i64 {
    now - PAST_DAYS * DAY_MS / count.max(1) as i64 * (count.saturating_sub(serial)) as i64
}

fn record(world: &World, kind: usize, serial: usize, at: i64, values: &[(&str, Option<String>)]) -> Record {
    let id = world.meta.types[kind].first_id + serial as u64;
    let mut record = Record::new(id, By { source: Source::Import, at });
    for (name, value) in values {
        let value = value.as_deref().filter(|value| !value.is_empty());
        if let Some((place, value)) = world.meta.definitions[kind].place(name).zip(value) {
            record.begin(place, value);
        }
    }
    record.settle();
    record
}

/// HubSpot's word for an industry of Salesforce's.
fn industry(industry: &str) -> &'static str {
    match industry {
        "Transportation" => "TRANSPORTATION_TRUCKING_RAILROAD",
        "Manufacturing" => "MACHINERY",
        "Technology" => "INFORMATION_TECHNOLOGY_AND_SERVICES",
        "Retail" => "RETAIL",
        "Energy" => "OIL_ENERGY",
        "Healthcare" => "HOSPITAL_HEALTH_CARE",
        "Finance" => "FINANCIAL_SERVICES",
        "Media" => "ONLINE_MEDIA",
        "Insurance" => "INSURANCE",
        "Construction" => "CONSTRUCTION",
        "Education" => "EDUCATION_MANAGEMENT",
        _ => "MANAGEMENT_CONSULTING",
    }
}

fn company(world: &World, serial: usize, company: &Company, index: usize, at: i64) -> Record {
    let differs = differs(index);
    let phone = company.phone.as_ref().map(|phone| if differs { phone.replace(' ', "") } else { phone.clone() });
    let employees = company.employees.map(|count| (count + u32::from(differs) * 7).to_string());
    let owner = OWNERS[1 + serial % 2].id.to_owned();
    record(
        world,
        COMPANIES,
        serial,
        at,
        &[
            ("name", Some(company.name.clone())),
            ("domain", company.domain.clone()),
            ("website", company.domain.clone()),
            ("industry", company.industry.map(|name| industry(name).to_owned())),
            ("phone", phone),
            ("numberofemployees", employees),
            ("annualrevenue", company.revenue.map(|revenue| revenue.to_string())),
            ("address", company.street.clone()),
            ("city", Some(company.city.to_owned())),
            ("zip", Some(company.postal_code.clone())),
            ("country", Some(company.country.to_owned())),
            ("description", company.description.clone()),
            ("hubspot_owner_id", Some(owner)),
        ],
    )
}

fn contact(
    world: &World,
    serial: usize,
    person: &Person,
    companies: &[Company],
    (employer, index): (usize, usize),
    at: i64,
) -> Record {
    let company = companies.get(employer);
    let domain = company.and_then(|company| company.domain.clone());
    let shared = person.email.as_deref() == Some("info@shared.example");
    let email = person.email.as_ref().map(|email| match (&domain, shared) {
        (Some(domain), false) => format!("{}@{domain}", email.split('@').next().unwrap_or_default()),
        _ => email.clone(),
    });
    // Here an address is one person's only.
    let place = world.meta.definitions[CONTACTS].place("email").unwrap_or_default();
    let email = email.filter(|email| world.by_unique(CONTACTS, place, email).is_none());
    let title = person.title.map(|title| if differs(index) { format!("{title} (interim)") } else { title.to_owned() });
    record(
        world,
        CONTACTS,
        serial,
        at,
        &[
            ("firstname", person.first_name.clone()),
            ("lastname", Some(person.last_name.clone())),
            ("email", email),
            ("phone", person.phone.clone()),
            ("jobtitle", title),
            ("company", company.map(|company| company.name.clone())),
            ("city", company.map(|company| company.city.to_owned())),
            ("country", company.map(|company| company.country.to_owned())),
            ("lifecyclestage", Some(if serial.is_multiple_of(3) { "customer" } else { "lead" }.to_owned())),
            ("hubspot_owner_id", Some(OWNERS[1 + serial % 2].id.to_owned())),
        ],
    )
}

fn deal(world: &World, serial: usize, deal: &Deal, at: i64, now: i64) -> Record {
    let stage = match deal.stage {
        "Prospecting" => "appointmentscheduled",
        "Qualification" => "qualifiedtobuy",
        "Needs Analysis" => "presentationscheduled",
        "Proposal/Price Quote" => "decisionmakerboughtin",
        "Negotiation/Review" => "contractsent",
        "Closed Won" => "closedwon",
        _ => "closedlost",
    };
    let close = (now + deal.close_in_days * DAY_MS).div_euclid(DAY_MS) * DAY_MS;
    record(
        world,
        DEALS,
        serial,
        at,
        &[
            ("dealname", Some(deal.name.clone())),
            ("amount", Some(deal.amount.to_string())),
            ("dealstage", Some(stage.to_owned())),
            ("pipeline", Some("default".to_owned())),
            ("closedate", Some(iso(close))),
            ("hubspot_owner_id", Some(OWNERS[2].id.to_owned())),
        ],
    )
}
