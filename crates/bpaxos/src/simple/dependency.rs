use crate::simple::message::{Message, Record};
use crate::simple::node::SimpleNode;
use isegoria_depservice::Answer;
use isegoria_node::Outbox;
use isegoria_types::{Footprint, NodeId, Prefix, Vertex};

impl SimpleNode {
    /// Answers with what conflicts, and records the vertex before the answer leaves.
    pub(crate) fn on_dep_request(
        &mut self,
        vertex: Vertex,
        footprint: Footprint,
        floor: &Prefix,
        out: &mut Outbox<Self>,
    ) {
        let _ = self.cell(vertex);
        let Some(index) = &mut self.index else { return };
        index.announce(vertex.leader, floor);
        match index.compute(vertex, &footprint, floor) {
            Answer::Deps(deps) => {
                out.persist(Record::Recorded { vertex, footprint });
                out.send_to(vertex.leader, Message::DepReply { vertex, deps });
            }
            Answer::StaleFloor(floor) => {
                out.send_to(vertex.leader, Message::StaleFloor { vertex, floor });
            }
        }
    }

    pub(crate) fn on_floor(&mut self, from: NodeId, floor: &Prefix) {
        if let Some(index) = &mut self.index {
            index.announce(from, floor);
        }
    }
}
