//! A client of the REST interface that tells outcomes apart and never repeats a request by itself.

use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::Value;
use std::time::Duration;

/// What a request came to.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, if it is JSON.
    pub body: Value,
}

impl Answer {
    /// A header of the answer.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A client of one app-server.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    /// A client of the app-server at `base`, which shows `token`.
    #[must_use]
    pub fn new(base: String, token: Option<&str>) -> Self {
        let bearer = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        let headers = bearer.map(|bearer| (AUTHORIZATION, bearer)).into_iter().collect();
        let http =
            reqwest::Client::builder().timeout(Duration::from_secs(60)).default_headers(headers).build().unwrap();
        Self { base, http }
    }

    /// A request to be filled in by the caller, for [`Client::ask`].
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.http.request(method.parse().unwrap(), format!("{}/api/v1{path}", self.base))
    }

    /// Sends a request as it is. None when no answer came: the outcome is unknown.
    pub async fn ask(&self, request: RequestBuilder) -> Option<Answer> {
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.ok()?;
        Some(Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
    }

    /// Sends a request. None when no answer came: the outcome is unknown.
    pub async fn send(&self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Option<Answer> {
        let mut request = self.request(method, path);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.ask(request).await
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

    /// Lets a replicator in.
    pub async fn add_member(&self, id: &str, role: &str) -> Answer {
        self.post("/members", &serde_json::json!({ "id": id, "role": role })).await.expect("the app-server answers")
    }

    /// Sends a member away.
    pub async fn remove_member(&self, id: &str) -> Answer {
        self.send("DELETE", &format!("/members/{id}"), None, None).await.expect("the app-server answers")
    }

    /// What the coordinator says of a member.
    pub async fn member(&self, id: &str) -> Option<Value> {
        let status = self.cluster().await?;
        status["members"].as_array()?.iter().find(|member| member["id"] == id).cloned()
    }

    /// Waits until a member is in sync.
    pub async fn wait_until_in_sync(&self, id: &str) {
        crate::eventually(&format!("{id} is in sync"), Duration::from_secs(90), async || {
            let member = self.member(id).await?;
            (member["state"] == "in_sync" && member["role"] != "joining").then_some(())
        })
        .await;
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
pub fn book(title: &str) -> Value {
    serde_json::json!({ "title": title, "authors": [{ "name": "Ada", "surname": "Tester" }] })
}
