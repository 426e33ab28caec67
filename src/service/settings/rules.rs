//! Filters and excluded fields as they are sent: checked against what the app has and the CRM shows.

use chrono::TimeDelta;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::connectors::EntityDescription;
use crate::model::{Entity, EntityRules, SyncRules};
use crate::service::mappings::{app_side, connection};
use crate::service::{FieldProblem, ServiceError, Services, Viewer, descriptions};
use crate::store::setup::ConnectionSetup;
use crate::sync::{FilterContext, validate_filter};

/// How old a description may be where a field is looked up in it, and where the field is not found in it.
const AGES: [TimeDelta; 2] = [TimeDelta::hours(1), TimeDelta::seconds(10)];

/// Fields that may be excluded of one entity.
const MOST_EXCLUDED: usize = 200;

/// Rules that were sent, and everything that is wrong with them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct CheckedRules {
    /// Takes the place of each entity's rules; the others keep theirs.
    pub rules: Vec<(Entity, EntityRules)>,
    /// What is wrong.
    pub problems: Vec<FieldProblem>,
}

impl CheckedRules {
    /// What a connection has after them.
    pub(super) fn apply(&self, rules: &mut SyncRules) {
        for (entity, given) in &self.rules {
            *rules.of_mut(*entity) = given.clone();
        }
    }

    fn problem(&mut self, field: String, message: impl Into<String>) {
        self.problems.push(FieldProblem { field, message: message.into() });
    }
}

/// Checks the member `syncRules` of a change. `null` narrows nothing any more.
pub(super) async fn check(
    services: &Services,
    viewer: &Viewer,
    config_id: Uuid,
    sent: &Json,
) -> Result<CheckedRules, ServiceError> {
    let mut checked = CheckedRules::default();
    let Some(members) = members(sent, &mut checked) else { return Ok(checked) };
    let mut tx = services.begin(viewer).await?;
    let connection = connection(&mut tx, config_id).await?;
    let now = tx.now();
    tx.commit().await?;
    let context = FilterContext::at(now, connection.time_zone.as_deref(), connection.crm_user.as_deref());
    for (entity, rules) in members {
        let path = format!("syncRules.{}", entity.plural());
        let Some((filter, excluded)) = parts(entity, &rules, &path, &mut checked) else { continue };
        let filter = match filter {
            None => None,
            Some(sent) => {
                let path = format!("{path}.filter");
                match read(services, viewer, &connection, entity, (&sent, &path), &context).await? {
                    Ok(filter) => filter,
                    Err(problems) => {
                        checked.problems.extend(problems);
                        continue;
                    }
                }
            }
        };
        checked.rules.push((entity, EntityRules { filter, exclude_fields: excluded }));
    }
    Ok(checked)
}

/// The filter in its stored form. The CRM's fields are looked at again where one is not there: it may just have been made.
async fn read(
    services: &Services,
    viewer: &Viewer,
    connection: &ConnectionSetup,
    entity: Entity,
    (sent, path): (&Json, &str),
    context: &FilterContext,
) -> Result<Result<Option<Json>, Vec<FieldProblem>>, ServiceError> {
    let mut outcome = Ok(None);
    for age in AGES {
        let workspace_id = viewer.workspace_id;
        let described =
            descriptions::at_most(services, workspace_id, connection.id, connection.provider, entity, age).await?;
        outcome = judged(sent, path, &described, context);
        let is_unknown = |problem: &FieldProblem| problem.field.ends_with(".field");
        if !outcome.as_ref().is_err_and(|problems| problems.iter().any(is_unknown)) {
            break;
        }
    }
    Ok(outcome)
}

fn judged(
    sent: &Json,
    path: &str,
    described: &EntityDescription,
    context: &FilterContext,
) -> Result<Option<Json>, Vec<FieldProblem>> {
    let filter = validate_filter(sent, path, &|name| described.facts(name), context);
    filter.map(|filter| filter.map(|filter| filter.to_json())).map_err(|problems| {
        let problem =
            |problem: crate::sync::FilterProblem| FieldProblem { field: problem.path, message: problem.message };
        problems.into_iter().map(problem).collect()
    })
}

/// The entities that are named.
fn members(sent: &Json, checked: &mut CheckedRules) -> Option<Vec<(Entity, Json)>> {
    let named = match sent {
        Json::Null => Entity::ALL.iter().map(|entity| (entity.plural().to_owned(), Json::Null)).collect(),
        Json::Object(members) => members.clone(),
        _ => {
            checked
                .problem("syncRules".to_owned(), "Give an object with accounts, contacts or opportunities, or null.");
            return None;
        }
    };
    let mut found = Vec::new();
    for (name, rules) in named {
        match Entity::from_plural(&name) {
            Some(entity) => found.push((entity, rules)),
            None => {
                let message = "Rules go with accounts, contacts or opportunities.";
                checked.problem(format!("syncRules.{name}"), message);
            }
        }
    }
    Some(found)
}

/// An entity's filter, as sent, and its excluded fields.
fn parts(entity: Entity, rules: &Json, path: &str, checked: &mut CheckedRules) -> Option<(Option<Json>, Vec<String>)> {
    let empty = Map::new();
    let members = match rules {
        Json::Null => &empty,
        Json::Object(members) => members,
        _ => {
            checked.problem(path.to_owned(), "Give an object with filter and excludeFields, or null.");
            return None;
        }
    };
    let before = checked.problems.len();
    for name in members.keys().filter(|name| !matches!(name.as_str(), "filter" | "excludeFields")) {
        checked.problem(format!("{path}.{name}"), "Rules have the members filter and excludeFields only.");
    }
    let mut excluded: Vec<String> = Vec::new();
    let list = match members.get("excludeFields") {
        None | Some(Json::Null) => &[],
        Some(Json::Array(list)) if list.len() <= MOST_EXCLUDED => list.as_slice(),
        Some(_) => {
            checked.problem(format!("{path}.excludeFields"), "Give a list of app fields, at most 200.");
            &[]
        }
    };
    for (place, name) in list.iter().enumerate() {
        match name.as_str().filter(|name| app_side(entity, name).is_some()) {
            Some(name) if !excluded.iter().any(|known| known == name) => excluded.push(name.to_owned()),
            Some(_) => {}
            None => {
                let message = format!("There is no such app field in {}. Choose one that it has.", entity.plural());
                checked.problem(format!("{path}.excludeFields[{place}]"), message);
            }
        }
    }
    let filter = members.get("filter").filter(|filter| !filter.is_null()).cloned();
    (checked.problems.len() == before).then_some((filter, excluded))
}
