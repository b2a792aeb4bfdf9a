//! `books.xml`: every book's element under one root, each as in its own file but indented once more.

use std::borrow::Borrow;

use crate::book::Book;
use crate::xml::{DECLARATION, write_book};

/// The catalogue as `books.xml`, in pieces. The same books give the same bytes.
pub fn books_xml<I>(books: I) -> impl Iterator<Item = Vec<u8>>
where
    I: IntoIterator<Item: Borrow<Book>>,
{
    let header = format!("{DECLARATION}<books>\n").into_bytes();
    let elements = books.into_iter().map(|book| {
        let mut element = String::new();
        write_book(&mut element, book.borrow(), 1);
        element.into_bytes()
    });
    std::iter::once(header).chain(elements).chain(std::iter::once(b"</books>\n".to_vec()))
}
