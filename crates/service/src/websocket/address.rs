//! The address that a process dials: `ws://host:port`, with a path that the service adds.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;
use axum::http::uri::{Authority, PathAndQuery};
use serde::{Deserialize, Serialize};

/// Where a link is dialled to: `ws://host:port` or `ws://host:port/path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinkAddress {
    host: String,
    port: u16,
    path: String,
}

impl LinkAddress {
    /// The same host and port with this path (`/links/replicator`), whatever path there was.
    ///
    /// # Errors
    /// If `path` is no absolute path.
    pub fn at_path(&self, path: &str) -> Result<Self, LinkAddressError> {
        let absolute = path.starts_with('/') && path.parse::<PathAndQuery>().is_ok_and(|parsed| parsed.path() == path);
        if !absolute {
            return Err(LinkAddressError { text: path.to_owned(), problem: "it is not an absolute path" });
        }
        Ok(LinkAddress { path: path.to_owned(), ..self.clone() })
    }

    /// The host's name or number; an IPv6 number without its brackets.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for LinkAddress {
    type Err = LinkAddressError;

    fn from_str(text: &str) -> Result<Self, LinkAddressError> {
        let error = |problem| LinkAddressError { text: text.to_owned(), problem };
        let uri: Uri = text.parse().map_err(|_| error("it is not an address of the form ws://host:port"))?;
        match uri.scheme_str() {
            Some("ws") => {}
            Some("wss") => return Err(error("links over TLS are not supported")),
            _ => return Err(error("it does not begin with ws://")),
        }
        let authority: &Authority = uri.authority().ok_or_else(|| error("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(error("it has a user name in it; the access token is given by --token-file"));
        }
        if uri.query().is_some() {
            return Err(error("it has a query in it"));
        }
        // Without a port a mistyped address would silently go to port 80.
        let port = authority.port_u16().filter(|&port| port != 0).ok_or_else(|| error("it names no port"))?;
        Ok(LinkAddress { host: authority.host().to_owned(), port, path: uri.path().to_owned() })
    }
}

impl TryFrom<String> for LinkAddress {
    type Error = LinkAddressError;

    fn try_from(text: String) -> Result<Self, LinkAddressError> {
        text.parse()
    }
}

impl From<LinkAddress> for String {
    fn from(address: LinkAddress) -> String {
        address.to_string()
    }
}

impl fmt::Display for LinkAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ws://{}:{}", self.host, self.port)?;
        if self.path == "/" { Ok(()) } else { formatter.write_str(&self.path) }
    }
}

/// A text is no address of a link.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be dialled: {problem}; write ws://host:port")]
pub struct LinkAddressError {
    text: String,
    problem: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_printed_as_they_are_written() {
        for text in ["ws://127.0.0.1:7410", "ws://coordinator.local:7410/links/replicator", "ws://[::1]:7410"] {
            assert_eq!(text.parse::<LinkAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn path_is_replaced_and_host_loses_its_brackets() {
        let address: LinkAddress = "ws://[::1]:7410".parse().unwrap();
        assert_eq!(address.at_path("/links/peer").unwrap().to_string(), "ws://[::1]:7410/links/peer");
        assert_eq!((address.host(), address.port()), ("::1", 7410));
        assert!(address.at_path("peer").is_err() && address.at_path("/a?b=c").is_err());
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_saying_why() {
        for (text, why) in [
            ("127.0.0.1:7410", "ws://"),
            ("http://127.0.0.1:7410", "ws://"),
            ("wss://host:7410", "TLS"),
            ("ws://host", "port"),
            ("ws://host:0", "port"),
            ("ws://user@host:1", "user name"),
            ("ws://host:1/?token=x", "query"),
            ("", "ws://"),
        ] {
            let message = text.parse::<LinkAddress>().unwrap_err().to_string();
            assert!(message.contains(why), "{text}: {message}");
        }
    }
}
