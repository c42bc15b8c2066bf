use crate::graph::{GraphOrder, Progress};
use crate::log_order::LogOrder;
use crate::message::{Installed, ReplicaOutbox};
use crate::replica::{ExecutionOrder, Replica};
use crate::sessions::SessionTable;
use foldhash::fast::FixedState;
use isegoria_log::{CheckpointReader, CheckpointWriter, Identity};
use isegoria_machine::Frozen;
use isegoria_types::{NodeId, Order, Prefix, Vertex, WINDOW_MAX};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::io::{self, Read};

/// The section of a checkpoint with a replica's snapshot.
pub(crate) const REPLICA_SECTION: u8 = 2;

/// Everything of a replica but the state machine's state.
#[derive(Serialize, Deserialize)]
struct Header {
    executed: Executed,
    everywhere: Prefix,
    cut: Prefix,
    sessions: SessionTable,
}

#[derive(Hash, Serialize, Deserialize)]
enum Executed {
    Graph { prefix: Prefix, extras: Vec<Vertex> },
    Log(LogOrder),
}

/// What came of another's snapshot.
pub(crate) enum Install {
    /// This replica is as far as it now, with its own extras.
    Adopted,
    /// It has nothing that is not executed here.
    Useless,
    /// It lacks something executed here whose value is not held: installing it would
    /// lose that (protocols.md 2.7).
    Impossible,
}

impl Replica {
    /// The replica as it is now, to be written beside running work: what it has
    /// executed, the sessions, the state machine. Downward closed, because executed
    /// sets are. Committed values that wait are the node's to keep.
    #[must_use]
    pub fn freeze(&self) -> Frozen {
        let everywhere = self.watermarks.everywhere().clone();
        let cut = self.cuts.agreed().clone();
        let header =
            Header { executed: self.executed_set(), everywhere, cut, sessions: self.sessions.clone() };
        let machine = self.machine.freeze();
        Box::new(move |to| {
            let bytes = postcard::to_stdvec(&header).map_err(io::Error::other)?;
            to.write_all(&(bytes.len() as u64).to_le_bytes())?;
            to.write_all(&bytes)?;
            machine(to)
        })
    }

    /// The same for other nodes, in the checkpoint format and so under its checksums, with
    /// a number: equal numbers are equal executed sets.
    pub(crate) fn freeze_for_others(&self) -> (u64, Frozen) {
        let number = self.executed_number();
        let (own, frozen) = (self.own, self.freeze());
        let write: Frozen = Box::new(move |to| {
            let mut writer = CheckpointWriter::new(to, identity(own), 0)?;
            writer.section(REPLICA_SECTION)?;
            frozen(&mut writer)?;
            writer.finish().map(drop)
        });
        (number, write)
    }

    /// A number that tells executed sets apart.
    pub(crate) fn executed_number(&self) -> u64 {
        FixedState::default().hash_one(self.executed_set())
    }

    fn executed_set(&self) -> Executed {
        match &self.order {
            ExecutionOrder::Graph(graph) => {
                Executed::Graph { prefix: graph.executed().clone(), extras: graph.extras() }
            }
            ExecutionOrder::Log(log) => Executed::Log(log.clone()),
        }
    }

    /// Replaces an empty replica's state by a frozen one.
    ///
    /// # Errors
    /// If reading fails, the bytes are no snapshot, or one of another kind of protocol.
    pub fn restore(&mut self, from: &mut dyn Read) -> io::Result<()> {
        let header = self.read_header(from)?;
        self.machine.restore(from)?;
        self.adopt(header);
        self.history.drop_prefix(&self.executed_and_gone());
        Ok(())
    }

    /// Becomes the snapshot of that number of node `from`, and executes again what that had not executed
    /// and this replica had: both are downward closed, so what only one of them has
    /// commutes with what only the other has.
    pub(crate) fn install(
        &mut self,
        (from, snapshot): (NodeId, u64),
        bytes: &[u8],
        out: &mut ReplicaOutbox,
    ) -> io::Result<Install> {
        let open = || CheckpointReader::new(bytes, identity(from)).map_err(io::Error::other);
        open()?.verify().map_err(io::Error::other)?;
        let mut reader = open()?;
        if reader.next_section().map_err(io::Error::other)? != Some(REPLICA_SECTION) {
            return Err(invalid("a snapshot without its section"));
        }
        let header = self.read_header(&mut reader)?;
        if header.executed.is_within(self) {
            return Ok(Install::Useless);
        }
        let extras = header.executed.lacks(self);
        if extras.iter().any(|vertex| self.history.get(*vertex).is_none()) {
            return Ok(Install::Impossible);
        }
        self.machine.restore(&mut reader)?;
        self.adopt(header);
        out.installed = Some(Installed { from, snapshot, kept: extras });
        self.collect(out);
        self.execute_held(out);
        Ok(Install::Adopted)
    }

    fn read_header(&self, from: &mut dyn Read) -> io::Result<Header> {
        let mut length = [0; 8];
        from.read_exact(&mut length)?;
        let mut bytes = Vec::new();
        Read::take(&mut *from, u64::from_le_bytes(length)).read_to_end(&mut bytes)?;
        let header: Header =
            postcard::from_bytes(&bytes).map_err(|_| invalid("a snapshot header that does not decode"))?;
        match (&self.order, &header.executed) {
            (ExecutionOrder::Graph(_), Executed::Graph { prefix, extras }) => {
                let far =
                    |extra: &Vertex| extra.number >= prefix.below(extra.leader).saturating_add(WINDOW_MAX);
                if extras.iter().any(far) {
                    return Err(invalid("a snapshot with an executed vertex far above its prefix"));
                }
            }
            (ExecutionOrder::Log(_), Executed::Log(_)) => {}
            _ => return Err(invalid("a snapshot of a protocol with another kind of order")),
        }
        Ok(header)
    }

    fn adopt(&mut self, header: Header) {
        self.order = match header.executed {
            Executed::Graph { prefix, extras } => ExecutionOrder::Graph(GraphOrder::restore(prefix, &extras)),
            Executed::Log(log) => ExecutionOrder::Log(log),
        };
        self.sessions = header.sessions;
        self.watermarks.restore(&header.everywhere);
        self.cuts.restore(header.cut);
    }

    fn executed_and_gone(&self) -> Prefix {
        let mut gone = self.watermarks.everywhere().clone();
        gone.union(self.cuts.agreed());
        gone.intersect(&self.executed());
        gone
    }

    /// Commits everything held to the new order: what is executable is executed.
    fn execute_held(&mut self, out: &mut ReplicaOutbox) {
        let held = self.history.iter().filter(|(vertex, _)| !self.has_executed(*vertex));
        let held: Vec<Vertex> = held.map(|(vertex, _)| vertex).collect();
        let mut progress = Progress::default();
        for vertex in held {
            let Some((Order::Vertex(_, deps), _)) = self.history.get(vertex) else { break };
            let deps = deps.clone();
            if let ExecutionOrder::Graph(graph) = &mut self.order {
                graph.commit(vertex, deps, &mut progress);
            }
        }
        out.blocked.append(&mut progress.blockers);
        progress.executed.into_iter().for_each(|vertex| self.execute(vertex, out));
        self.execute_log(out);
    }
}

impl Executed {
    /// Whether `replica` has executed all of it.
    fn is_within(&self, replica: &Replica) -> bool {
        match self {
            Executed::Graph { prefix, extras } => {
                replica.executed().covers(prefix) && extras.iter().all(|extra| replica.has_executed(*extra))
            }
            Executed::Log(log) => replica.executed().covers(&Prefix::new(&[log.next()])),
        }
    }

    /// What `replica` has executed and this has not, sorted.
    fn lacks(&self, replica: &Replica) -> Vec<Vertex> {
        let (prefix, extras) = match self {
            Executed::Graph { prefix, extras } => (prefix.clone(), extras.iter().copied().collect()),
            Executed::Log(log) => (Prefix::new(&[log.next()]), BTreeSet::new()),
        };
        let above = |leader: NodeId, below: u64| {
            (prefix.below(leader)..below).map(move |number| Vertex::new(leader, number))
        };
        let executed = replica.executed();
        let mut all: Vec<Vertex> = executed.iter().flat_map(|(leader, below)| above(leader, below)).collect();
        all.extend(replica.extras());
        all.retain(|vertex| !prefix.contains(*vertex) && !extras.contains(vertex));
        all.sort_unstable();
        all
    }
}

/// Who writes a snapshot for others: the links have made sure of the cluster.
fn identity(node: NodeId) -> Identity {
    Identity { epoch: 0, cluster: 0, node: node.index() as u64 }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
