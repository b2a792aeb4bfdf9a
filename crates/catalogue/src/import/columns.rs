//! Which column of a table holds what, by the header that each program writes.
//!
//! Names are compared without case, spaces and punctuation. The first program whose marks are all there is it.

use csv::StringRecord;

use super::author_names::{full_names, inverted_names, names_of_unknown_form};
use super::cells::name_key;
use super::raw_row::RawRow;
use super::{ImportError, ImportFormat};
use crate::escaped_list;

/// The columns of our own export, in its order.
pub(crate) const CONCORDANCE_COLUMNS: [&str; 9] =
    ["id", "title", "authors", "isbn", "publisher", "published", "language", "subjects", "created"];

/// Columns by number; a column that a file does not have is `None`.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) format: ImportFormat,
    title: usize,
    title_otherwise: Option<usize>,
    authors: usize,
    authors_more: Option<usize>,
    isbn: Option<usize>,
    isbn_13: Option<usize>,
    publisher: Option<usize>,
    published: Option<usize>,
    published_otherwise: Option<usize>,
    language: Option<usize>,
    subjects: Option<usize>,
    created: Option<usize>,
}

impl Columns {
    pub(super) fn recognise(header: &StringRecord) -> Result<Self, ImportError> {
        let keys: Vec<String> = header.iter().map(name_key).collect();
        // The first of the names that there is, in the order of preference.
        let find = |names: &[&str]| names.iter().find_map(|name| keys.iter().position(|key| key == name));
        let require = |missing, names: &[&str]| {
            find(names).ok_or_else(|| ImportError::UnknownColumns {
                missing,
                found: crate::invalid_book::excerpt(&header.iter().collect::<Vec<_>>().join(", ")),
            })
        };
        Ok(Self {
            format: format_of(&keys),
            title: require("the title", &["title", "booktitle"])?,
            title_otherwise: find(&["originaltitle"]),
            authors: require(
                "the author",
                &["authors", "author", "primaryauthor", "authorlastfirst", "authorfirstlast", "authorname"],
            )?,
            authors_more: find(&["additionalauthors", "secondaryauthor", "secondaryauthors"]),
            isbn: find(&["isbn", "isbn10", "isbns"]),
            isbn_13: find(&["isbn13"]),
            publisher: find(&["publisher", "publication"]),
            published: find(&["originalpublicationyear", "published", "pubdate", "publicationyear", "year", "date"]),
            published_otherwise: find(&["yearpublished"]),
            language: find(&["language", "languages", "languagecode"]),
            subjects: find(&["subjects", "subject", "tags", "genres", "genre"]),
            created: find(&["created", "creationdate"]),
        })
    }

    /// The fields of one record. Those of our own export are taken to the letter, others without outer white space.
    pub(super) fn raw_row(&self, record: &StringRecord) -> RawRow {
        let is_own = self.format == ImportFormat::Concordance;
        let exact = |column: Option<usize>| column.and_then(|column| record.get(column)).unwrap_or_default();
        let cell = |column| exact(column).trim();
        let otherwise = |first: &str, second| {
            if first.is_empty() { cell(second).to_owned() } else { first.to_owned() }
        };
        let title = exact(Some(self.title));
        RawRow {
            title: if title.trim().is_empty() { otherwise("", self.title_otherwise) } else { title.to_owned() },
            authors: self.authors(cell(Some(self.authors)), cell(self.authors_more), exact(Some(self.authors))),
            isbn: cell(self.isbn).to_owned(),
            isbn_13: cell(self.isbn_13).to_owned(),
            publisher: match self.format {
                _ if is_own => exact(self.publisher).to_owned(),
                ImportFormat::LibraryThing => publisher_of_publication(cell(self.publisher)).to_owned(),
                _ => cell(self.publisher).to_owned(),
            },
            published: match cell(self.published) {
                // What Calibre writes for a date that it does not know.
                unknown if unknown.starts_with("0101-01-01") => String::new(),
                year => otherwise(year, self.published_otherwise),
            },
            language: cell(self.language).to_owned(),
            subjects: if is_own { escaped_list::read_texts(exact(self.subjects)) } else { list(cell(self.subjects)) },
            created: cell(self.created).to_owned(),
        }
    }

    fn authors(&self, first: &str, more: &str, exact: &str) -> Vec<crate::Author> {
        let mut authors = match self.format {
            ImportFormat::Concordance => return escaped_list::read_authors(exact),
            ImportFormat::Goodreads | ImportFormat::Goodbooks => full_names(first, ','),
            ImportFormat::LibraryThing => inverted_names(first),
            // Calibre writes a bar where a name itself has a comma.
            ImportFormat::Calibre => full_names(&first.replace('|', ","), '&'),
            ImportFormat::Table | ImportFormat::BooksXml => names_of_unknown_form(first),
        };
        authors.extend(match self.format {
            ImportFormat::Goodreads => full_names(more, ','),
            _ => inverted_names(more),
        });
        authors
    }
}

fn format_of(keys: &[String]) -> ImportFormat {
    let has = |names: &[&str]| names.iter().all(|name| keys.iter().any(|key| key == name));
    if has(&CONCORDANCE_COLUMNS) {
        ImportFormat::Concordance
    } else if has(&["authors", "originalpublicationyear", "languagecode"]) {
        ImportFormat::Goodbooks
    } else if has(&["author", "additionalauthors"]) || has(&["author", "authorlf"]) {
        ImportFormat::Goodreads
    } else if has(&["primaryauthor"]) || has(&["authorlastfirst"]) {
        ImportFormat::LibraryThing
    } else if has(&["authors", "authorsort"]) || has(&["authors", "pubdate"]) {
        ImportFormat::Calibre
    } else {
        ImportFormat::Table
    }
}

/// Subjects or tags. The rarest separator that occurs is the one that is meant.
fn list(cell: &str) -> Vec<String> {
    let separator = ['|', ';'].into_iter().find(|separator| cell.contains(*separator)).unwrap_or(',');
    cell.split(separator).map(|item| item.trim().to_owned()).collect()
}

/// The publisher in LibraryThing's `Publication`, which is a line from a title page in one of several forms:
/// `Scholastic Press (2008), Edition: 1, 384 pages`; `New York : Scholastic Press, 2008.`
fn publisher_of_publication(publication: &str) -> &str {
    let without_details = publication.split(" (").next().unwrap_or(publication);
    let without_place = without_details.rsplit(" : ").next().unwrap_or(without_details);
    let trimmed = without_place.trim_end_matches(['.', ' ', ',']);
    match trimmed.rsplit_once(',') {
        Some((publisher, year)) if year.trim().trim_start_matches(['c', '©']).parse::<u16>().is_ok() => publisher,
        _ => trimmed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publisher_is_found_in_each_form_of_a_publication() {
        for (publication, publisher) in [
            ("Scholastic Press (2008), Edition: 1, 384 pages", "Scholastic Press"),
            ("New York : Scholastic Press, 2008.", "Scholastic Press"),
            ("Penguin, c1998", "Penguin"),
            ("Faber & Faber", "Faber & Faber"),
            ("", ""),
        ] {
            assert_eq!(publisher_of_publication(publication), publisher);
        }
    }

    #[test]
    fn header_without_title_or_author_is_refused_naming_what_was_found() {
        let header = StringRecord::from(vec!["name", "price"]);
        let message = Columns::recognise(&header).unwrap_err().to_string();
        assert!(message.contains("the title") && message.contains("name, price"), "{message}");
        assert!(message.contains("Goodreads"), "{message}");
    }
}
