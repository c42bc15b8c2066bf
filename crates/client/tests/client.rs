//! Clients and pools against nodes that only echo, over real sockets.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // L4: sockets and clocks.
#![allow(clippy::unwrap_used)] // Helpers of tests too.

use bytes::Bytes;
use isegoria_client::{Client, ClientError, ClientOptions, Completed, Endpoint, Pool, SubmitError};
use isegoria_session::Options;
use isegoria_transport::Listener;
use isegoria_transport::client_port::{
    ClientServer, ClientServerOptions, ClientSink, ConnectionId, Opened, PeerAddress, ReplySender,
};
use isegoria_types::{NodeId, Outcome, Refusal, Reply, Request, RequestId};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What all nodes of a fake cluster share: they agree on everything at once.
#[derive(Default)]
struct Cluster {
    executed: BTreeSet<RequestId>,
    generation: u32,
    arrival_count: u64,
    submit_call_count: u64,
    peers: Vec<PeerAddress>,
}

/// How a node takes requests.
#[derive(Clone)]
enum Mood {
    Echo,
    /// Executes, and does not say so.
    Mute,
    /// Loses what comes.
    Deaf,
    Refuse(Refusal),
}

#[derive(Clone)]
struct Node {
    id: NodeId,
    cluster: Arc<Mutex<Cluster>>,
    mood: Arc<Mutex<Mood>>,
    senders: Arc<Mutex<BTreeMap<ConnectionId, ReplySender>>>,
}

impl Node {
    fn outcome(&self, request: &Request) -> Option<Outcome> {
        let mut cluster = self.cluster.lock();
        cluster.arrival_count += 1;
        if request.generation < cluster.generation {
            return Some(Outcome::Refused(Refusal::SessionExpired));
        }
        let mood = self.mood.lock().clone();
        match mood {
            Mood::Deaf => None,
            Mood::Refuse(refusal) => Some(Outcome::Refused(refusal)),
            Mood::Echo | Mood::Mute => {
                cluster.executed.insert(request.id);
                matches!(mood, Mood::Echo).then(|| Outcome::Done(request.payload.clone()))
            }
        }
    }
}

impl ClientSink for Node {
    fn welcome(&self) -> Opened {
        let cluster = self.cluster.lock();
        Opened {
            cluster: 0xc1,
            node: self.id,
            relation: 1,
            generation: cluster.generation,
            payload_bytes_max: 1 << 20,
            peers: cluster.peers.clone(),
        }
    }

    fn opened(&self, connection: ConnectionId, replies: ReplySender) {
        self.senders.lock().insert(connection, replies);
    }

    fn submit(&self, connection: ConnectionId, requests: Vec<Request>) {
        self.cluster.lock().submit_call_count += 1;
        let senders = self.senders.lock();
        let sender = &senders[&connection];
        let reply = |request: &Request| Some(Reply { request: request.id, outcome: self.outcome(request)? });
        sender.push(requests.iter().filter_map(reply));
        sender.flush();
    }

    fn closed(&self, connection: ConnectionId) {
        self.senders.lock().remove(&connection);
    }
}

/// A cluster of nodes that agree by sharing memory.
struct Fake {
    cluster: Arc<Mutex<Cluster>>,
    nodes: Vec<Node>,
    servers: Vec<Option<ClientServer>>,
    endpoints: Vec<Endpoint>,
}

impl Fake {
    async fn start(count: usize) -> Fake {
        let cluster = Arc::new(Mutex::new(Cluster::default()));
        let mut fake = Fake { cluster, nodes: vec![], servers: vec![], endpoints: vec![] };
        for index in 0..count {
            let id = NodeId::new(index);
            let (cluster, mood) = (fake.cluster.clone(), Arc::new(Mutex::new(Mood::Echo)));
            fake.nodes.push(Node { id, cluster, mood, senders: Arc::default() });
            fake.endpoints.push(Endpoint::loopback());
            fake.servers.push(None);
            fake.serve(index).await;
            let client = fake.endpoints[index].to_string();
            fake.cluster.lock().peers.push(PeerAddress { node: id, name: id.to_string(), client });
        }
        fake
    }

    async fn serve(&mut self, index: usize) {
        let listener = Listener::bind(&self.endpoints[index]).await.unwrap();
        self.endpoints[index] = listener.endpoint().unwrap();
        let options = ClientServerOptions { poll_ms: 200, ..ClientServerOptions::default() };
        self.servers[index] =
            Some(ClientServer::spawn(listener, options, Arc::new(self.nodes[index].clone())));
    }

    fn set(&self, index: usize, mood: Mood) {
        *self.nodes[index].mood.lock() = mood;
    }

    fn executed_count(&self) -> usize {
        self.cluster.lock().executed.len()
    }
}

/// Impatient, so that tests of retries are quick.
fn options() -> ClientOptions {
    let session = Options { retry_ms: 100, deadline_ms: 10_000, ..Options::default() };
    ClientOptions { session, ..ClientOptions::default() }
}

fn payload(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("within 20 s")
}

async fn call(client: &Client, number: u64) -> Result<Bytes, ClientError> {
    within(client.call(payload(number))).await
}

fn error(outcome: Result<Bytes, ClientError>) -> SubmitError {
    match outcome {
        Err(ClientError::Submit(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn concurrent_calls_share_a_session_and_get_their_own_answers() {
    let fake = Fake::start(1).await;
    let client = Client::connect(&fake.endpoints, options()).await.unwrap();
    let calls = (0..3_000).map(|number| {
        let client = client.clone();
        tokio::spawn(async move { assert_eq!(call(&client, number).await.unwrap(), payload(number)) })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    let cluster = fake.cluster.lock();
    assert_eq!((cluster.executed.len(), cluster.arrival_count), (3_000, 3_000));
    assert_eq!(cluster.executed.iter().map(|id| id.client).collect::<BTreeSet<_>>().len(), 1);
    assert!(cluster.submit_call_count < 1_000, "{} calls", cluster.submit_call_count);
}

#[tokio::test]
async fn a_node_that_dies_is_left_and_its_requests_go_elsewhere() {
    let mut fake = Fake::start(3).await;
    let client = Client::connect(&fake.endpoints, options()).await.unwrap();
    assert_eq!((call(&client, 1).await.unwrap(), client.node()), (payload(1), NodeId::new(0)));
    fake.set(0, Mood::Mute);
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { call(&client, 2).await.unwrap() }
    });
    within(async {
        while fake.executed_count() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    fake.servers[0] = None;
    assert_eq!(waiting.await.unwrap(), payload(2));
    assert_eq!(fake.executed_count(), 2, "executed once, though two nodes were asked");
    fake.set(0, Mood::Echo);
    fake.servers[1] = None;
    fake.servers[2] = None;
    fake.serve(0).await;
    assert_eq!(call(&client, 3).await.unwrap(), payload(3));
}

#[tokio::test]
async fn a_slow_node_is_overtaken_by_a_retry() {
    let fake = Fake::start(2).await;
    let client = Client::connect(&fake.endpoints, options()).await.unwrap();
    fake.set(0, Mood::Deaf);
    assert_eq!(call(&client, 1).await.unwrap(), payload(1));
    assert!(fake.cluster.lock().arrival_count >= 2);
}

#[tokio::test]
async fn redirects_lead_to_the_leader_and_stay_there() {
    let fake = Fake::start(3).await;
    let client = Client::connect(&fake.endpoints, options()).await.unwrap();
    for index in [0, 1] {
        fake.set(index, Mood::Refuse(Refusal::NotLeader { leader: Some(NodeId::new(2)) }));
    }
    call(&client, 1).await.unwrap();
    call(&client, 2).await.unwrap();
    assert_eq!(fake.cluster.lock().arrival_count, 3);
}

#[tokio::test]
async fn errors_say_what_is_known() {
    let fake = Fake::start(1).await;
    let mut impatient = options();
    impatient.session.deadline_ms = 200;
    let client = Client::connect(&fake.endpoints, impatient).await.unwrap();
    fake.set(0, Mood::Mute);
    assert!(matches!(error(call(&client, 1).await), SubmitError::Unknown(_)));
    fake.set(0, Mood::Refuse(Refusal::Overloaded));
    assert_eq!(error(call(&client, 2).await), SubmitError::Overloaded);
    fake.set(0, Mood::Refuse(Refusal::Undecodable));
    assert_eq!(error(call(&client, 3).await), SubmitError::Undecodable);
    let large = Bytes::from(vec![0; (1 << 20) + 1]);
    let limit = 1 << 20;
    assert_eq!(error(client.call(large).await), SubmitError::TooLarge { size: limit + 1, limit });
    fake.set(0, Mood::Echo);
    assert_eq!(call(&client, 4).await.unwrap(), payload(4));
}

#[tokio::test]
async fn an_expired_session_is_replaced() {
    let fake = Fake::start(2).await;
    let client = Client::connect(&fake.endpoints, options()).await.unwrap();
    call(&client, 1).await.unwrap();
    fake.cluster.lock().generation = 1;
    assert_eq!(error(call(&client, 2).await), SubmitError::SessionExpired);
    assert_eq!(call(&client, 3).await.unwrap(), payload(3));
}

#[tokio::test]
async fn connecting_fails_with_a_reason() {
    let mut fake = Fake::start(1).await;
    let wrong = ClientOptions { cluster: Some(0xbad), ..options() };
    let sentence = Client::connect(&fake.endpoints, wrong).await.unwrap_err().to_string();
    assert!(sentence.contains("c1") && sentence.contains("bad"), "{sentence}");
    fake.servers[0] = None;
    let mut endpoints = vec![fake.endpoints[0].clone()];
    let sentence = Client::connect(&endpoints, options()).await.unwrap_err().to_string();
    assert!(sentence.contains(&fake.endpoints[0].to_string()), "{sentence}");
    assert!(matches!(Client::connect(&[], options()).await, Err(ClientError::NoEndpoint)));
    fake.serve(0).await;
    let dead = Listener::bind(&Endpoint::loopback()).await.unwrap().endpoint().unwrap();
    endpoints.insert(0, dead);
    assert_eq!(call(&Client::connect(&endpoints, options()).await.unwrap(), 1).await.unwrap(), payload(1));
}

async fn run_rounds(pool: &mut Pool, sessions: usize, rounds: u64) -> Vec<Completed> {
    let home = |index: usize| NodeId::new(index % pool_nodes(pool));
    let homes: Vec<NodeId> = (0..sessions).map(home).collect();
    let seats: Vec<_> = homes.into_iter().map(|home| pool.add_session(home)).collect();
    for seat in &seats {
        pool.submit(*seat, payload(0)).unwrap();
    }
    let mut all = Vec::new();
    while all.len() < sessions * usize::try_from(rounds).unwrap() {
        for end in within(pool.completions()).await {
            if end.request.number + 1 < rounds {
                pool.submit(end.session, payload(end.request.number + 1)).unwrap();
            }
            all.push(end);
        }
    }
    all
}

fn pool_nodes(pool: &Pool) -> usize {
    pool.nodes().len()
}

#[tokio::test]
async fn a_pool_carries_many_sessions_in_few_calls() {
    let fake = Fake::start(3).await;
    let mut pool = Pool::connect(&fake.endpoints, options()).await.unwrap();
    for end in run_rounds(&mut pool, 300, 20).await {
        assert_eq!(end.result, Ok(payload(end.request.number)));
    }
    let cluster = fake.cluster.lock();
    assert_eq!((cluster.executed.len(), cluster.arrival_count), (6_000, 6_000));
    assert!(cluster.submit_call_count < 1_500, "{} calls", cluster.submit_call_count);
    let connections: usize = fake.nodes.iter().map(|node| node.senders.lock().len()).sum();
    assert_eq!(connections, 3);
}

#[tokio::test]
async fn a_pool_survives_the_loss_of_a_node() {
    let mut fake = Fake::start(3).await;
    let mut pool = Pool::connect(&fake.endpoints, options()).await.unwrap();
    let seat = pool.add_session(NodeId::new(1));
    pool.submit(seat, payload(0)).unwrap();
    assert_eq!(within(pool.completions()).await[0].result, Ok(payload(0)));
    fake.servers[1] = None;
    pool.submit(seat, payload(1)).unwrap();
    let ends = within(pool.completions()).await;
    assert_eq!((ends.len(), &ends[0].result), (1, &Ok(payload(1))));
    assert_eq!(fake.executed_count(), 2);
}
