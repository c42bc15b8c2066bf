//! `isegoria plan`: what latency each protocol can give at each site, before anything is deployed.
//!
//! A prediction is what distance alone costs without conflicts and failures, from the same function as the limits
//! beside measured rows (`Protocol::limit`); what is measured is about a millisecond more, and more where commands conflict.
//!
//! Invariant: a recommendation is one of the layouts that were looked at, and those are all choices of so many of the
//! regions. Not done here: no costs of traffic, and no load.

use crate::table::aligned;
use crate::{BenchError, ProtocolList, print};
use isegoria::{ClusterConfig, ProtocolSpec, Regions, RttMatrix};
use isegoria_types::{NodeId, Role};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The matrix, where none is named.
const RTT_DEFAULT: &str = "configs/rtt/aws-2020.csv";
/// The most layouts that are looked at.
const LAYOUTS_MAX: usize = 20_000;
/// Plans that are shown, unless all are asked for.
const SHOWN: usize = 15;
/// Ports that a written configuration names: of peers, and of clients.
const PORTS: [u16; 2] = [7100, 7101];

/// `isegoria plan`
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
A client asks the node that is nearest to it. Its latency is the way there and back, and what distance alone costs the
protocol from there, without conflicts and failures: what `isegoria bench --geo` calls the limit. With conflicts
EPaxos, Atlas with f above 1 and Unanimous BPaxos take a round trip more, and a command waits for those before it.

Examples:
  isegoria plan --regions us-east-1,us-west-1,eu-west-1
  isegoria plan --regions configs/regions/epaxos13.toml --nodes 3 --clients eu-west-1,ap-northeast-1
  isegoria plan --regions us-east-1,us-west-1,eu-west-1,sa-east-1,ap-southeast-1 --objective worst --write cluster.toml")]
pub struct PlanArgs {
    /// Where nodes can be: sites of the matrix, separated by commas, or a file such as configs/regions/epaxos13.toml
    #[arg(long, value_name = "A,B")]
    pub regions: String,
    /// Where clients are, separated by commas; at every region, if left out
    #[arg(long, value_name = "X,Y", value_delimiter = ',')]
    pub clients: Vec<String>,
    /// Round-trip times, a CSV matrix [default: that of the regions' file, or configs/rtt/aws-2020.csv]
    #[arg(long, value_name = "FILE")]
    pub rtt: Option<PathBuf>,
    /// How many nodes, at the best of the regions; one at each, if left out
    #[arg(long, value_name = "N")]
    pub nodes: Option<usize>,
    /// Protocols with their options; all, with every f and every leader, if left out
    #[arg(long, value_name = "A,B")]
    pub protocols: Option<ProtocolList>,
    /// What is to be least: the mean of the clients' latencies, or the worst of them
    #[arg(long, value_enum, default_value_t = Objective::Mean)]
    pub objective: Objective,
    /// Write the configuration of what is recommended; the host names in it are to be replaced
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Print every plan, the best first, as a list of objects
    #[arg(long)]
    pub json: bool,
}

/// What a plan is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Objective {
    /// The mean of all clients' sites.
    Mean,
    /// The site that is served worst.
    Worst,
}

/// One way to run a cluster, and what it gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The protocol with its options.
    pub spec: ProtocolSpec,
    /// The site of each node.
    pub sites: Vec<String>,
    /// How many nodes may be down.
    pub f: usize,
    /// The latency at each site of clients, ms.
    pub latency_ms: Vec<f64>,
}

impl Plan {
    /// The mean latency, ms.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // A handful of sites.
    pub fn mean_ms(&self) -> f64 {
        self.latency_ms.iter().sum::<f64>() / self.latency_ms.len() as f64
    }

    /// The worst latency, ms.
    #[must_use]
    pub fn worst_ms(&self) -> f64 {
        self.latency_ms.iter().copied().fold(0.0, f64::max)
    }

    /// What is compared, the first first; where both are equal, who survives more comes first.
    fn rank(&self, objective: Objective) -> [f64; 3] {
        #[allow(clippy::cast_precision_loss)]
        let down = -(self.f as f64);
        match objective {
            Objective::Mean => [self.mean_ms(), self.worst_ms(), down],
            Objective::Worst => [self.worst_ms(), self.mean_ms(), down],
        }
    }
}

/// `isegoria plan`.
///
/// # Errors
/// If a region or a file is unknown or a rule is broken: one sentence.
pub fn run(args: &PlanArgs) -> Result<(), BenchError> {
    let (matrix, regions) = places(args)?;
    let clients = if args.clients.is_empty() { regions.clone() } else { args.clients.clone() };
    let nodes = args.nodes.unwrap_or(regions.len());
    let plans = plans(&matrix, &regions, &clients, nodes, (args.protocols.as_ref(), args.objective))?;
    let Some(best) = plans.first() else {
        return Err(BenchError::Usage(format!("nodes = {nodes}: no protocol runs on so many")));
    };
    if let Some(file) = &args.write {
        write(best, file)?;
    }
    if args.json {
        let told: Vec<_> = plans.iter().map(|plan| told(plan, &clients)).collect();
        return print(&format!("{:#}\n", json!(told)));
    }
    let mut text = table(&plans[..plans.len().min(SHOWN)], &clients);
    if plans.len() > SHOWN {
        text.push_str(&format!("… and {} more; --json prints all\n", plans.len() - SHOWN));
    }
    text.push_str(&advice(best, args));
    print(&text)
}

/// The matrix, and the regions that nodes can be in.
fn places(args: &PlanArgs) -> Result<(RttMatrix, Vec<String>), BenchError> {
    let is_file = Path::new(&args.regions).extension().is_some_and(|extension| extension == "toml");
    let (of_file, regions) = if is_file {
        let Regions { matrix, sites, .. } = Regions::from_file(Path::new(&args.regions))?;
        let sites = sites.unwrap_or_else(|| matrix.sites().to_vec());
        (Some(matrix), sites)
    } else {
        let names = args.regions.split(',').map(str::trim).filter(|name| !name.is_empty());
        (None, names.map(str::to_owned).collect())
    };
    let matrix = match (&args.rtt, of_file) {
        (Some(file), _) => RttMatrix::from_file(file)?,
        (None, Some(matrix)) => matrix,
        (None, None) => RttMatrix::from_file(Path::new(RTT_DEFAULT)).map_err(|error| {
            BenchError::Usage(format!("{error}; run this in the repository, or give --rtt FILE"))
        })?,
    };
    if let Some((_, twice)) = regions.iter().enumerate().find(|(at, name)| regions[..*at].contains(name)) {
        return Err(BenchError::Usage(format!("regions: `{twice}` is there twice; leave one out")));
    }
    for site in regions.iter().chain(&args.clients) {
        matrix.rtt_ms(site, site)?;
    }
    Ok((matrix, regions))
}

/// All plans, the best first.
///
/// # Errors
/// If a site is unknown, there are more nodes than regions, or a protocol refuses its options.
pub(crate) fn plans(
    matrix: &RttMatrix,
    regions: &[String],
    clients: &[String],
    nodes: usize,
    (protocols, objective): (Option<&ProtocolList>, Objective),
) -> Result<Vec<Plan>, BenchError> {
    if nodes == 0 || nodes > regions.len() {
        let count = regions.len();
        return Err(BenchError::Usage(format!(
            "nodes = {nodes}: give 1 to {count}, one for each region at most"
        )));
    }
    let layouts = choices(regions.len(), nodes);
    let layouts = layouts.ok_or_else(|| {
        let count = regions.len();
        BenchError::Usage(format!(
            "nodes = {nodes} of {count} regions: more than {LAYOUTS_MAX} layouts; name fewer regions"
        ))
    })?;
    let specs = match protocols {
        Some(list) => list.iter().cloned().collect(),
        None => every_protocol(nodes),
    };
    let mut plans = Vec::new();
    for layout in layouts {
        let sites: Vec<String> = layout.iter().map(|index| regions[*index].clone()).collect();
        for spec in &specs {
            plans.push(plan(matrix, &sites, clients, spec)?);
        }
    }
    plans.sort_by(|a, b| {
        let pairs = a.rank(objective).into_iter().zip(b.rank(objective));
        pairs.map(|(a, b)| a.total_cmp(&b)).find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    });
    Ok(plans)
}

fn plan(
    matrix: &RttMatrix,
    sites: &[String],
    clients: &[String],
    spec: &ProtocolSpec,
) -> Result<Plan, BenchError> {
    let config = ClusterConfig::loopback(spec, sites.len(), 1, Path::new("data"))?;
    // The sites are in the matrix.
    let rtt = |from: &str, to: &str| matrix.rtt_ms(from, to).unwrap_or(f64::INFINITY);
    let between = |from: NodeId, to: NodeId| {
        // As links have it: half of each direction.
        let (one, other) = (&sites[from.index()], &sites[to.index()]);
        if from == to { 0.0 } else { f64::midpoint(rtt(one, other), rtt(other, one)) }
    };
    let limits = config.limits(&between)?;
    let latency = |client: &String| {
        // Beside a node a client has no way to it.
        let way = |site: &String| if site == client { 0.0 } else { rtt(client, site) };
        let ways = sites.iter().map(way).zip(&limits).zip(&config.nodes);
        // Only leaders take commands.
        let ways = ways.filter(|(_, node)| node.roles.contains(&Role::Leader)).map(|(way, _)| way);
        ways.min_by(|(a, _), (b, _)| a.total_cmp(b)).map_or(f64::INFINITY, |(way, limit)| way + limit)
    };
    let latency_ms = clients.iter().map(latency).collect();
    let f = tolerated(&config)?;
    Ok(Plan { spec: spec.clone(), sites: sites.to_vec(), f, latency_ms })
}

fn tolerated(config: &ClusterConfig) -> Result<usize, BenchError> {
    let protocol = isegoria::protocol(&config.protocol)?;
    Ok(protocol.tolerates(&config.layout()?, &config.options)?)
}

/// Every protocol with each f that it can have, and each node for a leader.
fn every_protocol(nodes: usize) -> Vec<ProtocolSpec> {
    let f_max = nodes.saturating_sub(1) / 2;
    let mut texts = vec!["simple-bpaxos".to_owned(), "unanimous-bpaxos".to_owned()];
    texts.extend((1..=f_max).map(|f| format!("epaxos:f={f}")));
    texts.extend((1..=f_max).map(|f| format!("atlas:f={f}")));
    texts.extend((1..=nodes).map(|leader| format!("multipaxos:leader={leader}")));
    if f_max == 0 {
        texts.extend(["epaxos".to_owned(), "atlas".to_owned()]);
    }
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// All choices of `count` of the numbers below `total`, in order; none, if there are too many.
fn choices(total: usize, count: usize) -> Option<Vec<Vec<usize>>> {
    let mut all = vec![Vec::new()];
    for _ in 0..count {
        let next = |choice: &Vec<usize>| {
            let first = choice.last().map_or(0, |last| last + 1);
            let choice = choice.clone();
            // Only what can still be completed.
            (first..=total - (count - choice.len())).map(move |index| [choice.as_slice(), &[index]].concat())
        };
        all = all.iter().flat_map(next).collect();
        if all.len() > LAYOUTS_MAX {
            return None;
        }
    }
    Some(all)
}

/// The file that says how far it is.
fn matrix_of(args: &PlanArgs) -> PathBuf {
    let regions = Path::new(&args.regions);
    let is_file = regions.extension().is_some_and(|extension| extension == "toml");
    let own = is_file.then(|| regions.to_path_buf());
    args.rtt.clone().or(own).unwrap_or_else(|| PathBuf::from(RTT_DEFAULT))
}

fn told(plan: &Plan, clients: &[String]) -> serde_json::Value {
    let at = clients.iter().zip(&plan.latency_ms);
    let latencies: serde_json::Map<String, serde_json::Value> =
        at.map(|(site, ms)| (site.clone(), json!(ms))).collect();
    json!({
        "protocol": plan.spec.to_string(), "sites": plan.sites, "f": plan.f, "mean_ms": plan.mean_ms(),
        "worst_ms": plan.worst_ms(), "latency_ms": latencies,
    })
}

fn table(plans: &[Plan], clients: &[String]) -> String {
    let varied = plans.iter().any(|plan| plan.sites != plans[0].sites);
    let mut heads = vec!["protocol".to_owned(), "f".to_owned(), "mean".to_owned(), "worst".to_owned()];
    heads.extend(clients.iter().cloned());
    let mut units = vec![String::new(), String::new()];
    units.extend(std::iter::repeat_n("ms".to_owned(), 2 + clients.len()));
    if varied {
        heads.push("nodes at".to_owned());
        units.push(String::new());
    }
    let mut lines = vec![heads, units];
    for plan in plans {
        let mut line =
            vec![plan.spec.to_string(), plan.f.to_string(), ms(plan.mean_ms()), ms(plan.worst_ms())];
        line.extend(plan.latency_ms.iter().copied().map(ms));
        if varied {
            line.push(plan.sites.join(", "));
        }
        lines.push(line);
    }
    let nodes = if varied { String::new() } else { format!("nodes at {}\n", plans[0].sites.join(", ")) };
    format!("{nodes}{}", aligned(&lines))
}

fn ms(ms: f64) -> String {
    format!("{ms:.1}")
}

fn advice(best: &Plan, args: &PlanArgs) -> String {
    let what = match args.objective {
        Objective::Mean => "the least mean latency",
        Objective::Worst => "the best latency at the site that is served worst",
    };
    let mut text = format!(
        "\nrecommended for {what}: {} with nodes at {}\n(without conflicts and failures; try it: isegoria bench --protocols {} --sites {} --geo {} --clients {} --batch 1 --durability memory)\n",
        best.spec,
        best.sites.join(", "),
        best.spec,
        best.sites.join(","),
        matrix_of(args).display(),
        2 * best.sites.len(),
    );
    if best.f == 0 {
        text.push_str("it does not survive the loss of a single node (f = 0); three nodes do\n");
    }
    if let Some(file) = &args.write {
        text.push_str(&format!("written to {}; replace the host names in it\n", file.display()));
    }
    text
}

/// Writes a configuration with a host name made of each site.
fn write(plan: &Plan, file: &Path) -> Result<(), BenchError> {
    let mut config = ClusterConfig::loopback(&plan.spec, plan.sites.len(), 1, Path::new("data"))?;
    for (node, site) in config.nodes.iter_mut().zip(&plan.sites) {
        let endpoint = |port: u16| format!("{site}.example.com:{port}").parse();
        let bad = |error: isegoria_transport::EndpointError| BenchError::Usage(format!("{site}: {error}"));
        node.name.clone_from(site);
        node.peer = endpoint(PORTS[0]).map_err(bad)?;
        node.client = Some(endpoint(PORTS[1]).map_err(bad)?);
    }
    config.check()?;
    let head = "# Written by `isegoria plan`. Replace the host names, and choose the data directory.\n\n";
    std::fs::write(file, format!("{head}{}", config.to_toml()))
        .map_err(BenchError::io(format!("writing {}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> RttMatrix {
        let text = "region,a,b,c,d\na,0,10,20,100\nb,10,0,30,100\nc,20,30,0,100\nd,100,100,100,0\n";
        RttMatrix::from_csv(text).unwrap()
    }

    fn names(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    fn found(regions: &str, clients: &str, nodes: usize, protocols: &str) -> Vec<Plan> {
        let list = protocols.parse().unwrap();
        plans(&matrix(), &names(regions), &names(clients), nodes, (Some(&list), Objective::Mean)).unwrap()
    }

    #[test]
    fn a_latency_is_the_way_to_the_nearest_node_and_the_limit_there() {
        let all = found("a,b,c", "a,d", 3, "multipaxos:leader=2");
        // From a: 10 to the leader and 10 to its majority. From d the nearest is a, the first of three.
        assert_eq!(all[0].latency_ms, [20.0, 120.0]);
        assert_eq!((all[0].mean_ms(), all[0].worst_ms(), all[0].f), (70.0, 120.0, 1));
    }

    #[test]
    fn the_best_of_all_layouts_comes_first() {
        let all = found("a,b,c,d", "a,b,c", 3, "epaxos");
        assert_eq!(all.len(), 4);
        assert_eq!(all[0].sites, ["a", "b", "c"]);
        // One round trip to the nearest other.
        assert_eq!(all[0].latency_ms, [10.0, 10.0, 20.0]);
        assert!(all.windows(2).all(|pair| pair[0].mean_ms() <= pair[1].mean_ms()));
    }

    #[test]
    fn every_f_and_every_leader_is_looked_at() {
        let specs: Vec<String> = every_protocol(5).iter().map(ToString::to_string).collect();
        for spec in ["epaxos:f=2", "atlas:f=1", "multipaxos:leader=5", "simple-bpaxos"] {
            assert!(specs.iter().any(|found| found == spec), "{spec}: {specs:?}");
        }
        assert_eq!(specs.len(), 11);
        assert_eq!(choices(4, 2).unwrap().len(), 6);
        assert_eq!(
            choices(19, 19).map(|all| all.len()),
            Some(1),
            "one layout, though there are many beginnings"
        );
        assert_eq!(choices(60, 30), None);
    }

    #[test]
    fn what_is_written_is_a_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cluster.toml");
        write(&found("a,b,c", "a", 3, "atlas:f=1")[0], &file).unwrap();
        let config = ClusterConfig::from_file(&file).unwrap();
        let names: Vec<&str> = config.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!((config.protocol.as_str(), names), ("atlas", vec!["a", "b", "c"]));
    }

    #[test]
    fn refusals_name_the_cure() {
        let list: ProtocolList = "epaxos".parse().unwrap();
        let refusal = |regions: &str, clients: &str, nodes| {
            let of = (Some(&list), Objective::Mean);
            plans(&matrix(), &names(regions), &names(clients), nodes, of).unwrap_err().to_string()
        };
        assert!(refusal("a,b", "a", 3).contains("give 1 to 2"));
        let args = |regions: &str| PlanArgs {
            regions: regions.to_owned(),
            clients: names("mars"),
            rtt: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/rtt/aws-2021.csv")),
            nodes: None,
            protocols: None,
            objective: Objective::Mean,
            write: None,
            json: false,
        };
        assert!(run(&args("eu-west-1,us-west-1")).unwrap_err().to_string().contains("unknown site `mars`"));
        assert!(run(&args("eu-west-1,eu-west-1")).unwrap_err().to_string().contains("is there twice"));
    }
}
