//! `/conflicts/:id`: one conflict. Fields side by side, or the record as a whole.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use uuid::Uuid;

use super::always::AlwaysDialog;
use super::keys::{KeysDialog, listen_for_keys};
use super::server::{IgnoreConflict, ResolveConflict, SettleConflict, load_conflict};
use super::split::Split;
use super::whole::Whole;
use crate::model::{ConflictKind, ConflictStatus, ResolutionStrategy};
use crate::ui::components::{ActionNotice, Icon, IconName, StatusBadge, Topic, use_live};
use crate::ui::logs::emphasised;
use crate::ui::refusal::PageRefusal;
use crate::view::Problem;
use crate::view::conflicts::ConflictPage as Page;

/// What a person may do with a conflict.
#[derive(Clone, Copy)]
pub(super) struct Actions {
    pub(super) resolve: ServerAction<ResolveConflict>,
    pub(super) settle: ServerAction<SettleConflict>,
    pub(super) ignore: ServerAction<IgnoreConflict>,
}

/// One conflict.
#[component]
pub fn ConflictPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get("id").and_then(|id| id.parse::<Uuid>().ok()));
    let page = Resource::new(
        move || id.get(),
        |id| async move {
            match id {
                Some(id) => load_conflict(id).await,
                None => Err(Problem::not_found()),
            }
        },
    );
    use_live().refetch(&[Topic::Conflict], page);
    let actions = Actions { resolve: ServerAction::new(), settle: ServerAction::new(), ignore: ServerAction::new() };
    // A side moved, or somebody was faster: the notice says so and the page shows what there is now.
    Effect::new(move |_| {
        let moved = [
            actions.resolve.value().get().and_then(Result::err),
            actions.settle.value().get().and_then(Result::err),
            actions.ignore.value().get().and_then(Result::err),
        ];
        if moved.into_iter().flatten().any(|problem| problem.code == "conflict_moved") {
            page.refetch();
        }
    });
    // A notice about one conflict says nothing about the next.
    Effect::new(move |before: Option<Option<Uuid>>| {
        let now = id.get();
        if before.is_some_and(|before| before != now) {
            actions.resolve.clear();
            actions.settle.clear();
            actions.ignore.clear();
        }
        now
    });
    view! {
        <Transition>
            {move || {
                page.get()
                    .map(|page| match page {
                        Ok(page) => view! { <Conflict page=page actions=actions /> }.into_any(),
                        Err(problem) => view! { <Refused problem=problem /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn Refused(problem: Problem) -> impl IntoView {
    view! {
        <PageRefusal
            problem=problem
            thing="conflict"
            text="The address may have been mistyped, or the connection it belonged to is gone."
            href="/conflicts"
            all="All conflicts"
        />
    }
}

#[component]
fn Conflict(page: Page, actions: Actions) -> impl IntoView {
    let query = use_query_map();
    let dialog = Memo::new(move |_| query.read().get("dialog"));
    let sentence = page.sentence.clone();
    let is_pending = page.status == ConflictStatus::Pending;
    let by_field = page.kind == ConflictKind::Field;
    if is_pending {
        listen_for_keys();
    }
    let for_dialog = page.clone();
    let dialogs = move || {
        let page = for_dialog.clone();
        match (dialog.get().as_deref(), is_pending && by_field) {
            (Some("keys"), _) => view! { <KeysDialog id=page.id /> }.into_any(),
            (Some("always-app"), true) => {
                view! { <AlwaysDialog page=page strategy=ResolutionStrategy::UseApp actions=actions /> }.into_any()
            }
            (Some("always-crm"), true) => {
                view! { <AlwaysDialog page=page strategy=ResolutionStrategy::UseCrm actions=actions /> }.into_any()
            }
            _ => ().into_any(),
        }
    };
    view! {
        <Title text=page.record.clone() />
        <Place page=page.clone() />
        <div class="page-head">
            <div>
                <h1>
                    {page.record.clone()} " " <span class="h1-sub">{page.entity.as_str()}</span>
                </h1>
                <p class="sentence">{emphasised(&sentence)}</p>
            </div>
            {(!is_pending)
                .then(|| view! { <div class="actions"><StatusBadge status=page.status /></div> })}
        </div>
        <ActionNotice action=actions.resolve />
        <ActionNotice action=actions.settle />
        <ActionNotice action=actions.ignore />
        {if by_field {
            view! { <Split page=page actions=actions /> }.into_any()
        } else {
            view! { <Whole page=page actions=actions /> }.into_any()
        }}
        {dialogs}
    }
}

#[component]
fn Place(page: Page) -> impl IntoView {
    let (newer, older) = page.neighbours;
    let link = |id: Option<Uuid>, element: &'static str, label: &'static str, key: &'static str| {
        id.map(|id| {
            view! {
                <a class="btn btn-sm btn-quiet" id=element href=format!("/conflicts/{id}")>
                    {label}
                    " "
                    <kbd>{key}</kbd>
                </a>
            }
        })
    };
    view! {
        <div class="row between row-wrap mb-2">
            <nav class="crumbs" aria-label="Breadcrumb">
                <a href="/conflicts">"Conflicts"</a>
                <Icon name=IconName::Next />
                <span class="num">{page.place}</span>
            </nav>
            <div class="row">
                {link(newer, "previous-conflict", "Previous", "K")} {link(older, "next-conflict", "Next", "J")}
            </div>
        </div>
    }
}
