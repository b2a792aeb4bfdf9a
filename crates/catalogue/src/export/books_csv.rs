//! CSV for spreadsheets and programs, without loss.
//!
//! A cell that begins with `=`, `+`, `-` or `@` may be taken for a formula by a spreadsheet. It is written as it is
//! all the same: any guard would change the title for every other reader and for our own import. Who opens an
//! export in a spreadsheet imports the columns as text, which keeps the ISBNs whole as well.

use std::borrow::Borrow;

use csv::WriterBuilder;

use crate::book::Book;
use crate::escaped_list;
use crate::import::CONCORDANCE_COLUMNS;

/// The catalogue as CSV (RFC 4180, but lines end with a line feed), in pieces: a header, then a record for each book.
///
/// Authors are `Surname, Name; Surname, Name`, subjects `one; two`; a backslash before a comma, semicolon,
/// backslash or outer white space makes it part of the text.
pub fn books_csv<I>(books: I) -> impl Iterator<Item = Vec<u8>>
where
    I: IntoIterator<Item: Borrow<Book>>,
{
    let header = record(CONCORDANCE_COLUMNS);
    let records = books.into_iter().map(|book| {
        let book: &Book = book.borrow();
        record([
            &book.id().to_string(),
            book.title(),
            &escaped_list::write_authors(book.authors()),
            book.isbn().as_ref().map_or("", |isbn| isbn.as_str()),
            book.publisher().unwrap_or_default(),
            &book.published().map(|year| year.to_string()).unwrap_or_default(),
            book.language().unwrap_or_default(),
            &escaped_list::write_texts(book.subjects()),
            &book.created().to_string(),
        ])
    });
    std::iter::once(header).chain(records)
}

fn record(cells: [&str; 9]) -> Vec<u8> {
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(cells).expect("writing to memory cannot fail");
    writer.into_inner().expect("writing to memory cannot fail")
}
