//! Single corruptions of every kind: each is told as what it is, healed to what was committed, and kept in the quarantine; no other
//! file is touched. `CONCORDANCE_TEST_CORRUPTIONS` sets how many there are.

#![allow(clippy::unwrap_used, reason = "this is test code: what fails here is a failed test")]

use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use system_tests::{Cluster, Copies, Options, Service, digest_of, eventually};

const DEFAULT_CORRUPTIONS: usize = 300;
const BOOKS: usize = 150;

type Files = BTreeMap<PathBuf, Vec<u8>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    BitFlipped,
    ByteInserted,
    ByteRemoved,
    Truncated,
    Emptied,
    BlockOfZeroes,
    NewlineAppended,
    LineEndsOfAnotherSystem,
    ByteOrderMark,
    BytesOfAnotherBook,
    OlderVersion,
    Deleted,
    ExtraBook,
    ForeignFile,
}

const KINDS: [Kind; 14] = [
    Kind::BitFlipped,
    Kind::ByteInserted,
    Kind::ByteRemoved,
    Kind::Truncated,
    Kind::Emptied,
    Kind::BlockOfZeroes,
    Kind::NewlineAppended,
    Kind::LineEndsOfAnotherSystem,
    Kind::ByteOrderMark,
    Kind::BytesOfAnotherBook,
    Kind::OlderVersion,
    Kind::Deleted,
    Kind::ExtraBook,
    Kind::ForeignFile,
];

const COPIES: [Service; 4] =
    [Service::Replicator(1), Service::Replicator(2), Service::Replicator(3), Service::AppServer];

/// A cluster whose books have all been changed once, and what every copy holds, now and before.
struct Stage {
    cluster: Cluster,
    files: Files,
    before: Files,
}

/// One corruption: of which copy, under which name, and what is there now.
#[derive(Debug)]
struct Corruption {
    kind: Kind,
    copy: Service,
    path: PathBuf,
    found: Option<Vec<u8>>,
}

impl Stage {
    async fn set() -> Self {
        let cluster = Cluster::start(Options::default()).await;
        for number in 0..BOOKS {
            cluster.client().add_book(&format!("Book {number}")).await;
        }
        let before = Copies::wait_until_all_hold(&cluster, BOOKS).await;
        for (number, path) in before.keys().enumerate() {
            let id = path.file_stem().unwrap().to_str().unwrap();
            let newer =
                json!({ "title": format!("Newer {number}"), "authors": [{ "name": "Ada", "surname": "Tester" }] });
            let answer = cluster.client().send("PUT", &format!("/books/{id}"), None, Some(&newer)).await.unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let files = eventually("the newer versions are in every copy", Duration::from_secs(60), async || {
            let files = Copies::wait_until_equal(&cluster).await;
            files.iter().all(|(path, content)| before[path] != *content).then_some(files)
        })
        .await;
        Self { cluster, files, before }
    }

    /// Corrupts one copy of this file.
    fn corrupt(&self, path: &Path, random: &mut Rng) -> Corruption {
        let kind = KINDS[random.usize(..KINDS.len())];
        let copy = COPIES[random.usize(..COPIES.len())];
        let (path, found) = self.corrupted(kind, path, random);
        let on_disk = self.cluster.data(copy).join("books").join(&path);
        match &found {
            Some(content) => std::fs::write(on_disk, content).unwrap(),
            None => std::fs::remove_file(on_disk).unwrap(),
        }
        Corruption { kind, copy, path, found }
    }

    /// What there will be instead, and under which name.
    fn corrupted(&self, kind: Kind, path: &Path, random: &mut Rng) -> (PathBuf, Option<Vec<u8>>) {
        let mut content = self.files[path].clone();
        let place = random.usize(..content.len());
        match kind {
            Kind::BitFlipped => content[place] ^= 1 << random.u8(..8),
            Kind::ByteInserted => content.insert(place, random.u8(b'a'..=b'z')),
            Kind::ByteRemoved => drop(content.remove(place)),
            Kind::Truncated => content.truncate(place.max(1)),
            Kind::Emptied => content.clear(),
            Kind::BlockOfZeroes => content[place..].fill(0),
            Kind::NewlineAppended => content.push(b'\n'),
            Kind::LineEndsOfAnotherSystem => {
                content = String::from_utf8(content).unwrap().replace('\n', "\r\n").into_bytes();
            }
            Kind::ByteOrderMark => drop(content.splice(0..0, *b"\xef\xbb\xbf")),
            Kind::BytesOfAnotherBook => {
                let (_, other) = self.files.iter().find(|(other, _)| *other != path).unwrap();
                content.clone_from(other);
            }
            Kind::OlderVersion => content.clone_from(&self.before[path]),
            Kind::Deleted => return (path.to_owned(), None),
            Kind::ExtraBook => {
                let folder = path.parent().unwrap();
                let number = random.u32(..);
                let name = format!("0192f3a0-0000-7000-8000-00{number:08x}{}.xml", folder.display());
                return (folder.join(name), Some(content));
            }
            Kind::ForeignFile => {
                return (path.with_file_name(format!("copy {} of a book.xml", random.u32(..))), Some(content));
            }
        }
        (path.to_owned(), Some(content))
    }

    /// Restores, and checks what is told and what is done.
    async fn heal(&self, corruptions: &[Corruption]) {
        let report = self.cluster.client().restore(false).await;
        assert_eq!(report["state"], "done", "{report:#}");
        let told = report["files"].as_array().unwrap();
        assert_eq!(told.len(), corruptions.len(), "{corruptions:?} {report:#}");
        assert_eq!(report["summary"]["healed"], corruptions.len(), "{report:#}");
        for corruption in corruptions {
            self.check(corruption, told);
        }
        for (service, files) in Copies::read(&self.cluster).0 {
            assert!(files == self.files, "{service:?} holds what was committed, and nothing else: {report:#}");
        }
    }

    /// The report tells what was on disk, where it was, and where it is now.
    fn check(&self, corruption: &Corruption, told: &[Value]) {
        let name = Path::new("books").join(&corruption.path);
        let file = told.iter().find(|file| Path::new(file["path"].as_str().unwrap()) == name);
        let file = file.unwrap_or_else(|| panic!("{corruption:?} is not in the report: {told:#?}"));
        let holding = match corruption.kind {
            Kind::Deleted => "missing",
            Kind::OlderVersion => "stale",
            Kind::ExtraBook | Kind::ForeignFile => "extra",
            _ => "damaged",
        };
        let member = corruption.copy.name();
        let of = |list: &str| {
            let list = file[list].as_array().unwrap();
            list.iter().filter(|one| one["member"] == member.as_str()).cloned().collect::<Vec<_>>()
        };
        let ballot = of("ballot");
        assert_eq!(ballot[0]["holding"], holding, "{corruption:?} {file:#}");
        if corruption.kind != Kind::ForeignFile {
            assert_eq!(
                ballot[0]["digest"],
                json!(corruption.found.as_deref().map(digest_of)),
                "{corruption:?} {file:#}"
            );
            for vote in file["ballot"].as_array().unwrap().iter().filter(|vote| vote["member"] != member.as_str()) {
                assert_eq!(vote["holding"], "intact", "{corruption:?} {file:#}");
            }
        }
        assert_eq!(file["actions"].as_array().unwrap().len(), 1, "nothing is done to the others: {file:#}");
        let done = of("actions");
        assert_eq!(done[0]["action"], "healed", "{corruption:?} {file:#}");
        if let Some(found) = &corruption.found {
            let kept = self.cluster.data(corruption.copy).join(done[0]["quarantined"].as_str().unwrap());
            assert!(std::fs::read(&kept).unwrap() == *found, "{} holds what was there: {corruption:?}", kept.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_single_corruption_is_told_and_healed_and_nothing_else_is_touched() {
    let wanted =
        std::env::var("CONCORDANCE_TEST_CORRUPTIONS").map_or(DEFAULT_CORRUPTIONS, |text| text.parse().unwrap());
    let mut stage = Stage::set().await;
    stage.cluster.keep_if_it_fails();
    let mut random = Rng::with_seed(1);
    let mut kinds = BTreeMap::<Kind, usize>::new();
    let mut done = 0;
    while done < wanted {
        let mut paths: Vec<_> = stage.files.keys().collect();
        random.shuffle(&mut paths);
        let some = random.usize(1..=100.min(wanted - done));
        let corruptions: Vec<_> = paths.into_iter().take(some).map(|path| stage.corrupt(path, &mut random)).collect();
        stage.heal(&corruptions).await;
        corruptions.iter().for_each(|corruption| *kinds.entry(corruption.kind).or_default() += 1);
        done += corruptions.len();
    }
    println!("{done} corruptions healed: {kinds:?}");
}
