//! What the answers of a fast quorum amount to, and what those of a phase-1 quorum leave
//! open: pure, tested by enumeration.

use crate::Value;
use isegoria_proposer::Tally;
use isegoria_types::{Ballot, Batch, DepSet, NodeId, NodeSet, Quorum};
use serde::{Deserialize, Serialize};

/// What a node said that a vertex depends on. Asked again, it says the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Collected {
    /// The commands, and what conflicts with them here.
    pub value: Value,
    /// The fast quorum, if its leader asked; none, if a recoverer did.
    pub quorum: Option<NodeSet>,
}

/// What a node answers to a request for a promise.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Heard {
    /// Its last vote, above round 0, if it has voted.
    pub vote: Option<(Ballot, Value)>,
    /// What it said in ballot 0, if it did.
    pub collected: Option<Collected>,
}

/// How a leader stands with the answers of ballot 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// The whole fast quorum has answered, and enough of them name each dependency: chosen,
    /// if the leader says so.
    Chosen(DepSet),
    /// That cannot be any more, or is not worth waiting for: propose this in ballot 1.
    Slow(DepSet),
    /// Somebody in the fast quorum is waited for in vain, and too few have answered without it.
    Short,
    /// More answers are needed.
    Open,
}

/// Where the answers of ballot 0 lead a leader. Each dependency that is chosen is named by
/// `count` members of the fast quorum; `given_up` are the nodes that are not waited for.
#[must_use]
pub fn outlook(
    acks: &Tally<DepSet>,
    (quorum, count): (NodeSet, usize),
    dependency: &Quorum,
    given_up: NodeSet,
) -> Outlook {
    let missing = quorum.difference(acks.set());
    let members = || acks.iter().filter(|(node, _)| quorum.contains(*node)).map(|(_, deps)| deps);
    let union = union(members());
    // Whether it may still be that each is named by enough, if those who are missing name all.
    let is_possible = union.as_prefix().iter().all(|(leader, below)| {
        let named = members().filter(|deps| deps.below(leader) == below).count();
        below == 0 || named + missing.len() >= count
    });
    if is_possible && missing.is_empty() {
        return Outlook::Chosen(union);
    }
    if is_possible && missing.intersection(given_up).is_empty() {
        return Outlook::Open;
    }
    // Any dependency quorum will do for ballot 1, and the more the better.
    if acks.is_quorum(dependency) {
        return Outlook::Slow(self::union(acks.iter().map(|(_, deps)| deps)));
    }
    if missing.intersection(given_up).is_empty() { Outlook::Open } else { Outlook::Short }
}

/// What a recoverer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// Proposes this value.
    Propose(Value),
    /// Asks again, in a higher ballot and with the commands: those who answered have not all
    /// said what they depend on.
    Ask(Batch),
}

/// Appendix B of protocols.md, `atlas`: what the answers of a phase-1 quorum leave open.
///
/// A vote above round 0 decides. Otherwise the leader may have decided, if it is not among them
/// and all members of its fast quorum that are have answered it; those say all of what it
/// decided. If it has not, it never will, and the answers of any dependency quorum will do, the
/// leader's own counted, which is in every answer to it.
///
/// # Panics
/// If two votes in one ballot differ, or two batches.
#[must_use]
pub fn choose(leader: NodeId, answers: &Tally<Heard>, dependency: &Quorum) -> Recovered {
    let votes = answers.iter().map(|(_, heard)| heard.vote.clone());
    if let isegoria_proposer::Choice::Forced(value) = isegoria_proposer::simple(votes) {
        return Recovered::Propose(value);
    }
    let said =
        || answers.iter().filter_map(|(from, heard)| heard.collected.as_ref().map(|said| (from, said)));
    let Some(batch) = said().next().map(|(_, said)| said.value.batch.clone()) else {
        return Recovered::Propose(Value::noop());
    };
    assert!(said().all(|(_, said)| said.value.batch == batch), "two batches of one vertex: {answers:?}");
    let to_leader: NodeSet = said().filter(|(_, said)| said.quorum.is_some()).map(|(from, _)| from).collect();
    let members = said().find_map(|(_, said)| said.quorum).unwrap_or_default().intersection(answers.set());
    let may_be_decided =
        answers.get(leader).is_none() && !members.is_empty() && members.difference(to_leader).is_empty();
    let mut sources: NodeSet = said().map(|(from, _)| from).collect();
    if !to_leader.is_empty() {
        sources.insert(leader);
    }
    if !may_be_decided && !dependency.is_quorum(sources) {
        return Recovered::Ask(batch);
    }
    let counted = |from: NodeId| !may_be_decided || members.contains(from);
    let deps = union(said().filter(|(from, _)| counted(*from)).map(|(_, said)| &said.value.deps));
    Recovered::Propose(Value { batch, deps })
}

/// The union of all answers.
fn union<'a>(answers: impl Iterator<Item = &'a DepSet>) -> DepSet {
    answers.fold(DepSet::default(), |mut union, deps| {
        union.union(deps);
        union
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_types::{Command, Prefix};

    fn leader() -> NodeId {
        NodeId::new(0)
    }

    /// Dependencies on vertices of two leaders.
    fn deps(code: usize) -> DepSet {
        DepSet::from_prefix(Prefix::new(&[(code % 2) as u64, (code / 2) as u64]))
    }

    fn value(code: usize) -> Value {
        Value { batch: Batch::of(&[Command::expire_sessions(1)]), deps: deps(code) }
    }

    fn set(bits: usize) -> NodeSet {
        (0..usize::BITS as usize).filter(|node| bits >> node & 1 == 1).map(NodeId::new).collect()
    }

    fn subsets(nodes: usize, size: usize) -> impl Iterator<Item = NodeSet> {
        (0..1usize << nodes).filter(move |bits| bits.count_ones() as usize == size).map(set)
    }

    /// A cluster, and how large its quorums are.
    #[derive(Clone, Copy, Debug)]
    struct Sizes {
        nodes: usize,
        f: usize,
        fast: usize,
        /// How many name a dependency that is chosen in ballot 0.
        count: usize,
    }

    const CLUSTERS: [(usize, usize); 4] = [(3, 1), (4, 1), (5, 1), (5, 2)];

    fn sizes((nodes, f): (usize, usize)) -> Sizes {
        Sizes { nodes, f, fast: nodes / 2 + f, count: f }
    }

    /// What a node said, if it did.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Said {
        Nothing,
        /// To the leader: at least what the leader said.
        ToLeader(usize),
        /// To a recoverer, before the leader asked.
        ToRecoverer(usize),
    }

    impl Said {
        fn code(self) -> Option<usize> {
            match self {
                Said::Nothing => None,
                Said::ToLeader(code) | Said::ToRecoverer(code) => Some(code),
            }
        }
    }

    /// What each node said. The leader speaks first; it may have asked others than its fast quorum.
    struct History {
        quorum: NodeSet,
        said: Vec<Said>,
    }

    fn histories(sizes: Sizes) -> impl Iterator<Item = History> {
        // One dependency is enough where there are many nodes: they are judged one by one.
        let codes: usize = if sizes.nodes > 3 { 2 } else { 4 };
        let ways = 2 * codes + 1;
        let quorums = subsets(sizes.nodes, sizes.fast).filter(|quorum| quorum.contains(leader()));
        quorums.flat_map(move |quorum| {
            (0..ways.pow(u32::try_from(sizes.nodes).unwrap())).filter_map(move |number| {
                let said: Vec<Said> = (0..sizes.nodes)
                    .map(|node| match number / ways.pow(u32::try_from(node).unwrap()) % ways {
                        0 => Said::Nothing,
                        way if way <= codes => Said::ToLeader(way - 1),
                        way => Said::ToRecoverer(way - 1 - codes),
                    })
                    .collect();
                let Said::ToLeader(own) = said[0] else { return None };
                let follows = |said: &Said| !matches!(said, Said::ToLeader(code) if code & own != own);
                said.iter().all(follows).then_some(History { quorum, said })
            })
        })
    }

    impl History {
        /// What the leader may have decided, counted dumbly.
        fn chosen(&self, count: usize) -> Option<usize> {
            let answer = |node: NodeId| match self.said[node.index()] {
                Said::ToLeader(code) => Some(code),
                Said::Nothing | Said::ToRecoverer(_) => None,
            };
            let members: Vec<usize> = self.quorum.iter().map(answer).collect::<Option<_>>()?;
            let named = |bit: usize| members.iter().filter(|code| *code >> bit & 1 == 1).count();
            let holds = (0..2).all(|bit| named(bit) == 0 || named(bit) >= count);
            holds.then(|| members.iter().fold(0, |all, code| all | code))
        }

        fn answers(&self, from: NodeSet) -> Tally<Heard> {
            let mut answers = Tally::default();
            for node in from.iter() {
                let said = self.said[node.index()];
                let quorum = matches!(said, Said::ToLeader(_)).then_some(self.quorum);
                let collected = said.code().map(|code| Collected { value: value(code), quorum });
                answers.answer(node, Heard { vote: None, collected });
            }
            answers
        }
    }

    type Chooser = fn(NodeId, &Tally<Heard>, &Quorum) -> Recovered;

    /// The omniscient oracle. Whatever a leader may have decided that does not answer is
    /// proposed; and what is proposed has the answers of a dependency quorum in it. Returns
    /// how often something was forced, or the first mistake.
    fn enumerate(sizes: Sizes, chooser: Chooser) -> Result<usize, String> {
        let dependency = Quorum::majority(NodeSet::first(sizes.nodes));
        let mut forced_count = 0;
        for history in histories(sizes) {
            let chosen = history.chosen(sizes.count);
            for heard in subsets(sizes.nodes, sizes.nodes - sizes.f) {
                let recovered = chooser(leader(), &history.answers(heard), &dependency);
                let mistake = || format!("{:?} {:?}, {heard:?}: {recovered:?}", history.quorum, history.said);
                if let (Some(code), false) = (chosen, heard.contains(leader())) {
                    forced_count += 1;
                    if recovered != Recovered::Propose(value(code)) {
                        return Err(mistake());
                    }
                }
                if let Recovered::Propose(Value { deps: proposed, batch }) = &recovered
                    && !batch.is_noop()
                {
                    let covers = |node: &NodeId| {
                        let code = history.said[node.index()].code();
                        code.is_some_and(|code| proposed.as_prefix().covers(deps(code).as_prefix()))
                    };
                    let sources: NodeSet = NodeSet::first(sizes.nodes).iter().filter(covers).collect();
                    if !dependency.is_quorum(sources) {
                        return Err(mistake());
                    }
                }
            }
        }
        Ok(forced_count)
    }

    #[test]
    fn whatever_a_leader_may_have_decided_is_proposed() {
        for cluster in CLUSTERS {
            assert!(enumerate(sizes(cluster), choose).unwrap() > 50);
        }
    }

    /// The enumeration catches plausible mistakes (B15).
    #[test]
    fn wrong_choices_are_caught() {
        let everybody: Chooser = |_, answers, dependency| {
            choose(NodeId::new(9), &retold(answers, Some(NodeSet::first(5))), dependency)
        };
        let past: Chooser = |leader, answers, dependency| choose(leader, &retold(answers, None), dependency);
        let members: Chooser = |_, answers, dependency| choose(NodeId::new(9), answers, dependency);
        let noop: Chooser = |_, _, _| Recovered::Propose(Value::noop());
        assert!(enumerate(sizes((3, 1)), everybody).is_err(), "the union over all who answer");
        assert!(enumerate(sizes((5, 2)), members).is_err(), "members alone although the leader answers");
        assert!(
            enumerate(sizes((3, 1)), past).is_err(),
            "answers to a recoverer have no leader's past in them"
        );
        assert!(enumerate(sizes((3, 1)), noop).is_err());
        assert!(enumerate(Sizes { count: 1, ..sizes((5, 2)) }, choose).is_err(), "named by one fewer");
        assert!(enumerate(Sizes { fast: 3, ..sizes((5, 2)) }, choose).is_err(), "a fast quorum one smaller");
    }

    /// The same answers, all given to a leader with this fast quorum, or with its own.
    fn retold(answers: &Tally<Heard>, quorum: Option<NodeSet>) -> Tally<Heard> {
        let own = answers.iter().find_map(|(_, heard)| heard.collected.as_ref()?.quorum);
        let mut all = Tally::default();
        for (from, heard) in answers.iter() {
            let mut heard = heard.clone();
            if let Some(said) = &mut heard.collected {
                said.quorum = quorum.or(own);
            }
            all.answer(from, heard);
        }
        all
    }

    #[test]
    fn a_vote_above_round_0_decides() {
        let said = vec![Said::ToLeader(0), Said::ToLeader(1), Said::Nothing];
        let history = History { quorum: set(0b011), said };
        let mut answers = history.answers(set(0b010));
        let vote = Some((Ballot { round: 1, owner: leader() }, value(3)));
        answers.answer(NodeId::new(2), Heard { vote, collected: None });
        let dependency = Quorum::majority(NodeSet::first(3));
        assert_eq!(choose(leader(), &answers, &dependency), Recovered::Propose(value(3)));
    }

    #[test]
    fn who_has_not_said_is_asked_again_and_nobody_makes_a_noop() {
        let dependency = Quorum::majority(NodeSet::first(3));
        let said = vec![Said::ToLeader(0), Said::Nothing, Said::Nothing];
        let history = History { quorum: set(0b011), said };
        let asked = choose(leader(), &history.answers(set(0b011)), &dependency);
        assert_eq!(asked, Recovered::Ask(value(0).batch));
        let nothing = choose(leader(), &history.answers(set(0b110)), &dependency);
        assert_eq!(nothing, Recovered::Propose(Value::noop()));
    }

    /// The leader's view agrees with the definition, and what it proposes in ballot 1 has the
    /// answers of a dependency quorum in it.
    #[test]
    fn a_leader_decides_what_may_be_decided() {
        for sizes in CLUSTERS.map(sizes) {
            let dependency = Quorum::majority(NodeSet::first(sizes.nodes));
            let mut counts = [0; 4];
            for history in histories(sizes) {
                let mut acks = Tally::default();
                for (node, said) in history.said.iter().enumerate() {
                    if let Said::ToLeader(code) = said {
                        acks.answer(NodeId::new(node), deps(*code));
                    }
                }
                for given_up in [NodeSet::EMPTY, NodeSet::first(sizes.nodes).without(leader())] {
                    let whole = (history.quorum, sizes.count);
                    match outlook(&acks, whole, &dependency, given_up) {
                        Outlook::Chosen(union) => {
                            counts[0] += 1;
                            assert_eq!(history.chosen(sizes.count).map(deps), Some(union));
                        }
                        Outlook::Slow(union) => {
                            counts[1] += 1;
                            assert!(history.chosen(sizes.count).is_none());
                            assert!(acks.is_quorum(&dependency));
                            assert!(acks.iter().all(|(_, said)| union.as_prefix().covers(said.as_prefix())));
                        }
                        Outlook::Short => {
                            counts[2] += 1;
                            assert!(!acks.is_quorum(&dependency) && !given_up.is_empty());
                        }
                        Outlook::Open => counts[3] += 1,
                    }
                }
            }
            assert!(counts.iter().all(|count| *count > 0), "{sizes:?}: {counts:?}");
        }
    }
}
