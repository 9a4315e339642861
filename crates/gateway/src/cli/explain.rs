use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_core::headers::is_token;
use portcullis_core::{Headers, Known, Method, Target};

use super::{check, complain, print};
use crate::router::{Lost, Verdict};
use crate::snapshot::Snapshot;
use crate::source::Source;

/// The request that is asked about.
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<String>,
}

struct Question {
    method: Method,
    target: Target,
    headers: Headers,
}

/// `portcullis explain`.
pub(super) fn run(asked: &Asked, file: PathBuf, all: bool, json: bool) -> ExitCode {
    let question = match question(asked) {
        Ok(question) => question,
        Err(why) => {
            complain(&why);
            return ExitCode::FAILURE;
        }
    };
    let snapshot = match check::compiled(&Source::File(file)) {
        Ok(compiled) => compiled.snapshot,
        Err(problems) => {
            complain(&problems.to_string());
            return ExitCode::FAILURE;
        }
    };
    let host = question.headers.get_str(Known::Host).unwrap_or_default();
    let target = &question.target;
    let verdicts = snapshot
        .router
        .explain(host, &question.method, target.path(), &question.headers, target.query());
    let won = verdicts.iter().find(|verdict| verdict.lost.is_none());
    if json {
        print(&format!("{:#}\n", as_json(&snapshot, &question, &verdicts, all)));
    } else {
        print(&as_text(&snapshot, &question, host, &verdicts, all));
    }
    if won.is_some() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Reads the request from the command line: a URL's authority is its `Host`, unless a field says otherwise.
fn question(asked: &Asked) -> Result<Question, String> {
    if !is_token(asked.method.as_bytes()) {
        return Err(format!("`{}` is not a method", asked.method));
    }
    let without_scheme = asked
        .url
        .strip_prefix("http://")
        .or_else(|| asked.url.strip_prefix("https://"));
    let (authority, path) = match without_scheme {
        Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
        None => ("", asked.url.as_str()),
    };
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    let target = Target::parse(path.as_bytes()).map_err(|error| format!("{}: {error}", asked.url))?;
    let mut headers = Headers::new();
    if !authority.is_empty() {
        headers.append(Known::Host, authority);
    }
    for field in &asked.headers {
        let (name, value) = field
            .split_once(':')
            .ok_or_else(|| format!("`{field}` is not a field: write NAME: VALUE"))?;
        if !is_token(name.as_bytes()) {
            return Err(format!("`{name}` is not the name of a field"));
        }
        if name.eq_ignore_ascii_case("host") {
            headers.remove(Known::Host);
        }
        headers.append(name, value.trim());
    }
    Ok(Question {
        method: Method::from_token(&asked.method),
        target,
        headers,
    })
}

fn route_name(snapshot: &Snapshot, rule: u32) -> &str {
    let route = snapshot.route_of_rule[rule as usize];
    snapshot.routes[route as usize].name.name
}

fn as_text(snapshot: &Snapshot, question: &Question, host: &str, verdicts: &[Verdict<'_>], all: bool) -> String {
    let mut out = String::new();
    let shown_host = if host.is_empty() { "no host" } else { host };
    let _ = writeln!(out, "{} {} ({shown_host})", question.method, question.target);
    match verdicts.iter().find(|verdict| verdict.lost.is_none()) {
        Some(won) => {
            let route = &snapshot.routes[snapshot.route_of_rule[won.index as usize] as usize];
            let _ = writeln!(out, "  route     {} (routes[{}])", route.name.name, route.name.index);
            let policies = if route.guards.is_empty() {
                "none".to_owned()
            } else {
                route.guards.join(" → ")
            };
            let _ = writeln!(out, "  policies  {policies}");
            let _ = writeln!(out, "  backend   {}", route.end);
        }
        None => out.push_str("  no route claims it\n"),
    }
    let near = |verdict: &&Verdict<'_>| all || !matches!(verdict.lost, None | Some(Lost::Host | Lost::Path));
    let others: Vec<_> = verdicts
        .iter()
        .filter(near)
        .filter(|verdict| verdict.lost.is_some())
        .collect();
    if !others.is_empty() {
        out.push_str("  others\n");
    }
    for verdict in others {
        if let Some(lost) = &verdict.lost {
            let _ = writeln!(out, "    {}: {lost}", route_name(snapshot, verdict.index));
        }
    }
    out
}

fn as_json(snapshot: &Snapshot, question: &Question, verdicts: &[Verdict<'_>], all: bool) -> serde_json::Value {
    let won = verdicts.iter().find(|verdict| verdict.lost.is_none()).map(|won| {
        let route = &snapshot.routes[snapshot.route_of_rule[won.index as usize] as usize];
        serde_json::json!({
            "route": route.name.name,
            "index": route.name.index,
            "policies": &*route.guards,
            "backend": &*route.end,
        })
    });
    let others: Vec<_> = verdicts
        .iter()
        .filter_map(|verdict| verdict.lost.as_ref().map(|lost| (verdict.index, lost)))
        .filter(|(_, lost)| all || !matches!(lost, Lost::Host | Lost::Path))
        .map(|(rule, lost)| serde_json::json!({"route": route_name(snapshot, rule), "why": lost.to_string()}))
        .collect();
    serde_json::json!({
        "method": question.method.as_str(),
        "target": question.target.as_str(),
        "claimed": won,
        "others": others,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(url: &str, headers: &[&str]) -> Result<(String, String), String> {
        let headers = headers.iter().map(|&field| field.to_owned()).collect();
        let asked = Asked {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers,
        };
        let question = question(&asked)?;
        let host = question.headers.get_str(Known::Host).unwrap_or_default().to_owned();
        Ok((question.target.to_string(), host))
    }

    #[test]
    fn requests_are_read_from_the_command_line() {
        let check = |url: &str, headers: &[&str], target: &str, host: &str| {
            assert_eq!(asked(url, headers), Ok((target.to_owned(), host.to_owned())), "{url}");
        };
        check("/a?b", &[], "/a?b", "");
        check("a", &[], "/a", "");
        check("http://x:1", &[], "/", "x:1");
        check("https://x/a/../b", &["Host: y"], "/b", "y");
        check("http://x?q=1", &[], "/?q=1", "x");
        assert!(asked("/%zz", &[]).is_err());
        assert!(asked("/", &["no field"]).is_err());
    }
}
