//! Keeps one service alive: starts its program, starts it again when it dies, and stops it in good order. In the lab it also does
//! what it is told: lets it die, stand still, and stay dead.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use protocol::ServiceState;
use rustix::process::{Pid, Signal, kill_process};
use service::exit::NOT_WANTED;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::control::{Control, KeeperOrder, Orders};
use super::data_directory::DataDirectory;
use super::log_tail;
use super::plan::ServicePlan;
use crate::output;

/// The first pause before a dead service is started again; it doubles with every further death.
const RESTART_DELAY_MIN: Duration = Duration::from_millis(200);
/// The longest pause.
const RESTART_DELAY_MAX: Duration = Duration::from_secs(5);
/// A service that lived so long had started well: its next death is the first again.
const STABLE_AFTER: Duration = Duration::from_secs(10);
/// How long a service may take to stop by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The end of a service that nobody asked for.
#[derive(Debug)]
pub(crate) struct Death {
    pub(crate) service: String,
    /// How it ended: exit status or signal.
    pub(crate) ended: String,
    /// How many times in a row.
    pub(crate) times: u32,
    /// The last line of its log.
    pub(crate) last_words: String,
    pub(crate) log: PathBuf,
    /// It ended because the cluster does not want it: not a failure.
    pub(crate) not_wanted: bool,
}

/// Whether a service is still kept alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It runs, or is started again, now or when the lab says so.
    Alive,
    /// It died and stays so, as was asked for.
    LeftDead,
    /// It is no longer a member.
    NotWanted,
}

/// One service that is kept alive by a task of its own.
#[derive(Debug)]
pub(crate) struct Keeper {
    plan: ServicePlan,
    kept: watch::Receiver<Kept>,
    control: Control,
    stop: CancellationToken,
    task: JoinHandle<()>,
    tail: JoinHandle<()>,
    tail_stop: CancellationToken,
}

impl Keeper {
    pub(crate) fn start(
        plan: ServicePlan,
        directory: &DataDirectory,
        restart: bool,
        deaths: mpsc::UnboundedSender<Death>,
    ) -> Self {
        let log = directory.log(&plan.name);
        let (stop, tail_stop) = (CancellationToken::new(), CancellationToken::new());
        // Before the first start, so that not a line is missed.
        let tail = log_tail::Tail::open(&plan.name, &log);
        let (told, kept) = watch::channel(Kept::Alive);
        let (control, orders) = Control::new();
        let keeping =
            Keeping { plan: plan.clone(), log, restart, deaths, stop: stop.clone(), orders, stays_dead: false };
        Keeper {
            plan,
            kept,
            control,
            tail: tokio::spawn(tail.follow(tail_stop.clone())),
            task: tokio::spawn(async move {
                // Whoever asked may be gone.
                let _ = told.send(keeping.keep().await);
            }),
            stop,
            tail_stop,
        }
    }

    pub(crate) fn faces_clients(&self) -> bool {
        self.plan.faces_clients
    }

    pub(crate) fn plan(&self) -> &ServicePlan {
        &self.plan
    }

    /// Whether it is still kept alive, now and later.
    pub(crate) fn kept(&self) -> watch::Receiver<Kept> {
        self.kept.clone()
    }

    /// What the lab gives its orders through.
    pub(crate) fn control(&self) -> Control {
        self.control.clone()
    }

    /// Stops the service: asks it to, and after a while does not ask any more.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        // A task of ours that panicked has nothing left to stop.
        let _ = self.task.await;
        self.tail_stop.cancel();
        let _ = self.tail.await;
    }
}

/// The task's side.
struct Keeping {
    plan: ServicePlan,
    log: PathBuf,
    restart: bool,
    deaths: mpsc::UnboundedSender<Death>,
    stop: CancellationToken,
    orders: Orders,
    /// The lab wants it so: the next death is not followed by a start.
    stays_dead: bool,
}

/// How a life ended.
enum End {
    Stopped,
    Died { how: String, not_wanted: bool },
}

impl Keeping {
    async fn keep(mut self) -> Kept {
        let mut times = 0;
        let mut first_life = true;
        while !self.stop.is_cancelled() {
            let started = Instant::now();
            let End::Died { how, not_wanted } = self.live(first_life).await else { return Kept::LeftDead };
            first_life = false;
            if self.stays_dead && !not_wanted {
                self.orders.tell(ServiceState::Dead);
                output::say(&format!("{} died ({how}) and stays so until the lab starts it", self.plan.name));
                if !self.wait_for_start().await {
                    return Kept::LeftDead;
                }
                times = 0;
                continue;
            }
            times = if started.elapsed() >= STABLE_AFTER { 1 } else { times + 1 };
            if let Some(kept) = self.report(&how, times, not_wanted) {
                self.orders.tell(ServiceState::Dead);
                return kept;
            }
            self.orders.tell(ServiceState::Restarting);
            self.pause_before_start(restart_delay(times)).await;
        }
        Kept::LeftDead
    }

    /// From the start of the process to its end.
    async fn live(&mut self, first_life: bool) -> End {
        let mut child = match spawn(&self.plan, &self.log, first_life) {
            Ok(child) => child,
            Err(error) => return End::Died { how: format!("cannot be started: {error}"), not_wanted: false },
        };
        // Waiting for a child closes its standard input, unless that was taken out of it.
        let _held_open = child.stdin.take();
        self.orders.tell(ServiceState::Running);
        loop {
            tokio::select! {
                ended = child.wait() => {
                    let not_wanted = ended.as_ref().is_ok_and(|status| status.code() == Some(NOT_WANTED.into()));
                    let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                    return End::Died { how, not_wanted };
                }
                () = self.stop.cancelled() => {
                    // One that stands still would not hear that it is to stop.
                    signal(&child, Signal::CONT);
                    terminate(&self.plan.name, child).await;
                    return End::Stopped;
                }
                order = self.orders.next() => {
                    let refused = self.obey(order.what(), &child);
                    order.answer(refused);
                }
            }
        }
    }

    /// Does to a process that lives what the lab asks for. Gives why not.
    fn obey(&mut self, order: KeeperOrder, child: &Child) -> Result<(), String> {
        match order {
            KeeperOrder::Start if self.orders.state() == ServiceState::Running => {
                return Err(format!("{} runs already", self.plan.name));
            }
            KeeperOrder::Kill => {
                self.stays_dead = true;
                signal(child, Signal::KILL);
            }
            KeeperOrder::StayDead(stays) => self.stays_dead = stays,
            KeeperOrder::Pause => {
                signal(child, Signal::STOP);
                self.orders.tell(ServiceState::Paused);
            }
            KeeperOrder::Resume | KeeperOrder::Start => {
                signal(child, Signal::CONT);
                self.orders.tell(ServiceState::Running);
            }
        }
        Ok(())
    }

    /// Waits until the lab starts it; whether it does before all stops.
    async fn wait_for_start(&mut self) -> bool {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return false,
                order = self.orders.next() => {
                    if order.what() == KeeperOrder::Start {
                        self.stays_dead = false;
                        order.answer(Ok(()));
                        return true;
                    }
                    order.answer(Err(format!("{} is dead; start it first", self.plan.name)));
                }
            }
        }
    }

    async fn pause_before_start(&mut self, delay: Duration) {
        let end = tokio::time::Instant::now() + delay;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(end) => return,
                () = self.stop.cancelled() => return,
                order = self.orders.next() => match order.what() {
                    KeeperOrder::Start => {
                        order.answer(Ok(()));
                        return;
                    }
                    _ => order.answer(Err(format!("{} is about to be started again", self.plan.name))),
                },
            }
        }
    }

    /// Tells of a death that nobody asked for; gives how it is kept if it is not started again.
    fn report(&self, how: &str, times: u32, not_wanted: bool) -> Option<Kept> {
        let name = &self.plan.name;
        let last_words = log_tail::last_line(&self.log);
        let death = Death {
            service: name.clone(),
            ended: how.to_owned(),
            times,
            last_words: last_words.clone(),
            log: self.log.clone(),
            not_wanted,
        };
        // Nobody listens any more once the cluster has been ready.
        let _ = self.deaths.send(death);
        if not_wanted {
            output::say(&format!("{name} is no longer a member and has stopped: {last_words}"));
            return Some(Kept::NotWanted);
        }
        if !self.restart {
            output::say(&format!("{name} died ({how}) and stays so (--no-restart)"));
            return Some(Kept::LeftDead);
        }
        let delay = restart_delay(times);
        output::say(&format!("{name} died ({how}); starting it again in {:.1} s", delay.as_secs_f64()));
        None
    }
}

fn restart_delay(times: u32) -> Duration {
    RESTART_DELAY_MIN.saturating_mul(1 << times.saturating_sub(1).min(10)).min(RESTART_DELAY_MAX)
}

fn spawn(plan: &ServicePlan, log: &Path, first_life: bool) -> std::io::Result<Child> {
    let file: File = OpenOptions::new().create(true).append(true).open(log)?;
    let mut command = Command::new(&plan.program);
    command
        .args(&plan.arguments)
        // The service watches this pipe, whose other end lives as long as this process does.
        .stdin(Stdio::piped())
        // Straight into the file: a terminal that is held up must not hold up the service.
        .stdout(file.try_clone()?)
        .stderr(file)
        // Ctrl-C at the terminal is for this process, which stops the others in order.
        .process_group(0)
        .kill_on_drop(true);
    if !first_life {
        // A crash point is for one life; armed again it would kill the service for ever.
        command.env_remove(faults::crash_point::CRASH_AT).env_remove(faults::crash_point::PAUSE_AT);
    }
    command.spawn()
}

/// A child that was not waited for keeps its id, so this cannot hit another process; one that has ended is left alone.
fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

async fn terminate(name: &str, mut child: Child) {
    signal(&child, Signal::TERM);
    if tokio::time::timeout(STOP_TIMEOUT, child.wait()).await.is_err() {
        output::say(&format!("{name} did not stop within {} s: killing it", STOP_TIMEOUT.as_secs()));
        let _ = child.kill().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        assert_eq!(restart_delay(1), RESTART_DELAY_MIN);
        assert_eq!(restart_delay(3), RESTART_DELAY_MIN * 4);
        assert_eq!(restart_delay(u32::MAX), RESTART_DELAY_MAX);
    }

    /// A keeper of a program that runs until it is told to stop.
    fn sleeper() -> (tempfile::TempDir, Keeper) {
        let folder = tempfile::tempdir().unwrap();
        let directory = DataDirectory::claim(folder.path()).unwrap();
        let plan = ServicePlan {
            name: "replicator-1".to_owned(),
            program: "sleep".into(),
            arguments: vec!["600".into()],
            address: ([127, 0, 0, 1], 1).into(),
            faces_clients: false,
        };
        let keeper = Keeper::start(plan, &directory, true, mpsc::unbounded_channel().0);
        (folder, keeper)
    }

    #[tokio::test]
    async fn what_the_lab_kills_stays_dead_until_it_is_started() {
        let (_folder, keeper) = sleeper();
        let control = keeper.control();
        control.order(KeeperOrder::Kill).await.unwrap();
        control.wait_for(ServiceState::Dead).await.unwrap();
        let refused = control.order(KeeperOrder::Pause).await.unwrap_err();
        assert!(refused.contains("start it first"), "{refused}");
        control.order(KeeperOrder::Start).await.unwrap();
        control.wait_for(ServiceState::Running).await.unwrap();
        assert!(control.order(KeeperOrder::Start).await.unwrap_err().contains("runs already"));
        keeper.stop().await;
    }

    #[tokio::test]
    async fn what_stands_still_can_be_stopped() {
        let (_folder, keeper) = sleeper();
        let control = keeper.control();
        control.order(KeeperOrder::Pause).await.unwrap();
        assert_eq!(control.state(), ServiceState::Paused);
        let began = Instant::now();
        keeper.stop().await;
        assert!(began.elapsed() < STOP_TIMEOUT, "it heard that it was to stop");
    }
}
