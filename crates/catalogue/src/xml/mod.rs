//! The XML file of a book: written in one canonical form, read strictly.
//!
//! `writer` gives the bytes, `reader` takes them back, and both stand on one list of elements:
//!
//! ```xml
//! <?xml version="1.0" encoding="UTF-8"?>
//! <book id="018f2b6e-5c1d-7a40-9b1e-0242ac120002">
//!   <title>Don Quijote de la Mancha</title>
//!   <author>
//!     <name>Miguel</name>
//!     <surname>de Cervantes Saavedra</surname>
//!   </author>
//!   <publisher>Francisco de Robles</publisher>
//!   <published>1605</published>
//!   <language>es</language>
//!   <subject>Knights and knighthood</subject>
//!   <creation-date>2024-05-17T09:30:00.000Z</creation-date>
//! </book>
//! ```
//!
//! `scanner` is the door for XML that others wrote; the import reads through it too. No DTD passes it and no
//! entity is ever expanded.

mod error;
mod reader;
mod scanner;
mod writer;

pub use error::XmlError;
pub(crate) use scanner::{Rules, Scanner, Token};
pub(crate) use writer::{DECLARATION, write_book};

/// Whether XML 1.0 can hold a character at all (production `Char`), be it as itself or as a reference.
pub(crate) fn holds(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}
