//! Goal: what is on the disk is told as it is, mending changes only what was judged, and no newer write is ever lost to it.
//! Method: real files in temporary directories; rounds are applied between the steps where they would hurt most.

use super::*;
use catalogue::BookId;
use protocol::{
    BucketNumber, Content, Digest, FetchedFile, Finding, HealOutcome, HolderAnswer, HolderRequest, Record, Repair,
    RequestId, Version, WantedFile,
};
use std::fs;
use std::path::PathBuf;
use storage::DataDirectory;

const REQUEST: RequestId = RequestId(9);

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

    fn place(&self, path: BookPath) -> PathBuf {
        self.home.path().join(path.to_string())
    }

    /// Somebody edits the file behind the service's back.
    fn edit(&self, path: BookPath, bytes: &[u8]) {
        fs::create_dir_all(self.place(path).parent().unwrap()).unwrap();
        fs::write(self.place(path), bytes).unwrap();
    }

    fn commit(&self, path: BookPath, bytes: Option<&[u8]>) {
        let content = bytes.map(|bytes| Content::from(bytes.to_vec()).shared());
        self.holder.apply(vec![FileWrite { path, content }], 1);
    }

    fn held(&self, path: BookPath) -> Option<Vec<u8>> {
        self.holder.flush().unwrap();
        fs::read(self.place(path)).ok()
    }

    fn heal(&self, repair: &Repair) -> HealOutcome {
        let claim = self.holder.claim([repair.path]);
        self.heal_under(&claim, repair)
    }

    fn heal_under(&self, claim: &Claim, repair: &Repair) -> HealOutcome {
        let answer = self.holder.heal(claim, REQUEST, std::slice::from_ref(repair), &[], Vec::new());
        let HolderAnswer::Healed { mut results, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(results.len(), 1);
        results.remove(0).outcome
    }

    fn answer(&self, question: HolderRequest) -> HolderAnswer {
        self.holder.answer(question, Version(7), &|_| None)
    }

    fn quarantined(&self, name: Option<&String>) -> Vec<u8> {
        fs::read(self.home.path().join(name.expect("something was set aside"))).unwrap()
    }
}

fn path(number: u8) -> BookPath {
    BookId::from_parts(1_000, [number; 10]).into()
}

fn finding(bytes: &[u8]) -> Finding {
    Finding { digest: Digest::of(bytes), size: bytes.len() as u64 }
}

fn repair(path: BookPath, found: Option<&[u8]>, right: Option<&[u8]>) -> Repair {
    Repair {
        path,
        found: found.map(finding),
        record: right.map(|right| Record { digest: Digest::of(right), size: right.len() as u64, version: Version(3) }),
        content: right.map(|right| right.to_vec().into()),
    }
}

#[test]
fn scan_sums_are_those_of_what_the_files_hold_and_foreign_names_are_told() {
    let disk = Disk::new();
    disk.commit(path(1), Some(b"one"));
    disk.commit(path(2), Some(b"two"));
    disk.held(path(2));
    disk.edit(path(2), b"edited");
    fs::write(disk.home.path().join("books/notes.txt"), "x").unwrap();
    let HolderAnswer::Scanned { summary, .. } = disk.answer(HolderRequest::Scan { request: REQUEST }) else { panic!() };
    assert_eq!((summary.version, summary.files), (Version(7), 2));
    assert_eq!(summary.foreign, ["books/notes.txt"]);
    let one = finding(b"one").element(&path(1));
    let two = finding(b"edited").element(&path(2));
    assert_eq!(summary.sums[BucketNumber::of(&path(1)).index()], one);
    assert_eq!(summary.sums[BucketNumber::of(&path(2)).index()], two);
}

#[test]
fn buckets_are_listed_as_the_files_are_now_even_without_a_scan_before() {
    let disk = Disk::new();
    disk.commit(path(1), Some(b"one"));
    disk.commit(path(2), Some(b"two"));
    let list = || {
        let buckets = vec![BucketNumber::of(&path(1)), BucketNumber::of(&path(2))];
        let answer = disk.answer(HolderRequest::ListBuckets { request: REQUEST, buckets });
        let HolderAnswer::Found { files, .. } = answer else { panic!("{answer:?}") };
        files.into_iter().map(|file| (file.path, file.found)).collect::<Vec<_>>()
    };
    assert_eq!(list(), [(path(1), Some(finding(b"one"))), (path(2), Some(finding(b"two")))]);
    disk.edit(path(1), b"edited");
    fs::remove_file(disk.place(path(2))).unwrap();
    assert_eq!(list(), [(path(1), Some(finding(b"edited")))]);
}

#[test]
fn wanted_bytes_are_found_in_files_quarantine_and_elsewhere_but_never_other_bytes() {
    let disk = Disk::new();
    disk.commit(path(1), Some(b"one"));
    disk.holder.quarantine().keep(path(2), b"two").unwrap();
    let wanted = |number, bytes: &[u8]| WantedFile { path: path(number), digest: Digest::of(bytes) };
    let files =
        vec![wanted(1, b"one"), wanted(2, b"two"), wanted(3, b"three"), wanted(1, b"other"), wanted(4, b"four")];
    let read = |anywhere| {
        let question = HolderRequest::ReadFiles { request: REQUEST, files: files.clone(), anywhere };
        let answer = disk.holder.answer(question, Version(7), &|wanted| match wanted.path {
            other if other == path(3) => Some(b"three".to_vec().into()),
            other if other == path(4) => Some(b"not four".to_vec().into()),
            _ => None,
        });
        let HolderAnswer::FilesRead { files, .. } = answer else { panic!("{answer:?}") };
        files.into_iter().map(|file| file.content.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(read(true), [true, true, true, false, false]);
    assert_eq!(read(false), [true, false, false, false, false]);
}

#[test]
fn each_folder_of_books_has_the_buckets_of_its_files_and_no_other() {
    let mut seen: Vec<_> = Shelf::all().flat_map(Shelf::buckets).collect();
    assert_eq!(seen.len(), protocol::BUCKETS);
    seen.sort();
    assert_eq!(seen, BucketNumber::all().collect::<Vec<_>>());
    let disk = Disk::new();
    for number in [0, 1, 0x7f, 0xff] {
        disk.commit(path(number), Some(b"one"));
        disk.held(path(number));
    }
    for shelf in Shelf::all() {
        let books = disk.holder.list(shelf).unwrap().books;
        assert!(books.iter().all(|path| shelf.buckets().contains(&BucketNumber::of(path))), "{shelf:?}");
    }
}

#[test]
fn a_file_is_busy_while_somebody_may_mend_it() {
    let disk = Disk::new();
    let claim = disk.holder.claim([path(1)]);
    assert_eq!((disk.holder.is_busy(path(1)), disk.holder.is_busy(path(2))), (true, false));
    drop(claim);
    assert!(!disk.holder.is_busy(path(1)));
}

#[test]
fn damaged_file_is_put_right_and_its_bytes_are_in_the_quarantine() {
    let disk = Disk::new();
    disk.edit(path(1), b"damaged");
    let HealOutcome::Healed { quarantined } = disk.heal(&repair(path(1), Some(b"damaged"), Some(b"right"))) else {
        panic!()
    };
    assert_eq!(disk.held(path(1)).unwrap(), b"right");
    assert_eq!(disk.quarantined(quarantined.as_ref()), b"damaged");
}

#[test]
fn missing_file_is_created_and_extra_file_is_removed() {
    let disk = Disk::new();
    assert_eq!(disk.heal(&repair(path(1), None, Some(b"right"))), HealOutcome::Healed { quarantined: None });
    assert_eq!(disk.held(path(1)).unwrap(), b"right");
    disk.edit(path(2), b"extra");
    let HealOutcome::Healed { quarantined } = disk.heal(&repair(path(2), Some(b"extra"), None)) else { panic!() };
    assert_eq!(disk.held(path(2)), None);
    assert_eq!(disk.quarantined(quarantined.as_ref()), b"extra");
}

#[test]
fn file_larger_than_any_book_is_kept_whole() {
    let disk = Disk::new();
    let large = vec![b'x'; 2 * catalogue::limits::BOOK_BYTES_MAX];
    disk.edit(path(1), &large);
    let HealOutcome::Healed { quarantined } = disk.heal(&repair(path(1), Some(&large), Some(b"right"))) else {
        panic!()
    };
    assert_eq!(disk.held(path(1)).unwrap(), b"right");
    assert_eq!(disk.quarantined(quarantined.as_ref()), large);
}

#[test]
fn file_that_changed_since_it_was_judged_is_left_alone() {
    let disk = Disk::new();
    disk.edit(path(1), b"edited again");
    let outcome = disk.heal(&repair(path(1), Some(b"damaged"), Some(b"right")));
    assert!(matches!(outcome, HealOutcome::Changed { .. }), "{outcome:?}");
    assert_eq!(disk.held(path(1)).unwrap(), b"edited again");
}

#[test]
fn no_rollback_newer_round_after_the_claim_takes_the_file_out_of_the_repair() {
    let disk = Disk::new();
    disk.edit(path(1), b"damaged");
    let claim = disk.holder.claim([path(1)]);
    // The worst case: the newer write has not reached the file when the repair looks at it.
    disk.commit(path(1), Some(b"newer"));
    let outcome = disk.heal_under(&claim, &repair(path(1), Some(b"damaged"), Some(b"right")));
    assert!(matches!(outcome, HealOutcome::Changed { .. }), "{outcome:?}");
    assert_eq!(disk.held(path(1)).unwrap(), b"newer");
}

#[test]
fn no_rollback_even_if_the_newer_round_left_the_judged_bytes_behind() {
    let disk = Disk::new();
    let claim = disk.holder.claim([path(1)]);
    disk.commit(path(1), Some(b"judged"));
    let outcome = disk.heal_under(&claim, &repair(path(1), Some(b"judged"), Some(b"right")));
    assert!(matches!(outcome, HealOutcome::Changed { .. }), "{outcome:?}");
    assert_eq!(disk.held(path(1)).unwrap(), b"judged");
}

#[test]
fn no_resurrection_deleted_file_is_not_brought_back_by_a_repair() {
    let disk = Disk::new();
    disk.commit(path(1), Some(b"old"));
    disk.held(path(1));
    fs::remove_file(disk.place(path(1))).unwrap();
    let claim = disk.holder.claim([path(1)]);
    disk.commit(path(1), None);
    let outcome = disk.heal_under(&claim, &repair(path(1), None, Some(b"old")));
    assert!(matches!(outcome, HealOutcome::Changed { .. }), "{outcome:?}");
    assert_eq!(disk.held(path(1)), None);
}

#[test]
fn round_after_a_repair_is_written_after_it() {
    let disk = Disk::new();
    disk.edit(path(1), b"damaged");
    let claim = disk.holder.claim([path(1)]);
    disk.heal_under(&claim, &repair(path(1), Some(b"damaged"), Some(b"right")));
    disk.commit(path(1), Some(b"newer"));
    assert_eq!(disk.held(path(1)).unwrap(), b"newer");
}

#[test]
fn bytes_that_are_not_the_records_are_never_written() {
    let disk = Disk::new();
    disk.edit(path(1), b"damaged");
    let mut wrong = repair(path(1), Some(b"damaged"), Some(b"right"));
    wrong.content = Some(b"wrong".to_vec().into());
    let outcome = disk.heal(&wrong);
    assert!(matches!(outcome, HealOutcome::Failed { .. }), "{outcome:?}");
    assert_eq!(disk.held(path(1)).unwrap(), b"damaged");
}

#[test]
fn link_in_place_of_a_file_is_replaced_and_what_it_leads_to_is_not_touched() {
    let disk = Disk::new();
    let outside = disk.home.path().join("outside.xml");
    fs::write(&outside, "outside").unwrap();
    fs::create_dir_all(disk.place(path(1)).parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&outside, disk.place(path(1))).unwrap();
    assert_eq!(disk.heal(&repair(path(1), None, Some(b"right"))), HealOutcome::Healed { quarantined: None });
    assert!(disk.place(path(1)).symlink_metadata().unwrap().is_file());
    assert_eq!(disk.held(path(1)).unwrap(), b"right");
    assert_eq!(fs::read(outside).unwrap(), b"outside");
}

#[test]
fn folder_in_place_of_a_file_is_left_to_a_person() {
    let disk = Disk::new();
    fs::create_dir_all(disk.place(path(1)).join("inside")).unwrap();
    let HealOutcome::Failed { reason } = disk.heal(&repair(path(1), None, Some(b"right"))) else { panic!() };
    assert!(reason.contains("move away"), "{reason}");
    assert!(disk.place(path(1)).join("inside").is_dir());
}

#[test]
fn foreign_file_goes_to_the_quarantine() {
    let disk = Disk::new();
    disk.held(path(1));
    fs::write(disk.home.path().join("books/notes.txt"), "mine").unwrap();
    let claim = disk.holder.claim([]);
    let answer = disk.holder.heal(&claim, REQUEST, &[], &["books/notes.txt".to_owned()], Vec::new());
    let HolderAnswer::Healed { results, .. } = answer else { panic!("{answer:?}") };
    let HealOutcome::Healed { quarantined } = &results[0].outcome else { panic!("{results:?}") };
    assert_eq!(disk.quarantined(quarantined.as_ref()), b"mine");
    assert!(!disk.home.path().join("books/notes.txt").exists());
}

#[test]
fn foreign_names_cannot_lead_out_of_the_books() {
    let disk = Disk::new();
    let outside = disk.home.path().join("outside.txt");
    fs::write(&outside, "x").unwrap();
    for name in ["outside.txt", "books/../outside.txt", "../outside.txt", outside.to_str().unwrap(), ""] {
        let answer = disk.holder.heal(&disk.holder.claim([]), REQUEST, &[], &[name.to_owned()], Vec::new());
        let HolderAnswer::Healed { results, .. } = answer else { panic!("{answer:?}") };
        assert!(matches!(results[0].outcome, HealOutcome::Failed { .. }), "{name}: {results:?}");
    }
    assert!(outside.exists());
}

#[test]
fn catch_up_finds_what_is_there_and_misses_the_rest() {
    let disk = Disk::new();
    disk.commit(path(1), Some(b"one"));
    disk.commit(path(2), Some(b"old two"));
    let wanted = [
        WantedFile { path: path(1), digest: Digest::of(b"one") },
        WantedFile { path: path(2), digest: Digest::of(b"two") },
        WantedFile { path: path(3), digest: Digest::of(b"three") },
    ];
    let mut found = Vec::new();
    let missing = disk.holder.find_missing(&wanted, &mut |wanted, content| found.push((wanted.path, content))).unwrap();
    assert_eq!(missing, wanted[1..]);
    assert_eq!(found, [(path(1), b"one".to_vec().into())]);
}

fn fetched(path: BookPath, bytes: &[u8]) -> FetchedFile {
    let wanted = WantedFile { path, digest: Digest::of(bytes) };
    FetchedFile { wanted, content: Some(bytes.to_vec().into()) }
}

#[test]
fn fetched_file_replaces_the_known_bytes_and_unknown_ones_go_to_the_quarantine() {
    let disk = Disk::new();
    disk.edit(path(1), b"old");
    disk.edit(path(2), b"edited");
    let claim = disk.holder.claim([path(1), path(2)]);
    let files = [fetched(path(1), b"new one"), fetched(path(2), b"new two")];
    disk.holder.store_fetched(&claim, &files, &|_| Some(Digest::of(b"old"))).unwrap();
    assert_eq!(disk.held(path(1)).unwrap(), b"new one");
    assert_eq!(disk.held(path(2)).unwrap(), b"new two");
    let kept = |bytes: &[u8]| disk.holder.quarantine().find(Digest::of(bytes).0).unwrap().is_some();
    assert!(kept(b"edited") && !kept(b"old"));
}

#[test]
fn fetched_file_is_not_put_over_a_round_that_touched_its_path() {
    let disk = Disk::new();
    let claim = disk.holder.claim([path(1), path(2)]);
    disk.commit(path(1), Some(b"newer"));
    disk.commit(path(2), None);
    disk.holder.store_fetched(&claim, &[fetched(path(1), b"older"), fetched(path(2), b"older")], &|_| None).unwrap();
    assert_eq!(disk.held(path(1)).unwrap(), b"newer");
    assert_eq!(disk.held(path(2)), None);
}

#[test]
fn fetched_file_with_other_bytes_than_asked_for_is_refused() {
    let disk = Disk::new();
    let mut wrong = fetched(path(1), b"right");
    wrong.content = Some(b"wrong".to_vec().into());
    let claim = disk.holder.claim([path(1)]);
    disk.holder.store_fetched(&claim, &[wrong], &|_| None).unwrap_err();
    assert_eq!(disk.held(path(1)), None);
}

#[test]
fn removal_keeps_what_nobody_else_may_have() {
    let disk = Disk::new();
    disk.edit(path(1), b"edited");
    let claim = disk.holder.claim([path(1), path(2)]);
    disk.holder.remove(&claim, &[path(1), path(2)], &|_| Some(Digest::of(b"committed"))).unwrap();
    assert_eq!(disk.held(path(1)), None);
    assert!(disk.holder.quarantine().find(Digest::of(b"edited").0).unwrap().is_some());
}
