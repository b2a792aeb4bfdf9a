//! The cluster's access token: the one secret that lets a process or a client take part.
//!
//! Read once at the start from a file that only its owner may read, sent as `Authorization: Bearer …`, and compared in
//! constant time. Not the data key, which signs manifests and is the replicators' and the coordinator's own affair.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

/// A token shorter than this is guessable.
pub const TOKEN_CHARACTERS_MIN: usize = 16;
/// No token is longer than this; a longer file is some other file.
pub const TOKEN_CHARACTERS_MAX: usize = 1_024;

/// The secret that the members of a cluster share. Never printed.
#[derive(Clone)]
pub struct AccessToken(String);

impl AccessToken {
    /// Takes a token from text, without the white space around it.
    ///
    /// # Errors
    /// If it is too short, too long, or has characters that an HTTP header cannot carry.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let token = text.trim();
        if token.len() < TOKEN_CHARACTERS_MIN {
            return Err(TokenError::TooShort { characters: token.len() });
        }
        if token.len() > TOKEN_CHARACTERS_MAX {
            return Err(TokenError::TooLong);
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::NotVisibleAscii);
        }
        Ok(AccessToken(token.to_owned()))
    }

    /// Reads the token from a file that only its owner may read.
    ///
    /// # Errors
    /// If the file cannot be read, may be read by others, or holds no usable token. Every error names the file.
    pub fn read(path: &Path) -> Result<Self, TokenFileError> {
        let unreadable = |source| TokenFileError::Unreadable { path: path.to_owned(), source };
        // Permissions and content are taken from one open file, so that it cannot be exchanged in between.
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(TokenFileError::OpenToOthers { path: path.to_owned(), mode });
        }
        let mut text = String::new();
        let bytes_max = 2 * TOKEN_CHARACTERS_MAX as u64;
        file.take(bytes_max).read_to_string(&mut text).map_err(unreadable)?;
        AccessToken::parse(&text).map_err(|source| TokenFileError::Unusable { path: path.to_owned(), source })
    }

    /// The value of the `Authorization` header that shows this token. Marked sensitive, so that logs leave it out.
    pub fn header(&self) -> HeaderValue {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0))
            .expect("a token is visible ASCII, which every header can carry");
        value.set_sensitive(true);
        value
    }

    /// Whether these request headers show this token. Takes as long for a wrong token as for the right one.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(shown) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
            return false;
        };
        // The scheme is case-insensitive (RFC 9110, 11.1).
        match shown.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => self.matches(token.trim()),
            _ => false,
        }
    }

    /// Whether `shown` is this token, compared in constant time.
    pub fn matches(&self, shown: &str) -> bool {
        self.0.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AccessToken(redacted)")
    }
}

/// Middleware for `axum::middleware::from_fn_with_state(token, require)`: answers 401 to a request without the token.
/// With no token (a cluster on loopback) everybody is let in.
pub async fn require(State(token): State<Option<AccessToken>>, request: Request, next: Next) -> Response {
    match token {
        Some(token) if !token.admits(request.headers()) => refusal(),
        _ => next.run(request).await,
    }
}

/// 401, with what to do.
pub(crate) fn refusal() -> Response {
    let challenge = [(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
    let sentence = "This needs the cluster's access token: send it as `Authorization: Bearer …`.\n";
    (StatusCode::UNAUTHORIZED, challenge, sentence).into_response()
}

/// Why a text is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Fewer than [`TOKEN_CHARACTERS_MIN`] characters.
    #[error("the access token has {characters} characters, at least {TOKEN_CHARACTERS_MIN} are needed")]
    TooShort {
        /// How many it has.
        characters: usize,
    },
    /// More than [`TOKEN_CHARACTERS_MAX`] characters.
    #[error("the access token has more than {TOKEN_CHARACTERS_MAX} characters")]
    TooLong,
    /// It has white space, control or non-ASCII characters inside.
    #[error("the access token may have visible ASCII characters only, without spaces")]
    NotVisibleAscii,
}

/// Why a token file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It could not be opened or read.
    #[error("cannot read the token file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its group or everybody may read or write it.
    #[error("the token file {} is open to others (mode {mode:03o}); run `chmod 600` on it", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds no usable token.
    #[error("the token file {}: {source}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        source: TokenError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const SECRET: &str = "correct-horse-battery-staple";

    fn token_file(content: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn token_is_read_without_the_newline_that_editors_add() {
        let (_folder, path) = token_file(&format!("{SECRET}\n"), 0o600);
        assert!(AccessToken::read(&path).unwrap().matches(SECRET));
    }

    #[test]
    fn token_file_that_others_may_read_is_refused_saying_chmod() {
        for mode in [0o640, 0o604, 0o620, 0o644] {
            let (_folder, path) = token_file(SECRET, mode);
            let message = AccessToken::read(&path).unwrap_err().to_string();
            assert!(message.contains("chmod 600") && message.contains(&format!("{mode:03o}")), "{message}");
        }
    }

    #[test]
    fn short_empty_and_unprintable_tokens_are_refused() {
        for bad in ["", "   \n", "fifteen-letters", "has a space in the middle", "caractères-non-ascii"] {
            assert!(AccessToken::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn missing_token_file_is_named() {
        let message = AccessToken::read(Path::new("/nowhere/token")).unwrap_err().to_string();
        assert!(message.contains("/nowhere/token"), "{message}");
    }

    #[test]
    fn only_the_exact_token_in_a_bearer_header_admits() {
        let token = AccessToken::parse(SECRET).unwrap();
        let shown = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            token.admits(&headers)
        };
        assert!(shown(&format!("Bearer {SECRET}")) && shown(&format!("bearer {SECRET}")));
        assert!(!shown(SECRET) && !shown(&format!("Basic {SECRET}")) && !shown("Bearer "));
        assert!(!shown(&format!("Bearer {SECRET}x")) && !shown(&format!("Bearer {}", &SECRET[1..])));
        assert!(!token.admits(&HeaderMap::new()));
    }

    #[test]
    fn token_is_never_printed() {
        let token = AccessToken::parse(SECRET).unwrap();
        assert!(!format!("{token:?} {:?}", token.header()).contains(SECRET));
    }
}
