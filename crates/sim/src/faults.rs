use crate::event::Event;
use crate::fault::Fault;
use crate::image::{Damaged, Rot};
use crate::process::Setting;
use crate::trace::{Mark, What};
use crate::world::{Stage, World};
use isegoria_check::Violation;
use isegoria_node::Protocol;
use isegoria_types::{NodeId, Prefix};
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
            Fault::Crash { node, power_cut, down_us } => {
                self.report.count(if power_cut { "crash" } else { "crash that leaves the cache" });
                self.crash_for(node, (power_cut, down_us));
            }
            Fault::PowerCut { down_us } => {
                self.report.count("power cut");
                for node in self.plan.layout.nodes().iter() {
                    let more = self.rng.random_range(0..100_000);
                    if self.hosts[node.index()].process.is_none() {
                        self.hosts[node.index()].disk.crash(true);
                    }
                    self.crash_for(node, (true, down_us + more));
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
            Fault::ClockJump { node, by_us } => {
                self.report.count(if by_us > 0 { "clock jumps ahead" } else { "clock jumps back" });
                self.jump(node, by_us);
            }
            Fault::ClockDrift { node, rate, for_us } => {
                self.report.count(if rate < 1_000 { "clock too fast" } else { "clock too slow" });
                self.hosts[node.index()].clock_rate = rate;
                self.schedule(for_us, Event::FaultEnds(number));
            }
            of_a_disk => self.begin_disk_fault(number, &of_a_disk),
        }
        self.report.fault_count += 1;
        Ok(())
    }

    fn begin_disk_fault(&mut self, number: usize, fault: &Fault) {
        match *fault {
            Fault::SlowDisk { node, for_us } => {
                self.report.count("slow disk");
                self.hosts[node.index()].disk_is_slow = true;
                self.schedule(for_us, Event::FaultEnds(number));
            }
            Fault::Damage { node, rot, mended_us } => self.damage(node, rot, mended_us),
            Fault::FailingReads { node, count } => {
                self.report.count("failing reads");
                let down_us = self.rng.random_range(5_000..500_000);
                self.crash_for(node, (true, down_us));
                self.hosts[node.index()].disk.calls.failing_reads = count;
            }
            Fault::FailingSync { node } => {
                self.report.count("failing sync");
                self.hosts[node.index()].disk.calls.failing_syncs = 1;
            }
            Fault::FullDisk { node, for_us } => {
                self.report.count("full disk");
                self.hosts[node.index()].disk.calls.is_full = true;
                self.schedule(for_us, Event::FaultEnds(number));
            }
            Fault::LyingSyncs { node, after_us } => {
                self.report.count("lying syncs");
                self.hosts[node.index()].disk.calls.lying_syncs = u32::MAX;
                self.schedule(after_us, Event::FaultEnds(number));
            }
            Fault::Amnesia { node, old_image } => self.forget(node, old_image),
            _ => unreachable!("not of a disk: {fault}"),
        }
    }

    pub(crate) fn end_fault(&mut self, number: usize) -> Result<(), Violation> {
        match self.plan.faults[number].1 {
            Fault::Partition { .. } => self.network.join(number),
            Fault::SlowNode { node, .. } => self.network.set_slow(node, false),
            Fault::SlowDisk { node, .. } => self.hosts[node.index()].disk_is_slow = false,
            Fault::Pause { node, .. } => self.resume(node),
            Fault::FullDisk { node, .. } => self.hosts[node.index()].disk.calls.is_full = false,
            Fault::ClockDrift { node, .. } => {
                self.hosts[node.index()].clock_rate = self.plan.clock_rates[node.index()];
            }
            Fault::LyingSyncs { node, .. } => {
                let down_us = self.rng.random_range(5_000..500_000);
                self.crash_for(node, (true, down_us));
                self.hosts[node.index()].disk.calls.lying_syncs = 0;
            }
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

    fn crash_for(&mut self, node: NodeId, (power_cut, down_us): (bool, u64)) {
        if self.crash(node, power_cut) {
            self.schedule(down_us, Event::Start { node });
        }
    }

    /// A clock jumps: what waits for it is due so much earlier or later.
    fn jump(&mut self, node: NodeId, by_us: i64) {
        let host = &mut self.hosts[node.index()];
        let (life, now) = (host.life, self.now_us);
        let Some(process) = &mut host.process else { return };
        let mut moved = Vec::new();
        for (timer, set) in &mut process.timers {
            // One that has fired is not set.
            if set.due_us > now {
                let after_us = (set.due_us - now).saturating_add_signed(-by_us);
                self.sequence += 1;
                *set = Setting { setting: self.sequence, due_us: now + after_us };
                moved.push((
                    after_us,
                    Event::Timer { node, life, timer: timer.clone(), setting: set.setting },
                ));
            }
        }
        for (after_us, event) in moved {
            self.schedule(after_us, event);
        }
    }

    /// A process dies, or its machine with it; whether one ran.
    pub(crate) fn crash(&mut self, node: NodeId, power_cut: bool) -> bool {
        let host = &mut self.hosts[node.index()];
        let Some(process) = host.process.take() else { return false };
        if process.undurable.iter().any(|(end, _)| *end > host.disk.durable()) {
            self.report.count("unsynced records lost in a crash");
        }
        let durable = host.disk.durable();
        host.paused = None;
        host.checkpoint = None;
        host.disk.crash(power_cut);
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

    /// The machine dies, and something happens to its files: a start must notice, or find
    /// everything all the same.
    fn damage(&mut self, node: NodeId, rot: Rot, mended_us: Option<u64>) {
        let down_us = self.rng.random_range(5_000..500_000);
        self.crash_for(node, (true, down_us));
        let host = &mut self.hosts[node.index()];
        if host.process.is_some() || host.damaged.is_some() {
            return;
        }
        // It may have died alone, and the machine stands still.
        host.disk.crash(true);
        let undamaged = host.disk.image.clone();
        let Some(what) = host.disk.image.rot(host.disk.identity(), rot, &mut self.rng) else { return };
        host.damaged = Some(Damaged { undamaged, rot });
        self.report.count(match rot {
            Rot::Flip => "bit flipped",
            Rot::Lost => "synced write lost",
            Rot::Misdirected => "write misdirected",
        });
        self.trace.line(self.now_us, || What::Note(format!("{node}: {what}")));
        let for_good = mended_us.is_none() && self.plan.away.contains(node);
        if for_good {
            self.report.count("damaged for good");
        } else {
            let after = down_us + mended_us.unwrap_or(down_us);
            self.schedule(after, Event::Mend { node });
        }
    }

    /// The disk is emptied or replaced by an old image of itself.
    fn forget(&mut self, node: NodeId, old_image: bool) {
        let down_us = self.rng.random_range(5_000..500_000);
        self.crash_for(node, (true, down_us));
        let host = &mut self.hosts[node.index()];
        if host.process.is_some() {
            return;
        }
        let image = if old_image { host.old_image.take() } else { None };
        self.report.count(if image.is_some() { "old disk image" } else { "emptied disk" });
        host.disk.image = image.unwrap_or_default();
        host.told = Prefix::default();
        host.damaged = None;
        host.unsynced.clear();
        host.synced = 0;
    }

    /// Everything that was away or down starts again.
    pub(crate) fn revive(&mut self, node: NodeId) -> Result<(), Violation> {
        let host = &mut self.hosts[node.index()];
        host.disk_is_slow = false;
        host.clock_rate = self.plan.clock_rates[node.index()];
        host.disk.calls.heal();
        self.resume(node);
        self.mend(node)
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
