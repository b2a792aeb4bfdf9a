//! Books: the shapes, the list, the search, what is refused.

use crate::server::{Server, book, file_of, send};
use protocol::Digest;
use reqwest::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn book_is_created_loaded_replaced_and_deleted() {
    let server = Server::start().await;
    let sent = json!({
        "title": "  Pride & <Prejudice> 📚", "authors": [{ "name": "Jane", "surname": "Austen" }], "isbn": "0-306-40615-2",
        "published": 1813, "language": "EN-gb", "subjects": ["love"], "publisher": "Egerton",
    });
    let created = server.post("/books", &sent).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let id = created.body["id"].as_str().unwrap();
    assert_eq!(created.header("location"), Some(format!("/api/v1/books/{id}").as_str()));
    let etag = format!("\"{}\"", created.body["digest"].as_str().unwrap());
    assert_eq!(created.header("etag"), Some(etag.as_str()));
    assert_eq!(created.header("concordance-version"), Some("1"));
    assert_eq!(created.body["title"], sent["title"]);
    assert_eq!((&created.body["isbn"], &created.body["language"]), (&json!("9780306406157"), &json!("en-GB")));
    assert_eq!(created.body["version"], json!(1));

    let address = format!("/books/{id}");
    let loaded = server.get(&address).await;
    assert_eq!((loaded.status, &loaded.body), (StatusCode::OK, &created.body));
    assert_eq!(loaded.header("etag"), Some(etag.as_str()));

    let mut changed = loaded.body.clone();
    changed["title"] = json!("Emma");
    changed["isbn"] = json!(null);
    let replaced = send(server.request(Method::PUT, &address).header("If-Match", &etag).json(&changed)).await;
    assert_eq!(replaced.status, StatusCode::OK, "{}", replaced.body);
    assert_eq!((&replaced.body["title"], &replaced.body["isbn"]), (&json!("Emma"), &json!(null)));
    assert_eq!(replaced.body["created"], created.body["created"]);
    assert_eq!(server.get(&address).await.body, replaced.body);

    assert_eq!(send(server.request(Method::DELETE, &address)).await.status, StatusCode::NO_CONTENT);
    server.get(&address).await.problem(404, "/problems/not-found");
}

#[tokio::test]
async fn xml_is_the_stored_bytes() {
    let server = Server::start().await;
    let created = server.create("Emma").await;
    let id = created["id"].as_str().unwrap();
    let xml = send(server.request(Method::GET, &format!("/books/{id}")).header("Accept", "application/xml")).await;
    assert_eq!(xml.header("content-type"), Some("application/xml"));
    assert_eq!(Digest::of(&xml.bytes).to_string(), created["digest"].as_str().unwrap());
    server
        .wait_for("the file", || std::future::ready(std::fs::read(server.file(id)).is_ok_and(|file| file == xml.bytes)))
        .await;
}

#[tokio::test]
async fn list_is_sorted_searched_and_paged() {
    let server = Server::start().await;
    for title in ["Emma", "Persuasión", "Élan", "Dune"] {
        server.create(title).await;
    }
    let all = server.get("/books").await;
    assert_eq!(all.titles(), ["Dune", "Élan", "Emma", "Persuasión"]);
    assert_eq!((&all.body["total"], &all.body["next"]), (&json!(4), &json!(null)));
    assert_eq!(server.get("/books?order=desc&limit=2").await.titles(), ["Persuasión", "Emma"]);
    assert_eq!(server.get("/books?q=PERSUASION%20austen").await.titles(), ["Persuasión"]);
    assert_eq!(server.get("/books?title=austen").await.body["total"], json!(0));

    let mut seen = Vec::new();
    let mut address = "/books?limit=1&sort=created".to_owned();
    loop {
        let page = server.get(&address).await;
        seen.extend(page.titles().into_iter().map(str::to_owned));
        let Some(next) = page.body["next"].as_str() else { break };
        address = format!("/books?limit=1&sort=created&cursor={next}");
    }
    assert_eq!(seen.len(), 4);

    let middle = server.get("/books?offset=1&limit=2").await;
    assert_eq!(middle.titles(), ["Élan", "Emma"]);
    let next = format!("/books?limit=2&cursor={}", middle.body["next"].as_str().unwrap());
    assert_eq!(server.get(&next).await.titles(), ["Persuasión"]);
    let beyond = server.get("/books?offset=4").await;
    assert_eq!((&beyond.body["items"], &beyond.body["total"]), (&json!([]), &json!(4)));
    server.get(&format!("{next}&offset=1")).await.problem(422, "/problems/invalid-request");
}

#[tokio::test]
async fn what_others_commit_is_shown() {
    let server = Server::start().await;
    let (path, bytes) = file_of(1, "Elsewhere");
    server.coordinator.commit(vec![(path, Some(bytes))]);
    server.wait_for("the book", || async { server.get("/books").await.body["total"] == 1 }).await;
    server.coordinator.commit(vec![(path, None)]);
    server.wait_for("no book", || async { server.get("/books").await.body["total"] == 0 }).await;
}

#[tokio::test]
async fn invalid_books_are_refused_naming_each_field() {
    let server = Server::start().await;
    for (body, fields) in [
        (json!({}), vec!["title", "authors"]),
        (
            json!({ "title": " ", "authors": [{ "surname": "" }], "isbn": "1" }),
            vec!["title", "authors[0].surname", "isbn"],
        ),
        (json!({ "title": "x".repeat(1_001), "authors": [{ "surname": "A" }] }), vec!["title"]),
        (json!({ "title": 5, "authors": [] }), vec!["title"]),
        (json!({ "title": "x", "authors": [{ "surname": "A" }], "published": 1.5 }), vec!["published"]),
        (json!({ "title": "x", "authors": [{ "surname": "A" }], "pages": 400 }), vec!["pages"]),
        (json!({ "title": "x", "authors": [{ "surname": "A", "born": 1 }] }), vec!["authors[0].born"]),
    ] {
        let refused = server.post("/books", &body).await;
        refused.problem(422, "/problems/invalid-book");
        let named: Vec<_> =
            refused.body["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(named, fields, "{}", refused.body);
    }
    assert!(server.coordinator.truth().submissions.is_empty());
}

#[tokio::test]
async fn title_with_ten_thousand_characters_is_refused_naming_the_limit() {
    let server = Server::start().await;
    let detail = server.post("/books", &book(&"x".repeat(10_000))).await.problem(422, "/problems/invalid-book");
    assert!(detail.contains("1000"), "{detail}");
}

#[tokio::test]
async fn largest_legal_book_is_taken() {
    let server = Server::start().await;
    let author = json!({ "name": "𝕏".repeat(200), "surname": "𝕏".repeat(200) });
    let subjects: Vec<_> = (0..50).map(|number| format!("{number:02}{}", "𝕏".repeat(198))).collect();
    let body = json!({ "title": "𝕏".repeat(1_000), "authors": vec![author; 50], "subjects": subjects });
    // Escaped as clumsily as JSON allows.
    let escaped = body.to_string().replace('𝕏', "\\ud835\\udd4f");
    let request = server.request(Method::POST, "/books").header("Content-Type", "application/json").body(escaped);
    assert_eq!(send(request).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn bodies_that_are_no_json_too_large_or_of_another_type_are_refused() {
    let server = Server::start().await;
    let post =
        |kind: &str, body: String| server.request(Method::POST, "/books").header("Content-Type", kind).body(body);
    for body in ["", "{", "{\"title\":\"x\"} x", "{\"title\":", "\u{1}"] {
        send(post("application/json", body.to_owned())).await.problem(400, "/problems/malformed-body");
    }
    let list = send(post("application/json", "[\"Emma\",[]]".to_owned())).await;
    list.problem(422, "/problems/invalid-request");
    send(post("text/plain", book("x").to_string())).await.problem(415, "/problems/unsupported-media-type");
    let detail = send(post("application/json", "x".repeat(600_000))).await.problem(413, "/problems/too-large");
    assert!(detail.contains("524288"), "{detail}");
    send(post("application/json; charset=utf-8", book("x").to_string())).await;
    assert_eq!(server.get("/books").await.body["total"], json!(1));
}

#[tokio::test]
async fn ids_that_are_none_and_path_tricks_find_nothing() {
    let server = Server::start().await;
    let created = server.create("Emma").await;
    let upper = created["id"].as_str().unwrap().to_uppercase();
    for id in [
        "x",
        "1",
        &upper,
        "..%2F..%2Fidentity",
        "%2e%2e%2fidentity",
        "018f2b6e-5c1d-4a40-9b1e-0242ac120002",
        "018f2b6e-5c1d-7a40-9b1e-0242ac120002",
        "018f2b6e-5c1d-7a40-9b1e-0242ac120002.xml",
        "%00",
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let request = server.request(method.clone(), &format!("/books/{id}"));
            let request = if method == Method::PUT { request.json(&book("x")) } else { request };
            send(request).await.problem(404, "/problems/not-found");
        }
    }
}

#[tokio::test]
async fn unknown_query_parameters_and_bad_values_are_refused_by_name() {
    let server = Server::start().await;
    for (query, field) in [
        ("colour=red", "colour"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=ten", "limit"),
        ("sort=weight", "sort"),
        ("order=sideways", "order"),
        ("cursor=nonsense", "cursor"),
        ("offset=-1", "offset"),
    ] {
        let refused = server.get(&format!("/books?{query}")).await;
        refused.problem(422, "/problems/invalid-request");
        assert_eq!(refused.body["errors"][0]["field"], json!(field), "{}", refused.body);
    }
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_problems_too() {
    let server = Server::start().await;
    server.get("/nothing").await.problem(404, "/problems/not-found");
    send(server.request(Method::PATCH, "/books")).await.problem(405, "/problems/method-not-allowed");
}

#[tokio::test]
async fn exports_are_the_whole_catalogue_and_can_be_imported() {
    let server = Server::start().await;
    for title in ["Emma", "Dune, \"new\"", "Élan"] {
        server.create(title).await;
    }
    for (format, kind) in [("xml", "application/xml"), ("csv", "text/csv; charset=utf-8")] {
        let export = server.get(&format!("/exports?format={format}")).await;
        assert_eq!(export.header("content-type"), Some(kind));
        let rows: Vec<_> = catalogue::import::ImportReader::new(&export.bytes).unwrap().map(Result::unwrap).collect();
        let titles: Vec<_> = rows.iter().map(|row| row.draft.title.as_str()).collect();
        assert_eq!(titles, ["Dune, \"new\"", "Élan", "Emma"]);
    }
    server.get("/exports?format=pdf").await.problem(422, "/problems/invalid-request");
}
