//! The app-servers' connections.

use super::effect::SessionId;
use protocol::{AppServerHello, AppServerId, SetDigest, Version};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
struct AppServerLink {
    id: AppServerId,
    /// What its copy showed when it connected.
    holds: (Version, SetDigest),
    /// It is told of every round that is committed from now on.
    following: bool,
    /// It wants to hear events.
    events: bool,
}

/// All connections of app-servers.
#[derive(Debug, Default)]
pub(super) struct AppServers {
    links: BTreeMap<SessionId, AppServerLink>,
}

impl AppServers {
    /// Takes one in. Returns the connection that it replaces.
    pub(super) fn connect(&mut self, session: SessionId, hello: AppServerHello) -> Option<SessionId> {
        let (id, holds) = (hello.app_server, (hello.version, hello.root));
        let replaced = self.links.iter().find(|(_, link)| link.id == id).map(|(session, _)| *session);
        if let Some(replaced) = replaced {
            self.links.remove(&replaced);
        }
        self.links.insert(session, AppServerLink { id, holds, following: false, events: false });
        replaced
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

    pub(super) fn ids(&self) -> Vec<AppServerId> {
        self.links.values().map(|link| link.id.clone()).collect()
    }
}
