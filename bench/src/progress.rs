use crate::Scenario;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// Says on standard error how far the benchmark is: a bar on a terminal, else a line a
/// run.
#[derive(Debug)]
pub(crate) struct Progress {
    /// None where nobody would see it move.
    bar: Option<ProgressBar>,
    run_count: usize,
    begun_count: usize,
    seconds_a_run: u64,
    protocol: String,
}

impl Progress {
    pub(crate) fn new(scenario: &Scenario) -> Progress {
        let subjects = scenario.protocols.len() + scenario.references.len();
        Progress::of(scenario.repeat * subjects, scenario.warm_up + scenario.duration)
    }

    /// So many runs of so many seconds.
    pub(crate) fn of(run_count: usize, seconds: f64) -> Progress {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // At most two days.
        let seconds_a_run = seconds.ceil() as u64;
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(seconds_a_run * run_count as u64);
            bar.set_draw_target(ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:30} {pos:>4}/{len} s  {msg}");
            bar.set_style(style.expect("a constant template"));
            bar
        });
        Progress { bar, run_count, begun_count: 0, seconds_a_run, protocol: String::new() }
    }

    /// A protocol's run begins.
    pub(crate) fn begin(&mut self, protocol: &str) {
        self.begun_count += 1;
        self.protocol = protocol.to_owned();
        let text = format!("run {} of {}: {protocol}", self.begun_count, self.run_count);
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.seconds_before());
                bar.set_message(text);
            }
            None => eprintln!("{text}, about {} s", self.seconds_a_run),
        }
    }

    /// Another second of load is over, with so many answers since the run began.
    pub(crate) fn tick(&self, done: u64) {
        if let Some(bar) = &self.bar {
            if bar.position() < self.seconds_before() + self.seconds_a_run {
                bar.inc(1);
            }
            bar.set_message(format!(
                "run {} of {}: {}, {done} commands",
                self.begun_count, self.run_count, self.protocol
            ));
        }
    }

    /// All runs are over, well or not.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn seconds_before(&self) -> u64 {
        self.seconds_a_run * (self.begun_count as u64 - 1)
    }
}
