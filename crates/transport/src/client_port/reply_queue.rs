use isegoria_types::{Outcome, Reply};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Notify;

/// What a reply takes in memory and on the wire besides its output, bytes, at most.
const REPLY_BYTES: usize = 64;

/// Where the replies for one connection go. Clones share it. Never waits.
#[derive(Clone, Debug)]
pub struct ReplySender {
    queue: Arc<ReplyQueue>,
}

#[derive(Debug)]
pub(super) struct ReplyQueue {
    inner: Mutex<Inner>,
    flushed: Notify,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Inner {
    replies: VecDeque<Reply>,
    byte_count: usize,
    state: State,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The client does not take its replies.
    Overflowed,
    /// The connection is gone.
    Closed,
}

fn size(reply: &Reply) -> usize {
    match &reply.outcome {
        Outcome::Done(output) => output.len() + REPLY_BYTES,
        Outcome::AlreadyAcknowledged | Outcome::Refused(_) => REPLY_BYTES,
    }
}

impl ReplySender {
    pub(super) fn new(bytes_max: usize) -> (ReplySender, Arc<ReplyQueue>) {
        let queue = Arc::new(ReplyQueue { inner: Mutex::default(), flushed: Notify::new(), bytes_max });
        (ReplySender { queue: queue.clone() }, queue)
    }

    /// Queues replies; they leave after [`ReplySender::flush`]. Replies to a connection
    /// that is gone are dropped: the client asks again, elsewhere. A client that
    /// leaves too much waiting loses its connection.
    pub fn push(&self, replies: impl IntoIterator<Item = Reply>) {
        let mut inner = self.queue.inner.lock();
        for reply in replies {
            if inner.state != State::Open {
                return;
            }
            inner.byte_count += size(&reply);
            inner.replies.push_back(reply);
            if inner.byte_count > self.queue.bytes_max {
                inner.state = State::Overflowed;
                self.queue.flushed.notify_one();
            }
        }
    }

    /// Wakes the connection. Call it once a step, not once a reply.
    pub fn flush(&self) {
        self.queue.flushed.notify_one();
    }

    /// Whether the connection is still there.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.queue.inner.lock().state == State::Open
    }
}

impl ReplyQueue {
    pub(super) async fn flushed(&self) {
        self.flushed.notified().await;
    }

    /// Takes replies for one answer, as many as fit into `bytes_max`, and at least one
    /// if there is any. A reply that no answer can hold is dropped and counted.
    pub(super) fn take(&self, bytes_max: usize) -> Taken {
        let mut inner = self.inner.lock();
        let mut taken = Taken::default();
        if inner.byte_count <= bytes_max {
            inner.byte_count = 0;
            taken.replies = std::mem::take(&mut inner.replies).into();
            return taken;
        }
        let mut room = bytes_max;
        while let Some(front) = inner.replies.front() {
            let bytes = size(front);
            if bytes <= room {
                room -= bytes;
                taken.replies.extend(inner.replies.pop_front());
            } else if bytes > bytes_max {
                inner.replies.pop_front();
                taken.oversize_count += 1;
            } else {
                break;
            }
            inner.byte_count -= bytes;
        }
        taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inner.lock().replies.is_empty()
    }

    /// The bytes that wait, if they are too many.
    pub(super) fn overflow(&self) -> Option<usize> {
        let inner = self.inner.lock();
        (inner.state == State::Overflowed).then_some(inner.byte_count)
    }

    pub(super) fn close(&self) {
        *self.inner.lock() = Inner { state: State::Closed, ..Inner::default() };
    }
}

/// What goes into one answer.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) replies: Vec<Reply>,
    pub(super) oversize_count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use isegoria_types::{ClientId, RequestId};

    fn reply(number: u64, bytes: usize) -> Reply {
        let request = RequestId { client: ClientId(1), number };
        Reply { request, outcome: Outcome::Done(Bytes::from(vec![0; bytes])) }
    }

    fn numbers(taken: &Taken) -> Vec<u64> {
        taken.replies.iter().map(|reply| reply.request.number).collect()
    }

    #[test]
    fn an_answer_takes_what_fits() {
        let (sender, queue) = ReplySender::new(10_000);
        sender.push([reply(0, 0), reply(1, 900), reply(2, 0), reply(3, 0), reply(4, 0)]);
        let first = queue.take(200);
        assert_eq!((numbers(&first), first.oversize_count), (vec![0, 2, 3], 1));
        assert_eq!(numbers(&queue.take(200)), [4]);
        assert!(queue.is_empty());
        sender.push([reply(5, 0), reply(6, 0)]);
        assert_eq!(numbers(&queue.take(200)), [5, 6]);
    }

    #[test]
    fn too_much_waiting_closes_the_connection() {
        let (sender, queue) = ReplySender::new(1_000);
        sender.push([reply(0, 900)]);
        assert!(queue.overflow().is_none() && sender.is_open());
        sender.push([reply(1, 0), reply(2, 0)]);
        assert!(queue.overflow().is_some() && !sender.is_open());
        queue.close();
        sender.push([reply(3, 0)]);
        assert!(queue.is_empty());
    }
}
