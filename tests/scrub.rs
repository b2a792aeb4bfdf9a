//! A scrub with real processes: damage on a replicator's disk is found and told, and mended only by a cluster that was told to.

#![allow(clippy::unwrap_used, reason = "this is test code: what fails here is a failed test")]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use system_tests::{Cluster, Copies, Options, Service, eventually};

const DAMAGED: Service = Service::Replicator(2);

/// No pass by itself: what is seen is what was asked for.
fn options(heals: bool) -> Options {
    let setting = |name: &str, value: &str| (format!("CONCORDANCE_{name}"), value.to_owned());
    let heals = if heals { "true" } else { "false" };
    let environment = vec![setting("SCRUB_BYTES_PER_SECOND", "0"), setting("SCRUB_HEALS", heals)];
    Options { environment, ..Options::default() }
}

fn on_disk(cluster: &Cluster, path: &Path) -> PathBuf {
    cluster.data(DAMAGED).join("books").join(path)
}

async fn scrubs(cluster: &Cluster) -> Option<Vec<Value>> {
    Some(cluster.client().get("/scrubs").await?.body["items"].as_array()?.clone())
}

/// The full pass of each replicator that begins now.
async fn scrub(cluster: &Cluster) -> Vec<Value> {
    let begun = cluster.client().post("/scrubs", &json!({})).await.unwrap();
    assert_eq!(begun.status, 202, "{begun:?}");
    let before = begun.body["items"].as_array().unwrap().clone();
    eventually("every replicator has read all of its files", Duration::from_secs(60), async || {
        let now = scrubs(cluster).await?;
        let is_new = |(now, before): (&Value, &Value)| {
            !now["last"].is_null()
                && [&before["last"], &before["running"]]
                    .iter()
                    .all(|pass| pass["started_at"] != now["last"]["started_at"])
        };
        now.iter().zip(&before).all(is_new).then(|| now.iter().map(|member| member["last"].clone()).collect())
    })
    .await
}

fn outcomes(pass: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = pass["findings"].as_array().unwrap().iter();
    let mut named: Vec<_> = findings.map(|finding| (text(&finding["name"]), text(&finding["outcome"]))).collect();
    named.sort();
    named
}

fn quarantined(cluster: &Cluster) -> Vec<Vec<u8>> {
    let (mut contents, mut folders) = (Vec::new(), vec![cluster.data(DAMAGED).join("quarantine")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path().is_dir() {
                true => folders.push(entry.path()),
                false => contents.push(std::fs::read(entry.path()).unwrap()),
            }
        }
    }
    contents
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found_and_told_and_left_alone_until_a_person_restores() {
    let cluster = Cluster::start(options(false)).await;
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(cluster.client().add_book(&format!("Book {number}")).await["id"].as_str().unwrap().to_owned());
    }
    let old = Copies::wait_until_all_hold(&cluster, 6).await;
    let paths: Vec<_> = ids
        .iter()
        .map(|id| old.keys().find(|path| path.file_stem().unwrap().to_str() == Some(id.as_str())).unwrap().clone())
        .collect();
    let newer = json!({ "title": "Newer", "authors": [{ "name": "Ada", "surname": "Tester" }] });
    let answer = cluster.client().send("PUT", &format!("/books/{}", ids[0]), None, Some(&newer)).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    eventually("the newer version is in every copy", Duration::from_secs(60), async || {
        let files = Copies::wait_until_equal(&cluster).await;
        (files[&paths[0]] != old[&paths[0]]).then_some(())
    })
    .await;
    for pass in scrub(&cluster).await {
        assert_eq!((&pass["files"], &pass["clean"]), (&json!(6), &json!(6)), "{pass:#}");
    }
    std::fs::write(on_disk(&cluster, &paths[0]), &old[&paths[0]]).unwrap();
    std::fs::write(on_disk(&cluster, &paths[1]), b"<broken").unwrap();
    std::fs::remove_file(on_disk(&cluster, &paths[2])).unwrap();
    let note = paths[3].with_file_name("notes.txt");
    std::fs::write(on_disk(&cluster, &note), b"mine").unwrap();
    let passes = scrub(&cluster).await;
    let name = |path: &Path| format!("books/{}", path.display());
    let expected = [(&paths[0], "stale"), (&paths[1], "damaged"), (&paths[2], "damaged"), (&note, "extra")];
    let mut expected: Vec<_> = expected.iter().map(|(path, what)| (name(path), (*what).to_owned())).collect();
    expected.sort();
    assert_eq!(outcomes(&passes[1]), expected);
    assert_eq!(passes[1]["clean"], 3, "{:#}", passes[1]);
    for other in [0, 2] {
        assert_eq!((&passes[other]["clean"], outcomes(&passes[other])), (&json!(6), vec![]));
    }
    assert_eq!(std::fs::read(on_disk(&cluster, &paths[1])).unwrap(), b"<broken", "a scrub mends nothing");
    assert!(quarantined(&cluster).is_empty());
    cluster.client().restore(false).await;
    eventually("what was put right is read again", Duration::from_secs(60), async || {
        (scrubs(&cluster).await?[1]["last"]["clean"] == 6).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_told_to_heals_what_a_scrub_finds_and_keeps_the_bytes() {
    let cluster = Cluster::start(options(true)).await;
    for number in 0..4 {
        cluster.client().add_book(&format!("Book {number}")).await;
    }
    let files = Copies::wait_until_all_hold(&cluster, 4).await;
    let (path, _) = files.iter().nth(2).unwrap();
    std::fs::write(on_disk(&cluster, path), b"<broken").unwrap();
    let begun = cluster.client().post("/scrubs", &json!({})).await.unwrap();
    assert_eq!(begun.status, 202, "{begun:?}");
    eventually("the damaged file is put right and read again", Duration::from_secs(60), async || {
        let pass = &scrubs(&cluster).await?[1]["last"];
        (pass["clean"] == 4 && std::fs::read(on_disk(&cluster, path)).ok().as_ref() == files.get(path)).then_some(())
    })
    .await;
    assert_eq!(quarantined(&cluster), [b"<broken"]);
    assert_eq!(Copies::wait_until_equal(&cluster).await, files);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrub_while_writers_go_on_calls_nothing_damaged() {
    // Fast, for it reads a tenth as fast while rounds come.
    let environment = vec![("CONCORDANCE_SCRUB_BYTES_PER_SECOND".to_owned(), (1_u64 << 32).to_string())];
    let cluster = Cluster::start(Options { environment, ..Options::default() }).await;
    let writers = system_tests::Writers::start(&cluster.client(), "meanwhile", 16);
    for _ in 0..3 {
        for pass in scrub(&cluster).await {
            assert_eq!(outcomes(&pass), vec![], "{pass:#}");
            assert_eq!(pass["unknown"], 0, "{pass:#}");
        }
    }
    let ledger = writers.finish().await;
    let files = Copies::wait_until_equal(&cluster).await;
    ledger.check(&files);
    for pass in scrub(&cluster).await {
        assert_eq!(pass["clean"], files.len(), "{pass:#}");
    }
}
