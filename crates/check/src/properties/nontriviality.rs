use crate::{ChosenValue, Submissions, Violation};
use isegoria_types::Action;

/// S7: what is chosen was submitted, unchanged; nobody makes commands up.
#[derive(Clone, Debug, Default)]
pub struct Nontriviality {
    command_count: u64,
}

impl Nontriviality {
    /// Chosen commands looked up.
    #[must_use]
    pub fn evaluation_count(&self) -> u64 {
        self.command_count
    }

    /// A value was chosen for the first time.
    ///
    /// # Errors
    /// A command that no client submitted so.
    pub fn chosen(&mut self, value: &ChosenValue, submitted: &Submissions) -> Result<(), Violation> {
        for command in value.batch.iter() {
            // The cluster's own housekeeping.
            let Action::Apply(payload) = &command.action else { continue };
            self.command_count += 1;
            let known = submitted.get(command.request);
            if known.is_some_and(|one| one.payload == *payload && one.footprint == command.footprint) {
                continue;
            }
            return Err(Violation {
                check: "nontriviality",
                invariant: "S7 only submitted commands are chosen",
                place: Some(value.order.place()),
                what: format!(
                    "{:?} is chosen as {command:?} and was submitted as {known:?}",
                    command.request
                ),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Submission;
    use crate::planted::{command, request, slot, write};
    use isegoria_types::Batch;

    #[test]
    fn phantoms_and_changed_commands_are_found() {
        let mut check = Nontriviality::default();
        let value = ChosenValue::new(slot(0), Batch::of(&[command(1, 7)]));
        let mut submitted = Submissions::default();
        check.chosen(&value, &submitted).unwrap_err();
        let Action::Apply(payload) = command(1, 7).action else { panic!("a command") };
        submitted.insert(request(1), Submission { payload, footprint: write(7), keys: write(7) });
        check.chosen(&value, &submitted).unwrap();
        let mut changed = command(1, 7);
        changed.footprint = write(8);
        check.chosen(&ChosenValue::new(slot(1), Batch::of(&[changed])), &submitted).unwrap_err();
        assert_eq!(check.evaluation_count(), 3);
    }
}
