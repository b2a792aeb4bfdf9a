//! The canonical XML of a book: the same book is always the same bytes.
//!
//! Used for the files of the catalogue and, indented once more, for `books.xml`. The form is meant to survive
//! people: one element on each line, and every character that an editor might change unseen is a reference.

use std::fmt::Write;

use crate::book::{Author, Book};

/// The first line of every XML file that this system writes.
pub(crate) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

impl Book {
    /// The file of this book: canonical XML in UTF-8.
    pub fn to_xml(&self) -> Vec<u8> {
        let mut out = String::from(DECLARATION);
        write_book(&mut out, self, 0);
        out.into_bytes()
    }
}

/// Appends the `<book>` element, indented by `depth` levels.
pub(crate) fn write_book(out: &mut String, book: &Book, depth: usize) {
    let mut lines = Lines { out, depth };
    lines.open(&format!("book id=\"{}\"", book.id));
    lines.element("title", &book.title);
    for author in &book.authors {
        lines.author(author);
    }
    lines.optional("isbn", book.isbn.as_ref().map(|isbn| isbn.as_str()));
    lines.optional("publisher", book.publisher.as_deref());
    lines.optional("published", book.published.map(|year| year.to_string()).as_deref());
    lines.optional("language", book.language.as_deref());
    for subject in &book.subjects {
        lines.element("subject", subject);
    }
    lines.element("creation-date", &book.created.to_string());
    lines.close("book");
}

struct Lines<'a> {
    out: &'a mut String,
    depth: usize,
}

impl Lines<'_> {
    fn indent(&mut self) {
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
    }

    fn open(&mut self, tag: &str) {
        self.indent();
        self.out.push('<');
        self.out.push_str(tag);
        self.out.push_str(">\n");
        self.depth += 1;
    }

    fn close(&mut self, name: &str) {
        self.depth -= 1;
        self.indent();
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push_str(">\n");
    }

    fn element(&mut self, name: &str, text: &str) {
        self.indent();
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
        write_text(self.out, text);
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push_str(">\n");
    }

    fn optional(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.element(name, text);
        }
    }

    fn author(&mut self, author: &Author) {
        self.open("author");
        self.element("name", &author.name);
        self.element("surname", &author.surname);
        self.close("author");
    }
}

/// Appends text so that it comes back exactly, through any XML reader and most editors.
///
/// References stand for markup; for line ends and controls, which readers normalise and editors change; and for
/// white space at both ends, which people cannot see and tools like to trim.
fn write_text(out: &mut String, text: &str) {
    let inner = text.trim();
    // Where all is white space the inner part is empty, and everything counts as leading.
    let inner_start = if inner.is_empty() { text.len() } else { text.len() - text.trim_start().len() };
    let inner_end = inner_start + inner.len();
    for (index, character) in text.char_indices() {
        let at_an_end = index < inner_start || index >= inner_end;
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            _ if at_an_end || character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                write!(out, "&#{};", u32::from(character)).expect("writing to a string cannot fail");
            }
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = String::new();
        write_text(&mut out, text);
        out
    }

    #[test]
    fn what_readers_and_editors_change_is_a_reference() {
        assert_eq!(written("  a  b\t"), "&#32;&#32;a  b&#9;");
        assert_eq!(written("a\r\nb\nc\td"), "a&#13;&#10;b&#10;c&#9;d");
        assert_eq!(written("\u{a0}a\u{a0}b"), "&#160;a\u{a0}b");
        assert_eq!(written(" \u{3000}"), "&#32;&#12288;");
        assert_eq!(written("a\u{85}\u{2028}\u{feff}b"), "a&#133;&#8232;&#65279;b");
    }

    #[test]
    fn markup_is_escaped_and_the_rest_is_readable() {
        assert_eq!(written("<b> & ]]> \"q\" 'a' 📚é"), "&lt;b&gt; &amp; ]]&gt; \"q\" 'a' 📚é");
    }
}
