//! The one place that talks to the browser itself. On the server each of these does nothing: effects do not run there.

#[cfg(feature = "hydrate")]
pub use page::{every_half_minute, focus, go, listen, mark_hydrated, show_modal};
#[cfg(not(feature = "hydrate"))]
pub use server::{every_half_minute, focus, go, listen, show_modal};

#[cfg(feature = "hydrate")]
mod page {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    use leptos::prelude::{document, set_interval, window};
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
