//! What makes a draft a book, and what the refusals say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use catalogue::{Author, Book, BookDraft, BookId, InvalidBook, Timestamp, limits};

fn draft() -> BookDraft {
    BookDraft { title: "Emma".into(), authors: vec![Author::new("Jane", "Austen")], ..BookDraft::default() }
}

fn book(draft: BookDraft) -> Result<Book, InvalidBook> {
    Book::new(BookId::from_parts(1, [7; 10]), Timestamp::MIN, draft)
}

/// The only error, as field and message.
fn refusal(draft: BookDraft) -> (String, String) {
    let mut errors = book(draft).unwrap_err().errors;
    assert_eq!(errors.len(), 1, "{errors:?}");
    let error = errors.remove(0);
    (error.field, error.message)
}

#[track_caller]
fn assert_refused(draft: BookDraft, field: &str, needle: &str) {
    let (found, message) = refusal(draft);
    assert_eq!(found, field);
    assert!(message.contains(needle), "{message}");
}

#[test]
fn title_with_ten_thousand_characters_is_refused_naming_the_limit() {
    let title = "é".repeat(10_000);
    let (field, message) = refusal(BookDraft { title, ..draft() });
    assert_eq!(field, "title");
    assert_eq!(message, "has 10000 characters; the limit is 1000");
}

#[test]
fn bounds_are_counted_in_characters_and_are_inclusive() {
    let full = BookDraft {
        title: "📚".repeat(limits::TITLE_CHARACTERS_MAX),
        authors: vec![
            Author::new(
                "é".repeat(limits::AUTHOR_NAME_CHARACTERS_MAX),
                "漱".repeat(limits::AUTHOR_SURNAME_CHARACTERS_MAX),
            );
            limits::AUTHORS_MAX
        ],
        publisher: Some("ß".repeat(limits::PUBLISHER_CHARACTERS_MAX)),
        published: Some(limits::PUBLISHED_YEAR_MAX.into()),
        subjects: (0..limits::SUBJECTS_MAX).map(|n| format!("{n:0200}")).collect(),
        ..draft()
    };
    assert!(book(full).is_ok());
}

#[test]
fn titles_are_kept_exactly() {
    for title in ["  leading", "trailing \n", "a\r\nb\tc", "<b>&amp;</b> ]]>", "👩‍👩‍👧", "\u{feff}x\u{85}\u{2028}"]
    {
        assert_eq!(book(BookDraft { title: title.into(), ..draft() }).unwrap().title(), title);
    }
}

#[test]
fn titles_that_nobody_can_see_are_refused() {
    assert_refused(BookDraft { title: String::new(), ..draft() }, "title", "1 to 1000");
    assert_refused(BookDraft { title: " \n\u{a0}".into(), ..draft() }, "title", "white space");
}

#[test]
fn characters_that_xml_cannot_hold_are_refused_by_code_and_place() {
    for (title, code) in [("a\0", "U+0000"), ("a\u{1b}", "U+001B"), ("a\u{fffe}", "U+FFFE")] {
        let (_, message) = refusal(BookDraft { title: title.into(), ..draft() });
        assert!(message.contains(code) && message.contains("character 2"), "{message}");
    }
}

#[test]
fn authors_are_required_and_bounded() {
    assert_refused(BookDraft { authors: vec![], ..draft() }, "authors", "at least one");
    let many = vec![Author::new("", "Homer"); 51];
    assert_refused(BookDraft { authors: many, ..draft() }, "authors", "50");
    let no_surname = vec![Author::new("", "Homer"), Author::new("Jane", "")];
    assert_refused(BookDraft { authors: no_surname, ..draft() }, "authors[1].surname", "1 to 200");
    let long = vec![Author::new("J".repeat(201), "Austen")];
    assert_refused(BookDraft { authors: long, ..draft() }, "authors[0].name", "200");
    let long = vec![Author::new("", "A".repeat(201))];
    assert_refused(BookDraft { authors: long, ..draft() }, "authors[0].surname", "200");
}

#[test]
fn isbn_is_checked_and_becomes_13_digits() {
    let book = book(BookDraft { isbn: Some("0-306-40615-2".into()), ..draft() }).unwrap();
    assert_eq!(book.isbn().unwrap().as_str(), "9780306406157");
    assert_refused(BookDraft { isbn: Some("0-306-40615-3".into()), ..draft() }, "isbn", "0-306-40615-3");
    assert_refused(BookDraft { isbn: Some(String::new()), ..draft() }, "isbn", "10 or 13");
}

#[test]
fn optional_texts_are_absent_or_visible_and_bounded() {
    assert_refused(BookDraft { publisher: Some(String::new()), ..draft() }, "publisher", "1 to 500");
    assert_refused(BookDraft { publisher: Some("P".repeat(501)), ..draft() }, "publisher", "500");
}

#[test]
fn years_beyond_the_range_are_refused_naming_it() {
    for year in [-3_001, 10_000, i64::MIN, i64::MAX] {
        assert_refused(BookDraft { published: Some(year), ..draft() }, "published", "-3000 to 9999");
    }
    for year in [-3_000, 0, 9_999] {
        let book = book(BookDraft { published: Some(year), ..draft() }).unwrap();
        assert_eq!(book.published().map(i64::from), Some(year));
    }
}

#[test]
fn languages_are_tags_in_their_usual_case() {
    let book = book(BookDraft { language: Some("PT-br".into()), ..draft() }).unwrap();
    assert_eq!(book.language(), Some("pt-BR"));
    for language in ["", "English", "en_GB", "x", "en-aaaaaaaaa", &format!("x-{}a", "a-".repeat(20))] {
        assert_refused(BookDraft { language: Some(language.into()), ..draft() }, "language", "pt-BR");
    }
}

#[test]
fn subjects_are_bounded_and_do_not_repeat() {
    let subjects = |subjects: &[&str]| subjects.iter().map(|&subject| subject.to_owned()).collect();
    let repeated = BookDraft { subjects: subjects(&["Art", "War", "Art"]), ..draft() };
    assert_refused(repeated, "subjects[2]", "\"Art\"");
    assert_refused(BookDraft { subjects: subjects(&["Art", ""]), ..draft() }, "subjects[1]", "1 to 200");
    assert_refused(BookDraft { subjects: subjects(&[&"S".repeat(201)]), ..draft() }, "subjects[0]", "200");
    let many = (0..51).map(|number| number.to_string()).collect();
    assert_refused(BookDraft { subjects: many, ..draft() }, "subjects", "50");
}

#[test]
fn every_error_is_listed_at_once_in_the_order_of_the_fields() {
    let invalid = BookDraft {
        isbn: Some("1".into()),
        published: Some(10_000),
        language: Some("?".into()),
        ..BookDraft::default()
    };
    let error = book(invalid).unwrap_err();
    let fields: Vec<_> = error.errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["title", "authors", "isbn", "published", "language"]);
    assert!(error.to_string().starts_with("title is empty; give 1 to 1000 characters; authors is empty"));
}

#[test]
fn huge_values_are_cut_in_messages() {
    for value in ["9".repeat(1_000_000), "é\n".repeat(500_000)] {
        let (_, message) = refusal(BookDraft { isbn: Some(value), ..draft() });
        assert!(message.len() < 400, "{}", message.len());
    }
}
