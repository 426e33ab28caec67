//! The document around the pages. Written by the server only: nothing of it is in the browser's program.

use leptos::config::LeptosOptions;
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::MetaTags;

use super::app::App;

/// The whole document.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <meta name="description" content="Keeps your own records and your CRM in agreement." />
                <script nonce=use_nonce()>{include_str!("theme.js")}</script>
                <link rel="stylesheet" href="/pkg/crosstie.css" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <HydrationScripts options=options />
                <MetaTags />
            </head>
            <body>
                <App />
                <div hidden inner_html=include_str!("sprite.svg")></div>
            </body>
        </html>
    }
}
