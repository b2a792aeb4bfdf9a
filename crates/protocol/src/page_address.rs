//! Where browsers reach an app-server. Pages are told these addresses, and servers tell by them whose page asks: what is here is
//! in the form in which a browser writes an origin, and nothing else can be made.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The address of an app-server's page: `http://host:port` or `https://host:port`, in lower case, without the usual port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PageAddress {
    scheme: Scheme,
    host: String,
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn text(self) -> &'static str {
        match self {
            Self::Http => "http://",
            Self::Https => "https://",
        }
    }

    fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A text that is not the address of a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the address of a page: {problem}; give http://host:port")]
pub struct InvalidPageAddress {
    text: String,
    problem: &'static str,
}

impl PageAddress {
    /// The names of this machine for itself, of which a browser may have used any.
    const LOOPBACK_NAMES: [&'static str; 3] = ["localhost", "127.0.0.1", "[::1]"];

    /// The address of a server that listens there; none where it listens on all addresses, of which it does not know the right
    /// one.
    #[must_use]
    pub fn of_listener(address: SocketAddr) -> Option<Self> {
        let host = match address {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        };
        let known = !address.ip().is_unspecified();
        known.then_some(Self { scheme: Scheme::Http, host, port: address.port() })
    }

    /// Host and port as a browser sends them in `Host`.
    #[must_use]
    pub fn host(&self) -> String {
        if self.port == self.scheme.usual_port() { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// Whether a page that comes from there says so by this `Origin`. One of this machine goes by each of its names.
    #[must_use]
    pub fn is_origin(&self, origin: &str) -> bool {
        let Ok(origin) = origin.parse::<Self>() else { return false };
        let is_loopback = |address: &Self| Self::LOOPBACK_NAMES.contains(&address.host.as_str());
        let same_host = self.host == origin.host || (is_loopback(self) && is_loopback(&origin));
        (self.scheme, self.port) == (origin.scheme, origin.port) && same_host
    }
}

impl fmt::Display for PageAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.scheme.text(), self.host())
    }
}

impl FromStr for PageAddress {
    type Err = InvalidPageAddress;

    fn from_str(text: &str) -> Result<Self, InvalidPageAddress> {
        let invalid = |problem| InvalidPageAddress { text: text.chars().take(80).collect(), problem };
        let lower = text.to_ascii_lowercase();
        let schemes = [Scheme::Http, Scheme::Https].into_iter();
        let (scheme, rest) = schemes
            .filter_map(|scheme| Some((scheme, lower.strip_prefix(scheme.text())?)))
            .next()
            .ok_or_else(|| invalid("it does not begin with http:// or https://"))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let (host, port) = match rest.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some((host, port)) if is_port(port) => (host, port.parse().ok().filter(|port| *port != 0)),
            Some(_) => return Err(invalid("what follows the host is no port")),
            None => (rest, Some(scheme.usual_port())),
        };
        let port = port.ok_or_else(|| invalid("its port is not from 1 to 65535"))?;
        if !is_host(host) {
            return Err(invalid("its host is no name and no number, or something follows it"));
        }
        Ok(Self { scheme, host: host.to_owned(), port })
    }
}

/// Names of letters, digits, dots and hyphens, and IPv6 numbers in brackets: nothing that has a meaning in a header.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(number) => number.parse::<Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == number),
        None => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
            !host.is_empty() && host.len() <= 253 && host.bytes().all(plain)
        }
    }
}

impl TryFrom<String> for PageAddress {
    type Error = InvalidPageAddress;

    fn try_from(text: String) -> Result<Self, InvalidPageAddress> {
        text.parse()
    }
}

impl From<PageAddress> for String {
    fn from(address: PageAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> PageAddress {
        text.parse().unwrap()
    }

    #[test]
    fn address_is_written_as_a_browser_writes_an_origin() {
        for (given, written) in [
            ("http://127.0.0.1:7400", "http://127.0.0.1:7400"),
            ("HTTP://Books.Example:80/", "http://books.example"),
            ("https://books.example:443", "https://books.example"),
            ("https://books.example:80", "https://books.example:80"),
            ("http://[::1]:7400", "http://[::1]:7400"),
            ("http://[2001:db8::1]", "http://[2001:db8::1]"),
        ] {
            assert_eq!(address(given).to_string(), written);
        }
    }

    #[test]
    fn whatever_else_could_mean_something_in_a_header_is_no_address() {
        for text in [
            "",
            "null",
            "127.0.0.1:7400",
            "ws://a:1",
            "http://",
            "http://:7400",
            "http://a:0",
            "http://a:65536",
            "http://a:+1",
            "http://a:",
            "http://user@a:1",
            "http://a/path",
            "http://a:1?q",
            "http://a:1#f",
            "http://*:1",
            "http://a;b:1",
            "http://a b:1",
            "http://a:1, http://b:1",
            "http://é:1",
            "http://[::1",
            "http://[a.b]:1",
            "http://[0:0:0:0:0:0:0:1]:1",
        ] {
            let error = text.parse::<PageAddress>().unwrap_err().to_string();
            assert!(error.contains("http://host:port"), "{error}");
        }
    }

    #[test]
    fn only_its_own_page_is_its_origin_under_any_name_that_this_machine_has_for_itself() {
        let local = address("http://127.0.0.1:7400");
        for own in ["http://127.0.0.1:7400", "http://localhost:7400", "http://[::1]:7400"] {
            assert!(local.is_origin(own), "{own}");
        }
        for foreign in ["http://127.0.0.1:7401", "https://127.0.0.1:7400", "http://192.0.2.1:7400", "null", ""] {
            assert!(!local.is_origin(foreign), "{foreign}");
        }
        let named = address("https://books.example");
        assert!(named.is_origin("https://books.example"));
        assert!(!named.is_origin("http://books.example") && !named.is_origin("https://evil.books.example"));
    }

    #[test]
    fn listener_has_an_address_unless_it_listens_everywhere() {
        let of = |text: &str| PageAddress::of_listener(text.parse().unwrap()).map(|address| address.to_string());
        assert_eq!(of("127.0.0.1:7400").as_deref(), Some("http://127.0.0.1:7400"));
        assert_eq!(of("[::1]:80").as_deref(), Some("http://[::1]"));
        assert_eq!((of("0.0.0.0:7400"), of("[::]:7400")), (None, None));
    }
}
