//! Who may ask: hosts, origins, the token; and what browsers are told.

use crate::server::{Server, book, send};
use reqwest::{Method, StatusCode};
use service::access_token::AccessToken;

#[tokio::test]
async fn requests_under_another_servers_name_are_refused() {
    let server = Server::start().await;
    for host in ["evil.example", "evil.example:7400", "127.0.0.1", "127.0.0.1:1"] {
        send(server.request(Method::GET, "/books").header("Host", host)).await.problem(403, "/problems/forbidden");
        send(server.request(Method::POST, "/books").header("Host", host).json(&book("x")))
            .await
            .problem(403, "/problems/forbidden");
    }
    let port = server.address.port();
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        assert_eq!(send(server.request(Method::GET, "/books").header("Host", host)).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn changes_asked_for_by_other_pages_are_refused() {
    let server = Server::start().await;
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        let post = server.request(Method::POST, "/books").header("Origin", origin).json(&book("x"));
        send(post).await.problem(403, "/problems/forbidden");
    }
    let own = format!("http://{}", server.address);
    let post = server.request(Method::POST, "/books").header("Origin", own).json(&book("x"));
    assert_eq!(send(post).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn token_is_demanded_where_there_is_one() {
    const SECRET: &str = "correct-horse-battery-staple";
    let mut server = Server::start().await;
    server.stop().await;
    server.run(Some(AccessToken::parse(SECRET).unwrap())).await;
    for shown in [None, Some("Bearer wrong-wrong-wrong-wrong"), Some(SECRET)] {
        let request = server.request(Method::GET, "/cluster");
        let request = match shown {
            Some(shown) => request.header("Authorization", shown),
            None => request,
        };
        let refused = send(request).await;
        refused.problem(401, "/problems/unauthorized");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    }
    let request = server.request(Method::GET, "/cluster").header("Authorization", format!("Bearer {SECRET}"));
    assert_eq!(send(request).await.status, StatusCode::OK);
    assert_eq!(server.get("/livez!").await.status, StatusCode::OK);
}

#[tokio::test]
async fn browsers_are_told_to_load_nothing_from_elsewhere() {
    let server = Server::start().await;
    for path in ["/!", "/books", "/nothing", "/livez!"] {
        let answer = server.get(path).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
}

#[tokio::test]
async fn every_address_of_the_page_gets_the_page_and_missing_assets_do_not() {
    let server = Server::start().await;
    let page = server.get("/!").await;
    assert_eq!(page.header("content-type").unwrap().split(';').next(), Some("text/html"));
    let deep = server.get("/restorations/some-id!").await;
    assert_eq!((deep.status, deep.bytes), (page.status, page.bytes));
    assert_eq!(server.get("/assets/nothing.js!").await.status, StatusCode::NOT_FOUND);
    assert_eq!(send(server.request(Method::POST, "/!")).await.status, StatusCode::METHOD_NOT_ALLOWED);
}
