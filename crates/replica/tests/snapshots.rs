//! Cuts and snapshots between replicas: what each may forget, and that whoever was away
//! comes back whole.

use bytes::Bytes;
use isegoria_kv::{Kv, Op};
use isegoria_machine::Erased;
use isegoria_node::OrderKind;
use isegoria_replica::{Replica, ReplicaMessage, ReplicaOutbox, Retention};
use isegoria_types::{
    Action, Batch, ClientId, Command, DepSet, Footprint, Layout, NodeId, NodeSet, Order, Outcome, Prefix,
    QuorumSystem, RequestId, Vertex,
};

const COUNT: usize = 3;

/// A cluster of replicas without nodes: what is committed is said by the test.
struct Cluster {
    replicas: Vec<Replica>,
    /// Cut off: nothing comes or goes.
    away: NodeSet,
    proposed: Vec<Prefix>,
    installed: Vec<(NodeId, Vec<Vertex>)>,
    /// Vertices that replicas ask their nodes for.
    blocked: Vec<(NodeId, Vertex)>,
}

fn node(index: usize) -> NodeId {
    NodeId::new(index)
}

fn vertex(leader: usize, number: u64) -> Vertex {
    Vertex::new(node(leader), number)
}

fn put(client: u64, number: u64, key: &str, value: &str) -> Command {
    let op = Op::Put(Bytes::copy_from_slice(key.as_bytes()), Bytes::copy_from_slice(value.as_bytes()));
    let mut footprint = Footprint::default();
    footprint.write(key.as_bytes());
    Command {
        request: RequestId { client: ClientId(client), number },
        acked_below: 0,
        generation: 0,
        footprint,
        action: Action::Apply(postcard::to_stdvec(&op).expect("encoding into memory").into()),
    }
}

impl Cluster {
    fn new() -> Cluster {
        let layout = Layout::co_located(COUNT, &QuorumSystem::Majority).expect("a legal layout");
        let replica = |index| {
            let machine = Box::new(Erased::<Kv>::default());
            let mut replica = Replica::new(node(index), &layout, OrderKind::Graph, machine);
            replica.retain(Retention { count_max: 4, bytes_max: 1 << 20 });
            replica
        };
        Cluster {
            replicas: (0..COUNT).map(replica).collect(),
            away: NodeSet::EMPTY,
            proposed: Vec::new(),
            installed: Vec::new(),
            blocked: Vec::new(),
        }
    }

    /// These replicas learn that `command` is chosen at a vertex.
    fn commit(&mut self, at: &[usize], vertex: Vertex, deps: &[u64], command: &Command) -> Vec<Outcome> {
        let batch = Batch::of(std::slice::from_ref(command));
        let mut outcomes = Vec::new();
        for index in at {
            let order = Order::Vertex(vertex, DepSet::from_prefix(Prefix::new(deps)));
            let mut out = ReplicaOutbox::default();
            self.replicas[*index].commit(order, batch.clone(), &mut out);
            outcomes.extend(out.replies.iter().map(|reply| reply.outcome.clone()));
            self.carry_out(*index, out);
        }
        outcomes
    }

    fn carry_out(&mut self, own: usize, out: ReplicaOutbox) {
        for (to, message) in out.sends {
            self.send(own, to, &message);
        }
        if let Some(progress) = out.announce {
            self.send(own, NodeSet::first(COUNT), &progress);
        }
        if let Some((number, frozen)) = out.write {
            let mut bytes = Vec::new();
            frozen(&mut bytes).expect("writing into memory");
            self.replicas[own].on_written(number, Some(bytes.into()));
        }
        if let Some(command) = out.propose {
            let Action::Cut(cut) = command.action else { panic!("{command:?}") };
            self.proposed.push(cut);
        }
        self.blocked.extend(out.blocked.into_iter().map(|vertex| (node(own), vertex)));
        self.installed.extend(out.installed.map(|installed| (node(own), installed.kept)));
        for (order, batch) in out.learned {
            let mut out = ReplicaOutbox::default();
            self.replicas[own].commit(order, batch, &mut out);
            self.carry_out(own, out);
        }
    }

    fn send(&mut self, from: usize, to: NodeSet, message: &ReplicaMessage) {
        for to in to.iter() {
            let cut_off = self.away.contains(node(from)) || self.away.contains(to);
            if cut_off && to.index() != from {
                continue;
            }
            assert!(self.replicas[to.index()].admits(message, COUNT), "{to}: {message:?}");
            let mut out = ReplicaOutbox::default();
            self.replicas[to.index()].on_message(node(from), message.clone(), &mut out);
            self.carry_out(to.index(), out);
        }
    }

    fn gossip(&mut self, periods: usize) {
        for _ in 0..periods {
            for index in 0..COUNT {
                let mut out = ReplicaOutbox::default();
                self.replicas[index].on_gossip(&mut out);
                self.carry_out(index, out);
            }
        }
    }

    /// All replicas write what they took.
    fn checkpoint(&mut self) {
        for replica in &mut self.replicas {
            replica.checkpoint_begun();
            replica.checkpoint_ended(true);
        }
    }

    /// n1 and n2 execute `below` puts of n1's, while n3 is away, and agree to forget them.
    fn with_a_cut(below: u64) -> Cluster {
        let mut cluster = Cluster::new();
        cluster.away.insert(node(2));
        for number in 0..below {
            let command = put(1, number, "k", &format!("v{number}"));
            cluster.commit(&[0, 1], vertex(0, number), &[number], &command);
        }
        // Once n3 has announced nothing, everything is held for it.
        cluster.gossip(20);
        let cut = cluster.proposed.pop().expect("too much is held");
        assert_eq!(cut, Prefix::new(&[below]));
        cluster.commit(&[0, 1], vertex(0, below), &[below], &Command::cut(cut));
        cluster.gossip(2);
        cluster
    }
}

#[test]
fn nothing_is_forgotten_without_a_cut() {
    let mut cluster = Cluster::new();
    cluster.away.insert(node(2));
    for number in 0..9 {
        cluster.commit(&[0, 1], vertex(0, number), &[number], &put(1, number, "k", "v"));
    }
    cluster.gossip(20);
    assert_eq!(cluster.replicas[0].history_count(), 9, "one of them lacks it");
    assert!(!cluster.proposed.is_empty(), "it is more than ought to be held");
}

/// Between its question and the answer n3 gets, and announces, what the others forget then.
#[test]
fn who_catches_up_asks_for_nothing_that_it_has_by_now() {
    let mut cluster = Cluster::new();
    cluster.away.insert(node(2));
    let large = "v".repeat(200 << 10);
    for number in 0..5 {
        cluster.commit(&[0, 1], vertex(0, number), &[number], &put(1, number, "k", &large));
    }
    let own = |number| (vertex(2, number), [0, 0, number], put(3, number, "own", "v"));
    for (vertex, deps, command) in (0..3).map(own) {
        cluster.commit(&[0, 1], vertex, &deps, &command);
    }
    let look = |cluster: &mut Cluster, index: usize| {
        let mut out = ReplicaOutbox::default();
        cluster.replicas[index].on_gossip(&mut out);
        out
    };
    let tell = |cluster: &mut Cluster, index: usize| {
        let progress = look(cluster, index).announce.expect("it is kept");
        cluster.send(index, NodeSet::first(COUNT), &progress);
    };
    let hear = |cluster: &mut Cluster, index: usize, from: usize, message: ReplicaMessage| {
        let mut out = ReplicaOutbox::default();
        cluster.replicas[index].on_message(node(from), message, &mut out);
        let sends: Vec<ReplicaMessage> = out.sends.into_iter().map(|(_, message)| message).collect();
        <[ReplicaMessage; 1]>::try_from(sends).expect("one answer").into_iter().next().expect("one")
    };
    cluster.away = NodeSet::EMPTY;
    tell(&mut cluster, 0);
    let (to, question) = (0..9).find_map(|_| look(&mut cluster, 2).sends.pop()).expect("it is behind");
    assert_eq!(to, NodeSet::only(node(0)));
    let answer = hear(&mut cluster, 0, 2, question);
    for (vertex, deps, command) in (0..3).map(own) {
        cluster.commit(&[2], vertex, &deps, &command);
    }
    (0..COUNT).for_each(|index| tell(&mut cluster, index));
    assert_eq!(cluster.replicas[0].history_count(), 5, "what all have is forgotten");
    let next = hear(&mut cluster, 2, 0, answer);
    assert!(matches!(next, ReplicaMessage::Fetch { .. }), "there is more: {next:?}");
    let rest = hear(&mut cluster, 0, 2, next);
    assert!(matches!(&rest, ReplicaMessage::Commits { commits, .. } if !commits.is_empty()), "{rest:?}");
}

#[test]
fn a_cut_is_forgotten_and_who_was_away_takes_a_snapshot() {
    let mut cluster = Cluster::with_a_cut(9);
    assert_eq!(cluster.replicas[0].history_count(), 1, "but for the cut itself");
    cluster.away = NodeSet::EMPTY;
    cluster.gossip(20);
    assert_eq!(cluster.installed, [(node(2), Vec::new())]);
    assert_eq!(cluster.replicas[2].executed(), cluster.replicas[0].executed());
    assert_eq!(cluster.replicas[2].digest(), cluster.replicas[0].digest());
    // A retry through it of a request older than its absence is not executed again.
    let outcomes = cluster.commit(&[2], vertex(2, 0), &[10], &put(1, 3, "k", "v3"));
    let first = cluster.commit(&[0], vertex(0, 10), &[10], &put(1, 3, "k", "v3"));
    assert_eq!((outcomes.len(), &outcomes), (1, &first));
    assert!(matches!(outcomes[0], Outcome::Done(_)));
}

/// A snapshot in memory is gone after a restart: others must not rely on it.
#[test]
fn what_is_not_written_is_not_announced() {
    let mut cluster = Cluster::with_a_cut(9);
    cluster.away = NodeSet::EMPTY;
    cluster.gossip(20);
    assert!(cluster.replicas[2].wants_checkpoint());
    assert_eq!(cluster.replicas[0].history_count(), 1, "n3 has not announced the cut's slot");
    let mut out = ReplicaOutbox::default();
    cluster.replicas[2].on_gossip(&mut out);
    assert_eq!(out.announce, None);
    cluster.checkpoint();
    cluster.gossip(2);
    assert_eq!(cluster.replicas[0].history_count(), 0);
}

/// Trace B12. n3 has executed y, which the snapshot has not: y commutes with all of it.
#[test]
fn a_snapshot_keeps_what_only_the_taker_has_executed() {
    let mut cluster = Cluster::with_a_cut(9);
    cluster.away = NodeSet::only(node(1));
    // n1 writes its snapshot before it hears of y.
    cluster.send(2, NodeSet::only(node(0)), &ReplicaMessage::TakeSnapshot { useless: None });
    cluster.commit(&[2], vertex(1, 0), &[], &put(7, 0, "other", "y"));
    assert_eq!(cluster.replicas[2].executed(), Prefix::new(&[0, 1]));
    cluster.gossip(20);
    assert_eq!(cluster.installed, [(node(2), vec![vertex(1, 0)])]);
    assert_eq!(cluster.replicas[2].executed(), Prefix::new(&[10, 1]));
    assert_eq!(cluster.replicas[0].executed(), Prefix::new(&[10, 1]), "n1 has fetched y");
    assert_eq!(cluster.replicas[2].digest(), cluster.replicas[0].digest());
}

/// n3 has itself taken a snapshot with y, and holds no value of it; n1 lacks y, and has
/// forgotten what n3 lacks now. Taking n1's snapshot, n3 would lose y.
#[test]
fn a_snapshot_that_would_lose_something_is_refused() {
    let mut cluster = Cluster::with_a_cut(9);
    cluster.away = NodeSet::only(node(0));
    cluster.commit(&[1], vertex(1, 0), &[], &put(7, 0, "other", "y"));
    cluster.gossip(20);
    cluster.checkpoint();
    assert_eq!(cluster.replicas[2].executed(), Prefix::new(&[10, 1]));
    let before = cluster.replicas[2].digest();
    // n2 is lost. n1 has gone on alone, and by a cut that it executed forgets it all.
    cluster.installed.clear();
    let more = |number| put(1, number, "k", "more");
    for number in 10..16 {
        cluster.commit(&[0], vertex(0, number), &[number], &more(number));
    }
    cluster.commit(&[0], vertex(0, 16), &[16], &Command::cut(Prefix::new(&[16])));
    cluster.away = NodeSet::only(node(1));
    cluster.blocked.clear();
    cluster.gossip(40);
    assert_eq!(cluster.installed, [], "y would be lost");
    assert_eq!(cluster.replicas[2].digest(), before);
    // The acceptors still hold y, for no cut contains it: n1's node recovers it.
    assert!(cluster.blocked.contains(&(node(0), vertex(1, 0))));
    cluster.commit(&[0], vertex(1, 0), &[], &put(7, 0, "other", "y"));
    cluster.gossip(120);
    assert_eq!(cluster.replicas[2].executed(), Prefix::new(&[17, 1]));
    assert_eq!(cluster.replicas[2].digest(), cluster.replicas[0].digest());
}

/// Why a cut is agreed (ADR 5). n1 executes its own vertices and n2 its own, which
/// commute; n3 executes all of them; n1 and n2 do not hear each other. Each could count
/// two of three replicas that hold all it has, and forget it; then n3 is lost, and neither
/// could take the other's snapshot.
#[test]
fn nobody_forgets_by_its_own_count() {
    let mut cluster = Cluster::new();
    for number in 0..9 {
        cluster.commit(&[0, 2], vertex(0, number), &[], &put(1, number, &format!("a{number}"), "x"));
        cluster.commit(&[1, 2], vertex(1, number), &[], &put(2, number, &format!("b{number}"), "y"));
    }
    for cut_off in [1, 0] {
        cluster.away = NodeSet::only(node(cut_off));
        cluster.gossip(1);
    }
    assert!(cluster.replicas[..2].iter().all(|replica| replica.history_count() == 9));
    cluster.away = NodeSet::only(node(2));
    cluster.gossip(20);
    assert_eq!(cluster.replicas[0].executed(), Prefix::new(&[9, 9]));
    assert_eq!(cluster.replicas[0].digest(), cluster.replicas[1].digest());
}

impl Cluster {
    /// n3 loses its state, and a learner takes its place.
    fn lose_the_last(&mut self) {
        let layout = Layout::co_located(COUNT, &QuorumSystem::Majority).expect("a legal layout");
        let machine = Box::new(Erased::<Kv>::default());
        let mut learner = Replica::new(node(2), &layout, OrderKind::Graph, machine);
        learner.become_learner();
        self.replicas[2] = learner;
    }
}

#[test]
fn a_learner_waits_for_all_others_and_begins_with_a_snapshot() {
    let mut cluster = Cluster::new();
    for number in 0..3 {
        cluster.commit(&[0, 1, 2], vertex(0, number), &[number], &put(1, number, "k", "v"));
    }
    // Nothing is forgotten: it could have everything by values.
    cluster.away = NodeSet::only(node(0));
    cluster.lose_the_last();
    cluster.gossip(40);
    assert_eq!(cluster.installed, [], "n1 has not taken back what n3 had announced");
    cluster.away = NodeSet::EMPTY;
    cluster.gossip(20);
    assert_eq!(cluster.installed, [(node(2), Vec::new())]);
    assert!(cluster.replicas[2].is_following());
    cluster.commit(&[0, 1], vertex(0, 3), &[3], &put(1, 3, "k", "last"));
    cluster.gossip(20);
    assert_eq!(cluster.replicas[2].executed(), Prefix::new(&[4]), "it follows");
    assert_eq!(cluster.replicas[2].digest(), cluster.replicas[0].digest());
}

/// n3 had announced u and is lost; n1 had not executed it. Were u forgotten once n1 has, a
/// later command would not name it, and a learner whose snapshot is n1's from before would
/// execute the two the wrong way round.
#[test]
fn what_a_lost_replica_had_announced_counts_no_longer() {
    for is_lost in [false, true] {
        let mut cluster = Cluster::new();
        cluster.away = NodeSet::only(node(0));
        cluster.commit(&[1, 2], vertex(1, 0), &[], &put(1, 0, "k", "u"));
        cluster.gossip(3);
        cluster.away = NodeSet::EMPTY;
        if is_lost {
            cluster.lose_the_last();
            // Before n1 hears of u.
            let mut out = ReplicaOutbox::default();
            cluster.replicas[2].on_gossip(&mut out);
            cluster.carry_out(2, out);
        }
        cluster.gossip(20);
        assert_eq!(cluster.replicas[0].executed(), Prefix::new(&[0, 1]));
        assert_eq!(cluster.replicas[1].history_count(), usize::from(is_lost), "u is held for the learner");
        assert_eq!(cluster.replicas[2].digest(), cluster.replicas[1].digest());
    }
}
