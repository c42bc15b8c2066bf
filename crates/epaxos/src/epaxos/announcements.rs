use isegoria_types::{NodeId, Prefix};

/// Floors that leaders have told, until they hold for every request of theirs that may still
/// matter here (protocols.md 3.6.8).
///
/// A leader's floor counts once every vertex that it numbered before it used that floor is
/// executed here: nobody will ever validate one of those here, with dependencies that do
/// not cover the floor (trace B26). Telling is durable at the leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Announcements {
    of: Vec<Told>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Told {
    settled: Prefix,
    /// Waits to be settled.
    first: Option<Announcement>,
    /// The latest one behind it.
    last: Option<Announcement>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Announcement {
    floor: Prefix,
    /// The leader's requests carry it from this number on.
    from: u64,
}

impl Announcements {
    pub(crate) fn new(node_count: usize) -> Announcements {
        Announcements { of: vec![Told::default(); node_count] }
    }

    /// A leader's requests carry this floor from the number `from` on.
    pub(crate) fn hear(&mut self, leader: NodeId, floor: &Prefix, from: u64) {
        let told = &mut self.of[leader.index()];
        let is_old = |known: &Prefix| known.covers(floor);
        if is_old(&told.settled) || told.first.as_ref().is_some_and(|first| is_old(&first.floor)) {
            return;
        }
        let announcement = Announcement { floor: floor.clone(), from };
        if told.first.is_none() {
            told.first = Some(announcement);
        } else if !told.last.as_ref().is_some_and(|last| is_old(&last.floor)) {
            told.last = Some(announcement);
        }
    }

    /// This is executed here: which floors count now.
    pub(crate) fn settle(&mut self, executed: &Prefix, mut counts: impl FnMut(NodeId, &Prefix)) {
        for (index, told) in self.of.iter_mut().enumerate() {
            let leader = NodeId::new(index);
            while let Some(first) = told.first.take_if(|first| first.from <= executed.below(leader)) {
                counts(leader, &first.floor);
                told.settled.union(&first.floor);
                told.first = told.last.take();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_counts_once_everything_numbered_before_it_is_executed() {
        let leader = NodeId::new(1);
        let floor = |below: u64| Prefix::new(&[below]);
        let mut announcements = Announcements::new(2);
        let settle = |announcements: &mut Announcements, below: u64| {
            let mut settled = Vec::new();
            announcements.settle(&Prefix::new(&[9, below]), |of, floor| settled.push((of, floor.clone())));
            settled
        };
        announcements.hear(leader, &floor(3), 5);
        announcements.hear(leader, &floor(3), 7);
        announcements.hear(leader, &floor(4), 8);
        announcements.hear(leader, &floor(6), 9);
        announcements.hear(leader, &floor(4), 10);
        assert_eq!(settle(&mut announcements, 4), []);
        assert_eq!(settle(&mut announcements, 5), [(leader, floor(3))]);
        assert_eq!(settle(&mut announcements, 8), [], "the one between is passed over");
        assert_eq!(settle(&mut announcements, 9), [(leader, floor(6))]);
        announcements.hear(leader, &floor(6), 20);
        assert_eq!(settle(&mut announcements, 20), [], "nothing new");
    }
}
