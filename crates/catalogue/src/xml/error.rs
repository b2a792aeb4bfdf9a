//! [`XmlError`]: why bytes are not the file of a book. Each says where, what, and what to do.

use crate::invalid_book::InvalidBook;

/// Why XML was refused. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XmlError {
    /// More bytes than any book has.
    #[error("the file has {bytes} bytes; the file of a book has at most {bytes_max}")]
    TooLarge {
        /// Bytes that were given.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Not UTF-8 text.
    #[error("line {line}: byte {offset} of the file is not UTF-8; save the file with the encoding UTF-8")]
    NotUtf8 {
        /// Line of the byte.
        line: usize,
        /// Offset of the byte from the start of the file.
        offset: usize,
    },
    /// Not well-formed XML.
    #[error("line {line}: not well-formed XML: {reason}")]
    Malformed {
        /// Line of the mistake.
        line: usize,
        /// What the mistake is.
        reason: String,
    },
    /// Well-formed, but nothing that belongs in a catalogue.
    #[error("line {line}: {construct} is not allowed here; {advice}")]
    Forbidden {
        /// Line where it begins.
        line: usize,
        /// What was found.
        construct: String,
        /// What to write instead.
        advice: &'static str,
    },
    /// An element in a place where it has no meaning.
    #[error("line {line}: <{element}> does not belong in {parent}; remove it, correct its name, or write &lt; for <")]
    UnknownElement {
        /// Line of the element.
        line: usize,
        /// Its name.
        element: String,
        /// What it stands in.
        parent: &'static str,
    },
    /// An attribute that has no meaning, namespaces included.
    #[error("line {line}: <{element}> has no attribute {attribute}; remove it")]
    UnknownAttribute {
        /// Line of the element.
        line: usize,
        /// The element.
        element: &'static str,
        /// Name of the attribute.
        attribute: String,
    },
    /// An element or attribute that occurs more often than it may.
    #[error("line {line}: {what} occurs twice; keep one")]
    Repeated {
        /// Line of the second one.
        line: usize,
        /// The element or attribute.
        what: &'static str,
    },
    /// An element or attribute that every book has.
    #[error("line {line}: {parent} has no {what}; add it")]
    Missing {
        /// Line where the element that lacks it ends.
        line: usize,
        /// What lacks it.
        parent: &'static str,
        /// The element or attribute.
        what: &'static str,
    },
    /// Text where only elements may stand.
    #[error("line {line}: there is text directly in {parent}; put it into an element or remove it")]
    StrayText {
        /// Line where the text begins.
        line: usize,
        /// What it stands in.
        parent: &'static str,
    },
    /// Something after the end of the book.
    #[error("line {line}: there is more after </book>; remove it")]
    TrailingContent {
        /// Line where it begins.
        line: usize,
    },
    /// A value that cannot be read.
    #[error("line {line}: <{element}>: {reason}")]
    Value {
        /// Line of the element.
        line: usize,
        /// The element.
        element: &'static str,
        /// What is wrong, and what to write.
        reason: String,
    },
    /// Readable, but not a legal book.
    #[error("the book is not valid: {0}")]
    Invalid(#[from] InvalidBook),
    /// A legal book in other bytes than the canonical ones.
    #[error(
        "line {line}: the book is legal but not in canonical form, which begins to differ here; \
         save it through the catalogue instead of by hand"
    )]
    NotCanonical {
        /// First line that differs.
        line: usize,
    },
}
