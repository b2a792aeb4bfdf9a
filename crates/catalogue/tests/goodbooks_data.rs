//! The whole goodbooks-10k table, where somebody has it: `CATALOGUE_GOODBOOKS_CSV=…/books.csv`.
//!
//! The data set is not part of the project; without the variable there is nothing to check.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use catalogue::import::{ImportFormat, ImportReader};
use catalogue::{BookId, Timestamp, export};

#[test]
fn every_good_row_becomes_a_book_that_survives_both_exports() {
    let Some(path) = std::env::var_os("CATALOGUE_GOODBOOKS_CSV") else {
        println!("skipped: CATALOGUE_GOODBOOKS_CSV names no file");
        return;
    };
    let file = std::fs::read(path).unwrap();
    let reader = ImportReader::new(&file).unwrap();
    assert_eq!(reader.format(), ImportFormat::Goodbooks);
    let (mut books, mut refusals) = (Vec::new(), Vec::new());
    for row in reader {
        match row {
            Ok(row) => {
                let id = BookId::derived("goodbooks", row.row, 0);
                books.push(row.into_book(id, Timestamp::MIN).unwrap());
            }
            Err(error) => refusals.push(error),
        }
    }
    println!("{} good, {} refused", books.len(), refusals.len());
    refusals.iter().for_each(|error| println!("{error}"));
    // A number that lost its zeros can be wrong; nothing else in the table is.
    assert!(refusals.iter().all(|refusal| refusal.error.starts_with("isbn is refused")));
    for file in
        [export::books_xml(&books).collect::<Vec<_>>().concat(), export::books_csv(&books).collect::<Vec<_>>().concat()]
    {
        let rows = ImportReader::new(&file).unwrap();
        let again: Vec<_> =
            rows.zip(&books).map(|(row, book)| row.unwrap().into_book(book.id(), Timestamp::MAX).unwrap()).collect();
        assert!(again == books, "the catalogue came back otherwise than it left");
    }
}
