//! A disk in memory that stops at a chosen operation and then shows what a crash may have left.

use crate::log::disk::{Disk, DiskFile};
use crate::log::segment::SECTOR_BYTES;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// A small generator of numbers, so that a seed is all that a failure needs to be repeated.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % bound.max(1)
    }
}

/// What stops with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    /// Everything: of unsynced sectors any selection survives.
    PowerLoss,
    /// The process alone: what the system had taken survives, of an interrupted write some beginning.
    Kill,
}

#[derive(Clone)]
struct Content {
    durable: Vec<u8>,
    /// Unsynced writes, oldest first.
    unsynced: Vec<(usize, Vec<u8>)>,
}

impl Content {
    fn now(&self) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (offset, written) in &self.unsynced {
            bytes[*offset..offset + written.len()].copy_from_slice(written);
        }
        bytes
    }

    fn after_power_loss(&self, numbers: &mut Numbers) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let ends = |start: usize| (start + SECTOR_BYTES).min(bytes.len());
        let sectors: Vec<_> = (0..bytes.len()).step_by(SECTOR_BYTES).map(|start| start..ends(start)).collect();
        for sector in sectors {
            // Each sector stands still at one moment: it shows the first so many of the writes, whole.
            let writes = numbers.below(self.unsynced.len() + 1);
            for (offset, written) in &self.unsynced[..writes] {
                let start = sector.start.max(*offset);
                let end = sector.end.min(offset + written.len());
                if start < end {
                    bytes[start..end].copy_from_slice(&written[start - offset..end - offset]);
                }
            }
        }
        bytes
    }
}

#[derive(Default)]
struct State {
    /// Which of `contents` has which name. A file keeps its place there under every name, as an open file does.
    names: BTreeMap<String, usize>,
    contents: Vec<Content>,
    operations: usize,
    stop_at: Option<usize>,
    stopped_in_write: Option<usize>,
    rename_survives: bool,
    is_full: bool,
}

/// Clones show the same disk.
#[derive(Clone, Default)]
pub(crate) struct CrashingDisk {
    state: Arc<Mutex<State>>,
}

fn stopped() -> io::Error {
    io::Error::other("the disk stopped")
}

impl State {
    /// Counts an operation; the one at which the disk stops, and all after it, fail.
    fn count(&mut self) -> io::Result<bool> {
        let now = self.operations;
        match self.stop_at {
            Some(at) if now > at => Err(stopped()),
            at => {
                self.operations += 1;
                Ok(at == Some(now))
            }
        }
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        Ok(*self.names.get(name).ok_or(io::ErrorKind::NotFound)?)
    }

    fn add(&mut self, name: &str, durable: Vec<u8>) {
        self.names.insert(name.to_owned(), self.contents.len());
        self.contents.push(Content { durable, unsynced: Vec::new() });
    }

    fn has_stopped(&self) -> bool {
        self.stop_at.is_some_and(|at| self.operations > at)
    }
}

impl CrashingDisk {
    /// A disk that stops at its `stop_at`-th operation, counted from 0. A rename or removal at which it stops is done
    /// or not, as `rename_survives` says.
    pub(crate) fn stopping_at(&self, stop_at: usize, rename_survives: bool) {
        let mut state = self.lock();
        state.operations = 0;
        state.stop_at = Some(stop_at);
        state.rename_survives = rename_survives;
    }

    /// While it is full, no file can be added.
    pub(crate) fn set_full(&self, is_full: bool) {
        self.lock().is_full = is_full;
    }

    pub(crate) fn operations(&self) -> usize {
        self.lock().operations
    }

    /// The disk that the next process finds.
    pub(crate) fn after(&self, crash: Crash, numbers: &mut Numbers) -> CrashingDisk {
        let state = self.lock();
        let mut after = State::default();
        for (name, index) in &state.names {
            let mut content = state.contents[*index].clone();
            if crash == Crash::Kill && state.stopped_in_write == Some(*index) {
                let (_, last) = content.unsynced.last_mut().expect("the write that stopped");
                let kept = numbers.below(last.len() + 1);
                last.truncate(kept);
            }
            let durable = match crash {
                Crash::PowerLoss => content.after_power_loss(numbers),
                Crash::Kill => content.now(),
            };
            after.add(name, durable);
        }
        CrashingDisk { state: Arc::new(Mutex::new(after)) }
    }

    /// Changes a file behind the log's back, or removes it.
    pub(crate) fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        let index = state.find(name).expect("the file is there");
        let content = &mut state.contents[index];
        content.durable = content.now();
        content.unsynced.clear();
        change(&mut content.durable);
    }

    pub(crate) fn lose(&self, name: &str) {
        self.lock().names.remove(name).expect("the file is there");
    }

    pub(crate) fn segment_names(&self) -> Vec<String> {
        self.lock().names.keys().filter(|name| name.ends_with(".log")).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Disk for CrashingDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().names.keys().filter(|name| !name.contains('/')).cloned().collect())
    }

    fn settle(&self, name: &str) -> io::Result<()> {
        self.tamper(name, |_| {});
        Ok(())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.lock();
        Ok(state.contents[state.find(name)?].now())
    }

    /// Not counted, because it happens on another thread at no fixed moment; nothing relies on a part of it.
    fn prewrite(&self, name: &str, bytes: u64) -> io::Result<()> {
        let mut state = self.lock();
        if state.has_stopped() {
            return Err(stopped());
        }
        if state.is_full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.add(name, vec![0; bytes as usize]);
        Ok(())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let index = self.lock().find(name)?;
        Ok(Box::new(CrashingFile { disk: self.clone(), index }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock();
        let stops = state.count()?;
        if !stops || state.rename_survives {
            let index = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
            state.names.insert(to.to_owned(), index);
        }
        if stops { Err(stopped()) } else { Ok(()) }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        let stops = state.count()?;
        if !stops || state.rename_survives {
            state.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        }
        if stops { Err(stopped()) } else { Ok(()) }
    }

    fn set_aside(&self, name: &str, folder: &str) -> io::Result<()> {
        self.rename(name, &format!("{folder}/{name}"))
    }
}

struct CrashingFile {
    disk: CrashingDisk,
    index: usize,
}

impl DiskFile for CrashingFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        let stops = state.count()?;
        let content = &mut state.contents[self.index];
        assert!(offset as usize + bytes.len() <= content.durable.len(), "a segment never grows");
        content.unsynced.push((offset as usize, bytes.to_vec()));
        if stops {
            state.stopped_in_write = Some(self.index);
            return Err(stopped());
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.lock();
        if state.count()? {
            return Err(stopped());
        }
        let content = &mut state.contents[self.index];
        content.durable = content.now();
        content.unsynced.clear();
        Ok(())
    }
}
