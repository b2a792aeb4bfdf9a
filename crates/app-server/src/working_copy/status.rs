//! How the link to the coordinator is, as everybody else sees it.

use crate::clock;

/// How far the link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum LinkStage {
    /// There is none.
    #[default]
    Down,
    /// The coordinator is there, but this copy is not level with it yet.
    Welcomed,
    /// This copy shows everything that is committed.
    Level,
}

/// The link to the coordinator.
#[derive(Debug, Clone)]
pub(crate) struct LinkStatus {
    pub(crate) stage: LinkStage,
    /// Whether this copy was ever level since the start: before that it serves nothing.
    pub(crate) was_level: bool,
    /// Since when it is connected or not, in milliseconds of Unix time.
    pub(crate) since_ms: u64,
    /// Since when this copy may be behind; none while it is level.
    pub(crate) stale_since_ms: Option<u64>,
    /// The coordinator's address, or the last one that was tried.
    pub(crate) address: Option<String>,
    /// Why there is no link, for people.
    pub(crate) problem: Option<String>,
    /// Whether the cluster runs with the lab.
    pub(crate) lab: bool,
}

impl Default for LinkStatus {
    fn default() -> Self {
        let now = clock::unix_ms();
        Self {
            stage: LinkStage::Down,
            was_level: false,
            since_ms: now,
            stale_since_ms: Some(now),
            address: None,
            problem: None,
            lab: false,
        }
    }
}

impl LinkStatus {
    /// Whether the coordinator can be asked.
    pub(crate) fn is_connected(&self) -> bool {
        self.stage != LinkStage::Down
    }
}
