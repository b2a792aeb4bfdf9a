//! A client of the REST interface that tells outcomes apart and never repeats a request by itself.

use serde_json::Value;
use std::time::Duration;

/// What a request came to.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, if it is JSON.
    pub body: Value,
}

/// A client of one app-server.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    /// A client of the app-server at `base`.
    #[must_use]
    pub fn new(base: String) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        Self { base, http }
    }

    /// Sends a request. None when no answer came: the outcome is unknown.
    pub async fn send(&self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Option<Answer> {
        let url = format!("{}/api/v1{path}", self.base);
        let mut request = self.http.request(method.parse().unwrap(), url);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let text = response.text().await.ok()?;
        Some(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
    }

    /// Gets a document.
    pub async fn get(&self, path: &str) -> Option<Answer> {
        self.send("GET", path, None, None).await
    }

    /// Posts a document.
    pub async fn post(&self, path: &str, body: &Value) -> Option<Answer> {
        self.send("POST", path, None, Some(body)).await
    }

    /// The state of the cluster.
    pub async fn cluster(&self) -> Option<Value> {
        self.get("/cluster").await.filter(|answer| answer.status == 200).map(|answer| answer.body)
    }

    /// Adds a book and returns it.
    pub async fn add_book(&self, title: &str) -> Value {
        let body = book(title);
        let answer = self.post("/books", &body).await.expect("the app-server answers");
        assert_eq!(answer.status, 201, "{:?}", answer.body);
        answer.body
    }

    /// Runs a restore and returns its report.
    pub async fn restore(&self, dry_run: bool) -> Value {
        let answer = self.post("/restorations", &serde_json::json!({ "dry_run": dry_run })).await.expect("an answer");
        assert!(matches!(answer.status, 200 | 202), "{answer:?}");
        let id = answer.body["id"].as_str().expect("a report has an id").to_owned();
        crate::eventually("the restore ends", Duration::from_secs(60), async || {
            let report = self.get(&format!("/restorations/{id}")).await?.body;
            (report["state"] != "running").then_some(report)
        })
        .await
    }
}

/// A small book of that title.
#[must_use]
pub(crate) fn book(title: &str) -> Value {
    serde_json::json!({ "title": title, "authors": [{ "name": "Ada", "surname": "Tester" }] })
}
