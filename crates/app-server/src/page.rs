//! The web page that is built into the binary, for every address that is not the interface's.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../../frontend/dist"]
#[allow_missing = true]
struct BuiltPage;

const INDEX: &str = "index.html";

/// Files in this folder have a digest in their name.
const HASHED_FOLDER: &str = "assets/";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Concordance</title>\
    <h1>The page is not built into this program</h1>\
    <p>Run <code>npm ci</code> and <code>npm run build</code> in <code>frontend/</code>, then build the app-server again; \
    <code>scripts/run</code> does all of it. The REST interface works without the page: see \
    <a href=\"/api/v1/docs/\">its description</a>.</p></html>";

/// Answers with the file of that name; every other address is one of the page's own and gets the page.
pub(crate) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let name = uri.path().trim_start_matches('/');
    let found = BuiltPage::get(name).filter(|_| !name.is_empty());
    match found {
        Some(file) => respond(name, file, &headers),
        // A missing script must not be answered with the page: browsers would try to run it.
        None if name.starts_with(HASHED_FOLDER) => StatusCode::NOT_FOUND.into_response(),
        None => match BuiltPage::get(INDEX) {
            Some(page) => respond(INDEX, page, &headers),
            None => (StatusCode::SERVICE_UNAVAILABLE, Html(NOT_BUILT)).into_response(),
        },
    }
}

fn respond(name: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", hex(&file.metadata.sha256_hash()));
    let caching = if name.starts_with(HASHED_FOLDER) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let is_known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let mut response =
        if is_known { StatusCode::NOT_MODIFIED.into_response() } else { Body::from(file.data).into_response() };
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    let headers = response.headers_mut();
    for (header, value) in [(CONTENT_TYPE, kind.as_ref()), (CACHE_CONTROL, caching), (ETAG, &etag)] {
        headers.insert(header, HeaderValue::from_str(value).expect("types, digests and our own words are plain ASCII"));
    }
    response
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
