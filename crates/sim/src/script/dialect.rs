use isegoria_node::{Node, Protocol};

type NodeOf<D> = <<D as Dialect>::Protocol as Protocol>::Node;

/// How a protocol's messages and records read in a trace.
///
/// A message is known in a script by words of its text, so a text names the message
/// first and then what tells it from others: vertex or slot, ballot, value.
pub trait Dialect {
    /// The protocol that is spoken of.
    type Protocol: Protocol;

    /// A message, on one line.
    fn message(message: &<NodeOf<Self> as Node>::Msg) -> String;

    /// A record, on one line.
    fn record(record: &<NodeOf<Self> as Node>::Record) -> String;
}
