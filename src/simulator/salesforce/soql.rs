//! A subset of SOQL: parse, resolve against the org's objects, evaluate (dossier 2.4).

mod access;
mod aggregate;
mod dates;
mod evaluate;
mod literals;
mod order;
mod parse;
mod resolve;
mod tokens;

use super::security::FieldSet;
pub(super) use aggregate::{aggregated, shown};
use dates::DatePart;
pub(super) use evaluate::{checked, children_of, holds, run};
pub(super) use parse::parse;
pub(super) use resolve::{Accessor, Column, accessor, columns, listed_accessors as listed, reference};

/// Longest statement, characters.
pub(super) const LONGEST: usize = 100_000;

/// Rows that may be skipped.
pub(super) const MOST_SKIPPED: usize = 2000;

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

    /// An error that names its place in the statement: what stands around it, a caret below, row and column.
    fn at(code: &'static str, soql: &str, offset: usize, message: &str) -> Self {
        let before = soql.get(..offset).unwrap_or(soql);
        let row = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before[line_start..].chars().count() + 1;
        let line = soql[line_start..].lines().next().unwrap_or_default();
        // As the real one, only the neighbourhood is shown.
        let skipped = column.saturating_sub(41);
        let shown: String = line.chars().skip(skipped).take(80).collect();
        let caret = " ".repeat(column - 1 - skipped);
        SoqlError { code, message: format!("\n{shown}\n{caret}^\nERROR at Row:{row}:Column:{column}\n{message}") }
    }
}

/// A parsed statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    /// The text it was read from: errors quote it.
    pub source: String,
    /// What is selected; empty for `COUNT()`.
    pub items: Vec<Item>,
    pub object: Path,
    pub alias: Option<String>,
    pub condition: Option<Condition>,
    pub group: Vec<Path>,
    pub having: Option<Condition>,
    pub order: Vec<Order>,
    pub limit: Option<usize>,
    pub offset: usize,
    /// Fields that are as if they did not exist.
    pub hidden: FieldSet,
}

impl Statement {
    /// The statement as put by someone who does not see some fields.
    pub(super) fn hiding(mut self, hidden: &FieldSet) -> Self {
        if !hidden.is_empty() {
            self.hide(hidden);
        }
        self
    }

    fn hide(&mut self, hidden: &FieldSet) {
        self.hidden = hidden.clone();
        for item in &mut self.items {
            if let Item::Children(statement) = item {
                statement.hide(hidden);
            }
        }
        self.condition.iter_mut().for_each(|condition| condition.hide(hidden));
    }
}

impl Condition {
    fn hide(&mut self, hidden: &FieldSet) {
        match self {
            Condition::And(terms) | Condition::Or(terms) => terms.iter_mut().for_each(|term| term.hide(hidden)),
            Condition::Not(term) => term.hide(hidden),
            Condition::InQuery { query, .. } => query.hide(hidden),
            Condition::Compare { .. } | Condition::In { .. } | Condition::Includes { .. } => {}
        }
    }
}

/// Something selected.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    Field(Path),
    /// `FIELDS(ALL)` and its kin.
    Fields(Path),
    /// `toLabel(Status)` or `FORMAT(Amount) shown`: a value as a person reads it.
    Shown {
        path: Path,
        alias: Option<String>,
        formatted: bool,
    },
    /// `TYPEOF Owner WHEN User THEN Email ELSE Name END`.
    TypeOf(Box<TypeOf>),
    /// A function of a group; without one what is grouped by, a part of a date or under another name.
    Aggregate {
        function: Option<Function>,
        path: Path,
        alias: Option<String>,
    },
    /// `(SELECT … FROM Contacts)`.
    Children(Box<Statement>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Count,
    CountDistinct,
    Min,
    Max,
    Sum,
    Average,
}

/// `Name` or `Owner.Email`, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub text: String,
    pub offset: usize,
    pub wrap: Option<Wrap>,
}

/// What a name stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrap {
    /// `CALENDAR_YEAR(CreatedDate)`.
    Date(DatePart),
    /// `COUNT(Id)`, in HAVING and ORDER BY.
    Aggregate(Function),
}

/// Which fields of a parent are shown depends on its type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TypeOf {
    pub relationship: Path,
    pub cases: Vec<(Path, Vec<Path>)>,
    pub otherwise: Vec<Path>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    pub path: Path,
    pub descending: bool,
    pub nulls_last: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare {
        path: Path,
        operator: Operator,
        value: Literal,
    },
    In {
        path: Path,
        values: Vec<Literal>,
        negated: bool,
    },
    InQuery {
        path: Path,
        query: Box<Statement>,
        negated: bool,
    },
    /// Of a multi-select picklist: each text is values joined by semicolons that must all be there.
    Includes {
        path: Path,
        values: Vec<Literal>,
        negated: bool,
    },
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
    /// `USD5000`.
    Money(f64),
    /// `TODAY`, `LAST_N_DAYS:3`.
    Period(String),
}
