//! One chapter: a cluster, faults under load, and then quiet, in which everything is checked.

use crate::faults::{Fault, REPLICATORS};
use crate::figures::Figures;
use fastrand::Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use system_tests::{Cluster, Copies, Groups, Options, Outcome, Service, Writers, is_linearizable};

const WRITERS: usize = 8;

/// How many books have readers and writers of their own at one time.
const GROUPS: usize = 4;

/// How many files of one copy are damaged at once.
const DAMAGED_FILES: usize = 20;

type Files = BTreeMap<PathBuf, Vec<u8>>;

pub(crate) async fn play(random: &mut Rng, faults: usize, figures: &mut Figures) {
    let linked = REPLICATORS.into_iter().chain([Service::AppServer]).collect();
    let mut cluster = Cluster::start(Options { linked, ..Options::default() }).await;
    cluster.keep_if_it_fails();
    let writers = Writers::start(&cluster.client(), "soak", WRITERS);
    let groups = Groups::start(&cluster.client(), GROUPS);
    for _ in 0..faults {
        tokio::time::sleep(Duration::from_millis(random.u64(..800))).await;
        let fault = Fault::draw(random);
        figures.count(fault.kind());
        fault.strike(&mut cluster).await;
    }
    let quiet = Instant::now();
    let (ledger, histories) = (writers.finish().await, groups.finish().await);
    cluster.wait_until_ready().await;
    cluster.wait_until_nothing_is_in_doubt().await;
    figures.slowest_in_sync = figures.slowest_in_sync.max(quiet.elapsed());
    let files = Copies::wait_until_equal(&cluster).await;
    ledger.check(&files);
    for history in &histories {
        let is_explained = is_linearizable(0, &history.events);
        assert!(is_explained, "what was answered about book {} has no order: {:#?}", history.id, history.events);
    }
    figures.acknowledged += ledger.count(|outcome| matches!(outcome, Outcome::Committed { .. }));
    figures.unknown += ledger.count(|outcome| *outcome == Outcome::Unknown);
    figures.linearizable += histories.len();
    damage_and_restore(random, &cluster, &files, figures).await;
    figures.chapters += 1;
}

/// Some files of one copy are damaged; a restore makes all copies what they were, and its report tells what was there.
async fn damage_and_restore(random: &mut Rng, cluster: &Cluster, files: &Files, figures: &mut Figures) {
    let victim = REPLICATORS[random.usize(..REPLICATORS.len())];
    let books = cluster.data(victim).join("books");
    let mut damaged = BTreeMap::new();
    for _ in 0..DAMAGED_FILES.min(files.len()) {
        let (path, content) = files.iter().nth(random.usize(..files.len())).expect("it is one of them");
        if damaged.contains_key(path) {
            continue;
        }
        let found = spoiled(random, content);
        match &found {
            Some(found) => std::fs::write(books.join(path), found).expect("the file can be written"),
            None => std::fs::remove_file(books.join(path)).expect("the file was there"),
        }
        damaged.insert(path.clone(), found.is_some());
        figures.count("files damaged");
    }
    let report = cluster.client().restore(false).await;
    assert_eq!(report["state"], "done", "{report:#}");
    let told: BTreeMap<_, _> = reported(&report, victim);
    let expected: BTreeMap<_, _> = damaged
        .iter()
        .map(|(path, is_there)| {
            let kind = if *is_there { "damaged" } else { "missing" };
            (PathBuf::from("books").join(path).display().to_string(), kind.to_owned())
        })
        .collect();
    assert_eq!(told, expected, "the report tells of what was damaged, and of nothing else");
    let healed = Copies::wait_until_equal(cluster).await;
    assert!(healed == *files, "the restore has put back what was committed");
    figures.restored += damaged.len();
}

/// What is there instead; none if nothing is. Never what was committed.
fn spoiled(random: &mut Rng, content: &[u8]) -> Option<Vec<u8>> {
    let mut spoiled = content.to_vec();
    let place = random.usize(..spoiled.len());
    match random.u8(..5) {
        0 => spoiled[place] ^= 1 << random.u8(..8),
        1 => spoiled.truncate(place),
        2 => spoiled.push(b'\n'),
        3 => spoiled.clear(),
        _ => return None,
    }
    Some(spoiled)
}

/// What the report says that this copy held instead of each file.
fn reported(report: &Value, of: Service) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let files = report["files"].as_array().into_iter().flatten();
    files
        .filter_map(|file| {
            let ballot = file["ballot"].as_array()?;
            let held = ballot.iter().find(|holding| holding["member"] == of.name())?;
            Some((text(&file["path"]), text(&held["holding"])))
        })
        .collect()
}
