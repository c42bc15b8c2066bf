use bytes::Bytes;
use isegoria_types::{Action, Batch, BatchBuilder, ClientId, Command, Footprint, RequestId};

/// How a command touches the one key of the models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    Read,
    Write,
}

/// The only command of client `client`, as its entry node hands it to the protocol.
pub(crate) fn command(client: u64, touch: Touch) -> (Batch, Footprint) {
    let mut footprint = Footprint::default();
    match touch {
        Touch::Read => footprint.read(b"k"),
        Touch::Write => footprint.write(b"k"),
    }
    let mut builder = BatchBuilder::default();
    builder.push(&Command {
        request: RequestId { client: ClientId(client), number: 0 },
        acked_below: 0,
        generation: 0,
        footprint,
        action: Action::Apply(Bytes::new()),
    });
    builder.finish()
}
