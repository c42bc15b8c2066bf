use crate::histogram;
use crate::load::Second;
use hdrhistogram::Histogram;
use std::time::Duration;

/// What each second of a window is like, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    done: Vec<Second>,
    current: Option<Histogram<u64>>,
}

impl Timeline {
    /// Something was answered so long after the window began; times do not go back.
    pub(crate) fn note(&mut self, since: Duration, took: Duration) {
        self.pass(since);
        histogram::record(self.current.get_or_insert_with(histogram::empty), took);
    }

    /// Closes all seconds that are over.
    fn pass(&mut self, since: Duration) {
        while (self.done.len() as u64) < since.as_secs() {
            let second = self.current.as_mut().map_or(Second::default(), |latencies| {
                let second = Second {
                    answered: latencies.len(),
                    p50_us: latencies.value_at_quantile(0.5),
                    max_us: latencies.max(),
                };
                latencies.reset();
                second
            });
            self.done.push(second);
        }
    }

    /// The whole seconds of a window of this length.
    pub(crate) fn finish(mut self, window: Duration) -> Vec<Second> {
        self.pass(window);
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_without_an_answer_is_there_too() {
        let ms = Duration::from_millis;
        let mut timeline = Timeline::default();
        for (since, took) in [(100, 5), (900, 7), (900, 7), (2_500, 9)] {
            timeline.note(ms(since), ms(took));
        }
        let seconds = timeline.finish(ms(4_200));
        let answered: Vec<u64> = seconds.iter().map(|second| second.answered).collect();
        assert_eq!(answered, [3, 0, 1, 0], "what is no whole second is left out");
        assert!(seconds[0].p50_us.abs_diff(7_000) < 10 && seconds[1] == Second::default());
        assert!(Timeline::default().finish(ms(0)).is_empty());
    }
}
