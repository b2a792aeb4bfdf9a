//! Author names as programs write them, as given names and surname.
//!
//! Names of the world do not follow one rule; this one is right for most names of European catalogues. What it
//! gets wrong is easily put right by hand, which losing a part of a name would not be: no letter is dropped.

use crate::book::Author;

/// Words that belong to the surname that follows on them.
const PARTICLES: &[&str] = &[
    "af", "al", "av", "bin", "bint", "d'", "da", "dal", "de", "degli", "dei", "del", "dela", "della", "den", "der",
    "des", "di", "do", "dos", "du", "el", "ibn", "la", "las", "le", "les", "los", "op", "ten", "ter", "tot", "van",
    "vom", "von", "vander", "zu", "zum", "zur",
];

/// Words that belong to the surname that they follow on.
const SUFFIXES: &[&str] = &["jr", "jnr", "sr", "snr", "ii", "iii", "iv", "v", "esq", "phd", "md"];

/// `Ursula K. Le Guin`: the surname is the last word, with its particles and suffixes; one word is a surname.
pub(super) fn full_name(text: &str) -> Author {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut last = words.len().saturating_sub(1);
    while last > 1 && is_suffix(words[last]) {
        last -= 1;
    }
    let mut start = last;
    while start > 1 && is_particle(words[start - 1]) {
        start -= 1;
    }
    // In lower case a particle begins the surname wherever it stands: Miguel | de Cervantes Saavedra, | de Sade.
    let is_lower = |word: &str| word.chars().all(|character| !character.is_uppercase());
    if let Some(first) = words[..start].iter().position(|word| is_particle(word) && is_lower(word)) {
        start = first;
    }
    Author::new(words[..start].join(" "), words[start..].join(" "))
}

/// `Le Guin, Ursula K.`; without a comma a full name.
pub(super) fn inverted(text: &str) -> Author {
    match text.split_once(',') {
        Some((surname, name)) if !surname.trim().is_empty() && !name.trim().is_empty() => {
            Author::new(name.trim(), surname.trim())
        }
        _ => full_name(text.trim().trim_end_matches(',')),
    }
}

/// `J.K. Rowling, Mary GrandPré`; a suffix after a comma stays with its name: `Martin Luther King, Jr.`
pub(super) fn full_names(text: &str, separator: char) -> Vec<Author> {
    let mut names: Vec<String> = Vec::new();
    for part in text.split(separator).map(str::trim).filter(|part| !part.is_empty()) {
        match names.last_mut() {
            Some(previous) if is_suffix(part) => {
                previous.push(' ');
                previous.push_str(part);
            }
            _ => names.push(part.to_owned()),
        }
    }
    names.iter().map(|name| full_name(name)).collect()
}

/// `Le Guin, Ursula K.|Tolkien, J. R. R.`
pub(super) fn inverted_names(text: &str) -> Vec<Author> {
    text.split(['|', ';']).filter(|part| !part.trim().is_empty()).map(inverted).collect()
}

/// Authors of a table of unknown origin. Semicolons, bars or ampersands separate names of either form. Commas alone
/// are ambiguous: `Austen, Jane` is one author, as what stands before the comma is a single word.
pub(super) fn names_of_unknown_form(text: &str) -> Vec<Author> {
    if text.contains([';', '|']) {
        return inverted_names(text);
    }
    if text.contains('&') {
        return text.split('&').filter(|part| !part.trim().is_empty()).map(inverted).collect();
    }
    match text.split_once(',') {
        Some((before, after)) if !before.trim().contains(char::is_whitespace) && !after.contains(',') => {
            vec![inverted(text)]
        }
        _ => full_names(text, ','),
    }
}

fn is_particle(word: &str) -> bool {
    PARTICLES.contains(&word.to_lowercase().replace('’', "'").as_str())
}

fn is_suffix(word: &str) -> bool {
    SUFFIXES.contains(&word.trim_end_matches('.').to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(authors: &[Author]) -> Vec<(&str, &str)> {
        authors.iter().map(|author| (author.name.as_str(), author.surname.as_str())).collect()
    }

    #[test]
    fn surname_is_the_last_word_with_its_particles_and_suffixes() {
        for (text, name, surname) in [
            ("Suzanne  Collins", "Suzanne", "Collins"),
            ("J.R.R. Tolkien", "J.R.R.", "Tolkien"),
            ("Homer", "", "Homer"),
            ("Ursula K. Le Guin", "Ursula K.", "Le Guin"),
            ("Vincent van Gogh", "Vincent", "van Gogh"),
            ("Johann Wolfgang von Goethe", "Johann Wolfgang", "von Goethe"),
            ("Melissa de la Cruz", "Melissa", "de la Cruz"),
            ("Miguel de Cervantes Saavedra", "Miguel", "de Cervantes Saavedra"),
            ("de Sade", "", "de Sade"),
            ("Van Morrison", "Van", "Morrison"),
            ("Kurt Vonnegut Jr.", "Kurt", "Vonnegut Jr."),
            ("Malcolm Jones III", "Malcolm", "Jones III"),
            ("夏目 漱石", "夏目", "漱石"),
            ("", "", ""),
        ] {
            assert_eq!(full_name(text), Author::new(name, surname), "{text}");
        }
    }

    #[test]
    fn lists_are_split_where_their_form_says() {
        let rowling = [("J.K.", "Rowling"), ("Mary", "GrandPré")];
        assert_eq!(pairs(&full_names("J.K. Rowling, Mary GrandPré", ',')), rowling);
        assert_eq!(pairs(&full_names("J.K. Rowling & Mary GrandPré", '&')), rowling);
        assert_eq!(pairs(&inverted_names("Rowling, J.K.|GrandPré, Mary")), rowling);
        let king = [("Martin Luther", "King Jr."), ("Coretta", "King")];
        assert_eq!(pairs(&full_names("Martin Luther King, Jr., Coretta King", ',')), king);
    }

    #[test]
    fn names_of_unknown_form_are_told_apart_by_their_separators() {
        let rowling = [("J.K.", "Rowling"), ("Mary", "GrandPré")];
        for text in [
            "J.K. Rowling, Mary GrandPré",
            "J.K. Rowling; Mary GrandPré",
            "Rowling, J.K.; GrandPré, Mary",
            "J.K. Rowling & Mary GrandPré",
        ] {
            assert_eq!(pairs(&names_of_unknown_form(text)), rowling, "{text}");
        }
        assert_eq!(pairs(&names_of_unknown_form("Austen, Jane")), [("Jane", "Austen")]);
        assert_eq!(pairs(&names_of_unknown_form("Homer")), [("", "Homer")]);
        assert!(names_of_unknown_form(" ").is_empty());
    }
}
