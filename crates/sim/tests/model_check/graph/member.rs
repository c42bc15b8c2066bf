use super::plant::Plant;
use isegoria_multileader::Value;
use isegoria_node::{Node, Protocol};
use isegoria_types::Vertex;

/// A time that never passes, ms.
pub(super) const NEVER_MS: u32 = 50_000_000;

/// Which part a message has in a protocol, as far as a model cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Asks for something that a node with the outcome in its hands answers with that.
    Request,
    /// Answers a request: the stage or attempt that waits for it began before it was sent, and
    /// once that is over it does not begin again, for a ballot is used once.
    Answer,
    /// Ends a stage or attempt, or tells an outcome: ignored by whoever knows that already.
    Outcome,
    /// Tells an outcome unasked.
    News,
    /// Asks for an outcome that was told.
    Question,
    /// Any other: never taken out.
    Other,
}

pub(super) type Msg<P> = <<P as Protocol>::Node as Node>::Msg;
pub(super) type Record<P> = <<P as Protocol>::Node as Node>::Record;
pub(super) type Timer<P> = <<P as Protocol>::Node as Node>::Timer;

/// A graph protocol, as the models need to know it beside what every driver knows.
pub(super) trait Member: Protocol + Send + Sync {
    /// The rounds of a vertex's ballots that belong to its leader: 0 to this one.
    const LEADERS_ROUND: u32;
    const TICK: Timer<Self>;

    /// A suspected leader's vertices are due at the next ticks; nothing else ever happens by time.
    fn unhurried() -> Self::Options;
    /// The vertex that a message is about, and its part.
    fn part(message: &Msg<Self>) -> (Option<Vertex>, Part);
    /// The outcome that a record of a checkpoint tells.
    fn outcome(record: Record<Self>) -> Option<(Vertex, Value)>;
    /// The numbers that a record reserves: those below.
    fn reserved(record: &mut Record<Self>) -> Option<&mut u64>;
    /// Whether a planted fault forgets the record at a restart.
    fn is_forgotten(plant: Plant, record: &Record<Self>) -> bool;
    /// What is left of a message under a planted fault.
    fn heard(plant: Plant, message: Msg<Self>) -> Msg<Self>;
}
