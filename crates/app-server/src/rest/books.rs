//! Books: searched, loaded, created, replaced, deleted.

use super::book_json::{BookInput, BookJson};
use super::guard::shows;
use super::request::{Id, json, limit, query};
use super::write::{NotCommitted, PendingJson, change_id, commit, fingerprint, precondition};
use super::{App, BASE};
use crate::clock;
use crate::error::{ApiError, Problem};
use crate::index::{Begin, Cursor, Direction, Index, PageRequest, Search, Sort};
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use catalogue::{Book, BookDraft, BookId, Timestamp};
use protocol::{Action, Change, ChangeId, CommittedAnswer, Content, Digest, Precondition, Query, QueryAnswer};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

/// Farther into a list is walked on a thread that may take its time.
const OFFSET_AT_ONCE_MAX: usize = 1_000;

/// Which books to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Words that must occur in title, authors or ISBN, blind to case and accents.
    q: Option<String>,
    /// Words that must occur in the title.
    title: Option<String>,
    /// Words that must occur in the authors' names.
    author: Option<String>,
    /// An ISBN, or a part of one.
    isbn: Option<String>,
    #[serde(default)]
    #[param(inline)]
    sort: Sort,
    #[serde(default)]
    #[param(inline)]
    order: Direction,
    /// 1 to 500; 50 if left out.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Begin after so many books instead, to jump into the middle of a long list.
    offset: Option<usize>,
}

/// A page of books.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct BookList {
    items: Vec<BookJson>,
    /// The cursor of the next page; null on the last one.
    #[schema(required = true)]
    next: Option<String>,
    /// How many books the whole list has.
    total: usize,
}

#[utoipa::path(get, path = "/books", tag = "books", operation_id = "list_books", 
    params(ListQuery, ("Concordance-At-Least-Version" = Option<u64>, Header, description = "Wait until the copy shows this version.")),
    responses(
    (status = 200, body = BookList), (status = 422, body = Problem), (status = 503, body = Problem)
))]
pub(super) async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, ApiError> {
    app.check_ready()?;
    let ListQuery { q, title, author, isbn, sort, order, limit: given, cursor, offset } = query(&uri)?;
    let begin = match (cursor, offset) {
        (Some(_), Some(_)) => return Err(ApiError::field("offset", "cannot go with a cursor; give one of them")),
        (Some(text), None) => Begin::After(
            Cursor::decode(&text, sort, order)
                .ok_or_else(|| ApiError::field("cursor", "is not one of this list; begin again without"))?,
        ),
        (None, offset) => Begin::Offset(offset.unwrap_or_default()),
    };
    let search = Search::new(q.as_deref(), title.as_deref(), author.as_deref(), isbn.as_deref());
    let takes_long = !search.is_empty() || matches!(begin, Begin::Offset(offset) if offset > OFFSET_AT_ONCE_MAX);
    let request = PageRequest { search, sort, order, limit: limit(given)?, begin };
    let index = app.copy.index();
    let version = index.version();
    let page = if takes_long {
        let page = tokio::task::spawn_blocking(move || index.page(&request)).await;
        page.expect("finding a page does not panic")
    } else {
        index.page(&request)
    };
    let edits = app.copy.edits();
    let badge = |book: &Book| edits.get(&book.path()).map(|edit| edit.badge());
    let items = page.books.iter().map(|book| BookJson::of(book, badge(&book.book))).collect();
    let list = BookList { items, next: page.next.map(|next| next.encode()), total: page.total };
    Ok((shows(version), Json(list)).into_response())
}

#[utoipa::path(get, path = "/books/{id}", tag = "books", operation_id = "load_book",
    params(("id" = String, Path),
        ("Concordance-At-Least-Version" = Option<u64>, Header, description = "Wait until the copy shows this version.")),
    responses(
    (status = 200, content((BookJson = "application/json"), (String = "application/xml")), headers(("ETag" = String))),
    (status = 404, body = Problem), (status = 503, body = Problem)
))]
pub(super) async fn load(
    State(app): State<Arc<App>>,
    Id(id): Id<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    app.check_ready()?;
    let index = app.copy.index();
    let book = book_id(&id).ok().and_then(|id| index.book(id)).ok_or_else(|| ApiError::no_such_book(&id))?;
    let standard = (shows(index.version()), [(ETAG, etag(book.digest))]);
    if prefers_xml(&headers) {
        let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/xml"))];
        return Ok((standard, kind, book.book.to_xml()).into_response());
    }
    let local = app.copy.edits().get(&book.book.path()).map(|edit| edit.badge());
    Ok((standard, Json(BookJson::of(book, local))).into_response())
}

#[utoipa::path(post, path = "/books", tag = "books", operation_id = "create_book", request_body = BookInput,
    params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, body = BookJson, headers(("Location" = String), ("ETag" = String))),
    (status = 202, description = "Not known yet; ask the address in Location.", body = PendingJson, headers(("Location" = String))),
    (status = 409, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)
))]
pub(super) async fn create(State(app): State<Arc<App>>, request: Request) -> Result<Response, NotCommitted> {
    let (draft, headers) = book_draft(&app, request).await?;
    let now_ms = clock::unix_ms();
    let mut random = [0; 10];
    random.copy_from_slice(&Uuid::new_v4().into_bytes()[..10]);
    let id = BookId::from_parts(now_ms, random);
    let (change, created) = (change_id(&headers)?, clock::timestamp(now_ms));
    let put = Put { method: "POST", id, change, created, precondition: Precondition::Absent, draft };
    let (book, answer) = put.commit(&app).await?;
    let location = HeaderValue::from_str(&format!("{BASE}/books/{}", book.id())).expect("an address is plain ASCII");
    Ok((StatusCode::CREATED, [(LOCATION, location)], book_response(&book, &answer)).into_response())
}

#[utoipa::path(put, path = "/books/{id}", tag = "books", operation_id = "replace_book", request_body = BookInput,
    params(("id" = String, Path), ("If-Match" = Option<String>, Header), ("Idempotency-Key" = Option<String>, Header)),
    responses(
    (status = 200, body = BookJson, headers(("ETag" = String))),
    (status = 202, description = "Not known yet; ask the address in Location.", body = PendingJson, headers(("Location" = String))),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem),
    (status = 422, body = Problem), (status = 503, body = Problem)
))]
pub(super) async fn replace(
    State(app): State<Arc<App>>,
    Id(id): Id<String>,
    request: Request,
) -> Result<Response, NotCommitted> {
    let id = book_id(&id)?;
    let (draft, headers) = book_draft(&app, request).await?;
    let precondition = precondition(&headers)?;
    let change = change_id(&headers)?;
    let Some(created) = created(&app, id).await else { return Err(NotCommitted::Unknown { change }) };
    let put = Put { method: "PUT", id, change, created, precondition, draft };
    let (book, answer) = put.commit(&app).await?;
    Ok(book_response(&book, &answer))
}

#[utoipa::path(delete, path = "/books/{id}", tag = "books", operation_id = "delete_book",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header), ("Idempotency-Key" = Option<String>, Header)),
    responses(
    (status = 204),
    (status = 202, description = "Not known yet; ask the address in Location.", body = PendingJson, headers(("Location" = String))),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem), (status = 503, body = Problem)
))]
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Id(id): Id<String>,
    headers: HeaderMap,
) -> Result<Response, NotCommitted> {
    let id = book_id(&id)?;
    let precondition = precondition(&headers)?;
    let fingerprint = fingerprint(&[b"DELETE", id.as_bytes(), &precondition_text(precondition)]);
    let change = Change {
        id: change_id(&headers)?,
        fingerprint,
        path: id.into(),
        precondition,
        answer: "{}".to_owned(),
        action: Action::Delete,
    };
    let answer = commit(&app, change).await?;
    Ok((StatusCode::NO_CONTENT, shows(answer.version)).into_response())
}

/// When the book that is to be replaced was created; none if that cannot be told at present.
async fn created(app: &App, id: BookId) -> Option<Timestamp> {
    let shown = || app.copy.index().book(id).map(|book| book.book.created());
    if let Some(created) = shown() {
        return Some(created);
    }
    // Another app-server may have created it, in a round that this copy does not show yet.
    let Ok(QueryAnswer::Cluster { status }) = app.copy.ask(Query::Cluster).await else { return None };
    app.show_at_least(status.version).await.ok()?;
    // One that is not there even now may have been replaced by this very request and deleted since: the coordinator knows.
    Some(shown().unwrap_or_else(clock::now))
}

/// A book to be written.
struct Put {
    method: &'static str,
    id: BookId,
    change: ChangeId,
    created: Timestamp,
    precondition: Precondition,
    draft: BookDraft,
}

/// What comes back with the outcome, also with the first one of a request that is sent again: all that makes its answer,
/// together with the request itself.
#[derive(Debug, Serialize, Deserialize)]
struct KeptAnswer {
    created: Timestamp,
}

impl Put {
    async fn commit(self, app: &App) -> Result<(Book, CommittedAnswer), NotCommitted> {
        let body = serde_json::to_vec(&self.draft).expect("a draft has only text keys and plain values");
        // Of a creation the id is not part of the request: sent again, it comes with another one.
        let id: &[u8] = if self.precondition == Precondition::Absent { &[] } else { self.id.as_bytes() };
        let fingerprint = fingerprint(&[self.method.as_bytes(), id, &precondition_text(self.precondition), &body]);
        let book = Book::new(self.id, self.created, self.draft.clone()).map_err(ApiError::from)?;
        let content = Content::from(book.to_xml());
        let digest = Digest::of(content.bytes());
        let kept = KeptAnswer { created: self.created };
        let change = Change {
            id: self.change.clone(),
            fingerprint,
            path: book.path(),
            precondition: self.precondition,
            answer: serde_json::to_string(&kept).expect("a time is plain text"),
            action: Action::Put { content, digest },
        };
        let answer = commit(app, change).await?;
        Ok((self.committed_book(&answer, &app.copy.index())?, answer))
    }

    /// The book as this request wrote it when it was committed for the first time, whatever became of it since.
    fn committed_book(self, answer: &CommittedAnswer, index: &Index) -> Result<Book, ApiError> {
        let kept = serde_json::from_str::<KeptAnswer>(&answer.answer).ok();
        let rebuilt = kept.and_then(|kept| Book::new(answer.path.id(), kept.created, self.draft).ok());
        rebuilt
            .filter(|book| Some(Digest::of(&book.to_xml())) == answer.digest)
            .or_else(|| index.book(answer.path.id()).map(|book| book.book.clone()))
            .ok_or_else(|| ApiError::no_such_book(&answer.path.id().to_string()))
    }
}

async fn book_draft(app: &App, request: Request) -> Result<(BookDraft, HeaderMap), ApiError> {
    let (parts, body): (_, Body) = request.into_parts();
    let draft = json(app, &parts, body).await.map_err(|error| match error {
        ApiError::InvalidRequest { errors, .. } if !errors.is_empty() => ApiError::InvalidBook { errors },
        other => other,
    })?;
    Ok((draft, parts.headers))
}

fn book_response(book: &Book, answer: &CommittedAnswer) -> Response {
    let digest = answer.digest.unwrap_or_else(|| Digest::of(&book.to_xml()));
    let standard = (shows(answer.version), [(ETAG, etag(digest))]);
    (standard, Json(BookJson::new(book, digest, answer.version))).into_response()
}

/// An id from an address. Anything else is no book's, and never becomes a path.
fn book_id(text: &str) -> Result<BookId, ApiError> {
    BookId::parse(text).map_err(|error| ApiError::NotFound { detail: format!("There is no such book: {error}.") })
}

fn etag(digest: Digest) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{digest}\"")).expect("a digest is plain ASCII")
}

fn precondition_text(precondition: Precondition) -> Vec<u8> {
    serde_json::to_vec(&precondition).expect("a precondition is plain text")
}

/// Whether XML is wanted more than JSON.
fn prefers_xml(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("*/*");
    let quality = |kinds: &[&str]| {
        let ranges = accept.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next()?;
            let quality =
                parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |text| text.parse::<f32>().ok())?;
            kinds.iter().any(|wanted| kind.eq_ignore_ascii_case(wanted)).then_some(quality)
        });
        ranges.fold(0.0, f32::max)
    };
    quality(&["application/xml", "text/xml"]) > quality(&["application/json", "application/*", "*/*"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_is_given_where_it_is_wanted_more_than_json() {
        let prefers =
            |accept: &str| prefers_xml(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())]));
        assert!(prefers("application/xml") && prefers("application/xml, */*;q=0.5"));
        assert!(!prefers("*/*") && !prefers("application/json, application/xml;q=0.9") && !prefers("text/html"));
        assert!(!prefers_xml(&HeaderMap::new()));
    }
}
