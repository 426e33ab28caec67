//! What auto-map must find: which fields belong together, written down before the algorithm.
//!
//! A field of a CRM that stands in no pair belongs to nothing here; proposing it is as wrong as proposing a false partner.

use std::collections::BTreeSet;

use crosstie::model::{Entity, FieldKind, Provider, Role, app_field, app_fields};
use crosstie::sync::{FreeAppField, FreeCrmField, auto_map};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::helpers::{Client, TestApp};

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

/// What was proposed against what is right.
#[derive(Debug, Default)]
struct Tally {
    proposed: usize,
    right: usize,
    expected: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, place: &str, proposed: &[(String, String)], expected: &[(&str, &str)]) {
        self.proposed += proposed.len();
        self.expected += expected.len();
        for (crm, ours) in proposed {
            if expected.contains(&(crm.as_str(), ours.as_str())) {
                self.right += 1;
            } else {
                self.wrong.push(format!("{place}: {crm} is not {ours}"));
            }
        }
        let found = |pair: &(&str, &str)| proposed.iter().any(|(crm, ours)| (crm.as_str(), ours.as_str()) == *pair);
        let missing = expected.iter().filter(|pair| !found(pair));
        self.wrong.extend(missing.map(|(crm, ours)| format!("{place}: {crm} is {ours}")));
    }

    #[expect(clippy::print_stdout, reason = "the figures are there to be looked at")]
    fn expect(&self, precision: f64, recall: f64) {
        let share = |of: usize| self.right as f64 / of as f64;
        println!("{} pairs, precision {:.3}, recall {:.3}", self.expected, share(self.proposed), share(self.expected));
        assert!(share(self.proposed) >= precision && share(self.expected) >= recall, "{self:#?}");
    }
}

/// The suggestions of an entity, asked for as a program does.
async fn suggested(client: &Client, config: Uuid, entity: Entity) -> Vec<Json> {
    let path = format!("/api/crm/configs/{config}/field-mappings/auto-map");
    let answer = client.post(&path, json!({ "entityType": entity.plural() })).await.expect(200);
    answer["suggestions"].as_array().expect("a list").clone()
}

fn pairs(suggestions: &[Json]) -> Vec<(String, String)> {
    let text = |one: &Json, member: &str| one[member].as_str().expect("a name").to_owned();
    suggestions.iter().map(|one| (text(one, "crmField"), text(one, "appField"))).collect()
}

#[tokio::test]
async fn the_standard_fields_of_both_crms_find_their_partners() {
    let app = TestApp::start().await;
    let configs =
        [(Provider::Salesforce, app.connect_salesforce().await), (Provider::Hubspot, app.connect_hubspot().await)];
    app.as_superuser("DELETE FROM crm_field_mappings").await;
    let admin = app.api_key_of(Role::Admin).await;
    let mut tally = Tally::default();
    for (provider, entity, expected) in STANDARD {
        let config = configs.iter().find(|(of, _)| *of == provider).expect("connected").1;
        tally.add(&format!("{provider} {entity}"), &pairs(&suggested(&admin, config, entity).await), expected);
    }
    tally.expect(0.95, 0.90);
    assert!(app.rows("SELECT id FROM crm_field_mappings").await.is_empty(), "nothing is saved");
}

#[test]
fn fields_that_people_made_find_their_partners() {
    let mut tally = Tally::default();
    for (entity, made) in MADE {
        let crm: Vec<FreeCrmField> = made
            .iter()
            .map(|(name, label, kind, _)| FreeCrmField {
                name: (*name).to_owned(),
                label: (*label).to_owned(),
                kind: *kind,
                references: None,
                person: false,
            })
            .collect();
        let own = made.iter().filter_map(|(.., ours)| *ours).filter(|ours| ours.starts_with("custom."));
        let own = own.map(|name| (name, &name["custom.".len()..], FieldKind::Text, None));
        let ours = app_fields(entity).iter().map(|field| (field.name, field.label, field.kind, field.references));
        let ours: Vec<FreeAppField> = ours
            .chain(own)
            .map(|(name, label, kind, references)| FreeAppField {
                name: name.to_owned(),
                label: label.to_owned(),
                kind,
                references,
            })
            .collect();
        let found = auto_map(Provider::Salesforce, entity, &crm, &ours, &[]);
        let found: Vec<_> = found.into_iter().map(|one| (one.crm_field, one.app_field)).collect();
        let expected: Vec<_> = made.iter().filter_map(|(name, .., ours)| Some((*name, (*ours)?))).collect();
        tally.add(&format!("made {entity}"), &found, &expected);
    }
    tally.expect(0.95, 0.90);
}

#[tokio::test]
async fn what_is_mapped_is_not_proposed_and_values_of_matched_records_count() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    for place in 0..8 {
        let fields = json!({ "Name": format!("Kestrel {place}"), "Site": format!("plant {place}"), "Phone": format!("+41 44 000 00 {place}0") });
        app.simulator.create("Account", fields).await;
    }
    app.sync().await.expect_state("completed");
    // The workspace keeps by a name of its own what the CRM calls otherwise.
    app.sql("UPDATE accounts SET custom = jsonb_build_object('plant_code', 'plant ' || right(name, 1))").await;
    app.as_superuser("DELETE FROM crm_field_mappings WHERE app_field = 'phone'").await;
    let ops = app.api_key_of(Role::SalesOps).await;
    let suggestions = suggested(&ops, config, Entity::Account).await;
    let expected = [("Phone", "phone"), ("OwnerId", "owner_email"), ("Site", "custom.plant_code")];
    let expected = expected.map(|(crm, ours)| (crm.to_owned(), ours.to_owned()));
    assert_eq!(pairs(&suggestions), expected, "what is mapped is not proposed");
    let reason = |place: usize| suggestions[place]["reason"].as_str().expect("a reason");
    assert_eq!(reason(0), "same name; 100 % of 8 matched records equal");
    assert_eq!(reason(1), "same meaning, owner");
    assert_eq!(reason(2), "100 % of 8 matched records equal");
    let scores: Vec<f64> = suggestions.iter().map(|one| one["score"].as_f64().expect("a number")).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b) && scores.iter().all(|score| (0.6..=1.0).contains(score)), "{scores:?}");
    assert_eq!(suggestions[0].as_object().expect("an object").len(), 4, "exactly what the contract says");
    app.leave_jobs();
}

#[tokio::test]
async fn without_the_crm_the_names_must_do() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    app.simulator.create("Account", json!({ "Name": "Kestrel", "Phone": "+41 44 000 00 00" })).await;
    app.sync().await.expect_state("completed");
    app.as_superuser("DELETE FROM crm_field_mappings WHERE app_field = 'phone'").await;
    app.simulator.faults(json!([{ "match": { "operation": "query" }, "fault": "reset" }])).await;
    let ops = app.api_key_of(Role::SalesOps).await;
    let suggestions = suggested(&ops, config, Entity::Account).await;
    assert_eq!(pairs(&suggestions)[0], ("Phone".to_owned(), "phone".to_owned()));
}

#[tokio::test]
async fn who_may_not_map_is_not_proposed_to() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    let path = format!("/api/crm/configs/{config}/field-mappings/auto-map");
    let member = app.api_key_of(Role::Member).await;
    member.post(&path, json!({ "entityType": "accounts" })).await.refused(403, "forbidden");
    let ops = app.api_key_of(Role::SalesOps).await;
    ops.post(&path, json!({ "entityType": "leads" })).await.refused(422, "invalid");
    ops.post(&path, json!({ "entityType": "accounts", "save": true })).await.refused(422, "invalid");
}
