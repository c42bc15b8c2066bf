use crate::failure::Failure;
use crate::say::{complain, say};
use crate::signals;
use clap::Args;
use isegoria::{Endpoint, KeyHash, RttMatrix};
use isegoria_transport::Listener;
use isegoria_transport::probe::{PING_COUNT_MAX, ProbeHosts, ProbeServer, ask};
use std::path::PathBuf;
use std::process::ExitCode;

/// `isegoria measure-rtt`
#[derive(Args)]
#[command(after_help = "\
On every host, with the same list, and its own name:
  isegoria measure-rtt --hosts paris=10.0.0.1:7199,tokyo=10.0.1.1:7199,austin=10.0.2.1:7199 --here paris
Then, from anywhere that reaches them all, without --here: each host measures the way to every other, and a matrix is
printed that `isegoria plan --rtt` and `isegoria bench --geo` take. A host measures only to those of its list.

Exit codes: 0 all pairs were measured, 1 one was not, 2 bad usage.

Examples:
  isegoria measure-rtt --hosts paris=10.0.0.1:7199,tokyo=10.0.1.1:7199,austin=10.0.2.1:7199 --out rtt.csv
  isegoria plan --rtt rtt.csv --regions paris,tokyo,austin")]
pub(crate) struct MeasureRttArgs {
    /// Every host, by the name that its site gets in the matrix, and where its probe listens
    #[arg(long, value_name = "NAME=ADDR,…", value_delimiter = ',', required = true)]
    hosts: Vec<String>,
    /// Listen as this host until interrupted
    #[arg(long, value_name = "NAME", conflicts_with_all = ["out", "count"])]
    here: Option<String>,
    /// Round trips of each pair, whose median counts
    #[arg(long, value_name = "N", default_value_t = 51)]
    count: u32,
    /// Write the matrix to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

struct Hosts {
    names: Vec<String>,
    probe: ProbeHosts,
}

impl Hosts {
    fn parse(texts: &[String]) -> Result<Hosts, Failure> {
        let (mut names, mut endpoints) = (Vec::new(), Vec::new());
        for text in texts {
            let (name, address) = text
                .split_once('=')
                .ok_or_else(|| Failure::usage(format!("hosts: `{text}`: write NAME=HOST:PORT")))?;
            let endpoint: Endpoint =
                address.parse().map_err(|error| Failure::usage(format!("hosts: {name}: {error}")))?;
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if name.is_empty() || !name.chars().all(plain) {
                return Err(Failure::usage(format!(
                    "hosts: `{name}`: use letters, digits, dashes, underscores and dots"
                )));
            }
            if names.iter().any(|other| other == name) {
                return Err(Failure::usage(format!("hosts: `{name}` is there twice; leave one out")));
            }
            names.push(name.to_owned());
            endpoints.push(endpoint);
        }
        if names.len() < 2 {
            return Err(Failure::usage("hosts: name at least two, separated by commas"));
        }
        let list = KeyHash::of(texts.join(",").as_bytes()).0;
        Ok(Hosts { names, probe: ProbeHosts { list, endpoints } })
    }
}

pub(crate) async fn run(args: MeasureRttArgs) -> Result<ExitCode, Failure> {
    let hosts = Hosts::parse(&args.hosts)?;
    if !(1..=PING_COUNT_MAX).contains(&args.count) {
        return Err(Failure::usage(format!("count = {}: give 1 to {PING_COUNT_MAX}", args.count)));
    }
    match &args.here {
        Some(name) => serve(&hosts, name).await,
        None => collect(&hosts, &args).await,
    }
}

async fn serve(hosts: &Hosts, here: &str) -> Result<ExitCode, Failure> {
    let Some(index) = hosts.names.iter().position(|name| name == here) else {
        let names = hosts.names.join(", ");
        return Err(Failure::usage(format!(
            "here = {here}: it is not among the hosts; choose one of {names}"
        )));
    };
    let interrupted = signals::interrupted()
        .map_err(|error| Failure::failed(format!("cannot wait for signals: {error}")))?;
    let endpoint = &hosts.probe.endpoints[index];
    let listener = Listener::bind(endpoint).await.map_err(|error| {
        Failure::usage(format!(
            "cannot listen on {endpoint}: {error}; give an address of this machine that is free"
        ))
    })?;
    let _server = ProbeServer::spawn(listener, hosts.probe.clone());
    say!("ready");
    interrupted.await;
    Ok(ExitCode::SUCCESS)
}

/// Has every host measure the way to every other, one after the other, so that they do not disturb each other.
async fn collect(hosts: &Hosts, args: &MeasureRttArgs) -> Result<ExitCode, Failure> {
    let count = hosts.names.len();
    let mut ms = vec![vec![0.0; count]; count];
    for (from, endpoint) in hosts.probe.endpoints.iter().enumerate() {
        for to in (0..count).filter(|to| *to != from) {
            let (here, there) = (&hosts.names[from], &hosts.names[to]);
            let number = u32::try_from(to).unwrap_or(u32::MAX);
            let times = ask(endpoint, hosts.probe.list, number, args.count).await;
            let times = times.map_err(|error| Failure::failed(format!("{here} to {there}: {error}")))?;
            let median = median_ms(times);
            complain(format_args!("{here} to {there}: {median:.3} ms"));
            ms[from][to] = median;
        }
    }
    let text = matrix(&hosts.names, &ms);
    match &args.out {
        Some(file) => std::fs::write(file, &text)
            .map_err(|error| Failure::failed(format!("writing {}: {error}", file.display())))?,
        None => say!("{}", text.trim_end()),
    }
    // What was measured is told in any case; whether it makes sense, too.
    match RttMatrix::from_csv(&text) {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

fn median_ms(mut times_us: Vec<u64>) -> f64 {
    times_us.sort_unstable();
    #[allow(clippy::cast_precision_loss)] // Below 2^52 µs.
    let us = times_us.get(times_us.len() / 2).map_or(0.0, |us| *us as f64);
    us / 1e3
}

fn matrix(names: &[String], ms: &[Vec<f64>]) -> String {
    let mut text =
        "# Round-trip times, medians, ms; from row to column. Measured by `isegoria measure-rtt`.\n"
            .to_owned();
    text.push_str(&format!("region,{}\n", names.join(",")));
    for (name, row) in names.iter().zip(ms) {
        let cells: Vec<String> = row.iter().map(|ms| format!("{ms:.3}")).collect();
        text.push_str(&format!("{name},{}\n", cells.join(",")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_names_of_their_own() {
        let refusal = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            match Hosts::parse(&texts) {
                Err(failure) => format!("{failure:?}"),
                Ok(_) => panic!("{texts:?} is accepted"),
            }
        };
        assert!(refusal(&["a=h:1"]).contains("at least two"));
        assert!(refusal(&["a=h:1", "a=h:2"]).contains("twice"));
        assert!(refusal(&["a=h:1", "h:2"]).contains("NAME=HOST:PORT"));
        assert!(refusal(&["a,b=h:1", "b=h:2"]).contains("use letters"));
        assert!(refusal(&["a=h", "b=h:2"]).contains("hosts: a"));
    }

    #[test]
    fn what_is_printed_is_a_matrix() {
        let names = ["a".to_owned(), "b".to_owned()];
        let text = matrix(&names, &[vec![0.0, median_ms(vec![3_000, 1_000, 2_000])], vec![2.1, 0.0]]);
        let read = RttMatrix::from_csv(&text).unwrap();
        assert_eq!((read.rtt_ms("a", "b"), read.rtt_ms("b", "a")), (Ok(2.0), Ok(2.1)));
    }
}
