use crate::graph::{Graph, GraphVertex};
use crate::metrics::Stats;
use crate::node_loop::NodeLoop;
use isegoria_node::Node;
use isegoria_replica::Replica;
use isegoria_transport::LinkHandle;
use isegoria_transport::client_port::Question;
use std::sync::atomic::Ordering;

/// The most vertices that a graph shows.
const SHOWN_MAX: usize = 200;

/// What the loop knows of itself.
impl<N: Node> NodeLoop<N> {
    /// The answer to a question, as JSON.
    pub(crate) fn answer(&self, question: Question) -> String {
        match question {
            Question::Status => self.stats().to_json(),
            Question::Graph => self.graph().to_json(),
            Question::Explain(request) => self.stories.explain(request),
        }
    }

    fn graph(&self) -> Graph {
        let replica = self.beside.replica();
        let (shown, left_out_count) =
            replica.map(|replica| replica.unexecuted(SHOWN_MAX)).unwrap_or_default();
        let place = |wanted| shown.iter().position(|one| one.vertex == wanted);
        let edges = shown
            .iter()
            .enumerate()
            .flat_map(|(from, one)| one.depends_on.iter().filter_map(move |to| Some((from, place(*to)?))));
        Graph {
            waiting_count: replica.map_or(0, Replica::waiting_count),
            edges: edges.collect(),
            vertices: shown
                .iter()
                .map(|one| GraphVertex { name: self.stories.name(one.vertex), is_chosen: one.is_committed })
                .collect(),
            left_out_count,
        }
    }

    /// What was counted so far.
    pub(crate) fn stats(&self) -> Stats {
        let log = self.journal.log();
        let written = log.stats();
        let held = self.node.counts();
        let refused_count = self.inbox.refused_count.load(Ordering::Relaxed);
        let mut stats = Stats {
            peer_count: self.up.len() as u64,
            is_refusing: self.journal.refusal().is_some(),
            refused_count: self.stats.refused_count + refused_count,
            overloaded_count: self.stats.overloaded_count + refused_count,
            pending_count: self.clients.pending_count() as u64,
            held_count: self.gate.held_count() as u64,
            cell_count: held.cell_count as u64,
            index_count: held.index_count as u64,
            proposal_count: held.proposal_count as u64,
            oldest_ms: held.oldest_ms,
            link_dropped_count: self.outward.links().map(LinkHandle::dropped_count).sum(),
            link_sent_count: self.outward.links().map(LinkHandle::sent_count).sum(),
            link_call_count: self.outward.links().map(LinkHandle::call_count).sum(),
            lateness: self.outward.lateness(),
            fsync_count: written.fsync_count,
            fsync_us: written.fsync_sum_ns / 1_000,
            log_bytes: log.log_bytes(),
            checkpoint_count: self.journal.checkpoint_count,
            ..self.stats.clone()
        };
        stats.count_replica(&self.beside);
        stats
    }
}
