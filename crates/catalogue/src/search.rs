//! Text as searching and sorting see it: blind to case, accents and the typography of quotation marks.
//!
//! Used by the index of the app-server, for what it holds and for what people type. Nothing here is stored.

use unicode_normalization::UnicodeNormalization;

/// Folds a text so that spellings that people take for the same become equal: `Škvorecký` and `skvorecky`,
/// `Œuvres` and `oeuvres`, `Straße` and `STRASSE`, full-width and ordinary digits.
///
/// Compatibility decomposition (NFKD), lower case, accents off, special letters spelled out, composed again (NFC).
/// Only accents are taken off: the vowel signs of Indic scripts and the voicing marks of Japanese are marks for
/// Unicode too, but other words without them. Folding twice changes nothing more.
pub fn fold(text: &str) -> String {
    text.nfkd()
        .flat_map(char::to_lowercase)
        // Some capitals become a letter and an accent only now.
        .nfkd()
        .filter(|character| !is_accent(*character))
        .flat_map(spelled_out)
        .nfc()
        .collect()
}

/// The key by which titles and names sort: folded, white space as single spaces, and without the quotation marks,
/// brackets and dots that a title may begin with.
///
/// Keys are compared as text, code point by code point. Articles stay: which words are articles depends on the
/// language. A title that has nothing but signs keeps them.
pub fn sort_key(text: &str) -> String {
    let folded = fold(text);
    let words = folded.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.find(char::is_alphanumeric) {
        Some(start) => words[start..].to_owned(),
        None => words,
    }
}

/// The marks that Latin, Greek, Cyrillic, Hebrew and Arabic words are commonly written without.
fn is_accent(character: char) -> bool {
    matches!(character,
        '\u{0300}'..='\u{036f}'     // combining diacritical marks
        | '\u{0483}'..='\u{0487}'   // Cyrillic titlo and its kin
        | '\u{0591}'..='\u{05bd}' | '\u{05bf}' | '\u{05c1}'..='\u{05c2}' | '\u{05c4}'..='\u{05c5}' | '\u{05c7}'
        | '\u{0610}'..='\u{061a}' | '\u{064b}'..='\u{065f}' | '\u{0670}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Letters that have no decomposition in Unicode, but one in the head of whoever has no such key on the keyboard.
fn spelled_out(character: char) -> impl Iterator<Item = char> {
    let (first, second) = match character {
        'ß' => ('s', Some('s')),
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'þ' => ('t', Some('h')),
        'ø' => ('o', None),
        'ł' => ('l', None),
        'đ' | 'ð' => ('d', None),
        'ħ' => ('h', None),
        'ŧ' => ('t', None),
        'ŋ' => ('n', None),
        'ı' => ('i', None),
        'ς' => ('σ', None),
        '‘' | '’' | '‚' | '‛' | 'ʼ' | 'ʻ' | '`' => ('\'', None),
        '“' | '”' | '„' | '‟' | '«' | '»' => ('"', None),
        '‐' | '‒' | '–' | '—' | '―' | '−' => ('-', None),
        other => (other, None),
    };
    std::iter::once(first).chain(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_that_people_take_for_the_same_are_equal() {
        for (text, folded) in [
            ("Gabriel García Márquez", "gabriel garcia marquez"),
            ("STRASSE straße STRAẞE", "strasse strasse strasse"),
            ("Ærø Œuvre Łódź Đorđe Þórbergur", "aero oeuvre lodz dorde thorbergur"),
            ("İstanbul ISTANBUL ıstanbul", "istanbul istanbul istanbul"),
            ("ΟΔΥΣΣΕΥΣ Ὀδυσσεύς", "οδυσσευσ οδυσσευσ"),
            ("Ёлка ёлка", "елка елка"),
            ("１９８４ ﬁn ①", "1984 fin 1"),
            ("Don’t — “stop”", "don't - \"stop\""),
            ("e\u{301}\u{302}", "e"),
            ("שָׁלוֹם كِتَاب", "שלום كتاب"),
        ] {
            assert_eq!(fold(text), folded);
        }
    }

    #[test]
    fn marks_that_make_other_words_stay() {
        assert_ne!(fold("が"), fold("か"));
        assert_ne!(fold("हिन्दी"), fold("हनद"));
        assert_eq!(fold("한국어"), "한국어");
        assert_eq!(fold("📚"), "📚");
    }

    #[test]
    fn folding_twice_changes_nothing_for_any_character() {
        // Every plane with letters that fold, and the ideographs that are only kept for compatibility.
        for character in ('\0'..='\u{1ffff}').chain('\u{2f800}'..='\u{2fa1f}') {
            let once = fold(&character.to_string());
            assert_eq!(fold(&once), once, "U+{:04X}", u32::from(character));
        }
    }

    #[test]
    fn sort_key_passes_over_what_a_title_begins_with() {
        assert_eq!(sort_key("  “Élan”\n vital "), "elan\" vital");
        assert_eq!(sort_key("¿Qué?"), "que?");
        assert_eq!(sort_key("…"), "...");
        assert_eq!(sort_key("?!"), "?!");
    }
}
