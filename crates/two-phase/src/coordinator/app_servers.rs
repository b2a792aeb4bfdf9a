//! The app-servers' connections, and what is remembered of those that went.

use super::effect::SessionId;
use protocol::{AppServerHello, AppServerId, AppServerStatus, Incarnation, PageAddress, SetDigest, Version};
use std::collections::BTreeMap;

/// So many are remembered: pages of one that is gone may still ask another for its answers. One that is connected always is.
const REMEMBERED_MAX: usize = 64;

#[derive(Debug, Clone, Hash)]
struct AppServerLink {
    id: AppServerId,
    incarnation: Incarnation,
    /// What its copy showed when it connected.
    holds: (Version, SetDigest),
    /// It is told of every round that is committed from now on.
    following: bool,
    /// It wants to hear events.
    events: bool,
}

/// All connections of app-servers.
#[derive(Debug, Clone, Hash, Default)]
pub(super) struct AppServers {
    links: BTreeMap<SessionId, AppServerLink>,
    /// Who connected last is last.
    addresses: Vec<(AppServerId, Option<PageAddress>)>,
}

impl AppServers {
    /// Takes one in. Returns the connection that it replaces.
    pub(super) fn connect(&mut self, session: SessionId, hello: AppServerHello) -> Option<SessionId> {
        let AppServerHello { app_server: id, incarnation, version, root, address, .. } = hello;
        let replaced = self.links.iter().find(|(_, link)| link.id == id).map(|(session, _)| *session);
        if let Some(replaced) = replaced {
            self.links.remove(&replaced);
        }
        let holds = (version, root);
        let link = AppServerLink { id: id.clone(), incarnation, holds, following: false, events: false };
        self.links.insert(session, link);
        self.remember(id, address);
        replaced
    }

    fn remember(&mut self, id: AppServerId, address: Option<PageAddress>) {
        self.addresses.retain(|(known, _)| *known != id);
        self.addresses.push((id, address));
        if self.addresses.len() > REMEMBERED_MAX {
            let gone = self.addresses.iter().position(|(id, _)| self.session(id).is_none());
            gone.map(|gone| self.addresses.remove(gone));
        }
    }

    pub(super) fn remove(&mut self, session: SessionId) {
        self.links.remove(&session);
    }

    pub(super) fn contains(&self, session: SessionId) -> bool {
        self.links.contains_key(&session)
    }

    /// Tells it of every round from now on. Returns what it showed when it connected; none if it follows already.
    pub(super) fn follow(&mut self, session: SessionId) -> Option<(Version, SetDigest)> {
        let link = self.links.get_mut(&session).filter(|link| !link.following)?;
        link.following = true;
        Some(link.holds)
    }

    pub(super) fn sessions(&self) -> Vec<SessionId> {
        self.links.keys().copied().collect()
    }

    pub(super) fn want_events(&mut self, session: SessionId, events: bool) {
        if let Some(link) = self.links.get_mut(&session) {
            link.events = events;
        }
    }

    pub(super) fn following(&self) -> Vec<SessionId> {
        self.links.iter().filter(|(_, link)| link.following).map(|(session, _)| *session).collect()
    }

    /// Those who want to hear events.
    pub(super) fn listening(&self) -> Vec<SessionId> {
        self.links.iter().filter(|(_, link)| link.events).map(|(session, _)| *session).collect()
    }

    pub(super) fn id(&self, session: SessionId) -> Option<&AppServerId> {
        self.links.get(&session).map(|link| &link.id)
    }

    pub(super) fn session(&self, id: &AppServerId) -> Option<SessionId> {
        self.links.iter().find(|(_, link)| link.id == *id).map(|(session, _)| *session)
    }

    /// Whether another memory than this one is connected under the name.
    pub(super) fn is_taken(&self, id: &AppServerId, incarnation: Incarnation) -> bool {
        self.links.values().any(|link| link.id == *id && link.incarnation != incarnation)
    }

    /// All that are connected, and those that were lately.
    pub(super) fn statuses(&self) -> Vec<AppServerStatus> {
        let status = |(id, address): &(AppServerId, Option<PageAddress>)| AppServerStatus {
            id: id.clone(),
            address: address.clone(),
            connected: self.session(id).is_some(),
        };
        let mut statuses: Vec<_> = self.addresses.iter().map(status).collect();
        statuses.sort_by(|one, other| one.id.cmp(&other.id));
        statuses
    }

    pub(super) fn ids(&self) -> Vec<AppServerId> {
        self.links.values().map(|link| link.id.clone()).collect()
    }
}
