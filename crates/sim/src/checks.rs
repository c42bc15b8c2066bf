use bytes::Bytes;
use isegoria_kv::Op;
use isegoria_types::{Batch, DepSet, Footprint, NodeId, Order, RequestId, Vertex};
use std::collections::BTreeMap;

/// A broken promise, with the invariant's id (testing.md section 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Such as `S1 agreement`.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
}

/// How often each check looked: one that never did proves nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// Commits compared with what was committed elsewhere.
    pub agreement_count: u64,
    /// Pairs of conflicting chosen vertices.
    pub visibility_count: u64,
    /// Applications compared with the order elsewhere.
    pub order_count: u64,
    /// Answers compared with other answers to the request.
    pub answer_count: u64,
    /// Every chosen value.
    chosen: BTreeMap<Vertex, Chosen>,
    /// What each request is.
    ops: BTreeMap<RequestId, Op>,
    /// The order of each key: the first replica to get somewhere decides.
    keys: BTreeMap<Bytes, KeyOrder>,
    answers: BTreeMap<RequestId, Bytes>,
    outputs: BTreeMap<RequestId, Bytes>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Chosen {
    order: Order,
    batch: Batch,
    footprint: Footprint,
}

/// Accesses of one key that do not commute: the writes in order, and how many stood
/// before each read; additions count as reads of their own class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct KeyOrder {
    writes: Vec<RequestId>,
    shared: BTreeMap<RequestId, usize>,
}

/// How far one replica has come with each key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    writes: BTreeMap<Bytes, usize>,
    requests: BTreeMap<RequestId, Vertex>,
}

fn violation(invariant: &'static str, what: String) -> Result<(), Violation> {
    Err(Violation { invariant, what })
}

impl Checks {
    pub(crate) fn submitted(&mut self, request: RequestId, op: &Op) {
        self.ops.insert(request, op.clone());
    }

    pub(crate) fn answered_count(&self) -> usize {
        self.answers.len()
    }

    pub(crate) fn answered(&self) -> impl Iterator<Item = RequestId> {
        self.answers.keys().copied()
    }

    /// S1, S7 and S2: a node committed `batch` at `order`.
    pub(crate) fn committed(&mut self, node: NodeId, order: &Order, batch: &Batch) -> Result<(), Violation> {
        let vertex = match order {
            Order::Slot { slot, .. } => Vertex::new(NodeId::new(0), *slot),
            Order::Vertex(vertex, _) => *vertex,
        };
        self.agreement_count += 1;
        if let Some(chosen) = self.chosen.get(&vertex) {
            if chosen.order != *order || chosen.batch != *batch {
                let (a, b) = (&chosen.order, &chosen.batch);
                return violation(
                    "S1 agreement",
                    format!("{node} commits {order:?} {batch:?}; committed before: {a:?} {b:?}"),
                );
            }
            return Ok(());
        }
        if let Some(phantom) = batch.iter().find(|command| !self.ops.contains_key(&command.request)) {
            return violation("S7 nontriviality", format!("{} was never submitted", phantom.request));
        }
        let footprint = batch.footprint();
        if let Order::Vertex(_, deps) = order
            && !batch.is_noop()
        {
            self.visible(vertex, deps, &footprint)?;
        }
        self.chosen.insert(vertex, Chosen { order: order.clone(), batch: batch.clone(), footprint });
        Ok(())
    }

    /// S2: of two conflicting vertices, one has the other in its dependencies.
    fn visible(&mut self, vertex: Vertex, deps: &DepSet, footprint: &Footprint) -> Result<(), Violation> {
        for (other, chosen) in &self.chosen {
            let Order::Vertex(_, other_deps) = &chosen.order else { continue };
            if chosen.batch.is_noop() || !footprint.conflicts(&chosen.footprint) {
                continue;
            }
            self.visibility_count += 1;
            if !deps.contains(*other) && !other_deps.contains(vertex) {
                return violation(
                    "S2 visibility",
                    format!(
                        "{vertex} {deps:?} and {other} {other_deps:?} conflict and do not see each other"
                    ),
                );
            }
        }
        Ok(())
    }

    /// S5 and S3: a replica applied a request.
    pub(crate) fn applied(
        &mut self,
        node: NodeId,
        replica: &mut Applied,
        at: (Vertex, RequestId, Bytes),
    ) -> Result<(), Violation> {
        let (vertex, request, output) = at;
        let first = self.outputs.entry(request).or_insert_with(|| output.clone());
        if *first != output {
            let what = format!("{request} gives {first:?} at one replica and {output:?} at {node}");
            return violation("S3 equal outputs", what);
        }
        if let Some(before) = replica.requests.insert(request, vertex) {
            return violation(
                "S5 exactly once",
                format!("{node} applies {request} at {before} and at {vertex}"),
            );
        }
        let op = self.ops.get(&request).expect("checked when it was committed");
        let (keys, writes): (Vec<Bytes>, bool) = match op {
            Op::Get(key) | Op::Add(key, _) => (vec![key.clone()], false),
            Op::MultiGet(keys) => (keys.clone(), false),
            Op::MultiPut(pairs) => (pairs.iter().map(|(key, _)| key.clone()).collect(), true),
            Op::Put(key, _) | Op::Delete(key) | Op::Incr(key, _) | Op::Append(key, _) => {
                (vec![key.clone()], true)
            }
            Op::CompareAndSet { key, .. } => (vec![key.clone()], true),
        };
        let keys: std::collections::BTreeSet<Bytes> = keys.into_iter().collect();
        for key in keys {
            self.order_count += 1;
            let order = self.keys.entry(key.clone()).or_default();
            let position = replica.writes.entry(key.clone()).or_default();
            let expected = if writes {
                if order.writes.len() == *position {
                    order.writes.push(request);
                }
                *position += 1;
                order.writes[*position - 1] == request
            } else {
                *order.shared.entry(request).or_insert(*position) == *position
            };
            if !expected {
                let position = *position;
                return violation(
                    "S3 execution order",
                    format!("{node} applies {request} on {key:?} as number {position}; elsewhere {order:?}"),
                );
            }
        }
        Ok(())
    }

    /// S5: all answers to a request are equal.
    pub(crate) fn answer(&mut self, request: RequestId, answer: &Bytes) -> Result<(), Violation> {
        self.answer_count += 1;
        let first = self.answers.entry(request).or_insert_with(|| answer.clone());
        if first != answer {
            return violation("S5 exactly once", format!("{request} is answered {first:?} and {answer:?}"));
        }
        Ok(())
    }

    /// S4: what was answered is applied at `node`.
    pub(crate) fn durable(&self, node: NodeId, replica: &Applied) -> Result<(), Violation> {
        match self.answered().find(|request| !replica.requests.contains_key(request)) {
            Some(lost) => {
                violation("S4 durability", format!("{lost} was answered and is not applied at {node}"))
            }
            None => Ok(()),
        }
    }
}
