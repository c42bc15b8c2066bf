use isegoria_node::Event;
use isegoria_proposer::Tally;
use isegoria_types::{DepSet, NodeId, Vertex};

/// What is told of the answers with which the leader of `vertex` knows what it depends on: who gave
/// them, and who named more than its own, or than those before.
pub fn tell_answers(vertex: Vertex, answers: &Tally<DepSet>, events: &mut Vec<Event>) {
    let first = answers.get(vertex.leader).or_else(|| answers.iter().next().map(|(_, said)| said));
    let is_more = |said: &DepSet, known: &DepSet| !known.as_prefix().covers(said.as_prefix());
    if let Some(first) = first.filter(|first| answers.iter().any(|(_, said)| is_more(said, first))) {
        let mut known = first.clone();
        for (by, said) in answers.iter() {
            tell_added((vertex, by), &mut known, said, events);
        }
    }
    events.push(Event::Answered { vertex, by: answers.set() });
}

/// Adds an answer about a vertex to what is known, and tells whether it named more.
pub fn tell_added(
    (vertex, by): (Vertex, NodeId),
    known: &mut DepSet,
    said: &DepSet,
    events: &mut Vec<Event>,
) {
    if known.as_prefix().covers(said.as_prefix()) {
        return;
    }
    let more = said.as_prefix().iter().filter(|(leader, below)| *below > known.below(*leader));
    let deps = more.map(|(leader, below)| Vertex::new(leader, below - 1)).collect();
    events.push(Event::Added { vertex, by, deps });
    known.union(said);
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_types::{NodeSet, Prefix};

    #[test]
    fn who_named_more_is_told() {
        let deps = |below: &[u64]| DepSet::from_prefix(Prefix::new(below));
        let [own, first, second] = [1, 0, 2].map(NodeId::new);
        let vertex = Vertex::new(own, 5);
        let mut answers = Tally::default();
        for (node, said) in [(own, [1, 5, 0]), (first, [1, 5, 0]), (second, [3, 2, 4])] {
            answers.answer(node, deps(&said));
        }
        let mut events = Vec::new();
        tell_answers(vertex, &answers, &mut events);
        let named = vec![Vertex::new(first, 2), Vertex::new(second, 3)];
        let expected = [
            Event::Added { vertex, by: second, deps: named },
            Event::Answered { vertex, by: NodeSet::first(3) },
        ];
        assert_eq!(events, expected);
    }
}
