//! What the tests of the checks plant violations with.

use bytes::Bytes;
use isegoria_types::{
    Access, Action, Ballot, ClientId, Command, Footprint, KeyHash, NodeId, Order, RequestId, Vertex,
};

pub(crate) fn node(index: usize) -> NodeId {
    NodeId::new(index)
}

pub(crate) fn vertex(leader: usize, number: u64) -> Vertex {
    Vertex::new(node(leader), number)
}

pub(crate) fn slot(slot: u64) -> Order {
    Order::Slot { slot, origin: Ballot::initial(node(0)), start_working: false }
}

pub(crate) fn request(client: u64) -> RequestId {
    RequestId { client: ClientId(client), number: 0 }
}

/// A write of the key with this hash.
pub(crate) fn write(key: u64) -> Footprint {
    Footprint::keys([(KeyHash(key), Access::Exclusive)])
}

/// The first command of a client: a write of a key.
pub(crate) fn command(client: u64, key: u64) -> Command {
    Command {
        request: request(client),
        acked_below: 0,
        generation: 0,
        footprint: write(key),
        action: Action::Apply(Bytes::from(format!("write {key}"))),
    }
}
