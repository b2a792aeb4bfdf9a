//! The books that clients write: few, so that changes meet, each in a few forms, so that the same bytes come back.

use catalogue::sample::SampleGenerator;
use catalogue::{Book, BookId, BookPath, Timestamp};
use protocol::Content;
use std::sync::LazyLock;

/// Number of different books.
pub(crate) const BOOKS: usize = 14;
/// Number of forms of each.
pub(crate) const FORMS: usize = 3;

/// All books in all forms; the same for every seed.
#[derive(Debug)]
pub(crate) struct Books {
    paths: Vec<BookPath>,
    contents: Vec<Vec<Content>>,
}

static BOOKS_SHARED: LazyLock<Books> = LazyLock::new(Books::generate);

impl Books {
    /// The books.
    pub(crate) fn shared() -> &'static Self {
        &BOOKS_SHARED
    }

    fn generate() -> Self {
        let mut drafts = SampleGenerator::new(1);
        let (mut paths, mut contents) = (Vec::new(), Vec::new());
        for number in 0..BOOKS {
            // A few share a bucket of the manifest.
            let id = BookId::from_parts(1_700_000_000_000, [7, 7, number as u8, 7, 7, 7, 7, 7, 0, (number / 3) as u8]);
            let mut forms = Vec::new();
            for _ in 0..FORMS {
                let draft = drafts.next().expect("the generator has no end");
                let book = Book::new(id, Timestamp::MIN, draft).expect("the generator makes legal books");
                forms.push(Content::from(book.to_xml()));
            }
            paths.push(BookPath::from(id));
            contents.push(forms);
        }
        Self { paths, contents }
    }

    /// Where a book lies.
    pub(crate) fn path(&self, book: usize) -> BookPath {
        self.paths[book]
    }

    /// The bytes of one form of a book.
    pub(crate) fn content(&self, book: usize, form: usize) -> Content {
        self.contents[book][form].clone()
    }
}
