use isegoria_types::Ballot;
use std::fmt::Debug;

/// What a quorum of promises leaves open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Choice<V> {
    /// No lower ballot can have chosen a value: propose any.
    Free,
    /// A lower ballot may have chosen this value: propose it.
    Forced(V),
}

/// Appendix B of protocols.md, `simple`: the value voted for in the highest ballot.
/// `answers` holds each promise's vote, of every member of a phase-1 quorum.
///
/// # Panics
/// If two votes in one ballot differ (one value a ballot, protocols.md 1.5).
#[must_use]
pub fn simple<V: Eq + Debug>(answers: impl Iterator<Item = Option<(Ballot, V)>>) -> Choice<V> {
    let highest = answers.flatten().reduce(|one, two| {
        assert!(
            one.0 != two.0 || one.1 == two.1,
            "two values in ballot {}: {:?} and {:?}",
            one.0,
            one.1,
            two.1
        );
        if two.0 > one.0 { two } else { one }
    });
    highest.map_or(Choice::Free, |(_, value)| Choice::Forced(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_types::NodeId;

    const BALLOTS: usize = 3;

    fn ballot(round: usize) -> Ballot {
        Ballot { round: u32::try_from(round).unwrap(), owner: NodeId::new(0) }
    }

    /// All votes ever cast below the recoverer's ballot: `voted[node]` has bit b set
    /// if the node voted in ballot b, in which `values[b]` was proposed.
    #[derive(Clone, Copy, Debug)]
    struct History<'a> {
        voted: &'a [usize],
        values: [char; BALLOTS],
    }

    impl History<'_> {
        fn majority(&self, set: usize) -> bool {
            set.count_ones() as usize > self.voted.len() / 2
        }

        fn voters(&self, ballot: usize) -> usize {
            (0..self.voted.len())
                .filter(|node| self.voted[*node] >> ballot & 1 == 1)
                .map(|node| 1 << node)
                .sum()
        }

        /// The last ballot below `limit` that `node` voted in.
        fn last(&self, node: usize, limit: usize) -> Option<usize> {
            (0..limit).rev().find(|ballot| self.voted[node] >> ballot & 1 == 1)
        }

        /// Whether correct proposers could have produced this: whoever proposed in
        /// ballot b > 0 had heard a majority, and took the value of its highest vote if
        /// there was one. (Members of it cast no vote below b afterwards, so the votes
        /// below b are those it heard.)
        fn is_reachable(&self) -> bool {
            (1..BALLOTS).filter(|ballot| self.voters(*ballot) != 0).all(|ballot| {
                (0..1usize << self.voted.len()).filter(|set| self.majority(*set)).any(|set| {
                    let members = (0..self.voted.len()).filter(|node| set >> node & 1 == 1);
                    let highest = members.filter_map(|node| self.last(node, ballot)).max();
                    highest.is_none_or(|highest| self.values[highest] == self.values[ballot])
                })
            })
        }

        fn chosen(&self) -> Option<char> {
            (0..BALLOTS).find(|ballot| self.majority(self.voters(*ballot))).map(|ballot| self.values[ballot])
        }
    }

    type Chooser = fn(&[Option<(Ballot, char)>]) -> Choice<char>;

    /// The omniscient oracle of appendix B, by enumeration of all histories of `nodes`
    /// acceptors over three ballots and two values, and of all majorities that may
    /// answer. The votes outside that majority are thus completed in every way.
    /// Returns the number of cases in which a value was chosen, or the first mistake.
    fn enumerate(nodes: usize, chooser: Chooser) -> Result<usize, String> {
        let mut chosen_count = 0;
        for code in 0..1usize << (BALLOTS * nodes) {
            let voted: Vec<usize> = (0..nodes).map(|node| code >> (BALLOTS * node) & 7).collect();
            for bits in 0..1usize << BALLOTS {
                let values = [0, 1, 2].map(|ballot| if bits >> ballot & 1 == 1 { 'x' } else { 'y' });
                let history = History { voted: &voted, values };
                if !history.is_reachable() {
                    continue;
                }
                for set in (0..1usize << nodes).filter(|set| history.majority(*set)) {
                    let members = (0..nodes).filter(|node| set >> node & 1 == 1);
                    let vote = |node| history.last(node, BALLOTS).map(|at| (ballot(at), values[at]));
                    let answers: Vec<Option<(Ballot, char)>> = members.map(vote).collect();
                    let choice = chooser(&answers);
                    if let Some(value) = history.chosen() {
                        chosen_count += 1;
                        if choice != Choice::Forced(value) {
                            return Err(format!("{history:?}, heard {answers:?}: {choice:?}"));
                        }
                    }
                    if let Choice::Forced(value) = choice {
                        assert!(
                            answers.iter().flatten().any(|(_, voted)| *voted == value),
                            "out of thin air"
                        );
                    }
                }
            }
        }
        Ok(chosen_count)
    }

    #[test]
    fn whatever_may_have_been_chosen_is_forced() {
        let correct: Chooser = |answers| simple(answers.iter().copied());
        assert!(enumerate(3, correct).unwrap() > 1000);
        assert!(enumerate(5, correct).unwrap() > 100_000);
    }

    /// The enumeration catches plausible mistakes.
    #[test]
    fn wrong_choices_are_caught() {
        let lowest: Chooser = |answers| {
            let vote = answers.iter().flatten().min_by_key(|(ballot, _)| *ballot);
            vote.map_or(Choice::Free, |(_, value)| Choice::Forced(*value))
        };
        let first: Chooser = |answers| {
            answers.iter().flatten().next().map_or(Choice::Free, |(_, value)| Choice::Forced(*value))
        };
        let majority_only: Chooser = |answers| {
            let count = |value| answers.iter().flatten().filter(|(_, voted)| *voted == value).count();
            let most = ['x', 'y'].into_iter().find(|value| count(*value) > answers.len() / 2);
            most.map_or(Choice::Free, Choice::Forced)
        };
        for (name, wrong) in [("lowest", lowest), ("first", first), ("majority", majority_only)] {
            assert!(enumerate(3, wrong).is_err(), "{name} with 3 nodes");
        }
    }

    #[test]
    #[should_panic(expected = "two values in ballot 1.n1: 'x' and 'y'")]
    fn two_values_in_one_ballot_stop_the_process() {
        let _ = simple([Some((ballot(1), 'x')), None, Some((ballot(1), 'y'))].into_iter());
    }
}
