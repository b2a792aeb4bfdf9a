//! AckedNeverLost: an acknowledged change survives the loss of any minority of members, and the crash of all processes at once.

use super::Oracle;
use crate::simulated_files::SimulatedFiles;
use crate::violation::{Held, Rule, ensure};
use protocol::{Digest, Version};

impl Oracle {
    pub(super) fn acknowledged_survives(&self, version: Version) -> Held {
        ensure(version >= self.acked, Rule::AckedNeverLost, || {
            format!("a client was told of version {}, but the coordinator starts at {version}", self.acked)
        })
    }

    /// Everything is at rest: a copy's files are what was committed, byte for byte.
    ///
    /// # Errors
    /// If a file differs, is missing, or is there though it should not be.
    pub(crate) fn files_are_as_committed(&self, name: &str, files: &SimulatedFiles) -> Held {
        for (path, record) in self.manifest.entries() {
            let found = files.read(path).map(|content| Digest::of(content.bytes()));
            ensure(found == Some(record.digest), Rule::AckedNeverLost, || {
                format!(
                    "{path} of {name} has digest {found:?}, committed by version {} was {}",
                    record.version, record.digest
                )
            })?;
        }
        let extra = files.all().find(|(path, _)| self.manifest.record(path).is_none());
        ensure(extra.is_none(), Rule::NoPhantom, || {
            format!(
                "{name} has {}, which is not in the catalogue",
                extra.map(|(path, _)| path.to_string()).unwrap_or_default()
            )
        })
    }
}
