//! What goes on when a service dies: how each crash point is reached, and what must hold when the service is back.

use crate::Victim;
use crate::in_doubt_time::InDoubtTimes;
use faults::CrashPoint;
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::time::Duration;
use system_tests::{
    Cluster, Copies, Ledger, Options, Outcome, Service, Writers, command, eventually, flip_byte_in_the_middle,
    newest_segment, tear_last_record,
};

/// Longer than any reaction takes on a busy machine.
const SOON: Duration = Duration::from_secs(60);

const WRITERS: usize = 8;

/// What goes on when the service dies. Writers are at work in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Nothing but rounds, with early checkpoints and small log segments.
    Writing,
    /// The service was killed and comes back.
    Starting,
    /// The service was killed, lost all that it had on its disk, and comes back.
    LosingItsDisk,
    /// The service was killed, and a byte in its log has changed.
    DamagingItsLog,
    /// The service was killed, and the last record of its log is torn.
    TearingItsLog,
    /// A replicator is killed.
    LosingAReplicator,
    /// The coordinator is killed and comes back.
    MeetingANewCoordinator,
    /// The replicator votes to abort.
    Refusing,
    /// Another replicator votes to abort.
    Aborting,
    /// The replicator is one that is told of every round and has no vote.
    Observing,
    /// The coordinator hangs, and the replicator, which has not voted, is asked by the one that has.
    WitnessingForAPeer,
    /// All replicators read their files.
    Scrubbing,
    /// A file that was damaged is put right.
    Healing,
}

/// A cluster, who dies in it, and where.
pub(crate) struct Stage {
    cluster: Cluster,
    victim: Victim,
    point: CrashPoint,
    scenario: Scenario,
    /// All answers so far.
    ledger: Ledger,
    in_doubt: InDoubtTimes,
}

impl Stage {
    pub(crate) async fn set(victim: Victim, point: CrashPoint, scenario: Scenario) -> Self {
        // Under rounds alone the first victim need not be killed before: it is armed from the beginning.
        let armed = nth(point, scenario, 0);
        let first = (scenario == Scenario::Writing).then(|| (service(victim, 0), armed.as_str()));
        let cluster = Cluster::start_with_armed(options(scenario), first).await;
        let (ledger, in_doubt) = (Ledger::default(), InDoubtTimes::default());
        let mut stage = Self { cluster, victim, point, scenario, ledger, in_doubt };
        if scenario == Scenario::Observing {
            let observer = stage.cluster.start_new_replicator();
            assert_eq!(stage.cluster.client().add_member(&observer.name(), "observer").await.status, 204);
            stage.cluster.client().wait_until_in_sync(&observer.name()).await;
        }
        stage
    }

    /// The service dies at its point, for the `turn`-th time; it comes back, and all is well.
    pub(crate) async fn play(&mut self, turn: usize) {
        let writers = Writers::start(&self.cluster.client(), &format!("turn-{turn}"), WRITERS);
        let victim = self.victim_of(turn);
        let armed = nth(self.point, self.scenario, turn);
        self.bring_about(turn, victim, &armed, &writers).await;
        self.has_died_there(victim).await;
        self.come_back(victim).await;
        writers.commit_more(2 * WRITERS as u64).await;
        self.ledger.0.extend(writers.finish().await.0);
        self.all_is_well().await;
    }

    pub(crate) fn summary(&self) -> String {
        let committed = self.ledger.count(|outcome| matches!(outcome, Outcome::Committed { .. }));
        format!("{committed} changes acknowledged; {}", self.in_doubt.summary())
    }

    fn victim_of(&self, turn: usize) -> Service {
        match self.scenario {
            Scenario::Observing => Service::Replicator(4),
            Scenario::WitnessingForAPeer => Service::Replicator(1),
            _ => service(self.victim, turn),
        }
    }

    /// Makes the victim reach its point.
    async fn bring_about(&mut self, turn: usize, victim: Service, armed: &str, writers: &Writers) {
        match self.scenario {
            Scenario::Writing if turn == 0 => {}
            Scenario::Writing => self.start_anew(victim, armed),
            Scenario::Starting => self.start_behind(victim, armed, writers, |_| {}).await,
            Scenario::LosingItsDisk => {
                let lose = |data: PathBuf| std::fs::remove_dir_all(data).unwrap();
                self.start_behind(victim, armed, writers, lose).await;
                self.recover_until(async |stage| stage.cluster.has_died(victim)).await;
            }
            Scenario::DamagingItsLog => {
                let damage = |data: PathBuf| flip_byte_in_the_middle(&newest_segment(&data));
                self.start_behind(victim, armed, writers, damage).await;
            }
            Scenario::TearingItsLog => {
                let tear = |data: PathBuf| tear_last_record(&newest_segment(&data));
                self.start_behind(victim, armed, writers, tear).await;
            }
            Scenario::LosingAReplicator => {
                self.start_anew(victim, armed);
                self.cluster.wait_until_ready().await;
                self.cluster.kill(Service::Replicator(3));
            }
            Scenario::MeetingANewCoordinator => {
                self.start_anew(victim, armed);
                self.cluster.kill(Service::Coordinator);
                self.cluster.start_service(Service::Coordinator);
            }
            Scenario::Refusing | Scenario::Aborting => {
                self.start_anew(victim, armed);
                self.wait_until_in_sync_or_dead(victim).await;
                let others = |turn| if self.scenario == Scenario::Refusing { turn } else { turn + 1 };
                self.vote_abort_until_dead(service(self.victim, others(turn)), victim).await;
            }
            Scenario::Observing => self.start_anew(victim, armed),
            Scenario::WitnessingForAPeer => self.hang(None, Some(armed)).await,
            Scenario::Scrubbing => {
                self.start_anew(victim, armed);
                self.cluster.client().wait_until_in_sync(&victim.name()).await;
                self.cluster.client().post("/scrubs", &serde_json::json!({})).await.unwrap();
            }
            Scenario::Healing => {
                self.start_anew(victim, armed);
                self.cluster.wait_until_ready().await;
                self.restore_damage_until_dead(turn, victim).await;
            }
        }
    }

    fn start_anew(&mut self, victim: Service, armed: &str) {
        self.cluster.kill(victim);
        self.cluster.start_armed(victim, Some(armed));
    }

    /// The victim misses some changes, if the others go on without it, and finds its directory changed.
    async fn start_behind(&mut self, victim: Service, armed: &str, writers: &Writers, change: impl FnOnce(PathBuf)) {
        writers.commit_more(WRITERS as u64).await;
        self.cluster.kill(victim);
        if let Service::Replicator(_) = victim {
            writers.commit_more(WRITERS as u64).await;
        }
        change(self.cluster.data(victim));
        self.cluster.start_armed(victim, Some(armed));
    }

    /// One that was killed in doubt may hear as soon as it is back that its round is aborted, and die of that.
    async fn wait_until_in_sync_or_dead(&mut self, victim: Service) {
        let client = self.cluster.client();
        eventually("the victim is in sync, or dead", 2 * SOON, async || {
            let is_dead = self.cluster.has_died(victim);
            let in_sync = client.member(&victim.name()).await.is_some_and(|member| member["state"] == "in_sync");
            (is_dead || in_sync).then_some(())
        })
        .await;
    }

    /// A replicator is told to vote to abort, again and again, until the victim has died of it.
    async fn vote_abort_until_dead(&mut self, voter: Service, victim: Service) {
        let (client, path) = (self.cluster.client(), format!("/lab/replicators/{}/vote-abort", voter.name()));
        eventually("the victim dies", SOON, async || {
            let _ = client.post(&path, &serde_json::json!({ "reason": "asked to" })).await;
            self.cluster.has_died(victim).then_some(())
        })
        .await;
    }

    /// The coordinator hangs when it has sent a prepare; the second of two replicators has voted, the first one has died before
    /// and comes back.
    async fn hang(&mut self, second_armed: Option<&str>, first_armed: Option<&str>) {
        let [first, second] = [1, 2].map(Service::Replicator);
        // First, so that nobody dies of a round of the coordinator before.
        self.cluster.kill(Service::Coordinator);
        self.cluster.kill(first);
        self.cluster.start_armed(first, Some("prepare_received"));
        self.cluster.kill(second);
        self.cluster.start_armed(second, second_armed);
        self.cluster.start_pausing(Service::Coordinator, "prepare_sent");
        self.cluster.wait_until_dead(first).await;
        self.cluster.start_armed(first, first_armed);
    }

    /// Files are damaged on the victim's disk, or on that of a replicator, and a restore begins, until the victim has died of it.
    async fn restore_damage_until_dead(&mut self, turn: usize, victim: Service) {
        let holder = if victim == Service::Coordinator { service(Victim::Replicator, turn) } else { victim };
        let client = self.cluster.client();
        eventually("the victim dies", SOON, async || {
            if let Some((path, _)) = system_tests::book_files(&self.cluster.data(holder)).pop_first() {
                std::fs::write(self.cluster.data(holder).join("books").join(path), "<broken").unwrap();
            }
            let _ = client.post("/restorations", &serde_json::json!({ "dry_run": false })).await;
            self.cluster.has_died(victim).then_some(())
        })
        .await;
    }

    /// What an operator does about a coordinator without its log, again and again. A cluster that needs none is left alone.
    async fn recover_until(&mut self, condition: impl AsyncFn(&mut Self) -> bool) {
        let coordinator = format!("http://{}", self.cluster.address(Service::Coordinator));
        while !condition(self).await {
            let mut recover = command("concordance");
            recover.args(["recover", "--yes", "--json", "--wait-seconds", "10", "--coordinator", &coordinator]);
            // It fails where the coordinator dies of it, or has not heard everybody: then it is tried again.
            tokio::task::spawn_blocking(move || recover.output().unwrap()).await.unwrap();
        }
    }

    async fn has_died_there(&mut self, victim: Service) {
        let status = self.cluster.wait_until_dead(victim).await;
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{status}\n{}", self.cluster.log(victim));
        let last = format!("crash point `{}` reached: killing this process", self.point.name());
        let log = self.cluster.log(victim);
        assert!(log.trim_end().ends_with(&last), "it has not died there:\n{log}");
    }

    /// Starts the victim again, and whatever else the scenario has stopped.
    async fn come_back(&mut self, victim: Service) {
        let in_doubt = self.in_doubt.who(&self.cluster).await;
        self.cluster.start_service(victim);
        match self.scenario {
            Scenario::LosingAReplicator => self.cluster.start_service(Service::Replicator(3)),
            Scenario::WitnessingForAPeer => {
                self.others_are_out_of_doubt(victim).await;
                self.cluster.process(Service::Coordinator).resume();
            }
            Scenario::LosingItsDisk => {
                self.recover_until(async |stage| {
                    stage.cluster.client().cluster().await.is_some_and(|status| status["accepting_writes"] == true)
                })
                .await;
            }
            _ => {}
        }
        if victim == Service::Coordinator && self.scenario != Scenario::LosingItsDisk {
            self.in_doubt.measure(&self.cluster, in_doubt).await;
        }
    }

    /// With the victim back, the participants have ended the round among themselves, although the coordinator hangs.
    async fn others_are_out_of_doubt(&self, victim: Service) {
        for replicator in [1, 2].map(Service::Replicator) {
            eventually(&format!("{victim:?} is back, {replicator:?} is not in doubt"), SOON, async || {
                self.cluster.status(replicator).await?["in_doubt"].is_null().then_some(())
            })
            .await;
        }
    }

    async fn all_is_well(&self) {
        self.cluster.wait_until_ready().await;
        self.cluster.wait_until_nothing_is_in_doubt().await;
        if let Scenario::Healing = self.scenario {
            let report = self.cluster.client().restore(false).await;
            assert_eq!((&report["state"], &report["summary"]["lost"]), (&"done".into(), &0.into()), "{report:#}");
        }
        self.ledger.check(&Copies::wait_until_equal(&self.cluster).await);
    }
}

/// Replicators take turns: one that dies again and again is not let in at once.
fn service(victim: Victim, turn: usize) -> Service {
    match victim {
        Victim::Coordinator => Service::Coordinator,
        Victim::Replicator => Service::Replicator(1 + turn % 3),
        Victim::AppServer => Service::AppServer,
    }
}

/// The point, and for which time it is reached. What happens in each round happens in another one each time.
fn nth(point: CrashPoint, scenario: Scenario, turn: usize) -> String {
    let is_rare = matches!(
        point,
        CrashPoint::FilesFlushed
            | CrashPoint::FilesSynced
            | CrashPoint::CheckpointWrittenAside
            | CrashPoint::CheckpointReplaced
            | CrashPoint::SegmentRemoved
    );
    let nth = match point {
        // The first segment of all has its name before anything is written.
        CrashPoint::SegmentNamed if turn == 0 => 2,
        CrashPoint::SegmentNamed => 1,
        _ if scenario == Scenario::Writing && !is_rare => 2 + 3 * turn % 11,
        _ => 1,
    };
    format!("{}:{nth}", point.name())
}

fn options(scenario: Scenario) -> Options {
    let settings = [
        // A checkpoint after a few rounds, and a log of several segments.
        ("CHECKPOINT_LOG_BYTES", "32768"),
        ("LOG_SEGMENT_BYTES", "65536"),
        ("CHECKPOINT_EVERY_MS", "200"),
        // Fast, for a scrub reads a tenth as fast while rounds come.
        ("SCRUB_BYTES_PER_SECOND", "4294967296"),
        // Whoever dies in a restore does not end it.
        ("RESTORATION_ANSWER_WAIT_MS", "300"),
    ];
    let environment = settings.map(|(name, value)| (format!("CONCORDANCE_{name}"), value.to_owned())).to_vec();
    let in_pairs = matches!(scenario, Scenario::WitnessingForAPeer);
    Options { replicators: if in_pairs { 2 } else { 3 }, environment, ..Options::default() }
}
