//! Reports on indexes, for people.

use std::fmt::Write as _;

use serde_json::Value;

/// Questions with the same failing that are written out.
const MOST_ALIKE: usize = 5;

/// A report on routes.
pub(crate) fn report(document: &Value) -> String {
    let mut out = String::new();
    for route in items(&document["routes"]) {
        let _ = writeln!(
            out,
            "route {} ({}), database {} ({})",
            text(&route["route"]),
            text(&route["path"]),
            text(&route["database"]),
            text(&route["engine"])
        );
        for resource in items(&route["resources"]) {
            self::resource(&mut out, resource);
        }
        let statements = items(&route["statements"]);
        if !statements.is_empty() {
            out.push_str("\n  What was run\n");
        }
        for statement in statements {
            let _ = writeln!(
                out,
                "    {:>8} × {} {} {} (p50 ≤ {} µs, p99 ≤ {} µs)",
                statement["runs"],
                text(&statement["method"]),
                text(&statement["shape"]),
                statement["class"].as_str().unwrap_or("unknown"),
                statement["p50_microseconds"],
                statement["p99_microseconds"]
            );
        }
        out.push('\n');
    }
    if out.is_empty() {
        out.push_str("No route ends in tables.\n");
    }
    out
}

/// What a check found.
pub(super) fn check(failing: &[Value], rows: u64) -> String {
    if failing.is_empty() {
        return format!("no question that is allowed reads a whole table of {rows} rows or more\n");
    }
    let mut out = String::new();
    for found in failing {
        let _ = writeln!(
            out,
            "{}: GET {}?{} reads all of {} ({} rows): {}",
            text(&found["route"]),
            text(&found["resource"]),
            text(&found["query"]),
            text(&found["relation"]),
            found["rows"]
                .as_u64()
                .map_or("unknown".to_owned(), |rows| rows.to_string()),
            text(&found["why"])
        );
        advice(&mut out, &found["advice"], "  ");
    }
    let _ = writeln!(out, "{} questions that are allowed read a whole table", failing.len());
    out
}

/// How one question finds its rows.
pub(super) fn explanation(told: &Value) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "route   {}", text(&told["route"]));
    let _ = writeln!(out, "shape   {}", text(&told["shape"]));
    let _ = writeln!(out, "sql     {}", text(&told["sql"]));
    let _ = writeln!(out, "class   {}", told["class"].as_str().unwrap_or("unknown"));
    if let Some(cost) = told["cost"].as_f64() {
        let _ = writeln!(out, "cost    {cost}");
    }
    if let Some(why) = told["failed"].as_str() {
        let _ = writeln!(out, "The database has no plan for it: {why}");
    }
    out.push_str("\nHow it finds its rows\n");
    for step in items(&told["plan"]) {
        let _ = writeln!(out, "  {}", text(step));
    }
    let _ = writeln!(out, "\nHow the rows lie\n  {}", text(&told["storage"]));
    if !items(&told["advice"]).is_empty() {
        out.push_str("\nWhat would help\n");
        advice(&mut out, &told["advice"], "  ");
    }
    out
}

fn resource(out: &mut String, resource: &Value) {
    let rows = resource["rows"].as_u64();
    let rows = rows.map_or("rows unknown".to_owned(), |rows| format!("about {rows} rows"));
    let _ = writeln!(
        out,
        "\n  {} (table {}, {rows})",
        text(&resource["name"]),
        text(&resource["relation"])
    );
    if let Some(writes) = resource["writes_per_second"].as_f64().filter(|writes| *writes > 0.0) {
        let _ = writeln!(out, "    {writes:.1} writes/s: each index makes them dearer");
    }
    let _ = writeln!(out, "    {}", text(&resource["storage"]));
    let questions = items(&resource["questions"]);
    let mut classes: Vec<&str> = questions
        .iter()
        .filter_map(|question| question["class"].as_str())
        .collect();
    classes.sort_unstable();
    for class in classes.chunk_by(|one, other| one == other) {
        let _ = writeln!(out, "    {} questions: {}", class.len(), class[0]);
    }
    // Those that one index helps stand together.
    let mut told: Vec<(String, Vec<&str>, &Value)> = Vec::new();
    for question in questions
        .iter()
        .filter(|question| !items(&question["advice"]).is_empty())
    {
        let index = text(&question["advice"][0]["statement"]).to_owned();
        match told.iter_mut().find(|(known, ..)| *known == index) {
            Some((_, queries, _)) => queries.push(text(&question["query"])),
            None => told.push((index, vec![text(&question["query"])], &question["advice"])),
        }
    }
    for (_, queries, advised) in &told {
        for query in queries.iter().take(MOST_ALIKE) {
            let _ = writeln!(out, "    GET {}?{query}", text(&resource["name"]));
        }
        if queries.len() > MOST_ALIKE {
            let _ = writeln!(out, "    and {} more", queries.len() - MOST_ALIKE);
        }
        advice(out, advised, "      ");
    }
    for index in items(&resource["indexes"]) {
        let _ = write!(
            out,
            "    index {}: serves {} questions",
            text(&index["index"]),
            items(&index["serves"]).len()
        );
        if let Some(share) = index["share_of_runs"].as_f64() {
            let _ = write!(out, ", {:.0} % of what was run", share * 100.0);
        }
        if let Some(by) = index["redundant_with"].as_str() {
            let _ = write!(out, "; redundant: {by} does all that it does");
        }
        if let Some(whom) = index["unused"].as_str() {
            let _ = write!(out, "; unused {whom}");
        }
        out.push('\n');
    }
}

fn advice(out: &mut String, advice: &Value, indent: &str) {
    for one in items(advice) {
        let _ = write!(out, "{indent}{};", text(&one["statement"]));
        if one["verified"] == Value::Bool(true) {
            let _ = write!(out, "  -- then {}", text(&one["class"]));
            if let Some(times) = one["times_cheaper"].as_f64() {
                let _ = write!(out, ", {times} times cheaper by the planner's own numbers");
            }
        } else {
            out.push_str("  -- unverified: the database can't plan with an index that it doesn't have (PostgreSQL can, with HypoPG)");
        }
        out.push('\n');
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
