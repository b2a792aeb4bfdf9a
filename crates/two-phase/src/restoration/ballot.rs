//! The ballot on one file: pure functions from what everybody holds to a verdict.
//!
//! 1. The newest record is known: copies with that digest are intact, even if there is only one. The basis says whether a
//!    strict majority of the registered replicators agreed, or was overruled by the proof. If nobody has those bytes, the file
//!    is lost; but as long as somebody has not answered, nobody can know that, and it is undecided.
//! 2. No record is known at all: a strict majority of the registered replicators on one digest (or on absence), else undecided.
//!
//! A tie is undecided. A missing file is damage, never a vote to delete, wherever a record says that it exists.

use protocol::{Basis, Digest, Finding, HoldingKind, Record};
use std::collections::BTreeMap;

/// What is known of the newest committed state of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// It was committed with this record.
    Present(Record),
    /// No such file was committed; or it was deleted.
    Absent,
    /// No trusted manifest says anything.
    Nothing,
}

/// What one replicator was found to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holding {
    /// A file with this digest.
    File(Digest),
    /// No file.
    Nothing,
    /// It did not answer.
    NoAnswer,
}

/// What must be done about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Winner {
    /// The bytes with this digest.
    File(Digest),
    /// No file.
    Absence,
    /// Nothing: it is left alone.
    None,
}

/// The outcome of a ballot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// What it rests on.
    pub basis: Basis,
    /// What wins.
    pub winner: Winner,
}

/// Takes the ballot. `replicators` has one entry for each *registered* replicator; `found_elsewhere` tells whether bytes with
/// the record's digest were found outside of the replicators' files: in an app-server's copy, a log or a quarantine.
#[must_use]
pub fn decide(knowledge: Knowledge, replicators: &[Holding], found_elsewhere: bool) -> Verdict {
    match knowledge {
        Knowledge::Present(record) => {
            let agreeing = count(replicators, Holding::File(record.digest));
            let winner = Winner::File(record.digest);
            match agreeing {
                _ if is_majority(agreeing, replicators.len()) => Verdict { basis: Basis::Majority, winner },
                0 if !found_elsewhere && replicators.contains(&Holding::NoAnswer) => {
                    Verdict { basis: Basis::Undecided, winner: Winner::None }
                }
                0 if !found_elsewhere => Verdict { basis: Basis::Lost, winner: Winner::None },
                _ => Verdict { basis: Basis::Proven, winner },
            }
        }
        Knowledge::Absent => {
            let agreed = is_majority(count(replicators, Holding::Nothing), replicators.len());
            let basis = if agreed { Basis::Majority } else { Basis::Proven };
            Verdict { basis, winner: Winner::Absence }
        }
        Knowledge::Nothing => by_majority_alone(replicators),
    }
}

fn by_majority_alone(replicators: &[Holding]) -> Verdict {
    let mut votes = BTreeMap::new();
    for holding in replicators.iter().filter(|holding| **holding != Holding::NoAnswer) {
        *votes.entry(*holding).or_insert(0) += 1;
    }
    let winner = votes.into_iter().find(|(_, count)| is_majority(*count, replicators.len()));
    match winner {
        Some((Holding::File(digest), _)) => Verdict { basis: Basis::Majority, winner: Winner::File(digest) },
        Some((Holding::Nothing, _)) => Verdict { basis: Basis::Majority, winner: Winner::Absence },
        Some((Holding::NoAnswer, _)) | None => Verdict { basis: Basis::Undecided, winner: Winner::None },
    }
}

fn count(replicators: &[Holding], holding: Holding) -> usize {
    replicators.iter().filter(|one| **one == holding).count()
}

/// More than half of those registered, whoever is alive.
fn is_majority(count: usize, registered: usize) -> bool {
    2 * count > registered
}

/// What a copy is, measured against the newest record. `older` tells whether these bytes were an older record of this file.
#[must_use]
pub fn classify(record: Option<&Record>, found: Option<&Finding>, older: impl FnOnce(&Finding) -> bool) -> HoldingKind {
    match (record, found) {
        (Some(record), Some(found)) if *found == Finding::of(record) => HoldingKind::Intact,
        (Some(_), Some(found)) if older(found) => HoldingKind::Stale,
        (Some(_), Some(_)) => HoldingKind::Damaged,
        (Some(_), None) => HoldingKind::Missing,
        (None, Some(_)) => HoldingKind::Extra,
        (None, None) => HoldingKind::Intact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Version;

    fn digest(byte: u8) -> Digest {
        Digest([byte; 32])
    }

    fn record(byte: u8) -> Record {
        Record { digest: digest(byte), size: 1, version: Version(1) }
    }

    /// All ways in which `replicators` copies can be: the newest bytes, two kinds of other bytes, missing, no answer.
    fn all_combinations(replicators: usize) -> Vec<Vec<Holding>> {
        let kinds = [
            Holding::File(digest(1)),
            Holding::File(digest(2)),
            Holding::File(digest(3)),
            Holding::Nothing,
            Holding::NoAnswer,
        ];
        (0..replicators).fold(vec![Vec::new()], |combinations, _| {
            combinations
                .iter()
                .flat_map(|combination| kinds.iter().map(|kind| [combination.as_slice(), &[*kind]].concat()))
                .collect()
        })
    }

    #[test]
    fn with_a_record_no_other_bytes_ever_win_whatever_the_majority_holds() {
        for replicators in 1..=5 {
            for combination in all_combinations(replicators) {
                for elsewhere in [false, true] {
                    let verdict = decide(Knowledge::Present(record(1)), &combination, elsewhere);
                    let held = combination.contains(&Holding::File(digest(1))) || elsewhere;
                    let expected = if held { Winner::File(digest(1)) } else { Winner::None };
                    assert_eq!(verdict.winner, expected, "{combination:?}");
                    let all_answered = !combination.contains(&Holding::NoAnswer);
                    assert_eq!(verdict.basis == Basis::Lost, !held && all_answered, "{combination:?}");
                    assert_eq!(verdict.basis == Basis::Undecided, !held && !all_answered, "{combination:?}");
                }
            }
        }
    }

    #[test]
    fn without_a_record_only_more_than_half_of_the_registered_decides() {
        for replicators in 1..=5 {
            for combination in all_combinations(replicators) {
                let verdict = decide(Knowledge::Nothing, &combination, true);
                let votes_for = |holding| 2 * count(&combination, holding) > replicators;
                match verdict.winner {
                    Winner::File(digest) => assert!(votes_for(Holding::File(digest)), "{combination:?}"),
                    Winner::Absence => assert!(votes_for(Holding::Nothing), "{combination:?}"),
                    Winner::None => {
                        assert_eq!(verdict.basis, Basis::Undecided);
                        let any = [digest(1), digest(2), digest(3)]
                            .into_iter()
                            .any(|digest| votes_for(Holding::File(digest)));
                        assert!(!any && !votes_for(Holding::Nothing), "{combination:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_tie_is_undecided() {
        let holdings =
            [Holding::File(digest(1)), Holding::File(digest(1)), Holding::File(digest(2)), Holding::File(digest(2))];
        assert_eq!(decide(Knowledge::Nothing, &holdings, false).basis, Basis::Undecided);
    }

    #[test]
    fn one_intact_copy_wins_over_two_that_are_damaged_alike() {
        let holdings = [Holding::File(digest(2)), Holding::File(digest(2)), Holding::File(digest(1))];
        let verdict = decide(Knowledge::Present(record(1)), &holdings, false);
        assert_eq!(verdict, Verdict { basis: Basis::Proven, winner: Winner::File(digest(1)) });
    }

    #[test]
    fn a_file_missing_on_two_of_three_is_not_deleted_on_the_third() {
        let holdings = [Holding::Nothing, Holding::Nothing, Holding::File(digest(1))];
        let verdict = decide(Knowledge::Present(record(1)), &holdings, false);
        assert_eq!(verdict, Verdict { basis: Basis::Proven, winner: Winner::File(digest(1)) });
    }

    #[test]
    fn a_deleted_file_that_came_back_on_two_of_three_stays_deleted() {
        let holdings = [Holding::File(digest(1)), Holding::File(digest(1)), Holding::Nothing];
        let verdict = decide(Knowledge::Absent, &holdings, false);
        assert_eq!(verdict, Verdict { basis: Basis::Proven, winner: Winner::Absence });
    }
}
