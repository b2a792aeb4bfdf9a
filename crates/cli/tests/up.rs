//! Goal: `concordance up` keeps a cluster running and leaves nothing behind. Method: the real program, with this test
//! program in the place of the services: started under their names it answers as little as they would have to.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(60);

/// Stands in for a service. The scripts of [`Fakes`] start it with the service's name and arguments in the environment.
#[test]
#[ignore = "a service for the other tests, started by them"]
fn fake_service() {
    let Ok(arguments) = std::env::var("FAKE_ARGUMENTS") else { return };
    let words: Vec<&str> = arguments.lines().collect();
    let value = |flag: &str| words.iter().skip_while(|&&word| word != flag).nth(1).copied();
    let address: SocketAddr = value("--listen").unwrap().parse().unwrap();
    let data = PathBuf::from(value("--data").unwrap());
    let name = data.file_name().unwrap().to_str().unwrap().to_owned();
    let diary = data.parent().unwrap().join("diary");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let stop = service::shutdown::on_signals().unwrap();
        if words.contains(&"--exit-with-parent") {
            service::shutdown::with_parent(stop.clone());
        }
        let listener = service::listen::bind(address, None).await.unwrap();
        fs::create_dir_all(&data).unwrap();
        note(&diary, &format!("{name} started as {}", std::process::id()));
        if name.starts_with("replicator") {
            tokio::spawn(exit_when_removed(data.clone()));
        }
        let seeded = diary.clone();
        let world = data.parent().unwrap().to_owned();
        let port = address.port();
        let (shown, added, removed) = (world.clone(), world.clone(), world);
        let router = Router::new()
            .route("/readyz", get(|| async { axum::Json(json!({ "ready": true, "reasons": [] })) }))
            .route("/api/v1/cluster", get(move || async move { axum::Json(cluster(&shown, port)) }))
            .route("/api/v1/members", post(|body: axum::Json<serde_json::Value>| async move { add(&added, &body) }))
            .route(
                "/api/v1/members/{id}",
                delete(|id: axum::extract::Path<String>| async move { remove(&removed, &id) }),
            )
            .route(
                "/api/v1/imports",
                post(|body: String| async move {
                    let books = body.matches("<book>").count() + body.matches("<book ").count();
                    note(&seeded, &format!("import of {books} books"));
                    axum::Json(json!({ "id": "1", "state": "done", "imported": books, "failed": [], "total": books }))
                }),
            );
        service::listen::serve(listener, router, &Default::default(), stop).await;
        note(&diary, &format!("{name} stopped"));
    });
}

/// The cluster as its members' ports show it: one that listens is in sync.
fn cluster(world: &Path, port: u16) -> serde_json::Value {
    let members: Vec<_> = members(world)
        .into_iter()
        .map(|id| {
            let number: u16 = id.rsplit('-').next().unwrap().parse().unwrap();
            let lives = TcpStream::connect((Ipv4Addr::LOCALHOST, port + 20 + number)).is_ok();
            let state = if lives { "in_sync" } else { "down" };
            json!({ "id": id, "role": "voter", "state": state, "connected": lives })
        })
        .collect();
    json!({
        "epoch": 1, "version": 0, "root": "", "min_in_sync": 2, "commit_policy": "in-sync", "accepting_writes": true,
        "why_not": null, "members": members, "coordinator": {"connected": true, "since": null, "address": null},
        "app_server": {"id": "app-server", "version": 0, "level": true, "books": 0, "modified": 0},
    })
}

/// The members are a file beside the diary; a new cluster has two.
fn members(world: &Path) -> Vec<String> {
    let text = fs::read_to_string(world.join("members")).unwrap_or_else(|_| "replicator-1\nreplicator-2".to_owned());
    text.lines().map(ToOwned::to_owned).collect()
}

fn set_members(world: &Path, members: &[String]) {
    // In one piece: others read it at any time.
    fs::write(world.join("members.new"), members.join("\n")).unwrap();
    fs::rename(world.join("members.new"), world.join("members")).unwrap();
}

fn add(world: &Path, body: &serde_json::Value) -> StatusCode {
    let mut members = members(world);
    members.push(body["id"].as_str().unwrap().to_owned());
    let _ = fs::remove_file(world.join(format!("removed {}", members[members.len() - 1])));
    set_members(world, &members);
    StatusCode::NO_CONTENT
}

fn remove(world: &Path, id: &str) -> StatusCode {
    fs::write(world.join(format!("removed {id}")), "").unwrap();
    let mut members = members(world);
    members.retain(|one| one != id);
    set_members(world, &members);
    StatusCode::NO_CONTENT
}

/// A replicator that was removed is told so.
async fn exit_when_removed(data: PathBuf) {
    let name = data.file_name().unwrap().to_str().unwrap();
    while !data.with_file_name(format!("removed {name}")).exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    std::process::exit(service::exit::NOT_WANTED.into());
}

fn note(diary: &Path, line: &str) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(diary).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// A directory of fake services, a data directory, and free ports.
struct Fakes {
    folder: tempfile::TempDir,
    port: u16,
}

impl Fakes {
    fn new() -> Self {
        let fakes =
            Fakes { folder: tempfile::Builder::new().prefix("a cluster ").tempdir().unwrap(), port: free_ports() };
        for name in ["coordinator", "replicator", "app-server"] {
            let program = std::env::current_exe().unwrap();
            let run = format!("exec '{}' --exact fake_service --ignored --nocapture", program.display());
            fakes.script(name, &format!("FAKE_ARGUMENTS=$(printf '%s\\n' \"$@\")\nexport FAKE_ARGUMENTS\n{run}"));
        }
        fakes
    }

    fn script(&self, name: &str, body: &str) {
        let path = self.folder.path().join("bin").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn diary(&self) -> String {
        fs::read_to_string(self.data().join("diary")).unwrap_or_default()
    }

    /// The process ids that this service has had.
    fn ids(&self, service: &str) -> Vec<i32> {
        let begin = format!("{service} started as ");
        self.diary().lines().filter_map(|line| line.strip_prefix(&begin)?.parse().ok()).collect()
    }

    fn up(&self, extra: &[&str]) -> Up {
        // Files and not pipes: nothing has to read them while the program runs.
        let output = self.folder.path().join("output");
        let file = fs::OpenOptions::new().create(true).append(true).open(&output).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_concordance"))
            .arg("up")
            .args(if extra.contains(&"--replicators") { &[][..] } else { &["--replicators", "2"] })
            .args(["--port", &self.port.to_string()])
            .arg("--data")
            .arg(self.data())
            .arg("--bin-dir")
            .arg(self.folder.path().join("bin"))
            .args(extra)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Up { child, output }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        addresses(self.port)
    }
}

fn addresses(port: u16) -> Vec<SocketAddr> {
    [0, 1, 10, 21, 22, 23, 24].map(|offset| SocketAddr::from((Ipv4Addr::LOCALHOST, port + offset))).to_vec()
}

/// A first port for a cluster of two replicators, outside the range that the system gives out by itself.
fn free_ports() -> u16 {
    // Tests run at one time as processes or as threads: each begins to look somewhere else.
    static LOOKED: AtomicU32 = AtomicU32::new(0);
    let looker = std::process::id() * 16 + LOOKED.fetch_add(1, Ordering::Relaxed);
    let begin = 10_000 + (looker * 64 % 20_000) as u16;
    (begin..32_000)
        .step_by(64)
        .find(|&port| addresses(port).iter().all(|address| TcpListener::bind(address).is_ok()))
        .expect("some free ports")
}

/// A running `concordance up`, killed when it is dropped.
struct Up {
    child: Child,
    output: PathBuf,
}

impl Up {
    fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    fn wait_for(&self, text: &str) {
        until(text, || self.output().contains(text), || self.output());
    }

    fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "still running\n{}", self.output());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn signal(&self, signal: Signal) {
        kill(self.child.id() as i32, signal);
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kill(id: i32, signal: Signal) {
    kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
}

fn until(what: &str, holds: impl Fn() -> bool, explain: impl Fn() -> String) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}\n{}", explain());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn cluster_starts_is_seeded_once_and_stops_in_order() {
    let fakes = Fakes::new();
    let mut up = fakes.up(&[]);
    up.wait_for("Concordance is running");
    let output = up.output();
    assert!(output.contains(&format!("http://127.0.0.1:{}", fakes.port)) && output.contains("Ctrl-C"), "{output}");
    up.signal(Signal::TERM);
    assert_eq!(up.wait().code(), Some(0), "{}", up.output());

    let diary = fakes.diary();
    let books = catalogue::sample::classics().len();
    assert_eq!(diary.matches(&format!("import of {books} books\n")).count(), 1, "{diary}");
    let stops: Vec<&str> = diary.lines().filter_map(|line| line.strip_suffix(" stopped")).collect();
    assert_eq!(stops.len(), 4, "{diary}");
    assert_eq!(stops[0], "app-server", "{diary}");
    for address in fakes.addresses() {
        TcpListener::bind(address).unwrap();
    }
}

#[test]
fn member_that_is_added_is_started_and_one_that_is_removed_stays_away() {
    let fakes = Fakes::new();
    let mut up = fakes.up(&["--empty"]);
    up.wait_for("Concordance is running");
    add(&fakes.data(), &json!({ "id": "replicator-3", "role": "voter" }));
    until("the third one", || fakes.ids("replicator-3").len() == 1, || up.output());
    remove(&fakes.data(), "replicator-1");
    up.wait_for("replicator-1 is no longer a member and has stopped");
    up.signal(Signal::TERM);
    assert_eq!(up.wait().code(), Some(0), "{}", up.output());

    // At the next start as well, which waits for those that are members.
    let mut up = fakes.up(&["--empty"]);
    until("a second start", || up.output().matches("Concordance is running").count() == 2, || up.output());
    until("the third one again", || fakes.ids("replicator-3").len() == 2, || up.output());
    let told = || up.output().matches("replicator-1 is no longer a member").count();
    until("the first one told again", || told() == 2, || up.output());
    assert_eq!(members(&fakes.data()), ["replicator-2", "replicator-3"]);

    add(&fakes.data(), &json!({ "id": "replicator-1", "role": "voter" }));
    up.wait_for("replicator-1 is a member again: starting it");
    up.signal(Signal::TERM);
    assert_eq!(up.wait().code(), Some(0), "{}", up.output());
}

#[test]
fn more_replicators_than_before_become_members() {
    let fakes = Fakes::new();
    let mut up = fakes.up(&["--empty"]);
    up.wait_for("Concordance is running");
    up.signal(Signal::TERM);
    assert_eq!(up.wait().code(), Some(0), "{}", up.output());
    let mut up = fakes.up(&["--empty", "--replicators", "4"]);
    for number in [3, 4] {
        let name = format!("replicator-{number}");
        up.wait_for(&format!("{name} is new and was made a member"));
        until("its start", || fakes.ids(&name).len() == 1, || up.output());
    }
    assert_eq!(members(&fakes.data()).len(), 4);
    up.signal(Signal::TERM);
    assert_eq!(up.wait().code(), Some(0), "{}", up.output());
}

#[test]
fn dead_replicator_is_replaced_by_the_next_one() {
    let fakes = Fakes::new();
    let mut up = fakes.up(&["--empty", "--no-restart", "--replace-dead", "1"]);
    up.wait_for("Concordance is running");
    kill(fakes.ids("replicator-2")[0], Signal::KILL);
    up.wait_for("replicator-3 is to take its place");
    up.wait_for("replicator-3 is in sync: it has replaced replicator-2");
    assert_eq!(members(&fakes.data()), ["replicator-1", "replicator-3"]);
    assert_eq!((fakes.ids("replicator-2").len(), fakes.ids("replicator-3").len()), (1, 1));
    up.signal(Signal::TERM);
    assert_eq!(up.wait().code(), Some(0), "{}", up.output());
}

#[test]
fn several_app_servers_are_started_kept_alive_and_stopped_before_the_rest() {
    let fakes = Fakes::new();
    let mut up = fakes.up(&["--empty", "--app-servers", "2"]);
    up.wait_for("Concordance is running");
    assert!(up.output().contains(&format!("http://127.0.0.1:{}", fakes.port + 1)), "{}", up.output());
    kill(fakes.ids("app-server-2")[0], Signal::KILL);
    until("a second life", || fakes.ids("app-server-2").len() == 2, || up.output());
    assert_eq!(fakes.ids("app-server").len(), 1);
    up.signal(Signal::TERM);
    assert_eq!(up.wait().code(), Some(0), "{}", up.output());
    let diary = fakes.diary();
    let mut stops: Vec<&str> = diary.lines().filter_map(|line| line.strip_suffix(" stopped")).collect();
    assert_eq!(stops.len(), 5, "{diary}");
    stops[..2].sort_unstable();
    assert_eq!(stops[..2], ["app-server", "app-server-2"], "{diary}");
}

#[test]
fn empty_cluster_is_not_seeded() {
    let fakes = Fakes::new();
    let mut up = fakes.up(&["--empty"]);
    up.wait_for("Concordance is running");
    up.signal(Signal::INT);
    assert_eq!(up.wait().code(), Some(0));
    assert!(!fakes.diary().contains("import"), "{}", fakes.diary());
}

#[test]
fn killed_service_is_started_again_and_a_line_says_so() {
    let fakes = Fakes::new();
    let mut up = fakes.up(&["--empty"]);
    up.wait_for("Concordance is running");
    kill(fakes.ids("replicator-2")[0], Signal::KILL);
    up.wait_for("replicator-2 died (signal: 9 (SIGKILL)); starting it again");
    until("a second life", || fakes.ids("replicator-2").len() == 2, || up.output());
    assert_eq!(fakes.ids("replicator-1").len(), 1);
    up.signal(Signal::TERM);
    assert_eq!(up.wait().code(), Some(0));
}

#[test]
fn killed_service_stays_dead_with_no_restart() {
    let fakes = Fakes::new();
    let mut up = fakes.up(&["--empty", "--no-restart"]);
    up.wait_for("Concordance is running");
    kill(fakes.ids("coordinator")[0], Signal::KILL);
    up.wait_for("coordinator died (signal: 9 (SIGKILL)) and stays so");
    up.signal(Signal::TERM);
    assert_eq!(up.wait().code(), Some(0));
    assert_eq!(fakes.ids("coordinator").len(), 1);
}

#[test]
fn nothing_survives_when_the_supervisor_itself_is_killed() {
    let fakes = Fakes::new();
    let mut up = fakes.up(&["--empty"]);
    up.wait_for("Concordance is running");
    up.signal(Signal::KILL);
    up.wait();
    let listening = || fakes.addresses().into_iter().filter(|address| TcpStream::connect(address).is_ok()).count();
    until("all services gone", || listening() == 0, || fakes.diary());
}

#[test]
fn service_that_never_starts_is_told_with_its_last_words() {
    let fakes = Fakes::new();
    fakes.script("coordinator", "echo 'coordinator: the decision log is from the future' >&2; exit 1");
    let mut up = fakes.up(&[]);
    assert_eq!(up.wait().code(), Some(1));
    let output = up.output();
    for expected in
        ["coordinator does not start (exit status: 1)", "the decision log is from the future", "coordinator.log"]
    {
        assert!(output.contains(expected), "{expected} is missing in\n{output}");
    }
}

#[test]
fn busy_port_is_named_before_anything_starts() {
    let fakes = Fakes::new();
    let _busy = TcpListener::bind(fakes.addresses()[2]).unwrap();
    let mut up = fakes.up(&[]);
    assert_eq!(up.wait().code(), Some(1));
    let output = up.output();
    assert!(output.contains(&format!("port {} (coordinator) is in use", fakes.port + 10)), "{output}");
    assert!(output.contains("--port") && fakes.diary().is_empty(), "{output}");
}

#[test]
fn second_cluster_on_the_same_data_is_refused() {
    let fakes = Fakes::new();
    let first = fakes.up(&["--empty"]);
    first.wait_for("Concordance is running");
    let mut second = fakes.up(&[]);
    assert_eq!(second.wait().code(), Some(1));
    assert!(second.output().contains("in use by another `concordance up`"), "{}", second.output());
    first.signal(Signal::TERM);
}
