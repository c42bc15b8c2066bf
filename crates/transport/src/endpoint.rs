use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a process listens: `HOST:PORT`, `unix:/path` or, within one process,
/// `memory:NAME`. Port 0 and the empty memory name ask the system for a free one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A TCP address; the host is an address or a name.
    Tcp {
        /// Host name or address; an IPv6 address without its brackets.
        host: String,
        /// Port; 0 asks for a free one.
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// A name in this process's table of in-memory listeners.
    Memory(String),
}

/// Text that is not an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address; write HOST:PORT (for example 127.0.0.1:7000) or unix:/path/of/socket")]
pub struct EndpointError(String);

impl Endpoint {
    /// A free TCP port on the loopback interface.
    #[must_use]
    pub fn loopback() -> Endpoint {
        Endpoint::Tcp { host: "127.0.0.1".to_owned(), port: 0 }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Endpoint, EndpointError> {
        let refuse = || EndpointError(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(refuse()) } else { Ok(Endpoint::Unix(PathBuf::from(path))) };
        }
        if let Some(name) = text.strip_prefix("memory:") {
            return Ok(Endpoint::Memory(name.to_owned()));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(refuse)?;
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let bare = bracketed.unwrap_or(host);
        let ambiguous = bracketed.is_none() && bare.contains(':');
        if bare.is_empty()
            || ambiguous
            || bare.contains(char::is_whitespace)
            || bare.contains(['[', ']', '/'])
        {
            return Err(refuse());
        }
        let port = port.parse().map_err(|_| refuse())?;
        Ok(Endpoint::Tcp { host: bare.to_owned(), port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Endpoint::Tcp { host, port } => write!(f, "{host}:{port}"),
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
            Endpoint::Memory(name) => write!(f, "memory:{name}"),
        }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Endpoint, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_survive_a_round_trip() {
        for text in ["127.0.0.1:7000", "localhost:0", "[::1]:65535", "unix:/tmp/a b", "memory:n1", "memory:"]
        {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), text);
            let bytes = postcard::to_allocvec(&endpoint).unwrap();
            assert_eq!(postcard::from_bytes::<Endpoint>(&bytes), Ok(endpoint));
        }
    }

    #[test]
    fn other_text_is_refused_with_a_sentence() {
        for text in
            ["", "7000", "host", ":7000", "host:", "host:70000", "::1:7000", "a b:1", "unix:", "http://h:1"]
        {
            let sentence = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(sentence.contains("HOST:PORT"), "{sentence}");
        }
    }

    proptest! {
        #[test]
        fn whatever_parses_prints_back(text in "\\PC{0,20}") {
            if let Ok(endpoint) = text.parse::<Endpoint>() {
                prop_assert_eq!(endpoint.to_string().parse::<Endpoint>(), Ok(endpoint));
            }
        }
    }
}
