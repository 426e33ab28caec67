//! Field mappings: what is paired with what, with the values of a real record on both sides.

mod address;
mod auto_map;
mod editor;
mod remove;
mod server;
mod table;
mod trial;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::components::{Form, Redirect};
use leptos_router::hooks::{use_navigate, use_params_map, use_query_map};

use super::components::{
    ActionNotice, Button, ButtonKind, EmptyState, EnvironmentBadge, Icon, IconName, LinkButton, Notice, ProblemNotice,
    Tab, Tabs, Tone, Topic, use_live,
};
use super::layout::use_reason;
use super::server::set_status;
use crate::model::{Capability, Entity, Provider};
use crate::view::Problem;
use crate::view::instant::counted;
use crate::view::mappings::{MappingsPage as Page, PublishedChange, Suggestions};
use address::{Address, FIRST_LINE, Open, form_of, names_of, screen};
use auto_map::AutoMapDialog;
use editor::Editor;
use remove::RemoveDialog;
use server::{UndoMappingChange, last_used_provider, load_mappings, load_suggestions};
use table::MappingTable;

/// `/mappings`: on to the connection that was used last.
#[component]
pub fn MappingsRedirect() -> impl IntoView {
    view! { <ToConnection title="Field mappings" part="mappings/accounts" /> }
}

/// On to a part of the connection that was used last; what to do where there is none.
#[component]
pub(super) fn ToConnection(
    /// Title of the page where there is none.
    title: &'static str,
    /// What follows the connection in the address.
    part: &'static str,
) -> impl IntoView {
    let provider = Resource::new(|| (), |_| last_used_provider());
    let answer = move || {
        provider.get().map(|answer| match answer {
            Ok(Some(provider)) => {
                let options = NavigateOptions { replace: true, ..NavigateOptions::default() };
                view! { <Redirect path=format!("/integrations/{provider}/{part}") options=options /> }.into_any()
            }
            Ok(None) => nothing_connected(title).into_any(),
            Err(problem) => refused(problem).into_any(),
        })
    };
    view! { <Suspense>{answer}</Suspense> }
}

fn nothing_connected(title: &'static str) -> impl IntoView {
    let reason = use_reason(Capability::ManageConnections);
    view! {
        <Title text=title />
        <EmptyState
            drawing=true
            title="No CRM is connected yet"
            text="Connect Salesforce first. What is mapped and when it syncs is chosen here afterwards."
        >
            <LinkButton href="/connect" kind=ButtonKind::Primary disabled=reason>
                "Connect Salesforce"
            </LinkButton>
        </EmptyState>
    }
}

/// A refusal in place of the page.
pub(super) fn refused(problem: Problem) -> impl IntoView {
    set_status(problem.status);
    if problem.status != 404 {
        return view! { <ProblemNotice problem=problem /> }.into_any();
    }
    view! {
        <Title text="Nothing here" />
        <EmptyState title="This CRM is not connected" text="The address may have been mistyped, or it was never connected.">
            <LinkButton href="/integrations">"Go to Integrations"</LinkButton>
        </EmptyState>
    }
    .into_any()
}

/// `/integrations/:provider/mappings/:entity`.
#[component]
pub fn MappingsPage() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let place = Memo::new(move |_| {
        let params = params.read();
        let provider = params.get("provider").and_then(|name| name.parse::<Provider>().ok())?;
        Some((provider, params.get("entity").and_then(|plural| Entity::from_plural(&plural))?))
    });
    let address = Memo::new(move |_| Address::read(&query.read()));
    let open = Memo::new(move |_| Open::read(&query.read()));
    let form = Memo::new(move |_| form_of(&query.read()));
    let page = Resource::new(
        move || (place.get(), address.get(), form.get()),
        |(place, address, form)| async move {
            let (provider, entity) = place.ok_or_else(Problem::not_found)?;
            load_mappings(provider, entity, address, form).await
        },
    );
    use_live().refetch(&[Topic::Connection, Topic::Run], page);
    let body = move || {
        page.get().map(|loaded| match loaded {
            Ok(page) => view! { <Screen page=page address=address /> }.into_any(),
            Err(problem) => refused(problem).into_any(),
        })
    };
    let dialog = move || {
        let page = page.get().and_then(Result::ok)?;
        let close = address.get().href(page.provider, page.entity);
        let row_of = |id: &str| page.rows.iter().find(|row| row.mapping.id.to_string() == id).cloned();
        match open.get() {
            Open::Nothing | Open::AutoMap(_) => None,
            Open::Add => {
                Some(view! { <Editor page=page row=None form=form.get() address=address close=close /> }.into_any())
            }
            Open::Edit(id) => {
                let row = row_of(&id)?;
                Some(
                    view! { <Editor page=page row=Some(row) form=form.get() address=address close=close /> }.into_any(),
                )
            }
            Open::Remove(id) => {
                let row = row_of(&id)?;
                Some(view! { <RemoveDialog page=page row=row address=address close=close /> }.into_any())
            }
        }
    };
    let asks = Memo::new(move |_| place.get().filter(|_| matches!(open.get(), Open::AutoMap(_))));
    let suggestions = Resource::new(
        move || asks.get(),
        |asked| async move {
            match asked {
                Some((provider, entity)) => load_suggestions(provider, entity).await.map(Some),
                None => Ok(None),
            }
        },
    );
    let proposals = move |found: Option<Result<Suggestions, Problem>>| {
        // The fallback is drawn once and follows nothing; what is drawn after it follows the address by itself.
        let (Open::AutoMap(line), Some((provider, entity))) = (open.get_untracked(), place.get_untracked()) else {
            return None;
        };
        Some(view! { <AutoMapDialog provider=provider entity=entity found=found line=line address=address /> })
    };
    view! {
        <Transition>{body}</Transition>
        <Transition>{dialog}</Transition>
        // What is ticked stays while a run goes on: this part does not load the page's values.
        <Suspense fallback=move || proposals(None)>
            {move || {
                open.track();
                suggestions.get().and_then(|found| proposals(found.transpose()))
            }}
        </Suspense>
    }
}

#[component]
fn Screen(page: Page, address: Memo<Address>) -> impl IntoView {
    let (provider, entity) = (page.provider, page.entity);
    let crm = provider.title();
    let current = address.get_untracked();
    let add = current.with_dialog(provider, entity, &Open::Add);
    let auto_map = current.with_dialog(provider, entity, &Open::AutoMap(FIRST_LINE));
    let tabs: Vec<Tab> = page
        .counts
        .iter()
        .map(|(of, count)| Tab {
            href: screen(provider, *of),
            label: of.title().to_owned(),
            count: Some(*count),
            current: *of == entity,
        })
        .collect();
    let problems = match page.problems {
        0 => "None has a problem.".to_owned(),
        1 => "1 mapping has a problem.".to_owned(),
        many => format!("{} have a problem.", counted(many.unsigned_abs(), "mapping")),
    };
    let required = (!page.unmapped_required.is_empty()).then(|| {
        format!(
            "{crm} takes no new {} without {}, which no mapping fills. Map it, or new records from here will fail.",
            entity,
            page.unmapped_required.join(", ")
        )
    });
    let change = page.change.clone();
    view! {
        <Title text=format!("Field mappings, {crm} {}", entity.plural()) />
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/integrations">"Integrations"</a>
            <Icon name=IconName::Next />
            <span>{crm}</span>
            <Icon name=IconName::Next />
            <span>"Mappings"</span>
        </nav>
        <div class="page-head">
            <div>
                <h1>
                    "Field mappings " <span class="h1-sub">{crm}</span> " " <EnvironmentBadge environment=page.environment />
                </h1>
                <p class="sentence">
                    <strong>{page.mapped.clone()}</strong>
                    {format!(" {crm} {entity} fields are mapped. {problems}")}
                </p>
            </div>
            <div class="actions">
                <LinkButton href=auto_map disabled=use_reason(Capability::ManageMappings)>
                    "Auto-map fields"
                </LinkButton>
                <LinkButton href=add kind=ButtonKind::Primary disabled=use_reason(Capability::ManageMappings)>
                    <Icon name=IconName::Plus />
                    "Add mapping"
                </LinkButton>
            </div>
        </div>
        <Tabs label="Entity" tabs=tabs />
        <div class="stack">
            {change.map(|change| view! { <Published change=change provider=provider address=address /> })}
            {(!page.in_sync)
                .then(|| {
                    view! {
                        <Notice tone=Tone::Off>
                            {format!("Runs do not take {} at the moment. ", entity.plural())}
                            <a href=format!("/integrations/{provider}/settings")>"Switch them on in Settings"</a>
                        </Notice>
                    }
                })}
            {required.map(|sentence| view! { <Notice tone=Tone::Wait>{sentence}</Notice> })}
        </div>
        <Filters page=page.clone() address=current />
        <MappingTable page=page address=address />
    }
    .into_any()
}

/// What was just published, with the way back.
#[component]
fn Published(change: PublishedChange, provider: Provider, address: Memo<Address>) -> impl IntoView {
    let undo = ServerAction::<UndoMappingChange>::new();
    let reason = use_reason(Capability::ManageMappings);
    let ids = names_of(&change.ids);
    let way_back = (change.undoable && reason.is_none()).then(|| {
        view! {
            <ActionForm action=undo attr:class="push">
                <input type="hidden" name="provider" value=provider.as_str() />
                <input type="hidden" name="change" value=ids />
                <input type="hidden" name="back" value=move || address.get().back() />
                <Button small=true busy=undo.pending()>
                    "Undo"
                </Button>
            </ActionForm>
        }
    });
    view! {
        <ActionNotice action=undo />
        <Notice tone=Tone::Ok>
            <div class="row row-wrap">
                <span>{change.sentence}</span>
                {way_back}
            </div>
        </Notice>
    }
}

/// Search, only problems, and the record whose values are shown.
#[component]
fn Filters(page: Page, address: Address) -> impl IntoView {
    let (provider, entity) = (page.provider, page.entity);
    let navigate = use_navigate();
    let go =
        Callback::new(move |address: Address| navigate(&address.href(provider, entity), NavigateOptions::default()));
    let shown = page.record;
    let place = page.records.iter().position(|(id, _)| Some(*id) == shown);
    let neighbour = |step: isize| {
        let place = place?.checked_add_signed(step)?;
        let (id, _) = page.records.get(place)?;
        Some(Address { record: id.to_string(), changes: Vec::new(), ..address.clone() }.href(provider, entity))
    };
    let (before, after) = (neighbour(-1), neighbour(1));
    let of_problems = address.clone();
    let of_record = address.clone();
    let choices = page
        .records
        .iter()
        .map(|(id, name)| {
            let selected = Some(*id) == shown;
            view! { <option value=id.to_string() selected=selected>{name.clone()}</option> }
        })
        .collect_view();
    let no_records = "Values appear when records are linked: after the first sync.";
    let picker = if page.records.is_empty() {
        view! { <span class="small muted push">{no_records}</span> }.into_any()
    } else {
        view! {
            <div class="row push rec-pick">
                <label for="rec" class="small muted nowrap">
                    "Show values of"
                </label>
                <select
                    class="select"
                    id="rec"
                    name="record"
                    style:width="250px"
                    on:change=move |event| {
                        let record = event_target_value(&event);
                        go.run(Address { record, changes: Vec::new(), ..of_record.clone() });
                    }
                >
                    {choices}
                </select>
                {neighbour_link(before, "Previous record", IconName::Previous)}
                {neighbour_link(after, "Next record", IconName::Next)}
            </div>
        }
        .into_any()
    };
    view! {
        <Form method="GET" action=screen(provider, entity) attr:class="filters mt-4">
            <div class="input-icon">
                <Icon name=IconName::Search />
                <input class="input" type="search" name="q" value=address.search aria-label="Find a field" placeholder="Find a field" />
            </div>
            <label class="choice">
                <input
                    class="check"
                    type="checkbox"
                    name="problems"
                    value="only"
                    checked=address.only_problems
                    on:change=move |event| {
                        let only_problems = event_target_checked(&event);
                        go.run(Address { only_problems, changes: Vec::new(), ..of_problems.clone() });
                    }
                />
                <span>{format!("Only problems ({})", page.problems)}</span>
            </label>
            <Button kind=ButtonKind::Quiet small=true>
                "Show"
            </Button>
            {picker}
        </Form>
    }
}

fn neighbour_link(href: Option<String>, label: &'static str, icon: IconName) -> impl IntoView {
    let reason = href.is_none().then(|| "This is the last one of the list.".to_owned());
    view! {
        <LinkButton href=href.unwrap_or_default() icon_only=true label=label disabled=reason>
            <Icon name=icon />
        </LinkButton>
    }
}
