//! A book as JSON.

use crate::described;
use crate::index::IndexedBook;
use catalogue::{Book, BookId};
use protocol::{Digest, Version};
use serde::Serialize;

/// A book in an answer.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub(super) struct BookJson {
    #[schema(value_type = String, format = "uuid")]
    id: BookId,
    /// Exactly as it was given.
    title: String,
    authors: Vec<AuthorJson>,
    /// 13 digits.
    #[schema(required = true)]
    isbn: Option<String>,
    #[schema(required = true)]
    publisher: Option<String>,
    /// Year of publication.
    #[schema(required = true)]
    published: Option<i16>,
    /// BCP 47 language tag.
    #[schema(required = true)]
    language: Option<String>,
    subjects: Vec<String>,
    /// RFC 3339, UTC, with milliseconds.
    created: String,
    /// SHA-256 of the stored XML; the ETag.
    #[schema(value_type = String)]
    digest: Digest,
    /// The committed version that wrote it.
    #[schema(value_type = u64)]
    version: Version,
    /// Set if the file on this server's disk is not what was committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = described::LocalState)]
    local: Option<&'static str>,
}

/// An author.
#[derive(Debug, Clone, Serialize, serde::Deserialize, utoipa::ToSchema)]
pub(super) struct AuthorJson {
    /// Given names; may be empty.
    name: String,
    surname: String,
}

/// A book as a client sends it; what the system makes itself may be sent along and is ignored.
#[derive(Debug, utoipa::ToSchema)]
#[allow(dead_code, reason = "it describes the body to readers of the interface; catalogue::BookDraft reads it")]
pub(super) struct BookInput {
    /// 1 to 1,000 characters.
    #[schema(min_length = 1, max_length = 1000)]
    title: String,
    /// 1 to 50.
    #[schema(min_items = 1, max_items = 50)]
    authors: Vec<AuthorJson>,
    /// ISBN-10 or ISBN-13; hyphens and spaces are allowed.
    isbn: Option<String>,
    #[schema(min_length = 1, max_length = 500)]
    publisher: Option<String>,
    #[schema(minimum = -3000, maximum = 9999)]
    published: Option<i16>,
    /// BCP 47 language tag, such as `en` or `pt-BR`.
    language: Option<String>,
    #[schema(max_items = 50)]
    subjects: Option<Vec<String>>,
}

impl BookJson {
    pub(super) fn new(book: &Book, digest: Digest, version: Version) -> Self {
        let author =
            |author: &catalogue::Author| AuthorJson { name: author.name.clone(), surname: author.surname.clone() };
        Self {
            id: book.id(),
            title: book.title().to_owned(),
            authors: book.authors().iter().map(author).collect(),
            isbn: book.isbn().map(|isbn| isbn.to_string()),
            publisher: book.publisher().map(str::to_owned),
            published: book.published(),
            language: book.language().map(str::to_owned),
            subjects: book.subjects().to_vec(),
            created: book.created().to_string(),
            digest,
            version,
            local: None,
        }
    }

    pub(super) fn of(book: &IndexedBook, local: Option<&'static str>) -> Self {
        Self { local, ..Self::new(&book.book, book.digest, book.version) }
    }
}
