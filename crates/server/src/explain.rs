use crate::failure::Failure;
use crate::say::say;
use crate::whom::Whom;
use clap::Args;
use isegoria_client::{ClientOptions, Question, ask};
use isegoria_types::RequestId;
use serde_json::Value;
use std::process::ExitCode;

/// `isegoria explain`
#[derive(Args)]
#[command(after_help = "\
Tells by which path a command was decided, on whose word, who named which dependency, what it waited for, and how long
each stage took. The node at which it entered keeps the last 1,024 batches and the slowest before; all nodes are asked. Answers of unknown
outcome name their command, and `isegoria client --id` says the one that it sent.

Exit codes: 0 it is told; 1 no node knows the command, or none answers; 2 bad usage or configuration.

Examples:
  isegoria client --id put name Ada
  isegoria explain --connect 127.0.0.1:7101,127.0.0.1:7103 c5f03a:0
  isegoria explain --config cluster.toml c5f03a:0 --json")]
pub(crate) struct ExplainArgs {
    /// The command, CLIENT:NUMBER
    command: RequestId,
    #[command(flatten)]
    whom: Whom,
    /// Print the story as one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: ExplainArgs) -> Result<ExitCode, Failure> {
    let nodes = args.whom.nodes()?;
    let question = Question::Explain(args.command);
    let asked = nodes.iter().map(|(_, endpoint)| ask(endpoint, question, ClientOptions::default()));
    let (mut stories, mut silent) = (Vec::new(), None);
    for said in futures::future::join_all(asked).await {
        let told = said.map_err(|error| error.to_string());
        let told =
            told.and_then(|said| serde_json::from_str::<Value>(&said).map_err(|error| error.to_string()));
        match told {
            Ok(Value::Null) => {}
            Ok(story) => stories.push(story),
            Err(error) => silent = Some(error),
        }
    }
    // One that was sent to several nodes is told by the one that answered it.
    stories.sort_by_key(|story| story["us"]["all"].is_null());
    match (stories.first(), silent) {
        (Some(story), _) if args.json => say!("{story:#}"),
        (Some(story), _) => lines(story).iter().for_each(|line| say!("{line}")),
        (None, Some(error)) => {
            return Err(Failure::failed(format!("no node that answers knows {}: {error}", args.command)));
        }
        (None, None) => {
            let sentence =
                format!("no node knows {}: each keeps the last ones that entered there", args.command);
            return Err(Failure::failed(sentence));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The story for people.
fn lines(story: &Value) -> Vec<String> {
    let text = |name: &str| story[name].as_str().unwrap_or("–").to_owned();
    let list = |value: &Value| {
        let names: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
    };
    let ms = |name: &str| match story["us"][name].as_f64() {
        Some(us) => format!("{:.3} ms", us / 1e3),
        None => "–".to_owned(),
    };
    let mut lines = vec![
        format!("command       {}, one of {} in its batch", text("command"), story["batch"]),
        format!("place         {}", text("place")),
        format!("path          {}", text("path")),
    ];
    if story["answered_by"].as_array().is_some_and(|nodes| !nodes.is_empty()) {
        lines.push(format!("on the word of {}", list(&story["answered_by"])));
    }
    for added in story["added"].as_array().into_iter().flatten() {
        let by = added["by"].as_str().unwrap_or("–");
        lines.push(format!("              {by} named {} and all before it", list(&added["dependencies"])));
    }
    if let Some(vertex) = story["waited_for"].as_str() {
        lines.push(format!("waited for    {vertex}, which was not chosen"));
    }
    if story["component_size"].as_u64() > Some(1) {
        lines.push(format!(
            "component     {} vertices: {}",
            story["component_size"],
            list(&story["component"])
        ));
    }
    for (title, name) in [
        ("in its batch", "waiting_for_batch"),
        ("dependencies", "learning_dependencies"),
        ("deciding", "deciding"),
        ("execution", "waiting_for_execution"),
        ("all together", "all"),
    ] {
        lines.push(format!("{title:<14}{}", ms(name)));
    }
    lines
}
