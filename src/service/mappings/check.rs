//! Whether a mapping can work at all: fields, direction, types, pairs. Pure; the transform's syntax is checked elsewhere.

use crate::connectors::{EntityDescription, FieldDescription};
use crate::model::{Entity, FieldDirection, FieldKind, Provider, ValuePair, app_field};
use crate::service::FieldProblem;
use crate::store::mappings::MappingRow;

/// Prefix of fields that a workspace defines itself.
const CUSTOM: &str = "custom.";
const LONGEST_CUSTOM_KEY: usize = 60;
const LONGEST_TRANSFORM: usize = 10_000;
const MOST_PAIRS: usize = 1_000;
const LONGEST_PAIR_VALUE: usize = 1_000;

/// A field of the app as a mapping needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::service) struct AppSide {
    /// Name for people.
    pub label: String,
    /// What its values mean.
    pub kind: FieldKind,
    /// The entity that it points to.
    pub references: Option<Entity>,
    /// Whether a record cannot be without it.
    pub required: bool,
}

/// A field of the app's catalogue or of the workspace's own.
pub(in crate::service) fn app_side(entity: Entity, name: &str) -> Option<AppSide> {
    if let Some(field) = app_field(entity, name) {
        return Some(AppSide {
            label: field.label.to_owned(),
            kind: field.kind,
            references: field.references,
            required: field.required,
        });
    }
    let key = name.strip_prefix(CUSTOM)?;
    let fits = key.len() <= LONGEST_CUSTOM_KEY
        && key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    fits.then(|| AppSide { label: key.to_owned(), kind: FieldKind::Text, references: None, required: false })
}

/// What is wrong with a mapping, member by member.
pub(super) fn problems(provider: Provider, description: &EntityDescription, mapping: &MappingRow) -> Vec<FieldProblem> {
    let app = app_side(mapping.entity, &mapping.app_field);
    let crm = description.field(&mapping.crm_field);
    let mut found = Found(Vec::new());
    if app.is_none() {
        found.add(
            "appField",
            format!(
                "There is no app field {} in {}. Choose one of the list, or custom.<key> for a field of your own.",
                quoted(&mapping.app_field),
                mapping.entity.plural()
            ),
        );
    }
    if crm.is_none() {
        found.add(
            "crmField",
            format!(
                "{} shows the connected user no field {}. Check its API name, or give the user access to it.",
                provider.title(),
                quoted(&mapping.crm_field)
            ),
        );
    }
    if let (Some(app), Some(crm)) = (&app, crm) {
        sides(provider, mapping, app, crm, &mut found);
    }
    transform(mapping, &mut found);
    pairs(provider, mapping, crm, &mut found);
    found.0
}

struct Found(Vec<FieldProblem>);

impl Found {
    fn add(&mut self, field: &str, message: String) {
        self.0.push(FieldProblem { field: field.to_owned(), message });
    }
}

fn sides(provider: Provider, mapping: &MappingRow, app: &AppSide, crm: &FieldDescription, found: &mut Found) {
    let title = provider.title();
    if mapping.direction.pushes() && is_read_only(crm) {
        found.add("syncDirection", format!("{} Choose pull.", read_only_reason(provider, crm)));
    }
    if crm.pairs_people(app.kind) {
        if mapping.transform.is_some() || mapping.value_map.is_some() {
            found.add(
                "transformFunction",
                "People are paired by their e-mail addresses. Leave the transform and the pairs empty.".to_owned(),
            );
        }
        return;
    }
    if app.references.is_some() || crm.references.is_some() || crm.kind == FieldKind::Reference {
        references(title, mapping, app, crm, found);
        return;
    }
    if mapping.transform.is_some() || mapping.value_map.is_some() {
        return;
    }
    if mapping.direction.pulls() && !can_become(crm.kind, app.kind) {
        found.add(
            "crmField",
            format!(
                "{} ({}) can never become {} ({}). Choose another field, or write a transform that converts it.",
                crm.label,
                crm.kind.label(),
                mapping.app_field,
                app.kind.label()
            ),
        );
    } else if mapping.direction.pushes() && !can_become(app.kind, crm.kind) {
        found.add(
            "crmField",
            format!(
                "{} ({}) can never become {} ({}) in {title}. Choose another field, or write a transform that converts it.",
                mapping.app_field,
                app.kind.label(),
                crm.label,
                crm.kind.label()
            ),
        );
    }
}

/// A reference is followed by the links of the two records: both sides must point to the same entity.
fn references(title: &str, mapping: &MappingRow, app: &AppSide, crm: &FieldDescription, found: &mut Found) {
    let same = app.references.is_some() && app.references == crm.references;
    let as_text = app.references.is_none()
        && matches!(app.kind, FieldKind::Text | FieldKind::LongText)
        && !mapping.direction.pushes();
    if !same && !as_text {
        found.add(
            "crmField",
            format!(
                "{} and {} in {title} do not point to the same kind of record. A reference goes with a reference; pull it into a text field to keep its id.",
                mapping.app_field, crm.label
            ),
        );
    } else if same && (mapping.transform.is_some() || mapping.value_map.is_some()) {
        found.add(
            "transformFunction",
            "A reference is followed by the records' own link. Leave its transform and pairs empty.".to_owned(),
        );
    }
}

/// Whether a value of one kind can ever be one of another.
const fn can_become(from: FieldKind, to: FieldKind) -> bool {
    use FieldKind as K;
    match (from, to) {
        (_, K::Text | K::LongText) => true,
        (K::Reference, _) | (_, K::Reference) => false,
        (K::Text | K::LongText | K::Choice, _) => true,
        (K::Number | K::Money | K::Percent, K::Number | K::Money | K::Percent | K::Choice | K::MultiChoice) => true,
        (K::Date | K::DateTime, K::Date | K::DateTime) => true,
        (K::Boolean, K::Boolean | K::Choice | K::MultiChoice) => true,
        (K::MultiChoice, K::MultiChoice | K::Choice) => true,
        (K::Email, K::Email | K::Choice) | (K::Phone, K::Phone | K::Choice) => true,
        (K::Domain, K::Domain | K::Choice) => true,
        _ => false,
    }
}

fn transform(mapping: &MappingRow, found: &mut Found) {
    if mapping.transform.as_ref().is_some_and(|script| script.chars().count() > LONGEST_TRANSFORM) {
        found.add("transformFunction", "The transform is longer than 10,000 characters. Shorten it.".to_owned());
    }
}

fn pairs(provider: Provider, mapping: &MappingRow, crm: Option<&FieldDescription>, found: &mut Found) {
    let Some(pairs) = &mapping.value_map else { return };
    if pairs.len() > MOST_PAIRS {
        return found.add("valueMap", "A value map takes at most 1,000 pairs. Use a transform instead.".to_owned());
    }
    if pairs.iter().any(|pair| pair.crm.trim().is_empty() || pair.app.trim().is_empty()) {
        return found.add(
            "valueMap",
            "A pair needs a value on both sides. Fill in the empty one, or remove the pair.".to_owned(),
        );
    }
    let too_long = |text: &str| text.chars().count() > LONGEST_PAIR_VALUE;
    if pairs.iter().any(|pair| too_long(&pair.crm) || too_long(&pair.app)) {
        return found.add("valueMap", "A value of a pair is longer than 1,000 characters. Shorten it.".to_owned());
    }
    if mapping.direction != FieldDirection::Push
        && let Some(twice) = twice(pairs, |pair| &pair.crm)
    {
        return found.add("valueMap", format!("{} of the CRM is paired twice. Keep one of the two.", quoted(twice)));
    }
    if mapping.direction == FieldDirection::Push
        && let Some(twice) = twice(pairs, |pair| &pair.app)
    {
        return found.add("valueMap", format!("{} of the app is paired twice. Keep one of the two.", quoted(twice)));
    }
    let Some(crm) = crm.filter(|crm| crm.restricted && mapping.direction.pushes()) else { return };
    if let Some(unknown) = pairs.iter().find(|pair| !crm.options.contains(&pair.crm)) {
        found.add(
            "valueMap",
            format!(
                "{} in {} has no value {}. Choose one that it has.",
                crm.label,
                provider.title(),
                quoted(&unknown.crm)
            ),
        );
    }
}

fn twice<'a>(pairs: &'a [ValuePair], side: impl Fn(&'a ValuePair) -> &'a String) -> Option<&'a str> {
    let mut seen = std::collections::HashSet::new();
    pairs.iter().map(side).find(|value| !seen.insert(value.as_str())).map(String::as_str)
}

/// Whether the connected user can never write the field.
pub(super) const fn is_read_only(crm: &FieldDescription) -> bool {
    !crm.createable && !crm.updateable
}

/// Why a field can only be pulled.
pub(super) fn read_only_reason(provider: Provider, crm: &FieldDescription) -> String {
    format!("{} is read-only in {}, so it can only be pulled.", crm.label, provider.title())
}

/// A name or value from outside, cut to what a sentence bears.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("“{short}”")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn crm(name: &str, kind: FieldKind) -> FieldDescription {
        FieldDescription {
            name: name.to_owned(),
            label: name.to_owned(),
            kind,
            crm_type: kind.as_str().to_owned(),
            required: false,
            createable: true,
            updateable: true,
            max_length: None,
            decimals: None,
            options: Vec::new(),
            restricted: false,
            references: None,
            person: false,
            external_id: false,
            filterable: true,
        }
    }

    fn description() -> EntityDescription {
        let fields = vec![
            crm("Name", FieldKind::Text),
            crm("Day__c", FieldKind::Date),
            crm("Flag__c", FieldKind::Boolean),
            FieldDescription { createable: false, updateable: false, ..crm("Formula__c", FieldKind::Number) },
            FieldDescription { references: Some(Entity::Account), ..crm("AccountId", FieldKind::Reference) },
            FieldDescription { person: true, ..crm("OwnerId", FieldKind::Reference) },
            FieldDescription { options: vec!["Hot".to_owned()], restricted: true, ..crm("Rating", FieldKind::Choice) },
        ];
        EntityDescription {
            entity: Entity::Contact,
            fields,
            createable: true,
            updateable: true,
            deletable: true,
            people: None,
        }
    }

    fn mapping(app_field: &str, crm_field: &str, direction: FieldDirection) -> MappingRow {
        MappingRow {
            id: Uuid::nil(),
            entity: Entity::Contact,
            crm_field: crm_field.to_owned(),
            app_field: app_field.to_owned(),
            direction,
            transform: None,
            value_map: None,
            suspended: None,
        }
    }

    fn members(mapping: &MappingRow) -> Vec<String> {
        problems(Provider::Salesforce, &description(), mapping).into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn fields_types_and_directions() {
        use FieldDirection::{Bidirectional, None as Nothing, Pull, Push};
        let cases: [(&str, &str, FieldDirection, &[&str]); 19] = [
            ("first_name", "Name", Bidirectional, &[]),
            ("custom.nick_1", "Name", Bidirectional, &[]),
            ("nick", "Name", Bidirectional, &["appField"]),
            ("custom.", "Name", Bidirectional, &["appField"]),
            ("custom.a b", "Name", Bidirectional, &["appField"]),
            ("custom.1a", "Name", Bidirectional, &["appField"]),
            ("first_name", "Nope", Pull, &["crmField"]),
            ("nick", "Nope", Pull, &["appField", "crmField"]),
            ("first_name", "Formula__c", Bidirectional, &["syncDirection"]),
            ("first_name", "Formula__c", Pull, &[]),
            ("first_name", "Formula__c", Nothing, &[]),
            ("email", "Day__c", Push, &["crmField"]),
            ("email", "Day__c", Pull, &["crmField"]),
            ("phone", "Flag__c", Pull, &["crmField"]),
            ("account_id", "AccountId", Bidirectional, &[]),
            ("account_id", "OwnerId", Bidirectional, &["crmField"]),
            ("title", "OwnerId", Pull, &[]),
            ("email", "OwnerId", Bidirectional, &[]),
            ("title", "OwnerId", Push, &["crmField"]),
        ];
        for (app, crm, direction, expected) in cases {
            assert_eq!(members(&mapping(app, crm, direction)), expected, "{app} {crm} {direction}");
        }
    }

    #[test]
    fn a_transform_may_convert_what_cannot_be_taken_over() {
        let converted =
            MappingRow { transform: Some("value".to_owned()), ..mapping("email", "Day__c", FieldDirection::Pull) };
        assert!(members(&converted).is_empty());
        let followed = MappingRow {
            transform: Some("value".to_owned()),
            ..mapping("account_id", "AccountId", FieldDirection::Pull)
        };
        assert_eq!(members(&followed), ["transformFunction"]);
        let person = MappingRow { crm_field: "OwnerId".to_owned(), app_field: "email".to_owned(), ..followed };
        assert_eq!(members(&person), ["transformFunction"]);
    }

    #[test]
    fn pairs_are_whole_and_single() {
        let pair = |crm: &str, app: &str| ValuePair { crm: crm.to_owned(), app: app.to_owned() };
        let with = |pairs: Vec<ValuePair>, direction| MappingRow {
            value_map: Some(pairs),
            ..mapping("title", "Rating", direction)
        };
        use FieldDirection::{Bidirectional, Pull, Push};
        assert!(members(&with(vec![pair("Hot", "hot")], Bidirectional)).is_empty());
        assert!(members(&with(vec![pair("Warm", "warm")], Pull)).is_empty(), "only what is pushed must be known");
        assert_eq!(members(&with(vec![pair("Warm", "warm")], Push)), ["valueMap"]);
        assert_eq!(members(&with(vec![pair("Hot", " ")], Pull)), ["valueMap"]);
        assert_eq!(members(&with(vec![pair("Hot", "a"), pair("Hot", "b")], Pull)), ["valueMap"]);
        assert!(members(&with(vec![pair("Hot", "a"), pair("Warm", "a")], Pull)).is_empty(), "many may become one");
        assert_eq!(members(&with(vec![pair("Hot", "a"), pair("Hot", "a")], Push)), ["valueMap"]);
        assert_eq!(members(&with(vec![pair("Hot", &"x".repeat(1_001))], Pull)), ["valueMap"]);
    }
}
