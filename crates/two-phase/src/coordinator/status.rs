//! What people are shown of the cluster.

use super::{Coordinator, SessionId};
use protocol::{ClusterStatus, Member, MemberState, MemberStatus};

impl Coordinator {
    /// The cluster, as this coordinator sees it.
    #[must_use]
    pub fn status(&self) -> ClusterStatus {
        let view = &self.state.view;
        ClusterStatus {
            epoch: self.epoch,
            version: self.state.version,
            root: self.state.manifest.root(),
            view: view.number,
            min_in_sync: view.min_in_sync,
            policy: view.policy,
            why_not: self.why_no_round(),
            files: self.state.manifest.files(),
            members: view.members.iter().map(|member| self.member_status(member)).collect(),
            app_servers: self.app_servers.ids(),
            lab: self.settings.lab,
        }
    }

    /// Connections of app-servers that want to hear events.
    #[must_use]
    pub fn event_listeners(&self) -> Vec<SessionId> {
        self.app_servers.listening()
    }

    fn member_status(&self, member: &Member) -> MemberStatus {
        let memory = self.members.memory(&member.id);
        let (state, version, detail) = match self.members.link(&member.id) {
            Some(link) => {
                let state = if link.level { MemberState::InSync } else { MemberState::CatchingUp };
                (state, link.version, link.obstacle(self.now.monotonic_ms))
            }
            None => {
                let reason = memory.and_then(|memory| memory.detail.clone());
                (MemberState::Down, memory.map_or_else(Default::default, |memory| memory.version), reason)
            }
        };
        MemberStatus {
            id: member.id.clone(),
            state,
            connected: state != MemberState::Down,
            version,
            address: memory.and_then(|memory| memory.address.clone()),
            in_doubt_round: memory.and_then(|memory| memory.in_doubt),
            in_doubt_since_ms: memory.and_then(|memory| memory.in_doubt_since_unix_ms),
            detail,
        }
    }
}
