//! A coordinator that speaks the protocol with app-servers and does what a test tells it to.

use axum::extract::State;
use axum::response::Response;
use catalogue::BookPath;
use protocol::*;
use service::listen::{self, ListenLimits};
use service::websocket::{LinkEvent, LinkSettings, LinkUpgrade, Outbox};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use two_phase::Manifest;
use uuid::Uuid;

/// What it does with submissions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Manner {
    /// Commits them.
    Commit,
    /// Takes them and says nothing.
    Silent,
    /// Commits them, and the connection breaks before it says so.
    CommitThenDisconnect,
    /// Aborts them.
    Abort,
    /// Refuses them for this reason.
    Refuse(Refusal),
}

/// What it knows and did.
pub(crate) struct Truth {
    pub(crate) manner: Manner,
    pub(crate) version: Version,
    pub(crate) manifest: Manifest,
    pub(crate) files: BTreeMap<BookPath, Content>,
    pub(crate) submissions: Vec<Submission>,
    pub(crate) reports: Vec<RestorationReport>,
    pub(crate) rounds: Vec<RoundReport>,
    pub(crate) orders: Vec<String>,
    pub(crate) refuses_orders: Option<String>,
    pub(crate) file_answers: Vec<HolderAnswer>,
    pub(crate) fetched: usize,
    pub(crate) why_not: Option<String>,
    pub(crate) scrub: protocol::ScrubStatus,
    pub(crate) commits_during_fetch: Vec<(BookPath, Option<Vec<u8>>)>,
    pub(crate) streams_events: bool,
    pub(crate) lab: bool,
    /// Where the app-server that connected last says that its page is.
    pub(crate) advertised: Option<PageAddress>,
    answers: HashMap<ChangeId, (Digest, CommittedAnswer)>,
    epoch: Epoch,
    identity: CoordinatorId,
    cluster: ClusterId,
    link: Option<Outbox>,
}

pub(crate) struct FakeCoordinator {
    pub(crate) address: SocketAddr,
    truth: Arc<Mutex<Truth>>,
    serving: Option<CancellationToken>,
}

impl FakeCoordinator {
    pub(crate) async fn start() -> Self {
        let truth = Truth {
            manner: Manner::Commit,
            version: Version::ZERO,
            manifest: Manifest::default(),
            files: BTreeMap::new(),
            submissions: Vec::new(),
            reports: Vec::new(),
            rounds: Vec::new(),
            orders: Vec::new(),
            refuses_orders: None,
            file_answers: Vec::new(),
            fetched: 0,
            why_not: None,
            scrub: protocol::ScrubStatus::default(),
            commits_during_fetch: Vec::new(),
            streams_events: false,
            lab: true,
            advertised: None,
            answers: HashMap::new(),
            epoch: Epoch(1),
            identity: CoordinatorId(Uuid::new_v4()),
            cluster: ClusterId(Uuid::new_v4()),
            link: None,
        };
        let any_port = "127.0.0.1:0".parse().unwrap();
        let mut fake = Self { address: any_port, truth: Arc::new(Mutex::new(truth)), serving: None };
        fake.listen().await;
        fake
    }

    /// Listens at its address, the same as before if it had one.
    async fn listen(&mut self) {
        let listener = loop {
            // The port of the one that was just stopped is free in a moment.
            match listen::bind(self.address, None).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        self.address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let state = (Arc::clone(&self.truth), stop.clone());
        let router = axum::Router::new().route("/v1/app-servers", axum::routing::any(accept)).with_state(state);
        let until = stop.clone();
        tokio::spawn(async move { listen::serve(listener, router, &ListenLimits::default(), until).await });
        self.serving = Some(stop);
    }

    pub(crate) fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap()
    }

    /// Dies: the link breaks, and nobody answers any more.
    pub(crate) fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.cancel();
        }
        self.truth().link = None;
    }

    /// Comes back as a new start of the same coordinator, with what it had decided.
    pub(crate) async fn start_again(&mut self) {
        self.stop();
        {
            let mut truth = self.truth();
            truth.epoch = truth.epoch.next();
            truth.identity = CoordinatorId(Uuid::new_v4());
        }
        self.listen().await;
    }

    /// Commits something that another app-server asked for.
    pub(crate) fn commit(&self, changes: Vec<(BookPath, Option<Vec<u8>>)>) {
        self.truth().commit(changes);
    }

    /// Commits something, and leaves it to the test to say so.
    pub(crate) fn commit_untold(&self, changes: Vec<(BookPath, Option<Vec<u8>>)>) -> CommittedRound {
        self.truth().decide_elsewhere(changes)
    }

    pub(crate) fn say(&self, message: ToAppServer) {
        self.truth().say(message);
    }
}

pub(crate) fn action(bytes: Option<Vec<u8>>) -> Action {
    match bytes {
        Some(bytes) => Action::Put { digest: Digest::of(&bytes), content: bytes.into() },
        None => Action::Delete,
    }
}

impl Drop for FakeCoordinator {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn accept(State((truth, stop)): State<(Arc<Mutex<Truth>>, CancellationToken)>, upgrade: LinkUpgrade) -> Response {
    let mut own: Option<Outbox> = None;
    let on_event = move |event| match event {
        LinkEvent::Connected { outbox, .. } => own = Some(outbox),
        LinkEvent::Message { text } => {
            let message: FromAppServer = serde_json::from_str(&text).unwrap();
            let mut truth = truth.lock().unwrap();
            if let FromAppServer::Hello(_) = &message {
                truth.link = own.clone();
            }
            truth.handle(message);
        }
        LinkEvent::Disconnected { .. } | LinkEvent::DialFailed { .. } => {}
    };
    upgrade.accept(None, LinkSettings::default(), on_event, stop)
}

impl Truth {
    fn say(&mut self, message: ToAppServer) {
        let message = FromCoordinator { epoch: self.epoch, coordinator: self.identity, message };
        if let Some(link) = &self.link {
            link.send(serde_json::to_string(&message).unwrap());
        }
    }

    fn commit(&mut self, changes: Vec<(BookPath, Option<Vec<u8>>)>) {
        let round = self.decide_elsewhere(changes);
        self.say(ToAppServer::Committed(round));
    }

    fn decide_elsewhere(&mut self, changes: Vec<(BookPath, Option<Vec<u8>>)>) -> CommittedRound {
        let changes = changes.into_iter().map(|(path, bytes)| Change {
            id: Uuid::new_v4().to_string().parse().unwrap(),
            fingerprint: Digest::of(b"elsewhere"),
            path,
            precondition: Precondition::None,
            answer: "{}".to_owned(),
            action: action(bytes),
        });
        let changes = changes.collect();
        self.decide(changes)
    }

    fn handle(&mut self, message: FromAppServer) {
        match message {
            FromAppServer::Hello(hello) => {
                self.advertised.clone_from(&hello.address);
                self.say(ToAppServer::Welcome { cluster: self.cluster, lab: self.lab });
                let (version, root) = (self.version, self.manifest.root());
                if (hello.version, hello.root) == (version, root) {
                    self.say(ToAppServer::Confirm { version, root });
                } else {
                    let target = CatchUpTarget { version, root, round: RoundId::ZERO };
                    self.say(ToAppServer::CatchUp(ToLearner::Compare { catch_up: CatchUpId(self.epoch.0), target }));
                }
            }
            FromAppServer::Submit { request, submission } => self.submit(request, submission),
            FromAppServer::Ask { request, query } => {
                let answer = self.answer(query);
                self.say(ToAppServer::Told { request, answer });
            }
            FromAppServer::Restore { request, restoration, dry_run } => {
                self.orders.push(format!("restore dry_run={dry_run}"));
                let refused = self.refuses_orders.clone();
                if let (None, Some(report)) = (&refused, self.reports.first_mut()) {
                    report.id = restoration;
                    report.dry_run = dry_run;
                }
                self.say(ToAppServer::Done { request, refused });
            }
            FromAppServer::Scrub { request } => {
                self.orders.push("scrub".to_owned());
                let refused = self.refuses_orders.clone();
                self.say(ToAppServer::Done { request, refused });
            }
            FromAppServer::ChangeMembers { request, change } => {
                self.orders.push(serde_json::to_string(&change).unwrap());
                let refused = self.refuses_orders.clone();
                self.say(ToAppServer::Done { request, refused });
            }
            FromAppServer::Lab { request, action } => {
                self.orders.push(serde_json::to_string(&action).unwrap());
                let refused = self.refuses_orders.clone();
                self.say(ToAppServer::Done { request, refused });
            }
            FromAppServer::FollowEvents { follow } => self.streams_events = follow,
            FromAppServer::CatchUp(message) => self.lead(message),
            FromAppServer::Files(answer) => self.file_answers.push(answer),
        }
    }

    fn lead(&mut self, message: FromLearner) {
        let answer = match message {
            FromLearner::Buckets { catch_up, sums } => {
                let differing = self.manifest.differing_buckets(&sums);
                let buckets = differing.into_iter().map(|bucket| self.manifest.bucket_entries(bucket)).collect();
                ToLearner::Entries { catch_up, buckets, last: true }
            }
            FromLearner::Fetch { catch_up, files, .. } => {
                self.fetched += files.len();
                // The bytes as they were at the target.
                let at_target = self.files.clone();
                let during = std::mem::take(&mut self.commits_during_fetch);
                if !during.is_empty() {
                    self.commit(during);
                }
                let fetched =
                    |wanted: WantedFile| FetchedFile { content: at_target.get(&wanted.path).cloned(), wanted };
                ToLearner::Files { catch_up, files: files.into_iter().map(fetched).collect(), exhaustive: true }
            }
            FromLearner::CaughtUp { .. } => return,
        };
        self.say(ToAppServer::CatchUp(answer));
    }

    fn submit(&mut self, request: RequestId, submission: Submission) {
        self.submissions.push(submission.clone());
        let answer = match self.manner.clone() {
            Manner::Silent => return,
            Manner::Refuse(refusal) => refused(refusal),
            Manner::Abort => self.aborted(),
            Manner::Commit if submission.force_abort => self.aborted(),
            Manner::Commit | Manner::CommitThenDisconnect => self.judge(submission),
        };
        if self.manner == Manner::CommitThenDisconnect {
            // Once only: the app-server comes back and asks again.
            self.manner = Manner::Commit;
            if let Some(link) = self.link.take() {
                link.close("the test wants it so");
            }
            return;
        }
        self.say(ToAppServer::Answered { request, answer });
    }

    fn aborted(&self) -> SubmissionAnswer {
        let (cause, why) = (Some("forced".to_owned()), Some("asked to in the lab.".to_owned()));
        let member = "replicator-2".parse().unwrap();
        let vote = VoteReport { after_us: Some(1_234), ..VoteReport::new(member, "abort", cause, why) };
        let round = RoundId { epoch: self.epoch, number: RoundNumber(77) };
        SubmissionAnswer::Aborted {
            round,
            reason: "replicator-2 voted abort: asked to in the lab.".to_owned(),
            votes: vec![vote],
            committed: Vec::new(),
        }
    }

    /// Idempotency first, then preconditions, as the real one does.
    fn judge(&mut self, submission: Submission) -> SubmissionAnswer {
        let mut fresh = Vec::new();
        for change in &submission.changes {
            match self.answers.get(&change.id) {
                Some((fingerprint, _)) if *fingerprint == change.fingerprint => continue,
                Some(_) => {
                    return refused(Refusal::KeyReused { change: change.id.clone() });
                }
                None => {}
            }
            let current = self.manifest.record(&change.path).map(|record| record.digest);
            let holds = match change.precondition {
                Precondition::None => true,
                Precondition::Absent => current.is_none(),
                Precondition::Present => current.is_some(),
                Precondition::Digest(digest) => current == Some(digest),
            };
            if !holds {
                let (change, path) = (change.id.clone(), change.path);
                return refused(Refusal::PreconditionFailed { change, path, current });
            }
            fresh.push(change.clone());
        }
        if !fresh.is_empty() {
            let round = self.decide(fresh);
            if self.manner != Manner::CommitThenDisconnect {
                self.say(ToAppServer::Committed(round));
            }
        }
        let answers = submission.changes.iter().map(|change| self.answers[&change.id].1.clone()).collect();
        SubmissionAnswer::Committed { answers }
    }

    fn decide(&mut self, changes: Vec<Change>) -> CommittedRound {
        self.version = self.version.next();
        let round = RoundId { epoch: self.epoch, number: RoundNumber(self.version.0) };
        self.manifest.apply(&changes, self.version);
        for change in &changes {
            match &change.action {
                Action::Put { content, .. } => self.files.insert(change.path, content.clone()),
                Action::Delete => self.files.remove(&change.path),
            };
            let answer = CommittedAnswer {
                change: change.id.clone(),
                round,
                version: self.version,
                path: change.path,
                digest: change.action.digest(),
                answer: change.answer.clone(),
            };
            self.answers.insert(change.id.clone(), (change.fingerprint, answer));
        }
        let committed = |change: Change| CommittedChange {
            id: change.id,
            path: change.path,
            answer: change.answer,
            action: change.action,
        };
        let changes = changes.into_iter().map(committed).collect();
        CommittedRound { round, version: self.version, root: self.manifest.root(), changes }
    }

    fn answer(&self, query: Query) -> QueryAnswer {
        match query {
            Query::Change { change } => QueryAnswer::Change {
                state: match self.answers.get(&change) {
                    Some((_, answer)) => ChangeState::Committed(answer.clone()),
                    None => ChangeState::NotKnown,
                },
            },
            Query::Cluster => QueryAnswer::Cluster { status: self.status() },
            Query::Rounds { before, limit, outcome } => {
                let all: Vec<_> =
                    self.rounds.iter().filter(|round| outcome.is_none_or(|outcome| round.outcome == outcome)).collect();
                let beyond: Vec<_> =
                    all.iter().filter(|round| before.is_none_or(|before| round.round < before)).collect();
                QueryAnswer::Rounds {
                    rounds: beyond.iter().take(limit as usize).map(|round| (**round).clone()).collect(),
                    total: all.len() as u64,
                    more: beyond.len() > limit as usize,
                }
            }
            Query::Round { round } => QueryAnswer::Round {
                round: self.rounds.iter().find(|report| report.round == round).cloned().map(Box::new),
            },
            Query::Copy { wanted, .. } => {
                let content =
                    self.files.get(&wanted.path).filter(|content| Digest::of(content.bytes()) == wanted.digest);
                let why_not = content.is_none().then(|| "it has these bytes no more".to_owned());
                QueryAnswer::Copy { content: content.cloned(), why_not }
            }
            Query::Held => {
                QueryAnswer::Held { on: false, messages: Vec::new(), crash_at: Some("votes_received".to_owned()) }
            }
            Query::Restorations => QueryAnswer::Restorations { reports: self.reports.clone() },
            Query::Restoration { restoration } => QueryAnswer::Restoration {
                report: self.reports.iter().find(|report| report.id == restoration).cloned().map(Box::new),
            },
        }
    }

    fn status(&self) -> ClusterStatus {
        let member = MemberStatus {
            id: "replicator-1".parse().unwrap(),
            role: protocol::MemberRole::Voter,
            state: MemberState::InSync,
            connected: true,
            version: self.version,
            address: Some("127.0.0.1:7421".to_owned()),
            in_doubt_round: Some("1-5".parse().unwrap()),
            in_doubt_since_ms: Some(0),
            detail: None,
            catch_up: None,
            last_seen_ms: None,
            scrub: self.scrub.clone(),
            disk: Some(DiskSpace { free_bytes: 1_000, total_bytes: 5_000 }),
        };
        ClusterStatus {
            epoch: self.epoch,
            version: self.version,
            root: self.manifest.root(),
            view: ViewNumber(1),
            min_in_sync: 2,
            policy: CommitPolicy::All,
            why_not: self.why_not.clone(),
            files: self.manifest.files(),
            members: vec![member],
            app_servers: Vec::new(),
            lab: self.lab,
        }
    }
}

fn refused(refusal: Refusal) -> SubmissionAnswer {
    SubmissionAnswer::Refused { refusal, committed: Vec::new() }
}
