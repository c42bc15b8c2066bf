use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read, Write};

/// A state at one moment, ready to be written by another thread.
pub type Frozen = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

/// A state that can be written and read back.
///
/// Two steps, so that execution need not stop: `freeze` is quick (a copy-on-write
/// handle, or an encoding of a small state), the closure it returns does the work.
pub trait Snapshot {
    /// Takes the state as it is now.
    fn freeze(&self) -> Frozen;

    /// Replaces the state by one that was written.
    ///
    /// # Errors
    /// If reading fails or the bytes are not a state.
    fn restore(&mut self, from: &mut dyn Read) -> io::Result<()>;
}

/// Any serde value is its own snapshot, encoded while execution waits: right for
/// small states. Large ones hold their data copy-on-write and implement the trait.
impl<T: Serialize + DeserializeOwned> Snapshot for T {
    fn freeze(&self) -> Frozen {
        let encoded = postcard::to_stdvec(self).map_err(io::Error::other);
        Box::new(move |to| to.write_all(&encoded?))
    }

    fn restore(&mut self, from: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes)?;
        *self = postcard::from_bytes(&bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(())
    }
}
