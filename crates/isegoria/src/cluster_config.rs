use crate::{Durability, Endpoint, GeoConfig, ProtocolSpec, from_toml, registry};
use isegoria_node::RoundTrip;
use isegoria_runtime::{Limits, Member, Retention, Settings};
use isegoria_transport::client_port::LocalPort;
use isegoria_types::{KeyHash, Layout, NodeId, Placement, QuorumSystem, Role, WINDOW_MAX};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::Table;

/// Why a configuration is refused: one sentence, with the field and the cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFileError(pub String);

impl fmt::Display for ConfigFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigFileError {}

/// A cluster's configuration, the same file for all its nodes (TOML).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    /// The cluster's name. With the protocol, the nodes, their roles and their quorums it says which cluster this
    /// is: nodes, and data directories, of different ones refuse each other.
    pub cluster: String,
    /// The protocol's name.
    pub protocol: String,
    /// When a record counts as written.
    #[serde(default)]
    pub durability: Durability,
    /// The directory under which each node keeps a directory of its own.
    pub data_dir: PathBuf,
    /// The protocol's options.
    #[serde(default)]
    pub options: Table,
    /// How quorums are formed.
    #[serde(default)]
    pub quorum: QuorumSystem,
    /// Limits and times.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// How far apart the nodes are made to seem; not at all, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo: Option<GeoConfig>,
    /// The nodes, in the order of their ids.
    #[serde(rename = "node")]
    pub nodes: Vec<NodeConfig>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Its name; quorum systems and `--node` use it.
    pub name: String,
    /// Where its peers reach it, `HOST:PORT` or `unix:/path`.
    pub peer: Endpoint,
    /// Where clients reach it. Needed by leaders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Endpoint>,
    /// Where clients of Redis reach it, if `isegoria serve` runs it: programs that embed a node
    /// serve a state machine of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resp: Option<Endpoint>,
    /// Where it tells of itself over HTTP, if `isegoria serve` runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<Endpoint>,
    /// What it does; everything, if left out.
    #[serde(default = "all_roles")]
    pub roles: Vec<Role>,
}

fn all_roles() -> Vec<Role> {
    Role::ALL.to_vec()
}

/// Limits and times; whatever is left out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// The most commands of one vertex or slot.
    pub batch_max: usize,
    /// The longest that a command waits for others, ms.
    pub batch_wait_ms: u64,
    /// The largest payload of one command, bytes.
    pub payload_bytes_max: usize,
    /// The most requests that may wait for their answer at one node.
    pub pending_max: usize,
    /// The most bytes of their payloads.
    pub pending_bytes_max: usize,
    /// The most requests that one node lets in a second; it refuses what comes beyond, and
    /// clients come back after a pause. No limit, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commands_per_s_max: Option<u32>,
    /// How much log is written between two checkpoints, bytes.
    pub checkpoint_bytes: u64,
    /// The size of a log segment, bytes.
    pub segment_bytes: u64,
    /// The most vertices or slots held for a node that is away, before they are forgotten
    /// and it has to take a snapshot.
    pub retain_count_max: usize,
    /// The same in bytes of commands.
    pub retain_bytes_max: usize,
    /// Sessions idle for one to two of these are dropped, ms.
    pub session_expiry_ms: u64,
}

impl Default for LimitsConfig {
    fn default() -> LimitsConfig {
        let limits = Limits::default();
        LimitsConfig {
            batch_max: limits.batch_max,
            batch_wait_ms: limits.batch_wait_ms,
            payload_bytes_max: limits.payload_bytes_max,
            pending_max: limits.pending_max,
            pending_bytes_max: limits.pending_bytes_max,
            commands_per_s_max: limits.commands_per_s_max,
            checkpoint_bytes: limits.checkpoint_bytes,
            segment_bytes: limits.segment_bytes,
            retain_count_max: limits.retention.count_max,
            retain_bytes_max: limits.retention.bytes_max,
            session_expiry_ms: limits.session_expiry_ms,
        }
    }
}

impl LimitsConfig {
    fn check(&self) -> Result<(), ConfigFileError> {
        let refuse = |sentence: String| Err(ConfigFileError(sentence));
        for (field, value) in [("batch_max", self.batch_max), ("pending_max", self.pending_max)] {
            if value == 0 {
                return refuse(format!("limits.{field} = 0: must be at least 1"));
            }
        }
        if self.pending_bytes_max < self.payload_bytes_max {
            return refuse(format!(
                "limits.pending_bytes_max = {}: must be at least payload_bytes_max = {}",
                self.pending_bytes_max, self.payload_bytes_max
            ));
        }
        if self.commands_per_s_max == Some(0) {
            return refuse(
                "limits.commands_per_s_max = 0: must be at least 1; leave it out for no limit".to_owned(),
            );
        }
        let payload_limit = 4 << 20;
        if self.payload_bytes_max == 0 || self.payload_bytes_max > payload_limit {
            let found = self.payload_bytes_max;
            return refuse(format!(
                "limits.payload_bytes_max = {found}: must be between 1 and {payload_limit} bytes"
            ));
        }
        let count_limit = usize::try_from(WINDOW_MAX / 4).unwrap_or(usize::MAX);
        if self.retain_count_max == 0 || self.retain_count_max > count_limit {
            let found = self.retain_count_max;
            return refuse(format!("limits.retain_count_max = {found}: must be between 1 and {count_limit}"));
        }
        if self.retain_bytes_max == 0 {
            return refuse("limits.retain_bytes_max = 0: must be at least 1 byte".to_owned());
        }
        if self.session_expiry_ms < 1000 {
            let found = self.session_expiry_ms;
            return refuse(format!("limits.session_expiry_ms = {found}: must be at least 1000"));
        }
        // A record holds a payload, its footprint and whatever went into the same batch.
        let record = (10 * self.payload_bytes_max as u64).max(65_536);
        if self.segment_bytes < record || self.checkpoint_bytes < self.segment_bytes {
            return refuse(format!(
                "limits.segment_bytes = {}: must be at least {record}, ten times payload_bytes_max, and \
                 checkpoint_bytes = {} at least as much",
                self.segment_bytes, self.checkpoint_bytes
            ));
        }
        Ok(())
    }
}

impl ClusterConfig {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// If it cannot be read, does not parse, or breaks a rule.
    pub fn from_file(path: &Path) -> Result<ClusterConfig, ConfigFileError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigFileError(format!("cannot read {}: {error}", path.display())))?;
        text.parse()
            .map_err(|ConfigFileError(sentence)| ConfigFileError(format!("{}: {sentence}", path.display())))
    }

    /// A cluster of `count` nodes on this machine: node `i` listens for peers on
    /// `base_port + 2i` and for clients on the port after it.
    ///
    /// # Errors
    /// If the ports do not fit, or the protocol refuses the layout.
    pub fn loopback(
        spec: &ProtocolSpec,
        count: usize,
        base_port: u16,
        data_dir: &Path,
    ) -> Result<ClusterConfig, ConfigFileError> {
        let port = |index: usize, offset: usize| {
            let port = usize::from(base_port) + 2 * index + offset;
            match u16::try_from(port) {
                Ok(port) => Ok(format!("127.0.0.1:{port}").parse().expect("an address")),
                Err(_) => Err(ConfigFileError(format!(
                    "base port {base_port}: {count} nodes need {} ports, and there are only 65535; choose a lower one",
                    2 * count
                ))),
            }
        };
        let node = |index: usize| {
            Ok(NodeConfig {
                name: NodeId::new(index).to_string(),
                peer: port(index, 0)?,
                client: Some(port(index, 1)?),
                resp: None,
                admin: None,
                roles: match spec.apart {
                    Some(leaders) if index < leaders => vec![Role::Leader, Role::Replica],
                    Some(_) => vec![Role::Dependency, Role::Acceptor],
                    None => all_roles(),
                },
            })
        };
        if let Some(leaders) = spec.apart.filter(|leaders| *leaders >= count) {
            return Err(ConfigFileError(format!(
                "apart = {leaders}: {count} nodes leave none for the dependency service and the acceptors; give fewer"
            )));
        }
        if count == 0 || count > isegoria_types::NODE_COUNT_MAX {
            return Err(ConfigFileError(format!(
                "nodes = {count}: a cluster has 1 to {} nodes",
                isegoria_types::NODE_COUNT_MAX
            )));
        }
        let config = ClusterConfig {
            cluster: "local".to_owned(),
            protocol: spec.name.clone(),
            durability: Durability::default(),
            data_dir: data_dir.to_path_buf(),
            options: spec.options.clone(),
            quorum: spec.quorum.clone().unwrap_or_default(),
            limits: LimitsConfig::default(),
            geo: None,
            nodes: (0..count).map(node).collect::<Result<_, _>>()?,
        };
        config.check()?;
        Ok(config)
    }

    /// The same cluster on this machine with ports for clients of Redis, `base_port` and those after it, and
    /// behind them ports for HTTP.
    ///
    /// # Errors
    /// If the ports do not fit.
    pub fn with_edges(mut self, base_port: u16) -> Result<ClusterConfig, ConfigFileError> {
        let count = self.nodes.len();
        if usize::from(base_port) + 2 * count > usize::from(u16::MAX) + 1 {
            return Err(ConfigFileError(format!(
                "base port {base_port} for Redis and HTTP: {count} nodes need {} ports, and there are only 65535; \
                 choose a lower one",
                2 * count
            )));
        }
        let mut ports = base_port..=u16::MAX;
        let mut next = || ports.next().map(|port| Endpoint::Tcp { host: "127.0.0.1".to_owned(), port });
        self.nodes.iter_mut().for_each(|node| node.resp = next());
        self.nodes.iter_mut().for_each(|node| node.admin = next());
        Ok(self)
    }

    /// Checks every rule.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), ConfigFileError> {
        let refuse = |sentence: String| Err(ConfigFileError(sentence));
        let mut names = BTreeMap::new();
        let mut addresses: BTreeMap<String, String> = BTreeMap::new();
        for node in &self.nodes {
            let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
            if node.name.is_empty() || node.name.starts_with('.') || !node.name.chars().all(is_plain) {
                return refuse(format!(
                    "node name `{}`: use letters, digits, dashes, underscores and dots",
                    node.name
                ));
            }
            if names.insert(node.name.clone(), ()).is_some() {
                return refuse(format!("node name `{}` is used twice; give every node its own", node.name));
            }
            let ports = [
                ("peer", Some(&node.peer)),
                ("client", node.client.as_ref()),
                ("resp", node.resp.as_ref()),
                ("admin", node.admin.as_ref()),
            ];
            for (what, endpoint) in ports.into_iter().filter_map(|(what, port)| Some((what, port?))) {
                let owner = format!("{what} of {}", node.name);
                if let Some(other) = addresses.insert(endpoint.to_string(), owner.clone()) {
                    return refuse(format!(
                        "address {endpoint} is given to {other} and to {owner}; change one"
                    ));
                }
            }
            if node.client.is_none() && node.roles.contains(&Role::Leader) {
                return refuse(format!("node {}: a leader needs a `client` address", node.name));
            }
        }
        self.limits.check()?;
        if let Some(geo) = &self.geo {
            geo.check(self.nodes.len())?;
        }
        crate::protocol(&self.protocol)?.check(&self.layout()?, &self.options)
    }

    /// Who does what.
    ///
    /// # Errors
    /// If a role is missing or the quorum system is illegal.
    pub fn layout(&self) -> Result<Layout, ConfigFileError> {
        let placements: Vec<Placement> =
            self.nodes.iter().map(|node| Placement { roles: node.roles.clone() }).collect();
        Layout::new(&placements, &self.quorum).map_err(|error| ConfigFileError(error.to_string()))
    }

    /// What the node `name` needs to run.
    ///
    /// # Errors
    /// If there is no such node, or a rule is broken.
    pub fn settings(&self, name: &str) -> Result<Settings, ConfigFileError> {
        self.check()?;
        let Some(index) = self.nodes.iter().position(|node| node.name == name) else {
            let names: Vec<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
            return Err(ConfigFileError(format!(
                "there is no node `{name}`; choose one of {}",
                names.join(", ")
            )));
        };
        let member = |node: &NodeConfig| Member {
            name: node.name.clone(),
            peer: node.peer.clone(),
            client: node.client.clone(),
        };
        Ok(Settings {
            cluster: KeyHash::of(self.agreed()?.as_bytes()).0,
            own: NodeId::new(index),
            members: self.nodes.iter().map(member).collect(),
            distances: self.geo.as_ref().map(|geo| geo.distances(index)).unwrap_or_default(),
            layout: self.layout()?,
            durability: self.durability,
            data_dir: self.data_dir.join(name),
            limits: self.runtime_limits(),
            local: LocalPort::default(),
            learner: false,
        })
    }

    /// The least time from submission to answer at each node, without conflicts and failures, in the unit of
    /// `round_trip`: see [`isegoria_node::Protocol::limit`].
    ///
    /// # Errors
    /// If the options or the roles break a rule.
    pub fn limits(&self, round_trip: RoundTrip<'_>) -> Result<Vec<f64>, ConfigFileError> {
        let (protocol, layout) = (registry::protocol(&self.protocol)?, self.layout()?);
        let limit = |index| protocol.limit(&layout, &self.options, NodeId::new(index), round_trip);
        (0..self.nodes.len()).map(limit).collect()
    }

    /// What all nodes must have in common for good, as a text that no other configuration has: nodes, and
    /// logs, that differ in it are those of different clusters, and never meet. With other nodes or
    /// quorums what was chosen before would be forgotten.
    fn agreed(&self) -> Result<String, ConfigFileError> {
        let options = registry::protocol(&self.protocol)?.agreed(&self.layout()?, &self.options)?;
        let node = |node: &NodeConfig| {
            let mut roles: Vec<Role> = Role::ALL.to_vec();
            roles.retain(|role| node.roles.contains(role));
            (node.name.clone(), roles)
        };
        let nodes: Vec<(String, Vec<Role>)> = self.nodes.iter().map(node).collect();
        let all = (&self.cluster, &self.protocol, options, &self.quorum, nodes);
        Ok(serde_json::to_string(&all).expect("names, roles and counts are JSON"))
    }

    fn runtime_limits(&self) -> Limits {
        let LimitsConfig {
            batch_max,
            batch_wait_ms,
            payload_bytes_max,
            pending_max,
            pending_bytes_max,
            commands_per_s_max,
            checkpoint_bytes,
            segment_bytes,
            retain_count_max,
            retain_bytes_max,
            session_expiry_ms,
        } = self.limits;
        Limits {
            batch_max,
            batch_wait_ms,
            payload_bytes_max,
            pending_max,
            pending_bytes_max,
            commands_per_s_max,
            checkpoint_bytes,
            segment_bytes,
            session_expiry_ms,
            retention: Retention { count_max: retain_count_max, bytes_max: retain_bytes_max },
            batch_bytes_max: Limits::default()
                .batch_bytes_max
                .min(usize::try_from(segment_bytes / 8).unwrap_or(usize::MAX)),
            ..Limits::default()
        }
    }

    /// The file's text.
    ///
    /// # Panics
    /// Never: a configuration is TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration is TOML")
    }
}

impl std::str::FromStr for ClusterConfig {
    type Err = ConfigFileError;

    fn from_str(text: &str) -> Result<ClusterConfig, ConfigFileError> {
        let config: ClusterConfig = from_toml(text)?;
        config.check()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(extra: &str) -> String {
        format!(
            "cluster = \"t\"\nprotocol = \"simple-bpaxos\"\ndata_dir = \"/tmp/t\"\n{extra}\n{}",
            (1..=3)
                .map(|i| format!("[[node]]\nname = \"n{i}\"\npeer = \"h:{i}\"\nclient = \"h:1{i}\"\n"))
                .collect::<String>()
        )
    }

    fn refusal(text: &str) -> String {
        text.parse::<ClusterConfig>().unwrap_err().to_string()
    }

    /// What was chosen by some nodes and quorums may not be forgotten by others.
    #[test]
    fn a_cluster_is_its_name_protocol_nodes_roles_and_quorums() {
        let id = |text: &str| text.parse::<ClusterConfig>().unwrap().settings("n1").unwrap().cluster;
        let same = config("");
        let is_another = |text: &str| assert_ne!(id(text), id(&same), "{text}");
        is_another(&same.replace("\"t\"", "\"u\""));
        is_another(&same.replace("simple-bpaxos", "epaxos"));
        is_another(&format!("{same}[[node]]\nname = \"n4\"\npeer = \"h:4\"\nclient = \"h:14\"\n"));
        let swapped =
            same.replace("\"n2\"", "\"nx\"").replace("\"n3\"", "\"n2\"").replace("\"nx\"", "\"n3\"");
        is_another(&swapped);
        is_another(&config("[quorum]\nsystem = \"counts\"\nphase1 = 3\nphase2 = 1\n"));
        let epaxos = |extra: &str| id(&config(extra).replace("simple-bpaxos", "epaxos"));
        assert_ne!(epaxos("[options]\ne = 0\n"), epaxos("[options]\ne = 1\n"));
        // What may be changed later, node by node.
        assert_eq!(epaxos("[options]\ne = 1\nslow_ms = 700\n"), epaxos(""), "1 is what it is if left out");
        assert_eq!(id(&same.replace("h:1", "other:1")), id(&same));
        assert_eq!(id(&config("durability = \"os\"\n[limits]\nbatch_max = 7\n")), id(&same));
        let mut apart: ClusterConfig = same.parse().unwrap();
        apart.nodes[0].roles.reverse();
        assert_eq!(id(&apart.to_toml()), id(&same), "roles have no order");
        apart.nodes[0].roles.retain(|role| *role != Role::Leader);
        is_another(&apart.to_toml());
    }

    #[test]
    fn a_file_survives_a_round_trip() {
        let parsed: ClusterConfig = config("[limits]\nbatch_max = 7").parse().unwrap();
        assert_eq!(parsed.limits.batch_max, 7);
        assert_eq!(parsed.to_toml().parse::<ClusterConfig>().unwrap(), parsed);
        assert_eq!(parsed.settings("n2").unwrap().own, NodeId::new(1));
        assert!(parsed.settings("n9").unwrap_err().to_string().contains("n1, n2, n3"));
    }

    #[test]
    fn every_refusal_is_one_sentence_with_the_field() {
        for (text, expected) in [
            (config("colour = 1"), "unknown field `colour`"),
            (config("[limits]\nbatch_max = 0"), "limits.batch_max"),
            (config("[limits]\nbach_max = 9"), "bach_max"),
            (config("[limits]\ncommands_per_s_max = 0"), "commands_per_s_max"),
            (config("[limits]\npending_bytes_max = 1"), "pending_bytes_max"),
            (config("[limits]\nsession_expiry_ms = 0"), "session_expiry_ms"),
            (config("[limits]\nretain_count_max = 0"), "retain_count_max"),
            (config("[limits]\nretain_bytes_max = 0"), "retain_bytes_max"),
            (config("[limits]\nsegment_bytes = 65536"), "segment_bytes"),
            (config("[options]\nrecovery = 9"), "recovery"),
            (config("[options]\ntick_ms = 0"), "tick_ms"),
            (config("[quorum]\nsystem = \"counts\"\nphase1 = 1\nphase2 = 1"), "Q1"),
            (config("[quorum]\nsystem = \"grid\"\nrows = 2\ncolumns = 2"), "needs 4 nodes"),
            (config("").replace("h:2\"", "h:1\""), "address h:1 is given to peer of n1 and to peer of n2"),
            (config("").replace("\"n2\"", "\"n1\""), "used twice"),
            (config("").replace("\"n2\"", "\"<b>\""), "letters, digits"),
            (config("").replace("\"n2\"", "\"../n2\""), "letters, digits"),
            (config("").replace("simple-bpaxos", "paxos-2"), "unknown protocol `paxos-2`"),
            (config("[geo]\nsites = [\"a\"]\nrtt_ms = [[0]]"), "geo.sites"),
            (config("[geo]\nsites = [\"a\", \"b\", \"c\"]\nrtt_ms = [[0], [0], [0]]"), "geo.rtt_ms"),
            (config("durability = \"maybe\""), "line 4: `durability = \"maybe\"`: unknown variant `maybe`"),
            (config("").replace("data_dir", "# "), "missing field `data_dir`; add it"),
            (config("").replace("peer = \"h:2\"\n", ""), "`[[node]]`: missing field `peer`; add it"),
            (
                config("[limits]\npayload_bytes_max = \"1 MiB\""),
                "line 5: `payload_bytes_max = \"1 MiB\"`: invalid type: string \"1 MiB\", expected a whole number",
            ),
        ] {
            let sentence = refusal(&text);
            assert!(sentence.contains(expected) && !sentence.contains('\n'), "{sentence}");
        }
    }
}
