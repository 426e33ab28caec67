//! The navigation is a track: two hairlines, one tie per screen, the current tie driven in.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

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
}

struct Entry {
    place: Place,
    href: &'static str,
    label: &'static str,
    class: &'static str,
}

const ENTRIES: [Entry; 6] = [
    Entry { place: Place::Integrations, href: "/integrations", label: "Integrations", class: "" },
    Entry { place: Place::Mappings, href: "/mappings", label: "Mappings", class: "" },
    Entry { place: Place::Logs, href: "/logs", label: "Logs", class: "" },
    Entry { place: Place::Conflicts, href: "/conflicts", label: "Conflicts", class: "" },
    Entry { place: Place::Records, href: "/records/accounts", label: "Records", class: "gap" },
    Entry { place: Place::Settings, href: "/settings", label: "Settings", class: "gap later" },
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
            let Entry { place, href, label, class } = entry;
            view! {
                <li class=*class>
                    <a
                        class="rail-link"
                        href=*href
                        aria-current=move || (here.get() == Some(*place)).then_some("page")
                    >
                        {*label}
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
            ("/", None),
        ];
        for (path, place) in cases {
            assert_eq!(place_of(path), place, "{path}");
        }
    }
}
