//! What a book is, and every form that one takes: checked value, XML file, import row, export line.
//!
//! Called by everything that handles books. This crate is pure: it opens no file, reads no clock and draws no
//! random number. Callers pass bytes, ids and times in, and get values or errors for people back.
//!
//! | to | use |
//! | --- | --- |
//! | name a book and its file | [`BookId`], [`BookPath`] |
//! | check what somebody sent | [`BookDraft`] into [`Book::new`]; the bounds are in [`limits`] |
//! | write and read the file of a book | [`Book::to_xml`], [`Book::from_xml`], [`Book::from_canonical_xml`] |
//! | take in another system's catalogue | [`import::ImportReader`] |
//! | give the catalogue away | [`export::books_xml`], [`export::books_csv`] |
//! | search and sort | [`search::fold`], [`search::sort_key`] |
//! | have books to start or to test with | [`sample::classics`], [`sample::SampleGenerator`] |

pub mod export;
pub mod import;
pub mod limits;
pub mod sample;
pub mod search;

mod book;
mod book_draft;
mod book_id;
mod book_path;
mod escaped_list;
mod invalid_book;
mod isbn;
mod language;
mod timestamp;
mod validation;
mod xml;

pub use book::{Author, Book};
pub use book_draft::BookDraft;
pub use book_id::{BookId, InvalidBookId};
pub use book_path::{BookPath, InvalidBookPath};
pub use invalid_book::{FieldError, InvalidBook};
pub use isbn::{InvalidIsbn, Isbn};
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use xml::XmlError;
