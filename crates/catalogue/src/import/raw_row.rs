//! [`RawRow`]: a row as the text of its fields, on its way to a checked draft.
//!
//! Filled by `books_xml` and `table`; all their rows pass through [`RawRow::checked`].

use super::cells;
use super::{ImportRow, RowError};
use crate::book::Author;
use crate::book_draft::BookDraft;
use crate::timestamp::Timestamp;
use crate::validation;

/// Empty texts are absent fields.
#[derive(Debug, Default)]
pub(super) struct RawRow {
    pub(super) title: String,
    pub(super) authors: Vec<Author>,
    pub(super) isbn: String,
    /// The column of 13 digits, where a file has two.
    pub(super) isbn_13: String,
    pub(super) publisher: String,
    pub(super) published: String,
    pub(super) language: String,
    pub(super) subjects: Vec<String>,
    pub(super) created: String,
}

impl RawRow {
    /// Reads every field, checks the whole as a book, and collects everything that is wrong.
    pub(super) fn checked(self, row: u64) -> Result<ImportRow, RowError> {
        let mut errors = Vec::new();
        let isbn = noted(&mut errors, "isbn", cells::isbn(&self.isbn, &self.isbn_13));
        let published = noted(&mut errors, "published", cells::year(&self.published));
        let language = noted(&mut errors, "language", cells::language(&self.language));
        let created: Option<Timestamp> = noted(&mut errors, "created", cells::moment(&self.created));
        let draft = BookDraft {
            title: self.title,
            authors: self.authors,
            isbn,
            publisher: Some(self.publisher).filter(|publisher| !publisher.trim().is_empty()),
            published,
            language,
            subjects: without_repeats(self.subjects),
        };
        if let Err(invalid) = validation::check(&draft) {
            errors.push(invalid.to_string());
        }
        if errors.is_empty() {
            Ok(ImportRow { row, draft, created })
        } else {
            Err(RowError { row, error: errors.join("; ") })
        }
    }
}

fn noted<T>(errors: &mut Vec<String>, field: &str, value: Result<Option<T>, String>) -> Option<T> {
    value.unwrap_or_else(|error| {
        errors.push(format!("{field} is refused: {error}"));
        None
    })
}

/// Programs repeat tags, a book does not: the first of each stays.
fn without_repeats(subjects: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(subjects.len());
    for subject in subjects {
        if !subject.trim().is_empty() && !kept.contains(&subject) {
            kept.push(subject);
        }
    }
    kept
}
