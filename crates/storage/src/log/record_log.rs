//! [`Log`]: appending, syncing, trimming and starting over.

use crate::directory::DataDirectory;
use crate::log::disk::{Disk, LogFolder};
use crate::log::frame::{RECORD_OVERHEAD_BYTES, RECORD_SEPARATOR, SEGMENT_HEADER_BYTES};
use crate::log::open_segment::OpenSegment;
use crate::log::prewriter::{PREWRITTEN_NAME, Prewriter};
use crate::log::recovery::{LiveSegment, recover};
use crate::log::segment::SegmentName;
use crate::log::{Damage, LogEnd, LogError, LogReader, LogSequence, NextSegment, Recovered};
use faults::{CrashPoint, crash_point};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The smallest and largest segments that are allowed, in bytes.
pub const SEGMENT_BYTES_RANGE: std::ops::RangeInclusive<u64> = 4096..=1 << 30;

/// How a log is laid out on the disk.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The size of a segment file, within [`SEGMENT_BYTES_RANGE`]; 16 MiB by default. A record must fit into one.
    /// Segments that exist keep the size they have.
    pub segment_bytes: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        LogOptions { segment_bytes: 16 << 20 }
    }
}

/// Where the next record goes, or why it cannot.
enum Tail {
    Open(OpenSegment),
    Torn { at: LogSequence },
    Damaged(Damage),
    Poisoned { why: String },
}

/// An append-only log of numbered records. One owner at a time, on any thread.
pub struct Log {
    /// Keeps the lock on the data directory while the log lives.
    _data: Option<DataDirectory>,
    disk: Arc<dyn Disk>,
    prewriter: Prewriter,
    segment_bytes: u64,
    generation: u32,
    /// In order; the last one is being written to.
    segments: Vec<LiveSegment>,
    tail: Tail,
    next: LogSequence,
    /// Shared with readers, which must not see more than this.
    durable: Arc<AtomicU64>,
}

impl Log {
    /// Opens the log in `data`, or makes an empty one, and calls `on_record` for every intact record from `from` on,
    /// in order. `from` is the record after the last one that a checkpoint covers ([`LogSequence::FIRST`] without a
    /// checkpoint): a log that does not reach back to it, or ends before it, is [`LogEnd::Damaged`].
    ///
    /// All segments are read and checked, a segment at a time. What was read is durable when this returns.
    ///
    /// # Errors
    /// Only if the disk cannot be read or written. A torn or damaged log opens; [`Recovered::end`] says so.
    pub fn open(
        data: &DataDirectory,
        options: LogOptions,
        from: LogSequence,
        on_record: &mut dyn FnMut(LogSequence, &[u8]),
    ) -> Result<(Log, Recovered), LogError> {
        let disk = Arc::new(LogFolder::new(data.folder("log")?));
        let (mut log, recovered) = Log::open_on(disk, options, from, on_record)?;
        log._data = Some(data.clone());
        Ok((log, recovered))
    }

    /// [`Log::open`] on any disk.
    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        options: LogOptions,
        from: LogSequence,
        on_record: &mut dyn FnMut(LogSequence, &[u8]),
    ) -> Result<(Log, Recovered), LogError> {
        let segment_bytes = options.segment_bytes;
        if !SEGMENT_BYTES_RANGE.contains(&segment_bytes) {
            return Err(LogError::SegmentSize { segment_bytes });
        }
        let recovery = recover(&*disk, from, on_record)?;
        for name in &recovery.left_over {
            set_aside(&*disk, *name)?;
        }
        let prewriter =
            Prewriter::start(Arc::clone(&disk), segment_bytes).map_err(|source| LogError::Folder { source })?;
        let last = recovery.next.previous();
        let mut log = Log {
            _data: None,
            disk,
            prewriter,
            segment_bytes,
            generation: recovery.generation,
            segments: recovery.segments,
            tail: Tail::Torn { at: recovery.next },
            next: recovery.next,
            durable: Arc::new(AtomicU64::new(last.value())),
        };
        match (&recovery.end, log.segments.last().copied()) {
            (LogEnd::TornTail { .. }, _) => {}
            (LogEnd::Damaged(damage), _) => log.tail = Tail::Damaged(damage.clone()),
            (LogEnd::Clean, Some(last)) => {
                let name = last.name.to_string();
                let file = log.disk.open(&name).map_err(|source| LogError::Segment { name, source })?;
                let bytes = recovery.last_segment_bytes;
                log.tail = Tail::Open(OpenSegment::reopened(last, file, bytes));
            }
            (LogEnd::Clean, None) => {
                log.generation = 1;
                log.start_segment()?;
            }
        }
        log.prewriter.request();
        let recovered = Recovered { first: log.first_sequence(), last, end: recovery.end };
        Ok((log, recovered))
    }

    /// Takes a record into memory and says which number it has. It is durable only after [`Log::sync`].
    ///
    /// A record that does not fit into the current segment makes the log sync what waits and go on in the next one.
    ///
    /// # Errors
    /// [`LogError::RecordTooLarge`], [`LogError::RecordNotText`] and [`LogError::NoNextSegment`] leave the log as it
    /// was; the others mean that it takes nothing more.
    pub fn append(&mut self, payload: &[u8]) -> Result<LogSequence, LogError> {
        self.check_payload(payload)?;
        if !self.segment()?.has_room_for(payload.len()) {
            self.start_segment()?;
        }
        let (sequence, durable) = (self.next, self.durable());
        let segment = self.segment()?;
        segment.push(sequence, durable, payload);
        let live = segment.live();
        self.next = sequence.next();
        if let Some(last) = self.segments.last_mut() {
            *last = live;
        }
        Ok(sequence)
    }

    /// Hands everything appended to the system in one write, without waiting for the disk.
    pub fn write(&mut self) -> Result<(), LogError> {
        self.segment()?.write().or_else(|source| self.poison("a write failed", &source))
    }

    /// Makes everything appended durable, in one write and one `fdatasync`, and returns the newest durable record.
    pub fn sync(&mut self) -> Result<LogSequence, LogError> {
        let synced = self.segment()?.sync();
        synced.or_else(|source| self.poison("a sync failed", &source))?;
        let last = self.next.previous();
        self.durable.store(last.value(), Ordering::Release);
        Ok(last)
    }

    /// The newest record that is known to be durable; all before it are.
    pub fn durable(&self) -> LogSequence {
        LogSequence::new(self.durable.load(Ordering::Acquire))
    }

    /// The number that the next record will get.
    pub fn next_sequence(&self) -> LogSequence {
        self.next
    }

    /// The oldest record that is kept; in an empty log the one that will be first.
    pub fn first_sequence(&self) -> LogSequence {
        self.segments.first().map_or(self.next, |segment| segment.name.first)
    }

    /// The largest payload that a record may have, in bytes.
    pub fn record_bytes_max(&self) -> usize {
        // The range of segment sizes keeps this positive and within 32 bits.
        self.segment_bytes as usize - SEGMENT_HEADER_BYTES - RECORD_OVERHEAD_BYTES
    }

    /// Bytes that the kept records take, those that wait in memory included.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes_used).sum()
    }

    /// How many segments are kept.
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// Whether there is room ahead. To be asked before promising something that will need more records. Where the current segment
    /// is half full it waits until that is known, so that the other half is left for the records that settle what was promised.
    pub fn next_segment(&self) -> NextSegment {
        let used = self.segments.last().map_or(0, |segment| segment.bytes_used);
        if used > self.segment_bytes / 2 { self.prewriter.wait_until_known() } else { self.prewriter.next_segment() }
    }

    /// Durably removes the segments that hold only records below `below`; the newest segment always stays. The caller
    /// says with it that nobody needs those records: their files are synced and a checkpoint covers them.
    pub fn trim(&mut self, below: LogSequence) -> Result<(), LogError> {
        self.segment()?;
        while self.segments.get(1).is_some_and(|second| second.name.first <= below) {
            // One by one and durably, so that a crash never leaves a gap in the middle.
            let name = self.segments[0].name.to_string();
            let removed = self.disk.remove(&name);
            removed.or_else(|source| self.poison("removing an old segment failed", &source))?;
            self.segments.remove(0);
            crash_point::reach(CrashPoint::SegmentRemoved);
        }
        Ok(())
    }

    /// A reader of the durable records.
    pub fn reader(&self) -> LogReader {
        LogReader::new(Arc::clone(&self.disk), Arc::clone(&self.durable))
    }

    /// Gives up the torn tail and makes `first_record` durable in its place, in one step. The record should say that
    /// the log was torn: on the next opening the log ends clean.
    pub fn resume_after_torn_tail(&mut self, first_record: &[u8]) -> Result<LogSequence, LogError> {
        self.check_payload(first_record)?;
        let Tail::Torn { at } = self.tail else {
            return Err(self.refusal().unwrap_or(LogError::NotTorn));
        };
        self.start_segment_with(self.generation, at, first_record)?;
        crash_point::reach(CrashPoint::TornTailLeft);
        Ok(at)
    }

    /// Starts the log afresh, whatever it held or still had in memory: `first_record` becomes record `next` (at least
    /// 1), durably and in one step. Then the old segments are moved to `log/damaged-<generation>/`, for whoever wants
    /// to look at them.
    pub fn reset(&mut self, next: LogSequence, first_record: &[u8]) -> Result<(), LogError> {
        self.check_payload(first_record)?;
        if let Tail::Poisoned { why } = &self.tail {
            return Err(LogError::Poisoned { why: why.clone() });
        }
        let old = std::mem::take(&mut self.segments);
        let next = next.max(LogSequence::FIRST);
        let started = self.start_segment_with(self.generation + 1, next, first_record);
        if let Err(error) = started {
            self.segments = old;
            return Err(error);
        }
        crash_point::reach(CrashPoint::LogBegunAnew);
        for segment in old {
            set_aside(&*self.disk, segment.name).or_else(|error| self.poison("a reset failed", &error))?;
        }
        Ok(())
    }

    /// Syncs what waits and closes the log; returns the newest record.
    pub fn close(mut self) -> Result<LogSequence, LogError> {
        self.sync()
    }

    fn check_payload(&self, payload: &[u8]) -> Result<(), LogError> {
        let bytes_max = self.record_bytes_max();
        if payload.len() > bytes_max {
            return Err(LogError::RecordTooLarge { bytes: payload.len(), bytes_max });
        }
        match memchr::memchr2(0, RECORD_SEPARATOR, payload) {
            Some(_) => Err(LogError::RecordNotText),
            None => Ok(()),
        }
    }

    /// Why the log takes no records, if so.
    fn refusal(&self) -> Option<LogError> {
        match &self.tail {
            Tail::Open(_) => None,
            Tail::Torn { at } => Some(LogError::TornTail { at: *at }),
            Tail::Damaged(damage) => Some(LogError::Damaged(damage.clone())),
            Tail::Poisoned { why } => Some(LogError::Poisoned { why: why.clone() }),
        }
    }

    fn segment(&mut self) -> Result<&mut OpenSegment, LogError> {
        if let Some(refusal) = self.refusal() {
            return Err(refusal);
        }
        match &mut self.tail {
            Tail::Open(segment) => Ok(segment),
            _ => unreachable!("a log that is not open has a reason to refuse"),
        }
    }

    /// Goes on in a new, empty segment, which begins with the next record.
    fn start_segment(&mut self) -> Result<(), LogError> {
        self.prewriter.take().map_err(|source| LogError::NoNextSegment { source })?;
        // The name of the new segment says that everything before it is durable.
        if !self.segments.is_empty() {
            self.sync()?;
        }
        let name = SegmentName { generation: self.generation, first: self.next };
        let opened =
            self.disk.rename(PREWRITTEN_NAME, &name.to_string()).and_then(|()| self.disk.open(&name.to_string()));
        let file = opened.or_else(|source| self.poison("the next segment failed", &source))?;
        crash_point::reach(CrashPoint::SegmentNamed);
        self.go_on_in(OpenSegment::new(name, file, self.segment_bytes));
        Ok(())
    }

    /// Goes on in a new segment that gets its name only when its first record is durable in it.
    fn start_segment_with(&mut self, generation: u32, first: LogSequence, record: &[u8]) -> Result<(), LogError> {
        self.prewriter.take().map_err(|source| LogError::NoNextSegment { source })?;
        let name = SegmentName { generation, first };
        let started = self.disk.open(PREWRITTEN_NAME).and_then(|file| {
            let mut segment = OpenSegment::new(name, file, self.segment_bytes);
            segment.push(first, first.previous(), record);
            segment.sync()?;
            self.disk.rename(PREWRITTEN_NAME, &name.to_string())?;
            Ok(segment)
        });
        let segment = started.or_else(|source| self.poison("a new segment failed", &source))?;
        self.generation = generation;
        self.next = first.next();
        self.durable.store(first.value(), Ordering::Release);
        self.go_on_in(segment);
        Ok(())
    }

    fn go_on_in(&mut self, segment: OpenSegment) {
        let live = segment.live();
        // A segment without a single record is replaced by one of the same name.
        self.segments.retain(|other| other.name != live.name);
        self.segments.push(live);
        self.tail = Tail::Open(segment);
        self.prewriter.request();
    }

    fn poison<T>(&mut self, what: &str, source: &dyn fmt::Display) -> Result<T, LogError> {
        let why = format!("{what} ({source})");
        self.tail = Tail::Poisoned { why: why.clone() };
        Err(LogError::Poisoned { why })
    }
}

fn set_aside(disk: &dyn Disk, name: SegmentName) -> Result<(), LogError> {
    let folder = format!("damaged-{:04}", name.generation);
    let name = name.to_string();
    disk.set_aside(&name, &folder).map_err(|source| LogError::Segment { name, source })
}
