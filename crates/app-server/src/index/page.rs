//! A page of a list.

use super::cursor::Position;
use super::{Cursor, Direction, Index, IndexedBook, Search, Sort};
use std::ops::Bound;
use std::sync::Arc;

/// Which page of which list.
#[derive(Debug, Default)]
pub(crate) struct PageRequest {
    pub(crate) search: Search,
    pub(crate) sort: Sort,
    pub(crate) order: Direction,
    pub(crate) limit: usize,
    pub(crate) begin: Begin,
}

/// Where a page begins.
#[derive(Debug)]
pub(crate) enum Begin {
    /// After so many books of the list as it is now.
    Offset(usize),
    /// Where the page before ended, whatever came and went since.
    After(Cursor),
}

impl Default for Begin {
    fn default() -> Self {
        Self::Offset(0)
    }
}

/// A page, and how to go on.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) books: Vec<Arc<IndexedBook>>,
    /// None on the last page.
    pub(crate) next: Option<Cursor>,
    /// How many books the whole list has.
    pub(crate) total: usize,
}

impl Index {
    /// A page of a list. With a search it looks at every book, else only at those of the page.
    pub(crate) fn page(&self, request: &PageRequest) -> Page {
        let PageRequest { sort, order, limit, .. } = *request;
        let (mut found, total) =
            if request.search.is_empty() { (self.unsearched(request), self.len()) } else { self.searched(request) };
        // One more than asked for was looked for, to know whether this is the last page.
        let is_last = found.len() <= limit;
        found.truncate(limit);
        let next = found.last().filter(|_| !is_last).map(|book| Cursor { sort, order, after: book.position(sort) });
        Page { books: found, next, total }
    }

    /// An offset walks over the books before it: a hundred thousand of them take some ten milliseconds.
    fn unsearched(&self, request: &PageRequest) -> Vec<Arc<IndexedBook>> {
        let order = self.order(request.sort);
        let books = |(_, book): (&Position, &Arc<IndexedBook>)| Arc::clone(book);
        let (beyond, skipped) = match &request.begin {
            Begin::Offset(offset) => (Bound::Unbounded, *offset),
            Begin::After(cursor) => (Bound::Excluded(cursor.after.clone()), 0),
        };
        let count = request.limit + 1;
        match request.order {
            Direction::Asc => order.range((beyond, Bound::Unbounded)).skip(skipped).take(count).map(books).collect(),
            Direction::Desc => {
                order.range((Bound::Unbounded, beyond)).rev().skip(skipped).take(count).map(books).collect()
            }
        }
    }

    fn searched(&self, request: &PageRequest) -> (Vec<Arc<IndexedBook>>, usize) {
        let mut found = Vec::new();
        let mut total = 0;
        let mut look_at = |(position, book): (&Position, &Arc<IndexedBook>)| {
            if !request.search.matches(book) {
                return;
            }
            total += 1;
            let is_beyond = match (&request.begin, request.order) {
                (Begin::Offset(offset), _) => total > *offset,
                (Begin::After(cursor), Direction::Asc) => *position > cursor.after,
                (Begin::After(cursor), Direction::Desc) => *position < cursor.after,
            };
            if is_beyond && found.len() <= request.limit {
                found.push(Arc::clone(book));
            }
        };
        match request.order {
            Direction::Asc => self.ordered(request.sort).for_each(&mut look_at),
            Direction::Desc => self.ordered(request.sort).rev().for_each(&mut look_at),
        }
        (found, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalogue::{Author, Book, BookDraft, BookId, Timestamp};
    use proptest::prelude::*;
    use protocol::{Digest, Version};
    use std::collections::BTreeSet;

    fn book(number: u16, title: &str, surname: &str, isbn: Option<&str>, published: Option<i64>) -> IndexedBook {
        let mut random = [0; 10];
        random[8..].copy_from_slice(&number.to_be_bytes());
        let draft = BookDraft {
            title: title.into(),
            authors: vec![Author::new("A.", surname)],
            isbn: isbn.map(Into::into),
            published,
            ..BookDraft::default()
        };
        let created = Timestamp::from_unix_millis(i64::from(number % 7)).unwrap();
        let book = Book::new(BookId::from_parts(1, random), created, draft).unwrap();
        IndexedBook::new(book, Digest([0; 32]), Version(1))
    }

    fn index(books: impl IntoIterator<Item = IndexedBook>) -> Index {
        let mut index = Index::default();
        books.into_iter().for_each(|book| index.insert(book));
        index
    }

    fn titles(index: &Index, search: Search, sort: Sort, order: Direction) -> Vec<String> {
        let page = index.page(&PageRequest { search, sort, order, limit: 100, begin: Begin::default() });
        page.books.iter().map(|book| book.book.title().to_owned()).collect()
    }

    proptest! {
        #[test]
        fn paging_shows_every_book_exactly_once_while_others_come_and_go(
            numbers in prop::collection::btree_set(any::<u16>(), 1..60),
            others in prop::collection::btree_set(any::<u16>(), 0..40),
            limit in 1usize..9,
            sort in prop::sample::select(Sort::ALL.to_vec()),
            descending: bool,
            searched: bool,
        ) {
            let make = |number: u16| book(number, &format!("Title {}", number % 11), "Twain", None, Some(i64::from(number % 5)));
            let mut index = index(numbers.iter().copied().map(make));
            let order = if descending { Direction::Desc } else { Direction::Asc };
            let mut coming = others.difference(&numbers).copied();
            let mut seen = Vec::new();
            let mut begin = Begin::default();
            loop {
                let text = searched.then_some("TITLE twáin");
                let page = index.page(&PageRequest { search: Search::new(text, None, None, None), sort, order, limit, begin });
                prop_assert_eq!(page.total, index.len());
                seen.extend(page.books.iter().map(|book| book.book.id()));
                let Some(next) = page.next else { break };
                let cursor = Cursor::decode(&next.encode(), sort, order);
                prop_assert_eq!(cursor.as_ref(), Some(&next));
                begin = Begin::After(next);
                if let Some(number) = coming.next() {
                    index.insert(make(number));
                }
            }
            let distinct: BTreeSet<_> = seen.iter().copied().collect();
            prop_assert_eq!(distinct.len(), seen.len());
            let always_there = numbers.iter().all(|number| distinct.contains(&make(*number).book.id()));
            prop_assert!(always_there);
        }
    }

    #[test]
    fn an_offset_begins_anywhere_in_the_list_and_its_pages_go_on_by_cursor() {
        let index = index((0..20).map(|number| book(number, &format!("Title {number:02}"), "Twain", None, None)));
        for search in ["", "twain"] {
            for (order, first) in [(Direction::Asc, "Title 07"), (Direction::Desc, "Title 12")] {
                let request = |begin| PageRequest {
                    search: Search::new(Some(search), None, None, None),
                    order,
                    limit: 5,
                    begin,
                    ..PageRequest::default()
                };
                let page = index.page(&request(Begin::Offset(7)));
                assert_eq!((page.books[0].book.title(), page.books.len(), page.total), (first, 5, 20));
                let next = index.page(&request(Begin::After(page.next.unwrap())));
                let same = index.page(&request(Begin::Offset(12)));
                let ids = |page: &Page| page.books.iter().map(|book| book.book.id()).collect::<Vec<_>>();
                assert_eq!(ids(&next), ids(&same));
                assert!(index.page(&request(Begin::Offset(20))).books.is_empty());
            }
        }
    }

    #[test]
    fn every_order_sorts_as_people_look_things_up() {
        let index = index([
            book(1, "  “Élan”", "Zola", None, Some(1900)),
            book(2, "emma", "Austen", None, None),
            book(3, "Dune", "herbert", None, Some(-50)),
        ]);
        let sorted = |sort, order| titles(&index, Search::default(), sort, order);
        assert_eq!(sorted(Sort::Title, Direction::Asc), ["Dune", "  “Élan”", "emma"]);
        assert_eq!(sorted(Sort::Author, Direction::Asc), ["emma", "Dune", "  “Élan”"]);
        assert_eq!(sorted(Sort::Published, Direction::Asc), ["emma", "Dune", "  “Élan”"]);
        assert_eq!(sorted(Sort::Published, Direction::Desc), ["  “Élan”", "Dune", "emma"]);
        assert_eq!(sorted(Sort::Created, Direction::Desc), ["Dune", "emma", "  “Élan”"]);
    }

    #[test]
    fn every_word_of_a_search_must_occur_blind_to_case_and_accents() {
        let index = index([
            book(1, "Cien años de soledad", "García Márquez", Some("0-306-40615-2"), None),
            book(2, "Noches de soledad", "Pérez", None, None),
        ]);
        let found = |q: &str| titles(&index, Search::new(Some(q), None, None, None), Sort::Title, Direction::Asc).len();
        assert_eq!(found("SOLEDAD"), 2);
        assert_eq!(found("marquez  anos"), 1);
        assert_eq!(found("marquez noches"), 0);
        assert_eq!(found("978-0-306-40615-7"), 1);
        assert_eq!(found("0306406152"), 1);
        assert_eq!(found("40615"), 1);
        let by_title =
            |text| titles(&index, Search::new(None, Some(text), None, None), Sort::Title, Direction::Asc).len();
        assert_eq!((by_title("años"), by_title("márquez")), (1, 0));
        let by_author =
            |text| titles(&index, Search::new(None, None, Some(text), None), Sort::Title, Direction::Asc).len();
        assert_eq!((by_author("perez"), by_author("soledad")), (1, 0));
        let by_isbn =
            |text| titles(&index, Search::new(None, None, None, Some(text)), Sort::Title, Direction::Asc).len();
        assert_eq!((by_isbn("0-306-40615-2"), by_isbn("9780306406157"), by_isbn("9791090636071")), (1, 1, 0));
    }

    #[test]
    fn replaced_and_removed_books_leave_every_order() {
        let mut index = index([book(1, "Old", "Austen", None, None)]);
        index.insert(book(1, "New", "Brontë", None, Some(5)));
        for sort in Sort::ALL {
            assert_eq!(titles(&index, Search::default(), sort, Direction::Asc), ["New"]);
        }
        index.remove(book(1, "New", "Brontë", None, None).book.id());
        for sort in Sort::ALL {
            assert!(titles(&index, Search::default(), sort, Direction::Asc).is_empty());
        }
    }

    #[test]
    fn cursor_of_another_order_or_of_nobody_is_refused() {
        let index = index([book(1, "A", "A", None, None), book(2, "B", "B", None, None)]);
        let page = index.page(&PageRequest { limit: 1, ..PageRequest::default() });
        let text = page.next.unwrap().encode();
        assert!(Cursor::decode(&text, Sort::Title, Direction::Asc).is_some());
        assert!(Cursor::decode(&text, Sort::Author, Direction::Asc).is_none());
        assert!(Cursor::decode(&text, Sort::Title, Direction::Desc).is_none());
        assert!(Cursor::decode("bm90IGEgY3Vyc29y", Sort::Title, Direction::Asc).is_none());
        assert!(Cursor::decode("../..", Sort::Title, Direction::Asc).is_none());
    }

    #[test]
    fn snapshot_does_not_see_later_changes() {
        let mut newest = index([book(1, "A", "A", None, None)]);
        let snapshot = newest.clone();
        newest.insert(book(2, "B", "B", None, None));
        assert_eq!((snapshot.len(), newest.len()), (1, 2));
    }
}
