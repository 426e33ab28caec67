//! Who looks at the page.

use leptos::prelude::*;

use crate::model::{Capability, Role};
use crate::view::session::PageViewer;

/// Who looks at this page. Outside the frame a member who may only read.
pub fn use_viewer() -> PageViewer {
    use_context().unwrap_or_else(|| PageViewer {
        name: String::new(),
        email: String::new(),
        role: Role::Member,
        workspace: String::new(),
    })
}

/// Why the viewer may not do `capability`; nothing where the viewer may. Goes into `disabled` of a control.
pub fn use_reason(capability: Capability) -> Option<String> {
    (!use_viewer().role.may(capability)).then(|| capability.reason().to_owned())
}
