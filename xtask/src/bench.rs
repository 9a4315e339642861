//! `cargo xtask bench`: what the release binary must hold, as commands that print a table.

mod balance;
mod bench_process;
mod cases;
mod compare;
mod generators;
mod guard;
mod idle;
mod idle_peers;
mod load;
mod load_process;
mod many;
mod options;
mod page;
mod process_tree;
mod proxies;
mod rate_limit;
mod reload;
mod routes;
mod side;
mod soak;
mod steady;
mod storm;
mod table;
mod tables;
mod truths;
mod upstream;

use std::process::Command;

use crate::process;

/// One requirement and what was measured.
pub(crate) struct Line {
    what: String,
    measured: String,
    allowed: String,
    holds: bool,
}

impl Line {
    pub(crate) fn new(
        what: impl Into<String>,
        measured: impl Into<String>,
        allowed: impl Into<String>,
        holds: bool,
    ) -> Line {
        Line {
            what: what.into(),
            measured: measured.into(),
            allowed: allowed.into(),
            holds,
        }
    }
}

/// What is measured under loads that don't wait for answers.
const AT_FIXED_RATES: [&str; 3] = ["soak", "balance", "storm"];

/// Compares proxies at a case.
///
/// # Errors
/// When there is no such case, an option isn't understood, or ours can't be measured.
pub(crate) fn compare(case: &str, options: &[&str]) -> Result<(), String> {
    if AT_FIXED_RATES.contains(&case) {
        raise_descriptors()?;
        return match case {
            "soak" => soak::run(options),
            "balance" => balance::run(options),
            _ => storm::run(options),
        };
    }
    match case {
        "tables" => {
            raise_descriptors()?;
            return tables::run(options);
        }
        "generators" => {
            raise_descriptors()?;
            return generators::run(options);
        }
        "truths" => {
            raise_descriptors()?;
            return truths::run(options);
        }
        "page" => return page::run(options),
        _ => {}
    }
    if case != idle_peers::NAME && !compare::names().any(|name| name == case) {
        return match options.first() {
            None => run(case),
            Some(option) => Err(format!("bench {case} takes no `{option}`")),
        };
    }
    let options = options::Options::parse(options)?;
    raise_descriptors()?;
    if case == idle_peers::NAME {
        idle_peers::run(&options)
    } else {
        compare::run(case, &options)
    }
}

/// Runs one of the measurements.
///
/// # Errors
/// When it can't be run, or what it measured isn't what is required.
pub(crate) fn run(what: &str) -> Result<(), String> {
    let measure = match what {
        "routes" => routes::run,
        "idle" => idle::run,
        "idle --tls" => idle::run_over_tls,
        "reload" => reload::run,
        "many" => many::run,
        "guard" => guard::run,
        "rate-limit" => rate_limit::run,
        _ => {
            let names: Vec<&str> = compare::names().collect();
            return Err(format!(
                "there is no benchmark `{what}`; there are routes, many, guard, idle, reload, rate-limit, soak, balance, storm, tables, generators, truths, page, {}, {}",
                names.join(", "),
                idle_peers::NAME
            ));
        }
    };
    raise_descriptors()?;
    // As for measurements at fixed rates, the variable names a binary to take in place of one that is built now.
    let binary = match std::env::var_os("PORTCULLIS") {
        Some(path) => path.into(),
        None => process::portcullis(true)?,
    };
    let lines = measure(&binary)?;
    println!(
        "{}, {}\n",
        process::output(Command::new("date").arg("+%F"))?.trim(),
        machine()
    );
    print_lines(what, &lines)
}

/// # Errors
/// When one of them doesn't hold.
fn print_lines(what: &str, lines: &[Line]) -> Result<(), String> {
    println!("| {what} | measured | must be | |\n|---|---|---|---|");
    for line in lines {
        println!(
            "| {} | {} | {} | {} |",
            line.what,
            line.measured,
            line.allowed,
            if line.holds { "holds" } else { "FAILS" }
        );
    }
    if lines.iter().all(|line| line.holds) {
        Ok(())
    } else {
        Err(format!("bench {what}: a requirement doesn't hold"))
    }
}

/// Connections need descriptors, here and in the gate, which inherits the limit.
fn raise_descriptors() -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )
    .map_err(|failure| format!("the limit on descriptors can't be raised: {failure}"))
}

fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown CPU", |(_, name)| name);
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {count} CPUs")
}
