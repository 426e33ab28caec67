//! What is synchronised, and the two sides it lives on.

use super::text_enum::text_enum;

text_enum! {
    /// A kind of record. The text form is the singular one of the tables; the API says [`Entity::plural`].
    Entity ("entity") {
        /// A company: `accounts`, Salesforce Account, HubSpot company.
        Account = "account",
        /// A person: `contacts`, Salesforce Contact, HubSpot contact.
        Contact = "contact",
        /// A deal: `opportunities`, Salesforce Opportunity, HubSpot deal.
        Opportunity = "opportunity",
    }
}

impl Entity {
    /// The plural that addresses and the API use.
    pub const fn plural(self) -> &'static str {
        match self {
            Entity::Account => "accounts",
            Entity::Contact => "contacts",
            Entity::Opportunity => "opportunities",
        }
    }

    /// Reads the plural that addresses and the API use.
    pub fn from_plural(text: &str) -> Option<Entity> {
        Entity::ALL.iter().copied().find(|entity| entity.plural() == text)
    }

    /// The plural as a heading.
    pub const fn title(self) -> &'static str {
        match self {
            Entity::Account => "Accounts",
            Entity::Contact => "Contacts",
            Entity::Opportunity => "Opportunities",
        }
    }
}

text_enum! {
    /// One of the two places a linked record lives in.
    Side ("side") {
        /// The application's own Postgres tables.
        App = "app",
        /// The connected CRM.
        Crm = "crm",
    }
}
