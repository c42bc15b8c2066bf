use crate::{Footprint, Prefix};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A client session, drawn at random from 64 bits by the client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(pub u64);

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{:x}", self.0)
    }
}

/// A request of a session; a retry keeps it, wherever it is sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId {
    /// The session.
    pub client: ClientId,
    /// Position among the session's requests, from 0.
    pub number: u64,
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}#{}", self.client, self.number)
    }
}

/// As people read it and type it: with a colon, which needs no quoting in shells and addresses.
impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.client, self.number)
    }
}

/// Text that is no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no request; write CLIENT:NUMBER, such as c5f03a:17")]
pub struct RequestIdError(String);

impl FromStr for RequestId {
    type Err = RequestIdError;

    /// As it is printed, or with the `#` of traces.
    fn from_str(text: &str) -> Result<RequestId, RequestIdError> {
        let parse = || {
            let (client, number) = text.strip_prefix('c')?.split_once(['#', ':'])?;
            let client = ClientId(u64::from_str_radix(client, 16).ok()?);
            Some(RequestId { client, number: number.parse().ok()? })
        };
        parse().ok_or_else(|| RequestIdError(text.to_owned()))
    }
}

/// What a command asks of the replicas.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Apply these bytes to the state machine.
    Apply(Bytes),
    /// If the session table is in this generation, raise it and drop idle sessions
    /// (protocols.md 2.6). Its footprint is `Everything`.
    ExpireSessions {
        /// The generation that the issuer saw.
        generation: u32,
    },
    /// A majority of the replicas, the same for all of it, has durably executed this:
    /// everybody may forget it, and whoever lacks some of it takes a snapshot
    /// (protocols.md 2.7, and ADR 5). Its footprint is `Everything`.
    Cut(Prefix),
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Apply(payload) => write!(f, "apply {}B", payload.len()),
            Action::ExpireSessions { generation } => write!(f, "expire sessions of generation {generation}"),
            Action::Cut(cut) => write!(f, "cut {cut:?}"),
        }
    }
}

/// A client's request with what the entry node found out about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// Who asks, and which of its requests this is.
    pub request: RequestId,
    /// The client has the answers to all its requests below this number; their
    /// cached answers may go. Never means that they were executed here.
    pub acked_below: u64,
    /// The session generation in which the client's session was opened.
    pub generation: u32,
    /// What it touches, computed from the payload by the entry node.
    pub footprint: Footprint,
    /// What to do.
    pub action: Action,
}

impl Command {
    /// The order to drop the sessions that were idle for the whole of a generation. No client
    /// asks for it, and only the first of a generation has an effect (protocols.md 2.6).
    #[must_use]
    pub fn expire_sessions(generation: u32) -> Command {
        Command::housekeeping(generation, Action::ExpireSessions { generation })
    }

    /// The proposal to agree on a cut. No client asks for it.
    #[must_use]
    pub fn cut(cut: Prefix) -> Command {
        Command::housekeeping(0, Action::Cut(cut))
    }

    /// Whether it is a command of the replicas' own: no client asks for it.
    #[must_use]
    pub fn is_housekeeping(&self) -> bool {
        !matches!(self.action, Action::Apply(_))
    }

    /// A command of the replicas' own: of no session, and in conflict with everything.
    fn housekeeping(generation: u32, action: Action) -> Command {
        Command {
            request: RequestId { client: ClientId(0), number: 0 },
            acked_below: 0,
            generation,
            footprint: Footprint::Everything,
            action,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_is_printed() {
        let request = RequestId { client: ClientId(0xabc), number: 7 };
        assert_eq!((request.to_string(), format!("{request:?}")), ("cabc:7".to_owned(), "cabc#7".to_owned()));
        assert_eq!(("cabc:7".parse(), "cabc#7".parse()), (Ok(request), Ok(request)));
        for text in ["", "c", "7", "cabc", "cabc:", "c:7", "cxyz#1", "abc#1", "cabc#-1"] {
            assert!(text.parse::<RequestId>().is_err(), "{text}");
        }
    }
}
