//! `portcullis bench policies`.

use std::path::PathBuf;

use clap::Args;

use super::options::Output;
use crate::bench::policies::{Subject, Wanted};
use crate::bench::stages::build;
use crate::cli::DEFAULT_FILE;

/// Which policies are tested, and what is known of requests.
#[derive(Args)]
pub(super) struct Policies {
    /// The gate's file.
    #[arg(default_value = DEFAULT_FILE)]
    file: PathBuf,
    /// Test this route only, and the service that it leads to.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Test this kind only. May be given several times.
    #[arg(long, value_enum, value_name = "KIND")]
    only: Vec<Subject>,
    /// The value of a parameter: `--value id=7`.
    #[arg(long = "value", value_name = "NAME=VALUE")]
    values: Vec<String>,
    /// A field for every request, such as one with a credential. `${VARIABLE}` at its end is replaced by what the environment
    /// has, so that no secret stands in a list of processes.
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    #[command(flatten)]
    output: Output,
}

impl Policies {
    /// Tests, and gives the exit code.
    pub(super) fn run(self) -> Result<u8, String> {
        let headers: Vec<String> = self
            .headers
            .iter()
            .map(|field| with_variable(field))
            .collect::<Result<_, _>>()?;
        let wanted = Wanted {
            file: self.file,
            route: self.route,
            only: self.only,
            wish: build::wish(false, &self.values, &headers)?,
            output: self.output.wish(),
        };
        wanted.run()
    }
}

/// A field with the variable at its end replaced.
fn with_variable(field: &str) -> Result<String, String> {
    let Some((before, name)) = field.strip_suffix('}').and_then(|field| field.rsplit_once("${")) else {
        return Ok(field.to_owned());
    };
    match std::env::var(name) {
        Ok(value) => Ok(format!("{before}{value}")),
        Err(_) => Err(format!("the variable `{name}` of a --header is not set")),
    }
}
