//! The committed books in memory: what every read is answered from.
//!
//! An [`Index`] is a snapshot: cloning it costs nothing, and a clone never changes. The copy thread owns the newest one,
//! changes it in O(log n) per book and hands a clone to the readers; a search over all books holds up nobody.

mod cursor;
mod indexed_book;
mod page;
mod search;

pub(crate) use cursor::{Cursor, Direction, Sort};
pub(crate) use indexed_book::IndexedBook;
pub(crate) use page::{Begin, PageRequest};
pub(crate) use search::Search;

use catalogue::BookId;
use cursor::Position;
use imbl::OrdMap;
use protocol::Version;
use std::sync::Arc;

/// All committed books at one version.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    version: Version,
    books: OrdMap<BookId, Arc<IndexedBook>>,
    /// One per [`Sort`], in the order of its declaration.
    orders: [OrdMap<Position, Arc<IndexedBook>>; Sort::ALL.len()],
}

impl Index {
    /// The committed version that this snapshot shows.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Number of books.
    pub(crate) fn len(&self) -> usize {
        self.books.len()
    }

    /// The book of that id.
    pub(crate) fn book(&self, id: BookId) -> Option<&Arc<IndexedBook>> {
        self.books.get(&id)
    }

    /// All books, ordered by id.
    pub(crate) fn books(&self) -> impl Iterator<Item = &Arc<IndexedBook>> {
        self.books.values()
    }

    /// The books of one order, first to last.
    pub(crate) fn ordered(&self, sort: Sort) -> impl DoubleEndedIterator<Item = (&Position, &Arc<IndexedBook>)> {
        self.order(sort).iter()
    }

    /// Puts a book in, in place of the one with the same id.
    pub(crate) fn insert(&mut self, book: IndexedBook) {
        let id = book.book.id();
        self.remove(id);
        let book = Arc::new(book);
        for sort in Sort::ALL {
            self.orders[sort as usize].insert(book.position(sort), Arc::clone(&book));
        }
        self.books.insert(id, book);
    }

    /// Takes a book out.
    pub(crate) fn remove(&mut self, id: BookId) {
        if let Some(book) = self.books.remove(&id) {
            for sort in Sort::ALL {
                self.orders[sort as usize].remove(&book.position(sort));
            }
        }
    }

    /// From now on this snapshot shows that version.
    pub(crate) fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    fn order(&self, sort: Sort) -> &OrdMap<Position, Arc<IndexedBook>> {
        &self.orders[sort as usize]
    }
}
