//! Choices per field, and the keyboard that makes them while no field has the focus.

use leptos::prelude::*;

use crate::ui::browser;
use crate::ui::components::Dialog;

/// What is kept of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    /// The app's value.
    App,
    /// The CRM's value.
    Crm,
    /// A value put together.
    Value,
}

impl Pick {
    /// Its name in the form.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Pick::App => "app",
            Pick::Crm => "crm",
            Pick::Value => "value",
        }
    }
}

/// The choices of one conflict, and the field that a key is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picks {
    picked: RwSignal<Vec<Option<Pick>>>,
    current: RwSignal<usize>,
}

impl Picks {
    /// Whether this is chosen for the field at `place`.
    pub(super) fn is(self, place: usize, pick: Pick) -> bool {
        self.picked.with(|picked| picked.get(place).copied().flatten() == Some(pick))
    }

    /// Whether a key would be about the field at `place`.
    pub(super) fn is_current(self, place: usize) -> bool {
        self.current.get() == place
    }

    /// Chooses for the field at `place`, which the keys are about from now.
    pub(super) fn set(self, place: usize, pick: Pick) {
        self.current.set(place);
        self.picked.update(|picked| {
            if let Some(slot) = picked.get_mut(place) {
                *slot = Some(pick);
            }
        });
    }

    /// Chooses for the first field without a choice, or again for the last one.
    fn press(self, pick: Pick) {
        let place = self.picked.with_untracked(|picked| {
            picked.iter().position(Option::is_none).unwrap_or_else(|| self.current.get_untracked())
        });
        self.set(place, pick);
    }
}

/// Provides the choices of a conflict with `count` fields to its keys.
pub(super) fn provide_picks(count: usize) -> Picks {
    let picks = Picks { picked: RwSignal::new(vec![None; count]), current: RwSignal::new(0) };
    if let Some(slot) = use_context::<RwSignal<Option<Picks>>>() {
        slot.set(Some(picks));
    }
    picks
}

/// Hears keys until the page is left.
pub(super) fn listen_for_keys() {
    let slot = RwSignal::new(None::<Picks>);
    provide_context(slot);
    Effect::new(move |_| {
        browser::on_key(move |key| {
            let picks = slot.get_untracked();
            match key {
                "j" | "J" => browser::press("next-conflict"),
                "k" | "K" => browser::press("previous-conflict"),
                "i" | "I" => browser::press("ignore"),
                "?" => browser::press("keys-help"),
                "Enter" => browser::press("resolve"),
                "ArrowLeft" => picks.is_some_and(|picks| {
                    picks.press(Pick::App);
                    true
                }),
                "ArrowRight" => picks.is_some_and(|picks| {
                    picks.press(Pick::Crm);
                    true
                }),
                "e" | "E" => picks.is_some_and(|picks| {
                    picks.press(Pick::Value);
                    browser::focus_by_id(&format!("merged-{}", picks.current.get_untracked()))
                }),
                _ => false,
            }
        });
    });
}

const KEYS: [(&str, &str); 8] = [
    ("J", "next conflict"),
    ("K", "previous conflict"),
    ("←", "keep the app’s value of the next field"),
    ("→", "keep the CRM’s value of the next field"),
    ("E", "write a merged value"),
    ("Enter", "resolve with the selected values"),
    ("I", "ignore the difference"),
    ("?", "this list"),
];

/// What the keys do.
#[component]
pub(super) fn KeysDialog(id: uuid::Uuid) -> impl IntoView {
    let rows = KEYS
        .iter()
        .map(|(key, meaning)| {
            view! {
                <tr>
                    <th scope="row"><kbd>{*key}</kbd></th>
                    <td>{*meaning}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Dialog title="Keys" close_href=format!("/conflicts/{id}")>
            <div class="dialog-body">
                <p class="small muted mb-2">"They work while no field has the focus."</p>
                <table class="table">
                    <caption class="sr">"Keys"</caption>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </Dialog>
    }
}
