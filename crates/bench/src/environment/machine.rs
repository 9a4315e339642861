//! What the system says of the machine: `/proc`, `/sys` and a few calls.

use std::fs::{self, File};
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::Path;

use rustix::process::{Resource, getrlimit};
use rustix::thread::sched_getaffinity;

/// More than that of a file isn't read: the longest, about processors, has some kilobytes for each, and the first is enough.
const MOST_BYTES: u64 = 1 << 20;

/// What is known of a machine. What the system doesn't tell is missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Machine {
    pub(super) cpu: Option<String>,
    /// Processors that there are.
    pub(super) present: Option<usize>,
    /// Those that this process may use.
    pub(super) allowed: Option<usize>,
    /// How much of them it may use at most, where there is a quota.
    pub(super) quota: Option<f64>,
    pub(super) memory_bytes: Option<u64>,
    pub(super) kernel: Option<String>,
    pub(super) clock: Option<String>,
    pub(super) governor: Option<String>,
    pub(super) virtualisation: Option<String>,
    pub(super) ports: Option<RangeInclusive<u32>>,
    /// Descriptors that a process may have, and may allow itself to have; none where there is no limit.
    pub(super) descriptors: (Option<u64>, Option<u64>),
}

impl Machine {
    pub(super) fn here() -> Machine {
        let limit = getrlimit(Resource::Nofile);
        Machine {
            allowed: sched_getaffinity(None).ok().map(|set| set.count() as usize),
            descriptors: (limit.current, limit.maximum),
            ..Machine::beneath(Path::new("/"))
        }
    }

    /// What files beneath a folder say, which is `/` but in tests.
    pub(super) fn beneath(root: &Path) -> Machine {
        let read = |path: &str| read(root, path);
        let word = |path: &str| {
            read(path)
                .map(|text| text.trim().to_owned())
                .filter(|word| !word.is_empty())
        };
        let cpu_info = read("proc/cpuinfo").unwrap_or_default();
        Machine {
            cpu: field(&cpu_info, "model name").or_else(|| field(&cpu_info, "CPU part")),
            present: read("proc/stat")
                .map(|text| processors(&text))
                .filter(|count| *count > 0),
            allowed: None,
            quota: quota(root),
            memory_bytes: read("proc/meminfo").and_then(|text| memory(&text)),
            kernel: word("proc/sys/kernel/osrelease"),
            clock: word("sys/devices/system/clocksource/clocksource0/current_clocksource"),
            governor: word("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            virtualisation: virtualisation(&cpu_info, word("sys/class/dmi/id/sys_vendor")),
            ports: read("proc/sys/net/ipv4/ip_local_port_range").and_then(|text| range(&text)),
            descriptors: (None, None),
        }
    }

    /// `2`, `2 of 8`, or `2 of 8, 1.5 at a time`.
    pub(super) fn processors(&self) -> Option<String> {
        let present = self.present.or(self.allowed)?;
        let mut text = match self.allowed {
            Some(allowed) if allowed != present => format!("{allowed} of {present}"),
            _ => present.to_string(),
        };
        if let Some(quota) = self.quota {
            text.push_str(&format!(", {quota} at a time"));
        }
        Some(text)
    }

    /// To half a gibibyte: kernels keep a little more or less for themselves.
    pub(super) fn memory(&self) -> Option<String> {
        let halves = (self.memory_bytes? as f64 / f64::from(1 << 29)).round();
        Some(format!("{} GiB", halves / 2.0))
    }
}

fn read(root: &Path, path: &str) -> Option<String> {
    let mut text = String::new();
    let file = File::open(root.join(path)).ok()?;
    file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The first value of a field in the form `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let value = fields.find(|(field, _)| field.trim() == name)?.1.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

fn processors(stat: &str) -> usize {
    let numbered = |line: &&str| {
        line.strip_prefix("cpu")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    stat.lines().filter(numbered).count()
}

fn memory(text: &str) -> Option<u64> {
    let total = field(text, "MemTotal")?;
    total.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn range(text: &str) -> Option<RangeInclusive<u32>> {
    let (first, last) = text.trim().split_once(char::is_whitespace)?;
    Some(first.parse().ok()?..=last.trim().parse().ok()?)
}

/// How many processors the innermost group with a limit may use at a time (`cpu.max` of control groups).
fn quota(root: &Path) -> Option<f64> {
    let groups = read(root, "proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let mounted = root.join("sys/fs/cgroup");
    // Groups within groups: the tightest limit is the one that counts.
    let limits = Path::new(own.trim_start_matches('/')).ancestors().filter_map(|group| {
        let text = fs::read_to_string(mounted.join(group).join("cpu.max")).ok()?;
        let (most, period) = text.trim().split_once(' ')?;
        let quota = most.parse::<f64>().ok()? / period.parse::<f64>().ok()?;
        (quota.is_finite() && quota > 0.0).then_some(quota)
    });
    limits.min_by(f64::total_cmp)
}

/// Whether the machine is one itself, by the processor's own word, and whose, by the maker's name.
fn virtualisation(cpu_info: &str, vendor: Option<String>) -> Option<String> {
    let flags = field(cpu_info, "flags")?;
    let virtual_one = flags.split_ascii_whitespace().any(|flag| flag == "hypervisor");
    virtual_one.then(|| vendor.unwrap_or_else(|| "yes".to_owned()))
}
