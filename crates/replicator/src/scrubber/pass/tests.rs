//! Goal: every file gets the one outcome that is true of it, also while rounds change files under the pass.
//! Method: real files in a temporary directory; records are the test's, and rounds come at the moments that the test chooses.

use super::*;
use catalogue::BookId;
use holder::HolderSettings;
use protocol::{Digest, Record, Version};
use std::fs;
use storage::file_writer::FileWrite;
use storage::{BookFiles, DataDirectory, FileWriter, Quarantine};

struct Disk {
    home: tempfile::TempDir,
    holder: Holder,
}

impl Disk {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(home.path(), "test").unwrap();
        let files = BookFiles::open(&data).unwrap();
        let writer = FileWriter::start(files.clone(), 1 << 20, Box::new(|_| {})).unwrap();
        let quarantine = Quarantine::open(&data).unwrap();
        Self { home, holder: Holder::new(files, writer, quarantine, HolderSettings::default()) }
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let place = self.home.path().join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
    }

    fn scrub(&self, records: &mut impl Surroundings) -> ScrubReport {
        run(&self.holder, records, ScrubReport::started(1)).unwrap().0
    }
}

type OnQuestion<'a> = dyn FnMut(u32, &mut ExpectedFiles) + 'a;

/// What is expected, and what happens each time that somebody asks for it.
struct Script<'a> {
    records: Option<ExpectedFiles>,
    on_question: Box<OnQuestion<'a>>,
    questions: u32,
    bytes: u64,
}

impl<'a> Script<'a> {
    fn expecting(files: &[(BookPath, &[u8])]) -> Self {
        let records = files.iter().map(|(path, bytes)| (*path, record(bytes, 1))).collect();
        let records = ExpectedFiles { records, ..ExpectedFiles::default() };
        Self { records: Some(records), on_question: Box::new(|_, _| {}), questions: 0, bytes: 0 }
    }

    /// `happens` is called with the number of the question, before it is answered; only those about the folder of book 1 count.
    fn meanwhile(self, happens: impl FnMut(u32, &mut ExpectedFiles) + 'a) -> Self {
        Self { on_question: Box::new(happens), ..self }
    }
}

impl Surroundings for Script<'_> {
    fn expected(&mut self, shelf: Shelf) -> Result<Option<ExpectedFiles>, Interrupted> {
        let buckets = shelf.buckets();
        let is_here = |path: &BookPath| buckets.contains(&protocol::BucketNumber::of(path));
        let Some(records) = &mut self.records else { return Ok(None) };
        if is_here(&path(1)) {
            self.questions += 1;
            (self.on_question)(self.questions, records);
        }
        let ExpectedFiles { mut records, mut distrusted } = records.clone();
        records.retain(|path, _| is_here(path));
        distrusted.retain(is_here);
        Ok(Some(ExpectedFiles { records, distrusted }))
    }

    fn has_read(&mut self, bytes: u64) -> Result<(), Interrupted> {
        self.bytes += bytes;
        Ok(())
    }

    fn let_settle(&mut self) -> Result<(), Interrupted> {
        Ok(())
    }

    fn got_further(&mut self, _: &ScrubReport) {}
}

fn path(number: u8) -> BookPath {
    BookId::from_parts(1_000, [number; 10]).into()
}

fn record(bytes: &[u8], version: u64) -> Record {
    Record { digest: Digest::of(bytes), size: bytes.len() as u64, version: Version(version) }
}

/// How many files had each outcome, but for those that none had.
fn counts(report: &ScrubReport) -> Vec<(ScrubOutcome, u64)> {
    let all = ScrubOutcome::ALL.map(|outcome| (outcome, report.count(outcome)));
    assert_eq!(all.iter().map(|(_, count)| count).sum::<u64>(), report.files);
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn files_that_hold_what_their_records_say_are_clean_and_read_once() {
    let disk = Disk::new();
    disk.put(&path(1).to_string(), b"one");
    disk.put(&path(2).to_string(), b"second");
    let mut script = Script::expecting(&[(path(1), b"one"), (path(2), b"second")]);
    let report = disk.scrub(&mut script);
    assert_eq!(counts(&report), [(ScrubOutcome::Clean, 2)]);
    assert_eq!((report.bytes, script.bytes, script.questions), (9, 9, 1));
    assert_eq!(report.findings, []);
}

#[test]
fn other_bytes_no_file_a_link_and_a_folder_are_damage_and_named() {
    let disk = Disk::new();
    disk.put(&path(1).to_string(), b"onf");
    disk.put("elsewhere", b"three");
    fs::create_dir_all(disk.home.path().join(path(3).to_string()).parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(disk.home.path().join("elsewhere"), disk.home.path().join(path(3).to_string())).unwrap();
    fs::create_dir_all(disk.home.path().join(path(4).to_string())).unwrap();
    let expected: [(BookPath, &[u8]); 4] =
        [(path(1), b"one"), (path(2), b"two"), (path(3), b"three"), (path(4), b"four")];
    let report = disk.scrub(&mut Script::expecting(&expected));
    assert_eq!(counts(&report), [(ScrubOutcome::Damaged, 4)]);
    let mut named: Vec<_> = report.findings.iter().map(|finding| finding.name.clone()).collect();
    named.sort();
    let mut expected: Vec<_> = expected.iter().map(|(path, _)| path.to_string()).collect();
    expected.sort();
    assert_eq!(named, expected);
}

#[test]
fn what_damaged_files_hold_is_given_so_that_it_can_be_looked_for() {
    let disk = Disk::new();
    disk.put(&path(1).to_string(), b"older");
    let expected: [(BookPath, &[u8]); 2] = [(path(1), b"newer"), (path(2), b"gone")];
    let (_, damaged) = run(&disk.holder, &mut Script::expecting(&expected), ScrubReport::started(1)).unwrap();
    assert_eq!(damaged, [WantedFile { path: path(1), digest: Digest::of(b"older") }]);
}

#[test]
fn books_without_a_record_and_names_of_no_book_are_extra_and_hidden_ones_are_not_looked_at() {
    let disk = Disk::new();
    disk.put(&path(1).to_string(), b"one");
    disk.put("books/notes.txt", b"mine");
    disk.put(&format!("{}.bak", path(1)), b"mine");
    disk.put("books/.hidden", b"mine");
    let report = disk.scrub(&mut Script::expecting(&[]));
    assert_eq!(counts(&report), [(ScrubOutcome::Extra, 3)]);
}

#[test]
fn a_file_that_cannot_be_read_for_another_reason_is_unknown_and_never_clean() {
    let look = |reading| Look { before: None, reading, is_busy: false, after: None }.outcome();
    assert_eq!(look(Reading::Failed { reason: "too many open files".to_owned() }), Some(ScrubOutcome::Unknown));
    let one = Some(record(b"one", 1));
    let reading = Reading::Failed { reason: "too many open files".to_owned() };
    assert_eq!(Look { before: one, reading, is_busy: false, after: one }.outcome(), Some(ScrubOutcome::Unknown));
}

#[test]
fn nothing_is_clean_while_nobody_can_tell_what_must_be_there() {
    let disk = Disk::new();
    disk.put(&path(1).to_string(), b"one");
    disk.put(&path(2).to_string(), b"two");
    let mut script = Script { records: None, ..Script::expecting(&[]) };
    let report = disk.scrub(&mut script);
    assert_eq!(counts(&report), [(ScrubOutcome::Unknown, 2)]);
    assert!(report.detail.unwrap().contains("not confirmed"));
    assert_eq!(script.bytes, 0);
}

#[test]
fn a_file_that_a_round_changes_under_the_look_is_looked_at_again_and_then_clean() {
    let disk = Disk::new();
    disk.put(&path(1).to_string(), b"old");
    let mut script = Script::expecting(&[(path(1), b"old")]).meanwhile(|question, expected| {
        // Between the first question and the reading is where the newer bytes hurt: the record that was told is old.
        if question == 1 {
            disk.put(&path(1).to_string(), b"newer");
        }
        if question == 3 {
            expected.records.insert(path(1), record(b"newer", 2));
        }
    });
    let report = disk.scrub(&mut script);
    assert_eq!(counts(&report), [(ScrubOutcome::Clean, 1)]);
}

#[test]
fn a_file_that_changes_whenever_it_is_read_is_changing() {
    let disk = Disk::new();
    disk.put(&path(1).to_string(), b"old");
    let mut script = Script::expecting(&[(path(1), b"newest")]).meanwhile(|question, expected| {
        expected.records.insert(path(1), record(b"newest", u64::from(question)));
    });
    let report = disk.scrub(&mut script);
    assert_eq!(counts(&report), [(ScrubOutcome::Changing, 1)]);
    assert_eq!(report.to_restore(), 0);
}

#[test]
fn a_file_that_was_deleted_since_it_was_expected_is_nothing_and_one_that_was_added_is_clean() {
    let disk = Disk::new();
    disk.put(&path(1).to_string(), b"one");
    let mut script = Script::expecting(&[(path(1), b"one")]).meanwhile(|question, expected| match question {
        1 => fs::remove_file(disk.home.path().join(path(1).to_string())).unwrap(),
        _ => drop(expected.records.remove(&path(1))),
    });
    assert_eq!(counts(&disk.scrub(&mut script)), []);
    drop(script);
    disk.put(&path(1).to_string(), b"one");
    let mut script = Script::expecting(&[]).meanwhile(|question, expected| {
        if question == 2 {
            expected.records.insert(path(1), record(b"one", 1));
        }
    });
    assert_eq!(counts(&disk.scrub(&mut script)), [(ScrubOutcome::Clean, 1)]);
}

#[test]
fn a_file_that_is_being_mended_is_changing() {
    let disk = Disk::new();
    disk.put(&path(1).to_string(), b"damaged");
    let claim = disk.holder.claim([path(1)]);
    let report = disk.scrub(&mut Script::expecting(&[(path(1), b"right")]));
    assert_eq!(counts(&report), [(ScrubOutcome::Changing, 1)]);
    drop(claim);
    let report = disk.scrub(&mut Script::expecting(&[(path(1), b"right")]));
    assert_eq!(counts(&report), [(ScrubOutcome::Damaged, 1)]);
}

#[test]
fn a_file_that_waits_to_be_written_is_not_damaged() {
    let disk = Disk::new();
    // The writer cannot get past a folder that stands in the place of the file.
    let other = path(9);
    fs::create_dir_all(disk.home.path().join(other.to_string())).unwrap();
    let write = |path, bytes: &[u8]| FileWrite { path, content: Some(bytes.to_vec().into()) };
    disk.holder.apply(vec![write(other, b"x"), write(path(1), b"one")], 1);
    disk.holder.flush().unwrap_err();
    let report = disk.scrub(&mut Script::expecting(&[(path(1), b"one")]));
    // The folder waits to be overwritten, too.
    assert_eq!(counts(&report), [(ScrubOutcome::Changing, 2)]);
}

#[test]
fn what_a_given_up_catch_up_may_have_left_is_not_called_damaged() {
    let disk = Disk::new();
    disk.put(&path(1).to_string(), b"newer");
    let mut script = Script::expecting(&[(path(1), b"older")]);
    script.records.as_mut().unwrap().distrusted.insert(path(1));
    assert_eq!(counts(&disk.scrub(&mut script)), [(ScrubOutcome::Changing, 1)]);
}

#[test]
fn only_so_many_files_are_named_and_all_are_counted() {
    let disk = Disk::new();
    for number in 0..150 {
        disk.put(&format!("books/note-{number}"), b"x");
    }
    let report = disk.scrub(&mut Script::expecting(&[]));
    assert_eq!((report.extra, report.findings.len()), (150, ScrubReport::FINDINGS_MAX));
}
