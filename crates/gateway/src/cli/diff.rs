//! `portcullis diff`: what a reload would change.

mod running;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_config::changes::{Change, Changes, Field, Kind, Side, changes};
use portcullis_config::{File, Record};
use serde_json::{Value, json};

use super::{complain, print};
use crate::compile::route_names;
use crate::reload::NEED_A_RESTART;
use crate::source::Source;

/// The exit code for differences, as of warnings that `check --strict` found: 2 is a wrong use of the command line.
const DIFFERENT: u8 = 3;

/// The longest value that is shown in a line.
const LONGEST: usize = 200;

/// `portcullis diff`.
pub(super) fn run(file: PathBuf, against: Option<String>, as_json: bool) -> ExitCode {
    match compared(file, against) {
        Ok(found) => {
            if as_json {
                print(&format!("{:#}\n", document(&found)));
            } else {
                print(&text(&found));
            }
            match found.changes.is_empty() {
                true => ExitCode::SUCCESS,
                false => ExitCode::from(DIFFERENT),
            }
        }
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

/// One side of the comparison.
struct Read {
    file: File,
    /// A running gate keeps its secrets to itself.
    record: Option<Record>,
}

impl Read {
    fn side(&self) -> Side<'_> {
        Side {
            file: &self.file,
            record: self.record.as_ref(),
            route_names: route_names(&self.file.routes),
        }
    }
}

fn compared(file: PathBuf, against: Option<String>) -> Result<Changes, String> {
    let shown = file.display().to_string();
    let new = from_file(file)?;
    let old = match against {
        Some(url) if url.contains("://") => from_gate(&url)?,
        Some(path) => from_file(path.into())?,
        None => {
            let bind = new.file.admin.as_ref().map(|admin| admin.bind);
            let bind = bind.filter(|bind| bind.port() != 0).ok_or_else(|| {
                format!("{shown} names no `admin` to ask; name a gate or a file with --against, such as http://127.0.0.1:9901")
            })?;
            from_gate(&running::url_of(bind))?
        }
    };
    Ok(changes(&old.side(), &new.side()))
}

fn from_file(path: PathBuf) -> Result<Read, String> {
    let loaded = Source::file(path).load().map_err(|problems| problems.to_string())?;
    Ok(Read {
        file: loaded.file,
        record: Some(loaded.record),
    })
}

fn from_gate(url: &str) -> Result<Read, String> {
    let text =
        running::configuration(url).map_err(|why| format!("{url} can't be asked for its configuration: {why}"))?;
    let odd = |error: serde_json::Error| format!("{url} gave no configuration that this version understands: {error}");
    let mut value: Value = serde_json::from_slice(&text).map_err(odd)?;
    if let Value::Object(entries) = &mut value {
        // What the gate tells of the configuration, beside what that says.
        entries.retain(|key, _| !matches!(key.as_str(), "digest" | "loaded_at" | "source"));
    }
    Ok(Read {
        file: serde_json::from_value(value).map_err(odd)?,
        record: None,
    })
}

/// What a change means beyond itself, where it does.
fn effect(change: &Change) -> Option<&'static str> {
    match (change.of, change.change) {
        ("setting", _) if NEED_A_RESTART.contains(&change.name.as_str()) => Some("needs a restart"),
        ("listener", Kind::Removed) => Some("takes no more connections; those that are open go on"),
        _ => None,
    }
}

fn text(found: &Changes) -> String {
    let mut text = String::new();
    for change in &found.changes {
        let mark = match change.change {
            Kind::Added => '+',
            Kind::Removed => '-',
            Kind::Changed => '~',
        };
        let of = if change.of == "setting" {
            String::new()
        } else {
            format!("{} ", change.of)
        };
        let effect = effect(change).map_or(String::new(), |effect| format!("  ({effect})"));
        // Writing to a text doesn't fail.
        let _ = writeln!(text, "{mark} {of}{}{effect}", change.name);
        for field in &change.fields {
            let _ = writeln!(text, "    {}", line(field));
        }
    }
    let restarts = found
        .changes
        .iter()
        .filter(|change| effect(change) == Some("needs a restart"));
    let summary = match (found.changes.len(), restarts.count()) {
        (0, _) => "no differences".to_owned(),
        (1, 0) => "1 difference; a reload puts it in force, and drops nothing".to_owned(),
        (count, 0) => format!("{count} differences; a reload puts them in force, and drops nothing"),
        (count, restarts) => format!("{count} differences; {restarts} of them only after a restart"),
    };
    let _ = writeln!(text, "{summary}");
    if found.uncompared_secrets > 0 {
        let _ = writeln!(
            text,
            "whether secrets differ is unknown ({}): a running gate tells nobody its own",
            found.uncompared_secrets
        );
    }
    text
}

fn line(field: &Field) -> String {
    let show = |value: &Option<Value>| match value {
        None => "(not set)".to_owned(),
        Some(Value::String(text)) => shortened(text),
        Some(value) => shortened(&value.to_string()),
    };
    let values = match (&field.from, &field.to) {
        (Some(from), Some(to)) if from == to => "another secret".to_owned(),
        (from, to) => format!("{} → {}", show(from), show(to)),
    };
    match field.path.as_str() {
        "" => values,
        path => format!("{path}: {values}"),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn document(found: &Changes) -> Value {
    let changes = found.changes.iter().map(|change| {
        let mut value = json!(change);
        if let Some(effect) = effect(change) {
            value["effect"] = effect.into();
        }
        value
    });
    json!({
        "changes": changes.collect::<Vec<_>>(),
        "uncompared_secrets": found.uncompared_secrets,
    })
}
