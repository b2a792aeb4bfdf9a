//! Reads and writes through one app-server are linearizable, book by book, whatever dies or hangs meanwhile.
//!
//! `CONCORDANCE_TEST_HISTORIES` sets how many rounds of faults there are.

use std::time::Duration;
use system_tests::{Cluster, Copies, Groups, History, LinkState, Options, Service, Way, eventually, is_linearizable};

/// How many books have clients at one time.
const GROUPS: usize = 8;

/// So many books more are done with before the next fault.
const BOOKS_BETWEEN_FAULTS: u64 = 3 * GROUPS as u64;

/// How long what hangs or is cut stays so.
const FOR_A_WHILE: Duration = Duration::from_millis(400);

const APP_SERVER: Service = Service::AppServer;
const COORDINATOR: Service = Service::Coordinator;

/// What breaks.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Killed(&'static [Service]),
    Stopped(Service),
    Linked(Service, LinkState),
}

const FAULTS: [Fault; 9] = [
    Fault::Killed(&[Service::Replicator(2)]),
    Fault::Linked(Service::Replicator(3), LinkState::Up(Way::Held, Way::Open)),
    Fault::Killed(&[COORDINATOR]),
    Fault::Stopped(COORDINATOR),
    Fault::Linked(APP_SERVER, LinkState::Up(Way::Open, Way::Held)),
    Fault::Killed(&[APP_SERVER]),
    Fault::Stopped(Service::Replicator(1)),
    Fault::Linked(APP_SERVER, LinkState::Cut),
    Fault::Killed(&[COORDINATOR, APP_SERVER, Service::Replicator(1), Service::Replicator(2), Service::Replicator(3)]),
];

fn rounds_of_faults() -> usize {
    std::env::var("CONCORDANCE_TEST_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

async fn strike(cluster: &mut Cluster, fault: Fault) {
    match fault {
        Fault::Killed(services) => {
            services.iter().for_each(|service| cluster.kill(*service));
            services.iter().for_each(|service| cluster.start_service(*service));
        }
        Fault::Stopped(service) => {
            cluster.process(service).pause();
            tokio::time::sleep(FOR_A_WHILE).await;
            cluster.process(service).resume();
        }
        Fault::Linked(service, state) => {
            cluster.link(service).set(state);
            tokio::time::sleep(FOR_A_WHILE).await;
            cluster.link(service).set(LinkState::OPEN);
        }
    }
}

fn check(histories: &[History]) {
    for History { id, events } in histories {
        assert!(is_linearizable(0, events), "what was answered about book {id} has no order: {events:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_about_each_book_have_one_order() {
    let linked = vec![APP_SERVER, Service::Replicator(3)];
    let mut cluster = Cluster::start(Options { linked, ..Options::default() }).await;
    let groups = Groups::start(&cluster.client(), GROUPS);
    for fault in std::iter::repeat_n(FAULTS, rounds_of_faults()).flatten() {
        let goal = groups.books() + BOOKS_BETWEEN_FAULTS;
        eventually(&format!("books are read and written before {fault:?}"), Duration::from_secs(90), async || {
            (groups.books() >= goal).then_some(())
        })
        .await;
        strike(&mut cluster, fault).await;
    }
    let histories = groups.finish().await;
    check(&histories);
    cluster.wait_until_ready().await;
    Copies::wait_until_equal(&cluster).await;
    let events: usize = histories.iter().map(|history| history.events.len()).sum();
    println!("{} books, {events} questions and answers, each book's in one order", histories.len());
}
