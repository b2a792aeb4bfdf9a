//! How a restore asks everybody who holds copies (replicators and app-servers) what is really on their disks, and mends it.

use crate::{
    AppServerId, BucketNumber, Content, Digest, FetchedFile, MemberId, Record, RequestId, SetDigest, Version,
    WantedFile,
};
use catalogue::BookPath;
use serde::{Deserialize, Serialize};

/// Somebody who holds a copy of the catalogue. Only replicators vote in a ballot; an app-server's copy is a working copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum HolderId {
    /// A replicator.
    Replicator(MemberId),
    /// An app-server.
    AppServer(AppServerId),
}

impl std::fmt::Display for HolderId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Replicator(id) => id.fmt(formatter),
            Self::AppServer(id) => id.fmt(formatter),
        }
    }
}

/// What a file on disk was found to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// SHA-256 of the bytes that were read.
    pub digest: Digest,
    /// Their number.
    pub size: u64,
}

impl Finding {
    /// What is found of a file that is as its record says.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self { digest: record.digest, size: record.size }
    }

    /// This finding as an element of the set of what a disk holds.
    #[must_use]
    pub fn element(&self, path: &BookPath) -> SetDigest {
        SetDigest::of_element(&[b"found", path.id().as_bytes(), &self.digest.0, &self.size.to_le_bytes()])
    }
}

/// One file as it was found; `found` is none where there is no such file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundFile {
    /// The file.
    pub path: BookPath,
    /// What it holds.
    pub found: Option<Finding>,
}

/// The result of reading every file from disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanSummary {
    /// The committed version that the files show at least.
    pub version: Version,
    /// The set digest of what was found, for each bucket in order.
    pub sums: Vec<SetDigest>,
    /// Number of files read.
    pub files: u64,
    /// Names under `books/` that are no book's path.
    pub foreign: Vec<String>,
}

/// A damaged file, and what it must hold: installed only if both are still so (compare and swap).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repair {
    /// The file.
    pub path: BookPath,
    /// What it was found to hold.
    pub found: Option<Finding>,
    /// Its newest record; none where no such file was committed.
    pub record: Option<Record>,
    /// The bytes of that record; none where the file must go.
    pub content: Option<Content>,
}

/// What became of a repair.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum HealOutcome {
    /// Put right, and read back from disk.
    Healed {
        /// Where the bytes went that were replaced, relative to the data directory.
        quarantined: Option<String>,
    },
    /// Left alone: the file or its record is no longer what the ballot was about.
    Changed {
        /// What it is now, for people.
        reason: String,
    },
    /// It could not be put right.
    Failed {
        /// Why, for people.
        reason: String,
    },
}

/// What became of one repair.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealResult {
    /// The file's path, or the name of a foreign file.
    pub name: String,
    /// What became of it.
    pub outcome: HealOutcome,
}

/// What the coordinator asks of a holder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum HolderRequest {
    /// Read every file from disk, after what is committed was written.
    Scan {
        /// Pairs the answer.
        request: RequestId,
    },
    /// Read every file of these buckets.
    ListBuckets {
        /// Pairs the answer.
        request: RequestId,
        /// The buckets.
        buckets: Vec<BucketNumber>,
    },
    /// Read these files.
    Examine {
        /// Pairs the answer.
        request: RequestId,
        /// The files.
        paths: Vec<BookPath>,
    },
    /// Give bytes with these digests, from the files, or with `anywhere` also from the log and the quarantine.
    ReadFiles {
        /// Pairs the answer.
        request: RequestId,
        /// What is wanted.
        files: Vec<WantedFile>,
        /// Search the log and the quarantine as well.
        anywhere: bool,
    },
    /// Put these files right.
    Heal {
        /// Pairs the answer.
        request: RequestId,
        /// The files.
        repairs: Vec<Repair>,
        /// Names of foreign files to move to the quarantine.
        foreign: Vec<String>,
    },
}

/// What a holder answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum HolderAnswer {
    /// To `Scan`.
    Scanned {
        /// The question.
        request: RequestId,
        /// The result.
        summary: ScanSummary,
    },
    /// To `ListBuckets` and `Examine`.
    Found {
        /// The question.
        request: RequestId,
        /// The committed version that the files show at least.
        version: Version,
        /// The files.
        files: Vec<FoundFile>,
    },
    /// To `ReadFiles`.
    FilesRead {
        /// The question.
        request: RequestId,
        /// The files, in the order asked.
        files: Vec<FetchedFile>,
    },
    /// To `Heal`.
    Healed {
        /// The question.
        request: RequestId,
        /// One result a repair.
        results: Vec<HealResult>,
    },
    /// It could not be done.
    Failed {
        /// The question.
        request: RequestId,
        /// Why, for people.
        reason: String,
    },
}

impl HolderRequest {
    /// The number that pairs it with its answer.
    #[must_use]
    pub fn request(&self) -> RequestId {
        match self {
            Self::Scan { request }
            | Self::ListBuckets { request, .. }
            | Self::Examine { request, .. }
            | Self::ReadFiles { request, .. }
            | Self::Heal { request, .. } => *request,
        }
    }
}

impl HolderAnswer {
    /// The number that pairs it with its question.
    #[must_use]
    pub fn request(&self) -> RequestId {
        match self {
            Self::Scanned { request, .. }
            | Self::Found { request, .. }
            | Self::FilesRead { request, .. }
            | Self::Healed { request, .. }
            | Self::Failed { request, .. } => *request,
        }
    }
}
