//! `portcullis index`: how the questions that routes allow find their rows, and which indexes would help.

mod in_words;

use std::path::Path;
use std::process::ExitCode;

use portcullis_backends::table::doctor::Patient;
use portcullis_backends::table::{Table, settings};
use portcullis_config::route::To;
use portcullis_databases::Database;
use portcullis_databases::settings::Settings;
use portcullis_tables::api::Api;
use portcullis_tables::grammar::{self, Caller};
use serde_json::{Value, json};

pub(crate) use self::in_words::report as index_in_words;
use super::explain::of_gate;
use super::{complain, print};
use crate::compile::{route_names, table_base_segments};
use crate::source::Source;

/// What to say.
pub(super) enum Wish {
    /// All that there is to be said, of one route or all.
    Report {
        route: Option<String>,
        live: Option<String>,
    },
    /// Whether a question that is allowed reads a whole table of so many rows.
    Check { rows: u64 },
    /// How one question finds its rows.
    Explain { method: String, url: String },
}

/// A route with tables, and what is known of its database.
struct Known {
    name: String,
    path: String,
    to: To,
    base_segments: usize,
    settings: Settings,
    api: Api,
}

/// `portcullis index`.
pub(super) fn run(file: &Path, wish: Wish, json: bool) -> ExitCode {
    match answer(file, wish) {
        Ok((document, words, code)) => {
            if json {
                print(&format!("{document:#}\n"));
            } else {
                print(&words);
            }
            code
        }
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

fn answer(file: &Path, wish: Wish) -> Result<(Value, String, ExitCode), String> {
    match wish {
        Wish::Report { route, live: Some(url) } => {
            let mut document = of_gate(&url, file, "/indexes")?;
            if let (Some(route), Some(routes)) = (route, document["routes"].as_array_mut()) {
                routes.retain(|told| told["route"] == *route || told["path"] == *route);
            }
            let words = in_words::report(&document);
            Ok((document, words, ExitCode::SUCCESS))
        }
        Wish::Report { route, live: None } => {
            let routes = known(file)?;
            let is_meant = |known: &&Known| {
                route
                    .as_ref()
                    .is_none_or(|name| *name == known.name || *name == known.path)
            };
            let meant: Vec<&Known> = routes.iter().filter(is_meant).collect();
            if let (Some(route), true) = (&route, meant.is_empty()) {
                let names: Vec<&str> = routes.iter().map(|known| known.name.as_str()).collect();
                return Err(format!(
                    "no route `{route}` ends in tables; there is {}",
                    names.join(", ")
                ));
            }
            let reports = meant.iter().map(|known| known.patient().report());
            let document = json!({"routes": reports.collect::<Result<Vec<_>, _>>()?});
            let words = in_words::report(&document);
            Ok((document, words, ExitCode::SUCCESS))
        }
        Wish::Check { rows } => {
            let reports = known(file)?
                .iter()
                .map(|known| known.patient().report())
                .collect::<Result<Vec<_>, _>>()?;
            let failing = failing(&reports, rows);
            let words = in_words::check(&failing, rows);
            let code = if failing.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            };
            Ok((json!({"rows": rows, "unindexed": failing}), words, code))
        }
        Wish::Explain { method, url } => {
            if !matches!(method.as_str(), "GET" | "HEAD") {
                return Err(format!(
                    "only questions have a plan to explain: GET and HEAD, not {method}"
                ));
            }
            let told = explained(&known(file)?, &url)?;
            let words = in_words::explanation(&told);
            Ok((told, words, ExitCode::SUCCESS))
        }
    }
}

impl Known {
    fn patient(&self) -> Patient<'_> {
        Patient {
            route: &self.name,
            path: &self.path,
            settings: &self.settings,
            api: &self.api,
            seen: None,
        }
    }
}

/// The routes of a file that end in tables. Databases are looked at and not changed.
fn known(file: &Path) -> Result<Vec<Known>, String> {
    let loaded = Source::file(file.to_owned())
        .load()
        .map_err(|problems| problems.to_string())?;
    let names = route_names(&loaded.file.routes);
    let mut known = Vec::new();
    for (route, name) in loaded.file.routes.iter().zip(names) {
        let Some(database) = route.to.database() else { continue };
        let Some(config) = loaded.file.databases.get(database) else {
            continue;
        };
        let settings = settings::of(database, config, &loaded.base)?;
        let schema = Database::rehearse(&settings).map_err(|why| format!("databases.{database}: {why}"))?;
        let schema = schema.ok_or_else(|| format!("databases.{database}: its migrations have to run first"))?;
        known.push(Known {
            api: Table::api(&schema, &route.to).map_err(|why| format!("route {name}: {why}"))?,
            base_segments: table_base_segments(&route.path),
            name,
            path: route.path.clone(),
            to: route.to.clone(),
            settings,
        });
    }
    Ok(known)
}

/// What reads a whole table of so many rows or more. One whose number of rows nobody knows is taken for larger.
fn failing(reports: &[Value], most: u64) -> Vec<Value> {
    let mut failing = Vec::new();
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for report in reports {
        for resource in items(&report["resources"]) {
            for question in items(&resource["questions"]) {
                for found in items(&question["unindexed"]) {
                    let is_large = found["rows"].as_u64().is_none_or(|rows| rows >= most);
                    // Where there is a plan, it is right.
                    let is_read = question["reads_all"]
                        .as_array()
                        .is_none_or(|all| all.contains(&found["relation"]));
                    // What a filter does by itself it does in every order too.
                    let same = |known: &Value| {
                        ["resource", "relation", "columns", "why"]
                            .iter()
                            .all(|name| match *name {
                                "resource" => known[*name] == resource["name"] && known["route"] == report["route"],
                                name => known[name] == found[name],
                            })
                    };
                    if is_large && is_read && !failing.iter().any(same) {
                        failing.push(json!({
                            "route": report["route"],
                            "resource": resource["name"],
                            "query": question["query"],
                            "relation": found["relation"],
                            "rows": found["rows"],
                            "columns": found["columns"],
                            "why": found["why"],
                            "advice": question["advice"],
                        }));
                    }
                }
            }
        }
    }
    failing
}

fn explained(routes: &[Known], url: &str) -> Result<Value, String> {
    let target = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => url,
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let found = routes.iter().find_map(|known| {
        let fixed: Vec<&str> = known.path.split('/').skip(1).take(known.base_segments).collect();
        let begins: Vec<&str> = path.split('/').skip(1).take(known.base_segments).collect();
        let resource = Table::collection(path, known.base_segments, &known.to, &known.api)?;
        (fixed == begins).then_some((known, resource))
    });
    let (known, resource) = found.ok_or_else(|| format!("no route with tables has a collection at {path}"))?;
    let mut read = grammar::read(&known.api, resource, Some(query), &Caller::default())
        .map_err(|error| error.detail().unwrap_or("the query is not understood").to_owned())?;
    // Rules are those of callers, and nobody asks here.
    read.rule = None;
    known.patient().explain(resource, query, read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fails_where_it_is_large_or_nobody_knows_and_the_plan_reads_it() {
        let question = |rows: Value, reads_all: Value| {
            json!({"query": "state=eq.a", "reads_all": reads_all, "advice": [],
                "unindexed": [{"relation": "orders", "rows": rows, "columns": ["state"], "why": "…"}]})
        };
        let of = |question: Value| {
            let report = json!({"route": "shop", "resources": [{"name": "orders", "questions": [question]}]});
            failing(&[report], 1000).len()
        };
        assert_eq!(of(question(json!(1000), json!(["orders"]))), 1);
        assert_eq!(of(question(Value::Null, json!(["orders"]))), 1);
        assert_eq!(of(question(json!(1000), Value::Null)), 1);
        assert_eq!(of(question(json!(999), json!(["orders"]))), 0);
        assert_eq!(of(question(json!(1000), json!([]))), 0);
    }
}
