//! The session table against a dumb model that remembers everything, and the traces
//! of protocols.md 7.3 that concern it.

use bytes::Bytes;
use isegoria_replica::{SessionTable, Verdict};
use isegoria_types::{ClientId, RequestId};
use rand::seq::{IndexedMutRandom, IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

fn request(client: u64, number: u64) -> RequestId {
    RequestId { client: ClientId(client), number }
}

fn answer(request: RequestId) -> Bytes {
    Bytes::from(format!("answer to {request}"))
}

/// Begins and, if fresh, records.
fn execute(table: &mut SessionTable, request: RequestId, acked_below: u64, label: u32) -> Verdict {
    let verdict = table.begin(request, acked_below, label);
    if verdict == Verdict::Fresh {
        table.record(request, answer(request));
    }
    verdict
}

/// Remembers every event, forgets nothing, works all out anew each time.
#[derive(Default)]
struct Model {
    generation: u32,
    /// Each execution ever, with its generation.
    executed: BTreeMap<RequestId, u32>,
    /// Each (client, acknowledgement) that a registered session saw.
    acked: BTreeSet<(ClientId, u64)>,
}

impl Model {
    /// Present: has executed something, with no whole generation of silence since the first.
    fn is_present(&self, client: ClientId) -> bool {
        let active: BTreeSet<u32> = self
            .executed
            .iter()
            .filter(|(r, _)| r.client == client)
            .map(|(_, generation)| *generation)
            .collect();
        active.first().is_some_and(|first| (*first..self.generation).all(|g| active.contains(&g)))
    }

    fn was_present_when_the_generation_began(&self, client: ClientId) -> bool {
        let of_client = self.executed.iter().filter(|(r, _)| r.client == client);
        let began_before = of_client.map(|(_, generation)| *generation).min() < Some(self.generation);
        self.is_present(client) && began_before
    }

    fn begin(&mut self, request: RequestId, acked_below: u64, label: u32) -> Verdict {
        let was_known = self.executed.keys().any(|r| r.client == request.client);
        if !self.was_present_when_the_generation_began(request.client) && label + 1 < self.generation {
            return Verdict::Expired;
        }
        if !self.is_present(request.client) {
            assert!(!was_known, "{request} with label {label} would bring back a dropped session");
        }
        self.acked.insert((request.client, acked_below));
        let acked = self.acked.iter().filter(|(client, _)| *client == request.client);
        let acked_below = acked.map(|(_, below)| *below).max().unwrap_or(0);
        match self.executed.get(&request) {
            None => {
                self.executed.insert(request, self.generation);
                Verdict::Fresh
            }
            Some(_) if request.number < acked_below => Verdict::AlreadyAcknowledged,
            Some(_) => Verdict::Done(answer(request)),
        }
    }
}

/// A client that follows the rules: its label is the generation that some replica was
/// in when it opened, it acknowledges only what it was answered.
struct Client {
    id: u64,
    label: u32,
    next: u64,
    /// Acknowledged: it has seen the answers to all below.
    acked_below: u64,
    /// What it sent: copies may arrive at any time later, again and again.
    sent: Vec<(RequestId, u64)>,
}

#[test]
fn random_schedules_equal_the_model() {
    let mut verdicts = [0usize; 4];
    let mut running_count = 0;
    for seed in 0..6_000u64 {
        let dice = &mut ChaCha8Rng::seed_from_u64(seed);
        let (mut table, mut model) = (SessionTable::default(), Model::default());
        let mut clients: Vec<Client> = Vec::new();
        let mut run: Vec<RequestId> = Vec::new();
        let expiry = *[0.0, 0.02, 0.1, 0.3].choose(dice).expect("not empty");
        for step in 0..dice.random_range(10..150u64) {
            if dice.random_bool(expiry) {
                run.drain(..).for_each(|request| table.record(request, answer(request)));
                let generation = model.generation.saturating_sub(dice.random_range(0..2));
                let is_current = generation == model.generation;
                assert_eq!(table.expire(generation), is_current, "seed {seed}");
                model.generation += u32::from(is_current);
            }
            if clients.is_empty() || dice.random_bool(0.05) {
                let label = model.generation.saturating_sub(dice.random_range(0..3));
                clients.push(Client { id: step, label, next: 0, acked_below: 0, sent: Vec::new() });
            }
            let client = clients.choose_mut(dice).expect("not empty");
            if client.sent.is_empty() || dice.random_bool(0.6) {
                client.sent.push((request(client.id, client.next), client.acked_below));
                client.next += 1;
            }
            let (id, acked_below) = *client.sent.choose(dice).expect("not empty");
            // Fresh requests run together; one that comes again meanwhile ends the run.
            let mut verdict = table.begin(id, acked_below, client.label);
            if verdict == Verdict::Running {
                assert!(run.contains(&id), "seed {seed} step {step}: {id} is not under way");
                running_count += 1;
                run.drain(..).for_each(|request| table.record(request, answer(request)));
                verdict = table.begin(id, acked_below, client.label);
            }
            if verdict == Verdict::Fresh {
                run.push(id);
            }
            if dice.random_bool(0.5) {
                run.drain(..).for_each(|request| table.record(request, answer(request)));
            }
            assert_eq!(verdict, model.begin(id, acked_below, client.label), "seed {seed} step {step}: {id}");
            verdicts[match verdict {
                Verdict::Fresh => 0,
                Verdict::Done(_) => 1,
                Verdict::AlreadyAcknowledged => 2,
                Verdict::Expired => 3,
                Verdict::Running => panic!("seed {seed} step {step}: {id} still runs"),
            }] += 1;
            // It may have been executed and answered by another replica, and not yet here.
            let is_elsewhere = dice.random_bool(0.1);
            let is_answered =
                |number| is_elsewhere || model.executed.contains_key(&request(client.id, number));
            while client.acked_below < client.next && is_answered(client.acked_below) && dice.random_bool(0.7)
            {
                client.acked_below += 1;
            }
            assert_eq!(table.generation(), model.generation);
            if dice.random_bool(0.05) {
                run.drain(..).for_each(|request| table.record(request, answer(request)));
                table = reread(&table);
            }
        }
        let known: BTreeSet<ClientId> = model.executed.keys().map(|request| request.client).collect();
        assert_eq!(
            table.len(),
            known.iter().filter(|client| model.is_present(**client)).count(),
            "seed {seed}"
        );
    }
    assert!(running_count > 1_000, "requests came again while they ran {running_count} times");
    assert!(verdicts.iter().all(|count| *count > 1_000), "rare verdicts were too rare: {verdicts:?}");
}

/// As after a snapshot.
fn reread(table: &SessionTable) -> SessionTable {
    let bytes = postcard::to_stdvec(table).expect("encodes");
    let read: SessionTable = postcard::from_bytes(&bytes).expect("decodes");
    assert_eq!(postcard::to_stdvec(&read).expect("encodes"), bytes, "reading and writing is the identity");
    read
}

/// Two replicas execute the same commuting requests, some of them twice, in two
/// orders; between barriers (expiries) everything may be swapped. Their labels are any,
/// also within one session: a client that errs in them must not drive replicas apart.
#[test]
fn the_order_of_commuting_requests_leaves_no_trace() {
    for seed in 0..4_000u64 {
        let dice = &mut ChaCha8Rng::seed_from_u64(seed);
        let (mut one, mut other) = (SessionTable::default(), SessionTable::default());
        let mut next = [0u64; 5];
        for generation in 0..dice.random_range(1..5u32) {
            let mut requests = Vec::new();
            for _ in 0..dice.random_range(0..40) {
                let client = dice.random_range(0..next.len());
                let number = next[client];
                next[client] += 1;
                let acked_below = dice.random_range(0..=number);
                let label = (generation + 1).saturating_sub(dice.random_range(0..5));
                requests.push((request(client as u64 * 1_000, number), acked_below, label));
                if dice.random_bool(0.2) {
                    requests.extend(requests.choose(dice).copied());
                }
            }
            requests.shuffle(dice);
            requests.iter().for_each(|(id, acked, label)| drop(execute(&mut one, *id, *acked, *label)));
            requests.shuffle(dice);
            requests.iter().for_each(|(id, acked, label)| drop(execute(&mut other, *id, *acked, *label)));
            assert_eq!(postcard::to_stdvec(&one), postcard::to_stdvec(&other), "seed {seed}");
            assert!(one.expire(generation) && other.expire(generation));
        }
        assert_eq!(postcard::to_stdvec(&one), postcard::to_stdvec(&other), "seed {seed}");
    }
}

/// B10: request 1 is executed before request 0, which must still be.
#[test]
fn b10_a_later_request_does_not_hide_an_earlier_one() {
    let mut table = SessionTable::default();
    assert_eq!(execute(&mut table, request(1, 1), 0, 0), Verdict::Fresh);
    assert_eq!(execute(&mut table, request(1, 0), 0, 0), Verdict::Fresh);
    assert_eq!(execute(&mut table, request(1, 0), 0, 0), Verdict::Done(answer(request(1, 0))));
}

/// B27: an acknowledgement that overtakes the request does not mark it as executed.
#[test]
fn b27_an_acknowledgement_is_not_an_execution() {
    let mut table = SessionTable::default();
    assert_eq!(execute(&mut table, request(1, 1), 1, 0), Verdict::Fresh);
    assert_eq!(execute(&mut table, request(1, 0), 0, 0), Verdict::Fresh);
    assert_eq!(execute(&mut table, request(1, 0), 0, 0), Verdict::AlreadyAcknowledged);
}

#[test]
fn a_session_is_dropped_after_a_silent_generation_and_stays_away() {
    let mut table = SessionTable::default();
    execute(&mut table, request(1, 0), 0, 0);
    assert!(table.expire(0) && !table.expire(0), "two nodes may ask for the same step");
    assert_eq!(table.len(), 1, "it was active in generation 0");
    assert!(matches!(execute(&mut table, request(1, 0), 0, 0), Verdict::Done(_)));
    assert!(table.expire(1));
    assert_eq!((table.len(), table.generation()), (0, 2), "an old answer is not an execution");
    assert_eq!(table.begin(request(1, 1), 0, 0), Verdict::Expired);
    assert_eq!(table.begin(request(2, 0), 0, 1), Verdict::Fresh, "one generation behind is young enough");
    assert_eq!(table.begin(request(3, 0), 0, 9), Verdict::Fresh, "made up: as if current");
}

/// Ledger 30: two commuting requests of one session, one with a label that is too old.
/// Whichever comes first, the old one is refused and the other is executed.
#[test]
fn an_old_label_is_too_old_also_behind_a_young_one() {
    for old_first in [true, false] {
        let mut table = SessionTable::default();
        assert!(table.expire(0) && table.expire(1) && table.expire(2));
        let (old, young) = ((request(1, 0), 0), (request(1, 1), 3));
        let order = if old_first { [old, young] } else { [young, old] };
        for (id, label) in order {
            let expected = if label == 0 { Verdict::Expired } else { Verdict::Fresh };
            assert_eq!(execute(&mut table, id, 0, label), expected, "{id}, old first: {old_first}");
        }
        assert!(table.expire(3));
        assert_eq!(execute(&mut table, request(1, 0), 0, 0), Verdict::Fresh, "now the session is known");
    }
}

#[test]
fn damaged_tables_are_refused_without_a_panic() {
    let mut table = SessionTable::default();
    for (client, number) in [(1, 0), (1, 2), (2, 0), (2, 1)] {
        execute(&mut table, request(client, number), 0, 0);
    }
    let bytes = postcard::to_stdvec(&table).unwrap();
    let mut refused = 0;
    for (place, bit) in (0..bytes.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << bit;
        match postcard::from_bytes::<SessionTable>(&damaged) {
            Ok(mut read) => drop(execute(&mut read, request(1, 1), 1, 0)),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 50, "{refused} of {} refused", bytes.len() * 8);
}
