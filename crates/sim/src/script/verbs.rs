use super::dialect::Dialect;
use super::host::Host;
use super::network::{Letter, Network, Wire};
use super::observer::Observer;
use super::property::{Property, Violation};
use super::text;
use super::trace::Trace;
use isegoria_kv::Op;
use isegoria_node::{Input, Node, Protocol};
use isegoria_replica::{ReplicaOutbox, Retention};
use isegoria_types::{Action, Batch, ClientId, Command, Footprint, Layout, NodeId, NodeSet, RequestId};

pub(super) type NodeOf<D> = <<D as Dialect>::Protocol as Protocol>::Node;
pub(super) type Msg<D> = <NodeOf<D> as Node>::Msg;
type Options<D> = <<D as Dialect>::Protocol as Protocol>::Options;

/// The most messages that one [`Script::deliver_among`] moves.
const DELIVERIES_MAX: usize = 1000;

/// The nodes of a script, in order: `let [n1, n2, n3] = nodes();`.
#[must_use]
pub fn nodes<const COUNT: usize>() -> [NodeId; COUNT] {
    std::array::from_fn(NodeId::new)
}

/// A client's request, where [`Script::submit`] is too simple.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// The client.
    pub client: u64,
    /// Which of its requests.
    pub number: u64,
    /// It has the answers to all its requests below this.
    pub acked_below: u64,
}

/// A cluster in which a script decides everything; see the module's documentation.
///
/// Disks sync at once unless they are held. Verbs panic where a script is wrong: what it
/// names must be there.
pub struct Script<D: Dialect> {
    pub(super) layout: Layout,
    options: Options<D>,
    pub(super) hosts: Vec<Host<D::Protocol>>,
    pub(super) network: Network<Msg<D>>,
    pub(super) trace: Trace,
    pub(super) observer: Observer,
    client_count: u64,
}

impl<D: Dialect> Script<D> {
    /// A cluster with empty disks, all nodes started. The title is the trace's first line.
    #[must_use]
    pub fn new(title: &str, layout: &Layout, options: Options<D>) -> Script<D> {
        let fast = D::Protocol::fast_rule(layout, &options);
        let quorum = D::Protocol::quorums(layout, &options).phase2;
        let mut script = Script {
            layout: layout.clone(),
            options,
            hosts: (0..layout.node_count).map(|_| Host::new()).collect(),
            network: Network::new(),
            trace: Trace::default(),
            observer: Observer::new(quorum, fast),
            client_count: 0,
        };
        script.trace.note(title);
        let roles = [
            ("leaders", layout.leaders),
            ("dependency", layout.dependency),
            ("acceptors", layout.acceptors),
            ("replicas", layout.replicas),
        ];
        let roles = roles.map(|(role, nodes)| format!("{role} {}", text::names(nodes))).join(", ");
        script.trace.note(&format!("{}: {roles}", D::Protocol::NAME));
        for node in layout.nodes().iter() {
            script.hosts[node.index()].boot(node, &script.layout, &script.options);
            script.step(node, Input::Start);
        }
        script
    }

    /// Puts a line of explanation into the trace.
    pub fn note(&mut self, text: &str) {
        self.trace.note(text);
    }

    /// A new client asks `node`.
    pub fn submit(&mut self, node: NodeId, op: Op) -> RequestId {
        self.client_count += 1;
        self.ask(node, Ask { client: self.client_count, number: 0, acked_below: 0 }, op)
    }

    /// A client asks `node`.
    pub fn ask(&mut self, node: NodeId, ask: Ask, op: Op) -> RequestId {
        let request = RequestId { client: ClientId(ask.client), number: ask.number };
        self.observer.submitted(request, &op);
        let acked = if ask.acked_below > 0 { format!(" acked {}", ask.acked_below) } else { String::new() };
        self.trace.command(&format!("submit {request:?}{acked} at {node}: {}", text::op(&op)));
        let mut footprint = Footprint::default();
        op.footprint(&mut footprint);
        let payload = postcard::to_stdvec(&op).expect("encoding into memory").into();
        let action = Action::Apply(payload);
        let command = Command {
            request,
            acked_below: ask.acked_below,
            generation: 0,
            footprint: footprint.clone(),
            action,
        };
        self.step(node, Input::Submit { batch: Batch::of(&[command]), footprint });
        request
    }

    /// The client of `request` asks again, at `node`.
    pub fn retry(&mut self, node: NodeId, request: RequestId) {
        let op = self.observer.op(request).clone();
        let ask = Ask { client: request.client.0, number: request.number, acked_below: 0 };
        self.ask(node, ask, op);
    }

    /// Delivers the oldest message between two nodes whose text has all of these words.
    pub fn deliver(&mut self, from: NodeId, to: NodeId, words: &str) {
        let letter = self.network.take(from, to, words);
        self.receive(letter);
    }

    /// Delivers a copy; the message itself stays in flight.
    pub fn duplicate(&mut self, from: NodeId, to: NodeId, words: &str) {
        let letter = self.network.copy(from, to, words);
        self.receive(letter);
    }

    /// Delivers what is in flight among `nodes` and has these words, oldest first, and
    /// all that follows, until nothing is left.
    pub fn deliver_among(&mut self, nodes: &[NodeId], words: &str) {
        for _ in 0..DELIVERIES_MAX {
            match self.network.take_among(nodes, words) {
                Some(letter) => self.receive(letter),
                None => return,
            }
        }
        panic!("{DELIVERIES_MAX} messages about `{words}` and no end");
    }

    /// Delivers among `nodes` all messages with the first of these words, then all with
    /// the second, and so on: message by message of a protocol.
    pub fn deliver_in_turn(&mut self, nodes: &[NodeId], words: &[&str]) {
        words.iter().for_each(|words| self.deliver_among(nodes, words));
    }

    /// Loses every message in flight that has all of these words; all, if there are none.
    pub fn lose(&mut self, words: &str) {
        let lost = self.network.take_all(words);
        let which = if words.is_empty() { "everything in flight".to_owned() } else { words.to_owned() };
        self.trace.command(&format!("lose {which}"));
        let mut sends: Vec<(NodeId, NodeSet, String)> = Vec::new();
        for Letter { from, to, text, .. } in lost {
            match sends.iter_mut().find(|(sender, _, other)| *sender == from && *other == text) {
                Some((_, receivers, _)) => {
                    receivers.insert(to);
                }
                None => sends.push((from, NodeSet::only(to), text)),
            }
        }
        for (from, to, text) in sends {
            self.trace.effect(&format!("{from} -> {}: {text}", text::names(to)));
        }
    }

    /// Delivers a message that no correct node sends.
    pub fn forge(&mut self, from: NodeId, to: NodeId, message: Msg<D>) {
        self.trace.note("forged:");
        self.receive(Letter { from, to, text: D::message(&message), wire: Wire::Node(message) });
    }

    /// A timer of `node` runs out, several times in a row.
    pub fn timer(&mut self, node: NodeId, timer: &<NodeOf<D> as Node>::Timer, times: usize) {
        let count = if times == 1 { String::new() } else { format!(" {times} times") };
        self.trace.command(&format!("timer {timer:?} of {node}{count}"));
        for _ in 0..times {
            self.step(node, Input::Timer(timer.clone()));
        }
    }

    /// From now on, what `node` writes is durable only when the script says so.
    pub fn hold_disk(&mut self, node: NodeId) {
        self.trace.command(&format!("hold the disk of {node}"));
        self.hosts[node.index()].disk.is_held = true;
    }

    /// The disk of `node` syncs what was written, and goes on syncing.
    pub fn sync(&mut self, node: NodeId) {
        self.trace.command(&format!("sync the disk of {node}"));
        self.hosts[node.index()].disk.is_held = false;
        self.after_sync(node);
    }

    /// The power of `node` is cut: what was not synced is gone.
    pub fn crash(&mut self, node: NodeId) {
        self.trace.command(&format!("crash {node}"));
        let host = &mut self.hosts[node.index()];
        assert!(host.process.take().is_some(), "{node} is down already");
        host.disk.is_held = false;
        for record in host.disk.crash() {
            self.trace.effect(&format!("{node} loses  {}", D::record(&record)));
        }
        self.observer.crashed(node);
    }

    /// As [`Script::crash`], when the first so many of the unsynced records have reached the disk.
    pub fn crash_after(&mut self, node: NodeId, kept: usize) {
        self.trace.command(&format!("{kept} unsynced records of {node} reach its disk"));
        let kept = self.hosts[node.index()].disk.keep(kept);
        let votes = kept.iter().map(NodeOf::<D>::evidence_of_record).collect();
        self.judge_durable(node, votes);
        self.crash(node);
    }

    /// `node` starts again from its disk.
    pub fn restart(&mut self, node: NodeId) {
        self.trace.command(&format!("restart {node}"));
        self.hosts[node.index()].boot(node, &self.layout, &self.options);
        self.step(node, Input::Start);
    }

    /// `node` writes a checkpoint, from which it will restart.
    pub fn checkpoint(&mut self, node: NodeId) {
        self.trace.command(&format!("checkpoint of {node}"));
        for record in self.hosts[node.index()].checkpoint() {
            self.trace.effect(&format!("{node} saves  {}", D::record(record)));
        }
        self.observer.checkpointed(node);
    }

    /// The failure detector of `node` believes that `about` is down.
    pub fn suspect(&mut self, node: NodeId, about: NodeId) {
        self.trace.command(&format!("{node} suspects {about}"));
        self.step(node, Input::Suspect(about));
    }

    /// The replica of `node` holds at most so many values for others before it proposes a cut.
    pub fn retain(&mut self, node: NodeId, count_max: usize) {
        let bytes_max = Retention::default().bytes_max;
        self.process(node).beside.retain(Retention { count_max, bytes_max });
    }

    /// The replica of `node` tells how far it is, and fetches what it seems to have missed.
    pub fn gossip(&mut self, node: NodeId) {
        self.trace.command(&format!("gossip of {node}"));
        let mut out = ReplicaOutbox::traced();
        self.process(node).beside.on_gossip(&mut out);
        let inputs = self.after_replica(node, out);
        self.steps(node, inputs);
    }

    /// What `node` answered to a request, in the words of the trace, if it was answered.
    #[must_use]
    pub fn answer(&self, request: RequestId) -> Option<String> {
        self.observer.answer(request)
    }

    /// Ends the script: judges the states, and durability if it is among the properties
    /// that the script claims to prove. Returns the trace.
    ///
    /// # Panics
    /// If a property is broken, or one that is claimed was never looked at.
    #[must_use]
    pub fn finish(mut self, proved: &[Property]) -> String {
        let replicas = self.layout.replicas;
        for node in replicas.iter() {
            let process = self.hosts[node.index()].process.as_ref();
            let Some(replica) = process.and_then(|process| process.beside.replica()) else { continue };
            let executed = (replica.executed(), replica.extras());
            let judged = self.observer.ended(node, executed, replica.digest());
            self.judge(judged);
            if proved.contains(&Property::Durability) {
                let judged = self.observer.complete(node);
                self.judge(judged);
            }
        }
        for property in proved {
            let looked = self.observer.evaluations(*property) > 0;
            assert!(looked, "{property} is claimed, and nothing was there to look at");
        }
        let proved: Vec<String> = proved.iter().map(ToString::to_string).collect();
        self.trace.note(&format!("holds: {}", proved.join(", ")));
        self.trace.text()
    }

    /// Stops at a broken property.
    pub(super) fn judge(&self, judged: Result<(), Violation>) {
        if let Err(violation) = judged {
            panic!("{violation}");
        }
    }
}

/// A script that fails shows what led to it.
impl<D: Dialect> Drop for Script<D> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the script so far:\n{}", self.trace.tail());
        }
    }
}
