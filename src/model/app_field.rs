//! The catalogue of the app's own fields.

use super::{Entity, text_enum::text_enum};

text_enum! {
    /// What a field's value means; decides how it is normalised and compared.
    FieldKind ("field kind") {
        /// One line of text.
        Text = "text",
        /// Several lines of text.
        LongText = "long_text",
        /// An e-mail address; compared without case.
        Email = "email",
        /// A telephone number; compared by digits and `+`.
        Phone = "phone",
        /// A host name; compared without scheme, `www.` and final slash.
        Domain = "domain",
        /// A whole or decimal number.
        Number = "number",
        /// An amount of money.
        Money = "money",
        /// A percentage as the number shown (55 is 55 %).
        Percent = "percent",
        /// A day without a zone.
        Date = "date",
        /// An instant.
        DateTime = "date_time",
        /// Yes or no.
        Boolean = "boolean",
        /// One of a list of values.
        Choice = "choice",
        /// Several of a list of values, joined with `;`.
        MultiChoice = "multi_choice",
        /// Another record, by its id on the same side.
        Reference = "reference",
    }
}

impl FieldKind {
    /// The kind in words for a screen.
    pub const fn label(self) -> &'static str {
        match self {
            FieldKind::Text => "text",
            FieldKind::LongText => "long text",
            FieldKind::Email => "e-mail",
            FieldKind::Phone => "phone",
            FieldKind::Domain => "domain",
            FieldKind::Number => "number",
            FieldKind::Money => "money",
            FieldKind::Percent => "percent",
            FieldKind::Date => "date",
            FieldKind::DateTime => "date and time",
            FieldKind::Boolean => "yes or no",
            FieldKind::Choice => "choice",
            FieldKind::MultiChoice => "choices",
            FieldKind::Reference => "reference",
        }
    }
}

/// One field of the app's own records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppField {
    /// Column name, also the name in the API.
    pub name: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// What the value means.
    pub kind: FieldKind,
    /// Whether a record cannot be without it.
    pub required: bool,
    /// The entity that a reference points to.
    pub references: Option<Entity>,
}

const fn field(name: &'static str, label: &'static str, kind: FieldKind) -> AppField {
    AppField { name, label, kind, required: false, references: None }
}

const fn required(name: &'static str, label: &'static str, kind: FieldKind) -> AppField {
    AppField { name, label, kind, required: true, references: None }
}

const ACCOUNT_REFERENCE: AppField = AppField {
    name: "account_id",
    label: "Account",
    kind: FieldKind::Reference,
    required: false,
    references: Some(Entity::Account),
};

const ACCOUNT_FIELDS: &[AppField] = &[
    required("name", "Name", FieldKind::Text),
    field("domain", "Domain", FieldKind::Domain),
    field("industry", "Industry", FieldKind::Choice),
    field("phone", "Phone", FieldKind::Phone),
    field("employee_count", "Employees", FieldKind::Number),
    field("annual_revenue", "Annual revenue", FieldKind::Money),
    field("billing_street", "Billing street", FieldKind::LongText),
    field("billing_city", "Billing city", FieldKind::Text),
    field("billing_state", "Billing state", FieldKind::Text),
    field("billing_postal_code", "Billing postal code", FieldKind::Text),
    field("billing_country", "Billing country", FieldKind::Text),
    field("description", "Description", FieldKind::LongText),
    field("owner_email", "Owner", FieldKind::Email),
];

const CONTACT_FIELDS: &[AppField] = &[
    field("first_name", "First name", FieldKind::Text),
    required("last_name", "Last name", FieldKind::Text),
    field("email", "E-mail", FieldKind::Email),
    field("phone", "Phone", FieldKind::Phone),
    field("mobile_phone", "Mobile phone", FieldKind::Phone),
    field("title", "Title", FieldKind::Text),
    field("department", "Department", FieldKind::Text),
    field("mailing_street", "Mailing street", FieldKind::LongText),
    field("mailing_city", "Mailing city", FieldKind::Text),
    field("mailing_state", "Mailing state", FieldKind::Text),
    field("mailing_postal_code", "Mailing postal code", FieldKind::Text),
    field("mailing_country", "Mailing country", FieldKind::Text),
    ACCOUNT_REFERENCE,
];

const OPPORTUNITY_FIELDS: &[AppField] = &[
    required("name", "Name", FieldKind::Text),
    field("amount", "Amount", FieldKind::Money),
    field("currency", "Currency", FieldKind::Text),
    field("stage", "Stage", FieldKind::Choice),
    field("probability", "Probability", FieldKind::Percent),
    field("close_date", "Close date", FieldKind::Date),
    field("description", "Description", FieldKind::LongText),
    ACCOUNT_REFERENCE,
];

/// The app's own fields of `entity`, in the order of the tables. Workspace-defined `custom.<key>` fields come on top.
pub const fn app_fields(entity: Entity) -> &'static [AppField] {
    match entity {
        Entity::Account => ACCOUNT_FIELDS,
        Entity::Contact => CONTACT_FIELDS,
        Entity::Opportunity => OPPORTUNITY_FIELDS,
    }
}

/// Looks up one field by name.
pub fn app_field(entity: Entity, name: &str) -> Option<AppField> {
    app_fields(entity).iter().copied().find(|field| field.name == name)
}
