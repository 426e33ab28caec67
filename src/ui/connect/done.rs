//! Last step: the first run, real records side by side as proof, what next.

use leptos::prelude::*;

use super::server::load_done;
use super::{Refused, Step, StepHead, use_provider};
use crate::ui::components::{Section, Shape, Tone, Topic, use_live};
use crate::ui::integrations::{CancelRunAction, RunProgress};
use crate::view::Problem;
use crate::view::connect::{DonePage as Page, Pair};

/// The step.
#[component]
pub fn DonePage() -> impl IntoView {
    let provider = use_provider();
    let cancel = ServerAction::<CancelRunAction>::new();
    let page = Resource::new(
        move || (provider.get(), cancel.version().get()),
        |(provider, _)| async move {
            match provider {
                Some(provider) => load_done(provider).await,
                None => Err(Problem::not_found()),
            }
        },
    );
    use_live().refetch(&[Topic::Run, Topic::Connection], page);
    view! {
        <Transition>
            {move || {
                page.get()
                    .map(|page| match page {
                        Ok(page) => view! { <Proof page=page cancel=cancel /> }.into_any(),
                        Err(problem) => view! { <Refused problem=problem /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn Proof(page: Page, cancel: ServerAction<CancelRunAction>) -> impl IntoView {
    let provider = page.config.provider;
    let plural = page.entity.plural();
    let title = format!("{} connected", provider.title());
    let mappings = page.mappings;
    view! {
        <StepHead
            title=title
            sentence=page.sentence
            step=Step::Done
            provider=provider
            environment=page.config.environment
        />
        <div class="max-w-[980px]">
            {page.run.map(|run| view! { <div class="mb-4"><RunProgress run=run cancel=cancel /></div> })}
            <div class="next-cards">
                <a class="card next is-first" href=format!("/integrations/{provider}/mappings/{plural}")>
                    <b>"Configure field mappings"</b>
                    <span>{format!("{mappings} are in force. Change, add or narrow them.")}</span>
                </a>
                <a class="card next" href="/logs">
                    <b>"See what the first sync did"</b>
                    <span>"Every record it read and wrote, with the reason."</span>
                </a>
                <a class="card next" href="/integrations">
                    <b>"Done"</b>
                    <span>"To Integrations. Sync goes on by itself from here."</span>
                </a>
            </div>
            {(!page.pairs.is_empty())
                .then(|| {
                    let rows = page.pairs.into_iter().map(pair_row).collect_view();
                    view! {
                        <Section title="Side by side" aside=move || page.pairs_words.clone()>
                            <div class="table-wrap to-cards">
                                <table class="table">
                                    <caption class="sr">"Linked records on both sides"</caption>
                                    <thead>
                                        <tr>
                                            <th scope="col">"Here"</th>
                                            <th scope="col">{page.key}</th>
                                            <th scope="col" class="fit">"Match"</th>
                                            <th scope="col">{format!("In {}", provider.title())}</th>
                                            <th scope="col" class="hide-phone">"There"</th>
                                        </tr>
                                    </thead>
                                    <tbody>{rows}</tbody>
                                </table>
                            </div>
                        </Section>
                    }
                })}
        </div>
    }
}

fn pair_row(pair: Pair) -> impl IntoView {
    let (tone, class, word) =
        if pair.agrees { (Tone::Ok, "state c-ok", "agree") } else { (Tone::Wait, "state c-wait", "differ") };
    view! {
        <tr>
            <td class="lead">
                <a class="plain" href=pair.href>
                    {pair.name}
                </a>
            </td>
            <td class="api" data-l="Matched by">
                {pair.key}
            </td>
            <td class="fit" data-l="Match">
                <span class=class>
                    <Shape tone=tone />
                    {word}
                </span>
            </td>
            <td data-l="In the CRM">{pair.crm_name}</td>
            <td class="api hide-phone">{pair.crm_key}</td>
        </tr>
    }
}
