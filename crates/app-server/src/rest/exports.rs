//! Exports: the whole catalogue as a file, sent while it is written.

use super::App;
use super::guard::shows;
use super::request::query;
use crate::error::{ApiError, Problem};
use crate::index::{Index, Sort};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::Uri;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use catalogue::{Book, export};
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Pieces of a book each are put together to so many bytes before they are sent.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that wait for a slow client before writing pauses.
const CHUNKS_AHEAD: usize = 4;

/// Which file to make.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    #[serde(default)]
    #[param(inline)]
    format: ExportFormat,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum ExportFormat {
    #[default]
    Xml,
    Csv,
}

#[utoipa::path(get, path = "/exports", tag = "imports and exports", operation_id = "export_books",
    params(ExportQuery,
        ("Concordance-At-Least-Version" = Option<u64>, Header, description = "Wait until the copy shows this version.")),
    responses(
    (status = 200, content((String = "application/xml"), (String = "text/csv"))),
    (status = 422, body = Problem), (status = 503, body = Problem)
))]
pub(super) async fn load(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, ApiError> {
    app.check_ready()?;
    let ExportQuery { format } = query(&uri)?;
    let index = app.copy.index();
    let version = index.version();
    let (chunks, received) = mpsc::channel(CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || match format {
        ExportFormat::Xml => send(export::books_xml(books(&index)), &chunks),
        ExportFormat::Csv => send(export::books_csv(books(&index)), &chunks),
    });
    let (kind, name) = match format {
        ExportFormat::Xml => ("application/xml", "attachment; filename=\"books.xml\""),
        ExportFormat::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"books.csv\""),
    };
    let stream = futures::stream::unfold(received, |mut received| async move {
        let chunk: Bytes = received.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(chunk), received))
    });
    let headers = [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)];
    Ok((shows(version), headers, Body::from_stream(stream)).into_response())
}

fn books(index: &Index) -> impl Iterator<Item = &Book> {
    index.ordered(Sort::Title).map(|(_, book)| &book.book)
}

fn send(pieces: impl Iterator<Item = Vec<u8>>, chunks: &mpsc::Sender<Bytes>) {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    for piece in pieces {
        chunk.extend(piece);
        if chunk.len() >= CHUNK_BYTES {
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_BYTES));
            // A client that went away wants no more.
            if chunks.blocking_send(full.into()).is_err() {
                return;
            }
        }
    }
    let _ = chunks.blocking_send(chunk.into());
}
