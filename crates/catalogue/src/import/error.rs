//! Why a file, or one row of it, cannot be imported.

use serde::Serialize;

use crate::xml::XmlError;

/// Why a whole file cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Nothing but white space.
    #[error("the file is empty; {SUPPORTED}")]
    Empty,
    /// Not text in an encoding that is known.
    #[error("line {line}: byte {offset} of the file is not UTF-8; save or export it with the encoding UTF-8")]
    NotUtf8 {
        /// Line of the byte, from 1.
        line: usize,
        /// Offset of the byte from the start of the file.
        offset: usize,
    },
    /// A file that says to be UTF-16 and is not.
    #[error("the file begins as UTF-16 but is damaged; save or export it with the encoding UTF-8")]
    DamagedUtf16,
    /// XML that cannot be read, or holds what is refused.
    #[error("the XML cannot be read: {0}")]
    Xml(#[from] XmlError),
    /// XML about something else.
    #[error("the XML has no <book> element; {SUPPORTED}")]
    NoBooks,
    /// A table without the columns that a book needs.
    #[error("no column for {missing} among the columns {found}; {SUPPORTED}")]
    UnknownColumns {
        /// What is not there.
        missing: &'static str,
        /// The header of the file.
        found: String,
    },
}

const SUPPORTED: &str = "what can be imported is books.xml, and CSV (comma, semicolon or tab) with a header: \
                         as exported here, by Goodreads, LibraryThing or Calibre, or with the columns title and author";

/// Why one row cannot be imported. The other rows are not concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("row {row}: {error}")]
pub struct RowError {
    /// Counted as in [`ImportRow::row`](super::ImportRow::row).
    pub row: u64,
    /// Everything that is wrong with the row.
    pub error: String,
}
