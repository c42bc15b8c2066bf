use crate::{Event, Node, Outbox, Send, Weight};
use isegoria_types::{Batch, Order, Refusal};
use std::collections::VecDeque;

/// Something that a step lets the world see.
#[derive(Clone, Debug)]
pub enum Effect<N: Node> {
    /// A message to other nodes.
    Send(Send<N::Msg>),
    /// A chosen batch, for the replica.
    Commit(Order, Batch),
    /// A batch that the node does not take.
    Refuse(Batch, Refusal),
    /// What happened.
    Event(Event),
}

/// Persist before send, as one value.
///
/// Every effect is stamped with the log position of the last *gating* record written
/// by its own step **or any earlier one**, because a step decides by what earlier
/// steps wrote (a leader counts its own vote in a later step than the one that cast
/// it). It is released, in order, when that position is durable. The loop never
/// waits: it goes on stepping while the log thread syncs.
#[derive(Clone, Debug)]
pub struct Gate<N: Node> {
    gating_end: u64,
    durable: u64,
    held: VecDeque<(u64, Effect<N>)>,
}

impl<N: Node> Default for Gate<N> {
    fn default() -> Gate<N> {
        Gate { gating_end: 0, durable: 0, held: VecDeque::new() }
    }
}

impl<N: Node> Gate<N> {
    /// A record was appended to the log, which now ends at `end` (bytes).
    pub fn wrote(&mut self, end: u64, weight: Weight) {
        if weight == Weight::Gating {
            self.gating_end = end;
        }
    }

    /// Takes over what a step wishes the world to see. The step's records must have
    /// been appended and told by [`Gate::wrote`] before.
    ///
    /// # Panics
    /// If records are still in the outbox.
    pub fn hold(&mut self, out: &mut Outbox<N>) {
        assert!(out.records.is_empty(), "effects are held before their step's records were appended");
        let stamp = self.gating_end;
        let held = &mut self.held;
        held.extend(out.sends.drain(..).map(|send| (stamp, Effect::Send(send))));
        held.extend(out.commits.drain(..).map(|(order, batch)| (stamp, Effect::Commit(order, batch))));
        held.extend(out.refusals.drain(..).map(|(batch, refusal)| (stamp, Effect::Refuse(batch, refusal))));
        held.extend(out.events.drain(..).map(|event| (stamp, Effect::Event(event))));
    }

    /// The log is durable up to `position` (bytes).
    pub fn durable(&mut self, position: u64) {
        self.durable = self.durable.max(position);
    }

    /// The next effect whose records are durable.
    pub fn release(&mut self) -> Option<Effect<N>> {
        match self.held.front() {
            Some((stamp, _)) if *stamp <= self.durable => self.held.pop_front().map(|(_, effect)| effect),
            _ => None,
        }
    }

    /// Whether an effect waits for the disk.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.gating_end > self.durable
    }

    /// The number of effects held.
    #[must_use]
    pub fn held_count(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Inadmissible, Input, step};
    use isegoria_types::{NodeId, NodeSet};
    use std::hash::Hasher;

    /// Counts down to zero by messages to itself; persists odd numbers.
    #[derive(Clone, Debug)]
    struct Countdown {
        seen: Vec<u32>,
    }

    impl Node for Countdown {
        type Msg = u32;
        type Timer = ();
        type Record = u32;
        fn step(&mut self, input: Input<Countdown>, out: &mut Outbox<Countdown>) {
            let Input::Message { message, .. } = input else { return };
            self.seen.push(message);
            if message % 2 == 1 {
                out.persist(message);
            }
            if message > 0 {
                out.send(NodeSet::first(2), message - 1);
            }
        }
        fn admit(&self, _: NodeId, _: &u32) -> Result<(), Inadmissible> {
            Ok(())
        }
        fn replay(&mut self, _: u32) {}
        fn checkpoint(&self, _: &mut Vec<u32>) {}
        fn fingerprint(&self, _: &mut dyn Hasher) {}
    }

    fn run(gate: &mut Gate<Countdown>, end: &mut u64, message: u32) -> Vec<u32> {
        let own = NodeId::new(0);
        let (mut node, mut out) = (Countdown { seen: Vec::new() }, Outbox::new(own));
        step(&mut node, Input::Message { from: own, message }, &mut out);
        for (_, weight) in out.records.drain(..) {
            *end += 10;
            gate.wrote(*end, weight);
        }
        gate.hold(&mut out);
        node.seen
    }

    fn released(gate: &mut Gate<Countdown>) -> Vec<u32> {
        std::iter::from_fn(|| gate.release())
            .map(|effect| match effect {
                Effect::Send(send) => send.message,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn messages_to_oneself_are_part_of_the_step() {
        let (mut gate, mut end) = (Gate::default(), 0);
        assert_eq!(run(&mut gate, &mut end, 3), [3, 2, 1, 0]);
        assert_eq!(end, 20);
    }

    /// A later step without records waits for an earlier step's records.
    #[test]
    fn nothing_leaves_before_what_was_written_before_it() {
        let (mut gate, mut end) = (Gate::default(), 0);
        run(&mut gate, &mut end, 1);
        run(&mut gate, &mut end, 2);
        assert_eq!(released(&mut gate), [0u32; 0]);
        assert!(gate.is_waiting());
        gate.durable(10);
        assert_eq!(released(&mut gate), [0], "the second step wrote a record at 20");
        gate.durable(20);
        assert_eq!(released(&mut gate), [1, 0]);
        assert!(!gate.is_waiting());
    }

    #[test]
    fn a_lazy_record_holds_nothing_back() {
        let mut gate: Gate<Countdown> = Gate::default();
        gate.wrote(10, Weight::Lazy);
        let mut out = Outbox::new(NodeId::new(0));
        out.send(NodeSet::first(2), 5);
        gate.hold(&mut out);
        assert_eq!(released(&mut gate), [5]);
    }
}
