//! `cargo xtask bench storm`: how many retries a service that is down gets, and how soon its clients are served when it is back.

mod count;
mod table;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::count::Counted;
use super::options::Options;
use super::steady::Programs;
use super::steady::client::Client;
use super::steady::place::{Folder, ports};
use super::steady::report::{SLICE, Stream, float};
use super::steady::subject::{Job, Kind, Subject};
use super::steady::target::{Target, Work};

/// Many at a time, so that the targets aren't what limits.
const WORK: Work = Work {
    time: Duration::from_millis(1),
    places: 10_000,
};

const TARGETS: usize = 3;

/// Requests in a second.
const RATE: u32 = 5000;

/// For how many seconds all is well before the service is down, and again after.
const BEFORE: u32 = 3;
const AFTER: u32 = 5;

/// What our budget allows: a share of the requests, and so many in each second.
const SHARE: f64 = 0.2;
const EACH_SECOND: f64 = 10.0;

/// How soon clients must be served again, and how many of them.
const RECOVERY: Duration = Duration::from_secs(2);
const SERVED: f64 = 0.99;

/// In which way a service is down.
#[derive(Clone, Copy, PartialEq)]
enum Down {
    /// Its processes are gone: connections are refused.
    Gone,
    /// It answers with 503.
    Unavailable,
    /// It takes requests and resets their connections.
    Resets,
}

impl Down {
    const ALL: [Down; 3] = [Down::Gone, Down::Unavailable, Down::Resets];

    fn title(self) -> &'static str {
        match self {
            Down::Gone => "connections are refused",
            Down::Unavailable => "503 at once",
            Down::Resets => "connections are reset",
        }
    }
}

/// A proxy in a configuration.
struct Contender {
    name: &'static str,
    kind: Kind,
    /// What its template says of retries.
    retries: &'static str,
}

const CONTENDERS: &[Contender] = &[
    Contender {
        name: "portcullis",
        kind: Kind::Portcullis,
        retries: "",
    },
    Contender {
        name: "envoy, retry_budget 20 %",
        kind: Kind::Envoy,
        retries: "retry_budget: {budget_percent: {value: 20}, min_retry_concurrency: 3}",
    },
    Contender {
        name: "envoy, max_retries 3 (its default)",
        kind: Kind::Envoy,
        retries: "max_retries: 3",
    },
    Contender {
        name: "envoy, max_retries 100000",
        kind: Kind::Envoy,
        retries: "max_retries: 100000",
    },
    Contender {
        name: "haproxy, retries 3",
        kind: Kind::Haproxy,
        retries: "",
    },
];

/// One run.
struct Round {
    /// Requests that were due while the service was down.
    requests: f64,
    /// What came to the targets meanwhile, refused connections included.
    attempts: f64,
    /// What the proxy itself counts as retries, where it does.
    retries: Option<f64>,
    /// The share of requests that were served before, and the latency that 99 of 100 didn't exceed over all of it, in microseconds.
    served_before: f64,
    p99: Option<u64>,
    /// How much later than they were due 99 of 100 requests began, in microseconds.
    late: Option<u64>,
    /// From the service's return until its clients were served, as far as it can be seen.
    recovered: Option<Duration>,
}

/// Lets each proxy's service be down in each way and prints what came of it.
///
/// # Errors
/// When ours can't be measured, exceeds its budget, or takes too long to recover.
pub(super) fn run(words: &[&str]) -> Result<(), String> {
    let options = Options::parse_with(1, 10, words)?;
    let programs = Programs::build(&options)?;
    let place = Folder::make()?;
    let wanted = |contender: &&Contender| match &options.peers {
        Some(peers) => contender.kind == Kind::Portcullis || peers.iter().any(|peer| peer == contender.kind.name()),
        None => true,
    };
    let contenders: Vec<&Contender> = CONTENDERS.iter().filter(wanted).collect();
    let mut broken = Vec::new();
    table::print_heading(&options);
    for down in Down::ALL {
        let mut scores: Vec<Result<Vec<Round>, String>> = contenders.iter().map(|_| Ok(Vec::new())).collect();
        for _ in 0..options.rounds {
            for (contender, score) in contenders.iter().zip(&mut scores) {
                let Ok(rounds) = score else { continue };
                let measured = match programs.of(contender.kind) {
                    Some(program) => round(contender, program, down, &programs, &place, &options),
                    None => Err("isn't installed".to_owned()),
                };
                match measured {
                    Ok(round) => rounds.push(round),
                    Err(reason) => *score = Err(reason),
                }
            }
        }
        table::print(&options, down, &contenders, &scores);
        broken.extend(judge(down, &scores[0], &options));
    }
    if broken.is_empty() {
        println!("\nportcullis: every retry is paid for by the budget, and clients are served within 2 s: holds");
        Ok(())
    } else {
        Err(format!("bench storm: {}", broken.join("; ")))
    }
}

fn round(
    contender: &Contender,
    program: PathBuf,
    down: Down,
    programs: &Programs,
    place: &Folder,
    options: &Options,
) -> Result<Round, String> {
    let ports: [u16; TARGETS] = ports()?;
    let mut targets = Vec::with_capacity(TARGETS);
    for port in ports {
        targets.push(Target::start(&programs.load, port, WORK)?);
    }
    let job = Job {
        templates: "storm",
        targets: &ports,
        words: &[("RETRIES", contender.retries.to_owned())],
        threads: 1,
    };
    let subject = Subject::start(contender.kind, program, place.path(), &job)?;
    let rate = options.rate.unwrap_or(RATE);
    let streams = [format!("get=http1,{},GET,/item/*,{rate}", subject.address())];
    let whole = BEFORE + options.seconds + AFTER;
    let client = Client::start(&programs.load, whole, &streams)?;
    let start = client.start;
    let wait_until = |at: Instant| std::thread::sleep(at.saturating_duration_since(Instant::now()));
    wait_until(start + Duration::from_secs(BEFORE.into()));
    let before = Counted::now(&subject, &mut targets, down)?;
    let fell = start.elapsed();
    fall(&mut targets, down)?;
    wait_until(start + Duration::from_secs((BEFORE + options.seconds).into()));
    let during = Counted::now(&subject, &mut targets, down)?.since(&before);
    rise(&mut targets, down)?;
    let rose = start.elapsed();
    let mut report = client.finish()?;
    let stream = report.streams.pop().ok_or("the load reports nothing")?;
    let (done, failed) = between(&stream, Duration::ZERO, fell);
    let (also_done, also_failed) = between(&stream, fell, rose);
    Ok(Round {
        requests: float(also_done + also_failed),
        attempts: during.attempts,
        retries: during.retries,
        served_before: float(done) / float((done + failed).max(1)),
        p99: stream.p99,
        late: stream.late,
        recovered: recovery(&stream.slices, rose),
    })
}

fn fall(targets: &mut [Target], down: Down) -> Result<(), String> {
    for target in targets {
        match down {
            Down::Gone => target.kill(),
            Down::Unavailable => drop(target.command("mode unavailable")?),
            Down::Resets => drop(target.command("mode reset")?),
        }
    }
    Ok(())
}

fn rise(targets: &mut [Target], down: Down) -> Result<(), String> {
    for target in targets {
        match down {
            Down::Gone => target.revive()?,
            Down::Unavailable | Down::Resets => drop(target.command("mode well")?),
        }
    }
    Ok(())
}

/// How many of the requests that were due between two times were done, and how many failed.
fn between(stream: &Stream, from: Duration, to: Duration) -> (u64, u64) {
    let slice = |time: Duration| usize::try_from(time.as_millis() / u128::from(SLICE)).unwrap_or(usize::MAX);
    let slices = stream.slices.iter().take(slice(to)).skip(slice(from));
    slices.fold((0, 0), |(done, failed), slice| (done + slice[0], failed + slice[1]))
}

/// From the service's return to the first slice of time from which on enough requests were served, to the end and in that slice.
fn recovery(slices: &[[u64; 2]], rose: Duration) -> Option<Duration> {
    let served = |done: u64, failed: u64| done > 0 && float(done) >= SERVED * float(done + failed);
    let first = usize::try_from(rose.as_millis() / u128::from(SLICE)).unwrap_or(usize::MAX);
    let (mut done, mut failed) = (0, 0);
    let mut found = None;
    for (number, slice) in slices.iter().enumerate().skip(first).rev() {
        done += slice[0];
        failed += slice[1];
        if served(done, failed) && served(slice[0], slice[1]) {
            found = Some(number);
        }
    }
    let begins = Duration::from_millis(SLICE * u64::try_from(found?).ok()?);
    Some(begins.saturating_sub(rose))
}

/// How many retries the budget allows over the time that the service is down. That begins and ends within slices, which are given
/// to it.
fn allowed(round: &Round, options: &Options) -> f64 {
    let whole = f64::from(options.seconds);
    let ends = 2.0 * Duration::from_millis(SLICE).as_secs_f64();
    (SHARE * round.requests / whole + EACH_SECOND) * (whole + ends)
}

/// What doesn't hold of ours.
fn judge(down: Down, score: &Result<Vec<Round>, String>, options: &Options) -> Vec<String> {
    let rounds = match score {
        Ok(rounds) => rounds,
        Err(reason) => return vec![format!("{}: {reason}", down.title())],
    };
    let mut broken = Vec::new();
    for round in rounds {
        let most = allowed(round, options);
        if round.retries.is_some_and(|retries| retries > most) || round.attempts - round.requests > most {
            broken.push(format!("{}: more retries than the budget allows", down.title()));
        }
        if round.recovered.is_none_or(|time| time > RECOVERY) {
            broken.push(format!("{}: clients are not served after 2 s", down.title()));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_is_when_enough_are_served_from_then_on() {
        let slices = [[100, 0], [0, 100], [0, 100], [50, 50], [99, 1], [100, 0], [100, 0]];
        let at = |milliseconds| Duration::from_millis(milliseconds);
        assert_eq!(recovery(&slices, at(250)), Some(at(150)));
        assert_eq!(recovery(&slices, at(450)), Some(at(0)));
        assert_eq!(recovery(&slices[..4], at(250)), None);
    }
}
