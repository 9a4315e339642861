//! What the tests need beside Rust: installed where that may be done, otherwise named.

use crate::process;

/// A program, the packages of Debian that bring it, and what for.
struct Need {
    program: &'static str,
    packages: &'static str,
    reason: &'static str,
}

const ALWAYS: &[Need] = &[
    Need {
        program: "cc",
        packages: "build-essential",
        reason: "SQLite and aws-lc are C",
    },
    Need {
        program: "c++",
        packages: "g++",
        reason: "libFuzzer is C++",
    },
    Need {
        program: "curl",
        packages: "curl",
        reason: "the commands of the README use it",
    },
    Need {
        program: "python3",
        packages: "python3",
        reason: "commands of the question bank use it",
    },
];

const BROWSER: &[Need] = &[
    Need {
        program: "chromium",
        packages: "chromium",
        reason: "the page of the example is tested in it",
    },
    Need {
        program: "chromedriver",
        packages: "chromium-driver",
        reason: "it drives Chromium",
    },
];

/// Sees to it that what the tests need is there.
///
/// # Errors
/// Says what to install, when it can't be installed from here.
pub(crate) fn programs(with_browser: bool) -> Result<(), String> {
    let browser = if with_browser { BROWSER } else { &[] };
    let missing: Vec<&Need> = ALWAYS
        .iter()
        .chain(browser)
        .filter(|need| !process::exists(need.program))
        .collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    component("rustfmt", "cargo fmt --version")?;
    component("clippy", "cargo clippy --version")
}

fn install(missing: &[&Need]) -> Result<(), String> {
    for need in missing {
        println!(
            "`{}` is missing ({}): installing {}",
            need.program, need.reason, need.packages
        );
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.packages).collect();
    let line = format!("install -y -qq --no-install-recommends {}", packages.join(" "));
    if !(process::exists("apt-get") && rustix::process::geteuid().is_root()) {
        let programs: Vec<&str> = missing.iter().map(|need| need.program).collect();
        return Err(format!(
            "please install {}; on Debian, as root: apt-get {line}",
            programs.join(" and ")
        ));
    }
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
