//! Where a page of a list begins: the sort key and the id of the last book of the page before. It stays right while books
//! come and go.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use catalogue::BookId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sort {
    /// The title, as people look it up: blind to case, accents and leading signs.
    #[default]
    Title,
    /// The first author's surname, then the name, then the title.
    Author,
    /// The year of publication, unknown years lowest, then the title.
    Published,
    /// The time of creation.
    Created,
}

impl Sort {
    /// Every order there is.
    pub(crate) const ALL: [Self; 4] = [Self::Title, Self::Author, Self::Published, Self::Created];
}

/// Whether a list goes up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    /// Lowest first.
    #[default]
    Asc,
    /// Highest first.
    Desc,
}

/// A book's place in one order. The id makes it unique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(super) key: Arc<str>,
    pub(super) id: BookId,
}

/// The end of a page, to go on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cursor {
    pub(super) sort: Sort,
    pub(super) order: Direction,
    pub(super) after: Position,
}

impl Cursor {
    /// The text that a client hands back.
    pub(crate) fn encode(&self) -> String {
        let text = serde_json::to_vec(self).expect("a cursor has only text keys and plain values");
        URL_SAFE_NO_PAD.encode(text)
    }

    /// Reads a text that [`Cursor::encode`] made for a list in this order; none for any other.
    pub(crate) fn decode(text: &str, sort: Sort, order: Direction) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let cursor: Self = serde_json::from_slice(&bytes).ok()?;
        (cursor.sort == sort && cursor.order == order).then_some(cursor)
    }
}
