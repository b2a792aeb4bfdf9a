//! What people are shown of the cluster.

use super::members::{MemberLink, Place};
use super::{Coordinator, SessionId};
use protocol::{ClusterStatus, Member, MemberId, MemberRole, MemberState, MemberStatus};

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
        let link = self.members.link(&member.id);
        let observes = member.role == MemberRole::Observer;
        let (state, version) = match link {
            Some(link) if link.is_level() => (MemberState::InSync, link.version),
            // An observer is never waited for: it is level when it follows.
            Some(link) if observes && link.place == Place::Following => (MemberState::InSync, link.version),
            Some(link) => (MemberState::CatchingUp, link.version),
            None => (MemberState::Down, memory.map_or_else(Default::default, |memory| memory.version)),
        };
        MemberStatus {
            id: member.id.clone(),
            role: member.role,
            state,
            connected: link.is_some(),
            version,
            address: memory.and_then(|memory| memory.address.clone()),
            in_doubt_round: memory.and_then(|memory| memory.in_doubt),
            in_doubt_since_ms: memory.and_then(|memory| memory.in_doubt_since_unix_ms),
            detail: match link {
                Some(link) if state != MemberState::InSync || !observes => self.what_it_lacks(&member.id, link),
                Some(_) => None,
                None => memory.and_then(|memory| memory.detail.clone()),
            },
            catch_up: link.and_then(|link| self.catch_ups.progress(link.session)),
            last_seen_ms: memory.and_then(|memory| memory.last_seen_unix_ms),
            disk: link.and_then(|link| link.disk),
            scrub: memory.map(|memory| memory.scrub.status.clone()).unwrap_or_default(),
        }
    }

    fn what_it_lacks(&self, member: &MemberId, link: &MemberLink) -> Option<String> {
        let wait_ms = self.members.attendance(member).may_return_from_ms().saturating_sub(self.now.monotonic_ms);
        if link.place == Place::Following && wait_ms > 0 {
            return Some(format!(
                "was left out because it did not keep up, and may come in again in {} s",
                wait_ms.div_ceil(1_000)
            ));
        }
        link.obstacle(self.now.monotonic_ms)
    }
}
