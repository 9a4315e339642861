//! Whether a machine is fit for a run.

use serde::{Deserialize, Serialize};

use super::load::Busy;
use super::machine::Machine;

/// Descriptors that a process needs for other things than connections.
const OTHER_DESCRIPTORS: u64 = 100;

/// How long the system keeps a port after a connection has ended, in seconds.
const PORT_RESTS: f64 = 60.0;

/// Clock sources that are read without asking the kernel, in some ten nanoseconds.
const QUICK_CLOCKS: [&str; 5] = [
    "tsc",
    "kvm-clock",
    "arch_sys_counter",
    "hyperv_clocksource_tsc_page",
    "hyperv",
];

/// How busy a machine may be before a run.
const MOST_USED: f64 = 0.1;
/// How much of its time others may get meanwhile.
const MOST_STOLEN: f64 = 0.01;

/// What a run needs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Needs {
    /// Connections at a time.
    pub connections: u64,
    /// New connections each second, where each request has its own; otherwise 0.
    pub connecting: f64,
    /// Addresses that connections go to.
    pub addresses: u64,
    /// Whether the target is on this machine.
    pub same_machine: bool,
    /// Whether the generator's threads have processors of their own.
    pub pinned: bool,
    /// How busy the machine was just before, if somebody looked.
    pub before: Option<Busy>,
}

/// Something about a machine that a run depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at: `descriptors`, `ports`, `clock`, `governor`, `neighbours`, `processors`.
    pub name: String,
    /// How it is.
    pub state: State,
    /// That in words, with what to do.
    pub sentence: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Good,
    /// Results will scatter more, or be a little off.
    Doubtful,
    /// The run can't be made like that.
    Bad,
}

/// Looks at the machine, with what a run needs of it. What the system doesn't tell isn't among the answers.
pub fn checks(needs: &Needs) -> Vec<Check> {
    checks_of(&Machine::here(), needs)
}

pub(super) fn checks_of(machine: &Machine, needs: &Needs) -> Vec<Check> {
    [
        Some(descriptors(machine, needs)),
        ports(machine, needs),
        clock(machine),
        governor(machine),
        neighbours(needs),
        processors(machine, needs),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn check(name: &str, state: State, sentence: impl Into<String>) -> Check {
    Check {
        name: name.to_owned(),
        state,
        sentence: sentence.into(),
    }
}

fn descriptors(machine: &Machine, needs: &Needs) -> Check {
    let needed = needs.connections.saturating_add(OTHER_DESCRIPTORS);
    let (now, most) = machine.descriptors;
    let allows = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    let shown = |limit: Option<u64>| limit.map_or("any number of".to_owned(), |limit| limit.to_string());
    match (allows(now), allows(most)) {
        (true, _) => check(
            "descriptors",
            State::Good,
            format!("A process may have {} descriptors; {needed} are needed.", shown(now)),
        ),
        (false, true) => check(
            "descriptors",
            State::Good,
            format!(
                "A process may have {} descriptors, and may allow itself the {needed} that are needed.",
                shown(now)
            ),
        ),
        (false, false) => check(
            "descriptors",
            State::Bad,
            format!(
                "A process may have {} descriptors, and {needed} are needed; raise the limit (`ulimit -n`), or use fewer connections.",
                shown(most)
            ),
        ),
    }
}

/// A connection is known by both its ends, so that each address of the target can be reached from every port.
fn ports(machine: &Machine, needs: &Needs) -> Option<Check> {
    let range = machine.ports.clone()?;
    let ports = f64::from(range.end().saturating_sub(*range.start())) + 1.0;
    let there_are = ports * needs.addresses.max(1) as f64;
    let resting = needs.connecting * PORT_RESTS;
    let needed = needs.connections as f64 + resting;
    let told = format!("There are {there_are:.0} ports to connect from, and {needed:.0} are needed");
    Some(match () {
        () if needed <= there_are * 0.9 => check("ports", State::Good, format!("{told}.")),
        () if needs.same_machine && resting == 0.0 => check(
            "ports",
            State::Good,
            format!("{told}; on this machine, other addresses of it are used to connect from."),
        ),
        () if resting > 0.0 => check(
            "ports",
            State::Doubtful,
            format!(
                "{told}, because each rests for a minute after its connection; keep connections open, ask for less, or widen \
                 `net.ipv4.ip_local_port_range`."
            ),
        ),
        () => check(
            "ports",
            State::Bad,
            format!("{told}; widen `net.ipv4.ip_local_port_range`, or use fewer connections."),
        ),
    })
}

fn clock(machine: &Machine) -> Option<Check> {
    let clock = machine.clock.as_deref()?;
    Some(match QUICK_CLOCKS.contains(&clock) {
        true => check(
            "clock",
            State::Good,
            format!("The clock is `{clock}`, which is quick to read."),
        ),
        false => check(
            "clock",
            State::Doubtful,
            format!("The clock is `{clock}`: to look at it costs about a microsecond, which is in every latency."),
        ),
    })
}

fn governor(machine: &Machine) -> Option<Check> {
    let governor = machine.governor.as_deref()?;
    Some(match governor {
        "performance" => check("governor", State::Good, "Processors keep their speed."),
        _ => check(
            "governor",
            State::Doubtful,
            format!("The governor `{governor}` changes the processors' speed meanwhile; set it to `performance`."),
        ),
    })
}

fn neighbours(needs: &Needs) -> Option<Check> {
    let before = needs.before?;
    let (used, stolen) = (before.used * 100.0, before.stolen * 100.0);
    Some(match () {
        () if before.stolen > MOST_STOLEN => check(
            "neighbours",
            State::Doubtful,
            format!("Other virtual machines took {stolen:.1} % of the processors' time; results will scatter."),
        ),
        () if before.used > MOST_USED => check(
            "neighbours",
            State::Doubtful,
            format!("Other processes used {used:.0} % of the processors before; end them, or results will scatter."),
        ),
        () => check(
            "neighbours",
            State::Good,
            format!("The machine is quiet: {used:.1} % of its processors' time was used."),
        ),
    })
}

fn processors(machine: &Machine, needs: &Needs) -> Option<Check> {
    let allowed = machine.allowed.or(machine.present)?;
    if !needs.same_machine {
        return None;
    }
    Some(match allowed {
        0 | 1 => check(
            "processors",
            State::Doubtful,
            "Load generator and target share the only processor: latencies are those of both.",
        ),
        _ if needs.pinned => check(
            "processors",
            State::Good,
            "Load generator and target are on the same machine, and the generator has processors of its own.",
        ),
        _ => check(
            "processors",
            State::Doubtful,
            format!(
                "Load generator and target share {allowed} processors; give each its own (`processors` for the generator, \
                 `taskset` for the target), or they hold each other up."
            ),
        ),
    })
}
