//! The schedule: how often, when within the hour or day, and the runs that follow.

use leptos::prelude::*;

use super::changes::Draft;
use super::server::preview_schedule;
use crate::model::SyncFrequency;
use crate::ui::components::{Field, ProblemNotice};
use crate::view::settings::{NextRun, SettingsPage};

/// Frequency, minute or time and zone, next five runs.
#[component]
pub(super) fn Schedule(
    page: SettingsPage,
    draft: Draft,
    reason: Option<String>,
    error: Signal<Option<String>>,
) -> impl IntoView {
    let is_locked = reason.is_some();
    let frequencies = frequencies(draft, is_locked);
    let is = move |frequency: SyncFrequency| draft.frequency.get() == frequency.as_str();
    let zones = page
        .time_zones
        .iter()
        .map(|zone| {
            let selected = *zone == draft.time_zone.get_untracked();
            view! { <option value=zone.clone() selected=selected>{zone.clone()}</option> }
        })
        .collect_view();
    view! {
        <section class="set">
            <header>
                <h2 class="h3">"Schedule"</h2>
                <p>"How soon a change on one side reaches the other."</p>
            </header>
            <div>
                <fieldset>
                    <legend class="sr">"Frequency"</legend>
                    <div class="seg">{frequencies}</div>
                </fieldset>
                <p class="hint">{move || about(&draft.frequency.get())}</p>
                <div class="sched">
                    <div class="row row-wrap sched-when">
                        <div class:is-other=move || !is(SyncFrequency::Hourly)>
                            <Field id="minute" label="At minute">
                                <input
                                    class="input num"
                                    id="minute"
                                    name="form[minute]"
                                    inputmode="numeric"
                                    style:width="84px"
                                    value=draft.minute.get_untracked()
                                    disabled=is_locked
                                    aria-invalid=move || error.get().map(|_| "true")
                                    on:input=move |event| draft.minute.set(event_target_value(&event))
                                />
                            </Field>
                        </div>
                        <div class:is-other=move || !is(SyncFrequency::Daily)>
                            <Field id="time" label="At">
                                <input
                                    class="input num"
                                    id="time"
                                    name="form[time]"
                                    type="time"
                                    style:width="112px"
                                    value=draft.time.get_untracked()
                                    disabled=is_locked
                                    aria-invalid=move || error.get().map(|_| "true")
                                    on:input=move |event| draft.time.set(event_target_value(&event))
                                />
                            </Field>
                        </div>
                        <div class:is-other=move || !is(SyncFrequency::Daily)>
                            <Field id="zone" label="Time zone">
                                <select
                                    class="select"
                                    id="zone"
                                    name="form[time_zone]"
                                    style:width="220px"
                                    disabled=is_locked
                                    on:change=move |event| draft.time_zone.set(event_target_value(&event))
                                >
                                    {zones}
                                </select>
                            </Field>
                        </div>
                    </div>
                    <NextRuns page=page draft=draft />
                </div>
                {move || error.get().map(|error| view! { <p class="hint hint-bad">{error}</p> })}
            </div>
        </section>
    }
}

fn about(frequency: &str) -> &'static str {
    match frequency.parse() {
        Ok(SyncFrequency::Realtime) => "An edit here starts a run at once; the CRM is looked at every minute.",
        Ok(SyncFrequency::Hourly) => "One run an hour, at the minute below.",
        Ok(SyncFrequency::Daily) => "One run a day, at the time below. It follows the clock changes of its zone.",
        _ => "Nothing runs by itself. “Sync now” still works.",
    }
}

#[component]
fn NextRuns(page: SettingsPage, draft: Draft) -> impl IntoView {
    let stored = page.next_runs.clone();
    let first = untrack(|| draft.schedule());
    // What is stored is there already; only another schedule is asked for.
    let asked = Memo::new(move |_| Some(draft.schedule()).filter(|now| *now != first));
    let planned = LocalResource::new(move || {
        let asked = asked.get();
        async move {
            match asked {
                Some(form) => Some(preview_schedule(form).await),
                None => None,
            }
        }
    });
    let runs = move || match asked.get().and_then(|_| planned.get().flatten()) {
        None => list(stored.clone()).into_any(),
        Some(Ok(runs)) => list(runs).into_any(),
        Some(Err(problem)) => view! { <ProblemNotice problem=problem /> }.into_any(),
    };
    view! {
        <div class="next-runs">
            {runs}
            {page.not_running.map(|sentence| view! { <p class="hint">{sentence}</p> })}
        </div>
    }
}

fn list(runs: Vec<NextRun>) -> impl IntoView {
    (!runs.is_empty()).then(|| {
        let items = runs
            .into_iter()
            .map(|run| {
                view! {
                    <li title=run.title>
                        <b class="medium">{run.time}</b>
                        <span class="muted">{run.ahead}</span>
                    </li>
                }
            })
            .collect_view();
        view! {
            <p class="label">"Next five runs"</p>
            <ol class="num">{items}</ol>
        }
    })
}

fn frequencies(draft: Draft, is_locked: bool) -> impl IntoView {
    SyncFrequency::ALL
        .iter()
        .map(|frequency| {
            let frequency = *frequency;
            let checked = draft.frequency.get_untracked() == frequency.as_str();
            view! {
                <label>
                    <input
                        type="radio"
                        name="form[frequency]"
                        value=frequency.as_str()
                        checked=checked
                        disabled=is_locked
                        on:change=move |_| draft.frequency.set(frequency.as_str().to_owned())
                    />
                    {frequency.label()}
                </label>
            }
        })
        .collect_view()
}
