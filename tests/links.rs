//! Links that are cut, carry only one way, are slow or come and go, and processes that are stopped and go on, under 16 writers: writes
//! go on where the others are enough, nothing acknowledged is lost or applied twice, no copy differs, and all are in sync in the end.

use std::time::Duration;
use system_tests::{Cluster, Copies, LinkState, Options, Outcome, Service, Way, Writers, eventually};

const WRITERS: usize = 16;

/// So much must be committed while a fault lasts: more than what was under way when it began.
const MEANWHILE: u64 = 4 * WRITERS as u64;

const REPLICATOR: Service = Service::Replicator(2);

/// A cluster in which these dial over links, with writers.
async fn start(linked: &[Service]) -> (Cluster, Writers) {
    let cluster = Cluster::start(Options { linked: linked.to_vec(), ..Options::default() }).await;
    let writers = Writers::start(&cluster.client(), "links", WRITERS);
    writers.commit_more(MEANWHILE).await;
    (cluster, writers)
}

/// All is well again: what every writer was told is so.
async fn end(cluster: &Cluster, writers: Writers) {
    writers.commit_more(MEANWHILE).await;
    let ledger = writers.finish().await;
    cluster.wait_until_ready().await;
    cluster.wait_until_nothing_is_in_doubt().await;
    ledger.check(&Copies::wait_until_equal(cluster).await);
    assert_eq!(ledger.count(|outcome| *outcome == Outcome::Refused), 0, "nobody asked for what may be refused");
}

/// A replicator's link does this; the others go on without it, or with it.
async fn writes_go_on_while(state: LinkState) {
    let (cluster, writers) = start(&[REPLICATOR]).await;
    cluster.link(REPLICATOR).set(state);
    writers.commit_more(MEANWHILE).await;
    cluster.link(REPLICATOR).set(LinkState::OPEN);
    end(&cluster, writers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn link_of_a_replicator_is_cut() {
    writes_go_on_while(LinkState::Cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicator_hears_and_is_not_heard() {
    writes_go_on_while(LinkState::Up(Way::Held, Way::Open)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicator_speaks_and_hears_nothing() {
    writes_go_on_while(LinkState::Up(Way::Open, Way::Held)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn link_of_a_replicator_carries_nothing_either_way() {
    writes_go_on_while(LinkState::Up(Way::Held, Way::Held)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn link_of_a_replicator_is_slow() {
    let slow = Way::Slow(Duration::from_millis(20), 1_024);
    writes_go_on_while(LinkState::Up(slow, slow)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn link_of_a_replicator_comes_and_goes() {
    let (cluster, writers) = start(&[REPLICATOR]).await;
    for turn in 0..20 {
        let state = if turn % 2 == 0 { LinkState::Cut } else { LinkState::OPEN };
        cluster.link(REPLICATOR).set(state);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    end(&cluster, writers).await;
}

/// Nothing is committed without a majority; what was under way is neither lost nor done twice when they are back.
#[tokio::test(flavor = "multi_thread")]
async fn links_of_a_majority_are_cut() {
    let away = [Service::Replicator(2), Service::Replicator(3)];
    let (cluster, writers) = start(&away).await;
    away.iter().for_each(|service| cluster.link(*service).set(LinkState::Cut));
    let client = cluster.client();
    eventually("writes are refused", Duration::from_secs(60), async || {
        (client.cluster().await?["accepting_writes"] == false).then_some(())
    })
    .await;
    let committed = writers.committed();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(writers.committed() <= committed + WRITERS as u64, "only answers that were on their way may still come");
    away.iter().for_each(|service| cluster.link(*service).set(LinkState::OPEN));
    end(&cluster, writers).await;
}

/// Its clients are told that it is not known, send again, and find each change made once.
#[tokio::test(flavor = "multi_thread")]
async fn link_of_the_app_server_breaks_again_and_again() {
    let (cluster, writers) = start(&[Service::AppServer]).await;
    let link = cluster.link(Service::AppServer);
    for broken in [LinkState::Cut, LinkState::Up(Way::Open, Way::Held), LinkState::Up(Way::Held, Way::Open)] {
        link.set(broken);
        tokio::time::sleep(Duration::from_millis(300)).await;
        link.set(LinkState::Cut);
        tokio::time::sleep(Duration::from_millis(50)).await;
        link.set(LinkState::OPEN);
        writers.commit_more(MEANWHILE).await;
    }
    end(&cluster, writers).await;
}

/// It is told from one that is gone by its silence only.
#[tokio::test(flavor = "multi_thread")]
async fn replicator_is_stopped_and_goes_on() {
    let (cluster, writers) = start(&[]).await;
    cluster.process(REPLICATOR).pause();
    writers.commit_more(MEANWHILE).await;
    cluster.process(REPLICATOR).resume();
    end(&cluster, writers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinator_and_app_server_are_stopped_and_go_on() {
    let (cluster, writers) = start(&[]).await;
    for service in [Service::Coordinator, Service::AppServer, Service::Coordinator] {
        cluster.process(service).pause();
        tokio::time::sleep(Duration::from_millis(700)).await;
        cluster.process(service).resume();
        writers.commit_more(MEANWHILE).await;
    }
    end(&cluster, writers).await;
}
