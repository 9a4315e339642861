//! What loads, beside others that load: requests for each second of a processor's time, before one server that is as fast as
//! there are.

mod tool;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use self::tool::{Protocol, TOOLS, Tool};
use super::bench_process::CODES;
use super::cases::Port;
use super::options::Options;
use super::proxies::{CPU, Contender, Place, Proxy, find, pinned};
use super::steady::place::Folder;
use super::{Line, process_tree, table};
use crate::process;

/// What one round of one generator was.
struct Sample {
    requests: f64,
    seconds: f64,
    /// Seconds of its processor, and the part of them that isn't the kernel's.
    spent: f64,
    user: f64,
}

struct Score {
    tool: &'static Tool,
    program: PathBuf,
    samples: Result<Vec<Sample>, String>,
}

impl Score {
    /// Requests for a second of the processor's time, the median.
    fn each(&self) -> Option<f64> {
        let samples = self.samples.as_ref().ok()?;
        median_of(samples, |sample| sample.requests / sample.spent)
    }
}

/// Five rounds of three seconds, where nothing else is said.
///
/// # Errors
/// When ours or the server can't be run, or ours is behind where it must not be.
pub(super) fn run(words: &[&str]) -> Result<(), String> {
    let options = Options::parse(words)?;
    let nginx = find("nginx").ok_or("nginx isn't installed, which is the server")?;
    let place = Place::make()?;
    let folder = Folder::make()?;
    let server = Contender::new("nginx", nginx, "generators/nginx.conf.template");
    // It has nothing behind it.
    let server = server.start(&place, ([127, 0, 0, 1], 9).into())?;
    let (mut scores, absent) = field(&options)?;
    for _ in 0..options.rounds {
        for score in &mut scores {
            let Ok(samples) = &mut score.samples else { continue };
            match sample(score.tool, &score.program, &server, &folder, options.seconds) {
                Ok(sample) => samples.push(sample),
                Err(reason) => score.samples = Err(reason),
            }
        }
    }
    table::print_heading(&options, &format!(" of {} s", options.seconds));
    for protocol in [Protocol::Http1, Protocol::Http2] {
        print(protocol, &scores);
    }
    for name in absent {
        println!("\nNot compared: {name} isn't installed.");
    }
    println!();
    super::print_lines("generators", &requirements(&scores))
}

/// Those that are there, ours first, and the names of the others.
fn field(options: &Options) -> Result<(Vec<Score>, Vec<&'static str>), String> {
    let ours = match std::env::var_os("PORTCULLIS") {
        Some(path) => path.into(),
        None => process::portcullis(!options.debug)?,
    };
    let mut scores = Vec::new();
    let mut absent = Vec::new();
    for tool in TOOLS {
        let wanted = options.peers.as_ref();
        if !tool.ours && wanted.is_some_and(|wanted| !wanted.iter().any(|name| name == tool.program)) {
            continue;
        }
        let program = if tool.ours {
            Some(ours.clone())
        } else {
            find(tool.program)
        };
        match program {
            Some(program) => {
                let samples = Ok(Vec::new());
                scores.push(Score { tool, program, samples });
            }
            None => absent.push(tool.name),
        }
    }
    Ok((scores, absent))
}

fn sample(tool: &Tool, program: &Path, server: &Proxy, folder: &Folder, seconds: u32) -> Result<Sample, String> {
    let port = if tool.protocol == Protocol::Http1 {
        Port::Clear
    } else {
        Port::Tls
    };
    let url = format!("http://{}/", server.address(port));
    let mut command: Command = pinned(CPU + 1, program);
    (tool.arguments)(&mut command, &url, seconds, folder.path());
    let (before, began) = (process_tree::spent_by_ended_children(), Instant::now());
    let said = process::output_with(&mut command, &CODES)?;
    let seconds = began.elapsed().as_secs_f64();
    let spent = process_tree::spent_by_ended_children().since(before);
    let requests = (tool.count)(&said, folder.path()).ok_or_else(|| format!("{} said `{said}`", tool.name))?;
    if requests < 1.0 {
        return Err(format!("{} did nothing", tool.name));
    }
    Ok(Sample {
        requests,
        seconds,
        spent: spent.whole().as_secs_f64(),
        user: spent.user.as_secs_f64(),
    })
}

fn median_of(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Option<f64> {
    (!samples.is_empty()).then(|| table::middle(samples.iter().map(of).collect()))
}

fn ours(protocol: Protocol, scores: &[Score]) -> Option<&Score> {
    scores
        .iter()
        .find(|score| score.tool.ours && score.tool.protocol == protocol)
}

fn print(protocol: Protocol, scores: &[Score]) {
    let ours = ours(protocol, scores).and_then(Score::each);
    println!(
        "\n| {} | requests for a second of its processor | CPU µs per request | its user part | in a second | ours to it |\n\
         |---|---|---|---|---|---|",
        protocol.words()
    );
    for score in scores.iter().filter(|score| score.tool.protocol == protocol) {
        let samples = match &score.samples {
            Ok(samples) => samples,
            Err(reason) => {
                println!("| {} | | | | | {} |", score.tool.name, table::in_one_line(reason));
                continue;
            }
        };
        let of = |value: fn(&Sample) -> f64| median_of(samples, value).unwrap_or_default();
        println!(
            "| {} | {:.0} | {:.2} | {:.2} | {:.0} | {} |",
            score.tool.name,
            of(|sample| sample.requests / sample.spent),
            of(|sample| sample.spent * 1e6 / sample.requests),
            of(|sample| sample.user * 1e6 / sample.requests),
            of(|sample| sample.requests / sample.seconds),
            ours.zip(score.each())
                .map_or_else(String::new, |(ours, its)| format!("{:.2}", ours / its)),
        );
    }
}

fn requirements(scores: &[Score]) -> Vec<Line> {
    let mut lines = Vec::new();
    for score in scores {
        let (Some(least), Some(ours), Some(its)) = (
            score.tool.least,
            ours(score.tool.protocol, scores).and_then(Score::each),
            score.each(),
        ) else {
            continue;
        };
        lines.push(Line::new(
            format!("requests per CPU second, to {}", score.tool.name),
            format!("{:.2}", ours / its),
            format!("≥ {least}"),
            ours / its >= least,
        ));
    }
    lines
}
