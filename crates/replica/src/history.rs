use isegoria_types::{Batch, NodeId, Order, Prefix, Vertex, VertexMap};

/// What a value costs besides its commands, bytes: about the size of its place.
const VALUE_BYTES: usize = 64;

/// Committed values, held for those replicas that may still ask for them.
///
/// Invariant: `byte_count` is the sum over the values held. There may be holes: what a
/// snapshot brought has no values.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    values: VertexMap<(Order, Batch)>,
    byte_count: usize,
}

impl History {
    pub(crate) fn get(&self, vertex: Vertex) -> Option<&(Order, Batch)> {
        self.values.get(vertex)
    }

    /// Takes a value in; says whether it was neither there nor dropped.
    pub(crate) fn insert(&mut self, order: Order, batch: Batch) -> bool {
        let vertex = order.place();
        if self.values.is_dropped(vertex) || self.values.get(vertex).is_some() {
            return false;
        }
        self.byte_count += cost(&batch);
        self.values.insert(vertex, (order, batch));
        true
    }

    pub(crate) fn drop_prefix(&mut self, prefix: &Prefix) {
        let byte_count = &mut self.byte_count;
        self.values.take_prefix(prefix, |_, (_, batch)| *byte_count -= cost(&batch));
    }

    /// The number below which `leader`'s values are dropped.
    pub(crate) fn base(&self, leader: NodeId) -> u64 {
        self.values.base(leader)
    }

    /// The number above every value of `leader`.
    pub(crate) fn end(&self, leader: NodeId) -> u64 {
        self.values.end(leader)
    }

    /// Whether `vertex` is near enough to be held.
    pub(crate) fn admits(&self, vertex: Vertex) -> bool {
        self.values.admits(vertex)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Vertex, &(Order, Batch))> {
        self.values.iter()
    }

    /// Places between what is dropped and the ends, with a value or without.
    pub(crate) fn span(&self) -> usize {
        self.values.span()
    }

    /// What the values take, bytes.
    pub(crate) fn byte_count(&self) -> usize {
        self.byte_count
    }
}

fn cost(batch: &Batch) -> usize {
    batch.byte_len() + VALUE_BYTES
}
