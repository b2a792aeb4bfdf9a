//! Reads the XML file of a book, strictly: everything in it is either understood or refused.
//!
//! Order of elements and white space between them are free, so that people may edit; [`Book::from_canonical_xml`]
//! is for those who compare bytes.

use quick_xml::events::BytesStart;

use super::XmlError;
use super::scanner::{Rules, Scanner, Token, line_at};
use crate::book::{Author, Book};
use crate::book_draft::BookDraft;
use crate::book_id::BookId;
use crate::invalid_book::excerpt;
use crate::limits::BOOK_BYTES_MAX;
use crate::timestamp::Timestamp;

impl Book {
    /// Reads the file of a book. Another order of the elements and other white space between them are accepted.
    ///
    /// # Errors
    /// Anything that is not exactly one legal book: see [`XmlError`].
    pub fn from_xml(bytes: &[u8]) -> Result<Self, XmlError> {
        if bytes.len() > BOOK_BYTES_MAX {
            return Err(XmlError::TooLarge { bytes: bytes.len(), bytes_max: BOOK_BYTES_MAX });
        }
        BookReader { scanner: Scanner::new(bytes, Rules::Strict)? }.document()
    }

    /// Reads the file of a book, and insists on the bytes that [`to_xml`](Self::to_xml) gives for it.
    ///
    /// # Errors
    /// As [`from_xml`](Self::from_xml), and [`XmlError::NotCanonical`].
    pub fn from_canonical_xml(bytes: &[u8]) -> Result<Self, XmlError> {
        let book = Self::from_xml(bytes)?;
        let canonical = book.to_xml();
        if canonical == bytes {
            return Ok(book);
        }
        let same = canonical.iter().zip(bytes).take_while(|(ours, theirs)| ours == theirs).count();
        Err(XmlError::NotCanonical { line: line_at(bytes, same) })
    }
}

struct BookReader<'a> {
    scanner: Scanner<'a>,
}

/// The elements of a `<book>` as they are met.
#[derive(Default)]
struct Fields {
    title: Option<String>,
    authors: Vec<Author>,
    isbn: Option<String>,
    publisher: Option<String>,
    published: Option<i64>,
    language: Option<String>,
    subjects: Vec<String>,
    created: Option<Timestamp>,
}

impl<'a> BookReader<'a> {
    fn document(mut self) -> Result<Book, XmlError> {
        let Some(root) = self.child("the file")? else {
            return Err(self.missing("the file", "<book>"));
        };
        if root.name().0 != "book" {
            return Err(self.unknown(&root, "the file"));
        }
        let id = self.id(&root)?;
        let fields = self.fields()?;
        let end_line = self.scanner.line();
        self.nothing_more()?;
        let missing = |what| XmlError::Missing { line: end_line, parent: "<book>", what };
        let title = fields.title.ok_or_else(|| missing("<title>"))?;
        let created = fields.created.ok_or_else(|| missing("<creation-date>"))?;
        if fields.authors.is_empty() {
            return Err(missing("<author>"));
        }
        let draft = BookDraft {
            title,
            authors: fields.authors,
            isbn: fields.isbn,
            publisher: fields.publisher,
            published: fields.published,
            language: fields.language,
            subjects: fields.subjects,
        };
        Ok(Book::new(id, created, draft)?)
    }

    fn nothing_more(&mut self) -> Result<(), XmlError> {
        loop {
            match self.scanner.next()? {
                Token::Done => return Ok(()),
                Token::Text(text) if is_white_space(&text) => {}
                _ => return Err(XmlError::TrailingContent { line: self.scanner.line() }),
            }
        }
    }

    fn fields(&mut self) -> Result<Fields, XmlError> {
        let mut fields = Fields::default();
        while let Some(start) = self.child("<book>")? {
            let name = start.name();
            match name.0 {
                "title" => self.text_once(&start, "title", &mut fields.title)?,
                "author" => {
                    let author = self.author(&start)?;
                    fields.authors.push(author);
                }
                "isbn" => self.text_once(&start, "isbn", &mut fields.isbn)?,
                "publisher" => self.text_once(&start, "publisher", &mut fields.publisher)?,
                "published" => {
                    self.value_once(&start, "published", &mut fields.published, |year| {
                        year.parse().map_err(|_| format!("{} is not a year; write a whole number", excerpt(year)))
                    })?;
                }
                "language" => self.text_once(&start, "language", &mut fields.language)?,
                "subject" => {
                    let subject = self.text(&start, "subject")?;
                    fields.subjects.push(subject);
                }
                "creation-date" => {
                    self.value_once(&start, "creation-date", &mut fields.created, |time| {
                        Timestamp::parse(time).map_err(|error| error.to_string())
                    })?;
                }
                _ => return Err(self.unknown(&start, "<book>")),
            }
        }
        Ok(fields)
    }

    fn author(&mut self, start: &BytesStart<'_>) -> Result<Author, XmlError> {
        self.no_attributes(start, "author")?;
        let (mut name, mut surname) = (None, None);
        while let Some(child) = self.child("<author>")? {
            match child.name().0 {
                "name" => self.text_once(&child, "name", &mut name)?,
                "surname" => self.text_once(&child, "surname", &mut surname)?,
                _ => return Err(self.unknown(&child, "<author>")),
            }
        }
        Ok(Author {
            name: name.ok_or_else(|| self.missing("<author>", "<name>"))?,
            surname: surname.ok_or_else(|| self.missing("<author>", "<surname>"))?,
        })
    }

    /// The next element directly inside `parent`, or `None` at the end of `parent`.
    fn child(&mut self, parent: &'static str) -> Result<Option<BytesStart<'a>>, XmlError> {
        loop {
            match self.scanner.next()? {
                Token::Start(start) => return Ok(Some(start)),
                Token::End | Token::Done => return Ok(None),
                Token::Text(text) if is_white_space(&text) => {}
                Token::Text(_) => {
                    return Err(XmlError::StrayText { line: self.scanner.line(), parent });
                }
            }
        }
    }

    /// The whole text of an element that holds nothing else.
    fn text(&mut self, start: &BytesStart<'_>, element: &'static str) -> Result<String, XmlError> {
        self.no_attributes(start, element)?;
        let mut text = String::new();
        loop {
            match self.scanner.next()? {
                Token::Text(more) => text = more,
                Token::End | Token::Done => return Ok(text),
                Token::Start(child) => return Err(self.unknown(&child, "a text")),
            }
        }
    }

    fn text_once(
        &mut self,
        start: &BytesStart<'_>,
        element: &'static str,
        slot: &mut Option<String>,
    ) -> Result<(), XmlError> {
        self.value_once(start, element, slot, |text| Ok(text.to_owned()))
    }

    fn value_once<T>(
        &mut self,
        start: &BytesStart<'_>,
        element: &'static str,
        slot: &mut Option<T>,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<(), XmlError> {
        if slot.is_some() {
            return Err(XmlError::Repeated { line: self.scanner.line(), what: element });
        }
        let offset = self.scanner.offset();
        let text = self.text(start, element)?;
        let value =
            read(&text).map_err(|reason| XmlError::Value { line: self.scanner.line_of(offset), element, reason })?;
        *slot = Some(value);
        Ok(())
    }

    /// The one attribute that there is: the id of the book.
    fn id(&self, start: &BytesStart<'_>) -> Result<BookId, XmlError> {
        let line = self.scanner.line();
        let mut id = None;
        for attribute in start.attributes() {
            let attribute =
                attribute.map_err(|error| XmlError::Malformed { line, reason: format!("<book>: {error}") })?;
            if attribute.key.0 != "id" {
                let attribute = attribute.key.0.to_owned();
                return Err(XmlError::UnknownAttribute { line, element: "book", attribute });
            }
            // An id has no character that would need a reference, so the raw value is the value.
            let parsed = BookId::parse(&attribute.value).map_err(|error| XmlError::Value {
                line,
                element: "book",
                reason: error.to_string(),
            })?;
            id = Some(parsed);
        }
        id.ok_or(XmlError::Missing { line, parent: "<book>", what: "attribute id" })
    }

    fn no_attributes(&self, start: &BytesStart<'_>, element: &'static str) -> Result<(), XmlError> {
        let Some(attribute) = start.attributes().next() else { return Ok(()) };
        let line = self.scanner.line();
        Err(match attribute {
            Ok(attribute) => XmlError::UnknownAttribute { line, element, attribute: attribute.key.0.to_owned() },
            Err(error) => XmlError::Malformed { line, reason: format!("<{element}>: {error}") },
        })
    }

    fn unknown(&self, start: &BytesStart<'_>, parent: &'static str) -> XmlError {
        XmlError::UnknownElement { line: self.scanner.line(), element: start.name().0.to_owned(), parent }
    }

    fn missing(&self, parent: &'static str, what: &'static str) -> XmlError {
        XmlError::Missing { line: self.scanner.line(), parent, what }
    }
}

/// White space of XML, which is less than that of Unicode.
fn is_white_space(text: &str) -> bool {
    text.chars().all(|character| matches!(character, ' ' | '\t' | '\n' | '\r'))
}
