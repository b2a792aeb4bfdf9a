//! The coordinator's half of the protocol: it forms rounds, counts votes, decides, and brings level who is behind.
//!
//! ```text
//!   changes wait --form--> Preparing --all commit--> Deciding --record durable--> told: commit
//!        ^                     |
//!        '---- tried again ----+--abort vote, silence, disconnection--> told: abort (no record)
//! ```
//!
//! One round is in flight at a time; everything that waits goes into the next one. The driver feeds events in (`handle_*`) and
//! drains [`Coordinator::take_effects`]; it decides nothing.
//!
//! | file | owns |
//! | --- | --- |
//! | `greeting` | hellos, epochs, in-doubt rounds: from a connection to a member that is level |
//! | `rounds` | from waiting changes to a decision |
//! | `in_sync` | who is left out of rounds, and who comes back in |
//! | `membership` | who is a member |
//! | `recovery` | what can be done without the log |
//! | `requests` | what app-servers ask for |
//! | `catch_ups`, `reads` | leading learners; reading files for them from those who are level |
//! | `copies` | showing people what a holder has of a file |
//! | `restorations` | running restores (`crate::restoration`) |
//! | `scrubs` | what replicators find wrong with their own files, and whether that starts a restore |
//! | `state`, `record`, `decision`, `answers` | what the log says |

mod answers;
mod app_servers;
mod attendance;
mod catch_ups;
mod copies;
mod decision;
mod effect;
mod fingerprint;
mod greeting;
mod in_sync;
mod members;
mod membership;
mod reads;
mod record;
mod recovery;
mod requests;
mod restorations;
mod round;
mod rounds;
mod scrubs;
mod settings;
mod state;
mod status;
mod waiting;

pub use answers::{Answers, Known};
pub use decision::{LoggedDecision, RetainedDecisions, Verdict};
pub use effect::{CoordinatorEffect, SessionId};
pub use protocol::{DecidedChange, Decision};
pub use record::CoordinatorRecord;
pub use settings::CoordinatorSettings;
pub use state::{CoordinatorHeader, CoordinatorState, ImpossibleRecord};

use crate::restoration::Restoration;
use crate::{AwaitingDurable, LogSequence, Now, SyncWhen};
use app_servers::AppServers;
use catch_ups::CatchUps;
use copies::Copies;
use in_sync::AfterView;
use members::Members;
use membership::AskedFor;
use protocol::{
    ClusterEvent, CoordinatorId, Epoch, FromAppServer, FromCoordinator, MemberId, Parent, RequestId, RoundNumber,
    ToAppServer, ToCoordinator, ToReplicator, View,
};
use reads::Reads;
use recovery::Survey;
use round::{Round, Stage};
use std::collections::BTreeMap;
use waiting::Waiting;

/// Questions of restores are numbered apart from those of catch-ups, which share the connections; both carry the epoch.
const RESTORATION_REQUESTS: u64 = 1 << 39;

/// Whether this coordinator may run rounds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Mandate {
    /// Its epoch is on its way to the disk.
    Taking,
    /// A majority has not accepted its epoch yet.
    Opening,
    /// It may run rounds.
    Open,
    /// It is not sure of its log and presumes nothing (rule NoStaleCoordinator).
    NeedsRecovery {
        /// What it found, for people.
        reason: String,
    },
}

/// Why a coordinator must not believe its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDoubt {
    /// For people.
    pub reason: String,
    /// It cannot be gone on with: once recovered, the coordinator begins another one.
    pub is_damaged: bool,
}

/// Who this coordinator is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CoordinatorIdentity {
    /// This start of it.
    pub coordinator: CoordinatorId,
    /// The cluster's data key, as replicators are told it.
    pub data_key: String,
}

#[derive(Debug, Clone, Hash)]
enum Then {
    EpochTaken,
    ViewInForce { view: Box<View>, then: AfterView },
    Decided(Box<Decision>, LogSequence),
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Party {
    Unknown,
    Replicator(MemberId),
    /// A member that is heard, and not let in.
    Witness(MemberId),
    AppServer,
}

/// A coordinator without its disk and its network.
#[derive(Debug, Clone)]
pub struct Coordinator {
    identity: CoordinatorIdentity,
    settings: CoordinatorSettings,
    epoch: Epoch,
    state: CoordinatorState,
    /// The newest view, which may still be on its way to the disk; the one in force is in the state.
    newest_view: View,
    mandate: Mandate,
    log_is_damaged: bool,
    parties: BTreeMap<SessionId, Party>,
    members: Members,
    membership: Option<AskedFor>,
    survey: Survey,
    app_servers: AppServers,
    waiting: Waiting,
    /// Why there is no room for the log; none if there is.
    no_room: Option<String>,
    round: Option<Round>,
    last_round: Option<Parent>,
    next_number: RoundNumber,
    awaiting: AwaitingDurable<Then>,
    catch_ups: CatchUps,
    reads: Reads,
    copies: Copies,
    restoration: Option<Restoration>,
    next_restoration_request: RequestId,
    /// When the last restore began that a scrub led to, in milliseconds of the monotonic clock.
    last_scrub_restore_ms: Option<u64>,
    effects: Vec<CoordinatorEffect>,
    now: Now,
}

impl Coordinator {
    /// A coordinator that starts on what its log says. It takes the next epoch; nobody is spoken to before that is durable.
    #[must_use]
    pub fn start(
        identity: CoordinatorIdentity,
        settings: CoordinatorSettings,
        state: CoordinatorState,
        last: LogSequence,
        now: Now,
    ) -> Self {
        let mut coordinator = Self::on(identity, settings, state, last, now);
        let (epoch, cluster) = (coordinator.epoch, coordinator.state.cluster);
        let record = CoordinatorRecord::EpochTaken { epoch, coordinator: coordinator.identity.coordinator, cluster };
        coordinator.append(record, Then::EpochTaken);
        coordinator
    }

    /// A coordinator whose log must not be believed: it is damaged, or a copy. `state` is what can be read of it. It takes no epoch,
    /// writes nothing and runs nothing; it waits for an operator (rule NoStaleCoordinator).
    #[must_use]
    pub fn start_unsure(
        identity: CoordinatorIdentity,
        settings: CoordinatorSettings,
        state: CoordinatorState,
        last: LogSequence,
        doubt: LogDoubt,
        now: Now,
    ) -> Self {
        let mut coordinator = Self::on(identity, settings, state, last, now);
        coordinator.log_is_damaged = doubt.is_damaged;
        coordinator.need_recovery(doubt.reason);
        coordinator
    }

    fn on(
        identity: CoordinatorIdentity,
        settings: CoordinatorSettings,
        state: CoordinatorState,
        last: LogSequence,
        now: Now,
    ) -> Self {
        let epoch = state.epoch.next();
        let last_round = (state.last_decision != protocol::RoundId::ZERO)
            .then_some(Parent { round: state.last_decision, outcome: protocol::Outcome::Committed });
        Self {
            identity,
            settings,
            epoch,
            newest_view: state.view.clone(),
            state,
            mandate: Mandate::Taking,
            log_is_damaged: false,
            parties: BTreeMap::new(),
            members: Members::default(),
            membership: None,
            survey: Survey::default(),
            app_servers: AppServers::default(),
            waiting: Waiting::default(),
            no_room: None,
            round: None,
            last_round,
            next_number: RoundNumber(1),
            awaiting: AwaitingDurable::after(last),
            catch_ups: CatchUps::in_epoch(epoch),
            reads: Reads::in_epoch(epoch),
            copies: Copies::default(),
            restoration: None,
            next_restoration_request: RequestId((epoch.0 << 40) + RESTORATION_REQUESTS),
            last_scrub_restore_ms: None,
            effects: Vec::new(),
            now,
        }
    }

    // What it knows.

    /// What its log says.
    #[must_use]
    pub fn state(&self) -> &CoordinatorState {
        &self.state
    }

    /// Its epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// This start of it.
    #[must_use]
    pub fn coordinator(&self) -> CoordinatorId {
        self.identity.coordinator
    }

    /// Whether it may run rounds.
    #[must_use]
    pub fn mandate(&self) -> &Mandate {
        &self.mandate
    }

    /// Number of changes that wait for a round.
    #[must_use]
    pub fn changes_waiting(&self) -> usize {
        self.waiting.changes()
    }

    /// A checkpoint's place in the log; none while a record is not durable, or the log is not to be believed.
    #[must_use]
    pub fn checkpoint_sequence(&self) -> Option<LogSequence> {
        let is_unsure = matches!(self.mandate, Mandate::NeedsRecovery { .. });
        let is_durable = self.awaiting.last_durable() == self.awaiting.last_appended();
        (is_durable && !is_unsure).then(|| self.awaiting.last_durable())
    }

    /// The last record that is durable in the log.
    #[must_use]
    pub fn last_durable(&self) -> LogSequence {
        self.awaiting.last_durable()
    }

    /// The oldest record that must stay in the log beside a checkpoint: the answers of the retention time. Decisions that
    /// somebody has not acknowledged are in the checkpoint itself (rule SafeTrim).
    #[must_use]
    pub fn oldest_record_needed(&self) -> Option<LogSequence> {
        self.state.answers.oldest()
    }

    /// When [`Coordinator::handle_timer`] is due at the latest, in milliseconds of the monotonic clock.
    #[must_use]
    pub fn next_timer_ms(&self) -> Option<u64> {
        let round = self.round.as_ref().filter(|round| round.stage == Stage::Preparing).map(|round| round.deadline_ms);
        let oldest = self.waiting.oldest_arrival_ms().filter(|_| self.mandate == Mandate::Open);
        let oldest = oldest.map(|arrived| arrived + self.settings.change_wait_ms);
        let pauses = self.members.links().filter_map(|(_, link)| link.paused_until_ms);
        let restoration = self.restoration.as_ref().and_then(Restoration::next_deadline_ms);
        let membership = self.membership.as_ref().map(AskedFor::deadline_ms);
        let in_sync = self.next_in_sync_timer_ms();
        let (scrubs, survey) = (self.next_scrub_timer_ms(), self.survey_ends_ms());
        let reads = self.reads.next_deadline_ms(self.settings.holder_timeout_ms);
        let timers = [round, oldest, reads, restoration, membership, in_sync, scrubs, survey];
        timers.into_iter().flatten().chain(pauses).min()
    }

    /// What the driver is to do, in order.
    pub fn take_effects(&mut self) -> Vec<CoordinatorEffect> {
        std::mem::take(&mut self.effects)
    }

    // What happens.

    /// A message of a replicator.
    pub fn handle_replicator(&mut self, session: SessionId, message: ToCoordinator, now: Now) {
        self.now = now;
        match (self.parties.get(&session).cloned(), message) {
            (None | Some(Party::Unknown), ToCoordinator::Hello(hello)) => self.greet_replicator(session, hello),
            (Some(Party::Replicator(member)), message) => self.handle_member(&member, session, message),
            (Some(Party::Witness(_)), ToCoordinator::Recovery(answer)) => self.handle_recovery_answer(answer),
            (Some(Party::Witness(_)), _) => {}
            _ => self.close(session, "the first message of a connection is a hello".to_owned()),
        }
    }

    /// A message of an app-server.
    pub fn handle_app_server(&mut self, session: SessionId, message: FromAppServer, now: Now) {
        self.now = now;
        match (self.parties.get(&session).cloned(), message) {
            (None | Some(Party::Unknown), FromAppServer::Hello(hello)) => self.greet_app_server(session, hello),
            (Some(Party::AppServer), message) => self.handle_request(session, message),
            _ => self.close(session, "the first message of a connection is a hello".to_owned()),
        }
    }

    /// A connection ended.
    pub fn handle_disconnected(&mut self, session: SessionId, reason: &str, now: Now) {
        self.now = now;
        self.stop_leading(session);
        match self.parties.remove(&session) {
            Some(Party::Replicator(member)) => self.lose_member(&member, reason),
            Some(Party::Witness(member)) => self.lose_witness(&member, session),
            Some(Party::AppServer) => self.lose_app_server(session, reason),
            Some(Party::Unknown) | None => {}
        }
        self.forget_copies(session);
        self.advance_reads();
        self.start_round();
    }

    /// All records up to `through` are durable.
    pub fn handle_durable(&mut self, through: LogSequence, now: Now) {
        self.now = now;
        for then in self.awaiting.durable(through) {
            match then {
                Then::EpochTaken => {
                    (self.state.epoch, self.state.coordinator) = (self.epoch, Some(self.identity.coordinator));
                    if self.mandate == Mandate::Taking {
                        self.mandate = Mandate::Opening;
                    }
                }
                Then::ViewInForce { view, then } => self.use_view(*view, then),
                Then::Decided(decision, sequence) => self.tell_decision(*decision, sequence),
                Then::Nothing => {}
            }
        }
    }

    /// The driver has measured its disk. `lack` says, as a clause, why the log may not be able to take what a round needs: none is
    /// begun then. The records of the round in flight, and of its end, were reckoned with.
    pub fn handle_room(&mut self, lack: Option<String>, now: Now) {
        self.now = now;
        self.no_room = lack;
        self.start_round();
    }

    /// Time has passed.
    pub fn handle_timer(&mut self, now: Now) {
        self.now = now;
        self.close_late_vote();
        for member in self.members.end_pauses(now.monotonic_ms) {
            self.settle(&member);
        }
        self.drop_those_who_do_not_confirm();
        self.give_up_late_membership();
        self.end_late_survey();
        self.look_for_late_sources();
        self.begin_paced_reads();
        self.hurry_restoration();
        self.restore_what_scrubs_found();
        self.refuse_those_who_waited_too_long();
        self.state.expire_answers(now.monotonic_ms, self.settings.answer_retention_ms);
        self.start_round();
    }

    // How it speaks.

    fn append(&mut self, record: CoordinatorRecord, then: Then) {
        let sequence = self.awaiting.append(then);
        self.effects.push(CoordinatorEffect::Append { sequence, record, sync: SyncWhen::Now });
    }

    fn say(&mut self, session: SessionId, message: ToReplicator) {
        self.say_to_all(vec![session], message);
    }

    fn say_to_all(&mut self, sessions: Vec<SessionId>, message: ToReplicator) {
        let message = FromCoordinator { epoch: self.epoch, coordinator: self.identity.coordinator, message };
        self.effects.push(CoordinatorEffect::ToReplicators { sessions, message });
    }

    fn tell(&mut self, session: SessionId, message: ToAppServer) {
        self.tell_all(vec![session], message);
    }

    fn tell_all(&mut self, sessions: Vec<SessionId>, message: ToAppServer) {
        if !sessions.is_empty() {
            let message = FromCoordinator { epoch: self.epoch, coordinator: self.identity.coordinator, message };
            self.effects.push(CoordinatorEffect::ToAppServers { sessions, message });
        }
    }

    fn happened(&mut self, event: ClusterEvent) {
        self.effects.push(CoordinatorEffect::Happened(event));
    }

    fn close(&mut self, session: SessionId, reason: String) {
        self.effects.push(CoordinatorEffect::Close { session, reason });
    }
}
