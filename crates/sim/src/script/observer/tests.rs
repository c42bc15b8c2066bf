//! One planted violation a property.

use super::*;
use isegoria_types::{Action, ClientId, Command, DepSet, Footprint};

fn node(index: usize) -> NodeId {
    NodeId::new(index)
}

fn vertex(leader: usize, number: u64) -> Vertex {
    Vertex::new(node(leader), number)
}

fn request(client: u64) -> RequestId {
    RequestId { client: ClientId(client), number: 0 }
}

fn batch(client: u64) -> Batch {
    let action = Action::Apply(Bytes::new());
    let footprint = Footprint::default();
    Batch::of(&[Command { request: request(client), acked_below: 0, generation: 0, footprint, action }])
}

fn order(leader: usize, deps: &[Vertex]) -> Order {
    let mut set = DepSet::default();
    deps.iter().for_each(|dep| set.insert(*dep));
    Order::Vertex(vertex(leader, 0), set)
}

fn slot(slot: u64, round: u32, start_working: bool) -> Order {
    Order::Slot { slot, origin: Ballot { round, owner: node(0) }, start_working }
}

/// Three voters; clients 1, 2, ... write one key.
fn observer(clients: u64) -> Observer {
    let mut observer = Observer::new(Quorum::majority(NodeSet::first(3)), FastRule::None);
    for client in 1..=clients {
        observer.submitted(request(client), &Op::Put("k".into(), "v".into()));
    }
    observer
}

fn done(client: u64, answer: &'static str) -> Reply {
    Reply { request: request(client), outcome: Outcome::Done(answer.into()) }
}

fn apply(observer: &mut Observer, at: usize, client: u64) -> Result<(), Violation> {
    observer.applied(node(at), (vertex(0, client), request(client)), &Bytes::new())
}

fn breaks(judged: Result<(), Violation>, property: Property) {
    assert_eq!(judged.map_err(|violation| violation.property), Err(property));
}

#[test]
fn two_commits_that_differ() {
    let mut observer = observer(1);
    observer.committed(node(0), &order(0, &[]), &batch(1)).unwrap();
    observer.committed(node(1), &order(0, &[]), &batch(1)).unwrap();
    assert_eq!(observer.evaluations(Property::Agreement), 1);
    breaks(observer.committed(node(2), &order(0, &[]), &Batch::noop()), Property::Agreement);
}

#[test]
fn two_quorums_of_durable_votes_that_differ() {
    let mut observer = observer(1);
    let vote = |round, batch| {
        let ballot = Ballot { round, owner: node(0) };
        Some(Evidence::Voted { ballot, order: order(0, &[]), batch })
    };
    observer.durable(node(0), vote(0, batch(1))).unwrap();
    observer.durable(node(1), vote(0, batch(1))).unwrap();
    observer.durable(node(2), vote(1, Batch::noop())).unwrap();
    breaks(observer.durable(node(1), vote(1, Batch::noop())), Property::Agreement);
}

#[test]
fn conflicting_vertices_that_do_not_see_each_other() {
    let chosen = |deps: &[Vertex]| {
        let mut observer = observer(2);
        observer.committed(node(0), &order(0, &[]), &batch(1)).unwrap();
        observer.committed(node(0), &order(1, deps), &batch(2))
    };
    chosen(&[vertex(0, 0)]).unwrap();
    breaks(chosen(&[]), Property::Visibility);
}

#[test]
fn orders_and_outputs_that_differ() {
    let mut observer = observer(2);
    apply(&mut observer, 0, 1).unwrap();
    apply(&mut observer, 0, 2).unwrap();
    apply(&mut observer, 1, 2).unwrap();
    breaks(apply(&mut observer, 1, 1), Property::Order);
    let other = observer.applied(node(2), (vertex(0, 1), request(1)), &Bytes::from_static(b"other"));
    breaks(other, Property::Order);
}

#[test]
fn states_that_differ() {
    let mut observer = observer(0);
    let executed = || (Prefix::new(&[1]), Vec::new());
    observer.ended(node(0), executed(), 7).unwrap();
    observer.ended(node(1), executed(), 7).unwrap();
    breaks(observer.ended(node(2), executed(), 8), Property::State);
}

#[test]
fn an_answer_that_is_applied_nowhere() {
    let mut observer = observer(1);
    apply(&mut observer, 0, 1).unwrap();
    observer.answered(&done(1, "a")).unwrap();
    observer.complete(node(0)).unwrap();
    breaks(observer.complete(node(1)), Property::Durability);
}

#[test]
fn requests_applied_twice_and_answers_that_differ() {
    let mut observer = observer(1);
    apply(&mut observer, 0, 1).unwrap();
    observer.crashed(node(0));
    apply(&mut observer, 0, 1).unwrap();
    observer.checkpointed(node(0));
    observer.crashed(node(0));
    breaks(apply(&mut observer, 0, 1), Property::Once);
    observer.answered(&done(1, "a")).unwrap();
    breaks(observer.answered(&done(1, "b")), Property::Once);
}

#[test]
fn a_later_command_that_goes_first() {
    let mut observer = observer(1);
    observer.answered(&done(1, "a")).unwrap();
    observer.submitted(request(2), &Op::Put("k".into(), "v".into()));
    apply(&mut observer, 0, 1).unwrap();
    apply(&mut observer, 0, 2).unwrap();
    assert_eq!(observer.evaluations(Property::RealTime), 1);
    observer.before.clear();
    apply(&mut observer, 1, 2).unwrap();
    breaks(apply(&mut observer, 1, 1), Property::RealTime);
}

#[test]
fn two_values_in_one_ballot() {
    let mut observer = observer(1);
    let propose = |batch| {
        let ballot = Ballot::initial(node(0));
        Some(Evidence::Proposed { ballot, order: order(0, &[]), batch })
    };
    observer.sent(propose(batch(1))).unwrap();
    observer.sent(propose(batch(1))).unwrap();
    breaks(observer.sent(propose(Batch::noop())), Property::Ballots);
}

#[test]
fn a_ghost() {
    let mut observer = observer(2);
    observer.committed(node(0), &slot(1, 2, true), &Batch::noop()).unwrap();
    observer.committed(node(0), &slot(2, 2, false), &batch(1)).unwrap();
    observer.committed(node(0), &slot(3, 1, false), &batch(2)).unwrap();
    observer.applied(node(0), (vertex(0, 2), request(1)), &Bytes::new()).unwrap();
    let ghost = observer.applied(node(0), (vertex(0, 3), request(2)), &Bytes::new());
    breaks(ghost, Property::Ghosts);
}
