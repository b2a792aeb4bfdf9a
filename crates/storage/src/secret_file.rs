//! 32-byte keys, and the files in which only their owner may read them: 64 hexadecimal digits and a line end.
//!
//! The cluster's data key lies in such a file at the coordinator and at each replicator.

use crate::hexadecimal;
use crate::replaced_file;
use rustix::fs::OFlags;
use rustix::rand::{GetRandomFlags, getrandom};
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A 32-byte key. Its Debug text does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// The key with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> SecretKey {
        SecretKey(bytes)
    }

    /// Reads 64 lower-case hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<SecretKey> {
        hexadecimal::parse_bytes(text.as_bytes()).map(SecretKey)
    }

    /// The key as 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        hexadecimal::text(&self.0)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A new key from the system's random numbers.
    pub fn random() -> io::Result<SecretKey> {
        let mut bytes = [0; 32];
        // The system gives up to 256 bytes at once or none.
        getrandom(&mut bytes, GetRandomFlags::empty())?;
        Ok(SecretKey(bytes))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// Others may read or write it.
    #[error("the key file {} may be used by others (mode {mode:o}); change that with `chmod 600`", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is a link, or holds something else than a key.
    #[error("the key file {} does not hold 64 hexadecimal digits and nothing else; restore it from another copy", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot use the key file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The key in the file, or nothing if there is no such file.
pub fn load(path: &Path) -> Result<Option<SecretKey>, SecretFileError> {
    let at = |source| SecretFileError::Io { path: path.to_owned(), source };
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(error)),
    };
    let mode = file.metadata().map_err(at)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretFileError::OpenToOthers { path: path.to_owned(), mode });
    }
    let mut text = Vec::new();
    file.take(128).read_to_end(&mut text).map_err(at)?;
    let digits = text.strip_suffix(b"\n").unwrap_or(&text);
    match hexadecimal::parse_bytes(digits) {
        Some(bytes) => Ok(Some(SecretKey(bytes))),
        None => Err(SecretFileError::NotAKey { path: path.to_owned() }),
    }
}

/// The key in the file; if there is no such file, a random one that is then durably in it.
pub fn load_or_create(path: &Path) -> Result<SecretKey, SecretFileError> {
    if let Some(key) = load(path)? {
        return Ok(key);
    }
    let key = SecretKey::random().map_err(|source| SecretFileError::Io { path: path.to_owned(), source })?;
    save(path, &key)?;
    Ok(key)
}

/// Durably makes this the key in the file, mode 0600, whatever was there.
pub fn save(path: &Path, key: &SecretKey) -> Result<(), SecretFileError> {
    replaced_file::replace(path, |file| writeln!(file, "{}", key.to_hex()))
        .map_err(|source| SecretFileError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_key_is_made_once_and_read_again_by_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("data-key");
        assert_eq!(load(&path).unwrap(), None);
        let key = load_or_create(&path).unwrap();
        assert_eq!(load_or_create(&path).unwrap(), key);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_ne!(SecretKey::random().unwrap(), key);
        assert_eq!(SecretKey::from_hex(&key.to_hex()), Some(key.clone()));
        assert!(!format!("{key:?}").contains(&key.to_hex()[..8]));
    }

    #[test]
    fn a_given_key_replaces_the_one_in_the_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("data-key");
        load_or_create(&path).unwrap();
        save(&path, &SecretKey::from_bytes([7; 32])).unwrap();
        assert_eq!(load(&path).unwrap(), Some(SecretKey::from_bytes([7; 32])));
    }

    #[test]
    fn a_file_that_others_may_read_or_that_is_no_key_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("data-key");
        load_or_create(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let error = load_or_create(&path).unwrap_err();
        assert!(matches!(error, SecretFileError::OpenToOthers { mode: 0o640, .. }), "{error}");

        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let link = home.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(load(&link).is_err());
        for text in ["", "abc", &"A".repeat(64), &"a".repeat(66)] {
            fs::write(&path, text).unwrap();
            let error = load_or_create(&path).unwrap_err();
            assert!(matches!(error, SecretFileError::NotAKey { .. }), "{error}");
        }
    }
}
