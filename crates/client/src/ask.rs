use crate::{ClientError, ClientOptions, Endpoint};
use isegoria_transport::client_port::{Connection, Question};

/// Asks one node about itself; the answer is JSON. It answers also while it refuses commands.
///
/// # Errors
/// If the node cannot be reached, or is lost before it answers.
pub async fn ask(
    endpoint: &Endpoint,
    question: Question,
    options: ClientOptions,
) -> Result<String, ClientError> {
    let opened = Connection::open(endpoint, options.hello(), options.connection).await;
    let (connection, _) = opened.map_err(|last| ClientError::Connect { count: 1, last })?;
    Ok(connection.ask(question).await?)
}
