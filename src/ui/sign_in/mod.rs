//! Signing in and out.

mod art;
mod server;
mod set_up;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::browser;
use super::components::{ActionNotice, Button, ButtonKind, CheckField, TextField};
use super::layout::Logo;
use crate::view::session::DemoPerson;
use art::TrackArt;
use server::{SignIn, SignInAsDemoPerson, load_sign_in_page};

pub use set_up::SetUpPage;

pub use server::{SignOut, SignOutEverywhere, SwitchWorkspace};

/// `/sign-in`.
#[component]
pub fn SignInPage() -> impl IntoView {
    let query = use_query_map();
    let next = move || query.read().get("next").unwrap_or_default();
    let page = Resource::new(|| (), |_| load_sign_in_page());
    let sign_in = ServerAction::<SignIn>::new();
    let sign_in_as = ServerAction::<SignInAsDemoPerson>::new();
    // The frame is put together by the server for who is signed in: load it anew.
    Effect::new(move |_| {
        for entered in [sign_in.value().get(), sign_in_as.value().get()] {
            if let Some(Ok(address)) = entered {
                browser::go(&address);
            }
        }
    });
    let host = move || page.get().and_then(Result::ok).map(|page| format!("to {}", page.host));
    let people = move || page.get().and_then(Result::ok).map(|page| page.demo_people).unwrap_or_default();
    view! {
        <Title text="Sign in" />
        <Frame>
            <h1>"Sign in"</h1>
            <p class="muted mt-1 mb-6">
                <Suspense>{host}</Suspense>
            </p>
            <ActionForm action=sign_in attr:class="stack">
                <ActionNotice action=sign_in />
                <input type="hidden" name="next" value=next />
                <TextField label="E-mail" name="email" kind="email" autocomplete="username" required=true />
                <TextField
                    label="Password"
                    name="password"
                    kind="password"
                    autocomplete="current-password"
                    required=true
                />
                <CheckField label="Stay signed in on this device for 30 days" name="stay" />
                <Button kind=ButtonKind::Primary busy=sign_in.pending() wide=true>
                    "Sign in"
                </Button>
            </ActionForm>
            <Suspense>
                {move || (!people().is_empty()).then(|| view! { <DemoPeople people=people() action=sign_in_as next=next() /> })}
            </Suspense>
            <p class="small muted mt-6">
                "Lost your password? Ask an admin of your workspace to set a new one."
            </p>
        </Frame>
    }
}

/// What stands around the form of a page without navigation.
#[component]
fn Frame(children: Children) -> impl IntoView {
    view! {
        <main class="login" id="main">
            <TrackArt />
            <div class="login-form">
                <div>
                    <p class="row login-brand">
                        <Logo />
                        "Crosstie"
                    </p>
                    {children()}
                </div>
            </div>
        </main>
    }
}

#[component]
fn DemoPeople(people: Vec<DemoPerson>, action: ServerAction<SignInAsDemoPerson>, next: String) -> impl IntoView {
    let rows = people
        .into_iter()
        .map(|person| {
            let email = person.email.clone();
            view! {
                <li>
                    <button class="demo-person" type="submit" name="email" value=email>
                        <b>{person.role}</b>
                        <span>{person.may}</span>
                        <span class="id">{person.email}</span>
                    </button>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="mt-8" aria-labelledby="demo-people">
            <h2 id="demo-people" class="h3">
                "This is a demo: enter by one click"
            </h2>
            <ActionForm action=action attr:class="mt-2">
                <ActionNotice action=action />
                <input type="hidden" name="next" value=next />
                <ul class="demo-people">{rows}</ul>
            </ActionForm>
        </section>
    }
}
