use super::{End, homes};
use crate::BenchError;
use crate::generator::PutEncoder;
use crate::load::LoadPlan;
use crate::operation::Operation;
use bytes::{BufMut, Bytes, BytesMut};
use parking_lot::Mutex;
use redis_protocol::resp2::decode::decode_bytes_mut;
use redis_protocol::resp2::types::BytesFrame;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

/// What is read from a connection at once, bytes.
const PIECE_BYTES: usize = 64 << 10;

/// A redis-server: commands of all clients of a site are pipelined on one connection.
pub(in crate::load) struct Redis {
    lines: Vec<Arc<Line>>,
    /// Which line each client has.
    homes: Vec<usize>,
    value: Bytes,
    ends: mpsc::UnboundedReceiver<Result<Vec<End>, BenchError>>,
    /// The lines' tasks end with this.
    _running: JoinSet<()>,
}

/// A connection.
#[derive(Default)]
struct Line {
    staged: Mutex<Staged>,
    flushed: Notify,
}

#[derive(Default)]
struct Staged {
    bytes: BytesMut,
    /// Who asked, in the order of the answers.
    asked: VecDeque<usize>,
}

impl Redis {
    pub(super) async fn connect(plan: &LoadPlan) -> Result<Redis, BenchError> {
        let (sender, ends) = mpsc::unbounded_channel();
        let (mut lines, mut running) = (Vec::new(), JoinSet::new());
        for seats in &plan.seats {
            let address = seats.endpoint.to_string();
            let refuse = |error| BenchError::Load(format!("redis at {address}: {error}"));
            let stream = TcpStream::connect(&address).await.map_err(refuse)?;
            stream.set_nodelay(true).map_err(refuse)?;
            let line = Arc::new(Line::default());
            let (sender, own) = (sender.clone(), line.clone());
            running.spawn(async move {
                let Err(why) = own.carry(stream, &sender).await;
                let _ = sender.send(Err(BenchError::Load(format!("redis at {address}: {why}"))));
            });
            lines.push(line);
        }
        let value = PutEncoder::new(plan.payload_bytes, plan.seed).value();
        Ok(Redis { lines, homes: homes(plan), value, ends, _running: running })
    }

    pub(super) fn submit(&mut self, client: usize, operation: &Operation) {
        let mut staged = self.lines[self.homes[client]].staged.lock();
        encode(operation, &self.value, &mut staged.bytes);
        staged.asked.push_back(client);
    }

    pub(super) async fn ends(&mut self) -> Result<Vec<End>, BenchError> {
        for line in &self.lines {
            if !line.staged.lock().bytes.is_empty() {
                line.flushed.notify_one();
            }
        }
        match self.ends.recv().await {
            Some(ends) => ends,
            None => Err(BenchError::Load("no connection to redis is left".to_owned())),
        }
    }
}

impl Line {
    /// Sends and hears until the connection ends.
    async fn carry(
        &self,
        stream: TcpStream,
        ends: &mpsc::UnboundedSender<Result<Vec<End>, BenchError>>,
    ) -> Result<Infallible, String> {
        let (reads, writes) = stream.into_split();
        // Answers come while more is sent.
        let (never, _) = tokio::try_join!(self.send(writes), self.hear(reads, ends))?;
        match never {}
    }

    async fn send(&self, mut writes: OwnedWriteHalf) -> Result<Infallible, String> {
        loop {
            self.flushed.notified().await;
            let bytes = self.staged.lock().bytes.split();
            writes.write_all(&bytes).await.map_err(|error| error.to_string())?;
        }
    }

    async fn hear(
        &self,
        mut reads: OwnedReadHalf,
        ends: &mpsc::UnboundedSender<Result<Vec<End>, BenchError>>,
    ) -> Result<Infallible, String> {
        let mut heard = BytesMut::with_capacity(PIECE_BYTES);
        loop {
            let count = reads.read_buf(&mut heard).await.map_err(|error| error.to_string())?;
            if count == 0 {
                return Err("it closed the connection".to_owned());
            }
            let ended = self.answers(&mut heard)?;
            if !ended.is_empty() {
                let _ = ends.send(Ok(ended));
            }
            heard.reserve(PIECE_BYTES);
        }
    }

    /// The whole answers among what was heard. One that is an error ends the load: all commands are right.
    fn answers(&self, heard: &mut BytesMut) -> Result<Vec<End>, String> {
        let mut ends = Vec::new();
        while let Some((answer, _, _)) = decode_bytes_mut(heard).map_err(|error| error.to_string())? {
            if let BytesFrame::Error(why) = answer {
                return Err(format!("it answered: {why}"));
            }
            let client = self.staged.lock().asked.pop_front();
            let client = client.ok_or_else(|| "an answer that nobody asked for".to_owned())?;
            ends.push(End { client, result: Ok(Bytes::new()) });
        }
        Ok(ends)
    }
}

/// Appends an operation as an array of bulk strings (the RESP specification).
fn encode(operation: &Operation, value: &[u8], into: &mut BytesMut) {
    let name = |key: &u64| key.to_be_bytes();
    match operation {
        Operation::Put(key) => array(&[b"SET", &name(key), value], into),
        Operation::Get(key) | Operation::ReadModifyWrite(key) => array(&[b"GET", &name(key)], into),
        Operation::Scan(keys) => {
            let names: Vec<[u8; 8]> = keys.clone().map(|key| name(&key)).collect();
            let words: Vec<&[u8]> =
                [&b"MGET"[..]].into_iter().chain(names.iter().map(|name| &name[..])).collect();
            array(&words, into);
        }
        Operation::PutAll(keys) => {
            let names: Vec<[u8; 8]> = keys.clone().map(|key| name(&key)).collect();
            let pairs = names.iter().flat_map(|name| [&name[..], value]);
            array(&[&b"MSET"[..]].into_iter().chain(pairs).collect::<Vec<_>>(), into);
        }
    }
}

fn array(words: &[&[u8]], into: &mut BytesMut) {
    let head = |kind: u8, number: usize, into: &mut BytesMut| {
        into.put_u8(kind);
        into.extend_from_slice(number.to_string().as_bytes());
        into.extend_from_slice(b"\r\n");
    };
    head(b'*', words.len(), into);
    for word in words {
        head(b'$', word.len(), into);
        into.extend_from_slice(word);
        into.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(frame: BytesFrame) -> Vec<Bytes> {
        let BytesFrame::Array(words) = frame else { panic!("no array: {frame:?}") };
        let word = |word| match word {
            BytesFrame::BulkString(bytes) => bytes,
            other => panic!("{other:?}"),
        };
        words.into_iter().map(word).collect()
    }

    proptest! {
        /// Whatever is in keys and values, another's decoder finds the same words.
        #[test]
        fn commands_are_what_a_decoder_reads(key in any::<u64>(), value in prop::collection::vec(any::<u8>(), 0..200)) {
            let key = key.min(u64::MAX - 3);
            let name = |key: u64| Bytes::copy_from_slice(&key.to_be_bytes());
            let value = Bytes::from(value);
            let asked = [Operation::Put(key), Operation::Get(key), Operation::Scan(key..key + 2), Operation::PutAll(key..key + 2)];
            let mut bytes = BytesMut::new();
            asked.iter().for_each(|operation| encode(operation, &value, &mut bytes));
            let mut read = || words(decode_bytes_mut(&mut bytes).unwrap().expect("whole").0);
            prop_assert_eq!(read(), vec![Bytes::from("SET"), name(key), value.clone()]);
            prop_assert_eq!(read(), vec![Bytes::from("GET"), name(key)]);
            prop_assert_eq!(read(), vec![Bytes::from("MGET"), name(key), name(key + 1)]);
            prop_assert_eq!(read(), vec![Bytes::from("MSET"), name(key), value.clone(), name(key + 1), value]);
            prop_assert!(bytes.is_empty());
        }
    }

    #[test]
    fn answers_end_who_asked_in_order_and_an_error_ends_all() {
        let line = Line::default();
        line.staged.lock().asked.extend([4, 7, 9]);
        let mut heard = BytesMut::from(&b"+OK\r\n$-1\r\n$3\r\nab"[..]);
        let clients = |ends: Vec<End>| ends.iter().map(|end| end.client).collect::<Vec<_>>();
        assert_eq!(clients(line.answers(&mut heard).unwrap()), [4, 7]);
        heard.extend_from_slice(b"c\r\n");
        assert_eq!(clients(line.answers(&mut heard).unwrap()), [9]);
        let mut stray = BytesMut::from(&b"+OK\r\n"[..]);
        assert!(line.answers(&mut stray).unwrap_err().contains("nobody asked"));
        let mut error = BytesMut::from(&b"-OOM command not allowed\r\n"[..]);
        assert!(line.answers(&mut error).unwrap_err().contains("OOM"));
        assert!(line.answers(&mut BytesMut::from(&b"?\r\n"[..])).is_err());
    }
}
