//! What a list is narrowed to. Every word must occur, wherever it stands, blind to case and accents.

use super::IndexedBook;
use catalogue::Isbn;
use catalogue::search::fold;
use memchr::memmem::Finder;

/// The conditions of a search; all must hold.
#[derive(Debug, Default)]
pub(crate) struct Search {
    anywhere: Vec<Word>,
    title: Vec<Word>,
    author: Vec<Word>,
    isbn: Option<Finder<'static>>,
}

#[derive(Debug)]
struct Word {
    text: Finder<'static>,
    /// Set if the word may be an ISBN or a part of one, written with hyphens.
    digits: Option<Finder<'static>>,
}

impl Search {
    /// A search for these texts; an empty one asks for nothing.
    pub(crate) fn new(anywhere: Option<&str>, title: Option<&str>, author: Option<&str>, isbn: Option<&str>) -> Self {
        Self {
            anywhere: words(anywhere),
            title: words(title),
            author: words(author),
            isbn: isbn.map(isbn_digits).filter(|digits| !digits.is_empty()).map(finder),
        }
    }

    /// Whether every book matches.
    pub(crate) fn is_empty(&self) -> bool {
        self.anywhere.is_empty() && self.title.is_empty() && self.author.is_empty() && self.isbn.is_none()
    }

    /// Whether this book matches.
    pub(crate) fn matches(&self, book: &IndexedBook) -> bool {
        let folded = &book.folded;
        let occurs = |word: &Word, text: &str| word.text.find(text.as_bytes()).is_some();
        self.anywhere.iter().all(|word| {
            occurs(word, &folded.title)
                || occurs(word, &folded.authors)
                || word.digits.as_ref().is_some_and(|digits| digits.find(folded.isbn.as_bytes()).is_some())
        }) && self.title.iter().all(|word| occurs(word, &folded.title))
            && self.author.iter().all(|word| occurs(word, &folded.authors))
            && self.isbn.as_ref().is_none_or(|digits| digits.find(folded.isbn.as_bytes()).is_some())
    }
}

fn words(text: Option<&str>) -> Vec<Word> {
    fold(text.unwrap_or_default())
        .split_whitespace()
        .map(|word| {
            let is_number =
                word.chars().any(|c| c.is_ascii_digit()) && word.chars().all(|c| matches!(c, '0'..='9' | '-' | 'x'));
            Word { text: finder(word.to_owned()), digits: is_number.then(|| finder(isbn_digits(word))) }
        })
        .collect()
}

/// An ISBN as the catalogue has it; of a part of one, its digits.
fn isbn_digits(text: &str) -> String {
    match Isbn::parse(text) {
        Ok(isbn) => isbn.to_string(),
        Err(_) => text.chars().filter(|c| !matches!(c, '-' | ' ')).collect(),
    }
}

fn finder(text: String) -> Finder<'static> {
    Finder::new(text.as_bytes()).into_owned()
}
