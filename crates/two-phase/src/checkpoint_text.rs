//! A manifest and its header as text: one line for the header, one line a file. The MAC around it is the storage's business.

use crate::Manifest;
use catalogue::BookPath;
use protocol::{Record, Version};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Write as _;

/// A text that is no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the checkpoint is not what was written there: {reason}")]
pub struct InvalidCheckpoint {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// Writes a header and a manifest.
#[must_use]
pub fn write_checkpoint(header: &impl Serialize, manifest: &Manifest) -> String {
    let mut text = serde_json::to_string(header).expect("a header has only text keys and plain values");
    text.push('\n');
    for (path, record) in manifest.entries() {
        writeln!(text, "{path} {} {} {}", record.digest, record.size, record.version)
            .expect("writing to a string cannot fail");
    }
    text
}

/// Reads what [`write_checkpoint`] wrote.
///
/// # Errors
/// The first line that it did not write.
pub fn read_checkpoint<H: DeserializeOwned>(text: &str) -> Result<(H, Manifest), InvalidCheckpoint> {
    let mut lines = text.lines().enumerate();
    let (_, first) = lines.next().ok_or_else(|| InvalidCheckpoint { line: 1, reason: "it is missing".to_owned() })?;
    let header =
        serde_json::from_str(first).map_err(|error| InvalidCheckpoint { line: 1, reason: error.to_string() })?;
    let manifest = lines
        .map(|(index, line)| {
            read_entry(line).ok_or_else(|| InvalidCheckpoint { line: index + 1, reason: line.to_owned() })
        })
        .collect::<Result<Manifest, _>>()?;
    Ok((header, manifest))
}

fn read_entry(line: &str) -> Option<(BookPath, Record)> {
    let mut words = line.split(' ');
    let path = BookPath::parse(words.next()?).ok()?;
    let digest = words.next()?.parse().ok()?;
    let size = words.next()?.parse().ok()?;
    let version = Version(words.next()?.parse().ok()?);
    words.next().is_none().then_some((path, Record { digest, size, version }))
}
