//! What people and their programs send: books as XML files, as JSON bodies, and files of many books.

use catalogue::export::{books_csv, books_xml};
use catalogue::import::{ImportReader, ImportRow, RowError};
use catalogue::{Book, BookDraft, BookId, Timestamp};

/// A book file is read or refused; what is read is written as a file that is read as the same book, and only in that form.
pub fn check_book_xml(bytes: &[u8]) {
    let book = Book::from_xml(bytes);
    if let Ok(canonical) = Book::from_canonical_xml(bytes) {
        assert_eq!(canonical.to_xml(), bytes, "there is one canonical form");
        assert_eq!(book.as_ref(), Ok(&canonical), "what is canonical is a book file, too");
    }
    if let Ok(book) = book {
        survives(&book);
    }
}

/// A body is a draft or none; a draft is a book or refused with a reason for each field.
pub fn check_book_json(bytes: &[u8]) {
    let Ok(draft) = serde_json::from_slice::<BookDraft>(bytes) else { return };
    match Book::new(BookId::from_parts(1, [1; 10]), Timestamp::from_unix_millis(1).unwrap(), draft) {
        Ok(book) => survives(&book),
        Err(invalid) => assert!(!invalid.to_string().is_empty()),
    }
}

fn survives(book: &Book) {
    let file = book.to_xml();
    let read = Book::from_canonical_xml(&file);
    assert_eq!(read.as_ref(), Ok(book), "{}", String::from_utf8_lossy(&file));
}

/// A file of books is read row by row; what was read is exported and imported as the same.
pub fn check_import(bytes: &[u8]) {
    let Ok(rows) = ImportReader::new(bytes) else { return };
    let rows: Vec<_> = rows.collect();
    let numbers: Vec<_> = rows.iter().map(number).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "rows are told in their order, each once: {numbers:?}");
    let books: Vec<_> = rows.into_iter().flatten().zip(1_u8..=255).map(book).collect();
    if books.is_empty() {
        return;
    }
    let wanted: Vec<_> = books.iter().map(|book| (book.title(), book.authors())).collect();
    for file in [books_csv(books.clone()).flatten().collect::<Vec<u8>>(), books_xml(books.clone()).flatten().collect()]
    {
        let again: Vec<_> = ImportReader::new(&file).unwrap().map(|row| row.unwrap().draft).collect();
        let got: Vec<_> = again.iter().map(|draft| (draft.title.as_str(), &draft.authors[..])).collect();
        assert_eq!(got, wanted, "{}", String::from_utf8_lossy(&file));
    }
}

fn number(row: &Result<ImportRow, RowError>) -> u64 {
    match row {
        Ok(row) => row.row,
        Err(error) => error.row,
    }
}

fn book((row, number): (ImportRow, u8)) -> Book {
    let now = Timestamp::from_unix_millis(1).unwrap();
    row.into_book(BookId::from_parts(1, [number; 10]), now).expect("a row is checked before it is given")
}
