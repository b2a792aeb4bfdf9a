//! Keeps one service alive: starts its program, starts it again when it dies, and stops it in good order.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use service::exit::NOT_WANTED;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

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
    /// It runs, or is started again.
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
        let task = keep(plan.clone(), log, restart, deaths, stop.clone());
        Keeper {
            plan,
            kept,
            tail: tokio::spawn(tail.follow(tail_stop.clone())),
            task: tokio::spawn(async move {
                // Whoever asked may be gone.
                let _ = told.send(task.await);
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

    /// Stops the service: asks it to, and after a while does not ask any more.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        // A task of ours that panicked has nothing left to stop.
        let _ = self.task.await;
        self.tail_stop.cancel();
        let _ = self.tail.await;
    }
}

async fn keep(
    plan: ServicePlan,
    log: PathBuf,
    restart: bool,
    deaths: mpsc::UnboundedSender<Death>,
    stop: CancellationToken,
) -> Kept {
    let name = &plan.name;
    let mut times = 0;
    let mut first_life = true;
    while !stop.is_cancelled() {
        let started = Instant::now();
        let mut not_wanted = false;
        let ended = match spawn(&plan, &log, first_life) {
            Ok(mut child) => {
                // Waiting for a child closes its standard input, unless that was taken out of it.
                let _held_open = child.stdin.take();
                tokio::select! {
                    ended = child.wait() => {
                        not_wanted = ended.as_ref().is_ok_and(|status| status.code() == Some(NOT_WANTED.into()));
                        ended.map_or_else(|error| error.to_string(), |status| status.to_string())
                    }
                    () = stop.cancelled() => {
                        terminate(name, child).await;
                        return Kept::LeftDead;
                    }
                }
            }
            Err(error) => format!("cannot be started: {error}"),
        };
        first_life = false;
        times = if started.elapsed() >= STABLE_AFTER { 1 } else { times + 1 };
        let last_words = log_tail::last_line(&log);
        // Nobody listens any more once the cluster has been ready.
        let death = Death {
            service: name.clone(),
            ended: ended.clone(),
            times,
            last_words: last_words.clone(),
            log: log.clone(),
            not_wanted,
        };
        let _ = deaths.send(death);
        if not_wanted {
            output::say(&format!("{name} is no longer a member and has stopped: {last_words}"));
            return Kept::NotWanted;
        }
        if !restart {
            output::say(&format!("{name} died ({ended}) and stays so (--no-restart)"));
            return Kept::LeftDead;
        }
        let delay = restart_delay(times);
        output::say(&format!("{name} died ({ended}); starting it again in {:.1} s", delay.as_secs_f64()));
        tokio::select! { () = tokio::time::sleep(delay) => {}, () = stop.cancelled() => {} }
    }
    Kept::LeftDead
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

async fn terminate(name: &str, mut child: Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    // None: it has ended already. A child that was not waited for keeps its id, so this cannot hit another process.
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::TERM);
    }
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
}
