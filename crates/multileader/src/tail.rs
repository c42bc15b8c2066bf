use std::collections::VecDeque;

/// How long the oldest own vertex has waited for its execution, in ticks.
///
/// Under a hot key each command may depend on a later one that is not chosen yet, so that no
/// component closes for a long time (protocols.md 2.3). A leader that sees its own vertices
/// wait too long adds nothing to that: what conflicts is held back until they are executed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tail {
    /// For how long it may.
    age_max: u64,
    tick: u64,
    /// The first number opened in a tick, and the tick; none of them executed but the first.
    opened: VecDeque<(u64, u64)>,
    /// Own numbers below are executed.
    executed_below: u64,
    /// The number that the next vertex gets.
    next: u64,
}

impl Tail {
    pub(crate) fn new(age_max: u64) -> Tail {
        Tail { age_max, tick: 0, opened: VecDeque::new(), executed_below: 0, next: 0 }
    }

    pub(crate) fn tick(&mut self) {
        self.tick += 1;
    }

    /// An own vertex was opened.
    pub(crate) fn opened(&mut self, number: u64) {
        self.next = number + 1;
        if self.opened.back().is_none_or(|(_, tick)| *tick < self.tick) {
            self.opened.push_back((number, self.tick));
        }
    }

    /// Own numbers below are executed.
    pub(crate) fn executed(&mut self, below: u64) {
        self.executed_below = self.executed_below.max(below);
        while self.opened.get(1).is_some_and(|(first, _)| *first <= self.executed_below) {
            self.opened.pop_front();
        }
        if self.next <= self.executed_below {
            self.opened.clear();
        }
    }

    /// The age of the oldest own vertex that is not executed, at least.
    pub(crate) fn age(&self) -> u64 {
        self.opened.front().map_or(0, |(_, tick)| self.tick - tick)
    }

    pub(crate) fn is_late(&self) -> bool {
        self.age() > self.age_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fast against dumb: any mix of opening, executing and passing ticks.
    #[test]
    fn it_is_the_age_of_the_oldest_to_the_tick() {
        for seed in 0..2_000u64 {
            let (mut tail, mut opened, mut below, mut tick) = (Tail::new(2), Vec::new(), 0u64, 0u64);
            let mut state = seed;
            for _ in 0..60 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                match state >> 60 {
                    0..6 => {
                        tail.opened(opened.len() as u64);
                        opened.push(tick);
                    }
                    6..11 => {
                        tick += 1;
                        tail.tick();
                    }
                    _ => {
                        below = (below + (state >> 56 & 3)).min(opened.len() as u64);
                        tail.executed(below);
                    }
                }
                let dumb = opened.get(usize::try_from(below).unwrap()).map_or(0, |opened| tick - opened);
                assert_eq!((tail.age(), tail.is_late()), (dumb, dumb > 2), "seed {seed}");
            }
        }
    }
}
