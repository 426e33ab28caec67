//! First step: which CRM, which of its worlds, what to have ready. The choice goes on in the address.

use leptos::prelude::*;

use super::server::load_choose;
use super::{Refused, Step, StepHead};
use crate::model::{Capability, Environment, Provider};
use crate::ui::components::{
    Button, ButtonKind, EnvironmentBadge, Fold, LinkButton, Notice, ProviderMark, Section, TextField, Tone,
};
use crate::ui::use_reason;
use crate::view::connect::ChoosePage as Page;
use crate::view::integrations::Phrase;

/// What an admin of the CRM prepares, and why.
const CHECKLIST: [(&str, &str); 6] = [
    (
        "A user for Crosstie alone",
        "So that “last changed by” tells people from sync. A free integration licence is enough.",
    ),
    ("API access for that user", "Permission “API Enabled”, and Read, Create, Edit on the objects to sync."),
    ("The connected app is allowed", "Set-up, Connected Apps OAuth Usage, Install. One press by an admin."),
    (
        "Sign-in stays valid",
        "Refresh token policy: valid until revoked. Otherwise you will be asked again every few weeks.",
    ),
    ("Your server’s address is allowed", "Only where Salesforce restricts by IP range."),
    ("An external id field", "Optional: Crosstie_Id__c, text, unique, external id. Makes creates safe to repeat."),
];

/// The step.
#[component]
pub fn ChoosePage() -> impl IntoView {
    let page = Resource::new(|| (), |()| load_choose());
    view! {
        <Transition>
            {move || {
                page.get()
                    .map(|page| match page {
                        Ok(page) => view! { <Choice page=page /> }.into_any(),
                        Err(problem) => view! { <Refused problem=problem /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn Choice(page: Page) -> impl IntoView {
    let reason = use_reason(Capability::ManageConnections);
    let sentence = vec![
        Phrase::plain("About "),
        Phrase::strong("six minutes"),
        Phrase::plain(". You can close this tab at any step and come back to it."),
    ];
    let real = page.real_refused;
    let refused = reason.or_else(|| real.clone().filter(|_| !page.simulator));
    view! {
        <StepHead title="Connect a CRM" sentence=sentence step=Step::Choose />
        <form method="get" action="/connect/salesforce/authorise" class="contents">
            <div class="max-w-[920px]">
                {page
                    .connected_as
                    .map(|user| {
                        view! {
                            <div class="mb-4">
                                <Notice tone=Tone::Ok>
                                    {format!("Salesforce is connected as {user}. Signing in again renews the connection. ")}
                                    <a href="/integrations">"See the connection"</a>
                                </Notice>
                            </div>
                        }
                    })}
                <SalesforceCard />
                <Places has_simulator=page.simulator real_refused=real />
                <HaveReady />
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
fn SalesforceCard() -> impl IntoView {
    view! {
        <div class="card p-4">
            <span class="row items-start gap-3">
                <ProviderMark provider=Provider::Salesforce class="mark mark-lg" />
                <span class="flex-1 min-w-0">
                    <span class="medium text-base">"Salesforce"</span>
                    <span class="hint block">
                        "Accounts, contacts and opportunities. Works with Enterprise, Unlimited and Developer editions, and Professional with API access."
                    </span>
                </span>
            </span>
        </div>
    }
}

#[component]
fn Places(has_simulator: bool, #[prop(optional_no_strip)] real_refused: Option<String>) -> impl IntoView {
    let real = real_refused;
    view! {
        <Section title="Which Salesforce">
            <fieldset class="cards">
                <legend class="sr">"Environment"</legend>
                {has_simulator
                    .then(|| {
                        view! {
                            <Place
                                value="simulator"
                                environment=Environment::Simulator
                                hint="Built in. Invented companies and people to try everything on; no account needed."
                                checked=true
                            />
                        }
                    })}
                <Place
                    value="production"
                    environment=Environment::Production
                    hint="login.salesforce.com. Real customers: every write counts."
                    disabled=real.clone()
                />
                <Place
                    value="sandbox"
                    environment=Environment::Sandbox
                    hint="test.salesforce.com. A copy to try things on. A good first choice."
                    checked=!has_simulator
                    disabled=real.clone()
                />
            </fieldset>
            <div class="mt-4 max-w-[440px]">
                <TextField
                    label="My Domain, where you have one"
                    name="domain"
                    placeholder="kestrel.my.salesforce.com"
                    hint="Your own address. Used instead of the addresses above, for production and sandboxes."
                    disabled=real
                />
            </div>
        </Section>
    }
}

#[component]
fn HaveReady() -> impl IntoView {
    let checklist = CHECKLIST
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
        <Section title="Have ready in Salesforce">
            <div class="card">
                <div class="card-body check-cols">{checklist}</div>
            </div>
            <div class="mt-3">
                <Fold label=|| "As text for your CRM admin">
                    <div class="p-4">
                        <textarea class="textarea" rows="8" readonly aria-label="Checklist as text">
                            {as_text()}
                        </textarea>
                    </div>
                </Fold>
            </div>
        </Section>
    }
}

#[component]
fn Place(
    value: &'static str,
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
                    value=value
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

fn as_text() -> String {
    let lines = CHECKLIST.iter().map(|(what, why)| format!("- {what}: {why}"));
    format!("Please prepare in Salesforce for Crosstie:\n{}", lines.collect::<Vec<_>>().join("\n"))
}
