use isegoria_kv::Op;
use isegoria_types::{ClientId, NodeId, Request, RequestId};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A closed-loop client: one request outstanding, asked again elsewhere when no answer comes.
#[derive(Clone, Debug)]
pub(crate) struct SimClient {
    pub(crate) id: ClientId,
    /// The request outstanding, and the number of requests answered.
    pub(crate) number: u64,
    pub(crate) op: Op,
    pub(crate) target: NodeId,
    /// Counts attempts, so that an old retry timer is recognised.
    pub(crate) attempt: u64,
}

impl SimClient {
    pub(crate) fn new(index: usize, node_count: usize, rng: &mut ChaCha8Rng) -> SimClient {
        SimClient {
            id: ClientId(index as u64 + 1),
            number: 0,
            op: Op::Get(bytes::Bytes::new()),
            target: NodeId::new(rng.random_range(0..node_count)),
            attempt: 0,
        }
    }

    /// Draws the next operation.
    pub(crate) fn draw(&mut self, key_count: u64, rng: &mut ChaCha8Rng) {
        let key = |rng: &mut ChaCha8Rng| bytes::Bytes::from(format!("k{}", rng.random_range(0..key_count)));
        let tag = bytes::Bytes::from(format!("{:?}", self.request_id()));
        self.op = match rng.random_range(0..10) {
            0..4 => Op::Append(key(rng), tag),
            4 => Op::Put(key(rng), tag),
            5 => Op::Get(key(rng)),
            6 => Op::Add(key(rng), 1),
            7 => Op::MultiPut(vec![(key(rng), tag.clone()), (key(rng), tag)]),
            8 => Op::MultiGet(vec![key(rng), key(rng)]),
            _ => Op::Incr(key(rng), 1),
        };
    }

    pub(crate) fn request_id(&self) -> RequestId {
        RequestId { client: self.id, number: self.number }
    }

    pub(crate) fn request(&self) -> Request {
        Request {
            id: self.request_id(),
            acked_below: self.number,
            generation: 0,
            payload: postcard::to_stdvec(&self.op).expect("encoding into memory").into(),
        }
    }
}
