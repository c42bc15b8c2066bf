use crate::inbox::{Event, Inbox};
use crate::place::Place;
use crate::ways::{Ways, arrival};
use crate::wire::{Open, Route, Wire};
use crate::{ClientError, ClientOptions};
use bytes::Bytes;
use hashbrown::HashMap;
use isegoria_session::{Outbox, Session, SubmitError, Targets};
use isegoria_transport::client_port::{Connection, LocalPort, Opened, PeerAddress};
use isegoria_transport::{Distance, Endpoint, LatenessSummary};
use isegoria_types::{ClientId, NodeId, NodeSet, Outcome, Refusal, Reply, RequestId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the pool looks for retries and deadlines that are due, ms: one look at
/// all sessions is cheaper than a timer a request.
const TICK_MS: u64 = 20;

/// Which session of a pool, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionIndex(pub usize);

/// A request of a pool that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// Whose.
    pub session: SessionIndex,
    /// Which one.
    pub request: RequestId,
    /// The state machine's output, or why there is none.
    pub result: Result<Bytes, SubmitError>,
}

/// Many sessions over one connection a node, driven by one task.
#[derive(Debug)]
pub struct Pool {
    options: ClientOptions,
    opened: Opened,
    places: BTreeMap<NodeId, Place>,
    wires: Vec<Option<Wire>>,
    inbox: Arc<Inbox>,
    events: Vec<Event>,
    seats: Vec<Seat>,
    seat_of: HashMap<ClientId, usize>,
    /// When each session has something to do, ms; beside the sessions, because it is scanned.
    due: Vec<u64>,
    outbox: Outbox,
    in_flight_count: usize,
    /// If sessions are made to seem far from nodes.
    ways: Option<Ways>,
    started: Instant,
    next_tick_ms: u64,
}

#[derive(Debug)]
struct Seat {
    session: Session,
    home: NodeId,
}

impl Pool {
    /// Connects to the first of `endpoints` that answers; the cluster's other nodes
    /// are known from then on, and connected to when they are needed.
    ///
    /// # Errors
    /// If none answers, or what answers is not the cluster that is meant.
    pub async fn connect(endpoints: &[Endpoint], options: ClientOptions) -> Result<Pool, ClientError> {
        let places: Vec<Place> = endpoints.iter().cloned().map(Place::Remote).collect();
        Pool::join(&places, options).await
    }

    /// Connects to the node of this process, once it serves; to other nodes when they are needed.
    ///
    /// # Errors
    /// If the node has stopped.
    pub async fn attach(port: &LocalPort, options: ClientOptions) -> Result<Pool, ClientError> {
        Pool::join(&[Place::Local(port.clone())], options).await
    }

    async fn join(places: &[Place], options: ClientOptions) -> Result<Pool, ClientError> {
        let started = Instant::now();
        let (place, connection, opened) = first(places, &options).await?;
        let open = Open { connection, round_trip_ms: started.elapsed().as_millis() };
        let address = |peer: &PeerAddress| Some((peer.node, Place::Remote(peer.client.parse().ok()?)));
        let mut places: BTreeMap<NodeId, Place> = opened.peers.iter().filter_map(address).collect();
        // The way that worked from here is better than what the node thinks of itself.
        places.insert(opened.node, place.clone());
        let inbox = Arc::new(Inbox::default());
        let route = Route { node: opened.node, place, options };
        let mut wires = Vec::new();
        wires.resize_with(opened.node.index() + 1, || None);
        wires[opened.node.index()] = Some(Wire::spawn(route, inbox.clone(), Some(open)));
        Ok(Pool {
            options,
            opened,
            places,
            wires,
            inbox,
            events: Vec::new(),
            seats: Vec::new(),
            seat_of: HashMap::new(),
            due: Vec::new(),
            outbox: Outbox::default(),
            in_flight_count: 0,
            ways: None,
            started,
            next_tick_ms: 0,
        })
    }

    /// Makes sessions seem far from nodes: by the home of a session, where its client is, and
    /// then by node. Connecting and what has no session are not delayed.
    pub fn emulate(&mut self, distances: Vec<Vec<Distance>>) {
        self.ways = Some(Ways::new(distances));
    }

    /// How late what [`Pool::emulate`] holds back was let go; none if it holds back nothing.
    #[must_use]
    pub fn lateness(&self) -> Option<LatenessSummary> {
        self.ways.as_ref().map(Ways::lateness)
    }

    /// What the node that answered first said about the cluster.
    #[must_use]
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// The nodes that can be asked.
    #[must_use]
    pub fn nodes(&self) -> NodeSet {
        self.places.keys().copied().collect()
    }

    /// Opens a session that asks `home` while it can.
    pub fn add_session(&mut self, home: NodeId) -> SessionIndex {
        let index = self.seats.len();
        let session = self.new_session(home);
        self.seat_of.insert(session.client(), index);
        self.seats.push(Seat { session, home });
        self.due.push(u64::MAX);
        SessionIndex(index)
    }

    fn new_session(&self, home: NodeId) -> Session {
        let targets = Targets::new(home, self.nodes());
        Session::new(ClientId(rand::random()), self.opened.generation, targets, self.options.session)
    }

    /// How many further requests the session takes now.
    ///
    /// # Panics
    /// If there is no such session (also in the other methods that take one).
    #[must_use]
    pub fn room(&self, session: SessionIndex) -> usize {
        self.seats[session.0].session.room()
    }

    /// Whether the cluster forgot the session, so that it must be renewed.
    #[must_use]
    pub fn is_expired(&self, session: SessionIndex) -> bool {
        self.seats[session.0].session.is_expired()
    }

    /// Puts a new session in the place of an expired one.
    ///
    /// # Errors
    /// If no node can be asked for the generation to open it in.
    pub async fn renew(&mut self, session: SessionIndex) -> Result<(), ClientError> {
        let places: Vec<Place> = self.places.values().cloned().collect();
        let (_, _, opened) = first(&places, &self.options).await?;
        self.opened.generation = opened.generation;
        let home = self.seats[session.0].home;
        let fresh = self.new_session(home);
        let old = std::mem::replace(&mut self.seats[session.0].session, fresh);
        self.seat_of.remove(&old.client());
        self.seat_of.insert(self.seats[session.0].session.client(), session.0);
        Ok(())
    }

    /// Issues a command; it leaves with the next [`Pool::flush`] or [`Pool::completions`].
    ///
    /// # Errors
    /// If the command is too large, the session is expired, or has too much in flight.
    pub fn submit(&mut self, session: SessionIndex, payload: Bytes) -> Result<RequestId, SubmitError> {
        let (size, limit) = (payload.len() as u64, self.opened.payload_bytes_max);
        if size > limit {
            return Err(SubmitError::TooLarge { size, limit });
        }
        let now_ms = self.now_ms();
        let machine = &mut self.seats[session.0].session;
        let request = machine.submit(payload, now_ms, &mut self.outbox)?;
        self.due[session.0] = machine.next_deadline().unwrap_or(u64::MAX);
        self.in_flight_count += 1;
        self.stage_sends();
        Ok(request)
    }

    /// Sends what was issued: one call a node.
    pub fn flush(&mut self) {
        for wire in self.wires.iter_mut().flatten() {
            wire.flush();
        }
    }

    /// Flushes, then waits until a request ended and returns all that did. Waits for
    /// ever if none is in flight. Dropping the future loses nothing.
    pub async fn completions(&mut self) -> Vec<Completed> {
        loop {
            self.absorb();
            self.flush();
            if !self.outbox.completions.is_empty() {
                return self.take_completions();
            }
            tokio::select! {
                biased;
                () = self.inbox.arrived() => {}
                () = arrival(self.ways.as_mut()) => {}
                () = tokio::time::sleep(Duration::from_millis(TICK_MS)), if self.in_flight_count > 0 => {}
            }
        }
    }

    fn take_completions(&mut self) -> Vec<Completed> {
        self.in_flight_count -= self.outbox.completions.len();
        let seat_of = &self.seat_of;
        let ends = self.outbox.completions.drain(..);
        ends.filter_map(|end| {
            let session = SessionIndex(*seat_of.get(&end.request.client)?);
            Some(Completed { session, request: end.request, result: end.result })
        })
        .collect()
    }

    /// Takes in what the connections say, and what the time says.
    fn absorb(&mut self) {
        let now_ms = self.now_ms();
        let mut events = std::mem::take(&mut self.events);
        self.inbox.take(&mut events);
        for event in events.drain(..) {
            self.on_event(event, now_ms);
        }
        self.events = events;
        while let Some(reply) = self.ways.as_mut().and_then(Ways::answered) {
            self.on_reply(reply, now_ms);
        }
        if now_ms >= self.next_tick_ms {
            self.next_tick_ms = now_ms + TICK_MS;
            for index in 0..self.seats.len() {
                if self.due[index] <= now_ms {
                    self.seats[index].session.on_time(now_ms, &mut self.outbox);
                    self.note_due(index);
                }
            }
        }
        self.stage_sends();
    }

    fn on_event(&mut self, event: Event, now_ms: u64) {
        match event {
            Event::Replies(node, replies) => {
                for reply in replies {
                    match (&mut self.ways, self.seat_of.get(&reply.request.client)) {
                        (Some(ways), Some(&index)) => ways.answer(self.seats[index].home, node, reply),
                        _ => self.on_reply(reply, now_ms),
                    }
                }
            }
            Event::Unsent(requests) => {
                for request in requests {
                    self.on_reply(Reply { request, outcome: Outcome::Refused(Refusal::Unavailable) }, now_ms);
                }
            }
            Event::Up(node) => {
                let at_home = self.seats.iter_mut().filter(|seat| seat.home == node);
                at_home.for_each(|seat| seat.session.prefer(node));
            }
            Event::Down(node) => {
                for index in 0..self.seats.len() {
                    self.seats[index].session.on_node_down(node, now_ms, &mut self.outbox);
                    self.note_due(index);
                }
            }
        }
    }

    fn on_reply(&mut self, reply: Reply, now_ms: u64) {
        // Replies to a session that was renewed find no seat.
        if let Some(&index) = self.seat_of.get(&reply.request.client) {
            self.seats[index].session.on_reply(reply, now_ms, &mut self.outbox);
            self.note_due(index);
        }
    }

    fn note_due(&mut self, index: usize) {
        self.due[index] = self.seats[index].session.next_deadline().unwrap_or(u64::MAX);
    }

    fn stage_sends(&mut self) {
        while let Some((node, request)) = self.ways.as_mut().and_then(Ways::asked) {
            self.wire_to(node).stage(request);
        }
        if self.outbox.sends.is_empty() {
            return;
        }
        let mut sends = std::mem::take(&mut self.outbox.sends);
        for (node, request) in sends.drain(..) {
            if let Some(ways) = &mut self.ways
                && let Some(&index) = self.seat_of.get(&request.id.client)
            {
                ways.ask(self.seats[index].home, node, request);
            } else if let Some(Some(wire)) = self.wires.get_mut(node.index()) {
                wire.stage(request);
            } else {
                self.wire_to(node).stage(request);
            }
        }
        self.outbox.sends = sends;
    }

    /// The connection to a node, started if need be.
    fn wire_to(&mut self, node: NodeId) -> &mut Wire {
        if self.wires.len() <= node.index() {
            self.wires.resize_with(node.index() + 1, || None);
        }
        let place = self.places.get(&node).expect("sessions ask only nodes that have an address").clone();
        let route = Route { node, place, options: self.options };
        self.wires[node.index()].get_or_insert_with(|| Wire::spawn(route, self.inbox.clone(), None))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The first node that answers.
async fn first(
    places: &[Place],
    options: &ClientOptions,
) -> Result<(Place, Connection, Opened), ClientError> {
    let mut failure = ClientError::NoEndpoint;
    for place in places {
        match place.open(options).await {
            Ok((connection, opened)) => return Ok((place.clone(), connection, opened)),
            Err(last) => failure = ClientError::Connect { count: places.len(), last },
        }
    }
    Err(failure)
}
