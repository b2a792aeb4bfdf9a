//! The bounds of a book's fields, in one place.
//!
//! Used by the checks of [`Book::new`](crate::Book::new), and by anything that shows the bounds to people (the
//! REST description, the web page). Characters are Unicode scalar values. Change a bound only together with
//! `docs/rest.md`: books that are already stored must stay legal.

/// Longest title.
pub const TITLE_CHARACTERS_MAX: usize = 1_000;
/// Most authors; at least one is required.
pub const AUTHORS_MAX: usize = 50;
/// Longest given names of an author; they may be empty.
pub const AUTHOR_NAME_CHARACTERS_MAX: usize = 200;
/// Longest surname of an author; it must not be empty.
pub const AUTHOR_SURNAME_CHARACTERS_MAX: usize = 200;
/// Longest publisher.
pub const PUBLISHER_CHARACTERS_MAX: usize = 500;
/// Earliest year of publication, counted astronomically: 0 is 1 BC, −3000 is 3001 BC.
pub const PUBLISHED_YEAR_MIN: i16 = -3_000;
/// Latest year of publication.
pub const PUBLISHED_YEAR_MAX: i16 = 9_999;
/// Longest language tag: what RFC 5646, section 4.4.1, asks every reader to hold.
pub const LANGUAGE_CHARACTERS_MAX: usize = 35;
/// Most subjects.
pub const SUBJECTS_MAX: usize = 50;
/// Longest subject.
pub const SUBJECT_CHARACTERS_MAX: usize = 200;
/// Largest XML file of a book, in bytes. Every legal book is smaller, also when each of its characters is written
/// as the longest character reference; the rest is room for another indentation.
pub const BOOK_BYTES_MAX: usize = 256 * 1_024;
