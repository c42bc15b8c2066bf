use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// Says on standard error what a trial does: one line that changes on a terminal, else a
/// line a step.
#[derive(Debug)]
pub(crate) struct Steps {
    /// None where nobody would see it move.
    bar: Option<ProgressBar>,
}

impl Steps {
    pub(crate) fn new() -> Steps {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_style(ProgressStyle::with_template("{elapsed:>4} {msg}").expect("a constant template"));
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Steps { bar }
    }

    /// A step begins.
    pub(crate) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => eprintln!("{text}"),
        }
    }

    /// How far a step is; said only where it replaces what was said before.
    pub(crate) fn tick(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
        }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
