//! What somebody did to the files on this server's disk: differences between them and what is committed.

use crate::index::Index;
use catalogue::{Book, BookPath, XmlError};
use protocol::Digest;
use serde::Serialize;
use std::collections::BTreeMap;

/// All differences, by path.
pub(crate) type Edits = BTreeMap<BookPath, Edit>;

/// What kind of difference it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EditState {
    /// Another legal book with the same id.
    Modified,
    /// The file is gone.
    Missing,
    /// A book that was never committed.
    Added,
    /// Nothing that could be published.
    Invalid,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) state: EditState,
    /// What is committed; none where nothing is.
    pub(crate) committed: Option<Digest>,
    /// What the file holds; none where there is none.
    pub(crate) found: Option<Digest>,
    /// What it is and what can be done, for people.
    pub(crate) detail: String,
}

impl Edit {
    /// Judges a file that is not what is committed.
    pub(super) fn judge(path: BookPath, index: &Index, found: Option<(Digest, &[u8])>) -> Self {
        let committed = index.book(path.id()).map(|book| book.digest);
        let (state, detail) = match (&found, committed) {
            // A folder that was moved away must not delete the catalogue everywhere: a missing file is damage, never a delete.
            (None, _) => (
                EditState::Missing,
                "The file is missing; restore puts it back. To delete the book, delete it in the catalogue.".to_owned(),
            ),
            (Some((_, bytes)), committed) => match (book_of(path, bytes), committed) {
                (Ok(_), Some(_)) => {
                    (EditState::Modified, "The file was edited: publishing changes the book.".to_owned())
                }
                (Ok(_), None) => (EditState::Added, "The file was added: publishing adds the book.".to_owned()),
                (Err(reason), _) => (EditState::Invalid, format!("The file cannot be published: {reason}.")),
            },
        };
        Self { state, committed, found: found.map(|(digest, _)| digest), detail }
    }

    /// What the book's `local` field says.
    pub(crate) fn badge(&self) -> &'static str {
        match self.state {
            EditState::Missing => "missing",
            EditState::Invalid => "damaged",
            EditState::Modified | EditState::Added => "modified",
        }
    }
}

/// The book that an edited file holds.
pub(crate) fn book_of(path: BookPath, bytes: &[u8]) -> Result<Book, String> {
    let book = Book::from_xml(bytes).map_err(|error: XmlError| error.to_string())?;
    if book.path() != path {
        return Err(format!("the book in it has the id {}, which belongs into another file", book.id()));
    }
    Ok(book)
}
