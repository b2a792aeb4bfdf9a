//! Books from XML: the older system's `books.xml`, our own export, or a single book's file.
//!
//! Lenient about everything but safety: the root may have any name, elements may come in any order, be missing or
//! be unknown. DTDs and entities are refused by the scanner. Texts are taken exactly as they stand.

use std::borrow::Cow;
use std::ops::Range;

use super::author_names::full_name;
use super::cells::name_key;
use super::raw_row::RawRow;
use super::{ImportError, ImportRow, RowError};
use crate::book::Author;
use crate::xml::{Rules, Scanner, Token, XmlError};

#[derive(Debug)]
pub(super) struct BooksXmlRows<'a> {
    text: Cow<'a, str>,
    /// Where each `<book>` lies in `text`.
    spans: std::vec::IntoIter<Range<usize>>,
    row: u64,
}

impl<'a> BooksXmlRows<'a> {
    /// Reads the whole text once, so that what is refused anywhere is refused before the first row.
    pub(super) fn new(text: Cow<'a, str>) -> Result<Self, ImportError> {
        let spans = book_spans(&text)?;
        Ok(Self { text, spans: spans.into_iter(), row: 0 })
    }
}

impl Iterator for BooksXmlRows<'_> {
    type Item = Result<ImportRow, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let span = self.spans.next()?;
        self.row += 1;
        let row = self.row;
        let raw = RawBook::read(&self.text[span])
            .map_err(|error| RowError { row, error: error.to_string() })
            .and_then(|book| book.checked(row));
        Some(raw)
    }
}

/// Finds every `<book>` that is in no other, at any depth. An XML file without one is somebody else's, unless its
/// root says that it is an empty catalogue.
fn book_spans(text: &str) -> Result<Vec<Range<usize>>, ImportError> {
    let mut scanner = Scanner::new(text.as_bytes(), Rules::Lenient)?;
    let mut spans = Vec::new();
    let mut root: Option<String> = None;
    let mut depth = 0_usize;
    let mut open: Option<(usize, usize)> = None;
    loop {
        match scanner.next()? {
            Token::Start(start) => {
                let name = start.name().0;
                root.get_or_insert_with(|| name_key(name));
                if open.is_none() && name_key(name) == "book" {
                    open = Some((depth, scanner.offset()));
                }
                depth += 1;
            }
            Token::End => {
                depth -= 1;
                if let Some((_, start)) = open.take_if(|(book_depth, _)| *book_depth == depth) {
                    spans.push(start..scanner.end_offset());
                }
            }
            Token::Text(_) => {}
            Token::Done => break,
        }
    }
    let is_catalogue = root.is_some_and(|name| EMPTY_ROOTS.contains(&name.as_str()));
    if spans.is_empty() && !is_catalogue {
        return Err(ImportError::NoBooks);
    }
    Ok(spans)
}

/// Roots of an empty file that is a catalogue all the same.
const EMPTY_ROOTS: &[&str] = &["books", "catalog", "catalogue", "library"];

/// One `<book>`: its fields, and what occurred twice where only one can be.
struct RawBook {
    row: RawRow,
    repeated: Vec<&'static str>,
}

impl RawBook {
    fn read(text: &str) -> Result<Self, XmlError> {
        let mut scanner = Scanner::new(text.as_bytes(), Rules::Lenient)?;
        let mut book = Self { row: RawRow::default(), repeated: Vec::new() };
        // The book itself; `<authors>` and `<subjects>` may wrap what is repeated.
        let mut depth = 0_usize;
        loop {
            match scanner.next()? {
                Token::Text(_) => {}
                Token::Start(start) => match name_key(start.name().0).as_str() {
                    "book" if depth == 0 => depth = 1,
                    "authors" | "subjects" => depth += 1,
                    key => book.field(&mut scanner, key)?,
                },
                Token::End if depth > 1 => depth -= 1,
                Token::End | Token::Done => return Ok(book),
            }
        }
    }

    fn field(&mut self, scanner: &mut Scanner<'_>, key: &str) -> Result<(), XmlError> {
        let (name, slot) = match key {
            "author" => {
                self.row.authors.extend(author(scanner)?);
                return Ok(());
            }
            "subject" => {
                self.row.subjects.push(whole_text(scanner)?);
                return Ok(());
            }
            "title" => ("title", &mut self.row.title),
            "isbn" => ("isbn", &mut self.row.isbn),
            "publisher" => ("publisher", &mut self.row.publisher),
            "published" | "year" | "publicationyear" => ("published", &mut self.row.published),
            "language" => ("language", &mut self.row.language),
            "creationdate" | "created" => ("creation-date", &mut self.row.created),
            _ => {
                whole_text(scanner)?;
                return Ok(());
            }
        };
        let text = whole_text(scanner)?;
        if slot.is_empty() {
            *slot = text;
        } else if *slot != text {
            self.repeated.push(name);
        }
        Ok(())
    }

    fn checked(self, row: u64) -> Result<ImportRow, RowError> {
        let Some(name) = self.repeated.first() else {
            return self.row.checked(row);
        };
        let error = format!("<{name}> occurs twice with different texts; keep one");
        Err(RowError { row, error })
    }
}

/// The author whose start tag was just read: given names and surname, or one text with both. None if it is empty.
fn author(scanner: &mut Scanner<'_>) -> Result<Option<Author>, XmlError> {
    let (mut name, mut surname, mut direct) = (String::new(), String::new(), String::new());
    loop {
        match scanner.next()? {
            Token::Start(start) => match name_key(start.name().0).as_str() {
                "name" | "firstname" => name = whole_text(scanner)?,
                "surname" | "lastname" => surname = whole_text(scanner)?,
                _ => drop(whole_text(scanner)?),
            },
            Token::Text(text) => direct.push_str(&text),
            Token::End | Token::Done => break,
        }
    }
    // Names that come without a surname hold everything; so does text that stands in no element.
    let author = match (surname.trim(), name.trim(), direct.trim()) {
        ("", "", "") => return Ok(None),
        ("", "", all) | ("", all, _) => full_name(all),
        _ => Author { name, surname },
    };
    Ok(Some(author))
}

/// The text of the element whose start tag was just read, with that of any markup in it.
fn whole_text(scanner: &mut Scanner<'_>) -> Result<String, XmlError> {
    let mut whole = String::new();
    let mut depth = 0_usize;
    loop {
        match scanner.next()? {
            Token::Text(text) => whole.push_str(&text),
            Token::Start(_) => depth += 1,
            Token::End if depth > 0 => depth -= 1,
            Token::End | Token::Done => return Ok(whole),
        }
    }
}
