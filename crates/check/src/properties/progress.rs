use crate::Violation;

/// L1: once a connected majority is healed, every submitted command finishes within a
/// bounded number of steps, and all replicas that are up come to the same point.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    step_count: u64,
}

/// Steps of nodes that a healed cluster may take until everything is done.
pub const HEALED_STEPS_MAX: u64 = 2_000_000;

impl Progress {
    /// Steps looked at.
    #[must_use]
    pub fn evaluation_count(&self) -> u64 {
        self.step_count
    }

    /// A healed cluster took a step; `overdue` if its patience in simulated time ended.
    /// `waiting` describes what is not done.
    ///
    /// # Errors
    /// If it is not done by now.
    pub fn stepped(&mut self, overdue: bool, waiting: impl FnOnce() -> String) -> Result<(), Violation> {
        self.step_count += 1;
        if !overdue && self.step_count <= HEALED_STEPS_MAX {
            return Ok(());
        }
        Err(Violation {
            check: "progress",
            invariant: "L1 every submitted command finishes",
            place: None,
            what: format!("{} steps after the faults stopped: {}", self.step_count, waiting()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_that_stands_still_and_one_that_spins_are_found() {
        let mut check = Progress::default();
        check.stepped(false, String::new).unwrap();
        check.clone().stepped(true, || "all".into()).unwrap_err();
        check.step_count = HEALED_STEPS_MAX;
        check.stepped(false, || "all".into()).unwrap_err();
    }
}
