//! `/records/:entity/:id`: both sides of each link, links, conflicts, the history of a field; edit, delete, restore.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use uuid::Uuid;

use super::files::Files;
use super::form::RecordFields;
use super::server::{DeleteFile, DeleteRecord, RestoreRecord, SaveRecord, load_record};
use super::why::WhyPanel;
use super::{Refused, list_href, record_href, use_entity};
use crate::model::{Capability, ConflictKind, LinkState};
use crate::ui::components::{
    ActionNotice, Button, ButtonKind, Dialog, DirectionArrow, EnvironmentBadge, Icon, IconName, LinkButton, Notice,
    ProviderMark, RelativeTime, Shape, StatusBadge, Table, Tone, Topic, use_live,
};
use crate::ui::use_reason;
use crate::view::Problem;
use crate::view::instant::counted;
use crate::view::record_page::{Agreement, ComparedField, ConflictOnPage, LinkOnPage, OwnField, RecordPage as Page};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Read,
    Edit,
    AskDelete,
}

/// One record.
#[component]
pub fn RecordPage() -> impl IntoView {
    let entity = use_entity();
    let params = use_params_map();
    let query = use_query_map();
    let id = Memo::new(move |_| params.read().get("id").and_then(|id| id.parse::<Uuid>().ok()));
    let field = Memo::new(move |_| query.read().get("field").filter(|field| !field.is_empty()));
    let mode = Memo::new(move |_| match query.read().get("dialog").as_deref() {
        Some("edit") => Mode::Edit,
        Some("delete") => Mode::AskDelete,
        _ => Mode::Read,
    });
    let save = ServerAction::<SaveRecord>::new();
    let delete = ServerAction::<DeleteRecord>::new();
    let restore = ServerAction::<RestoreRecord>::new();
    let delete_file = ServerAction::<DeleteFile>::new();
    let changes =
        move || (save.version().get(), delete.version().get(), restore.version().get(), delete_file.version().get());
    let page = Resource::new(
        move || (entity.get(), id.get(), field.get(), changes()),
        |(entity, id, field, _)| async move {
            match (entity, id) {
                (Some(entity), Some(id)) => load_record(entity, id, field).await,
                _ => Err(Problem::not_found()),
            }
        },
    );
    use_live().refetch(&[Topic::Run, Topic::Conflict], page);
    view! {
        <Transition>
            {move || {
                page.get()
                    .map(|page| match page {
                        Ok(page) => {
                            let shown = page.clone();
                            view! {
                                <Head page=page.clone() restore=restore />
                                <Body page=shown delete_file=delete_file />
                                {match mode.get() {
                                    Mode::Edit => view! { <EditDialog page=page save=save /> }.into_any(),
                                    Mode::AskDelete => view! { <DeleteDialog page=page delete=delete /> }.into_any(),
                                    Mode::Read => ().into_any(),
                                }}
                            }
                                .into_any()
                        }
                        Err(problem) => view! { <Refused problem=problem /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn Head(page: Page, restore: ServerAction<RestoreRecord>) -> impl IntoView {
    let entity = page.entity;
    let href = record_href(entity, page.id);
    let reason = use_reason(Capability::EditRecords);
    let sentence = page
        .sentence
        .iter()
        .cloned()
        .map(|(text, strong)| if strong { view! { <strong>{text}</strong> }.into_any() } else { text.into_any() })
        .collect_view();
    let conflict = page.conflicts.first().map(|conflict| format!("/conflicts/{}", conflict.id));
    let edit_kind = if conflict.is_some() { ButtonKind::Plain } else { ButtonKind::Primary };
    let actions = if page.deleted.is_some() {
        view! {
            <ActionForm action=restore>
                <input type="hidden" name="entity" value=entity.as_str() />
                <input type="hidden" name="id" value=page.id.to_string() />
                <Button kind=ButtonKind::Primary busy=restore.pending() disabled=reason>
                    "Restore"
                </Button>
            </ActionForm>
        }
        .into_any()
    } else {
        view! {
            {conflict.map(|href| view! { <LinkButton kind=ButtonKind::Primary href=href>"Review conflict"</LinkButton> })}
            <LinkButton kind=edit_kind href=format!("{href}?dialog=edit") disabled=reason.clone()>
                "Edit"
            </LinkButton>
            <LinkButton kind=ButtonKind::Danger href=format!("{href}?dialog=delete") disabled=reason>
                "Delete"
            </LinkButton>
        }
        .into_any()
    };
    view! {
        <Title text=page.title.clone() />
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/records/accounts">"Records"</a>
            <Icon name=IconName::Next />
            <a href=list_href(entity)>{entity.title()}</a>
            <Icon name=IconName::Next />
            <span class="id">{page.id.to_string()}</span>
        </nav>
        <div class="page-head">
            <div>
                <h1>
                    {page.title}
                    " "
                    <span class="h1-sub">{entity.as_str()}</span>
                </h1>
                <p class="sentence">{sentence}</p>
            </div>
            <div class="actions">{actions}</div>
        </div>
        <ActionNotice action=restore />
    }
}

#[component]
fn Body(page: Page, delete_file: ServerAction<DeleteFile>) -> impl IntoView {
    let href = record_href(page.entity, page.id);
    let chosen = page.why.as_ref().map(|why| why.field.clone()).unwrap_or_default();
    let notices = page.links.iter().filter_map(link_notice).collect_view();
    let questions = page.conflicts.iter().map(question).collect_view();
    let tables = page.links.iter().filter(|link| !link.fields.is_empty());
    let tables = tables.map(|link| compared(link.clone(), &href, &chosen)).collect_view();
    let own =
        (!page.own_fields.is_empty()).then(|| own_fields(page.own_fields, &href, &chosen, !page.links.is_empty()));
    view! {
        <LinkStrip links=page.links created=page.created updated=page.updated />
        {notices}
        {questions}
        <div class="rec-grid">
            <div class="stack">
                {tables} {own}
                <Files entity=page.entity id=page.id files=page.files is_deleted=page.deleted.is_some() delete=delete_file />
            </div>
            {page.why.map(|why| view! { <WhyPanel why=why /> })}
        </div>
    }
}

#[component]
fn LinkStrip(links: Vec<LinkOnPage>, created: crate::view::Moment, updated: crate::view::Moment) -> impl IntoView {
    let is_linked = !links.is_empty();
    let items = links
        .into_iter()
        .map(|link| {
            let id = link.crm_record_id.map(|id| match link.crm_url {
                Some(url) => view! { <a class="id" href=url rel="external">{id}</a> }.into_any(),
                None => view! { <span class="id">{id}</span> }.into_any(),
            });
            view! {
                <span class="row row-wrap">
                    <ProviderMark provider=link.provider class="mark mark-xs" />
                    {link.noun}
                    " "
                    {id}
                    <EnvironmentBadge environment=link.environment />
                    {(link.state != LinkState::Linked).then(|| view! { <StatusBadge status=link.state /> })}
                    <span class="muted xs">"since " <RelativeTime at=link.since /></span>
                </span>
            }
        })
        .collect_view();
    view! {
        <div class="links">
            <span class="muted">{if is_linked { "Linked to" } else { "Not linked to a CRM" }}</span>
            {items}
            <span class="muted push xs">
                "created " <RelativeTime at=created /> ", changed " <RelativeTime at=updated />
            </span>
        </div>
    }
}

fn link_notice(link: &LinkOnPage) -> Option<impl IntoView + use<>> {
    let failure = link.failure.clone()?;
    Some(view! {
        <div class="mb-3">
            <Notice tone=Tone::Bad>
                {failure.message}
                " "
                {failure.advice}
                {failure
                    .crm_code
                    .map(|code| {
                        view! {
                            " "
                            <span class="muted">"For support: " <span class="id">{code}</span></span>
                        }
                    })}
            </Notice>
        </div>
    })
}

fn question(conflict: &ConflictOnPage) -> impl IntoView + use<> {
    let fields = conflict.fields.join(", ");
    let text = match conflict.kind {
        ConflictKind::Field => format!("Both sides changed {fields}. Neither is touched until someone decides."),
        ConflictKind::Match => "Several records could be this one. Nothing is linked until someone decides.".to_owned(),
        ConflictKind::Delete => {
            "One side deleted what the other edited. Nothing happens until someone decides.".to_owned()
        }
        ConflictKind::Merge => {
            "Its record in the CRM was merged into another. Someone decides about this one.".to_owned()
        }
    };
    let href = format!("/conflicts/{}", conflict.id);
    view! {
        <div class="mb-3">
            <Notice tone=Tone::Wait>
                {text} " " <a href=href>"Look at the conflict"</a>
            </Notice>
        </div>
    }
}

fn compared(link: LinkOnPage, href: &str, chosen: &str) -> impl IntoView + use<> {
    let crm = link.provider.title();
    let total = link.fields.len();
    let rows = link.fields.into_iter().map(|field| compared_row(field, crm, href, chosen)).collect_view();
    let foot = move || {
        view! {
            <div class="table-foot">
                <span>{counted(total as u64, "mapped field")}</span>
            </div>
        }
    };
    view! {
        <Table caption=format!("Fields here and in {crm}") class="rec" foot=foot>
            <thead>
                <tr>
                    <th scope="col" style:width="18%">"App field"</th>
                    <th scope="col" style:width="25%">"Here"</th>
                    <th scope="col" style:width="36px">
                        <span class="sr">"Direction"</span>
                    </th>
                    <th scope="col" style:width="25%">{format!("In {crm}")}</th>
                    <th scope="col" style:width="18%">"CRM field"</th>
                    <th scope="col">"State"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </Table>
    }
}

fn compared_row(field: ComparedField, crm: &'static str, href: &str, chosen: &str) -> impl IntoView + use<> {
    let is_chosen = field.name == chosen;
    let (tone, word) = match field.agreement {
        Agreement::Agrees => (Tone::Ok, "agrees"),
        Agreement::Conflict => (Tone::Wait, "conflict"),
        Agreement::Failed => (Tone::Bad, "failed"),
        Agreement::Waits => (Tone::Run, "waits"),
        Agreement::Rests => (Tone::Off, "rests"),
        Agreement::NotCompared => (Tone::Off, "not met"),
    };
    view! {
        <tr class:is-selected=is_chosen>
            <th scope="row" class="lead">{field_link(&field.name, href, is_chosen)}</th>
            <td data-l="Here">{linked_value(field.here, field.href)}</td>
            <td class="skip-phone dg" title=field.direction.label()>
                <DirectionArrow direction=field.direction />
                <span class="sr">{field.direction.label()}</span>
            </td>
            <td data-l=crm>{value(field.there)}</td>
            <td data-l="CRM field">
                <div class="truncate api">{field.crm_field}</div>
            </td>
            <td data-l="State">
                <div class="truncate xs" title=field.note.clone()>
                    <span class="state">
                        <Shape tone=tone />
                        {word}
                        <span class="sr">{format!(". {}", field.note)}</span>
                    </span>
                </div>
            </td>
        </tr>
    }
}

fn own_fields(fields: Vec<OwnField>, href: &str, chosen: &str, is_linked: bool) -> impl IntoView + use<> {
    let rows = fields
        .into_iter()
        .map(|field| {
            let is_chosen = field.name == chosen;
            view! {
                <tr class:is-selected=is_chosen>
                    <th scope="row" class="lead">{field_link(&field.name, href, is_chosen)}</th>
                    <td data-l="Here">{linked_value(field.value, field.href)}</td>
                </tr>
            }
        })
        .collect_view();
    let heading = if is_linked { "Exist here only" } else { "Fields" };
    view! {
        <Table caption=heading class="rec">
            <thead>
                <tr>
                    <th scope="col" style:width="25%">"App field"</th>
                    <th scope="col">{if is_linked { "Here only" } else { "Here" }}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </Table>
    }
}

fn field_link(name: &str, href: &str, is_chosen: bool) -> impl IntoView + use<> {
    let address = format!("{href}?field={}#why", leptos_router::location::Url::escape(name));
    view! {
        <div class="truncate">
            <a
                class="api ink plain"
                href=address
                title="Why is this the value?"
                aria-current=is_chosen.then_some("true")
            >
                {name.to_owned()}
            </a>
        </div>
    }
}

fn linked_value(text: Option<String>, href: Option<String>) -> impl IntoView {
    match (text, href) {
        (Some(text), Some(href)) => view! { <a class="truncate value" href=href>{text}</a> }.into_any(),
        (text, _) => value(text).into_any(),
    }
}

fn value(text: Option<String>) -> impl IntoView {
    match text {
        Some(text) => {
            let title = text.clone();
            view! { <div class="truncate value" title=title>{text}</div> }.into_any()
        }
        None => view! { <div class="value-none">"empty"</div> }.into_any(),
    }
}

#[component]
fn EditDialog(page: Page, save: ServerAction<SaveRecord>) -> impl IntoView {
    let href = record_href(page.entity, page.id);
    let problem = Signal::derive(move || save.value().get().and_then(Result::err));
    view! {
        <Dialog title=format!("Edit {}", page.title) close_href=href.clone() wide=true>
            <ActionForm action=save attr:class="dialog-form">
                <div class="dialog-body stack">
                    <ActionNotice action=save />
                    <input type="hidden" name="entity" value=page.entity.as_str() />
                    <input type="hidden" name="id" value=page.id.to_string() />
                    <input type="hidden" name="version" value=page.version />
                    <RecordFields fields=page.form problem=problem />
                </div>
                <div class="dialog-foot">
                    <LinkButton href=href>"Cancel"</LinkButton>
                    <Button kind=ButtonKind::Primary busy=save.pending() disabled=use_reason(Capability::EditRecords)>
                        "Save changes"
                    </Button>
                </div>
            </ActionForm>
        </Dialog>
    }
}

#[component]
fn DeleteDialog(page: Page, delete: ServerAction<DeleteRecord>) -> impl IntoView {
    let href = record_href(page.entity, page.id);
    let noun = page.entity.as_str();
    let elsewhere = page.links.iter().filter(|link| link.state == LinkState::Linked);
    let consequences = elsewhere
        .map(|link| {
            let text = if link.deletes_in_crm {
                format!("The {} is deleted too with the next sync: the connection says so.", link.noun)
            } else {
                format!("The {} stays as it is.", link.noun)
            };
            view! { <li>{text}</li> }
        })
        .collect_view();
    view! {
        <Dialog title=format!("Delete {}?", page.title) close_href=href.clone()>
            <ActionForm action=delete attr:class="dialog-form">
                <div class="dialog-body stack">
                    <ActionNotice action=delete />
                    <input type="hidden" name="entity" value=page.entity.as_str() />
                    <input type="hidden" name="id" value=page.id.to_string() />
                    <p>{format!("The {noun} disappears from the lists here. It can be brought back as it was.")}</p>
                    <ul class="stack">{consequences}</ul>
                </div>
                <div class="dialog-foot">
                    <LinkButton href=href>{format!("Keep the {noun}")}</LinkButton>
                    <Button
                        kind=ButtonKind::DangerSolid
                        busy=delete.pending()
                        disabled=use_reason(Capability::EditRecords)
                    >
                        {format!("Delete the {noun}")}
                    </Button>
                </div>
            </ActionForm>
        </Dialog>
    }
}
