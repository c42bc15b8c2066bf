use std::io;
use tokio::signal::unix::{SignalKind, signal};

/// Resolves at SIGINT or SIGTERM, whichever comes first.
///
/// # Errors
/// If the handlers cannot be installed.
pub(crate) fn interrupted() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
