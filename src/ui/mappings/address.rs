//! The state of the mapping screen, as its address says it.

use leptos_router::params::ParamsMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{Entity, Provider};
use crate::view::mappings::MappingForm;

/// From how many percent on a proposal is ticked at first.
pub(super) const FIRST_LINE: u8 = 95;

/// What of the address decides what is loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// Part of a field's name.
    pub search: String,
    /// Only mappings with problems.
    pub only_problems: bool,
    /// The record whose values are shown.
    pub record: String,
    /// The changes that were just published.
    pub changes: Vec<Uuid>,
}

/// Which dialog is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Open {
    /// None.
    Nothing,
    /// The editor of a new mapping.
    Add,
    /// The editor of this mapping.
    Edit(String),
    /// The question whether to remove this mapping.
    Remove(String),
    /// The proposals of auto-map; those with so many percent are ticked.
    AutoMap(u8),
}

impl Address {
    pub(super) fn read(query: &ParamsMap) -> Self {
        let member = |name: &str| query.get(name).unwrap_or_default();
        Address {
            search: member("q"),
            only_problems: query.get("problems").is_some(),
            record: member("record"),
            changes: changes_of(&member("changed")),
        }
    }

    /// The query string that brings this state back, without what was just published.
    pub(super) fn back(&self) -> String {
        let mut query = ParamsMap::new();
        if !self.search.is_empty() {
            query.insert("q", self.search.clone());
        }
        if self.only_problems {
            query.insert("problems", "only".to_owned());
        }
        if !self.record.is_empty() {
            query.insert("record", self.record.clone());
        }
        query.to_query_string().trim_start_matches('?').to_owned()
    }

    /// The screen in this state.
    pub(super) fn href(&self, provider: Provider, entity: Entity) -> String {
        joined(screen(provider, entity), &[&self.back()])
    }

    /// The screen in this state with a dialog open.
    pub(super) fn with_dialog(&self, provider: Provider, entity: Entity, open: &Open) -> String {
        let dialog = match open {
            Open::Nothing => String::new(),
            Open::Add => "dialog=add".to_owned(),
            Open::Edit(mapping) => format!("dialog=edit&mapping={mapping}"),
            Open::Remove(mapping) => format!("dialog=remove&mapping={mapping}"),
            Open::AutoMap(line) => format!("dialog=auto-map&line={line}"),
        };
        joined(screen(provider, entity), &[&self.back(), &dialog])
    }
}

impl Open {
    pub(super) fn read(query: &ParamsMap) -> Self {
        let mapping = query.get("mapping").filter(|id| id.parse::<Uuid>().is_ok());
        match (query.get("dialog").as_deref(), mapping) {
            (Some("add"), _) => Open::Add,
            (Some("auto-map"), _) => {
                Open::AutoMap(query.get("line").and_then(|line| line.parse().ok()).unwrap_or(FIRST_LINE))
            }
            (Some("edit"), Some(mapping)) => Open::Edit(mapping),
            (Some("remove"), Some(mapping)) => Open::Remove(mapping),
            _ => Open::Nothing,
        }
    }
}

/// The editor's form where it was sent without script, to be tried.
pub(super) fn form_of(query: &ParamsMap) -> Option<MappingForm> {
    query.get("try")?;
    let member = |name: &str| query.get(&format!("form[{name}]")).unwrap_or_default();
    let list = |name: &str| (0..).map_while(|place| query.get(&format!("form[{name}][{place}]"))).collect();
    Some(MappingForm {
        mapping: member("mapping"),
        app_field: member("app_field"),
        crm_field: member("crm_field"),
        direction: member("direction"),
        transform: member("transform"),
        rule: member("rule"),
        pair_app: list("pair_app"),
        pair_crm: list("pair_crm"),
    })
}

/// Changes as an address and a form name them: with commas.
pub(super) fn changes_of(text: &str) -> Vec<Uuid> {
    text.split(',').filter_map(|id| id.parse().ok()).collect()
}

/// The same the other way.
pub(super) fn names_of(changes: &[Uuid]) -> String {
    changes.iter().map(Uuid::to_string).collect::<Vec<_>>().join(",")
}

/// Address of the screen.
pub(super) fn screen(provider: Provider, entity: Entity) -> String {
    format!("/integrations/{provider}/mappings/{}", entity.plural())
}

fn joined(path: String, queries: &[&str]) -> String {
    let queries: Vec<&str> = queries.iter().copied().filter(|query| !query.is_empty()).collect();
    if queries.is_empty() { path } else { format!("{path}?{}", queries.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_as_it_was() {
        let address = Address { search: "a&b".to_owned(), only_problems: true, ..Address::default() };
        let href = address.with_dialog(Provider::Salesforce, Entity::Account, &Open::Add);
        let query = href.split_once('?').map(|(_, query)| query).unwrap_or_default();
        assert!(href.starts_with("/integrations/salesforce/mappings/accounts?"));
        assert!(query.contains("q=a%26b") && query.ends_with("dialog=add"), "{query}");
    }
}
