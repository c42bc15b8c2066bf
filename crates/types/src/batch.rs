use crate::{Access, Action, ClientId, Command, Footprint, KeyHash, Prefix, RequestId};
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// An immutable list of commands that is decided as one value.
///
/// It is encoded once, where it is built; links, logs and acceptors copy the block
/// without looking inside, and a replica decodes it when it executes it. Decoding
/// from a network or a disk checks the whole block, so that iterating never fails.
/// The batch without commands is the **noop**.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Batch {
    count: u32,
    block: Bytes,
}

/// A block of bytes that is not a list of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a batch whose command {index} of {count} does not decode")]
pub struct BatchError {
    index: u32,
    count: u32,
}

/// One command as it stands in the block.
#[derive(Serialize, Deserialize)]
struct Encoded<'a> {
    client: u64,
    number: u64,
    acked_below: u64,
    generation: u32,
    footprint: Footprint,
    #[serde(borrow)]
    action: EncodedAction<'a>,
}

#[derive(Serialize, Deserialize)]
enum EncodedAction<'a> {
    Apply(#[serde(borrow)] &'a [u8]),
    ExpireSessions { generation: u32 },
    Cut(Prefix),
}

impl Batch {
    /// The value that does nothing.
    #[must_use]
    pub fn noop() -> Batch {
        Batch::default()
    }

    /// Whether there is no command.
    #[must_use]
    pub fn is_noop(&self) -> bool {
        self.count == 0
    }

    /// The batch of these commands.
    #[must_use]
    pub fn of(commands: &[Command]) -> Batch {
        let mut builder = BatchBuilder::default();
        for command in commands {
            builder.push(command);
        }
        builder.finish().0
    }

    /// The number of commands.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// The same as [`Batch::is_noop`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.is_noop()
    }

    /// The size of the encoded commands, bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.block.len()
    }

    /// The union of the commands' footprints.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        let mut union = Union::default();
        self.iter().for_each(|command| union.add(&command.footprint));
        union.finish()
    }

    /// The commands, in order; payloads share the block's memory.
    ///
    /// # Panics
    /// Never on a batch that was built or decoded by this type.
    pub fn iter(&self) -> impl Iterator<Item = Command> + '_ {
        let mut rest: &[u8] = &self.block;
        (0..self.count).map(move |index| {
            let (encoded, tail) = postcard::take_from_bytes::<Encoded<'_>>(rest)
                .unwrap_or_else(|error| panic!("command {index} of a checked batch: {error}"));
            rest = tail;
            self.command(encoded)
        })
    }

    fn command(&self, encoded: Encoded<'_>) -> Command {
        Command {
            request: RequestId { client: ClientId(encoded.client), number: encoded.number },
            acked_below: encoded.acked_below,
            generation: encoded.generation,
            footprint: encoded.footprint,
            action: match encoded.action {
                EncodedAction::Apply(payload) => Action::Apply(self.block.slice_ref(payload)),
                EncodedAction::ExpireSessions { generation } => Action::ExpireSessions { generation },
                EncodedAction::Cut(cut) => Action::Cut(cut),
            },
        }
    }

    /// Checks a block that came from outside.
    ///
    /// # Errors
    /// If it is not exactly `count` commands.
    fn checked(count: u32, block: Bytes) -> Result<Batch, BatchError> {
        let mut rest: &[u8] = &block;
        for index in 0..count {
            rest = match postcard::take_from_bytes::<Encoded<'_>>(rest) {
                Ok((_, tail)) => tail,
                Err(_) => return Err(BatchError { index, count }),
            };
        }
        if rest.is_empty() { Ok(Batch { count, block }) } else { Err(BatchError { index: count, count }) }
    }
}

impl Serialize for Batch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.count, &self.block).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Batch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Batch, D::Error> {
        let (count, block) = <(u32, Bytes)>::deserialize(deserializer)?;
        Batch::checked(count, block).map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_noop() {
            return write!(f, "noop");
        }
        f.debug_list().entries(self.iter().map(|command| command.request)).finish()
    }
}

/// Collects commands into one [`Batch`] and the union of their footprints.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    count: u32,
    block: BytesMut,
    union: Union,
}

impl BatchBuilder {
    /// Appends a command.
    ///
    /// # Panics
    /// Never: encoding into memory does not fail.
    pub fn push(&mut self, command: &Command) {
        self.union.add(&command.footprint);
        let encoded = Encoded {
            client: command.request.client.0,
            number: command.request.number,
            acked_below: command.acked_below,
            generation: command.generation,
            footprint: command.footprint.clone(),
            action: match &command.action {
                Action::Apply(payload) => EncodedAction::Apply(payload),
                Action::ExpireSessions { generation } => {
                    EncodedAction::ExpireSessions { generation: *generation }
                }
                Action::Cut(cut) => EncodedAction::Cut(cut.clone()),
            },
        };
        let block = std::mem::take(&mut self.block);
        self.block = postcard::to_extend(&encoded, block).expect("encoding into memory");
        self.count += 1;
    }

    /// The number of commands so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether no command was pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The size so far, bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.block.len()
    }

    /// The batch and its footprint; the builder is empty afterwards.
    pub fn finish(&mut self) -> (Batch, Footprint) {
        let batch = Batch { count: std::mem::take(&mut self.count), block: self.block.split().freeze() };
        (batch, self.union.finish())
    }
}

/// Collects footprints into one.
#[derive(Debug, Default)]
struct Union {
    accesses: Vec<(KeyHash, Access)>,
    scopes: Vec<Bytes>,
    everything: bool,
}

impl Union {
    fn add(&mut self, footprint: &Footprint) {
        self.everything |= footprint.is_everything();
        self.accesses.extend_from_slice(footprint.accesses());
        self.scopes.extend_from_slice(footprint.scopes());
    }

    /// The union; nothing is left here afterwards.
    fn finish(&mut self) -> Footprint {
        let Union { accesses, scopes, everything } = std::mem::take(self);
        if everything { Footprint::Everything } else { Footprint::keys(accesses).with_scopes(scopes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(number: u64, key: &[u8]) -> Command {
        let mut footprint = Footprint::default();
        footprint.write(key);
        Command {
            request: RequestId { client: ClientId(7), number },
            acked_below: number / 2,
            generation: 1,
            footprint,
            action: Action::Apply(Bytes::copy_from_slice(key)),
        }
    }

    #[test]
    fn what_goes_in_comes_out() {
        let mut commands = vec![command(1, b"a"), command(2, b"b"), Command::cut(Prefix::new(&[3, 5]))];
        commands[1].action = Action::ExpireSessions { generation: 9 };
        commands[1].footprint = Footprint::Everything;
        let batch = Batch::of(&commands);
        let bytes = postcard::to_stdvec(&batch).unwrap();
        let back: Batch = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(back.iter().collect::<Vec<_>>(), commands);
        assert_eq!((back.len(), back.footprint()), (3, Footprint::Everything));
    }

    #[test]
    fn the_builder_and_the_batch_agree_on_the_footprint() {
        let mut builder = BatchBuilder::default();
        for key in [b"b", b"a", b"b"] {
            builder.push(&command(0, key));
        }
        let (batch, footprint) = builder.finish();
        assert_eq!(batch.footprint(), footprint);
        assert!(builder.is_empty());
        assert_eq!(builder.finish(), (Batch::noop(), Footprint::default()));
    }

    /// Every single-bit flip and every truncation either decodes to some batch or is an error.
    #[test]
    fn damaged_bytes_never_panic() {
        let bytes = postcard::to_stdvec(&Batch::of(&[command(1, b"a"), command(2, b"b")])).unwrap();
        let probe = |bytes: &[u8]| {
            if let Ok(batch) = postcard::from_bytes::<Batch>(bytes) {
                let _ = batch.iter().count();
            }
        };
        for cut in 0..bytes.len() {
            assert!(postcard::from_bytes::<Batch>(&bytes[..cut]).is_err());
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            probe(&flipped);
        }
    }
}
