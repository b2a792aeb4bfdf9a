//! NoPhantom: bytes of an aborted or undecided round are never in a file, shown, or copied.

use super::Oracle;
use crate::violation::{Held, Rule, ensure};
use protocol::{CommittedRound, Digest, FetchedFile, Version};
use two_phase::replicator::FileChange;

impl Oracle {
    /// A replicator is about to write the files of a round.
    ///
    /// # Errors
    /// If the round that made this version has not changed them so.
    pub(crate) fn files_written(&self, name: &str, version: Version, files: &[FileChange]) -> Held {
        let decision = self.decisions.get(&version);
        for file in files {
            let digest = file.content.as_ref().map(|content| Digest::of(content.bytes()));
            let decided = decision.is_some_and(|decision| {
                decision.changes.iter().any(|one| one.path == file.path && one.digest == digest)
            });
            ensure(decided, Rule::NoPhantom, || {
                format!("{name} writes {} as of version {version}, which has not decided that", file.path)
            })?;
        }
        Ok(())
    }

    /// An app-server is about to show a round.
    ///
    /// # Errors
    /// If the round is not committed, or not like this.
    pub(crate) fn round_shown(&self, name: &str, round: &CommittedRound) -> Held {
        let decision = self.decisions.get(&round.version);
        let same = decision.is_some_and(|decision| decision.round == round.round && decision.root == round.root);
        ensure(same, Rule::NoPhantom, || format!("{name} shows round {}, which is not committed", round.round))
    }

    /// A learner is about to write files that it has fetched.
    ///
    /// # Errors
    /// If one of them was never committed.
    pub(crate) fn files_fetched(&self, name: &str, files: &[FetchedFile]) -> Held {
        for file in files {
            let digest = file.content.as_ref().map(|content| Digest::of(content.bytes()));
            let committed = digest.is_some_and(|digest| self.committed_bytes.contains(&(file.wanted.path, digest)));
            ensure(committed, Rule::NoPhantom, || {
                format!("{name} fetched bytes of {} that were never committed", file.wanted.path)
            })?;
        }
        Ok(())
    }
}
