use crate::graph::GraphOrder;
use crate::log_order::LogOrder;
use crate::replica::{ExecutionOrder, Replica};
use crate::sessions::SessionTable;
use isegoria_machine::Frozen;
use isegoria_types::{Prefix, Vertex, WINDOW_MAX};
use serde::{Deserialize, Serialize};
use std::io::{self, Read};

/// Everything of a replica but the state machine's state.
#[derive(Serialize, Deserialize)]
struct Header {
    executed: Executed,
    everywhere: Prefix,
    sessions: SessionTable,
}

#[derive(Serialize, Deserialize)]
enum Executed {
    Graph { prefix: Prefix, extras: Vec<Vertex> },
    Log(LogOrder),
}

impl Replica {
    /// The replica as it is now, to be written beside running work: what it has
    /// executed, the sessions, the state machine. Downward closed, because executed
    /// sets are. Committed values that wait are the node's to keep.
    #[must_use]
    pub fn freeze(&self) -> Frozen {
        let executed = match &self.order {
            ExecutionOrder::Graph(graph) => {
                Executed::Graph { prefix: graph.executed().clone(), extras: graph.extras() }
            }
            ExecutionOrder::Log(log) => Executed::Log(log.clone()),
        };
        let everywhere = self.watermarks.everywhere().clone();
        let header = Header { executed, everywhere, sessions: self.sessions.clone() };
        let machine = self.machine.freeze();
        Box::new(move |to| {
            let bytes = postcard::to_stdvec(&header).map_err(io::Error::other)?;
            to.write_all(&(bytes.len() as u64).to_le_bytes())?;
            to.write_all(&bytes)?;
            machine(to)
        })
    }

    /// Replaces an empty replica's state by a frozen one.
    ///
    /// # Errors
    /// If reading fails, the bytes are no snapshot, or one of another kind of protocol.
    pub fn restore(&mut self, from: &mut dyn Read) -> io::Result<()> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut length = [0; 8];
        from.read_exact(&mut length)?;
        let mut bytes = Vec::new();
        Read::take(&mut *from, u64::from_le_bytes(length)).read_to_end(&mut bytes)?;
        let header: Header =
            postcard::from_bytes(&bytes).map_err(|_| invalid("a snapshot header that does not decode"))?;
        match (&mut self.order, header.executed) {
            (ExecutionOrder::Graph(graph), Executed::Graph { prefix, extras }) => {
                let far =
                    |extra: &Vertex| extra.number >= prefix.below(extra.leader).saturating_add(WINDOW_MAX);
                if extras.iter().any(far) {
                    return Err(invalid("a snapshot with an executed vertex far above its prefix"));
                }
                *graph = GraphOrder::restore(prefix, &extras);
            }
            (ExecutionOrder::Log(log), Executed::Log(saved)) => *log = saved,
            _ => return Err(invalid("a snapshot of a protocol with another kind of order")),
        }
        self.sessions = header.sessions;
        self.watermarks.restore(&header.everywhere);
        self.drop_history(&header.everywhere);
        self.machine.restore(from)
    }
}
