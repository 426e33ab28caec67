//! `/records/:entity`: the list, with search, pages, deleted ones on demand, and the way to a new record.

use leptos::prelude::*;
use leptos_router::components::Form;
use leptos_router::hooks::use_query_map;

use super::form::RecordFields;
use super::server::{CreateRecord, load_record_form, load_records};
use super::{Refused, list_href, record_href, use_entity};
use crate::model::{Capability, Entity};
use crate::ui::components::{
    ActionNotice, Button, ButtonKind, CheckField, Dialog, EmptyState, Icon, IconName, LinkButton, PageHeader,
    Pagination, ProviderMark, RelativeTime, StatusBadge, Tab, Table, Tabs, Topic, use_live,
};
use crate::ui::use_reason;
use crate::view::Problem;
use crate::view::instant::grouped;
use crate::view::record_page::{RecordListPage, RecordRow};

/// The list of one entity's records.
#[component]
pub fn RecordsPage() -> impl IntoView {
    let entity = use_entity();
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        let query = query.read();
        let q = query.get("q").filter(|q| !q.is_empty());
        let offset = query.get("offset").and_then(|offset| offset.parse().ok()).unwrap_or(0);
        (entity.get(), q, query.get("deleted").as_deref() == Some("include"), offset)
    });
    let is_new = Memo::new(move |_| query.read().get("dialog").as_deref() == Some("new"));
    let page = Resource::new(
        move || asked.get(),
        |(entity, q, with_deleted, offset)| async move {
            match entity {
                Some(entity) => load_records(entity, q, with_deleted, offset).await,
                None => Err(Problem::not_found()),
            }
        },
    );
    use_live().refetch(&[Topic::Run], page);
    view! {
        <Transition>
            {move || {
                page.get()
                    .map(|page| match page {
                        Ok(page) => {
                            let (_, q, with_deleted, _) = asked.get();
                            view! { <RecordList page=page q=q with_deleted=with_deleted /> }.into_any()
                        }
                        Err(problem) => view! { <Refused problem=problem /> }.into_any(),
                    })
            }}
        </Transition>
        {move || {
            entity.get().filter(|_| is_new.get()).map(|entity| view! { <NewRecord entity=entity /> })
        }}
    }
}

#[component]
fn RecordList(page: RecordListPage, q: Option<String>, with_deleted: bool) -> impl IntoView {
    let entity = page.entity;
    let reason = use_reason(Capability::EditRecords);
    let total = page.counts.iter().find(|(counted, _)| *counted == entity).map_or(0, |(_, count)| *count);
    let sentence = format!("{}, last changed first.", how_many(entity, total));
    let counts = page.counts.clone();
    let tabs = move || {
        let tab = |(tab, count): &(Entity, i64)| Tab {
            href: list_href(*tab),
            label: tab.title().to_owned(),
            count: Some(*count),
            current: *tab == entity,
        };
        counts.iter().map(tab).collect::<Vec<_>>()
    };
    let is_filtered = q.is_some() || with_deleted;
    let address = Address { entity, q: q.clone(), with_deleted };
    view! {
        <PageHeader title="Records" sentence=move || sentence.clone()>
            <LinkButton
                kind=ButtonKind::Primary
                href=format!("{}?dialog=new", list_href(entity))
                disabled=reason
            >
                <Icon name=IconName::Plus />
                {format!("New {}", entity.as_str())}
            </LinkButton>
        </PageHeader>
        <Tabs label="Entities" tabs=Signal::derive(tabs) />
        <Filters entity=entity q=q with_deleted=with_deleted />
        {if page.rows.is_empty() {
            view! { <NothingHere entity=entity is_filtered=is_filtered /> }.into_any()
        } else {
            view! { <Rows page=page address=address /> }.into_any()
        }}
    }
}

fn how_many(entity: Entity, count: i64) -> String {
    format!("{} {}", grouped(count), if count == 1 { entity.as_str() } else { entity.plural() })
}

/// What the address of the list says beside the part.
#[derive(Clone)]
struct Address {
    entity: Entity,
    q: Option<String>,
    with_deleted: bool,
}

impl Address {
    fn at(&self, offset: i64) -> String {
        let mut parts = Vec::new();
        if let Some(q) = &self.q {
            parts.push(format!("q={}", leptos_router::location::Url::escape(q)));
        }
        if self.with_deleted {
            parts.push("deleted=include".to_owned());
        }
        if offset > 0 {
            parts.push(format!("offset={offset}"));
        }
        let query = if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) };
        format!("{}{query}", list_href(self.entity))
    }
}

#[component]
fn Filters(entity: Entity, q: Option<String>, with_deleted: bool) -> impl IntoView {
    let placeholder = match entity {
        Entity::Account => "Name, domain, phone or id",
        Entity::Contact => "Name, e-mail, phone or id",
        Entity::Opportunity => "Name, stage or id",
    };
    view! {
        <Form method="GET" action=list_href(entity) attr:class="filters" attr:role="search">
            <div class="input-icon">
                <Icon name=IconName::Search />
                <input
                    class="input"
                    type="search"
                    name="q"
                    value=q.unwrap_or_default()
                    placeholder=placeholder
                    maxlength="200"
                    aria-label=format!("Search {}", entity.plural())
                />
            </div>
            <CheckField label="Show deleted" name="deleted" value="include" checked=with_deleted />
            <Button>"Search"</Button>
        </Form>
    }
}

#[component]
fn Rows(page: RecordListPage, address: Address) -> impl IntoView {
    let entity = page.entity;
    let headings = page.columns.clone();
    let head = headings.iter().map(|heading| view! { <th scope="col">{heading.clone()}</th> }).collect_view();
    let rows = page.rows.into_iter().map(|row| record_row(entity, &headings, row)).collect_view();
    let part = page.pagination;
    let href = Callback::new(move |offset| address.at(offset));
    let foot = move || view! { <Pagination total=part.total limit=part.limit offset=part.offset href=href /> };
    view! {
        <Table caption=entity.title() class="rec-list" foot=foot>
            <thead>
                <tr>
                    <th scope="col">"Name"</th>
                    {head}
                    <th scope="col">"In the CRM"</th>
                    <th scope="col" class="fit">
                        "Changed"
                    </th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </Table>
    }
}

fn record_row(entity: Entity, headings: &[String], row: RecordRow) -> impl IntoView + use<> {
    let cells = headings
        .iter()
        .zip(row.details)
        .map(|(heading, value)| {
            view! {
                <td data-l=heading.clone()>
                    <div class="truncate">{value}</div>
                </td>
            }
        })
        .collect_view();
    let links = row
        .links
        .into_iter()
        .map(|link| {
            view! {
                <span class="row">
                    <ProviderMark provider=link.provider class="mark mark-xs" />
                    <span class="sr">{link.provider.title()}</span>
                    <StatusBadge status=link.state />
                </span>
            }
        })
        .collect_view();
    let is_linked = !links.is_empty();
    view! {
        <tr>
            <th scope="row" class="lead">
                <div class="truncate">
                    <a class="ink plain" href=record_href(entity, row.id)>
                        {row.title}
                    </a>
                    {row.deleted.then(|| view! { <span class="chip ml-2">"deleted"</span> })}
                </div>
            </th>
            {cells}
            <td data-l="In the CRM">
                {if is_linked {
                    links.into_any()
                } else {
                    view! { <span class="faint">"not linked"</span> }.into_any()
                }}
            </td>
            <td data-l="Changed" class="fit muted">
                <RelativeTime at=row.updated />
            </td>
        </tr>
    }
}

#[component]
fn NothingHere(entity: Entity, is_filtered: bool) -> impl IntoView {
    let plural = entity.plural();
    if is_filtered {
        return view! {
            <EmptyState
                title=format!("No {plural} match")
                text="Search for a part of a name, or look among the deleted ones too."
            >
                <LinkButton href=list_href(entity)>{format!("Show all {plural}")}</LinkButton>
            </EmptyState>
        }
        .into_any();
    }
    view! {
        <EmptyState
            drawing=true
            title=format!("No {plural} yet")
            text=format!(
                "They come with the first sync of a connected CRM, from any program that writes to the {plural} table, or one by one from here.",
            )
        >
            <LinkButton href="/integrations">"Go to Integrations"</LinkButton>
        </EmptyState>
    }
    .into_any()
}

#[component]
fn NewRecord(entity: Entity) -> impl IntoView {
    let create = ServerAction::<CreateRecord>::new();
    let form = Resource::new(move || entity, load_record_form);
    let problem = Signal::derive(move || create.value().get().and_then(Result::err));
    view! {
        <Dialog title=format!("New {}", entity.as_str()) close_href=list_href(entity) wide=true>
            <ActionForm action=create attr:class="dialog-form">
                <div class="dialog-body stack">
                    <ActionNotice action=create />
                    <input type="hidden" name="entity" value=entity.as_str() />
                    <Suspense>
                        {move || {
                            form.get()
                                .map(|form| match form {
                                    Ok(fields) => view! { <RecordFields fields=fields problem=problem /> }.into_any(),
                                    Err(problem) => view! { <Refused problem=problem /> }.into_any(),
                                })
                        }}
                    </Suspense>
                </div>
                <div class="dialog-foot">
                    <LinkButton href=list_href(entity)>"Cancel"</LinkButton>
                    <Button
                        kind=ButtonKind::Primary
                        busy=create.pending()
                        disabled=use_reason(Capability::EditRecords)
                    >
                        {format!("Create {}", entity.as_str())}
                    </Button>
                </div>
            </ActionForm>
        </Dialog>
    }
}
