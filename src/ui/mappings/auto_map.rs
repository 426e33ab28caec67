//! Auto-map: which fields may belong together, to accept one by one or all above a line. Publishes only what is ticked.

use leptos::prelude::*;

use super::address::{Address, Open};
use super::server::AcceptSuggestions;
use crate::model::{Entity, Provider};
use crate::ui::components::{ActionNotice, Button, ButtonKind, Dialog, DirectionArrow, EmptyState, ProblemNotice};
use crate::view::Problem;
use crate::view::mappings::{SuggestedMapping, Suggestions};

/// The lines that are offered, in percent. Above the highest nothing is ticked.
const LINES: [(u8, &str); 4] = [(95, "from 95 %"), (80, "from 80 %"), (0, "all"), (101, "none")];

/// The dialog with its proposals, while they are looked for, or with why there are none.
#[component]
pub(super) fn AutoMapDialog(
    provider: Provider,
    entity: Entity,
    /// Nothing while fields and values are compared.
    found: Option<Result<Suggestions, Problem>>,
    /// Proposals with so many percent are ticked.
    line: u8,
    address: Memo<Address>,
) -> impl IntoView {
    let close = Signal::derive(move || address.get().href(provider, entity));
    let body = match found {
        None => view! {
            <div class="dialog-body small muted" role="status">
                {format!("Comparing the fields, and the values of linked records in {}…", provider.title())}
            </div>
        }
        .into_any(),
        Some(Err(problem)) => view! {
            <div class="dialog-body">
                <ProblemNotice problem=problem />
            </div>
        }
        .into_any(),
        Some(Ok(found)) if found.rows.is_empty() => view! {
            <div class="dialog-body">
                <EmptyState
                    title="Nothing to propose"
                    text="No field that is free has a partner by its name, its meaning or its values. Add a mapping by hand."
                />
            </div>
        }
        .into_any(),
        Some(Ok(found)) => view! { <Proposals provider=provider entity=entity found=found line=line address=address close=close /> }.into_any(),
    };
    view! {
        <Dialog title=format!("Auto-map fields of {}", entity.plural()) close_href=close wide=true>
            {body}
        </Dialog>
    }
}

#[component]
fn Proposals(
    provider: Provider,
    entity: Entity,
    found: Suggestions,
    line: u8,
    address: Memo<Address>,
    close: Signal<String>,
) -> impl IntoView {
    let accept = ServerAction::<AcceptSuggestions>::new();
    let lines = LINES
        .iter()
        .map(|(least, words)| {
            let href = move || address.get().with_dialog(provider, entity, &Open::AutoMap(*least));
            view! {
                <a class="btn btn-sm" href=href aria-current=(*least == line).then_some("true")>
                    {*words}
                </a>
            }
        })
        .collect_view();
    let rows = found.rows.into_iter().enumerate().map(|(place, row)| proposal(place, row, line)).collect_view();
    view! {
        <ActionForm action=accept>
            <div class="dialog-body">
                <ActionNotice action=accept />
                <p class="small muted mb-3">{format!("{} Nothing is mapped until you publish it.", found.compared)}</p>
                <div class="prop-tools" role="group" aria-label="Which proposals are ticked">
                    <span class="small muted">"Tick"</span>
                    {lines}
                </div>
                <input type="hidden" name="provider" value=provider.as_str() />
                <input type="hidden" name="entity" value=entity.as_str() />
                <input type="hidden" name="back" value=move || address.get().back() />
                <ul class="proposals">{rows}</ul>
            </div>
            <div class="dialog-foot">
                <Button kind=ButtonKind::Primary busy=accept.pending()>
                    "Publish what is ticked"
                </Button>
                <a class="btn" href=move || close.get()>
                    "Cancel"
                </a>
            </div>
        </ActionForm>
    }
}

fn proposal(place: usize, row: SuggestedMapping, line: u8) -> impl IntoView {
    let ticked = row.percent >= line;
    let transform = row.transform.map(|words| view! { <span class="chip">{words}</span> });
    view! {
        <li>
            <label class="proposal">
                <span class="score">{row.percent} <span class="faint">" %"</span></span>
                <span class="row">
                    <span class="api ink truncate">{row.app_field.clone()}</span>
                    <DirectionArrow direction=row.direction />
                    <span class="sr">{row.direction.label()}</span>
                    <span class="truncate" title=row.crm_field.clone()>
                        {row.crm_label}
                        " "
                        <span class="api">{row.crm_field.clone()}</span>
                    </span>
                </span>
                <span class="row row-wrap muted">{row.reason} {transform}</span>
                <input
                    class="check"
                    type="checkbox"
                    name=format!("accepted[{place}]")
                    value=format!("{}={}", row.crm_field, row.app_field)
                    checked=ticked
                />
            </label>
        </li>
    }
}
