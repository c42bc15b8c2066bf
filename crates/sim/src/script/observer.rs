use super::property::{Property, Violation};
use super::relation::conflict;
use super::text;
use bytes::Bytes;
use isegoria_kv::Op;
use isegoria_node::{Evidence, FastRule};
use isegoria_types::{
    Ballot, Batch, Command, DepSet, NodeId, NodeSet, Order, Outcome, Prefix, Quorum, Reply, RequestId, Vertex,
};
use std::collections::{BTreeMap, BTreeSet};

/// Sees everything that happens in a script, anywhere, and judges it.
///
/// Every judgement is the plain sentence of the property, pair by pair: scripts are
/// small, and what is written plainly is easily believed.
pub(super) struct Observer {
    /// What chooses a value.
    quorum: Quorum,
    /// Counts what clients see, so that it has an order.
    moment: u64,
    submitted: BTreeMap<RequestId, (Op, u64)>,
    answered: BTreeMap<RequestId, (Outcome, u64)>,
    /// What was proposed in each ballot.
    proposed: BTreeMap<(Vertex, Ballot), Value>,
    /// Durable votes; several values in one ballot where that is broken.
    votes: BTreeMap<(Vertex, Ballot), Vec<(Value, NodeSet)>>,
    /// Votes of ballot 0 for values of the voters' own making, and how they choose.
    fast_votes: BTreeMap<Vertex, (Batch, BTreeMap<NodeId, DepSet>)>,
    fast: FastRule,
    chosen: BTreeMap<Vertex, Value>,
    /// What each replica applied in its present life.
    applied: BTreeMap<NodeId, Vec<Applied>>,
    checkpoints: BTreeMap<NodeId, Vec<Applied>>,
    /// What each replica had applied when it wrote its last snapshot for others.
    snapshots: BTreeMap<NodeId, Vec<Applied>>,
    /// Conflicting requests in the order in which some replica applied them.
    before: BTreeSet<(RequestId, RequestId)>,
    outputs: BTreeMap<RequestId, Bytes>,
    states: Vec<(Executed, NodeId, u64)>,
    evaluations: BTreeMap<Property, u64>,
}

type Value = (Order, Batch);
type Applied = (Vertex, RequestId);
/// An executed set: prefix and extras.
type Executed = (Prefix, Vec<Vertex>);

impl Observer {
    pub(super) fn new(quorum: Quorum, fast: FastRule) -> Observer {
        Observer {
            quorum,
            fast,
            fast_votes: BTreeMap::new(),
            moment: 0,
            submitted: BTreeMap::new(),
            answered: BTreeMap::new(),
            proposed: BTreeMap::new(),
            votes: BTreeMap::new(),
            chosen: BTreeMap::new(),
            applied: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            before: BTreeSet::new(),
            outputs: BTreeMap::new(),
            states: Vec::new(),
            evaluations: BTreeMap::new(),
        }
    }

    /// How often a property was looked at: at zero it is not proved.
    pub(super) fn evaluations(&self, property: Property) -> u64 {
        self.evaluations.get(&property).copied().unwrap_or(0)
    }

    fn judge(
        &mut self,
        property: Property,
        holds: bool,
        otherwise: impl FnOnce() -> String,
    ) -> Result<(), Violation> {
        *self.evaluations.entry(property).or_default() += 1;
        if holds { Ok(()) } else { Err(Violation { property, what: otherwise() }) }
    }

    fn now(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    /// A client asks, for the first time or again.
    pub(super) fn submitted(&mut self, request: RequestId, op: &Op) {
        let now = self.now();
        self.submitted.entry(request).or_insert_with(|| (op.clone(), now));
    }

    /// What a request is.
    pub(super) fn op(&self, request: RequestId) -> &Op {
        &self.submitted.get(&request).unwrap_or_else(|| panic!("{request:?} was never submitted")).0
    }

    /// A message left a node.
    pub(super) fn sent(&mut self, evidence: Option<Evidence>) -> Result<(), Violation> {
        let Some(Evidence::Proposed { ballot, order, batch }) = evidence else { return Ok(()) };
        let place = order.place();
        let value = (order, batch);
        let first = self.proposed.entry((place, ballot)).or_insert_with(|| value.clone()).clone();
        self.judge(Property::Ballots, first == value, || {
            format!("proposed in ballot {ballot}: {} and {}", say(&first), say(&value))
        })
    }

    /// A record of `node` is durable.
    pub(super) fn durable(&mut self, node: NodeId, evidence: Option<Evidence>) -> Result<(), Violation> {
        let (ballot, order, batch) = match evidence {
            Some(Evidence::Voted { ballot, order, batch }) => (ballot, order, batch),
            Some(Evidence::FastVoted { order: Order::Vertex(vertex, deps), batch, .. }) => {
                return self.fast_voted(node, (vertex, deps), batch);
            }
            Some(Evidence::FastChosen { vertex, by }) => {
                let (batch, votes) = self.fast_votes.get(&vertex).cloned().unwrap_or_default();
                let deps = self.fast.decided_by(vertex.leader, &votes, by.as_ref());
                self.judge(Property::Agreement, deps.is_some(), || format!("{node} decides by {votes:?}"))?;
                let order = Order::Vertex(vertex, deps.expect("just judged"));
                return self.choose(vertex, (order, batch), &format!("{node} decides"));
            }
            _ => return Ok(()),
        };
        let (place, value) = (order.place(), (order, batch));
        let votes = self.votes.entry((place, ballot)).or_default();
        let index = votes.iter().position(|(other, _)| *other == value).unwrap_or_else(|| {
            votes.push((value.clone(), NodeSet::EMPTY));
            votes.len() - 1
        });
        votes[index].1.insert(node);
        let voters = votes[index].1;
        if self.quorum.is_quorum(voters) {
            return self.choose(place, value, &format!("{} voted in {ballot}", text::names(voters)));
        }
        Ok(())
    }

    /// A vote of ballot 0 for a value of the voter's own making.
    fn fast_voted(
        &mut self,
        node: NodeId,
        (vertex, deps): (Vertex, DepSet),
        batch: Batch,
    ) -> Result<(), Violation> {
        let (_, votes) = self.fast_votes.entry(vertex).or_insert_with(|| (batch.clone(), BTreeMap::new()));
        votes.insert(node, deps);
        match self.fast.chosen(votes) {
            Some(union) => {
                self.choose(vertex, (Order::Vertex(vertex, union), batch), "all voted in ballot 0")
            }
            None => Ok(()),
        }
    }

    /// A node hands a value to its replica.
    pub(super) fn committed(&mut self, node: NodeId, order: &Order, batch: &Batch) -> Result<(), Violation> {
        self.choose(order.place(), (order.clone(), batch.clone()), &format!("{node} commits"))
    }

    fn choose(&mut self, place: Vertex, value: Value, how: &str) -> Result<(), Violation> {
        if let Some(first) = self.chosen.get(&place).cloned() {
            return self.judge(Property::Agreement, first == value, || {
                format!("{how} {}, and chosen before is {}", say(&value), say(&first))
            });
        }
        let others: Vec<Value> = self.chosen.values().cloned().collect();
        for other in others {
            let (Order::Vertex(one, deps), Order::Vertex(two, other_deps)) = (&value.0, &other.0) else {
                continue;
            };
            if self.batches_conflict(&value.1, &other.1) {
                let seen = deps.contains(*two) || other_deps.contains(*one);
                self.judge(Property::Visibility, seen, || {
                    format!("{} and {} conflict and do not see each other", say(&value), say(&other))
                })?;
            }
        }
        self.chosen.insert(place, value);
        Ok(())
    }

    fn batches_conflict(&self, one: &Batch, other: &Batch) -> bool {
        // What replicas propose themselves conflicts with everything.
        let conflict = |a: &Command, b: &Command| {
            let is_barrier = a.is_housekeeping() || b.is_housekeeping();
            is_barrier || conflict(self.op(a.request), self.op(b.request))
        };
        one.iter().any(|a| other.iter().any(|b| conflict(&a, &b)))
    }

    /// A replica applied a request at a place.
    pub(super) fn applied(
        &mut self,
        node: NodeId,
        (place, request): Applied,
        output: &Bytes,
    ) -> Result<(), Violation> {
        let earlier = self.applied.entry(node).or_default().clone();
        let again = earlier.iter().find(|(_, other)| *other == request);
        self.judge(Property::Once, again.is_none(), || {
            format!("{node} applies {request:?} at {place}, and before at {}", again.expect("just seen").0)
        })?;
        for (_, other) in &earlier {
            if conflict(self.op(*other), self.op(request)) {
                self.ordered(node, *other, request)?;
            }
        }
        self.no_ghost(node, place)?;
        let first = self.outputs.entry(request).or_insert_with(|| output.clone()).clone();
        self.judge(Property::Order, first == *output, || {
            let (first, output) = (text::output(&first), text::output(output));
            format!("{request:?} gives {output} at {node}, and {first} elsewhere")
        })?;
        self.applied.entry(node).or_default().push((place, request));
        Ok(())
    }

    /// `node` applies `one` before `two`, and the two conflict.
    fn ordered(&mut self, node: NodeId, one: RequestId, two: RequestId) -> Result<(), Violation> {
        let reversed = self.before.contains(&(two, one));
        self.before.insert((one, two));
        self.judge(Property::Order, !reversed, || {
            format!("{node} applies {one:?} before {two:?}, another replica the other way round")
        })?;
        let precedes = |first: RequestId, second: RequestId| {
            let answered = self.answered.get(&first).map(|(_, at)| *at);
            answered.is_some_and(|at| at < self.submitted[&second].1)
        };
        let (kept, broken) = (precedes(one, two), precedes(two, one));
        if kept || broken {
            self.judge(Property::RealTime, !broken, || {
                format!(
                    "{node} applies {one:?} before {two:?}, which was answered before {one:?} was submitted"
                )
            })?;
        }
        Ok(())
    }

    fn no_ghost(&mut self, node: NodeId, place: Vertex) -> Result<(), Violation> {
        let Some((Order::Slot { slot, origin, .. }, _)) = self.chosen.get(&place) else { return Ok(()) };
        let (slot, origin) = (*slot, *origin);
        let begun = self.chosen.values().filter_map(|(order, _)| match order {
            Order::Slot { slot: at, origin, start_working: true } if *at < slot => Some(*origin),
            _ => None,
        });
        let Some(highest) = begun.max() else { return Ok(()) };
        self.judge(Property::Ghosts, origin >= highest, || {
            format!("{node} applies slot {slot} of {origin}, behind the StartWorking of {highest}")
        })
    }

    /// A client is answered.
    pub(super) fn answered(&mut self, reply: &Reply) -> Result<(), Violation> {
        let Reply { request, outcome } = reply;
        if matches!(outcome, Outcome::Refused(_)) {
            return Ok(());
        }
        let now = self.now();
        let (first, _) = self.answered.entry(*request).or_insert_with(|| (outcome.clone(), now)).clone();
        self.judge(Property::Once, first == *outcome, || {
            let first = text::reply(&Reply { request: *request, outcome: first });
            format!("the answers {first} and {}", text::reply(reply))
        })
    }

    /// The answer to a request, in the words of the trace.
    pub(super) fn answer(&self, request: RequestId) -> Option<String> {
        let (outcome, _) = self.answered.get(&request)?;
        Some(text::outcome(outcome))
    }

    /// The process at `node` ended, and with it its replica.
    pub(super) fn crashed(&mut self, node: NodeId) {
        self.applied.insert(node, self.checkpoints.get(&node).cloned().unwrap_or_default());
    }

    /// The replica at `node` is part of a checkpoint.
    pub(super) fn checkpointed(&mut self, node: NodeId) {
        self.checkpoints.insert(node, self.applied.get(&node).cloned().unwrap_or_default());
    }

    /// The replica at `node` writes a snapshot for others.
    pub(super) fn offered(&mut self, node: NodeId) {
        self.snapshots.insert(node, self.applied.get(&node).cloned().unwrap_or_default());
    }

    /// The replica at `node` becomes the snapshot of another.
    pub(super) fn installed(&mut self, node: NodeId, from: NodeId) {
        self.applied.insert(node, self.snapshots[&from].clone());
    }

    /// The script ends, and the replica of `node`, which runs, has executed this.
    pub(super) fn ended(&mut self, node: NodeId, executed: Executed, digest: u64) -> Result<(), Violation> {
        let peers: Vec<_> = self.states.iter().filter(|(other, ..)| *other == executed).cloned().collect();
        for (_, peer, other) in peers {
            self.judge(Property::State, digest == other, || {
                format!("{node} and {peer} have executed {executed:?} and differ")
            })?;
        }
        self.states.push((executed, node, digest));
        Ok(())
    }

    /// The script ends, and the replica of `node` has nothing left to catch up with.
    pub(super) fn complete(&mut self, node: NodeId) -> Result<(), Violation> {
        let answered: Vec<RequestId> = self.answered.keys().copied().collect();
        for request in answered {
            let applied =
                self.applied.get(&node).is_some_and(|all| all.iter().any(|(_, one)| *one == request));
            self.judge(Property::Durability, applied, || {
                format!("{request:?} was answered and is not applied at {node}")
            })?;
        }
        Ok(())
    }
}

fn say((order, batch): &Value) -> String {
    text::commit(order, batch)
}

#[cfg(test)]
mod tests;
