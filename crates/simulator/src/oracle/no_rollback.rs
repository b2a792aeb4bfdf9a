//! NoRollback and NoResurrection: a repair never puts older bytes over newer ones, and never brings a deleted file back.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use catalogue::BookPath;
use protocol::{Digest, Version};
use two_phase::coordinator::Decision;

impl Oracle {
    /// A repair has written these bytes, or removed the file, on a copy that had been given all files up to `applied`. One that
    /// catches up has been given those of the last rounds, on top of what it holds as of version `held`; one that has just heard of
    /// a commit holds that as of `held`, and is given its files when its own record of it is durable.
    ///
    /// # Errors
    /// If the copy had shown something newer, or the bytes were never committed.
    pub(crate) fn healed(
        &self,
        name: &str,
        held: Version,
        applied: Version,
        path: &BookPath,
        digest: Option<Digest>,
    ) -> Held {
        let committed = digest.is_none_or(|digest| self.committed_bytes.contains(&(*path, digest)));
        ensure(committed, Rule::NoPhantom, || format!("{name} mends {path} with bytes that were never committed"))?;
        let of_path =
            |decision: &Decision| decision.changes.iter().find(|change| change.path == *path).map(|one| one.digest);
        let at = |version| self.decisions.range(..=version).rev().find_map(|(_, decision)| of_path(decision)).flatten();
        let right = at(applied);
        let is_right = digest == right || digest == at(held);
        ensure(is_right, Rule::NoRollback, || {
            format!("{name} is at version {applied}, where {path} is {right:?}, and a repair makes it {digest:?}")
        })
    }
}
