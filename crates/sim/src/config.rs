use isegoria_types::QuorumSystem;

/// One run. Times in simulated ms, probabilities 0–1.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Nodes, each with every role.
    pub node_count: usize,
    /// How quorums are formed.
    pub quorums: QuorumSystem,
    /// Clients, each with one request outstanding.
    pub client_count: usize,
    /// Requests of each client.
    pub request_count: u64,
    /// Keys that the clients fight over.
    pub key_count: u64,
    /// The probability that a message is lost, during chaos.
    pub loss: f64,
    /// The probability that a message arrives twice, during chaos.
    pub duplication: f64,
    /// Crashes during chaos; each is followed by a restart.
    pub crash_count: usize,
    /// Times during chaos at which one node is cut off from the others for a while.
    pub cut_count: usize,
    /// Whether nodes take checkpoints now and then and restart from them.
    pub checkpoints: bool,
    /// Length of the chaos.
    pub chaos_ms: u64,
    /// After healing, everything must be done within this.
    pub patience_ms: u64,
}

impl Default for SimConfig {
    fn default() -> SimConfig {
        SimConfig {
            node_count: 3,
            quorums: QuorumSystem::Majority,
            client_count: 6,
            request_count: 12,
            key_count: 3,
            loss: 0.05,
            duplication: 0.05,
            crash_count: 3,
            cut_count: 3,
            checkpoints: true,
            chaos_ms: 6_000,
            patience_ms: 60_000,
        }
    }
}
