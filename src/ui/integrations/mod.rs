//! `/integrations`: what is connected, whether both sides agree, what needs a person.

mod card;
mod disconnect;
mod run;
mod server;
mod track;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::components::{
    ActionNotice, ButtonKind, EmptyState, LinkButton, PageHeader, ProblemNotice, Section, Shape, Tone, Topic, use_live,
};
use super::server::set_status;
use super::use_reason;
use crate::model::{Capability, Provider};
use crate::view::integrations::{Attention, IntegrationsPage as Page, Phrase};
use card::ConnectionCard;
use disconnect::DisconnectDialog;
use server::{CancelRun, DisconnectCrm, SetPaused, SyncNow, load_integrations};

pub use run::HeldRun;
pub use server::DecideHeldRun;

pub(super) use run::RunProgress;
pub(super) use server::CancelRun as CancelRunAction;

/// What the cards do.
#[derive(Clone, Copy)]
struct Actions {
    sync: ServerAction<SyncNow>,
    pause: ServerAction<SetPaused>,
    cancel: ServerAction<CancelRun>,
    decide: ServerAction<DecideHeldRun>,
    disconnect: ServerAction<DisconnectCrm>,
}

/// The screen.
#[component]
pub fn IntegrationsPage() -> impl IntoView {
    let actions = Actions {
        sync: ServerAction::new(),
        pause: ServerAction::new(),
        cancel: ServerAction::new(),
        decide: ServerAction::new(),
        disconnect: ServerAction::new(),
    };
    let page = Resource::new(
        move || {
            let versions = [actions.sync.version(), actions.pause.version(), actions.cancel.version()];
            let more = [actions.decide.version(), actions.disconnect.version()];
            versions.iter().chain(&more).map(|version| version.get()).sum::<usize>()
        },
        |_| load_integrations(),
    );
    use_live().refetch(&[Topic::Run, Topic::Conflict, Topic::Connection], page);
    let query = use_query_map();
    let asked = Memo::new(move |_| query.read().get("disconnect").and_then(|name| name.parse::<Provider>().ok()));
    view! {
        <Transition>
            {move || {
                page.get()
                    .map(|page| match page {
                        Ok(page) => view! { <Whole page=page actions=actions asked=asked /> }.into_any(),
                        Err(problem) => {
                            set_status(problem.status);
                            view! {
                                <PageHeader title="Integrations" />
                                <ProblemNotice problem=problem />
                            }
                                .into_any()
                        }
                    })
            }}
        </Transition>
    }
}

#[component]
fn Whole(page: Page, actions: Actions, asked: Memo<Option<Provider>>) -> impl IntoView {
    let sentence = page.sentence.clone();
    let may_connect = use_reason(Capability::ManageConnections);
    let offers = !page.cards.is_empty() && !page.offered.is_empty();
    let cards = page.cards.clone();
    let ending = move || cards.iter().find(|card| Some(card.config.provider) == asked.get()).cloned();
    let is_empty = page.cards.is_empty();
    view! {
        <PageHeader title="Integrations" sentence=move || phrases(sentence.clone())>
            {offers
                .then(|| {
                    view! {
                        <LinkButton href="/connect" kind=ButtonKind::Primary disabled=may_connect.clone()>
                            "Connect CRM"
                        </LinkButton>
                    }
                })}
        </PageHeader>
        <div class="stack mb-4 empty:hidden">
            <ActionNotice action=actions.sync />
            <ActionNotice action=actions.pause />
            <ActionNotice action=actions.cancel />
            <ActionNotice action=actions.decide />
            <ActionNotice action=actions.disconnect />
        </div>
        {(!page.attention.is_empty()).then(|| view! { <NeedsAPerson lines=page.attention.clone() /> })}
        {if is_empty {
            view! { <NothingConnected offered=page.offered simulator=page.simulator /> }.into_any()
        } else {
            let cards = page
                .cards
                .into_iter()
                .map(|card| view! { <ConnectionCard card=card actions=actions /> })
                .collect_view();
            view! { <Section title="Connected CRMs">{cards}</Section> }.into_any()
        }}
        {move || ending().map(|card| view! { <DisconnectDialog card=card action=actions.disconnect /> })}
    }
}

#[component]
fn NeedsAPerson(lines: Vec<Attention>) -> impl IntoView {
    let count = lines.len();
    let items = lines
        .into_iter()
        .map(|line| {
            let tone = if line.bad { Tone::Bad } else { Tone::Wait };
            let external = line.href.starts_with('#');
            view! {
                <li>
                    <Shape tone=tone />
                    <p class="what">
                        <b class="medium">{line.what}</b>
                        " "
                        <span class="muted">{line.detail}</span>
                    </p>
                    <LinkButton href=line.href small=true external=external>
                        {line.action}
                    </LinkButton>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="attention" aria-labelledby="needs-a-person">
            <h2 id="needs-a-person">
                "Needs a person "
                <span class="faint num font-normal">{count}</span>
            </h2>
            <ul>{items}</ul>
        </section>
    }
}

#[component]
fn NothingConnected(offered: Vec<Provider>, simulator: bool) -> impl IntoView {
    let reason = use_reason(Capability::ManageConnections);
    let buttons = offered
        .into_iter()
        .map(|provider| {
            let kind = if provider == Provider::Salesforce { ButtonKind::Primary } else { ButtonKind::Plain };
            view! {
                <LinkButton href=format!("/connect?crm={provider}") kind=kind disabled=reason.clone()>
                    {format!("Connect {}", provider.title())}
                </LinkButton>
            }
        })
        .collect_view();
    view! {
        <section class="card">
            <EmptyState
                title="Connect your CRM to keep data in sync"
                text="Changes on either side reach the other. Nothing is written until you have completed the set-up."
                drawing=true
            >
                {buttons}
            </EmptyState>
            {simulator
                .then(|| {
                    view! {
                        <p class="small text-center pb-8">
                            <a href="/connect">
                                "Try it with the built-in simulators"
                            </a>
                            ", no account needed"
                        </p>
                    }
                })}
        </section>
    }
}

/// A sentence with what matters in it.
pub(super) fn phrases(sentence: Vec<Phrase>) -> impl IntoView {
    sentence
        .into_iter()
        .map(
            |phrase| {
                if phrase.strong { view! { <strong>{phrase.text}</strong> }.into_any() } else { phrase.text.into_any() }
            },
        )
        .collect_view()
}
