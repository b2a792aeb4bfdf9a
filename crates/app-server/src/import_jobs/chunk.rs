//! A part of an import that is committed together: sent, sent again, and rid of rows that stand in the way of the others.

use super::job::ImportState;
use crate::error::{FailedRow, sentence};
use crate::settings::Settings;
use crate::working_copy::{WorkingCopy, WriteOutcome};
use catalogue::import::ImportRow;
use catalogue::{BookId, Timestamp};
use protocol::{Action, Change, ChangeId, Content, Digest, Precondition, Refusal, RoundId, Submission};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// A row, ready to be committed. Its keys follow from the import's key and its place in the file, so that the same import
/// sent again is the same changes (rule Once).
#[derive(Debug, Clone)]
pub(super) struct RowChange {
    row: u64,
    change: Change,
}

impl RowChange {
    pub(super) fn new(key: &str, row: ImportRow, now: Timestamp) -> Self {
        let number = row.row;
        let draft =
            serde_json::to_vec(&(&row.draft, row.created)).expect("a draft has only text keys and plain values");
        let id = BookId::derived(key, number, id_time_ms(key, row.created));
        let book = row.into_book(id, now).expect("the reader gives only rows that make a legal book");
        let content = Content::from(book.to_xml());
        let digest = Digest::of(content.bytes());
        let change = Change {
            id: format!("{key}/{number}").parse().expect("a checked key and a number make a change id"),
            fingerprint: Digest::of(&[b"IMPORT ".as_slice(), &draft].concat()),
            path: id.into(),
            precondition: Precondition::Absent,
            answer: "{}".to_owned(),
            action: Action::Put { content, digest },
        };
        Self { row: number, change }
    }
}

/// The time in a book's id: the same whenever the import is sent. Where neither the file nor the key has one it is the
/// beginning of the century.
fn id_time_ms(key: &str, created: Option<Timestamp>) -> u64 {
    const FALLBACK_MS: u64 = 946_684_800_000;
    let of_file = created.and_then(|created| u64::try_from(created.unix_millis()).ok());
    let of_key = || {
        let (seconds, nanoseconds) = Uuid::try_parse(key).ok()?.get_timestamp()?.to_unix();
        Some(seconds * 1_000 + u64::from(nanoseconds) / 1_000_000)
    };
    of_file.or_else(of_key).unwrap_or(FALLBACK_MS)
}

/// Cuts rows into parts of at most so many changes and bytes, at least one row each.
pub(super) fn chunks(
    mut rows: impl Iterator<Item = RowChange>,
    changes_max: usize,
    bytes_max: usize,
) -> impl Iterator<Item = Vec<RowChange>> {
    let mut next: Option<RowChange> = None;
    std::iter::from_fn(move || {
        let mut chunk = Vec::new();
        let mut bytes = 0;
        while let Some(row) = next.take().or_else(|| rows.next()) {
            let size = row.change.action.size() as usize;
            if !chunk.is_empty() && (chunk.len() >= changes_max || bytes + size > bytes_max) {
                next = Some(row);
                break;
            }
            bytes += size;
            chunk.push(row);
        }
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// What became of a part.
#[derive(Debug, Default)]
pub(super) struct ChunkEnd {
    pub(super) imported: u64,
    pub(super) failed: Vec<FailedRow>,
    pub(super) rounds: BTreeSet<RoundId>,
    /// Set if the import cannot go on after it.
    pub(super) ends_with: Option<(ImportState, String)>,
}

impl ChunkEnd {
    /// Rows that earlier rounds have committed are in, whatever became of the others.
    fn take_in_committed(&mut self, rows: &mut Vec<RowChange>, outcome: &WriteOutcome) {
        let (WriteOutcome::Aborted { committed, .. } | WriteOutcome::Refused { committed, .. }) = outcome else {
            return;
        };
        for answer in committed {
            if take_row(rows, &answer.change).is_some() {
                self.imported += 1;
                self.rounds.insert(answer.round);
            }
        }
    }
}

/// Commits a part.
pub(super) async fn import_chunk(copy: &WorkingCopy, settings: &Settings, mut rows: Vec<RowChange>) -> ChunkEnd {
    let patience = Duration::from_millis(settings.import_patience_ms);
    let deadline = Instant::now() + patience;
    let mut end = ChunkEnd::default();
    while !rows.is_empty() {
        let changes = rows.iter().map(|row| row.change.clone()).collect();
        let outcome = copy.submit(Submission { changes, force_abort: false }, patience).await;
        end.take_in_committed(&mut rows, &outcome);
        match outcome {
            WriteOutcome::Committed { answers } => {
                end.imported += rows.len() as u64;
                end.rounds.extend(answers.iter().map(|answer| answer.round));
                return end;
            }
            WriteOutcome::Refused { refusal: Refusal::KeyReused { change }, .. } => {
                let error = "this key was used before for an import in which this row was another one; use a new key";
                end.failed.extend(take_row(&mut rows, &change).map(|row| FailedRow { row, error: error.to_owned() }));
            }
            // Only this import makes this id: the row is in since an earlier try whose answer nobody keeps any more.
            WriteOutcome::Refused { refusal: Refusal::PreconditionFailed { change, .. }, .. } => {
                end.imported += take_row(&mut rows, &change).map_or(0, |_| 1);
            }
            WriteOutcome::Refused { refusal: Refusal::Invalid { reason }, .. } => {
                end.failed.extend(rows.iter().map(|row| FailedRow { row: row.row, error: reason.clone() }));
                return end;
            }
            WriteOutcome::Refused {
                refusal: Refusal::QueueFull { retry_after_ms } | Refusal::NoQuorum { retry_after_ms, .. },
                ..
            } if Instant::now() < deadline => {
                let pause =
                    Duration::from_millis(retry_after_ms).min(deadline.saturating_duration_since(Instant::now()));
                tokio::time::sleep(pause).await;
            }
            WriteOutcome::Refused { refusal, .. } => {
                let reason = crate::working_copy::refusal_sentence(&refusal);
                end.ends_with =
                    Some((ImportState::Failed, format!("Some rows were not imported: {}", sentence(&reason))));
                return end;
            }
            WriteOutcome::Aborted { round, reason, .. } => {
                let error = format!("round {round} was aborted: {reason}");
                end.failed.extend(rows.iter().map(|row| FailedRow { row: row.row, error: error.clone() }));
                return end;
            }
            WriteOutcome::NotSent { reason } => {
                end.ends_with =
                    Some((ImportState::Failed, format!("Some rows were not imported: {}", sentence(&reason))));
                return end;
            }
            WriteOutcome::Unknown => {
                let reason = "It is not known of some rows whether they were imported.";
                end.ends_with = Some((ImportState::Unknown, reason.to_owned()));
                return end;
            }
        }
    }
    end
}

/// Takes the row of a change out, and gives its number.
fn take_row(rows: &mut Vec<RowChange>, change: &ChangeId) -> Option<u64> {
    let place = rows.iter().position(|row| row.change.id == *change)?;
    Some(rows.remove(place).row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalogue::import::ImportReader;

    fn rows(key: &str) -> Vec<RowChange> {
        let file = b"title,author\nEmma,Jane Austen\nDune,Frank Herbert\nUlysses,James Joyce\n";
        let reader = ImportReader::new(file).unwrap();
        reader.map(|row| RowChange::new(key, row.unwrap(), crate::clock::now())).collect()
    }

    #[test]
    fn same_import_is_the_same_books_under_the_same_keys() {
        let keys = |rows: &[RowChange]| {
            let key = |row: &RowChange| (row.row, row.change.id.clone(), row.change.path, row.change.fingerprint);
            rows.iter().map(key).collect::<Vec<_>>()
        };
        assert_eq!(keys(&rows("a")), keys(&rows("a")));
        assert_ne!(keys(&rows("a"))[0].2, keys(&rows("b"))[0].2);
        assert_eq!(rows("a")[0].change.id.as_str(), "a/2");
    }

    #[test]
    fn parts_keep_order_and_bounds_and_lose_nothing() {
        let sizes = |changes_max, bytes_max| {
            let parts: Vec<_> = chunks(rows("a").into_iter(), changes_max, bytes_max).collect();
            let order: Vec<_> = parts.iter().flatten().map(|row| row.row).collect();
            assert_eq!(order, [2, 3, 4]);
            parts.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(2, 1_000_000), [2, 1]);
        assert_eq!(sizes(100, 1_000_000), [3]);
        assert_eq!(sizes(100, 1), [1, 1, 1]);
    }
}
