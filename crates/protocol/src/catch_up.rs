//! How a party that is behind is brought level: manifests are compared bucket by bucket, and only files that differ travel.
//!
//! A *learner* is a replicator or an app-server that is behind. The coordinator leads it and fetches bytes from a
//! replicator that is level.

use crate::{BucketNumber, CatchUpId, Content, Digest, Record, RoundId, SetDigest, Version};
use catalogue::BookPath;
use serde::{Deserialize, Serialize};

/// One line of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestEntry {
    /// The file.
    pub path: BookPath,
    /// Its record.
    pub record: Record,
}

/// All entries of one bucket: what is not among them does not exist at the target's version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketEntries {
    /// The bucket.
    pub bucket: BucketNumber,
    /// Its entries, ordered by path.
    pub entries: Vec<ManifestEntry>,
}

/// The committed state that a learner is brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatchUpTarget {
    /// Its version.
    pub version: Version,
    /// Its root.
    pub root: SetDigest,
    /// The round that made it.
    pub round: RoundId,
}

/// A file that somebody needs, named by what it must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedFile {
    /// The file.
    pub path: BookPath,
    /// The digest of the bytes that are wanted.
    pub digest: Digest,
}

/// The answer for one wanted file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FetchedFile {
    /// What was wanted.
    pub wanted: WantedFile,
    /// Bytes with that digest; none where the source has no such bytes.
    pub content: Option<Content>,
}

/// What the coordinator says to a learner.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "catch_up_step", rename_all = "snake_case")]
pub enum ToLearner {
    /// Tell the digests of your manifest's buckets.
    Compare {
        /// This catch-up.
        catch_up: CatchUpId,
        /// Where it leads.
        target: CatchUpTarget,
    },
    /// The buckets that differ, as they are at the target.
    Entries {
        /// This catch-up.
        catch_up: CatchUpId,
        /// Some of the buckets that differ.
        buckets: Vec<BucketEntries>,
        /// Whether these were the last.
        last: bool,
    },
    /// Files that were asked for.
    Files {
        /// This catch-up.
        catch_up: CatchUpId,
        /// The files.
        files: Vec<FetchedFile>,
        /// Everybody who may have them was asked and has answered: what is not among them, nobody has.
        #[serde(default)]
        exhaustive: bool,
    },
}

/// What a learner says to the coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "catch_up_step", rename_all = "snake_case")]
pub enum FromLearner {
    /// The digests of all buckets of its manifest, in order.
    Buckets {
        /// The catch-up that asked.
        catch_up: CatchUpId,
        /// One digest a bucket.
        sums: Vec<SetDigest>,
    },
    /// Files that it lacks.
    Fetch {
        /// The catch-up.
        catch_up: CatchUpId,
        /// The files.
        files: Vec<WantedFile>,
        /// How many more it will ask for after these.
        #[serde(default)]
        left: u64,
    },
    /// It holds the target, durably.
    CaughtUp {
        /// The catch-up.
        catch_up: CatchUpId,
        /// The version that it holds.
        version: Version,
        /// The root that it holds.
        root: SetDigest,
    },
}
