//! The scenario: requests from routes, a description or a log, each tried once.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use portcullis_config::Loaded;

use super::{metrics, plan};
use crate::bench::draft::Draft;
use crate::bench::folder::write_once;
use crate::bench::promised::Promised;
use crate::bench::running::Scenario;
use crate::bench::scenario_file::ScenarioFile;
use crate::bench::sources::log::Log;
use crate::bench::sources::{Wish, openapi, routes};
use crate::bench::{dry_run, gate, ownership};

/// The most different requests of a log that become part of a scenario.
const MOST_OF_A_LOG: usize = 500;

/// What a scenario is made of.
pub(crate) struct Building {
    /// A gate's file.
    pub(crate) gate: Option<PathBuf>,
    /// A description of an API.
    pub(crate) openapi: Option<PathBuf>,
    /// An access log.
    pub(crate) log: Option<PathBuf>,
    /// The target, where it isn't the gate's first listener.
    pub(crate) target: Option<String>,
    /// The usual rate, where it isn't the log's.
    pub(crate) rate: Option<f64>,
    /// What was said about requests.
    pub(crate) wish: Wish,
    /// Whose targets may be asked.
    pub(crate) owned: Vec<String>,
    /// Whether each request is tried once.
    pub(crate) dry_run: bool,
    /// Where the scenario is written; nowhere but standard output without it.
    pub(crate) out: Option<PathBuf>,
    /// Whether it may take the place of another one.
    pub(crate) force: bool,
}

/// What was built.
pub(crate) struct Built {
    /// The text of the scenario.
    pub(crate) text: String,
    /// How many requests it has.
    pub(crate) requests: usize,
    /// How many routes, operations or lines were left out.
    pub(crate) left_out: usize,
}

impl Building {
    /// Makes the scenario, and writes it.
    ///
    /// # Errors
    /// When a source can't be read, no request comes of it, or the file is there already.
    pub(crate) fn build(&self) -> Result<Built, String> {
        let gate = self.gate.as_deref().map(gate::load).transpose()?;
        let target = match (&self.target, &gate) {
            (Some(target), _) => target.trim_end_matches('/').to_owned(),
            (None, Some(gate)) => gate::target(gate)?,
            (None, None) => return Err("whom to ask isn't known: give --target URL, or a gate's file".to_owned()),
        };
        let log = self.log.as_deref().map(read_log).transpose()?;
        let mut draft = self.draft(gate.as_ref(), log.as_ref())?;
        if self.dry_run {
            self.try_each(&target, &mut draft)?;
        }
        if draft.requests.is_empty() {
            return Err(nothing_left(&draft));
        }
        let (requests, left_out) = (draft.requests.len(), draft.left_out.len());
        let text = self.text(&target, gate.as_ref(), log.as_ref(), &draft);
        // What is written is what can be read.
        Scenario::parsed(&text, self.out.as_deref().unwrap_or("bench.yaml".as_ref()))?;
        if let Some(out) = &self.out {
            write_once(out, &text, self.force)?;
        }
        Ok(Built {
            text,
            requests,
            left_out,
        })
    }

    fn draft(&self, gate: Option<&Loaded>, log: Option<&Log>) -> Result<Draft, String> {
        if let Some(document) = &self.openapi {
            let folder = document.parent().unwrap_or("".as_ref());
            let name = document.file_name().unwrap_or_default().to_string_lossy();
            let draft = openapi::draft(&name, folder, None, &self.wish);
            return draft.map_err(|why| format!("{}: {why}", document.display()));
        }
        match (log, gate) {
            (Some(log), _) => Ok(log.draft(MOST_OF_A_LOG, &self.wish)),
            (None, Some(gate)) => Ok(routes::draft(gate, &self.wish)),
            (None, None) => Err("name a gate's file, --openapi FILE or --log FILE to make requests of".to_owned()),
        }
    }

    /// Asks for each request once, and leaves out what was made up and isn't known, or isn't as described.
    fn try_each(&self, target: &str, draft: &mut Draft) -> Result<(), String> {
        if draft.requests.is_empty() {
            return Ok(());
        }
        let text = self.text(target, None, None, draft);
        let compiled = Scenario::parsed(&text, "bench.yaml".as_ref())?.compiled()?;
        ownership::check(&compiled.plan.target, &self.owned)?;
        let promised = self.promised()?;
        let outcomes = dry_run::each(&compiled.plan)?;
        if let Some(Err(why)) = outcomes.iter().find(|_| outcomes.iter().all(Result::is_err)) {
            return Err(format!(
                "{target} doesn't answer: {why}. Start it, or leave the trial out by --no-dry-run"
            ));
        }
        let tried: Vec<_> = draft.requests.drain(..).zip(outcomes).collect();
        for (request, outcome) in tried {
            let name = format!("{} {}", request.method, request.path);
            let allowed = |status: u16| match request.statuses.is_empty() {
                true => status < 400,
                false => request.statuses.contains(&status),
            };
            let wrong = match &outcome {
                Err(why) => Some(why.clone()),
                Ok(answered) if !allowed(answered.status) => Some(match &request.guessed {
                    Some(guess) => format!("it is answered with {} (it was tried with {guess})", answered.status),
                    None => format!("it is answered with {}", answered.status),
                }),
                Ok(answered) => promised
                    .as_ref()
                    .and_then(|promised| promised.wrong(&request.method, &request.path, answered)),
            };
            match wrong {
                Some(why) => draft.leave(name, why),
                None => draft.requests.push(request),
            }
        }
        Ok(())
    }

    fn promised(&self) -> Result<Option<Promised>, String> {
        let Some(document) = &self.openapi else { return Ok(None) };
        let folder = document.parent().unwrap_or("".as_ref());
        let name = document.file_name().unwrap_or_default().to_string_lossy();
        Promised::read(&name, folder, None).map(Some)
    }

    fn text(&self, target: &str, gate: Option<&Loaded>, log: Option<&Log>, draft: &Draft) -> String {
        let sources = [&self.openapi, &self.log, &self.gate];
        let from = sources
            .into_iter()
            .flatten()
            .next()
            .map(|path| path.display().to_string());
        let popularity = plan::popularity(log);
        let volume = plan::Volume::of(self.rate, popularity.as_ref());
        let log = self
            .log
            .as_deref()
            .filter(|_| log.is_some())
            .map(|path| self.seen_from_the_file(path));
        ScenarioFile {
            from: from.as_deref().unwrap_or("nothing"),
            target,
            headers: &self.wish.headers,
            objectives: &metrics::objectives(gate),
            profiles: &plan::profiles(volume, log.as_deref()),
            draft,
        }
        .text()
    }

    /// A path as the scenario says it, which is relative to its own folder.
    fn seen_from_the_file(&self, path: &Path) -> PathBuf {
        let inside = self
            .out
            .as_deref()
            .and_then(Path::parent)
            .filter(|folder| !folder.as_os_str().is_empty());
        match inside {
            Some(_) => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            None => path.to_owned(),
        }
    }
}

/// Reads an access log.
///
/// # Errors
/// When it can't be read, or has no request in it.
pub(crate) fn read_log(path: &Path) -> Result<Log, String> {
    let told = |error: std::io::Error| format!("{} can't be read: {error}", path.display());
    let log = Log::read(BufReader::new(File::open(path).map_err(told)?)).map_err(told)?;
    if log.arrivals.is_empty() {
        return Err(format!(
            "{} has no line that a request could be read from: our own form (JSON) and the common and combined formats are known",
            path.display()
        ));
    }
    Ok(log)
}

fn nothing_left(draft: &Draft) -> String {
    let mut text = "no request can be made of it:".to_owned();
    for left in draft.left_out.iter().take(20) {
        text.push_str(&format!("\n  {}: {}", left.what, left.why));
    }
    text
}

/// A field as a person writes it: `Name: value`.
///
/// # Errors
/// When it is none.
pub(crate) fn field(written: &str) -> Result<(String, String), String> {
    match written.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err(format!("`{written}` is no field: write 'Name: value'")),
    }
}

/// What was said about requests, from options.
///
/// # Errors
/// When one of them can't be understood.
pub(crate) fn wish(writes: bool, values: &[String], headers: &[String]) -> Result<Wish, String> {
    let values = values.iter().map(|written| match written.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!(
            "`{written}` is no value of a parameter: write --value NAME=VALUE"
        )),
    });
    Ok(Wish {
        writes,
        values: values.collect::<Result<_, _>>()?,
        headers: headers.iter().map(|written| field(written)).collect::<Result<_, _>>()?,
    })
}
