//! The report of a restore: each damaged file, each vote, the basis of the verdict, and what was done.

use crate::{Digest, HolderId, Record, RestorationId, Version};
use serde::{Deserialize, Serialize};

/// What a holder has of one file, measured against the newest record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldingKind {
    /// What the record says; for a record of absence: nothing.
    Intact,
    /// The bytes of an older record.
    Stale,
    /// Other bytes.
    Damaged,
    /// No file, though there should be one.
    Missing,
    /// A file, though there should be none.
    Extra,
    /// Rounds change it at this moment; it was not judged.
    Changing,
    /// The holder did not answer.
    NoAnswer,
}

/// What a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// More than half of the registered replicators agree.
    Majority,
    /// The newest record proves which copy is right, whatever the majority holds.
    Proven,
    /// Nobody holds the bytes that the record names.
    Lost,
    /// Nothing proves any copy, and no majority agrees.
    Undecided,
}

/// One holder's vote.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldingReport {
    /// Whose.
    pub holder: HolderId,
    /// What it has.
    pub holding: HoldingKind,
    /// The digest of what it has.
    pub digest: Option<Digest>,
    /// The size in bytes of what it has.
    pub size: Option<u64>,
    /// More about it, for people.
    pub note: Option<String>,
}

/// What was done about a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealAction {
    /// Put right, and read back from disk.
    Healed,
    /// It would be put right, were this not a dry run.
    WouldHeal,
    /// It could not be put right.
    Failed,
    /// Left alone.
    Left,
}

/// What was done about one holder's copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealReport {
    /// Whose copy.
    pub holder: HolderId,
    /// What was done.
    pub action: HealAction,
    /// More about it, for people.
    pub detail: Option<String>,
    /// Where the replaced bytes are, relative to the holder's data directory.
    pub quarantined: Option<String>,
}

/// One file that is not intact everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileReport {
    /// The file's path, or the name of a file that is no book's.
    pub name: String,
    /// Its newest record; none if no such file was committed.
    pub record: Option<Record>,
    /// What each holder has.
    pub ballot: Vec<HoldingReport>,
    /// What the verdict rests on.
    pub verdict: Basis,
    /// The digest that wins; none where absence wins or nothing does.
    pub winner: Option<Digest>,
    /// Whether the verdict is that there must be no such file.
    pub winner_is_absence: bool,
    /// What was done.
    pub actions: Vec<HealReport>,
}

/// Somebody whose copy could not be compared. Never counted as clean.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotCompared {
    /// Who.
    pub holder: HolderId,
    /// Why, for people.
    pub reason: String,
}

/// Whether a restore still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestorationState {
    /// It runs.
    Running,
    /// It is done.
    Done,
    /// It could not be done.
    Failed,
}

/// What a restore does at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Every holder reads its files.
    Scanning,
    /// Where they differ, they are listed.
    Comparing,
    /// Bytes are looked for and ballots are taken.
    Deciding,
    /// Copies are put right.
    Healing,
    /// Nothing any more.
    Done,
}

/// How far a restore is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// What it does.
    pub phase: Phase,
    /// How many of `total` are done.
    pub done: u64,
    /// How many there are in this phase.
    pub total: u64,
}

/// A restore, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Holders that were compared.
    pub holders: u64,
    /// Committed files.
    pub files: u64,
    /// Of these, files that are intact everywhere.
    pub intact: u64,
    /// Files that are not (those of which no record exists among them).
    pub damaged: u64,
    /// Damaged files of which every copy is right now.
    pub healed: u64,
    /// Damaged files whose bytes nobody has.
    pub lost: u64,
    /// Damaged files that nothing proves.
    pub undecided: u64,
    /// Damaged files of which some copy was left alone (in a dry run: all that could be healed) or could not be mended.
    pub left: u64,
}

/// The report of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestorationReport {
    /// Its id.
    pub id: RestorationId,
    /// Whether it still runs.
    pub state: RestorationState,
    /// Whether it only reports.
    pub dry_run: bool,
    /// When it began, in milliseconds of Unix time.
    pub started_at_ms: u64,
    /// When it ended.
    pub finished_at_ms: Option<u64>,
    /// The committed version when it began.
    pub version: Version,
    /// How far it is.
    pub progress: Progress,
    /// The counts.
    pub summary: Summary,
    /// Who could not be compared.
    pub not_compared: Vec<NotCompared>,
    /// Files that are not intact everywhere.
    pub files: Vec<FileReport>,
    /// What went wrong, for people.
    pub detail: Option<String>,
}
