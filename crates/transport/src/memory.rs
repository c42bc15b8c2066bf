use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

/// What a stream in memory holds before its writer waits, like a socket's buffer.
const STREAM_BYTES: usize = 256 * 1024;

/// The listeners of this process, by name: the in-memory twin of the system's table of ports.
static LISTENERS: Mutex<BTreeMap<String, mpsc::UnboundedSender<DuplexStream>>> = Mutex::new(BTreeMap::new());

static NEXT_NAME: AtomicU64 = AtomicU64::new(1);

/// The in-memory twin of a listening socket. Dropping it frees the name; streams live on.
#[derive(Debug)]
pub(crate) struct MemoryListener {
    name: String,
    dialed: mpsc::UnboundedReceiver<DuplexStream>,
}

impl MemoryListener {
    /// Listens under `name`; the empty name asks for a free one.
    pub(crate) fn bind(name: &str) -> io::Result<MemoryListener> {
        let mut listeners = LISTENERS.lock();
        let name = if name.is_empty() {
            format!("free-{}", NEXT_NAME.fetch_add(1, Ordering::Relaxed))
        } else {
            name.to_owned()
        };
        if listeners.contains_key(&name) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let (dialer, dialed) = mpsc::unbounded_channel();
        listeners.insert(name.clone(), dialer);
        Ok(MemoryListener { name, dialed })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn accept(&mut self) -> io::Result<DuplexStream> {
        self.dialed.recv().await.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        LISTENERS.lock().remove(&self.name);
    }
}

/// Connects to the listener of that name.
pub(crate) fn dial(name: &str) -> io::Result<DuplexStream> {
    let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
    let dialer = LISTENERS.lock().get(name).cloned().ok_or_else(refused)?;
    let (ours, theirs) = tokio::io::duplex(STREAM_BYTES);
    dialer.send(theirs).map_err(|_| refused())?;
    Ok(ours)
}
