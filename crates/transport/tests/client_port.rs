//! The client port: what a connection promises, and what a bad client gets.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // L4: sockets and clocks.
#![allow(clippy::unwrap_used)] // Helpers of tests too.

use bytes::Bytes;
use isegoria_transport::client_port::{
    ClientHello, ClientServer, ClientServerOptions, ClientSink, Connection, ConnectionId, ConnectionLost,
    ConnectionOptions, LocalPort, OpenError, Opened, Question, ReplySender,
};
use isegoria_transport::{Endpoint, Listener, Mismatch, WIRE_VERSION, dial};
use isegoria_types::{ClientId, NodeId, Outcome, Reply, Request, RequestId};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

/// Echoes payloads, and remembers the numbers of the requests.
#[derive(Clone, Default)]
struct Echo {
    senders: Arc<Mutex<BTreeMap<ConnectionId, ReplySender>>>,
    arrived: Arc<Mutex<Vec<u64>>>,
}

impl ClientSink for Echo {
    fn welcome(&self) -> Opened {
        let node = NodeId::new(4);
        Opened { cluster: 0xc1, node, relation: 9, generation: 3, payload_bytes_max: 1 << 20, peers: vec![] }
    }

    fn opened(&self, connection: ConnectionId, replies: ReplySender) {
        self.senders.lock().insert(connection, replies);
    }

    fn submit(&self, connection: ConnectionId, requests: Vec<Request>) {
        let senders = self.senders.lock();
        for request in requests {
            self.arrived.lock().push(request.id.number);
            let reply = Reply { request: request.id, outcome: Outcome::Done(request.payload) };
            senders[&connection].push([reply]);
        }
        senders[&connection].flush();
    }

    fn ask(&self, _: Question) -> oneshot::Receiver<String> {
        let (answer, receiver) = oneshot::channel();
        let _ = answer.send(format!("{{\"arrived\":{}}}", self.arrived.lock().len()));
        receiver
    }

    fn closed(&self, connection: ConnectionId) {
        self.senders.lock().remove(&connection);
    }
}

fn hello() -> ClientHello {
    ClientHello { wire: WIRE_VERSION, cluster: Some(0xc1), relation: Some(9) }
}

async fn serve(options: ClientServerOptions) -> (ClientServer, Echo, Endpoint) {
    let listener = Listener::bind(&Endpoint::loopback()).await.unwrap();
    let endpoint = listener.endpoint().unwrap();
    let echo = Echo::default();
    (ClientServer::spawn(listener, options, Arc::new(echo.clone())), echo, endpoint)
}

async fn open(endpoint: &Endpoint) -> Connection {
    Connection::open(endpoint, hello(), ConnectionOptions::default()).await.unwrap().0
}

fn requests(numbers: std::ops::Range<u64>, bytes: usize) -> Vec<Request> {
    let id = |number| RequestId { client: ClientId(1), number };
    let payload = Bytes::from(vec![5; bytes]);
    numbers
        .map(|number| Request {
            id: id(number),
            acked_below: 0,
            generation: 3,
            patience_ms: 1_000,
            payload: payload.clone(),
        })
        .collect()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("within 20 s")
}

async fn until(condition: impl Fn() -> bool) {
    within(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_waiting_ask_for_replies_does_not_block_submissions() {
    let (_server, echo, endpoint) = serve(ClientServerOptions::default()).await;
    let connection = open(&endpoint).await;
    let asking = tokio::spawn({
        let connection = connection.clone();
        async move { connection.replies().await }
    });
    tokio::task::yield_now().await;
    within(connection.submit(requests(0..500, 8))).await.unwrap();
    let replies = within(asking).await.unwrap().unwrap();
    assert_eq!(replies.len(), 500, "all that wait go in one answer");
    assert!(echo.arrived.lock().iter().copied().eq(0..500));
}

#[tokio::test]
async fn what_a_node_counts_can_be_asked_beside_other_calls() {
    let (_server, _echo, endpoint) = serve(ClientServerOptions::default()).await;
    let connection = open(&endpoint).await;
    assert_eq!(within(connection.ask(Question::Status)).await.unwrap(), r#"{"arrived":0}"#);
    within(connection.submit(requests(0..5, 8))).await.unwrap();
    assert_eq!(within(connection.ask(Question::Status)).await.unwrap(), r#"{"arrived":5}"#);
}

#[tokio::test]
async fn large_submissions_and_replies_are_cut_at_the_frame_limit() {
    let (_server, echo, endpoint) = serve(ClientServerOptions::default()).await;
    let connection = open(&endpoint).await;
    within(connection.submit(requests(0..40, 1 << 20))).await.unwrap();
    assert!(echo.arrived.lock().iter().copied().eq(0..40));
    let mut numbers = Vec::new();
    while numbers.len() < 40 {
        let replies = within(connection.replies()).await.unwrap();
        assert!((1..8).contains(&replies.len()), "{} replies", replies.len());
        numbers.extend(replies.iter().map(|reply| reply.request.number));
    }
    assert!(numbers.into_iter().eq(0..40));
}

#[tokio::test]
async fn an_idle_ask_is_answered_with_nothing() {
    let (_server, _, endpoint) =
        serve(ClientServerOptions { poll_ms: 40, ..ClientServerOptions::default() }).await;
    let connection = open(&endpoint).await;
    assert_eq!(within(connection.replies()).await, Ok(vec![]));
    within(connection.submit(requests(0..1, 1))).await.unwrap();
    assert_eq!(within(connection.replies()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_client_that_takes_no_replies_is_disconnected() {
    let options = ClientServerOptions { reply_bytes_max: 100_000, ..ClientServerOptions::default() };
    let (server, echo, endpoint) = serve(options).await;
    let connection = open(&endpoint).await;
    assert_eq!(echo.senders.lock().len(), 1);
    let mut number = 0;
    while within(connection.submit(requests(number..number + 1, 10_000))).await.is_ok() {
        number += 1;
        assert!(number < 1_000);
    }
    until(|| server.refused_count() == 1 && echo.senders.lock().is_empty()).await;
    assert_eq!(within(connection.replies()).await, Err(ConnectionLost));
}

#[tokio::test]
async fn a_dropped_connection_is_told_to_the_sink() {
    let (server, echo, endpoint) = serve(ClientServerOptions::default()).await;
    let connection = open(&endpoint).await;
    drop(connection);
    until(|| echo.senders.lock().is_empty()).await;
    let _again = open(&endpoint).await;
    let sender = echo.senders.lock().values().next().cloned().unwrap();
    drop(server);
    until(|| !sender.is_open()).await;
    assert!(echo.senders.lock().is_empty());
}

#[tokio::test]
async fn a_wrong_hello_is_refused_with_both_values() {
    let (server, echo, endpoint) = serve(ClientServerOptions::default()).await;
    for (hello, mismatch) in [
        (ClientHello { wire: 77, ..hello() }, Mismatch::Wire { ours: WIRE_VERSION, yours: 77 }),
        (ClientHello { cluster: Some(2), ..hello() }, Mismatch::Cluster { ours: 0xc1, yours: 2 }),
        (ClientHello { relation: Some(8), ..hello() }, Mismatch::Relation { ours: 9, yours: 8 }),
    ] {
        match Connection::open(&endpoint, hello, ConnectionOptions::default()).await {
            Err(OpenError::Refused { mismatch: refused, .. }) => assert_eq!(refused, mismatch),
            other => panic!("{other:?}"),
        }
    }
    until(|| server.refused_count() == 3).await;
    assert!(echo.senders.lock().is_empty());
    let (_, opened) = Connection::open(&endpoint, hello(), ConnectionOptions::default()).await.unwrap();
    assert_eq!((opened.node, opened.generation), (NodeId::new(4), 3));
}

#[tokio::test]
async fn garbage_and_silence_close_their_connection() {
    let (server, _, endpoint) =
        serve(ClientServerOptions { idle_ms: 50, ..ClientServerOptions::default() }).await;
    // The last is a call for replies before the hello.
    let cases: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"*3\r\n$3\r\nSET\r\n",
        b"\x00\x00\x00\x03abc",
        b"\x00\x00",
        b"\x00\x00\x00\x03\x00\x00\x02",
    ];
    for bytes in cases {
        let mut stream = dial(&endpoint).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        assert_eq!(within(stream.read(&mut [0; 8])).await.unwrap_or(0), 0);
    }
    until(|| server.refused_count() == 6).await;
}

/// A server that answers with bytes of its own choice must not hurt the caller.
#[tokio::test]
async fn a_stranger_behind_the_port_is_an_error() {
    let mut listener = Listener::bind(&Endpoint::loopback()).await.unwrap();
    let endpoint = listener.endpoint().unwrap();
    let server = tokio::spawn(async move {
        // Garbage, then a well-formed answer of the wrong kind: `submit` to an `open`.
        for bytes in [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"\x00\x00\x00\x03\x00\x00\x01"] {
            let mut stream = listener.accept().await;
            let _ = stream.read(&mut [0; 64]).await;
            stream.write_all(bytes).await.unwrap();
        }
        listener.accept().await
    });
    let options = ConnectionOptions { open_ms: 100, ..ConnectionOptions::default() };
    for _ in 0..2 {
        let refused = within(Connection::open(&endpoint, hello(), options)).await;
        assert!(matches!(refused, Err(OpenError::Stranger { .. })), "{refused:?}");
    }
    let silent = within(Connection::open(&endpoint, hello(), options)).await;
    assert!(matches!(silent, Err(OpenError::Silent { open_ms: 100, .. })), "{silent:?}");
    drop(server);
}

#[tokio::test]
async fn a_port_within_the_process_carries_requests_and_replies() {
    let (port, echo) = (LocalPort::default(), Echo::default());
    let waiting = tokio::spawn({
        let port = port.clone();
        async move { Connection::local(&port).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "it waits until the node serves");
    port.open(Arc::new(echo.clone()));
    let (connection, opened) = within(waiting).await.unwrap().unwrap();
    assert!(opened.check(&hello()).is_ok());
    let asks = tokio::spawn({
        let connection = connection.clone();
        async move { connection.replies().await }
    });
    connection.submit(requests(0..2, 1)).await.unwrap();
    let numbers: Vec<u64> =
        within(asks).await.unwrap().unwrap().iter().map(|reply| reply.request.number).collect();
    assert_eq!(numbers, [0, 1]);
    assert_eq!(connection.ask(Question::Status).await.unwrap(), "{\"arrived\":2}");
    drop(connection);
    assert!(echo.senders.lock().is_empty(), "the node hears that the client is gone");
}

#[tokio::test]
async fn connections_within_the_process_end_with_the_node() {
    let (port, echo) = (LocalPort::default(), Echo::default());
    port.open(Arc::new(echo.clone()));
    let (first, _) = Connection::local(&port).await.unwrap();
    let asks = tokio::spawn({
        let first = first.clone();
        async move { first.replies().await }
    });
    tokio::task::yield_now().await;
    port.open(Arc::new(echo.clone()));
    assert_eq!(within(asks).await.unwrap(), Err(ConnectionLost), "another node serves there now");
    assert_eq!(first.submit(requests(0..1, 1)).await, Err(ConnectionLost));
    let (second, _) = Connection::local(&port).await.unwrap();
    port.close();
    assert_eq!(within(second.replies()).await, Err(ConnectionLost));
    port.stop();
    assert!(matches!(within(Connection::local(&port)).await, Err(OpenError::Stopped)));
}
