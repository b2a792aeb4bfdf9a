//! Checkpoints: files that are replaced as a whole and show whether somebody else than the key's owner wrote them.
//!
//! A service saves what it holds in memory (the manifest), together with the log record that it is level with, so that
//! the log behind that record can be trimmed. Off the write path.
//!
//! ```text
//! concordance checkpoint 1 <payload bytes, 16 hex digits> <HMAC-SHA-256, 64 hex digits> LF
//! payload
//! ```
//!
//! The MAC covers payload, file name and length, so that one checkpoint cannot pass for another of the same cluster.

use crate::hexadecimal;
use crate::replaced_file;
use crate::secret_file::SecretKey;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const NAME: &[u8] = b"concordance checkpoint 1 ";
const HEADER_BYTES: usize = NAME.len() + 16 + 1 + 64 + 1;

/// Why a checkpoint cannot be saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It is whole, but this key did not sign it, or not under this name.
    #[error("{} was not written by this cluster or was changed since; it is not used", path.display())]
    NotAuthentic {
        /// The file.
        path: PathBuf,
    },
    /// It is cut off or is no checkpoint of a known format.
    #[error("{} is no whole checkpoint: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// A clause that says what is wrong.
        why: &'static str,
    },
    /// The system refused, or what was to be saved could not be written. An older checkpoint is still there.
    #[error("cannot use the checkpoint {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Durably replaces the checkpoint by one with this payload.
pub fn save(path: &Path, key: &SecretKey, payload: &[u8]) -> Result<(), CheckpointError> {
    save_with(path, key, |out| out.write_all(payload))
}

/// Durably replaces the checkpoint by one whose payload `fill` writes, piece by piece. If `fill` fails, the old one
/// stays.
pub fn save_with(
    path: &Path,
    key: &SecretKey,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), CheckpointError> {
    replaced_file::replace(path, |file| {
        let mut out = Payload { file: BufWriter::new(file), mac: mac(key), bytes: 0 };
        // The header is known only at the end; its place is kept free.
        out.file.write_all(&[b' '; HEADER_BYTES])?;
        fill(&mut out)?;
        let (bytes, tag) = (out.bytes, sign(out.mac, path, out.bytes));
        let file = out.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header(bytes, &tag.finalize().into_bytes()))
    })
    .map_err(|source| CheckpointError::Io { path: path.to_owned(), source })
}

/// The payload of the checkpoint, or nothing if there is no such file.
pub fn load(path: &Path, key: &SecretKey) -> Result<Option<Vec<u8>>, CheckpointError> {
    let mut bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CheckpointError::Io { path: path.to_owned(), source }),
    };
    let damaged = |why| CheckpointError::Damaged { path: path.to_owned(), why };
    let header = bytes.get(..HEADER_BYTES).ok_or(damaged("its header is cut off"))?;
    let (length, tag) = parse_header(header).ok_or(damaged("its header is not of a known format"))?;
    let payload = &bytes[HEADER_BYTES..];
    if payload.len() as u64 != length {
        return Err(damaged("it is longer or shorter than its header says"));
    }
    let mut expected = mac(key);
    expected.update(payload);
    if sign(expected, path, length).verify_slice(&tag).is_err() {
        return Err(CheckpointError::NotAuthentic { path: path.to_owned() });
    }
    bytes.drain(..HEADER_BYTES);
    Ok(Some(bytes))
}

/// Counts and signs what passes through to the file.
struct Payload<'a> {
    file: BufWriter<&'a mut File>,
    mac: Hmac<Sha256>,
    bytes: u64,
}

impl Write for Payload<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.mac.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn mac(key: &SecretKey) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length")
}

/// The length comes last and has a fixed width: so no two pairs of payload and name give the same text.
fn sign(mut mac: Hmac<Sha256>, path: &Path, payload_bytes: u64) -> Hmac<Sha256> {
    mac.update(path.file_name().unwrap_or_default().as_bytes());
    mac.update(&payload_bytes.to_be_bytes());
    mac
}

fn header(payload_bytes: u64, tag: &[u8]) -> Vec<u8> {
    let mut line = NAME.to_vec();
    hexadecimal::push_bytes(&mut line, &payload_bytes.to_be_bytes());
    line.push(b' ');
    hexadecimal::push_bytes(&mut line, tag);
    line.push(b'\n');
    line
}

fn parse_header(line: &[u8]) -> Option<(u64, [u8; 32])> {
    let rest = line.strip_prefix(NAME)?.strip_suffix(b"\n")?;
    let (length, tag) = rest.split_at_checked(16)?;
    Some((hexadecimal::parse_number(length)?, hexadecimal::parse_bytes(tag.strip_prefix(b" ")?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: SecretKey = SecretKey::from_bytes([1; 32]);

    #[test]
    fn what_was_saved_is_loaded_and_what_was_not_is_nothing() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("manifest");
        assert_eq!(load(&path, &KEY).unwrap(), None);
        save(&path, &KEY, b"").unwrap();
        assert_eq!(load(&path, &KEY).unwrap(), Some(Vec::new()));
        save_with(&path, &KEY, |out| (0..5000).try_for_each(|n| writeln!(out, "entry {n}"))).unwrap();
        let payload = load(&path, &KEY).unwrap().unwrap();
        assert!(payload.starts_with(b"entry 0\n") && payload.ends_with(b"entry 4999\n"));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_payload_that_cannot_be_written_leaves_the_old_checkpoint() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("manifest");
        save(&path, &KEY, b"old").unwrap();
        let failed = save_with(&path, &KEY, |out| {
            out.write_all(b"new")?;
            Err(io::Error::other("no more entries"))
        });
        assert!(failed.unwrap_err().to_string().contains("no more entries"));
        assert_eq!(load(&path, &KEY).unwrap(), Some(b"old".to_vec()));
    }

    #[test]
    fn any_changed_byte_and_any_cut_is_seen() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("manifest");
        save(&path, &KEY, b"path digest size").unwrap();
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert!(load(&path, &KEY).is_err(), "byte {at}");
            fs::write(&path, &whole[..at]).unwrap();
            let error = load(&path, &KEY).unwrap_err();
            assert!(matches!(error, CheckpointError::Damaged { .. }), "cut at {at}: {error}");
        }
    }

    #[test]
    fn an_edited_payload_another_key_and_another_name_are_not_authentic() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("manifest");
        save(&path, &KEY, b"version 7").unwrap();
        let other = home.path().join("other");
        fs::copy(&path, &other).unwrap();
        let edited = String::from_utf8(fs::read(&path).unwrap()).unwrap().replace("sion 7", "sion 8");
        for error in [
            load(&path, &SecretKey::from_bytes([2; 32])).unwrap_err(),
            load(&other, &KEY).unwrap_err(),
            fs::write(&path, edited).map(|()| load(&path, &KEY)).unwrap().unwrap_err(),
        ] {
            assert!(matches!(error, CheckpointError::NotAuthentic { .. }), "{error}");
        }
    }
}
