//! Single values in the forms in which programs, spreadsheets and people write them.
//!
//! Each reader takes the text of a cell: blank is `None`; what cannot be read is a sentence that names the value.

use jiff::civil;

use crate::invalid_book::excerpt;
use crate::isbn::Isbn;
use crate::language;
use crate::timestamp::Timestamp;

/// The name of a column or element without what differs between programs: case, spaces and punctuation.
pub(super) fn name_key(name: &str) -> String {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// An ISBN from the column `isbn`, or from a second column for those of 13 digits.
///
/// Undone is what programs do to ISBNs: the wrappings `="…"` and `[…]`; leading zeros lost by treating them as
/// numbers; several in one cell (the first that is right counts). A second column in scientific notation, which
/// has lost digits for good, is passed over.
pub(super) fn isbn(cell: &str, cell_13: &str) -> Result<Option<String>, String> {
    let numbers_13 = isbn_candidates(cell_13).filter(|text| !is_decimal(text));
    let mut refusal = None;
    for candidate in numbers_13.chain(isbn_candidates(cell)) {
        if is_decimal(candidate) {
            let text = excerpt(candidate);
            refusal.get_or_insert(format!("{text} was cut off by a spreadsheet; export the column as text"));
            continue;
        }
        match Isbn::parse(&with_lost_zeros(candidate)) {
            Ok(isbn) => return Ok(Some(isbn.to_string())),
            Err(error) if with_lost_zeros(candidate) != candidate => {
                let text = excerpt(candidate);
                refusal.get_or_insert(format!("{text} with its leading zeros put back: {error}"));
            }
            Err(error) => {
                refusal.get_or_insert(error.to_string());
            }
        }
    }
    refusal.map_or(Ok(None), Err)
}

fn isbn_candidates(cell: &str) -> impl Iterator<Item = &str> {
    const WRAPPING: &[char] = &['=', '"', '\'', '[', ']', ' ', '\t', '\u{a0}'];
    cell.split([',', ';', '|']).map(|part| part.trim_matches(WRAPPING)).filter(|part| !part.is_empty())
}

/// `9.78043902348e+12` or `195170342.0`.
fn is_decimal(text: &str) -> bool {
    text.contains(['.', 'e', 'E']) && text.parse::<f64>().is_ok()
}

/// An ISBN-10 begins with up to three zeros that a number does not have. Put back, the check digit tells
/// whether the guess was right; shorter numbers are left alone, as too many of them would pass by chance.
fn with_lost_zeros(text: &str) -> String {
    let body = text.strip_suffix(['X', 'x']).unwrap_or(text);
    if (7..10).contains(&text.len()) && body.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("{text:0>10}")
    } else {
        text.to_owned()
    }
}

/// A year: `1605`, `1605.0`, `-750`, `c. 1605`, `[1605?]`, or the year of a date such as `1605-01-16`.
pub(super) fn year(cell: &str) -> Result<Option<i64>, String> {
    let text = cell.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let bare = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, 'c' | 'C' | '©' | '[' | ']' | '.' | '?'));
    let whole = bare.strip_suffix(".0").unwrap_or(bare);
    let of_date = || date(bare.get(..10)?).map(|date| i64::from(date.year()));
    whole.parse().ok().or_else(of_date).map(Some).ok_or_else(|| {
        format!("{} is not a year; write a whole number, negative for years before the year 0", excerpt(text))
    })
}

/// A language by tag, code or English name, the first if there are several.
pub(super) fn language(cell: &str) -> Result<Option<String>, String> {
    language::first_of_list(cell)
        .map_err(|text| format!("{} is not a known language; write a tag such as en or pt-BR", excerpt(text)))
}

/// A moment: RFC 3339; a date and time or a date alone, taken as UTC; the day first where slashes or dots separate.
pub(super) fn moment(cell: &str) -> Result<Option<Timestamp>, String> {
    let text = cell.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let in_utc = |time: civil::DateTime| {
        let zoned = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Timestamp::from_unix_millis(zoned.timestamp().as_millisecond())
    };
    let without_zone = || text.parse().ok().and_then(in_utc);
    let date_alone = || date(text).and_then(|date| in_utc(date.to_datetime(civil::Time::midnight())));
    Timestamp::parse(text).ok().or_else(without_zone).or_else(date_alone).map(Some).ok_or_else(|| {
        format!("{} is not a date; write one such as 2024-05-17, 2024-05-17T09:30:00Z or 17/05/2024", excerpt(text))
    })
}

/// `2024-05-17`, `2024/05/17`, `17/05/2024` or `17.05.2024`.
fn date(text: &str) -> Option<civil::Date> {
    let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
    let [first, month, last] = parts.as_slice() else {
        return None;
    };
    let (year, day) = match (first.len(), last.len()) {
        (4, 1..=2) => (first, last),
        (1..=2, 4) if !text.contains('-') => (last, first),
        _ => return None,
    };
    civil::Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isbn_damaged_by_programs_is_mended_where_that_is_certain() {
        for (cell, cell_13, expected) in [
            ("439023483", "9.78043902348e+12", Some("9780439023481")),
            ("=\"0439023483\"", "=\"9780439023481\"", Some("9780439023481")),
            ("=\"\"", "=\"\"", None),
            ("[0439023483]", "", Some("9780439023481")),
            ("9780439023481, 0439023483", "", Some("9780439023481")),
            ("7442912", "", Some("9780007442911")),
            ("", "195170342.0", None),
            (" ", "", None),
        ] {
            assert_eq!(isbn(cell, cell_13).unwrap().as_deref(), expected, "{cell} {cell_13}");
        }
    }

    #[test]
    fn wrong_isbn_is_refused_naming_the_value() {
        for cell in ["0439023484", "439023484", "123456", "97804390234811", "n/a"] {
            let error = isbn(cell, "").unwrap_err();
            assert!(error.contains(cell), "{error}");
        }
        assert!(isbn("9.78043902348e+12", "").unwrap_err().contains("cut off"));
    }

    #[test]
    fn years_are_read_in_the_forms_that_programs_write() {
        for (cell, expected) in [
            ("", None),
            ("2008", Some(2008)),
            ("2008.0", Some(2008)),
            ("-750.0", Some(-750)),
            ("c. 1605", Some(1605)),
            ("[1605?]", Some(1605)),
            ("2008-09-14T00:00:00+00:00", Some(2008)),
            ("14/09/2008", Some(2008)),
        ] {
            assert_eq!(year(cell), Ok(expected), "{cell}");
        }
        assert!(year("2008.5").unwrap_err().contains("2008.5"));
        assert!(year("unknown").is_err());
    }

    #[test]
    fn moments_are_read_in_the_forms_that_programs_write() {
        for (cell, expected) in [
            ("2024-05-17", "2024-05-17T00:00:00.000Z"),
            ("2024/05/17", "2024-05-17T00:00:00.000Z"),
            ("17/05/2024", "2024-05-17T00:00:00.000Z"),
            ("7.5.2024", "2024-05-07T00:00:00.000Z"),
            ("2024-05-17T09:30:00+02:00", "2024-05-17T07:30:00.000Z"),
            ("2024-05-17 09:30:00", "2024-05-17T09:30:00.000Z"),
            ("2024-05-17T09:30:00.25", "2024-05-17T09:30:00.250Z"),
        ] {
            assert_eq!(moment(cell).unwrap().unwrap().to_string(), expected, "{cell}");
        }
        assert_eq!(moment(" "), Ok(None));
        for cell in ["31/02/2024", "05/17/2024", "17/05/24", "today", "17-05-2024"] {
            assert!(moment(cell).unwrap_err().contains(cell), "{cell}");
        }
    }
}
