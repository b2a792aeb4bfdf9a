//! What comes from outside, made up: every byte that a process reads from the network, from a disk or from a person.
//!
//! A target takes any bytes and panics if something does not hold: that nothing panics, that what is read is what was written, that
//! what is refused is refused. Coverage guides the long run (`scripts/fuzz`, libFuzzer); every test run replays the corpus, and
//! changes it at random a fixed number of times (`tests/corpus.rs`).
//!
//! | module | bytes from |
//! | --- | --- |
//! | [`wire`] | the peers of coordinator, replicators and app-servers |
//! | [`people`] | clients: books as XML, as JSON, and files of many |
//! | [`disk`] | logs and checkpoints |
//!
//! REST bodies as a whole go to a running app-server (`crates/app-server/tests/rest/made_up_requests.rs`).

#![allow(clippy::unwrap_used, reason = "a panic is the finding")]

pub mod disk;
pub mod people;
pub mod wire;

/// One kind of bytes, and what must hold of them.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of the folder of its corpus.
    pub name: &'static str,
    /// Panics if something does not hold.
    pub check: fn(&[u8]),
    /// How often a test run changes each entry of the corpus: more often what is cheaper.
    pub changes_in_test_run: u32,
}

/// All of them.
pub const TARGETS: [Target; 8] = [
    Target { name: "wire", check: wire::check, changes_in_test_run: 1 },
    Target { name: "book_xml", check: people::check_book_xml, changes_in_test_run: 1_000 },
    Target { name: "book_json", check: people::check_book_json, changes_in_test_run: 1_000 },
    Target { name: "import", check: people::check_import, changes_in_test_run: 200 },
    Target { name: "log_segment", check: disk::check_log_segment, changes_in_test_run: 20 },
    Target { name: "decision_log", check: disk::check_decision_log, changes_in_test_run: 20 },
    Target { name: "replicator_log", check: disk::check_replicator_log, changes_in_test_run: 20 },
    Target { name: "checkpoint", check: disk::check_checkpoint, changes_in_test_run: 20 },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
