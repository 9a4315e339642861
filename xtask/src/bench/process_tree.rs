//! What a process and all that it started have used and hold, by `/proc`.

use std::time::Duration;

/// Times of the processor.
#[derive(Clone, Copy, Default)]
pub(super) struct Spent {
    pub(super) user: Duration,
    pub(super) system: Duration,
}

impl Spent {
    pub(super) fn since(self, before: Spent) -> Spent {
        Spent {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }

    pub(super) fn whole(self) -> Duration {
        self.user + self.system
    }
}

/// The kernel counts in hundredths of a second on every machine that we measure on (`getconf CLK_TCK`).
const TICK: Duration = Duration::from_millis(10);

/// A process and those that it started and they started, as they are now.
pub(super) fn members(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|process: u32| Some((process, stat(process)?.first()?.parse().ok()?)))
        .collect();
    let mut members = vec![root];
    let mut next = 0;
    while let Some(parent) = members.get(next).copied() {
        members.extend(
            parents
                .iter()
                .filter(|(_, of)| *of == parent)
                .map(|(process, _)| process),
        );
        next += 1;
    }
    members
}

/// What they have used so far.
pub(super) fn spent(root: u32) -> Spent {
    let mut spent = Spent::default();
    for process in members(root) {
        if let Some(fields) = stat(process) {
            spent.user += ticks(&fields, 10);
            spent.system += ticks(&fields, 11);
        }
    }
    spent
}

/// What children of this process that have ended used, and theirs.
pub(super) fn spent_by_ended_children() -> Spent {
    let fields = stat(std::process::id()).unwrap_or_default();
    Spent {
        user: ticks(&fields, 12),
        system: ticks(&fields, 13),
    }
}

/// What a processor has spent on programs so far, those of others on the machine beneath included.
pub(super) fn spent_by_cpu(number: usize) -> Duration {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let name = format!("cpu{number} ");
    let fields: Vec<String> = text
        .lines()
        .find_map(|line| line.strip_prefix(&name))
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .unwrap_or_default();
    // User, nice, system, and stolen; what goes to interrupts and to nothing is left out.
    [0, 1, 2, 7].iter().map(|place| ticks(&fields, *place)).sum()
}

/// Memory that they hold, in bytes, where a page that several processes share counts in parts.
pub(super) fn memory(root: u32) -> u64 {
    let held = members(root).into_iter().filter_map(|process| {
        let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    });
    held.sum::<u64>() * 1024
}

/// The fields of a process behind its state: the first is its parent.
fn stat(process: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name stands in parentheses and may hold anything.
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split(' ').skip(1).map(str::to_owned).collect())
}

fn ticks(fields: &[String], place: usize) -> Duration {
    let ticks = fields.get(place).and_then(|field| field.parse::<u32>().ok());
    TICK * ticks.unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_measured_with_those_that_it_started() {
        let root = std::process::id();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let members = members(root);
        let held = memory(root);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(members.contains(&root) && members.contains(&child.id()), "{members:?}");
        assert!(held > 100 * 1024, "{held}");
    }
}
