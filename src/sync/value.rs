//! Values as text.

use std::collections::BTreeMap;

/// A field's value as its side writes it; `None` is empty. Never an empty string.
pub type Value = Option<String>;

/// Field name to value. A field that is not there was **not observed**, which is not the same as empty.
pub type Record = BTreeMap<String, Value>;
