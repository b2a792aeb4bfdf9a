//! A restore, from damage in a file to a healed copy: what the ballot names, what is put back, where the damaged bytes went,
//! and that nothing else was touched.

#![allow(clippy::unwrap_used, reason = "this is test code: what fails here is a failed test")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use system_tests::{Cluster, Copies, Options, Service, digest_of, eventually};

/// A cluster with a few books, and what every copy holds.
struct Stage {
    cluster: Cluster,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Stage {
    async fn set(options: Options) -> Self {
        let cluster = Cluster::start(options).await;
        for number in 0..8 {
            cluster.client().add_book(&format!("Book {number}")).await;
        }
        let files = Copies::wait_until_all_hold(&cluster, 8).await;
        Self { cluster, files }
    }

    fn nth(&self, index: usize) -> (&Path, &[u8]) {
        let (path, content) = self.files.iter().nth(index).unwrap();
        (path, content)
    }

    fn on_disk(&self, service: Service, path: &Path) -> PathBuf {
        self.cluster.data(service).join("books").join(path)
    }

    fn damage(&self, service: Service, path: &Path, content: &[u8]) {
        std::fs::write(self.on_disk(service, path), content).unwrap();
    }

    fn remove(&self, service: Service, path: &Path) {
        std::fs::remove_file(self.on_disk(service, path)).unwrap();
    }

    /// Restores, and checks that every copy is what it was.
    async fn restore(&self) -> Value {
        let report = self.cluster.client().restore(false).await;
        assert_eq!(report["state"], "done", "{report:#}");
        for (service, files) in Copies::read(&self.cluster).0 {
            assert_eq!(files, self.files, "{service:?} {report:#}");
        }
        report
    }

    fn quarantined(&self, service: Service) -> Vec<Vec<u8>> {
        let folder = self.cluster.data(service).join("quarantine");
        let mut contents = Vec::new();
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else {
                    contents.push(std::fs::read(entry.path()).unwrap());
                }
            }
        }
        contents
    }
}

const DAMAGED: Service = Service::Replicator(2);

/// What the report says of one member's copy of its only file.
fn ballot<'a>(report: &'a Value, member: &str) -> &'a Value {
    let files = report["files"].as_array().unwrap();
    assert_eq!(files.len(), 1, "{report:#}");
    files[0]["ballot"].as_array().unwrap().iter().find(|vote| vote["member"] == member).unwrap()
}

fn verdict(report: &Value) -> &str {
    report["files"][0]["verdict"].as_str().unwrap()
}

/// One replicator's copy of one file is damaged; everything is put back and the damaged bytes are kept.
async fn one_copy_becomes(content: impl FnOnce(&Stage, &Path) -> Option<Vec<u8>>, holding: &str) {
    let stage = Stage::set(Options::default()).await;
    let (path, _) = stage.nth(3);
    let damaged = content(&stage, path);
    match &damaged {
        Some(damaged) => stage.damage(DAMAGED, path, damaged),
        None => stage.remove(DAMAGED, path),
    }
    let report = stage.restore().await;
    assert_eq!(ballot(&report, "replicator-2")["holding"], holding, "{report:#}");
    assert_eq!(ballot(&report, "replicator-1")["holding"], "intact", "{report:#}");
    assert_eq!(verdict(&report), "majority");
    assert_eq!(report["summary"]["healed"], 1, "{report:#}");
    let expected: Vec<_> = damaged.into_iter().collect();
    assert_eq!(stage.quarantined(DAMAGED), expected);
    for other in [Service::Replicator(1), Service::Replicator(3), Service::AppServer] {
        assert!(stage.quarantined(other).is_empty(), "{other:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_letter_changed_is_put_back() {
    let change = |stage: &Stage, path: &Path| {
        let text = String::from_utf8(stage.files[path].clone()).unwrap();
        Some(text.replacen("Tester", "Tostor", 1).into_bytes())
    };
    one_copy_becomes(change, "damaged").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_file_is_put_back() {
    one_copy_becomes(|_, _| None, "missing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_file_is_put_back() {
    one_copy_becomes(|stage, path| Some(stage.files[path][..40].to_vec()), "damaged").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_another_books_bytes_is_put_back() {
    one_copy_becomes(|stage, _| Some(stage.nth(5).1.to_vec()), "damaged").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_newline_appended_is_put_back() {
    one_copy_becomes(|stage, path| Some([&stage.files[path], &b"\n"[..]].concat()), "damaged").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_valid_version_is_stale_and_put_back() {
    let mut stage = Stage::set(Options::default()).await;
    let (path, old) = stage.nth(3);
    let (path, old) = (path.to_owned(), old.to_vec());
    let id = path.file_stem().unwrap().to_str().unwrap();
    let newer = serde_json::json!({ "title": "Newer", "authors": [{ "name": "Ada", "surname": "Tester" }] });
    let answer = stage.cluster.client().send("PUT", &format!("/books/{id}"), None, Some(&newer)).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    stage.files = eventually("the newer version is in every copy", Duration::from_secs(60), async || {
        let files = Copies::wait_until_equal(&stage.cluster).await;
        (files[&path] != old).then_some(files)
    })
    .await;
    stage.damage(DAMAGED, &path, &old);
    let report = stage.restore().await;
    assert_eq!(ballot(&report, "replicator-2")["holding"], "stale", "{report:#}");
    assert_eq!(stage.quarantined(DAMAGED), [old]);
}

#[tokio::test(flavor = "multi_thread")]
async fn extra_files_are_moved_to_the_quarantine() {
    let stage = Stage::set(Options::default()).await;
    let (path, content) = stage.nth(0);
    let copy = path.with_file_name("copy of a book.xml");
    stage.damage(DAMAGED, &copy, content);
    let unknown =
        path.with_file_name(format!("0192f3a0-0000-7000-8000-0000000000{}.xml", path.parent().unwrap().display()));
    stage.damage(DAMAGED, &unknown, content);
    let report = stage.restore().await;
    assert_eq!(report["files"].as_array().unwrap().len(), 2, "{report:#}");
    assert_eq!(stage.quarantined(DAMAGED), [content, content]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_proven_copy_wins_over_two_that_are_damaged_alike() {
    let stage = Stage::set(Options::default()).await;
    let (path, _) = stage.nth(3);
    for service in [Service::Replicator(1), Service::Replicator(2)] {
        stage.damage(service, path, stage.nth(4).1);
    }
    let report = stage.restore().await;
    assert_eq!(verdict(&report), "proven");
    assert_eq!(ballot(&report, "replicator-3")["holding"], "intact");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_deleted_on_two_of_three_is_put_back_and_never_deleted() {
    let stage = Stage::set(Options::default()).await;
    let (path, _) = stage.nth(3);
    stage.remove(Service::Replicator(1), path);
    stage.remove(Service::Replicator(3), path);
    let report = stage.restore().await;
    assert_eq!(verdict(&report), "proven");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_reports_and_touches_nothing() {
    let stage = Stage::set(Options::default()).await;
    let (path, _) = stage.nth(3);
    stage.damage(DAMAGED, path, b"<broken");
    let before = Copies::read(&stage.cluster);
    let report = stage.cluster.client().restore(true).await;
    assert_eq!(report["files"][0]["actions"][0]["action"], "would_heal", "{report:#}");
    assert_eq!(report["summary"]["healed"], 0);
    assert_eq!(Copies::read(&stage.cluster), before);
    stage.restore().await;
}

/// Small segments and early checkpoints, so that the logs forget the bytes of the first books.
fn forgetful() -> Options {
    let setting = |name: &str, value: &str| (format!("CONCORDANCE_{name}"), value.to_owned());
    let environment = vec![setting("LOG_SEGMENT_BYTES", "65536"), setting("CHECKPOINT_LOG_BYTES", "65536")];
    Options { environment, ..Options::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_nobody_holds_any_more_is_lost_and_left_alone() {
    let mut stage = Stage::set(forgetful()).await;
    for number in 0..400 {
        stage.cluster.client().add_book(&format!("Later {number}")).await;
    }
    stage.files = Copies::wait_until_all_hold(&stage.cluster, 408).await;
    let oldest = stage.files.iter().find(|(_, content)| String::from_utf8_lossy(content).contains("Book 0")).unwrap();
    let path = oldest.0.clone();
    let digest = digest_of(oldest.1);
    for (number, service) in stage.cluster.services().into_iter().skip(1).enumerate() {
        stage.damage(service, &path, format!("damage {number}").as_bytes());
    }
    let before = Copies::read(&stage.cluster);
    let report = stage.cluster.client().restore(false).await;
    assert_eq!(verdict(&report), "lost", "{report:#}");
    assert_eq!(report["files"][0]["record"]["digest"], digest.as_str());
    assert_eq!(report["summary"]["lost"], 1);
    assert_eq!(Copies::read(&stage.cluster), before, "a lost file is left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_while_writers_go_on_heals_and_rolls_nothing_back() {
    let stage = Stage::set(Options::default()).await;
    let (path, _) = stage.nth(3);
    stage.damage(DAMAGED, path, b"<broken");
    let writers = system_tests::Writers::start(&stage.cluster.client(), "meanwhile", 16);
    for _ in 0..5 {
        let report = stage.cluster.client().restore(false).await;
        assert_eq!(report["state"], "done", "{report:#}");
        assert_eq!(report["summary"]["lost"], 0, "{report:#}");
    }
    let ledger = writers.finish().await;
    let files = Copies::wait_until_equal(&stage.cluster).await;
    ledger.check(&files);
    assert_eq!(files[path], stage.files[path]);
}
