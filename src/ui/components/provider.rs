//! Marks of the CRMs: simple drawings of our own, always beside the name.

use leptos::prelude::*;

use crate::model::Provider;

/// The mark of a CRM; write its name beside it.
#[component]
pub fn ProviderMark(
    /// Which CRM.
    provider: Provider,
    /// `mark`, or with `mark-lg` or `mark-xs`.
    #[prop(default = "mark")]
    class: &'static str,
) -> impl IntoView {
    let address = match provider {
        Provider::Salesforce => "#m-sf",
        Provider::Hubspot => "#m-hs",
    };
    view! {
        <span class=class>
            <svg viewBox="0 0 24 24" aria-hidden="true">
                <use_ href=address></use_>
            </svg>
        </span>
    }
}
