//! Rows of a CSV file of any of the known programs.
//!
//! The CSV itself is the `csv` crate's; which separator a file has, and which column holds what, is told here.

use std::borrow::Cow;
use std::io::Cursor;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};

use super::columns::Columns;
use super::{ImportError, ImportFormat, ImportRow, RowError};

#[derive(Debug)]
pub(super) struct TableRows<'a> {
    reader: Reader<Cursor<Cow<'a, [u8]>>>,
    columns: Columns,
    record: StringRecord,
    /// As a spreadsheet counts: the header is row 1.
    row: u64,
}

impl<'a> TableRows<'a> {
    pub(super) fn new(text: Cow<'a, str>) -> Result<Self, ImportError> {
        let header_line = text.trim_start().lines().next().unwrap_or_default();
        let delimiter = delimiter(header_line);
        let header = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .from_reader(text.as_bytes())
            .into_records()
            .find_map(Result::ok)
            .unwrap_or_default();
        let columns = Columns::recognise(&header)?;
        // LibraryThing writes tabs without any quoting, so a quotation mark is one of the title there.
        let has_quoting = !(columns.format == ImportFormat::LibraryThing && delimiter == b'\t');
        let bytes = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        let reader = ReaderBuilder::new().delimiter(delimiter).quoting(has_quoting).from_reader(Cursor::new(bytes));
        Ok(Self { reader, columns, record: StringRecord::new(), row: 1 })
    }

    pub(super) fn format(&self) -> ImportFormat {
        self.columns.format
    }
}

impl Iterator for TableRows<'_> {
    type Item = Result<ImportRow, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let read = self.reader.read_record(&mut self.record);
            self.row += 1;
            let row = self.row;
            match read {
                Ok(false) => return None,
                // Spreadsheets leave rows of nothing but separators at the end.
                Ok(true) if self.record.iter().all(|cell| cell.trim().is_empty()) => {}
                Ok(true) => return Some(self.columns.raw_row(&self.record).checked(row)),
                Err(error) => {
                    return Some(Err(RowError { row, error: reason(&error) }));
                }
            }
        }
    }
}

fn reason(error: &csv::Error) -> String {
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => format!(
            "it has {len} cells where the header has {expected_len}; look for a missing quotation mark or separator"
        ),
        _ => error.to_string(),
    }
}

/// The separator of a header: of comma, semicolon and tab the one that occurs most outside of quotation marks.
fn delimiter(header: &str) -> u8 {
    let mut is_quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for byte in header.bytes() {
        if byte == b'"' {
            is_quoted = !is_quoted;
        } else if !is_quoted && let Some((_, count)) = counts.iter_mut().find(|(separator, _)| *separator == byte) {
            *count += 1;
        }
    }
    // The first of equals, so that a header of one column is read with commas.
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(separator, _)| separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separator_is_the_one_that_occurs_most_outside_of_quotation_marks() {
        assert_eq!(delimiter("title,author"), b',');
        assert_eq!(delimiter("title;author;\"a,b,c,d\""), b';');
        assert_eq!(delimiter("title\tauthor (last, first)\tisbn"), b'\t');
        assert_eq!(delimiter("title"), b',');
    }
}
