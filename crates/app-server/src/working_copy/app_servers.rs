//! The app-servers of the cluster, as the coordinator told them: where a page may go on when its own server is gone, and
//! whose pages may ask here.

use protocol::{AppServerId, AppServerStatus, PageAddress};
use std::collections::BTreeMap;

/// So many are kept, as the coordinator does. Those that it named last always are.
const KEPT_MAX: usize = 64;

/// The app-servers that were told since the start: a coordinator that starts anew forgets those that are gone.
#[derive(Debug, Clone, Default)]
pub(crate) struct AppServers {
    known: BTreeMap<AppServerId, AppServerStatus>,
}

impl AppServers {
    /// Hears the coordinator's list.
    pub(super) fn hear(&mut self, told: Vec<AppServerStatus>) {
        self.known.retain(|id, _| told.iter().all(|status| status.id != *id));
        self.known.values_mut().for_each(|gone| gone.connected = false);
        while !self.known.is_empty() && self.known.len() + told.len() > KEPT_MAX {
            self.known.pop_first();
        }
        self.known.extend(told.into_iter().map(|status| (status.id.clone(), status)));
    }

    /// All of them, in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &AppServerStatus> {
        self.known.values()
    }

    /// Where their pages are.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &PageAddress> {
        self.iter().filter_map(|status| status.address.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(name: &str, connected: bool) -> AppServerStatus {
        AppServerStatus { id: name.parse().unwrap(), address: "http://a:1".parse().ok(), connected }
    }

    #[test]
    fn one_that_a_new_coordinator_does_not_know_is_kept_as_gone() {
        let mut known = AppServers::default();
        known.hear(vec![status("a", true), status("b", true)]);
        known.hear(vec![status("b", true)]);
        assert_eq!(known.iter().cloned().collect::<Vec<_>>(), [status("a", false), status("b", true)]);
    }

    #[test]
    fn those_that_were_told_last_are_kept_whatever_was_told_before() {
        let mut known = AppServers::default();
        for number in 0..200 {
            known.hear(vec![status(&format!("guest-{number}"), true), status("a", true)]);
        }
        assert_eq!(known.iter().count(), KEPT_MAX);
        let connected: Vec<_> =
            known.iter().filter(|status| status.connected).map(|status| status.id.as_str()).collect();
        assert_eq!(connected, ["a", "guest-199"]);
    }
}
