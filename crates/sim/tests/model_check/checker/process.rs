use super::subject::Subject;
use isegoria_node::{Effect, Gate, Node, Outbox, Weight};
use isegoria_types::NodeId;
use std::hash::Hasher;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What one atomic step of a process did, with everything that it wants the world to
/// see still behind the real [`Gate`].
pub(crate) struct Performed<N: Node> {
    pub(crate) node: N,
    pub(crate) records: Vec<(N::Record, Weight)>,
    gate: Gate<N>,
}

impl<N: Node> Performed<N> {
    /// What gets out if the first `kept` of the step's records become durable, and all
    /// that was written before the step is.
    pub(crate) fn released(&self, kept: usize) -> Vec<Effect<N>> {
        let mut gate = self.gate.clone();
        gate.durable(kept as u64);
        std::iter::from_fn(|| gate.release()).collect()
    }

    /// What gets out of a process that does not wait for its disk: a planted fault.
    pub(crate) fn hasty(&self) -> Vec<Effect<N>> {
        self.released(usize::MAX)
    }
}

/// Lets `act` drive a copy of `node`. `None` if `act` says that there is nothing to do;
/// an error if an assertion of the node fails, with what it says.
pub(crate) fn perform<S: Subject>(
    subject: &S,
    own: NodeId,
    node: &S::Node,
    act: impl FnOnce(&mut S::Node, &mut Outbox<S::Node>) -> bool,
) -> Result<Option<Performed<S::Node>>, String> {
    let run = || {
        let mut node = node.clone();
        let mut out = Outbox::new(subject.outbox_of(own));
        let acted = act(&mut node, &mut out);
        node.assert_invariants();
        acted.then(|| {
            let mut gate = Gate::default();
            let records = std::mem::take(&mut out.records);
            for (end, (_, weight)) in (1..).zip(&records) {
                gate.wrote(end, *weight);
            }
            gate.hold(&mut out);
            Performed { node, records, gate }
        })
    };
    quietly(run)
}

/// Runs `run`; a panic becomes an error and prints nothing.
pub(crate) fn quietly<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    use std::cell::Cell;
    thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    QUIET.set(false);
    result.map_err(|panic| match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast_ref::<&str>().copied().unwrap_or("a panic").to_owned(),
    })
}

/// The whole state of a node as bytes: what its `fingerprint` feeds to a hasher, kept
/// instead of mixed, so that two nodes are taken for one only if they are equal.
pub(crate) fn identity<N: Node>(own: NodeId, node: &N) -> Vec<u8> {
    struct Keep(Vec<u8>);
    impl Hasher for Keep {
        fn write(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
        fn finish(&self) -> u64 {
            unreachable!("nobody wants a hash")
        }
    }
    let mut keep = Keep(Vec::new());
    keep.write_usize(own.index());
    node.fingerprint(&mut keep);
    keep.0
}
