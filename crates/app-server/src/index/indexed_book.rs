//! One committed book, with what searching and sorting need of it.

use super::Sort;
use super::cursor::Position;
use catalogue::limits::PUBLISHED_YEAR_MIN;
use catalogue::search::{fold, sort_key};
use catalogue::{Author, Book, Timestamp};
use protocol::{Digest, Version};
use std::sync::Arc;

/// Longer sort keys are cut: they go into cursors, and so into addresses. Books that agree that far are sorted by id.
const SORT_KEY_CHARACTERS_MAX: usize = 120;

/// A committed book.
#[derive(Debug)]
pub(crate) struct IndexedBook {
    pub(crate) book: Book,
    /// SHA-256 of its file.
    pub(crate) digest: Digest,
    /// The version whose round wrote it.
    pub(crate) version: Version,
    pub(super) folded: Folded,
    keys: [Arc<str>; Sort::ALL.len()],
}

/// What is searched, folded.
#[derive(Debug)]
pub(super) struct Folded {
    pub(super) title: Box<str>,
    pub(super) authors: Box<str>,
    pub(super) isbn: Box<str>,
}

impl IndexedBook {
    pub(crate) fn new(book: Book, digest: Digest, version: Version) -> Self {
        let authors: Vec<_> =
            book.authors().iter().map(|author| format!("{} {}", author.name, author.surname)).collect();
        let folded = Folded {
            title: fold(book.title()).into(),
            authors: fold(&authors.join("\n")).into(),
            isbn: book.isbn().map(|isbn| isbn.to_string()).unwrap_or_default().into(),
        };
        let keys = Sort::ALL.map(|sort| key(&book, sort));
        Self { book, digest, version, folded, keys }
    }

    pub(super) fn position(&self, sort: Sort) -> Position {
        Position { key: Arc::clone(&self.keys[sort as usize]), id: self.book.id() }
    }
}

/// A text that sorts as the order says, code point by code point.
fn key(book: &Book, sort: Sort) -> Arc<str> {
    let title = sort_key(book.title());
    let key = match sort {
        Sort::Title => title,
        Sort::Author => {
            let nobody = Author::default();
            let author = book.authors().first().unwrap_or(&nobody);
            format!("{}\0{}\0{title}", sort_key(&author.surname), sort_key(&author.name))
        }
        Sort::Published => {
            let year = book.published().map_or(0, |year| i32::from(year) - i32::from(PUBLISHED_YEAR_MIN) + 1);
            format!("{year:05}\0{title}")
        }
        Sort::Created => {
            let since_first = book.created().unix_millis() - Timestamp::MIN.unix_millis();
            format!("{since_first:015}")
        }
    };
    match key.char_indices().nth(SORT_KEY_CHARACTERS_MAX) {
        Some((end, _)) => key[..end].into(),
        None => key.into(),
    }
}
