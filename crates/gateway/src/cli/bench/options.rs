//! Options that several ways of loading a server have in common.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::bench::running;
use crate::bench::running::results::{self, Format};

/// What a request is like.
#[derive(Args)]
#[command(next_help_heading = "Request")]
pub(super) struct Asked {
    /// The method. By default GET, or POST where there is content.
    #[arg(short = 'X', long = "method", value_name = "METHOD")]
    pub(super) method: Option<String>,
    /// A header field: `-H 'Accept: application/json'`.
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    pub(super) headers: Vec<String>,
    /// The content of each request.
    #[arg(short = 'd', long, value_name = "TEXT")]
    pub(super) body: Option<String>,
    /// A file with the content of each request.
    #[arg(short = 'D', long, value_name = "FILE", conflicts_with = "body")]
    pub(super) body_file: Option<PathBuf>,
}

/// How much load there is, and when.
#[derive(Args, Clone)]
#[command(next_help_heading = "Load")]
pub(super) struct Load {
    /// Requests a second, whatever becomes of them: `500`, `5k`. By default 100 for a URL. For `spike` it is the base, of which
    /// the peak is five times; for `stress` where it begins.
    #[arg(short = 'r', long, value_name = "RATE", conflicts_with = "users")]
    pub(super) rate: Option<String>,
    /// Users in the place of a rate: each asks again when the answer is there. A server that stands still gets no requests
    /// meanwhile, and so hides that it did.
    #[arg(short = 'u', long, value_name = "N")]
    pub(super) users: Option<u32>,
    /// How long: `30s`, `5m`. For `stress` and `capacity`, of each step.
    #[arg(long = "for", short = 'z', value_name = "TIME")]
    pub(super) lasts: Option<String>,
    /// How load comes.
    #[arg(short, long, value_enum)]
    pub(super) profile: Option<ProfileName>,
    /// The highest rate of `spike`, `stress` and `capacity`.
    #[arg(long, value_name = "RATE")]
    pub(super) peak: Option<String>,
    /// Time before that doesn't count. By default 5s, or none for less than 10s.
    #[arg(long, value_name = "TIME")]
    pub(super) warm_up: Option<String>,
}

/// How load comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProfileName {
    /// A few requests, one at a time: does it work?
    Smoke,
    /// A constant rate: does it hold?
    Load,
    /// Steps upwards: when does it break, and how?
    Stress,
    /// A base, a sudden peak, the base again: how long until it has recovered?
    Spike,
    /// A constant rate for long: does it leak or slow down?
    Soak,
    /// The highest rate at which the objectives are met.
    Capacity,
    /// So many users, each waiting for answers.
    Closed,
    /// What a log says, at its own speed or another. In a file of scenarios only.
    Replay,
}

impl ProfileName {
    /// Its key in a file.
    pub(super) fn word(self) -> &'static str {
        match self {
            ProfileName::Smoke => "smoke",
            ProfileName::Load => "load",
            ProfileName::Stress => "stress",
            ProfileName::Spike => "spike",
            ProfileName::Soak => "soak",
            ProfileName::Capacity => "capacity",
            ProfileName::Closed => "closed",
            ProfileName::Replay => "replay",
        }
    }
}

/// How the target is reached.
#[derive(Args)]
#[command(next_help_heading = "Connections")]
pub(super) struct Way {
    /// The most connections.
    #[arg(short = 'c', long, value_name = "N")]
    pub(super) connections: Option<u32>,
    /// The most requests in progress on a connection of HTTP/2 or HTTP/3.
    #[arg(long, value_name = "N")]
    pub(super) streams: Option<u32>,
    /// Threads that make the load. By default one for each processor.
    #[arg(short = 't', long, value_name = "N")]
    pub(super) threads: Option<u32>,
    /// The version of HTTP.
    #[arg(long, value_enum)]
    pub(super) protocol: Option<ProtocolName>,
    /// How long a request may take.
    #[arg(long, value_name = "TIME")]
    pub(super) timeout: Option<String>,
    /// A new connection for each request.
    #[arg(long)]
    pub(super) fresh_connections: bool,
    /// Take any certificate.
    #[arg(short = 'k', long)]
    pub(super) insecure: bool,
    /// Authorities of the target's certificate, as PEM. By default those of the system.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub(super) cacert: Option<PathBuf>,
    /// The certificate to show, as PEM.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) cert: Option<PathBuf>,
    /// Its key, as PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,
    #[command(flatten)]
    pub(super) owned: Owned,
}

/// Whose the target is.
#[derive(Args)]
pub(super) struct Owned {
    /// Say that this host is yours to load. Only this machine and private networks need no such word.
    #[arg(long, value_name = "HOST")]
    pub(super) i_own_this_target: Vec<String>,
}

/// The version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProtocolName {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; in clear text without asking first.
    Http2,
    /// HTTP/3.
    Http3,
}

impl ProtocolName {
    /// Its word in a file.
    pub(super) fn word(self) -> &'static str {
        match self {
            ProtocolName::Http1 => "http1",
            ProtocolName::Http2 => "http2",
            ProtocolName::Http3 => "http3",
        }
    }
}

/// What is judged, and by what.
#[derive(Args)]
#[command(next_help_heading = "Judging")]
pub(super) struct Judging {
    /// What must hold: `p99 < 50ms`, `errors < 0.1%`, `rate >= 4k`. May be given several times.
    #[arg(short = 'O', long = "objective", value_name = "OBJECTIVE")]
    pub(super) objectives: Vec<String>,
    /// Compare with runs that were kept: a name, or a file of runs.
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) baseline: Option<String>,
    /// Compare with another target, in turn with this one, within one session.
    #[arg(long, value_name = "URL", conflicts_with = "baseline")]
    pub(super) against: Option<String>,
    /// How many runs. By default 1; where something is compared 5, with which a change can be told from chance.
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(super) runs: Option<u32>,
    /// The smallest change that counts, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = percent)]
    pub(super) min_effect: f64,
    /// A process to watch: its processor time, memory and open files.
    #[arg(long, value_name = "PID")]
    pub(super) pid: Option<u32>,
    /// Compare even what was measured on another machine or in another way.
    #[arg(long)]
    pub(super) force: bool,
}

/// Where results go.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// How to write the result to standard output. What goes on meanwhile is on standard error.
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
    /// Write a page with charts to this file.
    #[arg(long, value_name = "FILE.html")]
    pub(super) report: Option<PathBuf>,
    /// Write the run to this file, to look at it or compare with it later.
    #[arg(short = 'o', long, value_name = "FILE.json")]
    pub(super) out: Option<PathBuf>,
    /// Show nothing meanwhile.
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// A change in percent. One that can't be, or that everything is smaller than, would make any answer come out.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').parse::<f64>().ok();
    let fits = number.filter(|number| (0.0..=100.0).contains(number));
    fits.ok_or_else(|| "write a number from 0 to 100".to_owned())
}

impl Judging {
    /// What is judged, without how it was written.
    pub(super) fn wish(&self) -> running::Judging {
        running::Judging {
            objectives: self.objectives.clone(),
            baseline: self.baseline.clone(),
            runs: self.runs,
            min_effect: self.min_effect / 100.0,
            pid: self.pid,
            force: self.force,
        }
    }
}

impl Output {
    /// Where results go, without how it was written.
    pub(super) fn wish(&self) -> results::Output {
        results::Output {
            format: self.format,
            page: self.report.clone(),
            out: self.out.clone(),
            quiet: self.quiet,
        }
    }
}
