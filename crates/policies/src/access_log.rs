//! `access_log` writes a line for each request, after the last byte of its answer: refused and broken ones too.
//!
//! ```yaml
//! access_log: {file: logs/access.log}                                            # a JSON object on each line
//! access_log: {template: '{client} "{method} {path}" {status} {bytes_out} {duration_ms}'}
//! ```
//!
//! The fields, under the same names in either form: `time` (RFC 3339, UTC, when the first byte came), `request_id`,
//! `client`, `method`, `scheme`, `host`, `path`, `query`, `version`, `status`, `bytes_in`, `bytes_out`, `duration_ms`,
//! `complete` (false when the client went away or the backend broke off), `route`, `consumer`, `service`, `target`,
//! `attempts`, `upstream_ms` (to the first byte of the response), `grpc_status`, `error`, `policy`, `cause`, `user_agent`, `referer`.
//! What there is none of is left out of the object, and is `-` in a template. A brace that shall stay is written twice.
//!
//! `query` holds the *names* of the query's parameters, and `referer` ends before its query: values there are where
//! tokens and personal data are, and a log is read by more people than may see those. A value has at most 1 KiB.
//!
//! Nobody can forge a line: control characters are escaped, in objects as JSON has it, and in templates, with quotes and
//! backslashes, as `\xNN`.
//!
//! A request never waits for its line. A worker puts lines into a buffer of its own, and one thread for each file writes
//! what all workers have gathered, at most 0.1 s later. When the disk stalls and a worker's buffer is full, lines are
//! dropped and counted (`portcullis_access_log_dropped_lines_total`). SIGUSR1 opens files anew, after a rotation.

pub mod sink;

mod escape;
mod field;
pub mod timestamp;
mod writer;

use std::path::Path;
use std::sync::Arc;

use portcullis_config::policy::access_log;
use portcullis_core::{Ctx, Observer, Outcome};

use crate::placeholders::{self, Piece};
use escape::Style;
use field::{Event, Field};
use sink::{Destination, Sink, Sinks};

/// Writes a line for each request.
#[derive(Debug)]
pub struct AccessLog {
    /// `None` where the log is off.
    sink: Option<Arc<Sink>>,
    format: Format,
}

/// How a line is made.
#[derive(Debug)]
enum Format {
    Object,
    Template(Box<[Piece<Field>]>),
}

impl AccessLog {
    /// Compiles what the file says. A path is relative to `base`. The file is opened now, or found among those that are
    /// open already.
    ///
    /// # Errors
    /// When the template holds an unknown field, or the file can't be opened.
    pub fn new(config: &access_log::AccessLog, base: &Path, sinks: &Sinks) -> Result<AccessLog, String> {
        let format = format_of(config)?;
        if config.off {
            return Ok(AccessLog { sink: None, format });
        }
        let destination = match &config.file {
            None => Destination::StandardOutput,
            Some(file) => Destination::File(base.join(file)),
        };
        Ok(AccessLog {
            sink: Some(sinks.open(&destination)?),
            format,
        })
    }
}

/// Looks at what the file says and creates nothing. A path is relative to `base`.
///
/// # Errors
/// When the template holds an unknown field, or the file could not be opened.
pub fn check(config: &access_log::AccessLog, base: &Path) -> Result<(), String> {
    format_of(config)?;
    match &config.file {
        Some(file) if !config.off => writer::check(&base.join(file)),
        _ => Ok(()),
    }
}

/// Looks whether lines could be written to a file, and creates nothing.
pub(crate) fn check_file(file: &Path) -> Result<(), String> {
    writer::check(file)
}

fn format_of(config: &access_log::AccessLog) -> Result<Format, String> {
    match &config.template {
        None => Ok(Format::Object),
        Some(template) => Ok(Format::Template(pieces(template)?)),
    }
}

impl Observer for AccessLog {
    fn ended(&self, cx: &Ctx, outcome: &Outcome<'_>) {
        if let Some(sink) = &self.sink {
            sink.line(|out| self.format.write(&Event { cx, outcome }, out));
        }
    }
}

impl Format {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        match self {
            Format::Object => write_object(event, out),
            Format::Template(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => out.extend_from_slice(text),
                        Piece::Placeholder(field) if field.write(event, Style::Template, out) => {}
                        Piece::Placeholder(_) => out.push(b'-'),
                    }
                }
            }
        }
    }
}

fn write_object(event: &Event<'_>, out: &mut Vec<u8>) {
    let mut separator = b'{';
    for field in Field::ALL {
        let before = out.len();
        out.push(separator);
        out.push(b'"');
        out.extend_from_slice(field.name().as_bytes());
        out.extend_from_slice(b"\":");
        if field.write(event, Style::Json, out) {
            separator = b',';
        } else {
            out.truncate(before);
        }
    }
    out.push(b'}');
}

fn pieces(template: &str) -> Result<Box<[Piece<Field>]>, String> {
    if template.contains(['\n', '\r']) {
        return Err("a template is one line: leave out its line breaks".to_owned());
    }
    placeholders::read(template, |name| {
        Field::named(name).ok_or_else(|| {
            let names: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
            format!("the log has no field `{name}`; there are {}", names.join(", "))
        })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
