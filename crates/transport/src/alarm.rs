use std::time::Instant;
#[cfg(target_os = "linux")]
use timer::Timer;

/// Wakes a task at an instant, to within what the scheduler takes. Tokio's own timers are up
/// to a millisecond late, which is too much where a distance of a few is emulated or an
/// arrival is to be on time; an alarm costs a system call each time it is set anew.
///
/// Where the system has no such timer, or gives none, it is as late as tokio's.
#[derive(Debug, Default)]
pub struct Alarm {
    #[cfg(target_os = "linux")]
    timer: Option<Timer>,
}

impl Alarm {
    /// Resolves at `when`, or now if that has passed. Dropping the future loses nothing.
    pub async fn at(&mut self, when: Instant) {
        #[cfg(target_os = "linux")]
        {
            if self.timer.is_none() {
                self.timer = Timer::new().ok();
            }
            if let Some(timer) = &mut self.timer
                && timer.at(when).await.is_ok()
            {
                return;
            }
        }
        tokio::time::sleep_until(when.into()).await;
    }

    /// Resolves at `when`; never, if there is no such time.
    pub async fn at_next(&mut self, when: Option<Instant>) {
        match when {
            Some(when) => self.at(when).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(target_os = "linux")]
mod timer {
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Instant;
    use tokio::io::unix::AsyncFd;

    /// A timer of the system, which becomes readable when it goes off.
    #[derive(Debug)]
    pub(super) struct Timer {
        file: AsyncFd<OwnedFd>,
        /// What it is set to.
        set: Option<Instant>,
    }

    impl Timer {
        pub(super) fn new() -> io::Result<Timer> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer: OwnedFd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // Unsound for what hands out another descriptor than it owns, which an `OwnedFd` does not; what
            // replaces it is unsafe to call.
            #[allow(deprecated)]
            let file = AsyncFd::new(timer)?;
            Ok(Timer { file, set: None })
        }

        pub(super) async fn at(&mut self, when: Instant) -> io::Result<()> {
            loop {
                let left = when.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(());
                }
                if self.set != Some(when) {
                    let value = Timespec {
                        tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
                        tv_nsec: left.subsec_nanos().into(),
                    };
                    let once = Itimerspec { it_interval: Timespec::default(), it_value: value };
                    timerfd_settime(self.file.get_ref(), TimerfdTimerFlags::empty(), &once)?;
                    self.set = Some(when);
                }
                let mut guard = self.file.readable().await?;
                match rustix::io::read(guard.get_inner(), &mut [0; 8]) {
                    Ok(_) => self.set = None,
                    Err(rustix::io::Errno::AGAIN) => {}
                    Err(error) => return Err(error.into()),
                }
                guard.clear_ready();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn it_is_never_early_and_can_be_set_again_before_it_went_off() {
        let (mut alarm, began) = (Alarm::default(), Instant::now());
        let far = began + Duration::from_secs(600);
        let soon = began + Duration::from_millis(20);
        tokio::select! {
            biased;
            () = alarm.at(far) => panic!("ten minutes have not passed"),
            () = std::future::ready(()) => {}
        }
        alarm.at(soon).await;
        assert!(Instant::now() >= soon && Instant::now() < far);
        alarm.at(began).await;
        let again = Instant::now() + Duration::from_millis(1);
        alarm.at_next(Some(again)).await;
        assert!(Instant::now() >= again);
    }

    /// An alarm that goes off after it was set to a later time is not the later one's.
    #[tokio::test]
    async fn what_it_was_set_to_before_does_not_count() {
        let mut alarm = Alarm::default();
        let first = Instant::now() + Duration::from_micros(200);
        let (_, missed) = (alarm.at(first).await, Instant::now() + Duration::from_micros(50));
        tokio::select! {
            biased;
            () = alarm.at(missed) => {}
            () = std::future::ready(()) => {}
        }
        std::thread::yield_now();
        let later = Instant::now() + Duration::from_millis(30);
        alarm.at(later).await;
        assert!(Instant::now() >= later);
    }
}
