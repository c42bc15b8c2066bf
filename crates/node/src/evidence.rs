use isegoria_types::{Ballot, Batch, DepSet, NodeSet, Order, Vertex};

/// What a record or a message says about ballots and votes, for whoever judges a whole
/// cluster from outside: the simulator's checks count votes by it, not by what a
/// leader believes to have heard.
///
/// A place is a vertex; a log uses the column of node 0 ([`Order::place`]). `None`
/// stands for every place at once (a log's ballots).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// A proposer asks for promises.
    Campaigned {
        /// For what.
        place: Option<Vertex>,
        /// In which ballot.
        ballot: Ballot,
    },
    /// An acceptor promised.
    Promised {
        /// For what.
        place: Option<Vertex>,
        /// Which ballot.
        ballot: Ballot,
    },
    /// A proposer asks for votes for a value.
    Proposed {
        /// In which ballot.
        ballot: Ballot,
        /// The value: where it stands,
        order: Order,
        /// and what.
        batch: Batch,
    },
    /// An acceptor voted for a value (in a record).
    Voted {
        /// In which ballot.
        ballot: Ballot,
        /// The value: where it stands,
        order: Order,
        /// and what.
        batch: Batch,
    },
    /// An acceptor voted in ballot 0 for a value of its own making (in a record): what is
    /// chosen by such votes says the protocol's [`crate::FastRule`].
    FastVoted {
        /// The ballot.
        ballot: Ballot,
        /// The value: where it stands, with what this acceptor knows of,
        order: Order,
        /// and what.
        batch: Batch,
    },
    /// The leader of a vertex decided what votes in ballot 0 have chosen (in a record).
    FastChosen {
        /// The vertex.
        vertex: Vertex,
        /// Where that is not simply its own vote: whose votes decided, and the dependencies.
        by: Option<(NodeSet, DepSet)>,
    },
    /// An acceptor says that it voted (in a message).
    ToldVote {
        /// On what.
        place: Vertex,
        /// In which ballot.
        ballot: Ballot,
    },
}
