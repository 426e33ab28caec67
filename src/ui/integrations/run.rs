//! The run that is on, and the run that waits for an admin.

use leptos::prelude::*;

use super::server::{CancelRun, DecideHeldRun};
use crate::model::Capability;
use crate::ui::components::{Button, ButtonKind, Meter, Shape, Stated};
use crate::ui::use_reason;
use crate::view::integrations::{HeldRun as Held, LiveRun, StageLine};

/// What a run is doing, how far it is, and the way to stop it.
#[component]
pub fn RunProgress(
    /// The run.
    run: LiveRun,
    /// What Cancel does.
    cancel: ServerAction<CancelRun>,
) -> impl IntoView {
    let reason = use_reason(Capability::RunSync).or_else(|| run.stopping.then(|| "It is stopping.".to_owned()));
    let label = if run.stopping { "Stopping" } else { "Cancel run" };
    let stages = run.stages.into_iter().map(stage).collect_view();
    let percent = run.percent;
    view! {
        <div class="live" role="group" aria-label="Run in progress">
            <div class="row between items-start">
                <p class="num">
                    <b class="medium c-run">{run.doing.clone()}</b>
                    {(!run.so_far.is_empty()).then(|| format!(" {}", run.so_far))}
                </p>
                <ActionForm action=cancel>
                    <input type="hidden" name="job_id" value=run.id.to_string() />
                    <Button small=true disabled=reason busy=cancel.pending()>
                        {label}
                    </Button>
                </ActionForm>
            </div>
            <Meter percent=Signal::stored(percent) label=run.doing large=true />
            <ol class="stages num">
                {stages} <li class="push hide-phone">{run.by}</li>
            </ol>
        </div>
    }
}

fn stage(line: StageLine) -> impl IntoView {
    let is_now = line.state.tone() == crate::ui::components::Tone::Run;
    view! {
        <li class:now-stage=is_now>
            <Shape tone=line.state.tone() />
            {line.text}
        </li>
    }
}

/// What a held run would delete, some of it by name, and the decision.
#[component]
pub fn HeldRun(
    /// Name of the CRM as addresses have it.
    provider: &'static str,
    /// The run.
    run: Held,
    /// What the decision does.
    decide: ServerAction<DecideHeldRun>,
) -> impl IntoView {
    let reason = use_reason(Capability::ManageConnections);
    let sample = run.sample.into_iter().map(|name| view! { <li>{name}</li> }).collect_view();
    view! {
        <div class="hold" id=format!("held-{provider}")>
            <div class="flex-[1_1_380px] min-w-0">
                <b class="medium c-wait">{run.what}</b>
                {format!(" {}", run.detail)}
                <ul class="small muted mt-2 list-disc ps-5">
                    {sample} {run.more.map(|more| view! { <li>{more}</li> })}
                </ul>
            </div>
            <ActionForm action=decide attr:class="row row-wrap">
                <input type="hidden" name="job_id" value=run.id.to_string() />
                <Button
                    small=true
                    kind=ButtonKind::Danger
                    name="approve"
                    value="true"
                    disabled=reason.clone()
                    busy=decide.pending()
                >
                    {run.approve}
                </Button>
                <Button small=true name="approve" value="false" disabled=reason busy=decide.pending()>
                    {run.reject}
                </Button>
            </ActionForm>
        </div>
    }
}
