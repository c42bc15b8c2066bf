//! Exactly-once client sessions (protocols.md 2.6; traces B10 and B27).
//!
//! Of each session: the *set* of requests that were executed (a partial order runs
//! request 2 before request 1 here and there, so that "the largest" says nothing),
//! and the answers that the client may still ask for again. The table changes by
//! commands alone, hence is the same at all replicas up to commuting commands, and is
//! part of every snapshot.
//!
//! **Acknowledgements** only discard answers. They never mark a request as executed:
//! a slow replica may see `acked_below` 1 in request 1 and must still run request 0.
//!
//! **Expiry.** Generations are raised by a command that conflicts with everything, so
//! that all replicas agree on the generation in which a command is executed. Raising
//! `g` to `g + 1` drops the sessions that executed nothing in `g`. A request carries
//! a *label*: the generation that its session was opened in. A session that was not in
//! the table when the current generation began is registered, and served in this
//! generation, only under a label of at least the current generation less one. That
//! looks at nothing that commuting requests change, so that every replica refuses the
//! same requests, whatever labels a client makes up. And no session is ever registered
//! twice, and no request executed twice:
//!
//! * Let a session with label `l` be registered in generation `c`; `l <= c`, as labels
//!   are read off a replica that executed their generation, before the request.
//! * It executed in `c`, so raising `c` to `c + 1` keeps it. It is dropped at the
//!   earliest by raising `c + 1` to `c + 2`, more generally only at a generation `d` of
//!   at least `c + 2`.
//! * Then `l <= c <= d - 2 < d - 1`: from the drop on, the label is too old for ever.
//!
//! Entry nodes pass labels on as they are. A node that is behind must not lower one to
//! the generation that it knows: then a session's requests had several labels, and the
//! lowest were refused for nothing. A label above the current generation is taken for
//! the current one; whoever makes it up can only void its own guarantee.
//!
//! Not done here: a client that uses one number for two different requests is not found
//! out; if these commute, replicas may execute different ones. The number of sessions and
//! of requests that a client may have unanswered is bounded where clients enter, not here,
//! since replicas may see commuting requests in different orders and would differ in what
//! they refuse.

mod answers;

use crate::NumberSet;
use answers::Answers;
use bytes::Bytes;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use isegoria_types::{ClientId, RequestId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is to be done with a chosen request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not executed yet: execute it now, then [`SessionTable::record`] it.
    Fresh,
    /// Called fresh a moment ago, and not recorded yet.
    Running,
    /// Executed earlier, with this answer.
    Done(Bytes),
    /// Executed earlier; the client had said that it has the answer, which is gone.
    AlreadyAcknowledged,
    /// Never to be executed: its session was idle for a whole generation, or may have been.
    Expired,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Session {
    client: ClientId,
    executed: NumberSet,
    answers: Answers,
    /// The generation in which it was registered.
    since: u32,
    /// The last generation in which a request was executed.
    active: u32,
}

impl Session {
    fn is_consistent(&self, generation: u32) -> bool {
        self.since <= self.active
            && self.active <= generation
            && self.answers.numbers().all(|number| self.executed.contains(number))
            // None runs: what was executed and not acknowledged has its answer.
            && self.answers.numbers().count() as u64 == self.executed.count_from(self.answers.acked_below())
    }
}

/// The sessions of all clients; see the module's documentation.
///
/// Encoded sorted by client, so that equal tables have equal encodings.
#[derive(Clone, Debug, Default)]
pub struct SessionTable {
    generation: u32,
    sessions: Vec<Session>,
    /// Where in `sessions` a client is. Never iterated.
    places: HashMap<ClientId, usize, FixedState>,
    /// The session of the last `begin`: its `record` needs no look-up.
    latest: usize,
}

impl SessionTable {
    /// Says what is to be done with a chosen `request` that carries `acked_below` and
    /// the label `generation`. Registers the session if it is new. A fresh request counts
    /// as executed from now on, and must be.
    pub fn begin(&mut self, request: RequestId, acked_below: u64, generation: u32) -> Verdict {
        let place = self.places.get(&request.client).copied();
        let is_settled = place.is_some_and(|place| self.sessions[place].since < self.generation);
        if !is_settled && generation.saturating_add(1) < self.generation {
            return Verdict::Expired;
        }
        let place = place.unwrap_or_else(|| self.register(request.client));
        self.latest = place;
        let session = &mut self.sessions[place];
        session.answers.acknowledge(acked_below);
        if session.executed.insert(request.number) {
            session.active = self.generation;
            return Verdict::Fresh;
        }
        match session.answers.get(request.number) {
            Some(answer) => Verdict::Done(answer.clone()),
            None if request.number < session.answers.acked_below() => Verdict::AlreadyAcknowledged,
            None => Verdict::Running,
        }
    }

    fn register(&mut self, client: ClientId) -> usize {
        let place = self.sessions.len();
        self.places.insert(client, place);
        let now = self.generation;
        self.sessions.push(Session {
            client,
            executed: NumberSet::default(),
            answers: Answers::default(),
            since: now,
            active: now,
        });
        place
    }

    /// Notes the answer to a `request` that [`SessionTable::begin`] called fresh.
    ///
    /// # Panics
    /// If the session is unknown or the request has an answer.
    pub fn record(&mut self, request: RequestId, answer: Bytes) {
        let is_latest = self.sessions.get(self.latest).is_some_and(|latest| latest.client == request.client);
        let place = if is_latest { Some(self.latest) } else { self.places.get(&request.client).copied() };
        let place = place.unwrap_or_else(|| panic!("{request} is recorded without a session"));
        let answers = &mut self.sessions[place].answers;
        assert!(answers.get(request.number).is_none(), "{request} is executed twice");
        answers.insert(request.number, answer);
    }

    /// If the table is in `generation`, raises it, drops the sessions that executed
    /// nothing in it, and says so. Later calls with the same generation do nothing:
    /// several nodes may ask for the same step.
    pub fn expire(&mut self, generation: u32) -> bool {
        if generation != self.generation || generation == u32::MAX {
            return false;
        }
        self.generation += 1;
        self.sessions.retain(|session| session.active >= generation);
        self.index();
        true
    }

    fn index(&mut self) {
        self.latest = 0;
        self.places.clear();
        self.places.shrink_to(self.sessions.len());
        self.places.extend(self.sessions.iter().enumerate().map(|(place, session)| (session.client, place)));
    }

    /// The current generation.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The number of sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}

impl Serialize for SessionTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sessions: Vec<&Session> = self.sessions.iter().collect();
        sessions.sort_unstable_by_key(|session| session.client);
        (self.generation, sessions).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SessionTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SessionTable, D::Error> {
        let (generation, sessions) = <(u32, Vec<Session>)>::deserialize(deserializer)?;
        let is_sorted = sessions.is_sorted_by(|a, b| a.client < b.client);
        if !is_sorted || !sessions.iter().all(|session| session.is_consistent(generation)) {
            return Err(serde::de::Error::custom("a session table that is not in normal form"));
        }
        let mut table = SessionTable { generation, sessions, ..SessionTable::default() };
        table.index();
        Ok(table)
    }
}
