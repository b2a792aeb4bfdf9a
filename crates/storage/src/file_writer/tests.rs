//! What must hold between the writer, its thread and the files.

use super::*;
use crate::directory::DataDirectory;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(30);

fn path(number: u32) -> BookPath {
    let id = format!("01900000-0000-7000-8000-{number:012x}");
    BookPath::parse(&format!("books/{}/{id}.xml", &id[34..])).unwrap()
}

fn put(number: u32, text: &str) -> FileWrite {
    FileWrite { path: path(number), content: Some(text.as_bytes().into()) }
}

fn writer(backlog_bytes_max: u64) -> (TempDir, BookFiles, FileWriter, Receiver<FileWriterEvent>) {
    let home = tempfile::tempdir().unwrap();
    let data = DataDirectory::open(home.path(), "replicator").unwrap();
    let files = BookFiles::open(&data).unwrap();
    let (events, receiver) = mpsc::channel();
    // The test may have stopped listening.
    let on_event = Box::new(move |event| drop(events.send(event)));
    let writer = FileWriter::start(files.clone(), backlog_bytes_max, on_event).unwrap();
    (home, files, writer, receiver)
}

#[test]
fn after_a_flush_the_files_are_what_was_handed_over_last() {
    let (_home, files, writer, _events) = writer(1 << 20);
    for token in 1..=500 {
        writer.apply(vec![put(token % 50, &format!("version {token}"))], u64::from(token));
    }
    writer.apply(vec![FileWrite { path: path(0), content: None }], 501);
    writer.flush(LONG).unwrap();
    assert_eq!(writer.applied_through(), 501);
    assert_eq!(writer.backlog_bytes(), 0);
    assert_eq!(files.read(path(0), 100).unwrap(), None);
    for number in 1..50 {
        assert_eq!(writer.content_of(path(number)), None);
        let content = files.read(path(number), 100).unwrap().unwrap();
        assert_eq!(content, format!("version {}", 450 + number).as_bytes());
    }
}

#[test]
fn stopping_writes_everything_that_waits() {
    let (_home, files, writer, _events) = writer(1 << 20);
    writer.apply((0..300).map(|number| put(number, "book")).collect(), 1);
    writer.stop().unwrap();
    for number in 0..300 {
        assert_eq!(files.read(path(number), 10).unwrap().unwrap(), b"book");
    }
}

#[test]
fn what_waits_can_be_read_before_it_is_in_a_file() {
    let (_home, files, writer, _events) = writer(1 << 20);
    writer.apply((0..2000).map(|number| put(number, "book")).collect(), 1);
    for number in (0..2000).rev() {
        // Either it waits, or it is in the file: a reader that asks in this order never misses it.
        let pending = writer.content_of(path(number)).flatten();
        let content = pending.map(|bytes| bytes.to_vec()).or(files.read(path(number), 10).unwrap());
        assert_eq!(content.as_deref(), Some(&b"book"[..]), "file {number}");
    }
}

#[test]
fn credit_comes_back_when_the_backlog_has_fallen_to_half() {
    let (_home, _files, writer, events) = writer(10_000);
    writer.apply((0..200).map(|number| put(number, "book")).collect(), 1);
    match events.recv_timeout(LONG).unwrap() {
        FileWriterEvent::BacklogBelowMark { backlog_bytes } => assert!(backlog_bytes <= 5_000),
        event => panic!("{event:?}"),
    }
    assert!(!writer.is_full());
}

#[test]
fn a_file_that_cannot_be_written_stops_the_writer_and_is_named() {
    let (home, files, writer, events) = writer(1 << 20);
    fs::create_dir_all(home.path().join(path(7).to_string())).unwrap();
    writer.apply(vec![put(6, "book"), put(7, "book"), put(8, "book")], 1);
    match events.recv_timeout(LONG).unwrap() {
        FileWriterEvent::Failed { path: at, error } => {
            assert_eq!(at, path(7));
            assert!(error.to_string().contains(&path(7).to_string()), "{error}");
        }
        event => panic!("{event:?}"),
    }
    assert!(matches!(writer.flush(LONG), Err(FileWriterError::Failed { .. })));
    assert_eq!(writer.applied_through(), 0);
    assert_eq!(writer.content_of(path(8)).flatten().as_deref(), Some(&b"book"[..]));
    assert_eq!(files.read(path(8), 10).unwrap(), None);
    assert!(matches!(writer.stop(), Err(FileWriterError::Failed { .. })));
}

/// A writer on a disk that is full as long as the flag is set.
fn writer_on_full_disk() -> (FileWriter, Arc<AtomicBool>, Receiver<FileWriterEvent>) {
    let is_full = Arc::new(AtomicBool::new(true));
    let for_write = Arc::clone(&is_full);
    let write = move |_: &Waiting| match for_write.load(Ordering::SeqCst) {
        true => Err(BookFilesError::Io { place: "books".into(), source: io::ErrorKind::StorageFull.into() }),
        false => Ok(()),
    };
    let (events, receiver) = mpsc::channel();
    // The test may have stopped listening.
    let on_event = Box::new(move |event| drop(events.send(event)));
    let writer = FileWriter::start_with(Box::new(write), 1 << 20, on_event).unwrap();
    (writer, is_full, receiver)
}

#[test]
fn a_full_disk_is_told_once_and_tried_again_until_there_is_room() {
    let (writer, is_full, events) = writer_on_full_disk();
    writer.apply(vec![put(1, "one"), put(2, "two")], 1);
    let first = events.recv_timeout(LONG).unwrap();
    assert!(matches!(&first, FileWriterEvent::DiskFull { path: at, .. } if *at == path(1)), "{first:?}");
    assert_eq!(writer.applied_through(), 0);
    let waits = writer.flush(LONG);
    assert!(matches!(waits, Err(FileWriterError::DiskFull { .. })), "nobody waits for room: {waits:?}");
    is_full.store(false, Ordering::SeqCst);
    assert!(matches!(events.recv_timeout(LONG).unwrap(), FileWriterEvent::DiskHasRoom));
    writer.flush(LONG).unwrap();
    writer.stop().unwrap();
    assert!(events.recv().is_err(), "nothing else was to be told");
}

#[test]
fn stopping_on_a_full_disk_says_that_the_files_are_not_level() {
    let (writer, _is_full, events) = writer_on_full_disk();
    writer.apply(vec![put(1, "one")], 1);
    events.recv_timeout(LONG).unwrap();
    assert!(matches!(writer.stop(), Err(FileWriterError::DiskFull { .. })));
}

#[test]
fn a_flush_that_takes_too_long_says_how_much_waits() {
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let write = move |_: &Waiting| {
        // Until the other end is gone.
        let _ = may_go_on.recv();
        Ok(())
    };
    let writer = FileWriter::start_with(Box::new(write), 1 << 20, Box::new(|_| ())).unwrap();
    writer.flush(Duration::ZERO).unwrap();
    writer.apply(vec![put(1, "one")], 1);
    match writer.flush(Duration::ZERO) {
        Err(FileWriterError::TimedOut { backlog_bytes }) => assert!(backlog_bytes > 0),
        other => panic!("{other:?}"),
    }
    drop(go_on);
    writer.stop().unwrap();
}
