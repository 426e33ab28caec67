//! "Always use app", "Always use CRM": asks once, and says what it sets and what it decides.

use leptos::prelude::*;

use super::one::Actions;
use crate::model::{Capability, ResolutionStrategy};
use crate::ui::components::{Button, ButtonKind, Dialog, LinkButton};
use crate::ui::use_reason;
use crate::view::conflicts::ConflictPage;
use crate::view::instant::grouped;

/// The question.
#[component]
pub(super) fn AlwaysDialog(page: ConflictPage, strategy: ResolutionStrategy, actions: Actions) -> impl IntoView {
    let reason = use_reason(Capability::SettleConflicts);
    let close = format!("/conflicts/{}", page.id);
    let (fields, waiting) = page.rule;
    let (side, title) = if strategy == ResolutionStrategy::UseApp {
        ("the app", "Always use the app?")
    } else {
        (page.provider.title(), "Always use the CRM?")
    };
    let others = match waiting {
        0 => "No other conflict waits in these fields.".to_owned(),
        1 => "1 other conflict that waits in these fields is decided by it now.".to_owned(),
        waiting => format!("{} other conflicts that wait in these fields are decided by it now.", grouped(waiting)),
    };
    view! {
        <Dialog title=title close_href=close.clone()>
            <ActionForm action=actions.settle attr:class="dialog-form">
                <div class="dialog-body stack">
                    <input type="hidden" name="id" value=page.id.to_string() />
                    <input type="hidden" name="version" value=page.version.to_string() />
                    <input type="hidden" name="strategy" value=strategy.as_str() />
                    <input type="hidden" name="always" value="true" />
                    <input type="hidden" name="confirmed" value=waiting.to_string() />
                    <p>
                        {format!("From now on, where both sides changed {fields}, {side} wins without a question.")}
                    </p>
                    <p>{others}</p>
                    <p class="small muted">
                        "A value that loses stands in the log of its run. The rule can be taken back on the mapping page."
                    </p>
                </div>
                <div class="dialog-foot">
                    <LinkButton href=close>"Cancel"</LinkButton>
                    <Button kind=ButtonKind::Primary disabled=reason busy=actions.settle.pending()>
                        "Set the rule and resolve"
                    </Button>
                </div>
            </ActionForm>
        </Dialog>
    }
}
