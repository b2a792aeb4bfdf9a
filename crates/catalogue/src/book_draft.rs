//! [`BookDraft`], a book as somebody proposes it: nothing checked yet.
//!
//! Made from JSON by the REST interface, by the import and the sample; goes into [`Book::new`](crate::Book::new).

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::book::{Author, Book};

/// The fields of a book that a person gives, unchecked.
///
/// Read from the JSON of the REST interface: unknown fields are refused; what the system makes itself (`id`,
/// `created`, `digest`, `version`, `local`) is ignored, so that an answer can be changed and sent back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BookJson")]
pub struct BookDraft {
    /// Kept exactly as given, including leading spaces and line breaks.
    pub title: String,
    /// In the order of the title page.
    pub authors: Vec<Author>,
    /// ISBN-10 or ISBN-13, hyphens and spaces allowed.
    pub isbn: Option<String>,
    /// The publishing house.
    pub publisher: Option<String>,
    /// Year of publication; wider than its range, so that a year out of range gets an error of its own.
    pub published: Option<i64>,
    /// BCP 47 language tag.
    pub language: Option<String>,
    /// What the book is about.
    pub subjects: Vec<String>,
}

impl From<Book> for BookDraft {
    fn from(book: Book) -> Self {
        Self {
            title: book.title,
            authors: book.authors,
            isbn: book.isbn.map(|isbn| isbn.to_string()),
            publisher: book.publisher,
            published: book.published.map(i64::from),
            language: book.language,
            subjects: book.subjects,
        }
    }
}

/// The JSON shape. Required fields have defaults here: the checks of a book list them as missing together with
/// everything else that is wrong, where the JSON reader would stop at the first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BookJson {
    #[serde(default)]
    title: String,
    #[serde(default)]
    authors: Vec<Author>,
    isbn: Option<String>,
    publisher: Option<String>,
    published: Option<i64>,
    language: Option<String>,
    #[serde(default)]
    subjects: Vec<String>,
    #[serde(default, rename = "id")]
    _id: IgnoredAny,
    #[serde(default, rename = "created")]
    _created: IgnoredAny,
    #[serde(default, rename = "digest")]
    _digest: IgnoredAny,
    #[serde(default, rename = "version")]
    _version: IgnoredAny,
    #[serde(default, rename = "local")]
    _local: IgnoredAny,
}

impl From<BookJson> for BookDraft {
    fn from(json: BookJson) -> Self {
        Self {
            title: json.title,
            authors: json.authors,
            isbn: json.isbn,
            publisher: json.publisher,
            published: json.published,
            language: json.language,
            subjects: json.subjects,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_system_are_ignored_when_sent_back() {
        let draft: BookDraft = serde_json::from_str(
            r#"{"id":"x","title":"Emma","authors":[{"name":"Jane","surname":"Austen"}],"isbn":null,
                "subjects":[],"created":1,"digest":null,"version":{"a":[1]},"local":"modified"}"#,
        )
        .unwrap();
        assert_eq!(draft.title, "Emma");
        assert_eq!(draft.authors, [Author::new("Jane", "Austen")]);
    }

    #[test]
    fn unknown_fields_are_refused_by_name() {
        for (json, name) in [
            (r#"{"title":"Emma","pages":400}"#, "pages"),
            (r#"{"title":"Emma","authors":[{"name":"Jane","surname":"Austen","born":1775}]}"#, "born"),
        ] {
            let error = serde_json::from_str::<BookDraft>(json).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
