//! The numbers of the process as OpenMetrics text.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_policies::access_log::sink::Sinks;
use portcullis_policies::metrics::registry::Registry;

use crate::state::State;

/// One number of the process: its name, what it is, and how to read it.
struct Number {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    read: fn(&State) -> u64,
}

const fn counter(name: &'static str, help: &'static str, read: fn(&State) -> u64) -> Number {
    Number {
        name,
        kind: "counter",
        help,
        read,
    }
}

const fn gauge(name: &'static str, help: &'static str, read: fn(&State) -> u64) -> Number {
    Number {
        name,
        kind: "gauge",
        help,
        read,
    }
}

fn read(number: &AtomicU64) -> u64 {
    number.load(Ordering::Relaxed)
}

/// All of them but those of requests and upstreams. Names of counters get `_total` in the text.
const NUMBERS: &[Number] = &[
    counter("portcullis_connections", "Client connections accepted.", |state| {
        read(&state.tallies.connections)
    }),
    counter(
        "portcullis_connections_shed",
        "Client connections closed at once: a limit was reached.",
        |state| read(&state.tallies.connections_shed),
    ),
    counter(
        "portcullis_tls_handshakes_failed",
        "TLS handshakes that clients did not complete.",
        |state| read(&state.tallies.handshakes_failed),
    ),
    counter(
        "portcullis_config_reloads",
        "Reloads that were put in force.",
        |state| read(&state.tallies.reloads),
    ),
    counter(
        "portcullis_config_reloads_refused",
        "Reloads that were refused.",
        |state| read(&state.tallies.reloads_refused),
    ),
    gauge(
        "portcullis_config_last_reload_successful",
        "1 unless the last reload was refused.",
        |state| u64::from(!state.last_reload_failed.load(Ordering::Relaxed)),
    ),
    gauge("portcullis_ready", "1 while the gate is ready for requests.", |state| {
        u64::from(state.ready.load(Ordering::Relaxed))
    }),
];

/// All numbers, to their `# EOF`.
pub(crate) fn render(state: &State) -> String {
    let mut out = String::with_capacity(16 * 1024);
    state.kept.metrics.render(&mut out);
    state.kept.sinks.render(&mut out);
    for number in NUMBERS {
        let Number { name, kind, help, read } = number;
        let suffix = if *kind == "counter" { "_total" } else { "" };
        let _ = write!(
            out,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{suffix} {}\n",
            read(state)
        );
    }
    let name = "portcullis_connections_open";
    let _ = write!(out, "# HELP {name} Client connections open now.\n# TYPE {name} gauge\n");
    for listener in &state.snapshot.load().listeners {
        let open = listener.open.load(Ordering::Relaxed);
        let _ = writeln!(out, "{name}{{listener=\"{}\"}} {open}", label(&listener.name));
    }
    let name = "portcullis_upstream_connections_open";
    let _ = write!(
        out,
        "# HELP {name} Connections open to each target.\n# TYPE {name} gauge\n"
    );
    for (service, target, open) in state.kept.targets.open_connections() {
        let _ = writeln!(
            out,
            "{name}{{service=\"{}\",target=\"{}\"}} {open}",
            label(&service),
            label(&target)
        );
    }
    let version = env!("CARGO_PKG_VERSION");
    let name = "portcullis_build";
    let _ = write!(
        out,
        "# HELP {name} The running program.\n# TYPE {name} info\n{name}_info{{version=\"{version}\"}} 1\n"
    );
    out.push_str("# EOF\n");
    out
}

/// A label's value as the text format quotes it.
fn label(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Every family of numbers, for the documentation: name, kind and meaning.
pub(crate) fn reference() -> Vec<(String, String, String)> {
    let mut text = String::new();
    Registry::default().render(&mut text);
    Sinks::default().render(&mut text);
    let announced = |word: &str, family: &str| {
        let start = format!("# {word} {family} ");
        text.lines()
            .find_map(|line| line.strip_prefix(&start))
            .unwrap_or_default()
            .to_owned()
    };
    let families = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let of_requests = families.map(|(family, kind)| (family.to_owned(), kind.to_owned(), announced("HELP", family)));
    let own = NUMBERS
        .iter()
        .map(|it| (it.name.to_owned(), it.kind.to_owned(), it.help.to_owned()));
    of_requests.chain(own).collect()
}
