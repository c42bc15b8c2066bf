use isegoria_types::{Batch, DepSet, Order, Vertex};
use serde::{Deserialize, Serialize};

/// The value of a vertex. The noop has no commands and no dependencies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Value {
    /// The commands.
    pub batch: Batch,
    /// What they depend on.
    pub deps: DepSet,
}

impl Value {
    /// The value that does nothing and depends on nothing.
    #[must_use]
    pub fn noop() -> Value {
        Value { batch: Batch::noop(), deps: DepSet::default() }
    }

    /// As the value of this vertex.
    pub fn at(&self, vertex: Vertex) -> (Order, Batch) {
        (Order::Vertex(vertex, self.deps.clone()), self.batch.clone())
    }
}
