use crate::Value;
use isegoria_acceptor::Cell;
use isegoria_types::{Batch, DepSet, Vertex};
use serde::{Deserialize, Serialize};

/// What a node holds of a vertex (protocols.md 3.6.3). Its phase is *initial*, *pre-accepted*
/// once it has answered the leader, *accepted* once it has voted above round 0, *committed*
/// once it knows what is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Instance {
    /// Promises, votes above round 0, and what is chosen.
    pub(crate) cell: Cell<Value>,
    /// What the leader asked; not needed any more once a value is chosen.
    pub(crate) asked: Option<PreAccepted>,
}

/// What a leader asked, and what a node said: `initCmd`, `initDep` and `dep`. No vote and no
/// promise changes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PreAccepted {
    /// The commands.
    pub batch: Batch,
    /// What conflicts at the leader.
    pub initial: DepSet,
    /// That, and what conflicts here; none, if only a recoverer has told of the vertex.
    pub deps: Option<DepSet>,
}

impl PreAccepted {
    /// Whether this node has said what the leader knew already.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.deps.as_ref() == Some(&self.initial)
    }

    /// What the leader decides if it decides at once.
    #[must_use]
    pub fn value(&self) -> Value {
        Value { batch: self.batch.clone(), deps: self.initial.clone() }
    }
}

impl Instance {
    pub(crate) fn choose(&mut self, value: Value) {
        self.cell.choose(value);
        self.asked = None;
    }

    /// What speaks against a vertex `other`, should it conflict: that this one was chosen without
    /// it, or may be. The commands, and whether they are committed.
    pub(crate) fn without(&self, other: Vertex) -> Option<(&Batch, bool)> {
        match (self.cell.chosen(), &self.asked) {
            (Some(value), _) if value.batch.is_noop() || value.deps.contains(other) => None,
            (Some(value), _) => Some((&value.batch, true)),
            (None, Some(asked)) if !asked.initial.contains(other) => Some((&asked.batch, false)),
            (None, _) => None,
        }
    }
}
