//! How a replicator votes: everything that must hold of a prepare, judged without changing anything.

use super::ReplicatorState;
use catalogue::Book;
use protocol::{AbortCause, Action, Change, ChangeFault, Digest, Prepare};
use std::collections::HashSet;

/// What the driver knows of the machine that a vote depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Capacity {
    /// Free bytes on the disk, less what must stay free.
    pub disk_free_bytes: u64,
    /// How many more bytes of committed files may wait to be written.
    pub credit_bytes: u64,
}

impl Capacity {
    /// Why so many bytes of content cannot be taken, as a clause; none if they can. They go to the log and to the files, and even
    /// a round without any has a record.
    pub(super) fn lack_of_disk(self, size_bytes: u64) -> Option<String> {
        let free_bytes = self.disk_free_bytes;
        let is_full = free_bytes == 0 || free_bytes < 3 * size_bytes;
        is_full.then(|| format!("its disk is full: {free_bytes} bytes are free; make room"))
    }
}

/// Judges a prepare against the state that it builds on. `Ok` is the vote to commit, if it can be made durable.
pub(super) fn judge(state: &ReplicatorState, prepare: &Prepare, capacity: Capacity) -> Result<(), AbortCause> {
    stands_on_this_state(state, prepare)?;
    has_room(prepare, capacity)?;
    let mut paths = HashSet::new();
    let faults: Vec<_> = prepare
        .changes
        .iter()
        .filter_map(|change| {
            let fault = if paths.insert(change.path) {
                fault_of(change)
            } else {
                Some("the round has this path twice".to_owned())
            };
            fault.map(|reason| ChangeFault { change: change.id.clone(), reason: format!("{}: {reason}", change.path) })
        })
        .collect();
    if !faults.is_empty() {
        return Err(AbortCause::Changes { faults });
    }
    let root = state.manifest.root_after(&prepare.changes, prepare.version());
    if root != prepare.expected_root {
        return Err(mine(format!("the round would make root {root} here, not {}", prepare.expected_root)));
    }
    Ok(())
}

fn stands_on_this_state(state: &ReplicatorState, prepare: &Prepare) -> Result<(), AbortCause> {
    if let Some(prepared) = &state.prepared {
        return Err(mine(format!("round {} is still in doubt here", prepared.round)));
    }
    if prepare.base_version != state.version {
        return Err(mine(format!(
            "the round builds on version {}, this copy is at {}",
            prepare.base_version, state.version
        )));
    }
    if prepare.base_root != state.manifest.root() {
        return Err(mine(format!(
            "this copy differs from the one that the round builds on, at version {}",
            state.version
        )));
    }
    Ok(())
}

fn has_room(prepare: &Prepare, capacity: Capacity) -> Result<(), AbortCause> {
    let size_bytes = prepare.changes.iter().map(|change| change.action.size()).sum();
    if let Some(lack) = capacity.lack_of_disk(size_bytes) {
        return Err(mine(lack));
    }
    if capacity.credit_bytes == 0 {
        return Err(mine("too many committed files still wait to be written here".to_owned()));
    }
    Ok(())
}

/// Why these bytes can never be this file; none if they can.
fn fault_of(change: &Change) -> Option<String> {
    let Action::Put { content, digest } = &change.action else { return None };
    let found = Digest::of(content.bytes());
    if found != *digest {
        return Some(format!("the bytes have digest {found}, not {digest}"));
    }
    match Book::from_canonical_xml(content.bytes()) {
        Err(error) => Some(error.to_string()),
        Ok(book) if book.id() != change.path.id() => Some(format!("the bytes are of book {}", book.id())),
        Ok(_) => None,
    }
}

fn mine(reason: String) -> AbortCause {
    AbortCause::Mine { reason }
}
