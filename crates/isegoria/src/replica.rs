use crate::node_thread::NodeThread;
use crate::{Config, OpenError, StateMachine, Stats, StopError, SubmitError};
use isegoria_machine::Erased;
use isegoria_types::{Access, Class, Footprint};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// One node of a replicated state machine, in this process.
///
/// Clones are the same node. It runs on threads of its own: its futures can be awaited on any
/// runtime, and dropped; the outcome of a command whose future was dropped is unknown. Dropping
/// the last clone stops the node as a crash would: nothing acknowledged is lost.
/// [`Replica::shutdown`] lets it finish what it does.
pub struct Replica<S> {
    node: Arc<NodeThread>,
    machine: PhantomData<fn() -> S>,
}

impl<S> Clone for Replica<S> {
    fn clone(&self) -> Replica<S> {
        Replica { node: Arc::clone(&self.node), machine: PhantomData }
    }
}

impl<S> fmt::Debug for Replica<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica").field("node", &self.node.name).finish_non_exhaustive()
    }
}

/// What a node counts and holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The node's name.
    pub node: String,
    /// The protocol's name.
    pub protocol: String,
    /// Counters and sizes.
    pub stats: Stats,
}

impl<S: StateMachine> Replica<S> {
    /// Starts the node, over `machine`, which must be in its initial state: what the node has
    /// executed before is restored from its data directory. Returns once its ports listen; commands
    /// are taken from then on and wait until enough nodes are up.
    ///
    /// # Errors
    /// If the configuration breaks a rule, a port or the data directory cannot be used, or the
    /// data in it must not be used.
    pub async fn open(config: Config, machine: S) -> Result<Replica<S>, OpenError> {
        let node = NodeThread::start(config, Box::new(Erased::new(machine))).await?;
        Ok(Replica { node: Arc::new(node), machine: PhantomData })
    }

    /// Has a command executed, exactly once and linearizably, and returns the machine's output.
    ///
    /// # Errors
    /// [`SubmitError::Unknown`] and [`SubmitError::Closed`] leave open whether it was executed, and
    /// [`SubmitError::Output`] says that it was; after all others nothing was done.
    pub async fn submit(&self, command: S::Command) -> Result<S::Output, SubmitError> {
        let payload = postcard::to_stdvec(&command)
            .map_err(|error| SubmitError::Codec(format!("the command cannot be encoded: {error}")))?;
        let output = self.node.client.call(payload.into()).await?;
        postcard::from_bytes(&output).map_err(|error| SubmitError::Output(error.to_string()))
    }

    /// The output of a command that only reads, linearizably: it sees everything that was
    /// answered anywhere before it was asked. Ordered like any command, among its conflicts only.
    ///
    /// # Errors
    /// [`SubmitError::NotARead`] if its footprint names a key otherwise than to read it. Of scopes nobody
    /// but the machine knows whether they are read: a command with some ends as one that was submitted.
    /// Otherwise there is no output, and it may be asked again.
    pub async fn read(&self, command: S::Command) -> Result<S::Output, SubmitError> {
        let mut footprint = Footprint::default();
        S::footprint(&command, &mut footprint);
        let reads = |access: &Access| *access == Access::Shared(Class::READ);
        if footprint.is_everything() || !footprint.accesses().iter().all(|(_, access)| reads(access)) {
            return Err(SubmitError::NotARead);
        }
        match self.submit(command).await {
            // Reading twice is no harm.
            Err(error @ SubmitError::Unknown(_)) if footprint.scopes().is_empty() => {
                Err(SubmitError::Unavailable(error.to_string()))
            }
            result => result,
        }
    }

    /// What the node counts and holds at this moment; a new node takes part, and answers, once it has
    /// met all others.
    ///
    /// # Errors
    /// If it has stopped.
    pub async fn status(&self) -> Result<Status, SubmitError> {
        let text = self.node.status().await.ok_or(SubmitError::Closed)?;
        let stats = serde_json::from_str(&text).map_err(|error| SubmitError::Output(error.to_string()))?;
        Ok(Status { node: self.node.name.clone(), protocol: self.node.protocol.clone(), stats })
    }

    /// Resolves when the node has stopped.
    ///
    /// # Errors
    /// Why, if nobody told it to.
    pub async fn stopped(&self) -> Result<(), StopError> {
        self.node.stopped().await
    }

    /// Stops the node, for all clones: what was appended to its log is durable afterwards.
    ///
    /// # Errors
    /// If it had stopped by itself, or could not close its log.
    pub async fn shutdown(self) -> Result<(), StopError> {
        self.node.stop();
        self.node.stopped().await
    }
}
