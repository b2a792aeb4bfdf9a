//! The app-servers' connections.

use super::effect::SessionId;
use protocol::AppServerId;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
struct AppServerLink {
    id: AppServerId,
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
    pub(super) fn connect(&mut self, session: SessionId, id: AppServerId) -> Option<SessionId> {
        let replaced = self.links.iter().find(|(_, link)| link.id == id).map(|(session, _)| *session);
        if let Some(replaced) = replaced {
            self.links.remove(&replaced);
        }
        self.links.insert(session, AppServerLink { id, following: false, events: false });
        replaced
    }

    pub(super) fn remove(&mut self, session: SessionId) {
        self.links.remove(&session);
    }

    pub(super) fn contains(&self, session: SessionId) -> bool {
        self.links.contains_key(&session)
    }

    pub(super) fn follow(&mut self, session: SessionId) {
        if let Some(link) = self.links.get_mut(&session) {
            link.following = true;
        }
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
