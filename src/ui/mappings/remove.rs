//! The question before a mapping is removed.

use leptos::prelude::*;

use super::address::Address;
use super::server::RemoveMapping;
use crate::model::Capability;
use crate::ui::components::{ActionNotice, Button, ButtonKind, Dialog};
use crate::ui::layout::use_reason;
use crate::view::mappings::{MappingRow, MappingsPage};

/// Says what stays and what is forgotten.
#[component]
pub(super) fn RemoveDialog(
    page: MappingsPage,
    row: MappingRow,
    address: Memo<Address>,
    close: String,
) -> impl IntoView {
    let remove = ServerAction::<RemoveMapping>::new();
    let crm = page.provider.title();
    let cancel = close.clone();
    view! {
        <Dialog title=format!("Remove the mapping of {}?", row.app_label) close_href=close>
            <ActionForm action=remove>
                <div class="dialog-body stack-2 small">
                    <ActionNotice action=remove />
                    <p>
                        <span class="api ink">{row.mapping.app_field.clone()}</span>
                        " and "
                        <span class="api ink">{row.mapping.crm_field.clone()}</span>
                        {format!(" in {crm} will no longer follow each other.")}
                    </p>
                    <p class="muted">
                        "Nothing in your data changes. What was last agreed about this field is forgotten: mapped again, both values meet for the first time."
                    </p>
                    <input type="hidden" name="provider" value=page.provider.as_str() />
                    <input type="hidden" name="entity" value=page.entity.as_str() />
                    <input type="hidden" name="mapping" value=row.mapping.id.to_string() />
                    <input type="hidden" name="back" value=move || address.get().back() />
                </div>
                <div class="dialog-foot">
                    <Button
                        kind=ButtonKind::DangerSolid
                        busy=remove.pending()
                        disabled=use_reason(Capability::ManageMappings)
                    >
                        "Remove mapping"
                    </Button>
                    <a class="btn" href=cancel autofocus>
                        "Keep it"
                    </a>
                </div>
            </ActionForm>
        </Dialog>
    }
}
