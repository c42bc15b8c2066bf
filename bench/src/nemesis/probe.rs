use bytes::Bytes;
use isegoria::Endpoint;
use isegoria_kv::Op;
use isegoria_transport::WIRE_VERSION;
use isegoria_transport::client_port::{ClientHello, Connection, ConnectionOptions};
use isegoria_types::{ClientId, Outcome, Refusal, Request, RequestId};
use std::time::Duration;

/// How long one attempt waits for its answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// The time between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until one node answers by itself: it executes a read, or says who leads. (The
/// client library would go to another node, and hide a node that is stuck.)
///
/// # Errors
/// What it did last, if it does not answer within `limit`.
pub(crate) async fn await_answer(endpoint: &Endpoint, limit: Duration) -> Result<(), String> {
    let mut last = "it was not asked".to_owned();
    let asking = async {
        loop {
            match tokio::time::timeout(ANSWER_MAX, ask(endpoint)).await {
                Ok(Ok(())) => return,
                Ok(Err(why)) => last = why,
                Err(_) => last = "it took a read and did not answer".to_owned(),
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(limit, asking).await.map_err(|_| last)
}

async fn ask(endpoint: &Endpoint) -> Result<(), String> {
    let hello = ClientHello { wire: WIRE_VERSION, cluster: None, relation: None };
    let opened = Connection::open(endpoint, hello, ConnectionOptions::default()).await;
    let (connection, opened) = opened.map_err(|error| error.to_string())?;
    let payload = postcard::to_stdvec(&Op::Get(Bytes::from_static(b"probe"))).expect("encoding into memory");
    let request = Request {
        id: RequestId { client: ClientId(rand::random()), number: 0 },
        acked_below: 0,
        generation: opened.generation,
        patience_ms: u64::try_from(ANSWER_MAX.as_millis()).unwrap_or(u64::MAX),
        payload: payload.into(),
    };
    connection.submit(vec![request]).await.map_err(|error| error.to_string())?;
    loop {
        let replies = connection.replies().await.map_err(|error| error.to_string())?;
        match replies.into_iter().next().map(|reply| reply.outcome) {
            None => {}
            Some(Outcome::Done(_) | Outcome::Refused(Refusal::NotLeader { leader: Some(_) })) => {
                return Ok(());
            }
            Some(other) => return Err(format!("it said {other:?}")),
        }
    }
}
