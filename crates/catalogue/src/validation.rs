//! The rules that make a draft a book: each bound of `limits`, each with its sentence for people.
//!
//! Called by `Book::new` alone, so that no other way into a [`Book`](crate::Book) can forget one.

use std::collections::HashSet;

use crate::book::Author;
use crate::book_draft::BookDraft;
use crate::invalid_book::{FieldError, InvalidBook, excerpt};
use crate::isbn::Isbn;
use crate::language;
use crate::limits::{
    AUTHOR_NAME_CHARACTERS_MAX, AUTHOR_SURNAME_CHARACTERS_MAX, AUTHORS_MAX, LANGUAGE_CHARACTERS_MAX,
    PUBLISHED_YEAR_MAX, PUBLISHED_YEAR_MIN, PUBLISHER_CHARACTERS_MAX, SUBJECT_CHARACTERS_MAX, SUBJECTS_MAX,
    TITLE_CHARACTERS_MAX,
};
use crate::xml;

/// The fields that change their type or form when they are checked.
pub(crate) struct Checked {
    pub(crate) isbn: Option<Isbn>,
    pub(crate) published: Option<i16>,
    pub(crate) language: Option<String>,
}

/// Checks every field, and collects every error.
pub(crate) fn check(draft: &BookDraft) -> Result<Checked, InvalidBook> {
    let mut findings = Findings::default();
    findings.required_text("title", &draft.title, TITLE_CHARACTERS_MAX);
    findings.authors(&draft.authors);
    let isbn = findings.isbn(draft.isbn.as_deref());
    if let Some(publisher) = &draft.publisher {
        findings.required_text("publisher", publisher, PUBLISHER_CHARACTERS_MAX);
    }
    let published = findings.published(draft.published);
    let language = findings.language(draft.language.as_deref());
    findings.subjects(&draft.subjects);
    if findings.0.is_empty() {
        Ok(Checked { isbn, published, language })
    } else {
        Err(InvalidBook { errors: findings.0 })
    }
}

#[derive(Default)]
struct Findings(Vec<FieldError>);

impl Findings {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError { field: field.into(), message: message.into() });
    }

    fn text(&mut self, field: &str, text: &str, characters_max: usize) {
        let characters = text.chars().count();
        if characters > characters_max {
            self.add(field, format!("has {characters} characters; the limit is {characters_max}"));
        }
        if let Some((index, character)) = text.chars().enumerate().find(|(_, c)| !xml::holds(*c)) {
            self.add(
                field,
                format!(
                    "holds U+{:04X} as its character {}, which XML cannot hold; remove it",
                    u32::from(character),
                    index + 1
                ),
            );
        }
    }

    fn required_text(&mut self, field: &str, text: &str, characters_max: usize) {
        if text.is_empty() {
            self.add(field, format!("is empty; give 1 to {characters_max} characters"));
        } else if text.chars().all(char::is_whitespace) {
            self.add(field, "holds only white space; give a text that people can see");
        }
        self.text(field, text, characters_max);
    }

    fn authors(&mut self, authors: &[Author]) {
        if authors.is_empty() {
            self.add("authors", "is empty; give at least one author");
        }
        if authors.len() > AUTHORS_MAX {
            self.add("authors", format!("has {} authors; the limit is {AUTHORS_MAX}", authors.len()));
            // A list beyond the limit is refused as a whole; its items could only lengthen the answer.
            return;
        }
        for (index, author) in authors.iter().enumerate() {
            self.text(&format!("authors[{index}].name"), &author.name, AUTHOR_NAME_CHARACTERS_MAX);
            self.required_text(&format!("authors[{index}].surname"), &author.surname, AUTHOR_SURNAME_CHARACTERS_MAX);
        }
    }

    fn isbn(&mut self, isbn: Option<&str>) -> Option<Isbn> {
        match Isbn::parse(isbn?) {
            Ok(isbn) => Some(isbn),
            Err(error) => {
                self.add("isbn", format!("is refused: {error}"));
                None
            }
        }
    }

    fn published(&mut self, year: Option<i64>) -> Option<i16> {
        let year = year?;
        let in_range = i16::try_from(year).ok().filter(|y| (PUBLISHED_YEAR_MIN..=PUBLISHED_YEAR_MAX).contains(y));
        if in_range.is_none() {
            self.add("published", format!("is {year}; give a year from {PUBLISHED_YEAR_MIN} to {PUBLISHED_YEAR_MAX}"));
        }
        in_range
    }

    fn language(&mut self, tag: Option<&str>) -> Option<String> {
        let tag = tag?;
        let normal = language::normal_tag(tag);
        if normal.is_none() {
            let tag = excerpt(tag);
            self.add(
                "language",
                format!(
                    "is {tag}; give a BCP 47 language tag such as en or pt-BR, at most \
                     {LANGUAGE_CHARACTERS_MAX} characters long"
                ),
            );
        }
        normal
    }

    fn subjects(&mut self, subjects: &[String]) {
        if subjects.len() > SUBJECTS_MAX {
            self.add("subjects", format!("has {} subjects; the limit is {SUBJECTS_MAX}", subjects.len()));
            return;
        }
        let mut seen = HashSet::new();
        for (index, subject) in subjects.iter().enumerate() {
            let field = format!("subjects[{index}]");
            self.required_text(&field, subject, SUBJECT_CHARACTERS_MAX);
            if !seen.insert(subject) {
                self.add(field, format!("repeats {}; give each subject once", excerpt(subject)));
            }
        }
    }
}
