//! Proxies at the same job, in turn: what each needs of a processor for one unit of it.

use std::path::{Path, PathBuf};

use super::bench_process;
use super::cases::{BARE, CASES, Case, Port, Variant, Work};
use super::load_process::{Done, Load};
use super::options::Options;
use super::process_tree;
use super::proxies::{CPU, Contender, Place, Proxy, find};
use super::table;
use crate::process;

/// Loads for this long before it counts, so that connections, memory and code are warm.
const WARM_UP: u32 = 1;

/// The proxies that take part, and why others don't.
pub(super) struct Field {
    pub(super) contenders: Vec<Contender>,
    /// Our program, which is one of them and loads all of them.
    pub(super) ours: PathBuf,
    pub(super) absent: Vec<String>,
}

/// What one round of one proxy cost.
pub(super) struct Sample {
    /// Microseconds of CPU for a unit, and the part of it that isn't the kernel's.
    pub(super) cost: f64,
    pub(super) user: f64,
    /// Units in a second.
    pub(super) rate: f64,
    /// How much of its processor the proxy had, and how much was taken by others, each up to 1.
    pub(super) busy: f64,
    pub(super) others: f64,
    pub(super) note: String,
}

/// All samples of a proxy at a variant, or why there are none.
pub(super) struct Score {
    pub(super) name: &'static str,
    pub(super) samples: Result<Vec<Sample>, String>,
}

/// The names of the cases.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name)
}

/// Measures a case and prints a table for each of its variants.
///
/// # Errors
/// When there is no such case, or ours can't be measured.
pub(super) fn run(name: &str, options: &Options) -> Result<(), String> {
    let case = CASES
        .iter()
        .find(|case| case.name == name)
        .ok_or_else(|| format!("there is no case `{name}`"))?;
    let load = Load::build(!options.debug)?;
    let field = field(case, options)?;
    let clients = Clients {
        bench: &field.ours,
        load: &load,
    };
    let place = Place::make()?;
    let upstream = load.upstream(case.upstream)?;
    let mut scores: Vec<Vec<Score>> = case.variants.iter().map(|_| blank(&field)).collect();
    for _ in 0..options.rounds {
        // In turn, so that what disturbs the machine for a while disturbs all.
        for (place_of, contender) in field.contenders.iter().enumerate() {
            let started = contender.start(&place, upstream.address);
            for (variant, scores) in case.variants.iter().zip(&mut scores) {
                let score = &mut scores[place_of].samples;
                let Ok(samples) = score else { continue };
                let sampled = started.as_ref().map_err(String::clone);
                match sampled.and_then(|proxy| sample(&clients, case, variant, proxy, options.seconds)) {
                    Ok(sample) => samples.push(sample),
                    Err(reason) => *score = Err(reason),
                }
            }
        }
    }
    table::print_heading(options, &format!(" of {} s", options.seconds));
    for (variant, scores) in case.variants.iter().zip(&scores) {
        table::print_scores(case, variant, scores);
    }
    table::print_absent(&field);
    match scores
        .into_iter()
        .find_map(|mut scores| scores.swap_remove(0).samples.err())
    {
        Some(reason) => Err(format!("bench {name}: {reason}")),
        None => Ok(()),
    }
}

fn blank(field: &Field) -> Vec<Score> {
    let contenders = field.contenders.iter();
    contenders
        .map(|contender| Score {
            name: contender.name,
            samples: Ok(Vec::new()),
        })
        .collect()
}

/// Ours, and the peers that are wanted, can do the job and are there.
///
/// # Errors
/// When ours can't be built, or a peer is wanted that the case doesn't know.
pub(super) fn field(case: &Case, options: &Options) -> Result<Field, String> {
    let ours = match std::env::var_os("PORTCULLIS") {
        Some(path) => path.into(),
        None => process::portcullis(!options.debug)?,
    };
    let mut field = Field {
        contenders: vec![Contender::new("portcullis", ours.clone(), case.ours)],
        ours: ours.clone(),
        absent: Vec::new(),
    };
    if let Some(wanted) = &options.peers {
        let known = |name: &&String| case.peers.iter().any(|peer| peer.name == **name);
        if let Some(stranger) = wanted.iter().find(|name| !known(name)) {
            let names: Vec<&str> = case.peers.iter().map(|peer| peer.name).collect();
            return Err(format!(
                "{} has no peer `{stranger}`; it has {}",
                case.name,
                names.join(", ")
            ));
        }
    }
    for peer in case.peers {
        let wanted = options.peers.as_ref();
        if wanted.is_some_and(|wanted| !wanted.iter().any(|name| name == peer.name)) {
            continue;
        }
        let program = if peer.name == BARE {
            Some(ours.clone())
        } else {
            find(peer.name)
        };
        match (peer.template, program) {
            (Err(reason), _) => field.absent.push(reason.to_owned()),
            (Ok(_), None) => field.absent.push(format!("{} isn't installed", peer.name)),
            (Ok(template), Some(program)) => field.contenders.push(Contender::new(peer.name, program, template)),
        }
    }
    Ok(field)
}

/// What loads the proxies.
struct Clients<'f> {
    bench: &'f Path,
    load: &'f Load,
}

impl Clients<'_> {
    fn run(&self, variant: &Variant, proxy: &Proxy, port: Port, seconds: u32) -> Result<Done, String> {
        match &variant.work {
            Work::Requests(path, words) => {
                bench_process::run(self.bench, proxy.address(port), port, path, words, seconds)
            }
            Work::Other(load, words) => self.load.run(load, words, proxy.address(port), seconds),
        }
    }
}

fn sample(
    clients: &Clients<'_>,
    case: &Case,
    variant: &Variant,
    proxy: &Proxy,
    seconds: u32,
) -> Result<Sample, String> {
    clients.run(variant, proxy, case.port, WARM_UP)?;
    let (before, all_before) = (process_tree::spent(proxy.pid()), process_tree::spent_by_cpu(CPU));
    let done = clients.run(variant, proxy, case.port, seconds)?;
    let spent = process_tree::spent(proxy.pid()).since(before);
    let all = process_tree::spent_by_cpu(CPU).saturating_sub(all_before);
    if done.count < 1.0 {
        return Err("nothing was done".to_owned());
    }
    Ok(Sample {
        cost: spent.whole().as_secs_f64() * 1e6 / done.count,
        user: spent.user.as_secs_f64() * 1e6 / done.count,
        rate: done.count / done.seconds,
        busy: spent.whole().as_secs_f64() / done.seconds,
        others: all.saturating_sub(spent.whole()).as_secs_f64() / done.seconds,
        note: done.note,
    })
}
