//! One contract, three kinds of streams: what holds over TCP holds over Unix sockets
//! and in memory.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // L4: sockets and clocks.
#![allow(clippy::unwrap_used)] // Helpers of tests too.

use bytes::{BufMut, Bytes};
use isegoria_transport::peer::{Identity, PeerServerOptions};
use isegoria_transport::{
    Distance, Endpoint, Lateness, Link, LinkHandle, LinkOptions, LinkState, Listener, Mismatch, PeerServer,
    PeerSink, WIRE_VERSION, dial, frames,
};
use isegoria_types::{Incarnation, NodeId, NodeSet};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

/// Runs a test over each kind of stream.
macro_rules! over_each_kind {
    ($($name:ident),* $(,)?) => {
        mod tcp { $(#[tokio::test] async fn $name() { super::$name(super::place("tcp")).await; })* }
        mod unix { $(#[tokio::test] async fn $name() { super::$name(super::place("unix")).await; })* }
        mod memory { $(#[tokio::test] async fn $name() { super::$name(super::place("memory")).await; })* }
    };
}

over_each_kind!(
    frames_arrive_in_order_and_are_counted,
    a_restarted_server_is_found_again,
    frames_to_an_absent_peer_are_dropped_and_counted,
    a_wrong_hello_is_refused_with_both_values,
    large_frames_pass_and_too_large_ones_do_not,
    a_full_sink_is_counted_at_the_sender,
    a_full_queue_drops_what_is_new,
    garbage_closes_its_connection_only,
    silence_before_the_hello_is_not_waited_out,
    a_peer_that_stops_answering_is_noticed,
    a_full_window_delays_frames_but_not_for_a_round_trip,
    a_delivery_before_the_hello_is_refused,
    an_older_incarnation_is_refused,
    a_learner_is_let_in,
    a_far_peer_gets_frames_late,
);

/// An endpoint of one kind, and the folder that holds it.
struct Place {
    endpoint: Endpoint,
    _folder: tempfile::TempDir,
}

/// The answer to call 0: hello, accepted, by node 0, whose incarnation is all ones.
const WELCOME: &[u8] = b"\x00\x00\x00\x09\x00\x00\x00\x00\x00\x01\x01\x01\x00";

fn place(kind: &str) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = match kind {
        "tcp" => Endpoint::loopback(),
        "unix" => Endpoint::Unix(folder.path().join("peer")),
        _ => Endpoint::Memory(String::new()),
    };
    Place { endpoint, _folder: folder }
}

/// Remembers the numbers in the frames that arrive.
#[derive(Clone, Default)]
struct Sink(Arc<Arrived>);

#[derive(Default)]
struct Arrived {
    lengths: Mutex<Vec<(NodeId, usize)>>,
    numbers: Mutex<Vec<u64>>,
    changed: Notify,
    full: AtomicBool,
}

impl PeerSink for Sink {
    fn deliver(&self, from: NodeId, buffer: Bytes) -> bool {
        if self.0.full.load(Ordering::Relaxed) {
            return false;
        }
        for frame in frames(&buffer) {
            let frame = frame.unwrap();
            self.0.lengths.lock().push((from, frame.len()));
            if let Some((number, _)) = frame.split_first_chunk() {
                self.0.numbers.lock().push(u64::from_be_bytes(*number));
            }
        }
        self.0.changed.notify_one();
        true
    }
}

impl Sink {
    async fn until(&self, enough: impl Fn(&[u64]) -> bool) -> Vec<u64> {
        loop {
            let numbers = self.0.numbers.lock().clone();
            if enough(&numbers) {
                return numbers;
            }
            within(self.0.changed.notified()).await;
        }
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("within 20 s")
}

/// Waits for something that has no signal of its own.
async fn until(condition: impl Fn() -> bool) {
    within(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

fn identity(node: usize) -> Identity {
    Identity {
        cluster: 0xc1,
        node: NodeId::new(node),
        members: NodeSet::first(3),
        relation: 1,
        wire: WIRE_VERSION,
        incarnation: Incarnation { directory: 1, start: 1, nonce: 1 },
        log_end: 0,
        learner: false,
    }
}

async fn serve(endpoint: &Endpoint, options: PeerServerOptions) -> (PeerServer, Sink, Endpoint) {
    let listener = Listener::bind(endpoint).await.unwrap();
    let endpoint = listener.endpoint().unwrap();
    let sink = Sink::default();
    (PeerServer::spawn(listener, identity(0), options, sink.clone()), sink, endpoint)
}

fn link(endpoint: &Endpoint) -> Link {
    Link {
        identity: identity(1),
        to: NodeId::new(0),
        endpoint: endpoint.clone(),
        options: LinkOptions::default(),
        lateness: Lateness::default(),
    }
}

async fn state(link: &LinkHandle, wanted: impl Fn(&LinkState) -> bool) -> LinkState {
    within(link.state().wait_for(|state| wanted(state))).await.unwrap().clone()
}

fn send(link: &LinkHandle, number: u64) -> bool {
    link.send(|out| out.put_u64(number)).is_ok()
}

async fn frames_arrive_in_order_and_are_counted(place: Place) {
    let (_server, sink, endpoint) = serve(&place.endpoint, PeerServerOptions::default()).await;
    let link = link(&endpoint).spawn();
    let up = state(&link, LinkState::is_up).await;
    assert!(matches!(up, LinkState::Up { welcome, .. } if welcome.node == NodeId::new(0)));
    for number in 0..20_000 {
        assert!(send(&link, number));
        if number % 7 == 0 {
            link.flush();
        }
        if number % 501 == 0 {
            tokio::task::yield_now().await;
        }
    }
    link.flush();
    let arrived = sink.until(|numbers| numbers.len() >= 20_000).await;
    assert!(arrived.into_iter().eq(0..20_000));
    assert_eq!(sink.0.lengths.lock()[0], (NodeId::new(1), 8));
    until(|| link.sent_count() == 20_000).await;
    assert_eq!(link.dropped_count(), 0);
    assert!(link.call_count() < 10_000, "{} calls", link.call_count());
}

async fn a_restarted_server_is_found_again(place: Place) {
    let (server, sink, endpoint) = serve(&place.endpoint, PeerServerOptions::default()).await;
    let link = link(&endpoint).spawn();
    let mut sent = 0;
    let mut one = |link: &LinkHandle| {
        assert!(send(link, sent));
        link.flush();
        sent += 1;
        sent
    };
    state(&link, LinkState::is_up).await;
    one(&link);
    sink.until(|numbers| numbers == [0]).await;
    drop(server);
    state(&link, |state| *state == LinkState::Down).await;
    one(&link);
    until(|| link.dropped_count() == 1).await;
    let (_server, sink, _) = serve(&endpoint, PeerServerOptions::default()).await;
    state(&link, LinkState::is_up).await;
    let total = one(&link);
    assert_eq!(sink.until(|numbers| !numbers.is_empty()).await, [2]);
    until(|| link.sent_count() + link.dropped_count() == total).await;
    assert_eq!(link.sent_count(), 2);
}

async fn frames_to_an_absent_peer_are_dropped_and_counted(place: Place) {
    let (server, _, endpoint) = serve(&place.endpoint, PeerServerOptions::default()).await;
    drop(server);
    until(|| dialed(&endpoint)).await;
    let link = link(&endpoint).spawn();
    for number in 0..100 {
        assert!(send(&link, number));
    }
    link.flush();
    until(|| link.dropped_count() == 100).await;
    assert_eq!((link.sent_count(), link.call_count()), (0, 0));
}

/// Whether nobody listens there.
fn dialed(endpoint: &Endpoint) -> bool {
    use futures::FutureExt;
    match endpoint {
        Endpoint::Tcp { host, port } => std::net::TcpStream::connect((host.as_str(), *port)).is_err(),
        _ => dial(endpoint).now_or_never().is_some_and(|outcome| outcome.is_err()),
    }
}

async fn a_wrong_hello_is_refused_with_both_values(place: Place) {
    let (server, sink, endpoint) = serve(&place.endpoint, PeerServerOptions::default()).await;
    let good = link(&endpoint);
    let mut wrong = good.clone();
    wrong.identity.cluster = 0xbad;
    let mut stranger = good.clone();
    stranger.to = NodeId::new(2);
    for (case, refused) in [(wrong, "bad"), (stranger, "n3")] {
        let link = case.spawn();
        send(&link, 1);
        link.flush();
        let LinkState::Refused(mismatch) = state(&link, |state| matches!(state, LinkState::Refused(_))).await
        else {
            unreachable!("awaited")
        };
        assert!(mismatch.to_string().contains(refused), "{mismatch}");
        until(|| link.dropped_count() == 1).await;
    }
    assert!(server.refused_count() >= 2 && sink.0.lengths.lock().is_empty());
}

async fn large_frames_pass_and_too_large_ones_do_not(place: Place) {
    let (_server, sink, endpoint) = serve(&place.endpoint, PeerServerOptions::default()).await;
    let link = link(&endpoint).spawn();
    state(&link, LinkState::is_up).await;
    let limit = isegoria_transport::FRAME_BYTES_MAX;
    let lengths = [limit - 1_000, 3_000_000, 10, 3_000_000, 900_000, 0, 900_000];
    for length in lengths {
        link.send(|out| out.put_bytes(7, length)).unwrap();
    }
    assert!(link.send(|out| out.put_bytes(7, limit)).is_err());
    assert_eq!(link.dropped_count(), 1);
    link.flush();
    until(|| link.sent_count() == lengths.len() as u64).await;
    let arrived: Vec<usize> = sink.0.lengths.lock().iter().map(|(_, length)| *length).collect();
    assert_eq!(arrived, lengths);
}

async fn a_full_sink_is_counted_at_the_sender(place: Place) {
    let (server, sink, endpoint) = serve(&place.endpoint, PeerServerOptions::default()).await;
    let link = link(&endpoint).spawn();
    state(&link, LinkState::is_up).await;
    sink.0.full.store(true, Ordering::Relaxed);
    (0..10).for_each(|number| assert!(send(&link, number)));
    link.flush();
    until(|| link.dropped_count() == 10).await;
    assert!(server.dropped_call_count() >= 1 && state(&link, LinkState::is_up).await.is_up());
}

async fn a_full_queue_drops_what_is_new(place: Place) {
    let (_server, sink, endpoint) = serve(&place.endpoint, PeerServerOptions::default()).await;
    let mut link = link(&endpoint);
    link.options.queue_bytes_max = 1_200;
    let link = link.spawn();
    state(&link, LinkState::is_up).await;
    let taken = (0..1_000).filter(|number| send(&link, *number)).count() as u64;
    assert_eq!((taken, link.dropped_count()), (100, 900));
    link.flush();
    assert!(sink.until(|numbers| numbers.len() >= 100).await.into_iter().eq(0..100));
}

async fn garbage_closes_its_connection_only(place: Place) {
    let (server, sink, endpoint) = serve(&place.endpoint, PeerServerOptions::default()).await;
    let link = link(&endpoint).spawn();
    state(&link, LinkState::is_up).await;
    let mut cases: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: n1\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"*1\r\n$4\r\nPING\r\n".to_vec(),
        b"\xff\xff\xff\xff".to_vec(),
        b"\x00\x00\x00\x04\xff\xff\xff\xff".to_vec(),
        // A call with a body that claims to be longer than the message.
        b"\x00\x00\x00\x08\x00\x01\x01\xff\xff\xff\xff\x0f".to_vec(),
    ];
    let seeded = |seed: u64| {
        (0..40).map(move |i| seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_right(i).to_be_bytes()[0])
    };
    cases.extend((1..200).map(|seed| [&[0, 0, 0, 36][..], &seeded(seed).collect::<Vec<_>>()].concat()));
    let count = cases.len() as u64;
    for bytes in cases {
        let mut stream = dial(&endpoint).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let mut rest = Vec::new();
        let _ = within(stream.read_to_end(&mut rest)).await;
        assert!(rest.is_empty(), "no answer to garbage");
    }
    until(|| server.refused_count() == count).await;
    send(&link, 5);
    link.flush();
    assert_eq!(sink.until(|numbers| !numbers.is_empty()).await, [5]);
    assert_eq!(link.dropped_count(), 0);
}

async fn silence_before_the_hello_is_not_waited_out(place: Place) {
    let options = PeerServerOptions { idle_ms: 50, ..PeerServerOptions::default() };
    let (server, _, endpoint) = serve(&place.endpoint, options).await;
    for bytes in [&b""[..], b"\x00\x00", b"\x00\x00\x00\x20\x00"] {
        let mut stream = dial(&endpoint).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let _ = within(stream.read(&mut [0; 8])).await;
    }
    until(|| server.refused_count() == 3).await;
}

async fn a_peer_that_stops_answering_is_noticed(place: Place) {
    let mut listener = Listener::bind(&place.endpoint).await.unwrap();
    let mut link = link(&listener.endpoint().unwrap());
    link.options = LinkOptions { heartbeat_ms: 20, silence_ms: 100, ..LinkOptions::default() };
    let link = link.spawn();
    // Accepts, and never says a word.
    let _mute = listener.accept().await;
    send(&link, 1);
    link.flush();
    state(&link, |state| *state == LinkState::Down).await;
    until(|| link.dropped_count() == 1).await;
    // Welcomes, then stops.
    let mut stopped = listener.accept().await;
    stopped.write_all(WELCOME).await.unwrap();
    state(&link, LinkState::is_up).await;
    (2..9).for_each(|number| assert!(send(&link, number)));
    link.flush();
    until(|| link.call_count() >= 1).await;
    assert_eq!(link.dropped_count(), 1);
    state(&link, |state| *state == LinkState::Down).await;
    until(|| link.dropped_count() == 8).await;
    assert_eq!(link.sent_count(), 0);
}

async fn a_full_window_delays_frames_but_not_for_a_round_trip(place: Place) {
    for (linger_ms, calls) in [(1, 20), (60_000, 1)] {
        let mut listener = Listener::bind(&place.endpoint).await.unwrap();
        let mut link = link(&listener.endpoint().unwrap());
        link.options = LinkOptions { window_max: 1, linger_ms, ..LinkOptions::default() };
        let link = link.spawn();
        // A peer so far away that no answer comes during this test.
        let mut far = listener.accept().await;
        far.write_all(WELCOME).await.unwrap();
        state(&link, LinkState::is_up).await;
        until(|| link.call_count() >= 1).await;
        for number in 0..20 {
            send(&link, number);
            link.flush();
            let before = link.call_count();
            let _ =
                tokio::time::timeout(Duration::from_millis(5), until(|| link.call_count() > before)).await;
        }
        if linger_ms == 1 {
            until(|| link.call_count() >= calls / 2).await;
        } else {
            assert_eq!(link.call_count(), calls);
        }
    }
}

async fn a_delivery_before_the_hello_is_refused(place: Place) {
    let (server, sink, endpoint) = serve(&place.endpoint, PeerServerOptions::default()).await;
    let mut stream = dial(&endpoint).await.unwrap();
    // Call 0 of the peer service: deliver, one empty frame.
    stream.write_all(b"\x00\x00\x00\x08\x00\x00\x01\x04\x00\x00\x00\x00").await.unwrap();
    assert_eq!(within(stream.read(&mut [0; 8])).await.unwrap_or(0), 0);
    until(|| server.refused_count() == 1).await;
    assert!(sink.0.lengths.lock().is_empty());
}

/// Frames take the way once, however many there are, and arrive in order.
async fn a_far_peer_gets_frames_late(place: Place) {
    let (_server, sink, endpoint) = serve(&place.endpoint, PeerServerOptions::default()).await;
    let mut far = link(&endpoint);
    far.options.distance = Distance { one_way: Duration::from_millis(150), ..Distance::default() };
    let far = far.spawn();
    state(&far, LinkState::is_up).await;
    let began = std::time::Instant::now();
    for number in 0..200 {
        send(&far, number);
        far.flush();
        tokio::task::yield_now().await;
    }
    let numbers = sink.until(|numbers| numbers.len() == 200).await;
    let passed = began.elapsed();
    assert!(numbers.into_iter().eq(0..200));
    assert!(passed >= Duration::from_millis(150) && passed < Duration::from_secs(5), "{passed:?}");
    until(|| far.sent_count() == 200 && far.dropped_count() == 0).await;
}

/// It takes the place of a node that started often, whatever its own count is.
async fn a_learner_is_let_in(place: Place) {
    let (_server, sink, endpoint) = serve(&place.endpoint, PeerServerOptions::default()).await;
    let mut lost = link(&endpoint);
    lost.identity.incarnation.start = 9;
    let lost = lost.spawn();
    state(&lost, LinkState::is_up).await;
    drop(lost);
    let mut learner = link(&endpoint);
    (learner.identity.incarnation.directory, learner.identity.learner) = (2, true);
    let learner = learner.spawn();
    state(&learner, LinkState::is_up).await;
    send(&learner, 4);
    learner.flush();
    assert_eq!(sink.until(|numbers| !numbers.is_empty()).await, [4]);
}

async fn an_older_incarnation_is_refused(place: Place) {
    let (_server, sink, endpoint) = serve(&place.endpoint, PeerServerOptions::default()).await;
    let mut newer = link(&endpoint);
    newer.identity.incarnation.start = 2;
    let newer = newer.spawn();
    state(&newer, LinkState::is_up).await;
    let older = link(&endpoint).spawn();
    let refused = state(&older, |state| matches!(state, LinkState::Refused(_))).await;
    assert!(matches!(refused, LinkState::Refused(Mismatch::Incarnation { ours: 2, yours: 1, .. })));
    send(&newer, 3);
    newer.flush();
    assert_eq!(sink.until(|numbers| !numbers.is_empty()).await, [3]);
}
