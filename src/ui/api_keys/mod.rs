//! `/api-keys`: the keys that programs sign in with, for admins. A key is shown once, when it is made.

mod server;

use leptos::prelude::*;
use leptos_router::hooks::{use_navigate, use_query_map};

use super::components::{
    ActionNotice, Badge, Button, ButtonKind, Dialog, EmptyState, Icon, IconName, LinkButton, Notice, PageHeader,
    ProblemNotice, RelativeTime, Table, TextField, Tone,
};
use super::layout::use_reason;
use super::members::AdminsOnly;
use crate::model::Capability;
use crate::view::people::{ApiKeyRow, ApiKeysPage as Page};
use server::{CreateApiKey, RevokeApiKey, load_api_keys};

/// The API keys of the workspace.
#[component]
pub fn ApiKeysPage() -> impl IntoView {
    let reason = use_reason(Capability::ManagePeople);
    let blocked = reason.clone();
    let sentence = "A key lets a program do in this workspace what the person may do whom it belongs to.";
    view! {
        <PageHeader title="API keys" sentence=move || sentence>
            <LinkButton kind=ButtonKind::Primary href="/api-keys?dialog=new" disabled=blocked>
                <Icon name=IconName::Plus />
                "New key"
            </LinkButton>
        </PageHeader>
        {match reason {
            None => view! { <Keys /> }.into_any(),
            Some(reason) => view! { <AdminsOnly reason=reason /> }.into_any(),
        }}
    }
}

#[component]
fn Keys() -> impl IntoView {
    let query = use_query_map();
    let is_new = Memo::new(move |_| query.read().get("dialog").as_deref() == Some("new"));
    let revoked = Memo::new(move |_| query.read().get("revoke").filter(|id| !id.is_empty()));
    let create = ServerAction::<CreateApiKey>::new();
    let revoke = ServerAction::<RevokeApiKey>::new();
    let page = Resource::new(move || (create.version().get(), revoke.version().get()), |_| load_api_keys());
    let made = move || create.value().get().and_then(Result::ok);
    let navigate = use_navigate();
    Effect::new(move |_| {
        if made().is_some() {
            navigate("/api-keys", Default::default());
        }
    });
    view! {
        <ActionNotice action=revoke />
        <Transition>
            {move || {
                page.get()
                    .map(|page| match page {
                        Ok(page) => {
                            let asked = revoked.get();
                            let asked = page.keys.iter().find(|key| Some(key.id.to_string()) == asked).cloned();
                            view! {
                                {made().or(page.new_key.clone()).map(|token| view! { <NewKey token=token /> })}
                                <KeyTable page=page />
                                {asked.map(|key| view! { <RevokeDialog key_row=key revoke=revoke /> })}
                            }
                                .into_any()
                        }
                        Err(problem) => view! { <ProblemNotice problem=problem /> }.into_any(),
                    })
            }}
        </Transition>
        {move || is_new.get().then(|| view! { <NewDialog create=create /> })}
    }
}

#[component]
fn NewKey(token: String) -> impl IntoView {
    view! {
        <div class="mb-4">
            <Notice tone=Tone::Ok>
                "The key is made. Copy it now: it is not kept and cannot be shown again."
                <input class="input mono mt-2" type="text" readonly aria-label="The new key" value=token />
            </Notice>
        </div>
    }
}

#[component]
fn KeyTable(page: Page) -> impl IntoView {
    if page.keys.is_empty() {
        return view! {
            <EmptyState
                title="No API keys yet"
                text="Make one for each program that works with Crosstie, so that you can revoke it alone."
            />
        }
        .into_any();
    }
    let rows = page.keys.into_iter().map(key_row).collect_view();
    view! {
        <Table caption="API keys">
            <thead>
                <tr>
                    <th scope="col">"For"</th>
                    <th scope="col">"Begins with"</th>
                    <th scope="col">"Acts as"</th>
                    <th scope="col">"Made"</th>
                    <th scope="col">"Last used"</th>
                    <th scope="col" class="fit">
                        "State"
                    </th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </Table>
    }
    .into_any()
}

fn key_row(key: ApiKeyRow) -> impl IntoView {
    let used = match key.last_used {
        Some(at) => view! { <RelativeTime at=at /> }.into_any(),
        None => view! { <span class="faint">"never"</span> }.into_any(),
    };
    let state = match key.revoked {
        Some(at) => view! {
            <Badge tone=Tone::Off word="Revoked" />
            " "
            <span class="muted xs">
                <RelativeTime at=at />
            </span>
        }
        .into_any(),
        None => view! {
            <LinkButton small=true kind=ButtonKind::Danger href=format!("/api-keys?revoke={}", key.id)>
                "Revoke"
            </LinkButton>
        }
        .into_any(),
    };
    view! {
        <tr>
            <th scope="row" class="lead">
                {key.name}
            </th>
            <td data-l="Begins with">
                <span class="id">{format!("{}…", key.prefix)}</span>
            </td>
            <td data-l="Acts as">{key.email}</td>
            <td data-l="Made" class="muted">
                <RelativeTime at=key.created />
            </td>
            <td data-l="Last used" class="muted">
                {used}
            </td>
            <td class="fit" data-l="State">
                {state}
            </td>
        </tr>
    }
}

#[component]
fn NewDialog(create: ServerAction<CreateApiKey>) -> impl IntoView {
    let error =
        MaybeProp::derive(move || create.value().get().and_then(Result::err).and_then(|problem| problem.field("name")));
    view! {
        <Dialog title="New API key" close_href="/api-keys".to_owned()>
            <ActionForm action=create>
                <div class="dialog-body stack">
                    <ActionNotice action=create />
                    <TextField
                        label="What is it for?"
                        name="name"
                        required=true
                        max_length=100
                        autocomplete="off"
                        placeholder="Nightly report"
                        error=error
                    />
                    <p class="small muted">"The key acts as you, with your role, until it is revoked."</p>
                </div>
                <div class="dialog-foot">
                    <LinkButton href="/api-keys">"Cancel"</LinkButton>
                    <Button kind=ButtonKind::Primary busy=create.pending()>
                        "Make the key"
                    </Button>
                </div>
            </ActionForm>
        </Dialog>
    }
}

#[component]
fn RevokeDialog(key_row: ApiKeyRow, revoke: ServerAction<RevokeApiKey>) -> impl IntoView {
    view! {
        <Dialog title=format!("Revoke {}?", key_row.name) close_href="/api-keys".to_owned()>
            <ActionForm action=revoke>
                <div class="dialog-body stack">
                    <input type="hidden" name="id" value=key_row.id.to_string() />
                    <p>"Programs that use it are refused from now on. It cannot be brought back; a new key can be made."</p>
                </div>
                <div class="dialog-foot">
                    <LinkButton href="/api-keys">"Keep the key"</LinkButton>
                    <Button kind=ButtonKind::DangerSolid busy=revoke.pending()>
                        "Revoke the key"
                    </Button>
                </div>
            </ActionForm>
        </Dialog>
    }
}
