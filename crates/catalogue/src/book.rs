//! [`Book`], the checked value that everything else passes around.
//!
//! A `Book` comes only from [`Book::new`] or from reading a file that passes the same checks, so whoever holds one
//! need not check again. Its fields cannot be changed: a changed book is a new one.

use serde::{Deserialize, Serialize};

use crate::book_draft::BookDraft;
use crate::book_id::BookId;
use crate::book_path::BookPath;
use crate::invalid_book::InvalidBook;
use crate::isbn::Isbn;
use crate::timestamp::Timestamp;
use crate::validation;

/// An author of a book.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Author {
    /// Given names; empty for those who have none, such as Homer.
    #[serde(default)]
    pub name: String,
    /// Surname, or the only name.
    #[serde(default)]
    pub surname: String,
}

impl Author {
    /// An author by given names and surname.
    pub fn new(name: impl Into<String>, surname: impl Into<String>) -> Self {
        Self { name: name.into(), surname: surname.into() }
    }
}

/// A book that keeps every rule of [`limits`](crate::limits).
///
/// Serialises to its own part of the REST interface's JSON, in the documented order; the digest and the version
/// of the stored file follow from the server that stores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Book {
    pub(crate) id: BookId,
    pub(crate) title: String,
    pub(crate) authors: Vec<Author>,
    pub(crate) isbn: Option<Isbn>,
    pub(crate) publisher: Option<String>,
    pub(crate) published: Option<i16>,
    pub(crate) language: Option<String>,
    pub(crate) subjects: Vec<String>,
    pub(crate) created: Timestamp,
}

impl Book {
    /// Checks a draft and makes it a book. The ISBN becomes 13 digits, and the language tag takes its usual case
    /// (`pt-BR`); every other text stays exactly as given.
    ///
    /// # Errors
    /// Everything that is wrong with the draft, field by field.
    pub fn new(id: BookId, created: Timestamp, draft: BookDraft) -> Result<Self, InvalidBook> {
        let checked = validation::check(&draft)?;
        Ok(Self {
            id,
            title: draft.title,
            authors: draft.authors,
            isbn: checked.isbn,
            publisher: draft.publisher,
            published: checked.published,
            language: checked.language,
            subjects: draft.subjects,
            created,
        })
    }

    /// The id.
    pub fn id(&self) -> BookId {
        self.id
    }

    /// Where its file lies in a catalogue.
    pub fn path(&self) -> BookPath {
        BookPath::from(self.id)
    }

    /// The title, exactly as it was given.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// One author or more, in the order of the title page.
    pub fn authors(&self) -> &[Author] {
        &self.authors
    }

    /// The ISBN, as 13 digits.
    pub fn isbn(&self) -> Option<Isbn> {
        self.isbn
    }

    /// The publisher.
    pub fn publisher(&self) -> Option<&str> {
        self.publisher.as_deref()
    }

    /// The year of publication.
    pub fn published(&self) -> Option<i16> {
        self.published
    }

    /// The language as a BCP 47 tag in its usual case.
    pub fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// The subjects, none twice.
    pub fn subjects(&self) -> &[String] {
        &self.subjects
    }

    /// When the book was entered.
    pub fn created(&self) -> Timestamp {
        self.created
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_documented_fields_in_the_documented_order() {
        let draft = BookDraft {
            title: "Emma".into(),
            authors: vec![Author::new("Jane", "Austen")],
            isbn: Some("0-306-40615-2".into()),
            language: Some("EN-gb".into()),
            ..BookDraft::default()
        };
        let id = BookId::parse("018f2b6e-5c1d-7a40-9b1e-0242ac120002").unwrap();
        let book = Book::new(id, Timestamp::from_unix_millis(0).unwrap(), draft).unwrap();
        assert_eq!(
            serde_json::to_string(&book).unwrap(),
            concat!(
                r#"{"id":"018f2b6e-5c1d-7a40-9b1e-0242ac120002","title":"Emma","#,
                r#""authors":[{"name":"Jane","surname":"Austen"}],"isbn":"9780306406157","publisher":null,"#,
                r#""published":null,"language":"en-GB","subjects":[],"created":"1970-01-01T00:00:00.000Z"}"#
            )
        );
    }
}
