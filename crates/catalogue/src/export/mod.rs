//! Gives the whole catalogue away as one file: `books.xml` or CSV.
//!
//! Both give the file in pieces, header first, so that a server can send it while it walks its catalogue; the
//! pieces in a row are the file, in UTF-8. Both are read back by [`import`](crate::import) with the same data; only
//! the ids are new then, as the books may still be here.

mod books_csv;
mod books_xml;

pub use books_csv::books_csv;
pub use books_xml::books_xml;
