//! Every answer that a client got, and what must therefore be true in the end.

use std::collections::BTreeMap;

/// What a writer knows of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered as committed.
    Committed {
        /// The book.
        id: String,
        /// Its digest.
        digest: String,
    },
    /// It was refused or aborted: it must never appear.
    Refused,
    /// No answer, or "not known yet": both are allowed.
    Unknown,
}

/// The outcomes of all changes, by key; each change makes one book whose title is the key.
#[derive(Debug, Clone, Default)]
pub struct Ledger(pub BTreeMap<String, Outcome>);

impl Ledger {
    /// Checks what is on disk against every answer.
    ///
    /// # Panics
    /// If an acknowledged change is lost or differs, a refused one is there, or any one is there twice.
    pub fn check(&self, files: &BTreeMap<std::path::PathBuf, Vec<u8>>) {
        let mut found = BTreeMap::<String, Vec<String>>::new();
        for content in files.values() {
            let book = catalogue::Book::from_canonical_xml(content).expect("every file is a canonical book");
            found.entry(book.title().to_owned()).or_default().push(crate::digest_of(content));
        }
        for (key, outcome) in &self.0 {
            let digests = found.get(key).map_or(&[][..], Vec::as_slice);
            assert!(digests.len() <= 1, "{key} was applied {} times", digests.len());
            match outcome {
                Outcome::Committed { digest, .. } => {
                    assert_eq!(digests, std::slice::from_ref(digest), "{key} was acknowledged and is lost or differs");
                }
                Outcome::Refused => assert!(digests.is_empty(), "{key} was refused and is there"),
                Outcome::Unknown => {}
            }
        }
    }

    /// How many changes had this outcome.
    #[must_use]
    pub fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.0.values().filter(|outcome| which(outcome)).count()
    }
}
