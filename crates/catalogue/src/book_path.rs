//! [`BookPath`], where the file of a book lies in a catalogue.
//!
//! A path is only ever made from a [`BookId`]: nothing that somebody sent is joined into one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::book_id::BookId;
use crate::invalid_book::excerpt;

/// The path `books/<fan-out>/<id>.xml`, relative to the root of a catalogue, always with `/`.
///
/// The fan-out is the last two hexadecimal digits of the id. Paths sort as their ids do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BookPath(BookId);

impl BookPath {
    /// Reads the text of a path.
    ///
    /// # Errors
    /// Any text that [`Display`](fmt::Display) of a path would not give: another folder, a wrong fan-out, `..`.
    pub fn parse(text: &str) -> Result<Self, InvalidBookPath> {
        text.rsplit_once('/')
            .and_then(|(_, file_name)| file_name.strip_suffix(".xml"))
            .and_then(|id| BookId::parse(id).ok())
            .map(Self)
            .filter(|path| path.to_string() == text)
            .ok_or_else(|| InvalidBookPath { text: excerpt(text) })
    }

    /// The book whose file this is.
    pub fn id(self) -> BookId {
        self.0
    }
}

impl From<BookId> for BookPath {
    fn from(id: BookId) -> Self {
        Self(id)
    }
}

impl fmt::Display for BookPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "books/{:02x}/{}.xml", self.0.bucket(), self.0)
    }
}

impl FromStr for BookPath {
    type Err = InvalidBookPath;

    fn from_str(text: &str) -> Result<Self, InvalidBookPath> {
        Self::parse(text)
    }
}

impl TryFrom<String> for BookPath {
    type Error = InvalidBookPath;

    fn try_from(text: String) -> Result<Self, InvalidBookPath> {
        Self::parse(&text)
    }
}

impl From<BookPath> for String {
    fn from(path: BookPath) -> Self {
        path.to_string()
    }
}

/// A text that is not the path of a book.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} is not the path of a book: give books/<last two digits of the id>/<id>.xml")]
pub struct InvalidBookPath {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "books/02/018f2b6e-5c1d-7a40-9b1e-0242ac120002.xml";

    #[test]
    fn path_and_id_give_each_other() {
        let path = BookPath::parse(TEXT).unwrap();
        assert_eq!(path.to_string(), TEXT);
        assert_eq!(BookPath::from(path.id()), path);
        assert_eq!(path.id().to_string(), "018f2b6e-5c1d-7a40-9b1e-0242ac120002");
    }

    #[test]
    fn everything_but_the_one_path_of_an_id_is_refused() {
        for text in [
            "",
            "/books/02/018f2b6e-5c1d-7a40-9b1e-0242ac120002.xml",
            "books/03/018f2b6e-5c1d-7a40-9b1e-0242ac120002.xml",
            "books/02/018F2B6E-5C1D-7A40-9B1E-0242AC120002.xml",
            "books/../02/018f2b6e-5c1d-7a40-9b1e-0242ac120002.xml",
            "books/02/../02/018f2b6e-5c1d-7a40-9b1e-0242ac120002.xml",
            "books\\02\\018f2b6e-5c1d-7a40-9b1e-0242ac120002.xml",
            "books/02/018f2b6e-5c1d-7a40-9b1e-0242ac120002.xml/",
            "books/02/018f2b6e-5c1d-7a40-9b1e-0242ac120002.XML",
            "books/02/018f2b6e-5c1d-7a40-9b1e-0242ac120002",
            "018f2b6e-5c1d-7a40-9b1e-0242ac120002.xml",
        ] {
            assert!(BookPath::parse(text).is_err(), "{text}");
        }
    }
}
