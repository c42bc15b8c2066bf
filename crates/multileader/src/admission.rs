use crate::Value;
use isegoria_node::Inadmissible;
use isegoria_proposer::ROUND_MAX;
use isegoria_types::{Ballot, Layout, NodeId, Prefix, Vertex, VertexMap, WINDOW_MAX};

/// What a message from a correct peer may name: see `Node::admit`. A node with vertices
/// `T` asks for each field.
pub struct Admission<'a, T> {
    /// Who is who.
    pub layout: &'a Layout,
    /// What is held of each vertex: it says which are near enough.
    pub cells: &'a VertexMap<T>,
    /// Who sent the message.
    pub from: NodeId,
    /// The highest round that belongs to the leader of a vertex.
    pub reserved_round: u32,
}

impl<T> Admission<'_, T> {
    /// That something holds.
    ///
    /// # Errors
    /// If not.
    pub fn that(&self, holds: bool, otherwise: &'static str) -> Result<(), Inadmissible> {
        if holds { Ok(()) } else { Err(Inadmissible(otherwise)) }
    }

    /// A vertex of this epoch and of a leader, not far in the future.
    ///
    /// # Errors
    /// If not.
    pub fn vertex(&self, vertex: Vertex) -> Result<(), Inadmissible> {
        self.that(vertex.epoch.0 == 0, "a vertex of an unknown epoch")?;
        self.that(self.layout.leaders.contains(vertex.leader), "a vertex of no leader")?;
        self.that(self.cells.admits(vertex), "a vertex far in the future")
    }

    /// A ballot that somebody may use for this vertex.
    ///
    /// # Errors
    /// If not.
    pub fn ballot(&self, vertex: Vertex, ballot: Ballot) -> Result<(), Inadmissible> {
        self.that(self.layout.leaders.contains(ballot.owner), "a ballot of no leader")?;
        self.that(ballot.round <= ROUND_MAX, "a ballot that no honest run reaches")?;
        let is_free = ballot.round > self.reserved_round;
        self.that(is_free || ballot.owner == vertex.leader, "a reserved ballot of another's vertex")
    }

    /// A ballot that the sender may use for this vertex.
    ///
    /// # Errors
    /// If not.
    pub fn owned(&self, vertex: Vertex, ballot: Ballot) -> Result<(), Inadmissible> {
        self.ballot(vertex, ballot)?;
        self.that(ballot.owner == self.from, "a ballot that its sender does not own")
    }

    /// A ballot in which the sender may ask for promises.
    ///
    /// # Errors
    /// If not.
    pub fn campaign(&self, vertex: Vertex, ballot: Ballot) -> Result<(), Inadmissible> {
        self.that(ballot.round > self.reserved_round, "phase 1 in a reserved ballot")?;
        self.owned(vertex, ballot)
    }

    /// A vote that somebody may have cast, or none.
    ///
    /// # Errors
    /// If not.
    pub fn vote(&self, vertex: Vertex, vote: Option<&(Ballot, Value)>) -> Result<(), Inadmissible> {
        let Some((ballot, value)) = vote else { return Ok(()) };
        self.ballot(vertex, *ballot)?;
        self.value(value)
    }

    /// A value that somebody may have proposed.
    ///
    /// # Errors
    /// If not.
    pub fn value(&self, value: &Value) -> Result<(), Inadmissible> {
        self.prefix(value.deps.as_prefix())
    }

    /// Vertices of leaders, not far in the future.
    ///
    /// # Errors
    /// If not.
    pub fn prefix(&self, prefix: &Prefix) -> Result<(), Inadmissible> {
        let known = prefix.iter().all(|(leader, below)| {
            let near = self.cells.base(leader).saturating_add(WINDOW_MAX);
            below == 0 || self.layout.leaders.contains(leader) && below <= near
        });
        self.that(known, "dependencies of an unknown leader, or far in the future")
    }
}
