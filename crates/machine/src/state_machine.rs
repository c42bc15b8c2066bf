use crate::Snapshot;
use isegoria_types::{Conflicts, Footprint};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A deterministic state machine with its conflict relation.
pub trait StateMachine: Snapshot + Send + 'static {
    /// What clients ask for.
    type Command: Serialize + DeserializeOwned;
    /// What they get.
    type Output: Serialize + DeserializeOwned;

    /// The conflict relation: adds what `command` touches to `footprint`, which is
    /// empty at first. Two commands that are not in conflict by it must commute, in
    /// state and in outputs.
    fn footprint(command: &Self::Command, footprint: &mut Footprint);

    /// Applies a command. No clock, no dice, no iteration of unordered maps.
    fn apply(&mut self, command: Self::Command) -> Self::Output;

    /// Applies several commands in this order, and gives an output for each: for machines that write
    /// them somewhere at once. The same as applying them one by one, however they are grouped: replicas
    /// group them differently, and single commands go to `apply`.
    fn apply_batch(&mut self, commands: Vec<Self::Command>) -> Vec<Self::Output> {
        commands.into_iter().map(|command| self.apply(command)).collect()
    }

    /// Which scopes of footprints conflict, where keys and classes cannot say it: see
    /// [`Footprint::scope`]. Without it all do.
    #[must_use]
    fn conflicts() -> Conflicts {
        Conflicts::default()
    }

    /// A number to raise whenever `footprint` or `conflicts` changes: nodes and clients with
    /// different relations refuse to talk to each other.
    const RELATION_VERSION: u64 = 1;
}
