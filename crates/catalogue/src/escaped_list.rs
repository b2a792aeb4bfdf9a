//! Lists of texts in one CSV cell, without loss: `Austen, Jane; Cervantes, Miguel de; Homer`.
//!
//! Items are separated by semicolons; an author is surname, comma, given names. A backslash before a comma, a
//! semicolon, a backslash, or white space at either end of a part makes it belong to the text. Written by the
//! CSV export and read by the import of that very file; other programs' lists have other rules (`import`).

use crate::book::Author;

/// Authors as the text of one cell.
pub(crate) fn write_authors(authors: &[Author]) -> String {
    let items = authors.iter().map(|author| match author.name.as_str() {
        "" => escaped(&author.surname),
        name => format!("{}, {}", escaped(&author.surname), escaped(name)),
    });
    items.collect::<Vec<_>>().join("; ")
}

/// The authors of a cell; what follows on the first comma is the given names.
pub(crate) fn read_authors(cell: &str) -> Vec<Author> {
    items(cell)
        .map(|item| match split_once(item, ',') {
            Some((surname, name)) => Author::new(unescaped(name), unescaped(surname)),
            None => Author::new("", unescaped(item)),
        })
        .collect()
}

/// Texts as the text of one cell.
pub(crate) fn write_texts(texts: &[String]) -> String {
    texts.iter().map(|text| escaped(text)).collect::<Vec<_>>().join("; ")
}

/// The texts of a cell.
pub(crate) fn read_texts(cell: &str) -> Vec<String> {
    items(cell).map(unescaped).collect()
}

fn escaped(text: &str) -> String {
    let start = text.len() - text.trim_start().len();
    let end = text.trim_end().len();
    let mut out = String::with_capacity(text.len());
    for (index, character) in text.char_indices() {
        if matches!(character, '\\' | ',' | ';') || index < start || index >= end {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn unescaped(raw: &str) -> String {
    let mut kept = String::with_capacity(raw.len());
    // Up to here nothing may be trimmed: the end of the last character that is escaped or is no white space.
    let mut kept_len_min = 0;
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        let (character, is_escaped) = match character {
            // A backslash at the very end stands for itself.
            '\\' => characters.next().map_or(('\\', true), |next| (next, true)),
            other => (other, false),
        };
        if character.is_whitespace() && !is_escaped {
            if !kept.is_empty() {
                kept.push(character);
            }
        } else {
            kept.push(character);
            kept_len_min = kept.len();
        }
    }
    kept.truncate(kept_len_min);
    kept
}

/// The items of a cell, still escaped; empty ones are dropped.
fn items(cell: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(cell);
    std::iter::from_fn(move || {
        let (item, after) = match split_once(rest?, ';') {
            Some((item, after)) => (item, Some(after)),
            None => (rest?, None),
        };
        rest = after;
        Some(item)
    })
    .filter(|item| !item.trim().is_empty())
}

/// Splits at the first separator that is not escaped.
fn split_once(text: &str, separator: char) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    for (index, character) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if character == '\\' {
            is_escaped = true;
        } else if character == separator {
            return Some((&text[..index], &text[index + separator.len_utf8()..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authors_are_written_as_people_know_them_from_catalogues() {
        let authors = [Author::new("Jane", "Austen"), Author::new("", "Homer")];
        assert_eq!(write_authors(&authors), "Austen, Jane; Homer");
        assert_eq!(read_authors("Austen,Jane ;  Homer;"), authors);
    }

    #[test]
    fn separators_and_outer_white_space_survive() {
        let authors = [
            Author::new("Martin Luther, Jr.", "King; \\ Sons"),
            Author::new("  ", "\tTab\n"),
            Author::new("\\", "\\\\"),
        ];
        assert_eq!(read_authors(&write_authors(&authors)), authors);
        let texts = [" a ".to_owned(), ";".to_owned(), "\\;".to_owned(), "a\\".to_owned()];
        assert_eq!(read_texts(&write_texts(&texts)), texts);
    }
}
