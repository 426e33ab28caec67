//! Workspace, what is running now, theme, person.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use super::rail::Logo;
use crate::ui::components::{Icon, IconName, Shape, Tone};
use crate::ui::sign_in::{SignOut, SignOutEverywhere, SwitchWorkspace};
use crate::view::Problem;
use crate::view::frame::{FrameStatus, RunningNow};
use crate::view::session::{PageViewer, Workspace};

/// The top bar.
#[component]
pub(super) fn TopBar(
    /// Who looks.
    viewer: PageViewer,
    /// The moving parts of the frame.
    status: Resource<Result<FrameStatus, Problem>>,
) -> impl IntoView {
    let running = move || status.get().and_then(Result::ok).and_then(|status| status.running);
    let others = move || status.get().and_then(Result::ok).map(|status| status.other_workspaces).unwrap_or_default();
    let workspace = viewer.workspace.clone();
    view! {
        <header class="topbar">
            <a class="topbar-brand" href="/integrations" aria-label="Crosstie, integrations">
                <Logo />
            </a>
            <Transition>{move || workspace_switch(workspace.clone(), others())}</Transition>
            <Transition>{move || running().map(running_strip)}</Transition>
            <div class="row push">
                <button
                    class="btn btn-quiet btn-icon theme-btn"
                    type="button"
                    data-theme-choice="other"
                    aria-label="Switch between light and dark"
                >
                    <Icon name=IconName::Theme />
                </button>
                <PersonMenu viewer=viewer />
            </div>
        </header>
    }
    .into_any()
}

fn workspace_switch(name: String, others: Vec<Workspace>) -> impl IntoView {
    if others.is_empty() {
        return view! { <span class="workspace truncate">{name}</span> }.into_any();
    }
    let choices = others
        .into_iter()
        .map(|workspace| {
            view! {
                <button type="submit" name="workspace_id" value=workspace.id.to_string()>
                    {workspace.name}
                </button>
            }
        })
        .collect_view();
    let described = format!("Workspace {name}. Switch to another");
    view! {
        <details class="menu" data-menu="">
            <summary class="workspace" aria-label=described>
                <span class="truncate">{name}</span>
                <Icon name=IconName::Down />
            </summary>
            <form class="menu-list" style:inset-inline="0 auto" method="post" action=SwitchWorkspace::url()>
                {choices}
            </form>
        </details>
    }
    .into_any()
}

fn running_strip(running: RunningNow) -> impl IntoView {
    let RunningNow { crm, doing, so_far, percent } = running;
    view! {
        <a class="now" href="/integrations">
            <span class="hide-phone">
                <Shape tone=Tone::Run />
            </span>
            <span class="truncate">
                <b>{format!("{crm}:")}</b>
                {format!(" {doing}")}
                {(!so_far.is_empty()).then(|| view! { ", " <span class="num">{so_far}</span> })}
            </span>
            {percent
                .map(|percent| {
                    view! {
                        <span class="meter" aria-hidden="true">
                            <i style:width=format!("{percent}%")></i>
                        </span>
                    }
                })}
        </a>
    }
}

#[component]
fn PersonMenu(viewer: PageViewer) -> impl IntoView {
    let role = viewer.role.label();
    let described = format!("{}, {role}: theme and sign-out", viewer.name);
    view! {
        <details class="menu" data-menu="">
            <summary class="avatar">
                <span aria-hidden="true">{viewer.initials()}</span>
                <span class="sr">{described}</span>
            </summary>
            <div class="menu-list">
                <p class="px-2 py-1">
                    <b class="medium block">{viewer.name}</b>
                    <span class="xs muted block">{format!("{} · {role}", viewer.email)}</span>
                </p>
                <hr />
                <a class="only-narrow" href="/settings">
                    "Settings"
                </a>
                <a class="only-narrow" href="/members">
                    "Members"
                </a>
                <a class="only-narrow" href="/api-keys">
                    "API keys"
                </a>
                <button type="button" data-theme-choice="system">
                    "Theme: as the system"
                </button>
                <button type="button" data-theme-choice="light">
                    "Theme: light"
                </button>
                <button type="button" data-theme-choice="dark">
                    "Theme: dark"
                </button>
                <hr />
                <form method="post" action=SignOut::url()>
                    <button type="submit">"Sign out"</button>
                </form>
                <form method="post" action=SignOutEverywhere::url()>
                    <button type="submit">"Sign out everywhere"</button>
                </form>
            </div>
        </details>
    }
}
