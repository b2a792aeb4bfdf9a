//! An app-server in this process, and what the tests do with it.

use crate::description;
use crate::fake_coordinator::{FakeCoordinator, Truth};
use app_server::Settings;
use catalogue::{Author, Book, BookDraft, BookId, BookPath, Timestamp};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use service::access_token::AccessToken;
use service::health;
use service::process::Process;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything takes on a busy machine. No test waits for it when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    pub(crate) coordinator: FakeCoordinator,
    pub(crate) address: SocketAddr,
    pub(crate) settings: Settings,
    home: tempfile::TempDir,
    client: reqwest::Client,
    running: Option<(CancellationToken, JoinHandle<()>)>,
}

/// Settings under which tests do not wait: writes are answered soon when nobody answers them.
pub(crate) fn quick() -> Settings {
    let mut settings = Settings { answer_wait_ms: 400, import_patience_ms: 400, ..Settings::default() };
    settings.link.reconnect_delay_ms_min = 1;
    settings.link.reconnect_delay_ms_max = 20;
    settings.edits_search_every_ms = 20;
    settings.process.limits.shutdown_grace_ms = 200;
    settings
}

/// Settings under which writes wait as long as it takes.
pub(crate) fn patient() -> Settings {
    Settings { answer_wait_ms: PATIENCE.as_millis() as u64, ..quick() }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(quick()).await
    }

    /// Starts one and waits until it is level.
    pub(crate) async fn start_with(settings: Settings) -> Self {
        let server = Self::start_without_waiting(settings, FakeCoordinator::start().await).await;
        server.wait_until_level().await;
        server
    }

    pub(crate) async fn start_without_waiting(settings: Settings, coordinator: FakeCoordinator) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut server = Self {
            address: "127.0.0.1:0".parse().unwrap(),
            settings,
            home,
            client: reqwest::Client::new(),
            running: None,
            coordinator,
        };
        server.run(None).await;
        server
    }

    pub(crate) async fn run(&mut self, token: Option<AccessToken>) {
        self.settings.process.data = self.data();
        self.settings.coordinator = vec![format!("ws://{}", self.coordinator.address).parse().unwrap()];
        let listener = service::listen::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let process = Process { token, metrics: health::install_metrics().unwrap(), shutdown: shutdown.clone() };
        let settings = self.settings.clone();
        let serving = tokio::spawn(async move { app_server::serve(settings, process, listener).await.unwrap() });
        self.running = Some((shutdown, serving));
    }

    /// Ends it in due form.
    pub(crate) async fn stop(&mut self) {
        if let Some((shutdown, serving)) = self.running.take() {
            shutdown.cancel();
            serving.await.unwrap();
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    pub(crate) fn file(&self, id: &str) -> PathBuf {
        self.data().join(path(id).to_string())
    }

    /// Waits until a condition holds.
    pub(crate) async fn wait_for<F: Future<Output = bool>>(&self, what: &str, mut condition: impl FnMut() -> F) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !condition().await {
            assert!(tokio::time::Instant::now() < deadline, "waited too long: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn wait_until_level(&self) {
        self.wait_for("level", || async { self.get("/cluster").await.body["app_server"]["level"] == true }).await;
    }

    pub(crate) async fn wait_until_stale(&self) {
        self.wait_for("stale", || async { self.get("/cluster").await.header("Concordance-Stale").is_some() }).await;
    }

    pub(crate) async fn wait_for_truth(&self, what: &str, condition: impl Fn(&Truth) -> bool) {
        self.wait_for(what, || std::future::ready(condition(&self.coordinator.truth()))).await;
    }

    /// A request to the interface, or to an absolute path such as `/livez!` with the mark taken off.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let path = path.strip_suffix('!').map_or_else(|| format!("/api/v1{path}"), str::to_owned);
        self.client.request(method, format!("http://{}{path}", self.address)).timeout(PATIENCE)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PUT, path).json(body)).await
    }

    /// Creates a book and gives it.
    pub(crate) async fn create(&self, title: &str) -> Value {
        let created = self.post("/books", &book(title)).await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
        created.body
    }

    pub(crate) async fn create_with_key(&self, title: &str, key: &str) -> Answer {
        send(self.request(Method::POST, "/books").header("Idempotency-Key", key).json(&book(title))).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((shutdown, _)) = &self.running {
            shutdown.cancel();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks that it is this problem, and gives its sentence.
    pub(crate) fn problem(&self, status: u16, kind: &str) -> String {
        assert_eq!((self.status.as_u16(), &self.body["type"]), (status, &json!(kind)), "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.body["status"], json!(status));
        assert!(self.body["title"].is_string());
        self.body["detail"].as_str().unwrap().to_owned()
    }

    pub(crate) fn titles(&self) -> Vec<&str> {
        self.body["items"].as_array().unwrap().iter().map(|book| book["title"].as_str().unwrap()).collect()
    }
}

/// Sends it, and holds the answer against the description of the interface.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let response: Response = client.execute(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await.unwrap().to_vec();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let answer = Answer { status, headers, body, bytes };
    description::check(&method, &path, status.as_u16(), answer.header("content-type"), &answer.body);
    answer
}

/// The body of a request for a book.
pub(crate) fn book(title: &str) -> Value {
    json!({ "title": title, "authors": [{ "name": "Jane", "surname": "Austen" }] })
}

pub(crate) fn path(id: &str) -> BookPath {
    BookId::parse(id).unwrap().into()
}

/// The file of a book that was made elsewhere.
pub(crate) fn file_of(number: u8, title: &str) -> (BookPath, Vec<u8>) {
    let id = BookId::from_parts(1_700_000_000_000, [number; 10]);
    (id.into(), xml_of(id, title))
}

pub(crate) fn xml_of(id: BookId, title: &str) -> Vec<u8> {
    let draft = BookDraft { title: title.into(), authors: vec![Author::new("Jane", "Austen")], ..BookDraft::default() };
    Book::new(id, Timestamp::from_unix_millis(0).unwrap(), draft).unwrap().to_xml()
}
