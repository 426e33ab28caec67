//! Third step: the test result first, then what is kept in sync, which way, how often, and who wins.

use leptos::prelude::*;

use super::server::{CompleteSetUp, TestAgain, load_configure};
use super::{Refused, Step, StepHead, use_provider};
use crate::model::{Capability, ConflictPolicy, SyncDirection, SyncFrequency};
use crate::ui::components::{
    ActionNotice, Button, ButtonKind, LinkButton, RelativeTime, SelectField, Shape, Tone, Topic, use_live,
};
use crate::ui::use_reason;
use crate::view::Problem;
use crate::view::connect::{ConfigurePage as Page, EntityCheck};

/// The step.
#[component]
pub fn ConfigurePage() -> impl IntoView {
    let provider = use_provider();
    let test = ServerAction::<TestAgain>::new();
    let page = Resource::new(
        move || (provider.get(), test.version().get()),
        |(provider, _)| async move {
            match provider {
                Some(provider) => load_configure(provider).await,
                None => Err(Problem::not_found()),
            }
        },
    );
    use_live().refetch(&[Topic::Connection], page);
    view! {
        <Transition>
            {move || {
                page.get()
                    .map(|page| match page {
                        Ok(page) => view! { <Choices page=page test=test /> }.into_any(),
                        Err(problem) => view! { <Refused problem=problem /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn Choices(page: Page, test: ServerAction<TestAgain>) -> impl IntoView {
    let complete = ServerAction::<CompleteSetUp>::new();
    let reason = use_reason(Capability::ManageConnections);
    let provider = page.config.provider;
    let entities = page.entities.clone().into_iter().map(entity_row).collect_view();
    let config = page.config.clone();
    let set_up = page.set_up;
    let cost = page.cost.clone();
    view! {
        <StepHead
            title="Configure sync"
            sentence=page.sentence.clone()
            step=Step::Configure
            provider=provider
            environment=page.config.environment
        />
        <div class="max-w-[980px]">
            <ActionNotice action=test />
            <ActionNotice action=complete />
            <TestResult page=page test=test />
        </div>
        <ActionForm action=complete attr:class="contents">
            <input type="hidden" name="provider" value=provider.as_str() />
            <div class="max-w-[980px] mt-4">
                <div class="set">
                    <header>
                        <h2 class="h3">"Entities"</h2>
                        <p>"What is kept in sync. You can add others later."</p>
                    </header>
                    <div class="table-wrap to-cards">
                        <table class="table">
                            <caption class="sr">"Entities and how many records there are on both sides"</caption>
                            <thead>
                                <tr>
                                    <th scope="col">"Entity"</th>
                                    <th scope="col" class="r">"Here"</th>
                                    <th scope="col" class="r">{format!("In {}", provider.title())}</th>
                                </tr>
                            </thead>
                            <tbody>{entities}</tbody>
                        </table>
                    </div>
                </div>
                <div class="set">
                    <header>
                        <h2 class="h3">"Direction and frequency"</h2>
                        <p>"Each mapping can narrow the direction, never widen it."</p>
                    </header>
                    <div class="two-fields">
                        <SelectField
                            label="Sync direction"
                            name="direction"
                            options=directions()
                            value=config.sync_direction.as_str()
                        />
                        <SelectField
                            label="Sync frequency"
                            name="frequency"
                            options=frequencies()
                            value=config.sync_frequency.as_str()
                            hint=cost
                        />
                    </div>
                </div>
                <div class="set">
                    <header>
                        <h2 class="h3">"When both sides changed"</h2>
                        <p>"The same field, to different values, since they last agreed."</p>
                    </header>
                    <div class="max-w-[400px]">
                        <SelectField
                            label="Conflict resolution"
                            name="policy"
                            options=policies()
                            value=config.conflict_resolution.as_str()
                            hint="Decides conflicts only. The record’s other fields go on syncing either way."
                        />
                    </div>
                </div>
            </div>
            <div class="actionbar">
                <Button kind=ButtonKind::Primary disabled=reason busy=complete.pending()>
                    "Complete set-up"
                </Button>
                <LinkButton href=format!("/connect/{provider}/authorise")>"Back"</LinkButton>
                <span class="xs muted push">
                    {if set_up {
                        "Set-up was completed before. Completing it again starts a run with these settings."
                    } else {
                        "Nothing is synced yet. Completing set-up starts the first run."
                    }}
                </span>
            </div>
        </ActionForm>
    }
}

#[component]
fn TestResult(page: Page, test: ServerAction<TestAgain>) -> impl IntoView {
    let reason = use_reason(Capability::RunSync);
    let rows = page.entities.into_iter().map(permission_row).collect_view();
    view! {
        <section class="card">
            <header class="card-head">
                <h2 class="h3">"Test result"</h2>
                <span class="muted xs">
                    {format!("as {} · org ", page.config.connected_as.unwrap_or_default())}
                    <span class="id">{page.organization.unwrap_or_default()}</span>
                    {page.tested.map(|at| view! { " · " <RelativeTime at=at /> })}
                </span>
                <ActionForm action=test attr:class="push">
                    <input type="hidden" name="provider" value=page.config.provider.as_str() />
                    <Button small=true disabled=reason busy=test.pending()>
                        "Test again"
                    </Button>
                </ActionForm>
            </header>
            <div class="to-cards preflight">
                <table class="table">
                    <caption class="sr">"What the connected user may do"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Entity"</th>
                            <th scope="col">"Read"</th>
                            <th scope="col">"Create"</th>
                            <th scope="col">"Edit"</th>
                            <th scope="col">"Delete"</th>
                            <th scope="col">"Advice"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {page.calls_left.map(|left| view! { <footer class="card-foot xs muted num">{left}</footer> })}
        </section>
    }
}

fn permission_row(check: EntityCheck) -> impl IntoView {
    let may = check.permissions;
    let cells = [("Read", may.read), ("Create", may.create), ("Edit", may.update), ("Delete", may.delete)]
        .into_iter()
        .map(|(label, may)| {
            let (tone, class, word) =
                if may { (Tone::Ok, "state c-ok", "yes") } else { (Tone::Bad, "state c-bad", "no") };
            view! {
                <td class="pf" data-l=label>
                    <span class=class>
                        <Shape tone=tone />
                        {word}
                    </span>
                </td>
            }
        })
        .collect_view();
    view! {
        <tr>
            <th scope="row" class="lead">
                {check.entity.title()}
            </th>
            {cells}
            <td class:muted=check.advice.is_none()>{check.advice.clone().unwrap_or_else(|| "–".to_owned())}</td>
        </tr>
    }
}

fn entity_row(check: EntityCheck) -> impl IntoView {
    let plural = check.entity.plural();
    view! {
        <tr>
            <td class="lead">
                <label class="choice items-center">
                    <input
                        class="check"
                        type="checkbox"
                        name=plural
                        value="true"
                        checked=check.on
                        disabled=!check.permissions.read
                    />
                    <span>{check.entity.title()}</span>
                </label>
            </td>
            <td class="r" data-l="Here">
                {check.here}
            </td>
            <td class="r" data-l="In the CRM">
                {check.in_crm.unwrap_or_else(|| "not known".to_owned())}
            </td>
        </tr>
    }
}

fn directions() -> Vec<(String, String)> {
    let words = |direction: &SyncDirection| match direction {
        SyncDirection::Bidirectional => "Two-way",
        SyncDirection::Push => "Push only: from here to the CRM",
        SyncDirection::Pull => "Pull only: from the CRM to here",
    };
    SyncDirection::ALL.iter().map(|each| (each.to_string(), words(each).to_owned())).collect()
}

fn frequencies() -> Vec<(String, String)> {
    SyncFrequency::ALL.iter().map(|each| (each.to_string(), each.label().to_owned())).collect()
}

fn policies() -> Vec<(String, String)> {
    let words = |policy: &ConflictPolicy| match policy {
        ConflictPolicy::ManualReview => "Manual review: a person decides",
        other => other.label(),
    };
    ConflictPolicy::ALL.iter().map(|each| (each.to_string(), words(each).to_owned())).collect()
}
