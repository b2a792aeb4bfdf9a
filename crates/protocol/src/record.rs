//! What the manifest says of one file, and the fixed buckets that manifests are compared by.

use crate::{Digest, SetDigest, Version};
use catalogue::BookPath;
use serde::{Deserialize, Serialize};

/// Number of buckets of a manifest. Fixed: it is part of what two parties compare.
pub const BUCKETS: usize = 1024;

/// The record of one committed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// SHA-256 of the file's bytes.
    pub digest: Digest,
    /// The file's size in bytes.
    pub size: u64,
    /// The version whose round wrote it.
    pub version: Version,
}

impl Record {
    /// This record as an element of the manifest's set.
    #[must_use]
    pub fn element(&self, path: &BookPath) -> SetDigest {
        SetDigest::of_element(&[
            b"record",
            path.id().as_bytes(),
            &self.digest.0,
            &self.size.to_le_bytes(),
            &self.version.0.to_le_bytes(),
        ])
    }
}

/// One of the [`BUCKETS`] parts of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct BucketNumber(u16);

impl BucketNumber {
    /// The bucket of a path: the last ten bits of its id, which are random.
    #[must_use]
    pub fn of(path: &BookPath) -> Self {
        let id = path.id();
        let bytes = id.as_bytes();
        Self(u16::from_be_bytes([bytes[14], bytes[15]]) % BUCKETS as u16)
    }

    /// Every bucket, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..BUCKETS as u16).map(Self)
    }

    /// Its place in a list of all buckets.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl TryFrom<u16> for BucketNumber {
    type Error = String;

    fn try_from(number: u16) -> Result<Self, String> {
        if usize::from(number) < BUCKETS {
            Ok(Self(number))
        } else {
            Err(format!("a bucket is a number below {BUCKETS}, but {number} is not"))
        }
    }
}

impl From<BucketNumber> for u16 {
    fn from(bucket: BucketNumber) -> Self {
        bucket.0
    }
}
