//! `cargo xtask test`: everything that CI runs, in steps that name themselves.

use std::time::{Duration, Instant};

use crate::{clients, docs, process, setup, tidy};

/// Which steps to run.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// All.
    All,
    /// Those that take no outside program.
    Fast,
    /// The one of that name.
    Only(&'a str),
}

struct Step {
    name: &'static str,
    slow: bool,
    run: fn() -> Result<(), String>,
}

const fn step(name: &'static str, run: fn() -> Result<(), String>) -> Step {
    Step { name, slow: false, run }
}

const fn slow(name: &'static str, run: fn() -> Result<(), String>) -> Step {
    Step { name, slow: true, run }
}

/// In this order, so that what is found soonest is found first.
const STEPS: &[Step] = &[
    step("tidy", tidy::run),
    step("format", format),
    step("clippy", || {
        process::run("cargo clippy --workspace --all-targets --quiet -- -D warnings")
    }),
    step("build", || {
        process::run("cargo build --workspace --all-targets --quiet")
    }),
    step("unit", unit),
    step("integration", || {
        let elsewhere = ["browser::", "clients::", "examples::", "floods::", "page::", "readme::"];
        integration(&elsewhere.map(|tests| ["--skip", tests]).concat())
    }),
    step("examples", || integration(&["examples::"])),
    step("readme", || integration(&["readme::"])),
    step("floods", || integration(&["--test-threads=1", "floods::"])),
    slow("browser", || integration(&["browser::", "page::"])),
    slow("clients", || {
        clients::prepare()?;
        integration(&["clients::"])
    }),
    step("references", docs::check),
    step("rustdoc", rustdoc),
    slow("deny", deny),
    slow("fuzz", fuzz),
];

/// How long each fuzz target runs.
const FUZZ: Duration = Duration::from_secs(15);

/// Runs the steps, and tells of each.
///
/// # Errors
/// When there is no such step, when what the steps need can't be installed, and when a step failed.
pub(crate) fn run(scope: Scope<'_>) -> Result<(), String> {
    let steps: Vec<&Step> = STEPS.iter().filter(|step| within(step, scope)).collect();
    if steps.is_empty() {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(format!("there is no such step; there are {}", names.join(", ")));
    }
    let names: Vec<&str> = steps.iter().map(|step| step.name).collect();
    setup::programs(&names)?;
    let whole = Instant::now();
    let mut failures = Vec::new();
    for step in &steps {
        println!("\n==> {}", step.name);
        let started = Instant::now();
        match (step.run)() {
            Ok(()) => println!("<== {}: passed in {:.1} s", step.name, started.elapsed().as_secs_f32()),
            Err(reason) => {
                println!("<== {}: FAILED in {:.1} s", step.name, started.elapsed().as_secs_f32());
                failures.push((step.name, reason));
            }
        }
    }
    println!("\n{} steps in {:.0} s", steps.len(), whole.elapsed().as_secs_f32());
    // At the end, because the end is what is kept of a long log.
    for (name, reason) in &failures {
        println!("FAILED {name}: {reason}; again by `cargo xtask test --only {name}`");
    }
    println!("{} passed, {} failed", steps.len() - failures.len(), failures.len());
    if failures.is_empty() {
        Ok(())
    } else {
        Err("not all steps passed".to_owned())
    }
}

fn within(step: &Step, scope: Scope<'_>) -> bool {
    match scope {
        Scope::All => true,
        Scope::Fast => !step.slow,
        Scope::Only(name) => step.name == name,
    }
}

fn format() -> Result<(), String> {
    process::run("cargo fmt --all --check")?;
    process::run("cargo fmt --manifest-path fuzz/Cargo.toml --check")
}

fn unit() -> Result<(), String> {
    process::run("cargo test --workspace --exclude portcullis --quiet --no-fail-fast")?;
    process::run("cargo test -p portcullis --bins --quiet")
}

fn integration(filter: &[&str]) -> Result<(), String> {
    process::run(&format!(
        "cargo test -p portcullis --test it --quiet -- {}",
        filter.join(" ")
    ))
}

fn rustdoc() -> Result<(), String> {
    let line = "cargo doc --workspace --no-deps --quiet";
    process::run_command(line, process::command(line).env("RUSTDOCFLAGS", "-D warnings"))
}

fn deny() -> Result<(), String> {
    setup::cargo_subcommand("deny", "0.20.2")?;
    println!("(advisories need a network: `cargo deny check advisories` by hand, or once a day)");
    process::run("cargo deny check --hide-inclusion-graph bans licenses sources")
}

fn fuzz() -> Result<(), String> {
    setup::cargo_subcommand("fuzz", "0.13.2")?;
    let targets =
        std::fs::read_dir(process::root().join("fuzz/fuzz_targets")).map_err(|failure| failure.to_string())?;
    let mut names: Vec<String> = targets
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort_unstable();
    for name in &names {
        let corpus = format!("fuzz/corpus/{name}");
        std::fs::create_dir_all(process::root().join(&corpus)).map_err(|failure| failure.to_string())?;
        let seconds = FUZZ.as_secs();
        // The seed is fixed, so that what fails here is about the change and not about luck: searching is for longer runs.
        // Without a sanitizer it runs on the stable compiler, which needs to be told that fuzzing's flags are meant.
        let line = format!(
            "cargo fuzz run --sanitizer none {name} {corpus} fuzz/seeds/{name} -- -seed=1 -max_total_time={seconds} -verbosity=0 -print_final_stats=1"
        );
        process::run_command(&line, process::command(&line).env("RUSTC_BOOTSTRAP", "1"))?;
    }
    if names.is_empty() {
        Err("there is no fuzz target".to_owned())
    } else {
        Ok(())
    }
}
