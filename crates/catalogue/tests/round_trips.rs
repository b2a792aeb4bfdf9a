//! Round trips of any legal book through every form, and readers that stand any bytes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use catalogue::import::{ImportFormat, ImportReader};
use catalogue::search::fold;
use catalogue::{Author, Book, BookDraft, BookId, BookPath, Isbn, Timestamp, export};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

/// What has a meaning somewhere, or is easily lost.
const SPECIAL: &str = "<>&\"'\\,;=+-@|/[]#x0 \t\n\r\u{a0}\u{85}\u{2028}\u{feff}\u{3000}";

/// Characters that XML can hold, the special ones far more often than by chance.
fn character() -> impl Strategy<Value = char> {
    prop_oneof![
        3 => prop::sample::select(SPECIAL.chars().collect::<Vec<_>>()),
        3 => prop::char::range('a', 'z'),
        1 => prop::char::ranges(vec!['\u{7f}'..='\u{d7ff}', '\u{e000}'..='\u{fffd}', '\u{10000}'..='\u{10ffff}'].into()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    vec(character(), 0..40).prop_map(|characters| characters.into_iter().collect())
}

/// With one character at least that people can see, at any place.
fn visible_text() -> impl Strategy<Value = String> {
    let parts = (vec(character(), 0..20), prop::char::range('!', '~'), vec(character(), 0..20));
    parts.prop_map(|(before, visible, after)| before.into_iter().chain([visible]).chain(after).collect())
}

fn isbn() -> impl Strategy<Value = String> {
    (0..1_000_000_000_u64).prop_map(|number| {
        let body = format!("978{number:09}");
        let sum: u32 =
            body.bytes().zip([1, 3].into_iter().cycle()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
        format!("{body}{}", (10 - sum % 10) % 10)
    })
}

fn language() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "en",
        "eng",
        "th-AI",
        "zh-hant-TW",
        "grc",
        "sl-rozaj-biske",
        "x-q",
        "i-klingon",
        "lat-IN",
    ])
    .prop_map(str::to_owned)
}

prop_compose! {
    fn draft()(
        title in visible_text(),
        authors in vec(
            (text(), visible_text())
                .prop_map(|(name, surname)| Author::new(name, surname)),
            1..4,
        ),
        isbn in option::of(isbn()),
        publisher in option::of(visible_text()),
        published in option::of(-3_000_i64..=9_999),
        language in option::of(language()),
        subjects in btree_set(visible_text(), 0..4),
    ) -> BookDraft {
        BookDraft { title, authors, isbn, publisher, published, language, subjects: subjects.into_iter().collect() }
    }
}

prop_compose! {
    fn book()(
        draft in draft(),
        millis in Timestamp::MIN.unix_millis()..=Timestamp::MAX.unix_millis(),
        random in any::<[u8; 10]>(),
    ) -> Book {
        let created = Timestamp::from_unix_millis(millis).unwrap();
        Book::new(BookId::from_parts(millis.unsigned_abs(), random), created, draft).unwrap()
    }
}

/// The books of a file that was exported here, with the ids that they had.
fn imported(file: &[u8], books: &[Book]) -> Vec<Book> {
    let rows: Vec<_> = ImportReader::new(file).unwrap().map(|row| row.unwrap()).collect();
    assert_eq!(rows.len(), books.len());
    rows.into_iter().zip(books).map(|(row, book)| row.into_book(book.id(), Timestamp::MIN).unwrap()).collect()
}

proptest! {
    #[test]
    fn any_legal_book_survives_its_file_byte_for_byte(book in book()) {
        let xml = book.to_xml();
        let read = Book::from_canonical_xml(&xml);
        prop_assert_eq!(read.as_ref(), Ok(&book));
        prop_assert_eq!(read.unwrap().to_xml(), xml);
    }

    #[test]
    fn any_legal_book_survives_another_indentation(book in book()) {
        // Inside of texts every line end is a reference, so that what an editor does cannot reach it.
        let xml = String::from_utf8(book.to_xml()).unwrap().replace(">\n", ">\r\n\t \r\n");
        prop_assert_eq!(Book::from_xml(xml.as_bytes()), Ok(book));
    }

    #[test]
    fn any_legal_books_survive_books_xml(books in vec(book(), 0..4)) {
        let file = export::books_xml(&books).collect::<Vec<_>>().concat();
        prop_assert_eq!(imported(&file, &books), books);
    }

    #[test]
    fn any_legal_books_survive_csv(books in vec(book(), 0..4)) {
        let file = export::books_csv(&books).collect::<Vec<_>>().concat();
        prop_assert_eq!(ImportReader::new(&file).unwrap().format(), ImportFormat::Concordance);
        prop_assert_eq!(imported(&file, &books), books);
    }

    #[test]
    fn any_book_becomes_the_same_book_from_its_own_draft(book in book()) {
        let draft = BookDraft::from(book.clone());
        prop_assert_eq!(Book::new(book.id(), book.created(), draft), Ok(book));
    }

    #[test]
    fn any_book_as_json_is_read_back_as_its_draft(book in book()) {
        let json = serde_json::to_string(&book).unwrap();
        prop_assert_eq!(serde_json::from_str::<BookDraft>(&json).unwrap(), BookDraft::from(book));
    }

    #[test]
    fn any_id_survives_its_text_and_its_path(millis in 0..1_u64 << 48, random in any::<[u8; 10]>()) {
        let id = BookId::from_parts(millis, random);
        prop_assert_eq!(BookId::parse(&id.to_string()), Ok(id));
        let path = BookPath::from(id);
        prop_assert_eq!(BookPath::parse(&path.to_string()), Ok(path));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Book::from_xml(&bytes);
        if let Ok(rows) = ImportReader::new(&bytes) {
            prop_assert!(rows.count() <= bytes.len());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = (BookId::parse(&text), BookPath::parse(&text), Isbn::parse(&text), Timestamp::parse(&text));
        prop_assert_eq!(fold(&fold(&text)), fold(&text));
    }

    /// Nearly right files get further into the reader than random bytes do.
    #[test]
    fn any_damage_to_a_file_is_refused_or_gives_a_legal_book(
        book in book(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut xml = book.to_xml();
        for (index, byte) in damage {
            let index = index.index(xml.len());
            xml[index] = byte;
        }
        if let Ok(read) = Book::from_xml(&xml) {
            prop_assert_eq!(Book::from_canonical_xml(&read.to_xml()), Ok(read));
        }
        if let Ok(rows) = ImportReader::new(&xml) {
            prop_assert!(rows.count() <= 1);
        }
    }

    #[test]
    fn any_table_is_read_or_refused_row_by_row(
        rows in vec(vec("[a-z0-9,;|&=\"'.\\\\ \t\n\u{e9}-]{0,12}", 1..6), 0..6),
        header in prop::sample::select(vec![
            "title,authors,isbn,language,created",
            "Title;Author l-f;Author;Additional Authors;Year Published",
            "title\tprimary author\tsecondary author\tisbns\tpublication",
            "id,title,authors,isbn,publisher,published,language,subjects,created",
            "authors,title,pubdate,tags,languages",
        ]),
    ) {
        let lines: Vec<String> = rows.into_iter().map(|cells| cells.join(",")).collect();
        let file = format!("{header}\n{}", lines.join("\n"));
        for row in ImportReader::new(file.as_bytes()).unwrap().flatten() {
            prop_assert!(row.into_book(BookId::from_parts(0, [0; 10]), Timestamp::MIN).is_ok());
        }
    }
}
