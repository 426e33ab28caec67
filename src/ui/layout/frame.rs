//! Rail, top bar and the screen.

use leptos::prelude::*;
use leptos::server::SharedValue;
use leptos_router::components::Outlet;

use super::rail::Rail;
use super::server::load_frame_status;
use super::top_bar::TopBar;
use crate::ui::browser;
use crate::ui::components::Topic;
use crate::ui::components::live::provide_live;
use crate::ui::server::page_viewer;
use crate::view::session::PageViewer;

/// The frame; the screen's route is inside.
#[component]
pub fn Frame() -> impl IntoView {
    match SharedValue::new(page_viewer).into_inner() {
        Some(viewer) => view! { <FrameFor viewer=viewer /> }.into_any(),
        None => {
            // The server sends nobody here who is not signed in; a page that the browser itself put together must ask it.
            Effect::new(|_| browser::go("/integrations"));
            ().into_any()
        }
    }
}

#[component]
fn FrameFor(viewer: PageViewer) -> impl IntoView {
    provide_context(viewer.clone());
    let live = provide_live();
    let status = Resource::new(|| (), |_| load_frame_status());
    live.refetch(&[Topic::Run, Topic::Conflict, Topic::Connection], status);
    view! {
        <a class="skip" href="#main">
            "Skip to content"
        </a>
        <div class="app">
            <Rail status=status />
            <div class="app-body">
                <TopBar viewer=viewer status=status />
                <main id="main" class="main" tabindex="-1">
                    <Outlet />
                </main>
            </div>
        </div>
    }
}
