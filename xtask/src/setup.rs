//! What the tests need beside Rust: installed where that may be done, otherwise named.

use std::path::Path;

use crate::process;

/// A program, the packages of Debian that bring it, and what for.
struct Need {
    program: &'static str,
    packages: &'static str,
    reason: &'static str,
    /// The steps that take it; all of them where none is named.
    steps: &'static [&'static str],
}

const NEEDS: &[Need] = &[
    Need {
        program: "cc",
        packages: "build-essential",
        reason: "SQLite and aws-lc are C",
        steps: &[],
    },
    Need {
        program: "c++",
        packages: "g++",
        reason: "libFuzzer is C++",
        steps: &[],
    },
    Need {
        program: "curl",
        packages: "curl",
        reason: "the commands of the README use it",
        steps: &[],
    },
    Need {
        program: "chromium",
        packages: "chromium",
        reason: "the page of the example is tested in it, and it is a client",
        steps: &["browser", "clients"],
    },
    Need {
        program: "chromedriver",
        packages: "chromium-driver",
        reason: "it drives Chromium",
        steps: &["browser", "clients"],
    },
    Need {
        program: "python3",
        packages: "python3",
        reason: "commands of the question bank use it, and clients of PyPI are tested",
        steps: &[],
    },
    Need {
        program: "redis-server",
        packages: "redis-server",
        reason: "limits that gates share are tested with it",
        steps: &[],
    },
    Need {
        program: "postgres",
        packages: "postgresql",
        reason: "tables are tested in it, in servers of the tests' own",
        steps: &[],
    },
    Need {
        program: "mariadbd",
        packages: "mariadb-server",
        reason: "tables are tested in it, in servers of the tests' own",
        steps: &[],
    },
    Need {
        program: "pgbouncer",
        packages: "pgbouncer",
        reason: "tables are tested through it",
        steps: &[],
    },
    Need {
        program: "ip",
        packages: "iproute2",
        reason: "an authority is tested in a network of its own",
        steps: &["clients"],
    },
    Need {
        program: "h2load",
        packages: "nghttp2-client",
        reason: "it is a client that is tested",
        steps: &["clients"],
    },
];

/// Sees to it that what the tests of these steps need is there.
///
/// # Errors
/// Says what to install, when it can't be installed from here.
pub(crate) fn programs(steps: &[&str]) -> Result<(), String> {
    let taken = |need: &Need| need.steps.is_empty() || need.steps.iter().any(|step| steps.contains(step));
    let missing: Vec<&Need> = NEEDS
        .iter()
        .filter(|need| taken(need) && portcullis_servers::program(need.program).is_err())
        .collect();
    if !missing.is_empty() {
        for need in &missing {
            println!("`{}` is missing: {}", need.program, need.reason);
        }
        let packages: Vec<&str> = missing.iter().map(|need| need.packages).collect();
        install(&packages.join(" "))?;
    }
    hypopg()?;
    component("rustfmt", "cargo fmt --version")?;
    component("clippy", "cargo clippy --version")
}

/// The extension by which a plan is made with an index that isn't there. Its package is named after the server's version.
fn hypopg() -> Result<(), String> {
    let Some(version) = portcullis_servers::postgres_version() else {
        return Ok(());
    };
    if Path::new(&format!("/usr/share/postgresql/{version}/extension/hypopg.control")).is_file() {
        return Ok(());
    }
    println!("HypoPG is missing: which indexes a table lacks is tested with it");
    install(&format!("postgresql-{version}-hypopg"))
}

/// Installs packages of Debian, separated by spaces.
///
/// # Errors
/// Says what to do by hand, when it can't be done from here.
pub(crate) fn install(packages: &str) -> Result<(), String> {
    let line = format!("install -y -qq --no-install-recommends {packages}");
    if !(process::exists("apt-get") && rustix::process::geteuid().is_root()) {
        return Err(format!("please install it; on Debian, as root: apt-get {line}"));
    }
    println!("installing {packages}");
    let apt = |line: &str| {
        // Another one may be at work, as on a machine that was just started, and a download may break off.
        let line = format!("apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 {line}");
        process::run_command(
            &line,
            process::command(&line)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .stdout(std::process::Stdio::null()),
        )
    };
    apt(&line).or_else(|_| {
        // The lists of packages may be too old, or not there at all, as in an image of a container. An update that fails for
        // one of many sources may still have brought what is needed.
        let updated = apt("update -qq");
        apt(&line).map_err(|reason| match updated {
            Ok(()) => reason,
            Err(first) => format!("{first}; {reason}"),
        })
    })
}

fn component(name: &str, probe: &str) -> Result<(), String> {
    if process::output(&mut process::command(probe)).is_ok() {
        return Ok(());
    }
    process::run(&format!("rustup component add {name}"))
        .map_err(|reason| format!("{reason}; please install {name} for the Rust in use"))
}

/// Sees to it that a subcommand of Cargo is there. One that is missing is built in the version that is known to build with
/// our Rust: the newest may want a newer one on any day.
///
/// # Errors
/// When it is missing and can't be built.
pub(crate) fn cargo_subcommand(name: &str, version: &str) -> Result<(), String> {
    if process::exists(&format!("cargo-{name}")) {
        return Ok(());
    }
    println!("`cargo {name}` is missing: building it once");
    process::run(&format!("cargo install --locked --quiet cargo-{name}@{version}"))
}
