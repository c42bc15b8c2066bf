use isegoria_transport::{Distance, Road};
use isegoria_types::{NodeId, Reply, Request};
use std::collections::BTreeMap;

/// The ways between sessions and nodes that are made to seem far away: by the home of a
/// session, which is where its client is, and the node.
///
/// What a session asks a node arrives there later by the distance, and so does the answer.
#[derive(Debug)]
pub(crate) struct Ways {
    distances: Vec<Vec<Distance>>,
    out: BTreeMap<(NodeId, NodeId), Road<Request>>,
    back: BTreeMap<(NodeId, NodeId), Road<Reply>>,
}

impl Ways {
    pub(crate) fn new(distances: Vec<Vec<Distance>>) -> Ways {
        Ways { distances, out: BTreeMap::new(), back: BTreeMap::new() }
    }

    fn distance(&self, home: NodeId, node: NodeId) -> Distance {
        let row = self.distances.get(home.index());
        row.and_then(|row| row.get(node.index())).copied().unwrap_or_default()
    }

    /// A request leaves.
    pub(crate) fn ask(&mut self, home: NodeId, node: NodeId, request: Request) {
        let distance = self.distance(home, node);
        self.out.entry((home, node)).or_insert_with(|| Road::new(distance)).depart(request);
    }

    /// An answer leaves.
    pub(crate) fn answer(&mut self, home: NodeId, node: NodeId, reply: Reply) {
        let distance = self.distance(home, node);
        self.back.entry((home, node)).or_insert_with(|| Road::new(distance)).depart(reply);
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
    pub(crate) async fn arrival(&self) {
        let next = self.out.values().filter_map(Road::next).chain(self.back.values().filter_map(Road::next));
        match next.min() {
            Some(next) => tokio::time::sleep_until(next).await,
            None => std::future::pending::<()>().await,
        }
    }
}

/// When something arrives next.
pub(crate) async fn arrival(ways: Option<&Ways>) {
    match ways {
        Some(ways) => ways.arrival().await,
        None => std::future::pending::<()>().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use isegoria_types::{ClientId, Outcome, RequestId};
    use std::time::Duration;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn both_ways_take_as_long_as_the_distance_between_home_and_node() {
        let far = Distance { one_way: Duration::from_millis(40), jitter: Duration::ZERO };
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
        assert!(began.elapsed() >= Duration::from_millis(80) && began.elapsed() < Duration::from_millis(90));
    }
}
