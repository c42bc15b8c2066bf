use isegoria_node::Node;
use isegoria_replica::ReplicaMessage;
use isegoria_storage::Position;
use isegoria_transport::{LatenessSummary, LinkHandle};
use isegoria_types::NodeSet;
use serde::{Deserialize, Serialize};

/// One frame between nodes.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) enum Wire<N: Node> {
    Node(N::Msg),
    Replica(ReplicaMessage),
    /// My log is durable up to here: I am not to come back with less.
    Durable(Position),
}

/// The links to the other nodes, by index; none to oneself.
pub(crate) struct Outward {
    links: Vec<Option<LinkHandle>>,
    scratch: Vec<u8>,
}

impl Outward {
    pub(crate) fn new(links: Vec<Option<LinkHandle>>) -> Outward {
        Outward { links, scratch: Vec::new() }
    }

    /// Queues a message for every node of `to`: encoded once. What does not fit into a
    /// queue is dropped and counted there; protocols ask again.
    pub(crate) fn send<N: Node>(&mut self, to: NodeSet, wire: &Wire<N>) {
        self.scratch.clear();
        self.scratch =
            postcard::to_extend(wire, std::mem::take(&mut self.scratch)).expect("encoding into memory");
        for node in to.iter() {
            if let Some(Some(link)) = self.links.get(node.index()) {
                let _ = link.send(|buffer| buffer.extend_from_slice(&self.scratch));
            }
        }
    }

    /// Lets everything queued leave.
    pub(crate) fn flush(&self) {
        for link in self.links.iter().flatten() {
            link.flush();
        }
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = &LinkHandle> {
        self.links.iter().flatten()
    }

    /// How late frames left that a distance holds back: all links of a node note that together.
    pub(crate) fn lateness(&self) -> LatenessSummary {
        self.links().next().map(LinkHandle::lateness).unwrap_or_default()
    }
}
