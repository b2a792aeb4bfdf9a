//! Files of other programs, one small file in the form of each: what becomes of their rows.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use catalogue::import::{ImportError, ImportFormat, ImportReader, ImportRow, RowError};
use catalogue::{Author, XmlError};

fn read(file: &[u8]) -> (ImportFormat, Vec<Result<ImportRow, RowError>>) {
    let reader = ImportReader::new(file).unwrap();
    (reader.format(), reader.collect())
}

fn authors(pairs: &[(&str, &str)]) -> Vec<Author> {
    pairs.iter().map(|(name, surname)| Author::new(*name, *surname)).collect()
}

#[track_caller]
fn assert_error(row: &Result<ImportRow, RowError>, number: u64, needles: &[&str]) {
    let error = row.as_ref().unwrap_err();
    assert_eq!(error.row, number);
    for needle in needles {
        assert!(error.error.contains(needle), "{error}");
    }
}

#[test]
fn goodreads_export_is_read() {
    let (format, rows) = read(include_bytes!("fixtures/goodreads.csv"));
    assert_eq!(format, ImportFormat::Goodreads);
    let earthsea = rows[0].as_ref().unwrap();
    assert_eq!(earthsea.row, 2);
    assert_eq!(earthsea.created, None);
    assert_eq!(earthsea.draft.title, "A Wizard of Earthsea (Earthsea Cycle, #1)");
    assert_eq!(earthsea.draft.authors, authors(&[("Ursula K.", "Le Guin")]));
    assert_eq!(earthsea.draft.isbn.as_deref(), Some("9780306406157"));
    assert_eq!(earthsea.draft.published, Some(1968));
    assert!(earthsea.draft.subjects.is_empty(), "shelves are not subjects");
    let trees = &rows[1].as_ref().unwrap().draft;
    assert_eq!(
        trees.authors,
        authors(&[("Suzanne", "Ferreira"), ("Björn", "Dvořák"), ("Johann", "von Stein"), ("Kurt", "Feld Jr.")])
    );
    assert_eq!((trees.isbn.as_deref(), trees.published), (None, Some(2001)));
    assert_error(&rows[2], 4, &["\"0306406153\"", "check digit"]);
    assert_eq!(rows.len(), 3);
}

#[test]
fn goodbooks_table_is_read_though_its_isbns_are_damaged() {
    let (format, rows) = read(include_bytes!("fixtures/goodbooks.csv"));
    assert_eq!(format, ImportFormat::Goodbooks);
    let garden = &rows[0].as_ref().unwrap().draft;
    assert_eq!(garden.title, "The Garden (Gardens, #1)");
    assert_eq!(garden.authors, authors(&[("Ana", "Bianchi"), ("Věra", "de la Cruz")]));
    assert_eq!(garden.isbn.as_deref(), Some("9780306406157"));
    assert_eq!((garden.published, garden.language.as_deref()), (Some(2008), Some("en")));
    let republic = &rows[1].as_ref().unwrap().draft;
    assert_eq!((republic.isbn.as_deref(), republic.published), (None, Some(-380)));
    assert_eq!(republic.authors, authors(&[("", "Plato")]));
    assert_error(&rows[2], 4, &["\"306406153\"", "0306406153", "check digit"]);
    let clock = &rows[3].as_ref().unwrap().draft;
    assert_eq!(clock.isbn.as_deref(), Some("9780804429573"));
    assert_eq!((clock.published, clock.language.as_deref()), (None, Some("fr")));
}

#[test]
fn librarything_export_is_read() {
    let (format, rows) = read(include_bytes!("fixtures/librarything.tsv"));
    assert_eq!(format, ImportFormat::LibraryThing);
    let letters = &rows[0].as_ref().unwrap().draft;
    assert_eq!(letters.title, "\"Silence\" and other letters");
    assert_eq!(letters.authors, authors(&[("Ursula K.", "Le Guin"), ("Noor", "van der Berg"), ("Dmitri", "Petrov")]));
    assert_eq!(letters.isbn.as_deref(), Some("9780306406157"));
    assert_eq!(letters.publisher.as_deref(), Some("Northgate"));
    assert_eq!((letters.published, letters.language.as_deref()), (Some(1998), Some("en")));
    assert_eq!(letters.subjects, ["Letters", "Essays"]);
    let odyssey = &rows[1].as_ref().unwrap().draft;
    assert_eq!((odyssey.publisher.as_deref(), odyssey.language.as_deref()), (Some("Lantern Press"), Some("el")));
    assert_error(&rows[2], 4, &["published", "\"soon\"", "language", "\"Klingon\""]);
}

#[test]
fn librarything_export_is_read_with_commas_and_in_utf_16_too() {
    let tabs = include_str!("fixtures/librarything.tsv");
    let expected = read(tabs.as_bytes());
    let utf_16: Vec<u8> = "\u{feff}".encode_utf16().chain(tabs.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(&utf_16), expected);
    let quoted = |line: &str| {
        let cells: Vec<_> = line.split('\t').map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
        cells.join(",")
    };
    let commas = tabs.lines().map(quoted).collect::<Vec<_>>().join("\n");
    assert_eq!(read(commas.as_bytes()), expected);
}

#[test]
fn calibre_catalogue_is_read() {
    let (format, rows) = read(include_bytes!("fixtures/calibre.csv"));
    assert_eq!(format, ImportFormat::Calibre);
    let garden = &rows[0].as_ref().unwrap().draft;
    assert_eq!(garden.authors, authors(&[("Ana", "Bianchi"), ("Ursula K.", "Le Guin")]));
    assert_eq!(garden.isbn.as_deref(), Some("9780306406157"));
    assert_eq!((garden.published, garden.language.as_deref()), (Some(2008), Some("en")));
    assert_eq!(garden.subjects, ["Essays", "Travel"]);
    let sermons = rows[1].as_ref().unwrap();
    assert_eq!(sermons.row, 3, "a cell with a line break is one row, as in a spreadsheet");
    assert_eq!(sermons.draft.authors, authors(&[("Martin", "King, Jr.")]));
    assert_eq!(sermons.draft.published, None, "Calibre writes the year 101 for a date that it does not know");
}

#[test]
fn table_with_semicolons_and_byte_order_mark_is_read() {
    let (format, rows) = read(include_bytes!("fixtures/semicolons.csv"));
    assert_eq!(format, ImportFormat::Table);
    let strasse = rows[0].as_ref().unwrap();
    assert_eq!(strasse.draft.title, "Straße");
    assert_eq!(strasse.draft.authors, authors(&[("Jürgen", "Müller")]));
    assert_eq!(strasse.draft.language.as_deref(), Some("de"));
    assert_eq!(strasse.created.unwrap().to_string(), "2024-05-17T00:00:00.000Z");
    let drei = rows[1].as_ref().unwrap();
    assert_eq!(drei.row, 4, "the empty row before it counts, as in a spreadsheet");
    assert_eq!(drei.draft.title, "Zwei; drei");
    assert_eq!(drei.draft.authors, authors(&[("Ana", "Bianchi"), ("Li", "Xu")]));
    assert_eq!((drei.draft.published, drei.draft.subjects.len()), (Some(1850), 2));
    assert_error(&rows[2], 5, &["authors is empty"]);
    assert_error(&rows[3], 6, &["2 cells", "7"]);
    assert_eq!(rows.len(), 4);
}

#[test]
fn books_of_the_older_system_are_read() {
    let (format, rows) = read(include_bytes!("fixtures/older_books.xml"));
    assert_eq!(format, ImportFormat::BooksXml);
    let quijote = rows[0].as_ref().unwrap();
    assert_eq!((quijote.row, quijote.draft.title.as_str()), (1, "Don Quijote"));
    assert_eq!(quijote.draft.authors, authors(&[("Miguel", "de Cervantes")]));
    assert_eq!(quijote.created.unwrap().to_string(), "2024-05-17T00:00:00.000Z");
    let tom = &rows[1].as_ref().unwrap().draft;
    assert_eq!(tom.title, "Tom & Jerry");
    assert_eq!(tom.authors, authors(&[("Ursula K.", "Le Guin"), ("Johann", "von Stein"), ("", "Homer")]));
    assert_eq!(
        (tom.published, tom.subjects.as_slice()),
        (Some(1999), ["Cats".to_owned(), "Mice".to_owned()].as_slice())
    );
    assert_error(&rows[2], 3, &["\"123\"", "\"someday\"", "title is empty"]);
    assert_error(&rows[3], 4, &["<title> occurs twice"]);
    let kept = rows[4].as_ref().unwrap();
    assert_eq!(kept.draft.title, "  Kept \n");
    assert_eq!(kept.created.unwrap().to_string(), "2024-05-17T09:30:00.000Z");
}

#[test]
fn file_of_one_book_and_an_empty_catalogue_are_read() {
    let book = "<book><title>Iliad</title><author>Homer</author></book>";
    assert_eq!(read(book.as_bytes()).1.len(), 1);
    for empty in ["<books/>", "<?xml version=\"1.0\"?>\n<library>\n</library>"] {
        assert!(read(empty.as_bytes()).1.is_empty());
    }
    assert!(read(b"title,author\n").1.is_empty());
}

#[test]
fn dtd_or_entity_anywhere_refuses_the_whole_file() {
    let book = "<book><title>Iliad</title><author>Homer</author></book>";
    for file in [
        format!("<!DOCTYPE books SYSTEM \"file:///etc/passwd\"><books>{book}</books>"),
        format!("<books>{book}<book><title>&secret;</title></book></books>"),
    ] {
        let error = ImportReader::new(file.as_bytes()).err().unwrap();
        assert!(matches!(error, ImportError::Xml(XmlError::Forbidden { line: 1, .. })), "{error}");
    }
    let cut_off = format!("<books>\n{book}");
    let error = ImportReader::new(cut_off.as_bytes()).err().unwrap();
    assert!(error.to_string().contains("line 2: not well-formed XML"), "{error}");
}

#[test]
fn files_of_other_kinds_are_refused_naming_what_can_be_imported() {
    for file in ["", " \r\n", "<html><body/></html>", "name,price\nBread,2\n", "{\"title\":\"Emma\"}"] {
        let message = ImportReader::new(file.as_bytes()).err().unwrap().to_string();
        for name in ["books.xml", "CSV", "Goodreads", "LibraryThing", "Calibre"] {
            assert!(message.contains(name), "{file}: {message}");
        }
    }
    let error = ImportReader::new(b"title,author\nCaf\xe9,x\n").err().unwrap();
    assert_eq!(error, ImportError::NotUtf8 { line: 2, offset: 16 });
}
