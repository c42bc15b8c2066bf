use crate::memory::{self, MemoryListener};
use crate::{Backoff, Endpoint};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::either::Either;

/// A connection of any kind; all run the same code.
pub type Stream = Either<TcpStream, Either<UnixStream, DuplexStream>>;

/// Something that accepts connections. Dropping it stops that; a Unix socket's file goes too.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
    Memory(MemoryListener),
}

impl Listener {
    /// Listens at `endpoint`. The file of a Unix socket that nobody listens to
    /// any more, left by a process that was killed, is replaced.
    ///
    /// # Errors
    /// What the system says: the address is in use, or not ours.
    pub async fn bind(endpoint: &Endpoint) -> io::Result<Listener> {
        Ok(Listener(match endpoint {
            Endpoint::Tcp { host, port } => Kind::Tcp(TcpListener::bind((host.as_str(), *port)).await?),
            Endpoint::Unix(path) => {
                remove_stale(path).await?;
                Kind::Unix(UnixListener::bind(path)?, path.clone())
            }
            Endpoint::Memory(name) => Kind::Memory(MemoryListener::bind(name)?),
        }))
    }

    /// Where this listens, with the port that the system chose.
    ///
    /// # Errors
    /// If the system does not know its own socket.
    pub fn endpoint(&self) -> io::Result<Endpoint> {
        Ok(match &self.0 {
            Kind::Tcp(listener) => {
                let address = listener.local_addr()?;
                Endpoint::Tcp { host: address.ip().to_string(), port: address.port() }
            }
            Kind::Unix(_, path) => Endpoint::Unix(path.clone()),
            Kind::Memory(listener) => Endpoint::Memory(listener.name().to_owned()),
        })
    }

    /// The next connection. Errors that pass (a caller that hung up, no free file
    /// descriptor) are waited out, so that a port never dies of them.
    pub async fn accept(&mut self) -> Stream {
        let mut backoff = Backoff::default();
        loop {
            match self.try_accept().await {
                Ok(stream) => return stream,
                Err(error) => {
                    tracing::debug!(%error, "accept failed");
                    tokio::time::sleep(backoff.next_pause()).await;
                }
            }
        }
    }

    /// The same, while it takes leave of what has ended of `running`.
    pub async fn accept_beside(&mut self, running: &mut JoinSet<()>) -> Stream {
        loop {
            tokio::select! {
                stream = self.accept() => return stream,
                Some(_) = running.join_next() => {}
            }
        }
    }

    async fn try_accept(&mut self) -> io::Result<Stream> {
        match &mut self.0 {
            Kind::Tcp(listener) => tcp(listener.accept().await?.0),
            Kind::Unix(listener, _) => Ok(Either::Right(Either::Left(listener.accept().await?.0))),
            Kind::Memory(listener) => Ok(Either::Right(Either::Right(listener.accept().await?))),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Kind::Unix(_, path) = &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Connects to `endpoint`.
///
/// # Errors
/// What the system says: nobody listens there, or the name does not resolve.
pub async fn dial(endpoint: &Endpoint) -> io::Result<Stream> {
    match endpoint {
        Endpoint::Tcp { host, port } => tcp(TcpStream::connect((host.as_str(), *port)).await?),
        Endpoint::Unix(path) => Ok(Either::Right(Either::Left(UnixStream::connect(path).await?))),
        Endpoint::Memory(name) => Ok(Either::Right(Either::Right(memory::dial(name)?))),
    }
}

/// Small answers must not wait for the next acknowledgement.
fn tcp(stream: TcpStream) -> io::Result<Stream> {
    stream.set_nodelay(true)?;
    Ok(Either::Left(stream))
}

async fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    if is_socket && UnixStream::connect(path).await.is_err() {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn carries_bytes(endpoint: Endpoint) {
        let mut listener = Listener::bind(&endpoint).await.unwrap();
        let endpoint = listener.endpoint().unwrap();
        let mut ours = dial(&endpoint).await.unwrap();
        let mut theirs = listener.accept().await;
        if let Either::Left(stream) = &theirs {
            assert!(stream.nodelay().unwrap());
        }
        ours.write_all(b"isegoria").await.unwrap();
        let mut back = [0; 8];
        theirs.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"isegoria");
        assert!(Listener::bind(&endpoint).await.is_err(), "{endpoint} is taken");
        drop((listener, theirs));
        assert!(dial(&endpoint).await.is_err(), "{endpoint} is free again");
        Listener::bind(&endpoint).await.unwrap();
    }

    #[tokio::test]
    async fn each_kind_carries_bytes_and_frees_its_address() {
        let folder = tempfile::tempdir().unwrap();
        carries_bytes(Endpoint::loopback()).await;
        carries_bytes(Endpoint::Unix(folder.path().join("socket"))).await;
        carries_bytes(Endpoint::Memory(String::new())).await;
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_another_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        drop(Listener::bind(&Endpoint::Unix(path.clone())).await.unwrap());
        std::fs::write(&path, "precious").unwrap();
        assert!(Listener::bind(&Endpoint::Unix(path.clone())).await.is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}
