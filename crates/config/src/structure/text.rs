//! Single values: texts, numbers, switches, names and secrets.

use std::borrow::Cow;

use super::Walk;
use super::shape::Shape;
use crate::database::is_secret;
use crate::formats;
use crate::problem::Place;
use crate::substitute::{is_one_reference, substitute};
use crate::suggest::did_you_mean;
use crate::written::{Hidden, Written};

/// A secret longer than this is another file by mistake.
const LONGEST_SECRET: usize = 64 * 1024;

impl<'a> Walk<'a, '_> {
    /// Where a text is asked for, whatever was written is one: `min_version: 1.3` means the text `1.3`.
    pub(super) fn text(&mut self, place: Place, text: &'a str, shape: &Shape) -> Written<'a> {
        if shape.format == "secret" {
            return match self.secret(text) {
                Ok(secret) => Written::Secret(Hidden(secret)),
                Err(message) => self.problem(place, message),
            };
        }
        let checked = substitute(text, self.surroundings.environment).and_then(|text| {
            if text.len() < shape.min_length {
                return Err("this must not be empty".to_owned());
            }
            choice(&text, &shape.choices)?;
            let text = match &*shape.format {
                "" => text,
                format => Cow::Owned(formats::check(format, &text)?),
            };
            self.name(&text, shape.names.as_deref())?;
            Ok(text)
        });
        match checked {
            Ok(text) if shape.format == "database-url" && is_secret(&text) => {
                Written::Secret(Hidden(text.into_owned()))
            }
            Ok(text) => Written::Text(text),
            Err(message) => self.problem(place, message),
        }
    }

    pub(super) fn integer(&mut self, place: Place, text: &str, quoted: bool, shape: &Shape) -> Written<'a> {
        let number = self.unquoted(text, quoted, "a number").and_then(|text| {
            let number = whole_number(&text).ok_or_else(|| format!("expected a whole number, found `{text}`"))?;
            let (least, most) = (shape.minimum, shape.maximum);
            if !(least..=most).contains(&number) {
                return Err(format!("`{text}` is out of range; it can be {least} to {most}"));
            }
            choice(&number.to_string(), &shape.choices)?;
            Ok(number)
        });
        match number {
            Ok(number) => Written::Number(number),
            Err(message) => self.problem(place, message),
        }
    }

    pub(super) fn boolean(&mut self, place: Place, text: &str, quoted: bool) -> Written<'a> {
        // YAML 1.2.2, section 10.3.2. The `yes` and `off` of YAML 1.1 are texts.
        let switch = self
            .unquoted(text, quoted, "`true` or `false`")
            .and_then(|text| match text.as_ref() {
                "true" | "True" | "TRUE" => Ok(true),
                "false" | "False" | "FALSE" => Ok(false),
                _ => Err(format!("expected `true` or `false`, found `{text}`")),
            });
        match switch {
            Ok(switch) => Written::Switch(switch),
            Err(message) => self.problem(place, message),
        }
    }

    /// What was written where something other than a text is asked for. In quotes only a reference to a variable is
    /// meant so: within `{…}` YAML lets nobody write one without.
    fn unquoted<'t>(&self, text: &'t str, quoted: bool, expected: &str) -> Result<Cow<'t, str>, String> {
        if quoted && !is_one_reference(text) {
            return Err(format!("expected {expected}, found a text; take the quotes away"));
        }
        substitute(text, self.surroundings.environment)
    }

    /// A name must be there under the key that the schema tells; of `DATABASE.TABLE` it is the first part.
    fn name(&self, text: &str, names: Option<&str>) -> Result<(), String> {
        let Some(key) = names else { return Ok(()) };
        let name = if key == "databases" {
            text.split('.').next().unwrap_or(text)
        } else {
            text
        };
        let Some(known) = self.names.get(key).filter(|known| !known.contains(name)) else {
            return Ok(());
        };
        let what = match key {
            "services" => "service",
            "databases" => "database",
            _ => "set of policies",
        };
        let mut advice = self.advice(name, known.iter().copied());
        if advice.is_empty() {
            advice = format!("; add it under `{key}`");
        }
        Err(format!("there is no {what} `{name}`{advice}"))
    }

    /// What a reference to a secret stands for. No message repeats what stands there, for it may be the secret itself.
    fn secret(&self, text: &str) -> Result<String, String> {
        let secret = if is_one_reference(text) {
            substitute(text, self.surroundings.environment)?.into_owned()
        } else if let Some(path) = text.strip_prefix("file:") {
            let path = substitute(path, self.surroundings.environment)?;
            let read = (self.surroundings.read)(&self.surroundings.base.join(path.as_ref()));
            let content = read.map_err(|error| format!("the secret can't be read from the file `{path}`: {error}"))?;
            // Editors and `echo` end a file with a line break that nobody means.
            content.trim_end_matches(['\r', '\n']).to_owned()
        } else {
            return Err("a secret must not stand in the file; write it as `${NAME}` or `file:PATH`".to_owned());
        };
        match secret.len() {
            0 => Err("the secret is empty".to_owned()),
            1..=LONGEST_SECRET => Ok(secret),
            _ => Err(format!(
                "the secret has more than {LONGEST_SECRET} bytes; is this the right file?"
            )),
        }
    }
}

/// Checks that a value is one of those to choose from, where there are any.
fn choice(text: &str, choices: &[String]) -> Result<(), String> {
    if choices.is_empty() || choices.iter().any(|choice| choice == text) {
        return Ok(());
    }
    let quoted: Vec<_> = choices.iter().map(|choice| format!("`{choice}`")).collect();
    let advice = did_you_mean(text, choices.iter().map(String::as_str));
    Err(format!("`{text}` is none of {}{advice}", quoted.join(", ")))
}

/// A whole number of YAML's core schema (YAML 1.2.2, section 10.3.2).
fn whole_number(text: &str) -> Option<i64> {
    let (digits, radix) = match (text.strip_prefix("0o"), text.strip_prefix("0x")) {
        (Some(octal), _) => (octal, 8),
        (_, Some(hexadecimal)) => (hexadecimal, 16),
        _ => return text.parse().ok(),
    };
    if digits.starts_with(['+', '-']) {
        None
    } else {
        i64::from_str_radix(digits, radix).ok()
    }
}
