use crate::failure::Failure;
use isegoria::ProtocolSpec;
use isegoria_sim::{FaultLimits, InterruptedCall, Interruption, SimConfig};
use isegoria_types::{Layout, QuorumSystem};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;
use toml::Table;

/// Everything that decides one run: what a replay file holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// The protocol, with options.
    pub(crate) protocol: String,
    /// The seed.
    pub(crate) seed: u64,
    /// Nodes; drawn from the seed if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nodes: Option<usize>,
    /// Commands that the clients submit together.
    #[serde(default = "commands")]
    pub(crate) commands: u64,
    /// The most of each fault.
    #[serde(default)]
    pub(crate) faults: FaultLimits,
    /// The call to the storage of one node that is interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) interrupted: Option<Interrupted>,
}

/// Which call to the storage, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Interrupted {
    /// The node's index.
    pub(crate) node: usize,
    /// Its number, from 1 on.
    pub(crate) call: u64,
    /// The name of an [`Interruption`].
    pub(crate) how: String,
}

impl Interrupted {
    fn call(&self) -> Result<InterruptedCall, Failure> {
        let how = Interruption::named(&self.how).ok_or_else(|| {
            let names = Interruption::ALL.map(Interruption::name).join(", ");
            Failure::usage(format!("how = `{}` is no interruption; choose one of {names}", self.how))
        })?;
        Ok(InterruptedCall { node: self.node, number: self.call, how })
    }
}

fn commands() -> u64 {
    SimConfig::default().command_count
}

impl Case {
    pub(crate) fn read(file: &Path) -> Result<Case, Failure> {
        read_toml(file)
    }

    pub(crate) fn write(&self, file: &Path) -> Result<(), Failure> {
        let text = toml::to_string(self).expect("plain fields");
        let parent = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(file, text))
            .map_err(|error| Failure::failed(format!("cannot write {}: {error}", file.display())))
    }

    /// The protocol's name and options, if every field is in range.
    pub(crate) fn check(&self) -> Result<(String, Table), Failure> {
        let spec: ProtocolSpec = self.protocol.parse()?;
        if self.commands == 0 {
            return Err(Failure::usage("commands = 0: a run needs at least 1"));
        }
        let limits = &self.faults;
        for (name, value) in
            [("loss", limits.loss), ("duplication", limits.duplication), ("lateness", limits.lateness)]
        {
            if !(0.0..=1.0).contains(&value) {
                return Err(Failure::usage(format!("{name} = {value}: a probability is between 0 and 1")));
            }
        }
        if let Some(nodes) = self.nodes {
            let system = spec.quorum.clone().unwrap_or_default();
            let layout =
                Layout::co_located(nodes, &system).map_err(|error| Failure::usage(error.to_string()))?;
            isegoria::protocol(&spec.name)?.check(&layout, &spec.options)?;
        } else if spec.quorum.is_some() {
            return Err(Failure::usage("a quorum system needs a number of nodes; add --nodes"));
        }
        Ok((spec.name, spec.options))
    }

    pub(crate) fn config(&self, record: bool) -> Result<SimConfig, Failure> {
        let spec: ProtocolSpec = self.protocol.parse()?;
        let quorum: Option<QuorumSystem> = spec.quorum;
        let interrupted_call = self.interrupted.as_ref().map(Interrupted::call).transpose()?;
        let usual = if interrupted_call.is_some() { SimConfig::short() } else { SimConfig::default() };
        Ok(SimConfig {
            node_count: self.nodes,
            quorum,
            command_count: self.commands,
            faults: self.faults.clone(),
            record,
            interrupted_call,
            ..usual
        })
    }
}

/// Reads a TOML file; what is wrong with it is one sentence that names the line.
pub(crate) fn read_toml<T: DeserializeOwned>(file: &Path) -> Result<T, Failure> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read {name}: {error}")))?;
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        let what = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        Failure::usage(format!("{name}:{line}: {what}; see isegoria sim --help for the fields"))
    })
}
