//! Random Paxos: cells, several proposers, messages lost, repeated and out of order,
//! crashes of acceptors. An omniscient observer counts votes and asserts agreement.

use super::*;
use isegoria_proposer::{BallotSource, Choice, Progress, Promised};
use isegoria_types::{NodeSet, Quorum};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

const PROPOSER_COUNT: usize = 3;

#[derive(Clone, Debug)]
enum Message {
    Phase1a { cell: usize, ballot: Ballot },
    Phase2a { cell: usize, ballot: Ballot, value: u32 },
    Choose { cell: usize, value: u32 },
    Phase1b { from: usize, ballot: Ballot, vote: Option<(Ballot, u32)> },
    Phase2b { from: usize, ballot: Ballot },
    Nack { to: usize, promised: Ballot },
}

/// What one run saw.
#[derive(Default)]
struct Outcome {
    /// Every value that ever had a quorum of votes in one ballot.
    chosen: Vec<u32>,
    /// Attempts in which phase 1 forced a value.
    forced_count: usize,
}

struct World<T> {
    dice: ChaCha8Rng,
    cells: Vec<T>,
    quorum: Quorum,
    sources: Vec<BallotSource>,
    attempts: Vec<Option<Progress<u32>>>,
    network: Vec<Message>,
    votes: BTreeMap<(Ballot, u32), NodeSet>,
    outcome: Outcome,
}

impl<T: Acceptor> World<T> {
    fn new(cell_count: usize, seed: u64) -> World<T> {
        let source = |index| BallotSource::above_round(NodeId::new(index), 0);
        World {
            dice: ChaCha8Rng::seed_from_u64(seed),
            cells: vec![T::default(); cell_count],
            quorum: Quorum::majority(NodeSet::first(cell_count)),
            sources: (0..PROPOSER_COUNT).map(source).collect(),
            attempts: vec![None; PROPOSER_COUNT],
            network: Vec::new(),
            votes: BTreeMap::new(),
            outcome: Outcome::default(),
        }
    }

    fn broadcast(&mut self, message: impl Fn(usize) -> Message) {
        self.network.extend((0..self.cells.len()).map(message));
    }

    fn send_phase2a(&mut self, ballot: Ballot, value: u32) {
        self.broadcast(|cell| Message::Phase2a { cell, ballot, value });
    }

    /// A proposer gives up its attempt, if any, and begins another.
    fn attempt(&mut self, proposer: usize) {
        let ballot = self.sources[proposer].issue();
        self.attempts[proposer] = Some(Progress::phase1(ballot));
        self.broadcast(|cell| Message::Phase1a { cell, ballot });
    }

    fn deliver(&mut self, message: Message) {
        match message {
            Message::Phase1a { cell, ballot } => {
                let reply = self.cells[cell].promise(ballot);
                self.reply(cell, ballot, reply);
            }
            Message::Phase2a { cell, ballot, value } => {
                let reply = self.cells[cell].accept(ballot, value);
                if reply == Said::Vote {
                    let voters = self.votes.entry((ballot, value)).or_default();
                    voters.insert(NodeId::new(cell));
                    if self.quorum.is_quorum(*voters) {
                        self.outcome.chosen.push(value);
                    }
                }
                self.reply(cell, ballot, reply);
            }
            Message::Choose { cell, value } => self.cells[cell].choose(value),
            Message::Nack { to, promised } => self.sources[to].observe(promised),
            Message::Phase1b { from, ballot, vote } => self.on_promise(from, Promised { ballot, vote }),
            Message::Phase2b { from, ballot } => {
                let Some(progress) = &mut self.attempts[ballot.owner.index()] else { return };
                if progress.on_vote(NodeId::new(from), ballot, &self.quorum) {
                    let value = *progress.value().expect("it was voted for");
                    self.broadcast(|cell| Message::Choose { cell, value });
                }
            }
        }
    }

    fn on_promise(&mut self, from: usize, promised: Promised<u32>) {
        let owner = promised.ballot.owner.index();
        let ballot = promised.ballot;
        let Some(progress) = &mut self.attempts[owner] else { return };
        match progress.on_promise(NodeId::new(from), promised, &self.quorum) {
            None => {}
            Some(Choice::Forced(value)) => {
                self.outcome.forced_count += 1;
                self.send_phase2a(ballot, value);
            }
            Some(Choice::Free) => {
                let own = 100 + u32::try_from(owner).unwrap();
                progress.propose(own);
                self.send_phase2a(ballot, own);
            }
        }
    }

    fn reply(&mut self, from: usize, ballot: Ballot, said: Said) {
        let to = ballot.owner.index();
        match said {
            Said::Promise(vote) => self.network.push(Message::Phase1b { from, ballot, vote }),
            Said::Vote => self.network.push(Message::Phase2b { from, ballot }),
            Said::Rejected(promised) => self.network.push(Message::Nack { to, promised }),
            // The proposer learns the outcome and stops.
            Said::Chosen(_) => self.attempts[to] = None,
        }
    }

    fn run(mut self) -> Outcome {
        // Sometimes the owner of round 0 is never heard of.
        if self.dice.random_bool(0.5) {
            let initial = Ballot::initial(NodeId::new(0));
            self.attempts[0] = Some(Progress::phase2(initial, 1));
            self.send_phase2a(initial, 1);
        }
        for _ in 0..150 {
            match self.dice.random_range(0..20) {
                0 => {
                    let proposer = self.dice.random_range(0..PROPOSER_COUNT);
                    self.attempt(proposer);
                }
                1 => {
                    let cell = self.dice.random_range(0..self.cells.len());
                    self.cells[cell] = self.cells[cell].restart();
                }
                _ if self.network.is_empty() => {}
                action => {
                    let at = self.dice.random_range(0..self.network.len());
                    let lost = action < 5;
                    let kept = action == 5;
                    let message = if kept { self.network[at].clone() } else { self.network.swap_remove(at) };
                    if !lost {
                        self.deliver(message);
                    }
                }
            }
        }
        self.outcome
    }
}

fn disagrees(outcome: &Outcome) -> bool {
    outcome.chosen.windows(2).any(|pair| pair[0] != pair[1])
}

#[test]
fn random_runs_agree() {
    let (mut chosen_count, mut forced_count, mut recovered_count) = (0, 0, 0);
    for cell_count in [3, 5] {
        for seed in 0..6000 {
            let outcome = World::<Cell<u32>>::new(cell_count, seed).run();
            assert!(!disagrees(&outcome), "seed {seed}, {cell_count} cells: {:?}", outcome.chosen);
            chosen_count += usize::from(!outcome.chosen.is_empty());
            recovered_count += usize::from(outcome.chosen.first().is_some_and(|value| *value != 1));
            forced_count += outcome.forced_count;
        }
    }
    // Not vacuous: values were chosen, forced on later ballots, and taken from recoverers.
    let rare = [chosen_count, forced_count, recovered_count];
    assert!(rare.iter().all(|count| *count > 1000), "chosen, forced, recovered: {rare:?}");
}

/// Of 6000 runs with 3 cells: how many disagreed, and how many a proposer or a cell stopped
/// because it saw two values in one ballot.
fn caught<T: Acceptor>() -> (usize, usize) {
    let runs = (0..6000).map(|seed| std::panic::catch_unwind(|| World::<T>::new(3, seed).run()));
    runs.fold((0, 0), |(disagreed, stopped), run| match run {
        Ok(outcome) => (disagreed + usize::from(disagrees(&outcome)), stopped),
        Err(_) => (disagreed, stopped + 1),
    })
}

/// The runs catch what they are for. The ballot bug is rare in random runs, which is
/// why B2 is scripted too; a run that it takes to two values in one ballot counts.
#[test]
fn planted_bugs_disagree() {
    assert_eq!(caught::<Cell<u32>>(), (0, 0));
    let by_bug = [caught::<OneBallot>(), caught::<Forgetful>(), caught::<Pushover>()];
    let enough = by_bug.iter().all(|(disagreed, stopped)| disagreed + stopped >= 10);
    assert!(enough, "one ballot, forgetful, pushover (disagreed, stopped): {by_bug:?}");
}
