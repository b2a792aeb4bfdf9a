//! Claims: which paths are being mended, and which of them a newer round has touched meanwhile.

use catalogue::BookPath;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// All claims that are held, by number.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    next: u64,
    held: HashMap<u64, HashSet<BookPath>>,
}

impl Claims {
    /// Whether somebody may mend this path.
    pub(crate) fn is_held(&self, path: BookPath) -> bool {
        self.held.values().any(|claimed| claimed.contains(&path))
    }

    /// A round writes these paths: nobody may mend them any more under a claim that is held now.
    pub(crate) fn touch(&mut self, paths: impl Iterator<Item = BookPath>) {
        // The usual case, on every round: nobody mends anything.
        if self.held.is_empty() {
            return;
        }
        for path in paths {
            for claimed in self.held.values_mut() {
                claimed.remove(&path);
            }
        }
    }
}

/// The right to mend some paths past the queue of committed writes, lost path by path to newer rounds.
#[derive(Debug)]
pub struct Claim {
    claims: Arc<Mutex<Claims>>,
    number: u64,
}

impl Claim {
    pub(crate) fn new(claims: &Arc<Mutex<Claims>>, paths: impl IntoIterator<Item = BookPath>) -> Self {
        let mut held = claims.lock().unwrap_or_else(PoisonError::into_inner);
        let number = held.next;
        held.next += 1;
        held.held.insert(number, paths.into_iter().collect());
        Self { claims: Arc::clone(claims), number }
    }

    /// Runs `mend` unless a newer round has touched the path; no round can touch it while `mend` runs. It must be short:
    /// rounds wait for it. Gives none if the path was touched, or never claimed.
    pub(crate) fn if_untouched<T>(&self, path: BookPath, mend: impl FnOnce() -> T) -> Option<T> {
        let claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.held.get(&self.number)?.contains(&path).then(mend)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).held.remove(&self.number);
    }
}
