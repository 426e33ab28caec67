//! What can go wrong with the database, as callers branch on it.

/// A statement that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, closed the connection or could not let two transactions pass each other; the same may
    /// work in a moment.
    #[error("the database cannot be reached or used at the moment")]
    Unavailable(#[source] sqlx::Error),
    /// A constraint refused the row.
    #[error("the constraint {constraint} refused the row")]
    Constraint {
        /// Name of the constraint or unique index.
        constraint: String,
        /// The database's error.
        #[source]
        source: sqlx::Error,
    },
    /// Row-level security refused the row.
    #[error("row-level security refused the statement")]
    Refused(#[source] sqlx::Error),
    /// A stored value is none that this version knows.
    #[error("a stored value cannot be read: {0}")]
    Unreadable(String),
    /// Anything else.
    #[error("the database refused the statement")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// Name of the constraint that refused the row, if that is what happened.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            StoreError::Constraint { constraint, .. } => Some(constraint),
            _ => None,
        }
    }
}

impl StoreError {
    /// Whether the database refused what a row holds (SQLSTATE classes 22 and 23): other rows may pass.
    pub fn is_row_refusal(&self) -> bool {
        let (StoreError::Constraint { source, .. } | StoreError::Database(source)) = self else { return false };
        let code = source.as_database_error().and_then(|error| error.code());
        code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                StoreError::Unavailable(error)
            }
            sqlx::Error::Database(database) => match (database.code().as_deref(), database.constraint()) {
                // Shutting down, connection lost, deadlock or serialization failure.
                (Some(code), _) if ["57P", "08", "40"].iter().any(|class| code.starts_with(class)) => {
                    StoreError::Unavailable(error)
                }
                (Some("42501"), _) => StoreError::Refused(error),
                (_, Some(constraint)) => StoreError::Constraint { constraint: constraint.to_owned(), source: error },
                _ => StoreError::Database(error),
            },
            _ => StoreError::Database(error),
        }
    }
}

impl From<crate::model::UnknownText> for StoreError {
    fn from(unknown: crate::model::UnknownText) -> Self {
        StoreError::Unreadable(unknown.to_string())
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        StoreError::Unreadable(error.to_string())
    }
}
