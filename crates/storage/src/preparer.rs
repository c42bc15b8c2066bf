use crate::LogFailure;
use crate::error::is_no_space;
use crate::segment_file::{SegmentFile, SegmentSource};
use crate::shared::Shared;
use isegoria_log::SegmentHeader;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long to wait before asking a full disk again.
const RETRY_MS: u64 = 500;

type Made = Result<Box<dyn SegmentFile>, LogFailure>;

/// Makes the next segment ahead of time, on a thread of its own: filling it takes as
/// long as hundreds of commits.
///
/// A full disk is not an error here. The maker says so, and goes on asking; the log
/// has the rest of its segment, and then waits. Nothing is promised meanwhile.
#[derive(Debug)]
pub(crate) struct Preparer {
    orders: Sender<SegmentHeader>,
    made: Receiver<Made>,
    thread: Option<JoinHandle<()>>,
    /// Ordered and not yet fetched.
    ordered: Option<SegmentHeader>,
}

impl Preparer {
    pub(crate) fn start(source: impl SegmentSource, shared: Arc<Shared>) -> std::io::Result<Preparer> {
        let (orders, inbox) = channel();
        let (outbox, made) = channel();
        let run = move || make_segments(source, &shared, (&inbox, &outbox));
        let thread = thread::Builder::new().name("log-segments".to_owned()).spawn(run)?;
        Ok(Preparer { orders, made, thread: Some(thread), ordered: None })
    }

    /// Starts to make the segment, unless it is being made.
    pub(crate) fn order(&mut self, header: SegmentHeader) {
        if self.ordered != Some(header) {
            assert_eq!(self.ordered, None, "one segment is made at a time");
            self.ordered = Some(header);
            // If the thread is gone, fetching says so.
            let _ = self.orders.send(header);
        }
    }

    /// Waits for the segment.
    pub(crate) fn fetch(&mut self, header: SegmentHeader) -> Made {
        self.order(header);
        self.ordered = None;
        self.made.recv().unwrap_or_else(|_| {
            Err(LogFailure::Io { doing: "extending", message: "it is being closed".to_owned() })
        })
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        // Closes the orders, which ends the thread.
        self.orders = channel().0;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn make_segments(
    mut source: impl SegmentSource,
    shared: &Shared,
    (inbox, outbox): (&Receiver<SegmentHeader>, &Sender<Made>),
) {
    while let Ok(header) = inbox.recv() {
        let made = loop {
            match source.create(&header) {
                Err(error) if is_no_space(&error) => shared.set_space_short(true),
                made => break made,
            }
            let pause = inbox.recv_timeout(Duration::from_millis(RETRY_MS));
            if pause == Err(RecvTimeoutError::Disconnected) || shared.closing.load(Ordering::Acquire) {
                return;
            }
        };
        shared.set_space_short(false);
        if outbox.send(made.map_err(|error| LogFailure::new("extending", &error))).is_err() {
            return;
        }
    }
}
