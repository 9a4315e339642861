//! `portcullis bench`: how a server takes load, in one line or in stages.

mod once;
mod options;
mod overlay;
mod policies;
mod stages;

use std::process::ExitCode;

use clap::Args;

use self::options::{Asked, Judging, Load, Output, Way};
use self::stages::Stage;
use super::complain;

/// The exit code when nothing could be run; what a run is worth has others.
const COULD_NOT_RUN: u8 = 1;

// Lines of examples fit into 80 columns, because a narrow terminal breaks longer ones anywhere.
pub(super) const EXAMPLES: &str = "Examples:
  portcullis bench http://127.0.0.1:8080/
  portcullis bench http://127.0.0.1:8080/ --rate 5k --for 30s
  portcullis bench http://127.0.0.1:8080/ --rate 1k -O 'p99 < 50ms'
  portcullis bench http://127.0.0.1:8080/ --users 50    as fast as it goes
  portcullis bench http://127.0.0.1:8080/ --profile capacity -O 'p99 < 20ms'
  portcullis bench http://127.0.0.1:8080/ --against http://127.0.0.1:8081/
  portcullis bench https://shop.example/ --i-own-this-target shop.example

The seven stages, which leave their files in the folder bench:
  portcullis bench env           the machine, and what it is at its best
  portcullis bench metrics       what must hold, from the routes of a gate
  portcullis bench plan          how much load, from a log where there is one
  portcullis bench build         the requests, into bench/bench.yaml
  portcullis bench setup         whether all is ready
  portcullis bench run           the load, into bench/runs
  portcullis bench compare A B   whether B is better or worse than A
  portcullis bench all           all of them, for the gate of portcullis.yaml

Whether limits, circuit breakers and the rest do what a gate's file says:
  portcullis bench policies

Exit codes:
  0  it was measured, and every objective was met
  1  it could not be run, and standard error says why
  2  a wrong use of the command line
  3  an objective was missed, or it has become worse
  4  nothing can be said: the load generator was at its limit, the run was
     interrupted, or there are too few runs to compare";

/// What to load, and how; or a stage.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_value_name = "STAGE",
    subcommand_help_heading = "Stages"
)]
pub(super) struct Bench {
    #[command(subcommand)]
    stage: Option<Stage>,
    /// What to ask for: `http://127.0.0.1:8080/items?page=2`. `{{random 1..1000}}`, `{{uuid}}` and `{{number}}` in it are
    /// different each time.
    #[arg(required = true)]
    url: Option<String>,
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    way: Way,
    #[command(flatten)]
    judging: Judging,
    #[command(flatten)]
    output: Output,
}

/// `portcullis bench`.
pub(super) fn run(bench: Bench) -> ExitCode {
    let outcome = match (bench.stage, bench.url) {
        (Some(stage), _) => stage.run(),
        (None, Some(url)) => once::run(
            &url,
            &bench.asked,
            &bench.load,
            &bench.way,
            &bench.judging,
            &bench.output,
        ),
        (None, None) => Err("name a URL or a stage".to_owned()),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            complain(&why);
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}
