//! [`InvalidBook`]: everything that is wrong with a book, field by field.
//!
//! Made by the checks in `validation`; shown to people as it is, by the REST interface and in import reports.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field by its name in the REST interface, such as `title` or `authors[1].surname` (counted from 0).
    pub field: String,
    /// What is wrong, the limit where there is one, and what to do: follows on the name of the field.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.field, self.message)
    }
}

/// Why a draft is not a book: every error at once, so that a person mends them in one go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .errors.iter().map(FieldError::to_string).collect::<Vec<_>>().join("; "))]
pub struct InvalidBook {
    /// In the order of the fields; never empty.
    pub errors: Vec<FieldError>,
}

/// A text in quotation marks for an error message, cut where it would drown the message.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    let mut shown: String = text.chars().take(CHARACTERS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    // Escaped, so that a line break or an invisible character in the text is seen and cannot break the log line.
    format!("{shown:?}")
}
