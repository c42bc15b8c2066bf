use crate::list_append::transactions::{Access, Transactions, number};
use crate::list_append::versions::{UNSEEN, Versions};
use petgraph::graph::{DiGraph, NodeIndex};

/// Who comes before whom. The first nodes are the transactions; the others stand for "all
/// that append to a list behind what anybody saw" and for moments in time, so that the
/// number of edges stays in proportion to the history.
pub(crate) type Dependencies = DiGraph<(), Edge, u32>;

/// Why one transaction comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) kind: Kind,
    pub(crate) key: u32,
    /// What the second one appended; for [`Kind::WriteRead`], what it read.
    pub(crate) element: u32,
}

/// The kinds of dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The second one appended right behind the first one.
    WriteWrite,
    /// The second one read what the first one appended last.
    WriteRead,
    /// The first one read a list without what the second one appended to it.
    ReadWrite,
    /// The first one returned before the second one was invoked.
    RealTime,
    /// The rest of a way through a node that is no transaction.
    Way,
}

impl Edge {
    fn new(kind: Kind, key: u32, element: u32) -> Edge {
        Edge { kind, key, element }
    }

    fn of_kind(kind: Kind) -> Edge {
        Edge::new(kind, 0, UNSEEN)
    }
}

/// Builds the graph.
pub(crate) fn dependencies(transactions: &Transactions<'_>, versions: &Versions) -> Dependencies {
    let mut builder = Builder { transactions, versions, graph: DiGraph::default() };
    for _ in &transactions.list {
        builder.graph.add_node(());
    }
    let tails = builder.tails();
    builder.growth(&tails);
    builder.reads(&tails);
    builder.real_time();
    builder.graph
}

/// What was certainly appended to a list and never seen: behind everything that was seen,
/// in an unknown order.
#[derive(Debug, Default)]
struct Tail {
    /// Ascending by writer.
    elements: Vec<u32>,
    /// From here there is a way to the writers of these elements and of all that follow;
    /// and of all before.
    following: Vec<NodeIndex>,
    preceding: Vec<NodeIndex>,
}

struct Builder<'t, 'a> {
    transactions: &'t Transactions<'a>,
    versions: &'t Versions,
    graph: Dependencies,
}

impl Builder<'_, '_> {
    fn writer(&self, element: u32) -> u32 {
        self.transactions.element_of(element).writer
    }

    /// Whether a transaction certainly took effect: it was answered, or seen.
    fn took_effect(&self, transaction: u32) -> bool {
        let transaction = self.transactions.get(transaction);
        let is_seen = |access: &Access<'_>| match access {
            Access::Append(element) => self.versions.is_seen(*element),
            Access::Read { .. } => false,
        };
        transaction.returned_us.is_some() || transaction.accesses.iter().any(is_seen)
    }

    fn tails(&mut self) -> Vec<Tail> {
        let mut tails: Vec<Tail> = Vec::new();
        tails.resize_with(self.transactions.keys.len(), Tail::default);
        for element in 0..number(self.transactions.elements.len()) {
            if !self.versions.is_seen(element) && self.took_effect(self.writer(element)) {
                tails[self.transactions.element_of(element).key as usize].elements.push(element);
            }
        }
        for tail in &mut tails {
            for element in &tail.elements {
                let writer = NodeIndex::from(self.transactions.element_of(*element).writer);
                for chain in [&mut tail.following, &mut tail.preceding] {
                    let node = self.graph.add_node(());
                    self.graph.add_edge(node, writer, Edge::new(Kind::Way, 0, *element));
                    chain.push(node);
                }
            }
            for pair in tail.following.windows(2) {
                self.graph.add_edge(pair[0], pair[1], Edge::of_kind(Kind::Way));
            }
            for pair in tail.preceding.windows(2) {
                self.graph.add_edge(pair[1], pair[0], Edge::of_kind(Kind::Way));
            }
        }
        tails
    }

    fn add(&mut self, from: u32, to: u32, edge: Edge) {
        if from != to {
            self.graph.add_edge(from.into(), to.into(), edge);
        }
    }

    /// `from` comes before everybody else who appended what nobody saw.
    fn add_to_tail(&mut self, from: u32, key: u32, tail: &Tail, kind: Kind) {
        let own = |element: &u32| self.writer(*element).cmp(&from);
        let start = tail.elements.partition_point(|element| own(element).is_lt());
        let end = tail.elements.partition_point(|element| own(element).is_le());
        let ways = [start.checked_sub(1).map(|last| tail.preceding[last]), tail.following.get(end).copied()];
        for way in ways.into_iter().flatten() {
            self.graph.add_edge(from.into(), way, Edge::new(kind, key, UNSEEN));
        }
    }

    fn growth(&mut self, tails: &[Tail]) {
        for (key, list) in (0..).zip(&self.versions.lists) {
            for pair in list.windows(2) {
                let edge = Edge::new(Kind::WriteWrite, key, pair[1]);
                self.add(self.writer(pair[0]), self.writer(pair[1]), edge);
            }
            if let Some(last) = list.last() {
                self.add_to_tail(self.writer(*last), key, &tails[key as usize], Kind::WriteWrite);
            }
        }
    }

    fn reads(&mut self, tails: &[Tail]) {
        for read in &self.versions.reads {
            let list = &self.versions.lists[read.key as usize];
            let length = read.length as usize;
            if let Some(last) = length.checked_sub(1).map(|last| list[last]) {
                let edge = Edge::new(Kind::WriteRead, read.key, last);
                self.add(self.writer(last), read.transaction, edge);
            }
            match list.get(length) {
                Some(next) => {
                    let edge = Edge::new(Kind::ReadWrite, read.key, *next);
                    self.add(read.transaction, self.writer(*next), edge);
                }
                None => {
                    self.add_to_tail(read.transaction, read.key, &tails[read.key as usize], Kind::ReadWrite);
                }
            }
        }
    }

    /// A chain of moments: who returned has a way to the next moment, and from the last
    /// moment there is a way to who is invoked.
    fn real_time(&mut self) {
        let mut events: Vec<(u64, bool, u32)> = Vec::new();
        for index in self.transactions.indices().filter(|index| self.took_effect(*index)) {
            let transaction = self.transactions.get(index);
            events.push((transaction.invoked_us, false, index));
            events.extend(transaction.returned_us.map(|returned_us| (returned_us, true, index)));
        }
        // At one microsecond nobody can say which came first: invocations do.
        events.sort_unstable();
        let mut past: Option<NodeIndex> = None;
        let mut returned: Vec<u32> = Vec::new();
        for (_, is_return, transaction) in events {
            if is_return {
                returned.push(transaction);
                continue;
            }
            if !returned.is_empty() {
                let moment = self.graph.add_node(());
                if let Some(past) = past {
                    self.graph.add_edge(past, moment, Edge::of_kind(Kind::Way));
                }
                for transaction in returned.drain(..) {
                    self.graph.add_edge(transaction.into(), moment, Edge::of_kind(Kind::RealTime));
                }
                past = Some(moment);
            }
            if let Some(past) = past {
                self.graph.add_edge(past, transaction.into(), Edge::of_kind(Kind::Way));
            }
        }
    }
}
