//! What happens to the targets.

use std::time::{Duration, Instant};

use crate::bench::steady::target::Target;

/// One of the first two is killed this often, and is gone for so long.
const KILL_EVERY: Duration = Duration::from_secs(3);
const GONE: Duration = Duration::from_secs(1);

/// How much slower a slow target is.
const SLOWER: u32 = 100;

/// How long a lasting connection may take to notice that its target is gone.
const NOTICED: u64 = 1000;

/// From when to when a target was not what it should be, in milliseconds.
#[derive(Debug)]
pub(super) struct Fault {
    port: String,
    from: u64,
    to: u64,
}

impl Fault {
    /// Whether what happened between two times on a connection to a target is this fault's doing.
    pub(super) fn explains(&self, target: &str, due: u64, ended: u64) -> bool {
        self.port == target && due <= self.to + NOTICED && ended >= self.from
    }
}

/// One step, by which of the targets.
#[derive(Clone, Copy)]
enum Step {
    Kill(usize),
    Revive(usize),
    Stop,
    GoOn,
    Deafen,
    Hear,
    SlowDown,
    Recover,
}

/// Kills the first two in turn, throughout. The third stops for a tenth of the time (what it accepted stays open, and nobody
/// answers), then takes no connections for a tenth, then is a hundred times slower for the seventh part.
///
/// # Errors
/// When a target doesn't come back.
pub(super) fn commit(targets: &mut [Target; 3], begin: Instant, whole: Duration) -> Result<Vec<Fault>, String> {
    let mut faults: Vec<Fault> = Vec::new();
    for (at, step) in steps(whole) {
        std::thread::sleep((begin + at).saturating_duration_since(Instant::now()));
        // A fault begins before it is brought about, and ends after it was put right.
        let before = now(begin);
        match step {
            Step::Kill(number) => targets[number].kill(),
            Step::Revive(number) => targets[number].revive()?,
            Step::Stop => targets[2].stop(),
            Step::GoOn => targets[2].go_on(),
            Step::Deafen => targets[2].deafen()?,
            Step::Hear => targets[2].revive()?,
            Step::SlowDown => targets[2].slow_down(SLOWER)?,
            Step::Recover => targets[2].slow_down(1)?,
        }
        note(&mut faults, targets, step, [before, now(begin)]);
    }
    Ok(faults)
}

fn steps(whole: Duration) -> Vec<(Duration, Step)> {
    let mut steps = vec![
        (whole.mul_f64(0.20), Step::Stop),
        (whole.mul_f64(0.30), Step::GoOn),
        (whole.mul_f64(0.40), Step::Deafen),
        (whole.mul_f64(0.50), Step::Hear),
        (whole.mul_f64(0.60), Step::SlowDown),
        (whole.mul_f64(0.75), Step::Recover),
    ];
    let mut at = GONE;
    let mut number = 0;
    while at + GONE < whole {
        steps.push((at, Step::Kill(number)));
        steps.push((at + GONE, Step::Revive(number)));
        at += KILL_EVERY;
        number = 1 - number;
    }
    steps.sort_by_key(|(at, _)| *at);
    steps
}

/// Opens a fault or closes the last of its target, by the times before and after the step.
fn note(faults: &mut Vec<Fault>, targets: &[Target; 3], step: Step, [before, after]: [u64; 2]) {
    let (number, begins) = match step {
        Step::Kill(number) => (number, true),
        Step::Revive(number) => (number, false),
        Step::Stop | Step::Deafen | Step::SlowDown => (2, true),
        Step::GoOn | Step::Hear | Step::Recover => (2, false),
    };
    let port = targets[number].port.to_string();
    if begins {
        faults.push(Fault {
            port,
            from: before,
            to: u64::MAX - NOTICED,
        });
    } else if let Some(fault) = faults.iter_mut().rev().find(|fault| fault.port == port) {
        fault.to = after;
    }
}

fn now(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_first_two_is_well_at_any_time() {
        let mut gone = [false; 2];
        let mut kills = 0;
        for (_, step) in steps(Duration::from_secs(60)) {
            match step {
                Step::Kill(number) => {
                    kills += 1;
                    gone[number] = true;
                }
                Step::Revive(number) => gone[number] = false,
                _ => {}
            }
            assert!(gone != [true, true]);
        }
        assert_eq!((kills, gone), (20, [false, false]));
    }

    #[test]
    fn a_fault_explains_what_happens_to_its_target_while_it_lasts() {
        let fault = Fault {
            port: "81".to_owned(),
            from: 1000,
            to: 2000,
        };
        assert!(fault.explains("81", 900, 1000) && fault.explains("81", 2500, 2600));
        assert!(!fault.explains("82", 900, 1000));
        assert!(!fault.explains("81", 800, 900) && !fault.explains("81", 3001, 3100));
    }
}
