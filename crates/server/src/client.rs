use crate::failure::Failure;
use crate::say::{complain, say};
use crate::whom::endpoints;
use bytes::Bytes;
use clap::{Args, Subcommand};
use isegoria::Endpoint;
use isegoria_client::{Client, ClientError, ClientOptions, Question, ask};
use isegoria_kv::{Op, Output};
use std::process::ExitCode;

/// `isegoria client`
#[derive(Args)]
#[command(after_help = "\
Prints the answer. Exit code 1 if the key is not there, or the operation was not done; why not is said on standard
error.

Examples:
  isegoria client put name Ada
  isegoria client --connect 127.0.0.1:7103 get name
  isegoria client incr visits
  isegoria client --connect 127.0.0.1:7103 status       what this node counts and holds, as JSON")]
pub(crate) struct ClientArgs {
    /// The client port of any node; several may be given, separated by commas
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7101", value_delimiter = ',')]
    connect: Vec<String>,
    /// Give up after this long, ms; whether the operation is done is then unknown
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    deadline_ms: u64,
    /// Print on standard error which command this is, CLIENT:NUMBER, for `isegoria explain`
    #[arg(long)]
    id: bool,
    #[command(subcommand)]
    operation: Operation,
}

#[derive(Subcommand)]
enum Operation {
    /// The value of a key
    Get { key: String },
    /// Set a key
    Put { key: String, value: String },
    /// Delete a key; prints whether it was there
    Del { key: String },
    /// Add to a number and print the sum
    Incr {
        key: String,
        #[arg(default_value_t = 1, allow_negative_numbers = true)]
        by: i64,
    },
    /// Add to a number blindly: additions commute, so they need no order
    Add {
        key: String,
        #[arg(allow_negative_numbers = true)]
        by: i64,
    },
    /// Append to a value and print its length, bytes
    Append { key: String, value: String },
    /// Set a key if it has the expected value; prints whether it was set
    Cas { key: String, expected: String, value: String },
    /// The values of several keys, at one moment
    Mget { keys: Vec<String> },
    /// Set several keys at one moment, given as key=value
    Mput { pairs: Vec<String> },
    /// What the first node given counts and holds, as JSON; no operation of the store
    Status,
}

pub(crate) async fn run(args: ClientArgs) -> Result<ExitCode, Failure> {
    let endpoints = endpoints(&args.connect)?;
    let mut options = ClientOptions::default();
    options.session.deadline_ms = args.deadline_ms;
    let Some(op) = operation(args.operation)? else { return print_status(&endpoints, options).await };
    let payload = postcard::to_stdvec(&op).expect("encoding into memory");
    let failed = |error: ClientError| Failure::failed(error.to_string());
    let client = Client::connect(&endpoints, options).await.map_err(failed)?;
    let (request, answer) = client.call_as(payload.into()).await;
    if let (true, Some(request)) = (args.id, request) {
        complain(format_args!("{request}"));
    }
    let answer = answer.map_err(failed)?;
    let output: Output = postcard::from_bytes(&answer).map_err(|_| {
        Failure::failed("the answer does not decode; do client and servers have one version?")
    })?;
    print(&output)
}

fn bytes(text: String) -> Bytes {
    text.into_bytes().into()
}

/// What the first node counts, as it says it itself.
async fn print_status(endpoints: &[Endpoint], options: ClientOptions) -> Result<ExitCode, Failure> {
    let first = endpoints.first().ok_or_else(|| Failure::usage("--connect: name a node"))?;
    let text =
        ask(first, Question::Status, options).await.map_err(|error| Failure::failed(error.to_string()))?;
    let parsed: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| Failure::failed(format!("{first} said no JSON: {error}")))?;
    say!("{parsed:#}");
    Ok(ExitCode::SUCCESS)
}

/// The operation of the store; none for one that is not of it.
fn operation(operation: Operation) -> Result<Option<Op>, Failure> {
    Ok(Some(match operation {
        Operation::Get { key } => Op::Get(bytes(key)),
        Operation::Put { key, value } => Op::Put(bytes(key), bytes(value)),
        Operation::Del { key } => Op::Delete(bytes(key)),
        Operation::Incr { key, by } => Op::Incr(bytes(key), by),
        Operation::Add { key, by } => Op::Add(bytes(key), by),
        Operation::Append { key, value } => Op::Append(bytes(key), bytes(value)),
        Operation::Cas { key, expected, value } => {
            Op::CompareAndSet { key: bytes(key), expected: Some(bytes(expected)), value: bytes(value) }
        }
        Operation::Mget { keys } => Op::MultiGet(keys.into_iter().map(bytes).collect()),
        Operation::Mput { pairs } => Op::MultiPut(
            pairs
                .into_iter()
                .map(|pair| match pair.split_once('=') {
                    Some((key, value)) => Ok((bytes(key.to_owned()), bytes(value.to_owned()))),
                    None => Err(Failure::usage(format!("mput {pair}: write it as key=value"))),
                })
                .collect::<Result<_, _>>()?,
        ),
        Operation::Status => return Ok(None),
    }))
}

/// Prints the answer, or says why there is none.
fn print(output: &Output) -> Result<ExitCode, Failure> {
    let text = |value: &Option<Bytes>| match value {
        Some(value) => String::from_utf8_lossy(value).into_owned(),
        None => "(nil)".to_owned(),
    };
    let (line, done) = match output {
        Output::Ok => ("OK".to_owned(), true),
        Output::Value(value) => (text(value), value.is_some()),
        Output::Values(values) => (values.iter().map(text).collect::<Vec<_>>().join("\n"), true),
        Output::Number(number) => (number.to_string(), true),
        Output::Deleted(found) => (found.to_string(), *found),
        Output::Swapped(set) => (set.to_string(), *set),
        Output::Redis(replies) => (format!("{replies:?}"), true),
        Output::WrongType => {
            return Err(Failure::failed(
                "the key holds a hash, a set or a list; use Redis's commands at the node's `resp` port, such as \
                 `redis-cli -p PORT HGETALL KEY`",
            ));
        }
        Output::TooLong => {
            return Err(Failure::failed("the values are too long for one answer; ask for fewer"));
        }
        Output::NotANumber => {
            return Err(Failure::failed(
                "the value is not a number, or the sum does not fit, and nothing changed; `get` shows the value",
            ));
        }
    };
    say!("{line}");
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
