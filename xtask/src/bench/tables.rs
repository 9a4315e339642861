//! Tables as resources: the gate beside a service written by hand for the same tables, and beside what others make of tables, on
//! each engine.

mod engine;
mod measure;
mod report;
mod requests;
mod subject;

use std::collections::HashMap;
use std::path::PathBuf;

use self::engine::{Engine, Shop};
use self::measure::{Sample, sample};
use self::requests::Case;
use self::subject::{Kind, Subject};
use super::load_process::Load;
use super::options::Options;
use super::steady::place::Folder;
use super::steady::{Programs, subject::Kind as Proxy};
use super::{Line, proxies, table};
use crate::process;

/// What was measured of one on an engine, by case; or why there is nothing.
struct Score {
    kind: Kind,
    cases: HashMap<Case, Result<Vec<Sample>, String>>,
}

/// The programs that take part.
struct Field {
    load: Load,
    ours: PathBuf,
    by_hand: PathBuf,
    peers: Vec<(Kind, PathBuf)>,
    absent: Vec<Kind>,
}

/// Five rounds of two seconds for each case, on all engines or on the one that `--engine` names.
///
/// # Errors
/// When an option isn't understood, the service by hand doesn't start, or a requirement doesn't hold.
pub(super) fn run(words: &[&str]) -> Result<(), String> {
    let (engines, words) = engines(words)?;
    let options = Options::parse_with(5, 2, &words)?;
    let field = Field::gather(&options)?;
    let mut lines = Vec::new();
    table::print_heading(&options, &format!(" of {} s for each case", options.seconds));
    for engine in engines {
        let scores = contest(engine, &field, &options)?;
        report::print(engine, &scores);
        lines.extend(report::requirements(engine, &scores));
    }
    for kind in &field.absent {
        println!("\nNot compared: {} isn't installed.", kind.name());
    }
    println!();
    super::print_lines("tables", &lines)
}

/// Takes the engine out of the options.
fn engines<'w>(words: &[&'w str]) -> Result<(Vec<Engine>, Vec<&'w str>), String> {
    let Some(at) = words.iter().position(|word| *word == "--engine") else {
        return Ok((Engine::ALL.to_vec(), words.to_vec()));
    };
    let name = words.get(at + 1).copied().unwrap_or_default();
    let engine = Engine::ALL.into_iter().find(|engine| engine.name() == name);
    let engine = engine.ok_or_else(|| format!("`{name}` is no engine; there are sqlite, postgres and mariadb"))?;
    let rest = words[..at].iter().chain(&words[at + 2..]).copied().collect();
    Ok((vec![engine], rest))
}

impl Field {
    /// The variable `TABLES_BY_HAND` names a binary to take in place of one that is built now.
    fn gather(options: &Options) -> Result<Field, String> {
        let programs = Programs::build(options)?;
        let by_hand = match std::env::var_os("TABLES_BY_HAND") {
            Some(path) => path.into(),
            None => build_by_hand(options)?,
        };
        let wanted = |kind: &Kind| {
            let names = options.peers.as_ref();
            names.is_none_or(|names| names.iter().any(|name| name == kind.name()))
        };
        let (mut peers, mut absent) = (Vec::new(), Vec::new());
        for kind in Kind::PEERS.into_iter().filter(wanted) {
            match proxies::find(kind.name()) {
                Some(program) => peers.push((kind, program)),
                None => absent.push(kind),
            }
        }
        Ok(Field {
            ours: programs.of(Proxy::Portcullis).ok_or("there is no gate")?,
            load: Load::of(programs.load),
            by_hand,
            peers,
            absent,
        })
    }

    /// Those that can do something on an engine: ours, the one by hand, and then peers.
    fn contenders(&self, engine: Engine) -> impl Iterator<Item = (Kind, &PathBuf)> {
        let ours = [(Kind::Portcullis, &self.ours), (Kind::ByHand, &self.by_hand)];
        let peers = self.peers.iter().map(|(kind, program)| (*kind, program));
        ours.into_iter()
            .chain(peers)
            .filter(move |(kind, _)| kind.knows(engine))
    }
}

fn build_by_hand(options: &Options) -> Result<PathBuf, String> {
    let profile = if options.debug { "debug" } else { "release" };
    let mut command = process::command("cargo build --quiet --locked");
    command
        .arg("--manifest-path")
        .arg(process::root().join("conformance/peers/tables/handwritten/Cargo.toml"))
        .arg("--target-dir")
        .arg(process::target());
    if !options.debug {
        command.arg("--release");
    }
    process::run_command("cargo build of the service by hand", &mut command)?;
    Ok(process::target().join(profile).join("tables-by-hand"))
}

/// All of them on an engine: each has the cases in turn, in each round, so that what disturbs the machine for a while
/// disturbs all.
fn contest(engine: Engine, field: &Field, options: &Options) -> Result<Vec<Score>, String> {
    let folder = Folder::make()?;
    let shop = Shop::open(engine, folder.path())?;
    let start = |(kind, program): (Kind, &PathBuf)| (kind, Subject::start(kind, program, &shop, folder.path()));
    let subjects: Vec<(Kind, Result<Subject, String>)> = field.contenders(engine).map(start).collect();
    let by_hand = subjects.iter().find(|(kind, _)| *kind == Kind::ByHand);
    let by_hand = by_hand.ok_or("nothing was written by hand")?.1.as_ref()?;
    let mut scores: Vec<Score> = subjects
        .iter()
        .map(|(kind, subject)| Score::begin(*kind, subject, by_hand))
        .collect();
    for _ in 0..options.rounds {
        for case in Case::ALL {
            for ((_, subject), score) in subjects.iter().zip(&mut scores) {
                let (Ok(subject), Some(Ok(samples))) = (subject, score.cases.get_mut(&case)) else {
                    continue;
                };
                match sample(&field.load, subject, case, &shop, folder.path(), options.seconds) {
                    Ok(sample) => samples.push(sample),
                    Err(reason) => drop(score.cases.insert(case, Err(reason))),
                }
            }
        }
    }
    Ok(scores)
}

impl Score {
    /// A case has a place where it can be done, and is measured where it is answered as it must be.
    fn begin(kind: Kind, subject: &Result<Subject, String>, by_hand: &Subject) -> Score {
        let cases = Case::ALL.into_iter().filter_map(|case| {
            let request = requests::of(kind, case, 0)?;
            let checked = subject.as_ref().map_err(String::clone);
            let checked = checked.and_then(|subject| requests::check(subject, case, &request, by_hand));
            Some((case, checked.map(|()| Vec::new())))
        });
        Score {
            kind,
            cases: cases.collect(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_named_among_other_options() {
        let (named, rest) = engines(&["--rounds", "1", "--engine", "postgres", "--debug"]).unwrap();
        assert!(named == [Engine::Postgres] && rest == ["--rounds", "1", "--debug"]);
        assert_eq!(engines(&[]).unwrap().0.len(), 3);
        assert!(engines(&["--engine"]).is_err() && engines(&["--engine", "oracle"]).is_err());
    }
}
