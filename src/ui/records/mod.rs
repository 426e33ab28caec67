//! The app's own records: list, one record, its form.

mod files;
mod form;
mod list;
mod record;
mod server;
mod why;

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use uuid::Uuid;

use super::refusal::PageRefusal;
use crate::model::Entity;
use crate::view::Problem;

pub use list::RecordsPage;
pub use record::RecordPage;

/// Address of a list.
fn list_href(entity: Entity) -> String {
    format!("/records/{}", entity.plural())
}

/// Address of a record.
fn record_href(entity: Entity, id: Uuid) -> String {
    format!("/records/{}/{id}", entity.plural())
}

/// The entity that the address names.
fn use_entity() -> Memo<Option<Entity>> {
    let params = use_params_map();
    Memo::new(move |_| params.read().get("entity").and_then(|plural| Entity::from_plural(&plural)))
}

/// A refusal in place of the page.
#[component]
fn Refused(problem: Problem) -> impl IntoView {
    view! {
        <PageRefusal
            problem=problem
            thing="record"
            text="The address may have been mistyped, or the record has been removed for good."
            href="/records/accounts"
            all="All accounts"
        />
    }
}
