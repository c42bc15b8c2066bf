use crate::frames::{append, whole_frames};
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

/// The frames that wait for a call, one behind the other in one buffer, so that a
/// frame costs no allocation and a call takes them all.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    bytes_max: usize,
    frame_bytes_max: usize,
}

#[derive(Debug, Default)]
struct Inner {
    buffer: BytesMut,
    frame_count: u64,
}

/// What one call carries.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) frames: Bytes,
    pub(super) frame_count: u64,
}

/// Why a frame was dropped at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The peer does not keep up, or is away.
    #[error("the queue to the peer is full ({limit} bytes); the frame was dropped")]
    QueueFull {
        /// The queue's limit, bytes.
        limit: usize,
    },
    /// No peer would take it.
    #[error(
        "a frame of {size} bytes, and the limit is {limit}; split it or raise the frame limit on all nodes"
    )]
    TooLarge {
        /// The frame, bytes.
        size: usize,
        /// The limit, bytes.
        limit: usize,
    },
}

impl Queue {
    pub(super) fn new(bytes_max: usize, frame_bytes_max: usize) -> Queue {
        Queue { inner: Mutex::default(), bytes_max, frame_bytes_max }
    }

    pub(super) fn push(&self, encode: impl FnOnce(&mut BytesMut)) -> Result<(), SendError> {
        let mut inner = self.inner.lock();
        let limit = self.frame_bytes_max;
        let start = inner.buffer.len();
        if start >= self.bytes_max {
            return Err(SendError::QueueFull { limit: self.bytes_max });
        }
        append(&mut inner.buffer, limit, encode).map_err(|size| SendError::TooLarge { size, limit })?;
        if start > 0 && inner.buffer.len() > self.bytes_max {
            inner.buffer.truncate(start);
            return Err(SendError::QueueFull { limit: self.bytes_max });
        }
        inner.frame_count += 1;
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inner.lock().buffer.is_empty()
    }

    /// Takes frames for one call: all, or as many as fit into `bytes_max`.
    pub(super) fn take(&self, bytes_max: usize) -> Option<Parcel> {
        let mut inner = self.inner.lock();
        if inner.buffer.is_empty() {
            return None;
        }
        let (frame_count, end) = if inner.buffer.len() <= bytes_max {
            (inner.frame_count, inner.buffer.len())
        } else {
            whole_frames(&inner.buffer, bytes_max)
        };
        inner.frame_count -= frame_count;
        Some(Parcel { frames: inner.buffer.split_to(end).freeze(), frame_count })
    }

    /// Drops everything; returns the number of frames.
    pub(super) fn clear(&self) -> u64 {
        let mut inner = self.inner.lock();
        inner.buffer = BytesMut::new();
        std::mem::take(&mut inner.frame_count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames;

    #[test]
    fn limits_hold_and_every_frame_is_counted() {
        let queue = Queue::new(100, 40);
        let push = |length: usize| queue.push(|out| out.extend_from_slice(&vec![7; length]));
        assert_eq!(push(41), Err(SendError::TooLarge { size: 41, limit: 40 }));
        assert_eq!((push(40), push(40)), (Ok(()), Ok(())));
        assert_eq!(push(40), Err(SendError::QueueFull { limit: 100 }));
        assert_eq!(push(8), Ok(()));
        assert_eq!(push(0), Err(SendError::QueueFull { limit: 100 }));
        let first = queue.take(60).unwrap();
        assert_eq!((first.frame_count, frames(&first.frames).count()), (1, 1));
        let second = queue.take(60).unwrap();
        assert_eq!((second.frame_count, second.frames.len()), (2, 56));
        assert!(queue.take(60).is_none() && queue.is_empty());
        assert_eq!(push(1), Ok(()));
        assert_eq!((queue.clear(), queue.clear()), (1, 0));
    }
}
