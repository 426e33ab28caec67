//! User JavaScript, in a child process of our own program.
//!
//! Must not know: CRMs, Postgres, what a mapping is for. Invariant: a script can neither see nor touch anything but its
//! value and record; whatever it does, the parent ends it at a wall-clock limit and only its own record fails.

mod child;
mod engine;
mod host;

use std::borrow::Cow;

use crate::model::FieldDirection;
use crate::sync::{Record, Value};

pub use child::child_main;
pub use host::{TransformHost, TransformLimits};

/// Which way a value travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Direction {
    /// From the CRM to the app.
    ToApp,
    /// From the app to the CRM.
    ToCrm,
}

/// One value to transform.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TransformCall {
    /// An expression or function body over `value` and `record`, or an object `{ toApp(value, record), toCrm(value, record) }`.
    pub script: String,
    /// Which way.
    pub direction: Direction,
    /// The value.
    pub value: Value,
    /// The record that it belongs to; nothing need be in it for a script that does not [see](sees_record) it.
    pub record: Record,
}

/// What the parent asks of the child: one line of JSON each way.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum Request<'a> {
    Run(Vec<Group<'a>>),
    Check { script: Cow<'a, str>, direction: FieldDirection },
}

/// Values for one script.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Group<'a> {
    script: Cow<'a, str>,
    direction: Direction,
    inputs: Vec<(Cow<'a, Value>, Cow<'a, Record>)>,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum Answer {
    Ran(Vec<Result<Value, String>>),
    Checked(Result<(), String>),
}

/// Whether a script can see the record beside its value; `true` where its text leaves a doubt. Most do not, and the record is
/// most of what a call costs.
pub fn sees_record(script: &str) -> bool {
    if script.contains("arguments") || script.contains("record") {
        return true;
    }
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '$';
    // In an expression or body the record has its one name; the functions of an object name it themselves.
    let is_object = script.trim().trim_start_matches('(').trim_start().starts_with('{');
    let named: Vec<_> = script.match_indices("toApp").chain(script.match_indices("toCrm")).collect();
    (is_object && named.len() < 2)
        || named.into_iter().any(|(place, name)| {
            let rest = script[place + name.len()..].trim_start().trim_start_matches(':').trim_start();
            let rest = rest.strip_prefix("function").unwrap_or(rest).trim_start();
            let Some(rest) = rest.strip_prefix('(') else { return true };
            !rest.trim_start().trim_start_matches(is_word).trim_start().starts_with(')')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_of_one_plain_parameter_does_not_see_the_record() {
        for script in [
            "value.trim()",
            "return value + '!';",
            "({ toApp: (value) => value, toCrm: (v) => v + 1 })",
            "({ toApp(value) { return value; }, toCrm: function (value) { return value; } })",
        ] {
            assert!(!sees_record(script), "{script}");
        }
        for script in [
            "record.Name",
            "({ toApp: (value, r) => r.Name, toCrm: (value) => value })",
            "({ toApp: (value) => value, toCrm: (...both) => both[1].Name })",
            "({ toApp: (value, { Name }) => Name, toCrm: (value) => value })",
            "({ toApp: function () { return arguments[1].Name; }, toCrm: (value) => value })",
            "({ toApp: value => value, toCrm: helper })",
            "({ ['toApp']: (v, r) => r.Name })",
            "({ ['to' + 'App']: (v, r) => r.Name, toCrm: (value) => value })",
        ] {
            assert!(sees_record(script), "{script}");
        }
    }
}
