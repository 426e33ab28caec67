//! Owners: who has records, and by which address they are known (dossier 3.3).

use serde::Deserialize;

use super::super::ConnectorError;
use super::api::Api;
use super::records::{Paging, Text};
use crate::sync::Person;

/// Owners of one page.
const PAGE: usize = 500;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    results: Vec<Owner>,
    #[serde(default)]
    paging: Option<Paging>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner {
    id: Text,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    first_name: Option<String>,
    #[serde(default)]
    last_name: Option<String>,
}

/// Every owner, those who have left included: records may still be theirs.
pub(super) async fn all(api: &Api<'_>) -> Result<Vec<Person>, ConnectorError> {
    let mut found = Vec::new();
    for archived in [false, true] {
        let mut after: Option<String> = None;
        loop {
            let page: Page = api.get(&api.paths.owners(PAGE, archived, after.as_deref())).await?;
            let people = page.results.into_iter().filter_map(|owner| {
                // A queue has no address.
                let email = owner.email.filter(|email| !email.is_empty())?;
                Some(Person { id: owner.id.0?, email, active: !archived })
            });
            found.extend(people);
            after = page.paging.as_ref().and_then(Paging::after);
            if after.is_none() {
                break;
            }
        }
    }
    Ok(found)
}

/// The name of a user, where the connected one may see it.
pub(super) async fn name_of_user(api: &Api<'_>, user_id: u64) -> Option<String> {
    let owner: Owner = api.get(&api.paths.owner_of_user(user_id)).await.ok()?;
    let name = [owner.first_name, owner.last_name].map(Option::unwrap_or_default).join(" ");
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
