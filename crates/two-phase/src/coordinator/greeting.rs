//! From a connection to a member that is level: hellos, epochs, and rounds in doubt.
//!
//! ```text
//!   hello -> (new memory: view durable) -> welcome -> epoch accepted -> in-doubt round settled -> behind?  catch-up
//!                                                                                              -> level?   confirm -> takes part
//! ```

use super::in_sync::AfterView;
use super::members::{MemberLink, Place};
use super::round::Stage;
use super::{Coordinator, Mandate, Party, SessionId, Verdict};
use crate::mutant::Mutant;
use protocol::{
    ClusterEvent, CommitPolicy, HolderId, Incarnation, MemberId, MemberRole, MemberState, PROTOCOL_VERSION,
    PreparedRound, ReplicatorHello, RoundId, SetDigest, Standing, ToCoordinator, ToReplicator, Version,
};

impl Coordinator {
    pub(super) fn greet_replicator(&mut self, session: SessionId, hello: ReplicatorHello) {
        self.parties.insert(session, Party::Unknown);
        if let Some(reason) = self.sign_of_staleness(&hello) {
            self.need_recovery(reason);
        }
        if self.was_removed(&hello) {
            let reason = format!("{} was removed from the cluster", hello.member);
            self.happened(ClusterEvent::MemberRefused { member: hello.member, reason: reason.clone() });
            self.say(session, ToReplicator::Removed { reason: reason.clone() });
            self.close(session, reason);
            return;
        }
        if self.hear_witness(session, &hello) {
            return;
        }
        if let Some(reason) = self.reason_to_refuse(&hello) {
            self.happened(ClusterEvent::MemberRefused { member: hello.member, reason: reason.clone() });
            self.say(session, ToReplicator::Refuse { reason: reason.clone() });
            self.close(session, reason);
            return;
        }
        let (member, incarnation) = (hello.member.clone(), hello.incarnation);
        let (version, in_doubt) = (hello.version, hello.prepared.map(|prepared| prepared.round));
        let known = self.state.view.member(&member).and_then(|member| member.incarnation);
        let same_memory = known.is_none_or(|known| known == incarnation);
        let vouched = same_memory && self.is_found_in_the_log(&hello);
        let replaced = self.members.connect(MemberLink::new(session, hello, same_memory, vouched, self.now.unix_ms));
        if let Some(replaced) = replaced {
            self.parties.remove(&replaced.session);
            self.abort_if_participant(&member, "it connected anew");
            self.lose_holder(&HolderId::Replicator(member.clone()), "it connected anew");
            self.close(replaced.session, format!("{member} connected anew"));
        }
        self.parties.insert(session, Party::Replicator(member.clone()));
        self.happened(ClusterEvent::MemberConnected { member: member.clone(), version, in_doubt });
        let registered = self.newest_view.member(&member).and_then(|member| member.incarnation);
        if known == Some(incarnation) {
            self.welcome(&member);
        } else if registered != Some(incarnation) {
            self.register(member, incarnation, known.is_some());
        }
    }

    /// Rule NoAmnesia: what it has committed is what this coordinator's own log says of that version. It may be behind.
    fn is_found_in_the_log(&self, hello: &ReplicatorHello) -> bool {
        match hello.standing {
            Standing::Trusted => true,
            Standing::Unconfirmed => self.state.root_of(hello.version) == Some(hello.root),
            // Before the first commit there is nothing to remember.
            Standing::Lost => self.state.version == Version::ZERO,
        }
    }

    /// Only a coordinator that is sure of its log may tell somebody to stop.
    fn was_removed(&self, hello: &ReplicatorHello) -> bool {
        let own = hello.cluster == Some(self.state.cluster);
        own && self.mandate == Mandate::Open && self.state.view.removed.contains(&hello.member)
    }

    fn reason_to_refuse(&self, hello: &ReplicatorHello) -> Option<String> {
        let ReplicatorHello { member, protocol, cluster, .. } = hello;
        match &self.mandate {
            Mandate::Taking if Mutant::SpeaksBeforeEpochIsDurable.is_on() => {}
            Mandate::Taking => return Some("the coordinator is starting; try again".to_owned()),
            // Its epoch must not be accepted by anybody: that would fence off the coordinator that has the newer log.
            Mandate::NeedsRecovery { .. } => return self.why_no_round(),
            Mandate::Opening | Mandate::Open => {}
        }
        if *protocol != PROTOCOL_VERSION {
            return Some(format!(
                "it speaks protocol {protocol}, this coordinator speaks {PROTOCOL_VERSION}; run the same release"
            ));
        }
        if self.state.view.member(member).is_none() {
            let members: Vec<_> = self.state.view.members.iter().map(|member| member.id.as_str()).collect();
            return Some(format!(
                "{member} is not a member; the members are {}; let it in with: concordance member add {member}",
                members.join(", ")
            ));
        }
        // A memory that is lost belongs to nobody: it may have been greeted by a coordinator that had lost its disk.
        let is_empty = hello.standing == Standing::Lost && hello.version == Version::ZERO;
        let foreign = cluster.is_some_and(|cluster| cluster != self.state.cluster);
        if foreign && !is_empty {
            return Some(format!(
                "its data belongs to another cluster than this one, {}; give it the address of its own coordinator, or move its data directory away and start it again",
                self.state.cluster
            ));
        }
        let other = self.members.link(member).is_some_and(|link| link.hello.incarnation != hello.incarnation);
        other.then(|| format!("another process is connected as {member}; stop one of the two"))
    }

    /// Rule NoStaleCoordinator: whoever knows more than this log shows that the log is not the newest.
    fn sign_of_staleness(&self, hello: &ReplicatorHello) -> Option<String> {
        let ReplicatorHello { member, .. } = hello;
        let stranger = self.state.view.member(member).is_none();
        if stranger && hello.cluster != Some(self.state.cluster) {
            return None;
        }
        let foreign = hello.cluster.is_some_and(|cluster| cluster != self.state.cluster);
        if foreign && hello.standing == Standing::Lost {
            return None;
        }
        if foreign {
            // Where something was committed here, the stranger is in the wrong place, and its numbers say nothing of this log.
            let knows_nothing = self.state.version == Version::ZERO;
            return knows_nothing.then(|| {
                format!(
                    "{member} holds version {} of a cluster that this coordinator's log knows nothing of",
                    hello.version
                )
            });
        }
        self.newer_than_log(member.as_str(), hello.epoch, hello.coordinator, hello.version).or_else(|| {
            let prepared = hello.prepared.filter(|prepared| prepared.base_version > self.state.version)?;
            Some(format!(
                "{member} has prepared round {} on version {}, the log ends at version {}",
                prepared.round, prepared.base_version, self.state.version
            ))
        })
    }

    /// What somebody reports that this coordinator's log should know, and does not.
    pub(super) fn newer_than_log(
        &self,
        who: &str,
        epoch: protocol::Epoch,
        coordinator: Option<protocol::CoordinatorId>,
        version: Version,
    ) -> Option<String> {
        if Mutant::OverlooksNewerLog.is_on() {
            return None;
        }
        let rival =
            epoch == self.epoch && coordinator.is_some_and(|coordinator| coordinator != self.identity.coordinator);
        if epoch > self.epoch || rival {
            Some(format!("{who} has accepted epoch {epoch} of another coordinator; this one has epoch {}", self.epoch))
        } else if version > self.state.version {
            Some(format!("{who} is at version {version}, the log ends at version {}", self.state.version))
        } else {
            None
        }
    }

    pub(super) fn need_recovery(&mut self, reason: String) {
        if !matches!(self.mandate, Mandate::NeedsRecovery { .. }) {
            self.happened(ClusterEvent::RecoveryNeeded { reason: reason.clone() });
            self.mandate = Mandate::NeedsRecovery { reason };
        }
    }

    /// A memory that the view does not know is made part of it before it is spoken to (rules NoAmnesia and ViewDurable). One
    /// that is in sync with another memory is not, any more; but the set is not made smaller than the minimum.
    fn register(&mut self, member: MemberId, incarnation: Incarnation, replaces: bool) {
        let others = self.state.view.in_sync().filter(|one| one.id != member && self.obstacle(&one.id).is_none());
        let enough = others.count() as u64 >= self.state.view.min_in_sync;
        let leaves_out = replaces && enough && self.state.view.policy == CommitPolicy::InSync;
        let view = self.newest_view.after(|view| {
            if let Some(one) = view.member_mut(&member) {
                one.incarnation = Some(incarnation);
                one.state = if leaves_out { MemberState::CatchingUp } else { one.state };
            }
        });
        let reason = if replaces {
            format!("{member} came back without its memory.")
        } else {
            format!("{member} is seen for the first time.")
        };
        self.change_view(view, reason, AfterView::Welcome(member));
    }

    /// The view that knows this member's memory is in force: welcomes it, unless another memory has taken its place meanwhile.
    pub(super) fn welcome_registered(&mut self, member: &MemberId) {
        let known = self.state.view.member(member).and_then(|member| member.incarnation);
        if self.members.link(member).is_some_and(|link| Some(link.hello.incarnation) == known) {
            self.welcome(member);
        }
    }

    pub(super) fn welcome(&mut self, member: &MemberId) {
        if let Some(link) = self.members.link(member) {
            let (session, data_key) = (link.session, self.identity.data_key.clone());
            self.say(
                session,
                ToReplicator::Welcome { cluster: self.state.cluster, view: self.state.view.number, data_key },
            );
        }
    }

    pub(super) fn handle_member(&mut self, member: &MemberId, session: SessionId, message: ToCoordinator) {
        match message {
            ToCoordinator::Hello(_) => self.close(session, "a connection has one hello".to_owned()),
            ToCoordinator::EpochAccepted { epoch, coordinator } => {
                if epoch == self.epoch && coordinator == self.identity.coordinator {
                    self.handle_accepted(member);
                }
            }
            ToCoordinator::EpochRefused { epoch, coordinator } => {
                if let Some(reason) = self.newer_than_log(member.as_str(), epoch, coordinator, Version::ZERO) {
                    self.need_recovery(reason);
                }
            }
            ToCoordinator::Vote { round, vote, credit_bytes, took } => {
                self.handle_vote(member, round, vote, credit_bytes, took)
            }
            ToCoordinator::Acknowledge { settled, version, root } => {
                self.handle_acknowledge(member, settled, version, root)
            }
            ToCoordinator::Credit { credit_bytes } => {
                if let Some(link) = self.members.link_mut(member) {
                    link.credit_bytes = credit_bytes;
                }
                self.start_round();
            }
            ToCoordinator::Disk(disk) => {
                if let Some(link) = self.members.link_mut(member) {
                    link.disk = Some(disk);
                }
            }
            ToCoordinator::Recovery(_) => {}
            ToCoordinator::CatchUp(message) => self.handle_learner(session, message),
            ToCoordinator::Files(answer) => self.handle_files(session, answer),
            ToCoordinator::Scrubbed(report) => self.handle_scrubbed(member, report),
        }
    }

    fn handle_accepted(&mut self, member: &MemberId) {
        if let Some(link) = self.members.link_mut(member) {
            link.accepted = true;
        }
        self.tell_view(member);
        self.renew_mandate(member);
        if !self.open_if_majority_accepted() {
            self.settle(member);
        }
        self.start_round();
    }

    /// Rule EpochFence: an epoch is open once a majority of the registered members has made it durable. Returns whether it has
    /// just opened, and every member was settled.
    pub(super) fn open_if_majority_accepted(&mut self) -> bool {
        let members = self.members.accepted(&self.state.view);
        let needed = if Mutant::OpensWithOne.is_on() { 1 } else { self.state.view.majority() };
        if self.mandate != Mandate::Opening || members.len() < needed {
            return false;
        }
        self.mandate = Mandate::Open;
        self.happened(ClusterEvent::EpochOpened { members });
        for member in self.members.names() {
            self.settle(&member);
        }
        for session in self.app_servers.sessions() {
            self.bring_app_server_level(session);
        }
        true
    }

    /// Brings a member one step nearer to taking part: first its round in doubt, then its state.
    pub(super) fn settle(&mut self, member: &MemberId) {
        let arriving =
            |link: &&MemberLink| link.accepted && link.place == Place::Arriving && link.paused_until_ms.is_none();
        let Some(link) = self.members.link(member).filter(arriving) else { return };
        if matches!(self.mandate, Mandate::NeedsRecovery { .. }) {
            return;
        }
        // Rule NoAmnesia: it has voted on the round that is being decided. Whether it still has it prepared or comes without it, having
        // forgotten its vote, it is told the outcome before its memory is trusted again: with that it could refuse the round to a peer.
        let being_decided = self.round.as_ref().filter(|round| round.stage == Stage::Deciding);
        if being_decided.is_some_and(|round| round.has_participant(member)) {
            return;
        }
        let (session, holds) = (link.session, (link.version, link.root));
        let lost = link.hello.standing == Standing::Lost && self.state.version > Version::ZERO;
        let is_current = holds == (self.state.version, self.state.manifest.root()) && !lost;
        if let Some(prepared) = link.prepared {
            self.settle_in_doubt(member, session, prepared);
        } else if self.mandate == Mandate::Open && is_current && self.observes(member) && !link.evidence {
            // Nobody waits for it, so that it is told at once that its memory is right.
            self.confirm(member);
        } else if self.mandate == Mandate::Open && is_current {
            // It is told of every round from now on, and let in between two of them.
            self.set_place(member, Place::Following);
        } else if self.mandate == Mandate::Open {
            self.lead_member(member);
        }
    }

    pub(super) fn observes(&self, member: &MemberId) -> bool {
        self.state.view.member(member).is_some_and(|one| one.role == MemberRole::Observer)
    }

    /// Whoever holds another view is told the one in force.
    fn tell_view(&mut self, member: &MemberId) {
        let Some(link) = self.members.link(member) else { return };
        if link.hello.view.as_ref() != Some(&self.state.view) {
            let session = link.session;
            self.say(session, ToReplicator::View(self.state.view.clone()));
        }
    }

    pub(super) fn set_place(&mut self, member: &MemberId, place: Place) {
        if let Some(link) = self.members.link_mut(member) {
            link.place = place;
        }
    }

    fn settle_in_doubt(&mut self, member: &MemberId, session: SessionId, prepared: PreparedRound) {
        let round = prepared.round;
        if self.round.as_ref().is_some_and(|in_flight| in_flight.id == round) {
            return; // Undecided: it is told with the others.
        }
        match self.state.retained.verdict(round) {
            Verdict::Committed(decision) => {
                let message = decision.commit_message();
                self.say(session, message);
                self.happened(ClusterEvent::InDoubtSettled { member: member.clone(), round, committed: true });
            }
            // Presumed abort holds only for a coordinator that is sure of its log: once its epoch is open.
            Verdict::NoDecision if self.mandate == Mandate::Open || Mutant::AbortsBeforeOpen.is_on() => {
                self.say(session, ToReplicator::Abort { round });
                self.happened(ClusterEvent::InDoubtSettled { member: member.clone(), round, committed: false });
            }
            Verdict::MayBeForgotten if self.mandate == Mandate::Open => self.lead_member(member),
            Verdict::NoDecision | Verdict::MayBeForgotten => {}
        }
    }

    fn handle_acknowledge(&mut self, member: &MemberId, settled: RoundId, version: Version, root: SetDigest) {
        // Rounds do not wait for an observer: what it confirms may be behind already.
        let is_current = (version, root) == (self.state.version, self.state.manifest.root())
            || (self.observes(member) && self.state.root_of(version) == Some(root));
        let Some(link) = self.members.link_mut(member) else { return };
        (link.version, link.root) = (version, root);
        let is_settled = link.prepared.is_some_and(|prepared| prepared.round <= settled);
        // An observer takes part in no round: that it has heard of one concerns nobody who looks at it.
        if settled.epoch == self.epoch && !self.observes(member) {
            self.happened(ClusterEvent::RoundAcknowledged { member: member.clone(), round: settled });
        }
        if is_settled {
            self.members.settle(member);
        }
        let Some(link) = self.members.link(member) else { return };
        match link.place {
            Place::Confirming { .. } if is_current => self.confirmed(member),
            Place::Arriving => self.settle(member),
            Place::Confirming { .. } | Place::Learning | Place::Following | Place::Level => {}
        }
        self.forget_acknowledged();
        self.start_round();
    }

    /// Rule SafeTrim: a decision is forgotten only when every participant holds it durably, or is somebody else by now.
    pub(super) fn forget_acknowledged(&mut self) {
        let (members, view) = (&self.members, &self.state.view);
        let acknowledged = |member: &MemberId| -> Option<Version> {
            view.member(member).filter(|_| !Mutant::ForgetsDecisions.is_on())?;
            Some(members.link(member).filter(|link| link.evidence).map_or(Version::ZERO, |link| link.version))
        };
        for round in self.state.retained.forget(acknowledged) {
            self.happened(ClusterEvent::RoundEnded { round });
        }
    }

    /// Ends the connection of a member that is of no use. Whoever reads files from it goes on at the next [`Self::advance_reads`].
    pub(super) fn drop_member(&mut self, member: &MemberId, reason: &str) {
        let Some(session) = self.members.link(member).map(|link| link.session) else { return };
        self.parties.remove(&session);
        self.stop_leading(session);
        self.members.disconnect(member, reason.to_owned(), self.now);
        self.happened(ClusterEvent::MemberDisconnected { member: member.clone(), reason: reason.to_owned() });
        self.lose_holder(&HolderId::Replicator(member.clone()), reason);
        self.close(session, reason.to_owned());
    }

    pub(super) fn lose_member(&mut self, member: &MemberId, reason: &str) {
        self.members.disconnect(member, reason.to_owned(), self.now);
        self.happened(ClusterEvent::MemberDisconnected { member: member.clone(), reason: reason.to_owned() });
        self.abort_if_participant(member, reason);
        self.lose_holder(&HolderId::Replicator(member.clone()), reason);
    }
}
