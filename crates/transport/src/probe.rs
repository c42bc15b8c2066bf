//! Round-trip times between hosts before there is a cluster: each host runs a [`ProbeServer`], and
//! whoever wants the matrix has each of them measure the way to every other with [`ask`].
//!
//! A server measures only to the hosts of its own list, by their place in it: nobody can have it connect to
//! something else. What is measured is a call over an open connection, the encoding included.
//!
//! Not done here: no clocks are compared, so the two directions of a way are not told apart.

use crate::calls::{Calls, Closed};
use crate::codec::{ENVELOPE_BYTES, caller_transport, server_transport};
use crate::{Endpoint, Listener, Stream, dial};
use serde::{Deserialize, Serialize};
use service::{ProbeRequest, ProbeResponse};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tarpc::client::{Channel, Config, RpcError};
use tarpc::context;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// The most pings of one measurement.
pub const PING_COUNT_MAX: u32 = 1000;
/// The largest message: a time for each ping.
const FRAME_BYTES_MAX: usize = ENVELOPE_BYTES + 8 * PING_COUNT_MAX as usize;
/// How long a call may take, and a connection be silent.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest way that is measured.
const PING_MAX: Duration = Duration::from_secs(2);
/// Between two pings, so that they do not queue behind each other.
const PAUSE: Duration = Duration::from_millis(5);
/// Connections at once.
const CONNECTIONS_MAX: usize = 64;

/// Why a way could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nobody is there.
    #[error("cannot connect to {endpoint}: {source}; does `isegoria measure-rtt --here` run there?")]
    Dial {
        /// Where.
        endpoint: Endpoint,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody is there and does not answer as a probe does.
    #[error("{endpoint} does not answer: {why}")]
    Call {
        /// Where.
        endpoint: Endpoint,
        /// What happened.
        why: String,
    },
    /// It will not measure that.
    #[error("{endpoint}: {refusal}")]
    Refused {
        /// Where.
        endpoint: Endpoint,
        /// Why not.
        refusal: ProbeRefusal,
    },
}

/// Why a server does not measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ProbeRefusal {
    /// The caller has another list.
    #[error("it has another list of hosts; give the same --hosts everywhere")]
    OtherHosts,
    /// The host that was named, or the number of pings, is out of range.
    #[error("it was asked for what is not there")]
    OutOfRange,
    /// The way there could not be measured.
    #[error("{0}")]
    Unreached(String),
}

/// The hosts between which is measured: equal everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeHosts {
    /// A number that other lists do not have.
    pub list: u64,
    /// Where each host's probe listens.
    pub endpoints: Vec<Endpoint>,
}

/// Answers pings, and measures the way to other hosts; ends when it is dropped.
#[derive(Debug)]
pub struct ProbeServer {
    _task: AbortOnDropHandle<()>,
}

impl ProbeServer {
    /// Serves at `listener`; needs a tokio runtime.
    #[must_use]
    pub fn spawn(listener: Listener, hosts: ProbeHosts) -> ProbeServer {
        ProbeServer { _task: AbortOnDropHandle::new(tokio::spawn(accept(listener, Arc::new(hosts)))) }
    }
}

async fn accept(mut listener: Listener, hosts: Arc<ProbeHosts>) {
    let mut connections = JoinSet::new();
    loop {
        let stream = listener.accept_beside(&mut connections).await;
        if connections.len() < CONNECTIONS_MAX {
            let hosts = Arc::clone(&hosts);
            connections.spawn(async move {
                let closed = serve(stream, &hosts).await;
                tracing::debug!(?closed, "a probe's connection ended");
            });
        }
    }
}

async fn serve(stream: Stream, hosts: &ProbeHosts) -> Closed {
    let mut calls = Calls::new(server_transport(stream, FRAME_BYTES_MAX), PATIENCE);
    loop {
        let call = match tokio::time::timeout(PATIENCE, calls.next()).await {
            Ok(Ok(call)) => call.request,
            Ok(Err(closed)) => return closed,
            Err(_) => return Closed::Silent,
        };
        let answer = match call.message {
            ProbeRequest::Ping {} => ProbeResponse::Ping(()),
            ProbeRequest::Measure { list, to, count } => {
                ProbeResponse::Measure(measure_to(hosts, (list, to), count).await)
            }
        };
        if let Err(closed) = calls.answer(call.id, answer).await {
            return closed;
        }
    }
}

async fn measure_to(
    hosts: &ProbeHosts,
    (list, to): (u64, u32),
    count: u32,
) -> Result<Vec<u64>, ProbeRefusal> {
    if list != hosts.list {
        return Err(ProbeRefusal::OtherHosts);
    }
    let endpoint = hosts.endpoints.get(to as usize).ok_or(ProbeRefusal::OutOfRange)?;
    if !(1..=PING_COUNT_MAX).contains(&count) {
        return Err(ProbeRefusal::OutOfRange);
    }
    ping(endpoint, count).await.map_err(|error| ProbeRefusal::Unreached(error.to_string()))
}

/// The times of so many round trips from here, µs.
///
/// # Errors
/// If nobody answers there.
pub async fn ping(endpoint: &Endpoint, count: u32) -> Result<Vec<u64>, ProbeError> {
    let caller = Caller::connect(endpoint).await?;
    let mut times = Vec::new();
    // The first one finds the way cold.
    for number in 0..=count {
        let began = Instant::now();
        caller.call(ProbeRequest::Ping {}).await?;
        if number > 0 {
            times.push(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(times)
}

/// Has the host at `from` measure the way to host number `to` of the list: the times of `count` round trips, µs.
///
/// # Errors
/// If one of them does not answer, or the lists differ.
pub async fn ask(from: &Endpoint, list: u64, to: u32, count: u32) -> Result<Vec<u64>, ProbeError> {
    let caller = Caller::connect(from).await?;
    match caller.call(ProbeRequest::Measure { list, to, count }).await? {
        ProbeResponse::Measure(Ok(times)) => Ok(times),
        ProbeResponse::Measure(Err(refusal)) => Err(ProbeError::Refused { endpoint: from.clone(), refusal }),
        ProbeResponse::Ping(()) => Err(caller.failed("it answered with something else")),
    }
}

struct Caller {
    endpoint: Endpoint,
    channel: Channel<ProbeRequest, ProbeResponse>,
    _dispatch: AbortOnDropHandle<()>,
}

impl Caller {
    async fn connect(endpoint: &Endpoint) -> Result<Caller, ProbeError> {
        let failed = |source| ProbeError::Dial { endpoint: endpoint.clone(), source };
        let stream = tokio::time::timeout(PATIENCE, dial(endpoint)).await;
        let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(failed)?;
        let client = tarpc::client::new(Config::default(), caller_transport(stream, FRAME_BYTES_MAX));
        let dispatch = client.dispatch;
        let dispatch = AbortOnDropHandle::new(tokio::spawn(async { drop(dispatch.await) }));
        Ok(Caller { endpoint: endpoint.clone(), channel: client.client, _dispatch: dispatch })
    }

    async fn call(&self, request: ProbeRequest) -> Result<ProbeResponse, ProbeError> {
        let mut context = context::current();
        // A measurement takes as long as its pings do, and each of them may take a while.
        let pings =
            if let ProbeRequest::Measure { count, .. } = &request { count.saturating_add(1) } else { 1 };
        context.deadline = Instant::now() + 2 * PATIENCE + pings.min(PING_COUNT_MAX + 1) * (PAUSE + PING_MAX);
        let answer = self.channel.call(context, request).await;
        answer.map_err(|error: RpcError| self.failed(&error.to_string()))
    }

    fn failed(&self, why: &str) -> ProbeError {
        ProbeError::Call { endpoint: self.endpoint.clone(), why: why.to_owned() }
    }
}

/// The service as tarpc sees it.
mod service {
    // The generated stub and trait are not used (see the crate's documentation).
    #![allow(dead_code, unreachable_pub)]

    use super::ProbeRefusal;

    #[tarpc::service]
    pub(crate) trait Probe {
        /// Answers.
        async fn ping();
        /// Measures round trips to a host of the list, µs.
        async fn measure(list: u64, to: u32, count: u32) -> Result<Vec<u64>, ProbeRefusal>;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn host() -> (Listener, Endpoint) {
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let endpoint = listener.endpoint().unwrap();
        (listener, endpoint)
    }

    #[tokio::test]
    async fn hosts_measure_the_way_to_each_other_and_to_nobody_else() {
        let (a, b) = (host().await, host().await);
        let hosts =
            ProbeHosts { list: 7, endpoints: vec![a.1.clone(), b.1.clone(), "127.0.0.1:1".parse().unwrap()] };
        let _servers = [ProbeServer::spawn(a.0, hosts.clone()), ProbeServer::spawn(b.0, hosts)];
        let times = ask(&a.1, 7, 1, 5).await.unwrap();
        assert!(times.len() == 5 && times.iter().all(|us| *us > 0), "{times:?}");
        assert_eq!(ping(&b.1, 2).await.unwrap().len(), 2);
        let refusal = async |list, to, count| match ask(&a.1, list, to, count).await {
            Err(ProbeError::Refused { refusal, .. }) => refusal,
            other => panic!("{other:?}"),
        };
        assert_eq!(refusal(8, 1, 5).await, ProbeRefusal::OtherHosts);
        assert_eq!(refusal(7, 3, 5).await, ProbeRefusal::OutOfRange);
        assert_eq!(refusal(7, 1, PING_COUNT_MAX + 1).await, ProbeRefusal::OutOfRange);
        assert!(matches!(refusal(7, 2, 1).await, ProbeRefusal::Unreached(_)), "nobody listens there");
        assert!(matches!(ping(&"127.0.0.1:1".parse().unwrap(), 1).await, Err(ProbeError::Dial { .. })));
    }
}
