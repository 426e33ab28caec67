//! `/connect` and its steps: Choose, Authorise, Configure, Done. The address holds the step; nothing is kept in the tab.

mod authorise;
mod choose;
mod configure;
mod done;
mod problem;
mod server;
mod words;

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::components::{EmptyState, EnvironmentBadge, Icon, IconName, LinkButton, PageHeader, ProblemNotice};
use super::integrations::phrases;
use super::server::set_status;
use crate::model::{Environment, Provider};
use crate::view::Problem;
use crate::view::integrations::Phrase;

pub use authorise::AuthorisePage;
pub use choose::ChoosePage;
pub use configure::ConfigurePage;
pub use done::DonePage;

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Step {
    Choose,
    Authorise,
    Configure,
    Done,
}

const STEPS: [(Step, &str); 4] =
    [(Step::Choose, "Choose"), (Step::Authorise, "Authorise"), (Step::Configure, "Configure"), (Step::Done, "Done")];

/// The CRM that the address names.
fn use_provider() -> Memo<Option<Provider>> {
    let params = use_params_map();
    Memo::new(move |_| params.read().get("provider").and_then(|name| name.parse().ok()))
}

/// Breadcrumb, heading, sentence and stepper of a step.
#[component]
fn StepHead(
    /// Heading.
    #[prop(into)]
    title: String,
    /// The one sentence.
    sentence: Vec<Phrase>,
    /// Which step.
    step: Step,
    /// The CRM, once it is chosen.
    #[prop(optional, into)]
    provider: Option<Provider>,
    /// Which of its worlds, once it is known.
    #[prop(optional, into)]
    environment: Option<Environment>,
) -> impl IntoView {
    let trail = provider.map_or("Connect a CRM".to_owned(), |provider| format!("Connect {}", provider.title()));
    let steps = STEPS
        .iter()
        .map(|(each, label)| {
            let address = address_of(*each, provider);
            if *each < step {
                view! {
                    <li class="done">
                        <a href=address>{*label}</a>
                        <span class="sr">", done"</span>
                    </li>
                }
                .into_any()
            } else {
                view! { <li aria-current=(*each == step).then_some("step")>{*label}</li> }.into_any()
            }
        })
        .collect_view();
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/integrations">"Integrations"</a>
            <Icon name=IconName::Next />
            <span>{trail}</span>
        </nav>
        <PageHeader title=title sentence=move || phrases(sentence.clone())>
            {environment.map(|environment| view! { <EnvironmentBadge environment=environment /> })}
        </PageHeader>
        <ol class="stepper" aria-label="Steps">
            {steps}
        </ol>
    }
}

fn address_of(step: Step, provider: Option<Provider>) -> String {
    let name = provider.unwrap_or(Provider::Salesforce);
    match step {
        Step::Choose => "/connect".to_owned(),
        Step::Authorise => format!("/connect/{name}/authorise"),
        Step::Configure => format!("/connect/{name}/configure"),
        Step::Done => format!("/connect/{name}/done"),
    }
}

/// A refusal in place of a step.
#[component]
fn Refused(problem: Problem) -> impl IntoView {
    set_status(problem.status);
    let title = if problem.status == 404 { "There is no such CRM here" } else { "Not yet" };
    if problem.status == 404 || problem.code == "connection_not_ready" {
        return view! {
            <PageHeader title="Connect a CRM" />
            <EmptyState title=title text=problem.detail>
                <LinkButton href="/connect">"Start with the first step"</LinkButton>
                <LinkButton href="/integrations">"Integrations"</LinkButton>
            </EmptyState>
        }
        .into_any();
    }
    view! {
        <PageHeader title="Connect a CRM" />
        <ProblemNotice problem=problem />
        <p class="mt-4">
            <LinkButton href="/connect">"Back to the first step"</LinkButton>
        </p>
    }
    .into_any()
}
