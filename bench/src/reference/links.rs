use super::owner::owner;
use bytes::{Buf, Bytes, BytesMut};
use isegoria::Endpoint;
use isegoria_transport::{Distance, Lateness, Road};
use parking_lot::Mutex;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The most that is taken from a connection at once, bytes.
const PIECE_BYTES: usize = 64 << 10;
/// What may be on its way on one connection; beyond that whoever sends has to wait, bytes.
const TRAVELLING_MAX: usize = 64 << 20;

/// How long no connection is accepted after one could not be: that may take descriptors, which come back.
const PAUSE: Duration = Duration::from_millis(50);

/// Connections over an emulated distance, for those whose bytes are not ours to hold back:
/// each goes over a port of this process.
///
/// Invariant: bytes arrive in order, and not before their time. A connection is made at once, though;
/// it is only what goes over it that takes time.
#[derive(Debug)]
pub(super) struct Links {
    lateness: Lateness,
    /// The processes that call, once they run, in the order of nodes.
    callers: Arc<Mutex<Vec<u32>>>,
    /// End with this.
    running: JoinSet<()>,
}

/// How far away callers of a port are.
#[derive(Clone, Debug)]
pub(super) enum Callers {
    /// All are as far.
    At(Ways),
    /// By the caller's number among the processes.
    Members(Vec<Ways>),
}

/// How far it is from the caller, and back to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ways {
    pub(super) there: Distance,
    pub(super) back: Distance,
}

impl Links {
    pub(super) fn new() -> Links {
        Links { lateness: Lateness::default(), callers: Arc::default(), running: JoinSet::new() }
    }

    /// Who the members are whose distances differ. One that connects before is turned away, and tries again.
    pub(super) fn know(&self, processes: Vec<u32>) {
        *self.callers.lock() = processes;
    }

    /// How late bytes were let go.
    pub(super) fn lateness(&self) -> &Lateness {
        &self.lateness
    }

    /// A port before `target`.
    ///
    /// # Errors
    /// If there is no port left.
    pub(super) async fn to(&mut self, target: &Endpoint, callers: Callers) -> io::Result<Endpoint> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        let relay = Relay {
            target: target.to_string(),
            callers,
            processes: self.callers.clone(),
            lateness: self.lateness.clone(),
        };
        self.running.spawn(relay.serve(listener));
        address.parse().map_err(io::Error::other)
    }
}

/// A port, and what is behind it.
#[derive(Clone)]
struct Relay {
    target: String,
    callers: Callers,
    processes: Arc<Mutex<Vec<u32>>>,
    lateness: Lateness,
}

impl Relay {
    async fn serve(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => {
                        connections.spawn(self.clone().connect(stream, from));
                    }
                    Err(error) => {
                        tracing::warn!("a connection over an emulated distance was not accepted: {error}");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Carries a connection to its end. One of nobody that is known is not carried: its maker has gone, or
    /// will try again.
    async fn connect(self, near: TcpStream, from: SocketAddr) {
        let ways = match &self.callers {
            Callers::At(ways) => *ways,
            Callers::Members(ways) => {
                let processes = self.processes.lock().clone();
                let Ok(to) = near.local_addr() else { return };
                match owner((from, to), &processes).and_then(|index| ways.get(index)) {
                    Some(ways) => *ways,
                    None => return,
                }
            }
        };
        let Ok(far) = TcpStream::connect(&self.target).await else { return };
        if [near.set_nodelay(true), far.set_nodelay(true)].iter().any(Result::is_err) {
            return;
        }
        let ((near_reads, near_writes), (far_reads, far_writes)) = (near.into_split(), far.into_split());
        let road = |distance| Road::new(distance, self.lateness.clone());
        tokio::join!(
            carry(near_reads, far_writes, road(ways.there)),
            carry(far_reads, near_writes, road(ways.back))
        );
    }
}

/// Carries bytes one way until the connection ends that way, and all have arrived.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut road: Road<Bytes>) {
    let mut piece = BytesMut::new();
    // What has arrived, and is written as soon as whoever gets it takes it.
    let mut arrived = Bytes::new();
    let (mut travelling, mut open) = (0, true);
    while open || arrived.has_remaining() || road.next().is_some() {
        piece.reserve(PIECE_BYTES);
        tokio::select! {
            biased;
            written = to.write_buf(&mut arrived), if arrived.has_remaining() => match written {
                Ok(count) => travelling -= count,
                Err(_) => return,
            },
            () = road.arrival(), if !arrived.has_remaining() => arrived = road.take().unwrap_or_default(),
            read = from.read_buf(&mut piece), if open && travelling < TRAVELLING_MAX => match read {
                Ok(0) | Err(_) => open = false,
                Ok(count) => {
                    travelling += count;
                    road.depart(piece.split().freeze(), count);
                }
            }
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn far(there_ms: u64, back_ms: u64) -> Ways {
        let distance = |ms| Distance { one_way: Duration::from_millis(ms), ..Distance::default() };
        Ways { there: distance(there_ms), back: distance(back_ms) }
    }

    /// Sends back what it hears.
    async fn echo() -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut reads, mut writes) = stream.split();
                    tokio::io::copy(&mut reads, &mut writes).await
                });
            }
        });
        address.parse().unwrap()
    }

    #[tokio::test]
    async fn what_is_sent_arrives_whole_in_order_and_not_before_a_round_trip() {
        let mut links = Links::new();
        let port = links.to(&echo().await, Callers::At(far(50, 10))).await.unwrap();
        let began = Instant::now();
        let stream = TcpStream::connect(port.to_string()).await.unwrap();
        let sent: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let (mut reads, mut writes) = stream.into_split();
        let all = sent.clone();
        let writer = tokio::spawn(async move {
            writes.write_all(&all).await.unwrap();
            writes.shutdown().await.unwrap();
        });
        let mut heard = vec![0; 4];
        reads.read_exact(&mut heard).await.unwrap();
        assert!(began.elapsed() >= Duration::from_millis(60));
        reads.read_to_end(&mut heard).await.unwrap();
        writer.await.unwrap();
        assert!(heard == sent, "{} bytes of {}", heard.len(), sent.len());
        assert!(links.lateness().summary().count > 0);
    }

    /// All members call one address; how far they are depends on who they are.
    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn a_member_is_as_far_as_it_is_and_a_stranger_is_not_let_through() {
        let mut links = Links::new();
        let port =
            links.to(&echo().await, Callers::Members(vec![far(1_000_000, 0), far(20, 20)])).await.unwrap();
        let ask = || async {
            let began = Instant::now();
            let mut stream = TcpStream::connect(port.to_string()).await.unwrap();
            stream.write_all(b"x").await.unwrap();
            let count = stream.read(&mut [0; 1]).await.unwrap_or(0);
            (count, began.elapsed())
        };
        assert_eq!(ask().await.0, 0, "nobody knows who that is");
        links.know(vec![1, std::process::id()]);
        let (count, took) = ask().await;
        assert!(count == 1 && took >= Duration::from_millis(40), "{count} byte after {took:?}");
    }
}
