use std::fmt;

/// A case in which something is wrong, as small as it could be made. Commands and outputs are
/// in their `Debug` form.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Counterexample {
    /// Two commands that are declared not to conflict, and do not commute.
    DoNotCommute {
        /// What brought the machine into the state in which they do not.
        before: Vec<String>,
        /// One of them.
        one: String,
        /// The other.
        two: String,
        /// In what the two orders differ.
        difference: Difference,
    },
    /// A relation that depends on who asks.
    NotSymmetric {
        /// It is declared to conflict with the other.
        one: String,
        /// It is not.
        two: String,
    },
    /// An index that does not find a scope that it holds, or finds one that it has forgotten.
    WrongIndex {
        /// What was put into the index.
        held: Vec<String>,
        /// What was looked for.
        wanted: String,
        /// Which of those held ought to be found.
        expected: Vec<usize>,
        /// Which were.
        found: Vec<usize>,
    },
    /// The same commands gave two states: a clock, dice, or the order of a hash map.
    NotDeterministic {
        /// The commands.
        commands: Vec<String>,
    },
    /// Applied together, commands gave another state or other outputs than one by one.
    BatchDiffers {
        /// The commands.
        commands: Vec<String>,
    },
    /// A command, or its output, that is not the same once it was encoded and decoded.
    DoesNotRoundTrip {
        /// The command.
        command: String,
        /// Whether it is its output.
        is_output: bool,
        /// What came back, or why nothing did.
        found: String,
    },
    /// The machine or its relation panicked, as it would at every replica.
    Panics {
        /// The commands, the last two in both orders.
        commands: Vec<String>,
        /// What it said.
        what: String,
    },
}

/// In what two orders of two commands differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// In what the one that is named answers.
    Output {
        /// Whose output: the first's (`true`) or the second's.
        of_one: bool,
    },
    /// In the state left behind.
    State,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Counterexample::DoNotCommute { before, one, two, difference } => {
                write!(f, "{one} and {two} are declared not to conflict, and do not commute: ")?;
                match before.as_slice() {
                    [] => write!(f, "on a fresh machine ")?,
                    before => write!(f, "after {} ", before.join(", "))?,
                }
                match difference {
                    Difference::State => write!(f, "the two orders leave different states"),
                    Difference::Output { of_one } => {
                        let whose = if *of_one { one } else { two };
                        write!(f, "{whose} answers differently in the two orders")
                    }
                }
            }
            Counterexample::NotSymmetric { one, two } => {
                write!(
                    f,
                    "{one} conflicts with {two}, and {two} does not with {one}: a relation must be symmetric"
                )
            }
            Counterexample::WrongIndex { held, wanted, expected, found } => write!(
                f,
                "the index holds {}; of these, {expected:?} conflict with {wanted}, and it finds {found:?}",
                held.join(", ")
            ),
            Counterexample::NotDeterministic { commands } => write!(
                f,
                "{} gave two states when applied twice: no clock, no dice, no order of a hash map may reach the state",
                commands.join(", ")
            ),
            Counterexample::BatchDiffers { commands } => write!(
                f,
                "{} gave another state or other outputs in apply_batch than one by one in apply",
                commands.join(", ")
            ),
            Counterexample::DoesNotRoundTrip { command, is_output, found } => {
                let what = if *is_output { "the output of " } else { "" };
                write!(f, "{what}{command} is encoded, and decoded as {found}")
            }
            Counterexample::Panics { commands, what } => {
                write!(f, "{} made the machine panic: {what}", commands.join(", "))
            }
        }
    }
}

impl std::error::Error for Counterexample {}
