use crate::dot::dot;
use crate::guest::Guest;
use crate::metrics::metrics;
use crate::picture::svg;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use isegoria_client::{ClientOptions, Question, ask};
use isegoria_runtime::{Graph, Stats};
use isegoria_transport::client_port::{Connection, LocalPort};
use isegoria_transport::{Endpoint, Listener};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

/// How long a node may take to answer about itself.
const PATIENCE: Duration = Duration::from_secs(2);

/// Connections at once; others wait.
const CONNECTION_COUNT_MAX: usize = 64;

/// What is shown, and of whom.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The node's name.
    pub node: String,
    /// Its protocol.
    pub protocol: String,
    /// The node itself.
    pub port: LocalPort,
    /// All nodes of the cluster with a client port, by name; this one too.
    pub nodes: Vec<(String, Endpoint)>,
    /// How many nodes there are.
    pub node_count: usize,
}

/// The admin port of a node. Dropping it closes the port.
#[derive(Debug)]
pub struct AdminServer {
    _task: AbortOnDropHandle<()>,
}

impl AdminServer {
    /// Serves at `listener`; needs a tokio runtime.
    #[must_use]
    pub fn spawn(listener: Listener, shown: Shown) -> AdminServer {
        let router = Router::new()
            .route("/", get(page))
            .route("/livez", get(livez))
            .route("/readyz", get(readyz))
            .route("/metrics", get(prometheus))
            .route("/status", get(status))
            .route("/cluster", get(cluster))
            .route("/graph", get(graph_dot))
            .route("/graph.svg", get(graph_svg))
            .route("/explain", get(explain))
            .with_state(Arc::new(shown));
        let port = Port { listener, permits: Arc::new(Semaphore::new(CONNECTION_COUNT_MAX)) };
        let serving = async move {
            // It ends with the task.
            let _ = axum::serve(port, router).await;
        };
        AdminServer { _task: AbortOnDropHandle::new(tokio::spawn(serving)) }
    }
}

/// A listener as axum wants it, for few connections at once, each for a while.
struct Port {
    listener: Listener,
    permits: Arc<Semaphore>,
}

impl axum::serve::Listener for Port {
    type Io = Guest;
    type Addr = ();

    async fn accept(&mut self) -> (Guest, ()) {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        (Guest::new(self.listener.accept().await, permit), ())
    }

    fn local_addr(&self) -> std::io::Result<()> {
        Ok(())
    }
}

type Node = State<Arc<Shown>>;

/// Why there is no answer: one sentence.
struct Unavailable(String);

impl IntoResponse for Unavailable {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, self.0 + "\n").into_response()
    }
}

/// What the node of this process says.
async fn own(shown: &Shown, question: Question) -> Result<String, Unavailable> {
    let answer = async {
        let (connection, _) = Connection::local(&shown.port).await.map_err(|error| error.to_string())?;
        connection.ask(question).await.map_err(|error| error.to_string())
    };
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(Unavailable),
        Err(_) => Err(Unavailable(
            "the node does not serve yet: it reads its log, or waits for its peers".to_owned(),
        )),
    }
}

async fn own_stats(shown: &Shown) -> Result<Stats, Unavailable> {
    let text = own(shown, Question::Status).await?;
    serde_json::from_str(&text).map_err(|error| Unavailable(format!("the node says no counters: {error}")))
}

/// The loop that answers this is the one that serves.
async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(State(shown): Node) -> Result<&'static str, Unavailable> {
    let stats = own_stats(&shown).await?;
    if stats.is_learner {
        return Err(Unavailable(
            "the node is a learner: it follows the others and takes no commands".to_owned(),
        ));
    }
    if stats.is_refusing {
        return Err(Unavailable("the disk is full or does not keep up: all commands are refused".to_owned()));
    }
    if 2 * (stats.peer_count + 1) <= shown.node_count as u64 {
        let count = stats.peer_count;
        return Err(Unavailable(format!(
            "the node has links to {count} others, which is no majority with it"
        )));
    }
    Ok("ok\n")
}

async fn prometheus(State(shown): Node) -> Result<impl IntoResponse, Unavailable> {
    let text = metrics(&own_stats(&shown).await?);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text))
}

async fn status(State(shown): Node) -> Result<axum::Json<Value>, Unavailable> {
    let stats = own_stats(&shown).await?;
    Ok(axum::Json(json!({ "node": shown.node, "protocol": shown.protocol, "stats": stats })))
}

/// What every node says, for the page.
async fn cluster(State(shown): Node) -> axum::Json<Value> {
    let one = async |(name, endpoint): &(String, Endpoint)| {
        let said = if *name == shown.node {
            own(&shown, Question::Status).await.ok()
        } else {
            let mut options = ClientOptions::default();
            options.connection.open_ms = 500;
            options.connection.call_ms = 500;
            ask(endpoint, Question::Status, options).await.ok()
        };
        let stats: Option<Stats> = said.and_then(|text| serde_json::from_str(&text).ok());
        json!({ "node": name, "stats": stats })
    };
    let nodes = futures::future::join_all(shown.nodes.iter().map(one)).await;
    axum::Json(json!({ "node": shown.node, "protocol": shown.protocol, "nodes": nodes }))
}

async fn graph(shown: &Shown) -> Result<Graph, Unavailable> {
    let text = own(shown, Question::Graph).await?;
    serde_json::from_str(&text).map_err(|error| Unavailable(format!("the node says no graph: {error}")))
}

async fn graph_dot(State(shown): Node) -> Result<impl IntoResponse, Unavailable> {
    Ok(([(header::CONTENT_TYPE, "text/vnd.graphviz")], dot(&graph(&shown).await?)))
}

async fn graph_svg(State(shown): Node) -> Result<impl IntoResponse, Unavailable> {
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], svg(&graph(&shown).await?)))
}

#[derive(Deserialize)]
struct Which {
    command: String,
}

async fn explain(State(shown): Node, Query(which): Query<Which>) -> Result<Response, Unavailable> {
    let Ok(request) = which.command.parse() else {
        let sentence = "command: write it as CLIENT:NUMBER, as answers and logs do\n";
        return Ok((StatusCode::BAD_REQUEST, sentence).into_response());
    };
    let text = own(&shown, Question::Explain(request)).await?;
    Ok(match serde_json::from_str::<Value>(&text) {
        Ok(Value::Null) | Err(_) => {
            let sentence = "this node does not know that command: it keeps the last ones that entered here\n";
            (StatusCode::NOT_FOUND, sentence).into_response()
        }
        Ok(story) => axum::Json(story).into_response(),
    })
}

async fn page(State(shown): Node) -> Html<String> {
    Html(include_str!("page.html").replace("{{node}}", &shown.node))
}
