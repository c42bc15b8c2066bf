//! The search for an order.
//!
//! Events are taken in order. An operation takes effect no later than it must: when one
//! returns that has not taken effect, something has to be done, and only then (*just in
//! time*: Lowe, *Testing for linearizability*, 2017; Wing and Gong, 1993). A [`Node`] is
//! a configuration at such a return. Configurations that were looked at are known by a
//! hash of 128 bits and never looked at again. The search goes on from the node that is
//! furthest; a node whose move is unlikely counts as if it were further behind.
//!
//! Five rules keep the number of nodes small. Each leaves out orders only for which
//! another one is left:
//!
//! * *Guards at once.* What changes nothing takes effect as soon as the state allows it.
//! * *Blind writes unseen.* A blind write, and what builds on it, may take effect just
//!   before the last blind write, where nobody sees it. So a return needs at most one
//!   blind write of those that are open.
//! * *Earliest deadline.* Of steps of one class the one takes effect that returns first.
//! * *Commuting steps* that follow each other unseen do so in the order of their returns.
//! * *Dead ends.* A value that is left while somebody still needs it, and that nobody
//!   can make again, is never left.
//!
//! Invariant: if the search ends without an order, there is none; if it gives up, it says so.

use crate::linearizability::config::{Config, Stretch};
use crate::linearizability::moves::{Move, Moves};
use crate::linearizability::origin::Origins;
use crate::linearizability::problem::{Event, Problem};
use crate::linearizability::step::Moment;
use crate::linearizability::value::{ABSENT, ValueId};
use hashbrown::HashSet;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::Xxh3;

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There is an order.
    Found,
    /// There is none: nobody got beyond the return of this step, in one of these states.
    None { step: u32, states: Vec<ValueId> },
    /// The limit was reached.
    GaveUp { step: u32 },
}

/// States of the furthest return that are kept for the report.
const STATES_SHOWN_MAX: usize = 6;

/// A configuration at the return of a step that has not taken effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) moment: Moment,
    pub(crate) config: Config,
    pub(crate) turn: Turn,
    /// Which moves come next.
    pub(crate) tier: Tier,
    /// How far it counts as behind, in events.
    pub(crate) handicap: u32,
}

/// What has already happened at this return.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The stretch that the step that returns will be of.
    pub(crate) stretch: Option<Stretch>,
    /// The last step, and the state before it, if nobody saw the state after it.
    pub(crate) unseen: Option<(u32, ValueId)>,
}

/// Moves in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    /// The step that returns takes effect.
    Itself,
    /// Another known step does.
    Known,
    /// A step of unknown outcome does.
    Unknown,
}

/// The search for an order of one key's steps.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    problem: &'a mut Problem,
    origins: &'a Origins,
    /// The furthest last; of equals the youngest.
    queue: BTreeMap<(i64, u64), Node>,
    looked_at: HashSet<u128, foldhash::fast::FixedState>,
    entry_count: u64,
    furthest: (Moment, u32, Vec<ValueId>),
    is_found: bool,
}

impl<'a> Search<'a> {
    pub(crate) fn new(problem: &'a mut Problem, origins: &'a Origins) -> Search<'a> {
        Search {
            problem,
            origins,
            queue: BTreeMap::new(),
            looked_at: HashSet::default(),
            entry_count: 0,
            furthest: (0, 0, Vec::new()),
            is_found: false,
        }
    }

    /// How many configurations were looked at.
    pub(crate) fn configuration_count(&self) -> u64 {
        self.looked_at.len() as u64
    }

    /// Looks at no more than `limit` configurations.
    pub(crate) fn run(&mut self, limit: u64) -> Outcome {
        self.advance(0, Config::new(ABSENT), 0);
        while let Some((_, node)) = self.queue.pop_last() {
            if self.is_found {
                break;
            }
            if self.configuration_count() > limit {
                return Outcome::GaveUp { step: self.furthest.1 };
            }
            self.expand(node);
        }
        match self.is_found {
            true => Outcome::Found,
            false => Outcome::None { step: self.furthest.1, states: std::mem::take(&mut self.furthest.2) },
        }
    }

    fn expand(&mut self, node: Node) {
        let Event::Return(step) = self.problem.events[node.moment as usize] else {
            unreachable!("nodes stand at returns")
        };
        self.note(step, &node);
        let (nodes, next) = Moves::new(self.problem, self.origins, &node, step).all();
        for next in nodes {
            match next {
                Move::Done(config, handicap) => self.advance(node.moment + 1, config, handicap),
                Move::On(node) => self.push_new(node),
            }
        }
        if let Some((tier, handicap)) = next {
            self.push(Node { tier, handicap, ..node });
        }
    }

    /// Lets events pass until one asks for a move.
    fn advance(&mut self, from: Moment, mut config: Config, handicap: u32) {
        for moment in from.. {
            match self.problem.events.get(moment as usize) {
                None => {
                    self.is_found = true;
                    return;
                }
                Some(Event::Invoke(step)) => {
                    let (known, action) = {
                        let step = self.problem.step(*step);
                        (step.is_known(), &step.action)
                    };
                    let is_met =
                        action.is_guard() && action.need().is_met(config.state, &self.problem.values);
                    if known && !is_met {
                        config.open(*step);
                    }
                }
                Some(Event::Return(step)) if config.is_open(*step) => {
                    let turn = Turn::default();
                    return self.push_new(Node { moment, config, turn, tier: Tier::Itself, handicap });
                }
                Some(Event::Return(_)) => {}
            }
        }
    }

    fn push_new(&mut self, node: Node) {
        if self.looked_at.insert(self.digest(&node)) {
            self.push(node);
        }
    }

    fn push(&mut self, node: Node) {
        self.entry_count += 1;
        let place = (i64::from(node.moment) - i64::from(node.handicap), self.entry_count);
        self.queue.insert(place, node);
    }

    fn digest(&self, node: &Node) -> u128 {
        let mut hasher = Xxh3::new();
        let Turn { stretch, unseen } = node.turn;
        let (last, before) = unseen.map_or((0, 0), |(step, state)| (step + 1, state.0));
        let stretch = match stretch {
            None => 0,
            Some(Stretch::Last) => 1,
            Some(Stretch::Closed(index)) => 2 + u32::try_from(index).expect("fewer than 2^31 steps"),
        };
        for number in [node.moment, last, before, stretch] {
            hasher.update(&number.to_le_bytes());
        }
        node.config.digest(node.moment, self.problem, &mut hasher);
        hasher.digest128()
    }

    fn note(&mut self, step: u32, node: &Node) {
        let (furthest, at, states) = &mut self.furthest;
        if node.moment > *furthest || states.is_empty() {
            (*furthest, *at) = (node.moment, step);
            states.clear();
        }
        let is_start = node.turn == Turn::default() && node.tier == Tier::Itself;
        let is_shown = node.moment == *furthest && is_start && states.len() < STATES_SHOWN_MAX;
        if is_shown && !states.contains(&node.config.state) {
            states.push(node.config.state);
        }
    }
}
