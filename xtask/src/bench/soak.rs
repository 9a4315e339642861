//! `cargo xtask bench soak`: what clients notice while targets fail, the configuration changes, and binaries are replaced.

mod changes;
mod faults;
mod score;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use self::score::Round;
use super::options::Options;
use super::steady::Programs;
use super::steady::client::Client;
use super::steady::place::{Folder, ports};
use super::steady::subject::{Job, Kind, Subject};
use super::steady::target::{Target, Work};

/// What a request costs a target that is well, and how many it does at a time.
const WORK: Work = Work {
    time: Duration::from_millis(2),
    places: 1000,
};

/// Requests in a second of each GET.
const RATE: u32 = 200;

/// Messages in a second over the WebSockets of each kind.
const MESSAGES: u32 = 100;

/// Several, so that a process that ends has connections on more than one thread.
const THREADS: u32 = 2;

/// A proxy in a configuration.
struct Contender {
    name: &'static str,
    kind: Kind,
    /// What stands in its template for what tells it from another one of its kind.
    words: &'static [(&'static str, &'static str)],
}

const CONTENDERS: &[Contender] = &[
    Contender {
        name: "portcullis",
        kind: Kind::Portcullis,
        words: &[],
    },
    Contender {
        name: "nginx",
        kind: Kind::Nginx,
        words: &[("SHUTDOWN", "")],
    },
    // Without it a second upgrade is refused for as long as a WebSocket keeps the process of the first alive.
    Contender {
        name: "nginx that cuts",
        kind: Kind::Nginx,
        words: &[("SHUTDOWN", "worker_shutdown_timeout 5s;")],
    },
    Contender {
        name: "haproxy",
        kind: Kind::Haproxy,
        words: &[],
    },
    Contender {
        name: "envoy",
        kind: Kind::Envoy,
        words: &[],
    },
    Contender {
        name: "traefik",
        kind: Kind::Traefik,
        words: &[],
    },
];

/// What came of a contender.
struct Score {
    name: &'static str,
    rounds: Result<Vec<Round>, String>,
}

/// Runs the scenario with each proxy in turn and prints what failed.
///
/// # Errors
/// When ours can't be measured, or a request that could be sent again failed.
pub(super) fn run(words: &[&str]) -> Result<(), String> {
    let options = Options::parse_with(1, 60, words)?;
    let programs = Programs::build(&options)?;
    let place = Folder::make()?;
    let wanted = |contender: &&Contender| match &options.peers {
        Some(peers) => contender.kind == Kind::Portcullis || peers.iter().any(|peer| peer == contender.kind.name()),
        None => true,
    };
    let contenders: Vec<&Contender> = CONTENDERS.iter().filter(wanted).collect();
    let mut scores: Vec<Score> = contenders
        .iter()
        .map(|contender| Score {
            name: contender.name,
            rounds: Ok(Vec::new()),
        })
        .collect();
    for _ in 0..options.rounds {
        for (contender, score) in contenders.iter().zip(&mut scores) {
            let Ok(rounds) = &mut score.rounds else { continue };
            let measured = match programs.of(contender.kind) {
                Some(program) => round(contender, program, &programs, &place, &options),
                None => Err("isn't installed".to_owned()),
            };
            match measured {
                Ok(round) => rounds.push(round),
                Err(reason) => score.rounds = Err(reason),
            }
        }
    }
    table::print(&options, &scores);
    verdict(&scores[0])
}

fn round(
    contender: &Contender,
    program: PathBuf,
    programs: &Programs,
    place: &Folder,
    options: &Options,
) -> Result<Round, String> {
    let [first, second, third, steady] = ports()?;
    let start = |port| Target::start(&programs.load, port, WORK);
    let mut targets = [start(first)?, start(second)?, start(third)?];
    let _steady = start(steady)?;
    let mut words = vec![("STEADY", steady.to_string())];
    words.extend(contender.words.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let job = Job {
        templates: "soak",
        targets: &[first, second, third],
        words: &words,
        threads: THREADS,
    };
    let mut subject = Subject::start(contender.kind, program, place.path(), &job)?;
    let streams = streams(&subject, options.rate.unwrap_or(RATE));
    let client = Client::start(&programs.load, options.seconds, &streams)?;
    let (begin, whole) = (client.start, Duration::from_secs(options.seconds.into()));
    let (faults, changes) = std::thread::scope(|scope| {
        let faults = scope.spawn(|| faults::commit(&mut targets, begin, whole));
        let changes = changes::make(&mut subject, begin, whole);
        (faults.join(), changes)
    });
    let faults = faults.map_err(|_| "the faults broke off".to_owned())??;
    let report = client.finish()?;
    Ok(Round {
        report,
        faults,
        changes,
        way: subject.way_of_upgrade(),
    })
}

fn streams(subject: &Subject, rate: u32) -> Vec<String> {
    let (clear, http2) = (subject.address(), subject.http2_address());
    let (half, quarter) = (rate / 2, rate / 4);
    vec![
        format!("h1-get=http1,{clear},GET,/item/*,{rate}"),
        format!("h1-put=http1,{clear},PUT,/item/*,{half}"),
        format!("h1-post=http1,{clear},POST,/item/*,{quarter}"),
        format!("h2-get=http2,{http2},GET,/item/*,{rate}"),
        format!("h2-put=http2,{http2},PUT,/item/*,{half}"),
        format!("ws-steady=websocket,{clear},GET,/steady,{MESSAGES}"),
        format!("ws-any=websocket,{clear},GET,/any,{MESSAGES}"),
    ]
}

/// Ours loses nothing that could be sent again.
fn verdict(ours: &Score) -> Result<(), String> {
    let rounds = ours.rounds.as_ref().map_err(|reason| format!("bench soak: {reason}"))?;
    let failed: u64 = rounds.iter().map(Round::failed).sum();
    let undone = rounds.iter().find(|round| !round.changes.all_done());
    match (failed, undone) {
        (0, None) => {
            println!("\n{}: 0 failed of what can be sent again: holds", ours.name);
            Ok(())
        }
        (0, Some(round)) => Err(format!("bench soak: {}", round.changes)),
        _ => Err(format!(
            "bench soak: {failed} failed of what can be sent again, and none may"
        )),
    }
}
