//! Books to put into a catalogue, as a file that can be imported.

use catalogue::{Book, BookDraft, BookId, Timestamp, export};

/// The time of creation of all sample books. A constant, so that the file has the same bytes every time: an import that
/// is sent again with its key must be the same request.
const CREATED: &str = "2026-01-01T00:00:00.000Z";

/// The sample catalogue of classics.
pub(crate) fn classics_xml() -> Vec<u8> {
    books_xml(catalogue::sample::classics())
}

/// A `books.xml` of these drafts, which the sample list and the generator make legal.
pub(crate) fn books_xml(drafts: impl IntoIterator<Item = BookDraft>) -> Vec<u8> {
    let created = Timestamp::parse(CREATED).expect("the constant is a time");
    let books = drafts.into_iter().map(|draft| {
        // The import gives ids of its own.
        let id = BookId::from_parts(0, [0; 10]);
        Book::new(id, created, draft).expect("samples are legal books")
    });
    export::books_xml(books).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalogue::import::ImportReader;

    #[test]
    fn sample_file_is_the_same_every_time_and_every_row_can_be_imported() {
        let file = classics_xml();
        assert_eq!(file, classics_xml());
        let rows: Vec<_> = ImportReader::new(&file).unwrap().collect();
        assert_eq!(rows.len(), catalogue::sample::classics().len());
        assert!(rows.iter().all(Result::is_ok));
    }
}
