use crate::{Config, OpenError, StopError};
use isegoria_client::{Client, ClientOptions, LocalPort};
use isegoria_machine::Machine;
use isegoria_transport::client_port::{Connection, Question};
use parking_lot::Mutex;
use std::convert::Infallible;
use std::path::PathBuf;
use tokio::sync::{mpsc, oneshot, watch};

/// A node on a thread with a runtime of its own.
///
/// Invariant: the thread ends when it is told to stop, when the node stops by itself, or when
/// this value is dropped, which leaves the node no time for anything.
pub(crate) struct NodeThread {
    pub(crate) name: String,
    pub(crate) protocol: String,
    pub(crate) client: Client,
    port: LocalPort,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    ended: watch::Receiver<Option<Result<(), StopError>>>,
    /// Nothing is sent: that it is gone is the message.
    _alive: mpsc::Sender<Infallible>,
}

/// What the thread is given.
struct Start {
    config: Config,
    machine: Box<dyn Machine>,
    directory: PathBuf,
    port: LocalPort,
    stop: oneshot::Receiver<()>,
    dropped: mpsc::Receiver<Infallible>,
    ended: watch::Sender<Option<Result<(), StopError>>>,
}

impl NodeThread {
    pub(crate) async fn start(config: Config, machine: Box<dyn Machine>) -> Result<NodeThread, OpenError> {
        let (name, protocol) = (config.node().to_owned(), config.cluster().protocol.clone());
        let directory = config.cluster().data_dir.join(&name);
        let port = LocalPort::default();
        let (say_opened, opened) = oneshot::channel();
        let (say_stop, stop) = oneshot::channel();
        let (alive, dropped) = mpsc::channel(1);
        let (say_ended, ended) = watch::channel(None);
        let start = Start { config, machine, directory, port: port.clone(), stop, dropped, ended: say_ended };
        std::thread::Builder::new()
            .name(format!("isegoria-{name}"))
            .spawn(move || run(start, say_opened))
            .map_err(|error| OpenError::io("no thread can be started for the node", &error))?;
        let client = opened.await.map_err(|_| OpenError::Io("the node's thread broke off".to_owned()))??;
        Ok(NodeThread {
            name,
            protocol,
            client,
            port,
            stop: Mutex::new(Some(say_stop)),
            ended,
            _alive: alive,
        })
    }

    /// Tells it to stop.
    pub(crate) fn stop(&self) {
        if let Some(stop) = self.stop.lock().take() {
            // It may have ended by itself.
            let _ = stop.send(());
        }
    }

    /// Waits until it has stopped.
    pub(crate) async fn stopped(&self) -> Result<(), StopError> {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(how) => how.clone().unwrap_or(Ok(())),
            Err(_) => Err(StopError::of(&"the node's thread broke off")),
        }
    }

    /// What the node counts, as JSON; none if it has stopped.
    pub(crate) async fn status(&self) -> Option<String> {
        loop {
            let (connection, _) = Connection::local(&self.port).await.ok()?;
            // One that becomes a learner opens its port anew.
            if let Ok(text) = connection.ask(Question::Status).await {
                return Some(text);
            }
        }
    }
}

/// Whom to tell that the node is open, or why it is not.
type Opened = oneshot::Sender<Result<Client, OpenError>>;

fn run(start: Start, opened: Opened) {
    let ended = start.ended.clone();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = opened.send(Err(OpenError::io("no event loop can be made for the node", &error)));
            return;
        }
    };
    let mut opened = Some(opened);
    let how = runtime.block_on(serve(start, &mut opened));
    // Tasks end before anybody hears of it: ports and data directory are free then.
    drop(runtime);
    match (how, opened) {
        (Err(error), Some(opened)) => drop(opened.send(Err(error))),
        (Err(error), None) => drop(ended.send_replace(Some(Err(StopError::of(&error))))),
        (Ok(()), _) => drop(ended.send_replace(Some(Ok(())))),
    }
}

/// Runs the node. `opened` is taken once it serves.
async fn serve(start: Start, opened: &mut Option<Opened>) -> Result<(), OpenError> {
    let Start { config, machine, directory, port, stop, mut dropped, .. } = start;
    let mut settings = config.cluster().settings(config.node())?;
    settings.local = port.clone();
    let stop = Box::pin(async move {
        if stop.await.is_err() {
            std::future::pending::<()>().await;
        }
    });
    let cluster = config.cluster();
    let protocol = crate::protocol(&cluster.protocol)?;
    let mut running = protocol.run(settings, &cluster.options, machine, (Box::new(|| {}), stop))?;
    let client = tokio::select! {
        ended = &mut running => {
            ended.map_err(|error| OpenError::of(error, &directory))?;
            return Err(OpenError::Io("the node stopped at once".to_owned()));
        }
        client = Client::attach(&port, ClientOptions::default()) => client,
        // Nobody waits for it to open any more.
        _ = dropped.recv() => return Ok(()),
    };
    let client = client.map_err(|error| OpenError::Io(error.to_string()))?;
    if let Some(opened) = opened.take() {
        let _ = opened.send(Ok(client));
    }
    tokio::select! {
        ended = running => ended.map(drop).map_err(|error| OpenError::of(error, &directory)),
        _ = dropped.recv() => Ok(()),
    }
}
