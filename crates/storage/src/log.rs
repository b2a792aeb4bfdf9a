//! The append-only record log: the durable copy of everything that was promised.
//!
//! [`Log`] numbers records, buffers them, writes and syncs all that wait at once, and reads them back when it is
//! opened. The coordinator and each replicator own one; it must not know what the records say.
//!
//! # Layout
//!
//! `log/` holds segments of a fixed size, each named after its first record. A segment is written full of zeroes and
//! synced before it gets its name, by a thread and ahead of need; the file `next.prewritten` is the one in waiting.
//! A record has a header in front of it, one line of ASCII text, and lies right behind the record before it (the bytes
//! are described in `log/frame.rs`). It never crosses segments. A segment takes its name only after everything in the
//! one before it was synced.
//!
//! # How the end is judged
//!
//! What is assumed of the disk and the system below:
//!
//! 1. A sector of 512 bytes is written whole or not at all. One that was not written shows what it had before.
//! 2. Sectors that were written but not yet synced may survive a crash in any combination; a process that is killed
//!    may leave any beginning of what it was writing.
//! 3. After a sync that reported success the bytes stay, unless the disk is damaged or somebody edits the file.
//! 4. Renaming and removing a file is durable once its folder was synced.
//!
//! A segment holds nothing but zeroes where no record was written, and neither headers nor payloads contain a zero
//! byte. So, if a record was never synced and parts of it are missing, they read as zeroes: a whole sector's share of
//! the record, or everything from some byte on. Such a *hole* means that the record was not written whole. A frame
//! that fails its checksum without a hole was written whole and changed afterwards: that is damage.
//!
//! A hole alone does not say whether the record had been synced and a sector was lost later. Every frame therefore
//! says which record was durable when it was framed. If any later frame calls the broken record durable, or a later
//! segment exists, it is damage; otherwise it is a torn tail. Records of one unsynced write can be intact behind the
//! hole; they are dropped with it, because nobody was told of them.
//!
//! Not to be seen from here: a last write that vanished without a trace or with a hole, after its sync was reported,
//! and the newest segments removed as a whole. That is why a torn tail is reported, why the opener says from which
//! record on it needs the log, and why the services compare what they remember with each other before they act.
//!
//! # Torn tails stay until noted
//!
//! A torn tail is not wiped when the log is opened. [`Log::resume_after_torn_tail`] puts a new segment behind it, whose
//! first record the owner chooses and which appears in one step: a process that dies before it has noted durably that
//! its log was torn finds the tear again. [`Log::reset`] does the same after damage, with a new generation of segments.

mod disk;
mod error;
mod frame;
mod open_segment;
mod prewriter;
mod reader;
mod record_log;
mod recovery;
mod segment;
mod sequence;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod crashing_disk;

pub use error::{Damage, LogError};
pub use prewriter::NextSegment;
pub use reader::LogReader;
pub use record_log::{Log, LogOptions, SEGMENT_BYTES_RANGE};
pub use recovery::{LogEnd, Recovered};
pub use sequence::LogSequence;
