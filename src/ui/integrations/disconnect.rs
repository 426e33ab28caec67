//! The dialog before a connection ends: what is revoked, and what stays.

use leptos::prelude::*;

use super::server::DisconnectCrm;
use crate::model::{Capability, Environment};
use crate::ui::components::{ActionNotice, Button, ButtonKind, Dialog, LinkButton};
use crate::ui::use_reason;
use crate::view::integrations::ConnectionCard;

/// Asks before a connection ends.
#[component]
pub fn DisconnectDialog(
    /// The connection.
    card: ConnectionCard,
    /// What the last button does.
    action: ServerAction<DisconnectCrm>,
) -> impl IntoView {
    let crm = card.config.provider.title();
    let reason = use_reason(Capability::ManageConnections);
    let org = match card.config.environment {
        Environment::Production => "org",
        Environment::Sandbox => "sandbox",
        Environment::Simulator => "simulator",
    };
    let kept = card.kept.into_iter().map(|line| view! { <li>{line}</li> }).collect_view();
    view! {
        <Dialog title=format!("Disconnect {crm}?") close_href=Signal::stored("/integrations".to_owned())>
            <div class="dialog-body stack">
                <ActionNotice action=action />
                <div>
                    <h3 class="h3">"Ends now"</h3>
                    <ul class="list-disc ps-5 mt-1">
                        <li>{format!("Crosstie’s access is revoked in this {org}, and its tokens are erased here")}</li>
                        <li>"A run that is on is cancelled; what it has written stays written"</li>
                    </ul>
                </div>
                <div>
                    <h3 class="h3">"Stays"</h3>
                    <ul class="list-disc ps-5 mt-1">{kept}</ul>
                </div>
                <p class="muted">"Connecting the same org again goes on from there. Nothing is deleted on either side."</p>
            </div>
            <div class="dialog-foot">
                <ActionForm action=action attr:class="row push">
                    <input type="hidden" name="provider" value=card.config.provider.as_str() />
                    <LinkButton href="/integrations">"Keep connected"</LinkButton>
                    <Button kind=ButtonKind::DangerSolid disabled=reason busy=action.pending()>
                        "Disconnect"
                    </Button>
                </ActionForm>
            </div>
        </Dialog>
    }
}
