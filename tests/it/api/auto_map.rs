//! What auto-map must find: which fields belong together, written down before the algorithm.
//!
//! A field of a CRM that stands in no pair belongs to nothing here; proposing it is as wrong as proposing a false partner.

use std::collections::BTreeSet;

use crosstie::model::{Entity, FieldKind, Provider, Role, app_field};
use serde_json::Value as Json;

use crate::helpers::TestApp;

/// A field of the CRM and the app field that it belongs to.
type Pairs = &'static [(&'static str, &'static str)];

const SALESFORCE_ACCOUNT: Pairs = &[
    ("Name", "name"),
    ("Website", "domain"),
    ("Industry", "industry"),
    ("Phone", "phone"),
    ("NumberOfEmployees", "employee_count"),
    ("AnnualRevenue", "annual_revenue"),
    ("BillingStreet", "billing_street"),
    ("BillingCity", "billing_city"),
    ("BillingState", "billing_state"),
    ("BillingPostalCode", "billing_postal_code"),
    ("BillingCountry", "billing_country"),
    ("Description", "description"),
    ("OwnerId", "owner_email"),
];

const SALESFORCE_CONTACT: Pairs = &[
    ("FirstName", "first_name"),
    ("LastName", "last_name"),
    ("Email", "email"),
    ("Phone", "phone"),
    ("MobilePhone", "mobile_phone"),
    ("Title", "title"),
    ("Department", "department"),
    ("MailingStreet", "mailing_street"),
    ("MailingCity", "mailing_city"),
    ("MailingState", "mailing_state"),
    ("MailingPostalCode", "mailing_postal_code"),
    ("MailingCountry", "mailing_country"),
    ("AccountId", "account_id"),
];

/// An org of one currency has no field for it.
const SALESFORCE_OPPORTUNITY: Pairs = &[
    ("Name", "name"),
    ("Amount", "amount"),
    ("StageName", "stage"),
    ("Probability", "probability"),
    ("CloseDate", "close_date"),
    ("Description", "description"),
    ("AccountId", "account_id"),
];

const HUBSPOT_ACCOUNT: Pairs = &[
    ("name", "name"),
    ("domain", "domain"),
    ("industry", "industry"),
    ("phone", "phone"),
    ("numberofemployees", "employee_count"),
    ("annualrevenue", "annual_revenue"),
    ("address", "billing_street"),
    ("city", "billing_city"),
    ("state", "billing_state"),
    ("zip", "billing_postal_code"),
    ("country", "billing_country"),
    ("description", "description"),
    ("hubspot_owner_id", "owner_email"),
];

/// HubSpot's contacts have no department.
const HUBSPOT_CONTACT: Pairs = &[
    ("firstname", "first_name"),
    ("lastname", "last_name"),
    ("email", "email"),
    ("phone", "phone"),
    ("mobilephone", "mobile_phone"),
    ("jobtitle", "title"),
    ("address", "mailing_street"),
    ("city", "mailing_city"),
    ("state", "mailing_state"),
    ("zip", "mailing_postal_code"),
    ("country", "mailing_country"),
    ("associatedcompanyid", "account_id"),
];

const HUBSPOT_OPPORTUNITY: Pairs = &[
    ("dealname", "name"),
    ("amount", "amount"),
    ("deal_currency_code", "currency"),
    ("dealstage", "stage"),
    ("hs_deal_stage_probability", "probability"),
    ("closedate", "close_date"),
    ("description", "description"),
    ("hs_primary_associated_company", "account_id"),
];

/// The standard fields of both CRMs.
const STANDARD: [(Provider, Entity, Pairs); 6] = [
    (Provider::Salesforce, Entity::Account, SALESFORCE_ACCOUNT),
    (Provider::Salesforce, Entity::Contact, SALESFORCE_CONTACT),
    (Provider::Salesforce, Entity::Opportunity, SALESFORCE_OPPORTUNITY),
    (Provider::Hubspot, Entity::Account, HUBSPOT_ACCOUNT),
    (Provider::Hubspot, Entity::Contact, HUBSPOT_CONTACT),
    (Provider::Hubspot, Entity::Opportunity, HUBSPOT_OPPORTUNITY),
];

/// A field that somebody made or renamed: API name, label, kind, and the app field that it belongs to, if any.
type Made = (&'static str, &'static str, FieldKind, Option<&'static str>);

const MADE_FOR_ACCOUNTS: &[Made] = &[
    ("Company_Name__c", "Company Name", FieldKind::Text, Some("name")),
    ("Homepage__c", "Homepage", FieldKind::Text, Some("domain")),
    ("Branche__c", "Branche", FieldKind::Choice, Some("industry")),
    ("Telefon__c", "Telefon", FieldKind::Phone, Some("phone")),
    ("Headcount__c", "Headcount", FieldKind::Number, Some("employee_count")),
    ("Jahresumsatz__c", "Jahresumsatz", FieldKind::Money, Some("annual_revenue")),
    ("Rechnungsstrasse__c", "Rechnungsstraße", FieldKind::LongText, Some("billing_street")),
    ("Invoice_City__c", "Invoice City", FieldKind::Text, Some("billing_city")),
    ("Billing_Province__c", "Billing Province", FieldKind::Text, Some("billing_state")),
    ("Billing_ZIP__c", "Billing ZIP", FieldKind::Text, Some("billing_postal_code")),
    ("Pays_de_facturation__c", "Pays de facturation", FieldKind::Text, Some("billing_country")),
    ("Beschreibung__c", "Beschreibung", FieldKind::LongText, Some("description")),
    ("Account_Manager_Email__c", "Account Manager E-Mail", FieldKind::Email, Some("owner_email")),
    ("Customer_Tier__c", "Customer Tier", FieldKind::Choice, Some("custom.tier")),
    ("VAT_ID__c", "VAT ID", FieldKind::Text, Some("custom.vat_id")),
    ("Shipping_City__c", "Shipping City", FieldKind::Text, None),
    ("Fax__c", "Fax", FieldKind::Phone, None),
    ("Support_Phone__c", "Support Phone", FieldKind::Phone, None),
    ("Parent_Name__c", "Parent Name", FieldKind::Text, None),
    ("Last_Year_Revenue__c", "Last Year Revenue", FieldKind::Money, None),
    ("Sub_Industry__c", "Sub-Industry", FieldKind::Choice, None),
    ("Name_Changed__c", "Name Changed", FieldKind::DateTime, None),
    ("Industry_Verified__c", "Industry", FieldKind::Boolean, None),
    ("Phone_Count__c", "Phone", FieldKind::DateTime, None),
    ("Email_Domain__c", "E-Mail Domain", FieldKind::Text, None),
    ("Delivery_Country__c", "Delivery Country", FieldKind::Text, None),
    ("Partner_Id__c", "Partner", FieldKind::Reference, None),
];

const MADE_FOR_CONTACTS: &[Made] = &[
    ("Given_Name__c", "Given Name", FieldKind::Text, Some("first_name")),
    ("Nachname__c", "Nachname", FieldKind::Text, Some("last_name")),
    ("Primary_Email__c", "Primary E-Mail", FieldKind::Email, Some("email")),
    ("Telefon", "Telefon", FieldKind::Text, Some("phone")),
    ("Handy__c", "Handynummer", FieldKind::Phone, Some("mobile_phone")),
    ("Fonction__c", "Fonction", FieldKind::Text, Some("title")),
    ("Abteilung__c", "Abteilung", FieldKind::Text, Some("department")),
    ("Adress_Line__c", "Adress Line", FieldKind::Text, Some("mailing_street")),
    ("Ort__c", "Ort", FieldKind::Text, Some("mailing_city")),
    ("Bundesland__c", "Bundesland", FieldKind::Text, Some("mailing_state")),
    ("PLZ__c", "PLZ", FieldKind::Text, Some("mailing_postal_code")),
    ("Mailing_Contry__c", "Mailing Contry", FieldKind::Text, Some("mailing_country")),
    ("favourite_colour", "Favourite colour", FieldKind::Choice, Some("custom.favorite_color")),
    ("Assistant_Email__c", "Assistant E-Mail", FieldKind::Email, None),
    ("Email_Opt_Out__c", "E-Mail Opt Out", FieldKind::Boolean, None),
    ("Home_Phone__c", "Home Phone", FieldKind::Phone, None),
    ("Emergency_Phone__c", "Emergency Phone", FieldKind::Phone, None),
    ("Maiden_Name__c", "Maiden Name", FieldKind::Text, None),
    ("Other_City__c", "Other City", FieldKind::Text, None),
    ("Birth_Country__c", "Country of Birth", FieldKind::Text, None),
    ("Phone_Extension__c", "Phone Extension", FieldKind::Text, None),
    ("Title_Of_Last_Talk__c", "Title of Last Talk", FieldKind::Text, None),
    ("Reports_To__c", "Reports To", FieldKind::Reference, None),
    ("Last_Email_Date__c", "Last E-Mail Date", FieldKind::DateTime, None),
];

const MADE_FOR_OPPORTUNITIES: &[Made] = &[
    ("Opportunity_Title__c", "Opportunity Title", FieldKind::Text, Some("name")),
    ("Deal_Value__c", "Deal Value", FieldKind::Money, Some("amount")),
    ("Waehrung__c", "Währung", FieldKind::Choice, Some("currency")),
    ("Sales_Stage__c", "Sales Stage", FieldKind::Choice, Some("stage")),
    ("Win_Probability__c", "Win Probability", FieldKind::Percent, Some("probability")),
    ("Expected_Close__c", "Expected Close Date", FieldKind::Date, Some("close_date")),
    ("Notiz__c", "Notes", FieldKind::LongText, Some("description")),
    ("Discount_Amount__c", "Discount Amount", FieldKind::Money, None),
    ("Close_Date_Reason__c", "Close Date Reason", FieldKind::Text, None),
    ("Former_Stage__c", "Former Stage", FieldKind::Choice, None),
    ("Stage_Changed__c", "Stage Changed", FieldKind::DateTime, None),
    ("Competitor_Name__c", "Competitor Name", FieldKind::Text, None),
    ("Created_Date__c", "Created", FieldKind::Date, None),
];

/// Fields that people made, the harder table; `custom.` fields are the workspace's own.
const MADE: [(Entity, &[Made]); 3] = [
    (Entity::Account, MADE_FOR_ACCOUNTS),
    (Entity::Contact, MADE_FOR_CONTACTS),
    (Entity::Opportunity, MADE_FOR_OPPORTUNITIES),
];

/// Names of the fields that a CRM describes.
async fn described(app: &TestApp, provider: Provider, entity: Entity) -> BTreeSet<String> {
    let admin = app.api_key_of(Role::Admin).await;
    let path = format!("/api/crm/{provider}/available-fields?entityType={}", entity.plural());
    let answer: Json = admin.get(&path).await.expect(200);
    let fields = answer["fields"].as_array().expect("a list");
    fields.iter().map(|field| field["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn the_table_names_fields_that_are_there_and_each_once() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    app.connect_hubspot().await;
    for (provider, entity, pairs) in STANDARD {
        let described = described(&app, provider, entity).await;
        let crm: BTreeSet<_> = pairs.iter().map(|(crm, _)| *crm).collect();
        let ours: BTreeSet<_> = pairs.iter().map(|(_, ours)| *ours).collect();
        assert_eq!((crm.len(), ours.len()), (pairs.len(), pairs.len()), "{provider} {entity}");
        assert!(described.len() > 3 * pairs.len(), "{provider} {entity}: most fields belong to nothing");
        for (crm, ours) in pairs {
            assert!(described.contains(*crm) && app_field(entity, ours).is_some(), "{provider} {entity}: {crm} {ours}");
        }
    }
    for (entity, made) in MADE {
        let ours: Vec<_> = made.iter().filter_map(|(.., ours)| *ours).collect();
        assert_eq!(ours.iter().collect::<BTreeSet<_>>().len(), ours.len(), "{entity}");
        let known = |ours: &str| app_field(entity, ours).is_some() || ours.starts_with("custom.");
        assert!(ours.iter().all(|ours| known(ours)), "{entity}");
    }
}
