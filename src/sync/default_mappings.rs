//! The mappings that a new connection starts with (`contract.md`, section 3).

use crate::model::{Entity, FieldDirection, Provider};

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
}

/// Brings a web address to its host; the other way the value stays as it is.
const HOST_OF_WEBSITE: &str = r"({
  toApp: (value) => value.trim().toLowerCase().replace(/^[a-z][a-z0-9+.-]*:\/\//, '').replace(/^www\./, '').replace(/[\/?#].*$/, ''),
  toCrm: (value) => value,
})";

const fn two_way(app_field: &'static str, crm_field: &'static str) -> DefaultMapping {
    DefaultMapping { app_field, crm_field, direction: FieldDirection::Bidirectional, transform: None }
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

/// The mappings that a new connection to `provider` starts with.
pub const fn default_mappings(provider: Provider, entity: Entity) -> &'static [DefaultMapping] {
    match (provider, entity) {
        (Provider::Salesforce, Entity::Account) => SALESFORCE_ACCOUNT,
        (Provider::Salesforce, Entity::Contact) => SALESFORCE_CONTACT,
        (Provider::Salesforce, Entity::Opportunity) => SALESFORCE_OPPORTUNITY,
        (Provider::Hubspot, _) => &[],
    }
}
