//! The stages of a test, as commands.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use portcullis_config::units;

use super::options::{Judging, Load, Output, Owned, Way};
use super::overlay;
use super::policies::Policies;
use crate::bench::baselines;
use crate::bench::folder::Folder;
use crate::bench::gate;
use crate::bench::running::results::Format;
use crate::bench::running::{self, Scenario, Wish};
use crate::bench::stages::build::{self, Building};
use crate::bench::stages::stand_in::Standing;
use crate::bench::stages::{compare, environment, metrics, plan, setup};
use crate::cli::{DEFAULT_FILE, complain, print};

/// The exit code when something is missing that a run needs.
const NOT_READY: u8 = 1;

/// A stage of a test. Each leaves its files for the next.
#[derive(Subcommand)]
pub(super) enum Stage {
    /// 1. Describe this machine, check whether it is fit to measure, and measure the load generator itself.
    ///
    /// Writes environment.json into the folder. Later stages refuse to run where it describes another machine.
    Env {
        #[command(flatten)]
        place: Place,
    },
    /// 2. Print what must hold: the `objectives` of a gate's routes, and some for all of them.
    ///
    /// It is the section `objectives` of bench.yaml; `build` puts it there.
    Metrics {
        /// The gate's file.
        #[arg(default_value = DEFAULT_FILE)]
        gate: PathBuf,
    },
    /// 3. Print how much load there should be, and for how long: profiles for each kind of test.
    ///
    /// It is the section `profiles` of bench.yaml; `build` puts it there. With an access log, rates are those of its days.
    Plan {
        #[command(flatten)]
        volume: Volume,
    },
    /// 4. Write the scenario: requests from a gate's routes, from the description of an API, or from an access log.
    ///
    /// Each request is tried once and left out, with the reason, where it doesn't work; answers are held against the
    /// description where there is one. What was written before is kept unless --force is given.
    #[command(after_help = "Examples:
  portcullis bench build
  portcullis bench build site.yaml --header 'X-Api-Key: ${KEY}'
  portcullis bench build --openapi api.yaml --target http://127.0.0.1:8080
  portcullis bench build --log access.jsonl --target http://127.0.0.1:8080")]
    Build {
        #[command(flatten)]
        made_of: MadeOf,
        #[command(flatten)]
        volume: Volume,
        /// Where to write it; `-` for standard output. By default bench.yaml in the folder.
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Write over what is there.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        owned: Owned,
    },
    /// 5. Say whether all is ready: the target answers, every flow's first request works, there are descriptors enough.
    ///
    /// Exit code 1: something doesn't work.
    Setup {
        #[command(flatten)]
        scenario: ScenarioFile,
        #[command(flatten)]
        owned: Owned,
    },
    /// 6. Run a profile of the scenario, and keep the run in the folder runs.
    #[command(after_help = "Examples:
  portcullis bench run --profile load
  portcullis bench run --profile spike --report spike.html
  portcullis bench run --profile load --runs 5 --baseline main")]
    Run {
        #[command(flatten)]
        scenario: ScenarioFile,
        #[command(flatten)]
        load: Box<Load>,
        #[command(flatten)]
        way: Box<Way>,
        #[command(flatten)]
        judging: Judging,
        #[command(flatten)]
        output: Output,
    },
    /// 7. Say whether runs are better or worse than others, or that nothing can be said.
    ///
    /// Runs are compared, not requests: with fewer than 4 on each side no change can be told from chance.
    #[command(after_help = "Example:
  portcullis bench run --profile load --runs 5 && portcullis bench baseline save main bench/runs
  portcullis bench compare main bench/runs")]
    Compare {
        /// What is compared with: a run, a folder of runs, or the name of a baseline.
        base: String,
        /// What is compared: the same.
        head: String,
        #[command(flatten)]
        place: Place,
        /// The smallest change that counts, in percent.
        #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
        min_effect: f64,
        /// Compare even what was measured on another machine or in another way.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        shown: Shown,
    },
    /// Keep runs to compare later ones with.
    Baseline {
        #[command(subcommand)]
        what: Baseline,
    },
    /// Write a run that was kept once more, in another form.
    Report {
        /// The run.
        run: PathBuf,
        #[command(flatten)]
        shown: Shown,
    },
    /// Run a server whose behaviour is known, until ctrl-C: in the place of one that isn't, or to try this program itself.
    #[command(after_help = "Examples:
  portcullis bench stand-in --bind 127.0.0.1:9000 --delay 5ms
  portcullis bench stand-in --capacity 2000 --queue 100")]
    StandIn(StandIn),
    /// Test by spikes whether the policies of a gate's file do what it says.
    ///
    /// Serves by the file in a process of its own, with stand-ins for all targets, and reaches nothing else that it names.
    /// Limits let no more through than they say, and answer what they let through in time; circuit breakers open, stay open and
    /// close; what is worth less is sent away first; retries keep to their budget. What can't be tested is told.
    #[command(after_help = "Examples:
  portcullis bench policies
  portcullis bench policies site.yaml --only limits --route orders
  portcullis bench policies --header 'X-Api-Key: ${KEY}' --format junit")]
    Policies(Policies),
    /// Serve as the gate of such a test, until standard input ends.
    #[command(hide = true)]
    IsolatedGate {
        /// The gate's file.
        file: PathBuf,
    },
    /// All stages in order, for a gate that runs.
    ///
    /// What is there already is kept: a scenario that was edited is run as it is. Compares with the baseline `default`, if
    /// there is one.
    All {
        #[command(flatten)]
        made_of: MadeOf,
        #[command(flatten)]
        volume: Volume,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        owned: Owned,
        /// The profile to run.
        #[arg(short, long, default_value = "smoke")]
        profile: String,
        #[command(flatten)]
        judging: Judging,
        #[command(flatten)]
        output: Output,
    },
}

/// How a server stands in for another.
#[derive(Args)]
pub(super) struct StandIn {
    /// Where to listen. By default on any free port, which is printed.
    #[arg(long, default_value = "127.0.0.1:0")]
    bind: SocketAddr,
    /// The status of its answers.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=599))]
    status: u16,
    /// Bytes of their content.
    #[arg(long, value_name = "BYTES", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=16_777_216))]
    size: u32,
    /// How long each takes: `5ms`.
    #[arg(long, value_name = "TIME", default_value = "0s")]
    delay: units::Duration,
    /// Requests a second, beyond which they wait in one queue.
    #[arg(long, value_name = "N")]
    capacity: Option<f64>,
    /// The longest that queue may be; what comes then is answered with 503 at once.
    #[arg(long, value_name = "N", requires = "capacity")]
    queue: Option<u64>,
    /// Stand still each time so much has passed.
    #[arg(long, value_name = "TIME", requires = "stall_for")]
    stall_every: Option<units::Duration>,
    /// How long it stands still then.
    #[arg(long, value_name = "TIME", requires = "stall_every")]
    stall_for: Option<units::Duration>,
    /// Answer each one of so many requests with 500.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    fail_every: Option<u64>,
}

/// What to do with baselines.
#[derive(Subcommand)]
pub(super) enum Baseline {
    /// Keep runs under a name, beside those that it has.
    Save {
        /// The name.
        name: String,
        /// Runs, or folders of runs.
        #[arg(required = true)]
        runs: Vec<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// Print the names, how many runs each has, and since when they are better or worse for good.
    List {
        #[command(flatten)]
        place: Place,
    },
}

/// Where the files of a test are.
#[derive(Args)]
pub(super) struct Place {
    /// The folder for all files of the test.
    #[arg(long, value_name = "FOLDER", default_value = "bench")]
    folder: PathBuf,
    /// Keep baselines in the durable store of this gate's file, in the place of baseline.jsonl in the folder.
    #[arg(long, value_name = "FILE")]
    store_of: Option<PathBuf>,
}

/// The scenario that is run.
#[derive(Args)]
pub(super) struct ScenarioFile {
    /// The scenario. By default bench.yaml in the folder.
    file: Option<PathBuf>,
    /// Another target than the scenario's.
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// What requests are made of.
#[derive(Args)]
pub(super) struct MadeOf {
    /// The gate's file. By default portcullis.yaml, where it is there.
    gate: Option<PathBuf>,
    /// The description of an API (OpenAPI 3), in the place of the gate's routes.
    #[arg(long, value_name = "FILE")]
    openapi: Option<PathBuf>,
    /// Whom to ask. By default the gate's first listener.
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    /// Put in requests that change something, where their content is known.
    #[arg(long)]
    writes: bool,
    /// The value of a parameter: `--value id=7`.
    #[arg(long = "value", value_name = "NAME=VALUE")]
    values: Vec<String>,
    /// A field for every request. `${VARIABLE}` stands in the file as it is, so no secret does.
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// Authorities of the target's certificate, as PEM.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    cacert: Option<PathBuf>,
    /// Take any certificate of the target.
    #[arg(short = 'k', long)]
    insecure: bool,
    /// Don't try each request.
    #[arg(long)]
    no_dry_run: bool,
}

/// How much load there should be.
#[derive(Args)]
pub(super) struct Volume {
    /// An access log: our own, or one in the common or combined format.
    #[arg(long, visible_alias = "from-log", value_name = "FILE")]
    log: Option<PathBuf>,
    /// The usual rate, in requests a second. By default that of the log.
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
}

/// How a result is shown.
#[derive(Args)]
pub(super) struct Shown {
    /// How to write it to standard output.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Write a page with charts to this file.
    #[arg(long, visible_alias = "html", value_name = "FILE.html")]
    report: Option<PathBuf>,
}

impl Place {
    fn folder(&self) -> Folder {
        Folder::at(&self.folder, self.store_of.as_deref())
    }
}

impl ScenarioFile {
    fn path(&self) -> PathBuf {
        self.file.clone().unwrap_or_else(|| self.place.folder().scenario())
    }
}

impl MadeOf {
    fn building(&self, volume: &Volume, owned: &Owned, out: Option<PathBuf>, force: bool) -> Result<Building, String> {
        let usual = Path::new(DEFAULT_FILE);
        let elsewhere = self.openapi.is_some() || volume.log.is_some();
        let gate = match &self.gate {
            Some(gate) => Some(gate.clone()),
            None => (usual.is_file() || !elsewhere).then(|| usual.to_owned()),
        };
        Ok(Building {
            gate,
            openapi: self.openapi.clone(),
            log: volume.log.clone(),
            target: self.target.clone(),
            rate: volume.rate,
            wish: build::wish(self.writes, &self.values, &self.headers)?,
            owned: owned.i_own_this_target.clone(),
            cacert: self.cacert.clone(),
            insecure: self.insecure,
            dry_run: !self.no_dry_run,
            out,
            force,
        })
    }
}

impl Stage {
    /// Does it, and gives the exit code.
    pub(super) fn run(self) -> Result<u8, String> {
        match self {
            Stage::Env { place } => {
                print(&environment::describe(&place.folder())?);
                Ok(0)
            }
            Stage::Metrics { gate } => {
                print(&metrics::section(&metrics::objectives(Some(&gate::load(&gate)?))));
                Ok(0)
            }
            Stage::Plan { volume } => planned(&volume),
            Stage::Build {
                made_of,
                volume,
                out,
                force,
                place,
                owned,
            } => built(&made_of, &volume, out, force, &place, &owned),
            Stage::Setup { scenario, owned } => ready(&scenario, &owned),
            Stage::Run {
                scenario,
                load,
                way,
                judging,
                output,
            } => run(&scenario, &load, &way, &judging, &output),
            Stage::Compare {
                base,
                head,
                place,
                min_effect,
                force,
                shown,
            } => compare::Comparing {
                base: &base,
                head: &head,
                folder: &place.folder(),
                judging: running::Judging {
                    min_effect: min_effect / 100.0,
                    force,
                    ..running::Judging::default()
                },
                format: shown.format,
                page: shown.report.as_deref(),
            }
            .run(),
            Stage::Baseline { what } => what.run(),
            Stage::StandIn(server) => server.serve(),
            Stage::Policies(policies) => policies.run(),
            Stage::IsolatedGate { file } => crate::bench::policies::serve(&file),
            Stage::Report { run, shown } => compare::show(&run, shown.format, shown.report.as_deref()),
            Stage::All {
                made_of,
                volume,
                place,
                owned,
                profile,
                judging,
                output,
            } => all(&made_of, &volume, &place, &owned, profile, &judging, &output),
        }
    }
}

impl StandIn {
    fn serve(&self) -> Result<u8, String> {
        Standing {
            bind: self.bind,
            status: self.status,
            size: self.size as usize,
            delay: self.delay.0,
            capacity: self.capacity,
            queue: self.queue,
            stalls: self
                .stall_every
                .zip(self.stall_for)
                .map(|(every, lasts)| (every.0, lasts.0)),
            fail_every: self.fail_every,
        }
        .serve()
    }
}

impl Baseline {
    fn run(self) -> Result<u8, String> {
        match self {
            Baseline::Save { name, runs, place } => {
                place.folder().make()?;
                let count = baselines::save(&*place.folder().baselines()?, &name, &runs)?;
                print(&format!("{count} runs kept as {name}\n"));
            }
            Baseline::List { place } => {
                for (name, runs) in baselines::all(&*place.folder().baselines()?)? {
                    print(&format!("{name}: {} runs\n", runs.len()));
                    for turn in baselines::turns(runs) {
                        print(&format!("  {turn}\n"));
                    }
                }
            }
        }
        Ok(0)
    }
}

fn planned(volume: &Volume) -> Result<u8, String> {
    let log = volume.log.as_deref().map(build::read_log).transpose()?;
    let popularity = plan::popularity(log.as_ref());
    let load = plan::Volume::of(volume.rate, popularity.as_ref());
    let profiles = plan::profiles(load, volume.log.as_deref());
    print(&plan::section(load, popularity.as_ref(), &profiles));
    Ok(0)
}

fn built(
    made_of: &MadeOf,
    volume: &Volume,
    out: Option<PathBuf>,
    force: bool,
    place: &Place,
    owned: &Owned,
) -> Result<u8, String> {
    let out = match out {
        Some(path) if path == Path::new("-") => None,
        Some(path) => Some(path),
        None => Some(place.folder().scenario()),
    };
    let built = made_of.building(volume, owned, out.clone(), force)?.build()?;
    match out {
        Some(path) => print(&format!(
            "{} has {} requests; {} left out, as it says at its end\n",
            path.display(),
            built.requests,
            built.left_out
        )),
        None => print(&built.text),
    }
    Ok(0)
}

fn ready(file: &ScenarioFile, owned: &Owned) -> Result<u8, String> {
    let scenario = Scenario::file(&file.path())?.at(file.target.as_deref());
    let readiness = setup::check(&scenario, &owned.i_own_this_target)?;
    print(&readiness.words);
    Ok(if readiness.all_well { 0 } else { NOT_READY })
}

fn run(file: &ScenarioFile, load: &Load, way: &Way, judging: &Judging, output: &Output) -> Result<u8, String> {
    let path = file.path();
    let read = |target: Option<&String>| {
        overlay::scenario(&path, load, way).map(|scenario| scenario.at(target.map(String::as_str)))
    };
    let named = load.profile.is_some() || load.rate.is_some() || load.users.is_some();
    running::run(&Wish {
        name: path.display().to_string(),
        scenario: read(file.target.as_ref())?,
        against: judging.against.as_ref().map(|url| read(Some(url))).transpose()?,
        profile: named.then(|| load.profile().word().to_owned()),
        judging: judging.wish(),
        output: output.wish(),
        owned: way.owned.i_own_this_target.clone(),
        folder: Some(file.place.folder()),
    })
}

fn all(
    made_of: &MadeOf,
    volume: &Volume,
    place: &Place,
    owned: &Owned,
    profile: String,
    judging: &Judging,
    output: &Output,
) -> Result<u8, String> {
    let folder = place.folder();
    let stage = |name: &str| complain(&format!("-- {name}"));
    stage("env");
    complain(&environment::describe(&folder)?);
    let scenario = folder.scenario();
    if scenario.is_file() {
        stage("metrics, plan, build: the scenario that is there");
    } else {
        stage("metrics, plan, build");
        let built = made_of
            .building(volume, owned, Some(scenario.clone()), false)?
            .build()?;
        complain(&format!(
            "{}: {} requests, {} left out",
            scenario.display(),
            built.requests,
            built.left_out
        ));
    }
    stage("setup");
    let readiness = setup::check(&Scenario::file(&scenario)?, &owned.i_own_this_target)?;
    complain(&readiness.words);
    if !readiness.all_well {
        return Ok(NOT_READY);
    }
    stage("run, compare");
    let usual = baselines::named(&*folder.baselines()?, "default")?;
    let mut judging = judging.wish();
    if judging.baseline.is_none() && !usual.is_empty() {
        judging.baseline = Some("default".to_owned());
    }
    running::run(&Wish {
        name: scenario.display().to_string(),
        scenario: Scenario::file(&scenario)?,
        against: None,
        profile: Some(profile),
        judging,
        output: output.wish(),
        owned: owned.i_own_this_target.clone(),
        folder: Some(folder),
    })
}
