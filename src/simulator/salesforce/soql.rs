//! A subset of SOQL: parse and evaluate (dossier 2.4).

mod evaluate;
mod parse;

pub(super) use evaluate::{run, value};
pub(super) use parse::parse;

/// Why a statement is refused: Salesforce's code and words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SoqlError {
    pub code: &'static str,
    pub message: String,
}

impl SoqlError {
    fn malformed(message: impl Into<String>) -> Self {
        SoqlError { code: "MALFORMED_QUERY", message: message.into() }
    }
}

/// A parsed statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    /// `Name` or `Owner.Email`; empty for `COUNT()`.
    pub columns: Vec<String>,
    pub object: String,
    pub condition: Option<Condition>,
    pub order: Vec<(String, bool)>,
    pub limit: Option<usize>,
    pub offset: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare { field: String, operator: Operator, value: Literal },
    In { field: String, values: Vec<Literal>, negated: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Text(String),
    Number(f64),
    Boolean(bool),
    /// Epoch milliseconds.
    Instant(i64),
    Date(String),
}
