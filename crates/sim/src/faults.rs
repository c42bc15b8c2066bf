use crate::disk::Disk;
use crate::fault::Fault;
use crate::trace::{Mark, What};
use crate::world::{Event, Stage, World};
use isegoria_check::{Applied, Violation};
use isegoria_node::Protocol;
use isegoria_types::NodeId;
use rand::Rng;

/// What goes wrong, and how it ends.
impl<P: Protocol> World<P> {
    pub(crate) fn begin_fault(&mut self, number: usize) -> Result<(), Violation> {
        if self.stage != Stage::Chaos {
            return Ok(());
        }
        let fault = self.plan.faults[number].1.clone();
        self.trace.note(self.now_us, &number);
        self.trace.line(self.now_us, || What::Note(fault.to_string()));
        match fault {
            // A process that is down cannot die: that is no fault.
            Fault::Crash { node, .. } if self.hosts[node.index()].process.is_none() => return Ok(()),
            Fault::Crash { node, down_us } => {
                self.report.count("crash");
                self.crash_for(node, down_us);
            }
            Fault::PowerCut { down_us } => {
                self.report.count("power cut");
                for node in self.plan.layout.nodes().iter() {
                    let more = self.rng.random_range(0..100_000);
                    self.crash_for(node, down_us + more);
                }
            }
            Fault::Partition { shape, unreachable, for_us } => {
                self.report.count(shape.name());
                self.network.part(number, unreachable);
                self.schedule(for_us, Event::FaultEnds(number));
            }
            Fault::SlowNode { node, for_us } => {
                self.report.count("slow node");
                self.network.set_slow(node, true);
                self.schedule(for_us, Event::FaultEnds(number));
            }
            Fault::SlowDisk { node, for_us } => {
                self.report.count("slow disk");
                self.hosts[node.index()].disk_is_slow = true;
                self.schedule(for_us, Event::FaultEnds(number));
            }
            Fault::Pause { node, for_us } => {
                self.report.count("pause");
                self.hosts[node.index()].paused.get_or_insert_default();
                self.schedule(for_us, Event::FaultEnds(number));
            }
            Fault::Suspicion { node, about, for_us } => {
                self.report.count("wrong suspicion");
                self.schedule(0, Event::Hint { node, about, down: true });
                self.schedule(for_us, Event::Hint { node, about, down: false });
            }
            Fault::ExpireSessions { node } => {
                self.report.count("sessions expired");
                self.expire_sessions(node)?;
            }
            Fault::Damage { node } => self.damage(node)?,
            Fault::Amnesia { node, old_image } => self.forget(node, old_image),
        }
        self.report.fault_count += 1;
        Ok(())
    }

    pub(crate) fn end_fault(&mut self, number: usize) -> Result<(), Violation> {
        match self.plan.faults[number].1 {
            Fault::Partition { .. } => self.network.join(number),
            Fault::SlowNode { node, .. } => self.network.set_slow(node, false),
            Fault::SlowDisk { node, .. } => self.hosts[node.index()].disk_is_slow = false,
            Fault::Pause { node, .. } => self.resume(node),
            _ => {}
        }
        Ok(())
    }

    /// A process that paused goes on with everything that came.
    fn resume(&mut self, node: NodeId) {
        for event in self.hosts[node.index()].paused.take().unwrap_or_default() {
            self.schedule(0, event);
        }
    }

    fn crash_for(&mut self, node: NodeId, down_us: u64) {
        if self.crash(node) {
            self.schedule(down_us, Event::Start { node });
        }
    }

    /// A process dies; whether one ran.
    pub(crate) fn crash(&mut self, node: NodeId) -> bool {
        let host = &mut self.hosts[node.index()];
        let Some(process) = host.process.take() else { return false };
        if process.undurable.iter().any(|(end, _)| *end > host.disk.durable()) {
            self.report.count("unsynced records lost in a crash");
        }
        let durable = host.disk.durable();
        host.paused = None;
        host.checkpoint = None;
        host.disk.crash(&mut self.rng);
        self.trace.note(self.now_us, &(node, "down"));
        self.trace.line(self.now_us, || What::At { node, mark: Mark::Down, text: "dies".into() });
        self.hint(node, true);
        for client in 0..self.clients.len() {
            if self.rng.random() {
                let after = self.rng.random_range(100..50_000);
                self.schedule(after, Event::NodeDown { client, node });
            }
        }
        let host = &mut self.hosts[node.index()];
        (host.unsynced, host.synced) = (process.undurable, durable);
        true
    }

    /// A bit flips on the disk of a node that is down: a start must notice, or the log
    /// must be whole all the same. Then somebody mends it.
    fn damage(&mut self, node: NodeId) -> Result<(), Violation> {
        let down_us = self.rng.random_range(5_000..500_000);
        self.crash_for(node, down_us);
        let host = &mut self.hosts[node.index()];
        if host.process.is_some() || host.synced == 0 {
            return Ok(());
        }
        let mut damaged = host.disk.clone();
        // The last write of all looks like a torn one until a seal follows it.
        damaged.seal();
        let Some(bit) = damaged.flip(&mut self.rng) else { return Ok(()) };
        self.report.evaluated("log");
        let wrong = match damaged.recover() {
            Ok(recovered) => damaged.judge(&recovered, host.synced),
            Err(_) => {
                self.report.count("damaged log noticed");
                None
            }
        };
        match wrong {
            None => Ok(()),
            Some(what) => {
                Err(log_violation(node, format!("a flipped bit at {bit:?} is not noticed, and {what}")))
            }
        }
    }

    /// The disk is emptied or replaced by an old image of itself.
    fn forget(&mut self, node: NodeId, old_image: bool) {
        let down_us = self.rng.random_range(5_000..500_000);
        self.crash_for(node, down_us);
        let segment_bytes = self.plan.segment_bytes;
        let host = &mut self.hosts[node.index()];
        if host.process.is_some() {
            return;
        }
        let image = if old_image { host.old_image.take() } else { None };
        self.report.count(if image.is_some() { "old disk image" } else { "emptied disk" });
        let empty = || (Disk::new(node.index(), segment_bytes), Applied::default());
        (host.disk, host.applied_at_checkpoint) = image.unwrap_or_else(empty);
        host.unsynced.clear();
        host.synced = 0;
    }

    /// Everything that was away or down starts again.
    pub(crate) fn revive(&mut self, node: NodeId) -> Result<(), Violation> {
        self.hosts[node.index()].disk_is_slow = false;
        self.resume(node);
        self.start(node)
    }
}

/// What a start recovered is not what was appended.
pub(crate) fn log_violation(node: NodeId, what: String) -> Violation {
    Violation {
        check: "log",
        invariant: "S4 what was synced is recovered, and nothing else",
        place: None,
        what: format!("{node}: {what}"),
    }
}
