use isegoria_types::{NodeId, NodeSet, Prefix};

/// What each leader announced as its floor, and what was dropped on the strength of it,
/// or of a cut.
///
/// Invariant: but for cuts, `dropped` is covered by the announced floor of every leader,
/// so that every request sent after its leader's announcement covers it.
#[derive(Clone, Debug)]
pub(crate) struct Floors {
    leaders: NodeSet,
    announced: Vec<Prefix>,
    dropped: Prefix,
}

impl Floors {
    pub(crate) fn new(leaders: NodeSet) -> Floors {
        let width = leaders.iter().last().map_or(0, |last| last.index() + 1);
        Floors { leaders, announced: vec![Prefix::default(); width], dropped: Prefix::default() }
    }

    /// Announcements arrive in any order, so only what is new in one counts.
    /// A node that leads nothing holds nobody up and is ignored.
    pub(crate) fn announce(&mut self, leader: NodeId, floor: &Prefix) {
        if self.leaders.contains(leader) {
            self.announced[leader.index()].union(floor);
        }
    }

    pub(crate) fn announced(&self) -> impl Iterator<Item = (NodeId, &Prefix)> {
        self.leaders.iter().map(|leader| (leader, &self.announced[leader.index()]))
    }

    /// What may be dropped: the component-wise minimum over all leaders.
    pub(crate) fn minimum(&self) -> Prefix {
        let mut floors = self.announced().map(|(_, floor)| floor);
        let Some(mut minimum) = floors.next().cloned() else { return Prefix::default() };
        floors.for_each(|floor| minimum.intersect(floor));
        minimum
    }

    pub(crate) fn dropped(&self) -> &Prefix {
        &self.dropped
    }

    /// Adds `floor` to what is dropped; says whether anything was new.
    pub(crate) fn drop_to(&mut self, floor: &Prefix) -> bool {
        let rises = !self.dropped.covers(floor);
        if rises {
            self.dropped.union(floor);
        }
        rises
    }
}
