//! The page behind the link that a server without people prints.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::Frame;
use super::server::{SetUp, load_set_up_page};
use crate::ui::browser;
use crate::ui::components::{ActionNotice, Button, ButtonKind, Notice, TextField, Tone};

/// `/set-up`.
#[component]
pub fn SetUpPage() -> impl IntoView {
    let query = use_query_map();
    let token = move || query.read().get("token").unwrap_or_default();
    let page = Resource::new(token, load_set_up_page);
    let action = ServerAction::<SetUp>::new();
    // The frame is put together by the server for who is signed in: load it anew.
    Effect::new(move |_| {
        if let Some(Ok(address)) = action.value().get() {
            browser::go(&address);
        }
    });
    let form = move || {
        page.get().map(|page| {
            if let Some(page) = page.ok().filter(|page| page.open) {
                view! { <FirstStartForm host=page.host token=token() action=action /> }.into_any()
            } else {
                view! {
                    <div class="mt-6">
                        <Notice tone=Tone::Wait>
                            "This set-up link no longer works: it was used, or is older than a day. Restart the server to have it print a new one, or "
                            <a href="/sign-in">"sign in"</a> "."
                        </Notice>
                    </div>
                }
                    .into_any()
            }
        })
    };
    view! {
        <Title text="Set up" />
        <Frame>
            <h1>"Set up"</h1>
            <Suspense>{form}</Suspense>
        </Frame>
    }
}

#[component]
fn FirstStartForm(host: String, token: String, action: ServerAction<SetUp>) -> impl IntoView {
    let wrong = move |member: &'static str| {
        MaybeProp::derive(move || action.value().get().and_then(Result::err).and_then(|problem| problem.field(member)))
    };
    view! {
        <p class="muted mt-1 mb-6">
            {format!("Nobody can sign in to {host} yet. Make the first workspace and its admin: you.")}
        </p>
        <ActionForm action=action attr:class="stack">
            <ActionNotice action=action />
            <input type="hidden" name="token" value=token />
            <TextField
                label="Workspace"
                name="first[workspace]"
                id="f-workspace"
                autocomplete="organization"
                hint="The name of your company or team."
                error=wrong("workspace")
                required=true
                max_length=200
            />
            <TextField label="Your name" name="first[name]" id="f-name" autocomplete="name" required=true max_length=200 />
            <TextField
                label="E-mail"
                name="first[email]"
                id="f-email"
                kind="email"
                autocomplete="username"
                error=wrong("email")
                required=true
            />
            <TextField
                label="Password"
                name="first[password]"
                id="f-password"
                kind="password"
                autocomplete="new-password"
                hint="At least 8 characters."
                error=wrong("password")
                required=true
            />
            <Button kind=ButtonKind::Primary busy=action.pending() wide=true>
                "Make workspace and sign in"
            </Button>
        </ActionForm>
    }
}
