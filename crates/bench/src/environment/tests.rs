#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use super::*;

/// A folder that looks like the root of a machine.
fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn machine() -> Machine {
    let root = root(&[
        (
            "proc/cpuinfo",
            "processor\t: 0\nmodel name\t: Abacus 9000\nflags\t\t: fpu hypervisor sse\n\nprocessor\t: 1\nmodel name\t: Other\n",
        ),
        (
            "proc/stat",
            "cpu  1 2 3 4 5 6 7 8 9 0\ncpu0 1 2\ncpu1 1 2\ncpu2 1 2\nintr 4\n",
        ),
        ("proc/meminfo", "MemTotal:        8140360 kB\nMemFree: 1 kB\n"),
        ("proc/sys/kernel/osrelease", "6.12.0\n"),
        ("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n"),
        ("proc/self/cgroup", "0::/jobs/one\n"),
        ("sys/fs/cgroup/jobs/cpu.max", "150000 100000\n"),
        ("sys/fs/cgroup/jobs/one/cpu.max", "max 100000\n"),
        (
            "sys/devices/system/clocksource/clocksource0/current_clocksource",
            "hpet\n",
        ),
        ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
        ("sys/class/dmi/id/sys_vendor", "Cloud of Cuckoos\n"),
    ]);
    Machine {
        allowed: Some(2),
        descriptors: (Some(1024), Some(4096)),
        ..Machine::beneath(root.path())
    }
}

fn state(machine: &Machine, needs: &Needs, name: &str) -> Option<State> {
    let all = checks::checks_of(machine, needs);
    all.into_iter()
        .find(|check| check.name == name)
        .map(|check| check.state)
}

#[test]
fn a_machine_has_a_fingerprint() {
    let given = Given {
        commit: Some("abc123".to_owned()),
        ..Given::default()
    };
    let print = fingerprint_of(&machine(), &given);
    let known: Vec<_> = print.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        known.join("; "),
        format!(
            "clock=hpet; commit=abc123; cpu=Abacus 9000; governor=powersave; kernel=6.12.0; memory=8 GiB; \
             processors=2 of 3, 1.5 at a time; version={}; virtualisation=Cloud of Cuckoos",
            env!("CARGO_PKG_VERSION")
        )
    );
}

#[test]
fn what_the_system_does_not_tell_is_missing() {
    assert_eq!(Machine::beneath(Path::new("/nowhere")), Machine::default());
    let odd = root(&[
        ("proc/cpuinfo", "\0:"),
        ("proc/stat", ""),
        ("proc/meminfo", "MemTotal: x"),
        ("sys/fs/cgroup/cpu.max", "1 0"),
    ]);
    assert_eq!(Machine::beneath(odd.path()), Machine::default());
    assert_eq!(fingerprint_of(&Machine::default(), &Given::default()).len(), 1);
    let here = fingerprint(&Given::default());
    assert!(
        here.contains_key("kernel") && here.contains_key("processors"),
        "{here:?}"
    );
}

#[test]
fn environments_differ_in_words() {
    let one = fingerprint_of(
        &machine(),
        &Given {
            commit: Some("a".to_owned()),
            ..Given::default()
        },
    );
    let mut other = one.clone();
    assert!(differences(&one, &other).is_empty());
    other.insert("kernel".to_owned(), "6.13.0".to_owned());
    other.insert("commit".to_owned(), "b".to_owned());
    other.remove("governor");
    let found = differences(&one, &other);
    let told: Vec<_> = found
        .iter()
        .map(|difference| (difference.to_string(), difference.matters))
        .collect();
    let expected = [
        ("The commit isn't the same: `a` and `b`.".to_owned(), false),
        (
            "The governor is known of one of them only: `powersave`.".to_owned(),
            true,
        ),
        ("The kernel isn't the same: `6.12.0` and `6.13.0`.".to_owned(), true),
    ];
    assert_eq!(told, expected);
}

#[test]
fn long_values_are_cut() {
    let given = Given {
        commit: Some("é".repeat(1000)),
        ..Given::default()
    };
    assert_eq!(fingerprint_of(&machine(), &given)["commit"].len(), MOST_BYTES);
}

#[test]
fn descriptors_are_counted_with_the_limit_that_can_be_had() {
    let with = |connections| {
        let needs = Needs {
            connections,
            ..Needs::default()
        };
        state(&machine(), &needs, "descriptors").unwrap()
    };
    assert_eq!(
        [with(900), with(3_996), with(3_997)],
        [State::Good, State::Good, State::Bad]
    );
    let unlimited = Machine {
        descriptors: (None, None),
        ..machine()
    };
    assert_eq!(
        state(
            &unlimited,
            &Needs {
                connections: u64::MAX,
                ..Needs::default()
            },
            "descriptors"
        ),
        Some(State::Good)
    );
}

#[test]
fn ports_are_for_each_address_and_rest() {
    let of = |connections, connecting, addresses, same_machine| {
        let needs = Needs {
            connections,
            connecting,
            addresses,
            same_machine,
            ..Needs::default()
        };
        state(&machine(), &needs, "ports").unwrap()
    };
    assert_eq!(of(20_000, 0.0, 1, false), State::Good);
    assert_eq!(of(40_000, 0.0, 1, false), State::Bad);
    assert_eq!(of(40_000, 0.0, 2, false), State::Good);
    assert_eq!(of(40_000, 0.0, 1, true), State::Good);
    assert_eq!(of(100, 1_000.0, 1, true), State::Doubtful);
}

#[test]
fn a_noisy_or_shared_machine_is_told_of() {
    let before = |used, stolen| Needs {
        before: Some(Busy { used, stolen }),
        ..Needs::default()
    };
    assert_eq!(state(&machine(), &before(0.02, 0.0), "neighbours"), Some(State::Good));
    assert_eq!(
        state(&machine(), &before(0.5, 0.0), "neighbours"),
        Some(State::Doubtful)
    );
    assert_eq!(
        state(&machine(), &before(0.0, 0.05), "neighbours"),
        Some(State::Doubtful)
    );
    assert_eq!(state(&machine(), &Needs::default(), "neighbours"), None);
    let here = |pinned| Needs {
        same_machine: true,
        pinned,
        ..Needs::default()
    };
    assert_eq!(state(&machine(), &here(false), "processors"), Some(State::Doubtful));
    assert_eq!(state(&machine(), &here(true), "processors"), Some(State::Good));
    let single = Machine {
        allowed: Some(1),
        ..machine()
    };
    assert_eq!(state(&single, &here(true), "processors"), Some(State::Doubtful));
    assert_eq!(state(&machine(), &Needs::default(), "clock"), Some(State::Doubtful));
    assert_eq!(state(&machine(), &Needs::default(), "governor"), Some(State::Doubtful));
    assert_eq!(checks::checks_of(&Machine::default(), &Needs::default()).len(), 1);
}

#[test]
fn time_is_used_idle_or_stolen() {
    let first = Ticks::read("cpu  100 0 50 800 50 0 0 0 7 7\ncpu0 1\n").unwrap();
    let later = Ticks::read("cpu  120 0 60 850 60 0 0 10 9 9\n").unwrap();
    let busy = first.until(&later).unwrap();
    assert!(
        (busy.used - 0.3).abs() < 1e-9 && (busy.stolen - 0.1).abs() < 1e-9,
        "{busy:?}"
    );
    assert_eq!(first.until(&first), None);
    assert_eq!(later.until(&first), None);
    for broken in ["", "cpu", "cpu 1 2 3", "cpu a b c d e f g h", "intr 1"] {
        assert_eq!(Ticks::read(broken), None, "{broken}");
    }
    assert!(Ticks::now().is_ok());
}
