//! One process of this project, with its log in a file. It ends with the value that holds it.

use crate::eventually;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Longer than any start or end takes on a busy machine.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// A process that runs, or has run.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, which [`command`] has made, so that all it writes is appended to the file `log`.
    #[must_use]
    pub fn start(mut command: Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::piped()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it where it is, with SIGSTOP, until [`Process::resume`].
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after it was stopped, or has stopped itself.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw).expect("a process has an id");
        kill_process(id, signal).unwrap();
    }

    /// Whether it has ended by itself.
    pub fn has_died(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// All that it has written.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it has written `text`.
    pub async fn wait_until_logged(&self, text: &str) {
        let what = format!("{text:?} in {}", self.log.display());
        eventually(&what, ENDS_WITHIN, async || self.log().contains(text).then_some(())).await;
    }

    /// Waits until it has ended by itself.
    pub async fn wait_until_dead(&mut self) -> ExitStatus {
        let what = format!("{} ends", self.log.display());
        let child = &mut self.child;
        eventually(&what, ENDS_WITHIN, async || child.try_wait().unwrap()).await
    }

    /// Tells it to stop, by the end of its standard input, and waits until it has: it must run with `--exit-with-parent`.
    pub async fn stop(mut self) {
        drop(self.child.stdin.take());
        self.wait_until_dead().await;
    }
}

/// Kills it with SIGKILL.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that runs one of this project's programs, which must have been built into the folder of this test.
#[must_use]
pub fn command(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    // A test lies in target/<profile>/deps, a program beside the others.
    let folders = test.ancestors().skip(1).take(2);
    let binary = folders.map(|folder| folder.join(name)).find(|binary| binary.exists());
    let binary = binary.unwrap_or_else(|| panic!("{name} is missing: run `cargo build --workspace` first"));
    Command::new(binary)
}
