//! User JavaScript, in a child process of our own program.
//!
//! Must not know: CRMs, Postgres, what a mapping is for. Invariant: a script can neither see nor touch anything but its
//! value and record; whatever it does, the parent ends it at a wall-clock limit and only its own record fails.

mod child;
mod engine;
mod host;

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
    /// The record that it belongs to.
    pub record: Record,
}

/// What the parent asks of the child: one line of JSON each way.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum Request {
    Run(Vec<TransformCall>),
    Check { script: String, direction: FieldDirection },
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum Answer {
    Ran(Vec<Result<Value, String>>),
    Checked(Result<(), String>),
}
