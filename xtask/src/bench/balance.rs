//! `cargo xtask bench balance`: how well each algorithm does without a target that is ten times slower than the others.

use std::path::PathBuf;
use std::time::Duration;

use super::options::Options;
use super::steady::Programs;
use super::steady::client::Client;
use super::steady::place::{Folder, ports};
use super::steady::report::{Stream, float, lateness, milliseconds, over_rounds};
use super::steady::subject::{Job, Kind, Subject};
use super::steady::target::{Target, Work};
use super::table::{in_one_line, middle, print_heading};

/// What a request costs a target, and how many it does at a time: 2,560 in a second.
const QUICK: Work = Work {
    time: Duration::from_millis(5),
    places: 16,
};

/// The slow one does 320 in a second, which is more than its part of all requests. So no algorithm drives it into a queue that
/// grows and grows, and what is compared is how often each would choose it.
const SLOW: Work = Work {
    time: Duration::from_millis(50),
    places: 16,
};

const TARGETS: usize = 5;

/// Which of them is slow: neither the first nor the last, in case either is special to somebody.
const SLOW_ONE: usize = 2;

/// Requests in a second.
const RATE: u32 = 1000;

/// For so many seconds before it counts, so that what an algorithm learns has been learnt.
const WARM_UP: u32 = 2;

/// A proxy with an algorithm, in the proxy's own words.
struct Contender {
    kind: Kind,
    algorithm: &'static str,
    words: &'static str,
}

const fn contender(kind: Kind, algorithm: &'static str, words: &'static str) -> Contender {
    Contender { kind, algorithm, words }
}

const CONTENDERS: &[Contender] = &[
    contender(Kind::Portcullis, "round_robin", "round_robin"),
    contender(Kind::Portcullis, "random", "random"),
    contender(Kind::Portcullis, "least_request", "least_request"),
    contender(Kind::Portcullis, "ewma", "ewma"),
    contender(
        Kind::Portcullis,
        "consistent_hash by path",
        "{algorithm: consistent_hash, by: path}",
    ),
    contender(
        Kind::Portcullis,
        "consistent_hash by path, bounded_load 125%",
        "{algorithm: consistent_hash, by: path, bounded_load: 125%}",
    ),
    contender(Kind::Envoy, "ROUND_ROBIN", "ROUND_ROBIN"),
    contender(Kind::Envoy, "LEAST_REQUEST", "LEAST_REQUEST"),
    contender(Kind::Haproxy, "roundrobin", "roundrobin"),
    contender(Kind::Haproxy, "random(2)", "random(2)"),
    contender(Kind::Haproxy, "leastconn", "leastconn"),
    contender(Kind::Nginx, "round robin", ""),
    contender(Kind::Nginx, "least_conn", "least_conn;"),
];

/// What one run came to.
struct Round {
    stream: Stream,
    /// The share of the requests that the slow target had.
    slow: f64,
}

/// Runs each proxy with each algorithm in turn and prints what latency clients see.
///
/// # Errors
/// When ours can't be measured.
pub(super) fn run(words: &[&str]) -> Result<(), String> {
    let options = Options::parse_with(3, 8, words)?;
    let programs = Programs::build(&options)?;
    let place = Folder::make()?;
    let wanted = |contender: &&Contender| match &options.peers {
        Some(peers) => contender.kind == Kind::Portcullis || peers.iter().any(|peer| peer == contender.kind.name()),
        None => true,
    };
    let contenders: Vec<&Contender> = CONTENDERS.iter().filter(wanted).collect();
    let mut scores: Vec<Result<Vec<Round>, String>> = contenders.iter().map(|_| Ok(Vec::new())).collect();
    for _ in 0..options.rounds {
        for (contender, score) in contenders.iter().zip(&mut scores) {
            let Ok(rounds) = score else { continue };
            let measured = match programs.of(contender.kind) {
                Some(program) => round(contender, program, &programs, &place, &options),
                None => Err("isn't installed".to_owned()),
            };
            match measured {
                Ok(round) => rounds.push(round),
                Err(reason) => *score = Err(reason),
            }
        }
    }
    print(&options, &contenders, &scores);
    let ours = contenders
        .iter()
        .zip(scores)
        .filter(|(contender, _)| contender.kind == Kind::Portcullis);
    for (contender, score) in ours {
        score.map_err(|reason| format!("bench balance: {}: {reason}", contender.algorithm))?;
    }
    Ok(())
}

fn round(
    contender: &Contender,
    program: PathBuf,
    programs: &Programs,
    place: &Folder,
    options: &Options,
) -> Result<Round, String> {
    let ports: [u16; TARGETS] = ports()?;
    let mut targets = Vec::with_capacity(TARGETS);
    for (number, port) in ports.iter().enumerate() {
        let work = if number == SLOW_ONE { SLOW } else { QUICK };
        targets.push(Target::start(&programs.load, *port, work)?);
    }
    let job = Job {
        templates: "balance",
        targets: &ports,
        words: &[("BALANCE", contender.words.to_owned())],
        threads: 1,
    };
    let subject = Subject::start(contender.kind, program, place.path(), &job)?;
    let streams = [format!(
        "get=http1,{},GET,/item/*,{}",
        subject.address(),
        options.rate.unwrap_or(RATE)
    )];
    Client::start(&programs.load, WARM_UP, &streams)?.finish()?;
    let before = requests(&mut targets)?;
    let mut report = Client::start(&programs.load, options.seconds, &streams)?.finish()?;
    let after = requests(&mut targets)?;
    let had: Vec<u64> = after
        .iter()
        .zip(&before)
        .map(|(after, before)| after - before)
        .collect();
    Ok(Round {
        slow: float(had[SLOW_ONE]) / float(had.iter().sum()),
        stream: report.streams.pop().ok_or("the load reports nothing")?,
    })
}

fn requests(targets: &mut [Target]) -> Result<Vec<u64>, String> {
    targets.iter_mut().map(Target::requests).collect()
}

fn print(options: &Options, contenders: &[&Contender], scores: &[Result<Vec<Round>, String>]) {
    print_heading(
        options,
        &format!(
            " of {} s at {} requests in a second",
            options.seconds,
            options.rate.unwrap_or(RATE)
        ),
    );
    println!(
        "\n| one of {TARGETS} targets 10 × slower | p50, ms | p99, ms | max, ms | to the slow target | failed | load late by (p99), ms |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (contender, score) in contenders.iter().zip(scores) {
        let name = format!("{}, {}", contender.kind.name(), contender.algorithm);
        let rounds = match score {
            Ok(rounds) => rounds,
            Err(reason) => {
                println!("| {name} | {} | | | | | |", in_one_line(reason));
                continue;
            }
        };
        let streams = || rounds.iter().map(|round| &round.stream);
        let failed: u64 = streams().map(|stream| stream.sent - stream.done).sum();
        println!(
            "| {name} | {} | {} | {} | {:.1} % | {failed} | {} |",
            milliseconds(over_rounds(streams(), |stream| stream.p50)),
            milliseconds(over_rounds(streams(), |stream| stream.p99)),
            milliseconds(over_rounds(streams(), |stream| stream.max)),
            middle(rounds.iter().map(|round| round.slow).collect()) * 100.0,
            lateness(streams()),
        );
    }
}
