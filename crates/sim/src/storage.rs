use crate::calls::Stop;
use crate::disk::Unstarted;
use crate::event::{Event, Wire};
use crate::faults::log_violation;
use crate::image::Rot;
use crate::process::Process;
use crate::trace::{Mark, What};
use crate::world::{GOSSIP_US, Stage, World};
use isegoria_check::Violation;
use isegoria_log::CheckpointWriter;
use isegoria_node::{Evidence, Input, Protocol};
use isegoria_replica::{Replica, ReplicaMessage, freeze_process};
use isegoria_types::NodeId;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// A full disk is asked for a segment again after this long, µs.
const SPACE_RETRY_US: u64 = 500_000;

/// What a node does with its disk: the log, checkpoints, and starting from both.
impl<P: Protocol> World<P> {
    // ---- the log --------------------------------------------------------------------------------

    /// Begins to write if something waits for it.
    pub(crate) fn write(&mut self, node: NodeId) {
        let host = &mut self.hosts[node.index()];
        let Some(process) = &host.process else { return };
        let wanted = process.gate.is_waiting() || process.announcement.is_some() || host.checkpoint.is_some();
        if !wanted || host.disk.is_writing() || !host.disk.begin_write() {
            return;
        }
        let usual = if self.stage == Stage::Chaos { 2_000 } else { 500 };
        let max = if host.disk_is_slow { 100 * usual } else { usual };
        let (life, after) = (host.life, self.rng.random_range(50..max));
        self.schedule(after, Event::Written { node, life });
    }

    pub(crate) fn on_written(&mut self, node: NodeId, life: u64) -> Result<(), Violation> {
        let idle = self.rng.random_bool(0.3);
        let host = &mut self.hosts[node.index()];
        if host.life != life || host.process.is_none() {
            return Ok(());
        }
        let was_durable = host.disk.durable();
        let done = host.disk.finish_write();
        let done =
            done.and_then(|()| if idle && !host.disk.is_writing() { host.disk.seal() } else { Ok(()) });
        if let Err(stop) = done {
            return self.stop(node, stop);
        }
        if host.disk.is_space_short() {
            let waits = host.disk.is_writing();
            self.report.count(if waits { "log waits for space" } else { "no space for the next segment" });
            self.schedule(SPACE_RETRY_US, Event::Written { node, life });
            self.return_space(node);
        }
        if self.hosts[node.index()].disk.durable() == was_durable {
            self.write(node);
            return Ok(());
        }
        self.durable(node)
    }

    /// More of the log is durable.
    fn durable(&mut self, node: NodeId) -> Result<(), Violation> {
        let host = &mut self.hosts[node.index()];
        let Some(process) = &mut host.process else { return Ok(()) };
        let (durable, life) = (host.disk.durable(), host.life);
        process.gate.durable(durable);
        self.trace.note(self.now_us, &(node, durable));
        self.trace.line(self.now_us, || What::At {
            node,
            mark: Mark::Synced,
            text: format!("log durable up to {durable}"),
        });
        for (_, evidence) in up_to(&mut process.undurable, durable) {
            self.checks.durable(node, &evidence)?;
        }
        if host.checkpoint.as_ref().is_some_and(|(position, ..)| *position <= durable) {
            let after = self.rng.random_range(1_000..50_000);
            self.schedule(after, Event::Checkpointed { node, life });
        }
        self.release(node)?;
        self.check_told(node)?;
        self.announce(node)?;
        self.write(node);
        Ok(())
    }

    /// Now and then an idle log gets its seal.
    pub(crate) fn tend_disk(&mut self, node: NodeId) -> Result<(), Violation> {
        let idle = self.rng.random_bool(0.3);
        let host = &mut self.hosts[node.index()];
        if !idle || host.process.is_none() || host.disk.is_writing() {
            return Ok(());
        }
        match host.disk.seal() {
            Ok(()) => Ok(()),
            Err(stop) => self.stop(node, stop),
        }
    }

    /// Tells the node's progress, if the log that proves it is durable.
    pub(crate) fn announce(&mut self, node: NodeId) -> Result<(), Violation> {
        let host = &mut self.hosts[node.index()];
        let Some(process) = &mut host.process else { return Ok(()) };
        let durable = host.disk.durable();
        let Some((_, message)) = process.announcement.take_if(|(position, _)| *position <= durable) else {
            return Ok(());
        };
        if let ReplicaMessage::Progress { executed, .. } = &message {
            host.told = executed.clone();
        }
        let others = self.plan.layout.nodes().without(node);
        self.send(node, others, &Wire::Replica(message.clone()))?;
        self.deliver(node, node, Wire::Replica(message))
    }

    /// The process dies in a call to the storage, or ends because one failed; it is started
    /// again later.
    fn stop(&mut self, node: NodeId, stop: Stop) -> Result<(), Violation> {
        self.told(node, stop);
        let power_cut = stop == Stop::Dies { power_cut: true };
        if let Stop::Io(call) = stop
            && call.is_sync()
        {
            self.report.count("process ended by a failed sync");
        }
        self.crash(node, power_cut);
        self.start_later(node);
        Ok(())
    }

    fn told(&mut self, node: NodeId, stop: Stop) {
        self.trace.note(self.now_us, &(node, stop.to_string()));
        self.trace.line(self.now_us, || What::Note(format!("the disk of {node}: {stop}")));
        self.return_space(node);
    }

    /// Space that an interrupted call took comes back after a while.
    fn return_space(&mut self, node: NodeId) {
        let calls = &self.hosts[node.index()].disk.calls;
        if calls.interrupted && calls.is_full {
            let after = self.rng.random_range(100_000..2_000_000);
            self.schedule(after, Event::SpaceReturns { node });
        }
    }

    fn start_later(&mut self, node: NodeId) {
        let after = self.rng.random_range(5_000..500_000);
        self.schedule(after, Event::Start { node });
    }

    // ---- checkpoints ----------------------------------------------------------------------------

    /// Takes a checkpoint of the process as it is; it is complete once the log is durable
    /// up to here, and a while has passed.
    pub(crate) fn begin_checkpoint(&mut self, node: NodeId) -> Result<(), Violation> {
        self.check_digest(node)?;
        let host = &mut self.hosts[node.index()];
        let (Some(process), None) = (&mut host.process, &host.checkpoint) else { return Ok(()) };
        let position = host.disk.end();
        let write = freeze_process(&process.node, &process.beside);
        let writer = CheckpointWriter::new(Vec::new(), host.disk.identity(), position);
        let mut writer = writer.expect("writing into memory");
        write(&mut writer).expect("writing into memory");
        let bytes = writer.finish().expect("writing into memory");
        process.beside.checkpoint_begun();
        host.checkpoint = Some((position, bytes, process.applied.clone()));
        if position <= host.disk.durable() {
            let life = host.life;
            self.schedule(0, Event::Checkpointed { node, life });
        }
        Ok(())
    }

    pub(crate) fn on_checkpointed(&mut self, node: NodeId, life: u64) -> Result<(), Violation> {
        let host = &mut self.hosts[node.index()];
        let durable = host.disk.durable();
        let (Some(process), true) = (&mut host.process, host.life == life) else { return Ok(()) };
        let Some((position, bytes, applied)) = host.checkpoint.take_if(|(end, ..)| *end <= durable) else {
            return Ok(());
        };
        if self.rng.random_bool(0.3) {
            host.old_image = Some(host.disk.image.clone());
        }
        match host.disk.save(position, bytes, applied) {
            Err(stop @ Stop::Dies { .. }) => self.stop(node, stop),
            Err(stop) => {
                process.beside.checkpoint_ended(false);
                self.report.count("checkpoint given up");
                self.told(node, stop);
                Ok(())
            }
            Ok(()) => {
                process.beside.checkpoint_ended(true);
                Ok(())
            }
        }
    }

    // ---- starting -------------------------------------------------------------------------------

    /// Starts a process from what its disk holds.
    pub(crate) fn start(&mut self, own: NodeId) -> Result<(), Violation> {
        let host = &mut self.hosts[own.index()];
        if host.process.is_some() {
            return Ok(());
        }
        self.report.evaluated("log");
        let recovered = match host.disk.recover() {
            Ok(recovered) => recovered,
            Err(Unstarted::Stopped(stop)) => return self.not_started(own, stop),
            Err(Unstarted::Damaged(damage)) => return self.refused(own, &damage),
        };
        if let Some(what) = host.disk.judge(&recovered, host.synced) {
            return Err(log_violation(own, what));
        }
        let is_misplaced = host.damaged.as_ref().is_some_and(|damaged| damaged.rot == Rot::Misdirected);
        for (name, so) in [
            ("restart from a checkpoint", recovered.checkpoint.is_some()),
            ("torn last write cut off", recovered.torn),
            ("restart with more than was synced", recovered.end > host.synced && host.synced > 0),
            ("misplaced write cut off", recovered.torn && is_misplaced),
        ] {
            if so {
                self.report.count(name);
            }
        }
        host.damaged = None;
        // Of what was not synced, this reached the disk all the same.
        for (_, evidence) in up_to(&mut host.unsynced, recovered.end) {
            self.checks.durable(own, &evidence)?;
        }
        host.unsynced.clear();
        host.life += 1;
        let life = host.life;
        let how = (&recovered, host.disk.identity());
        let kind = (self.plan.retention, &self.relation.conflicts());
        host.process = Some(Process::start(own, (&self.plan.layout, &self.options), kind, how));
        self.trace.note(self.now_us, &(own, life));
        self.trace.line(self.now_us, || {
            let count = recovered.records.len();
            What::At { node: own, mark: Mark::Up, text: format!("starts life {life} from {count} records") }
        });
        self.schedule(GOSSIP_US, Event::Gossip { node: own, life });
        self.hint(own, false);
        self.step(own, Input::Start)?;
        let mut others: Vec<NodeId> = self.plan.layout.nodes().without(own).iter().collect();
        others.shuffle(&mut ChaCha8Rng::seed_from_u64(life << 8 | own.index() as u64));
        self.step(own, Input::Nearest(others))?;
        let host = &mut self.hosts[own.index()];
        if let Some(process) = &mut host.process {
            process.told = Some((host.disk.end(), host.told.clone()));
        }
        self.check_told(own)
    }

    /// S4: what a replica told that it has executed, it has executed again as soon as what it
    /// did at its start is durable. Others have forgotten it.
    fn check_told(&mut self, own: NodeId) -> Result<(), Violation> {
        let host = &mut self.hosts[own.index()];
        let Some(process) = &mut host.process else { return Ok(()) };
        let durable = host.disk.durable();
        let Some((_, told)) = process.told.take_if(|(end, _)| *end <= durable) else { return Ok(()) };
        match process.beside.replica().map(Replica::executed) {
            Some(executed) if !executed.covers(&told) => {
                let what = format!("it told that it has executed {told:?}, and starts with {executed:?}");
                Err(log_violation(own, what))
            }
            _ => Ok(()),
        }
    }

    /// A start that a call to the storage ended is tried again.
    fn not_started(&mut self, own: NodeId, stop: Stop) -> Result<(), Violation> {
        self.told(own, stop);
        self.report.count(match stop {
            Stop::Io(_) => "start ended by a failing disk",
            Stop::NoSpace(_) => "start ended for want of space",
            Stop::Dies { .. } => "start interrupted",
        });
        self.hosts[own.index()].disk.crash(stop == Stop::Dies { power_cut: true });
        self.start_later(own);
        Ok(())
    }

    /// What was durable does not read: right if it was damaged. It stays down until mended.
    fn refused(&mut self, own: NodeId, damage: &str) -> Result<(), Violation> {
        if self.hosts[own.index()].damaged.is_none() {
            return Err(log_violation(own, format!("{damage}, and nothing was damaged")));
        }
        self.report.count("damaged disk refused");
        self.trace.line(self.now_us, || What::Note(format!("{own} does not start: {damage}")));
        Ok(())
    }

    /// Somebody puts the files of a damaged disk right, and starts the process.
    pub(crate) fn mend(&mut self, node: NodeId) -> Result<(), Violation> {
        let host = &mut self.hosts[node.index()];
        if host.process.is_none()
            && let Some(damaged) = host.damaged.take()
        {
            host.disk.image = damaged.undamaged;
            self.report.count("damaged disk mended");
            self.trace.line(self.now_us, || What::Note(format!("the disk of {node} is mended")));
        }
        if self.stage == Stage::Majority && self.plan.away.contains(node) { Ok(()) } else { self.start(node) }
    }
}

/// Takes out what ends at or below a position.
fn up_to(waiting: &mut VecDeque<(u64, Evidence)>, position: u64) -> impl Iterator<Item = (u64, Evidence)> {
    let count = waiting.partition_point(|(end, _)| *end <= position);
    waiting.drain(..count)
}
