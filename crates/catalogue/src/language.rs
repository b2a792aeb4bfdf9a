//! Languages: BCP 47 tags in one normal form, and what other programs write instead of tags.
//!
//! The grammar and the case of tags are the `oxilangtag` crate's. On top of it, a language that has a two-letter
//! code is always written with that, as BCP 47 asks: programs that still write `eng` mean `en`.

use crate::limits::LANGUAGE_CHARACTERS_MAX;

/// One language on each line: two-letter code, three-letter codes, English name.
const ISO_639: &str = include_str!("iso_639.txt");

/// The normal form of a tag: `EN-gb` and `eng-GB` give `en-GB`. `None` for what is no tag or too long.
pub(crate) fn normal_tag(text: &str) -> Option<String> {
    // Tags for private use have no bound by themselves.
    if text.len() > LANGUAGE_CHARACTERS_MAX {
        return None;
    }
    let (primary, rest) = text.split_at(text.find('-').unwrap_or(text.len()));
    // The grammar keeps four letters and more for languages to come. There are none; it is a name, such as English.
    if primary.len() > 3 {
        return None;
    }
    let primary = primary.to_ascii_lowercase();
    // Looked up only where it can matter: this is on the way of every file that is read.
    let shortened = if primary.len() == 3 {
        two_letter_code(|entry| entry.three.split('/').any(|code| code == primary))
    } else {
        None
    };
    let primary = shortened.unwrap_or(&primary);
    let tag = oxilangtag::LanguageTag::parse_and_normalize(&format!("{primary}{rest}")).ok()?;
    Some(tag.into_inner())
}

/// The tag for the first language of a list of codes, tags or English names. A blank list is `Ok(None)`; the error
/// is the text that stands for no known language.
pub(crate) fn first_of_list(cell: &str) -> Result<Option<String>, &str> {
    let first = cell.split([',', ';', '|']).map(str::trim).find(|part| !part.is_empty());
    let Some(text) = first else { return Ok(None) };
    two_letter_code(|entry| entry.name.eq_ignore_ascii_case(text))
        .map(str::to_owned)
        .or_else(|| normal_tag(&text.replace('_', "-")))
        .map(Some)
        .ok_or(text)
}

struct Entry {
    two: &'static str,
    three: &'static str,
    name: &'static str,
}

fn entries() -> impl Iterator<Item = Entry> {
    ISO_639.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut parts = line.splitn(3, ' ');
        let mut part = || parts.next().expect("a test reads every line of the table");
        Entry { two: part(), three: part(), name: part() }
    })
}

fn two_letter_code(is_it: impl Fn(&Entry) -> bool) -> Option<&'static str> {
    entries().find(is_it).map(|entry| entry.two)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_take_their_normal_form() {
        for (text, tag) in [
            ("en", "en"),
            ("EN-gb", "en-GB"),
            ("eng", "en"),
            ("fre-CA", "fr-CA"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("grc", "grc"),
            ("mul", "mul"),
            ("x-elvish", "x-elvish"),
            ("i-klingon", "i-klingon"),
        ] {
            assert_eq!(normal_tag(text).as_deref(), Some(tag), "{text}");
        }
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for text in
            ["", "e", "English", "en_GB", "en-", "-en", "en GB", "日本語", "--", &format!("x-{}", "a-".repeat(40))]
        {
            assert_eq!(normal_tag(text), None, "{text}");
        }
    }

    #[test]
    fn lists_of_codes_and_names_give_their_first_language() {
        for (cell, tag) in [
            (" ", None),
            ("eng, fra", Some("en")),
            ("English; German", Some("en")),
            ("pt_BR", Some("pt-BR")),
            ("norwegian bokmål", Some("nb")),
            // Thai of Anguilla, not the name of a language.
            ("th-AI", Some("th-AI")),
        ] {
            assert_eq!(first_of_list(cell).unwrap().as_deref(), tag, "{cell}");
        }
        assert_eq!(first_of_list("Klingon, English"), Err("Klingon"));
    }

    #[test]
    fn every_line_of_the_table_is_a_language() {
        assert_eq!(entries().count(), 184);
        for entry in entries() {
            assert_eq!(normal_tag(entry.two).as_deref(), Some(entry.two));
            assert_eq!(normal_tag(entry.three.split('/').next().unwrap()).as_deref(), Some(entry.two));
            assert_eq!(first_of_list(entry.name), Ok(Some(entry.two.to_owned())));
        }
    }
}
