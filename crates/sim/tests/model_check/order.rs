use isegoria_replica::{GraphOrder, Progress};
use isegoria_types::{Batch, DepSet, Vertex};
use std::collections::BTreeSet;

/// A chosen vertex with its value.
pub(crate) type Chosen<'a> = (Vertex, &'a Batch, &'a DepSet);

/// What the replicas make of some chosen vertices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Execution {
    /// The vertices that are executed once all of these are committed.
    pub(crate) executed: BTreeSet<Vertex>,
    /// Two conflicting vertices that two replicas execute in different orders.
    pub(crate) disagreement: Option<(Vertex, Vertex)>,
    /// Whether two executed vertices depend on each other.
    pub(crate) has_cycle: bool,
}

pub(crate) fn conflict(one: &Chosen<'_>, two: &Chosen<'_>) -> bool {
    !one.1.is_noop() && !two.1.is_noop() && one.1.footprint().conflicts(&two.1.footprint())
}

/// Commits the vertices in every order to the executor of the replicas. Every replica
/// sees some order of some of them; each order's beginnings stand for those that have
/// not heard of the rest.
pub(crate) fn execute(chosen: &[Chosen<'_>]) -> Execution {
    let mut result = Execution::default();
    let mut before: BTreeSet<(Vertex, Vertex)> = BTreeSet::new();
    for_each_order(chosen.len(), &mut |order| {
        let mut graph = GraphOrder::default();
        let mut progress = Progress::default();
        for index in order {
            let (vertex, _, deps) = chosen[*index];
            graph.commit(vertex, deps.clone(), &mut progress);
        }
        for (position, one) in progress.executed.iter().enumerate() {
            let later = chosen.iter().filter(|two| !progress.executed[..=position].contains(&two.0));
            let one = chosen.iter().find(|other| other.0 == *one).expect("only chosen ones are executed");
            before.extend(later.filter(|two| conflict(one, two)).map(|two| (one.0, two.0)));
        }
        result.executed = progress.executed.into_iter().collect();
    });
    result.disagreement = before.iter().copied().find(|(one, two)| before.contains(&(*two, *one)));
    let is_executed = |one: &Chosen<'_>| result.executed.contains(&one.0);
    result.has_cycle = chosen
        .iter()
        .filter(|one| is_executed(one))
        .any(|one| chosen.iter().any(|two| one.0 != two.0 && one.2.contains(two.0) && two.2.contains(one.0)));
    result
}

/// Calls `visit` with every permutation of `0..count`.
pub(crate) fn for_each_order(count: usize, visit: &mut impl FnMut(&[usize])) {
    fn extend(order: &mut Vec<usize>, count: usize, visit: &mut impl FnMut(&[usize])) {
        if order.len() == count {
            visit(order);
        }
        for next in (0..count).filter(|next| !order.contains(next)).collect::<Vec<_>>() {
            order.push(next);
            extend(order, count, visit);
            order.pop();
        }
    }
    extend(&mut Vec::with_capacity(count), count, visit);
}
