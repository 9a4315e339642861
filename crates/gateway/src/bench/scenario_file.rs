//! Writes `bench.yaml`, the one file of a test that a person edits.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::draft::{Draft, Drafted, LeftOut};

/// The most that is told of what was left out.
const MOST_LEFT_OUT: usize = 200;

/// The longest name of a flow or route.
const LONGEST_NAME: usize = 128;

/// What goes into the file.
pub(crate) struct ScenarioFile<'s> {
    /// What it was made of, in words.
    pub(crate) from: &'s str,
    /// The target's URL.
    pub(crate) target: &'s str,
    /// What is trusted, where that isn't what the system trusts.
    pub(crate) tls: Option<Value>,
    /// Fields of every request, as they are to stand in the file: `${NAME}` is the variable.
    pub(crate) headers: &'s [(String, String)],
    /// What must hold: for a route, or for all together.
    pub(crate) objectives: &'s [(Option<String>, String)],
    /// Profiles by their keys, with their settings.
    pub(crate) profiles: &'s [(&'static str, Value)],
    /// The requests.
    pub(crate) draft: &'s Draft,
}

impl ScenarioFile<'_> {
    /// The text of the file.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        comment(
            &mut out,
            &format!(
                "Made by `portcullis bench build` from {}. It is yours to edit.",
                self.from
            ),
        );
        comment(&mut out, "portcullis bench setup   says whether all of it works");
        comment(&mut out, "portcullis bench run     runs it");
        let _ = writeln!(out, "\ntarget: {}", scalar(self.target));
        if let Some(tls) = &self.tls {
            let _ = writeln!(out, "tls: {tls}");
        }
        if !self.headers.is_empty() {
            let _ = writeln!(out, "headers: {}", group(self.headers, str::to_owned));
        }
        out.push('\n');
        out.push_str(&objectives(self.objectives));
        out.push('\n');
        out.push_str(&profiles(self.profiles));
        self.write_rows(&mut out);
        self.write_flows(&mut out);
        self.write_left_out(&mut out);
        out
    }

    fn write_rows(&self, out: &mut String) {
        if self.draft.rows.is_empty() {
            return;
        }
        out.push_str("\n# Rows that were there when this was made.\ndata:\n");
        for (name, values) in &self.draft.rows {
            let rows: Vec<Value> = values.iter().map(|value| json!({"id": escaped(value)})).collect();
            let _ = writeln!(out, "  {name}: {}", json!({"rows": rows, "order": "random"}));
        }
    }

    fn write_flows(&self, out: &mut String) {
        out.push_str("\nflows:\n");
        let mut taken = HashSet::new();
        for request in &self.draft.requests {
            let line = format!("{} {}", request.method, request.path);
            // Requests that differ in their host or their fields alone are told apart by their routes.
            let routed = (1..).map(|number| match number {
                1 => format!("{line} ({})", request.route),
                more => format!("{line} ({}) #{more}", request.route),
            });
            let name = std::iter::once(line.clone())
                .chain(routed)
                .find(|name| taken.insert(name.clone()));
            write_flow(out, &name.unwrap_or_default(), &line, request);
        }
    }

    fn write_left_out(&self, out: &mut String) {
        for note in &self.draft.notes {
            out.push('\n');
            comment(out, note);
        }
        let left = &self.draft.left_out;
        if left.is_empty() {
            return;
        }
        out.push('\n');
        comment(out, "Left out:");
        for LeftOut { what, why } in left.iter().take(MOST_LEFT_OUT) {
            comment(out, &format!("  {what}: {why}"));
        }
        if let Some(more) = left.len().checked_sub(MOST_LEFT_OUT).filter(|more| *more > 0) {
            comment(out, &format!("  and {more} more"));
        }
    }
}

/// The section of what must hold.
pub(crate) fn objectives(objectives: &[(Option<String>, String)]) -> String {
    let mut out = "# What must hold: all of it in sum, or of one route.\nobjectives:".to_owned();
    if objectives.is_empty() {
        out.push_str(" []\n");
        return out;
    }
    out.push('\n');
    for (route, objective) in objectives {
        let _ = match route {
            Some(route) => writeln!(out, "  - {}: {}", label(route), literal(objective)),
            None => writeln!(out, "  - {}", literal(objective)),
        };
    }
    out
}

/// The section of how load comes.
pub(crate) fn profiles(profiles: &[(&'static str, Value)]) -> String {
    let mut out = "# How load comes; `portcullis bench run --profile NAME` chooses.\nprofiles:\n".to_owned();
    for (name, settings) in profiles {
        let _ = writeln!(out, "  {name}: {settings}");
    }
    out
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a weight beyond it counts as the largest"
)]
fn write_flow(out: &mut String, name: &str, line: &str, request: &Drafted) {
    let _ = writeln!(out, "  - name: {}", label(name));
    let weight = request.weight.round().max(1.0) as u32;
    if weight != 1 {
        let _ = writeln!(out, "    weight: {weight}");
    }
    let _ = writeln!(out, "    steps:\n      - request: {}", literal(line));
    let _ = writeln!(out, "        route: {}", label(&request.route));
    if !request.headers.is_empty() {
        let _ = writeln!(out, "        headers: {}", group(&request.headers, escaped));
    }
    if let Some(body) = &request.body {
        let _ = writeln!(out, "        body: {}", literal(body));
    }
    if !request.statuses.is_empty() {
        let _ = writeln!(out, "        expect: {}", json!({"status": request.statuses}));
    }
}

/// A text in quotes of JSON, which YAML reads as it is meant.
fn scalar(text: &str) -> String {
    Value::from(text).to_string()
}

/// A text that means itself: no variable of the environment, and nothing that is filled in.
fn literal(text: &str) -> String {
    scalar(&escaped(text))
}

/// A name, which has 1 to 128 visible ASCII characters. What is longer keeps its end, where names differ.
fn label(text: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_graphic() || letter == ' ' {
            letter
        } else {
            '?'
        }
    };
    let mut name: String = text.trim().chars().map(plain).collect();
    if name.len() > LONGEST_NAME {
        name = format!("...{}", &name[name.len() - LONGEST_NAME + 3..]);
    }
    literal(if name.is_empty() { "/" } else { &name })
}

fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

fn group(pairs: &[(String, String)], written: impl Fn(&str) -> String) -> Value {
    let mut members = Map::new();
    for (name, value) in pairs {
        members.insert(name.clone(), Value::from(written(value)));
    }
    Value::Object(members)
}

/// A line for people. What comes from elsewhere can't end it.
fn comment(out: &mut String, text: &str) {
    let plain: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let _ = writeln!(out, "# {plain}");
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_names_may_be() {
        assert_eq!(label("a\tb\u{e4}$"), "\"a?b?$$\"");
        assert_eq!(label(" "), "\"/\"");
        let long = label(&format!("/{}/end", "x".repeat(300)));
        assert!(long.len() == LONGEST_NAME + 2 && long.ends_with("/end\""), "{long}");
    }

    #[test]
    fn requests_of_one_path_have_names_of_their_own() {
        let request = |route: &str| Drafted {
            route: route.to_owned(),
            method: "GET".to_owned(),
            path: "/a".to_owned(),
            ..Drafted::default()
        };
        let draft = Draft {
            requests: ["x", "y", "y"].map(request).into(),
            ..Draft::default()
        };
        let file = ScenarioFile {
            from: "x",
            target: "http://127.0.0.1:1",
            tls: None,
            headers: &[],
            objectives: &[],
            profiles: &[],
            draft: &draft,
        };
        let read = portcullis_contract::yaml::parse(&file.text()).unwrap();
        let names: Vec<_> = read["flows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|flow| flow["name"].clone())
            .collect();
        assert_eq!(names, ["GET /a", "GET /a (y)", "GET /a (y) #2"]);
    }

    #[test]
    fn the_file_says_what_was_found_and_what_was_not() {
        let mut draft = Draft::default();
        draft.requests.push(Drafted {
            route: "a: b".to_owned(),
            method: "POST".to_owned(),
            path: "/a?q=$x".to_owned(),
            headers: vec![("Host".to_owned(), "a.test".to_owned())],
            body: Some("{\"a\": \"\\\"\"}".to_owned()),
            weight: 2.6,
            statuses: vec![201],
            guessed: None,
        });
        draft.leave("/b\nflows: []", "no\u{7}");
        let file = ScenarioFile {
            from: "x",
            target: "http://127.0.0.1:1",
            tls: None,
            headers: &[("X-Key".to_owned(), "${KEY}".to_owned())],
            objectives: &[
                (None, "p99 < 1s".to_owned()),
                (Some("a: b".to_owned()), "p50 < 1s".to_owned()),
            ],
            profiles: &[("load", json!({"rate": "10/s"}))],
            draft: &draft,
        };
        let text = file.text();
        let read = portcullis_contract::yaml::parse(&text).unwrap();
        assert_eq!(
            read,
            json!({
                "target": "http://127.0.0.1:1",
                "headers": {"X-Key": "${KEY}"},
                "objectives": ["p99 < 1s", {"a: b": "p50 < 1s"}],
                "profiles": {"load": {"rate": "10/s"}},
                "flows": [{"name": "POST /a?q=$$x", "weight": 3, "steps": [{
                    "request": "POST /a?q=$$x", "route": "a: b", "headers": {"Host": "a.test"},
                    "body": "{\"a\": \"\\\"\"}", "expect": {"status": [201]}}]}],
            }),
            "{text}"
        );
        assert!(text.contains("#   /b flows: []: no "), "{text}");
    }
}
