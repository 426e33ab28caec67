//! First step: which CRM, which of its worlds, what to have ready. The choice goes on in the address.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::server::load_choose;
use super::{Refused, Step, StepHead, words};
use crate::model::{Capability, Environment, Provider};
use crate::ui::components::{
    Button, ButtonKind, EnvironmentBadge, Fold, LinkButton, Notice, ProviderMark, Section, TextField, Tone,
};
use crate::ui::use_reason;
use crate::view::connect::{ChoosePage as Page, CrmOffer};
use crate::view::integrations::Phrase;

/// The step. Which CRM is looked at stands in the address.
#[component]
pub fn ChoosePage() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| query.read().get("crm").and_then(|name| name.parse::<Provider>().ok()));
    let page = Resource::new(|| (), |()| load_choose());
    view! {
        <Transition>
            {move || {
                let asked = asked.get();
                page.get()
                    .map(|page| match page {
                        Ok(page) => view! { <Choice page=page asked=asked /> }.into_any(),
                        Err(problem) => view! { <Refused problem=problem /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn Choice(page: Page, #[prop(optional_no_strip)] asked: Option<Provider>) -> impl IntoView {
    let sentence = vec![
        Phrase::plain("About "),
        Phrase::strong("six minutes"),
        Phrase::plain(". You can close this tab at any step and come back to it."),
    ];
    // Nothing said: one that is not connected yet.
    let offers = page.offers;
    let is_asked = |offer: &&CrmOffer| Some(offer.provider) == asked;
    let free = |offer: &&CrmOffer| offer.connected_as.is_none();
    let chosen = offers.iter().find(is_asked).or_else(|| offers.iter().find(free)).or(offers.first()).cloned();
    let provider = chosen.as_ref().map(|offer| offer.provider);
    let cards = offers.into_iter().map(|offer| view! { <CrmCard offer=offer chosen=provider /> }).collect_view();
    view! {
        <StepHead title="Connect a CRM" sentence=sentence step=Step::Choose />
        <nav class="cards max-w-[920px] mb-4" aria-label="CRMs">
            {cards}
        </nav>
        {chosen.map(|offer| view! { <Preparing offer=offer /> })}
    }
}

#[component]
fn CrmCard(offer: CrmOffer, #[prop(optional_no_strip)] chosen: Option<Provider>) -> impl IntoView {
    let provider = offer.provider;
    let is_chosen = chosen == Some(provider);
    view! {
        <a
            class="card plain p-4"
            class:is-first=is_chosen
            href=format!("/connect?crm={provider}")
            aria-current=is_chosen.then_some("true")
        >
            <span class="row items-start gap-3">
                <ProviderMark provider=provider class="mark mark-lg" />
                <span class="flex-1 min-w-0">
                    <span class="medium text-base">{provider.title()}</span>
                    <span class="hint block">{words::of(provider).offer}</span>
                </span>
            </span>
        </a>
    }
}

#[component]
fn Preparing(offer: CrmOffer) -> impl IntoView {
    let reason = use_reason(Capability::ManageConnections);
    let provider = offer.provider;
    let real = offer.real_refused;
    let refused = reason.or_else(|| real.clone().filter(|_| !offer.simulator));
    view! {
        <form method="get" action=format!("/connect/{provider}/authorise") class="contents">
            <div class="max-w-[920px]">
                {offer
                    .connected_as
                    .map(|user| {
                        let crm = provider.title();
                        view! {
                            <div class="mb-4">
                                <Notice tone=Tone::Ok>
                                    {format!("{crm} is connected as {user}. Signing in again renews the connection. ")}
                                    <a href="/integrations">"See the connection"</a>
                                </Notice>
                            </div>
                        }
                    })}
                <Places provider=provider has_simulator=offer.simulator real_refused=real />
                <HaveReady provider=provider />
            </div>
            <div class="actionbar max-w-none mt-8">
                <Button kind=ButtonKind::Primary disabled=refused>
                    "Continue"
                </Button>
                <LinkButton href="/integrations" kind=ButtonKind::Quiet>
                    "Cancel"
                </LinkButton>
            </div>
        </form>
    }
}

#[component]
fn Places(
    provider: Provider,
    has_simulator: bool,
    #[prop(optional_no_strip)] real_refused: Option<String>,
) -> impl IntoView {
    let real = real_refused;
    let words = words::of(provider);
    let places = words
        .places
        .iter()
        .map(|(environment, hint)| {
            let is_first_choice = !has_simulator && *environment == Environment::Sandbox;
            view! { <Place environment=*environment hint=*hint checked=is_first_choice disabled=real.clone() /> }
        })
        .collect_view();
    view! {
        <Section title=format!("Which {}", provider.title())>
            <fieldset class="cards">
                <legend class="sr">"Environment"</legend>
                {has_simulator
                    .then(|| {
                        view! {
                            <Place
                                environment=Environment::Simulator
                                hint="Built in. Invented companies and people to try everything on; no account needed."
                                checked=true
                            />
                        }
                    })}
                {places}
            </fieldset>
            {words
                .has_domains
                .then(|| {
                    view! {
                        <div class="mt-4 max-w-[440px]">
                            <TextField
                                label="My Domain, where you have one"
                                name="domain"
                                placeholder="kestrel.my.salesforce.com"
                                hint="Your own address. Used instead of the addresses above, for production and sandboxes."
                                disabled=real.clone()
                            />
                        </div>
                    }
                })}
        </Section>
    }
}

#[component]
fn HaveReady(provider: Provider) -> impl IntoView {
    let checklist = words::of(provider)
        .checklist
        .iter()
        .map(|(what, why)| {
            view! {
                <label class="choice">
                    <input class="check" type="checkbox" />
                    <span>
                        <b>{*what}</b>
                        <span class="hint block">{*why}</span>
                    </span>
                </label>
            }
        })
        .collect_view();
    view! {
        <Section title=format!("Have ready in {}", provider.title())>
            <div class="card">
                <div class="card-body check-cols">{checklist}</div>
            </div>
            <div class="mt-3">
                <Fold label=|| "As text for your CRM admin">
                    <div class="p-4">
                        <textarea class="textarea" rows="8" readonly aria-label="Checklist as text">
                            {as_text(provider)}
                        </textarea>
                    </div>
                </Fold>
            </div>
        </Section>
    }
}

#[component]
fn Place(
    environment: Environment,
    hint: &'static str,
    #[prop(optional)] checked: bool,
    #[prop(optional_no_strip, into)] disabled: Option<String>,
) -> impl IntoView {
    let is_disabled = disabled.is_some();
    let title = disabled.clone();
    view! {
        <label class="radio-card" title=title>
            <span class="rc-head">
                <input
                    class="radio"
                    type="radio"
                    name="environment"
                    value=environment.as_str()
                    checked=checked && !is_disabled
                    disabled=is_disabled
                />
                <EnvironmentBadge environment=environment />
            </span>
            <span class="hint block">{hint}</span>
            {disabled.map(|reason| view! { <span class="hint block">{reason}</span> })}
        </label>
    }
}

fn as_text(provider: Provider) -> String {
    let lines = words::of(provider).checklist.iter().map(|(what, why)| format!("- {what}: {why}"));
    format!("Please prepare in {} for Crosstie:\n{}", provider.title(), lines.collect::<Vec<_>>().join("\n"))
}
