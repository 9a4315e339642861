//! The scenario: requests from routes, a description or a log, each tried once.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use portcullis_bench::Target;
use portcullis_config::Loaded;
use serde_json::{Value, json};

use super::{metrics, plan};
use crate::bench::draft::{Draft, Drafted};
use crate::bench::dry_run::Answered;
use crate::bench::folder::write_once;
use crate::bench::promised::Promised;
use crate::bench::rows::Rows;
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
    /// Authorities of the target's certificate.
    pub(crate) cacert: Option<PathBuf>,
    /// Whether any certificate is taken.
    pub(crate) insecure: bool,
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
        for (route, objective) in metrics::objectives(gate.as_ref()) {
            if let Some(route) = route.filter(|route| routes_of(route, &draft).is_empty()) {
                draft.notes.push(format!(
                    "`{objective}` of {route} isn't judged, for nothing is asked of it."
                ));
            }
        }
        let (requests, left_out) = (draft.requests.len(), draft.left_out.len());
        let text = self.text(&target, gate.as_ref(), log.as_ref(), &draft);
        // What is written is what can be read.
        Scenario::parsed(&text, self.place())?;
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
        let at = self.reached(target)?;
        for (route, request) in std::mem::take(&mut draft.described) {
            let found = dry_run::document(&at, &request.path, &self.with_own(&request))
                .and_then(|content| openapi::draft_of_answer(&content, &self.wish));
            match found {
                Ok(found) => draft.take(named_by(&route, found)),
                Err(why) => draft.leave(route, format!("its description can't be used: {why}")),
            }
        }
        let requests = std::mem::take(&mut draft.requests);
        if requests.is_empty() {
            return Ok(());
        }
        let promised = self.promised()?;
        let outcomes = self.outcomes(target, &requests)?;
        if let Some(Err(why)) = outcomes.iter().find(|_| outcomes.iter().all(Result::is_err)) {
            return Err(format!(
                "{target} doesn't answer: {why}. Start it, or leave the trial out by --no-dry-run"
            ));
        }
        let mut rows = Rows::default();
        for (request, outcome) in requests.iter().zip(&outcomes) {
            if let Ok(answered) = outcome {
                rows.learn(request, answered);
            }
        }
        for (request, outcome) in requests.into_iter().zip(outcomes) {
            match self.of_a_row(target, &request, &rows, draft)? {
                Some(made) => draft.requests.push(made),
                None => match wrong(&request, &outcome, promised.as_ref()) {
                    Some(why) => draft.leave(format!("{} {}", request.method, request.path), why),
                    None => draft.requests.push(request),
                },
            }
        }
        Ok(())
    }

    /// A request for any row that is there, in the place of one for a row that was made up, if that works.
    fn of_a_row(
        &self,
        target: &str,
        request: &Drafted,
        rows: &Rows,
        draft: &mut Draft,
    ) -> Result<Option<Drafted>, String> {
        let Some((first, known)) = rows.known(request) else {
            return Ok(None);
        };
        let outcomes = self.outcomes(target, std::slice::from_ref(&first))?;
        if outcomes
            .first()
            .is_none_or(|outcome| wrong(&first, outcome, None).is_some())
        {
            return Ok(None);
        }
        draft.rows.insert(known.name, known.ids.to_vec());
        Ok(Some(Drafted {
            path: known.path,
            ..first
        }))
    }

    fn outcomes(&self, target: &str, requests: &[Drafted]) -> Result<Vec<Result<Answered, String>>, String> {
        let draft = Draft {
            requests: requests.to_vec(),
            ..Draft::default()
        };
        let compiled = Scenario::parsed(&self.text(target, None, None, &draft), self.place())?.compiled()?;
        dry_run::each(&compiled.plan)
    }

    /// The target, if it may be asked.
    fn reached(&self, target: &str) -> Result<Target, String> {
        let only = Draft {
            requests: vec![Drafted {
                route: "/".to_owned(),
                method: "GET".to_owned(),
                path: "/".to_owned(),
                ..Drafted::default()
            }],
            ..Draft::default()
        };
        let compiled = Scenario::parsed(&self.text(target, None, None, &only), self.place())?.compiled()?;
        let at = compiled.plan.target;
        ownership::check(&at, &self.owned)?;
        Ok(at)
    }

    fn with_own(&self, request: &Drafted) -> Vec<(String, String)> {
        request.headers.iter().chain(&self.wish.headers).cloned().collect()
    }

    /// The path of the scenario, from which relative paths in it start.
    fn place(&self) -> &Path {
        self.out.as_deref().unwrap_or("bench.yaml".as_ref())
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
            tls: self.tls(),
            headers: &self.wish.headers,
            objectives: &asked_for(metrics::objectives(gate), draft),
            profiles: &plan::profiles(volume, log.as_deref()),
            draft,
        }
        .text()
    }

    fn tls(&self) -> Option<Value> {
        match (&self.cacert, self.insecure) {
            (Some(file), _) => {
                Some(json!({"ca": self.seen_from_the_file(file).display().to_string().replace('$', "$$")}))
            }
            (None, true) => Some(json!({"verify": false})),
            (None, false) => None,
        }
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

/// The names under which requests of a gate's route are counted: its own, or with an operation behind it.
fn routes_of<'d>(route: &str, draft: &'d Draft) -> BTreeSet<&'d str> {
    let below = |name: &str| {
        name.strip_prefix(route)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let names = draft.requests.iter().map(|request| request.route.as_str());
    names.filter(|name| below(name)).collect()
}

/// Objectives for what is asked: those of a route under each name that its requests are counted by.
fn asked_for(objectives: Vec<metrics::Objective>, draft: &Draft) -> Vec<metrics::Objective> {
    let of_each = |(route, objective): metrics::Objective| -> Vec<metrics::Objective> {
        match route {
            None => vec![(None, objective)],
            Some(route) => routes_of(&route, draft)
                .into_iter()
                .map(|name| (Some(name.to_owned()), objective.clone()))
                .collect(),
        }
    };
    objectives.into_iter().flat_map(of_each).collect()
}

/// What is wrong with what came back; nothing where it is as it should be.
fn wrong(request: &Drafted, outcome: &Result<Answered, String>, promised: Option<&Promised>) -> Option<String> {
    let answered = match outcome {
        Ok(answered) => answered,
        Err(why) => return Some(why.clone()),
    };
    let allowed = match request.statuses.is_empty() {
        true => answered.status < 400,
        false => request.statuses.contains(&answered.status),
    };
    match (&request.guessed, allowed) {
        (_, true) => promised?.wrong(&request.method, &request.path, answered),
        (Some(guess), false) => Some(format!(
            "it is answered with {} (it was tried with {guess})",
            answered.status
        )),
        (None, false) => Some(format!("it is answered with {}", answered.status)),
    }
}

/// Requests of a description that a route gives of itself.
fn named_by(route: &str, mut found: Draft) -> Draft {
    for request in &mut found.requests {
        request.route = format!("{route} {}", request.route);
    }
    for left in &mut found.left_out {
        left.what = format!("{route} {}", left.what);
    }
    found
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
