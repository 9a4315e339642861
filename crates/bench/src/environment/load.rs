//! How busy the machine is with other things.

use std::fs;
use std::io;

/// What the processors had done at a moment, in ticks of the clock over all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticks {
    all: u64,
    idle: u64,
    stolen: u64,
}

/// What the processors did between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Busy {
    /// The share of their time that somebody used, 0 to 1.
    pub used: f64,
    /// The share that another virtual machine got instead of this one, 0 to 1.
    pub stolen: f64,
}

impl Ticks {
    /// Up to now.
    ///
    /// # Errors
    /// When the system doesn't tell.
    pub fn now() -> io::Result<Ticks> {
        Ticks::read(&fs::read_to_string("/proc/stat")?).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// What was done from then to `later`; nothing where no time has passed.
    pub fn until(&self, later: &Ticks) -> Option<Busy> {
        let all = later.all.checked_sub(self.all).filter(|all| *all > 0)? as f64;
        let idle = later.idle.saturating_sub(self.idle) as f64;
        let stolen = later.stolen.saturating_sub(self.stolen) as f64;
        Some(Busy {
            used: (1.0 - (idle + stolen) / all).clamp(0.0, 1.0),
            stolen: (stolen / all).clamp(0.0, 1.0),
        })
    }

    /// From the first line of `/proc/stat`: user, nice, system, idle, waiting for disks, interrupts, soft interrupts, stolen. What
    /// comes after that is in the first two already.
    pub(super) fn read(stat: &str) -> Option<Ticks> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Option<Vec<u64>> = line
            .split_ascii_whitespace()
            .take(8)
            .map(|ticks| ticks.parse().ok())
            .collect();
        let ticks = ticks.filter(|ticks| ticks.len() == 8)?;
        Some(Ticks {
            all: ticks.iter().fold(0, |all: u64, more| all.saturating_add(*more)),
            idle: ticks[3].saturating_add(ticks[4]),
            stolen: ticks[7],
        })
    }
}
