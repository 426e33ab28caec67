//! Second step: what is asked for and what it is for, then the way to the CRM. A plain form: it works without script.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::hooks::use_query_map;

use super::problem::ProblemPage;
use super::server::{BeginSignIn, load_authorise};
use super::words::{self, Permission};
use super::{Refused, Step, StepHead, use_provider};
use crate::model::{Capability, Environment, Provider};
use crate::ui::components::{
    ActionNotice, Button, ButtonKind, Icon, IconName, LinkButton, Notice, Section, Table, Tone,
};
use crate::ui::use_reason;
use crate::view::Problem;
use crate::view::connect::AuthorisePage as Page;
use crate::view::integrations::Phrase;

/// The step, or the page that says why it did not work.
#[component]
pub fn AuthorisePage() -> impl IntoView {
    let provider = use_provider();
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        let query = query.read();
        let environment = query.get("environment").and_then(|name| name.parse::<Environment>().ok());
        let domain = query.get("domain").filter(|domain| !domain.trim().is_empty());
        (provider.get(), environment, domain)
    });
    let problem = Memo::new(move |_| {
        let query = query.read();
        query.get("problem").map(|code| (code, query.get("incident")))
    });
    let page = Resource::new(
        move || asked.get(),
        |(provider, environment, domain)| async move {
            match provider {
                Some(provider) => load_authorise(provider, environment, domain).await,
                None => Err(Problem::not_found()),
            }
        },
    );
    view! {
        <Transition>
            {move || {
                page.get()
                    .map(|page| match (page, problem.get()) {
                        (Ok(page), Some((code, incident))) => {
                            view! { <ProblemPage code=code incident=incident page=page /> }.into_any()
                        }
                        (Ok(page), None) => view! { <Ask page=page /> }.into_any(),
                        (Err(problem), _) => view! { <Refused problem=problem /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn Ask(page: Page) -> impl IntoView {
    let reason = use_reason(Capability::ManageConnections);
    let action = ServerAction::<BeginSignIn>::new();
    let provider = page.provider;
    let (crm, words) = (provider.title(), words::of(provider));
    let sentence = vec![
        Phrase::plain(format!("{crm} will ask you for ")),
        Phrase::strong(words.permission_count),
        Phrase::plain(". You sign in there, not here: Crosstie never sees your password."),
    ];
    let permissions = words
        .permissions
        .iter()
        .map(|Permission { name, scope, used, without }| {
            view! {
                <tr>
                    <td class="lead">
                        <b class="medium">{*name}</b>
                        " "
                        <span class="api">{*scope}</span>
                    </td>
                    <td data-l="Used for">{*used}</td>
                    <td data-l="Without it" class="muted">
                        {*without}
                    </td>
                </tr>
            }
        })
        .collect_view();
    let user = match page.user_before {
        Some(user) => format!("Use the same user as before: {user}"),
        None => "Use the integration user, not your own.".to_owned(),
    };
    view! {
        <StepHead
            title=format!("Authorise Crosstie in {crm}")
            sentence=sentence
            step=Step::Authorise
            provider=provider
            environment=page.environment
        />
        <div class="max-w-[920px]">
            <ActionNotice action=action />
            <Table caption="Permissions" class="perm">
                <thead>
                    <tr>
                        <th scope="col">"Permission"</th>
                        <th scope="col">"What Crosstie does with it"</th>
                        <th scope="col">"Without it"</th>
                    </tr>
                </thead>
                <tbody>{permissions}</tbody>
            </Table>
            <div class="mt-4">
                <Notice tone=Tone::Off>
                    <b class="medium">"Not asked for: "</b>
                    <span class="muted">
                        {format!("{}. If {crm} lists any of these, press Deny and tell us.", words.not_asked)}
                    </span>
                </Notice>
            </div>
            <Section title="What happens next">
                <ol class="history">
                    <li class="here">
                        <b class="medium">{format!("You sign in at {}", page.host)}</b>
                        <p class="muted">{user}</p>
                    </li>
                    <li>
                        <b class="medium">"You come back here"</b>
                        <p class="muted">
                            "Crosstie checks that the answer belongs to you and this request. It is good once, for 10 minutes."
                        </p>
                    </li>
                    <li>
                        <b class="medium">"Crosstie tests what it may do"</b>
                        <p class="muted">"Read, create, edit and delete per entity. Nothing is written."</p>
                    </li>
                </ol>
            </Section>
        </div>
        <form method="post" action=BeginSignIn::url() class="actionbar">
            <SignInFields provider=provider environment=page.environment domain=page.domain />
            <Button kind=ButtonKind::Primary disabled=reason>
                {format!("Continue to {crm}")}
                <Icon name=IconName::Out />
            </Button>
            <LinkButton href="/connect">"Back"</LinkButton>
        </form>
    }
}

/// What a form that begins a sign-in carries.
#[component]
pub(super) fn SignInFields(
    /// Which CRM.
    provider: Provider,
    /// Which of the CRM's worlds.
    environment: Environment,
    /// The customer's own address.
    #[prop(optional_no_strip)]
    domain: Option<String>,
) -> impl IntoView {
    view! {
        <input type="hidden" name="provider" value=provider.as_str() />
        <input type="hidden" name="environment" value=environment.as_str() />
        {domain.map(|domain| view! { <input type="hidden" name="domain" value=domain /> })}
    }
}
