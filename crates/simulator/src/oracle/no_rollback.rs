//! NoRollback and NoResurrection: a repair never puts older bytes over newer ones, and never brings a deleted file back.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use catalogue::BookPath;
use protocol::{Digest, Version};

impl Oracle {
    /// A repair has written these bytes, or removed the file, on a copy that had been given all files up to `applied`.
    ///
    /// # Errors
    /// If the copy had shown something newer, or the bytes were never committed.
    pub(crate) fn healed(&self, name: &str, applied: Version, path: &BookPath, digest: Option<Digest>) -> Held {
        let committed = digest.is_none_or(|digest| self.committed_bytes.contains(&(*path, digest)));
        ensure(committed, Rule::NoPhantom, || format!("{name} mends {path} with bytes that were never committed"))?;
        let newest =
            |decision: &&two_phase::coordinator::Decision| decision.changes.iter().any(|one| one.path == *path);
        let decision = self.decisions.range(..=applied).rev().map(|(_, decision)| decision).find(newest);
        let right = decision.and_then(|decision| decision.changes.iter().find(|one| one.path == *path)?.digest);
        ensure(digest == right, Rule::NoRollback, || {
            format!("{name} is at version {applied}, where {path} is {right:?}, and a repair makes it {digest:?}")
        })
    }
}
