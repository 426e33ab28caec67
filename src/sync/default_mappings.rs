//! The mappings that a new connection starts with (`contract.md`, section 3).

use crate::model::{Entity, FieldDirection, Provider, ValuePair};

/// One mapping of the default set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultMapping {
    /// Field in the app.
    pub app_field: &'static str,
    /// Field in the CRM.
    pub crm_field: &'static str,
    /// Direction.
    pub direction: FieldDirection,
    /// JavaScript, if any.
    pub transform: Option<&'static str>,
    /// Pairs of the CRM's value and the app's, if any.
    pub value_map: &'static [(&'static str, &'static str)],
}

/// Brings a web address to its host; the other way the value stays as it is.
const HOST_OF_WEBSITE: &str = r"({
  toApp: (value) => value.trim().toLowerCase().replace(/^[a-z][a-z0-9+.-]*:\/\//, '').replace(/^www\./, '').replace(/[\/?#].*$/, ''),
  toCrm: (value) => value,
})";

/// HubSpot keeps a probability as a share of one.
const PERCENT_OF_SHARE: &str = "Math.round(Number(value) * 10000) / 100";

/// HubSpot's industries by the names that Salesforce's list has, so that an industry means the same in both.
const HUBSPOT_INDUSTRIES: &[(&str, &str)] = &[
    ("APPAREL_FASHION", "Apparel"),
    ("BANKING", "Banking"),
    ("BIOTECHNOLOGY", "Biotechnology"),
    ("CHEMICALS", "Chemicals"),
    ("CONSTRUCTION", "Construction"),
    ("CONSUMER_ELECTRONICS", "Electronics"),
    ("EDUCATION_MANAGEMENT", "Education"),
    ("ENTERTAINMENT", "Entertainment"),
    ("ENVIRONMENTAL_SERVICES", "Environmental"),
    ("FARMING", "Agriculture"),
    ("FINANCIAL_SERVICES", "Finance"),
    ("FOOD_BEVERAGES", "Food & Beverage"),
    ("GOVERNMENT_ADMINISTRATION", "Government"),
    ("HOSPITAL_HEALTH_CARE", "Healthcare"),
    ("HOSPITALITY", "Hospitality"),
    ("INFORMATION_TECHNOLOGY_AND_SERVICES", "Technology"),
    ("INSURANCE", "Insurance"),
    ("MACHINERY", "Manufacturing"),
    ("MANAGEMENT_CONSULTING", "Consulting"),
    ("MECHANICAL_OR_INDUSTRIAL_ENGINEERING", "Engineering"),
    ("NON_PROFIT_ORGANIZATION_MANAGEMENT", "Not For Profit"),
    ("OIL_ENERGY", "Energy"),
    ("ONLINE_MEDIA", "Media"),
    ("PACKAGE_FREIGHT_DELIVERY", "Shipping"),
    ("PUBLIC_RELATIONS_AND_COMMUNICATIONS", "Communications"),
    ("RECREATIONAL_FACILITIES_AND_SERVICES", "Recreation"),
    ("RETAIL", "Retail"),
    ("TELECOMMUNICATIONS", "Telecommunications"),
    ("TRANSPORTATION_TRUCKING_RAILROAD", "Transportation"),
    ("UTILITIES", "Utilities"),
];

/// The stages of HubSpot's first pipeline by Salesforce's names, so that a deal means the same in both.
const HUBSPOT_STAGES: &[(&str, &str)] = &[
    ("appointmentscheduled", "Prospecting"),
    ("qualifiedtobuy", "Qualification"),
    ("presentationscheduled", "Needs Analysis"),
    ("decisionmakerboughtin", "Proposal/Price Quote"),
    ("contractsent", "Negotiation/Review"),
    ("closedwon", "Closed Won"),
    ("closedlost", "Closed Lost"),
];

const fn two_way(app_field: &'static str, crm_field: &'static str) -> DefaultMapping {
    DefaultMapping { app_field, crm_field, direction: FieldDirection::Bidirectional, transform: None, value_map: &[] }
}

const SALESFORCE_ACCOUNT: &[DefaultMapping] = &[
    two_way("name", "Name"),
    DefaultMapping { transform: Some(HOST_OF_WEBSITE), ..two_way("domain", "Website") },
    two_way("industry", "Industry"),
    two_way("phone", "Phone"),
    two_way("employee_count", "NumberOfEmployees"),
    two_way("annual_revenue", "AnnualRevenue"),
    two_way("billing_street", "BillingStreet"),
    two_way("billing_city", "BillingCity"),
    two_way("billing_state", "BillingState"),
    two_way("billing_postal_code", "BillingPostalCode"),
    two_way("billing_country", "BillingCountry"),
    two_way("description", "Description"),
];

const SALESFORCE_CONTACT: &[DefaultMapping] = &[
    two_way("first_name", "FirstName"),
    two_way("last_name", "LastName"),
    two_way("email", "Email"),
    two_way("phone", "Phone"),
    two_way("mobile_phone", "MobilePhone"),
    two_way("title", "Title"),
    two_way("department", "Department"),
    two_way("mailing_street", "MailingStreet"),
    two_way("mailing_city", "MailingCity"),
    two_way("mailing_state", "MailingState"),
    two_way("mailing_postal_code", "MailingPostalCode"),
    two_way("mailing_country", "MailingCountry"),
    two_way("account_id", "AccountId"),
];

const SALESFORCE_OPPORTUNITY: &[DefaultMapping] = &[
    two_way("name", "Name"),
    two_way("amount", "Amount"),
    two_way("stage", "StageName"),
    DefaultMapping { direction: FieldDirection::Pull, ..two_way("probability", "Probability") },
    two_way("close_date", "CloseDate"),
    two_way("description", "Description"),
    two_way("account_id", "AccountId"),
];

const HUBSPOT_ACCOUNT: &[DefaultMapping] = &[
    two_way("name", "name"),
    two_way("domain", "domain"),
    DefaultMapping { value_map: HUBSPOT_INDUSTRIES, ..two_way("industry", "industry") },
    two_way("phone", "phone"),
    two_way("employee_count", "numberofemployees"),
    two_way("annual_revenue", "annualrevenue"),
    two_way("billing_street", "address"),
    two_way("billing_city", "city"),
    two_way("billing_state", "state"),
    two_way("billing_postal_code", "zip"),
    two_way("billing_country", "country"),
    two_way("description", "description"),
];

const HUBSPOT_CONTACT: &[DefaultMapping] = &[
    two_way("first_name", "firstname"),
    two_way("last_name", "lastname"),
    two_way("email", "email"),
    two_way("phone", "phone"),
    two_way("mobile_phone", "mobilephone"),
    two_way("title", "jobtitle"),
    two_way("mailing_street", "address"),
    two_way("mailing_city", "city"),
    two_way("mailing_state", "state"),
    two_way("mailing_postal_code", "zip"),
    two_way("mailing_country", "country"),
    two_way("account_id", "associatedcompanyid"),
];

const HUBSPOT_OPPORTUNITY: &[DefaultMapping] = &[
    two_way("name", "dealname"),
    two_way("amount", "amount"),
    DefaultMapping { value_map: HUBSPOT_STAGES, ..two_way("stage", "dealstage") },
    DefaultMapping {
        direction: FieldDirection::Pull,
        transform: Some(PERCENT_OF_SHARE),
        ..two_way("probability", "hs_deal_stage_probability")
    },
    two_way("close_date", "closedate"),
    two_way("description", "description"),
    two_way("account_id", "hs_primary_associated_company"),
];

/// The mappings that a new connection to `provider` starts with.
pub const fn default_mappings(provider: Provider, entity: Entity) -> &'static [DefaultMapping] {
    match (provider, entity) {
        (Provider::Salesforce, Entity::Account) => SALESFORCE_ACCOUNT,
        (Provider::Salesforce, Entity::Contact) => SALESFORCE_CONTACT,
        (Provider::Salesforce, Entity::Opportunity) => SALESFORCE_OPPORTUNITY,
        (Provider::Hubspot, Entity::Account) => HUBSPOT_ACCOUNT,
        (Provider::Hubspot, Entity::Contact) => HUBSPOT_CONTACT,
        (Provider::Hubspot, Entity::Opportunity) => HUBSPOT_OPPORTUNITY,
    }
}

/// The default mapping of these two fields, if there is one.
pub fn default_mapping(
    provider: Provider,
    entity: Entity,
    crm_field: &str,
    app_field: &str,
) -> Option<&'static DefaultMapping> {
    default_mappings(provider, entity).iter().find(|one| one.crm_field == crm_field && one.app_field == app_field)
}

impl DefaultMapping {
    /// The pairs as a mapping keeps them; none where there are none.
    pub fn value_pairs(&self) -> Option<Vec<ValuePair>> {
        let pair = |(crm, app): &(&str, &str)| ValuePair { crm: (*crm).to_owned(), app: (*app).to_owned() };
        Some(self.value_map.iter().map(pair).collect::<Vec<_>>()).filter(|pairs| !pairs.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::app_field;

    #[test]
    fn every_field_is_there_once_and_every_value_has_one_partner() {
        for provider in [Provider::Salesforce, Provider::Hubspot] {
            for entity in Entity::ALL.iter().copied() {
                let mappings = default_mappings(provider, entity);
                let fields: BTreeSet<_> = mappings.iter().map(|mapping| mapping.app_field).collect();
                let crm_fields: BTreeSet<_> = mappings.iter().map(|mapping| mapping.crm_field).collect();
                assert_eq!((fields.len(), crm_fields.len()), (mappings.len(), mappings.len()), "{provider} {entity}");
                assert!(fields.iter().all(|field| app_field(entity, field).is_some()), "{provider} {entity}");
                for pairs in mappings.iter().map(|mapping| mapping.value_map) {
                    let crm: BTreeSet<_> = pairs.iter().map(|(crm, _)| crm).collect();
                    let app: BTreeSet<_> = pairs.iter().map(|(_, app)| app).collect();
                    assert_eq!((crm.len(), app.len()), (pairs.len(), pairs.len()), "{provider} {entity}");
                }
            }
        }
    }
}
