use std::time::Instant;

/// A few named timers; setting one again replaces it.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    running: Vec<(T, Instant)>,
}

impl<T: Eq> Timers<T> {
    pub(crate) fn new() -> Timers<T> {
        Timers { running: Vec::new() }
    }

    pub(crate) fn set(&mut self, timer: T, at: Instant) {
        match self.running.iter_mut().find(|(name, _)| *name == timer) {
            Some((_, due)) => *due = at,
            None => self.running.push((timer, at)),
        }
    }

    /// When the next one runs out.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.running.iter().map(|(_, at)| *at).min()
    }

    /// Takes one that has run out.
    pub(crate) fn due(&mut self, now: Instant) -> Option<T> {
        let position = self.running.iter().position(|(_, at)| *at <= now)?;
        Some(self.running.swap_remove(position).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn setting_a_timer_again_replaces_it() {
        let now = Instant::now();
        let later = |ms| now + Duration::from_millis(ms);
        let mut timers = Timers::new();
        timers.set('a', later(5));
        timers.set('b', later(3));
        timers.set('a', later(1));
        assert_eq!(timers.next(), Some(later(1)));
        assert_eq!((timers.due(now), timers.due(later(2))), (None, Some('a')));
        assert_eq!(
            (timers.due(later(2)), timers.due(later(9)), timers.due(later(9))),
            (None, Some('b'), None)
        );
    }
}
