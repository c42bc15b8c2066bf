//! Operations for people: in the words of the file, so that they can be searched for.

use crate::history::{Operation, Outcome, encode};
use std::fmt;

/// The longest call or answer that is shown whole, characters.
const SHOWN_MAX: usize = 120;

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = shortened(&encode::call(&self.call).to_string());
        write!(f, "client {} [{} µs, ", self.client, self.invoked_us)?;
        match &self.outcome {
            Outcome::Ok { returned_us, answer } => {
                let answer = encode::answer(&self.call, answer).to_string();
                write!(f, "{returned_us} µs]: {call} → {}", shortened(&answer))
            }
            Outcome::Unknown => write!(f, "…]: {call} → unknown"),
            Outcome::Failed => write!(f, "…]: {call} → failed"),
        }
    }
}

impl Operation {
    /// Who did what when, in a few words for the middle of a sentence.
    pub(crate) fn who(&self) -> String {
        format!("client {}'s {} of {} µs", self.client, self.call.name(), self.invoked_us)
    }
}

/// Long text without its middle.
pub(crate) fn shortened(text: &str) -> String {
    let count = text.chars().count();
    if count <= SHOWN_MAX {
        return text.to_owned();
    }
    let half = SHOWN_MAX / 2;
    let start: String = text.chars().take(half).collect();
    let end: String = text.chars().skip(count - half).collect();
    format!("{start} … {end}")
}
