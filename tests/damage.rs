//! Data directories that were damaged, lost, exchanged or edited while their process was stopped: the cluster knows what it can
//! still believe, and nothing that was committed is lost.

#![allow(clippy::unwrap_used, reason = "this is test code: what fails here is a failed test")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use system_tests::{
    Cluster, Copies, Options, Service, book, copy_folder, eventually, flip_byte_in_the_middle, newest_segment,
    tear_last_record,
};

const VICTIM: Service = Service::Replicator(2);

/// Longer than any reaction takes on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A cluster with a few books, and what every copy holds.
struct Stage {
    cluster: Cluster,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Stage {
    async fn set() -> Self {
        // No checkpoint while a process runs: what is killed starts from its log alone.
        let environment = vec![("CONCORDANCE_CHECKPOINT_IDLE_MS".to_owned(), "600000".to_owned())];
        let cluster = Cluster::start(Options { environment, ..Options::default() }).await;
        for number in 0..6 {
            cluster.client().add_book(&format!("Book {number}")).await;
        }
        let files = Copies::wait_until_all_hold(&cluster, 6).await;
        Self { cluster, files }
    }

    /// Every copy holds what was committed, and the next book goes into every copy.
    async fn goes_on(&mut self) {
        self.cluster.wait_until_ready().await;
        assert_eq!(Copies::wait_until_equal(&self.cluster).await, self.files);
        self.cluster.client().add_book("The next one").await;
        self.files = Copies::wait_until_all_hold(&self.cluster, self.files.len() + 1).await;
    }

    /// No copy of a replicator has changed.
    fn replicators_are_as_they_were(&self) {
        for (service, files) in Copies::read(&self.cluster).0 {
            if let Service::Replicator(_) = service {
                assert_eq!(files, self.files, "{service:?}");
            }
        }
    }

    /// The memory that a replicator's directory is.
    fn incarnation(&self, replicator: Service) -> Value {
        let identity = std::fs::read(self.cluster.data(replicator).join("identity")).unwrap();
        let identity: Value = serde_json::from_slice(&identity).unwrap();
        assert!(identity["incarnation"].is_string(), "{identity}");
        identity["incarnation"].clone()
    }

    /// The coordinator answers `/readyz` with 503, and that it is not sure of its log for `reason`; the app-server's status says
    /// the same, and a write is not taken.
    async fn no_rounds_are_run(&self, reason: &str) {
        let readyz = format!("http://{}/readyz", self.cluster.address(Service::Coordinator));
        let http = reqwest::Client::new();
        let reasons = eventually("the coordinator says that recovery is needed", SOON, async || {
            let response = http.get(&readyz).send().await.ok()?;
            let status = response.status().as_u16();
            let report: Value = serde_json::from_str(&response.text().await.ok()?).ok()?;
            let reasons = report["reasons"].to_string();
            (status == 503 && reasons.contains("not sure of its log")).then_some(reasons)
        })
        .await;
        assert!(reasons.contains("presumes nothing") && reasons.contains(reason), "{reasons}");
        let client = self.cluster.client();
        eventually("the status tells why no rounds are run", SOON, async || {
            let status = client.cluster().await?;
            let why_not = status["why_not"].as_str()?.to_owned();
            (status["accepting_writes"] == false && why_not.contains(reason)).then_some(())
        })
        .await;
        let refused = client.post("/books", &book("Never")).await.unwrap();
        assert_eq!(refused.status, 503, "{refused:?}");
        assert_eq!(client.get("/books").await.unwrap().body["total"], self.files.len());
        self.replicators_are_as_they_were();
    }
}

/// What a replicator has logged of the state in which it started last.
fn standing(stage: &Stage, replicator: Service) -> String {
    let log = stage.cluster.process(replicator).log();
    let line = log.lines().rfind(|line| line.contains("read the log")).unwrap_or_default();
    line.rsplit_once("standing=").map_or_else(|| line.to_owned(), |(_, standing)| standing.trim().to_owned())
}

/// The replicator's directory is damaged while it is killed: it gives up its memory and catches up.
async fn memory_is_given_up_after(damage: impl FnOnce(&Path)) {
    let mut stage = Stage::set().await;
    let before = stage.incarnation(VICTIM);
    stage.cluster.kill(VICTIM);
    damage(&stage.cluster.data(VICTIM));
    stage.cluster.start_service(VICTIM);
    stage.goes_on().await;
    assert_ne!(stage.incarnation(VICTIM), before, "a memory that cannot be believed is another one from then on");
    assert_eq!(standing(&stage, VICTIM), "Lost");
    // The new memory is as good as any: it starts again from what it knows.
    let after = stage.incarnation(VICTIM);
    stage.cluster.kill(VICTIM);
    stage.cluster.start_service(VICTIM);
    stage.goes_on().await;
    assert_eq!(stage.incarnation(VICTIM), after);
    assert_eq!(standing(&stage, VICTIM), "Trusted");
}

#[tokio::test(flavor = "multi_thread")]
async fn replicator_with_a_flipped_byte_in_its_log_gives_up_its_memory_and_catches_up() {
    memory_is_given_up_after(|data| flip_byte_in_the_middle(&newest_segment(data))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicator_without_its_directory_catches_up() {
    memory_is_given_up_after(|data| std::fs::remove_dir_all(data).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicator_whose_checkpoint_was_edited_gives_up_its_memory_and_catches_up() {
    let mut stage = Stage::set().await;
    let before = stage.incarnation(VICTIM);
    stage.cluster.stop(VICTIM).await;
    let checkpoint = stage.cluster.data(VICTIM).join("checkpoint");
    let text = std::fs::read_to_string(&checkpoint).unwrap();
    let edited = text.replacen("\"version\":6", "\"version\":5", 1);
    assert_ne!(edited, text, "the checkpoint names the version");
    std::fs::write(&checkpoint, edited).unwrap();
    stage.cluster.start_service(VICTIM);
    stage.goes_on().await;
    assert_ne!(stage.incarnation(VICTIM), before);
    assert!(stage.cluster.process(VICTIM).log().contains("was changed since"));
}

#[tokio::test(flavor = "multi_thread")]
async fn replicator_with_a_torn_tail_is_confirmed_and_goes_on_with_its_memory() {
    let mut stage = Stage::set().await;
    let before = stage.incarnation(VICTIM);
    stage.cluster.kill(VICTIM);
    tear_last_record(&newest_segment(&stage.cluster.data(VICTIM)));
    stage.cluster.start_service(VICTIM);
    stage.goes_on().await;
    assert_eq!(stage.incarnation(VICTIM), before);
    assert_eq!(standing(&stage, VICTIM), "Unconfirmed");
    stage.cluster.kill(VICTIM);
    stage.cluster.start_service(VICTIM);
    stage.goes_on().await;
    assert_eq!(standing(&stage, VICTIM), "Trusted");
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinator_with_a_flipped_byte_in_its_log_runs_no_rounds_and_leaves_it_as_it_is() {
    let mut stage = Stage::set().await;
    stage.cluster.kill(Service::Coordinator);
    let segment = newest_segment(&stage.cluster.data(Service::Coordinator));
    flip_byte_in_the_middle(&segment);
    let damaged = std::fs::read(&segment).unwrap();
    stage.cluster.start_service(Service::Coordinator);
    stage.no_rounds_are_run("its decision log cannot be believed").await;
    stage.cluster.stop(Service::Coordinator).await;
    assert_eq!(std::fs::read(&segment).unwrap(), damaged, "what a person may still want to look at is left as it is");
    stage.replicators_are_as_they_were();
    flip_byte_in_the_middle(&segment);
    stage.cluster.start_service(Service::Coordinator);
    stage.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinator_without_its_directory_runs_no_rounds_until_it_is_put_back() {
    let mut stage = Stage::set().await;
    stage.cluster.kill(Service::Coordinator);
    let data = stage.cluster.data(Service::Coordinator);
    let aside = stage.cluster.folder().join("aside");
    std::fs::rename(&data, &aside).unwrap();
    stage.cluster.start_service(Service::Coordinator);
    stage.no_rounds_are_run("of a cluster that this coordinator's log knows nothing of").await;
    stage.cluster.kill(Service::Coordinator);
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&aside, &data).unwrap();
    stage.cluster.start_service(Service::Coordinator);
    stage.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinator_from_an_older_copy_runs_no_rounds_until_the_newest_is_put_back() {
    let mut stage = Stage::set().await;
    let data = stage.cluster.data(Service::Coordinator);
    let (older, newest) = (stage.cluster.folder().join("older"), stage.cluster.folder().join("newest"));
    stage.cluster.kill(Service::Coordinator);
    copy_folder(&data, &older);
    stage.cluster.start_service(Service::Coordinator);
    stage.goes_on().await;
    stage.cluster.kill(Service::Coordinator);
    std::fs::rename(&data, &newest).unwrap();
    std::fs::rename(&older, &data).unwrap();
    stage.cluster.start_service(Service::Coordinator);
    stage.no_rounds_are_run("its data directory is a copy").await;
    stage.cluster.kill(Service::Coordinator);
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&newest, &data).unwrap();
    stage.cluster.start_service(Service::Coordinator);
    stage.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn app_server_without_its_directory_catches_up() {
    let mut stage = Stage::set().await;
    stage.cluster.kill(Service::AppServer);
    std::fs::remove_dir_all(stage.cluster.data(Service::AppServer)).unwrap();
    stage.cluster.start_service(Service::AppServer);
    stage.goes_on().await;
}

/// Edits the app-server's file of the first book while the app-server does not run; gives the file, the book's id and the edit.
fn edit(stage: &Stage) -> (PathBuf, String, String) {
    let (path, content) = stage.files.first_key_value().unwrap();
    let edited = String::from_utf8(content.clone()).unwrap().replace("Book", "Edited book");
    let file = stage.cluster.data(Service::AppServer).join("books").join(path);
    std::fs::write(&file, &edited).unwrap();
    (file, path.file_stem().unwrap().to_str().unwrap().to_owned(), edited)
}

#[tokio::test(flavor = "multi_thread")]
async fn file_of_the_app_server_that_was_edited_while_it_was_stopped_stays_an_edit() {
    let mut stage = Stage::set().await;
    stage.cluster.stop(Service::AppServer).await;
    let (file, id, edited) = edit(&stage);
    stage.cluster.start_service(Service::AppServer);
    stage.cluster.wait_until_ready().await;
    let client = stage.cluster.client();
    let shown = eventually("the edit is seen", SOON, async || {
        let answer = client.get(&format!("/books/{id}")).await?;
        (answer.body["local"] == "modified").then_some(answer.body)
    })
    .await;
    assert!(shown["title"].as_str().unwrap().starts_with("Book"), "what was committed is shown: {shown}");
    let edits = client.get("/replications").await.unwrap().body;
    assert_eq!((&edits["total"], &edits["items"][0]["id"]), (&1.into(), &id.into()), "{edits}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), edited);
    stage.replicators_are_as_they_were();
}

#[tokio::test(flavor = "multi_thread")]
async fn file_of_the_app_server_that_was_edited_after_it_was_killed_is_not_lost() {
    let mut stage = Stage::set().await;
    stage.cluster.kill(Service::AppServer);
    let (file, _, edited) = edit(&stage);
    stage.cluster.start_service(Service::AppServer);
    stage.cluster.wait_until_ready().await;
    let kept = all_files(&stage.cluster.data(Service::AppServer)).contains(edited.as_bytes());
    assert!(kept, "the edit is neither in {} nor in quarantine", file.display());
    stage.replicators_are_as_they_were();
}

/// What all files below a folder hold.
fn all_files(folder: &Path) -> BTreeSet<Vec<u8>> {
    let mut contents = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            contents.extend(all_files(&path));
        } else {
            contents.insert(std::fs::read(path).unwrap());
        }
    }
    contents
}
