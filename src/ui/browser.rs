//! The one place that talks to the browser itself. On the server each of these does nothing: effects do not run there.

#[cfg(feature = "hydrate")]
pub use page::{every_half_minute, focus, focus_by_id, go, listen, mark_hydrated, on_key, press, show_modal};
#[cfg(not(feature = "hydrate"))]
pub use server::{every_half_minute, focus, focus_by_id, go, listen, on_key, press, show_modal};

#[cfg(feature = "hydrate")]
mod page {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    use leptos::prelude::{document, on_cleanup, request_animation_frame, set_interval, window, window_event_listener};
    use wasm_bindgen::JsCast;
    use wasm_bindgen::closure::Closure;
    use web_sys::{EventSource, HtmlDialogElement};

    use crate::ui::components::Topic;

    /// Says that the page listens: tests wait for it.
    pub fn mark_hydrated() {
        if let Some(root) = document().document_element() {
            // Refused only for a malformed attribute name.
            let _ = root.set_attribute("data-hydrated", "true");
        }
    }

    /// Loads an address anew, frame and all.
    pub fn go(address: &str) {
        // Refused only for a malformed address, which the server does not give.
        let _ = window().location().set_href(address);
    }

    /// Moves the focus to an element.
    pub fn focus(element: &web_sys::HtmlElement) {
        // Refused only for an element that cannot have it.
        let _ = element.focus();
    }

    /// Makes a dialog that the server wrote as an open one modal.
    pub fn show_modal(dialog: &HtmlDialogElement) {
        // The page keeps working with the dialog as a page part where a browser refuses.
        let _ = dialog.remove_attribute("open");
        if dialog.show_modal().is_err() {
            let _ = dialog.set_attribute("open", "");
        }
    }

    /// Calls with the browser's time in epoch milliseconds, now and every half minute.
    pub fn every_half_minute(tick: impl Fn(i64) + 'static) {
        let now = || js_now();
        tick(now());
        set_interval(move || tick(now()), Duration::from_secs(30));
    }

    /// Calls with each event's topic while the tab is visible.
    pub fn listen(heard: impl Fn(Topic) + 'static) {
        let heard: Rc<dyn Fn(Topic)> = Rc::new(heard);
        let stream: Rc<RefCell<Option<EventSource>>> = Rc::new(RefCell::new(None));
        let follow_visibility = move || {
            let mut stream = stream.borrow_mut();
            match (document().hidden(), stream.take()) {
                (true, Some(open)) => open.close(),
                (false, None) => {
                    // What happened while the tab was hidden was not heard: everything may have changed.
                    for topic in [Topic::Run, Topic::Conflict, Topic::Connection] {
                        heard(topic);
                    }
                    *stream = open_stream(&heard);
                }
                (_, kept) => *stream = kept,
            }
        };
        follow_visibility();
        let changed = Closure::<dyn Fn()>::new(follow_visibility);
        // Refused only where there is no document; then nobody looks either.
        let _ = document().add_event_listener_with_callback("visibilitychange", changed.as_ref().unchecked_ref());
        changed.forget();
    }

    /// Calls with the name of each key that is pressed while no field has the focus and no dialog is open, until the current
    /// owner is gone. A call that answers `true` has used the key.
    pub fn on_key(used: impl Fn(&str) -> bool + 'static) {
        let handle = window_event_listener(leptos::ev::keydown, move |event| {
            let held = event.ctrl_key() || event.alt_key() || event.meta_key() || event.is_composing();
            let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
            if held || target.is_some_and(|target| takes_keys(&target, &event.key())) {
                return;
            }
            if used(&event.key()) {
                event.prevent_default();
            }
        });
        on_cleanup(move || handle.remove());
    }

    /// Whether an element means something else by a key.
    fn takes_keys(element: &web_sys::Element, key: &str) -> bool {
        let in_dialog = document().query_selector("dialog[open]").is_ok_and(|dialog| dialog.is_some());
        let tag = element.tag_name().to_ascii_lowercase();
        let is_choice = tag == "input" && element.get_attribute("type").is_some_and(|kind| kind == "radio");
        let is_field =
            matches!(tag.as_str(), "input" | "textarea" | "select") && (!is_choice || key.starts_with("Arrow"));
        let is_pressed = key == "Enter" && matches!(tag.as_str(), "a" | "button" | "summary");
        in_dialog || is_field || is_pressed
    }

    /// Presses the button or link with this id, or the button inside; `false` where there is none.
    pub fn press(id: &str) -> bool {
        let found = document().query_selector(&format!("button#{id}, a#{id}, #{id} button")).ok().flatten();
        let element = found.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok());
        element.map(|element| element.click()).is_some()
    }

    /// Puts the focus on the element with this id, once the page has shown it; `false` where there is none.
    pub fn focus_by_id(id: &str) -> bool {
        let element =
            document().get_element_by_id(id).and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok());
        let is_there = element.is_some();
        request_animation_frame(move || {
            if let Some(element) = element {
                // Refused only for an element that cannot have the focus.
                let _ = element.focus();
            }
        });
        is_there
    }

    fn open_stream(heard: &Rc<dyn Fn(Topic)>) -> Option<EventSource> {
        let stream = EventSource::new("/api/crm/events").ok()?;
        for (name, topic) in [("run", Topic::Run), ("conflict", Topic::Conflict), ("connection", Topic::Connection)] {
            let heard = Rc::clone(heard);
            let call = Closure::<dyn Fn()>::new(move || heard(topic));
            let _ = stream.add_event_listener_with_callback(name, call.as_ref().unchecked_ref());
            call.forget();
        }
        Some(stream)
    }

    #[wasm_bindgen::prelude::wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = Date, js_name = now)]
        fn date_now() -> f64;
    }

    fn js_now() -> i64 {
        date_now() as i64
    }
}

#[cfg(not(feature = "hydrate"))]
mod server {
    use crate::ui::components::Topic;

    /// Does nothing on the server.
    pub fn focus_by_id(_id: &str) -> bool {
        false
    }

    /// Does nothing on the server.
    pub fn on_key(_used: impl Fn(&str) -> bool + 'static) {}

    /// Does nothing on the server.
    pub fn press(_id: &str) -> bool {
        false
    }

    /// Does nothing on the server.
    pub fn go(_address: &str) {}

    /// Does nothing on the server.
    pub fn focus<E>(_element: &E) {}

    /// Does nothing on the server.
    pub fn show_modal<D>(_dialog: &D) {}

    /// Does nothing on the server.
    pub fn every_half_minute(_tick: impl Fn(i64) + 'static) {}

    /// Does nothing on the server.
    pub fn listen(_heard: impl Fn(Topic) + 'static) {}
}
