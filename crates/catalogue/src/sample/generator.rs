//! [`SampleGenerator`]: endless made-up books from a seed.

use super::words::{LANGUAGES, NAMES, PLACES, PUBLISHERS, QUALITIES, SUBJECTS, SURNAMES, THINGS};
use crate::book::Author;
use crate::book_draft::BookDraft;

/// Drafts of legal books without end. No two of one generator have the same title or ISBN; the same seed always
/// gives the same books.
#[derive(Debug, Clone)]
pub struct SampleGenerator {
    random: SplitMix64,
    /// Books given so far.
    count: u64,
    /// Where in the round of all titles this seed begins.
    titles_offset: u64,
}

const TITLES: u64 = (QUALITIES.len() * THINGS.len() * PLACES.len()) as u64;

impl SampleGenerator {
    /// A generator that begins anew.
    pub fn new(seed: u64) -> Self {
        let mut random = SplitMix64(seed);
        let titles_offset = random.below(TITLES);
        Self { random, count: 0, titles_offset }
    }

    /// The title of this number: a walk through all combinations in steps that meet each once, then the same with
    /// the volume after it.
    fn title(&self) -> String {
        // Has no divisor in common with the number of titles: a test checks it.
        const STEP: u64 = 7_919;
        let (volume, position) = (self.count / TITLES, self.count % TITLES);
        let index = ((self.titles_offset + position * STEP) % TITLES) as usize;
        let quality = QUALITIES[index % QUALITIES.len()];
        let thing = THINGS[index / QUALITIES.len() % THINGS.len()];
        let place = PLACES[index / QUALITIES.len() / THINGS.len()];
        match volume {
            0 => format!("{quality} {thing} {place}"),
            _ => format!("{quality} {thing} {place}, {}", volume + 1),
        }
    }

    /// An ISBN of this number, in the range 979-9, which no agency has been given: it is never a real book's.
    fn isbn(&self) -> Option<String> {
        const NUMBERS: u64 = 100_000_000;
        // There are so many only; books beyond have none rather than one that is taken.
        if self.count >= NUMBERS {
            return None;
        }
        let body = format!("9799{:08}", self.count);
        let sum: u32 =
            body.bytes().zip([1, 3].into_iter().cycle()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
        Some(format!("{body}{}", (10 - sum % 10) % 10))
    }

    fn authors(&mut self) -> Vec<Author> {
        // Mostly one; sometimes two or three.
        let count = [1, 1, 1, 1, 1, 1, 2, 2, 2, 3][self.random.below(10) as usize];
        (0..count).map(|_| Author::new(*self.random.pick(NAMES), *self.random.pick(SURNAMES))).collect()
    }

    fn subjects(&mut self) -> Vec<String> {
        let count = self.random.below(4) as usize;
        let first = self.random.below(SUBJECTS.len() as u64) as usize;
        // Neighbours in the list, so that none repeats.
        (0..count).map(|offset| SUBJECTS[(first + offset) % SUBJECTS.len()].to_owned()).collect()
    }
}

impl Iterator for SampleGenerator {
    type Item = BookDraft;

    fn next(&mut self) -> Option<BookDraft> {
        let has_publisher = self.random.below(4) > 0;
        let draft = BookDraft {
            title: self.title(),
            authors: self.authors(),
            isbn: if self.random.below(5) > 0 { self.isbn() } else { None },
            publisher: has_publisher.then(|| (*self.random.pick(PUBLISHERS)).to_owned()),
            published: Some(1_800 + self.random.below(225) as i64),
            language: Some((*self.random.pick(LANGUAGES)).to_owned()),
            subjects: self.subjects(),
        };
        self.count += 1;
        Some(draft)
    }
}

/// SplitMix64, the generator of Steele, Lea and Flood (OOPSLA 2014): small, and the same on every machine.
#[derive(Debug, Clone)]
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`. The bounds here are tiny, so that the bias of the remainder does not show.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{Book, BookId, Timestamp};

    #[test]
    fn same_seed_gives_the_same_books_and_another_seed_others() {
        let first: Vec<_> = SampleGenerator::new(7).take(100).collect();
        assert_eq!(SampleGenerator::new(7).take(100).collect::<Vec<_>>(), first);
        assert_ne!(SampleGenerator::new(8).take(100).collect::<Vec<_>>(), first);
    }

    #[test]
    fn books_are_legal_and_distinct_beyond_the_first_round_of_titles() {
        let (mut titles, mut isbns) = (HashSet::new(), HashSet::new());
        for draft in SampleGenerator::new(1).take(TITLES as usize * 2 + 10) {
            assert!(titles.insert(draft.title.clone()), "{}", draft.title);
            assert!(draft.isbn.as_ref().is_none_or(|isbn| isbns.insert(isbn.clone())));
            let id = BookId::from_parts(0, [0; 10]);
            Book::new(id, Timestamp::MIN, draft).unwrap();
        }
    }

    #[test]
    fn numbers_are_those_of_the_reference_implementation() {
        let mut random = SplitMix64(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }
}
