//! A proposer's verbs: which ballot to use, who has answered, which value the
//! answers force, and when to try again.
//!
//! Invariant: a proposer proposes at most one value in a ballot, and after phase 1
//! only a value that no lower ballot can contradict (protocols.md 1.5 and 3.1).
//!
//! What is not here: messages and records. A recovery ballot must be durable before
//! it is used, and a value before it is proposed without phase 1; both are up to the
//! protocol. Nor choices with a fast path, which belong to the protocols that have one.

mod back_off;
mod ballots;
mod choice;
mod in_flight;
mod log_choice;
mod numbers;
mod peers;
mod progress;
mod recoveries;
mod repetition;
mod tally;

pub use back_off::{BackOff, Schedule};
pub use ballots::{BallotSource, ROUND_MAX};
pub use choice::{Choice, simple};
pub use in_flight::InFlight;
pub use log_choice::{LogAnswer, LogChoice, log_choice};
pub use numbers::Numbers;
pub use peers::Peers;
pub use progress::{Progress, Promised};
pub use recoveries::{Patience, Recoveries};
pub use repetition::repeats_at;
pub use tally::Tally;
