//! The XML file of a book: its exact bytes, what the reader accepts besides, and each thing that it refuses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use catalogue::{Author, Book, BookDraft, BookId, Timestamp, XmlError, limits};

const CANONICAL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<book id="018f2b6e-5c1d-7a40-9b1e-0242ac120002">
  <title>Don Quijote</title>
  <author>
    <name>Miguel</name>
    <surname>de Cervantes</surname>
  </author>
  <author>
    <name></name>
    <surname>Anónimo</surname>
  </author>
  <isbn>9780306406157</isbn>
  <publisher>Francisco de Robles</publisher>
  <published>1605</published>
  <language>es</language>
  <subject>Knights &amp; knighthood</subject>
  <subject>Humour</subject>
  <creation-date>2024-05-17T09:30:00.000Z</creation-date>
</book>
"#;

fn quijote() -> Book {
    let draft = BookDraft {
        title: "Don Quijote".into(),
        authors: vec![Author::new("Miguel", "de Cervantes"), Author::new("", "Anónimo")],
        isbn: Some("0306406152".into()),
        publisher: Some("Francisco de Robles".into()),
        published: Some(1605),
        language: Some("ES".into()),
        subjects: vec!["Knights & knighthood".into(), "Humour".into()],
    };
    let id = BookId::parse("018f2b6e-5c1d-7a40-9b1e-0242ac120002").unwrap();
    Book::new(id, Timestamp::parse("2024-05-17T09:30:00Z").unwrap(), draft).unwrap()
}

/// The canonical file with one part replaced.
fn with(part: &str, replacement: &str) -> String {
    assert!(CANONICAL.contains(part), "{part}");
    CANONICAL.replacen(part, replacement, 1)
}

#[track_caller]
fn refusal(xml: &str) -> XmlError {
    Book::from_xml(xml.as_bytes()).unwrap_err()
}

#[track_caller]
fn assert_refused(xml: &str, message: &str) {
    assert_eq!(refusal(xml).to_string(), message);
}

#[test]
fn file_has_exactly_these_bytes() {
    assert_eq!(String::from_utf8(quijote().to_xml()).unwrap(), CANONICAL);
    assert_eq!(Book::from_canonical_xml(CANONICAL.as_bytes()), Ok(quijote()));
}

#[test]
fn absent_fields_have_no_elements() {
    let draft = BookDraft { title: "Iliad".into(), authors: vec![Author::new("", "Homer")], ..BookDraft::default() };
    let book = Book::new(BookId::from_parts(0, [0; 10]), Timestamp::MIN, draft).unwrap();
    let xml = String::from_utf8(book.to_xml()).unwrap();
    for element in ["isbn", "publisher", "published", "language", "subject"] {
        assert!(!xml.contains(element), "{element}");
    }
    assert_eq!(Book::from_canonical_xml(xml.as_bytes()), Ok(book));
}

#[test]
fn what_an_editor_does_is_read_but_is_not_canonical() {
    let title_moved = with("  <title>Don Quijote</title>\n", "");
    let title_moved = title_moved.replace("</book>", "<title>Don Quijote</title></book>");
    for (xml, line) in [
        (CANONICAL.replace("  ", "\t"), 3),
        (CANONICAL.replace('\n', "\r\n"), 1),
        (CANONICAL.replace(">\n", ">").replace("> ", ">"), 1),
        (format!("\u{feff}{CANONICAL}"), 1),
        (format!("{CANONICAL}\n"), 20),
        (with("<name></name>", "<name/>"), 9),
        (with("Don", "&#68;&#x6f;n"), 3),
        (with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", ""), 1),
        (with("id=\"018f2b6e-5c1d-7a40-9b1e-0242ac120002\"", "id='018f2b6e-5c1d-7a40-9b1e-0242ac120002' "), 2),
        (with("9780306406157", "0-306-40615-2"), 12),
        (CANONICAL.replace("09:30:00.000Z", "11:30:00+02:00"), 18),
        (title_moved, 3),
    ] {
        assert_eq!(Book::from_xml(xml.as_bytes()), Ok(quijote()), "{xml}");
        assert_eq!(Book::from_canonical_xml(xml.as_bytes()), Err(XmlError::NotCanonical { line }), "{xml}");
    }
}

#[test]
fn raw_line_ends_in_a_title_are_read_as_xml_says() {
    let book = Book::from_xml(with("Don Quijote", "Don\r\nQuijote").as_bytes()).unwrap();
    assert_eq!(book.title(), "Don\nQuijote");
}

#[test]
fn dtd_is_refused() {
    assert_refused(
        &with("<book", "<!DOCTYPE book [<!ENTITY a \"b\">]>\n<book"),
        "line 2: a DTD (<!DOCTYPE …>) is not allowed here; remove it",
    );
}

#[test]
fn entities_are_refused_and_never_expanded() {
    let message = refusal(&with("Don Quijote", "&secret;")).to_string();
    assert!(message.starts_with("line 3: the entity &secret; is not allowed here; only &lt;"), "{message}");
    for reference in ["&#0;", "&#x1F;", "&#xD800;", "&#1114112;", "&#xFFFE;", "&#;", "&#-1;", "&;"] {
        let error = refusal(&with("Don Quijote", reference));
        assert!(matches!(error, XmlError::Malformed { line: 3, .. } | XmlError::Forbidden { line: 3, .. }), "{error}");
    }
}

#[test]
fn comments_instructions_and_cdata_are_refused() {
    for (markup, name) in
        [("<!-- a -->", "a comment"), ("<?php a ?>", "a processing instruction"), ("<![CDATA[a]]>", "a CDATA section")]
    {
        for place in ["Don Quijote", "  <title>", "</book>\n", "<book"] {
            let message = refusal(&with(place, &format!("{markup}{place}"))).to_string();
            assert!(message.contains(name), "{message}");
        }
    }
}

#[test]
fn unknown_elements_and_namespaces_are_refused_by_name() {
    assert_refused(
        &with("  <isbn>", "  <pages>400</pages>\n  <isbn>"),
        "line 12: <pages> does not belong in <book>; remove it, correct its name, or write &lt; for <",
    );
    for (part, replacement, name, parent) in [
        ("Don Quijote", "<b>Don</b> Quijote", "<b>", "a text"),
        ("<name>Miguel</name>", "<nick>M</nick>", "<nick>", "<author>"),
        ("<title>Don Quijote</title>", "<x:title>Don Quijote</x:title>", "<x:title>", "<book>"),
        ("<title>Don Quijote</title>", "<Title>Don Quijote</Title>", "<Title>", "<book>"),
    ] {
        let message = refusal(&with(part, replacement)).to_string();
        assert!(message.contains(&format!("{name} does not belong in {parent}")), "{message}");
    }
    assert!(refusal("<library/>").to_string().contains("<library> does not belong in the file"));
}

#[test]
fn unknown_attributes_are_refused_by_name() {
    assert_refused(&with("<title>", "<title lang=\"es\">"), "line 3: <title> has no attribute lang; remove it");
    for (part, replacement) in [
        ("<book ", "<book xmlns=\"urn:x\" "),
        ("<book ", "<book version=\"1\" "),
        ("<author>", "<author role=\"editor\">"),
        ("<surname>", "<surname a=\"\">"),
    ] {
        let error = refusal(&with(part, replacement));
        assert!(matches!(error, XmlError::UnknownAttribute { .. }), "{error}");
    }
}

#[test]
fn what_can_be_there_once_is_refused_twice() {
    for element in ["title", "isbn", "publisher", "published", "language", "creation-date", "name", "surname"] {
        let open = format!("<{element}>");
        let start = CANONICAL.find(&open).unwrap();
        let end = start + CANONICAL[start..].find('\n').unwrap() + 1;
        let twice = format!("{}{}{}", &CANONICAL[..end], &CANONICAL[start..end], &CANONICAL[end..]);
        let message = refusal(&twice).to_string();
        assert!(message.contains(&format!(": {element} occurs twice")), "{message}");
    }
    let id = "id=\"018f2b6e-5c1d-7a40-9b1e-0242ac120002\"";
    assert!(matches!(refusal(&with(id, &format!("{id} {id}"))), XmlError::Malformed { line: 2, .. }));
}

#[test]
fn what_every_book_has_is_missed_by_name() {
    let authors = &CANONICAL[CANONICAL.find("  <author>").unwrap()..CANONICAL.find("  <isbn>").unwrap()];
    for (part, what) in [
        ("  <title>Don Quijote</title>\n", "<book> has no <title>"),
        (authors, "<book> has no <author>"),
        ("  <creation-date>2024-05-17T09:30:00.000Z</creation-date>\n", "<book> has no <creation-date>"),
        (" id=\"018f2b6e-5c1d-7a40-9b1e-0242ac120002\"", "<book> has no attribute id"),
        ("    <name>Miguel</name>\n", "<author> has no <name>"),
        ("    <surname>de Cervantes</surname>\n", "<author> has no <surname>"),
    ] {
        let message = refusal(&with(part, "")).to_string();
        assert!(message.contains(what), "{message}");
    }
    for nothing in ["", " \n", "<?xml version=\"1.0\"?>"] {
        assert!(refusal(nothing).to_string().contains("the file has no <book>"));
    }
}

#[test]
fn values_that_cannot_be_read_name_line_element_and_value() {
    for (part, replacement, message) in [
        ("1605", "in 1605", "line 14: <published>: \"in 1605\" is not a year"),
        ("1605", "1605.0", "line 14: <published>: \"1605.0\" is not a year"),
        ("2024-05-17T09:30:00.000Z", "yesterday", "line 18: <creation-date>: \"yesterday\" is not a time"),
        ("018f2b6e-", "018F2B6E-", "line 2: <book>: \"018F2B6E-5c1d-7a40-9b1e-0242ac120002\" is not a book id"),
    ] {
        let found = refusal(&with(part, replacement)).to_string();
        assert!(found.starts_with(message), "{found}");
    }
}

#[test]
fn books_that_break_the_rules_are_refused_with_every_field() {
    let error = refusal(&with("9780306406157", "9780306406158").replace("1605", "10605"));
    let XmlError::Invalid(invalid) = &error else { panic!("{error}") };
    assert_eq!(invalid.errors.len(), 2);
    assert!(error.to_string().starts_with("the book is not valid: isbn is refused"), "{error}");
}

#[test]
fn text_between_elements_and_after_the_end_is_refused() {
    assert_refused(
        &with("  <isbn>", "stray <isbn>"),
        "line 12: there is text directly in <book>; put it into an element or remove it",
    );
    for junk in ["junk", "\njunk", "<book/>", "\n<!-- -->", "&#32;x", "\0"] {
        let error = refusal(&format!("{CANONICAL}{junk}"));
        assert!(matches!(error, XmlError::TrailingContent { .. } | XmlError::Forbidden { .. }), "{junk}: {error}");
    }
}

#[test]
fn broken_xml_is_refused_naming_the_line() {
    for (part, replacement, line) in [
        ("</title>", "</tittle>", 3),
        ("</book>\n", "", 19),
        ("<title>", "<title =>", 3),
        ("Don Quijote", "Don & Quijote", 3),
        ("Don Quijote", "Don ]]> Quijote", 3),
        ("version=\"1.0\"", "version=\"1.1\"", 1),
        ("UTF-8", "ISO-8859-1", 1),
        ("  <isbn>", "<?xml version=\"1.0\"?><isbn>", 12),
        ("\">\n", ">\n", 2),
    ] {
        let error = refusal(&with(part, replacement));
        let XmlError::Malformed { line: found, .. } = error else { panic!("{replacement}: {error}") };
        assert_eq!(found, line, "{error}");
    }
}

#[test]
fn file_that_is_cut_off_anywhere_is_refused() {
    // The last byte is the final line feed, without which the file is complete.
    for length in (0..CANONICAL.len() - 1).filter(|length| CANONICAL.is_char_boundary(*length)) {
        assert!(Book::from_xml(&CANONICAL.as_bytes()[..length]).is_err(), "{length}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_refused_naming_the_place() {
    let mut bytes = CANONICAL.as_bytes().to_vec();
    let offset = CANONICAL.find("Quijote").unwrap();
    bytes[offset] = 0xe9;
    assert_eq!(Book::from_xml(&bytes), Err(XmlError::NotUtf8 { line: 3, offset }));
}

#[test]
fn file_beyond_the_size_limit_is_refused_naming_it() {
    let padded = format!("{CANONICAL}{}", " ".repeat(limits::BOOK_BYTES_MAX - CANONICAL.len()));
    assert!(Book::from_xml(padded.as_bytes()).is_ok());
    assert!(refusal(&format!("{padded} ")).to_string().contains("at most 262144"));
}

#[test]
fn largest_legal_book_is_within_the_size_limit() {
    // U+3000 at the beginning takes the longest reference of all legal characters.
    let wide = |characters: usize, last: &str| format!("{}{last}", "\u{3000}".repeat(characters - last.len()));
    let draft = BookDraft {
        title: wide(limits::TITLE_CHARACTERS_MAX, "x"),
        authors: vec![
            Author::new(
                "\u{feff}".repeat(limits::AUTHOR_NAME_CHARACTERS_MAX),
                wide(limits::AUTHOR_SURNAME_CHARACTERS_MAX, "x"),
            );
            limits::AUTHORS_MAX
        ],
        isbn: Some("9780306406157".into()),
        publisher: Some(wide(limits::PUBLISHER_CHARACTERS_MAX, "x")),
        published: Some(limits::PUBLISHED_YEAR_MIN.into()),
        language: Some("zh-cmn-Hans-CN-x-private-useabcd-efg".get(..35).unwrap().into()),
        subjects: (10..10 + limits::SUBJECTS_MAX)
            .map(|n| wide(limits::SUBJECT_CHARACTERS_MAX, &n.to_string()))
            .collect(),
    };
    let book = Book::new(BookId::from_parts(0, [0; 10]), Timestamp::MAX, draft).unwrap();
    let xml = book.to_xml();
    assert!(xml.len() > 240_000 && xml.len() <= limits::BOOK_BYTES_MAX, "{}", xml.len());
    assert_eq!(Book::from_canonical_xml(&xml), Ok(book));
}
