//! The navigation is a track: two hairlines, one tie per screen, the current tie driven in.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::viewer::use_reason;
use crate::model::Capability;
use crate::view::Problem;
use crate::view::frame::FrameStatus;
use crate::view::instant::grouped;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Integrations,
    Mappings,
    Logs,
    Conflicts,
    Records,
    Settings,
    Members,
    ApiKeys,
}

struct Entry {
    place: Place,
    href: &'static str,
    label: &'static str,
    class: &'static str,
    needs: Option<Capability>,
}

const ENTRIES: [Entry; 8] = [
    Entry { place: Place::Integrations, href: "/integrations", label: "Integrations", class: "", needs: None },
    Entry { place: Place::Mappings, href: "/mappings", label: "Mappings", class: "", needs: None },
    Entry { place: Place::Logs, href: "/logs", label: "Logs", class: "", needs: None },
    Entry { place: Place::Conflicts, href: "/conflicts", label: "Conflicts", class: "", needs: None },
    Entry { place: Place::Records, href: "/records/accounts", label: "Records", class: "gap", needs: None },
    Entry { place: Place::Settings, href: "/settings", label: "Settings", class: "gap later", needs: None },
    Entry {
        place: Place::Members,
        href: "/members",
        label: "Members",
        class: "later",
        needs: Some(Capability::ManagePeople),
    },
    Entry {
        place: Place::ApiKeys,
        href: "/api-keys",
        label: "API keys",
        class: "later",
        needs: Some(Capability::ManagePeople),
    },
];

/// The rail; a bar at the bottom on narrow screens.
#[component]
pub(super) fn Rail(
    /// The moving parts of the frame.
    status: Resource<Result<FrameStatus, Problem>>,
) -> impl IntoView {
    let location = use_location();
    let here = Memo::new(move |_| place_of(&location.pathname.get()));
    let waiting = move || status.get().and_then(Result::ok).map_or(0, |status| status.conflicts_waiting);
    let entries = ENTRIES
        .iter()
        .map(|entry| {
            let Entry { place, href, label, class, needs } = entry;
            let reason = needs.and_then(use_reason);
            let may = reason.is_none();
            let spoken = reason.clone().map(|reason| view! { <span class="sr">{format!(". {reason}")}</span> });
            view! {
                <li class=*class>
                    <a
                        class="rail-link"
                        href=may.then_some(*href)
                        role=(!may).then_some("link")
                        tabindex=(!may).then_some("0")
                        aria-disabled=(!may).then_some("true")
                        title=reason
                        aria-current=move || (here.get() == Some(*place)).then_some("page")
                    >
                        {*label}
                        {spoken}
                        {(*place == Place::Conflicts)
                            .then(|| view! { <Transition>{move || waiting_mark(waiting())}</Transition> })}
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <nav class="rail" aria-label="Main">
            <div class="rail-in">
                <a class="rail-brand" href="/integrations">
                    <Logo />
                    "Crosstie"
                </a>
                <div class="rail-nav">
                    <ul>{entries}</ul>
                </div>
                <div class="rail-foot">{concat!("Version ", env!("CARGO_PKG_VERSION"))}</div>
            </div>
        </nav>
    }
    .into_any()
}

/// Two rails and four ties.
#[component]
pub fn Logo() -> impl IntoView {
    view! {
        <svg class="logo" viewBox="0 0 20 20" aria-hidden="true">
            <path class="tie" d="M2 3h16M2 7.7h16M2 12.3h16M2 17h16" />
            <path d="M7 .5v19M13 .5v19" />
        </svg>
    }
}

fn waiting_mark(waiting: i64) -> Option<impl IntoView> {
    (waiting > 0).then(|| {
        view! {
            <span class="count">
                {grouped(waiting)} <span class="sr">" waiting"</span>
            </span>
        }
    })
}

fn place_of(path: &str) -> Option<Place> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    match (segments.next()?, segments.nth(1)) {
        ("mappings", _) | ("integrations", Some("mappings")) => Some(Place::Mappings),
        ("settings", _) | ("integrations", Some("settings")) => Some(Place::Settings),
        ("integrations" | "connect", _) => Some(Place::Integrations),
        ("logs", _) => Some(Place::Logs),
        ("conflicts", _) => Some(Place::Conflicts),
        ("records", _) => Some(Place::Records),
        ("members", _) => Some(Place::Members),
        ("api-keys", _) => Some(Place::ApiKeys),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_a_screen_marks_its_entry() {
        let cases = [
            ("/integrations", Some(Place::Integrations)),
            ("/connect/salesforce/configure", Some(Place::Integrations)),
            ("/integrations/salesforce/mappings/contacts", Some(Place::Mappings)),
            ("/integrations/salesforce/settings", Some(Place::Settings)),
            ("/logs/0b7e", Some(Place::Logs)),
            ("/records/accounts/0b7e", Some(Place::Records)),
            ("/members", Some(Place::Members)),
            ("/api-keys", Some(Place::ApiKeys)),
            ("/", None),
        ];
        for (path, place) in cases {
            assert_eq!(place_of(path), place, "{path}");
        }
    }
}
