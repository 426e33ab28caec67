//! A demo's own records: companies and people of the same invention as the simulated CRMs', so that some are in both.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::model::Entity;
use crate::service::Services;
use crate::simulator::seed::{self, Company, Person};
use crate::store::app_rows::{self, RowWrite};
use crate::sync::Record;

use super::SIMULATOR;

/// Companies that are in the CRMs too.
const SHARED: usize = 25;

/// Companies that are in the app alone.
const OWN: usize = 15;

/// Where the app's own companies begin in the invention: past every one that a CRM has.
const OWN_BEGIN: usize = 600;

/// People of each company.
const PEOPLE_EACH: usize = 2;

/// Fills an empty workspace. One that has accounts, deleted ones included, is left alone.
pub async fn fill(services: &Services, workspace_id: Uuid, seed: u64) -> anyhow::Result<()> {
    let mut tx = services.begin_as_system(workspace_id).await?;
    if app_rows::count(&mut tx, Entity::Account).await? > 0 {
        return Ok(());
    }
    let companies = companies(seed);
    let ids: Vec<Uuid> = companies.iter().map(|_| services.rng.uuid()).collect();
    let accounts: Vec<RowWrite> =
        companies.iter().zip(&ids).map(|(invented, id)| row(*id, account(&invented.company))).collect();
    let contacts: Vec<RowWrite> = companies
        .iter()
        .zip(&ids)
        .flat_map(|(invented, id)| invented.people.iter().map(|person| contact(person, &invented.company, *id)))
        .map(|columns| row(services.rng.uuid(), columns))
        .collect();
    for (entity, rows) in [(Entity::Account, &accounts), (Entity::Contact, &contacts)] {
        app_rows::insert(&mut tx, entity, &rows.iter().collect::<Vec<_>>()).await?;
    }
    tx.commit().await?;
    Ok(())
}

struct Invented {
    company: Company,
    people: Vec<Person>,
}

/// Of ten invented companies Salesforce has the first eight, and both CRMs the first six.
fn companies(seed: u64) -> Vec<Invented> {
    let in_salesforce: Vec<usize> = (0..).filter(|index| index % 10 < 8).take(SIMULATOR.accounts).collect();
    let known = seed::companies(seed, OWN_BEGIN + OWN);
    let people = seed::people(seed, SIMULATOR.accounts * PEOPLE_EACH, SIMULATOR.accounts);
    let shared = in_salesforce.iter().enumerate().filter(|(_, index)| *index % 10 < 6).take(SHARED);
    let shared = shared.map(|(serial, index)| Invented {
        company: known[*index].clone(),
        people: (0..PEOPLE_EACH).map(|round| people[serial + round * SIMULATOR.accounts].clone()).collect(),
    });
    let strangers = seed::people(seed, SIMULATOR.contacts + OWN * PEOPLE_EACH, SIMULATOR.accounts);
    let own = (0..OWN).map(|serial| Invented {
        company: known[OWN_BEGIN + serial].clone(),
        people: strangers[SIMULATOR.contacts + serial * PEOPLE_EACH..][..PEOPLE_EACH].to_vec(),
    });
    shared.chain(own).collect()
}

fn account(company: &Company) -> Record {
    columns([
        ("name", Some(company.name.clone())),
        ("domain", company.domain.clone()),
        ("industry", company.industry.map(str::to_owned)),
        ("phone", company.phone.clone()),
        ("employee_count", company.employees.map(|count| count.to_string())),
        ("annual_revenue", company.revenue.map(|revenue| revenue.to_string())),
        ("billing_street", company.street.clone()),
        ("billing_city", Some(company.city.to_owned())),
        ("billing_postal_code", Some(company.postal_code.clone())),
        ("billing_country", Some(company.country.to_owned())),
        ("description", company.description.clone()),
    ])
}

fn contact(person: &Person, company: &Company, account_id: Uuid) -> Record {
    columns([
        ("first_name", person.first_name.clone()),
        ("last_name", Some(person.last_name.clone())),
        ("email", email(person, company)),
        ("phone", person.phone.clone()),
        ("title", person.title.map(str::to_owned)),
        ("department", person.department.map(str::to_owned)),
        ("mailing_city", Some(company.city.to_owned())),
        ("mailing_country", Some(company.country.to_owned())),
        ("account_id", Some(account_id.to_string())),
    ])
}

/// The person's address at the company that the person is put into; one that several people share stays.
fn email(person: &Person, company: &Company) -> Option<String> {
    let email = person.email.as_ref()?;
    if email.ends_with("@shared.example") {
        return Some(email.clone());
    }
    let name = email.split('@').next()?;
    Some(format!("{name}@{}", company.domain.as_deref()?))
}

fn columns<const N: usize>(given: [(&str, Option<String>); N]) -> Record {
    given.into_iter().filter(|(_, value)| value.is_some()).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn row(id: Uuid, columns: Record) -> RowWrite {
    RowWrite { id, columns, custom: Record::new(), field_changed_at: BTreeMap::new() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn forty_companies_of_which_a_crm_can_know_twenty_five() {
        let companies = companies(SIMULATOR.seed);
        assert_eq!(companies.len(), 40);
        let domains: HashSet<_> = companies.iter().map(|invented| invented.company.domain.clone()).collect();
        assert_eq!(domains.len(), 40, "all different");
        let in_crm: HashSet<_> =
            seed::companies(SIMULATOR.seed, 250).into_iter().map(|company| company.domain).collect();
        assert_eq!(domains.intersection(&in_crm).count(), SHARED);
        assert!(companies.iter().all(|invented| invented.people.len() == PEOPLE_EACH));
    }

    #[test]
    fn a_person_s_address_is_at_the_company() {
        let invented = companies(SIMULATOR.seed).remove(0);
        let columns = contact(&invented.people[0], &invented.company, Uuid::nil());
        let email = columns["email"].clone().expect("an address");
        assert!(email.ends_with(invented.company.domain.as_deref().expect("a domain")), "{email}");
    }
}
