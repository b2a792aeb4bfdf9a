//! One book as a register: what a correct catalogue would answer, one request after the other; and whether what many clients were
//! told at the same time can be explained by some such order (Herlihy, Wing: Linearizability, 1990).

use stateright::semantics::{ConsistencyTester as _, LinearizabilityTester, SequentialSpec};

/// Every value is written at most once, so that a value names the write that it comes from.
pub(crate) type Value = u32;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// What the book holds.
    Read,
    /// `If-Match` names the digest of `expected`.
    Replace {
        /// What was read before.
        expected: Value,
        /// What it is to be.
        new: Value,
    },
    /// `If-Match` names the digest of `expected`.
    Delete {
        /// What was read before.
        expected: Value,
    },
}

/// What it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The book has this value; or there is none.
    Is(Option<Value>),
    /// Committed.
    Done,
    /// It has another value, or there is none.
    Refused,
    /// Nothing was changed, and nothing was learned: a read without an answer, a round that was aborted.
    Nothing,
}

/// A book that exists, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Register(Option<Value>);

impl SequentialSpec for Register {
    type Op = Operation;
    type Ret = Answer;

    fn invoke(&mut self, operation: &Operation) -> Answer {
        let (expected, new) = match operation {
            Operation::Read => return Answer::Is(self.0),
            Operation::Replace { expected, new } => (expected, Some(*new)),
            Operation::Delete { expected } => (expected, None),
        };
        if self.0 != Some(*expected) {
            return Answer::Refused;
        }
        self.0 = new;
        Answer::Done
    }

    fn is_valid_step(&mut self, operation: &Operation, answer: &Answer) -> bool {
        *answer == Answer::Nothing || self.invoke(operation) == *answer
    }
}

/// What happened to a book, in the order in which its clients saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// This client asks for this.
    Asked(usize, Operation),
    /// This client is told this.
    Told(usize, Answer),
}

/// Whether some order of the operations, each between its question and its answer, explains all answers. An operation without an
/// answer may have happened or not.
///
/// # Panics
/// If a client asks for something before it was told about what it asked for before.
#[must_use]
pub fn is_linearizable(first: Value, events: &[Event]) -> bool {
    let mut tester = LinearizabilityTester::new(Register(Some(first)));
    for event in events {
        let fed = match event {
            Event::Asked(client, operation) => tester.on_invoke(*client, operation.clone()).map(|_| ()),
            Event::Told(client, answer) => tester.on_return(*client, answer.clone()).map(|_| ()),
        };
        fed.expect("a client asks one thing at a time");
    }
    tester.is_consistent()
}

#[cfg(test)]
mod tests {
    use super::{Answer::*, Event::*, Operation::*, *};

    fn asked_and_told(client: usize, operation: Operation, answer: Answer) -> [Event; 2] {
        [Asked(client, operation), Told(client, answer)]
    }

    fn in_turn(steps: &[[Event; 2]]) -> bool {
        is_linearizable(0, &steps.concat())
    }

    #[test]
    fn reads_and_writes_one_after_the_other() {
        assert!(in_turn(&[
            asked_and_told(1, Read, Is(Some(0))),
            asked_and_told(1, Replace { expected: 0, new: 1 }, Done),
            asked_and_told(2, Read, Is(Some(1))),
            asked_and_told(2, Delete { expected: 0 }, Refused),
            asked_and_told(2, Delete { expected: 1 }, Done),
            asked_and_told(1, Read, Is(None)),
        ]));
    }

    #[test]
    fn stale_read_is_found() {
        let write = asked_and_told(1, Replace { expected: 0, new: 1 }, Done);
        assert!(!in_turn(&[write, asked_and_told(2, Read, Is(Some(0)))]));
    }

    #[test]
    fn lost_update_is_found() {
        let first = asked_and_told(1, Replace { expected: 0, new: 1 }, Done);
        assert!(!in_turn(&[first, asked_and_told(2, Replace { expected: 0, new: 2 }, Done)]));
    }

    #[test]
    fn deleted_book_that_is_back_is_found() {
        let delete = asked_and_told(1, Delete { expected: 0 }, Done);
        assert!(!in_turn(&[delete, asked_and_told(2, Read, Is(Some(0)))]));
    }

    #[test]
    fn refusal_that_nothing_explains_is_found() {
        assert!(!in_turn(&[asked_and_told(1, Replace { expected: 0, new: 1 }, Refused)]));
    }

    #[test]
    fn write_without_an_answer_may_have_happened_and_stays_as_it_was_seen() {
        let lost = Asked(1, Replace { expected: 0, new: 1 });
        let read = |value| asked_and_told(2, Read, Is(Some(value))).to_vec();
        assert!(is_linearizable(0, &[vec![lost.clone()], read(0), read(1)].concat()));
        assert!(!is_linearizable(0, &[vec![lost], read(1), read(0)].concat()));
    }
}
