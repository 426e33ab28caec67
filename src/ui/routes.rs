//! The index of the pages: address, page, and how it is rendered (always completely, on the server).

use leptos::prelude::*;
use leptos_router::components::{ParentRoute, Redirect, Route, Routes};
use leptos_router::{ParamSegment, SsrMode, StaticSegment};

use super::api_keys::ApiKeysPage;
use super::conflicts::{ConflictListPage, ConflictPage};
use super::connect::{AuthorisePage, ChoosePage, ConfigurePage, DonePage};
use super::integrations::IntegrationsPage;
use super::layout::{Frame, NotFound};
use super::logs::{LogDetailPage, LogListPage};
use super::mappings::{MappingsPage, MappingsRedirect};
use super::members::MembersPage;
use super::records::{RecordPage, RecordsPage};
use super::settings::{SettingsPage, SettingsRedirect};
use super::sign_in::{SetUpPage, SignInPage};

/// Every page.
#[component]
pub fn Pages() -> impl IntoView {
    view! {
        <Routes fallback=NotFound>
            <Route path=StaticSegment("set-up") view=SetUpPage ssr=SsrMode::Async />
            <Route path=StaticSegment("sign-in") view=SignInPage ssr=SsrMode::Async />
            <ParentRoute path=StaticSegment("") view=Frame ssr=SsrMode::Async>
                <Route path=StaticSegment("") view=|| view! { <Redirect path="/integrations" /> } ssr=SsrMode::Async />
                <Route path=StaticSegment("api-keys") view=ApiKeysPage ssr=SsrMode::Async />
                <Route path=StaticSegment("integrations") view=IntegrationsPage ssr=SsrMode::Async />
                <Route path=StaticSegment("connect") view=ChoosePage ssr=SsrMode::Async />
                <Route path=(StaticSegment("connect"), ParamSegment("provider"), StaticSegment("authorise")) view=AuthorisePage ssr=SsrMode::Async />
                <Route path=(StaticSegment("connect"), ParamSegment("provider"), StaticSegment("configure")) view=ConfigurePage ssr=SsrMode::Async />
                <Route path=(StaticSegment("connect"), ParamSegment("provider"), StaticSegment("done")) view=DonePage ssr=SsrMode::Async />
                <Route path=(StaticSegment("integrations"), ParamSegment("provider"), StaticSegment("mappings"), ParamSegment("entity")) view=MappingsPage ssr=SsrMode::Async />
                <Route path=StaticSegment("mappings") view=MappingsRedirect ssr=SsrMode::Async />
                <Route path=StaticSegment("members") view=MembersPage ssr=SsrMode::Async />
                <Route path=StaticSegment("conflicts") view=ConflictListPage ssr=SsrMode::Async />
                <Route path=(StaticSegment("conflicts"), ParamSegment("id")) view=ConflictPage ssr=SsrMode::Async />
                <Route path=StaticSegment("logs") view=LogListPage ssr=SsrMode::Async />
                <Route path=(StaticSegment("logs"), ParamSegment("id")) view=LogDetailPage ssr=SsrMode::Async />
                <Route path=(StaticSegment("records"), ParamSegment("entity")) view=RecordsPage ssr=SsrMode::Async />
                <Route path=(StaticSegment("records"), ParamSegment("entity"), ParamSegment("id")) view=RecordPage ssr=SsrMode::Async />
                <Route path=(StaticSegment("integrations"), ParamSegment("provider"), StaticSegment("settings")) view=SettingsPage ssr=SsrMode::Async />
                <Route path=StaticSegment("settings") view=SettingsRedirect ssr=SsrMode::Async />
            </ParentRoute>
        </Routes>
    }
}
