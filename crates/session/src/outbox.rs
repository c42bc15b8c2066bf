use crate::SubmitError;
use bytes::Bytes;
use isegoria_types::{NodeId, Request, RequestId};

/// Times and limits of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Requests without a completion; above it `submit` refuses.
    pub in_flight_max: usize,
    /// How long an answer is waited for before the request goes to another node, ms.
    /// Doubled with every attempt.
    pub retry_ms: u64,
    /// The longest such wait, ms.
    pub retry_ms_max: u64,
    /// The first pause after a refusal, ms. Doubled with every attempt.
    pub refused_ms: u64,
    /// How long after its submission a request completes whatever happens, ms.
    pub deadline_ms: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            in_flight_max: 1024,
            retry_ms: 1_000,
            retry_ms_max: 8_000,
            refused_ms: 20,
            deadline_ms: 30_000,
        }
    }
}

/// A request's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Which request.
    pub request: RequestId,
    /// The state machine's output, or why there is none.
    pub result: Result<Bytes, SubmitError>,
}

/// What a session wants: shared by all sessions of a driver, which empties it.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Requests to send, first in, first out.
    pub sends: Vec<(NodeId, Request)>,
    /// Ends to report.
    pub completions: Vec<Completion>,
}
