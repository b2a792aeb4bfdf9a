//! Goal: several app-servers on one cluster need nothing of each other. Method: real processes; one is killed while the other
//! goes on, and comes back.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the finding")]

use serde_json::json;
use std::time::Duration;
use system_tests::{Answer, Client, Cluster, Copies, Options, Service, book, eventually};

const FIRST: Service = Service::AppServer;
const SECOND: Service = Service::FurtherAppServer(2);

async fn two_app_servers() -> Cluster {
    let cluster = Cluster::start(Options { replicators: 2, app_servers: 2, ..Options::default() }).await;
    for app_server in [FIRST, SECOND] {
        wait_until_level(&cluster.client_of(app_server)).await;
    }
    cluster
}

async fn wait_until_level(client: &Client) {
    eventually("level", Duration::from_secs(60), async || {
        (client.cluster().await?["app_server"]["level"] == true).then_some(())
    })
    .await;
}

async fn read_at_least(client: &Client, path: &str, version: &str) -> Answer {
    let request = client.request("GET", path).header("Concordance-At-Least-Version", version);
    client.ask(request).await.expect("the app-server answers")
}

async fn write(client: &Client, key: &str, title: &str) -> Answer {
    let answer = client.send("POST", "/books", Some(key), Some(&book(title))).await.expect("the app-server answers");
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_app_server_wrote_is_read_at_once_through_another_that_asks_for_its_version() {
    let cluster = two_app_servers().await;
    let (first, second) = (cluster.client_of(FIRST), cluster.client_of(SECOND));
    for number in 0..40 {
        let (writer, reader) = if number % 2 == 0 { (&first, &second) } else { (&second, &first) };
        let written = write(writer, &format!("key-{number}"), "Emma").await;
        let path = format!("/books/{}", written.body["id"].as_str().unwrap());
        let read = read_at_least(reader, &path, written.header("Concordance-Version").unwrap()).await;
        assert_eq!((read.status, &read.body), (200, &written.body));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_app_server_goes_on_without_the_other_which_catches_up_when_it_is_back() {
    let mut cluster = two_app_servers().await;
    let (first, second) = (cluster.client_of(FIRST), cluster.client_of(SECOND));
    let before = write(&first, "before", "Written through the first").await;
    cluster.kill(FIRST);
    // The client whose server died asks the next one, with the same key: it gets the answer that it would have got.
    let again = write(&second, "before", "Written through the first").await;
    assert_eq!(again.body, before.body);
    let meanwhile = write(&second, "meanwhile", "Written without the first").await;
    wait_until_told(&second, [("app-server", false), ("app-server-2", true)]).await;

    cluster.start_service(FIRST);
    wait_until_level(&first).await;
    let version = meanwhile.header("Concordance-Version").unwrap();
    let path = format!("/books/{}", meanwhile.body["id"].as_str().unwrap());
    assert_eq!(read_at_least(&first, &path, version).await.body, meanwhile.body);
    wait_until_told(&second, [("app-server", true), ("app-server-2", true)]).await;
    Copies::wait_until_all_hold(&cluster, 2).await;
}

/// Waits until this app-server was told that the coordinator sees these.
async fn wait_until_told(client: &Client, expected: [(&str, bool); 2]) {
    let expected = expected.map(|(id, connected)| (json!(id), json!(connected)));
    eventually("the list of app-servers", Duration::from_secs(60), async || {
        let status = client.cluster().await?;
        let told = status["app_servers"].as_array()?.iter().map(|one| (one["id"].clone(), one["connected"].clone()));
        told.eq(expected.iter().cloned()).then_some(())
    })
    .await;
}
