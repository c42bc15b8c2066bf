use crate::commutes::trial::{Met, Trial};
use std::collections::BTreeMap;
use std::fmt;

/// What [`crate::commutes::check`] looked at, where nothing was wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Pairs that are declared not to conflict, and commuted. With few of them little was tested.
    pub independent_count: u64,
    /// Pairs that are declared to conflict.
    pub conflicting_count: u64,
    /// Kinds of pairs that are declared to conflict and commuted each time: parallelism that
    /// is given away, the most often met first.
    pub lost: Vec<Lost>,
}

/// A kind of pairs that need not conflict, by what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The kinds of commands: what their `Debug` form begins with.
    pub kinds: (String, String),
    /// How often they met and commuted.
    pub count: u64,
    /// One such pair.
    pub example: (String, String),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { independent_count, conflicting_count, lost } = self;
        writeln!(
            f,
            "{independent_count} pairs declared not to conflict commuted; {conflicting_count} are declared to"
        )?;
        if *independent_count == 0 {
            writeln!(f, "nothing was tested: all pairs drawn are declared to conflict")?;
        }
        for Lost { kinds: (one, two), count, example: (a, b) } in lost {
            writeln!(
                f,
                "{one} and {two} are declared to conflict, and commuted all {count} times, such as {a} and {b}"
            )?;
        }
        Ok(())
    }
}

/// Counts pairs by their kinds.
#[derive(Debug, Default)]
pub(super) struct Tally {
    independent_count: u64,
    conflicting: BTreeMap<(String, String), Pairs>,
}

#[derive(Debug)]
struct Pairs {
    count: u64,
    commuting_count: u64,
    example: (String, String),
}

impl Tally {
    pub(super) fn count<C: fmt::Debug>(&mut self, trial: &Trial<C>, met: Met) {
        let commuted = match met {
            Met::Independent => {
                self.independent_count += 1;
                return;
            }
            Met::Conflicting { commuted } => commuted,
        };
        let mut example = [format!("{:?}", trial.one), format!("{:?}", trial.two)];
        example.sort_by_key(|text| kind(text));
        let [one, two] = example;
        let pairs = self.conflicting.entry((kind(&one), kind(&two))).or_insert_with(|| Pairs {
            count: 0,
            commuting_count: 0,
            example: (one, two),
        });
        pairs.count += 1;
        pairs.commuting_count += u64::from(commuted);
    }

    pub(super) fn report(self) -> Report {
        let conflicting_count = self.conflicting.values().map(|pairs| pairs.count).sum();
        let always = self.conflicting.into_iter().filter(|(_, pairs)| pairs.commuting_count == pairs.count);
        let mut lost: Vec<Lost> =
            always.map(|(kinds, pairs)| Lost { kinds, count: pairs.count, example: pairs.example }).collect();
        lost.sort_by_key(|lost| std::cmp::Reverse(lost.count));
        Report { independent_count: self.independent_count, conflicting_count, lost }
    }
}

/// What the `Debug` form of a command begins with: the variant of an enum.
fn kind(text: &str) -> String {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    text[..end].to_owned()
}
