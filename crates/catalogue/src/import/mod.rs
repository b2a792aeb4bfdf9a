//! Takes in other catalogues: the older system's `books.xml`, our own exports, and CSV files of other programs.
//!
//! [`ImportReader`] turns the bytes of a file into rows; each is a draft that is known to make a legal book, or an
//! error that says what is wrong with it. Ids are for the caller to give. What a file tells beyond the fields of
//! our books (ratings, shelves, covers) is passed over.
//!
//! | file | rows by | recognised by |
//! | --- | --- | --- |
//! | XML | `books_xml` | its first character, `<` |
//! | CSV of any origin | `table` | its header, in `columns` |
//!
//! `raw_row` is where both meet: it reads years, dates, languages and ISBNs in the forms that programs write.

mod author_names;
mod books_xml;
mod cells;
mod columns;
mod decoding;
mod error;
mod raw_row;
mod table;

use serde::Serialize;

use crate::book::Book;
use crate::book_draft::BookDraft;
use crate::book_id::BookId;
use crate::invalid_book::InvalidBook;
use crate::timestamp::Timestamp;
use books_xml::BooksXmlRows;
use table::TableRows;

pub(crate) use columns::CONCORDANCE_COLUMNS;
pub use error::{ImportError, RowError};

/// What kind of file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImportFormat {
    /// XML with `<book>` elements: the older system's, or our own export.
    BooksXml,
    /// Our own CSV export.
    Concordance,
    /// Goodreads "Export Library".
    Goodreads,
    /// The `books.csv` of the goodbooks-10k data set.
    Goodbooks,
    /// LibraryThing, separated by tabs or commas.
    LibraryThing,
    /// Calibre "Create catalogue" as CSV.
    Calibre,
    /// Any other table with a title and an author column.
    Table,
}

/// A row that makes a legal book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRow {
    /// Where it stands. In a table the row as a spreadsheet counts, the header being row 1; only lines without
    /// anything, not even separators, do not count. In XML the number of the book, from 1.
    pub row: u64,
    /// The book, already checked.
    pub draft: BookDraft,
    /// When it was entered, if the file tells.
    pub created: Option<Timestamp>,
}

impl ImportRow {
    /// The book of this row; `now` is its time of creation if the file tells none.
    ///
    /// # Errors
    /// None for a row as the reader gave it; those of [`Book::new`] if its draft was changed.
    pub fn into_book(self, id: BookId, now: Timestamp) -> Result<Book, InvalidBook> {
        Book::new(id, self.created.unwrap_or(now), self.draft)
    }
}

/// The rows of a file, one by one, in the order of the file.
///
/// ```
/// use catalogue::import::ImportReader;
///
/// let file = b"title,author\nEmma,Jane Austen\n,Nobody\n";
/// let mut rows = ImportReader::new(file)?;
/// let emma = rows.next().expect("there are two rows")?;
/// assert_eq!((emma.row, emma.draft.authors[0].surname.as_str()), (2, "Austen"));
/// let error = rows.next().expect("there are two rows").expect_err("it has no title");
/// assert_eq!(error.to_string(), "row 3: title is empty; give 1 to 1000 characters");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ImportReader<'a> {
    format: ImportFormat,
    rows: Rows<'a>,
}

#[derive(Debug)]
enum Rows<'a> {
    Xml(BooksXmlRows<'a>),
    Table(Box<TableRows<'a>>),
}

impl<'a> ImportReader<'a> {
    /// Opens a file, recognising what it is from its contents.
    ///
    /// # Errors
    /// A file that cannot be read at all. XML is read through once here, so that one that is cut off, or holds a
    /// DTD or an entity anywhere, gives no rows at all.
    pub fn new(bytes: &'a [u8]) -> Result<Self, ImportError> {
        let text = decoding::decode(bytes)?;
        match text.trim_start().chars().next() {
            None => Err(ImportError::Empty),
            Some('<') => {
                let rows = BooksXmlRows::new(text)?;
                Ok(Self { format: ImportFormat::BooksXml, rows: Rows::Xml(rows) })
            }
            Some(_) => {
                let rows = TableRows::new(text)?;
                Ok(Self { format: rows.format(), rows: Rows::Table(Box::new(rows)) })
            }
        }
    }

    /// What the file was recognised as.
    pub fn format(&self) -> ImportFormat {
        self.format
    }
}

impl Iterator for ImportReader<'_> {
    type Item = Result<ImportRow, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.rows {
            Rows::Xml(rows) => rows.next(),
            Rows::Table(rows) => rows.next(),
        }
    }
}
