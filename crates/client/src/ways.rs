use isegoria_transport::{Alarm, Distance, Lateness, LatenessSummary, Road};
use isegoria_types::{NodeId, Outcome, Reply, Request};
use std::collections::BTreeMap;

/// About what a request or an answer takes beside what it carries, bytes.
const HEADERS_BYTES: usize = 64;

/// The ways between sessions and nodes that are made to seem far away: by the home of a
/// session, which is where its client is, and the node.
///
/// What a session asks a node arrives there later by the distance, and so does the answer.
#[derive(Debug)]
pub(crate) struct Ways {
    distances: Vec<Vec<Distance>>,
    out: BTreeMap<(NodeId, NodeId), Road<Request>>,
    back: BTreeMap<(NodeId, NodeId), Road<Reply>>,
    alarm: Alarm,
    lateness: Lateness,
}

impl Ways {
    pub(crate) fn new(distances: Vec<Vec<Distance>>) -> Ways {
        let (out, back) = (BTreeMap::new(), BTreeMap::new());
        Ways { distances, out, back, alarm: Alarm::default(), lateness: Lateness::default() }
    }

    fn distance(&self, home: NodeId, node: NodeId) -> Distance {
        let row = self.distances.get(home.index());
        row.and_then(|row| row.get(node.index())).copied().unwrap_or_default()
    }

    /// A request leaves.
    pub(crate) fn ask(&mut self, home: NodeId, node: NodeId, request: Request) {
        let distance = self.distance(home, node);
        let (road, bytes) = (self.out.entry((home, node)), request.payload.len() + HEADERS_BYTES);
        road.or_insert_with(|| Road::new(distance, self.lateness.clone())).depart(request, bytes);
    }

    /// An answer leaves.
    pub(crate) fn answer(&mut self, home: NodeId, node: NodeId, reply: Reply) {
        let distance = self.distance(home, node);
        let output = if let Outcome::Done(output) = &reply.outcome { output.len() } else { 0 };
        let road = self.back.entry((home, node));
        road.or_insert_with(|| Road::new(distance, self.lateness.clone()))
            .depart(reply, output + HEADERS_BYTES);
    }

    /// A request that has arrived by now, and where.
    pub(crate) fn asked(&mut self) -> Option<(NodeId, Request)> {
        self.out.iter_mut().find_map(|((_, node), road)| Some((*node, road.take()?)))
    }

    /// An answer that has arrived by now.
    pub(crate) fn answered(&mut self) -> Option<Reply> {
        self.back.values_mut().find_map(Road::take)
    }

    /// Resolves when something has arrived; never, if nothing is on its way.
    pub(crate) async fn arrival(&mut self) {
        let next = self.out.values().filter_map(Road::next).chain(self.back.values().filter_map(Road::next));
        let next = next.min();
        self.alarm.at_next(next).await;
    }

    /// How late requests and answers were, both counted.
    pub(crate) fn lateness(&self) -> LatenessSummary {
        self.lateness.summary()
    }
}

/// When something arrives next.
pub(crate) async fn arrival(ways: Option<&mut Ways>) {
    match ways {
        Some(ways) => ways.arrival().await,
        None => std::future::pending::<()>().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use isegoria_types::{ClientId, RequestId};
    use std::time::{Duration, Instant};

    #[tokio::test]
    async fn both_ways_take_as_long_as_the_distance_between_home_and_node() {
        let far = Distance { one_way: Duration::from_millis(40), ..Distance::default() };
        let mut ways = Ways::new(vec![vec![Distance::default(), far], vec![far, Distance::default()]]);
        let id = RequestId { client: ClientId(1), number: 1 };
        let request = Request { id, acked_below: 0, generation: 0, patience_ms: 1, payload: Bytes::new() };
        let [here, there] = [0, 1].map(NodeId::new);
        let began = Instant::now();
        ways.ask(here, here, request.clone());
        assert_eq!(ways.asked().map(|(node, _)| node), Some(here), "one's own node is near");
        ways.ask(here, there, request);
        assert!(ways.asked().is_none());
        ways.arrival().await;
        assert_eq!(ways.asked().map(|(node, _)| node), Some(there));
        ways.answer(here, there, Reply { request: id, outcome: Outcome::Done(Bytes::new()) });
        assert!(ways.answered().is_none());
        ways.arrival().await;
        assert!(ways.answered().is_some());
        assert!(began.elapsed() >= Duration::from_millis(80));
        assert_eq!(ways.lateness().count, 2, "what was never held back is not late");
    }
}
