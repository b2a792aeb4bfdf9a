//! What app-servers ask for: to be let in, to have changes committed, to be told something.

use super::waiting::{Arrival, Requester};
use super::{Coordinator, Mandate, Party, SessionId};
use protocol::{
    AppServerHello, ChangeId, ChangeState, FromAppServer, HolderId, LabAction, PROTOCOL_VERSION, Query, QueryAnswer,
    Refusal, RequestId, Submission, SubmissionAnswer, ToAppServer, ToReplicator,
};

impl Coordinator {
    pub(super) fn greet_app_server(&mut self, session: SessionId, hello: AppServerHello) {
        self.parties.insert(session, Party::Unknown);
        // An app-server shows only what was committed, so that it is a witness too (rule NoStaleCoordinator).
        let who = hello.app_server.as_str();
        let own = hello.cluster == Some(self.state.cluster);
        if let Some(reason) = self.newer_than_log(who, hello.epoch, hello.coordinator, hello.version).filter(|_| own) {
            self.need_recovery(reason);
        }
        if let Some(reason) = self.reason_to_refuse_app_server(&hello) {
            self.tell(session, ToAppServer::Refuse { reason: reason.clone() });
            self.close(session, reason);
            return;
        }
        let name = hello.app_server.clone();
        if let Some(replaced) = self.app_servers.connect(session, hello) {
            self.parties.remove(&replaced);
            self.lose_holder(&HolderId::AppServer(name.clone()), "it connected anew");
            self.close(replaced, format!("{name} connected anew"));
        }
        self.parties.insert(session, Party::AppServer);
        self.tell(session, ToAppServer::Welcome { cluster: self.state.cluster, lab: self.settings.lab });
        self.tell_who_serves_pages();
        self.bring_app_server_level(session);
    }

    fn tell_who_serves_pages(&mut self) {
        let app_servers = self.app_servers.statuses();
        self.tell_all(self.app_servers.sessions(), ToAppServer::AppServers { app_servers });
    }

    /// An app-server follows a coordinator only once its epoch is open; until then it is answered, but told no state.
    pub(super) fn bring_app_server_level(&mut self, session: SessionId) {
        if self.mandate != Mandate::Open {
            return;
        }
        let Some(holds) = self.app_servers.follow(session) else { return };
        let (version, root) = (self.state.version, self.state.manifest.root());
        if holds == (version, root) {
            self.tell(session, ToAppServer::Confirm { version, root });
        } else {
            self.lead_app_server(session, holds.0);
        }
    }

    fn reason_to_refuse_app_server(&self, hello: &AppServerHello) -> Option<String> {
        let foreign = hello.cluster.is_some_and(|cluster| cluster != self.state.cluster);
        // Also one that needs recovery lets nobody in until its epoch is durable (rule EpochFence): one that takes none, never.
        if self.state.epoch != self.epoch {
            Some(self.why_no_round().unwrap_or_default())
        } else if hello.protocol != PROTOCOL_VERSION {
            Some(format!(
                "it speaks protocol {}, this coordinator speaks {PROTOCOL_VERSION}; run the same release",
                hello.protocol
            ))
        } else if foreign && matches!(self.mandate, Mandate::NeedsRecovery { .. }) {
            // Then it is this coordinator's log that is the wrong one of the two.
            self.why_no_round()
        } else if foreign {
            Some(format!("its data belongs to another cluster than this one, {}", self.state.cluster))
        } else {
            let name = &hello.app_server;
            let other = self.app_servers.is_taken(name, hello.incarnation);
            other.then(|| {
                format!("another app-server is connected as {name}; stop one of the two or give one another --id")
            })
        }
    }

    pub(super) fn handle_request(&mut self, session: SessionId, message: FromAppServer) {
        match message {
            FromAppServer::Hello(_) => self.close(session, "a connection has one hello".to_owned()),
            FromAppServer::Submit { request, submission } => self.submit(session, request, submission),
            FromAppServer::Ask { request, query: Query::Copy { holder, wanted } } => {
                self.ask_for_copy(session, request, &holder, wanted);
            }
            FromAppServer::Ask { request, query } => {
                if let Some(answer) = self.answer_query(&query) {
                    self.tell(session, ToAppServer::Told { request, answer });
                }
            }
            FromAppServer::ChangeMembers { request, change } => self.ask_to_change_members(session, request, change),
            FromAppServer::Scrub { request } => self.scrub_now(session, request),
            FromAppServer::Lab { request, action } => {
                let refused = self.lab(action);
                self.tell(session, ToAppServer::Done { request, refused });
            }
            FromAppServer::FollowEvents { follow } => self.app_servers.want_events(session, follow),
            FromAppServer::CatchUp(message) => self.handle_learner(session, message),
            FromAppServer::Files(answer) => self.handle_files(session, answer),
            FromAppServer::Restore { request, restoration, dry_run } => {
                self.start_restoration(session, request, restoration, dry_run);
            }
        }
    }

    pub(super) fn lose_app_server(&mut self, session: SessionId, reason: &str) {
        if let Some(id) = self.app_servers.id(session).cloned() {
            self.app_servers.remove(session);
            self.lose_holder(&HolderId::AppServer(id), reason);
            self.tell_who_serves_pages();
        }
    }

    fn submit(&mut self, session: SessionId, request: RequestId, submission: Submission) {
        let requester = Requester { session, request };
        if matches!(self.mandate, Mandate::NeedsRecovery { .. }) {
            return; // A newer log may have committed it: to whoever asks, the outcome is unknown (rule HonestAnswer).
        }
        let (answers, now_ms) = (&self.state.answers, self.now.monotonic_ms);
        let answer = match self.waiting.arrive(submission, requester, answers, &self.settings, now_ms) {
            Arrival::Waits => return self.start_round(),
            Arrival::Done(answers) => SubmissionAnswer::Committed { answers },
            // The same holds before the epoch is open. Whoever connects anew sends it again.
            Arrival::Refused(Refusal::QueueFull { .. }, _) if self.mandate != Mandate::Open => {
                return self.close(session, "too many changes wait for the coordinator to open its epoch".to_owned());
            }
            Arrival::Refused(refusal, committed) => SubmissionAnswer::Refused { refusal, committed },
        };
        self.tell(session, ToAppServer::Answered { request, answer });
    }

    /// Answers what the core knows; none for what the driver knows (rounds that ended, reports that are kept).
    fn answer_query(&self, query: &Query) -> Option<QueryAnswer> {
        match query {
            Query::Change { change } => Some(QueryAnswer::Change { state: self.change_state(change) }),
            Query::Cluster => Some(QueryAnswer::Cluster { status: self.status() }),
            Query::Rounds { .. }
            | Query::Round { .. }
            | Query::Restorations
            | Query::Restoration { .. }
            | Query::Copy { .. }
            | Query::Held => None,
        }
    }

    /// Rule HonestAnswer: "not known" is said only by a coordinator that is sure of its log.
    fn change_state(&self, change: &ChangeId) -> ChangeState {
        if let Some(answer) = self.state.answers.answer(change) {
            ChangeState::Committed(answer)
        } else if self.waiting.is_active(change) {
            ChangeState::Pending
        } else if self.mandate == Mandate::Open {
            ChangeState::NotKnown
        } else {
            ChangeState::Unknown
        }
    }

    fn lab(&mut self, action: LabAction) -> Option<String> {
        if !self.settings.lab {
            return Some("the cluster does not run with the lab; start it with --lab".to_owned());
        }
        match action {
            LabAction::VoteAbort { member, reason } => match self.members.link(&member).map(|link| link.session) {
                Some(session) => {
                    self.say(session, ToReplicator::VoteAbortNext { reason });
                    None
                }
                None => Some(format!("{member} is not connected")),
            },
            // The driver has seen them first: points to die at are in its code, and so are the links.
            LabAction::CrashAt { .. } | LabAction::Step { .. } | LabAction::Release { .. } => None,
        }
    }
}
