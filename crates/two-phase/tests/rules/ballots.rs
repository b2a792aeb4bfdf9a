//! The ballot over all combinations of seven states of three and of five copies: never a wrong choice, and every refusal where
//! nothing proves a copy. What must be chosen is said here once more, by counting.

use protocol::{Basis, Digest, Record, Version};
use two_phase::restoration::ballot::{Holding, Knowledge, Winner, decide};

/// The bytes that the newest record names.
const NEWEST: u8 = 1;

fn bytes(byte: u8) -> Digest {
    Digest([byte; 32])
}

/// What a copy can be: as committed, older bytes, two kinds of damage, another file's bytes, missing, not answering.
fn states() -> [Holding; 7] {
    let file = |byte| Holding::File(bytes(byte));
    [file(NEWEST), file(2), file(3), file(4), file(5), Holding::Nothing, Holding::NoAnswer]
}

fn combinations(copies: usize) -> impl Iterator<Item = Vec<Holding>> {
    let states = states();
    let number = states.len().pow(u32::try_from(copies).expect("few copies"));
    (0..number).map(move |mut code| {
        let mut next = || {
            let state = states[code % states.len()];
            code /= states.len();
            state
        };
        (0..copies).map(|_| next()).collect()
    })
}

fn copies_that_are(copies: &[Holding], state: Holding) -> usize {
    copies.iter().filter(|copy| **copy == state).count()
}

/// The state that more than half of all registered copies are in. Silence is none.
fn agreed(copies: &[Holding]) -> Option<Holding> {
    let spoken = states().into_iter().filter(|state| *state != Holding::NoAnswer);
    spoken.into_iter().find(|state| copies_that_are(copies, *state) > copies.len() / 2)
}

/// What wins, and on what basis, by the words of the contract.
fn expected(knowledge: Knowledge, copies: &[Holding], elsewhere: bool) -> (Basis, Winner) {
    let by_proof = |state| if agreed(copies) == Some(state) { Basis::Majority } else { Basis::Proven };
    match knowledge {
        Knowledge::Present(record) => {
            let newest = Holding::File(record.digest);
            if copies.contains(&newest) || elsewhere {
                (by_proof(newest), Winner::File(record.digest))
            } else if copies.contains(&Holding::NoAnswer) {
                (Basis::Undecided, Winner::None)
            } else {
                (Basis::Lost, Winner::None)
            }
        }
        Knowledge::Absent => (by_proof(Holding::Nothing), Winner::Absence),
        Knowledge::Nothing => match agreed(copies) {
            Some(Holding::File(digest)) => (Basis::Majority, Winner::File(digest)),
            Some(_) => (Basis::Majority, Winner::Absence),
            None => (Basis::Undecided, Winner::None),
        },
    }
}

#[test]
fn no_combination_of_copies_leads_to_a_wrong_choice() {
    let record = Record { digest: bytes(NEWEST), size: 1, version: Version(9) };
    let mut ballots = 0;
    let (mut lost, mut undecided) = (0, 0);
    for copies in combinations(3).chain(combinations(5)) {
        for knowledge in [Knowledge::Present(record), Knowledge::Absent, Knowledge::Nothing] {
            for elsewhere in [false, true] {
                let verdict = decide(knowledge, &copies, elsewhere);
                let found = (verdict.basis, verdict.winner);
                assert_eq!(found, expected(knowledge, &copies, elsewhere), "{knowledge:?}, {elsewhere}: {copies:?}");
                ballots += 1;
                lost += usize::from(verdict.basis == Basis::Lost);
                undecided += usize::from(verdict.basis == Basis::Undecided);
            }
        }
    }
    assert_eq!(ballots, (343 + 16_807) * 6);
    // Nobody has the bytes: 5 states without them and without silence of 3 and of 5 copies, where nothing lies elsewhere.
    assert_eq!(lost, 5_usize.pow(3) + 5_usize.pow(5));
    println!("{ballots} ballots: {lost} times lost, {undecided} times undecided, no wrong choice");
    assert!(undecided > lost);
}
