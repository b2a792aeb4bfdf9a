//! Books to start with and books to test with.
//!
//! [`classics`] is what a new catalogue shows; [`SampleGenerator`] gives any number of plausible books, the same
//! for the same seed, to benchmarks and tests. Neither gives ids or times: the caller does.

mod generator;
mod words;

pub use generator::SampleGenerator;

use crate::book_draft::BookDraft;
use crate::import::ImportReader;

/// The list, as a file that can be imported like any other.
const CLASSICS: &str = include_str!("classics.xml");

/// About thirty classics of several languages and scripts, ready for [`Book::new`](crate::Book::new).
pub fn classics() -> Vec<BookDraft> {
    ImportReader::new(CLASSICS.as_bytes())
        .expect("the list is an XML file that is part of the program")
        .map(|row| row.expect("a test reads every row of the list").draft)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_classic_is_a_legal_book_with_a_title_of_its_own() {
        let titles: HashSet<String> = classics().into_iter().map(|draft| draft.title).collect();
        let elements = CLASSICS.matches("<book>").count();
        assert_eq!(titles.len(), elements);
        assert!(elements >= 30);
    }

    #[test]
    fn classics_have_years_languages_and_subjects() {
        for draft in classics() {
            assert!(draft.published.is_some() && draft.language.is_some(), "{}", draft.title);
            assert!(!draft.subjects.is_empty(), "{}", draft.title);
        }
    }
}
