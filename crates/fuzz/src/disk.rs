//! What lies on disks that failed, were edited, or belong to somebody else: log segments, the records in them, checkpoints.

use protocol::{ClusterId, CommitPolicy, CoordinatorId, Incarnation, MemberId, View};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::Path;
use storage::log::{LogEnd, LogOptions, Recovered};
use storage::{DataDirectory, Log, LogSequence as Sequence, SecretKey, checkpoint};
use two_phase::coordinator::{
    Coordinator, CoordinatorHeader, CoordinatorIdentity, CoordinatorRecord, CoordinatorSettings, CoordinatorState,
};
use two_phase::follower::{FollowerHeader, FollowerState};
use two_phase::replicator::{
    LogFound, Replicator, ReplicatorHeader, ReplicatorIdentity, ReplicatorRecord, ReplicatorState,
};
use two_phase::{LogSequence, Now, read_checkpoint, write_checkpoint};
use uuid::Uuid;

const SEGMENT: &str = "0001-00000000000000000001.log";

/// A directory that lies in memory where there is such a place, as every sync of a real disk costs a thousand times the check.
fn home() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A segment opens, says how it ends, gives records without a gap, and the same ones the next time; it takes appends if it says that
/// it is whole.
pub fn check_log_segment(bytes: &[u8]) {
    let home = home();
    let directory = DataDirectory::open(home.path(), "fuzz").unwrap();
    std::fs::create_dir_all(home.path().join("log")).unwrap();
    std::fs::write(home.path().join("log").join(SEGMENT), bytes).unwrap();
    let (first, found) = open(&directory, None);
    assert_eq!(open(&directory, None), (first.clone(), found.clone()), "opening a log changes nothing that it says");
    assert_eq!(found.last.value(), first.len() as u64, "{found:?}");
    let (after, _) = open(&directory, Some(b"{\"next\":true}"));
    let kept = after[..first.len().min(after.len())].to_vec();
    match found.end {
        // Put aside; a log of its own begins behind it.
        LogEnd::Damaged(_) => assert_eq!(after, [b"{\"next\":true}".to_vec()]),
        LogEnd::Clean | LogEnd::TornTail { .. } => {
            assert_eq!((kept, after.len()), (first.clone(), first.len() + 1), "{found:?}");
        }
    }
}

/// All records, and how the log ends; with `append` what it holds after one more record was written as its end allows.
fn open(directory: &DataDirectory, append: Option<&[u8]>) -> (Vec<Vec<u8>>, Recovered) {
    let read = || {
        let mut records = Vec::new();
        let mut next = None;
        let (log, found) =
            Log::open(directory, LogOptions { segment_bytes: 4096 }, Sequence::FIRST, &mut |sequence, payload| {
                assert!(next.is_none_or(|next| next == sequence), "record {sequence:?} follows a gap");
                next = Some(sequence.next());
                records.push(payload.to_vec());
            })
            .unwrap();
        (log, records, found)
    };
    let (mut log, records, found) = read();
    let Some(payload) = append else { return (records, found) };
    match found.end {
        LogEnd::Clean => {
            log.append(payload).unwrap();
            log.sync().unwrap();
        }
        LogEnd::TornTail { .. } => {
            log.resume_after_torn_tail(payload).unwrap();
        }
        LogEnd::Damaged(_) => log.reset(found.last.next(), payload).unwrap(),
    }
    drop(log);
    let from = if matches!(found.end, LogEnd::Damaged(_)) { found.last.next() } else { Sequence::FIRST };
    let mut records = Vec::new();
    let options = LogOptions { segment_bytes: 4096 };
    let (_, after) = Log::open(directory, options, from, &mut |_, payload| records.push(payload.to_vec())).unwrap();
    assert_eq!(after.end, LogEnd::Clean, "what was written behind it is whole");
    (records, after)
}

/// The records of a text, one a line, up to the first line that is none.
fn records<R: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) -> Vec<(LogSequence, R)> {
    let lines = bytes.split(|byte| *byte == b'\n').map_while(|line| serde_json::from_slice::<R>(line).ok());
    let records: Vec<_> = (1..).map(LogSequence).zip(lines).collect();
    for (_, record) in &records {
        let text = serde_json::to_string(record).unwrap();
        assert_eq!(serde_json::from_str::<R>(&text).as_ref().ok(), Some(record), "{text}");
    }
    records
}

fn member(number: u8) -> MemberId {
    format!("replicator-{number}").parse().unwrap()
}

/// A coordinator folds the records that follow each other and refuses the one that cannot; what it has is a checkpoint that is read as
/// the same, and it can be started on it.
pub fn check_decision_log(bytes: &[u8]) {
    let view = View::first((1..=3).map(member), CommitPolicy::InSync);
    let mut state = CoordinatorState::new(ClusterId(Uuid::nil()), view);
    for (sequence, record) in records::<CoordinatorRecord>(bytes) {
        if state.apply(record, sequence, 0).is_err() {
            break;
        }
    }
    start(&state);
}

fn start(state: &CoordinatorState) {
    let text = write_checkpoint(&state.header(), &state.manifest);
    let (header, manifest) = read_checkpoint::<CoordinatorHeader>(&text).unwrap();
    assert_eq!((&header, &manifest), (&state.header(), &state.manifest));
    let again = CoordinatorState::from_checkpoint(header, manifest, 0);
    let identity = CoordinatorIdentity { coordinator: CoordinatorId(Uuid::nil()), data_key: "0".repeat(64) };
    let now = Now { monotonic_ms: 1_000, unix_ms: 1_000 };
    let mut core = Coordinator::start(identity, CoordinatorSettings::default(), again, LogSequence(1), now);
    core.take_effects();
    core.handle_durable(LogSequence(2), now);
    core.handle_timer(Now { monotonic_ms: 20_000, unix_ms: 20_000 });
    core.take_effects();
}

/// A replicator recovers from any records, whole or torn, says hello, and its checkpoint is read as the same.
pub fn check_replicator_log(bytes: &[u8]) {
    let records = records::<ReplicatorRecord>(bytes);
    for found in [LogFound::Whole, LogFound::TornTail] {
        let (state, after) = (ReplicatorState::empty(), LogSequence::ZERO);
        begin(Replicator::recover(identity(), state, after, records.clone(), found));
    }
}

fn identity() -> ReplicatorIdentity {
    ReplicatorIdentity { member: member(1), incarnation: Incarnation(Uuid::nil()), address: "127.0.0.1:1".to_owned() }
}

fn begin(mut core: Replicator) {
    let last = core.last_appended();
    core.take_effects();
    core.handle_durable(last);
    core.handle_connected();
    core.handle_timer(Now { monotonic_ms: 20_000, unix_ms: 20_000 });
    core.take_effects();
    let state = core.state();
    let text = write_checkpoint(&state.header(), &state.manifest);
    let (header, manifest) = read_checkpoint::<ReplicatorHeader>(&text).unwrap();
    assert_eq!((&header, &manifest), (&state.header(), &state.manifest));
}

/// A checkpoint without the right tag is refused; its text, whoever wrote it, is read or refused, and leads to a process that starts.
pub fn check_checkpoint(bytes: &[u8]) {
    let home = home();
    check_tag(&home.path().join("checkpoint"), bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok((header, manifest)) = read_checkpoint::<CoordinatorHeader>(text) {
        start(&CoordinatorState::from_checkpoint(header, manifest, 0));
    }
    if let Ok((header, manifest)) = read_checkpoint::<ReplicatorHeader>(text) {
        let state = ReplicatorState::from_checkpoint(header, manifest);
        begin(Replicator::recover(identity(), state, LogSequence(7), [], LogFound::Whole));
    }
    if let Ok((header, manifest)) = read_checkpoint::<FollowerHeader>(text) {
        let root = manifest.root();
        assert_eq!(FollowerState::from_checkpoint(header, manifest).manifest.root(), root);
    }
}

fn check_tag(path: &Path, bytes: &[u8]) {
    let key = SecretKey::from_bytes([1; 32]);
    std::fs::write(path, bytes).unwrap();
    assert!(checkpoint::load(path, &key).is_err(), "nobody but the holder of the key can have written it");
    checkpoint::save(path, &key, bytes).unwrap();
    assert_eq!(checkpoint::load(path, &key).unwrap().as_deref(), Some(bytes));
}
