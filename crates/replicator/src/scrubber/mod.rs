//! The scrub: a thread of low priority that reads all files again and again, slowly, and compares them with the own records.
//!
//! It reports and mends nothing. It shares neither the file worker, which catch-ups and restores wait for, nor the lock of
//! anything that rounds wait for; of the runtime thread it asks only what a folder must hold.
//!
//! | file | owns |
//! | --- | --- |
//! | `pass` | one walk over all files: what is read, what is read again, what is counted |
//! | `pace` | how fast |
//! | `stale` | whose bytes a damaged file has |

mod pace;
mod pass;
mod stale;

use crate::event::Event;
use crate::settings::Settings;
use holder::{Holder, Shelf};
use pace::{Pace, RoundActivity};
use pass::{Interrupted, Surroundings};
use protocol::{ScrubOutcome, ScrubReport};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use storage::DataDirectory;
use storage::log::LogReader;
use storage::small_file;
use two_phase::replicator::ExpectedFiles;

/// No pass begins sooner after a start: then there is other work. One that could not compare everything is repeated after this.
const SOON: Duration = Duration::from_secs(60);

/// How often the coordinator is told how far a pass is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// A pause before a file that was found otherwise than expected is read again.
const SETTLE: Duration = Duration::from_millis(50);

/// The lowest priority that a thread can have.
const NICENESS: i32 = 19;

/// What the files of a folder must hold: asked of the runtime thread, which answers when all that is committed has been handed to
/// the file writer; none if it cannot tell.
#[derive(Debug)]
pub(crate) struct Question {
    pub shelf: Shelf,
    pub reply: Sender<Option<ExpectedFiles>>,
}

/// Begin a pass now; the only order there is.
struct BeginNow;

/// The way to the thread.
pub(crate) struct Scrubber {
    orders: Sender<BeginNow>,
    activity: Arc<RoundActivity>,
    last: Arc<Mutex<Option<ScrubReport>>>,
}

impl Scrubber {
    pub(crate) fn start(
        holder: Arc<Holder>,
        log: LogReader,
        directory: &DataDirectory,
        settings: &Settings,
        events: Sender<Event>,
    ) -> std::io::Result<Self> {
        let (orders, received) = mpsc::channel();
        let activity = Arc::new(RoundActivity::default());
        let path = directory.path().join("last-scrub");
        let last = Arc::new(Mutex::new(load(&path)));
        let thread = Thread {
            holder,
            log,
            path,
            last: Arc::clone(&last),
            surroundings: Running {
                orders: received,
                events,
                activity: Arc::clone(&activity),
                pace: Pace::new(settings.scrub_bytes_per_second),
                told: None,
            },
            is_scheduled: settings.scrub_bytes_per_second > 0,
            pause: Duration::from_secs(settings.scrub_pause_minutes.saturating_mul(60)),
        };
        std::thread::Builder::new().name("scrubber".to_owned()).spawn(move || thread.run())?;
        Ok(Self { orders, activity, last })
    }

    /// Begins a pass; one that runs begins again.
    pub(crate) fn begin_now(&self) {
        // The thread lives as long as this handle.
        let _ = self.orders.send(BeginNow);
    }

    /// A round wrote to the log: the disk and the processor are wanted elsewhere.
    pub(crate) fn note_round(&self) {
        self.activity.note(Instant::now());
    }

    /// The last pass that looked at every file.
    pub(crate) fn last_report(&self) -> Option<ScrubReport> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the thread owns.
struct Thread {
    holder: Arc<Holder>,
    log: LogReader,
    /// Where the last report is kept, so that a start does not begin to count the time anew.
    path: PathBuf,
    last: Arc<Mutex<Option<ScrubReport>>>,
    surroundings: Running,
    is_scheduled: bool,
    pause: Duration,
}

impl Thread {
    fn run(mut self) {
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::warn!(%error, "the scrub runs with the priority of everything else");
        }
        let mut wait = self.until_next().max(SOON.min(self.pause));
        while self.wait_for_start(wait) {
            let report = loop {
                match self.pass() {
                    Ok(report) => break report,
                    Err(Interrupted::BeginAnew) => {}
                    Err(Interrupted::Stopping) => return,
                }
            };
            self.keep(report);
            wait = self.until_next();
        }
    }

    /// Whether there is to be a pass, and not the end.
    fn wait_for_start(&self, wait: Duration) -> bool {
        let orders = &self.surroundings.orders;
        let order = if self.is_scheduled {
            orders.recv_timeout(wait)
        } else {
            orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        !matches!(order, Err(RecvTimeoutError::Disconnected))
    }

    fn until_next(&self) -> Duration {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = match last.as_ref() {
            Some(report) if report.unknown > 0 => SOON.min(self.pause),
            Some(_) => self.pause,
            None => Duration::ZERO,
        };
        let finished_ms = last.as_ref().and_then(|report| report.finished_at_ms).unwrap_or(0);
        // A clock that was set back must not put the next pass off for ever.
        pause.saturating_sub(Duration::from_millis(unix_ms().saturating_sub(finished_ms)))
    }

    fn pass(&mut self) -> Result<ScrubReport, Interrupted> {
        self.surroundings.told = None;
        // One pass is enough for all that was asked for so far.
        while self.surroundings.orders.try_recv().is_ok() {}
        let (mut report, damaged) = pass::run(&self.holder, &mut self.surroundings, ScrubReport::started(unix_ms()))?;
        for path in stale::find(&self.log, &damaged, &mut |bytes| self.surroundings.has_read(bytes))? {
            report.is_stale(&path.to_string());
        }
        report.finished_at_ms = Some(unix_ms());
        Ok(report)
    }

    fn keep(&self, report: ScrubReport) {
        for outcome in ScrubOutcome::ALL {
            metrics::counter!("concordance_scrub_files_total", "outcome" => outcome.as_str())
                .increment(report.count(outcome));
        }
        metrics::gauge!("concordance_scrub_last_full_pass_timestamp_seconds")
            .set(report.finished_at_ms.unwrap_or(0) as f64 / 1_000.0);
        let text = serde_json::to_vec(&report).expect("a report has only text keys and plain values");
        if let Err(error) = small_file::replace(&self.path, &text) {
            tracing::warn!(%error, "the report of the scrub could not be kept; it is shown until this process ends");
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(report.clone());
        let _ = self.surroundings.events.send(Event::Scrubbed { report });
    }
}

/// What a pass sees of the process.
struct Running {
    orders: Receiver<BeginNow>,
    events: Sender<Event>,
    activity: Arc<RoundActivity>,
    pace: Pace,
    /// When the coordinator was told last how far the pass is, and of how many files to put right.
    told: Option<(Instant, u64)>,
}

impl Running {
    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        match self.orders.recv_timeout(duration) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(BeginNow) => Err(Interrupted::BeginAnew),
            Err(RecvTimeoutError::Disconnected) => Err(Interrupted::Stopping),
        }
    }
}

impl Surroundings for Running {
    fn expected(&mut self, shelf: Shelf) -> Result<Option<ExpectedFiles>, Interrupted> {
        let (reply, answer) = mpsc::channel();
        self.events.send(Event::ScrubAsks(Question { shelf, reply })).map_err(|_| Interrupted::Stopping)?;
        answer.recv().map_err(|_| Interrupted::Stopping)
    }

    fn has_read(&mut self, bytes: u64) -> Result<(), Interrupted> {
        let now = Instant::now();
        match self.pace.pause_after(bytes, self.activity.is_recent(now), now) {
            Some(pause) => self.sleep(pause),
            None => Ok(()),
        }
    }

    fn let_settle(&mut self) -> Result<(), Interrupted> {
        self.sleep(SETTLE)
    }

    fn got_further(&mut self, report: &ScrubReport) {
        let is_due = match self.told {
            Some((at, 0)) => at.elapsed() >= TELL_EVERY || report.to_restore() > 0,
            Some((at, _)) => at.elapsed() >= TELL_EVERY,
            None => true,
        };
        if is_due {
            self.told = Some((Instant::now(), report.to_restore()));
            let _ = self.events.send(Event::Scrubbed { report: report.clone() });
        }
    }
}

fn load(path: &std::path::Path) -> Option<ScrubReport> {
    let text = small_file::read(path).ok()??;
    serde_json::from_slice(&text).ok()
}

fn unix_ms() -> u64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(unix.as_millis()).unwrap_or(u64::MAX)
}
